/*  bench_chat.c - the chatty benches: actors that talk to each other, written as an integrator would.
 *
 *  DESIGN
 *  Everything goes through troupe.h: addresses are strings, bodies are packed and
 *  unpacked by format at each turn. What an actor knows of its peers it keeps in its
 *  cache, told once before the clock starts. A run begins with calls from outside
 *  that are answered at its end; the time is from the first call to the last answer.
 *
 *  Each is run in up to four modes: all on one shard; the same with 16 bytes
 *  stored in each turn; on all shards, by tell (each hop is then durable before it
 *  is made) and by cast. The figure is the median of several runs on the same node,
 *  so that it is that of a node that has been running for a while; but skynet, whose
 *  actors are all new, has a new node for each.
 */
#include "commands/bench.h"

#include "commands/node.h"
#include "runtime/base/clock.h"
#include "runtime/base/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE "chat"
#define RUNS 5
#define RUNS_FEW 3    /* of those that wait for the disk thousands of times, or begin with a new node */
#define PATIENCE_NS (60ull * 1000 * 1000 * 1000)

typedef enum { MODE_ALONE, MODE_STORE, MODE_AWAY, MODE_CAST } chat_mode_t;

static const char *const mode_names[] = { NULL, "store", "away", "cast" };

/*  In `{k}17` the braces keep all of them on one shard. */
static const char *
place (char *address, size_t size, const char *kind, chat_mode_t mode, unsigned number)
{
    snprintf (address, size, mode == MODE_ALONE || mode == MODE_STORE ? "%s/{k}%u" : "%s/%u", kind, number);
    return address;
}

#define ADDRESS 32

/*  Sixteen bytes that change with each turn. */
static void
store_when (troupe_turn_t *turn, int mode, json_int_t number)
{
    json_int_t pair[2] = { number, -number };
    if (mode == MODE_STORE)
        troupe_store (turn, "pair", pair, sizeof pair);
}

/* ------------------------------------------------------------------ *
 *  player: passes a ball on. Two of them play ping-pong, more are a ring.
 * ------------------------------------------------------------------ */

typedef struct {
    int mode;
    char next[ADDRESS];
    char caller[TROUPE_CALLER_MAX];
} player_t;

static troupe_status_t
player_join (troupe_turn_t *turn)
{
    player_t *me = troupe_cache (turn);
    const char *next;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:i}", "next", &next, "mode", &me->mode);
    if (status == TROUPE_OK)
        snprintf (me->next, sizeof me->next, "%s", next);
    return status;
}

static troupe_status_t
player_ball (troupe_turn_t *turn)
{
    player_t *me = troupe_cache (turn);
    json_int_t left;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "left", &left);
    if (status != TROUPE_OK)
        return status;
    store_when (turn, me->mode, left);
    if (left == 0)
        return troupe_answer (turn, me->caller, TROUPE_OK, NULL);
    if (me->mode == MODE_CAST)
        return troupe_cast (turn, me->next, "ball", "{s:I}", "left", left - 1);
    return troupe_tell (turn, me->next, "ball", "{s:I}", "left", left - 1);
}

static troupe_status_t
player_begin (troupe_turn_t *turn)
{
    player_t *me = troupe_cache (turn);
    snprintf (me->caller, sizeof me->caller, "%s", troupe_reply_later (turn));
    return player_ball (turn);
}

static const troupe_verb_t player_verbs[] = {
    { "join", player_join, .doc = "Learn the next one." },
    { "begin", player_begin, .doc = "Throw a ball; the reply comes when it is back." },
    { "ball", player_ball, .doc = "Pass it on." },
    { NULL }
};
static const troupe_kind_t player = { "player", .version = 1, .verbs = player_verbs, .cache_size = sizeof (player_t) };

/* ------------------------------------------------------------------ *
 *  talker, sink: many to one
 * ------------------------------------------------------------------ */

#define TALKERS 100
#define TALK_AT_ONCE 1000  /* messages of one turn */

