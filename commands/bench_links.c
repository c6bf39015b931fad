/*  bench_links.c - what passes from one node to another: durable messages, one way.
 *
 *  DESIGN
 *  Two servers, a process each, joined by a link over the loopback. Actors of the one are called, and each call tells
 *  an actor of the other a row of messages, which counts them in its state. It is over when the last one is counted.
 *  What is on its way is bounded, so that the link is measured and not the disk that mail would wait on.
 */
#include "commands/bench_server.h"
#include "runtime/base/clock.h"
#include "runtime/body/packed.h"
#include "runtime/cluster.h"
#include "runtime/registry.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <troupe_client.h>
#include <unistd.h>

#define MESSAGES 400000.0
#define MESSAGES_LEAST 4000
#define ROW 50                /* messages of a call */
#define PAIRS 64              /* of actors */
#define AHEAD_MOST 50000      /* messages told, and not yet counted */
#define MESSAGE_BYTES 150
#define PATIENCE_NS 120000000000ull

/* ---- the kinds ---- */

static troupe_status_t
tell_row (troupe_turn_t *turn)
{
    static const char payload[MESSAGE_BYTES];
    const char *to;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "to", &to);
    for (int i = 0; i < ROW && status == TROUPE_OK; i++)
        troupe_tell (turn, to, "take", "r#", payload, sizeof payload);
    return status == TROUPE_OK ? troupe_reply (turn, NULL) : status;
}

static troupe_status_t
take (troupe_turn_t *turn)
{
    int64_t count = 0;
    troupe_load (turn, "count", &count, sizeof count);
    count += 1;
    troupe_store (turn, "count", &count, sizeof count);
    return TROUPE_OK;
}

static troupe_status_t
show (troupe_turn_t *turn)
{
    int64_t count = 0;
    troupe_load (turn, "count", &count, sizeof count);
    return troupe_reply (turn, "{s:I}", "count", (json_int_t) count);
}

static const troupe_verb_t source_verbs[] = { { "tell", tell_row, .allow = TROUPE_ANYONE }, { NULL } };
static const troupe_verb_t sink_verbs[] = {
    { "take", take }, { "show", show, .reads = true, .allow = TROUPE_ANYONE }, { NULL }
};
static const troupe_kind_t source = { "source", .version = 1, .verbs = source_verbs };
static const troupe_kind_t sink = { "sink", .version = 1, .verbs = sink_verbs };
static const troupe_kind_t *const kinds[] = { &source, &sink, NULL };

/* ---- two nodes ---- */

typedef struct links_bench_s links_bench_t;

typedef struct {
    links_bench_t *bench;
    char from[32], to[32];
    buffer_t body;
} pair_t;

struct links_bench_s {
    bench_t *bench;
    char map[PATH_MAX];
    cluster_t cluster;
    bench_server_t servers[2];
    troupe_client_t *clients[2];
    pair_t pairs[PAIRS];
    uint64_t told, wanted, counted;  /* messages */
};

static uint16_t
free_port (const bench_t *bench)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int file = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0 || bind (file, (struct sockaddr *) &address, size) != 0
        || getsockname (file, (struct sockaddr *) &address, &size) != 0)
        bench_fail (bench, "no free port");
    close (file);
    return ntohs (address.sin_port);
}

static void
write_map (links_bench_t *self)
{
    char text[256];
    troupe_error_t error;
    snprintf (self->map, sizeof self->map, "%s/map", self->bench->directory);
    snprintf (text, sizeof text, "cluster bench\nshards 2\nnode a 0 127.0.0.1:%u\nnode b 1 127.0.0.1:%u\n",
              free_port (self->bench), free_port (self->bench));
    FILE *file = fopen (self->map, "we");
    if (!file || fputs (text, file) < 0 || fclose (file) != 0)
        bench_fail (self->bench, "cannot write %s", self->map);
    if (cluster_read (&self->cluster, text, "a", &error) != TROUPE_OK)
        bench_fail (self->bench, "%s", error.text);
}

/*  The next address of this kind that lives on that shard. */
static void
next_on (const links_bench_t *self, char text[32], const char *kind, uint16_t shard, unsigned *number)
{
    address_t address;
    troupe_error_t error;
    do
        snprintf (text, 32, "%s/%u", kind, (*number)++);
    while (address_parse (text, strlen (text), &address, &error) == TROUPE_OK
           && address_shard (&address, cluster_hash_seed (&self->cluster), self->cluster.shards) != shard);
}

