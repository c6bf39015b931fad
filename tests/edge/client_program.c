/*  client_program.c - a program that is a client, as an integrator writes one; test_client runs it.
 *
 *      client_program count AT TO                 calls `add` and watches TO/live while stdin is open; the node may be
 *                                                 killed meanwhile: each call runs once, no event is missing
 *      client_program watch AT TO [- TOKEN]       says what comes of TO/live, until it is killed
 *      client_program ask AT VERB STATUS [CERTIFICATE SERVER | TOKEN]   one call of counter/k; its status is this
 */
#include <troupe_client.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WINDOW 32

typedef struct {
    troupe_client_t *client;
    const char *to;
    json_int_t submitted, replies, events;
    bool is_bad;
} counter_t;

static void
fail (counter_t *self, const char *what, json_int_t wanted, json_int_t got, const char *text)
{
    printf ("not ok - %s: wanted %lld, got %lld %s\n", what, (long long) wanted, (long long) got, text);
    self->is_bad = true;
}

static void
heard_total (void *arg, const troupe_answer_t *answer)
{
    counter_t *self = arg;
    json_int_t total = -1;
    self->replies += 1;
    if (troupe_answer_unpack (answer, NULL, "{s:I}", "total", &total) != TROUPE_OK || total != self->replies)
        fail (self, "reply", self->replies, total, answer->text);
}

static void
heard_event (void *arg, const troupe_heard_event_t *event)
{
    counter_t *self = arg;
    json_int_t total = -1;
    self->events += 1;
    if (event->type != TROUPE_HEARD_EVENT
        || troupe_answer_unpack (event->answer, NULL, "{s:I}", "total", &total) != TROUPE_OK || total != self->events)
        fail (self, "event", self->events, total, event->answer->text);
}

static void
submit_some (counter_t *self)
{
    troupe_error_t error;
    troupe_client_call_t call = { .to = self->to, .verb = "add", .done = heard_total, .arg = self,
                                  .timeout_ms = 60000 };
    while (troupe_client_calls (self->client) < WINDOW && !self->is_bad) {
        if (troupe_client_submit (self->client, &call, &error) != TROUPE_OK)
            fail (self, "submit", 0, error.status, error.text);
        self->submitted += 1;
    }
}

static int
count (troupe_client_t *client, const char *to)
{
    char feed[300];
    bool is_open = true;
    troupe_error_t error;
    counter_t self = { .client = client, .to = to };
    struct pollfd items[] = { { .fd = troupe_client_fd (client), .events = POLLIN }, { .fd = 0, .events = POLLIN } };
    snprintf (feed, sizeof feed, "%s/live", to);
    troupe_watch_t *watch = troupe_client_watch (client, feed, "start", heard_event, &self, &error);
    while (watch && !self.is_bad) {
        if (is_open)
            submit_some (&self);
        uint32_t wait_ms = troupe_client_process (client);
        if (!is_open && self.events >= self.submitted && self.replies == self.submitted)
            break;
        poll (items, is_open ? 2 : 1, wait_ms < 60000 ? (int) wait_ms : 60000);
        is_open = is_open && !items[1].revents;
    }
    troupe_client_unwatch (client, &watch);
    printf ("%s - each of the calls ran once and in order, no event is missing or doubled\n",
            self.is_bad ? "not ok" : "ok");
    printf ("# %lld calls\n", (long long) self.submitted);
    return self.is_bad;
}

static void
print_heard (void *arg, const troupe_heard_event_t *event)
{
    json_int_t total = 0;
    (void) arg;
    (void) !troupe_answer_unpack (event->answer, NULL, "{s:I}", "total", &total);
    printf ("%s %lld\n", troupe_status_name (event->answer->status), (long long) total);
    fflush (stdout);
}

/*  It makes no calls, so that the end of none wakes it. */
static int
listen_only (troupe_client_t *client, const char *to)
{
    char feed[300];
    troupe_error_t error;
    snprintf (feed, sizeof feed, "%s/live", to);
    if (!troupe_client_watch (client, feed, "start", print_heard, NULL, &error))
        return 1;
    for (;;)
        troupe_client_wait (client, UINT32_MAX);
}

static int
ask (troupe_client_t *client, const char *verb, const char *wanted)
{
    troupe_answer_t answer;
    troupe_status_t status = troupe_client_call (client, "counter/k", verb, &answer, NULL);
    bool is_good = strcmp (troupe_status_name (status), wanted) == 0;
    const char *subject = NULL;
    if (status == TROUPE_OK)
        (void) !troupe_answer_unpack (&answer, NULL, "{s?:s}", "subject", &subject);
    printf ("%s - %s gives %s (%s)%s%s\n", is_good ? "ok" : "not ok", verb, troupe_status_name (status), answer.text,
            subject ? " to " : "", subject ? subject : "");
    troupe_answer_clear (&answer);
    return !is_good;
}

int
main (int argc, char **argv)
{
    troupe_error_t error;
    if (argc < 4)
        return 2;
    troupe_client_options_t options = {
        .at = argv[2],
        .name = "client_program",
        .certificate = argc > 6 ? argv[5] : NULL,
        .server = argc > 6 ? argv[6] : NULL,
        .token = argc == 6 ? argv[5] : NULL,
        .timeout_ms = argc > 4 && strcmp (argv[4], "timeout") == 0 ? 1500 : 0
    };
    troupe_client_t *client = troupe_client_new (&options, &error);
    if (!client) {
        printf ("not ok - %s\n", error.text);
        return 1;
    }
    int code = strcmp (argv[1], "count") == 0   ? count (client, argv[3])
               : strcmp (argv[1], "watch") == 0 ? listen_only (client, argv[3])
                                                : ask (client, argv[3], argv[4]);
    troupe_client_destroy (&client);
    return code;
}
