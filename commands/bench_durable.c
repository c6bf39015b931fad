/*  bench_durable.c - turns that reach the disk: how many, how soon, how evenly, and how fast they are back.
 *
 *  DESIGN
 *  All of them drive cells (bench_cell.c): a call loads 200 bytes, stores them and
 *  tells a cell of another shard; it is done when its answer is here, and that is
 *  after the sync of its frame. One thread calls; what it costs is on the same
 *  cores.
 *
 *  turn1 alternates with appends and syncs of a plain file in the same directory,
 *  in blocks with a pause between, so that both see the same disk and none sees the
 *  other's writes: after the reply there is still the told message to be committed.
 *
 *  paced is open-loop: calls have their times beforehand, and a latency counts
 *  from that time, however late the caller was.
 */
#include "commands/bench.h"

#include "commands/exit.h"
#include "commands/node.h"
#include "runtime/base/clock.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define STORE "durable"
#define CELLS 100000
#define WINDOW 4096

/*  Bytes that the device of this directory has written, whoever sent them: run
 *  nothing beside it. What /proc/self/io says is another thing: it counts a page
 *  each time it gets dirty. 0 where the system does not say. */
static uint64_t
written_bytes (const bench_t *bench)
{
    unsigned long long sectors = 0;
    struct stat about;
    char path[64];
    if (stat (bench->directory, &about) != 0)
        return 0;
    snprintf (path, sizeof path, "/sys/dev/block/%u:%u/stat", major (about.st_dev), minor (about.st_dev));
    FILE *file = fopen (path, "r");
    if (!file)
        return 0;
    if (fscanf (file, "%*u %*u %*u %*u %*u %*u %llu", &sectors) != 1)
        sectors = 0;
    fclose (file);
    return sectors * 512;
}

/* ------------------------------------------------------------------ *
 *  turns
 * ------------------------------------------------------------------ */

#define TURNS_SECONDS 5.0

static void
run_turns (bench_t *bench)
{
    troupe_t *node = bench_start (bench, STORE, bench_cell_kinds, NULL);
    bench_flight_t *flight = bench_flight_new (bench, WINDOW);
    bench_cells_t cells;
    bench_cells_init (bench, &cells, node, bench_count (bench, CELLS, 100));
    double seconds = bench->seconds > 0 ? bench->seconds : TURNS_SECONDS * (bench->scale < 1 ? bench->scale : 1);
    uint64_t written_before = written_bytes (bench), calls = 0;
    uint64_t journal_before = journal_counts (node_store (node)->journal).written_bytes;
    uint64_t began_ns = clock_monotonic_ns (), end_ns = began_ns + (uint64_t) (seconds * 1e9);
    for (; calls % 64 || clock_monotonic_ns () < end_ns; calls++) {
        bench_flight_take (flight);
        bench_check (bench, bench_cells_submit (&cells, node, bench_flight_done, flight), NULL, "turn");
    }
    bench_flight_land (bench, flight);
    double took_ns = (double) (clock_monotonic_ns () - began_ns);
    uint64_t journal_after = journal_counts (node_store (node)->journal).written_bytes;
    node_counts_t counts = node_counts (node);
    troupe_destroy (&node);  /* folds */
    double turns = (double) calls;
    bench_figure (bench, NULL, turns / took_ns * 1e6, "k/s");
    bench_figure (bench, "written", (double) (written_bytes (bench) - written_before) / turns, "B");
    bench_figure (bench, "journal", (double) (journal_after - journal_before) / turns, "B");
    bench_figure (bench, "commits", (double) (counts.commits.by_thread + counts.commits.by_worker) / took_ns * 1e9,
                  "1/s");
    bench_cells_clear (&cells);
    bench_flight_destroy (&flight);
    bench_end (bench, &node, STORE);
}

const bench_case_t bench_turns = {
    .name = "turns",
    .what = "durable turns a second on 100,000 actors: load, store 200 B, tell another shard",
    .run = run_turns
};

/* ------------------------------------------------------------------ *
 *  turn1
 * ------------------------------------------------------------------ */

#define TURN1_PAUSE_US 2000
#define TURN1_MOST 4096

/*  How many turns, or syncs, follow each other before there is a pause. */
typedef struct {
    size_t blocks, block;
    const char *names[4];  /* of the median, the 99th percentile, the median of the floor, the ratio */
} rhythm_t;

typedef struct {
    bench_t *bench;
    troupe_t *node;
    bench_cells_t cells;
    bench_flight_t *flight;
    bench_sync_t file;
} single_t;

