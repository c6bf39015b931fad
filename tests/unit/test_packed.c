/*  test_packed.c - MessagePack, by the vectors of its specification.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/body/packed.h"

#define BYTES(text) (const uint8_t *) (text), sizeof (text) - 1

static void
assert_bytes (buffer_t *made, const char *bytes, size_t size)
{
    assert_false (made->failed);
    assert_int_equal (made->size, size);
    assert_memory_equal (made->data, bytes, size);
    buffer_reset (made);
}

static const struct {
    int64_t integer;
    const char *bytes;
    size_t size;
} integers[] = {
    { 0, "\x00", 1 }, { 1, "\x01", 1 }, { 127, "\x7f", 1 },
    { 128, "\xcc\x80", 2 }, { 255, "\xcc\xff", 2 },
    { 256, "\xcd\x01\x00", 3 }, { 65535, "\xcd\xff\xff", 3 },
    { 65536, "\xce\x00\x01\x00\x00", 5 }, { 4294967295, "\xce\xff\xff\xff\xff", 5 },
    { 4294967296, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9 },
    { INT64_MAX, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9 },
    { -1, "\xff", 1 }, { -32, "\xe0", 1 },
    { -33, "\xd0\xdf", 2 }, { -128, "\xd0\x80", 2 },
    { -129, "\xd1\xff\x7f", 3 }, { -32768, "\xd1\x80\x00", 3 },
    { -32769, "\xd2\xff\xff\x7f\xff", 5 }, { INT32_MIN, "\xd2\x80\x00\x00\x00", 5 },
    { -2147483649, "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9 },
    { INT64_MIN, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9 },
};

static void
packed_integer_is_written_in_its_shortest_form (void **state)
{
    (void) state;
    buffer_t made = { 0 };
    for (size_t index = 0; index < sizeof integers / sizeof *integers; index++) {
        packed_put_int (&made, integers[index].integer);
        assert_bytes (&made, integers[index].bytes, integers[index].size);
    }
    buffer_clear (&made);
}

static void
packed_integer_is_read_in_every_form (void **state)
{
    (void) state;
    static const struct {
        int64_t integer;
        const char *bytes;
        size_t size;
    } longer[] = {
        { 1, "\xcc\x01", 2 }, { 1, "\xcd\x00\x01", 3 }, { 1, "\xce\x00\x00\x00\x01", 5 },
        { 1, "\xcf\x00\x00\x00\x00\x00\x00\x00\x01", 9 }, { 1, "\xd0\x01", 2 }, { 1, "\xd1\x00\x01", 3 },
        { -1, "\xd0\xff", 2 }, { -1, "\xd1\xff\xff", 3 }, { -1, "\xd2\xff\xff\xff\xff", 5 },
        { -1, "\xd3\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
    };
    packed_value_t value;
    for (size_t index = 0; index < sizeof integers / sizeof *integers; index++) {
        const uint8_t *bytes = (const uint8_t *) integers[index].bytes;
        packed_reader_t reader = { bytes, bytes + integers[index].size };
        assert_true (packed_next (&reader, &value));
        assert_int_equal (value.type, PACKED_INT);
        assert_true (value.integer == integers[index].integer);
        assert_ptr_equal (reader.at, reader.end);
    }
    for (size_t index = 0; index < sizeof longer / sizeof *longer; index++) {
        const uint8_t *bytes = (const uint8_t *) longer[index].bytes;
        packed_reader_t reader = { bytes, bytes + longer[index].size };
        assert_true (packed_next (&reader, &value) && value.type == PACKED_INT);
        assert_true (value.integer == longer[index].integer);
    }
}

static void
packed_scalar_is_written_as_specified (void **state)
{
    (void) state;
    buffer_t made = { 0 };
    packed_put_null (&made);
    assert_bytes (&made, "\xc0", 1);
    packed_put_bool (&made, false);
    assert_bytes (&made, "\xc2", 1);
    packed_put_bool (&made, true);
    assert_bytes (&made, "\xc3", 1);
    packed_put_real (&made, 1.5);
    assert_bytes (&made, "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9);
    packed_put_string (&made, "a", 1);
    assert_bytes (&made, "\xa1" "a", 2);
    packed_put_bytes (&made, "\x01\x02", 2);
    assert_bytes (&made, "\xc4\x02\x01\x02", 4);
    packed_put_array (&made, 15);
    packed_put_array (&made, 16);
    packed_put_array (&made, 65536);
    assert_bytes (&made, "\x9f\xdc\x00\x10\xdd\x00\x01\x00\x00", 9);
    packed_put_object (&made, 15);
    packed_put_object (&made, 16);
    packed_put_object (&made, 65536);
    assert_bytes (&made, "\x8f\xde\x00\x10\xdf\x00\x01\x00\x00", 9);
    buffer_clear (&made);
}

static void
packed_string_head_grows_with_the_string (void **state)
{
    (void) state;
    static const struct {
        size_t size;
        const char *string_head, *bytes_head;
        size_t string_head_size, bytes_head_size;
    } heads[] = {
        { 0, "\xa0", "\xc4\x00", 1, 2 }, { 31, "\xbf", "\xc4\x1f", 1, 2 }, { 32, "\xd9\x20", "\xc4\x20", 2, 2 },
        { 255, "\xd9\xff", "\xc4\xff", 2, 2 }, { 256, "\xda\x01\x00", "\xc5\x01\x00", 3, 3 },
        { 65535, "\xda\xff\xff", "\xc5\xff\xff", 3, 3 },
        { 65536, "\xdb\x00\x01\x00\x00", "\xc6\x00\x01\x00\x00", 5, 5 },
    };
    static char text[65536];
    memset (text, 'x', sizeof text);
    for (size_t index = 0; index < sizeof heads / sizeof *heads; index++) {
        buffer_t made = { 0 };
        packed_value_t value;
        packed_put_string (&made, text, heads[index].size);
        assert_int_equal (made.size, heads[index].string_head_size + heads[index].size);
        assert_memory_equal (made.data, heads[index].string_head, heads[index].string_head_size);
        size_t string_end = made.size;
        packed_put_bytes (&made, text, heads[index].size);
        assert_memory_equal (made.data + string_end, heads[index].bytes_head, heads[index].bytes_head_size);
        packed_reader_t reader = { made.data, made.data + made.size };
        assert_true (packed_next (&reader, &value) && value.type == PACKED_STRING);
        assert_int_equal (value.string.size, heads[index].size);
        assert_true (packed_next (&reader, &value) && value.type == PACKED_BYTES);
        assert_int_equal (value.string.size, heads[index].size);
        assert_ptr_equal (reader.at, reader.end);
        buffer_clear (&made);
    }
}

static void
packed_real_of_both_widths_is_read (void **state)
{
    (void) state;
    packed_value_t value;
    const uint8_t *bytes = (const uint8_t *) "\xca\x3f\xc0\x00\x00\xcb\xbf\xf8\x00\x00\x00\x00\x00\x00";
    packed_reader_t reader = { bytes, bytes + 14 };
    assert_true (packed_next (&reader, &value) && value.type == PACKED_REAL);
    assert_true (value.real == 1.5);
    assert_true (packed_next (&reader, &value) && value.real == -1.5);
    assert_false (packed_next (&reader, &value));
}

static void
packed_what_json_lacks_is_refused (void **state)
{
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        { "\xc1", 1 },                                              /* never used */
        { "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", 9 },              /* beyond int64 */
        { "\xca\x7f\xc0\x00\x00", 5 }, { "\xca\xff\x80\x00\x00", 5 },
        { "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", 9 }, { "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", 9 },
        { "\xd4\x01\x00", 3 }, { "\xd5\x01\x00\x00", 4 }, { "\xd6\xff\x00\x00\x00\x00", 6 },
        { "\xd7\x01\x00\x00\x00\x00\x00\x00\x00\x00", 10 }, { "\xc7\x01\x01\x00", 4 }, { "\xc8\x00\x01\x01\x00", 5 },
        { "\xc9\x00\x00\x00\x01\x01\x00", 7 },
        { "\x81\x01\x02", 3 }, { "\x81\xc0\x02", 3 },               /* keys that are no strings */
        { "\x81\xa1\x00\x02", 4 },                                  /* a key with a NUL */
        { "\xa2\xc3\x28", 3 }, { "\x81\xa1\xff\x02", 4 },           /* no UTF-8 */
        { "\x01\x02", 2 },                                          /* two values */
        { "\x82\xa1" "a\x01\xa1" "a\x02", 7 },                      /* a key twice */
    };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        assert_false (packed_is_valid (bad[index].bytes, bad[index].size));
}

