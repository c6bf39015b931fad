/*  test_metrics.c - counters and histograms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "runtime/metrics.h"

static void
counter_adds_and_sets (void **state)
{
    (void) state;
    counter_t counter = 0;
    counter_add (&counter, 5);
    counter_add (&counter, 2);
    assert_int_equal (counter_get (&counter), 7);
    counter_set (&counter, 3);
    assert_int_equal (counter_get (&counter), 3);
}

static void
histogram_empty_has_no_quantile (void **state)
{
    (void) state;
    static histogram_t histogram;
    assert_int_equal (histogram_quantile (&histogram, 0.5), 0);
    assert_int_equal (histogram_quantile (&histogram, 1), 0);
}

/*  Around each edge that there is: never below the value, never 25 % above. */
static void
histogram_edge_is_above_the_value_by_a_quarter_at_most (void **state)
{
    (void) state;
    for (unsigned power = 0; power < 41; power++)
        for (unsigned eighth = 8; eighth < 16; eighth++)
            for (int more = -1; more <= 1; more++) {
                uint64_t value = (((uint64_t) eighth << power) >> 3) + (uint64_t) more;
                if (value >= 1ull << 41)
                    continue;
                histogram_t histogram;
                memset (&histogram, 0, sizeof histogram);
                histogram_add (&histogram, value);
                uint64_t edge = histogram_quantile (&histogram, 0.5);
                assert_true (edge >= value);
                assert_true (edge - value <= value / 4);
            }
}

static void
histogram_too_large_a_value_is_in_the_last_bucket (void **state)
{
    (void) state;
    static histogram_t histogram;
    histogram_add (&histogram, UINT64_MAX);
    histogram_add (&histogram, 1ull << 41);
    assert_int_equal (counter_get (&histogram.buckets[HISTOGRAM_BUCKETS - 1]), 2);
    assert_true (histogram_quantile (&histogram, 0.5) == (1ull << 41) - 1);
}

static void
histogram_quantiles_are_by_rank (void **state)
{
    (void) state;
    static histogram_t histogram;
    for (uint64_t value = 1; value <= 1000; value++)
        histogram_add (&histogram, value);
    assert_int_equal (counter_get (&histogram.count), 1000);
    assert_int_equal (counter_get (&histogram.sum), 500500);
    static const struct { double quantile; uint64_t exact; } wanted[] = {
        { -1, 1 }, { 0, 1 }, { 0.001, 1 }, { 0.002, 2 }, { 0.003, 3 }, { 0.5, 500 }, { 0.99, 990 }, { 0.999, 999 },
        { 1, 1000 }, { 2, 1000 }
    };
    for (size_t at = 0; at < sizeof wanted / sizeof wanted[0]; at++) {
        uint64_t edge = histogram_quantile (&histogram, wanted[at].quantile);
        assert_true (edge >= wanted[at].exact && edge <= wanted[at].exact + wanted[at].exact / 4);
    }
    assert_int_equal (histogram_quantile (&histogram, NAN), 1);
}

static void
histogram_one_slow_of_a_thousand_shows_in_the_last_quantile (void **state)
{
    (void) state;
    static histogram_t histogram;
    for (unsigned at = 0; at < 999; at++)
        histogram_add (&histogram, 3);
    histogram_add (&histogram, 1000000);
    assert_int_equal (histogram_quantile (&histogram, 0.5), 3);
    assert_int_equal (histogram_quantile (&histogram, 0.999), 3);
    assert_true (histogram_quantile (&histogram, 0.9991) >= 1000000);
}

static void
histogram_merge_adds (void **state)
{
    (void) state;
    static histogram_t into, from;
    histogram_add (&into, 2);
    histogram_add (&from, 2);
    histogram_add (&from, 500);
    histogram_merge (&into, &from);
    assert_int_equal (counter_get (&into.count), 3);
    assert_int_equal (counter_get (&into.sum), 504);
    assert_int_equal (counter_get (&into.buckets[2]), 2);
    assert_int_equal (counter_get (&from.count), 2);
    assert_true (histogram_quantile (&into, 1) >= 500);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (counter_adds_and_sets),
        cmocka_unit_test (histogram_empty_has_no_quantile),
        cmocka_unit_test (histogram_edge_is_above_the_value_by_a_quarter_at_most),
        cmocka_unit_test (histogram_too_large_a_value_is_in_the_last_bucket),
        cmocka_unit_test (histogram_quantiles_are_by_rank),
        cmocka_unit_test (histogram_one_slow_of_a_thousand_shows_in_the_last_quantile),
        cmocka_unit_test (histogram_merge_adds),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
