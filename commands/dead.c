/*  dead.c - `troupe dead list|show|retry|drop`: messages that were set aside.
 *
 *  DESIGN
 *  A dead letter is named by its shard and number, "3/17", which stay the same
 *  until it is retried or dropped. --all walks the list of each shard once, from
 *  the oldest on. Bodies may be large: a page that does not fit is asked for again
 *  with half as many.
 */
#include "commands/remote.h"
#include "commands/text.h"

#include <stdlib.h>

#define PAGE 500

static const option_t options[] = {
    { "most", "N", "list: the oldest N of each shard (100)" },
    { "shard", "N", "list: of one shard alone" },
    { "all", NULL, "retry, drop: all of them" },
    { "json", NULL, "list, show: JSON" },
    { NULL }
};

typedef struct {
    uint64_t shard, number;
} letter_name_t;

/*  *most shrinks until the answer fits. */
static int
ask_list (const invocation_t *invocation, client_t *client, const letter_name_t *from, uint64_t *most, json_t **tree)
{
    for (;;) {
        client_answer_t answer;
        troupe_error_t error;
        uint64_t tag;
        buffer_t *to = client_begin (client, "dead-list", from ? 3 : 1, &tag);
        packed_put_number (to, "most", *most);
        if (from) {
            packed_put_number (to, "shard", from->shard);
            packed_put_number (to, "from", from->number);
        }
        if (client_ask (client, &answer, REMOTE_PATIENCE_MS, &error) != TROUPE_OK)
            return remote_fail (invocation, &error);
        if (answer.status == TROUPE_OK)
            return remote_read_tree (invocation, &answer, tree);
        if (answer.status != TROUPE_TOO_LARGE || *most <= 1)
            return remote_fail_answer (invocation, &answer);
        *most /= 2;
    }
}

static bool
read_name (const invocation_t *invocation, const char *text, letter_name_t *name)
{
    const char *slash = strchr (text, '/');
    char shard[24];
    if (slash && slash - text < (ptrdiff_t) sizeof shard) {
        snprintf (shard, sizeof shard, "%.*s", (int) (slash - text), text);
        if (settings_read_number (shard, SETTING_INTEGER, &name->shard)
            && settings_read_number (slash + 1, SETTING_INTEGER, &name->number))
            return true;
    }
    command_fail (invocation, EXIT_USAGE, "a dead letter is named SHARD/NUMBER as in the list, not \"%s\"", text);
    return false;
}

/* ---- list and show ---- */

static void
print_line (const json_t *letter)
{
    char time_text[TEXT_FIGURE], name[48];
    snprintf (name, sizeof name, "%llu/%llu", (unsigned long long) tree_number (letter, "shard"),
              (unsigned long long) tree_number (letter, "number"));
    const char *reason = tree_text (letter, "reason");  /* after the first line: a backtrace */
    printf ("%-10s %s  %s %s, %llu tries: %.*s\n", name, text_time (tree_number (letter, "time_ms"), time_text),
            tree_text (letter, "to"), tree_text (letter, "verb"),
            (unsigned long long) tree_number (letter, "attempts"), (int) strcspn (reason, "\n"), reason);
}

static int
list (const invocation_t *invocation, client_t *client)
{
    uint64_t most = 100;
    letter_name_t from = { 0, 0 };
    bool of_one = option_given (invocation, "shard");
    json_t *tree = NULL;
    if (!option_number (invocation, "most", &most) || !option_number (invocation, "shard", &from.shard))
        return EXIT_USAGE;
    int code = ask_list (invocation, client, of_one ? &from : NULL, &most, &tree);
    if (code == EXIT_OK && option_given (invocation, "json"))
        code = remote_print_tree (invocation, tree);
    else if (code == EXIT_OK) {
        for (size_t i = 0; i < json_array_size (tree); i++)
            print_line (json_array_get (tree, i));
        if (json_array_size (tree) == 0)
            printf ("no dead letters\n");
    }
    json_decref (tree);
    return code;
}

/*  Further lines stand under the first. */
static void
print_reason (const char *reason)
{
    for (const char *at = reason; *at; at += strspn (at, "\n")) {
        size_t size = strcspn (at, "\n");
        printf ("%-10s%.*s\n", at == reason ? "reason" : "", (int) size, at);
        at += size;
    }
}

static void
print_whole (const json_t *letter)
{
    char time_text[TEXT_FIGURE];
    const char *from = tree_text (letter, "from");
    printf ("to        %s\nverb      %s\nfrom      %s\ndied      %s\ntries     %llu\n",
            tree_text (letter, "to"), tree_text (letter, "verb"), *from ? from : "outside",
            text_time (tree_number (letter, "time_ms"), time_text),
            (unsigned long long) tree_number (letter, "attempts"));
    if (*tree_text (letter, "trace"))
        printf ("trace     %s\n", tree_text (letter, "trace"));
    print_reason (tree_text (letter, "reason"));
    printf ("body      ");
    json_dumpf (json_object_get (letter, "body"), stdout, JSON_INDENT (2) | JSON_ENCODE_ANY);
    putchar ('\n');
}

