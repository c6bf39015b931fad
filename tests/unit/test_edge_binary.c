/*  test_edge_binary.c - troupe.v1.bin: what clients say is read, what the server says is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "tests/unit/edge_client.h"
#include "transports/edge/binary.h"

#define LAP "\x0brunner/anna\x03lap"
#define NUMBER_MOST_BYTES "\xff\xff\xff\xff\xff\xff\xff\x0f"  /* 2^53 - 1 */

static binary_routes_t routes;
static binary_reader_t reader;
static client_message_t message;
static troupe_error_t error;

static troupe_status_t
read_bytes (const void *bytes, size_t size)
{
    binary_open (&reader, &routes, bytes, size);
    return binary_next (&reader, &message, &error);
}

#define READ(literal) read_bytes (literal, sizeof literal - 1)

/*  A frame of one message, which says the same when it is written and read again. */
static void
read_one (const void *bytes, size_t size)
{
    client_message_t none;
    if (read_bytes (bytes, size) != TROUPE_OK)
        fail_msg ("%s", error.text);
    assert_int_equal (binary_next (&reader, &none, &error), TROUPE_NOT_FOUND);
    client_check_again (&message, true);
}

#define READ_ONE(literal) read_one (literal, sizeof literal - 1)

static void
assert_refused (const void *bytes, size_t size, const char *why)
{
    assert_int_equal (read_bytes (bytes, size), TROUPE_INVALID);
    assert_string_equal (error.text, why);
}

#define REFUSED(literal, why) assert_refused (literal, sizeof literal - 1, why)

static void
hello_is_the_object_of_the_text_form (void **state)
{
    (void) state;
    READ_ONE ("\x01\x34\x84\xa5hello\x01\xa7session\xb6q83vEjRWeJCrze8SNFZ4kA\xa5token\xa3""eyJ\xa1x\x90");
    assert_int_equal (message.type, CLIENT_HELLO);
    assert_int_equal (message.number, 1);
    assert_true (message.has_session);
    assert_string_equal (message.token, "eyJ");
    assert_string_equal (message.client, "");
    REFUSED ("\x01\x00", "byte 2: hello: an object is wanted");
    REFUSED ("\x01\x01\x90", "a message is an object, not an array");
    REFUSED ("\x01\x07\x81\xa4ping\x01", "byte 9: hello: its first member must be hello");
    REFUSED ("\x01\x09\x81\xa5hello\xa1" "1", "hello: an integer is wanted");
    REFUSED ("\x01\x02\x81\xc1", "byte 4: hello: this is not one good MessagePack value");
}

static void
calls_follow_routes (void **state)
{
    (void) state;
    READ_ONE ("\x03\x05" LAP "\x04\xe0\xd9\xc9\x80\xac\x33\x05\x05\x01\x04\x81\xa1n\x01");
    assert_int_equal (message.type, CLIENT_CALL);
    assert_string_equal (message.to, "runner/anna");
    assert_string_equal (message.verb, "lap");
    assert_int_equal (message.number, 1);
    assert_true (message.until_ms == routes.until_ms && message.until_ms > 1000000);
    assert_int_equal (message.size, 4);
    assert_memory_equal (message.body, "\x81\xa1n\x01", 4);
    READ_ONE ("\x04\x00\x05\x05\x02\x00");  /* another frame of the connection */
    assert_string_equal (message.to, "runner/anna");
    assert_int_equal (message.until_ms, 0);
    assert_null (message.body);
    READ_ONE ("\x06\x05\x01\xc0");
    assert_int_equal (message.type, CLIENT_CAST);
    assert_string_equal (message.verb, "lap");
    assert_null (message.body);
    assert_int_equal (message.size, 0);
    READ_ONE ("\x03\x05\x03" "a/b" "\x01" "c" "\x06\x05\x00");
    assert_string_equal (message.to, "a/b");
    assert_string_equal (message.verb, "c");
    READ_ONE ("\x03\xff\x07\x03" "d/e" "\x01" "f" "\x06\xff\x07\x00");
    assert_string_equal (message.to, "d/e");
    READ_ONE ("\x06\x05\x00");
    assert_string_equal (message.to, "a/b");
    REFUSED ("\x06\x06\x00", "byte 2: route: it was not said what this number means");
    REFUSED ("\x05\x80\x08\x01\x00", "byte 3: route: it was not said what this number means");
    REFUSED ("\x03\x80\x08" LAP, "byte 3: route: a number from 0 to 1023 is wanted");
    binary_routes_clear (&routes);
    REFUSED ("\x06\x05\x00", "byte 2: route: it was not said what this number means");
}

