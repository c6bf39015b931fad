/*  test_wire.c - messages of the control socket: taken apart however they arrive, refused when bad.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands/wire.h"
#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include <stdio.h>

static troupe_error_t error;

static void
arrive (wire_t *wire, const void *bytes, size_t size)
{
    uint8_t *place = wire_room (wire, size);
    assert_non_null (place);
    memcpy (place, bytes, size);
    wire_arrived (wire, size);
}

static void
put_request (buffer_t *to, uint64_t tag, const char *filler)
{
    size_t begun = wire_begin (to);
    packed_put_object (to, 5);
    packed_put_text (to, "do", "call");
    packed_put_number (to, "tag", tag);
    packed_put_text (to, "to", filler);
    wire_put_bytes (to, "body", "\x81\xa1x\x01", 4);
    packed_put_string (to, "ordered", 7);
    packed_put_bool (to, true);
    assert_true (wire_end (to, begun));
}

static void
expect_request (const wire_message_t *message, uint64_t tag)
{
    uint64_t number = 0;
    char text[16];
    assert_int_equal (wire_number (message, "tag", &number, &error), TROUPE_OK);
    assert_true (number == tag);
    assert_int_equal (wire_text (message, "do", text, sizeof text, &error), TROUPE_OK);
    assert_string_equal (text, "call");
}

static void
wire_messages_in_one_read_come_one_by_one (void **state)
{
    (void) state;
    buffer_t sent = { 0 };
    wire_t wire = { 0 };
    wire_message_t message;
    for (uint64_t i = 0; i < 100; i++)
        put_request (&sent, i, "user/42");
    arrive (&wire, sent.data, sent.size);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal (wire_next (&wire, &message, &error), WIRE_MESSAGE);
        expect_request (&message, i);
    }
    assert_int_equal (wire_next (&wire, &message, &error), WIRE_MORE);
    buffer_clear (&sent);
    wire_clear (&wire);
}

static void
wire_messages_in_single_bytes_come_when_whole (void **state)
{
    (void) state;
    buffer_t sent = { 0 };
    wire_t wire = { 0 };
    wire_message_t message;
    uint64_t seen = 0;
    for (uint64_t i = 0; i < 3; i++)
        put_request (&sent, i, "user/42");
    for (size_t i = 0; i < sent.size; i++) {
        arrive (&wire, sent.data + i, 1);
        while (wire_next (&wire, &message, &error) == WIRE_MESSAGE)
            expect_request (&message, seen++);
    }
    assert_true (seen == 3);
    buffer_clear (&sent);
    wire_clear (&wire);
}

static void
wire_fields_are_checked_by_type_and_size (void **state)
{
    (void) state;
    buffer_t sent = { 0 };
    wire_t wire = { 0 };
    wire_message_t message;
    uint64_t number = 7;
    bool flag = false;
    char text[8] = "before";
    const uint8_t *bytes;
    size_t size;
    put_request (&sent, 1, "eight by");
    arrive (&wire, sent.data, sent.size);
    assert_int_equal (wire_next (&wire, &message, &error), WIRE_MESSAGE);
    assert_int_equal (wire_text (&message, "to", text, sizeof text, &error), TROUPE_INVALID);
    assert_non_null (strstr (error.text, "\"to\": a text of at most 7 bytes"));
    assert_string_equal (text, "before");
    assert_int_equal (wire_number (&message, "to", &number, &error), TROUPE_INVALID);
    assert_int_equal (wire_number (&message, "none", &number, &error), TROUPE_NOT_FOUND);
    assert_non_null (strstr (error.text, "\"none\" is missing"));
    assert_true (number == 7);
    assert_int_equal (wire_flag (&message, "ordered", &flag, &error), TROUPE_OK);
    assert_true (flag);
    assert_int_equal (wire_flag (&message, "tag", &flag, &error), TROUPE_INVALID);
    assert_int_equal (wire_bytes (&message, "body", &bytes, &size, &error), TROUPE_OK);
    assert_int_equal (size, 4);
    assert_int_equal (wire_bytes (&message, "do", &bytes, &size, &error), TROUPE_INVALID);
    buffer_clear (&sent);
    wire_clear (&wire);
}

static void
wire_negative_number_and_zero_byte_in_text_are_refused (void **state)
{
    (void) state;
    buffer_t sent = { 0 };
    wire_t wire = { 0 };
    wire_message_t message;
    uint64_t number;
    char text[8];
    size_t begun = wire_begin (&sent);
    packed_put_object (&sent, 3);
    packed_put_string (&sent, "n", 1);
    packed_put_int (&sent, -1);
    packed_put_string (&sent, "t", 1);
    packed_put_string (&sent, "a\0b", 3);
    packed_put_string (&sent, "z", 1);
    packed_put_null (&sent);
    assert_true (wire_end (&sent, begun));
    arrive (&wire, sent.data, sent.size);
    assert_int_equal (wire_next (&wire, &message, &error), WIRE_MESSAGE);
    assert_int_equal (wire_number (&message, "n", &number, &error), TROUPE_INVALID);
    assert_int_equal (wire_text (&message, "t", text, sizeof text, &error), TROUPE_INVALID);
    assert_int_equal (wire_text (&message, "z", text, sizeof text, &error), TROUPE_NOT_FOUND);
    buffer_clear (&sent);
    wire_clear (&wire);
}

static void
wire_bad_messages_end_the_conversation (void **state)
{
    (void) state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        { "\0\0\0\0", 4, "no bytes" },
        { "\1\0\x80\0", 4, "more than 8 MB" },
        { "\xff\xff\xff\xff", 4, "more than 8 MB" },
        { "GET / HTTP/1.1\r\n", 16, "more than 8 MB" },
        { "\1\0\0\0\x01", 5, "no packed object" },     /* a number */
        { "\1\0\0\0\x81", 5, "no packed object" },     /* an object that ends too early */
        { "\2\0\0\0\x80\x80", 6, "no packed object" }, /* something behind it */
        { "\3\0\0\0\x81\x01\x01", 7, "no packed object" }, /* a key that is no text */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wire_t wire = { 0 };
        wire_message_t message;
        arrive (&wire, cases[i].bytes, cases[i].size);
        assert_int_equal (wire_next (&wire, &message, &error), WIRE_BAD);
        assert_non_null (strstr (error.text, cases[i].text));
        wire_clear (&wire);
    }
}

