/*  test_worker.c - the scheduler, with tasks that are no shards. */
#include "runtime/worker.h"

#include "runtime/base/gate.h"
#include "runtime/base/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000u
#define TASKS_MOST 64
#define PATIENCE_NS (20000ull * MS)

/*  A task that counts what is done to it. */
typedef struct {
    _Atomic uint64_t given;     /* by the test */
    uint64_t taken;             /* owner: whoever steps it; plain, for ThreadSanitizer to judge */
    _Atomic uint64_t seen;      /* the same, for the test to look at */
    _Atomic uint64_t steps;
    _Atomic bool running;
    _Atomic bool overlapped;
    _Atomic uint64_t due;       /* what next_due says; NEVER after it came */
    _Atomic uint64_t stepped_at_ms;
    _Atomic uint32_t again;     /* how often the next steps say that there is more */
    _Atomic bool owe;           /* the next step leaves its worker with a debt */
    _Atomic (gate_t *) hold;    /* a step waits here */
    _Atomic (gate_t *) told;    /* opened by a step */
    _Atomic (gate_t *) entered; /* opened by a step before it waits */
    pthread_t thread;           /* that stepped it last */
} fake_t;

typedef struct {
    steady_clock_t clock;
    fake_t fakes[TASKS_MOST];
    task_t table[TASKS_MOST];
    workers_t *workers;
    uint32_t worker_count;
    _Atomic uint32_t paid, paid_busy;
    _Atomic int schedule_in_pay;  /* a task, or -1 */
    _Atomic (gate_t *) hold_in_pay;
} bed_t;

static _Thread_local bool owing;

static bool
fake_step (void *arg, uint64_t now_ms, recorder_slot_t *slot)
{
    fake_t *self = arg;
    (void) slot;
    if (atomic_exchange (&self->running, true))
        atomic_store (&self->overlapped, true);
    self->taken = atomic_load (&self->given);
    atomic_store (&self->seen, self->taken);
    self->thread = pthread_self ();
    atomic_store (&self->stepped_at_ms, now_ms);
    if (atomic_load (&self->due) <= now_ms)
        atomic_store (&self->due, UINT64_MAX);
    owing |= atomic_exchange (&self->owe, false);
    gate_t *entered = atomic_exchange (&self->entered, NULL);
    if (entered)
        gate_open (entered);
    gate_t *hold = atomic_exchange (&self->hold, NULL);
    if (hold)
        gate_wait (hold, PATIENCE_NS);
    bool more = atomic_load (&self->again) > 0;
    if (more)
        atomic_fetch_sub (&self->again, 1);
    atomic_fetch_add (&self->steps, 1);
    atomic_store (&self->running, false);
    gate_t *told = more ? NULL : atomic_exchange (&self->told, NULL);
    if (told)
        gate_open (told);
    return more;
}

static uint64_t
fake_next_due (void *arg)
{
    fake_t *self = arg;
    return atomic_load (&self->due);
}

static bool
owes (void *arg)
{
    (void) arg;
    return owing;
}

static void
pay (void *arg, bool is_busy)
{
    bed_t *bed = arg;
    owing = false;
    atomic_fetch_add (is_busy ? &bed->paid_busy : &bed->paid, 1);
    gate_t *hold = atomic_exchange (&bed->hold_in_pay, NULL);
    if (hold)
        gate_wait (hold, PATIENCE_NS);
    int task = atomic_exchange (&bed->schedule_in_pay, -1);
    if (task >= 0)
        workers_schedule (bed->workers, (uint32_t) task);
}

static bed_t *
bed_new (uint32_t workers, uint32_t tasks)
{
    bed_t *bed = calloc (1, sizeof *bed);
    assert_non_null (bed);
    bed->clock = steady_clock_start ();
    bed->worker_count = workers;
    bed->schedule_in_pay = -1;
    for (uint32_t i = 0; i < tasks; i++) {
        bed->fakes[i].due = UINT64_MAX;
        bed->table[i] = (task_t) { fake_step, fake_next_due, &bed->fakes[i] };
    }
    workers_options_t options = {
        .workers = workers,
        .tasks = tasks,
        .table = bed->table,
        .clock = &bed->clock,
        .owes = owes,
        .pay = pay,
        .arg = bed
    };
    troupe_error_t error;
    bed->workers = workers_new (&options, &error);
    assert_non_null (bed->workers);
    assert_int_equal (workers_start (bed->workers, &error), TROUPE_OK);
    return bed;
}

