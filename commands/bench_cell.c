/*  bench_cell.c - for the benches: actors with 200 bytes of state, and callers that drive them.
 *
 *  DESIGN
 *  A cell is what an integrator would write: it loads its state, changes it,
 *  stores it, tells another actor and replies. The callers' part is made cheap on
 *  purpose (bodies are packed and places are known beforehand), since in earnest the
 *  callers are on other machines.
 */
#include "commands/bench.h"

#include "commands/node.h"
#include "runtime/base/gate.h"
#include "runtime/base/memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FULL_STORE "full"
#define FULL_CELLS 1000000
#define FULL_WINDOW 8192
#define PICKS 16  /* to find a cell of another shard */

/* ------------------------------------------------------------------ *
 *  The kind
 * ------------------------------------------------------------------ */

typedef struct {
    uint64_t turns;
    uint8_t rest[BENCH_CELL_BYTES - 8];
} state_t;

static troupe_status_t
put (troupe_turn_t *turn)
{
    state_t state = { .turns = 1 };
    memset (state.rest, 'r', sizeof state.rest);
    return troupe_store (turn, "state", &state, sizeof state);
}

static troupe_status_t
work (troupe_turn_t *turn)
{
    const char *to;
    state_t state = { 0 };
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "to", &to);
    if (status != TROUPE_OK)
        return status;
    troupe_load (turn, "state", &state, sizeof state);
    state.turns += 1;
    state.rest[state.turns % sizeof state.rest] ^= (uint8_t) state.turns;
    troupe_store (turn, "state", &state, sizeof state);
    troupe_tell (turn, to, "note", "{s:I}", "turns", (json_int_t) state.turns);
    return troupe_reply (turn, "{s:I}", "turns", (json_int_t) state.turns);
}

static troupe_status_t
note (troupe_turn_t *turn)
{
    json_int_t turns;
    return troupe_unpack (turn, "{s:I}", "turns", &turns);
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    state_t state = { 0 };
    troupe_load (turn, "state", &state, sizeof state);
    return troupe_reply (turn, "{s:I}", "turns", (json_int_t) state.turns);
}

static const troupe_verb_t verbs[] = {
    { "put", put, .doc = "Store 200 bytes." },
    { "turn", work, .doc = "Load and store 200 bytes, tell another cell, reply." },
    { "note", note, .doc = "What a cell is told." },
    { "look", look, .reads = true, .doc = "Load 200 bytes, reply." },
    { NULL }
};
static const troupe_kind_t cell = { "cell", .version = 1, .verbs = verbs };
const troupe_kind_t *const bench_cell_kinds[] = { &cell, NULL };

const char *
bench_cell_address (char address[BENCH_CELL_ADDRESS], uint64_t number)
{
    snprintf (address, BENCH_CELL_ADDRESS, "cell/%llu", (unsigned long long) number);
    return address;
}

/* ------------------------------------------------------------------ *
 *  Random cells
 * ------------------------------------------------------------------ */

/*  {"to": address}: a map of one, a string of two bytes, a string below 32. */
static void
pack_argument (uint8_t *bytes, const char *address)
{
    static const uint8_t head[] = { 0x81, 0xa2, 't', 'o' };
    size_t size = strlen (address);
    memcpy (bytes, head, sizeof head);
    bytes[sizeof head] = (uint8_t) (0xa0 | size);
    memcpy (bytes + sizeof head + 1, address, size + 1);
}

static const char *
address_in (const uint8_t *argument)
{
    return (const char *) argument + 5;
}

static size_t
argument_size (const uint8_t *argument)
{
    return 5 + (argument[4] & 0x1fu);
}

void
bench_cells_init (const bench_t *self, bench_cells_t *cells, const troupe_t *node, uint64_t count)
{
    troupe_error_t error;
    *cells = (bench_cells_t) { .count = count };
    cells->shards = malloc (count * sizeof *cells->shards);
    cells->bytes = malloc (count * BENCH_CELL_ARGUMENT);
    if (!cells->shards || !cells->bytes)
        bench_fail (self, "no memory for %llu cells", (unsigned long long) count);
    for (uint64_t i = 0; i < count; i++) {
        char address[BENCH_CELL_ADDRESS];
        bench_cell_address (address, i);
        pack_argument (cells->bytes + i * BENCH_CELL_ARGUMENT, address);
        if (node_shard_of (node, address, &cells->shards[i], &error) != TROUPE_OK)
            bench_fail (self, "%s", error.text);
    }
}

