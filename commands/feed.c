/*  feed.c - `troupe feed user/42/live --follow`: the events of a channel, one a line.
 *
 *  DESIGN
 *  The offset is all that a watcher has to remember: the next request asks from
 *  there on, so nothing is missed and nothing comes twice, also over a restart of the
 *  node. History that is gone is said aloud (on stderr), never skipped in
 *  silence. Following asks again after a short pause; a tool for a person may.
 */
#include "commands/remote.h"
#include "commands/text.h"

#include <stdlib.h>
#include <unistd.h>

#define FOLLOW_PAUSE_US 200000
#define BATCH_MOST 500
#define LAST_DEFAULT 20

static const option_t options[] = {
    { "from", "N", "the first event, by its offset" },
    { "last", "N", "or the newest N (20)" },
    { "follow", NULL, "then wait for more, until interrupted" },
    { "json", NULL, "a JSON object a line: offset, time_ms, key, body" },
    { NULL }
};

typedef struct {
    const invocation_t *invocation;
    client_t *client;
    uint64_t next;   /* offset */
    uint64_t batch;
    bool json;
} reading_t;

static int
print_event (const reading_t *self, const json_t *event)
{
    char time_text[TEXT_FIGURE];
    if (self->json)
        return remote_print_tree (self->invocation, event);
    const char *key = tree_text (event, "key");
    printf ("%llu  %s  %s%s", (unsigned long long) tree_number (event, "offset"),
            text_time (tree_number (event, "time_ms"), time_text), key, *key ? "  " : "");
    json_dumpf (json_object_get (event, "body"), stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    putchar ('\n');
    return EXIT_OK;
}

/*  One request; the caller decrefs the tree. A batch that is too large is asked for in smaller ones. */
static int
ask (reading_t *self, uint64_t from, uint64_t most, json_t **tree)
{
    for (;;) {
        client_answer_t answer;
        troupe_error_t error;
        uint64_t tag;
        buffer_t *to = client_begin (self->client, "feed", 3, &tag);
        packed_put_text (to, "feed", self->invocation->words[0]);
        packed_put_number (to, "from", from);
        packed_put_number (to, "most", most);
        if (client_ask (self->client, &answer, REMOTE_PATIENCE_MS, &error) != TROUPE_OK)
            return remote_fail (self->invocation, &error);
        if (answer.status == TROUPE_TOO_LARGE && most > 1) {
            most = self->batch = most / 2;
            continue;
        }
        return answer.status == TROUPE_OK ? remote_read_tree (self->invocation, &answer, tree)
                                          : remote_fail_answer (self->invocation, &answer);
    }
}

/*  Prints what there is from `next` on. */
static int
read_rest (reading_t *self)
{
    for (;;) {
        json_t *tree = NULL;
        int code = ask (self, self->next, self->batch, &tree);
        if (code != EXIT_OK)
            return code;
        const json_t *events = json_object_get (tree, "events");
        uint64_t first = tree_number (tree, "first"), head = tree_number (tree, "head");
        if (self->next < first) {
            fprintf (stderr, "gap: events %llu to %llu are no longer kept\n", (unsigned long long) self->next,
                     (unsigned long long) first - 1);
            self->next = first;
        }
        size_t count = json_array_size (events);
        for (size_t i = 0; i < count && code == EXIT_OK; i++) {
            code = print_event (self, json_array_get (events, i));
            self->next = tree_number (json_array_get (events, i), "offset") + 1;
        }
        json_decref (tree);
        if (code != EXIT_OK || count == 0 || self->next > head)
            return code;
    }
}

/*  Where the newest `last` begin. */
static int
find_start (reading_t *self, uint64_t last)
{
    json_t *tree = NULL;
    int code = ask (self, 0, 0, &tree);
    if (code != EXIT_OK)
        return code;
    uint64_t head = tree_number (tree, "head"), first = tree_number (tree, "first");
    self->next = head >= last ? head - last + 1 : 1;
    if (self->next < first)
        self->next = first;
    json_decref (tree);
    return EXIT_OK;
}

/*  Until something goes wrong; a node that restarts does not count. */
static int
follow (reading_t *self)
{
    for (;;) {
        if (fflush (stdout) != 0)
            return EXIT_DISK;
        usleep (FOLLOW_PAUSE_US);
        int code = read_rest (self);
        if (code == EXIT_UNREACHED)
            (void) remote_join_again (self->invocation, &self->client, UINT64_MAX);
        else if (code != EXIT_OK)
            return code;
    }
}

static int
run (invocation_t *invocation)
{
    reading_t self = { .invocation = invocation, .batch = BATCH_MOST, .json = option_given (invocation, "json") };
    uint64_t last = LAST_DEFAULT;
    if (!option_number (invocation, "from", &self.next) || !option_number (invocation, "last", &last))
        return EXIT_USAGE;
    int code = remote_open (invocation, &self.client);
    if (code == EXIT_OK && !option_given (invocation, "from"))
        code = find_start (&self, last);
    if (self.next == 0)
        self.next = 1;
    if (code == EXIT_OK)
        code = read_rest (&self);
    if (code == EXIT_OK && option_given (invocation, "follow"))
        code = follow (&self);
    client_destroy (&self.client);
    return code;
}

const command_t command_feed = {
    .name = "feed",
    .words = "KIND/ID/CHANNEL",
    .least = 1,
    .most = 1,
    .summary = "print the events of a channel",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