static void
bed_destroy (bed_t *bed)
{
    workers_destroy (&bed->workers);
    for (int i = 0; i < TASKS_MOST; i++)
        assert_false (bed->fakes[i].overlapped);
    free (bed);
}

/*  Until all workers sleep; a moment later they are in the system call. */
static void
let_sleep (bed_t *bed)
{
    struct timespec moment = { .tv_nsec = 2 * MS };
    for (int i = 0; i < 10000 && workers_counts (bed->workers).asleep < bed->worker_count; i++)
        nanosleep (&moment, NULL);
    assert_int_equal (workers_counts (bed->workers).asleep, bed->worker_count);
}

/*  For what must not happen: nothing tells when it has not. */
static void
let_pass (void)
{
    struct timespec while_ = { .tv_nsec = 30 * MS };
    nanosleep (&while_, NULL);
}

/*  Schedules the task and waits until it was stepped. */
static void
step_and_wait (bed_t *bed, uint32_t task)
{
    gate_t told = { 0 };
    atomic_store (&bed->fakes[task].told, &told);
    workers_schedule (bed->workers, task);
    assert_true (gate_wait (&told, PATIENCE_NS));
}

static void
worker_scheduled_task_sees_what_was_written_before (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 4);
    for (uint64_t i = 1; i <= 200; i++) {
        fake_t *fake = &bed->fakes[i % 4];
        atomic_store_explicit (&fake->given, i, memory_order_relaxed);
        step_and_wait (bed, (uint32_t) (i % 4));
        assert_int_equal (fake->taken, i);
    }
    bed_destroy (bed);
}

static void
worker_task_scheduled_while_it_runs_is_stepped_again (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 2);
    gate_t entered = { 0 }, hold = { 0 };
    atomic_store (&bed->fakes[0].entered, &entered);
    atomic_store (&bed->fakes[0].hold, &hold);
    workers_schedule (bed->workers, 0);
    assert_true (gate_wait (&entered, PATIENCE_NS));
    for (int i = 0; i < 3; i++)
        workers_schedule (bed->workers, 0);
    gate_open (&hold);
    step_and_wait (bed, 1);
    workers_stop (bed->workers);
    assert_in_range (bed->fakes[0].steps, 1, 2);
    bed_destroy (bed);
}

static void
worker_task_with_more_to_do_is_stepped_until_done (void **state)
{
    (void) state;
    bed_t *bed = bed_new (1, 2);
    atomic_store (&bed->fakes[0].again, 5);
    step_and_wait (bed, 0);
    assert_int_equal (bed->fakes[0].steps, 6);
    bed_destroy (bed);
}

static void
worker_two_busy_tasks_of_one_worker_take_turns (void **state)
{
    (void) state;
    bed_t *bed = bed_new (1, 2);
    gate_t entered = { 0 }, hold = { 0 };
    atomic_store (&bed->fakes[0].entered, &entered);
    atomic_store (&bed->fakes[0].hold, &hold);
    atomic_store (&bed->fakes[0].again, 1000000);
    workers_schedule (bed->workers, 0);
    assert_true (gate_wait (&entered, PATIENCE_NS));
    gate_t told = { 0 };
    atomic_store (&bed->fakes[1].told, &told);
    workers_schedule (bed->workers, 1);
    gate_open (&hold);
    assert_true (gate_wait (&told, PATIENCE_NS));
    assert_true (atomic_load (&bed->fakes[0].again) > 0);
    bed_destroy (bed);
}

static void
worker_queue_of_a_busy_worker_is_stolen (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 8);
    gate_t entered = { 0 }, hold = { 0 };
    atomic_store (&bed->fakes[0].entered, &entered);
    atomic_store (&bed->fakes[0].hold, &hold);
    workers_schedule (bed->workers, 0);
    assert_true (gate_wait (&entered, PATIENCE_NS));
    for (uint32_t i = 1; i < 8; i++)
        step_and_wait (bed, i);
    gate_open (&hold);
    assert_true (workers_counts (bed->workers).moves > 0);
    bed_destroy (bed);
}

static void
worker_task_stays_with_the_worker_that_ran_it (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 2);
    step_and_wait (bed, 0);
    let_sleep (bed);
    pthread_t first = bed->fakes[0].thread;
    uint64_t moves = workers_counts (bed->workers).moves;
    for (int i = 0; i < 20; i++) {
        step_and_wait (bed, 0);
        let_sleep (bed);
        assert_true (pthread_equal (first, bed->fakes[0].thread));
    }
    assert_int_equal (workers_counts (bed->workers).moves, moves);
    bed_destroy (bed);
}

