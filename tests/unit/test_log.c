/*  test_log.c - what a line looks like, whatever the text holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/log.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define WALL_MS 1700000000123ull

static const char *
line_of (log_format_t format, const char *text)
{
    static char line[LOG_LINE_MAX];
    memset (line, 'x', sizeof line);
    log_entry_t entry = { .level = TROUPE_LOG_WARNING, .wall_ms = WALL_MS, .text = text };
    size_t size = log_format_line (format, &entry, line, sizeof line);
    assert_true (size < sizeof line);
    assert_int_equal (line[size - 1], '\n');
    assert_int_equal (strlen (line), size);
    return line;
}

static void
log_human_line_has_time_level_and_text (void **state)
{
    (void) state;
    assert_string_equal (line_of (LOG_FORMAT_HUMAN, "store: opened"),
                         "2023-11-14T22:13:20.123Z warning store: opened\n");
}

static void
log_human_line_tames_controls_and_bad_bytes (void **state)
{
    (void) state;
    assert_non_null (strstr (line_of (LOG_FORMAT_HUMAN, "a\nb\x1b[2Jc\xff"), "warning a b?[2Jc?\n"));
}

static void
log_json_line_is_json_whatever_the_text (void **state)
{
    (void) state;
    static const char text[] = "a \"quoted\" \\ and\nlines \x01 \xc3\xa4";
    json_t *tree = json_loads (line_of (LOG_FORMAT_JSON, text), 0, NULL);
    assert_non_null (tree);
    assert_string_equal (json_string_value (json_object_get (tree, "text")), text);
    assert_string_equal (json_string_value (json_object_get (tree, "level")), "warning");
    assert_string_equal (json_string_value (json_object_get (tree, "time")), "2023-11-14T22:13:20.123Z");
    json_decref (tree);
    tree = json_loads (line_of (LOG_FORMAT_JSON, "bad \xc3 byte"), 0, NULL);
    assert_non_null (tree);
    assert_string_equal (json_string_value (json_object_get (tree, "text")), "bad ? byte");
    json_decref (tree);
}

static void
log_long_line_is_cut_between_characters (void **state)
{
    (void) state;
    static char text[3 * LOG_LINE_MAX];
    for (size_t start = 0; start < 3; start++) {
        memset (text, 'a', start);
        for (size_t i = start; i + 2 < sizeof text; i += 2)
            memcpy (text + i, "\xc3\xa4", 2);
        json_t *tree = json_loads (line_of (LOG_FORMAT_JSON, text), 0, NULL);
        assert_non_null (tree);
        json_decref (tree);
        line_of (LOG_FORMAT_HUMAN, text);
        memset (text, '"', sizeof text - 1);
        tree = json_loads (line_of (LOG_FORMAT_JSON, text), 0, NULL);
        assert_non_null (tree);
        json_decref (tree);
    }
}

static void
log_line_of_a_turn_tells_whose_it_is (void **state)
{
    (void) state;
    char line[LOG_LINE_MAX];
    log_entry_t entry = { .level = TROUPE_LOG_INFO, .actor = "runner/anna", .verb = "lap", .text = "a \"lap\"",
                          .trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
    log_format_line (LOG_FORMAT_HUMAN, &entry, line, sizeof line);
    assert_non_null (strstr (line, "info    runner/anna lap [4bf92f3577b34da6a3ce929d0e0e4736]: a \"lap\"\n"));
    log_format_line (LOG_FORMAT_JSON, &entry, line, sizeof line);
    json_t *tree = json_loads (line, 0, NULL);
    assert_non_null (tree);
    assert_string_equal (json_string_value (json_object_get (tree, "actor")), "runner/anna");
    assert_string_equal (json_string_value (json_object_get (tree, "verb")), "lap");
    assert_string_equal (json_string_value (json_object_get (tree, "trace_id")), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal (json_string_value (json_object_get (tree, "text")), "a \"lap\"");
    json_decref (tree);
    entry.trace = "";
    log_format_line (LOG_FORMAT_HUMAN, &entry, line, sizeof line);
    assert_non_null (strstr (line, "runner/anna lap: a"));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (log_human_line_has_time_level_and_text),
        cmocka_unit_test (log_human_line_tames_controls_and_bad_bytes),
        cmocka_unit_test (log_json_line_is_json_whatever_the_text),
        cmocka_unit_test (log_long_line_is_cut_between_characters),
        cmocka_unit_test (log_line_of_a_turn_tells_whose_it_is),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
