/*  bench_mix.c - a day of a sports platform: reads, commands, posts, notes and samples, at a fixed rate, with watchers.
 *
 *  DESIGN
 *  Open loop: each request has its moment, whether or not earlier ones were answered, and its latency counts
 *  from that moment, so that a server that falls behind shows it. Each client watches the feed of one actor, ten
 *  clients the same; whom a request is for, and what it is, are dice. Server and clients share two cores, so between
 *  looks the clients nap, and whatever that makes a request late counts.
 */
#include "commands/bench_client.h"
#include "commands/bench_server.h"
#include "commands/bench_stadium.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RATE 50000.0      /* requests a second */
#define WATCHERS 10000.0
#define SECONDS 60.0
#define SHARED 10         /* watchers of one feed */
#define OPEN_MOST 64      /* requests of one client that wait for their answers; 2^n */
#define SAMPLES (1u << 22)
#define EACH 32           /* requests, then what came in is heard although it is late */
#define NAP_NS 300000

typedef struct {
    const char *what, *verb;
    unsigned weight;
    const char *body;     /* with one number */
} request_t;

static const request_t requests[] = {
    { "profile", "look", 5000, "null" },
    { "training", "change", 10000, "null" },
    { "social", "burst", 3000, "{\"t\":%llu,\"n\":1,\"on\":\"live\"}" },
    { "notification", "note", 15000, "{\"n\":%llu}" },
    { "analytics", "notes", 1000, "null" },
    { "device", "samples", 500,
      "[[%llu,151,300,51.0,11.3],[1,152,301,51.0,11.3],[2,152,302,51.0,11.3],[3,153,303,51.0,11.3]]" }
};
#define REQUESTS (sizeof requests / sizeof *requests)

typedef struct {
    bench_t *bench;
    bench_server_t server;
    bench_clients_t clients;
    uint64_t said, events, asked, answered;
    uint64_t *latencies;
    size_t latency_count;
    uint64_t (*due_ns)[OPEN_MOST];  /* of each client's requests, by the end of their seq */
} mix_t;

static void
heard (bench_clients_t *clients, bench_client_t *client, const uint8_t *bytes, size_t size)
{
    mix_t *self = clients->arg;
    const char *text = (const char *) bytes;
    if (size > 9 && memcmp (text, "{\"event\":", 9) == 0)
        self->events += 1;
    else if (size > 9 && memcmp (text, "{\"reply\":", 9) == 0) {
        uint64_t seq = strtoull (text + 9, NULL, 10);
        self->answered += 1;
        if (self->latency_count < SAMPLES)
            self->latencies[self->latency_count++] = clock_monotonic_ns ()
                                                     - self->due_ns[client->number][seq % OPEN_MOST];
    } else if (size > 8 && memcmp (text, "{\"error\"", 8) == 0)
        bench_fail (self->bench, "%.*s", (int) size, text);
    else
        self->said += 1;  /* welcome, watching */
}

static const request_t *
choose (bench_dice_t *dice)
{
    unsigned all = 0;
    for (size_t i = 0; i < REQUESTS; i++)
        all += requests[i].weight;
    unsigned at = (unsigned) bench_random (dice, all);
    const request_t *one = requests;
    for (; at >= one->weight; one++)
        at -= one->weight;
    return one;
}

static void
ask (mix_t *self, bench_dice_t *dice, uint64_t due_ns)
{
    char body[256];
    bench_client_t *client = &self->clients.clients[bench_random (dice, self->clients.count)];
    const request_t *request = choose (dice);
    uint32_t actors = (self->clients.count + SHARED - 1) / SHARED;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf (body, sizeof body, request->body, (unsigned long long) due_ns);
#pragma GCC diagnostic pop
    client->seq += 1;
    self->asked += 1;
    self->due_ns[client->number][client->seq % OPEN_MOST] = due_ns;
    bench_client_say (&self->clients, client, "{\"call\":\"stadium/%u\",\"verb\":\"%s\",\"seq\":%llu,\"body\":%s}",
                      (unsigned) bench_random (dice, actors), request->verb, (unsigned long long) client->seq, body);
}

