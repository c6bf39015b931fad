/*  test_json.c - JSON text, jansson trees and packed bodies, and what troupe.h offers of them.
 */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"
#include "runtime/body/real.h"

static troupe_error_t error;

static void
assert_packs_to (const char *text, const char *bytes, size_t size)
{
    buffer_t body = { 0 };
    assert_int_equal (json_to_packed (text, strlen (text), &body, &error), TROUPE_OK);
    assert_int_equal (body.size, size);
    assert_memory_equal (body.data, bytes, size);
    assert_true (packed_is_valid (body.data, body.size));
    buffer_clear (&body);
}

static void
assert_prints (const char *bytes, size_t size, const char *expected)
{
    buffer_t text = { 0 };
    assert_int_equal (json_from_packed (bytes, size, &text, &error), TROUPE_OK);
    buffer_byte (&text, '\0');
    assert_string_equal ((char *) text.data, expected);
    buffer_clear (&text);
}

static void
json_text_becomes_packed (void **state)
{
    (void) state;
    assert_packs_to ("null", "\xc0", 1);
    assert_packs_to (" true ", "\xc3", 1);
    assert_packs_to ("false", "\xc2", 1);
    assert_packs_to ("0", "\x00", 1);
    assert_packs_to ("-0", "\x00", 1);
    assert_packs_to ("-1", "\xff", 1);
    assert_packs_to ("9223372036854775807", "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9);
    assert_packs_to ("-9223372036854775808", "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9);
    assert_packs_to ("1.5", "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9);
    assert_packs_to ("15E-1", "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9);
    assert_packs_to ("\"\"", "\xa0", 1);
    assert_packs_to ("[]", "\x90", 1);
    assert_packs_to ("{ }", "\x80", 1);
    assert_packs_to ("\t{\"a\" : [1 ,\r\n2]}", "\x81\xa1" "a\x92\x01\x02", 6);
}

static void
json_escapes_become_characters (void **state)
{
    (void) state;
    assert_packs_to ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\xa8\"\\/\b\f\n\r\t", 9);
    assert_packs_to ("\"a\\u0041\\u00e9\\u20AC\\uD83D\\uDE00z\"", "\xac" "aA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", 13);
    assert_packs_to ("\"\\u0000\"", "\xa1\x00", 2);
    assert_packs_to ("{\"\\u0061\":\"caf\xc3\xa9\"}", "\x81\xa1" "a\xa5" "caf\xc3\xa9", 9);
}

static void
json_bad_text_is_refused_with_line_and_column (void **state)
{
    (void) state;
    static const struct {
        const char *text, *place;
    } cases[] = {
        { "", "line 1 column 1: the text ends too early" },
        { "  ", "line 1 column 3: the text ends too early" },
        { "nul", "line 1 column 1: a value is wanted" },
        { "1 2", "line 1 column 3: only one value is wanted" },
        { "[1,\n2,\n  x]", "line 3 column 3: a value is wanted" },
        { "[1,]", "line 1 column 4: a value is wanted" },
        { "[1 2]", "line 1 column 4: a comma or ] is wanted" },
        { "{\"a\":1,}", "line 1 column 8: a key in quotes is wanted" },
        { "{a:1}", "line 1 column 2: a key in quotes is wanted" },
        { "{\"a\" 1}", "line 1 column 6: a colon is wanted" },
        { "{\"a\":1", "line 1 column 7: the text ends too early" },
        { "{\"a\":1 \"b\":2}", "line 1 column 8: a comma or } is wanted" },
        { "[01]", "line 1 column 2: a number may not begin with 0" },
        { "-", "line 1 column 2: the text ends too early" },
        { "+1", "line 1 column 1: a value is wanted" },
        { "1.", "line 1 column 3: the text ends too early" },
        { "[1.x]", "line 1 column 4: a digit is wanted" },
        { "[1e]", "line 1 column 4: a digit is wanted" },
        { "NaN", "line 1 column 1: a value is wanted" },
        { "[1e999]", "line 1 column 2: the number is too large or too long" },
        { "[9223372036854775808]", "line 1 column 2: the integer is beyond 64 bits" },
        { "-9223372036854775809", "line 1 column 1: the integer is beyond 64 bits" },
        { "\"abc", "line 1 column 5: the text ends too early" },
        { "\"a\nb\"", "line 1 column 3: a control character in a string must be escaped" },
        { "\"a\\x\"", "line 1 column 3: no such escape" },
        { "\"\\u12g4\"", "line 1 column 4: four hex digits are wanted" },
        { "\"\\ud83d\"", "line 1 column 2: the first half of a pair without the second" },
        { "\"\\ud83d\\u0041\"", "line 1 column 2: the first half of a pair without the second" },
        { "\"\\ude00\"", "line 1 column 2: the second half of a pair without the first" },
        { "[\"caf\xc3\xa9\", \"\xff\"]", "line 1 column 11: this is no UTF-8" },
        { "[{\"a\":1,\"b\":2,\"\\u0061\":3}]", "line 1 column 2: a key of this object stands in it twice" },
        { "{\"a\\u0000\":1}", "line 1 column 2: a key may not hold a NUL" },
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        buffer_t body = { 0 };
        buffer_append (&body, "before", 6);
        assert_int_equal (json_to_packed (cases[index].text, strlen (cases[index].text), &body, &error),
                          TROUPE_INVALID);
        assert_memory_equal (error.text, "JSON ", 5);
        assert_string_equal (error.text + 5, cases[index].place);
        assert_int_equal (body.size, 6);
        buffer_clear (&body);
    }
}

static void
json_depth_is_taken_to_the_limit (void **state)
{
    (void) state;
    for (size_t depth = PACKED_DEPTH_MAX - 1; depth <= PACKED_DEPTH_MAX + 1; depth++) {
        char text[2 * (PACKED_DEPTH_MAX + 1)];
        buffer_t body = { 0 };
        bool fits = depth <= PACKED_DEPTH_MAX;
        memset (text, '[', depth);
        memset (text + depth, ']', depth);
        assert_int_equal (json_to_packed (text, 2 * depth, &body, &error), fits ? TROUPE_OK : TROUPE_INVALID);
        assert_int_equal (body.size, fits ? depth : 0);
        json_t *tree = json_loadb (text, 2 * depth, 0, NULL);
        buffer_reset (&body);
        assert_int_equal (json_tree_to_packed (tree, &body, &error), fits ? TROUPE_OK : TROUPE_INVALID);
        json_decref (tree);
        buffer_clear (&body);
    }
}

static void
json_text_without_end_is_refused_at_any_cut (void **state)
{
    (void) state;
    static const char whole[] = "{\"a\":[1.5e3,true,null,\"x\\n\\u20ac\"],\"b\":{}}";
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        char *cut = memory_alloc (size);
        memcpy (cut, whole, size);
        buffer_t body = { 0 };
        assert_int_equal (json_to_packed (cut, size, &body, &error), TROUPE_INVALID);
        buffer_clear (&body);
        memory_free (cut);
    }
}

static void
json_packed_becomes_compact_text (void **state)
{
    (void) state;
    assert_prints (NULL, 0, "null");
    assert_prints ("\x84\xa1" "a\xc0\xa1" "b\x93\xc2\xc3\xcb\xbf\xf8\x00\x00\x00\x00\x00\x00\xa0\xd3\x80\x00\x00\x00"
                   "\x00\x00\x00\x00\xa1" "c\x80", 31,
                   "{\"a\":null,\"b\":[false,true,-1.5],\"\":-9223372036854775808,\"c\":{}}");
    assert_prints ("\xaa\"\\\x01\n\x1f/\x7f\xc3\xa9" "a", 11, "\"\\\"\\\\\\u0001\\n\\u001f/\x7f\xc3\xa9" "a\"");
}

static void
json_raw_bytes_become_base64 (void **state)
{
    (void) state;
    assert_prints ("\xc4\x00", 2, "\"\"");
    assert_prints ("\xc4\x01" "f", 3, "\"Zg==\"");
    assert_prints ("\xc4\x02" "fo", 4, "\"Zm8=\"");
    assert_prints ("\xc4\x03" "foo", 5, "\"Zm9v\"");
    assert_prints ("\xc4\x06" "foobar", 8, "\"Zm9vYmFy\"");
    assert_prints ("\xc4\x03\xff\xfe\xfd", 5, "\"//79\"");
    json_t *tree = json_tree_from_packed ("\xc4\x06" "foobar", 8, &error);
    assert_string_equal (json_string_value (tree), "Zm9vYmFy");
    json_decref (tree);
}

static void
json_bad_packed_becomes_neither_text_nor_tree (void **state)
{
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        { "\xc1", 1 }, { "\x01\x02", 2 }, { "\x92\x01", 2 }, { "\x81\x01\x02", 3 }, { "\xa1\xff", 2 },
        { "\x81\xa1\xff\x01", 4 }, { "\xa5" "abc", 4 }, { "\xd4\x01\x01", 3 },
    };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        buffer_t text = { 0 };
        buffer_append (&text, "before", 6);
        assert_int_equal (json_from_packed (bad[index].bytes, bad[index].size, &text, &error), TROUPE_INVALID);
        assert_int_equal (text.size, 6);
        assert_null (json_tree_from_packed (bad[index].bytes, bad[index].size, &error));
        assert_int_equal (error.status, TROUPE_INVALID);
        buffer_clear (&text);
    }
    assert_null (json_tree_from_packed ("\x82\xa1" "a\x01\xa1" "a\x02", 7, &error));
    assert_int_equal (error.status, TROUPE_INVALID);
}