static void
worker_one_call_costs_at_most_one_wake (void **state)
{
    (void) state;
    bed_t *bed = bed_new (4, 8);
    let_sleep (bed);
    uint64_t wakes = workers_counts (bed->workers).wakes;
    for (int i = 0; i < 10; i++) {
        step_and_wait (bed, (uint32_t) i % 8);
        let_sleep (bed);
    }
    assert_int_equal (workers_counts (bed->workers).wakes, wakes + 10);
    bed_destroy (bed);
}

static void
worker_timer_comes_not_early_and_soon (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 3);
    gate_t told[3] = { { 0 } };
    uint64_t due[3], now_ms = steady_clock_ms (&bed->clock);
    for (uint32_t i = 0; i < 3; i++) {
        due[i] = now_ms + 90 - 30 * i;  /* each earlier than the one before */
        atomic_store (&bed->fakes[i].due, due[i]);
        step_and_wait (bed, i);
        atomic_store (&bed->fakes[i].told, &told[i]);
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_true (gate_wait (&told[2 - i], PATIENCE_NS));
        uint64_t late_ms = atomic_load (&bed->fakes[2 - i].stepped_at_ms) - due[2 - i];
        assert_in_range (late_ms, 0, 2000);  /* the machine may be busy; a missed one never comes */
    }
    bed_destroy (bed);
}

static void
worker_timer_comes_while_another_worker_is_in_a_long_turn (void **state)
{
    (void) state;
    for (uint32_t round = 0; round < 4; round++) {
        bed_t *bed = bed_new (2, 4);
        gate_t entered = { 0 }, hold = { 0 }, told = { 0 };
        uint32_t timer = round % 2, busy = round / 2 + 2;
        atomic_store (&bed->fakes[timer].due, steady_clock_ms (&bed->clock) + 60);
        step_and_wait (bed, timer);
        let_sleep (bed);
        atomic_store (&bed->fakes[busy].entered, &entered);
        atomic_store (&bed->fakes[busy].hold, &hold);
        workers_schedule (bed->workers, busy);
        assert_true (gate_wait (&entered, PATIENCE_NS));
        atomic_store (&bed->fakes[timer].told, &told);
        assert_true (gate_wait (&told, PATIENCE_NS));
        gate_open (&hold);
        bed_destroy (bed);
    }
}

static void
worker_with_nothing_to_do_sleeps (void **state)
{
    (void) state;
    bed_t *bed = bed_new (4, 4);
    atomic_store (&bed->fakes[0].due, steady_clock_ms (&bed->clock) + 3600 * 1000);
    step_and_wait (bed, 0);
    let_sleep (bed);
    uint64_t slices = workers_counts (bed->workers).slices, before_ns = clock_read_ns (CLOCK_PROCESS_CPUTIME_ID);
    struct timespec while_ = { .tv_nsec = 300 * MS };
    nanosleep (&while_, NULL);
    assert_int_equal (workers_counts (bed->workers).slices, slices);
    assert_in_range (clock_read_ns (CLOCK_PROCESS_CPUTIME_ID) - before_ns, 0, 10 * MS);
    bed_destroy (bed);
}

static void
worker_debt_is_paid_after_the_slice_and_its_task_needs_no_wake (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 2);
    let_sleep (bed);
    uint64_t wakes = workers_counts (bed->workers).wakes;
    for (int i = 0; i < 10; i++) {
        gate_t told = { 0 };
        atomic_store (&bed->fakes[1].told, &told);
        atomic_store (&bed->schedule_in_pay, 1);
        atomic_store (&bed->fakes[0].owe, true);
        workers_schedule (bed->workers, 0);
        assert_true (gate_wait (&told, PATIENCE_NS));
        let_sleep (bed);
    }
    assert_int_equal (bed->paid, 10);
    assert_int_equal (workers_counts (bed->workers).wakes, wakes + 10);
    bed_destroy (bed);
}

/*  A task runs and makes a debt while another waits in the queue of its worker. */
static void
owe_with_a_task_waiting (bed_t *bed, gate_t *hold, gate_t *told)
{
    gate_t entered = { 0 };
    atomic_store (&bed->fakes[0].entered, &entered);
    atomic_store (&bed->fakes[0].hold, hold);
    atomic_store (&bed->fakes[0].owe, true);
    workers_schedule (bed->workers, 0);
    assert_true (gate_wait (&entered, PATIENCE_NS));
    atomic_store (&bed->fakes[1].told, told);
    workers_nudge (bed->workers, 1);
    gate_open (hold);
}

