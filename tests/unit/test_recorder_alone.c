/*  test_recorder_alone.c - after a death that nobody marked: suspects, and that each of them runs alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/deaths.h"

/*  As a turn does it. */
static void
begin (recorder_t *recorder, recorder_slot_t *slot, uint64_t message, const char *address)
{
    recorder_enter (slot, message, address, "lap", 0);
    if (recorder_has_suspects (recorder))
        recorder_make_way (recorder, slot);
}

static void
leave (recorder_t *recorder, recorder_slot_t *slot)
{
    recorder_leave (slot);
    recorder_end_alone (recorder, slot);
}

/* ---- what a start makes of it ---- */

static void
killed (recorder_t *recorder, recorder_slot_t *slot)
{
    begin (recorder, slot, 77, "runner/7");
    kill (getpid (), SIGKILL);
}

static void
killed_with_a_neighbour (recorder_t *recorder, recorder_slot_t *slot)
{
    begin (recorder, slot, 77, "runner/7");
    recorder_enter (recorder_slot (recorder, 0), 5, "runner/5", "rest", 0);
    kill (getpid (), SIGKILL);
}

static void
assert_strikes (uint64_t message, uint32_t strikes)
{
    recorder_t *recorder = open_again ();
    const recorder_suspect_t *suspect = recorder_find (recorder, message);
    assert_string_equal (recorder_warning (recorder), "");
    assert_non_null (suspect);
    assert_int_equal (suspect->strikes, strikes);
    recorder_destroy (&recorder);
}

static void
alone_suspect_that_is_killed_again_gets_strikes (void **state)
{
    (void) state;
    for (uint32_t strikes = 0; strikes <= RECORDER_STRIKES; strikes++) {
        assert_int_equal (die_by (killed), -SIGKILL);
        assert_strikes (77, strikes);
    }
    recorder_t *recorder = open_again ();
    assert_int_equal (suspects (recorder), 1);
    const recorder_suspect_t *suspect = recorder_find (recorder, 77);
    assert_int_equal (suspect->signal, SIGKILL);
    assert_string_equal (suspect->address, "runner/7");
    assert_string_equal (suspect->verb, "lap");
    assert_non_null (strstr (suspect->backtrace, "alone"));
    recorder_destroy (&recorder);
}

static void
alone_suspect_beside_another_gets_no_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (killed), -SIGKILL);
    assert_int_equal (die_by (killed_with_a_neighbour), -SIGKILL);
    assert_strikes (77, 0);
    assert_strikes (5, 0);
}

static void
alone_suspect_stays_one_until_it_is_handled (void **state)
{
    (void) state;
    assert_int_equal (die_by (killed), -SIGKILL);
    assert_strikes (77, 0);
    assert_strikes (77, 0);  /* a start that was refused, say */
    recorder_t *recorder = open_again ();
    assert_true (recorder_has_suspects (recorder));
    assert_int_equal (suspects (recorder), 0);
    recorder_forgive (recorder, 77);
    assert_false (recorder_has_suspects (recorder));
    recorder_destroy (&recorder);
    assert_no_strike (0);
}

static void
alone_suspect_that_does_not_come_back_is_let_go (void **state)
{
    (void) state;
    assert_int_equal (die_by (killed), -SIGKILL);
    assert_int_equal (die_by (killed), -SIGKILL);
    assert_int_equal (die_by (killed_with_a_neighbour), -SIGKILL);
    recorder_t *recorder = open_again ();
    recorder_let_go (recorder);
    assert_null (recorder_find (recorder, 5));
    assert_int_equal (recorder_find (recorder, 77)->strikes, 1);
    assert_true (recorder_has_suspects (recorder));
    recorder_destroy (&recorder);
}

/* ---- alone ---- */

typedef struct {
    recorder_t *recorder;
    uint32_t slot;
    uint64_t message;
    const _Atomic bool *others_left;  /* what must have happened before its handler runs */
} runner_t;

static void *
run (void *arg)
{
    const runner_t *runner = arg;
    recorder_slot_t *slot = recorder_slot (runner->recorder, runner->slot);
    begin (runner->recorder, slot, runner->message, "runner/1");
    bool is_late = *runner->others_left;
    leave (runner->recorder, slot);
    return is_late ? arg : NULL;
}

/*  With message 77 under suspicion. */
static recorder_t *
suspicious (void)
{
    assert_int_equal (die_by (killed), -SIGKILL);
    return open_again ();
}

static bool
runs_only_after (recorder_t *recorder, uint64_t first, uint64_t second)
{
    _Atomic bool has_left = false;
    runner_t runner = { .recorder = recorder, .slot = 2, .message = second, .others_left = &has_left };
    pthread_t thread;
    void *is_late;
    recorder_slot_t *slot = recorder_slot (recorder, 1);
    begin (recorder, slot, first, "runner/7");
    assert_int_equal (pthread_create (&thread, NULL, run, &runner), 0);
    while (recorder_slot (recorder, 2)->turns == 0)
        sched_yield ();
    for (int i = 0; i < 50; i++)  /* on a crowded machine each takes long, and who waits does so for a while only */
        sched_yield ();
    has_left = true;
    leave (recorder, slot);
    pthread_join (thread, &is_late);
    return is_late != NULL;
}

static void
alone_suspect_waits_for_those_that_run (void **state)
{
    (void) state;
    recorder_t *recorder = suspicious ();
    assert_true (runs_only_after (recorder, 5, 77));
    recorder_destroy (&recorder);
}

static void
alone_others_wait_for_a_suspect_that_runs (void **state)
{
    (void) state;
    recorder_t *recorder = suspicious ();
    assert_true (runs_only_after (recorder, 77, 5));
    recorder_destroy (&recorder);
}

static void
alone_without_an_end_stops_nobody_for_good (void **state)
{
    (void) state;
    recorder_t *recorder = suspicious ();
    alarm (10 * RECORDER_ALONE_MS / 1000);
    begin (recorder, recorder_slot (recorder, 1), 77, "runner/7");
    begin (recorder, recorder_slot (recorder, 2), 5, "runner/5");
    leave (recorder, recorder_slot (recorder, 2));
    leave (recorder, recorder_slot (recorder, 1));
    alarm (0);
    recorder_destroy (&recorder);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, remove_file, remove_file)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (alone_suspect_that_is_killed_again_gets_strikes),
        TEST (alone_suspect_beside_another_gets_no_strike),
        TEST (alone_suspect_stays_one_until_it_is_handled),
        TEST (alone_suspect_that_does_not_come_back_is_let_go),
        TEST (alone_suspect_waits_for_those_that_run),
        TEST (alone_others_wait_for_a_suspect_that_runs),
        TEST (alone_without_an_end_stops_nobody_for_good),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
