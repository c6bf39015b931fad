/*  bench_edge.c - what clients get through the gateway: fan-out, latency, calls, connections.
 *
 *  DESIGN
 *  The server is a process of its own on one core, the clients are one thread on another; both
 *  say how much of their core they used, and the clients their lag (the longest that something waited to be heard while
 *  others were), so that it is seen which of them was the limit. Clients are those of bench_client.h: each event that a
 *  watcher gets is looked at.
 *
 *  Fan-out is closed-loop: the next burst is published when all but the last few events were
 *  delivered everywhere, so that the latency is that of a server at its limit and not of a growing queue. A volatile
 *  channel may leave out all but the latest event of a key, so those on their way have keys of their own.
 *
 *  What a bare server does for the same clients (bench_bare.c) is measured behind each, as its floor: the machine is
 *  shared, and changes its mind within a minute.
 */
#include "commands/bench_client.h"
#include "commands/bench_server.h"
#include "commands/bench_stadium.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECONDS 4.0
#define WATCHERS 1000.0
#define IDLE_CLIENTS 18000.0
#define BURST 32            /* events of one turn that publishes */
#define AHEAD 256           /* events on their way to all watchers */
#define QUIET_A_SECOND 100
#define LATENCIES (1u << 20)
#define DEVICES 500.0
#define VISITORS 64.0       /* at once */

/* ------------------------------------------------------------------ *
 *  What is measured
 * ------------------------------------------------------------------ */

/*  Of the binary form. */
enum { ROUTE = 0x03, CALL = 0x05, REPLY = 0x82, ERROR = 0x83 };

typedef struct {
    bench_t *bench;
    bench_server_t ours, bare, *server;  /* the one that is measured */
    bench_clients_t clients;
    uint64_t began_ns, ends_ns;
    uint64_t events, replies, said;
    uint64_t *latencies;
    size_t latency_count;
    const char *name;       /* of the figure; NULL: the bench's own */
    uint32_t count;         /* of clients */
    const char *channel, *verb, *token;
    uint32_t depth;
    struct rusage before;
} edge_bench_t;

typedef struct measure_s {
    const char *name, *floor;  /* NULL: the bench's own, or nothing to compare with */
    void (*measure) (edge_bench_t *self, const struct measure_s *one);
    double clients;
    bool is_scaled;            /* the number of clients */
    const char *what;          /* a channel, or a verb */
    uint32_t depth;            /* calls of a client on their way */
} measure_t;

/* ------------------------------------------------------------------ *
 *  What clients say and hear
 * ------------------------------------------------------------------ */

static void
say_call (edge_bench_t *self, bench_client_t *client, const char *verb)
{
    bench_client_say (&self->clients, client, "{\"call\":\"stadium/%u\",\"verb\":\"%s\",\"seq\":%llu}",
                      client->number, verb, (unsigned long long) ++client->seq);
}

static void
note_latency (edge_bench_t *self, uint64_t since_ns)
{
    if (self->latency_count < LATENCIES)
        self->latencies[self->latency_count++] = clock_monotonic_ns () - since_ns;
}

static bool
begins (const uint8_t *bytes, size_t size, const char *text)
{
    size_t wanted = strlen (text);
    return size >= wanted && memcmp (bytes, text, wanted) == 0;
}

static void
heard_event (edge_bench_t *self, const uint8_t *bytes, size_t size)
{
    self->events += 1;
    if (self->events % 61 != 0)
        return;
    const char *time = memmem (bytes, size, "\"t\":", 4);
    if (!time)
        bench_fail (self->bench, "an event without a time: %.*s", (int) size, (const char *) bytes);
    note_latency (self, strtoull (time + 4, NULL, 10));
}