static void
wire_message_over_the_limit_is_not_written (void **state)
{
    (void) state;
    buffer_t sent = { 0 };
    static uint8_t large[WIRE_MESSAGE_MAX];
    put_request (&sent, 1, "user/42");
    size_t before = sent.size, begun = wire_begin (&sent);
    packed_put_object (&sent, 1);
    wire_put_bytes (&sent, "body", large, sizeof large);
    assert_false (wire_end (&sent, begun));
    assert_int_equal (sent.size, before);
    begun = wire_begin (&sent);
    packed_put_object (&sent, 1);
    wire_put_bytes (&sent, "body", large, sizeof large - 16);
    assert_true (wire_end (&sent, begun));
    wire_t wire = { 0 };
    wire_message_t message;
    arrive (&wire, sent.data, sent.size);
    assert_int_equal (wire_next (&wire, &message, &error), WIRE_MESSAGE);
    assert_int_equal (wire_next (&wire, &message, &error), WIRE_MESSAGE);
    buffer_clear (&sent);
    wire_clear (&wire);
}

static void
wire_without_memory_neither_reads_nor_writes (void **state)
{
    (void) state;
    wire_t wire = { 0 };
    buffer_t sent = { 0 };
    memory_fail_after (1);
    assert_null (wire_room (&wire, 4096));
    size_t begun = wire_begin (&sent);
    packed_put_object (&sent, 0);
    assert_false (wire_end (&sent, begun));
    memory_fail_after (0);
    wire_message_t message;
    assert_int_equal (wire_next (&wire, &message, &error), WIRE_MORE);
    wire_clear (&wire);
    buffer_clear (&sent);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (wire_messages_in_one_read_come_one_by_one),
        cmocka_unit_test (wire_messages_in_single_bytes_come_when_whole),
        cmocka_unit_test (wire_fields_are_checked_by_type_and_size),
        cmocka_unit_test (wire_negative_number_and_zero_byte_in_text_are_refused),
        cmocka_unit_test (wire_bad_messages_end_the_conversation),
        cmocka_unit_test (wire_message_over_the_limit_is_not_written),
        cmocka_unit_test (wire_without_memory_neither_reads_nor_writes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
