/*  test_edge_text.c - troupe.v1: what clients say is read, what the server says is written. */
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
#include "transports/edge/text.h"

static text_reader_t reader;
static client_message_t message;
static troupe_error_t error;

static troupe_status_t
read_first (const char *text)
{
    text_open (&reader, text, strlen (text));
    return text_next (&reader, &message, &error);
}

/*  A frame of one message, which says the same when it is written and read again, in both forms. */
static void
read_one (const char *text)
{
    client_message_t none;
    assert_int_equal (read_first (text), TROUPE_OK);
    assert_int_equal (text_next (&reader, &none, &error), TROUPE_NOT_FOUND);
    client_check_again (&message, false);
    client_check_again (&message, true);
}

static void
assert_refused (const char *text, const char *why)
{
    assert_int_equal (read_first (text), TROUPE_INVALID);
    assert_int_equal (error.status, TROUPE_INVALID);
    assert_string_equal (error.text, why);
    assert_int_equal (text_next (&reader, &message, &error), TROUPE_NOT_FOUND);
}

static void
hello_has_all_its_members (void **state)
{
    (void) state;
    static const uint8_t session[] = { 0xab, 0xcd, 0xef, 0x12, 0x34, 0x56, 0x78, 0x90,
                                       0xab, 0xcd, 0xef, 0x12, 0x34, 0x56, 0x78, 0x90 };
    read_one ("{\"hello\":1,\"token\":\"eyJ\",\"session\":\"q83vEjRWeJCrze8SNFZ4kA\",\"epoch\":\"5f3a09c1\","
              "\"client\":\"shop \\\"1.2\\\"\"}");
    assert_int_equal (message.type, CLIENT_HELLO);
    assert_int_equal (message.number, 1);
    assert_string_equal (message.token, "eyJ");
    assert_true (message.has_session);
    assert_memory_equal (message.session, session, sizeof session);
    assert_string_equal (message.epoch, "5f3a09c1");
    assert_string_equal (message.client, "shop \"1.2\"");
}

static void
what_is_absent_is_empty (void **state)
{
    (void) state;
    read_one ("{\"hello\":1,\"token\":null,\"session\":null,\"epoch\":null,\"client\":null}");
    assert_string_equal (message.token, "");
    assert_false (message.has_session);
    assert_string_equal (message.epoch, "");
    assert_string_equal (message.client, "");
    read_one ("{\"call\":\"a/b\",\"verb\":\"c\",\"seq\":0}");
    assert_int_equal (message.until_ms, 0);
    assert_null (message.body);
    assert_int_equal (message.size, 0);
    assert_string_equal (message.trace, "");
    read_one ("{\"call\":\"a/b\",\"verb\":\"c\",\"seq\":0,\"body\":null,\"until\":null,\"trace\":null}");
    assert_null (message.body);
    assert_int_equal (message.size, 0);
    read_one ("{\"watch\":\"a/b/c\",\"id\":0}");
    assert_string_equal (message.from, "");
}

static void
calls_and_casts_have_all_their_members (void **state)
{
    (void) state;
    read_one ("{\"call\":\"runner/anna\",\"verb\":\"lap\",\"seq\":9007199254740991,\"until\":1764190060000,"
              "\"body\":{\"n\":1},\"trace\":\"00-ab-cd-01\"}");
    assert_int_equal (message.type, CLIENT_CALL);
    assert_string_equal (message.to, "runner/anna");
    assert_string_equal (message.verb, "lap");
    assert_true (message.number == NUMBER_LIMIT - 1);
    assert_true (message.until_ms == 1764190060000);
    assert_int_equal (message.size, 4);
    assert_memory_equal (message.body, "\x81\xa1n\x01", 4);
    assert_string_equal (message.trace, "00-ab-cd-01");
    read_one (" { \"cast\" : \"a/b\" , \"body\" : [ ] , \"verb\" : \"c\" } ");
    assert_int_equal (message.type, CLIENT_CAST);
    assert_string_equal (message.to, "a/b");
    assert_string_equal (message.verb, "c");
    assert_int_equal (message.size, 1);
    assert_int_equal (message.number, 0);
}

