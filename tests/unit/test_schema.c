/*  test_schema.c - the fields that a verb takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/body/json.h"
#include "runtime/body/schema.h"

#define ALL_TYPES "i:int n:number s:string b:bool r:bytes a:array o:object x:any"

static troupe_error_t error;

static troupe_status_t
check (const char *fields, const char *text)
{
    buffer_t body = { 0 };
    schema_t *schema = schema_new (fields, &error);
    assert_non_null (schema);
    assert_int_equal (json_to_packed (text, strlen (text), &body, &error), TROUPE_OK);
    troupe_status_t status = schema_check (schema, body.data, body.size, &error);
    buffer_clear (&body);
    schema_destroy (&schema);
    assert_null (schema);
    schema_destroy (&schema);
    return status;
}

static void
schema_fitting_body_passes_in_any_order (void **state)
{
    (void) state;
    assert_int_equal (check ("laps:int note:string", "{\"laps\":1,\"note\":\"x\"}"), TROUPE_OK);
    assert_int_equal (check ("laps:int note:string", "{\"note\":\"x\",\"laps\":1}"), TROUPE_OK);
    assert_int_equal (check (" a:number\n\tb:number ", "{\"a\":1,\"b\":1.5}"), TROUPE_OK);
    assert_int_equal (check ("a:bool b:array c:object d:any e:any",
                             "{\"a\":true,\"b\":[1,[2]],\"c\":{\"a\":{}},\"d\":null,\"e\":[{}]}"),
                      TROUPE_OK);
}

static void
schema_misfit_names_field_and_types (void **state)
{
    (void) state;
    static const struct {
        const char *fields, *body, *text;
    } cases[] = {
        { "laps:int", "{\"laps\":\"ten\"}", "laps: an integer is wanted, not a string" },
        { "laps:int", "{\"laps\":1.0}", "laps: an integer is wanted, not a real number" },
        { "laps:number", "{\"laps\":true}", "laps: a number is wanted, not a boolean" },
        { "laps:string", "{\"laps\":[]}", "laps: a string is wanted, not an array" },
        { "laps:bool", "{\"laps\":0}", "laps: a boolean is wanted, not an integer" },
        { "laps:bytes", "{\"laps\":\"x\"}", "laps: raw bytes are wanted, not a string" },
        { "laps:array", "{\"laps\":{}}", "laps: an array is wanted, not an object" },
        { "laps:object", "{\"laps\":null}", "laps: an object is wanted, not null" },
        { "laps:int", "{}", "laps: is missing" },
        { "a?:int laps:int b?:int", "{\"b\":1,\"a\":2}", "laps: is missing" },
        { "laps:int", "{\"laps\":1,\"lasp\":2}", "lasp: there is no such field" },
        { "", "{\"laps\":1}", "laps: there is no such field" },
        { "laps:int", "[1]", "an object is wanted, not an array" },
        { "laps:int", "null", "laps: is missing" },
        { "laps?:int", "{\"laps\":\"x\"}", "laps: an integer is wanted, not a string" },
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        assert_int_equal (check (cases[index].fields, cases[index].body), TROUPE_INVALID);
        assert_string_equal (error.text, cases[index].text);
    }
}

static void
schema_optional_field_may_be_missing_or_null (void **state)
{
    (void) state;
    assert_int_equal (check ("a?:int b?:string", "{}"), TROUPE_OK);
    assert_int_equal (check ("a?:int b?:string", "null"), TROUPE_OK);
    assert_int_equal (check ("a?:int b?:string", "{\"a\":null,\"b\":null}"), TROUPE_OK);
    assert_int_equal (check ("a:any", "{\"a\":null}"), TROUPE_OK);
    assert_int_equal (check ("", "{}"), TROUPE_OK);
}

static void
schema_empty_body_is_one_without_fields (void **state)
{
    (void) state;
    schema_t *none = schema_new ("", &error), *one = schema_new ("a:int", &error);
    assert_int_equal (schema_check (none, NULL, 0, &error), TROUPE_OK);
    assert_int_equal (schema_check (one, NULL, 0, &error), TROUPE_INVALID);
    schema_destroy (&none);
    schema_destroy (&one);
}

static void
schema_field_that_stands_twice_is_refused (void **state)
{
    (void) state;
    schema_t *schema = schema_new ("a:int b?:int", &error);
    assert_int_equal (schema_check (schema, "\x82\xa1" "a\x01\xa1" "a\x02", 7, &error), TROUPE_INVALID);
    assert_string_equal (error.text, "a: the field stands there twice");
    schema_destroy (&schema);
}

static void
schema_damaged_body_is_refused (void **state)
{
    (void) state;
    static const uint8_t whole[] = "\x83\xa1i\x05\xa1r\xc4\x01\xff\xa1" "a\x92\x01\x81\xa1x\xc0";
    schema_t *schema = schema_new ("i:int r:bytes a:array", &error);
    assert_int_equal (schema_check (schema, whole, sizeof whole - 1, &error), TROUPE_OK);
    assert_int_equal (schema_check (schema, whole, sizeof whole, &error), TROUPE_INVALID);
    for (size_t size = 1; size < sizeof whole - 1; size++)
        assert_int_equal (schema_check (schema, whole, size, &error), TROUPE_INVALID);
    schema_destroy (&schema);
}

static void
schema_bad_text_is_refused_and_names_the_field (void **state)
{
    (void) state;
    static const struct {
        const char *fields, *shown;
    } cases[] = {
        { "laps", "field \"laps\": write name:type" },
        { "a:int laps: b:int", "field \"laps:\": a type is one of" },
        { "laps:integer", "field \"laps:integer\": a type is one of" },
        { ":int", "field \":int\": a name is" },
        { "?:int", "field \"?:int\": a name is" },
        { "a b:int", "field \"a\": write name:type" },
        { "a$:int", "field \"a$:int\": a name is" },
        { "a??:int", "field \"a??:int\": a name is" },
        { "a:int a?:string", "field \"a\" stands there twice" },
        { "a:int?", "field \"a:int?\": a type is one of" },
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        assert_null (schema_new (cases[index].fields, &error));
        assert_int_equal (error.status, TROUPE_INVALID);
        assert_memory_equal (error.text, cases[index].shown, strlen (cases[index].shown));
    }
}

static void
schema_limits_are_taken_and_no_more (void **state)
{
    (void) state;
    buffer_t fields = { 0 };
    for (int index = 0; index < SCHEMA_FIELDS_MAX; index++)
        buffer_printf (&fields, "f%d:int ", index);
    schema_t *schema = schema_new ((char *) fields.data, &error);
    assert_non_null (schema);
    schema_destroy (&schema);
    buffer_printf (&fields, "more:int");
    assert_null (schema_new ((char *) fields.data, &error));
    assert_string_equal (error.text, "more than 64 fields");
    buffer_clear (&fields);
    for (int length = TROUPE_NAME_MAX; length <= TROUPE_NAME_MAX + 1; length++) {
        buffer_printf (&fields, "%0*d:int", length, 0);
        schema = schema_new ((char *) fields.data, &error);
        assert_int_equal (schema != NULL, length <= TROUPE_NAME_MAX);
        schema_destroy (&schema);
        buffer_clear (&fields);
    }
}

static void
note_field (void *arg, const char *name, const char *type, bool optional)
{
    buffer_printf (arg, "%s%s:%s ", name, optional ? "?" : "", type);
}

static void
schema_each_gives_the_fields_in_order (void **state)
{
    (void) state;
    buffer_t seen = { 0 };
    schema_t *schema = schema_new (ALL_TYPES " last?:int", &error);
    schema_each (schema, note_field, &seen);
    assert_string_equal ((char *) seen.data, ALL_TYPES " last?:int ");
    schema_destroy (&schema);
    buffer_clear (&seen);
}

static void
schema_without_memory_says_so (void **state)
{
    (void) state;
    memory_fail_after (1);
    schema_t *schema = schema_new (ALL_TYPES, &error);
    memory_fail_after (0);
    assert_null (schema);
    assert_int_equal (error.status, TROUPE_NO_MEMORY);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (schema_fitting_body_passes_in_any_order),
        cmocka_unit_test (schema_misfit_names_field_and_types),
        cmocka_unit_test (schema_optional_field_may_be_missing_or_null),
        cmocka_unit_test (schema_empty_body_is_one_without_fields),
        cmocka_unit_test (schema_field_that_stands_twice_is_refused),
        cmocka_unit_test (schema_damaged_body_is_refused),
        cmocka_unit_test (schema_bad_text_is_refused_and_names_the_field),
        cmocka_unit_test (schema_limits_are_taken_and_no_more),
        cmocka_unit_test (schema_each_gives_the_fields_in_order),
        cmocka_unit_test (schema_without_memory_says_so),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