static const struct {
    double real;
    const char *text;
} reals[] = {
    { 0.0, "0.0" }, { -0.0, "-0.0" }, { 1.0, "1.0" }, { 0.1, "0.1" }, { 1.0 / 3, "0.3333333333333333" },
    { 1e15, "1e+15" }, { 123456789012345.0, "123456789012345.0" }, { 1e22, "1e+22" },
    { 5e-324, "4.94065645841247e-324" }, { 1.7976931348623157e308, "1.7976931348623157e+308" },
    { 72.5, "72.5" }, { 9007199254740993.0, "9007199254740992.0" },
};

static void
real_is_printed_shortest_and_reads_back (void **state)
{
    (void) state;
    for (size_t index = 0; index < sizeof reals / sizeof *reals; index++) {
        char text[REAL_TEXT_MAX];
        double again;
        size_t length = real_print (reals[index].real, text);
        assert_int_equal (length, strlen (reals[index].text));
        assert_memory_equal (text, reals[index].text, length);
        assert_true (real_parse (text, length, &again));
        assert_memory_equal (&again, &reals[index].real, sizeof again);
    }
    uint64_t dice = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        char text[REAL_TEXT_MAX];
        double real, again;
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        memcpy (&real, &dice, sizeof real);
        if (isfinite (real)) {
            assert_true (real_parse (text, real_print (real, text), &again));
            assert_memory_equal (&again, &real, sizeof again);
        }
    }
}