typedef struct {
    int mode;
    json_int_t wanted, got;
    char caller[TROUPE_CALLER_MAX];
} sink_t;

static troupe_status_t
sink_begin (troupe_turn_t *turn)
{
    sink_t *me = troupe_cache (turn);
    char talker[ADDRESS];
    json_int_t each;
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:i}", "left", &each, "mode", &me->mode);
    if (status != TROUPE_OK)
        return status;
    snprintf (me->caller, sizeof me->caller, "%s", troupe_reply_later (turn));
    me->wanted = each * TALKERS;
    me->got = 0;
    for (unsigned i = 0; i < TALKERS; i++)
        troupe_tell (turn, place (talker, sizeof talker, "talker", (chat_mode_t) me->mode, i), "talk", "{s:I}", "left",
                     each);
    return TROUPE_OK;
}

static troupe_status_t
sink_hear (troupe_turn_t *turn)
{
    sink_t *me = troupe_cache (turn);
    json_int_t number;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK)
        return status;
    store_when (turn, me->mode, number);
    return ++me->got == me->wanted ? troupe_answer (turn, me->caller, TROUPE_OK, NULL) : TROUPE_OK;
}

/*  What is told last is handled first: the sink hears all of it before the talker goes on. */
static troupe_status_t
talker_talk (troupe_turn_t *turn)
{
    char *sink = troupe_cache (turn);
    json_int_t left;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "left", &left);
    if (status != TROUPE_OK)
        return status;
    if (!*sink)
        snprintf (sink, ADDRESS, "%s", troupe_sender (turn));
    json_int_t now = left < TALK_AT_ONCE ? left : TALK_AT_ONCE;
    if (left > now)
        troupe_tell (turn, troupe_self (turn), "talk", "{s:I}", "left", left - now);
    for (json_int_t i = 0; i < now; i++)
        troupe_tell (turn, sink, "hear", "{s:I}", "number", i);
    return TROUPE_OK;
}

static const troupe_verb_t sink_verbs[] = {
    { "begin", sink_begin, .doc = "Have all talk; the reply comes when all was heard." },
    { "hear", sink_hear, .doc = "Count one." },
    { NULL }
};
static const troupe_verb_t talker_verbs[] = { { "talk", talker_talk, .doc = "Tell the sink so often." }, { NULL } };
static const troupe_kind_t sink = { "sink", .version = 1, .verbs = sink_verbs, .cache_size = sizeof (sink_t) };
static const troupe_kind_t talker = { "talker", .version = 1, .verbs = talker_verbs, .cache_size = ADDRESS };

/* ------------------------------------------------------------------ *
 *  branch, leaf: a tree of actors, ten of each, that sums up its leaves
 * ------------------------------------------------------------------ */

#define BRANCHES 10

typedef struct {
    int mode, waits_for;
    json_int_t sum;
    char to[ADDRESS];                  /* the branch above */
    char *caller;                      /* of the root */
} branch_t;

/*  A child is named after its parent: one more digit. */
static troupe_status_t
grow (troupe_turn_t *turn, branch_t *me)
{
    char child[ADDRESS];
    int depth;
    json_int_t number;
    troupe_status_t status = troupe_unpack (turn, "{s:i, s:I, s:i}", "depth", &depth, "number", &number, "mode",
                                            &me->mode);
    if (status != TROUPE_OK)
        return status;
    store_when (turn, me->mode, number);
    me->waits_for = BRANCHES;
    me->sum = 0;
    int size = snprintf (child, sizeof child, "%s/%s0", depth > 1 ? "branch" : "leaf", troupe_id (turn));
    for (int i = 0; i < BRANCHES; i++) {
        child[size - 1] = (char) ('0' + i);
        troupe_tell (turn, child, "grow", "{s:i, s:I, s:i}", "depth", depth - 1, "number", number * BRANCHES + i,
                     "mode", me->mode);
    }
    return TROUPE_OK;
}