static void
the_other_types_are_read (void **state)
{
    (void) state;
    read_one ("{\"token\":\"eyJ\"}");
    assert_int_equal (message.type, CLIENT_TOKEN);
    assert_string_equal (message.token, "eyJ");
    read_one ("{\"watch\":\"runner/anna/live\",\"id\":3,\"from\":\"5f3a09c1-123\"}");
    assert_int_equal (message.type, CLIENT_WATCH);
    assert_string_equal (message.to, "runner/anna/live");
    assert_int_equal (message.number, 3);
    assert_string_equal (message.from, "5f3a09c1-123");
    read_one ("{\"unwatch\":17}");
    assert_int_equal (message.type, CLIENT_UNWATCH);
    assert_int_equal (message.number, 17);
    read_one ("{\"ping\":0}");
    assert_int_equal (message.type, CLIENT_PING);
    assert_int_equal (message.number, 0);
    read_one ("{\"hello\":1,\"credit\":100}");
    assert_int_equal (message.credit, 100);
    read_one ("{\"credit\":1000}");
    assert_int_equal (message.type, CLIENT_CREDIT);
    assert_int_equal (message.number, 1000);
    assert_int_equal (message.credit, 0);
    read_one ("{\"goodbye\":1}");
    assert_int_equal (message.type, CLIENT_GOODBYE);
}

static void
members_that_are_not_known_are_ignored (void **state)
{
    (void) state;
    read_one ("{\"ping\":7,\"body\":{\"ping\":8},\"verb\":1,\"later\":[[],{\"a\":null}]}");
    assert_int_equal (message.number, 7);
    assert_null (message.body);
    assert_string_equal (message.verb, "");
    read_one ("{\"call\":\"a/b\",\"x\":1,\"seq\":4,\"y\":{},\"verb\":\"c\",\"z\":\"\"}");
    assert_int_equal (message.number, 4);
}

static void
what_does_not_fit_is_refused_with_its_name (void **state)
{
    (void) state;
    static const char session[] = "16 bytes, not all of them 0, in 22 characters of base64url are wanted";
    char why[128];
    assert_refused ("[1]", "a message is an object, not an integer");
    assert_refused ("{}", "a message begins with the member that names its type, not }");
    assert_refused ("{\"seq\":1,\"call\":\"a/b\"}", "a message begins with the member that names its type, not seq");
    assert_refused ("{\"\":1}", "a message begins with the member that names its type, not ");
    assert_refused ("{\"ping\":\"1\"}", "ping: an integer is wanted");
    assert_refused ("{\"ping\":null}", "ping: an integer is wanted");
    assert_refused ("{\"ping\":1.0}", "ping: an integer is wanted");
    assert_refused ("{\"ping\":-1}", "ping: an integer from 0 to 2^53 - 1 is wanted");
    assert_refused ("{\"ping\":9007199254740992}", "ping: an integer from 0 to 2^53 - 1 is wanted");
    assert_refused ("{\"call\":1,\"verb\":\"c\",\"seq\":1}", "call: a string is wanted");
    assert_refused ("{\"call\":\"a/b\",\"seq\":1}", "call: verb: is missing");
    assert_refused ("{\"call\":\"a/b\",\"verb\":\"c\"}", "call: seq: is missing");
    assert_refused ("{\"call\":\"a/b\",\"verb\":\"c\",\"seq\":1,\"until\":\"x\"}", "call: until: an integer is wanted");
    assert_refused ("{\"cast\":\"a/b\",\"verb\":\"c\",\"trace\":1}", "cast: trace: a string is wanted");
    assert_refused ("{\"cast\":\"a/b\",\"verb\":\"c\\u0000\"}", "cast: verb: a NUL in it");
    assert_refused ("{\"watch\":\"a/b/c\"}", "watch: id: is missing");
    assert_refused ("{\"token\":null}", "token: a string is wanted");
    assert_refused ("{\"token\":\"\\u0000\"}", "token: a NUL in it");
    static const char *const sessions[] = {
        "q83vEjRWeJCrze8SNFZ4k", "q83vEjRWeJCrze8SNFZ4kAA", "q83vEjRWeJCrze8SNFZ4kB", "q83vEjRWeJCrze8SNFZ4k=",
        "q83vEjRWeJ+rze8SNFZ4kA", "AAAAAAAAAAAAAAAAAAAAAA", "",
    };
    snprintf (why, sizeof why, "hello: session: %s", session);
    for (size_t index = 0; index < sizeof sessions / sizeof *sessions; index++) {
        char text[128];
        snprintf (text, sizeof text, "{\"hello\":1,\"session\":\"%s\"}", sessions[index]);
        assert_refused (text, why);
    }
}