static void
real_in_a_locale_with_a_comma_keeps_its_point (void **state)
{
    (void) state;
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8" };
    const char *found = NULL;
    for (size_t index = 0; index < sizeof names / sizeof *names && !found; index++)
        found = setlocale (LC_NUMERIC, names[index]);
    if (!found || *localeconv ()->decimal_point != ',')
        skip ();
    real_is_printed_shortest_and_reads_back (NULL);
    assert_packs_to ("1.5", "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9);
    setlocale (LC_NUMERIC, "C");
}

static void
json_number_of_a_thousand_digits_is_taken_and_a_longer_refused (void **state)
{
    (void) state;
    char text[1200];
    buffer_t body = { 0 };
    memset (text, '3', sizeof text);
    memcpy (text, "0.", 2);
    assert_int_equal (json_to_packed (text, 1000, &body, &error), TROUPE_OK);
    assert_int_equal (json_to_packed (text, sizeof text, &body, &error), TROUPE_INVALID);
    buffer_clear (&body);
}

static void
json_tree_goes_there_and_back (void **state)
{
    (void) state;
    json_t *tree = json_pack ("{s:I,s:f,s:[b,b,n],s:{s:s#},s:{}}", "a", (json_int_t) INT64_MIN, "b", 0.5, "c", 1, 0,
                              "d", "e", "x\0y", 3, "f");
    buffer_t body = { 0 };
    assert_int_equal (json_tree_to_packed (tree, &body, &error), TROUPE_OK);
    assert_true (packed_is_valid (body.data, body.size));
    json_t *again = json_tree_from_packed (body.data, body.size, &error);
    assert_true (json_equal (tree, again));
    json_decref (tree);
    json_decref (again);
    again = json_tree_from_packed (NULL, 0, &error);
    assert_true (json_is_null (again));
    json_decref (again);
    buffer_clear (&body);
}

static void
json_tree_that_is_no_json_is_refused (void **state)
{
    (void) state;
    json_t *bad[] = {
        NULL, json_string_nocheck ("\xff"), json_pack ("[O]", json_null ()), json_object (), json_object ()
    };
    json_array_append (bad[2], bad[2]);  /* jansson refuses this one, so by another way round */
    json_t *inner = json_array ();
    json_array_append_new (bad[2], inner);
    json_array_append (inner, bad[2]);
    json_object_set_new_nocheck (bad[3], "\xc3(", json_null ());
    json_object_setn_new_nocheck (bad[4], "a\0b", 3, json_null ());
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        buffer_t body = { 0 };
        buffer_append (&body, "before", 6);
        assert_int_equal (json_tree_to_packed (bad[index], &body, &error), TROUPE_INVALID);
        assert_int_equal (body.size, 6);
        buffer_clear (&body);
    }
    json_array_clear (inner);
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        json_decref (bad[index]);
}

