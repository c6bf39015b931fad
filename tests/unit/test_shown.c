/*  test_shown.c - stored bytes as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "commands/shown.h"

#define BYTES(text) (text), sizeof (text) - 1

static void
is_shown (const char *bytes, size_t size, const char *wanted)
{
    json_t *shown = shown_value ((const uint8_t *) bytes, size);
    char *text = json_dumps (shown, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal (text, wanted);
    free (text);
    json_decref (shown);
}

static void
shown_text_is_text (void **state)
{
    (void) state;
    is_shown (BYTES ("Anna"), "\"Anna\"");
    is_shown (BYTES ("J\xc3\xb8rn"), "\"J\xc3\xb8rn\"");
    is_shown (NULL, 0, "\"\"");
}

static void
shown_integers_are_integers (void **state)
{
    (void) state;
    is_shown (BYTES ("\x07\0\0\0\0\0\0\0"), "7");
    is_shown (BYTES ("\xff\xff\xff\xff\xff\xff\xff\xff"), "-1");
    is_shown (BYTES ("\0\x80\0\0\0\x01\0\0"), "1099511660544");
    is_shown (BYTES ("\xfe\xff\xff\xff"), "-2");
    is_shown (BYTES ("\x01"), "1");
}

/*  These are packed values as well: of seven zeros, and a text of seven NULs. */
static void
shown_small_integers_are_not_packed_values (void **state)
{
    (void) state;
    is_shown (BYTES ("\x97\0\0\0\0\0\0\0"), "151");
    is_shown (BYTES ("\xa7\0\0\0\0\0\0\0"), "167");
    is_shown (BYTES ("\x93\0\0\0"), "147");
}

static void
shown_packed_values_are_json (void **state)
{
    (void) state;
    is_shown (BYTES ("\x81\xa1n\0"), "{\"n\":0}");
    is_shown (BYTES ("\x93\x01\x02\x03"), "[1,2,3]");
}

static void
shown_other_bytes_are_hex (void **state)
{
    (void) state;
    is_shown (BYTES ("\x01\xff"), "\"0x01ff\"");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (shown_text_is_text),
        cmocka_unit_test (shown_integers_are_integers),
        cmocka_unit_test (shown_small_integers_are_not_packed_values),
        cmocka_unit_test (shown_packed_values_are_json),
        cmocka_unit_test (shown_other_bytes_are_hex),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