static void
a_trace_is_of_one_call_of_its_frame (void **state)
{
    (void) state;
    assert_int_equal (READ ("\x03\x00" LAP "\x0a\x03" "abc" "\x06\x00\x00" "\x06\x00\x00"), TROUPE_OK);
    assert_string_equal (message.trace, "abc");
    assert_int_equal (binary_next (&reader, &message, &error), TROUPE_OK);
    assert_string_equal (message.trace, "");
    assert_int_equal (READ ("\x0a\x03" "abc"), TROUPE_NOT_FOUND);
    READ_ONE ("\x06\x00\x00");
    assert_string_equal (message.trace, "");
    READ_ONE ("\x0a\x03" "abc" "\x05\x00\x01\x00");
    assert_string_equal (message.trace, "abc");
}

static void
the_other_types_are_read (void **state)
{
    (void) state;
    READ_ONE ("\x02\x03" "eyJ");
    assert_int_equal (message.type, CLIENT_TOKEN);
    assert_string_equal (message.token, "eyJ");
    READ_ONE ("\x07\x03\x10runner/anna/live\x03" "e-1");
    assert_int_equal (message.type, CLIENT_WATCH);
    assert_string_equal (message.to, "runner/anna/live");
    assert_string_equal (message.from, "e-1");
    assert_int_equal (message.number, 3);
    READ_ONE ("\x07\x03\x05" "a/b/c" "\x00");
    assert_string_equal (message.from, "");
    READ_ONE ("\x08\x11");
    assert_int_equal (message.type, CLIENT_UNWATCH);
    assert_int_equal (message.number, 17);
    READ_ONE ("\x09" NUMBER_MOST_BYTES);
    assert_int_equal (message.type, CLIENT_PING);
    assert_true (message.number == NUMBER_LIMIT - 1);
    READ_ONE ("\x09\x81\x80\x80\x80\x80\x80\x80\x00");
    assert_int_equal (message.number, 1);
}

static void
messages_of_a_frame_are_read_in_order (void **state)
{
    (void) state;
    assert_int_equal (READ ("\x09\x01\x08\x02\x09\x03"), TROUPE_OK);
    assert_int_equal (message.number, 1);
    assert_int_equal (binary_next (&reader, &message, &error), TROUPE_OK);
    assert_int_equal (message.type, CLIENT_UNWATCH);
    assert_int_equal (binary_next (&reader, &message, &error), TROUPE_OK);
    assert_int_equal (message.number, 3);
    assert_int_equal (binary_next (&reader, &message, &error), TROUPE_NOT_FOUND);
}

static void
what_does_not_fit_is_refused_with_its_place (void **state)
{
    (void) state;
    REFUSED ("", "the frame is empty");
    REFUSED ("\x00", "byte 0: there is no type 00 of messages");
    REFUSED ("\x0d", "byte 0: there is no type 0d of messages");
    REFUSED ("\x81", "byte 0: there is no type 81 of messages");
    REFUSED ("\x09\xff\xff\xff\xff\xff\xff\xff\x10", "byte 1: ping: a number below 2^53 is wanted");
    REFUSED ("\x09\x80\x80\x80\x80\x80\x80\x80\x80\x00", "byte 1: ping: a number below 2^53 is wanted");
    REFUSED ("\x02\x02\xc3\x28", "byte 4: token: this is no UTF-8");
    REFUSED ("\x02\x01\x00", "byte 3: token: a NUL in it");
    REFUSED ("\x02\xff\xff\xff\xff\xff\xff\xff\x0f", "byte 9: token: the frame ends too early");
    assert_int_equal (READ ("\x03\x00" LAP), TROUPE_NOT_FOUND);
    REFUSED ("\x06\x00\x01\xc1", "byte 4: body: this is not one good MessagePack value");
    REFUSED ("\x06\x00\x02\x01\x01", "byte 5: body: this is not one good MessagePack value");
    REFUSED ("\x06\x00\x07\x82\xa1" "a\x01\xa1" "a\x02", "byte 10: body: this is not one good MessagePack value");
    assert_int_equal (READ ("\x09\x01\x00"), TROUPE_OK);
    assert_int_equal (binary_next (&reader, &message, &error), TROUPE_INVALID);
    assert_string_equal (error.text, "byte 2: there is no type 00 of messages");
    assert_int_equal (binary_next (&reader, &message, &error), TROUPE_NOT_FOUND);
}