static int
show (const invocation_t *invocation, client_t *client)
{
    letter_name_t name;
    uint64_t one = 1;
    json_t *tree = NULL;
    if (!read_name (invocation, invocation->words[1], &name))
        return EXIT_USAGE;
    int code = ask_list (invocation, client, &name, &one, &tree);
    if (code != EXIT_OK)
        return code;
    const json_t *letter = json_array_get (tree, 0);
    if (!letter || tree_number (letter, "number") != name.number)
        code = command_fail (invocation, EXIT_ANSWER, "there is no dead letter %s", invocation->words[1]);
    else if (option_given (invocation, "json"))
        code = remote_print_tree (invocation, letter);
    else
        print_whole (letter);
    json_decref (tree);
    return code;
}

/* ---- retry and drop ---- */

static int
change (const invocation_t *invocation, client_t *client, const char *what, const letter_name_t *name)
{
    client_answer_t answer;
    uint64_t tag;
    buffer_t *to = client_begin (client, what, 2, &tag);
    packed_put_number (to, "shard", name->shard);
    packed_put_number (to, "number", name->number);
    return remote_ask (invocation, client, &answer);
}

/*  The letters of one shard, oldest first. */
static int
change_shard (const invocation_t *invocation, client_t *client, const char *what, uint64_t shard, uint64_t *count)
{
    letter_name_t from = { shard, 0 };
    uint64_t page = PAGE;
    for (;;) {
        json_t *tree = NULL;
        int code = ask_list (invocation, client, &from, &page, &tree);
        size_t size = code == EXIT_OK ? json_array_size (tree) : 0;
        for (size_t i = 0; i < size && code == EXIT_OK; i++) {
            letter_name_t name = { shard, tree_number (json_array_get (tree, i), "number") };
            code = change (invocation, client, what, &name);
            *count += code == EXIT_OK;
            from.number = name.number + 1;
        }
        json_decref (tree);
        if (code != EXIT_OK || size < page)
            return code;
    }
}

static int
change_all (const invocation_t *invocation, client_t *client, const char *what, const char *done)
{
    json_t *node = NULL;
    uint64_t tag, count = 0;
    client_begin (client, "hello", 0, &tag);
    int code = remote_ask_tree (invocation, client, &node);
    uint64_t shards = tree_number (node, "shards");
    for (uint64_t shard = 0; shard < shards && code == EXIT_OK; shard++)
        code = change_shard (invocation, client, what, shard, &count);
    json_decref (node);
    printf ("%llu %s\n", (unsigned long long) count, done);
    return code;
}

static int
change_named (const invocation_t *invocation, client_t *client, const char *what)
{
    letter_name_t name;
    if (invocation->word_count < 2)
        return command_fail (invocation, EXIT_USAGE, "which? SHARD/NUMBER ..., or --all");
    for (unsigned i = 1; i < invocation->word_count; i++)
        if (!read_name (invocation, invocation->words[i], &name))
            return EXIT_USAGE;
    int code = EXIT_OK;
    for (unsigned i = 1; i < invocation->word_count && code == EXIT_OK; i++)
        if (read_name (invocation, invocation->words[i], &name))
            code = change (invocation, client, what, &name);
    return code;
}

static int
retry_or_drop (const invocation_t *invocation, client_t *client)
{
    bool retry = strcmp (invocation->words[0], "retry") == 0;
    const char *what = retry ? "dead-retry" : "dead-drop";
    if (option_given (invocation, "all"))
        return change_all (invocation, client, what, retry ? "sent again" : "dropped");
    return change_named (invocation, client, what);
}

static const struct {
    const char *name;
    unsigned least, most;
    int (*run) (const invocation_t *invocation, client_t *client);
} verbs[] = {
    { "list", 1, 1, list },
    { "show", 2, 2, show },
    { "retry", 1, UINT32_MAX, retry_or_drop },
    { "drop", 1, UINT32_MAX, retry_or_drop },
};

static int
run (invocation_t *invocation)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp (verbs[i].name, invocation->words[0]) != 0)
            continue;
        if (invocation->word_count < verbs[i].least || invocation->word_count > verbs[i].most)
            return command_fail (invocation, EXIT_USAGE, "%s %s", verbs[i].name,
                                 verbs[i].least == 2 ? "wants one SHARD/NUMBER" : "wants no more words");
        client_t *client;
        int code = remote_open (invocation, &client);
        if (code == EXIT_OK)
            code = verbs[i].run (invocation, client);
        client_destroy (&client);
        return code;
    }
    return command_fail (invocation, EXIT_USAGE, "list, show, retry or drop is wanted, not \"%s\"",
                         invocation->words[0]);
}

const command_t command_dead = {
    .name = "dead",
    .words = "list | show ID | retry ID... | drop ID...",
    .least = 1,
    .most = UINT32_MAX,
    .summary = "list, show, retry or drop dead letters",
    .help = "ID is SHARD/NUMBER as in the list. A retried letter is a new message: it goes behind what waits.\n",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
