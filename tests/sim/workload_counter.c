/*  workload_counter.c - sessions that count: each call exactly once, whatever happened.
 *
 *  Each answer shows the count after it, so that two calls with one count, or a
 *  count that nobody was told, show a call that ran twice or not at all. A verb
 *  whose effect fails must change nothing, however it returns. A verb that fails
 *  for good ends as a dead letter, with an answer. The cache must agree with the state.
 */
#include "tests/sim/workload.h"

#define COUNTERS 4
#define COUNTS_MOST 4096

static struct {
    uint64_t sure[COUNTERS], maybe[COUNTERS];
    uint8_t counted[COUNTERS][COUNTS_MOST];
} model;

typedef struct {
    uint64_t count;
    uint64_t *copy;  /* freed by sleep: one that is not is a leak */
} cache_t;

static uint64_t copies[WORLD_NODES_MAX];  /* by node */

static troupe_status_t
wake (troupe_turn_t *turn)
{
    cache_t *cache = troupe_cache (turn);
    cache->count = load_number (turn, "count");
    cache->copy = malloc (sizeof *cache->copy);
    CHECK (cache->copy);
    *cache->copy = cache->count;
    copies[sim_node_number (sim_now)] += 1;
    return TROUPE_OK;
}

static void
fall_asleep (void *cache_)
{
    cache_t *cache = cache_;
    copies[sim_node_number (sim_now)] -= cache->copy != NULL;
    free (cache->copy);
}

static uint64_t
count_of (troupe_turn_t *turn)
{
    const cache_t *cache = troupe_cache (turn);
    uint64_t count = load_number (turn, "count");
    if (cache->count != count || *cache->copy != count)
        wrong ("%s: the cache says %llu, the state %llu", troupe_self (turn), (unsigned long long) cache->count,
               (unsigned long long) count);
    return count;
}

static json_int_t
count_up (troupe_turn_t *turn)
{
    cache_t *cache = troupe_cache (turn);
    cache->count = *cache->copy = count_of (turn) + 1;
    store_number (turn, "count", cache->count);
    return (json_int_t) cache->count;
}

static troupe_status_t
on_add (troupe_turn_t *turn)
{
    json_int_t count = count_up (turn), stamp = stamp_next (turn);
    if (fails_now (turn, 6))
        return troupe_fail (turn, "slipped");
    return troupe_reply (turn, "{s:I, s:I}", "count", count, "stamp", stamp);
}

/*  A key that does not fit: the turn is poisoned, and OK counts as failure. */
static troupe_status_t
on_poisoned (troupe_turn_t *turn)
{
    count_up (turn);
    stamp_next (turn);
    troupe_store (turn, "", "x", 1);
    return TROUPE_OK;
}

static troupe_status_t
on_show (troupe_turn_t *turn)
{
    return troupe_reply (turn, "{s:I, s:I}", "count", (json_int_t) count_of (turn), "stamp", stamp_now (turn));
}

static const troupe_verb_t verbs[] = {
    { "add", on_add },
    { "poisoned", on_poisoned },
    { "show", on_show, .reads = true },
    { NULL }
};
static const troupe_kind_t counter = {
    "counter", .version = 1, .verbs = verbs, .cache_size = sizeof (cache_t), .wake = wake,
    .sleep = fall_asleep
};

/* ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    (void) sim;
    memset (&model, 0, sizeof model);
}

extern const workload_t workload_counter;

static void
act (sim_t *sim, uint32_t client)
{
    uint64_t which = roll (sim, COUNTERS), fallen = roll (sim, 20);
    char to[16];
    snprintf (to, sizeof to, "counter/%llu", (unsigned long long) which);
    if (fallen == 0)
        sim_call (sim, &workload_counter, client, to, "poisoned", which, 0, NULL);
    else if (fallen < 4)
        sim_call (sim, &workload_counter, client, to, "show", which, 2, NULL);
    else
        sim_call (sim, &workload_counter, client, to, "add", which, 1, NULL);
}

static void
answered (sim_t *sim, const request_t *request)
{
    (void) sim;
    if (request->b != 1) {
        if (!request->is_unknown && request->b == 0 && request->status != TROUPE_FAILED)
            sim_fail ("a poisoned turn was answered %s \"%s\"", troupe_status_name (request->status), request->text);
        return;
    }
    if (request->is_unknown) {
        model.maybe[request->a] += 1;
        return;
    }
    if (request->status != TROUPE_OK)
        sim_fail ("a counter was answered %s \"%s\"", troupe_status_name (request->status), request->text);
    int64_t count = 0;
    if (!sim_number_of (request->answer, request->answer_size, "count", &count) || count <= 0)
        sim_fail ("a counter's answer is malformed");
    model.sure[request->a] += 1;
    if (count < COUNTS_MOST && model.counted[request->a][count]++)
        sim_fail ("counter %llu told two calls that it stands at %lld", (unsigned long long) request->a,
                  (long long) count);
}

/*  No process: no cache. */
static void
booting (sim_t *sim)
{
    uint64_t left = copies[sim_node_number (sim)];
    if (left)
        sim_fail ("%llu caches were dropped without sleep", (unsigned long long) left);
}

static void
check (sim_t *sim)
{
    for (uint64_t i = 0; i < COUNTERS; i++) {
        char address[16];
        snprintf (address, sizeof address, "counter/%llu", (unsigned long long) i);
        uint64_t count = sim_state_number (sim, address, "count");
        if (count < model.sure[i] || count > model.sure[i] + model.maybe[i])
            sim_fail ("%s stands at %llu, answered were %llu and maybe %llu more", address,
                      (unsigned long long) count, (unsigned long long) model.sure[i],
                      (unsigned long long) model.maybe[i]);
    }
}

const workload_t workload_counter = {
    "counter", .kinds = { &counter }, .begin = begin, .booting = booting, .act = act, .answered = answered,
    .check = check
};