static void
worker_alone_pays_briefly_when_a_task_waits (void **state)
{
    (void) state;
    bed_t *bed = bed_new (1, 2);
    gate_t hold = { 0 }, told = { 0 };
    owe_with_a_task_waiting (bed, &hold, &told);
    assert_true (gate_wait (&told, PATIENCE_NS));
    assert_int_equal (bed->paid_busy, 1);
    assert_int_equal (bed->paid, 0);
    bed_destroy (bed);
}

static void
worker_leaves_tasks_to_a_sleeper_while_it_pays (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 2);
    let_sleep (bed);
    gate_t hold = { 0 }, told = { 0 }, hold_in_pay = { 0 };
    atomic_store (&bed->hold_in_pay, &hold_in_pay);
    owe_with_a_task_waiting (bed, &hold, &told);
    assert_true (gate_wait (&told, PATIENCE_NS));  /* though the first worker is still at it */
    gate_open (&hold_in_pay);
    workers_destroy (&bed->workers);               /* it may not have come to its debt before */
    assert_int_equal (bed->paid, 1);
    assert_int_equal (bed->paid_busy, 0);
    bed_destroy (bed);
}

static void
worker_nudged_task_waits_for_a_worker_that_is_awake (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 4);
    let_sleep (bed);
    uint64_t wakes = workers_counts (bed->workers).wakes;
    workers_nudge (bed->workers, 3);
    let_pass ();
    assert_int_equal (bed->fakes[3].steps, 0);
    assert_int_equal (workers_counts (bed->workers).wakes, wakes);
    gate_t told = { 0 };
    atomic_store (&bed->fakes[3].told, &told);
    workers_schedule (bed->workers, 0);
    assert_true (gate_wait (&told, PATIENCE_NS));
    let_sleep (bed);
    workers_nudge (bed->workers, 2);
    let_pass ();
    step_and_wait (bed, 2);  /* scheduled though it is ready already */
    bed_destroy (bed);
}

static void
worker_held_tasks_wait_for_the_release_or_for_many (void **state)
{
    (void) state;
    bed_t *bed = bed_new (2, 32);
    gate_t told[2] = { { 0 }, { 0 } };
    let_sleep (bed);
    uint64_t wakes = workers_counts (bed->workers).wakes;
    workers_hold (bed->workers);
    for (uint32_t i = 0; i < 2; i++) {
        atomic_store (&bed->fakes[i].told, &told[i]);
        workers_schedule (bed->workers, i);
    }
    let_pass ();
    assert_int_equal (bed->fakes[0].steps + bed->fakes[1].steps, 0);
    assert_int_equal (workers_counts (bed->workers).wakes, wakes);
    workers_release (bed->workers);
    assert_true (gate_wait (&told[0], PATIENCE_NS) && gate_wait (&told[1], PATIENCE_NS));
    let_sleep (bed);
    wakes = workers_counts (bed->workers).wakes;
    workers_hold (bed->workers);
    workers_release (bed->workers);  /* of nothing */
    assert_int_equal (workers_counts (bed->workers).wakes, wakes);
    workers_hold (bed->workers);
    atomic_store (&bed->fakes[0].told, &told[0]);
    for (uint32_t i = 0; i < 32; i++)
        workers_schedule (bed->workers, i);
    assert_true (gate_wait (&told[0], PATIENCE_NS));
    workers_hold (NULL);
    step_and_wait (bed, 1);
    bed_destroy (bed);
}

static void
worker_stop_ends_busy_tasks_and_is_idempotent (void **state)
{
    (void) state;
    bed_t *bed = bed_new (3, 6);
    for (uint32_t i = 0; i < 6; i++) {
        atomic_store (&bed->fakes[i].again, 100000000);
        workers_schedule (bed->workers, i);
    }
    let_pass ();
    workers_stop (bed->workers);
    uint64_t steps = bed->fakes[0].steps;
    workers_schedule (bed->workers, 0);  /* nobody is there any more */
    workers_stop (bed->workers);
    assert_int_equal (bed->fakes[0].steps, steps);
    bed_destroy (bed);
}

static void
worker_without_memory_is_not_made (void **state)
{
    (void) state;
    steady_clock_t clock = steady_clock_start ();
    fake_t fake = { .due = UINT64_MAX };
    task_t table = { fake_step, fake_next_due, &fake };
    workers_options_t options = { .workers = 2, .tasks = 1, .table = &table, .clock = &clock };
    troupe_error_t error;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        memory_fail_after (nth);
        workers_t *workers = workers_new (&options, &error);
        memory_fail_after (0);
        assert_null (workers);
        assert_int_equal (error.status, TROUPE_NO_MEMORY);
        workers_destroy (&workers);
    }
}