static troupe_status_t
branch_grow (troupe_turn_t *turn)
{
    branch_t *me = troupe_cache (turn);
    snprintf (me->to, sizeof me->to, "%s", troupe_sender (turn));
    return grow (turn, me);
}

static troupe_status_t
branch_begin (troupe_turn_t *turn)
{
    branch_t *me = troupe_cache (turn);
    me->caller = strdup (troupe_reply_later (turn));
    return me->caller ? grow (turn, me) : TROUPE_NO_MEMORY;
}

static troupe_status_t
branch_add (troupe_turn_t *turn)
{
    branch_t *me = troupe_cache (turn);
    json_int_t number;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK)
        return status;
    store_when (turn, me->mode, number);
    me->sum += number;
    if (--me->waits_for > 0)
        return TROUPE_OK;
    if (me->caller)
        return troupe_answer (turn, me->caller, TROUPE_OK, "{s:I}", "sum", me->sum);
    return troupe_tell (turn, me->to, "add", "{s:I}", "number", me->sum);
}

static void
branch_sleep (void *cache)
{
    free (((branch_t *) cache)->caller);
}

static troupe_status_t
leaf_grow (troupe_turn_t *turn)
{
    int mode;
    json_int_t number;
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:i}", "number", &number, "mode", &mode);
    if (status != TROUPE_OK)
        return status;
    store_when (turn, mode, number);
    return troupe_tell (turn, troupe_sender (turn), "add", "{s:I}", "number", number);
}

static const troupe_verb_t branch_verbs[] = {
    { "begin", branch_begin, .doc = "Grow a tree; the reply is the sum of its leaves." },
    { "grow", branch_grow, .doc = "Grow a part of the tree." },
    { "add", branch_add, .doc = "What a child came to." },
    { NULL }
};
static const troupe_verb_t leaf_verbs[] = { { "grow", leaf_grow, .doc = "Be a leaf." }, { NULL } };
static const troupe_kind_t branch = {
    "branch", .version = 1, .verbs = branch_verbs, .cache_size = sizeof (branch_t), .sleep = branch_sleep
};
static const troupe_kind_t leaf = { "leaf", .version = 1, .verbs = leaf_verbs };

/* ------------------------------------------------------------------ *
 *  client, server: questions
 * ------------------------------------------------------------------ */

#define CLIENTS 4
#define SERVERS 100

typedef struct {
    int mode;
    unsigned next;
    json_int_t left;
    char servers[SERVERS][ADDRESS];
    char caller[TROUPE_CALLER_MAX];
} client_t;

static troupe_status_t
ask_next (troupe_turn_t *turn, client_t *me)
{
    if (me->left-- == 0)
        return troupe_answer (turn, me->caller, TROUPE_OK, NULL);
    me->next = (me->next + 1) % SERVERS;
    const char *verb = me->mode == MODE_STORE ? "twice_stored" : "twice";
    uint64_t ask = troupe_ask (turn, me->servers[me->next], verb, "heard", 0, "{s:I}", "number", me->left);
    return ask ? TROUPE_OK : TROUPE_FAILED;
}

static troupe_status_t
client_begin (troupe_turn_t *turn)
{
    client_t *me = troupe_cache (turn);
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:i}", "left", &me->left, "mode", &me->mode);
    if (status != TROUPE_OK)
        return status;
    snprintf (me->caller, sizeof me->caller, "%s", troupe_reply_later (turn));
    for (unsigned i = 0; i < SERVERS; i++)
        place (me->servers[i], ADDRESS, "server", (chat_mode_t) me->mode, i);
    return ask_next (turn, me);
}

static troupe_status_t
client_heard (troupe_turn_t *turn)
{
    client_t *me = troupe_cache (turn);
    json_int_t number;
    troupe_status_t status = troupe_outcome (turn);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK)
        return status;
    store_when (turn, me->mode, number);
    return ask_next (turn, me);
}