static uint64_t
one_turn (single_t *self)
{
    uint64_t began_ns = clock_monotonic_ns ();
    bench_flight_take (self->flight);
    bench_check (self->bench, bench_cells_submit (&self->cells, self->node, bench_flight_done, self->flight), NULL,
                 "turn");
    bench_flight_land (self->bench, self->flight);
    return clock_monotonic_ns () - began_ns;
}

static void
measure_rhythm (single_t *self, const rhythm_t *rhythm)
{
    static uint64_t turns[TURN1_MOST], syncs[TURN1_MOST];
    size_t count = 0, blocks = (size_t) bench_count (self->bench, (double) rhythm->blocks, 4);
    for (size_t i = 0; i < blocks && count + rhythm->block <= TURN1_MOST; i++, count += rhythm->block) {
        for (size_t j = 0; j < rhythm->block; j++)
            turns[count + j] = one_turn (self);
        usleep (TURN1_PAUSE_US);
        for (size_t j = 0; j < rhythm->block; j++)
            syncs[count + j] = bench_sync_ns (self->bench, &self->file);
        usleep (TURN1_PAUSE_US);
    }
    bench_sort (turns, count);
    bench_sort (syncs, count);
    double turn_us = (double) bench_quantile (turns, count, 0.5) / 1e3;
    double sync_us = (double) bench_quantile (syncs, count, 0.5) / 1e3;
    bench_figure (self->bench, rhythm->names[0], turn_us, "us");
    bench_figure (self->bench, rhythm->names[1], (double) bench_quantile (turns, count, 0.99) / 1e3, "us");
    bench_figure (self->bench, rhythm->names[2], sync_us, "us");
    bench_figure (self->bench, rhythm->names[3], turn_us / sync_us, "x");
}

static void
run_turn1 (bench_t *bench)
{
    static const rhythm_t loop = { 40, 50, { NULL, "p99", "floor", "ratio" } };
    static const rhythm_t alone = { 500, 1, { "alone", "alone_p99", "alone_floor", "alone_ratio" } };
    single_t self = { .bench = bench, .node = bench_start (bench, STORE, bench_cell_kinds, NULL) };
    self.flight = bench_flight_new (bench, 2);
    bench_cells_init (bench, &self.cells, self.node, bench_count (bench, CELLS, 100));
    bench_sync_open (bench, &self.file, TURN1_MOST);
    for (int i = 0; i < 50; i++)
        (void) one_turn (&self);
    measure_rhythm (&self, &loop);
    measure_rhythm (&self, &alone);
    bench_sync_close (&self.file);
    bench_cells_clear (&self.cells);
    bench_end (bench, &self.node, STORE);
    bench_flight_destroy (&self.flight);
}

const bench_case_t bench_turn1 = {
    .name = "turn1",
    .what = "one such turn in flight: submit to durable reply, beside append and sync of a file",
    .run = run_turn1
};

/* ------------------------------------------------------------------ *
 *  paced
 * ------------------------------------------------------------------ */

#define PACED_SECONDS 30.0
#define PACED_A_SECOND 50000.0

typedef struct {
    uint64_t began_ns, every_ns;
    uint64_t count;
    uint64_t *latencies;  /* by call; each holds its number until it is done */
    _Atomic uint64_t done, failed;
} pace_t;

/*  The argument of a call is the place of its latency alone. */
static pace_t pace;

static void
on_paced (void *arg, const troupe_answer_t *answer)
{
    uint64_t *latency = arg;
    uint64_t number = (uint64_t) (latency - pace.latencies);
    *latency = clock_monotonic_ns () - pace.began_ns - number * pace.every_ns;
    if (answer->status != TROUPE_OK)
        atomic_fetch_add (&pace.failed, 1);
    atomic_fetch_add (&pace.done, 1);
}

