/*  clock.h - the clocks of a node. Any thread.
 *
 *  Shards are driven by a steady clock: the wall's time when the node started,
 *  or that of its newest frame when the wall's is behind it, and from then on as fast
 *  as time passes, machine's sleep included. So an operator who sets the wall clock
 *  moves no timer of a running node, and a machine that starts with a wrong
 *  clock stops none.
 *
 *  Who waits until it shows a time sleeps by CLOCK_MONOTONIC, since a futex knows no other clock
 *  that nobody sets; that one stands still while the machine sleeps. So after such a sleep what
 *  fell due is noticed with whatever wakes the thread next, or when the rest of its wait is over.
 */
#ifndef RUNTIME_BASE_CLOCK_H
#define RUNTIME_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_read_ns (clockid_t which)
{
    struct timespec now;
    clock_gettime (which, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

/*  For durations and for how long to wait. */
static inline uint64_t
clock_monotonic_ns (void)
{
    return clock_read_ns (CLOCK_MONOTONIC);
}

/*  Milliseconds since 1970, as the machine has it now. */
static inline uint64_t
clock_wall_ms (void)
{
    return clock_read_ns (CLOCK_REALTIME) / 1000000u;
}

typedef struct {
    uint64_t wall_ms;  /* at the start; raised: what it would have shown then */
    uint64_t boot_ns;  /* CLOCK_BOOTTIME then */
} steady_clock_t;

static inline steady_clock_t
steady_clock_start (void)
{
    return (steady_clock_t) { .wall_ms = clock_wall_ms (), .boot_ns = clock_read_ns (CLOCK_BOOTTIME) };
}

/*  From now on it shows this time at least. */
static inline void
steady_clock_raise (steady_clock_t *self, uint64_t ms)
{
    uint64_t passed_ms = (clock_read_ns (CLOCK_BOOTTIME) - self->boot_ns) / 1000000u;
    if (self->wall_ms + passed_ms < ms)
        self->wall_ms = ms - passed_ms;
}

/*  Milliseconds since 1970, never back. */
static inline uint64_t
steady_clock_ms (const steady_clock_t *self)
{
    return self->wall_ms + (clock_read_ns (CLOCK_BOOTTIME) - self->boot_ns) / 1000000u;
}

/*  Nanoseconds until it shows this time, if the machine stays awake; 0 when it is past, UINT64_MAX: never. */
static inline uint64_t
steady_clock_until_ns (const steady_clock_t *self, uint64_t due_ms)
{
    uint64_t passed_ns = clock_read_ns (CLOCK_BOOTTIME) - self->boot_ns;
    uint64_t ahead_ms = due_ms > self->wall_ms ? due_ms - self->wall_ms : 0;
    if (ahead_ms > UINT64_MAX / 1000000u)
        return UINT64_MAX;
    return ahead_ms * 1000000u > passed_ns ? ahead_ms * 1000000u - passed_ns : 0;
}

#endif