static void
packed_value_cut_anywhere_is_refused (void **state)
{
    (void) state;
    buffer_t made = { 0 };
    packed_put_object (&made, 3);
    packed_put_string (&made, "list", 4);
    packed_put_array (&made, 2);
    packed_put_int (&made, 100000);
    packed_put_real (&made, 0.5);
    packed_put_string (&made, "text", 4);
    packed_put_string (&made, "0123456789012345678901234567890123456789", 40);
    packed_put_string (&made, "raw", 3);
    packed_put_bytes (&made, "\xff\x00", 2);
    assert_true (packed_is_valid (made.data, made.size));
    for (size_t size = 1; size < made.size; size++) {
        packed_reader_t reader = { made.data, made.data + size };
        assert_false (packed_is_valid (made.data, size));
        assert_false (packed_skip (&reader));
    }
    buffer_clear (&made);
}

static void
packed_no_bytes_are_valid_and_hold_nothing (void **state)
{
    (void) state;
    packed_reader_t found, reader = { NULL, NULL };
    packed_value_t value;
    assert_true (packed_is_valid (NULL, 0));
    assert_false (packed_next (&reader, &value));
    assert_false (packed_skip (&reader));
    assert_false (packed_find (NULL, 0, "a", &found));
}

static void
packed_count_beyond_the_bytes_is_refused_at_its_head (void **state)
{
    (void) state;
    static const char *const heads[] = { "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdf\x80\x00\x00\x01",
                                         "\xdd\x00\x00\x00\x03" };
    for (size_t index = 0; index < sizeof heads / sizeof *heads; index++) {
        uint8_t bytes[7] = { 0 };
        packed_value_t value;
        memcpy (bytes, heads[index], 5);
        packed_reader_t reader = { bytes, bytes + sizeof bytes };
        assert_false (packed_next (&reader, &value));
        assert_ptr_equal (reader.at, bytes);
    }
}

