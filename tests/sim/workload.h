/*  workload.h - what the workloads share: stamps, and a voice for handlers.
 *
 *  A turn that changes its actor calls stamp_next once; what it shows outside
 *  carries that stamp, as "stamp" in a body or "#n" in the text of a refusal. A
 *  read shows stamp_now. See checks.c.
 */
#ifndef TESTS_SIM_WORKLOAD_H
#define TESTS_SIM_WORKLOAD_H

#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

/*  A handler found something wrong. When memory ran out in this slice, what it loaded may be missing:
 *  its turn is poisoned then, and whatever it does is dropped. */
#define wrong(...)                                                             \
    do {                                                                       \
        if (!sim_now->is_excused)                                              \
            sim_fail (__VA_ARGS__);                                            \
    } while (0)

/*  As troupe_load. */
static inline troupe_status_t
load (troupe_turn_t *turn, const char *key, void *buffer, size_t size)
{
    troupe_status_t status = troupe_load (turn, key, buffer, size);
    if (status != TROUPE_OK && status != TROUPE_NOT_FOUND && status != TROUPE_TOO_LARGE)
        sim_now->is_excused = true;
    return status;
}

/*  As troupe_value. */
static inline const void *
value_of (troupe_turn_t *turn, const char *key, size_t *size)
{
    char nothing;
    const void *value = troupe_value (turn, key, size);
    if (!value)
        load (turn, key, &nothing, 0);
    if (sim_is_failing (sim_now))
        sim_now->is_excused = true;
    return value;
}

typedef struct {
    uint64_t stamp;
    uint64_t now_ms;
} stamp_t;

static inline stamp_t
stamp_load (troupe_turn_t *turn)
{
    stamp_t stamp = { 0, 0 };
    load (turn, "stamp", &stamp, sizeof stamp);
    if (troupe_now (turn) < stamp.now_ms)
        wrong ("%s: time went back from %llu to %llu", troupe_self (turn), (unsigned long long) stamp.now_ms,
               (unsigned long long) troupe_now (turn));
    return stamp;
}

static inline json_int_t
stamp_now (troupe_turn_t *turn)
{
    return (json_int_t) stamp_load (turn).stamp;
}

static inline json_int_t
stamp_next (troupe_turn_t *turn)
{
    stamp_t stamp = stamp_load (turn);
    stamp.stamp += 1;
    stamp.now_ms = troupe_now (turn);
    troupe_store (turn, "stamp", &stamp, sizeof stamp);
    return (json_int_t) stamp.stamp;
}

static inline uint64_t
load_number (troupe_turn_t *turn, const char *key)
{
    uint64_t number = 0;
    load (turn, key, &number, sizeof number);
    return number;
}

static inline void
store_number (troupe_turn_t *turn, const char *key, uint64_t number)
{
    troupe_store (turn, key, &number, sizeof number);
}

/*  Fails the first tries of some messages, never so many that one is given up. */
#define TRIES_FAILED_MOST 2

static inline bool
fails_now (troupe_turn_t *turn, uint32_t once_in)
{
    uint64_t fallen = troupe_random (turn);
    return fallen % once_in == 0 && troupe_attempt (turn) <= 1 + (fallen >> 32) % TRIES_FAILED_MOST;
}

static inline uint64_t
roll (sim_t *sim, uint64_t below)
{
    return dice_roll (&sim->dice, below);
}

#endif