/*  As a device says them: on route 0, which it said before. */
static void
say_samples (edge_bench_t *self, bench_client_t *client)
{
    uint8_t frame[128] = { CALL, 0 }, *at = frame + 2, *body;
    for (uint64_t seq = ++client->seq;; seq >>= 7) {
        *at++ = (uint8_t) (seq > 127 ? seq | 128 : seq);
        if (seq <= 127)
            break;
    }
    body = ++at;
    *at++ = 0x90 | BENCH_BATCH;
    for (uint8_t i = 0; i < BENCH_BATCH; i++) {
        static const uint8_t rest_of_it[] = { 0xcc, 151, 0xcd, 1, 44, 0xca, 0x42, 0x4c, 0, 0, 0xca, 0x41, 0x35, 0, 0 };
        *at++ = 0x95;
        *at++ = 0xcf;
        for (int shift = 56; shift >= 0; shift -= 8)
            *at++ = (uint8_t) ((1764190000000 + client->seq * BENCH_BATCH + i) >> shift);
        memcpy (at, rest_of_it, sizeof rest_of_it);
        at += sizeof rest_of_it;
    }
    body[-1] = (uint8_t) (at - body);
    client->arg = (void *) (uintptr_t) clock_monotonic_ns ();
    bench_client_send (&self->clients, client, frame, (size_t) (at - frame));
}

static void
heard_samples (edge_bench_t *self, bench_client_t *client)
{
    self->replies += BENCH_BATCH;
    note_latency (self, (uint64_t) (uintptr_t) client->arg);
    if (clock_monotonic_ns () < self->ends_ns)
        say_samples (self, client);
}

static void
heard (bench_clients_t *clients, bench_client_t *client, const uint8_t *bytes, size_t size)
{
    edge_bench_t *self = clients->arg;
    if (begins (bytes, size, "{\"event\":"))
        heard_event (self, bytes, size);
    else if (bytes[0] == REPLY)
        heard_samples (self, client);
    else if (begins (bytes, size, "{\"reply\":")) {
        self->replies += 1;
        if (self->depth == 0)
            return;
        if (self->depth == 1)
            note_latency (self, (uint64_t) (uintptr_t) client->arg);
        client->arg = (void *) (uintptr_t) clock_monotonic_ns ();
        if (clock_monotonic_ns () < self->ends_ns)
            say_call (self, client, self->verb);
    } else if (begins (bytes, size, "{\"error\"") || bytes[0] == ERROR)
        bench_fail (self->bench, "%.*s", (int) size, (const char *) bytes);
    else
        self->said += 1;  /* welcome, watching */
}

/* ------------------------------------------------------------------ *
 *  Measures
 * ------------------------------------------------------------------ */

static double
seconds_of (const edge_bench_t *self)
{
    return self->bench->seconds > 0 ? self->bench->seconds : SECONDS;
}

static void
begin (edge_bench_t *self)
{
    self->events = self->replies = 0;
    self->latency_count = 0;
    self->clients.lag_ns = 0;
    self->began_ns = clock_monotonic_ns ();
    self->ends_ns = self->began_ns + (uint64_t) (seconds_of (self) * 1e9);
    getrusage (RUSAGE_SELF, &self->before);
}

/*  "name.detail"; of the first measure, which has no name, "detail". */
static void
detail_figure (edge_bench_t *self, const char *name, const char *detail, double value, const char *unit)
{
    char text[64];
    snprintf (text, sizeof text, "%s%s%s", name ? name : "", name ? "." : "", detail);
    bench_figure (self->bench, text, value, unit);
}

static double
seconds_between (const struct timeval *from, const struct timeval *to)
{
    return (double) (to->tv_sec - from->tv_sec) + (double) (to->tv_usec - from->tv_usec) / 1e6;
}

static void
report (edge_bench_t *self, const char *name, uint64_t count, const char *unit, double server_before)
{
    struct rusage after;
    double took = (double) (clock_monotonic_ns () - self->began_ns) / 1e9;
    getrusage (RUSAGE_SELF, &after);
    double own = seconds_between (&self->before.ru_utime, &after.ru_utime)
                 + seconds_between (&self->before.ru_stime, &after.ru_stime);
    bench_sort (self->latencies, self->latency_count);
    bench_figure (self->bench, name, (double) count / took / 1e3, unit);
    for (int i = 0; i < 2 && self->latency_count > 0; i++)
        detail_figure (self, name, i ? "p99" : "p50",
                       (double) bench_quantile (self->latencies, self->latency_count, i ? 0.99 : 0.5) / 1e6, "ms");
    detail_figure (self, name, "server", 100 * (bench_server_seconds (self->server) - server_before) / took, "%");
    detail_figure (self, name, "clients", 100 * own / took, "%");
    detail_figure (self, name, "lag", (double) self->clients.lag_ns / 1e6, "ms");
}

