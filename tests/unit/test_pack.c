/*  test_pack.c - bodies made and read by format.
 *
 *  A blank in front of a format makes pack.c and unpack.c go their general way,
 *  so both ways are compared with each other here.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/memory.h"
#include "runtime/body/json.h"
#include "runtime/body/pack.h"
#include "runtime/body/packed.h"

static troupe_error_t error;

static troupe_status_t
pack (buffer_t *to, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    troupe_status_t status = pack_append (to, &error, format, arguments);
    va_end (arguments);
    return status;
}

static troupe_status_t
unpack (const buffer_t *body, arena_t *strings, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    troupe_status_t status = pack_read (body->data, body->size, strings, &error, format, arguments);
    va_end (arguments);
    return status;
}

/*  The body of a JSON text. */
static buffer_t
body_of (const char *text)
{
    buffer_t body = { 0 };
    assert_int_equal (json_to_packed (text, strlen (text), &body, &error), TROUPE_OK);
    return body;
}

/*  Ends the buffer's life. */
static void
assert_json (buffer_t *body, const char *expected)
{
    buffer_t text = { 0 };
    assert_true (packed_is_valid (body->data, body->size));
    assert_int_equal (json_from_packed (body->data, body->size, &text, &error), TROUPE_OK);
    buffer_byte (&text, '\0');
    assert_string_equal ((char *) text.data, expected);
    buffer_clear (&text);
    buffer_clear (body);
}

static void
pack_null_format_appends_nothing (void **state)
{
    (void) state;
    buffer_t body = { 0 };
    assert_int_equal (pack (&body, NULL), TROUPE_OK);
    assert_int_equal (body.size, 0);
    assert_null (body.data);
}

static void
pack_flat_object_is_the_same_both_ways (void **state)
{
    (void) state;
    static const int64_t integers[] = { 0, 127, 128, -32, -33, 65536, INT64_MAX, INT64_MIN };
    static const char *const texts[] = { "", "a", "1234567", "12345678", "seven and more, of many words",
                                         "0123456789012345678901234567890", "01234567890123456789012345678901",
                                         "caf\xc3\xa9", "0123456789012345678901234567890123456789caf\xc3\xa9" };
    for (size_t at = 0; at < sizeof integers / sizeof *integers; at++)
        for (size_t index = 0; index < sizeof texts / sizeof *texts; index++) {
            buffer_t fast = { 0 }, slow = { 0 };
            json_int_t integer = integers[at];
            const char *text = texts[index];
            assert_int_equal (pack (&fast, "{s:I,s:s, s:b,s:i}", text, integer, "value", text, "on", 7, "small", -7),
                              TROUPE_OK);
            assert_int_equal (pack (&slow, " {s:I,s:s, s:b,s:i}", text, integer, "value", text, "on", 7, "small", -7),
                              TROUPE_OK);
            assert_true (packed_is_valid (fast.data, fast.size));
            assert_int_equal (fast.size, slow.size);
            assert_memory_equal (fast.data, slow.data, slow.size);
            buffer_clear (&fast);
            buffer_clear (&slow);
        }
}

static void
pack_laps_is_seven_bytes (void **state)
{
    (void) state;
    buffer_t body = { 0 };
    assert_int_equal (pack (&body, "{s:I}", "laps", (json_int_t) 10), TROUPE_OK);
    assert_int_equal (body.size, 7);
    assert_memory_equal (body.data, "\x81\xa4laps\x0a", 7);
    buffer_clear (&body);
}

static void
pack_every_type_becomes_its_value (void **state)
{
    (void) state;
    buffer_t body = { 0 };
    json_t *tree = json_pack ("{s:[i,n]}", "t", 1);
    assert_int_equal (pack (&body, "[s, s#, r#, I, i, f, b, b, n, o, v, v, {}, []]", "text", "cut here", (size_t) 3,
                            "\xff\xfe", (size_t) 2, (json_int_t) -5, 6, 0.25, 1, 0, tree, "\x92\x01\x02", (size_t) 3,
                            NULL, (size_t) 0),
                      TROUPE_OK);
    json_decref (tree);
    assert_json (&body, "[\"text\",\"cut\",\"//4=\",-5,6,0.25,true,false,null,{\"t\":[1,null]},[1,2],null,{},[]]");
}