static void
packed_depth_is_taken_to_the_limit (void **state)
{
    (void) state;
    for (unsigned depth = PACKED_DEPTH_MAX - 1; depth <= PACKED_DEPTH_MAX + 1; depth++) {
        buffer_t made = { 0 };
        for (unsigned level = 1; level < depth; level++)
            packed_put_array (&made, 1);
        packed_put_array (&made, 0);
        packed_reader_t reader = { made.data, made.data + made.size };
        assert_int_equal (packed_is_valid (made.data, made.size), depth <= PACKED_DEPTH_MAX);
        assert_int_equal (packed_skip (&reader), depth <= PACKED_DEPTH_MAX);
        assert_int_equal (packed_check (made.data, made.size, depth), TROUPE_OK);
        assert_int_equal (packed_check (made.data, made.size, depth - 1), TROUPE_INVALID);
        buffer_clear (&made);
    }
}

static void
packed_find_spans_the_value_of_the_field (void **state)
{
    (void) state;
    static const char body[] = "\x84\xa1" "a\x01\xa2" "bb\x92\x01\x02\xa1" "b\xa3xyz\xa0\x05";
    packed_reader_t found;
    assert_true (packed_is_valid (BYTES (body)));
    assert_true (packed_find (BYTES (body), "b", &found));
    assert_int_equal (found.end - found.at, 4);
    assert_memory_equal (found.at, "\xa3xyz", 4);
    assert_true (packed_find (BYTES (body), "bb", &found));
    assert_memory_equal (found.at, "\x92\x01\x02", 3);
    assert_int_equal (found.end - found.at, 3);
    assert_true (packed_find (BYTES (body), "", &found));
    assert_memory_equal (found.at, "\x05", 1);
    assert_false (packed_find (BYTES (body), "c", &found));
    assert_false (packed_find (BYTES ("\x92\xa1" "a\x01"), "a", &found));
}

