/*  test_watchdog.c - turns that take too long, and a watchdog that sleeps when nobody works.
 *
 *  Waits are for what the watchdog did (its reports, its looks); how long that may take is tests/run's
 *  business. Only where a span of time is the matter of the test does the clock end it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/watchdog.h"
#include "tests/unit/deaths.h"

#define REPORTS_MAX 16
#define PIPE_END 100  /* file descriptor of a child to its parent */

/* ---- what is heard ---- */

/*  A report that outlives its callback. */
typedef struct {
    watchdog_report_t report;
    char address[TROUPE_ADDRESS_MAX + 1], verb[TROUPE_NAME_MAX + 1];
} told_t;

typedef struct {
    recorder_t *recorder;
    watchdog_t *watchdog;
    sem_t heard;
    pthread_mutex_t lock;
    unsigned count;
    told_t reports[REPORTS_MAX];
} fixture_t;

static void
hear (void *arg, const watchdog_report_t *report)
{
    fixture_t *self = arg;
    pthread_mutex_lock (&self->lock);
    told_t *told = &self->reports[self->count++ % REPORTS_MAX];
    told->report = *report;
    snprintf (told->address, sizeof told->address, "%s", report->address);
    snprintf (told->verb, sizeof told->verb, "%s", report->verb);
    pthread_mutex_unlock (&self->lock);
    sem_post (&self->heard);
}

static unsigned
count_of_slot (fixture_t *self, uint32_t slot)
{
    unsigned count = 0;
    pthread_mutex_lock (&self->lock);
    for (unsigned at = 0; at < self->count && at < REPORTS_MAX; at++)
        count += self->reports[at].report.slot == slot;
    pthread_mutex_unlock (&self->lock);
    return count;
}

/*  So many were told; the newest of them. */
static told_t
newest_of (fixture_t *self, unsigned count)
{
    pthread_mutex_lock (&self->lock);
    unsigned there = self->count;
    told_t told = self->reports[(count - 1) % REPORTS_MAX];
    pthread_mutex_unlock (&self->lock);
    assert_int_equal (there, count);
    return told;
}

static fixture_t *
fixture_new (uint32_t budget_ms)
{
    fixture_t *self = test_calloc (1, sizeof *self);
    sem_init (&self->heard, 0, 0);
    pthread_mutex_init (&self->lock, NULL);
    self->recorder = recorder_new (NULL, SLOTS, NULL);
    watchdog_options_t options = { .budget_ms = budget_ms, .report = hear, .arg = self };
    self->watchdog = watchdog_new (self->recorder, SLOTS, &options, NULL);
    assert_non_null (self->watchdog);
    return self;
}

static void
fixture_destroy (fixture_t *self)
{
    watchdog_destroy (&self->watchdog);
    assert_null (self->watchdog);
    watchdog_destroy (&self->watchdog);
    recorder_destroy (&self->recorder);
    pthread_mutex_destroy (&self->lock);
    sem_destroy (&self->heard);
    test_free (self);
}

static void
wait_for_report (fixture_t *self)
{
    while (sem_wait (&self->heard) != 0)
        ;
}

/*  Between two looks at a condition. */
static void
breathe (void)
{
    nanosleep (&(struct timespec) { .tv_nsec = 100 * 1000 }, NULL);
}

static void
wait_for_looks (const watchdog_t *watchdog, uint64_t more)
{
    uint64_t before = watchdog_looks (watchdog);
    while (watchdog_looks (watchdog) - before < more)
        breathe ();
}

static void
wait_for_sleep (const watchdog_t *watchdog)
{
    while (!watchdog_is_asleep (watchdog))
        breathe ();
}

/* ---- reports ---- */