static troupe_status_t
server_twice (troupe_turn_t *turn)
{
    json_int_t number;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    return status == TROUPE_OK ? troupe_reply (turn, "{s:I}", "number", 2 * number) : status;
}

static troupe_status_t
server_twice_stored (troupe_turn_t *turn)
{
    store_when (turn, MODE_STORE, 1);
    return server_twice (turn);
}

static const troupe_verb_t client_verbs[] = {
    { "begin", client_begin, .doc = "Ask so often; the reply comes after the last answer." },
    { "heard", client_heard, .doc = "An answer." },
    { NULL }
};
static const troupe_verb_t server_verbs[] = {
    { "twice", server_twice, .doc = "Twice the number." },
    { "twice_stored", server_twice_stored, .doc = "The same, and stores." },
    { NULL }
};
static const troupe_kind_t client = { "client", .version = 1, .verbs = client_verbs, .cache_size = sizeof (client_t) };
static const troupe_kind_t server = { "server", .version = 1, .verbs = server_verbs };

static const troupe_kind_t *const kinds[] = { &player, &sink, &talker, &branch, &leaf, &client, &server, NULL };

/* ------------------------------------------------------------------ *
 *  Runs
 * ------------------------------------------------------------------ */

typedef struct chat_s chat_t;

typedef struct {
    bench_t *bench;
    const chat_t *chat;
    troupe_t *node;
    chat_mode_t mode;
    uint64_t size;               /* in the unit of the chat */
    unsigned repeat;
    _Atomic uint32_t waits_for;  /* answers */
    _Atomic uint32_t failures;
    gate_t gate;
} chat_run_t;

struct chat_s {
    void (*prepare) (chat_run_t *run);  /* may be NULL */
    void (*begin) (chat_run_t *run);
    double sizes[4];                    /* by mode; 0: not in this mode */
    double messages;                    /* of one of the size */
    bool is_time;                       /* the first figure is ms, not messages a second */
    bool is_born;                       /* its actors are new in each run: so is the node */
};

static void
on_answer (void *arg, const troupe_answer_t *answer)
{
    chat_run_t *run = arg;
    if (answer->status != TROUPE_OK)
        run->failures += 1;
    if (atomic_fetch_sub (&run->waits_for, 1) == 1)
        gate_open (&run->gate);
}

static void
begin_player (chat_run_t *run, unsigned number, uint64_t hops)
{
    char address[ADDRESS];
    run->waits_for += 1;
    bench_check (run->bench, troupe_call (run->node, place (address, sizeof address, "player", run->mode, number),
                                          "begin", on_answer, run, "{s:I}", "left", (json_int_t) hops),
                 NULL, "begin");
}

static double
run_once (chat_run_t *run)
{
    run->waits_for = 1;
    uint64_t began_ns = clock_monotonic_ns ();
    run->chat->begin (run);
    on_answer (run, &(troupe_answer_t) { .status = TROUPE_OK });
    if (!gate_wait (&run->gate, PATIENCE_NS))
        bench_fail (run->bench, "no answer; a cast that a lagging link dropped?");
    double took_ns = (double) (clock_monotonic_ns () - began_ns);
    if (run->failures)
        bench_fail (run->bench, "a call failed");
    return took_ns;
}

/*  Across shards each message takes as long as thousands within one. */
static void
report (const chat_run_t *run, double took_ns)
{
    double each_ns = took_ns / (run->chat->messages * (double) run->size);
    if (run->chat->is_time && run->mode == MODE_ALONE)
        bench_figure (run->bench, NULL, took_ns / 1e6, "ms");
    else if (run->mode == MODE_ALONE || run->mode == MODE_STORE)
        bench_figure (run->bench, mode_names[run->mode], 1e3 / each_ns, "M/s");
    else
        bench_figure (run->bench, mode_names[run->mode], 1e6 / each_ns, "k/s");
}

