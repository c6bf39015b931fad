/*  trace.c - `troupe trace user/42`: turns as they run.
 *
 *  DESIGN
 *  The node keeps what ran since it was asked last (shard_follow), so this asks again and again, and nothing
 *  is missed but what the node had no room for, which is said aloud. Turns of one answer come from several shards and
 *  are put in the order in which they began: a message is handled after the turn that told it. A node that restarts
 *  is followed again; what it ran meanwhile is not known.
 */
#include "commands/remote.h"
#include "commands/text.h"
#include "runtime/base/clock.h"
#include "runtime/base/trace.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define PAUSE_US 100000
#define TRACE_DIGITS 32

static const option_t options[] = {
    { "count", "N", "leave after so many turns" },
    { "for", "TIME", "leave after so long" },
    { "json", NULL, "a JSON object a line" },
    { NULL }
};

typedef struct {
    const invocation_t *invocation;
    client_t *client;
    char of[TROUPE_ADDRESS_MAX + 1];
    uint64_t id;
    uint64_t left;      /* turns; UINT64_MAX: all */
    uint64_t until_ms;  /* of the monotonic clock; UINT64_MAX: for ever */
    bool is_json;
} tracing_t;

/* ---- printing ---- */

static void
print_names (const json_t *turn, const char *title, const char *list)
{
    const json_t *names = json_object_get (turn, list), *name;
    size_t i;
    json_array_foreach (names, i, name)
        printf ("%s%s", i ? " " : title, json_string_value (name));
}

static void
print_told (const json_t *turn)
{
    const json_t *messages = json_object_get (turn, "told"), *message;
    size_t i;
    json_array_foreach (messages, i, message)
        printf ("%s%s %s", i ? ", " : "  -> ", tree_text (message, "to"), tree_text (message, "verb"));
}

static void
print_turn (const json_t *turn)
{
    char time_text[TEXT_FIGURE], took_text[TEXT_FIGURE];
    const char *verb = tree_text (turn, "verb"), *from = tree_text (turn, "from"), *text = tree_text (turn, "text");
    printf ("%s  %s%s%s  %s%s%s  %s, %s", text_time (tree_number (turn, "time_ms"), time_text),
            tree_text (turn, "address"), *verb ? " " : "", verb, tree_text (turn, "by"), *from ? " " : "", from,
            tree_text (turn, "status"), text_nanoseconds (tree_number (turn, "took_ns"), took_text));
    if (*text)
        printf (": %.*s", (int) strcspn (text, "\n"), text);
    print_names (turn, "  changed ", "changed");
    print_names (turn, "  timers ", "timers");
    print_names (turn, "  events ", "events");
    print_told (turn);
    if (tree_number (turn, "more"))
        printf ("  and %llu more", (unsigned long long) tree_number (turn, "more"));
    putchar ('\n');
}

static int
by_begin (const void *one, const void *other)
{
    uint64_t a = tree_number (*(const json_t *const *) one, "began_ns");
    uint64_t b = tree_number (*(const json_t *const *) other, "began_ns");
    return a < b ? -1 : a > b;
}

static int
print_one (tracing_t *self, const json_t *turn)
{
    if (json_object_get (turn, "lost")) {
        fprintf (stderr, "lost: %llu turns of shard %llu, which ran too many\n",
                 (unsigned long long) tree_number (turn, "lost"), (unsigned long long) tree_number (turn, "shard"));
        return EXIT_OK;
    }
    if (self->left == 0)
        return EXIT_OK;
    self->left -= self->left != UINT64_MAX;
    if (self->is_json)
        return remote_print_tree (self->invocation, turn);
    print_turn (turn);
    return EXIT_OK;
}

static int
print_all (tracing_t *self, const json_t *turns)
{
    size_t count = json_array_size (turns);
    const json_t **sorted = count ? malloc (count * sizeof *sorted) : NULL;
    if (count && !sorted)
        return command_fail (self->invocation, EXIT_INTERNAL, "out of memory");
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get (turns, i);
    if (count)
        qsort (sorted, count, sizeof *sorted, by_begin);
    int code = EXIT_OK;
    for (size_t i = 0; i < count && code == EXIT_OK; i++)
        code = print_one (self, sorted[i]);
    free (sorted);
    return code;
}

/* ---- asking ---- */

static int
ask (tracing_t *self)
{
    uint64_t tag;
    json_t *turns = NULL;
    buffer_t *to = client_begin (self->client, "turns", 2, &tag);
    packed_put_number (to, "follower", self->id);
    packed_put_text (to, "of", self->of);
    int code = remote_ask_tree (self->invocation, self->client, &turns);
    if (code == EXIT_OK)
        code = print_all (self, turns);
    json_decref (turns);
    return code;
}

/*  Until it has enough, or something goes wrong. */
static int
follow (tracing_t *self)
{
    int code = ask (self);
    while (code == EXIT_OK && self->left && clock_monotonic_ns () / 1000000 < self->until_ms) {
        if (fflush (stdout) != 0)
            return EXIT_DISK;
        usleep (PAUSE_US);
        code = ask (self);
        if (code == EXIT_UNREACHED && remote_join_again (self->invocation, &self->client, self->until_ms))
            code = EXIT_OK;
    }
    return code;
}

/*  A whole traceparent stands for its trace. */
static int
read_of (tracing_t *self, const char *word)
{
    uint8_t trace[TRACE_SIZE];
    char text[TRACE_TEXT_SIZE];
    if (trace_read (word, trace)) {
        trace_write (trace, text);
        snprintf (self->of, sizeof self->of, "%.*s", TRACE_DIGITS, text + 3);
    } else if (strlen (word) > TROUPE_ADDRESS_MAX)
        return command_fail (self->invocation, EXIT_USAGE, "an address has at most %d bytes", TROUPE_ADDRESS_MAX);
    else
        snprintf (self->of, sizeof self->of, "%s", word);
    return EXIT_OK;
}

static int
run (invocation_t *invocation)
{
    tracing_t self = { .invocation = invocation, .left = UINT64_MAX, .until_ms = UINT64_MAX,
                       .is_json = option_given (invocation, "json") };
    uint64_t for_ms = 0;
    if (!option_number (invocation, "count", &self.left) || !option_duration (invocation, "for", &for_ms))
        return EXIT_USAGE;
    if (option_given (invocation, "for"))
        self.until_ms = clock_monotonic_ns () / 1000000 + for_ms;
    if (invocation->word_count && read_of (&self, invocation->words[0]) != EXIT_OK)
        return EXIT_USAGE;
    if (getrandom (&self.id, sizeof self.id, 0) != sizeof self.id)
        return command_fail (invocation, EXIT_INTERNAL, "no random bytes");
    self.id &= INT64_MAX;
    int code = remote_open (invocation, &self.client);
    if (code == EXIT_OK)
        code = follow (&self);
    client_destroy (&self.client);
    return code;
}

const command_t command_trace = {
    .name = "trace",
    .words = "[KIND/ID | KIND | TRACE]",
    .most = 1,
    .summary = "print turns as they run: of an actor, a kind, a trace, or all",
    .help = "A line is TIME ADDRESS VERB, how the message came and from whom, the outcome and how long the handler\n"
            "ran, then what the turn changed, published and told. It goes on until interrupted. TRACE is the 32\n"
            "digits of a trace, or a traceparent.\n",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