static void
make_pairs (links_bench_t *self)
{
    unsigned sources = 0, sinks = 0;
    for (unsigned i = 0; i < PAIRS; i++) {
        pair_t *pair = &self->pairs[i];
        pair->bench = self;
        next_on (self, pair->from, "source", 0, &sources);
        next_on (self, pair->to, "sink", 1, &sinks);
        packed_put_object (&pair->body, 1);
        packed_put_text (&pair->body, "to", pair->to);
    }
}

static void
open_nodes (links_bench_t *self)
{
    static const char *const names[] = { "a", "b" };
    for (int i = 0; i < 2; i++) {
        char at[64];
        troupe_error_t error;
        bench_server_start_zmq (&self->servers[i], self->bench, kinds,
                                &(bench_place_t) { names[i], names[i], self->map });
        snprintf (at, sizeof at, "127.0.0.1:%u", self->servers[i].port);
        self->clients[i] = troupe_client_new (&(troupe_client_options_t) { .at = at }, &error);
        if (!self->clients[i])
            bench_fail (self->bench, "%s", error.text);
    }
}

/* ---- what is measured ---- */

static void heard (void *arg, const troupe_answer_t *answer);

static void
call (pair_t *pair)
{
    troupe_error_t error;
    troupe_client_call_t call = { .to = pair->from, .verb = "tell", .body = pair->body.data, .size = pair->body.size,
                                  .done = heard, .arg = pair };
    pair->bench->told += ROW;
    if (troupe_client_submit (pair->bench->clients[0], &call, &error) != TROUPE_OK)
        bench_fail (pair->bench->bench, "submit: %s", error.text);
}

static void
heard (void *arg, const troupe_answer_t *answer)
{
    const pair_t *pair = arg;
    bench_check (pair->bench->bench, answer->status, answer, "tell");
}

/*  Asks all sinks. */
static void
count (links_bench_t *self)
{
    self->counted = 0;
    for (unsigned i = 0; i < PAIRS; i++) {
        troupe_answer_t answer;
        json_int_t counted = 0;
        troupe_error_t error;
        bench_check (self->bench, troupe_client_call (self->clients[1], self->pairs[i].to, "show", &answer, NULL),
                     &answer, "show");
        if (troupe_answer_unpack (&answer, &error, "{s:I}", "count", &counted) != TROUPE_OK)
            bench_fail (self->bench, "%s", error.text);
        self->counted += (uint64_t) counted;
        troupe_answer_clear (&answer);
    }
}

/*  Until so many are told, and all of them counted. */
static void
pass (links_bench_t *self, uint64_t messages)
{
    uint64_t began_ns = clock_monotonic_ns ();
    for (self->wanted += messages; self->counted < self->wanted; count (self)) {
        if (clock_monotonic_ns () - began_ns > PATIENCE_NS)
            bench_fail (self->bench, "%llu of %llu messages came", (unsigned long long) self->counted,
                        (unsigned long long) self->wanted);
        for (unsigned i = 0; self->told < self->wanted && self->told < self->counted + AHEAD_MOST; i++)
            call (&self->pairs[i % PAIRS]);
        while (troupe_client_calls (self->clients[0]) > 0)
            troupe_client_wait (self->clients[0], 100);
    }
}

static void
run_links (bench_t *bench)
{
    links_bench_t self = { .bench = bench };
    uint64_t messages = bench_count (bench, MESSAGES, MESSAGES_LEAST) / ROW * ROW;
    write_map (&self);
    make_pairs (&self);
    open_nodes (&self);
    pass (&self, ROW);  /* until they are linked */
    double a = bench_server_seconds (&self.servers[0]), b = bench_server_seconds (&self.servers[1]);
    uint64_t began_ns = clock_monotonic_ns ();
    pass (&self, messages);
    double took = (double) (clock_monotonic_ns () - began_ns) / 1e9;
    bench_figure (bench, NULL, (double) messages / took / 1e3, "k/s");
    bench_figure (bench, "sender", (bench_server_seconds (&self.servers[0]) - a) / (double) messages * 1e6, "us");
    bench_figure (bench, "receiver", (bench_server_seconds (&self.servers[1]) - b) / (double) messages * 1e6, "us");
    for (int i = 0; i < 2; i++) {
        troupe_client_destroy (&self.clients[i]);
        bench_server_stop (&self.servers[i]);
    }
    for (unsigned i = 0; i < PAIRS; i++)
        buffer_clear (&self.pairs[i].body);
}

const bench_case_t bench_links = {
    .name = "links",
    .what = "durable messages, one way, from actors of one node to those of another over the loopback",
    .run = run_links
};