static void
open_clients (edge_bench_t *self, uint32_t count, bool is_binary)
{
    bench_clients_init (&self->clients, self->bench, self->server->port, count, heard);
    self->clients.arg = self;
    self->clients.is_binary = is_binary;
    self->clients.token = self->token;
    self->said = 0;
    self->depth = 0;
    bench_clients_open (&self->clients, 0, count);
    while (self->said < count)
        (void) bench_clients_poll (&self->clients, 100);
}

/*  All but the first watch. */
static void
watch_all (edge_bench_t *self, uint32_t watchers, const char *channel)
{
    open_clients (self, watchers + 1, false);
    self->said = 0;
    self->channel = channel;
    for (uint32_t i = 1; i <= watchers; i++) {
        bench_client_say (&self->clients, &self->clients.clients[i], "{\"watch\":\"stadium/one/%s\",\"id\":1}",
                          channel);
        (void) bench_clients_poll (&self->clients, 0);
    }
    while (self->said < watchers)
        (void) bench_clients_poll (&self->clients, 100);
}

static void
publish (edge_bench_t *self, uint32_t count, uint64_t before)
{
    char key[32] = "";
    if (strcmp (self->channel, "gauge") == 0)
        snprintf (key, sizeof key, ",\"k\":%u", (unsigned) (before % BENCH_KEYS));
    bench_client_t *publisher = &self->clients.clients[0];
    bench_client_say (&self->clients, publisher, "{\"call\":\"stadium/one\",\"verb\":\"burst\",\"seq\":%llu,"
                      "\"body\":{\"t\":%llu,\"n\":%u,\"on\":\"%s\"%s}}", (unsigned long long) ++publisher->seq,
                      (unsigned long long) clock_monotonic_ns (), count, self->channel, key);
}

static void
measure_fanout (edge_bench_t *self, const measure_t *one)
{
    watch_all (self, self->count, one->what);
    double server = bench_server_seconds (self->server);
    uint64_t published = 0;
    begin (self);
    while (clock_monotonic_ns () < self->ends_ns) {
        for (; published < AHEAD || (published - AHEAD + BURST) * self->count <= self->events + AHEAD;
             published += BURST)
            publish (self, BURST, published);
        (void) bench_clients_poll (&self->clients, 10);
    }
    report (self, self->name, self->events, "k/s", server);
    bench_clients_close (&self->clients);
}

static void
measure_quiet (edge_bench_t *self, const measure_t *one)
{
    watch_all (self, self->count, one->what);
    double server = bench_server_seconds (self->server);
    begin (self);
    for (uint64_t published = 0; clock_monotonic_ns () < self->ends_ns;) {
        uint64_t due_ns = self->began_ns + published * (1000000000ull / QUIET_A_SECOND);
        uint64_t now_ns = clock_monotonic_ns ();
        if (now_ns >= due_ns) {
            publish (self, 1, published);
            published += 1;
        } else
            (void) bench_clients_poll (&self->clients, (int) ((due_ns - now_ns) / 1000000));
    }
    report (self, self->name, self->events, "k/s", server);
    bench_clients_close (&self->clients);
}

static void
measure_calls (edge_bench_t *self, const measure_t *one)
{
    open_clients (self, self->count, false);
    double server = bench_server_seconds (self->server);
    self->verb = one->what;
    self->depth = one->depth;
    begin (self);
    for (uint32_t i = 0; i < self->count; i++) {
        bench_client_t *client = &self->clients.clients[i];
        client->arg = (void *) (uintptr_t) clock_monotonic_ns ();
        for (uint32_t j = 0; j < one->depth; j++)
            say_call (self, client, one->what);
    }
    while (clock_monotonic_ns () < self->ends_ns)
        (void) bench_clients_poll (&self->clients, 10);
    report (self, self->name, self->replies, "k/s", server);
    bench_clients_close (&self->clients);
}

/*  Devices that each send a batch when the one before is durable. */
static void
measure_samples (edge_bench_t *self, const measure_t *one)
{
    open_clients (self, self->count, true);
    double server = bench_server_seconds (self->server);
    begin (self);
    for (uint32_t i = 0; i < self->count; i++) {
        uint8_t frame[64] = { ROUTE, 0 };
        size_t verb = strlen (one->what);
        int size = snprintf ((char *) frame + 3, sizeof frame - 3, "stadium/%u%c%s", i, (char) verb, one->what);
        frame[2] = (uint8_t) ((size_t) size - verb - 1);
        bench_client_send (&self->clients, &self->clients.clients[i], frame, (size_t) size + 3);
        say_samples (self, &self->clients.clients[i]);
    }
    while (clock_monotonic_ns () < self->ends_ns)
        (void) bench_clients_poll (&self->clients, 10);
    report (self, self->name, self->replies, "k/s", server);
    bench_clients_close (&self->clients);
}