static void
json_over_the_limit_is_too_large_and_leaves_no_trace (void **state)
{
    (void) state;
    static const char text[] = "{\"a\":[1,2,3,\"four\"]}";
    for (size_t limit = 1; limit < 40; limit++) {
        buffer_t body = { .limit = limit }, printed = { .limit = limit };
        assert_int_equal (json_to_packed (text, strlen (text), &body, &error), limit < 12 ? TROUPE_TOO_LARGE
                                                                                           : TROUPE_OK);
        assert_int_equal (body.size, limit < 12 ? 0 : 12);
        assert_int_equal (json_from_packed ("\x81\xa1" "a\x94\x01\x02\x03\xa4" "four", 12, &printed, &error),
                          limit < sizeof text - 1 ? TROUPE_TOO_LARGE : TROUPE_OK);
        assert_int_equal (printed.size, limit < sizeof text - 1 ? 0 : sizeof text - 1);
        buffer_clear (&body);
        buffer_clear (&printed);
    }
}

static void
json_nth_allocation_fails_says_so_and_leaks_nothing (void **state)
{
    (void) state;
    static const char text[] = "{\"a\":[1,2,3,\"with \\n escape\"],\"b\":{\"c\":0.5,\"d\":\"\\u20ac\"},\"e\":[[],{}]}";
    bool done = false;
    json_set_alloc_funcs (memory_alloc, memory_free);
    for (uint64_t nth = 1; !done; nth++) {
        troupe_status_t statuses[4] = { 0 };
        buffer_t body = { 0 }, printed = { 0 }, again = { 0 };
        assert_int_equal (json_to_packed (text, strlen (text), &body, &error), TROUPE_OK);
        memory_fail_after (nth);
        statuses[0] = json_to_packed (text, strlen (text), &again, &error);
        memory_fail_after (nth);
        statuses[1] = json_from_packed (body.data, body.size, &printed, &error);
        memory_fail_after (nth);
        json_t *tree = json_tree_from_packed (body.data, body.size, &error);
        statuses[2] = tree ? TROUPE_OK : error.status;
        buffer_clear (&again);
        memory_fail_after (nth);
        if (tree)
            statuses[3] = json_tree_to_packed (tree, &again, &error);
        memory_fail_after (0);
        done = true;
        for (size_t index = 0; index < 4; index++) {
            assert_true (statuses[index] == TROUPE_OK || statuses[index] == TROUPE_NO_MEMORY);
            done &= statuses[index] == TROUPE_OK;
        }
        json_decref (tree);
        buffer_clear (&body);
        buffer_clear (&printed);
        buffer_clear (&again);
        assert_true (nth < 200);
    }
    json_set_alloc_funcs (malloc, free);
}

