/*  bench_memory.c - what an actor costs that does nothing, and what it costs to wake one.
 *
 *  DESIGN
 *  idle: actors are born by a message from another actor of their shard, handle
 *  it, and stay. The growth of the resident set over their number is what one
 *  costs with everything that belongs to it (tables, allocator), after a
 *  first few have made the shards warm.
 *
 *  wake: the shard is driven by hand on this thread, over the real state, so that
 *  nothing but the shard is measured: from the letter in its inbox to the
 *  completion. Each actor is called once and was asleep. Then the same from outside.
 */
#include "commands/bench.h"

#include "commands/node.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/keys.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ *
 *  idle
 * ------------------------------------------------------------------ */

#define IDLE_STORE "idle"
#define NESTS 64           /* actors that make others, each with its own affinity key */
#define NEST_AT_ONCE 1000
#define ASLEEP_AWAKE "500" /* actors of a shard that may stay awake */

static troupe_status_t
nest_hatch (troupe_turn_t *turn)
{
    char address[TROUPE_ADDRESS_MAX + 1];
    json_int_t from, to;
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I}", "from", &from, "to", &to);
    if (status != TROUPE_OK)
        return status;
    for (json_int_t i = from; i < to; i++) {
        snprintf (address, sizeof address, "egg/%s%lld", troupe_id (turn), (long long) i);
        troupe_cast (turn, address, "live", NULL);  /* what is told may wait in a frame: not what is measured */
    }
    return TROUPE_OK;
}

static troupe_status_t
egg_live (troupe_turn_t *turn)
{
    (void) turn;
    return TROUPE_OK;
}

static const troupe_verb_t nest_verbs[] = { { "hatch", nest_hatch, .doc = "Wake so many." }, { NULL } };
static const troupe_verb_t egg_verbs[] = { { "live", egg_live, .doc = "Nothing." }, { NULL } };
static const troupe_kind_t nest = { "nest", .version = 1, .verbs = nest_verbs };
static const troupe_kind_t egg = { "egg", .version = 1, .verbs = egg_verbs };
static const troupe_kind_t *const idle_kinds[] = { &nest, &egg, NULL };

static uint64_t
resident_bytes (const bench_t *bench)
{
    unsigned long long pages, resident;
    FILE *file = fopen ("/proc/self/statm", "r");
    if (!file || fscanf (file, "%llu %llu", &pages, &resident) != 2)
        bench_fail (bench, "/proc/self/statm cannot be read");
    fclose (file);
    return resident * (uint64_t) sysconf (_SC_PAGESIZE);
}

/*  Actors from..to, numbered over all nests; whole rounds of NESTS. */
static void
hatch (bench_t *bench, troupe_t *node, uint64_t from, uint64_t to)
{
    for (uint64_t at = from / NESTS; at < to / NESTS; at += NEST_AT_ONCE)
        for (unsigned i = 0; i < NESTS; i++) {
            char address[32];
            troupe_answer_t answer;
            uint64_t end = at + NEST_AT_ONCE < to / NESTS ? at + NEST_AT_ONCE : to / NESTS;
            snprintf (address, sizeof address, "nest/{%u}", i);
            troupe_status_t status = troupe_call_wait (node, address, "hatch", &answer, "{s:I, s:I}", "from",
                                                       (json_int_t) at, "to", (json_int_t) end);
            bench_check (bench, status, &answer, "hatch");
            troupe_answer_clear (&answer);
        }
}

static uint64_t
handled (const troupe_t *node)
{
    uint64_t turns = 0;
    for (uint32_t i = 0; i < node_shard_count (node); i++)
        turns += counter_get (&shard_metrics (node_shard (node, i))->turns);
    return turns;
}

/*  Until all that were told have run, and no frame is kept. */
static void
settle (bench_t *bench, troupe_t *node)
{
    troupe_error_t error;
    for (uint64_t before = 0, now = handled (node); now != before; now = handled (node)) {
        before = now;
        usleep (50000);
    }
    if (node_checkpoint_now (node, &error) != TROUPE_OK)
        bench_fail (bench, "%s", error.text);
    usleep (50000);
}

