/*  test_buffer.c - bytes that grow, and memory and errors below them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

static void
buffer_zeroed_is_empty_and_takes_nothing (void **state)
{
    (void) state;
    buffer_t buffer = { 0 };
    buffer_append (&buffer, NULL, 0);
    assert_int_equal (buffer.size, 0);
    assert_null (buffer.data);
    assert_false (buffer.failed);
    buffer_clear (&buffer);
}

static void
buffer_appended_keeps_all_bytes (void **state)
{
    (void) state;
    buffer_t buffer = { 0 };
    for (unsigned index = 0; index < 10000; index++)
        if (index % 3)
            buffer_byte (&buffer, (uint8_t) index);
        else
            buffer_append (&buffer, &(uint8_t) { (uint8_t) index }, 1);
    assert_int_equal (buffer.size, 10000);
    assert_true (buffer.capacity >= buffer.size);
    for (unsigned index = 0; index < 10000; index++)
        assert_int_equal (buffer.data[index], (uint8_t) index);
    buffer_clear (&buffer);
    assert_null (buffer.data);
}

static void
buffer_limit_is_met_to_the_byte (void **state)
{
    (void) state;
    for (size_t limit = 1; limit < 300; limit += 7) {
        buffer_t buffer = { .limit = limit };
        for (size_t size = 0; size < limit; size++)
            buffer_byte (&buffer, 'x');
        assert_false (buffer.failed);
        assert_int_equal (buffer.size, limit);
        assert_true (buffer.capacity <= limit);
        buffer_byte (&buffer, 'y');
        assert_true (buffer.failed);
        assert_true (buffer.over_limit);
        assert_int_equal (buffer.size, limit);
        buffer_clear (&buffer);
        assert_int_equal (buffer.limit, limit);
    }
}

static void
buffer_failed_takes_nothing_until_reset (void **state)
{
    (void) state;
    buffer_t buffer = { .limit = 10 };
    buffer_append (&buffer, "12345678", 8);
    buffer_append (&buffer, "9abc", 4);
    buffer_byte (&buffer, '9');
    buffer_printf (&buffer, "9");
    assert_null (buffer_reserve (&buffer, 1));
    assert_true (buffer.failed);
    assert_int_equal (buffer.size, 8);
    assert_memory_equal (buffer.data, "12345678", 8);
    buffer_reset (&buffer);
    assert_false (buffer.failed || buffer.over_limit);
    buffer_append (&buffer, "abc", 3);
    assert_int_equal (buffer.size, 3);
    buffer_clear (&buffer);
}

static void
buffer_without_memory_keeps_what_was_there (void **state)
{
    (void) state;
    buffer_t buffer = { 0 };
    buffer_append (&buffer, "before", 6);
    size_t left = buffer.capacity - buffer.size;
    memory_fail_after (1);
    for (size_t index = 0; index < left; index++)
        buffer_byte (&buffer, '.');
    assert_false (buffer.failed);
    buffer_byte (&buffer, '!');
    memory_fail_after (0);
    assert_true (buffer.failed);
    assert_false (buffer.over_limit);
    assert_memory_equal (buffer.data, "before.", 7);
    buffer_clear (&buffer);
}

static void
buffer_size_that_wraps_is_refused (void **state)
{
    (void) state;
    buffer_t buffer = { 0 };
    buffer_byte (&buffer, 'x');
    assert_null (buffer_reserve (&buffer, SIZE_MAX));
    assert_true (buffer.failed);
    assert_int_equal (buffer.size, 1);
    buffer_clear (&buffer);
}

static void
buffer_printf_text_ends_with_a_nul_behind_it (void **state)
{
    (void) state;
    buffer_t buffer = { 0 };
    for (int index = 0; index < 100; index++)
        buffer_printf (&buffer, "%03d,", index);
    assert_int_equal (buffer.size, 400);
    assert_int_equal (strlen ((char *) buffer.data), 400);
    assert_memory_equal (buffer.data + 392, "098,099,", 8);
    buffer_clear (&buffer);
}

static void
memory_fail_after_fails_the_nth_and_all_later (void **state)
{
    (void) state;
    memory_fail_after (3);
    void *first = memory_alloc (1);
    char *second = memory_strdup ("text");
    assert_non_null (first);
    assert_string_equal (second, "text");
    assert_null (memory_zalloc (1));
    assert_null (memory_alloc (1));
    assert_null (memory_realloc (first, 2));
    assert_null (memory_strdup ("text"));
    memory_fail_after (0);
    void *third = memory_zalloc (0);
    assert_non_null (third);
    memory_free (first);
    memory_free (second);
    memory_free (third);
}

static void
error_long_text_is_cut_at_a_character (void **state)
{
    (void) state;
    troupe_error_t error;
    char text[400];
    for (size_t shift = 0; shift < 2; shift++) {
        memset (text, 'a', sizeof text);
        for (size_t index = shift; index + 1 < sizeof text; index += 2)
            memcpy (text + index, "\xc3\xa9", 2);
        text[sizeof text - 2] = '\0';
        assert_int_equal (error_set (&error, TROUPE_IO, "%s", text), TROUPE_IO);
        assert_int_equal (error.status, TROUPE_IO);
        assert_int_equal (strlen (error.text), sizeof error.text - 1);
        assert_true (utf8_is_valid (error.text, strlen (error.text)));
    }
}

static void
error_strange_bytes_become_question_marks (void **state)
{
    (void) state;
    troupe_error_t error;
    error_set (&error, TROUPE_INVALID, "name \"%s\"", "a\x1b[2Jb\n\xff\xc3\xa9");
    assert_string_equal (error.text, "name \"a?[2Jb??\xc3\xa9\"");
    error_set (&error, TROUPE_INVALID, "again: %s", error.text);
    assert_string_equal (error.text, "again: name \"a?[2Jb??\xc3\xa9\"");
    assert_int_equal (error_set (NULL, TROUPE_FULL, "nobody listens"), TROUPE_FULL);
}

static void
utf8_forms_are_taken_and_refused (void **state)
{
    (void) state;
    static const char *const good[] = { "", "plain ascii of more than eight bytes", "\xc2\x80", "\xdf\xbf",
                                        "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "12345678\xc3\xa9 12345678" };
    static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2x", "\xe0\x9f\xbf", "\xe2\x82",
                                       "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                       "\xf0\x90\x80", "\xf5\x80\x80\x80", "\xff", "12345678\xc3" };
    for (size_t index = 0; index < sizeof good / sizeof *good; index++)
        assert_true (utf8_is_valid (good[index], strlen (good[index])));
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        assert_false (utf8_is_valid (bad[index], strlen (bad[index])));
    assert_true (utf8_is_valid ("a\0b", 3));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (buffer_zeroed_is_empty_and_takes_nothing),
        cmocka_unit_test (buffer_appended_keeps_all_bytes),
        cmocka_unit_test (buffer_limit_is_met_to_the_byte),
        cmocka_unit_test (buffer_failed_takes_nothing_until_reset),
        cmocka_unit_test (buffer_without_memory_keeps_what_was_there),
        cmocka_unit_test (buffer_size_that_wraps_is_refused),
        cmocka_unit_test (buffer_printf_text_ends_with_a_nul_behind_it),
        cmocka_unit_test (memory_fail_after_fails_the_nth_and_all_later),
        cmocka_unit_test (error_long_text_is_cut_at_a_character),
        cmocka_unit_test (error_strange_bytes_become_question_marks),
        cmocka_unit_test (utf8_forms_are_taken_and_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