/*  Clients that said hello and watch a feed of their own. */
static void
measure_idle (edge_bench_t *self, const measure_t *one)
{
    uint64_t page = (uint64_t) sysconf (_SC_PAGESIZE), before = bench_server_pages (self->server);
    open_clients (self, self->count, false);
    self->said = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        bench_client_say (&self->clients, &self->clients.clients[i], "{\"watch\":\"stadium/%u/%s\",\"id\":1}", i,
                          one->what);
        (void) bench_clients_poll (&self->clients, 0);
    }
    while (self->said < self->count)
        (void) bench_clients_poll (&self->clients, 100);
    uint64_t after = bench_server_pages (self->server);
    bench_figure (self->bench, self->name, (double) ((after - before) * page) / self->count, "B");
    bench_clients_close (&self->clients);
}

/*  Connect, hello with a token, watch, leave. */
static void
measure_visits (edge_bench_t *self, const measure_t *one)
{
    uint64_t visits = 0;
    buffer_t token = { 0 };
    bench_server_token (&self->ours, "anna", &token);
    self->token = (const char *) token.data;
    begin (self);
    while (clock_monotonic_ns () < self->ends_ns) {
        watch_all (self, self->count - 1, one->what);
        bench_clients_close (&self->clients);
        visits += self->count;
    }
    bench_figure (self->bench, self->name, (double) visits / ((double) (clock_monotonic_ns () - self->began_ns) / 1e9),
                  "1/s");
    self->token = NULL;
    buffer_clear (&token);
}

/* ------------------------------------------------------------------ *
 *  The table
 * ------------------------------------------------------------------ */

static const measure_t measures[] = {
    { NULL, "floor.fanout", measure_fanout, WATCHERS, true, "live", 0 },
    { "volatile", NULL, measure_fanout, WATCHERS, true, "gauge", 0 },
    { "fanout10", "floor.fanout10", measure_fanout, 10 * WATCHERS, true, "live", 0 },
    { "quiet", "floor.quiet", measure_quiet, WATCHERS, true, "live", 0 },
    { "read", "floor.read", measure_calls, 100, false, "look", 1 },
    { "read16", "floor.read16", measure_calls, 100, false, "look", 16 },
    { "command1", "floor.command1", measure_calls, 1, false, "change", 1 },
    { "command32", "floor.command32", measure_calls, 32, false, "change", 1 },
    { "command256", "floor.command256", measure_calls, 256, false, "change", 1 },
    { "samples", NULL, measure_samples, DEVICES, true, "samples", 1 },
    { "visits", "floor.visits", measure_visits, VISITORS, false, "live", 0 },
    { "idle", NULL, measure_idle, IDLE_CLIENTS, true, "live", 0 }
};

static void
run_edge (bench_t *bench)
{
    edge_bench_t self = { .bench = bench, .latencies = malloc (LATENCIES * sizeof (uint64_t)) };
    if (!self.latencies)
        bench_fail (bench, "no memory for latencies");
    bench_server_start (&self.ours, bench, bench_stadium, &(bench_place_t) { 0 });
    bench_server_start_bare (&self.bare, bench);
    for (const measure_t *one = measures; one < measures + sizeof measures / sizeof *measures; one++) {
        self.count = one->is_scaled ? (uint32_t) bench_count (bench, one->clients, 10) : (uint32_t) one->clients;
        self.server = &self.ours;
        self.name = one->name;
        one->measure (&self, one);
        self.server = &self.bare;
        self.name = one->floor;
        if (one->floor)
            one->measure (&self, one);
    }
    bench_server_stop (&self.bare);
    bench_server_stop (&self.ours);
    free (self.latencies);
}

const bench_case_t bench_edge = {
    .name = "edge",
    .what = "clients over WebSocket: deliveries to 1,000 watchers, latency, calls, memory of a connection",
    .run = run_edge
};
