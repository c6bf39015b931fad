/*  bench_floor.c - `troupe bench floor`: what the machine itself gives, without a runtime.
 *
 *  DESIGN
 *  The other benches read as ratios to these. Where two threads hand something
 *  over, the median of many short rounds is taken: a round that the system
 *  interrupted says nothing about the hardware.
 */
#include "commands/bench.h"

#include "runtime/base/clock.h"
#include "runtime/base/gate.h"
#include "runtime/base/thread.h"
#include "runtime/letter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYNC_BYTES 4096
#define ROUNDS 400
#define WAKES_MOST 10000

/* ------------------------------------------------------------------ *
 *  The disk
 * ------------------------------------------------------------------ */

static const uint8_t zeros[64 * SYNC_BYTES];

void
bench_sync_open (const bench_t *self, bench_sync_t *file, uint64_t appends)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/appended", self->directory);
    *file = (bench_sync_t) { .file = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) };
    if (file->file < 0)
        bench_fail (self, "cannot open %s: %s", path, strerror (errno));
    for (file->size = 0; file->size < appends * SYNC_BYTES; file->size += sizeof zeros)
        if (pwrite (file->file, zeros, sizeof zeros, (off_t) file->size) != sizeof zeros)
            bench_fail (self, "cannot write %s: %s", path, strerror (errno));
    if (fsync (file->file) != 0)
        bench_fail (self, "cannot sync %s: %s", path, strerror (errno));
}

uint64_t
bench_sync_ns (const bench_t *self, bench_sync_t *file)
{
    uint8_t bytes[SYNC_BYTES];
    memset (bytes, 'x', sizeof bytes);
    if (file->at >= file->size)
        file->at = 0;
    uint64_t began_ns = clock_monotonic_ns ();
    if (pwrite (file->file, bytes, sizeof bytes, (off_t) file->at) != sizeof bytes || fdatasync (file->file) != 0)
        bench_fail (self, "cannot append and sync: %s", strerror (errno));
    file->at += sizeof bytes;
    return clock_monotonic_ns () - began_ns;
}

void
bench_sync_close (bench_sync_t *file)
{
    close (file->file);
}

static void
measure_sync (bench_t *self)
{
    static uint64_t samples[4096];
    bench_sync_t file;
    size_t count = (size_t) bench_count (self, 2000, 50);
    count = count < 4096 ? count : 4096;
    bench_sync_open (self, &file, count);
    for (size_t i = 0; i < count; i++)
        samples[i] = bench_sync_ns (self, &file);
    bench_sync_close (&file);
    bench_sort (samples, count);
    bench_figure (self, NULL, (double) bench_quantile (samples, count, 0.5) / 1e3, "us");
    bench_figure (self, "sync_p99", (double) bench_quantile (samples, count, 0.99) / 1e3, "us");
}

/* ------------------------------------------------------------------ *
 *  One thread
 * ------------------------------------------------------------------ */

/*  The compiler may not see that nothing comes of it. */
static void
keep (const void *pointer)
{
    __asm__ volatile ("" : : "g" (pointer) : "memory");
}

static void
measure_queue (bench_t *self)
{
    double rounds[ROUNDS];
    inbox_t inbox = { NULL };
    letter_t letter = { .type = LETTER_CALL };
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t began_ns = clock_monotonic_ns ();
        for (int push = 0; push < 1000; push++) {
            (void) inbox_push (&inbox, &letter);
            keep (inbox_take (&inbox));
        }
        rounds[i] = (double) (clock_monotonic_ns () - began_ns) / 1000;
    }
    bench_figure (self, "queue", bench_median (rounds, ROUNDS), "ns");
}

/* ------------------------------------------------------------------ *
 *  Two threads
 * ------------------------------------------------------------------ */

typedef struct {
    _Alignas (64) _Atomic uint32_t turn;  /* even: the first's, odd: the second's */
    _Alignas (64) gate_t here;
    _Alignas (64) gate_t there;
    uint32_t handovers;
    cpu_set_t cores;  /* of the second */
} pair_t;

