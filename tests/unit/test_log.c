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
    size_t size = log_format_line (format, LOG_LEVEL_WARNING, WALL_MS, text, line, sizeof line);
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

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (log_human_line_has_time_level_and_text),
        cmocka_unit_test (log_human_line_tames_controls_and_bad_bytes),
        cmocka_unit_test (log_json_line_is_json_whatever_the_text),
        cmocka_unit_test (log_long_line_is_cut_between_characters),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