static void
put_number (buffer_t *to, size_t number)
{
    for (; number > 127; number >>= 7)
        buffer_byte (to, (uint8_t) (number | 128));
    buffer_byte (to, (uint8_t) number);
}

/*  A text as long as it may be, and one byte longer, with these bytes before and behind. */
static void
assert_limit (const char *before, size_t before_size, size_t most, const char *behind, size_t behind_size,
              const char *field)
{
    for (size_t size = most; size <= most + 1; size++) {
        buffer_t frame = { 0 };
        char why[64];
        buffer_append (&frame, before, before_size);
        put_number (&frame, size);
        for (size_t index = 0; index < size; index++)
            buffer_byte (&frame, 'x');
        snprintf (why, sizeof why, "byte %zu: %s: longer than %zu bytes", frame.size, field, most);
        buffer_append (&frame, behind, behind_size);
        if (size == most)
            read_one (frame.data, frame.size);
        else
            assert_refused (frame.data, frame.size, why);
        buffer_clear (&frame);
    }
}

#define LIMIT(before, most, behind, field)                                                                             \
    assert_limit (before, sizeof before - 1, most, behind, sizeof behind - 1, field)

static void
texts_are_taken_to_their_limits (void **state)
{
    (void) state;
    LIMIT ("\x02", TOKEN_MAX, "", "token");
    LIMIT ("\x03\x00", TROUPE_ADDRESS_MAX, "\x01" "c" "\x06\x00\x00", "address");
    LIMIT ("\x03\x00\x03" "a/b", TROUPE_NAME_MAX, "\x06\x00\x00", "verb");
    LIMIT ("\x0a", TRACE_MAX, "\x06\x00\x00", "trace");
    LIMIT ("\x07\x00", FEED_MAX, "\x00", "feed");
    LIMIT ("\x07\x00\x05" "a/b/c", RESUME_MAX, "", "from");
}

static void
bodies_are_taken_to_the_depth_of_bodies (void **state)
{
    (void) state;
    for (size_t depth = PACKED_DEPTH_MAX; depth <= PACKED_DEPTH_MAX + 1; depth++) {
        buffer_t frame = { 0 };
        buffer_append (&frame, "\x03\x00" LAP "\x06\x00", 20);
        put_number (&frame, depth);
        for (size_t index = 1; index < depth; index++)
            buffer_byte (&frame, 0x91);
        buffer_byte (&frame, 0x90);
        assert_int_equal (read_bytes (frame.data, frame.size), depth == PACKED_DEPTH_MAX ? TROUPE_OK : TROUPE_INVALID);
        buffer_clear (&frame);
    }
}

/*  Cut at any byte that is not between two messages. */
static void
frames_that_end_too_early_are_refused (void **state)
{
    (void) state;
    static const char frame[] = "\x01\x09\x81\xa5hello\xcc\x01" "\x03\x00" LAP "\x04\x80\x01" "\x0a\x01t"
                                "\x05\x00\x81\x01\x04\x81\xa1n\x01" "\x06\x00\x00" "\x07\x01\x05" "a/b/c" "\x00"
                                "\x08\x80\x01" "\x02\x01t" "\x09\x01";
    static const size_t ends[] = { 11, 29, 32, 35, 44, 47, 56, 59, 62, 64 };
    size_t next = 0;
    assert_int_equal (sizeof frame - 1, 64);
    for (size_t size = 1; size < sizeof frame; size++) {
        uint8_t *exact = malloc (size);
        troupe_status_t status;
        assert_non_null (exact);
        memcpy (exact, frame, size);
        binary_open (&reader, &routes, exact, size);
        while ((status = binary_next (&reader, &message, &error)) == TROUPE_OK)
            ;
        assert_int_equal (status, size == ends[next] ? TROUPE_NOT_FOUND : TROUPE_INVALID);
        if (size == ends[next])
            next += 1;
        else
            assert_non_null (strstr (error.text, "the frame ends too early"));
        free (exact);
    }
}