/* ------------------------------------------------------------------ */

#define STORM_THREADS 3
#define STORM_ROUNDS 20000

typedef struct {
    bed_t *bed;
    uint32_t seed;
} storm_t;

static void *
storm (void *arg)
{
    storm_t *self = arg;
    uint32_t dice = self->seed;
    for (int i = 0; i < STORM_ROUNDS; i++) {
        dice = dice * 1664525u + 1013904223u;
        uint32_t task = (dice >> 16) % 16;
        atomic_fetch_add_explicit (&self->bed->fakes[task].given, 1, memory_order_relaxed);
        if ((dice >> 8) % 8 == 0)
            atomic_store (&self->bed->fakes[task].due, steady_clock_ms (&self->bed->clock) + dice % 3);
        workers_schedule (self->bed->workers, task);
        if ((dice >> 4) % 16 == 0)
            workers_nudge (self->bed->workers, (task + 1) % 16);
    }
    return NULL;
}

static void
worker_storm_from_many_threads_loses_no_schedule (void **state)
{
    (void) state;
    bed_t *bed = bed_new (3, 16);
    pthread_t threads[STORM_THREADS];
    storm_t storms[STORM_THREADS];
    for (uint32_t i = 0; i < STORM_THREADS; i++) {
        storms[i] = (storm_t) { bed, i + 1 };
        assert_int_equal (pthread_create (&threads[i], NULL, storm, &storms[i]), 0);
    }
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join (threads[i], NULL);
    for (uint32_t i = 0; i < 16; i++) {  /* no more schedules: what was given must be seen */
        fake_t *fake = &bed->fakes[i];
        for (int wait = 0; wait < 300 && atomic_load (&fake->seen) != fake->given; wait++)
            let_pass ();
        assert_int_equal (fake->seen, fake->given);
    }
    bed_destroy (bed);
}

static void
gate_opened_before_the_wait_is_passed_once (void **state)
{
    (void) state;
    gate_t gate = { 0 };
    assert_false (gate_wait (&gate, 0));
    gate_open (&gate);
    gate_open (&gate);
    assert_true (gate_wait (&gate, GATE_FOREVER));
    assert_false (gate_wait (&gate, MS));
}

static void
steady_clock_time_until_a_due_is_never_negative (void **state)
{
    (void) state;
    steady_clock_t clock = steady_clock_start ();
    assert_int_equal (steady_clock_until_ns (&clock, 0), 0);
    assert_int_equal (steady_clock_until_ns (&clock, UINT64_MAX), UINT64_MAX);
    uint64_t until_ns = steady_clock_until_ns (&clock, clock.wall_ms + 1000);
    assert_in_range (until_ns, 1, 1000ull * MS);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (gate_opened_before_the_wait_is_passed_once),
        cmocka_unit_test (steady_clock_time_until_a_due_is_never_negative),
        cmocka_unit_test (worker_scheduled_task_sees_what_was_written_before),
        cmocka_unit_test (worker_task_scheduled_while_it_runs_is_stepped_again),
        cmocka_unit_test (worker_task_with_more_to_do_is_stepped_until_done),
        cmocka_unit_test (worker_two_busy_tasks_of_one_worker_take_turns),
        cmocka_unit_test (worker_queue_of_a_busy_worker_is_stolen),
        cmocka_unit_test (worker_task_stays_with_the_worker_that_ran_it),
        cmocka_unit_test (worker_one_call_costs_at_most_one_wake),
        cmocka_unit_test (worker_timer_comes_not_early_and_soon),
        cmocka_unit_test (worker_timer_comes_while_another_worker_is_in_a_long_turn),
        cmocka_unit_test (worker_with_nothing_to_do_sleeps),
        cmocka_unit_test (worker_debt_is_paid_after_the_slice_and_its_task_needs_no_wake),
        cmocka_unit_test (worker_alone_pays_briefly_when_a_task_waits),
        cmocka_unit_test (worker_leaves_tasks_to_a_sleeper_while_it_pays),
        cmocka_unit_test (worker_nudged_task_waits_for_a_worker_that_is_awake),
        cmocka_unit_test (worker_held_tasks_wait_for_the_release_or_for_many),
        cmocka_unit_test (worker_stop_ends_busy_tasks_and_is_idempotent),
        cmocka_unit_test (worker_without_memory_is_not_made),
        cmocka_unit_test (worker_storm_from_many_threads_loses_no_schedule)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
