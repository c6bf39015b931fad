/*  test_shape.c - what goes by shape is what the general way makes of it. */
#include "runtime/body/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    literals_t literals;
    shapes_t shapes;
    buffer_t shaped, general;
    arena_t strings;
    bool packed;             /* the newest pack went by shape */
} bench_t;

static int
set_up (void **state)
{
    bench_t *bench = calloc (1, sizeof *bench);
    literals_add (&bench->literals, (const void *) (uintptr_t) set_up);
    bench->shapes.literals = &bench->literals;
    *state = bench;
    return 0;
}

static int
tear_down (void **state)
{
    bench_t *bench = *state;
    buffer_clear (&bench->shaped);
    buffer_clear (&bench->general);
    arena_clear (&bench->strings);
    free (bench);
    return 0;
}

/*  Packs both ways, twice, and compares; whether it went by shape. */
static bool
pack (bench_t *bench, const char *format, ...)
{
    for (int round = 0; round < 2; round++) {
        va_list arguments;
        buffer_reset (&bench->shaped);
        buffer_reset (&bench->general);
        va_start (arguments, format);
        bench->packed = shape_pack (&bench->shapes, &bench->shaped, format, arguments);
        va_end (arguments);
        va_start (arguments, format);
        troupe_status_t status = pack_append (&bench->general, NULL, format, arguments);
        va_end (arguments);
        assert_false (bench->shaped.failed);
        if (!bench->packed) {
            assert_int_equal (bench->shaped.size, 0);
            continue;
        }
        assert_int_equal (status, TROUPE_OK);
        assert_int_equal (bench->shaped.size, bench->general.size);
        assert_memory_equal (bench->shaped.data, bench->general.data, bench->general.size);
    }
    return bench->packed;
}

/*  Reads what was packed the general way. */
static bool
read_back (bench_t *bench, const char *format, ...)
{
    va_list arguments;
    size_t size = bench->general.size;
    uint8_t *body = calloc (1, size + COPY_SLACK);  /* and not a byte more */
    memcpy (body, bench->general.data, size);
    va_start (arguments, format);
    bool read = shape_read (&bench->shapes, body, size, &bench->strings, format, arguments);
    va_end (arguments);
    free (body);
    return read;
}

static void
shape_integers_of_all_sizes_come_back (void **state)
{
    bench_t *bench = *state;
    for (int shift = 0; shift < 64; shift++) {
        uint64_t bit = (uint64_t) 1 << shift, numbers[] = { bit - 1, bit, -bit };
        for (int i = 0; i < 3; i++) {
            json_int_t wanted = (json_int_t) numbers[i], got = 0;
            assert_true (pack (bench, "{s:I}", "left", wanted));
            assert_true (read_back (bench, "{s:I}", "left", &got));
            assert_true (got == wanted);
        }
    }
}

static void
shape_fields_of_all_types_come_back (void **state)
{
    bench_t *bench = *state;
    const char *text = NULL;
    int number = 0, truth = 0;
    double real = 0;
    json_int_t large = 0;
    assert_true (pack (bench, "{s:s, s:i,s:b, s:f, s:I}", "text", "on the run", "number", -70000, "truth", 1, "real",
                       2.5, "fifteen_letters", (json_int_t) 1 << 40));
    assert_true (read_back (bench, "{s:s, s:i, s:b, s:f, s:I}", "text", &text, "number", &number, "truth", &truth,
                            "real", &real, "fifteen_letters", &large));
    assert_string_equal (text, "on the run");
    assert_int_equal (number, -70000);
    assert_int_equal (truth, 1);
    assert_true (real == 2.5);
    assert_true (large == (json_int_t) 1 << 40);
}