static void
public_json_is_packed_and_unpacked (void **state)
{
    (void) state;
    size_t size = 0;
    void *body = troupe_pack_json ("{\"laps\": 10}", 12, &size, &error);
    assert_int_equal (size, 7);
    assert_memory_equal (body, "\x81\xa4laps\x0a", 7);
    char *text = troupe_unpack_json (body, size, &error);
    assert_string_equal (text, "{\"laps\":10}");
    free (text);
    free (body);
    text = troupe_unpack_json (NULL, 0, NULL);
    assert_string_equal (text, "null");
    free (text);
    assert_null (troupe_pack_json ("{", 1, &size, &error));
    assert_int_equal (error.status, TROUPE_INVALID);
    assert_null (troupe_unpack_json ("\xc1", 1, &error));
    assert_int_equal (error.status, TROUPE_INVALID);
}

static void
public_json_over_the_limits_is_refused (void **state)
{
    (void) state;
    size_t size = TROUPE_BODY_MAX, packed_size;
    char *text = malloc (size + 2);
    memset (text, 'x', size + 2);
    text[0] = text[size + 1] = '"';
    assert_null (troupe_pack_json (text, size + 2, &packed_size, &error));
    assert_int_equal (error.status, TROUPE_TOO_LARGE);
    assert_null (troupe_pack_json (text, (size_t) 1 << 40, &packed_size, &error));
    assert_int_equal (error.status, TROUPE_TOO_LARGE);
    assert_null (troupe_unpack_json (text, size + 1, &error));
    assert_int_equal (error.status, TROUPE_TOO_LARGE);
    text[size - 5] = '"';
    void *body = troupe_pack_json (text, size - 4, &packed_size, &error);
    assert_non_null (body);
    assert_int_equal (packed_size, size - 1);
    free (body);
    free (text);
}

static void
public_status_names_are_all_there_and_differ (void **state)
{
    (void) state;
    for (int status = 0; status < TROUPE_STATUSES; status++)
        for (int other = 0; other < status; other++)
            assert_string_not_equal (troupe_status_name (status), troupe_status_name (other));
    assert_string_equal (troupe_status_name (TROUPE_OVERLOADED), "overloaded");
    assert_string_equal (troupe_status_name (TROUPE_NOT_FOUND), "not_found");
    assert_non_null (troupe_status_name ((troupe_status_t) 1000));
    assert_non_null (troupe_status_name ((troupe_status_t) -1));
}

/*  Numbers of few digits are read and printed without the C library, which must not show. */
static void
real_of_few_digits_is_what_the_library_says (void **state)
{
    (void) state;
    uint64_t dice = 88172645463325252u;
    for (unsigned round = 0; round < 200000; round++) {
        char text[REAL_TEXT_MAX + 1], other[40];
        double real;
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        long long digits = (long long) (dice % 1000000000000000u) / (1LL << dice % 50);
        snprintf (text, sizeof text, "%s%lld.%0*llu", dice & 64 ? "-" : "", digits, 1 + (int) (dice >> 60),
                  (unsigned long long) (dice >> 20) % 10);
        assert_true (real_parse (text, strlen (text), &real));
        assert_true (real == strtod (text, NULL));
        real = (double) digits / (round % 2 ? 1e7 : 1e3) + (round % 5 ? 0 : 1e-9);
        text[real_print (real, text)] = '\0';
        int width = 15;
        do
            snprintf (other, sizeof other, "%.*g", width++, real);
        while (strtod (other, NULL) != real);
        if (!strpbrk (other, ".e"))
            strcat (other, ".0");
        assert_string_equal (text, other);
    }
}

