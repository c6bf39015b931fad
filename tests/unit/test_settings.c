/*  test_settings.c - the table of settings, the file, the environment, and the manual page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static troupe_error_t error;

static void
set (settings_t *settings, const char *name, const char *text)
{
    assert_int_equal (settings_set (settings, name, text, &error), TROUPE_OK);
}

static void
refuse (const char *name, const char *text, troupe_status_t status, const char *part)
{
    settings_t settings, before;
    settings_init (&settings);
    before = settings;
    assert_int_equal (settings_set (&settings, name, text, &error), status);
    assert_int_equal (error.status, status);
    if (!strstr (error.text, part))
        fail_msg ("\"%s\" does not say \"%s\"", error.text, part);
    assert_memory_equal (&settings, &before, sizeof settings);
}

static troupe_status_t
read_text (settings_t *settings, const char *text)
{
    settings_init (settings);
    return settings_read_text (settings, text, strlen (text), "t.conf", &error);
}

static void
refuse_file (const char *text, const char *part)
{
    settings_t settings;
    assert_int_not_equal (read_text (&settings, text), TROUPE_OK);
    if (!strstr (error.text, part))
        fail_msg ("\"%s\" does not say \"%s\"", error.text, part);
}

static void
settings_without_a_word_have_their_defaults (void **state)
{
    (void) state;
    settings_t settings;
    settings_init (&settings);
    assert_string_equal (settings.store, "./data");
    assert_true (settings.create);
    assert_int_equal (settings.shards, 16);
    assert_int_equal (settings.checkpoint_ms, 10000);
    assert_int_equal (settings.segment_bytes, 64 << 20);
    assert_int_equal (settings.log_level, TROUPE_LOG_INFO);
    char path[SETTINGS_TEXT_MAX + 16];
    assert_string_equal (settings_control (&settings, path, sizeof path), "./data/control.sock");
    set (&settings, "control", "/run/troupe");
    assert_string_equal (settings_control (&settings, path, sizeof path), "/run/troupe");
}

static void
settings_units_are_understood (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t value_ms;
    } times[] = { { "250", 250 }, { "250ms", 250 }, { "10s", 10000 }, { "10 s", 10000 }, { "2m", 120000 },
                  { "1H", 3600000 }, { "1d", 86400000 } };
    settings_t settings;
    settings_init (&settings);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        set (&settings, "checkpoint_ms", times[i].text);
        assert_int_equal (settings.checkpoint_ms, times[i].value_ms);
    }
    set (&settings, "segment_bytes", "1048576");
    assert_int_equal (settings.segment_bytes, 1 << 20);
    set (&settings, "segment_bytes", "2048K");
    assert_int_equal (settings.segment_bytes, 2 << 20);
    set (&settings, "segment_bytes", "2G");
    assert_int_equal (settings.segment_bytes, 2ull << 30);
    set (&settings, "create", "OFF");
    assert_false (settings.create);
    set (&settings, "log_format", "JSON");
    assert_int_equal (settings.log_format, LOG_FORMAT_JSON);
}

static void
settings_wrong_values_are_refused_with_what_is_wanted (void **state)
{
    (void) state;
    refuse ("shards", "many", TROUPE_INVALID, "shards: a whole number is wanted, not \"many\"");
    refuse ("shards", "", TROUPE_INVALID, "a whole number");
    refuse ("shards", "-1", TROUPE_INVALID, "a whole number");
    refuse ("shards", "16K", TROUPE_INVALID, "a whole number");
    refuse ("shards", "0", TROUPE_INVALID, "must be 1 to 1024, not 0");
    refuse ("shards", "99999999999999999999999", TROUPE_INVALID, "a whole number");
    refuse ("segment_bytes", "64X", TROUPE_INVALID, "such as 64M");
    refuse ("segment_bytes", "18446744073709551615T", TROUPE_INVALID, "such as 64M");
    refuse ("segment_bytes", "4K", TROUPE_INVALID, "must be 1M to 16G");
    refuse ("checkpoint_ms", "10 seconds", TROUPE_INVALID, "such as 500ms or 10s");
    refuse ("create", "maybe", TROUPE_INVALID, "yes or no");
    refuse ("log_level", "loud", TROUPE_INVALID, "one of debug info warning error");
    refuse ("log_level", "", TROUPE_INVALID, "one of");
    refuse ("store", "", TROUPE_INVALID, "may not be empty");
    char path[SETTINGS_TEXT_MAX + 2];
    memset (path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    refuse ("store", path, TROUPE_TOO_LARGE, "at most 1023 fit");
}

static void
settings_unknown_names_get_the_nearest (void **state)
{
    (void) state;
    refuse ("shard", "4", TROUPE_NOT_FOUND, "did you mean shards?");
    refuse ("sotre", "x", TROUPE_NOT_FOUND, "did you mean store?");
    refuse ("checkpoint", "4", TROUPE_NOT_FOUND, "did you mean checkpoint_ms?");
    refuse ("segment_size", "4", TROUPE_NOT_FOUND, "did you mean segment_bytes?");
    refuse ("zebra", "4", TROUPE_NOT_FOUND, "no such setting \"zebra\"");
    assert_null (strstr (error.text, "mean"));
}

static void
settings_file_is_read (void **state)
{
    (void) state;
    settings_t settings;
    assert_int_equal (read_text (&settings, "# a node\r\n"
                                            "\n"
                                            "  shards = 4   # few\n"
                                            "store=/var/lib/a#b\n"
                                            "\tcontrol = \" with # and blanks \"  # so\n"
                                            "checkpoint_ms = 2s"),
                      TROUPE_OK);
    assert_int_equal (settings.shards, 4);
    assert_string_equal (settings.store, "/var/lib/a#b");
    assert_string_equal (settings.control, " with # and blanks ");
    assert_int_equal (settings.checkpoint_ms, 2000);
    unsigned row;
    assert_non_null (settings_find ("shards", &row));
    assert_int_equal (settings.sources[row], SETTING_FILE);
    assert_non_null (settings_find ("workers", &row));
    assert_int_equal (settings.sources[row], SETTING_DEFAULT);
}

static void
settings_file_errors_say_the_line (void **state)
{
    (void) state;
    refuse_file ("shards = 4\nwurkers = 2\n", "t.conf:2: no such setting \"wurkers\": did you mean workers?");
    refuse_file ("\n\nshards = x", "t.conf:3: shards: a whole number");
    refuse_file ("shards 4", "t.conf:1: name = value is wanted");
    refuse_file ("= 4", "t.conf:1: the name before = is missing");
    refuse_file ("store = \"x", "t.conf:1: the closing \" is missing");
    refuse_file ("store = \"x\" y", "t.conf:1: nothing but a comment");
    refuse_file ("shards = 4\nshards = 5", "t.conf:2: shards: line 1 has set it already");
    settings_t settings;
    settings_init (&settings);
    static const char zero[] = "shards = 4\nshards\0= 5";
    assert_int_equal (settings_read_text (&settings, zero, sizeof zero - 1, "t.conf", &error), TROUPE_INVALID);
    assert_non_null (strstr (error.text, "t.conf:2: a zero byte"));
    assert_int_equal (settings.shards, 16);
}

static void
settings_file_that_is_not_there_or_too_large_is_an_error (void **state)
{
    (void) state;
    settings_t settings;
    settings_init (&settings);
    assert_int_equal (settings_read_file (&settings, "absent.conf", &error), TROUPE_NOT_FOUND);
    assert_non_null (strstr (error.text, "absent.conf"));
    FILE *file = fopen ("large.conf", "w");
    assert_non_null (file);
    for (unsigned i = 0; i <= SETTINGS_FILE_MAX; i++)
        fputc ('\n', file);
    fclose (file);
    assert_int_equal (settings_read_file (&settings, "large.conf", &error), TROUPE_TOO_LARGE);
}

static void
settings_environment_goes_over_the_file_and_under_the_command_line (void **state)
{
    (void) state;
    FILE *file = fopen ("a.conf", "w");
    assert_non_null (file);
    fputs ("shards = 2\nworkers = 2\nattempts = 2\n", file);
    fclose (file);
    setenv ("TROUPE_WORKERS", "3", 1);
    setenv ("TROUPE_ATTEMPTS", "3", 1);
    setenv ("TROUPE_SERVICE_HOST", "10.0.0.1", 1);
    settings_t settings;
    assert_int_equal (settings_load (&settings, "a.conf", &error), TROUPE_OK);
    set (&settings, "attempts", "4");
    assert_int_equal (settings.shards, 2);
    assert_int_equal (settings.workers, 3);
    assert_int_equal (settings.attempts, 4);
    setenv ("TROUPE_WORKERS", "lots", 1);
    assert_int_equal (settings_load (&settings, "a.conf", &error), TROUPE_INVALID);
    assert_non_null (strstr (error.text, "environment: TROUPE_WORKERS: workers:"));
    unsetenv ("TROUPE_WORKERS");
    unsetenv ("TROUPE_ATTEMPTS");
    unsetenv ("TROUPE_SERVICE_HOST");
}

static void
settings_config_of_the_environment_is_used (void **state)
{
    (void) state;
    FILE *file = fopen ("b.conf", "w");
    assert_non_null (file);
    fputs ("shards = 7\n", file);
    fclose (file);
    setenv ("TROUPE_CONFIG", "b.conf", 1);
    settings_t settings;
    assert_int_equal (settings_load (&settings, NULL, &error), TROUPE_OK);
    assert_int_equal (settings.shards, 7);
    setenv ("TROUPE_CONFIG", "gone.conf", 1);
    assert_int_equal (settings_load (&settings, NULL, &error), TROUPE_NOT_FOUND);
    unsetenv ("TROUPE_CONFIG");
    assert_int_equal (rename ("b.conf", "troupe.conf"), 0);
    assert_int_equal (settings_load (&settings, NULL, &error), TROUPE_OK);
    assert_int_equal (settings.shards, 7);
}

static void
settings_limits_are_those_of_the_table (void **state)
{
    (void) state;
    settings_t settings;
    settings_init (&settings);
    set (&settings, "retry_most_ms", "7s");
    set (&settings, "idle_ms", "30d");
    shard_limits_t limits = settings_limits (&settings);
    assert_int_equal (limits.retry_most_ms, 7000);
    assert_true (limits.idle_ms == 30ull * 86400000);
    assert_int_equal (limits.attempts, 8);
    assert_true (limits.unfolded_bytes == settings.unfolded_bytes);
}

/*  Every value, written out, is read back as itself. */
static bool
check_text (void *arg, unsigned row, const setting_t *setting)
{
    (void) row;
    settings_t *settings = arg, again;
    char text[SETTINGS_TEXT_MAX + 1];
    settings_init (&again);
    settings_text (settings, setting, text, sizeof text);
    assert_int_equal (settings_set (&again, setting->name, text, &error), TROUPE_OK);
    const char *left = (const char *) settings + setting->offset, *right = (const char *) &again + setting->offset;
    if (setting->type == SETTING_TEXT)
        assert_string_equal (left, right);
    else
        assert_memory_equal (left, right, setting->type == SETTING_FLAG ? sizeof (bool) : sizeof (uint64_t));
    return true;
}