static void
shape_strings_of_all_lengths_come_back (void **state)
{
    bench_t *bench = *state;
    char text[400];
    for (size_t size = 0; size < sizeof text; size++) {
        memset (text, 'x', size);
        text[size] = '\0';
        assert_true (pack (bench, "{s:s, s:I}", "text", text, "after", (json_int_t) size));
        const char *got = NULL;
        json_int_t after;
        assert_int_equal (read_back (bench, "{s:s, s:I}", "text", &got, "after", &after), size <= 31);
        if (got)
            assert_string_equal (got, text);
    }
    assert_true (pack (bench, "{s:s}", "text", "gr\303\274n"));
    assert_false (pack (bench, "{s:s}", "text", "gr\374n"));
    assert_false (pack (bench, "{s:s}", "text", NULL));
}

static void
shape_unfit_formats_go_the_general_way (void **state)
{
    bench_t *bench = *state;
    json_int_t number = 7;
    assert_false (pack (bench, NULL));
    assert_false (pack (bench, "[i]", 1));
    assert_false (pack (bench, "{}"));
    assert_false (pack (bench, "{s:[i]}", "list", 1));
    assert_false (pack (bench, "{s#:i}", "name", (size_t) 4, 1));
    assert_false (pack (bench, "{s:I}x", "name", number));
    assert_false (pack (bench, "{s:I", "name", number));
    assert_false (pack (bench, "{s:I}", "a_name_of_sixteen", number));
    assert_false (pack (bench, "{s:I}", NULL, number));
    assert_false (pack (bench, "{s:s#}", "text", "ab", (size_t) 1));
    assert_false (pack (bench, "{s:f}", "real", 0.0 / (double) (number - 7)));
    assert_false (read_back (bench, "{s?:I}", "name", &number));
}

/*  A place that holds another text the next time. */
static void
shape_texts_that_may_change_are_not_trusted (void **state)
{
    bench_t *bench = *state;
    char name[] = "left", format[] = "{s:I}";
    assert_false (pack (bench, "{s:I}", name, (json_int_t) 1));
    assert_false (pack (bench, format, "left", (json_int_t) 1));
    assert_true (pack (bench, "{s:I, s:I}", "left", (json_int_t) 1, "right", (json_int_t) 2));
    assert_false (pack (bench, "{s:I, s:I}", "left", (json_int_t) 1, name, (json_int_t) 2));
    bench->shapes.literals = NULL;
    assert_false (pack (bench, "{s:I}", "other", (json_int_t) 1));
}

static void
shape_other_bodies_go_the_general_way (void **state)
{
    bench_t *bench = *state;
    json_int_t number = 0;
    int small = 0;
    pack (bench, "{s:I, s:I}", "one", (json_int_t) 1, "two", (json_int_t) 2);
    assert_false (read_back (bench, "{s:I}", "one", &number));
    assert_false (read_back (bench, "{s:I, s:I}", "two", &number, "one", &number));
    pack (bench, "{s:s}", "one", "1");
    assert_false (read_back (bench, "{s:I}", "one", &number));
    pack (bench, "{s:I}", "one", (json_int_t) 1 << 40);
    assert_false (read_back (bench, "{s:i}", "one", &small));
    for (size_t size = bench->general.size - 1; size > 0; size--) {
        bench->general.size = size;
        assert_false (read_back (bench, "{s:I}", "one", &number));
    }
}

static void
shape_room_that_is_short_goes_the_general_way (void **state)
{
    bench_t *bench = *state;
    bench->shaped.limit = 7;
    assert_false (pack (bench, "{s:I}", "left", (json_int_t) 1));
    assert_false (bench->shaped.failed);
}

int
main (void)
{
#define SHAPE_TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SHAPE_TEST (shape_integers_of_all_sizes_come_back),
        SHAPE_TEST (shape_fields_of_all_types_come_back),
        SHAPE_TEST (shape_strings_of_all_lengths_come_back),
        SHAPE_TEST (shape_unfit_formats_go_the_general_way),
        SHAPE_TEST (shape_texts_that_may_change_are_not_trusted),
        SHAPE_TEST (shape_other_bodies_go_the_general_way),
        SHAPE_TEST (shape_room_that_is_short_goes_the_general_way),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