/*  A member as long as it may be, and one byte longer. */
static void
assert_limit (const char *format, size_t most, const char *name)
{
    static char text[2 * TOKEN_MAX], long_one[TOKEN_MAX + 2];
    char why[128];
    memset (long_one, 'x', sizeof long_one);
    long_one[most] = '\0';
    snprintf (text, sizeof text, format, long_one);
    read_one (text);
    memset (long_one, 'x', sizeof long_one);
    long_one[most + 1] = '\0';
    snprintf (text, sizeof text, format, long_one);
    snprintf (why, sizeof why, "%s: longer than %zu bytes", name, most);
    assert_refused (text, why);
}

static void
texts_are_taken_to_their_limits (void **state)
{
    (void) state;
    assert_limit ("{\"hello\":1,\"token\":\"%s\"}", TOKEN_MAX, "hello: token");
    assert_limit ("{\"hello\":1,\"epoch\":\"%s\"}", RESUME_MAX, "hello: epoch");
    assert_limit ("{\"hello\":1,\"client\":\"%s\"}", CLIENT_NAME_MAX, "hello: client");
    assert_limit ("{\"token\":\"%s\"}", TOKEN_MAX, "token");
    assert_limit ("{\"call\":\"%s\",\"verb\":\"c\",\"seq\":1}", TROUPE_ADDRESS_MAX, "call");
    assert_limit ("{\"call\":\"a/b\",\"verb\":\"%s\",\"seq\":1}", TROUPE_NAME_MAX, "call: verb");
    assert_limit ("{\"call\":\"a/b\",\"verb\":\"c\",\"seq\":1,\"trace\":\"%s\"}", TRACE_MAX, "call: trace");
    assert_limit ("{\"cast\":\"%s\",\"verb\":\"c\"}", TROUPE_ADDRESS_MAX, "cast");
    assert_limit ("{\"watch\":\"%s\",\"id\":1}", FEED_MAX, "watch");
    assert_limit ("{\"watch\":\"a/b/c\",\"id\":1,\"from\":\"%s\"}", RESUME_MAX, "watch: from");
}

/*  Levels of the message itself and of a batch do not count. */
static void
bodies_are_taken_to_the_depth_of_bodies (void **state)
{
    (void) state;
    for (int depth = PACKED_DEPTH_MAX; depth <= PACKED_DEPTH_MAX + 1; depth++) {
        char text[256], open[80] = "", close[80] = "";
        memset (open, '[', (size_t) depth);
        memset (close, ']', (size_t) depth);
        snprintf (text, sizeof text, "[{\"cast\":\"a/b\",\"verb\":\"c\",\"body\":%s%s}]", open, close);
        if (depth == PACKED_DEPTH_MAX)
            read_one (text);
        else
            assert_refused (text, "JSON line 1 column 98: nested too deeply");
    }
}

static void
batches_are_read_in_order (void **state)
{
    (void) state;
    client_message_t none;
    const char text[] = " [ {\"ping\":1} , {\"cast\":\"a/b\",\"verb\":\"c\",\"body\":5},{\"ping\":3}\n] ";
    assert_int_equal (read_first (text), TROUPE_OK);
    assert_int_equal (message.number, 1);
    assert_int_equal (text_next (&reader, &message, &error), TROUPE_OK);
    assert_int_equal (message.type, CLIENT_CAST);
    assert_memory_equal (message.body, "\x05", 1);
    assert_int_equal (text_next (&reader, &message, &error), TROUPE_OK);
    assert_int_equal (message.number, 3);
    assert_int_equal (text_next (&reader, &none, &error), TROUPE_NOT_FOUND);
    assert_int_equal (read_first (" [ ] "), TROUPE_NOT_FOUND);
    assert_int_equal (text_next (&reader, &none, &error), TROUPE_NOT_FOUND);
}