static void
settings_written_out_are_read_back (void **state)
{
    (void) state;
    settings_t settings;
    settings_init (&settings);
    settings_each (check_text, &settings);
    set (&settings, "checkpoint_ms", "1234");
    set (&settings, "dead_bytes", "1000001");
    set (&settings, "create", "no");
    set (&settings, "log_level", "error");
    settings_each (check_text, &settings);
}

/* ---- the manual page ---- */

typedef struct {
    char *page;      /* without the escapes of roff, blanks and newlines alike */
    unsigned rows;
} manual_t;

static char *
read_page (void)
{
    char path[4096];
    const char *source = getenv ("TROUPE_SOURCE");
    snprintf (path, sizeof path, "%s/doc/man/troupe.conf.5", source ? source : ".");
    FILE *file = fopen (path, "r");
    if (!file)
        fail_msg ("%s cannot be read", path);
    char *page = calloc (1, 1 << 16);
    assert_non_null (page);
    size_t size = fread (page, 1, (1 << 16) - 1, file);
    fclose (file);
    char *to = page;
    for (char *at = page; at < page + size; at++)
        if (*at != '\\')
            *to++ = (char) (*at == '\n' ? ' ' : *at);
    *to = '\0';
    return page;
}

static void
expect_in_page (const manual_t *manual, const char *text)
{
    if (!strstr (manual->page, text))
        fail_msg ("doc/man/troupe.conf.5 does not say: %s", text);
}