/*  Strings are looked at eight bytes at a time. */
static void
json_strings_with_any_byte_anywhere_come_back (void **state)
{
    (void) state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t place = 0; place < 20; place++) {
            char string[20];
            buffer_t packed = { 0 }, text = { 0 }, again = { 0 };
            memset (string, 'x', sizeof string);
            string[place] = (char) byte;
            packed_put_string (&packed, string, sizeof string);
            troupe_status_t status = json_from_packed (packed.data, packed.size, &text, &error);
            assert_int_equal (status, byte < 128 ? TROUPE_OK : TROUPE_INVALID);
            if (byte < 128) {
                assert_int_equal (json_to_packed ((char *) text.data, text.size, &again, &error), TROUPE_OK);
                assert_int_equal (again.size, packed.size);
                assert_memory_equal (again.data, packed.data, packed.size);
            }
            buffer_clear (&packed);
            buffer_clear (&text);
            buffer_clear (&again);
        }
}

static void
json_keys_differ_however_many_they_are (void **state)
{
    (void) state;
    for (int count = 2; count < 30; count++)
        for (int twin = 0; twin < count; twin++) {
            buffer_t text = { 0 }, body = { 0 };
            for (int key = 0; key < count; key++)
                buffer_printf (&text, "%s\"k%d\":1", key ? "," : "{", key == count - 1 ? twin : key);
            buffer_byte (&text, '}');
            assert_int_equal (json_to_packed ((char *) text.data, text.size, &body, &error),
                              twin == count - 1 ? TROUPE_OK : TROUPE_INVALID);
            buffer_clear (&text);
            buffer_clear (&body);
        }
}

static void
json_values_of_one_text_are_read_one_by_one (void **state)
{
    (void) state;
    json_parser_t parser = { 0 };
    buffer_t body = { 0 };
    const char text[] = "{\"a\":\"\\n\"} [1]\n x";
    json_open (&parser, text, sizeof text - 1);
    assert_int_equal (json_next (&parser, PACKED_DEPTH_MAX, &body, &error), TROUPE_OK);
    assert_int_equal (json_peek (&parser), '[');
    assert_int_equal (json_next (&parser, 0, &body, &error), TROUPE_INVALID);
    assert_string_equal (error.text, "JSON line 1 column 12: nested too deeply");
    assert_int_equal (body.size, 5);
    assert_int_equal (json_next (&parser, 1, &body, &error), TROUPE_OK);
    assert_int_equal (json_next (&parser, 1, &body, &error), TROUPE_INVALID);
    assert_string_equal (error.text, "JSON line 2 column 2: a value is wanted");
    assert_int_equal (body.size, 7);
    assert_memory_equal (body.data, "\x81\xa1" "a\xa1\n\x91\x01", 7);
    json_close (&parser);
    buffer_clear (&body);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (json_text_becomes_packed),
        cmocka_unit_test (json_escapes_become_characters),
        cmocka_unit_test (json_bad_text_is_refused_with_line_and_column),
        cmocka_unit_test (json_depth_is_taken_to_the_limit),
        cmocka_unit_test (json_text_without_end_is_refused_at_any_cut),
        cmocka_unit_test (json_packed_becomes_compact_text),
        cmocka_unit_test (json_raw_bytes_become_base64),
        cmocka_unit_test (json_bad_packed_becomes_neither_text_nor_tree),
        cmocka_unit_test (real_is_printed_shortest_and_reads_back),
        cmocka_unit_test (real_in_a_locale_with_a_comma_keeps_its_point),
        cmocka_unit_test (json_number_of_a_thousand_digits_is_taken_and_a_longer_refused),
        cmocka_unit_test (json_tree_goes_there_and_back),
        cmocka_unit_test (json_tree_that_is_no_json_is_refused),
        cmocka_unit_test (json_over_the_limit_is_too_large_and_leaves_no_trace),
        cmocka_unit_test (json_nth_allocation_fails_says_so_and_leaks_nothing),
        cmocka_unit_test (public_json_is_packed_and_unpacked),
        cmocka_unit_test (public_json_over_the_limits_is_refused),
        cmocka_unit_test (public_status_names_are_all_there_and_differ),
        cmocka_unit_test (real_of_few_digits_is_what_the_library_says),
        cmocka_unit_test (json_strings_with_any_byte_anywhere_come_back),
        cmocka_unit_test (json_keys_differ_however_many_they_are),
        cmocka_unit_test (json_values_of_one_text_are_read_one_by_one),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
