/*  test_top.c - what two samples of a node's figures say of the time between them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/figures.h"
#include "commands/remote.h"
#include "commands/top_view.h"

/*  A sample of a node with one kind; histograms with `fast` in bucket 40 and `slow` in bucket 80. */
static json_t *
sample (const char *boot, json_int_t steady_ms, json_int_t turns, json_int_t fast, json_int_t slow)
{
    json_t *histogram = json_pack ("{s:I, s:I, s:[[i, I], [i, I]]}", "count", fast + slow, "sum", fast, "buckets", 40,
                                   fast, 80, slow);
    json_t *tree = json_pack ("{s:I, s:I, s:I, s:s, s:i, s:i, s:s, s:{s:I}, s:{s:i}, s:{s:O}, s:{s:I},"
                              " s:[{s:s, s:I, s:i, s:O}], s:[]}",
                              "time_ms", steady_ms + 5000, "started_ms", (json_int_t) 5000, "steady_ns",
                              steady_ms * 1000000, "boot", boot, "shards", 4, "workers", 2, "door", "ok", "counters",
                              "turns", turns, "levels", "awake", 7, "histograms", "turn_ns", histogram, "storage",
                              "syncs", turns / 10, "kinds", "name", "runner", "turns", turns, "awake", 7, "turn_ns",
                              histogram, "suspects");
    assert_non_null (tree);
    json_decref (histogram);
    return tree;
}

static double
rate (const json_t *view, const char *part, const char *name)
{
    return json_real_value (json_object_get (json_object_get (view, part), name));
}

static uint64_t
quantile (const json_t *view, const char *name)
{
    return tree_number (json_object_get (json_object_get (view, "latency"), "turn_ns"), name);
}

static uint64_t
edge (unsigned bucket)
{
    histogram_t histogram = { 0 };
    counter_set (&histogram.buckets[bucket], 1);
    counter_set (&histogram.count, 1);
    return histogram_quantile (&histogram, 0.5);
}

static void
top_rates_are_those_between_the_samples (void **state)
{
    (void) state;
    json_t *before = sample ("a", 1000, 1000, 10, 0), *now = sample ("a", 3000, 5000, 30, 0);
    json_t *view = top_view (before, now, NULL);
    assert_non_null (view);
    assert_true (rate (view, "rates", "turns") == 2000);
    assert_true (rate (view, "rates", "calls") == 0);
    assert_true (rate (view, "storage", "syncs") == 200);
    assert_int_equal (tree_number (view, "interval_ms"), 2000);
    assert_int_equal (tree_number (view, "uptime_ms"), 3000);
    const json_t *kind = json_array_get (json_object_get (view, "kinds"), 0);
    assert_true (json_real_value (json_object_get (kind, "turns")) == 2000);
    assert_int_equal (tree_number (kind, "awake"), 7);
    json_decref (view);
    json_decref (before);
    json_decref (now);
}

static void
top_quantiles_are_those_between_the_samples (void **state)
{
    (void) state;
    json_t *before = sample ("a", 1000, 0, 1000, 0), *now = sample ("a", 2000, 0, 1001, 3);
    json_t *view = top_view (before, now, NULL);
    assert_int_equal (quantile (view, "count"), 4);
    assert_int_equal (quantile (view, "p50"), edge (80));
    json_decref (view);
    view = top_view (NULL, now, NULL);
    assert_int_equal (quantile (view, "p50"), edge (40));
    json_decref (view);
    json_decref (before);
    json_decref (now);
}

static void
top_sample_of_another_process_is_none (void **state)
{
    (void) state;
    json_t *before = sample ("a", 9000, 90000, 10, 0), *now = sample ("b", 1000, 500, 30, 0);
    json_t *view = top_view (before, now, NULL);
    assert_true (rate (view, "rates", "turns") == 500);
    json_decref (view);
    json_decref (before);
    json_decref (now);
}

static void
top_shows_the_busiest_of_all_shards (void **state)
{
    (void) state;
    json_t *now = sample ("a", 1000, 0, 0, 0);
    json_t *hot = json_pack ("[{s:s, s:i}, {s:s, s:i}, {s:s, s:i}]", "address", "a/1", "turns", 3, "address", "a/2",
                             "turns", 9, "address", "a/3", "turns", 5);
    json_t *view = top_view (NULL, now, hot);
    const json_t *rows = json_object_get (view, "hot");
    assert_int_equal (json_array_size (rows), 3);
    assert_string_equal (tree_text (json_array_get (rows, 0), "address"), "a/2");
    assert_string_equal (tree_text (json_array_get (rows, 2), "address"), "a/1");
    json_decref (view);
    json_decref (hot);
    json_decref (now);
}

static void
top_of_something_else_is_nothing (void **state)
{
    (void) state;
    json_t *now = json_pack ("{s:i}", "counters", 1);
    assert_null (top_view (NULL, now, NULL));
    json_decref (now);
}

static void
figures_histogram_with_a_bucket_out_of_range_is_none (void **state)
{
    (void) state;
    histogram_t histogram;
    json_t *value = json_pack ("{s:[[i, i]]}", "buckets", HISTOGRAM_BUCKETS, 1);
    assert_false (figures_read_histogram (value, &histogram));
    assert_false (figures_read_histogram (NULL, &histogram));
    json_decref (value);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (top_rates_are_those_between_the_samples),
        cmocka_unit_test (top_quantiles_are_those_between_the_samples),
        cmocka_unit_test (top_sample_of_another_process_is_none),
        cmocka_unit_test (top_shows_the_busiest_of_all_shards),
        cmocka_unit_test (top_of_something_else_is_nothing),
        cmocka_unit_test (figures_histogram_with_a_bucket_out_of_range_is_none),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