/*  What the actors know is in their caches alone: none may sleep meanwhile. */
static void
run_mode (bench_t *bench, const chat_t *chat, chat_mode_t mode)
{
    static const bench_setting_t chosen[] = {
        { "segment_bytes", "8M" }, { "awake_actors", "100000000" }, { "idle_ms", "1h" }, { NULL, NULL }
    };
    double took_ns[RUNS];
    unsigned runs = mode == MODE_AWAY || mode == MODE_CAST || chat->is_born ? RUNS_FEW : RUNS;
    chat_run_t run = { .bench = bench, .chat = chat, .mode = mode };
    run.size = bench_count (bench, chat->sizes[mode], 10);
    for (run.repeat = 0; run.repeat < runs; run.repeat++) {
        bool is_first = run.repeat == 0 || chat->is_born, is_last = run.repeat == runs - 1 || chat->is_born;
        if (is_first)
            run.node = bench_start (bench, STORE, kinds, chosen);
        if (is_first && chat->prepare)
            chat->prepare (&run);
        took_ns[run.repeat] = run_once (&run);
        if (is_last)
            bench_end (bench, &run.node, STORE);
    }
    report (&run, bench_median (took_ns, runs));
}

static void
run_modes (bench_t *bench, const chat_t *chat)
{
    for (chat_mode_t mode = MODE_ALONE; mode <= MODE_CAST; mode++)
        if (chat->sizes[mode] > 0)
            run_mode (bench, chat, mode);
}

/* ------------------------------------------------------------------ *
 *  The benches
 * ------------------------------------------------------------------ */

static void
join (chat_run_t *run, unsigned number, unsigned next)
{
    char from[ADDRESS], to[ADDRESS];
    troupe_answer_t answer;
    troupe_status_t status = troupe_call_wait (
        run->node, place (from, sizeof from, "player", run->mode, number), "join", &answer, "{s:s, s:i}", "next",
        place (to, sizeof to, "player", run->mode, next), "mode", (int) run->mode);
    bench_check (run->bench, status, &answer, "join");
    troupe_answer_clear (&answer);
}

/*  The first player that does not live where player 0 does; 1 when all shall live together. */
static unsigned
other_player (const chat_run_t *run)
{
    char address[ADDRESS];
    uint16_t first = 0, other = 0;
    unsigned number = 0;
    (void) !node_shard_of (run->node, place (address, sizeof address, "player", run->mode, 0), &first, NULL);
    do
        (void) !node_shard_of (run->node, place (address, sizeof address, "player", run->mode, ++number), &other, NULL);
    while (first == other && (run->mode == MODE_AWAY || run->mode == MODE_CAST) && node_shard_count (run->node) > 1);
    return number;
}

static void
prepare_pair (chat_run_t *run)
{
    unsigned other = other_player (run);
    join (run, 0, other);
    join (run, other, 0);
}

static void
begin_pair (chat_run_t *run)
{
    begin_player (run, 0, run->size * 2);
}

#define RING 1000
#define RING_LEAST 100
#define RING_BALLS 100

static unsigned
ring_size (const chat_run_t *run)
{
    uint64_t size = bench_count (run->bench, RING, RING_LEAST) / RING_BALLS * RING_BALLS;
    return size < RING ? (unsigned) size : RING;
}

static void
prepare_ring (chat_run_t *run)
{
    unsigned size = ring_size (run);
    for (unsigned i = 0; i < size; i++)
        join (run, i, (i + 1) % size);
}

/*  Whole rounds: the ball must come back to the one who has the caller. */
static void
begin_ring (chat_run_t *run)
{
    unsigned ring = ring_size (run);
    run->size = (run->size + ring - 1) / ring * ring;
    begin_player (run, 0, run->size);
}

static void
begin_ring100 (chat_run_t *run)
{
    unsigned ring = ring_size (run);
    uint64_t hops = (run->size / RING_BALLS + ring - 1) / ring * ring;
    run->size = hops * RING_BALLS;
    for (unsigned i = 0; i < RING_BALLS; i++)
        begin_player (run, i * (ring / RING_BALLS), hops);
}