/*  Bytes an actor, of so many more. */
static double
growth (bench_t *bench, troupe_t *node, uint64_t first, uint64_t count)
{
    hatch (bench, node, 0, first);
    settle (bench, node);
    uint64_t before = resident_bytes (bench);
    hatch (bench, node, first, first + count);
    settle (bench, node);
    uint64_t after = resident_bytes (bench);
    return after > before ? (double) (after - before) / (double) (count / NESTS * NESTS) : 0;
}

static void
run_idle (bench_t *bench)
{
    static const bench_setting_t awake[] = { { "segment_bytes", "8M" }, { "idle_ms", "1h" }, { NULL, NULL } };
    static const bench_setting_t bounded[] = {
        { "segment_bytes", "8M" }, { "awake_actors", ASLEEP_AWAKE }, { NULL, NULL }
    };
    uint64_t count = bench_count (bench, 1e6, NESTS * 100);
    troupe_t *node = bench_start (bench, IDLE_STORE, idle_kinds, awake);
    bench_figure (bench, NULL, growth (bench, node, count / 100, count), "B");
    bench_end (bench, &node, IDLE_STORE);
    node = bench_start (bench, IDLE_STORE, idle_kinds, bounded);
    bench_figure (bench, "asleep", growth (bench, node, count / 4, count), "B");
    bench_end (bench, &node, IDLE_STORE);
}

const bench_case_t bench_idle = {
    .name = "idle",
    .what = "memory of an awake actor that does nothing, of 1,000,000; and of one that fell asleep",
    .run = run_idle
};

/* ------------------------------------------------------------------ *
 *  wake, inside the shard
 * ------------------------------------------------------------------ */

/*  A store and one of its shards, driven by hand. */
typedef struct {
    bench_t *bench;
    store_t *store;
    registry_t *registry;
    shard_t *shard;
    uint64_t answered_ns;
    troupe_status_t status;
} hand_t;

static void
no_frames (void *self, frame_t *frame)
{
    (void) frame;
    bench_fail (((hand_t *) self)->bench, "a read made a frame");
}

static void
drop_letter (void *self, uint16_t to, letter_t *letter)
{
    (void) self;
    (void) to;
    memory_free (letter);
}

static troupe_status_t
no_replay (void *arg, frame_t *frame)
{
    (void) frame;
    bench_fail (((hand_t *) arg)->bench, "the store was not folded");
}

static void
on_look (void *arg, const troupe_answer_t *answer)
{
    hand_t *hand = arg;
    hand->answered_ns = clock_monotonic_ns ();
    hand->status = answer->status;
}

static void
hand_open (bench_t *bench, hand_t *hand)
{
    static char path[PATH_MAX];
    troupe_error_t error;
    snprintf (path, sizeof path, "%s/%s", bench->directory, bench_full_store (bench));
    store_options_t options = { .directory = path, .map_bytes = bench->settings->map_bytes, .tables = KEY_TABLES };
    *hand = (hand_t) { .bench = bench, .store = store_open (&options, &error), .registry = registry_new () };
    if (!hand->store || !hand->registry)
        bench_fail (bench, "%s", hand->store ? "no memory" : error.text);
    if (store_recover (hand->store, no_replay, hand, &error) != TROUPE_OK
        || registry_add (hand->registry, bench_cell_kinds[0], &error) != TROUPE_OK)
        bench_fail (bench, "%s", error.text);
    shard_options_t shard = {
        .registry = hand->registry,
        .state = hand->store->state,
        .world = { .self = hand, .submit = no_frames, .carry = drop_letter }
    };
    hand->shard = shard_new (&shard, &error);
    if (!hand->shard || shard_start (hand->shard, clock_wall_ms (), &error) != TROUPE_OK)
        bench_fail (bench, "%s", error.text);
}

static void
hand_close (hand_t *hand)
{
    shard_destroy (&hand->shard);
    registry_destroy (&hand->registry);
    store_close (&hand->store);
}