static void
watchdog_turn_over_its_budget_is_reported_once (void **state)
{
    (void) state;
    fixture_t *self = fixture_new (8);
    recorder_slot_t *slot = recorder_slot (self->recorder, 2);
    watchdog_busy (self->watchdog, 2);
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    wait_for_report (self);
    wait_for_looks (self->watchdog, 12);
    told_t told = newest_of (self, 1);
    assert_int_equal (told.report.slot, 2);
    assert_int_equal (told.report.message, 77);
    assert_int_equal (told.report.budget_ms, 8);
    assert_true (told.report.ran_ms >= 8);
    assert_false (told.report.is_stuck);
    assert_string_equal (told.address, "runner/7");
    assert_string_equal (told.verb, "lap");
    recorder_leave (slot);
    recorder_enter (slot, 77, "runner/7", "walk", 0);  /* another turn, another report */
    wait_for_report (self);
    told = newest_of (self, 2);
    assert_string_equal (told.verb, "walk");
    recorder_leave (slot);
    watchdog_idle (self->watchdog, 2);
    fixture_destroy (self);
}

static void
watchdog_verbs_own_budget_counts (void **state)
{
    (void) state;
    fixture_t *self = fixture_new (3600 * 1000);
    recorder_slot_t *slow = recorder_slot (self->recorder, 0), *quick = recorder_slot (self->recorder, 1);
    recorder_enter (slow, 1, "runner/1", "marathon", 0);
    recorder_enter (quick, 2, "runner/2", "sprint", 4);  /* before it wakes: its first look tells the distance */
    watchdog_busy (self->watchdog, 0);
    watchdog_busy (self->watchdog, 1);
    wait_for_report (self);
    wait_for_looks (self->watchdog, 8);
    told_t told = newest_of (self, 1);
    assert_int_equal (told.report.slot, 1);
    assert_int_equal (told.report.budget_ms, 4);
    recorder_leave (quick);
    recorder_leave (slow);
    fixture_destroy (self);
}

/*  Many short turns are longer together than the budget of one. */
static void
watchdog_short_turns_are_not_reported (void **state)
{
    (void) state;
    fixture_t *self = fixture_new (3600 * 1000);
    recorder_slot_t *slot = recorder_slot (self->recorder, 0), *fine = recorder_slot (self->recorder, 1);
    recorder_enter (fine, 1, "runner/1", "sprint", 1);  /* makes it look each millisecond */
    watchdog_busy (self->watchdog, 0);
    watchdog_busy (self->watchdog, 1);
    wait_for_report (self);
    uint64_t begin = clock_monotonic_ns (), longest = 0;
    for (uint64_t at = begin, then; at - begin < 300 * 1000000u; at = then) {
        recorder_enter (slot, 2, "runner/2", "step", 100);
        wait_for_looks (self->watchdog, 2);
        recorder_leave (slot);
        then = clock_monotonic_ns ();
        longest = then - at > longest ? then - at : longest;
    }
    if (longest < 100 * 1000000u)  /* unless a busy machine made one of them a long one */
        assert_int_equal (count_of_slot (self, 0), 0);
    recorder_leave (fine);
    fixture_destroy (self);
}

static void
watchdog_bad_texts_are_no_harm (void **state)
{
    (void) state;
    fixture_t *self = fixture_new (4);
    recorder_slot_t *slot = recorder_slot (self->recorder, 0);
    watchdog_busy (self->watchdog, 0);
    recorder_enter (slot, 77, forbidden_page (), NULL, 0);
    wait_for_report (self);
    told_t told = newest_of (self, 1);
    assert_string_equal (told.address, "");
    assert_string_equal (told.verb, "");
    recorder_leave (slot);
    fixture_destroy (self);
}

static void
watchdog_without_report_just_looks (void **state)
{
    (void) state;
    recorder_t *recorder = recorder_new (NULL, 1, NULL);
    watchdog_options_t options = { .budget_ms = 1 };
    watchdog_t *watchdog = watchdog_new (recorder, 1, &options, NULL);
    recorder_enter (recorder_slot (recorder, 0), 77, "runner/7", "lap", 0);
    watchdog_busy (watchdog, 0);
    wait_for_looks (watchdog, 5);
    recorder_leave (recorder_slot (recorder, 0));
    watchdog_destroy (&watchdog);
    recorder_destroy (&recorder);
}

/* ---- sleep ---- */

