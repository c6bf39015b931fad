/*  bench_zmq.c - what backends get over ZeroMQ: durable commands, a durable queue, reads.
 *
 *  DESIGN
 *  The server is a process of its own; the clients are those of libtroupe, on one thread of this one, as a backend
 *  would have them. What ZeroMQ itself can do on this machine is measured in the same run, so that a figure
 *  can be compared with its floor however busy the machine is.
 */
#include "commands/bench_server.h"
#include "commands/bench_stadium.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "transports/auth/tokens.h"
#include "transports/edge/edge.h"
#include "transports/zmq/floor.h"
#include "transports/zmq/tally.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <troupe_client.h>
#include <unistd.h>

#define SECONDS 4.0
#define LEAST_SECONDS 0.2
#define MESSAGE_BYTES 150
#define READERS 100
#define READER_DEPTH 16
#define ACTORS 256
#define LATENCIES (1u << 20)
#define STORE "node"
#define TOKEN_MS 3600000

/* ------------------------------------------------------------------ *
 *  The kind
 * ------------------------------------------------------------------ */

/*  What a consumer of a queue does: looks at the message and remembers how far it is. */
static troupe_status_t
handle (troupe_turn_t *turn)
{
    size_t size;
    uint64_t handled = 0;
    (void) troupe_body (turn, &size);
    troupe_load (turn, "handled", &handled, sizeof handled);
    handled += size > 0;
    troupe_store (turn, "handled", &handled, sizeof handled);
    return troupe_reply (turn, NULL);
}

static const troupe_verb_t verbs[] = { { "handle", handle, .allow = TROUPE_ANYONE }, { NULL } };
static const troupe_kind_t queue = { "queue", .version = 1, .verbs = verbs };

/* ------------------------------------------------------------------ *
 *  Clients
 * ------------------------------------------------------------------ */

typedef struct zmq_bench_s zmq_bench_t;

typedef struct {
    zmq_bench_t *bench;
    troupe_client_t *client;
    uint64_t next;             /* an actor */
    uint64_t since_ns;         /* of one in flight */
} user_t;

struct zmq_bench_s {
    bench_t *bench;
    bench_server_t server;
    user_t users[READERS];
    uint32_t actors;
    const char *kind, *verb;
    uint8_t body[MESSAGE_BYTES + 2];
    size_t body_size;
    uint64_t began_ns, ends_ns, done;
    uint64_t *latencies;       /* NULL: not of this measure */
    size_t latency_count;
    bool is_over;              /* what is in flight does not count any more */
};

static void heard (void *arg, const troupe_answer_t *answer);

static void
submit (user_t *user)
{
    char to[32];
    troupe_error_t error;
    zmq_bench_t *self = user->bench;
    snprintf (to, sizeof to, "%s/%u", self->kind, (unsigned) (user->next++ % self->actors));
    troupe_client_call_t call = { .to = to, .verb = self->verb, .body = self->body_size ? self->body : NULL,
                                  .size = self->body_size, .done = heard, .arg = user };
    if (troupe_client_submit (user->client, &call, &error) != TROUPE_OK)
        bench_fail (self->bench, "submit: %s", error.text);
}

static void
heard (void *arg, const troupe_answer_t *answer)
{
    user_t *user = arg;
    zmq_bench_t *self = user->bench;
    if (self->is_over)
        return;
    bench_check (self->bench, answer->status, answer, self->verb);
    self->done += 1;
    if (self->latencies && self->latency_count < LATENCIES) {
        uint64_t now_ns = clock_monotonic_ns ();
        self->latencies[self->latency_count++] = now_ns - user->since_ns;
        user->since_ns = now_ns;
    }
    submit (user);
}

static void
open_users (zmq_bench_t *self, uint32_t count, int poll)
{
    char at[64];
    troupe_error_t error;
    snprintf (at, sizeof at, "127.0.0.1:%u", self->server.port);
    for (uint32_t i = 0; i < count; i++) {
        user_t *user = &self->users[i];
        troupe_answer_t answer;
        *user = (user_t) { .bench = self, .next = i,
                           .client = troupe_client_new (&(troupe_client_options_t) { .at = at }, &error) };
        if (!user->client)
            bench_fail (self->bench, "%s", error.text);
        bench_check (self->bench, troupe_client_call (user->client, "stadium/0", "look", &answer, NULL), &answer,
                     "look");
        troupe_answer_clear (&answer);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = user };
        (void) epoll_ctl (poll, EPOLL_CTL_ADD, troupe_client_fd (user->client), &event);
    }
}

static void
work_for (user_t *user)
{
    while (troupe_client_process (user->client) == 0)
        ;
}

/*  Those for whom something came; when nothing comes, time may have done something for any. */
static void
work (zmq_bench_t *self, uint32_t users, int poll)
{
    struct epoll_event events[READERS];
    while (clock_monotonic_ns () < self->ends_ns) {
        int count = epoll_wait (poll, events, READERS, 10);
        for (int i = 0; i < count; i++)
            work_for (events[i].data.ptr);
        for (uint32_t i = 0; i < users && count == 0; i++)
            work_for (&self->users[i]);
    }
}

