/*  test_live_workout.c - sensors and their session on a node in simulated time. */

#include "workout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe_test.h>

#include <cmocka.h>

#define SEEDS 30
#define BOARD "session/{1}"

static const troupe_kind_t *const kinds[] = { &sensor, &session, NULL };
static const double degrees_per_meter = 1.0 / 111320;

static troupe_status_t
start (troupe_test_t *node, const char *to)
{
    return troupe_test_call (node, to, "start", NULL, "{s:s}", "session", BOARD);
}

/*  One batch of two samples, at this second, so far north of the start. */
static troupe_status_t
send_at (troupe_test_t *node, const char *to, int second, double north_m)
{
    json_int_t t = 1764190000000 + 1000 * (json_int_t) second;
    return troupe_test_call (node, to, "samples", NULL, "{s:[{s:I, s:i, s:i, s:f, s:f}, {s:I, s:i, s:i, s:f, s:f}]}",
                             "samples", "t", t, "heart_bpm", 120, "power_w", 200, "lat", north_m * degrees_per_meter,
                             "lon", 16.4, "t", t + 500, "heart_bpm", 121, "power_w", 210,
                             "lat", north_m * degrees_per_meter, "lon", 16.4);
}

static json_t *
parse (const char *text)
{
    json_t *tree = json_loads (text, 0, NULL);
    assert_non_null (tree);
    return tree;
}

/*  A row of the board as its snapshot has it; a new tree. */
static json_t *
row_of (troupe_test_t *node, const char *athlete)
{
    troupe_answer_t answer;
    json_t *rows = NULL, *row, *found = NULL;
    size_t index;
    assert_int_equal (troupe_test_call (node, BOARD, "board", &answer, NULL), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&answer, NULL, "{s:o}", "athletes", &rows), TROUPE_OK);
    troupe_answer_clear (&answer);
    json_array_foreach (rows, index, row) {
        if (strcmp (json_string_value (json_object_get (row, "athlete")), athlete) == 0)
            found = json_incref (row);
    }
    json_decref (rows);
    return found;
}

static double
value_of (troupe_test_t *node, const char *athlete, const char *field)
{
    json_t *row = row_of (node, athlete);
    assert_non_null (row);
    double value = json_number_value (json_object_get (row, field));
    json_decref (row);
    return value;
}

/*  What a watcher has who took each event of the board. */
static json_t *
folded_events (troupe_test_t *node)
{
    json_t *events = parse (troupe_test_events (node, BOARD, "board", 1)), *rows = json_object (), *event;
    size_t index;
    json_array_foreach (events, index, event) {
        json_object_set (rows, json_string_value (json_object_get (event, "athlete")), event);
    }
    json_decref (events);
    return rows;
}

static void
assert_snapshot_fits_events (troupe_test_t *node)
{
    const char *athlete;
    json_t *rows = folded_events (node), *row;
    json_object_foreach (rows, athlete, row) {
        json_t *shown = row_of (node, athlete);
        assert_true (json_equal (shown, row));
        json_decref (shown);
    }
    json_decref (rows);
}

static void
samples_add_up (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    assert_int_equal (start (node, "sensor/anna"), TROUPE_OK);
    for (int second = 0; second < 10; second++)
        assert_int_equal (send_at (node, "sensor/anna", second, 10 * second), TROUPE_OK);
    assert_int_equal (send_at (node, "sensor/anna", 100, 5000), TROUPE_OK);   /* after a pause: no distance */
    troupe_test_settle (node);
    assert_int_equal (value_of (node, "anna", "samples"), 22);
    assert_int_equal ((int) (value_of (node, "anna", "distance_m") + 0.5), 90);
    assert_int_equal (value_of (node, "anna", "power_w"), 210);
    assert_int_equal (value_of (node, "anna", "heart_bpm"), 121);
    assert_snapshot_fits_events (node);
    troupe_test_destroy (&node);
}

