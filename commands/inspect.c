/*  inspect.c - `troupe inspect user/42`: what is known of one actor, without waking it.
 *
 *  Values are shown by a guess (shown.h); --json gives their bytes in base64.
 */
#include "commands/remote.h"
#include "commands/shown.h"
#include "commands/text.h"
#include "runtime/base/clock.h"
#include "runtime/body/packed.h"

#include <stdlib.h>

#define SHOWN_MAX 96  /* characters of a value */

static const option_t options[] = {
    { "most", "N", "values, timers and questions to show (100)" },
    { "json", NULL, "one JSON object" },
    { NULL }
};

static void
print_value (const uint8_t *bytes, size_t size)
{
    json_t *shown = shown_value (bytes, size);
    char *text = json_dumps (shown, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text)
        printf ("%.*s%s", SHOWN_MAX, text, strlen (text) > SHOWN_MAX ? " ..." : "");
    free (text);
    json_decref (shown);
}

/* ---- the packed answer ---- */

typedef struct {
    packed_reader_t reader;  /* stands at the elements */
    uint32_t count;
} rows_t;

static rows_t
rows_of (const wire_message_t *actor, const char *name)
{
    rows_t rows = { { NULL, NULL }, 0 };
    packed_value_t head;
    if (packed_find (actor->bytes, actor->size, name, &rows.reader) && packed_next (&rows.reader, &head)
        && head.type == PACKED_ARRAY)
        rows.count = head.count;
    return rows;
}

static bool
next_row (rows_t *rows, wire_message_t *row)
{
    if (rows->count == 0)
        return false;
    rows->count--;
    row->bytes = rows->reader.at;
    if (!packed_skip (&rows->reader))
        return false;
    row->size = (size_t) (rows->reader.at - row->bytes);
    return true;
}

static const char *
text_of (const wire_message_t *row, const char *name, char *text, size_t size)
{
    text[0] = '\0';
    (void) !wire_text (row, name, text, size, NULL);
    return text;
}

static uint64_t
number_of (const wire_message_t *row, const char *name)
{
    uint64_t number = 0;
    (void) !wire_number (row, name, &number, NULL);
    return number;
}

/* ---- the parts ---- */

static void
print_state (const wire_message_t *actor)
{
    wire_message_t row;
    char key[TROUPE_KEY_MAX + 1], size_text[TEXT_FIGURE];
    rows_t rows = rows_of (actor, "state");
    if (rows.count)
        printf ("\nstate\n");
    while (next_row (&rows, &row)) {
        const uint8_t *bytes = NULL;
        size_t size = 0;
        (void) !wire_bytes (&row, "value", &bytes, &size, NULL);
        printf ("  %-24s %9s  ", text_of (&row, "key", key, sizeof key), text_bytes (size, size_text));
        print_value (bytes, size);
        putchar ('\n');
    }
}

static void
print_due (uint64_t due_ms)
{
    char text[TEXT_FIGURE];
    uint64_t now_ms = clock_wall_ms ();
    if (due_ms > now_ms)
        printf ("in %s", text_duration (due_ms - now_ms, text));
    else
        printf ("since %s", text_duration (now_ms - due_ms, text));
}

static void
print_timers (const wire_message_t *actor)
{
    wire_message_t row;
    char name[TROUPE_NAME_MAX + 1], verb[TROUPE_NAME_MAX + 1], every[TEXT_FIGURE];
    rows_t rows = rows_of (actor, "timers");
    if (rows.count)
        printf ("\ntimers\n");
    while (next_row (&rows, &row)) {
        text_of (&row, "name", name, sizeof name);
        printf ("  %-24s %s due ", name, text_of (&row, "verb", verb, sizeof verb));
        print_due (number_of (&row, "due_ms"));
        uint64_t every_ms = number_of (&row, "every_ms");
        printf ("%s%s\n", every_ms ? ", every " : "", every_ms ? text_duration (every_ms, every) : "");
    }
}

static void
print_asks (const wire_message_t *actor)
{
    wire_message_t row;
    char then[TROUPE_NAME_MAX + 1];
    rows_t rows = rows_of (actor, "asks");
    if (rows.count)
        printf ("\nquestions without an answer\n");
    while (next_row (&rows, &row)) {
        printf ("  then %-19s deadline ", text_of (&row, "then", then, sizeof then));
        print_due (number_of (&row, "due_ms"));
        putchar ('\n');
    }
}

static void
print_feeds (const wire_message_t *actor)
{
    wire_message_t row;
    char channel[TROUPE_NAME_MAX + 1];
    rows_t rows = rows_of (actor, "feeds");
    if (rows.count)
        printf ("\nfeeds\n");
    while (next_row (&rows, &row)) {
        unsigned long long head = number_of (&row, "head"), first = number_of (&row, "first");
        printf ("  %-24s head %llu, history from %llu\n", text_of (&row, "channel", channel, sizeof channel), head,
                first);
    }
}

static void
print_mail (const wire_message_t *actor)
{
    wire_message_t row;
    char verb[TROUPE_NAME_MAX + 1], from[TROUPE_ADDRESS_MAX + 1], size_text[TEXT_FIGURE];
    rows_t rows = rows_of (actor, "next_mail");
    if (rows.count)
        printf ("\nnext mail\n");
    while (next_row (&rows, &row)) {
        uint64_t attempts = number_of (&row, "attempts");
        text_of (&row, "from", from, sizeof from);
        printf ("  %-24s from %s, %s", text_of (&row, "verb", verb, sizeof verb), *from ? from : "outside",
                text_bytes (number_of (&row, "size"), size_text));
        if (attempts)
            printf (", failed %llu times", (unsigned long long) attempts);
        putchar ('\n');
    }
}

static void
print_actor (const wire_message_t *actor)
{
    char address[TROUPE_ADDRESS_MAX + 1], condition[64], reason[512], bytes[TEXT_FIGURE];
    text_bytes (number_of (actor, "bytes"), bytes);
    printf ("%s: %s, on shard %llu, %llu messages wait, about %s\n",
            text_of (actor, "address", address, sizeof address),
            text_of (actor, "condition", condition, sizeof condition),
            (unsigned long long) number_of (actor, "shard"), (unsigned long long) number_of (actor, "mail"), bytes);
    if (*text_of (actor, "held", reason, sizeof reason))
        printf ("calls and timers are held: %s\n", reason);
    if (*text_of (actor, "reason", reason, sizeof reason))
        printf ("reason: %s\n", reason);
    print_state (actor);
    print_timers (actor);
    print_asks (actor);
    print_feeds (actor);
    print_mail (actor);
}

static int
run (invocation_t *invocation)
{
    client_t *client;
    client_answer_t answer;
    uint64_t tag, most = 100;
    if (!option_number (invocation, "most", &most))
        return EXIT_USAGE;
    int code = remote_open (invocation, &client);
    if (code != EXIT_OK)
        return code;
    buffer_t *to = client_begin (client, "inspect", 2, &tag);
    packed_put_text (to, "to", invocation->words[0]);
    packed_put_number (to, "most", most);
    code = remote_ask (invocation, client, &answer);
    wire_message_t actor = { answer.body, answer.size };
    if (code == EXIT_OK && option_given (invocation, "json"))
        code = remote_print (invocation, answer.body, answer.size);
    else if (code == EXIT_OK)
        print_actor (&actor);
    client_destroy (&client);
    return code;
}

const command_t command_inspect = {
    .name = "inspect",
    .words = "KIND/ID",
    .least = 1,
    .most = 1,
    .summary = "show an actor's state, mail, timers and feeds",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