void
bench_cells_clear (bench_cells_t *cells)
{
    free (cells->shards);
    free (cells->bytes);
    *cells = (bench_cells_t) { 0 };
}

troupe_status_t
bench_cells_submit (bench_cells_t *cells, troupe_t *node, troupe_done_t *done, void *arg)
{
    uint64_t one = bench_random (&cells->dice, cells->count), other = one;
    for (int i = 0; i < PICKS && cells->shards[other] == cells->shards[one]; i++)
        other = bench_random (&cells->dice, cells->count);
    const uint8_t *argument = cells->bytes + other * BENCH_CELL_ARGUMENT;
    troupe_call_t call = {
        .to = address_in (cells->bytes + one * BENCH_CELL_ARGUMENT), .verb = "turn",
        .body = argument, .size = argument_size (argument),
        .done = done, .arg = arg
    };
    return troupe_submit (node, &call, NULL);
}

/* ------------------------------------------------------------------ *
 *  Calls in flight
 * ------------------------------------------------------------------ */

/*  The caller's thread counts those that it took, the node's threads those that
 *  are done; the caller sleeps until the window is half empty, so that it is
 *  woken once for many. */
struct bench_flight_s {
    uint32_t window;

    /* owner: the caller's thread */
    uint64_t taken;

    /* shared: atomic */
    _Alignas (64) _Atomic uint64_t done;
    _Atomic uint64_t wanted;       /* the count of `done` that the caller sleeps for; 0: it is awake */
    _Atomic uint32_t failures;     /* troupe_status_t of one that failed */
    gate_t gate;
};

bench_flight_t *
bench_flight_new (const bench_t *self, uint32_t window)
{
    bench_flight_t *flight = aligned_alloc (64, (sizeof *flight + 63) / 64 * 64);
    if (!flight)
        bench_fail (self, "no memory");
    memset (flight, 0, sizeof *flight);
    flight->window = window;
    return flight;
}

static void
wait_for (bench_flight_t *self, uint64_t count)
{
    while (atomic_load (&self->done) < count) {
        atomic_store (&self->wanted, count);
        if (atomic_load (&self->done) < count)
            gate_wait (&self->gate, GATE_FOREVER);
    }
    atomic_store (&self->wanted, 0);
}

void
bench_flight_take (bench_flight_t *self)
{
    if (self->taken - atomic_load_explicit (&self->done, memory_order_acquire) >= self->window)
        wait_for (self, self->taken - self->window / 2);
    self->taken += 1;
}

void
bench_flight_done (void *arg, const troupe_answer_t *answer)
{
    bench_flight_t *self = arg;
    if (answer->status != TROUPE_OK)
        atomic_store (&self->failures, (uint32_t) answer->status);
    uint64_t done = atomic_fetch_add (&self->done, 1) + 1;
    uint64_t wanted = atomic_load (&self->wanted);
    if (wanted && done >= wanted && atomic_compare_exchange_strong (&self->wanted, &wanted, 0))
        gate_open (&self->gate);
}

void
bench_flight_land (const bench_t *bench, bench_flight_t *self)
{
    wait_for (self, self->taken);
    troupe_status_t status = (troupe_status_t) atomic_load (&self->failures);
    if (status != TROUPE_OK)
        bench_fail (bench, "a call failed: %s", troupe_status_name (status));
}

void
bench_flight_destroy (bench_flight_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

/* ------------------------------------------------------------------ *
 *  A store full of cells
 * ------------------------------------------------------------------ */

uint64_t
bench_full_cells (const bench_t *self)
{
    return bench_count (self, FULL_CELLS, 1000);
}

/*  Stopping the node folds all of it. */
static void
fill (bench_t *self)
{
    troupe_t *node = bench_start (self, FULL_STORE, bench_cell_kinds, NULL);
    bench_flight_t *flight = bench_flight_new (self, FULL_WINDOW);
    for (uint64_t i = 0; i < bench_full_cells (self); i++) {
        char address[BENCH_CELL_ADDRESS];
        bench_flight_take (flight);
        bench_check (self, troupe_call (node, bench_cell_address (address, i), "put", bench_flight_done, flight, NULL),
                     NULL, "put");
    }
    bench_flight_land (self, flight);
    troupe_destroy (&node);
    bench_flight_destroy (&flight);
}

const char *
bench_full_store (bench_t *self)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/" FULL_STORE, self->directory);
    if (access (path, F_OK) != 0 && !bench_in_child (self, fill, NULL))
        bench_fail (self, "the store could not be filled");
    return FULL_STORE;
}