static void
clear_all (void)
{
    binary_close (&reader);
    binary_routes_clear (&routes);
}

static void
without_memory_nothing_is_read_and_later_all (void **state)
{
    (void) state;
    static const char frame[] = "\x03\x09" LAP "\x02\x01t" "\x06\x09\x04\x81\xa1n\x01";
    unsigned failures = 0;
    troupe_status_t status;
    do {
        unsigned messages = 0;
        clear_all ();
        memory_fail_after (failures + 1);
        binary_open (&reader, &routes, frame, sizeof frame - 1);
        while ((status = binary_next (&reader, &message, &error)) == TROUPE_OK)
            messages += 1;
        memory_fail_after (0);
        assert_true (status == TROUPE_NO_MEMORY ? error.status == status : messages == 2);
        failures += status == TROUPE_NO_MEMORY;
    } while (status != TROUPE_NOT_FOUND);
    assert_int_equal (failures, 4);
    memory_fail_after (1);
    assert_int_equal (READ ("\x06\x09\x04\x81\xa1n\x01"), TROUPE_OK);
    memory_fail_after (0);
}

/* ------------------------------------------------------------------ *
 *  Writers
 * ------------------------------------------------------------------ */

static buffer_t out;

static void
assert_bytes (const char *bytes, size_t size)
{
    assert_false (out.failed);
    assert_int_equal (out.size, size);
    assert_memory_equal (out.data, bytes, size);
    buffer_reset (&out);
}

#define WRITTEN(literal) assert_bytes (literal, sizeof literal - 1)

static const welcome_t welcome = { .epoch = "e", .subject = "\xff", .session = SESSION_NEW };

static void
messages_of_the_server_are_written (void **state)
{
    (void) state;
    binary_codec.welcome (&out, &welcome);
    WRITTEN ("\x81\x63\x86\xa7welcome\x01\xa5" "epoch\xa1" "e\xa3now\x00\xa7subject\xa3\xef\xbf\xbd\xa7session\xa3new"
             "\xa6limits\x84\xadmessage_bytes\x00\xa9in_flight\x00\xa7watches\x00\xa7keep_ms\x00");
    binary_codec.reply (&out, NUMBER_LIMIT - 1, "\x81\xa1n\x01", 4);
    WRITTEN ("\x82" NUMBER_MOST_BYTES "\x04\x81\xa1n\x01");
    binary_codec.reply (&out, 1, NULL, 0);
    WRITTEN ("\x82\x01\x00");
    binary_codec.error (&out, ERROR_PROTOCOL, 0, TROUPE_INVALID, "x\xc3", 0);
    WRITTEN ("\x83\x00\x00\x07invalid\x04x\xef\xbf\xbd\x00");
    binary_codec.error (&out, ERROR_CALL, 3, TROUPE_NOT_FOUND, "", 250);
    WRITTEN ("\x83\x01\x03\x09not_found\x00\xfa\x01");
    binary_codec.error (&out, ERROR_WATCH, 4, TROUPE_FORBIDDEN, "no", 0);
    WRITTEN ("\x83\x02\x04\x09" "forbidden\x02no\x00");
    binary_codec.watching (&out, NULL, 1, 17, 124, false);
    WRITTEN ("\x84\x01\x11\x7c\x00");
    binary_codec.watching (&out, NULL, 1, UINT32_MAX, 128, true);
    WRITTEN ("\x84\x01\xff\xff\xff\xff\x0f\x80\x01\x01");
    binary_codec.snapshot (&out, NULL, 17, 123, "\x01", 1);
    WRITTEN ("\x85\x11\x7b\x01\x01");
    binary_codec.event (&out, NULL, 17, 124, NULL, "\x01", 1);
    WRITTEN ("\x86\x11\x7c\x01\x01");
    binary_codec.event (&out, NULL, 17, 124, "", "\x01", 1);
    WRITTEN ("\x86\x11\x7c\x01\x01");
    binary_codec.event (&out, NULL, 17, 124, "key", "\x01", 1);
    WRITTEN ("\x87\x11\x7c\x03key\x01\x01");
    binary_codec.cut (&out, 17, "slow", "e-1");
    WRITTEN ("\x88\x11\x04slow\x03" "e-1");
    binary_codec.unwatched (&out, 17);
    WRITTEN ("\x89\x11");
    binary_codec.presence (&out, 17, 300, "\x91\xa4" "anna", 6);
    WRITTEN ("\x8c\x11\xac\x02\x06\x91\xa4" "anna");
    binary_codec.presence (&out, 17, 0, NULL, 0);
    WRITTEN ("\x8c\x11\x00\x00");
    binary_codec.pong (&out, 7, 300);
    WRITTEN ("\x8a\x07\xac\x02");
    binary_codec.drain (&out, 2500);
    WRITTEN ("\x8b\xc4\x13");
    binary_codec.goodbye (&out, 1002, "message");
    WRITTEN ("\x8d\xea\x07\x07message");
}

