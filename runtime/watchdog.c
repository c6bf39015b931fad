/*  watchdog.c - a thread that sees turns that take too long.
 *
 *  DESIGN
 *  It looks at the recorder's slots from outside; handlers do nothing for it. A
 *  turn's age is what was counted since it was first seen, so it is noticed late by
 *  a look's distance at most, and never early. Each look adds what passed since the
 *  last one, two distances at most: when the whole process stood still, or this
 *  thread got no processor, nobody knows what the turn did meanwhile.
 *
 *  Sleeping is a handshake of two words: a worker counts itself busy and then looks
 *  whether the watchdog is asleep; the watchdog says that it is asleep and then looks
 *  whether a worker is busy. Whatever the order, one of them sees the other. A worker
 *  pays a system call only when the watchdog really slept, so workers that wake and
 *  sleep a thousand times a second pay at most one at each of its looks.
 *
 *  A stuck turn gets the signal first, and dies marked with its own backtrace. A
 *  thread that does not hear it, blocked in it or in the kernel, is marked from here
 *  after a grace, and the process ended.
 */
#include "runtime/watchdog.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/gate.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"

#include <stdlib.h>

#define NS_PER_MS 1000000u
#define LOOKS_A_BUDGET 4
#define GRACE_MS 1000  /* for a thread to die of the signal */

/*  What is known of the turn in a slot; the watchdog's thread. */
typedef struct {
    uint64_t turn;
    uint64_t ran_ns;
    uint64_t ended_at_ns;  /* ran_ns when it got the signal; 0: it did not */
    bool is_reported;
} seen_t;

struct watchdog_s {
    /* fixed after start */
    recorder_t *recorder;
    uint32_t slots;
    watchdog_options_t options;
    pthread_t thread;

    /* owner: the watchdog's thread */
    seen_t seen[RECORDER_SLOTS_MAX];
    uint32_t finest_ms;            /* the shortest time that must be noticed */

    /* owner: each slot's worker */
    bool is_busy[RECORDER_SLOTS_MAX];

    /* shared: atomic; `busy` and `is_asleep` pair with each other, sequentially consistent */
    _Atomic uint32_t busy;         /* workers awake */
    _Atomic bool is_asleep;
    _Atomic bool is_over;
    _Atomic uint64_t looks;
    gate_t gate;                   /* opened to wake the thread */
};

static void
note_finest (watchdog_t *self, uint32_t ms)
{
    if (ms && ms < self->finest_ms)
        self->finest_ms = ms;
}

static uint64_t
look_distance_ns (const watchdog_t *self)
{
    uint64_t ms = self->finest_ms / LOOKS_A_BUDGET;
    return (ms ? ms : 1) * NS_PER_MS;
}

static void
report (watchdog_t *self, uint32_t slot, const recorder_view_t *view, uint32_t budget_ms, bool is_stuck)
{
    watchdog_report_t report = {
        .slot = slot,
        .message = view->message,
        .address = view->address,
        .verb = view->verb,
        .ran_ms = self->seen[slot].ran_ns / NS_PER_MS,
        .budget_ms = budget_ms,
        .is_stuck = is_stuck
    };
    if (self->options.report)
        self->options.report (self->options.arg, &report);
}

/*  It should have died by now. */
static _Noreturn void
end_deaf (watchdog_t *self, uint32_t slot)
{
    recorder_mark_stuck (self->recorder, slot);
    abort ();
}

/*  What to do about a turn of this age. */
static void
judge (watchdog_t *self, uint32_t slot, uint32_t budget_ms)
{
    seen_t *seen = self->seen + slot;
    uint64_t stuck_ns = (uint64_t) self->options.stuck_ms * NS_PER_MS;
    bool is_over = !seen->is_reported && seen->ran_ns >= (uint64_t) budget_ms * NS_PER_MS;
    bool is_stuck = stuck_ns && !seen->ended_at_ns && seen->ran_ns >= stuck_ns;
    recorder_view_t view;
    if (seen->ended_at_ns && seen->ran_ns - seen->ended_at_ns >= (uint64_t) GRACE_MS * NS_PER_MS)
        end_deaf (self, slot);
    if ((!is_over && !is_stuck) || !recorder_look (self->recorder, slot, &view) || view.turn != seen->turn)
        return;
    if (is_over) {
        seen->is_reported = true;
        report (self, slot, &view, budget_ms, false);
    }
    if (is_stuck) {
        seen->ended_at_ns = seen->ran_ns;
        report (self, slot, &view, budget_ms, true);
        recorder_abort_turn (self->recorder, slot, seen->turn);
    }
}

