/*  test_text.c - figures for people, and hints for those who misspelt a name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/nearest.h"
#include "commands/text.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
text_counts_have_three_digits_and_a_unit (void **state)
{
    (void) state;
    char text[TEXT_FIGURE];
    assert_string_equal (text_count (0, text), "0");
    assert_string_equal (text_count (999, text), "999");
    assert_string_equal (text_count (1000, text), "1.00 k");
    assert_string_equal (text_count (12345, text), "12.3 k");
    assert_string_equal (text_count (999400, text), "999 k");
    assert_string_equal (text_count (999949, text), "1.00 M");
    assert_string_equal (text_count (4560000, text), "4.56 M");
    assert_true (strlen (text_count (UINT64_MAX, text)) < TEXT_FIGURE);
}

static void
text_bytes_go_by_1024 (void **state)
{
    (void) state;
    char text[TEXT_FIGURE];
    assert_string_equal (text_bytes (1023, text), "1023 B");
    assert_string_equal (text_bytes (1024, text), "1.00 KB");
    assert_string_equal (text_bytes (64 << 20, text), "64.0 MB");
    assert_true (strlen (text_bytes (UINT64_MAX, text)) < TEXT_FIGURE);
}

static void
text_rates_below_ten_have_a_fraction (void **state)
{
    (void) state;
    char text[TEXT_FIGURE];
    assert_string_equal (text_rate (0, text), "0");
    assert_string_equal (text_rate (-1, text), "0");
    assert_string_equal (text_rate (0.25, text), "0.25");
    assert_string_equal (text_rate (12345.6, text), "12.3 k");
}

static void
text_times_have_the_unit_that_fits (void **state)
{
    (void) state;
    char text[TEXT_FIGURE];
    assert_string_equal (text_nanoseconds (840, text), "840 ns");
    assert_string_equal (text_nanoseconds (12345, text), "12.3 us");
    assert_string_equal (text_nanoseconds (7890000000, text), "7.89 s");
    assert_string_equal (text_duration (250, text), "250 ms");
    assert_string_equal (text_duration (12345, text), "12.3 s");
    assert_string_equal (text_duration (312000, text), "5 min 12 s");
    assert_string_equal (text_duration (12000000, text), "3 h 20 min");
    assert_string_equal (text_duration (1051200000, text), "12 d 4 h");
    assert_true (strlen (text_duration (UINT64_MAX, text)) < TEXT_FIGURE);
}

static void
text_time_is_local (void **state)
{
    (void) state;
    char text[TEXT_FIGURE];
    setenv ("TZ", "UTC", 1);
    tzset ();
    assert_string_equal (text_time (1700000000123, text), "2023-11-14 22:13:20.123");
}

static const char *
nearest (const char *wanted, const char *const *names)
{
    nearest_t self = { .wanted = wanted };
    for (; *names; names++)
        nearest_offer (&self, *names);
    return self.name;
}

static void
nearest_finds_slips_of_a_keyboard (void **state)
{
    (void) state;
    static const char *const names[] = { "serve", "settings", "stop", "top", "checkpoint", "check", NULL };
    assert_string_equal (nearest ("serv", names), "serve");
    assert_string_equal (nearest ("sevre", names), "serve");
    assert_string_equal (nearest ("seting", names), "settings");
    assert_string_equal (nearest ("chekc", names), "check");
    assert_string_equal (nearest ("sotp", names), "stop");
    assert_string_equal (nearest ("chec", names), "check");
}

static void
nearest_says_nothing_when_nothing_is_near (void **state)
{
    (void) state;
    static const char *const names[] = { "serve", "top", NULL };
    static const char *const one_letter[] = { "q", NULL };
    char hint[80];
    assert_null (nearest ("backup", names));
    assert_null (nearest ("", names));
    assert_null (nearest ("x", one_letter));
    assert_null (nearest ("a-name-that-is-longer-than-any-that-could-be-compared-with-it", names));
    nearest_t self = { .wanted = "backup" };
    assert_string_equal (nearest_hint (&self, hint, sizeof hint), "");
    nearest_offer (&self, "backups");
    assert_string_equal (nearest_hint (&self, hint, sizeof hint), ": did you mean backups?");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (text_counts_have_three_digits_and_a_unit),
        cmocka_unit_test (text_bytes_go_by_1024),
        cmocka_unit_test (text_rates_below_ten_have_a_fraction),
        cmocka_unit_test (text_times_have_the_unit_that_fits),
        cmocka_unit_test (text_time_is_local),
        cmocka_unit_test (nearest_finds_slips_of_a_keyboard),
        cmocka_unit_test (nearest_says_nothing_when_nothing_is_near),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