static void
sleep_until (uint64_t at_ns)
{
    struct timespec at = { .tv_sec = (time_t) (at_ns / 1000000000), .tv_nsec = (long) (at_ns % 1000000000) };
    clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void
run_pace (bench_t *bench, troupe_t *node, bench_cells_t *cells)
{
    pace.began_ns = clock_monotonic_ns ();
    for (uint64_t i = 0; i < pace.count;) {
        uint64_t due = (clock_monotonic_ns () - pace.began_ns) / pace.every_ns + 1;
        due = due < pace.count ? due : pace.count;
        if (due == i)
            sleep_until (pace.began_ns + i * pace.every_ns);
        for (; i < due; i++)
            if (bench_cells_submit (cells, node, on_paced, &pace.latencies[i]) != TROUPE_OK)
                bench_fail (bench, "a call was refused");
    }
    while (atomic_load (&pace.done) < pace.count)
        usleep (1000);
}

static void
report_pace (bench_t *bench)
{
    bench_sort (pace.latencies, pace.count);
    bench_figure (bench, NULL, (double) bench_quantile (pace.latencies, pace.count, 0.5) / 1e6, "ms");
    bench_figure (bench, "p99", (double) bench_quantile (pace.latencies, pace.count, 0.99) / 1e6, "ms");
    bench_figure (bench, "p99.9", (double) bench_quantile (pace.latencies, pace.count, 0.999) / 1e6, "ms");
    bench_figure (bench, "max", (double) pace.latencies[pace.count - 1] / 1e6, "ms");
    bench_figure (bench, "failed", (double) atomic_load (&pace.failed), "calls");
}

static void
run_paced (bench_t *bench)
{
    bench_cells_t cells;
    double seconds = bench->seconds > 0 ? bench->seconds : PACED_SECONDS * (bench->scale < 1 ? bench->scale : 1);
    pace.every_ns = (uint64_t) (1e9 / PACED_A_SECOND);
    pace.count = (uint64_t) (seconds * PACED_A_SECOND);
    pace.latencies = malloc (pace.count * sizeof *pace.latencies);
    if (!pace.latencies)
        bench_fail (bench, "no memory for %llu latencies", (unsigned long long) pace.count);
    memset (pace.latencies, 0, pace.count * sizeof *pace.latencies);
    const char *store = bench_full_store (bench);
    troupe_t *node = bench_start (bench, store, bench_cell_kinds, NULL);
    bench_cells_init (bench, &cells, node, bench_full_cells (bench));
    uint64_t written_before = written_bytes (bench);
    run_pace (bench, node, &cells);
    troupe_destroy (&node);
    report_pace (bench);
    bench_figure (bench, "written", (double) (written_bytes (bench) - written_before) / (double) pace.count, "B");
    bench_cells_clear (&cells);
    free (pace.latencies);
}

const bench_case_t bench_paced = {
    .name = "paced",
    .what = "latency of 50,000 such turns a second for 30 s over 1,000,000 actors",
    .run = run_paced
};

/* ------------------------------------------------------------------ *
 *  recover
 * ------------------------------------------------------------------ */

#define RECOVER_TURNS 1000000.0

static const bench_setting_t never_folds[] = {
    { "checkpoint_ms", "1h" }, { "unfolded_bytes", "4G" }, { NULL, NULL }
};

static void
run_and_die (bench_t *bench)
{
    troupe_t *node = bench_start (bench, STORE, bench_cell_kinds, never_folds);
    bench_flight_t *flight = bench_flight_new (bench, WINDOW);
    bench_cells_t cells;
    bench_cells_init (bench, &cells, node, bench_count (bench, CELLS, 100));
    for (uint64_t i = bench_count (bench, RECOVER_TURNS, 1000); i > 0; i--) {
        bench_flight_take (flight);
        bench_check (bench, bench_cells_submit (&cells, node, bench_flight_done, flight), NULL, "turn");
    }
    bench_flight_land (bench, flight);
    kill (getpid (), SIGKILL);
}

static void
run_recover (bench_t *bench)
{
    int signal;
    troupe_error_t error;
    if (bench_in_child (bench, run_and_die, &signal) || signal != SIGKILL)
        bench_fail (bench, "the process that should be killed ended otherwise");
    troupe_t *node = bench_new (bench, STORE, bench_cell_kinds, never_folds);
    uint64_t began_ns = clock_monotonic_ns (), began_cpu_ns = clock_read_ns (CLOCK_PROCESS_CPUTIME_ID);
    if (troupe_start (node, &error) != TROUPE_OK)
        bench_fail (bench, "%s", error.text);
    uint64_t cpu_ns = clock_read_ns (CLOCK_PROCESS_CPUTIME_ID) - began_cpu_ns;
    bench_figure (bench, NULL, (double) (clock_monotonic_ns () - began_ns) / 1e9, "s");
    bench_figure (bench, "processor", (double) cpu_ns / 1e9, "s");
    bench_figure (bench, "journal", (double) journal_counts (node_store (node)->journal).bytes / 1e6, "MB");
    _exit (EXIT_OK);  /* the fold of a stop would take longer than all before; the directory goes with the run */
}

const bench_case_t bench_recover = {
    .name = "recover",
    .what = "1,000,000 turns in the journal, SIGKILL, start: until it serves",
    .run = run_recover
};