static bool
check_row (void *arg, unsigned row, const setting_t *setting)
{
    (void) row;
    manual_t *manual = arg;
    char text[1024], choices[128];
    const char *type = setting_type_name (setting->type);
    if (setting->choices) {
        char *to = choices;
        for (const char *at = setting->choices; *at; at++)
            to += sprintf (to, *at == ' ' ? ", " : "%c", *at);
        type = choices;
    }
    snprintf (text, sizeof text, ".TP .BR %s \" (%s)\" %s Default: %s. ", setting->name, type, setting->doc,
              setting->standard[0] ? setting->standard : "empty");
    expect_in_page (manual, text);
    manual->rows++;
    return true;
}

static void
settings_manual_page_is_the_table (void **state)
{
    (void) state;
    manual_t manual = { .page = read_page () };
    settings_each (check_row, &manual);
    unsigned described = 0;
    char *at = strstr (manual.page, ".SH SETTINGS");
    assert_non_null (at);
    while ((at = strstr (at + 1, ".TP .BR ")) != NULL)
        described++;
    assert_int_equal (described, manual.rows);
    free (manual.page);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (settings_without_a_word_have_their_defaults),
        cmocka_unit_test (settings_units_are_understood),
        cmocka_unit_test (settings_wrong_values_are_refused_with_what_is_wanted),
        cmocka_unit_test (settings_unknown_names_get_the_nearest),
        cmocka_unit_test (settings_file_is_read),
        cmocka_unit_test (settings_file_errors_say_the_line),
        cmocka_unit_test (settings_file_that_is_not_there_or_too_large_is_an_error),
        cmocka_unit_test (settings_environment_goes_over_the_file_and_under_the_command_line),
        cmocka_unit_test (settings_config_of_the_environment_is_used),
        cmocka_unit_test (settings_limits_are_those_of_the_table),
        cmocka_unit_test (settings_written_out_are_read_back),
        cmocka_unit_test (settings_manual_page_is_the_table),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