/*  What is promised of a running stream: 8 bytes besides the body, of calls, answers and events. */
static void
a_running_stream_has_8_bytes_besides_each_body (void **state)
{
    (void) state;
    static uint8_t body[16383] = { 0xc5, 0x3f, 0xfc };  /* bytes, so many */
    static const uint8_t call[] = { 5, 127, 0xff, 0xff, 0xff, 0x7f, 0xff, 0x7f };
    assert_int_equal (READ ("\x03\x7f" LAP), TROUPE_NOT_FOUND);
    buffer_append (&out, call, sizeof call);
    buffer_append (&out, body, sizeof body);
    assert_int_equal (read_bytes (out.data, out.size), TROUPE_OK);
    assert_int_equal (message.number, (1u << 28) - 1);
    assert_int_equal (message.size, sizeof body);
    buffer_reset (&out);
    binary_codec.reply (&out, (1u << 28) - 1, body, sizeof body);
    assert_int_equal (out.size - sizeof body, 7);
    buffer_reset (&out);
    binary_codec.event (&out, NULL, 127, (1u << 28) - 1, NULL, body, sizeof body);
    assert_int_equal (out.size - sizeof body, 8);
    buffer_clear (&out);
}

static void
frames_of_several_messages_have_nothing_between_them (void **state)
{
    (void) state;
    binary_codec.begin (&out);
    binary_codec.unwatched (&out, 1);
    binary_codec.next (&out);
    binary_codec.unwatched (&out, 2);
    binary_codec.end (&out);
    WRITTEN ("\x89\x01\x89\x02");
    assert_string_equal (binary_codec.subprotocol, "troupe.v1.bin");
    assert_int_equal (binary_codec.form, FORM_BINARY);
}

static void
what_does_not_fit_leaves_what_was_there (void **state)
{
    (void) state;
    server_check_rooms (&binary_codec);
}

static int
clear (void **state)
{
    (void) state;
    clear_all ();
    buffer_clear (&out);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (hello_is_the_object_of_the_text_form),
        cmocka_unit_test (calls_follow_routes),
        cmocka_unit_test (a_trace_is_of_one_call_of_its_frame),
        cmocka_unit_test (the_other_types_are_read),
        cmocka_unit_test (messages_of_a_frame_are_read_in_order),
        cmocka_unit_test (what_does_not_fit_is_refused_with_its_place),
        cmocka_unit_test (texts_are_taken_to_their_limits),
        cmocka_unit_test (bodies_are_taken_to_the_depth_of_bodies),
        cmocka_unit_test (frames_that_end_too_early_are_refused),
        cmocka_unit_test (without_memory_nothing_is_read_and_later_all),
        cmocka_unit_test (messages_of_the_server_are_written),
        cmocka_unit_test (a_running_stream_has_8_bytes_besides_each_body),
        cmocka_unit_test (frames_of_several_messages_have_nothing_between_them),
        cmocka_unit_test (what_does_not_fit_leaves_what_was_there),
    };
    return cmocka_run_group_tests (tests, NULL, clear);
}