static double
own_seconds (void)
{
    struct rusage used;
    getrusage (RUSAGE_SELF, &used);
    return (double) (used.ru_utime.tv_sec + used.ru_stime.tv_sec)
           + (double) (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void
detail_figure (const zmq_bench_t *self, const char *name, const char *detail, double value, const char *unit)
{
    char text[64];
    snprintf (text, sizeof text, "%s%s%s", name ? name : "", name ? "." : "", detail);
    bench_figure (self->bench, text, value, unit);
}

/*  Of one measure; less of a bench that is scaled down. */
static double
seconds_of (const zmq_bench_t *self)
{
    double whole = self->bench->seconds > 0 ? self->bench->seconds : SECONDS, scaled = whole * self->bench->scale;
    return scaled >= whole ? whole : scaled > LEAST_SECONDS ? scaled : LEAST_SECONDS;
}

/*  `users` clients, each with `depth` calls in flight, over so many actors. */
static void
measure (zmq_bench_t *self, const char *name, const char *kind, const char *verb, uint32_t users, uint32_t depth,
         uint32_t actors)
{
    int poll = epoll_create1 (EPOLL_CLOEXEC);
    self->kind = kind;
    self->verb = verb;
    self->actors = actors;
    self->done = self->latency_count = 0;
    self->is_over = false;
    open_users (self, users, poll);
    double server = bench_server_seconds (&self->server), own = own_seconds ();
    self->began_ns = clock_monotonic_ns ();
    self->ends_ns = self->began_ns + (uint64_t) (seconds_of (self) * 1e9);
    for (uint32_t i = 0; i < users; i++) {
        self->users[i].since_ns = clock_monotonic_ns ();
        for (uint32_t j = 0; j < depth; j++)
            submit (&self->users[i]);
    }
    work (self, users, poll);
    double took = (double) (clock_monotonic_ns () - self->began_ns) / 1e9;
    bench_figure (self->bench, name, (double) self->done / took / 1e3, "k/s");
    detail_figure (self, name, "server", 100 * (bench_server_seconds (&self->server) - server) / took, "%");
    detail_figure (self, name, "client", 100 * (own_seconds () - own) / took, "%");
    if (self->latencies) {
        bench_sort (self->latencies, self->latency_count);
        detail_figure (self, name, "p50", (double) bench_quantile (self->latencies, self->latency_count, 0.5) / 1e3,
                       "us");
        detail_figure (self, name, "p99", (double) bench_quantile (self->latencies, self->latency_count, 0.99) / 1e3,
                       "us");
    }
    self->is_over = true;
    for (uint32_t i = 0; i < users; i++)
        troupe_client_destroy (&self->users[i].client);
    close (poll);
}

static void
measure_floor (zmq_bench_t *self)
{
    static const struct {
        const char *name;
        uint32_t in_flight, bytes;
    } floors[] = { { "floor1", 1, 16 }, { "floor256", 256, 16 } };
    for (size_t i = 0; i < sizeof floors / sizeof *floors; i++)
        bench_figure (self->bench, floors[i].name,
                      floor_round_trips (floors[i].in_flight, floors[i].bytes, seconds_of (self) / 4) / 1e3, "k/s");
}

/*  A token of the role `worker`, from the server's own keys. */
static void
make_token (const zmq_bench_t *self, buffer_t *token)
{
    static const char *const roles[] = { EDGE_WORKER_ROLE, NULL };
    char path[PATH_MAX];
    troupe_error_t error;
    tokens_t *tokens = NULL;
    const settings_t *settings = self->bench->settings;
    snprintf (path, sizeof path, "%s/" STORE "/token.keys", self->bench->directory);
    tokens_options_t from = { .keys = path, .issuer = settings->token_issuer, .audience = settings->token_audience,
                              .issuers = "" };
    if (tokens_open (&from, &tokens, &error) != TROUPE_OK
        || tokens_make (tokens, "tally", false, roles, clock_wall_ms (), TOKEN_MS, token, &error) != TROUPE_OK)
        bench_fail (self->bench, "a token for the worker: %s", error.text);
    tokens_destroy (&tokens);
    buffer_byte (token, '\0');
}

/*  Turns of a kind that a worker serves, which is a thread of this process. */
static void
measure_remote (zmq_bench_t *self)
{
    char at[64];
    troupe_error_t error;
    buffer_t token = { 0 };
    make_token (self, &token);
    snprintf (at, sizeof at, "127.0.0.1:%u", self->server.port);
    tally_t *tally = tally_start (at, (const char *) token.data, &error);
    if (!tally)
        bench_fail (self->bench, "the worker: %s", error.text);
    measure (self, "remote1", "tally", "add", 1, 1, 1);
    measure (self, "remote256", "tally", "add", 1, 256, ACTORS);
    tally_stop (&tally);
    buffer_clear (&token);
}

static void
run_zmq (bench_t *bench)
{
    zmq_bench_t self = { .bench = bench };
    const troupe_kind_t *const kinds[] = { bench_stadium[0], &queue, NULL };
    uint64_t *latencies = memory_alloc (LATENCIES * sizeof *latencies);
    if (!latencies)
        bench_fail (bench, "no memory for latencies");
    bench_server_start_zmq (&self.server, bench, kinds, &(bench_place_t) { .store = STORE });
    self.latencies = latencies;
    measure (&self, NULL, "stadium", "change", 1, 1, 1);
    self.latencies = NULL;
    measure (&self, "command32", "stadium", "change", 1, 32, 32);
    measure (&self, "command256", "stadium", "change", 1, 256, ACTORS);
    self.body[0] = 0xc4;  /* raw bytes */
    self.body[1] = MESSAGE_BYTES;
    self.body_size = sizeof self.body;
    measure (&self, "queue1", "queue", "handle", 1, 1, 1);
    measure (&self, "queue16", "queue", "handle", 1, 16, 1);
    measure (&self, "queue256", "queue", "handle", 1, 256, 1);
    self.body_size = 0;
    measure (&self, "read", "stadium", "look", READERS, READER_DEPTH, ACTORS);
    measure_remote (&self);
    bench_server_stop (&self.server);
    measure_floor (&self);
    memory_free (latencies);
}

const bench_case_t bench_zmq = {
    .name = "zmq",
    .what = "backends over ZeroMQ: durable commands, a queue, a remote kind, 1 to 256 in flight; reads; a floor",
    .run = run_zmq
};