static void
packed_many_keys_are_compared_in_a_moment (void **state)
{
    (void) state;
    const uint32_t count = 300000;
    buffer_t made = { 0 };
    packed_put_object (&made, count);
    for (uint32_t index = 0; index < count; index++) {
        char key[16];
        int size = snprintf (key, sizeof key, "%u", index);
        packed_put_string (&made, key, (size_t) size);
        packed_put_null (&made);
    }
    assert_true (packed_is_valid (made.data, made.size));
    made.data[made.size - 2] = '8';  /* 299999 becomes 299998, which is there */
    assert_false (packed_is_valid (made.data, made.size));
    buffer_clear (&made);
}

static void
packed_check_without_memory_blames_the_memory (void **state)
{
    (void) state;
    memory_fail_after (1);
    troupe_status_t status = packed_check (BYTES ("\x81\xa1" "a\x01"), PACKED_DEPTH_MAX);
    troupe_status_t bad = packed_check (BYTES ("\x92\x01\xc1"), PACKED_DEPTH_MAX);
    memory_fail_after (0);
    assert_int_equal (status, TROUPE_NO_MEMORY);
    assert_int_equal (bad, TROUPE_INVALID);
}

static void
packed_same_key_on_other_levels_is_valid (void **state)
{
    (void) state;
    assert_true (packed_is_valid (BYTES ("\x82\xa1" "a\x81\xa1" "a\x01\xa1" "b\x81\xa1" "a\x01")));
    assert_false (packed_is_valid (BYTES ("\x82\xa1" "a\x81\xa1" "b\x01\xa1" "a\x01")));
}

static void
packed_close_makes_room_for_the_count (void **state)
{
    (void) state;
    static const uint32_t counts[] = { 0, 15, 16, 65535, 65536 };
    for (size_t index = 0; index < sizeof counts / sizeof *counts; index++) {
        buffer_t made = { 0 }, same = { 0 };
        packed_put_int (&made, 300);
        size_t place = packed_open (&made);
        packed_put_int (&same, 300);
        packed_put_array (&same, counts[index]);
        for (uint32_t element = 0; element < counts[index]; element++) {
            packed_put_int (&made, element);
            packed_put_int (&same, element);
        }
        packed_close (&made, place, PACKED_ARRAY, counts[index]);
        assert_int_equal (made.size, same.size);
        assert_memory_equal (made.data, same.data, same.size);
        buffer_clear (&made);
        buffer_clear (&same);
    }
}

static void
packed_over_the_limit_writes_no_part_of_a_value (void **state)
{
    (void) state;
    troupe_error_t error;
    buffer_t made = { .limit = 4 };
    packed_put_string (&made, "text", 4);
    assert_int_equal (made.size, 0);
    assert_int_equal (packed_status (&made, &error), TROUPE_TOO_LARGE);
    packed_cut (&made, 0);
    assert_int_equal (packed_status (&made, &error), TROUPE_OK);
    memory_fail_after (1);
    packed_put_null (&made);
    memory_fail_after (0);
    assert_int_equal (packed_status (&made, &error), TROUPE_NO_MEMORY);
    buffer_clear (&made);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (packed_integer_is_written_in_its_shortest_form),
        cmocka_unit_test (packed_integer_is_read_in_every_form),
        cmocka_unit_test (packed_scalar_is_written_as_specified),
        cmocka_unit_test (packed_string_head_grows_with_the_string),
        cmocka_unit_test (packed_real_of_both_widths_is_read),
        cmocka_unit_test (packed_what_json_lacks_is_refused),
        cmocka_unit_test (packed_value_cut_anywhere_is_refused),
        cmocka_unit_test (packed_no_bytes_are_valid_and_hold_nothing),
        cmocka_unit_test (packed_count_beyond_the_bytes_is_refused_at_its_head),
        cmocka_unit_test (packed_depth_is_taken_to_the_limit),
        cmocka_unit_test (packed_find_spans_the_value_of_the_field),
        cmocka_unit_test (packed_many_keys_are_compared_in_a_moment),
        cmocka_unit_test (packed_check_without_memory_blames_the_memory),
        cmocka_unit_test (packed_same_key_on_other_levels_is_valid),
        cmocka_unit_test (packed_close_makes_room_for_the_count),
        cmocka_unit_test (packed_over_the_limit_writes_no_part_of_a_value),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