static void
open_watchers (mix_t *self, uint32_t count)
{
    bench_clients_init (&self->clients, self->bench, self->server.port, count, heard);
    self->clients.arg = self;
    bench_clients_open (&self->clients, 0, count);
    while (self->said < count)
        (void) bench_clients_poll (&self->clients, 100);
    for (uint32_t i = 0; i < count; i++) {
        bench_client_say (&self->clients, &self->clients.clients[i], "{\"watch\":\"stadium/%u/live\",\"id\":1}",
                          i / SHARED);
        (void) bench_clients_poll (&self->clients, 0);
    }
    while (self->said < 2 * count)
        (void) bench_clients_poll (&self->clients, 100);
}

static double
own_seconds (void)
{
    return (double) clock () / CLOCKS_PER_SEC;
}

static void
report (mix_t *self, double took, double server, double own)
{
    static const struct { const char *name; double quantile; } quantiles[] = {
        { "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 }
    };
    bench_sort (self->latencies, self->latency_count);
    bench_figure (self->bench, NULL, (double) self->answered / took / 1e3, "k/s");
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        bench_figure (self->bench, quantiles[i].name, 1e-6 * (double) bench_quantile (
                      self->latencies, self->latency_count, quantiles[i].quantile), "ms");
    bench_figure (self->bench, "asked", (double) self->asked / took / 1e3, "k/s");
    bench_figure (self->bench, "events", (double) self->events / took / 1e3, "k/s");
    bench_figure (self->bench, "server", 100 * server / took, "%");
    bench_figure (self->bench, "clients", 100 * own / took, "%");
}

static void
run_mix (bench_t *bench)
{
    uint32_t watchers = (uint32_t) bench_count (bench, WATCHERS, 10);
    double rate = (double) bench_count (bench, RATE, 100), seconds = bench->seconds > 0 ? bench->seconds : SECONDS;
    mix_t self = { .bench = bench, .latencies = malloc (SAMPLES * sizeof (uint64_t)),
                   .due_ns = calloc (watchers, sizeof *self.due_ns) };
    if (!self.latencies || !self.due_ns)
        bench_fail (bench, "no memory for latencies");
    bench_server_start (&self.server, bench, bench_stadium, &(bench_place_t) { .shares_cores = true });
    open_watchers (&self, watchers);
    self.events = 0;
    double server = bench_server_seconds (&self.server), own = own_seconds ();
    bench_dice_t dice = { 1 };
    const struct timespec nap = { .tv_nsec = NAP_NS };
    uint64_t began_ns = clock_monotonic_ns (), now_ns = began_ns;
    uint64_t ends_ns = began_ns + (uint64_t) (seconds * 1e9);
    while (now_ns < ends_ns) {
        uint64_t due_ns = began_ns + (uint64_t) ((double) self.asked * 1e9 / rate);
        if (now_ns >= due_ns)
            ask (&self, &dice, due_ns);
        if (now_ns < due_ns || self.asked % EACH == 0)
            while (bench_clients_poll (&self.clients, 0) > 0 && now_ns < due_ns)
                ;
        if (now_ns < due_ns)
            (void) nanosleep (&nap, NULL);
        now_ns = clock_monotonic_ns ();
    }
    report (&self, (double) (now_ns - began_ns) / 1e9, bench_server_seconds (&self.server) - server,
            own_seconds () - own);
    bench_clients_close (&self.clients);
    bench_server_stop (&self.server);
    free (self.latencies);
    free (self.due_ns);
}

const bench_case_t bench_mix = {
    .name = "mix",
    .what = "50,000 requests a second of six kinds, with 10,000 watchers: latency from when each was due",
    .run = run_mix
};