static void
pack_one_value_needs_no_container (void **state)
{
    (void) state;
    buffer_t body = { 0 };
    assert_int_equal (pack (&body, "I", (json_int_t) 5), TROUPE_OK);
    assert_json (&body, "5");
    assert_int_equal (pack (&body, "s", "x"), TROUPE_OK);
    assert_json (&body, "\"x\"");
    assert_int_equal (pack (&body, "{}"), TROUPE_OK);
    assert_json (&body, "{}");
    assert_int_equal (pack (&body, " [\n] "), TROUPE_OK);
    assert_json (&body, "[]");
}

static void
pack_nested_object_is_closed_where_it_ends (void **state)
{
    (void) state;
    buffer_t body = { 0 };
    assert_int_equal (pack (&body, "{s:I,s:{s:s,s:[i,{s:n}]},s:i}", "a", (json_int_t) 1, "b", "c", "x", "d", 2, "e",
                            "f", 3),
                      TROUPE_OK);
    assert_json (&body, "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":[2,{\"e\":null}]},\"f\":3}");
    assert_int_equal (pack (&body, "{s{s[ii]}\t s : i}", "a", "b", 1, 2, "c", 3), TROUPE_OK);
    assert_json (&body, "{\"a\":{\"b\":[1,2]},\"c\":3}");
}

static void
pack_sixteen_fields_get_a_longer_head (void **state)
{
    (void) state;
    static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h",
                                         "i", "j", "k", "l", "m", "n", "o", "p" };
    buffer_t body = { 0 };
    assert_int_equal (pack (&body, "{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}",
                            names[0], 0, names[1], 1, names[2], 2, names[3], 3, names[4], 4, names[5], 5, names[6], 6,
                            names[7], 7, names[8], 8, names[9], 9, names[10], 10, names[11], 11, names[12], 12,
                            names[13], 13, names[14], 14, names[15], 15),
                      TROUPE_OK);
    assert_int_equal (body.data[0], 0xde);
    assert_true (packed_is_valid (body.data, body.size));
    assert_int_equal (body.size, 3 + 16 * 3);
    for (size_t index = 0; index < 16; index++) {
        packed_reader_t found;
        assert_true (packed_find (body.data, body.size, names[index], &found));
        assert_int_equal (*found.at, index);
    }
    buffer_clear (&body);
}

static void
pack_bad_argument_is_refused_and_leaves_no_trace (void **state)
{
    (void) state;
    buffer_t body = { 0 };
    buffer_append (&body, "before", 6);
    assert_int_equal (pack (&body, "{s:s}", "a", NULL), TROUPE_INVALID);
    assert_string_equal (error.text, "format \"{s:s}\" at 4: the string is NULL");
    assert_int_equal (pack (&body, "{s:I}", NULL, (json_int_t) 1), TROUPE_INVALID);
    assert_string_equal (error.text, "format \"{s:I}\" at 2: the string is NULL");
    assert_int_equal (pack (&body, "{s:s}", "a", "\xff"), TROUPE_INVALID);
    assert_int_equal (pack (&body, "{s:i}", "0123456789\xc3", 1), TROUPE_INVALID);
    assert_int_equal (pack (&body, "{s:i,s:f}", "a", 1, "b", (double) NAN), TROUPE_INVALID);
    assert_string_equal (error.text, "format \"{s:i,s:f}\" at 8: the number is NaN or infinite");
    assert_int_equal (pack (&body, "[f]", (double) -INFINITY), TROUPE_INVALID);
    assert_int_equal (pack (&body, "[i,o]", 1, NULL), TROUPE_INVALID);
    assert_int_equal (pack (&body, "[s#]", NULL, (size_t) 1), TROUPE_INVALID);
    assert_int_equal (pack (&body, "v", "\xc1", (size_t) 1), TROUPE_INVALID);
    assert_int_equal (pack (&body, "v", "\x01\x02", (size_t) 2), TROUPE_INVALID);
    assert_int_equal (body.size, 6);
    assert_memory_equal (body.data, "before", 6);
    assert_false (body.failed);
    buffer_clear (&body);
}

static void
pack_bad_format_is_refused_at_its_place (void **state)
{
    (void) state;
    static const char *const bad[] = { "", " ", "{", "{s", "{s:", "{s:i", "{i:i}", "{s:}", "[", "[i", "[i}", "{s:i]",
                                       "i}", "ii", "{s:i}i", "{s:i}}", "x", "F", "{s:F}", "{s#:i}", "{s?:i}", "r",
                                       "{s:i,s:i,s:s*}" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        buffer_t body = { 0 };
        static const char *const text = "1";
        assert_int_equal (pack (&body, bad[index], text, text, text, text, text, text), TROUPE_INVALID);
        assert_memory_equal (error.text, "format \"", 8);
        assert_int_equal (body.size, 0);
        buffer_clear (&body);
    }
}

static void
pack_limit_is_met_to_the_byte (void **state)
{
    (void) state;
    for (size_t limit = 1; limit < 110; limit++) {
        buffer_t body = { .limit = limit };
        troupe_status_t status = pack (&body, "{s:I,s:s,s:[f,b,n]}", "number", (json_int_t) 70000, "text",
                                       "forty characters of plain text are here.", "list", 0.5, 1);
        const size_t size = 1 + 7 + 5 + 5 + 42 + 5 + 1 + 9 + 1 + 1;
        assert_int_equal (status, limit < size ? TROUPE_TOO_LARGE : TROUPE_OK);
        assert_int_equal (body.size, limit < size ? 0 : size);
        assert_false (body.failed);
        buffer_clear (&body);
        body = (buffer_t) { .limit = limit };
        assert_int_equal (pack (&body, "{s:I}", "laps", (json_int_t) 1), limit < 7 ? TROUPE_TOO_LARGE : TROUPE_OK);
        buffer_clear (&body);
    }
}

static void
pack_depth_is_taken_to_the_limit (void **state)
{
    (void) state;
    char format[2 * (PACKED_DEPTH_MAX + 1) + 2];
    for (size_t depth = PACKED_DEPTH_MAX - 1; depth <= PACKED_DEPTH_MAX + 1; depth++) {
        bool fits = depth <= PACKED_DEPTH_MAX;
        buffer_t body = { 0 };
        memset (format, '[', depth);
        memset (format + depth, ']', depth);
        format[2 * depth] = '\0';
        assert_int_equal (pack (&body, format), fits ? TROUPE_OK : TROUPE_INVALID);
        assert_true (packed_is_valid (body.data, body.size));
        buffer_clear (&body);
        memmove (format + depth + 1, format + depth, depth + 1);
        format[depth] = 'v';
        assert_int_equal (pack (&body, format, "\x90", (size_t) 1), depth < PACKED_DEPTH_MAX ? TROUPE_OK
                                                                                             : TROUPE_INVALID);
        buffer_clear (&body);
    }
}

static void
pack_nth_allocation_fails_leaves_no_trace (void **state)
{
    (void) state;
    static char text[5000];
    memset (text, 'x', sizeof text - 1);
    json_t *tree = json_pack ("{s:s}", "a", text);
    bool done = false;
    for (uint64_t nth = 1; !done; nth++) {
        buffer_t body = { 0 };
        memory_fail_after (nth);
        troupe_status_t status = pack (&body, "{s:I,s:s,s:o,s:v,s:s}", "a", (json_int_t) 1, "b", text, "c", tree, "d",
                                       "\x81\xa1" "a\x01", (size_t) 4, "e", text);
        memory_fail_after (0);
        done = status == TROUPE_OK;
        if (!done) {
            assert_int_equal (status, TROUPE_NO_MEMORY);
            assert_int_equal (body.size, 0);
            assert_false (body.failed);
        }
        assert_true (nth < 30);
        buffer_clear (&body);
    }
    json_decref (tree);
}

static void
read_flat_object_gives_its_fields (void **state)
{
    (void) state;
    static const char *const formats[] = { "{s:I,s:s,s:b}", " {s:I,s:s,s:b}" };
    for (size_t index = 0; index < 2; index++) {
        buffer_t body = body_of ("{\"laps\":-70000,\"runner\":\"anna\",\"done\":true}");
        arena_t strings = { 0 };
        json_int_t laps = 0;
        const char *runner = NULL;
        int done = 0;
        assert_int_equal (unpack (&body, &strings, formats[index], "laps", &laps, "runner", &runner, "done", &done),
                          TROUPE_OK);
        assert_int_equal (laps, -70000);
        assert_string_equal (runner, "anna");
        assert_int_equal (done, 1);
        arena_clear (&strings);
        buffer_clear (&body);
    }
}

static void
read_fields_in_any_order_and_twice (void **state)
{
    (void) state;
    buffer_t body = body_of ("{\"a\":1,\"b\":2,\"c\":{\"d\":3,\"e\":4},\"f\":[5,6,7]}");
    json_int_t a, b, d, e, f, again;
    assert_int_equal (unpack (&body, NULL, "{s:[I],s:I,s:{s:I,s:I},s:I,s:I}", "f", &f, "b", &b, "c", "e", &e, "d", &d,
                              "a", &a, "a", &again),
                      TROUPE_OK);
    assert_int_equal (a * 100000 + b * 10000 + d * 1000 + e * 100 + f * 10 + again, 123451);
    buffer_clear (&body);
}

static void
read_every_type_gives_its_value (void **state)
{
    (void) state;
    buffer_t body = { 0 };
    arena_t strings = { 0 };
    assert_int_equal (pack (&body, "[s,s#,r#,I,i,f,i,b,n,{s:i},{s:i}]", "text", "a\0b", (size_t) 3, "\xff", (size_t) 1,
                            (json_int_t) 5, 6, 0.5, 7, 1, "x", 8, "y", 9),
                      TROUPE_OK);
    const char *text, *sized;
    const void *raw, *packed;
    size_t sized_size, raw_size, packed_size;
    json_int_t large;
    int small, truth;
    double real, number;
    json_t *tree;
    assert_int_equal (unpack (&body, &strings, "[s,s#,r#,I,i,f,F,b,n,o,v]", &text, &sized, &sized_size, &raw, &raw_size,
                              &large, &small, &real, &number, &truth, &tree, &packed, &packed_size),
                      TROUPE_OK);
    assert_string_equal (text, "text");
    assert_int_equal (sized_size, 3);
    assert_memory_equal (sized, "a\0b\0", 4);
    assert_int_equal (raw_size, 1);
    assert_memory_equal (raw, "\xff", 1);
    assert_true (large == 5 && small == 6 && truth == 1);
    assert_true (real == 0.5 && number == 7.0);
    assert_int_equal (json_integer_value (json_object_get (tree, "x")), 8);
    assert_int_equal (packed_size, 4);
    assert_memory_equal (packed, "\x81\xa1y\x09", 4);
    json_decref (tree);
    arena_clear (&strings);
    buffer_clear (&body);
}

static void
read_misfit_names_the_place (void **state)
{
    (void) state;
    static const struct {
        const char *body, *format, *text;
    } cases[] = {
        { "{\"laps\":\"ten\"}", "{s:I}", "body.laps: an integer is wanted, not a string" },
        { "{\"laps\":1}", "{s:s}", "body.laps: a string is wanted, not an integer" },
        { "{\"laps\":1.5}", "{s:I}", "body.laps: an integer is wanted, not a real number" },
        { "{\"laps\":3}", "{s:f}", "body.laps: a real number is wanted, not an integer" },
        { "{\"laps\":null}", "{s:F}", "body.laps: a number is wanted, not null" },
        { "{\"laps\":0}", "{s:b}", "body.laps: a boolean is wanted, not an integer" },
        { "{\"laps\":0}", "{s:n}", "body.laps: null is wanted, not an integer" },
        { "{\"laps\":2147483648}", "{s:i}", "body.laps: an integer of 32 bits is wanted" },
        { "{\"laps\":\"a\\u0000b\"}", "{s:s}", "body.laps: a string without NUL is wanted" },
        { "{\"other\":1}", "{s:I}", "body.laps: is missing" },
        { "{}", "{s:I}", "body.laps: is missing" },
        { "{\"laps\":[1,2]}", "{s:[III]}", "body.laps[2]: the array is too short" },
        { "{\"laps\":[1,true]}", "{s:[II]}", "body.laps[1]: an integer is wanted, not a boolean" },
        { "{\"laps\":{}}", "{s:[I]}", "body.laps: an array is wanted, not an object" },
        { "[1]", "{s:I}", "body: an object is wanted, not an array" },
        { "\"x\"", "[I]", "body: an array is wanted, not a string" },
        { "7", "r#", "body: raw bytes are wanted, not an integer" },
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        buffer_t body = body_of (cases[index].body);
        arena_t strings = { 0 };
        char targets[4][8];
        bool named = strchr (cases[index].format, '{') != NULL;
        const void *first = named ? (const void *) "laps" : (const void *) targets[3];
        assert_int_equal (unpack (&body, &strings, cases[index].format, first, targets[0], targets[1], targets[2]),
                          TROUPE_INVALID);
        assert_string_equal (error.text, cases[index].text);
        arena_clear (&strings);
        buffer_clear (&body);
    }
}

static void
read_deep_place_is_shown_in_full (void **state)
{
    (void) state;
    buffer_t body = body_of ("{\"a\":[0,{\"b\":{\"c\":[[1]]}}]}");
    json_int_t integer;
    const char *text;
    assert_int_equal (unpack (&body, NULL, "{s:[I,{s:{s:[[s]]}}]}", "a", &integer, "b", "c", &text), TROUPE_INVALID);
    assert_string_equal (error.text, "body.a[1].b.c[0][0]: a string is wanted, not an integer");
    buffer_clear (&body);
}

static void
read_optional_missing_leaves_its_targets (void **state)
{
    (void) state;
    buffer_t body = body_of ("{\"a\":1,\"none\":null,\"z\":26}");
    arena_t strings = { 0 };
    json_int_t a = 0, z = 0, inner = 7, other = 8;
    const char *text = "untouched", *sized = text;
    size_t size = 9;
    int truth = 5;
    double real = 0.5;
    json_t *tree = NULL, *null_tree = NULL;
    assert_int_equal (unpack (&body, &strings, "{s:I,s?:s,s?:s#,s?:{s:I,s?:[b,n,F]},s?:o,s?:I,s?:o,s:I}", "a", &a,
                              "text", &text, "sized", &sized, &size, "deep", "inner", &inner, "list", &truth, &real,
                              "tree", &tree, "none", &other, "none", &null_tree, "z", &z),
                      TROUPE_OK);
    assert_true (a == 1 && z == 26 && inner == 7 && other == 8 && truth == 5 && real == 0.5 && size == 9);
    assert_string_equal (text, "untouched");
    assert_null (tree);
    assert_true (json_is_null (null_tree));
    json_decref (null_tree);
    arena_clear (&strings);
    buffer_clear (&body);
}

static void
read_optional_present_must_fit (void **state)
{
    (void) state;
    buffer_t body = body_of ("{\"a\":\"x\"}");
    json_int_t a = 3;
    assert_int_equal (unpack (&body, NULL, "{s?:I}", "a", &a), TROUPE_INVALID);
    assert_string_equal (error.text, "body.a: an integer is wanted, not a string");
    assert_int_equal (a, 3);
    buffer_clear (&body);
}

static void
read_extra_fields_and_elements_are_ignored (void **state)
{
    (void) state;
    buffer_t body = body_of ("{\"x\":[[1,2,3],4],\"a\":[1,{\"b\":2},3],\"y\":{},\"z\":9}");
    json_int_t a, z;
    assert_int_equal (unpack (&body, NULL, "{s:[I],s:I}", "a", &a, "z", &z), TROUPE_OK);
    assert_true (a == 1 && z == 9);
    buffer_clear (&body);
}

static void
read_empty_body_is_null (void **state)
{
    (void) state;
    buffer_t body = { 0 };
    json_int_t laps = 4;
    const void *packed;
    size_t size;
    assert_int_equal (unpack (&body, NULL, NULL), TROUPE_OK);
    assert_int_equal (unpack (&body, NULL, "n"), TROUPE_OK);
    assert_int_equal (unpack (&body, NULL, "v", &packed, &size), TROUPE_OK);
    assert_int_equal (size, 1);
    assert_int_equal (unpack (&body, NULL, "{s:I}", "laps", &laps), TROUPE_INVALID);
    assert_string_equal (error.text, "body: an object is wanted, not null");
}

static void
read_failed_gives_trees_back (void **state)
{
    (void) state;
    buffer_t body = body_of ("{\"a\":[1],\"b\":[2],\"c\":3}");
    arena_t strings = { 0 };
    json_t *a = NULL, *b = NULL;
    const char *c;
    assert_int_equal (unpack (&body, &strings, "{s:o,s:o,s:s}", "a", &a, "b", &b, "c", &c), TROUPE_INVALID);
    assert_null (a);
    assert_null (b);
    arena_clear (&strings);
    buffer_clear (&body);
}

static void
read_bad_format_is_refused_at_its_place (void **state)
{
    (void) state;
    static const char *const bad[] = { "", "{", "{s", "{s:", "{s:I", "{I:I}", "{s:x}", "{s:I}I", "{s:I]", "{s?:x}",
                                       "{s:I,s?:{I}}", "{s:r}", "{s:I}}" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        buffer_t body = body_of ("{\"a\":1}");
        json_int_t target;
        assert_int_equal (unpack (&body, NULL, bad[index], "a", &target, "none", &target), TROUPE_INVALID);
        assert_memory_equal (error.text, "format \"", 8);
        buffer_clear (&body);
    }
}

static void
read_damaged_bytes_are_refused (void **state)
{
    (void) state;
    buffer_t whole = body_of ("{\"a\":{\"x\":[1,2]},\"b\":\"text\",\"c\":[{}]}");
    for (size_t size = 1; size < whole.size; size++) {
        uint8_t *cut = memory_alloc (size);
        memcpy (cut, whole.data, size);
        buffer_t body = { .data = cut, .size = size };
        arena_t strings = { 0 };
        json_int_t x;
        const char *text;
        json_t *tree;
        assert_int_equal (unpack (&body, &strings, "{s:{s:[I]},s:s,s:o}", "a", "x", &x, "b", &text, "c", &tree),
                          TROUPE_INVALID);
        arena_clear (&strings);
        memory_free (cut);
    }
    buffer_clear (&whole);
}

static void
read_nth_allocation_fails_leaks_nothing (void **state)
{
    (void) state;
    buffer_t body = body_of ("{\"a\":{\"x\":[1,\"y\"]},\"b\":\"text\",\"c\":[{}]}");
    bool done = false;
    json_set_alloc_funcs (memory_alloc, memory_free);
    for (uint64_t nth = 1; !done; nth++) {
        arena_t strings = { 0 };
        const char *text;
        json_t *first = NULL, *second = NULL;
        memory_fail_after (nth);
        troupe_status_t status = unpack (&body, &strings, "{s:o,s:s,s:o}", "a", &first, "b", &text, "c", &second);
        memory_fail_after (0);
        done = status == TROUPE_OK;
        if (!done) {
            assert_int_equal (status, TROUPE_NO_MEMORY);
            assert_true (!first && !second);
        }
        json_decref (first);
        json_decref (second);
        arena_clear (&strings);
        assert_true (nth < 100);
    }
    json_set_alloc_funcs (malloc, free);
    buffer_clear (&body);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (pack_null_format_appends_nothing),
        cmocka_unit_test (pack_flat_object_is_the_same_both_ways),
        cmocka_unit_test (pack_laps_is_seven_bytes),
        cmocka_unit_test (pack_every_type_becomes_its_value),
        cmocka_unit_test (pack_one_value_needs_no_container),
        cmocka_unit_test (pack_nested_object_is_closed_where_it_ends),
        cmocka_unit_test (pack_sixteen_fields_get_a_longer_head),
        cmocka_unit_test (pack_bad_argument_is_refused_and_leaves_no_trace),
        cmocka_unit_test (pack_bad_format_is_refused_at_its_place),
        cmocka_unit_test (pack_limit_is_met_to_the_byte),
        cmocka_unit_test (pack_depth_is_taken_to_the_limit),
        cmocka_unit_test (pack_nth_allocation_fails_leaves_no_trace),
        cmocka_unit_test (read_flat_object_gives_its_fields),
        cmocka_unit_test (read_fields_in_any_order_and_twice),
        cmocka_unit_test (read_every_type_gives_its_value),
        cmocka_unit_test (read_misfit_names_the_place),
        cmocka_unit_test (read_deep_place_is_shown_in_full),
        cmocka_unit_test (read_optional_missing_leaves_its_targets),
        cmocka_unit_test (read_optional_present_must_fit),
        cmocka_unit_test (read_extra_fields_and_elements_are_ignored),
        cmocka_unit_test (read_empty_body_is_null),
        cmocka_unit_test (read_failed_gives_trees_back),
        cmocka_unit_test (read_bad_format_is_refused_at_its_place),
        cmocka_unit_test (read_damaged_bytes_are_refused),
        cmocka_unit_test (read_nth_allocation_fails_leaks_nothing),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