static void
begin_fanin (chat_run_t *run)
{
    char address[ADDRESS];
    uint64_t each = (run->size + TALKERS - 1) / TALKERS;
    run->size = each * TALKERS;
    run->waits_for += 1;
    bench_check (run->bench, troupe_call (run->node, place (address, sizeof address, "sink", run->mode, 0), "begin",
                                          on_answer, run, "{s:I, s:i}", "left", (json_int_t) each, "mode",
                                          (int) run->mode),
                 NULL, "begin");
}

/*  The size is the number of leaves, a power of ten. */
static void
begin_skynet (chat_run_t *run)
{
    char address[ADDRESS];
    int depth = 1;
    for (uint64_t leaves = BRANCHES; leaves < run->size; leaves *= BRANCHES)
        depth += 1;
    run->waits_for += 1;
    bench_check (run->bench, troupe_call (run->node, place (address, sizeof address, "branch", run->mode, run->repeat),
                                          "begin", on_answer, run, "{s:i, s:I, s:i}", "depth", depth, "number",
                                          (json_int_t) 0, "mode", (int) run->mode),
                 NULL, "begin");
}

static void
begin_ask (chat_run_t *run)
{
    char address[ADDRESS];
    uint64_t each = (run->size + CLIENTS - 1) / CLIENTS;
    run->size = each * CLIENTS;
    for (unsigned i = 0; i < CLIENTS; i++) {
        run->waits_for += 1;
        bench_check (run->bench, troupe_call (run->node, place (address, sizeof address, "client", run->mode, i),
                                              "begin", on_answer, run, "{s:I, s:i}", "left", (json_int_t) each,
                                              "mode", (int) run->mode),
                     NULL, "begin");
    }
}

static const chat_t pingpong = {
    .prepare = prepare_pair, .begin = begin_pair, .messages = 2,
    .sizes = { [MODE_ALONE] = 1e6, [MODE_STORE] = 2e5, [MODE_AWAY] = 200, [MODE_CAST] = 5000 }
};
static const chat_t fanin = {
    .begin = begin_fanin, .messages = 1,
    .sizes = { [MODE_ALONE] = 2e6, [MODE_STORE] = 5e5, [MODE_AWAY] = 1e5 }
};
static const chat_t ring = {
    .prepare = prepare_ring, .begin = begin_ring, .messages = 1,
    .sizes = { [MODE_ALONE] = 2e6, [MODE_STORE] = 5e5, [MODE_AWAY] = 1000, [MODE_CAST] = 1e4 }
};
static const chat_t ring100 = {
    .prepare = prepare_ring, .begin = begin_ring100, .messages = 1,
    .sizes = { [MODE_ALONE] = 2e6, [MODE_STORE] = 5e5, [MODE_AWAY] = 1e5, [MODE_CAST] = 2e5 }
};
static const chat_t skynet = {
    .begin = begin_skynet, .messages = 1, .is_time = true, .is_born = true,
    .sizes = { [MODE_ALONE] = 1e6, [MODE_STORE] = 1e5, [MODE_AWAY] = 1e4 }
};
static const chat_t ask = {
    .begin = begin_ask, .messages = 1,
    .sizes = { [MODE_ALONE] = 1e6, [MODE_STORE] = 2e5, [MODE_AWAY] = 1000 }
};

#define CASE(thing, text)                                                      \
    static void run_##thing (bench_t *bench)                                   \
    {                                                                          \
        run_modes (bench, &thing);                                             \
    }                                                                          \
    const bench_case_t bench_##thing = { .name = #thing, .what = text, .run = run_##thing };

CASE (pingpong, "messages a second between two actors, one in flight")
CASE (fanin, "messages a second from 100 actors to one")
CASE (ring, "messages a second round a ring of 1,000 actors, one in flight")
CASE (ring100, "the same with 100 in flight")
CASE (skynet, "time to grow a tree of 1,000,000 leaf actors and to sum them up")
CASE (ask, "questions a second from 4 actors to 100")