/*  Batches of two that the charts find, each of them once. */
static size_t
batches_kept (troupe_test_t *node)
{
    json_t *events = parse (troupe_test_events (node, "sensor/anna", "samples", 1)), *event;
    size_t index, count = json_array_size (events);
    json_int_t last = 0;
    json_array_foreach (events, index, event) {
        json_t *list = json_object_get (event, "samples");
        json_int_t t = json_integer_value (json_object_get (json_array_get (list, 0), "t"));
        assert_int_equal (json_array_size (list), 2);
        assert_true (t > last);
        last = t;
    }
    json_decref (events);
    return count;
}

static void
samples_are_kept_for_as_long_as_charts_go_back (void **state)
{
    (void) state;
    uint64_t minute_ms = 60000;
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    assert_int_equal (start (node, "sensor/anna"), TROUPE_OK);
    for (int second = 0; second < 10; second++)
        assert_int_equal (send_at (node, "sensor/anna", second, 0), TROUPE_OK);
    troupe_test_settle (node);
    troupe_test_crash (node);
    assert_int_equal (batches_kept (node), 10);
    troupe_test_pass (node, 4 * minute_ms);
    assert_int_equal (send_at (node, "sensor/anna", 250, 0), TROUPE_OK);
    assert_int_equal (batches_kept (node), 11);
    troupe_test_pass (node, 2 * minute_ms);
    assert_int_equal (send_at (node, "sensor/anna", 370, 0), TROUPE_OK);
    assert_int_equal (batches_kept (node), 2);
    troupe_test_destroy (&node);
}

static void
samples_that_do_not_fit_are_refused (void **state)
{
    (void) state;
    troupe_answer_t answer;
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    assert_int_equal (send_at (node, "sensor/anna", 0, 0), TROUPE_REFUSED);   /* in no session */
    assert_int_equal (troupe_test_call (node, "sensor/anna", "start", NULL, "{s:s}", "session", "nobody/1"),
                      TROUPE_REFUSED);
    assert_int_equal (start (node, "sensor/anna"), TROUPE_OK);
    assert_int_equal (troupe_test_call (node, "sensor/anna", "samples", NULL, "{s:[]}", "samples"), TROUPE_REFUSED);
    assert_int_equal (troupe_test_call (node, "sensor/anna", "samples", &answer, "{s:[{s:i}, {s:i, s:i}]}", "samples",
                                        "t", 1, "t", 2, "heart_bpm", -1), TROUPE_REFUSED);
    assert_non_null (strstr (answer.text, "samples[1]: \"heart_bpm\""));
    troupe_answer_clear (&answer);
    assert_int_equal (troupe_test_call (node, "sensor/anna", "samples", NULL, "{s:[{s:i, s:i}]}", "samples", "t", 1,
                                        "lat", 1), TROUPE_REFUSED);           /* half of a place */
    assert_int_equal (troupe_test_call (node, BOARD, "progress", NULL, "{s:s, s:i, s:i, s:i}", "name", "eve",
                                        "samples", 1, "laps", 1, "distance_m", 1), TROUPE_REFUSED);
    troupe_test_settle (node);
    assert_int_equal (value_of (node, "anna", "samples"), 0);
    troupe_test_destroy (&node);
}

static void
a_lap_is_back_at_the_start_after_being_away (void **state)
{
    (void) state;
    static const double way_m[] = { 0, 20, 10, 100, 210, 100, 29, 0, 100, 300, 20 };
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    assert_int_equal (start (node, "sensor/anna"), TROUPE_OK);
    for (int i = 0; i < 11; i++)
        assert_int_equal (send_at (node, "sensor/anna", i, way_m[i]), TROUPE_OK);
    troupe_test_settle (node);
    assert_int_equal (value_of (node, "anna", "laps"), 2);
    troupe_test_destroy (&node);
}