static void
frames_that_are_not_json_are_refused_with_their_place (void **state)
{
    (void) state;
    assert_refused ("", "JSON line 1 column 1: the text ends too early");
    assert_refused ("   ", "JSON line 1 column 4: the text ends too early");
    assert_refused ("[", "JSON line 1 column 2: the text ends too early");
    assert_refused ("{\"ping\":1} x", "JSON line 1 column 12: nothing may stand behind a message");
    assert_refused ("{\"ping\":1}{\"ping\":2}", "JSON line 1 column 11: nothing may stand behind a message");
    assert_refused ("[{\"ping\":1}] x", "JSON line 1 column 14: nothing may stand behind a message");
    assert_refused ("[]]", "JSON line 1 column 3: nothing may stand behind a message");
    assert_refused ("[{\"ping\":1} {\"ping\":2}]", "JSON line 1 column 13: a comma or ] is wanted");
    assert_refused ("[[{\"ping\":1}]]", "a message is an object, not an array");
    assert_refused ("{\"ping\":1,\"x\":1,\"x\":2}", "JSON line 1 column 1: a key of this object stands in it twice");
    assert_refused ("\"\xff\"", "JSON line 1 column 2: this is no UTF-8");
    assert_int_equal (read_first ("[{\"ping\":1},]"), TROUPE_OK);
    assert_int_equal (text_next (&reader, &message, &error), TROUPE_INVALID);
    assert_string_equal (error.text, "JSON line 1 column 13: a value is wanted");
    assert_int_equal (text_next (&reader, &message, &error), TROUPE_NOT_FOUND);
}

static void
frames_that_end_too_early_are_refused (void **state)
{
    (void) state;
    const char text[] = "[{\"call\":\"a/b\",\"verb\":\"c\",\"seq\":1,\"body\":{\"n\":[1,\"\\u00e9\"]}},{\"ping\":1}]";
    for (size_t size = 0; size < sizeof text - 1; size++) {
        char *exact = malloc (size + 1);
        troupe_status_t status;
        assert_non_null (exact);
        memcpy (exact, text, size);
        text_open (&reader, exact, size);
        while ((status = text_next (&reader, &message, &error)) == TROUPE_OK)
            ;
        assert_int_equal (status, TROUPE_INVALID);
        assert_memory_equal (error.text, "JSON line 1", 11);
        free (exact);
    }
}

static void
without_memory_nothing_is_read_and_later_all (void **state)
{
    (void) state;
    const char text[] = "{\"hello\":1,\"token\":\"\\u0061\",\"client\":\"\\u0062\",\"x\":{\"y\":1}}";
    unsigned failures = 0;
    troupe_status_t status;
    do {
        text_close (&reader);
        memory_fail_after (failures + 1);
        status = read_first (text);
        memory_fail_after (0);
        assert_true (status == TROUPE_OK || (status == TROUPE_NO_MEMORY && error.status == status));
        failures += status != TROUPE_OK;
    } while (status != TROUPE_OK);
    assert_true (failures >= 3);
    assert_string_equal (message.token, "a");
    memory_fail_after (1);
    assert_int_equal (read_first (text), TROUPE_OK);
    memory_fail_after (0);
}

/* ------------------------------------------------------------------ *
 *  Writers
 * ------------------------------------------------------------------ */

static buffer_t out;

static void
assert_out (const char *expected)
{
    assert_false (out.failed);
    buffer_byte (&out, '\0');
    assert_string_equal ((const char *) out.data, expected);
    buffer_reset (&out);
}

static void
assert_written (const char *expected)
{
    buffer_t packed = { 0 };
    assert_int_equal (json_to_packed ((const char *) out.data, out.size, &packed, &error), TROUPE_OK);
    assert_out (expected);
    buffer_clear (&packed);
}

