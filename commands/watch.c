/*  watch.c - `troupe watch user/42/live`: the events of a channel as anybody may hear them, over ZeroMQ.
 *
 *  DESIGN
 *  Each line has the token behind which another run goes on (--from), so that a script misses nothing and
 *  gets nothing twice. The client comes back by itself when the node does; what is no longer kept is said on stderr,
 *  and so is that nobody is there at first: a verb that no node has is asked for, which whoever is there denies.
 */
#include "commands/node_kind.h"
#include "commands/remote.h"
#include "runtime/body/json.h"

#include <stdlib.h>

#define SILENCE_MS 3000  /* after which it is said that nobody is there */

static const option_t options[] = {
    { "from", "PLACE", "start, or a token: what came behind it (what comes from now on)" },
    { "count", "N", "leave after so many events" },
    { "json", NULL, "a JSON object a line: token, key, body" },
    { NULL }
};

typedef struct {
    const invocation_t *invocation;
    uint64_t left;   /* events; UINT64_MAX: all */
    bool is_json, is_over;
    int code;
} watching_t;

static void
print_object (const troupe_heard_event_t *event, json_t *body)
{
    json_t *line = json_pack ("{s:s, s:s, s:o}", "token", event->token, "key", event->key, "body", body);
    if (line)
        json_dumpf (line, stdout, JSON_COMPACT);
    json_decref (line);
}

static void
print_event (watching_t *self, const troupe_heard_event_t *event)
{
    troupe_error_t error;
    json_t *body = json_tree_from_packed (event->answer->body, event->answer->size, &error);
    if (!body) {
        self->code = command_fail (self->invocation, EXIT_INTERNAL, "an event: %s", error.text);
        self->is_over = true;
        return;
    }
    if (self->is_json)
        print_object (event, body);
    else {
        printf ("%s  %s%s", *event->token ? event->token : "-", event->key, *event->key ? "  " : "");
        json_dumpf (body, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
        json_decref (body);
    }
    putchar ('\n');
}

static void
hear (void *arg, const troupe_heard_event_t *event)
{
    watching_t *self = arg;
    if (self->is_over)
        return;
    switch (event->type) {
    case TROUPE_HEARD_GAP:
        fprintf (stderr, "gap: events before %s are no longer kept\n", event->token);
        break;
    case TROUPE_HEARD_END:
        self->code = command_fail (self->invocation, EXIT_ANSWER, "%s: %s", troupe_status_name (event->answer->status),
                                   event->answer->text);
        self->is_over = true;
        break;
    case TROUPE_HEARD_EVENT:
        self->left -= self->left != UINT64_MAX;
        self->is_over = self->left == 0;
        print_event (self, event);
        break;
    case TROUPE_HEARD_SNAPSHOT:
        print_event (self, event);
    }
}

static void
look (void *arg, const troupe_answer_t *answer)
{
    watching_t *self = arg;
    if (answer->status == TROUPE_TIMEOUT && !self->is_over)
        fprintf (stderr, "troupe watch: %s; waiting for it\n", answer->text);
}

/*  Whether it can be asked is no matter of the watch. */
static void
ask_who_is_there (watching_t *self, troupe_client_t *client)
{
    troupe_error_t error;
    troupe_client_call_t call = { .to = NODE_ADDRESS, .verb = "greet", .timeout_ms = SILENCE_MS, .done = look,
                                  .arg = self };
    if (troupe_client_submit (client, &call, &error) != TROUPE_OK)
        fprintf (stderr, "troupe watch: %s\n", error.text);
}

static int
listen (watching_t *self, troupe_client_t *client)
{
    troupe_error_t error;
    troupe_watch_t *watch = troupe_client_watch (client, self->invocation->words[0],
                                                 option_text (self->invocation, "from"), hear, self, &error);
    if (!watch)
        return command_fail (self->invocation, EXIT_USAGE, "%s", error.text);
    ask_who_is_there (self, client);
    while (!self->is_over) {
        troupe_client_wait (client, UINT32_MAX);
        if (fflush (stdout) != 0)
            return EXIT_DISK;
    }
    troupe_client_unwatch (client, &watch);
    return self->code;
}

static int
run (invocation_t *invocation)
{
    watching_t self = { .invocation = invocation, .left = UINT64_MAX, .is_json = option_given (invocation, "json") };
    troupe_client_t *client;
    if (!option_number (invocation, "count", &self.left))
        return EXIT_USAGE;
    if (self.left == 0)
        return EXIT_OK;
    int code = remote_open_far (invocation, REMOTE_PATIENCE_MS, &client);
    if (code == EXIT_OK)
        code = listen (&self, client);
    troupe_client_destroy (&client);
    return code;
}

const command_t command_watch = {
    .name = "watch",
    .words = "KIND/ID/CHANNEL",
    .least = 1,
    .most = 1,
    .summary = "print the events of a channel as they come, over ZeroMQ",
    .help = "From the node of --at, or of --store. A line is TOKEN [KEY] BODY; it goes on without a gap when the\n"
            "node comes back, until interrupted.\n",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