static void
watchdog_sleeps_while_no_worker_is_awake (void **state)
{
    (void) state;
    fixture_t *self = fixture_new (4);
    wait_for_sleep (self->watchdog);
    uint64_t looks = watchdog_looks (self->watchdog);
    assert_int_equal (looks, 0);
    watchdog_busy (self->watchdog, 0);
    wait_for_looks (self->watchdog, 3);
    watchdog_busy (self->watchdog, 0);
    watchdog_busy (self->watchdog, 1);
    watchdog_idle (self->watchdog, 0);
    watchdog_idle (self->watchdog, 0);
    wait_for_looks (self->watchdog, 3);  /* the other one is awake */
    watchdog_idle (self->watchdog, 1);
    wait_for_sleep (self->watchdog);
    looks = watchdog_looks (self->watchdog);
    assert_true (watchdog_is_asleep (self->watchdog));
    assert_int_equal (watchdog_looks (self->watchdog), looks);
    fixture_destroy (self);
}

typedef struct {
    watchdog_t *watchdog;
    uint32_t slot;
} worker_t;

static void *
wake_and_sleep (void *arg)
{
    worker_t *worker = arg;
    for (unsigned at = 0; at < 20000; at++) {
        watchdog_busy (worker->watchdog, worker->slot);
        watchdog_idle (worker->watchdog, worker->slot);
    }
    watchdog_busy (worker->watchdog, worker->slot);
    return NULL;
}

static void
watchdog_never_misses_a_worker_that_wakes (void **state)
{
    (void) state;
    for (unsigned round = 0; round < 20; round++) {
        fixture_t *self = fixture_new (4);
        worker_t workers[2] = { { self->watchdog, 0 }, { self->watchdog, 1 } };
        pthread_t threads[2];
        for (unsigned at = 0; at < 2; at++)
            assert_int_equal (pthread_create (&threads[at], NULL, wake_and_sleep, &workers[at]), 0);
        for (unsigned at = 0; at < 2; at++)
            pthread_join (threads[at], NULL);
        wait_for_looks (self->watchdog, 2);
        watchdog_idle (self->watchdog, 0);
        watchdog_idle (self->watchdog, 1);
        wait_for_sleep (self->watchdog);
        fixture_destroy (self);
    }
}

static void
watchdog_ends_while_workers_are_awake (void **state)
{
    (void) state;
    fixture_t *self = fixture_new (3600 * 1000);  /* would look again in a quarter of an hour */
    watchdog_busy (self->watchdog, 0);
    while (watchdog_looks (self->watchdog) == 0)
        breathe ();
    fixture_destroy (self);
}

static void
watchdog_out_of_memory_is_an_error (void **state)
{
    (void) state;
    recorder_t *recorder = recorder_new (NULL, 1, NULL);
    watchdog_options_t options = { 0 };
    troupe_error_t error = { 0 };
    memory_fail_after (1);
    assert_null (watchdog_new (recorder, 1, &options, &error));
    memory_fail_after (0);
    assert_int_equal (error.status, TROUPE_NO_MEMORY);
    recorder_destroy (&recorder);
}

/* ---- stuck turns, in children ---- */

static void
tell_parent (void *arg, const watchdog_report_t *report)
{
    (void) arg;
    char line[128];
    int size = snprintf (line, sizeof line, "%s %s %s\n", report->is_stuck ? "stuck" : "slow", report->address,
                         report->verb);
    if (write (PIPE_END, line, (size_t) size) != size)
        _exit (98);
}

static watchdog_t *
watch_child (recorder_t *recorder, uint32_t budget_ms, uint32_t stuck_ms)
{
    watchdog_options_t options = { .budget_ms = budget_ms, .stuck_ms = stuck_ms, .report = tell_parent };
    watchdog_t *watchdog = watchdog_new (recorder, SLOTS, &options, NULL);
    watchdog_busy (watchdog, 1);
    return watchdog;
}

static void
loop_forever (recorder_t *recorder, recorder_slot_t *slot)
{
    watch_child (recorder, 10, 20);
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    spin_forever ();
}

