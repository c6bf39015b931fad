/*  test_runner.c - the runners and their coach, on a node in simulated time. */

#include "runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <troupe_test.h>

#include <cmocka.h>

#define SEEDS 50
#define LAPS 12

static const troupe_kind_t *const kinds[] = { &runner, &coach, NULL };

static json_int_t
run_lap (troupe_test_t *node)
{
    troupe_answer_t answer;
    json_int_t laps = 0;
    assert_int_equal (troupe_test_call (node, "runner/ben", "lap", &answer, NULL), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&answer, NULL, "{s:I}", "laps", &laps), TROUPE_OK);
    troupe_answer_clear (&answer);
    return laps;
}

static void
runner_lap_takes_no_arguments (void **state)
{
    (void) state;
    troupe_answer_t answer;
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    assert_int_equal (troupe_test_call (node, "runner/ben", "lap", &answer, "{s:i}", "laps", 5), TROUPE_INVALID);
    assert_non_null (strstr (answer.text, "laps"));
    troupe_answer_clear (&answer);
    assert_string_equal (troupe_test_state (node, "runner/ben"), "{}");
    troupe_test_destroy (&node);
}

static void
runner_tells_the_coach_after_the_tenth_lap (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    for (int lap = 1; lap < 10; lap++)
        run_lap (node);
    troupe_test_settle (node);
    assert_string_equal (troupe_test_state (node, "coach/anna"), "{}");
    run_lap (node);
    troupe_test_settle (node);
    assert_non_null (strstr (troupe_test_state (node, "coach/anna"), "\"runner/ben\":"));
    assert_string_equal (troupe_test_state (node, "runner/ben"), "{\"laps\":10}");
    troupe_test_destroy (&node);
}

/*  Each lap is counted and shown once, whatever died meanwhile. */
static void
runner_counts_every_lap_once_over_crashes (void **state)
{
    (void) state;
    uint64_t crashes = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        troupe_test_t *node = troupe_test_new (kinds, seed, NULL);
        troupe_test_crash_often (node, 10);
        char events[400] = "[";
        for (json_int_t lap = 1; lap <= LAPS; lap++) {
            size_t end = strlen (events);
            assert_int_equal (run_lap (node), lap);
            snprintf (events + end, sizeof events - end, "{\"laps\":%d}%c", (int) lap, lap == LAPS ? ']' : ',');
        }
        troupe_test_settle (node);
        troupe_test_crash_often (node, 0);
        assert_string_equal (troupe_test_events (node, "runner/ben", "live", 1), events);
        assert_non_null (strstr (troupe_test_state (node, "coach/anna"), "\"runner/ben\":"));
        assert_string_equal (troupe_test_dead (node), "[]");
        crashes += troupe_test_crashes (node);
        troupe_test_destroy (&node);
    }
    assert_true (crashes > SEEDS);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (runner_lap_takes_no_arguments),
        cmocka_unit_test (runner_tells_the_coach_after_the_tenth_lap),
        cmocka_unit_test (runner_counts_every_lap_once_over_crashes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