static void
events_of_a_stream_are_written (void **state)
{
    (void) state;
    sse_codec.watching (&out, "5f3a", 1, 17, 124, false);
    assert_out ("event: watching\nid: 5f3a-123\ndata: {\"watching\":1,\"feed\":17,\"next\":124}\n\n");
    sse_codec.watching (&out, "5f3a", 1, 17, 124, true);
    assert_out ("event: gap\ndata: {\"watching\":1,\"feed\":17,\"next\":124,\"gap\":true}\n\n");
    sse_codec.snapshot (&out, "5f3a", 17, 123, "\xa2\n\r", 3);
    assert_out ("event: snapshot\nid: 5f3a-123\ndata: {\"snapshot\":17,\"at\":123,\"body\":\"\\n\\r\"}\n\n");
    sse_codec.event (&out, "5f3a", 17, 124, "a\nid: 1-1", "\x01", 1);
    assert_out ("id: 5f3a-124\ndata: {\"event\":17,\"at\":124,\"key\":\"a\\nid: 1-1\",\"body\":1}\n\n");
    sse_codec.event (&out, "5f3a", 17, 0, NULL, "\x01", 1);
    assert_out ("data: {\"event\":17,\"at\":0,\"body\":1}\n\n");
    sse_codec.cut (&out, 17, "gone", "5f3a-124");
    assert_out ("event: cut\ndata: {\"cut\":17,\"why\":\"gone\",\"token\":\"5f3a-124\"}\n\n");
    sse_codec.presence (&out, 17, 2, "\x91\xa4" "anna", 6);
    assert_out ("event: presence\ndata: {\"presence\":17,\"count\":2,\"subjects\":[\"anna\"]}\n\n");
    sse_codec.drain (&out, 2500);
    assert_out ("retry: 2500\n\n");
}

static void
event_of_a_stream_that_does_not_fit_is_taken_back (void **state)
{
    (void) state;
    for (size_t room = 1; room < 40; room++) {
        buffer_t narrow = { .limit = room };
        sse_codec.event (&narrow, "5f3a", 17, 124, NULL, "\x01", 1);
        assert_true (narrow.failed);
        assert_int_equal (narrow.size, 0);
        buffer_clear (&narrow);
    }
}

static const welcome_t welcome = {
    .epoch = "5f3a09c1", .subject = "anna", .now_ms = 1764190000000, .session = SESSION_OK,
    .limits = { .message_bytes = 65536, .in_flight = 64, .watches = 100, .keep_ms = 86400000 },
};

static void
messages_of_the_server_are_written (void **state)
{
    (void) state;
    text_codec.welcome (&out, &welcome);
    assert_written ("{\"welcome\":1,\"epoch\":\"5f3a09c1\",\"now\":1764190000000,\"subject\":\"anna\","
                    "\"session\":\"ok\",\"limits\":{\"message_bytes\":65536,\"in_flight\":64,\"watches\":100,"
                    "\"keep_ms\":86400000}}");
    text_codec.reply (&out, 1, "\x81\xa4laps\x01", 7);
    assert_written ("{\"reply\":1,\"body\":{\"laps\":1}}");
    text_codec.reply (&out, NUMBER_LIMIT - 1, NULL, 0);
    assert_written ("{\"reply\":9007199254740991,\"body\":null}");
    text_codec.watching (&out, NULL, 1, 17, 124, false);
    assert_written ("{\"watching\":1,\"feed\":17,\"next\":124}");
    text_codec.watching (&out, NULL, 1, UINT32_MAX, 124, true);
    assert_written ("{\"watching\":1,\"feed\":4294967295,\"next\":124,\"gap\":true}");
    text_codec.snapshot (&out, NULL, 17, 123, "\xa2\n\"", 3);
    assert_written ("{\"snapshot\":17,\"at\":123,\"body\":\"\\n\\\"\"}");
    text_codec.event (&out, NULL, 17, 124, NULL, "\x01", 1);
    assert_written ("{\"event\":17,\"at\":124,\"body\":1}");
    text_codec.event (&out, NULL, 17, 124, "", "\x01", 1);
    assert_written ("{\"event\":17,\"at\":124,\"body\":1}");
    text_codec.event (&out, NULL, 17, 124, "a\"\x01\xc3\xa9", "\x01", 1);
    assert_written ("{\"event\":17,\"at\":124,\"key\":\"a\\\"\\u0001\xc3\xa9\",\"body\":1}");
    text_codec.cut (&out, 17, "slow", "5f3a09c1-124");
    assert_written ("{\"cut\":17,\"why\":\"slow\",\"token\":\"5f3a09c1-124\"}");
    text_codec.unwatched (&out, 17);
    assert_written ("{\"unwatched\":17}");
    text_codec.presence (&out, 17, 2, "\x91\xa4" "anna", 6);
    assert_written ("{\"presence\":17,\"count\":2,\"subjects\":[\"anna\"]}");
    text_codec.presence (&out, 17, 0, NULL, 0);
    assert_written ("{\"presence\":17,\"count\":0}");
    text_codec.pong (&out, 7, 1764190000000);
    assert_written ("{\"pong\":7,\"now\":1764190000000}");
    text_codec.drain (&out, 2500);
    assert_written ("{\"drain\":2500}");
    text_codec.goodbye (&out, 1002, "message");
    assert_written ("{\"goodbye\":1002,\"text\":\"message\"}");
}