static void
ranks_follow_distance_and_everyone_hears (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    for (int second = 0; second < 2; second++) {
        if (second == 0) {
            assert_int_equal (start (node, "sensor/anna"), TROUPE_OK);
            assert_int_equal (start (node, "sensor/ben"), TROUPE_OK);
        }
        assert_int_equal (send_at (node, "sensor/anna", second, 10 * second), TROUPE_OK);
        assert_int_equal (send_at (node, "sensor/ben", second, 5 * second), TROUPE_OK);
        troupe_test_settle (node);
    }
    assert_int_equal (value_of (node, "anna", "rank"), 1);
    assert_int_equal (value_of (node, "ben", "rank"), 2);
    assert_int_equal (send_at (node, "sensor/ben", 2, 50), TROUPE_OK);
    troupe_test_settle (node);
    assert_int_equal (value_of (node, "ben", "rank"), 1);
    assert_int_equal (value_of (node, "anna", "rank"), 2);
    assert_snapshot_fits_events (node);
    troupe_test_destroy (&node);
}

static void
nothing (void *answers, const troupe_answer_t *answer)
{
    assert_int_equal (answer->status, TROUPE_OK);
    *(int *) answers += 1;
}

static void
a_batch_that_is_sent_again_counts_once (void **state)
{
    (void) state;
    int answers = 0;
    size_t size;
    static const char text[] = "{\"samples\":[{\"t\":1764190000000},{\"t\":1764190000500}]}";
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    assert_int_equal (start (node, "sensor/anna"), TROUPE_OK);
    void *body = troupe_pack_json (text, strlen (text), &size, NULL);
    troupe_call_t call = { .to = "sensor/anna", .verb = "samples", .body = body, .size = size,
                           .session = { 1 }, .seq = 1, .not_after_ms = troupe_test_now (node) + 50000,
                           .done = nothing, .arg = &answers };
    for (int i = 0; i < 3; i++) {
        assert_int_equal (troupe_test_submit (node, &call, NULL), TROUPE_OK);
        troupe_test_settle (node);
        troupe_test_crash (node);
    }
    free (body);
    troupe_test_settle (node);
    assert_int_equal (answers, 3);
    assert_int_equal (value_of (node, "anna", "samples"), 2);
    troupe_test_destroy (&node);
}

static void
ride (uint64_t seed, uint64_t *crashes)
{
    static const char *const sensors[] = { "sensor/anna", "sensor/ben", "sensor/carla" };
    troupe_test_t *node = troupe_test_new (kinds, seed, NULL);
    troupe_test_crash_often (node, 10);
    for (int i = 0; i < 3; i++)
        assert_int_equal (start (node, sensors[i]), TROUPE_OK);
    for (int second = 0; second < 8; second++)
        for (int i = 0; i < 3; i++)
            assert_int_equal (send_at (node, sensors[i], second, (5 + i) * second), TROUPE_OK);
    troupe_test_settle (node);
    troupe_test_crash_often (node, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (value_of (node, sensors[i] + strlen ("sensor/"), "samples"), 16);
        assert_int_equal (value_of (node, sensors[i] + strlen ("sensor/"), "rank"), 3 - i);
    }
    assert_snapshot_fits_events (node);
    assert_string_equal (troupe_test_dead (node), "[]");
    *crashes += troupe_test_crashes (node);
    troupe_test_destroy (&node);
}

static void
every_sample_is_on_the_board_once_over_crashes (void **state)
{
    (void) state;
    uint64_t crashes = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        ride (seed, &crashes);
    assert_true (crashes > SEEDS);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (samples_add_up),
        cmocka_unit_test (samples_are_kept_for_as_long_as_charts_go_back),
        cmocka_unit_test (samples_that_do_not_fit_are_refused),
        cmocka_unit_test (a_lap_is_back_at_the_start_after_being_away),
        cmocka_unit_test (ranks_follow_distance_and_everyone_hears),
        cmocka_unit_test (a_batch_that_is_sent_again_counts_once),
        cmocka_unit_test (every_sample_is_on_the_board_once_over_crashes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