static void
look_at (watchdog_t *self, uint32_t slot, uint64_t passed_ns)
{
    recorder_slot_t *live = recorder_slot (self->recorder, slot);
    seen_t *seen = self->seen + slot;
    uint64_t turn = atomic_load_explicit (&live->turns, memory_order_acquire);
    if (atomic_load_explicit (&live->message, memory_order_relaxed) == 0)
        return;
    uint32_t budget_ms = atomic_load_explicit (&live->budget_ms, memory_order_relaxed);
    if (budget_ms == 0)
        budget_ms = self->options.budget_ms;
    note_finest (self, budget_ms);
    if (turn != seen->turn) {
        *seen = (seen_t) { .turn = turn };
        return;
    }
    seen->ran_ns += passed_ns;
    judge (self, slot, budget_ms);
}

/*  Sleeps until a worker is awake, or it is over. */
static void
sleep_while_idle (watchdog_t *self)
{
    for (;;) {
        atomic_store (&self->is_asleep, true);  /* again each time: who wakes it takes it back */
        if (atomic_load (&self->busy) || atomic_load (&self->is_over))
            break;
        gate_wait (&self->gate, GATE_FOREVER);
    }
    atomic_store (&self->is_asleep, false);
}

static void *
watch (void *arg)
{
    watchdog_t *self = arg;
    uint64_t last_ns = clock_monotonic_ns ();
    while (!atomic_load (&self->is_over)) {
        if (atomic_load (&self->busy) == 0) {
            sleep_while_idle (self);
            last_ns = clock_monotonic_ns ();
        }
        uint64_t now_ns = clock_monotonic_ns (), most_ns = 2 * look_distance_ns (self);
        uint64_t passed_ns = now_ns - last_ns < most_ns ? now_ns - last_ns : most_ns;
        last_ns = now_ns;
        for (uint32_t slot = 0; slot < self->slots; slot++)
            look_at (self, slot, passed_ns);
        atomic_fetch_add_explicit (&self->looks, 1, memory_order_relaxed);
        gate_wait (&self->gate, look_distance_ns (self));
    }
    return NULL;
}

watchdog_t *
watchdog_new (recorder_t *recorder, uint32_t slots, const watchdog_options_t *options, troupe_error_t *error)
{
    CHECK (recorder && slots <= RECORDER_SLOTS_MAX);
    watchdog_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "the watchdog: out of memory");
        return NULL;
    }
    self->recorder = recorder;
    self->slots = slots;
    self->options = *options;
    if (self->options.budget_ms == 0)
        self->options.budget_ms = WATCHDOG_BUDGET_MS;
    self->finest_ms = self->options.budget_ms;
    note_finest (self, self->options.stuck_ms);
    if (thread_start (&self->thread, "troupe-watchdog", watch, self, error) != TROUPE_OK) {
        memory_free (self);
        return NULL;
    }
    return self;
}

void
watchdog_destroy (watchdog_t **self_p)
{
    CHECK (self_p);
    watchdog_t *self = *self_p;
    if (!self)
        return;
    atomic_store (&self->is_over, true);
    gate_open (&self->gate);
    CHECK (pthread_join (self->thread, NULL) == 0);
    memory_free (self);
    *self_p = NULL;
}

void
watchdog_busy (watchdog_t *self, uint32_t slot)
{
    CHECK (slot < self->slots);
    if (self->is_busy[slot])
        return;
    self->is_busy[slot] = true;
    atomic_fetch_add (&self->busy, 1);
    if (atomic_load (&self->is_asleep) && atomic_exchange (&self->is_asleep, false))
        gate_open (&self->gate);
}

void
watchdog_idle (watchdog_t *self, uint32_t slot)
{
    CHECK (slot < self->slots);
    if (!self->is_busy[slot])
        return;
    self->is_busy[slot] = false;
    atomic_fetch_sub (&self->busy, 1);
}

uint64_t
watchdog_looks (const watchdog_t *self)
{
    return atomic_load_explicit (&self->looks, memory_order_relaxed);
}

bool
watchdog_is_asleep (const watchdog_t *self)
{
    return atomic_load (&self->is_asleep);
}