static void
loop_deaf (recorder_t *recorder, recorder_slot_t *slot)
{
    sigset_t all;
    sigfillset (&all);
    pthread_sigmask (SIG_BLOCK, &all, NULL);
    loop_forever (recorder, slot);
}

/*  Starts a child whose PIPE_END goes to us. */
static pid_t
start_child (death_t *death, FILE **from_child)
{
    int ends[2];
    assert_int_equal (pipe (ends), 0);
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        close (ends[0]);
        dup2 (ends[1], PIPE_END);
        run_child (death);
    }
    close (ends[1]);
    *from_child = fdopen (ends[0], "r");
    return child;
}

static void
assert_told (FILE *from_child, const char *wanted)
{
    char line[128] = "";
    assert_non_null (fgets (line, sizeof line, from_child));
    assert_string_equal (line, wanted);
}

static void
assert_ends_as_stuck (death_t *death)
{
    FILE *from_child;
    pid_t child = start_child (death, &from_child);
    assert_told (from_child, "slow runner/7 lap\n");
    assert_told (from_child, "stuck runner/7 lap\n");
    assert_int_equal (child_end (child), -SIGABRT);
    assert_int_equal (fgetc (from_child), EOF);
    fclose (from_child);
    assert_one_strike (SIGABRT);
}

static void
watchdog_stuck_turn_is_ended_with_a_strike (void **state)
{
    (void) state;
    assert_ends_as_stuck (loop_forever);
    recorder_t *recorder = open_again ();
    assert_true (trace_has (recorder_find (recorder, 77)->backtrace, 1, spin_forever));
    recorder_destroy (&recorder);
}

static void
watchdog_deaf_thread_is_ended_with_a_strike (void **state)
{
    (void) state;
    assert_ends_as_stuck (loop_deaf);
}

/*  Says that it is in a turn, and ends it well when it hears from its parent. */
static void
be_stopped (recorder_t *recorder, recorder_slot_t *slot)
{
    watchdog_t *watchdog = watch_child (recorder, 3600 * 1000, 2000);
    sigset_t go;
    sigemptyset (&go);
    sigaddset (&go, SIGUSR1);
    pthread_sigmask (SIG_BLOCK, &go, NULL);
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    int signal;
    if (write (PIPE_END, "in a turn\n", 10) != 10 || sigwait (&go, &signal) != 0)
        _exit (97);
    wait_for_looks (watchdog, 1);  /* it saw the gap */
    recorder_leave (slot);
    watchdog_destroy (&watchdog);
}

static void
watchdog_time_of_a_stopped_process_does_not_count (void **state)
{
    (void) state;
    FILE *from_child;
    pid_t child = start_child (be_stopped, &from_child);
    assert_told (from_child, "in a turn\n");
    int status;
    kill (child, SIGSTOP);
    assert_int_equal (waitpid (child, &status, WUNTRACED), child);
    assert_true (WIFSTOPPED (status));
    uint64_t begin = clock_monotonic_ns ();
    while (clock_monotonic_ns () - begin < 2500 * 1000000ull)  /* longer than stuck_ms: time is the condition itself */
        breathe ();
    kill (child, SIGUSR1);
    kill (child, SIGCONT);
    assert_int_equal (child_end (child), 0);
    fclose (from_child);
    assert_no_strike (0);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, remove_file, remove_file)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (watchdog_turn_over_its_budget_is_reported_once),
        TEST (watchdog_verbs_own_budget_counts),
        TEST (watchdog_short_turns_are_not_reported),
        TEST (watchdog_bad_texts_are_no_harm),
        TEST (watchdog_without_report_just_looks),
        TEST (watchdog_sleeps_while_no_worker_is_awake),
        TEST (watchdog_never_misses_a_worker_that_wakes),
        TEST (watchdog_ends_while_workers_are_awake),
        TEST (watchdog_out_of_memory_is_an_error),
        TEST (watchdog_stuck_turn_is_ended_with_a_strike),
        TEST (watchdog_deaf_thread_is_ended_with_a_strike),
        TEST (watchdog_time_of_a_stopped_process_does_not_count),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
