/*  bench.h - what the benches share: where they work, how they report, their nodes.
 *
 *  Each bench runs in a process of its own, forked before any thread: it begins
 *  with a clean heap, may fork again, and when it fails it says why and exits.
 *  Nothing here is for more than one thread unless it says so.
 */
#ifndef COMMANDS_BENCH_H
#define COMMANDS_BENCH_H

#include "commands/settings.h"
#include <stdbool.h>
#include <stdint.h>
#include <troupe.h>

typedef struct {
    const settings_t *settings;  /* of all nodes, where the bench does not need its own */
    const char *directory;       /* of this run alone: stores and files go into it */
    const char *name;            /* of the bench that runs */
    double scale;                /* of counts; 1: as doc/performance.md has them */
    double seconds;              /* of the benches that run for a time; 0: as there */
    bool is_json;
} bench_t;

typedef struct {
    const char *name;
    const char *what;            /* one line for the list */
    void (*run) (bench_t *bench);
} bench_case_t;

extern const bench_case_t bench_floor, bench_pingpong, bench_fanin, bench_ring, bench_ring100, bench_skynet,
    bench_ask, bench_idle, bench_wake, bench_turns, bench_turn1, bench_paced, bench_recover,
    bench_edge, bench_mix, bench_zmq, bench_links;

/*  Says why on stderr and ends this bench. */
void bench_fail (const bench_t *self, const char *format, ...) __attribute__ ((noreturn, format (printf, 2, 3)));

/*  Prints "name value unit", or "name.detail value unit". The first one of a bench has no detail. */
void bench_figure (const bench_t *self, const char *detail, double value, const char *unit);

/*  A count times the scale, at least `least`. */
uint64_t bench_count (const bench_t *self, double count, uint64_t least);

/*  Runs it in a forked process and waits. False: it did not end well; `signal` (may be
 *  NULL) is what ended it, or 0. No thread of this process may run. */
bool bench_in_child (bench_t *self, void (*run) (bench_t *bench), int *signal);

/* ---- nodes ---- */

typedef struct {
    const char *name, *value;
} bench_setting_t;

/*  A node with its store in directory/store. `chosen` ends with a NULL name and may be NULL; what
 *  somebody chose otherwise on the command line stays as he did. */
troupe_t *bench_new (bench_t *self, const char *store, const troupe_kind_t *const *kinds,
                     const bench_setting_t *chosen);

/*  The same, started. */
troupe_t *bench_start (bench_t *self, const char *store, const troupe_kind_t *const *kinds,
                       const bench_setting_t *chosen);

/*  Stops it and removes its store. */
void bench_end (bench_t *self, troupe_t **node, const char *store);
bool bench_remove (const char *path);

/*  Fails unless the status is OK; `answer` (may be NULL) says more. */
void bench_check (const bench_t *self, troupe_status_t status, const troupe_answer_t *answer, const char *what);

/* ---- samples ---- */

/*  Sorts them. */
void bench_sort (uint64_t *samples, size_t count);

/*  Of sorted ones: 0.5 is the median. */
uint64_t bench_quantile (const uint64_t *samples, size_t count, double quantile);

/*  The median, unsorted ones. */
double bench_median (double *values, size_t count);

/*  Dice for choosing actors: the same in every run. */
typedef struct {
    uint64_t state;
} bench_dice_t;
uint64_t bench_random (bench_dice_t *self, uint64_t below);

/* ---- bench_floor.c: the machine's own limits ---- */

/*  One append of 4 KB to a file that was filled with zeros before, and its sync. */
typedef struct {
    int file;
    uint64_t at, size;
} bench_sync_t;
void bench_sync_open (const bench_t *self, bench_sync_t *file, uint64_t appends);
uint64_t bench_sync_ns (const bench_t *self, bench_sync_t *file);
void bench_sync_close (bench_sync_t *file);

/* ---- bench_cell.c: actors with 200 bytes of state, and callers that drive them ---- */

#define BENCH_CELL_BYTES 200

/*  Verbs: put (stores), turn (loads, stores, tells the cell in "to", replies),
 *  note (what is told), look (a read: loads, replies). */
extern const troupe_kind_t *const bench_cell_kinds[];

#define BENCH_CELL_ADDRESS 24
const char *bench_cell_address (char address[BENCH_CELL_ADDRESS], uint64_t number);

/*  Packed arguments of `turn` for each cell that may be told, and where the cells live. */
typedef struct {
    uint64_t count;
    uint16_t *shards;
    uint8_t *bytes;   /* one after the other, BENCH_CELL_ARGUMENT apart */
    bench_dice_t dice;
} bench_cells_t;
#define BENCH_CELL_ARGUMENT 32
void bench_cells_init (const bench_t *self, bench_cells_t *cells, const troupe_t *node, uint64_t count);
void bench_cells_clear (bench_cells_t *cells);

/*  One call of `turn` on a random cell, which tells a random one of another shard. */
troupe_status_t bench_cells_submit (bench_cells_t *cells, troupe_t *node, troupe_done_t *done, void *arg);

/*  Calls that are kept in flight. `done` may be counted by several threads. */
typedef struct bench_flight_s bench_flight_t;
bench_flight_t *bench_flight_new (const bench_t *self, uint32_t window);
/*  Waits until there is room for one more; then it is in flight. */
void bench_flight_take (bench_flight_t *self);
/*  A completion for troupe_submit; arg is the flight. */
void bench_flight_done (void *arg, const troupe_answer_t *answer);
/*  Waits until all are done, and fails when one of them did. */
void bench_flight_land (const bench_t *bench, bench_flight_t *self);
void bench_flight_destroy (bench_flight_t **self_p);

/*  A store of `bench_full_cells` cells with state, folded and closed, made once a run. Its name. */
uint64_t bench_full_cells (const bench_t *self);
const char *bench_full_store (bench_t *self);

#endif