/*  From the letter in the inbox to the answer. */
static uint64_t
look_by_hand (hand_t *hand, const char *address)
{
    troupe_call_t asked = { .to = address, .verb = "look", .done = on_look, .arg = hand };
    call_t *call = call_new (&asked, 1);
    if (!call)
        bench_fail (hand->bench, "no memory");
    uint64_t now_ms = clock_wall_ms ();
    (void) shard_post (hand->shard, &call->letter);
    uint64_t began_ns = clock_monotonic_ns ();
    hand->answered_ns = 0;
    while (shard_step (hand->shard, now_ms, NULL) && hand->answered_ns == 0)
        continue;
    if (hand->answered_ns == 0 || hand->status != TROUPE_OK)
        bench_fail (hand->bench, "%s: %s", address, troupe_status_name (hand->status));
    return hand->answered_ns - began_ns;
}

/*  Numbers of cells, each once, in no order. */
static uint64_t *
shuffled (const bench_t *bench, uint64_t count)
{
    bench_dice_t dice = { 1 };
    uint64_t *numbers = malloc (count * sizeof *numbers);
    if (!numbers)
        bench_fail (bench, "no memory");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = bench_random (&dice, i + 1);
        numbers[i] = numbers[at];
        numbers[at] = i;
    }
    return numbers;
}

static bool
lives_here (const hand_t *hand, const char *address)
{
    address_t parts;
    const state_identity_t *identity = hand->store->state->identity (hand->store->state->self);
    return address_parse (address, strlen (address), &parts, NULL) == TROUPE_OK
           && address_shard (&parts, identity->hash_seed, identity->shards) == shard_number (hand->shard);
}

static void
wake_inside (bench_t *bench, const uint64_t *numbers, uint64_t *samples)
{
    hand_t hand;
    size_t count = 0;
    hand_open (bench, &hand);
    for (uint64_t i = 0; i < bench_full_cells (bench); i++) {
        char address[BENCH_CELL_ADDRESS];
        if (lives_here (&hand, bench_cell_address (address, numbers[i])))
            samples[count++] = look_by_hand (&hand, address);
    }
    hand_close (&hand);
    bench_sort (samples, count);
    bench_figure (bench, NULL, (double) bench_quantile (samples, count, 0.5) / 1e3, "us");
    bench_figure (bench, "p99", (double) bench_quantile (samples, count, 0.99) / 1e3, "us");
}

/* ------------------------------------------------------------------ *
 *  wake, from outside
 * ------------------------------------------------------------------ */

#define CALLS 10000

static void
wake_outside (bench_t *bench, const uint64_t *numbers, uint64_t *samples)
{
    troupe_t *node = bench_start (bench, bench_full_store (bench), bench_cell_kinds, NULL);
    size_t count = (size_t) bench_count (bench, CALLS, 100);
    for (size_t i = 0; i < count; i++) {
        char address[BENCH_CELL_ADDRESS];
        troupe_answer_t answer;
        bench_cell_address (address, numbers[i]);
        uint64_t began_ns = clock_monotonic_ns ();
        bench_check (bench, troupe_call_wait (node, address, "look", &answer, NULL), &answer, "look");
        samples[i] = clock_monotonic_ns () - began_ns;
        troupe_answer_clear (&answer);
    }
    troupe_destroy (&node);
    bench_sort (samples, count);
    bench_figure (bench, "caller", (double) bench_quantile (samples, count, 0.5) / 1e3, "us");
    bench_figure (bench, "caller_p99", (double) bench_quantile (samples, count, 0.99) / 1e3, "us");
}

static void
run_wake (bench_t *bench)
{
    (void) bench_full_store (bench);
    uint64_t *numbers = shuffled (bench, bench_full_cells (bench));
    uint64_t *samples = malloc (bench_full_cells (bench) * sizeof *samples);
    if (!samples)
        bench_fail (bench, "no memory");
    wake_inside (bench, numbers, samples);
    wake_outside (bench, numbers, samples);
    free (samples);
    free (numbers);
}

const bench_case_t bench_wake = {
    .name = "wake",
    .what = "a read of a sleeping actor of 1,000,000: inside the shard, and caller to caller",
    .run = run_wake
};