static void
errors_say_of_what_they_are (void **state)
{
    (void) state;
    text_codec.error (&out, ERROR_CALL, 3, TROUPE_OVERLOADED, "", 250);
    assert_written ("{\"error\":\"call\",\"seq\":3,\"status\":\"overloaded\",\"text\":\"\",\"retry_after_ms\":250}");
    text_codec.error (&out, ERROR_WATCH, 4, TROUPE_NOT_FOUND, "no channel \"x\"", 0);
    assert_written ("{\"error\":\"watch\",\"id\":4,\"status\":\"not_found\",\"text\":\"no channel \\\"x\\\"\"}");
    text_codec.error (&out, ERROR_PROTOCOL, 0, TROUPE_INVALID, "half a character: \xc3", 0);
    assert_written ("{\"error\":\"protocol\",\"status\":\"invalid\",\"text\":\"half a character: \xef\xbf\xbd\"}");
}

static void
statuses_are_those_of_the_protocol (void **state)
{
    (void) state;
    static const char *const known[] = {
        "ok", "refused", "invalid", "not_found", "forbidden", "too_large", "overloaded", "timeout", "unknown",
        "stopping", "parked", "failed",
    };
    for (unsigned status = 0; status < TROUPE_STATUSES; status++) {
        const char *name = message_status ((troupe_status_t) status);
        const char *expected = status < sizeof known / sizeof *known ? known[status] : "failed";
        if (status == TROUPE_NO_MEMORY || status == TROUPE_FULL)
            expected = "overloaded";
        assert_string_equal (name, expected);
    }
}

static void
batches_are_written (void **state)
{
    (void) state;
    text_codec.begin (&out);
    text_codec.unwatched (&out, 1);
    text_codec.next (&out);
    text_codec.unwatched (&out, 2);
    text_codec.end (&out);
    assert_written ("[{\"unwatched\":1},{\"unwatched\":2}]");
    assert_string_equal (text_codec.subprotocol, "troupe.v1");
    assert_int_equal (text_codec.form, FORM_TEXT);
}

static void
what_does_not_fit_leaves_what_was_there (void **state)
{
    (void) state;
    server_check_rooms (&text_codec);
}

static void
bodies_that_are_no_values_are_not_written (void **state)
{
    (void) state;
    text_codec.event (&out, NULL, 1, 2, NULL, "\xc1", 1);
    assert_true (out.failed && out.size == 0);
    buffer_reset (&out);
    text_codec.reply (&out, 1, "\x01\x01", 2);
    assert_true (out.failed && out.size == 0);
    buffer_reset (&out);
}

static int
clear (void **state)
{
    (void) state;
    text_close (&reader);
    buffer_clear (&out);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (hello_has_all_its_members),
        cmocka_unit_test (what_is_absent_is_empty),
        cmocka_unit_test (calls_and_casts_have_all_their_members),
        cmocka_unit_test (the_other_types_are_read),
        cmocka_unit_test (members_that_are_not_known_are_ignored),
        cmocka_unit_test (what_does_not_fit_is_refused_with_its_name),
        cmocka_unit_test (texts_are_taken_to_their_limits),
        cmocka_unit_test (bodies_are_taken_to_the_depth_of_bodies),
        cmocka_unit_test (batches_are_read_in_order),
        cmocka_unit_test (frames_that_are_not_json_are_refused_with_their_place),
        cmocka_unit_test (frames_that_end_too_early_are_refused),
        cmocka_unit_test (without_memory_nothing_is_read_and_later_all),
        cmocka_unit_test (messages_of_the_server_are_written),
        cmocka_unit_test (events_of_a_stream_are_written),
        cmocka_unit_test (event_of_a_stream_that_does_not_fit_is_taken_back),
        cmocka_unit_test (errors_say_of_what_they_are),
        cmocka_unit_test (statuses_are_those_of_the_protocol),
        cmocka_unit_test (batches_are_written),
        cmocka_unit_test (what_does_not_fit_leaves_what_was_there),
        cmocka_unit_test (bodies_that_are_no_values_are_not_written),
    };
    return cmocka_run_group_tests (tests, NULL, clear);
}