static void
spin (pair_t *pair, uint32_t mine)
{
    for (uint32_t next = mine; next < pair->handovers; next += 2) {
        while (atomic_load_explicit (&pair->turn, memory_order_acquire) != next)
            continue;
        atomic_store_explicit (&pair->turn, next + 1, memory_order_release);
    }
}

static void *
spin_second (void *arg)
{
    pair_t *pair = arg;
    sched_setaffinity (0, sizeof pair->cores, &pair->cores);
    spin (pair, 1);
    return NULL;
}

/*  Two cores that this process may use; false when it has only one. */
static bool
two_cores (cpu_set_t *first, cpu_set_t *second)
{
    cpu_set_t all;
    unsigned found = 0;
    CPU_ZERO (first);
    CPU_ZERO (second);
    if (sched_getaffinity (0, sizeof all, &all) != 0)
        return false;
    for (unsigned core = 0; core < CPU_SETSIZE && found < 2; core++)
        if (CPU_ISSET (core, &all))
            CPU_SET (core, found++ ? second : first);
    return found == 2;
}

static void
start_second (bench_t *self, pthread_t *thread, void *(*run) (void *arg), pair_t *pair)
{
    troupe_error_t error;
    if (thread_start (thread, "second", run, pair, &error) != TROUPE_OK)
        bench_fail (self, "%s", error.text);
}

/*  A thread that waits for its turn while the other does not run burns a slice of the
 *  scheduler: the fastest rounds are those without. */
static void
measure_line (bench_t *self)
{
    cpu_set_t first, all;
    pair_t pair = { .handovers = 4000 };
    double best = 1e9;
    if (sched_getaffinity (0, sizeof all, &all) != 0 || !two_cores (&first, &pair.cores))
        return;
    sched_setaffinity (0, sizeof first, &first);
    for (int i = 0; i < 25; i++) {
        pthread_t thread;
        atomic_store (&pair.turn, 1);  /* until the second is there */
        start_second (self, &thread, spin_second, &pair);
        while (atomic_load_explicit (&pair.turn, memory_order_acquire) != 2)
            continue;
        uint64_t began_ns = clock_monotonic_ns ();
        spin (&pair, 2);
        double each = (double) (clock_monotonic_ns () - began_ns) / (pair.handovers - 2);
        best = each < best ? each : best;
        pthread_join (thread, NULL);
    }
    sched_setaffinity (0, sizeof all, &all);
    bench_figure (self, "line", best, "ns");
}

static void *
answer_wakes (void *arg)
{
    pair_t *pair = arg;
    sched_setaffinity (0, sizeof pair->cores, &pair->cores);
    for (uint32_t i = 0; i < pair->handovers; i++) {
        gate_wait (&pair->there, GATE_FOREVER);
        gate_open (&pair->here);
    }
    return NULL;
}

/*  From the waker's call until the sleeper runs on another core: half of there and back. */
static void
measure_wake (bench_t *self)
{
    static double rounds[WAKES_MOST];
    cpu_set_t first, all;
    pair_t pair = { .handovers = (uint32_t) bench_count (self, 4000, 100) };
    pthread_t thread;
    if (sched_getaffinity (0, sizeof all, &all) != 0 || !two_cores (&first, &pair.cores))
        return;
    pair.handovers = pair.handovers < WAKES_MOST ? pair.handovers : WAKES_MOST;
    sched_setaffinity (0, sizeof first, &first);
    start_second (self, &thread, answer_wakes, &pair);
    for (uint32_t i = 0; i < pair.handovers; i++) {
        uint64_t began_ns = clock_monotonic_ns ();
        gate_open (&pair.there);
        gate_wait (&pair.here, GATE_FOREVER);
        rounds[i] = (double) (clock_monotonic_ns () - began_ns) / 2e3;
    }
    pthread_join (thread, NULL);
    sched_setaffinity (0, sizeof all, &all);
    bench_figure (self, "wake", bench_median (rounds, pair.handovers), "us");
}

static void
run (bench_t *self)
{
    measure_sync (self);
    measure_queue (self);
    measure_line (self);
    measure_wake (self);
}

const bench_case_t bench_floor = {
    .name = "floor",
    .what = "the machine: append and fdatasync of 4 KB; a queue, a cache line, a wake",
    .run = run
};
