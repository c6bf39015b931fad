/*  test_vectors.c - doc/protocol-vectors.json: what is read and written in C, on both sides.
 *
 *  A message is read from its part in each form and, by the text reader, from what the file says that it means: all
 *  must be the same. What it means is written in each form, and must be the part byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/body/json.h"
#include "runtime/body/packed.h"
#include "tests/unit/edge_client.h"
#include "transports/edge/binary_client.h"
#include "transports/edge/text.h"
#include "transports/zmq/work.h"

#include <sodium.h>

#define PART_MAX 4096

static json_t *file;
static binary_reader_t binary;
static text_reader_t text, meaning;
static uint8_t part[PART_MAX];
static size_t part_size;
static buffer_t out;
static troupe_error_t error;

/* ---- the file ---- */

static int
set_up (void **state)
{
    (void) state;
    char path[4096];
    json_error_t why;
    const char *source = getenv ("TROUPE_SOURCE");
    snprintf (path, sizeof path, "%s/doc/protocol-vectors.json", source ? source : ".");
    file = json_load_file (path, 0, &why);
    if (!file)
        print_error ("%s: %s\n", path, why.text);
    return file ? 0 : -1;
}

static int
tear_down (void **state)
{
    (void) state;
    json_decref (file);
    binary_close (&binary);
    text_close (&text);
    text_close (&meaning);
    buffer_clear (&out);
    return 0;
}

static const char *
text_of (const json_t *object, const char *name)
{
    const char *value = json_string_value (json_object_get (object, name));
    return value ? value : "";
}

static uint64_t
number_of (const json_t *object, const char *name)
{
    const json_t *value = json_object_get (object, name);
    return json_is_true (value) ? 1 : (uint64_t) json_integer_value (value);
}

static void
take_hex (const json_t *hex)
{
    assert_int_equal (sodium_hex2bin (part, sizeof part, json_string_value (hex), json_string_length (hex), NULL,
                                      &part_size, NULL), 0);
}

static void
is_part (const char *name)
{
    if (out.failed || out.size != part_size || memcmp (out.data, part, part_size) != 0)
        fail_msg ("%s: other bytes are written", name);
    buffer_reset (&out);
}

/*  What the packed value is as JSON is what the file has; nothing is nothing. */
static void
is_value (const void *packed, size_t size, const json_t *wanted)
{
    buffer_t shown = { 0 };
    char *expected = json_dumps (wanted, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!expected)
        assert_int_equal (size, 0);
    else {
        assert_int_equal (json_from_packed (packed, size, &shown, NULL), TROUPE_OK);
        assert_int_equal (shown.size, strlen (expected));
        assert_memory_equal (shown.data, expected, shown.size);
    }
    free (expected);
    buffer_clear (&shown);
}

/*  The name of a message's type, and its value. */
static const char *
type_of (const json_t *message, const json_t **value)
{
    void *first = json_object_iter ((json_t *) message);
    *value = json_object_iter_value (first);
    return json_object_iter_key (first);
}

/* ---- what a client says ---- */

static void
say (const client_message_t *message)
{
    switch (message->type) {
    case CLIENT_HELLO:
        say_hello (&out, &(hello_t) { message->token, message->epoch, message->client,
                                      message->has_session ? message->session : NULL, message->credit });
        break;
    case CLIENT_TOKEN: say_token (&out, message->token); break;
    case CLIENT_CALL:
    case CLIENT_CAST:
        say_route (&out, 0, message->to, message->verb);
        if (message->type == CLIENT_CALL)
            say_until (&out, message->until_ms);
        if (*message->trace)
            say_trace (&out, message->trace);
        if (message->type == CLIENT_CALL)
            say_call (&out, 0, message->number, message->body, message->size);
        else
            say_cast (&out, 0, message->body, message->size);
        break;
    case CLIENT_WATCH: say_watch (&out, message->number, message->to, message->from); break;
    case CLIENT_UNWATCH: say_unwatch (&out, message->number); break;
    case CLIENT_PING: say_ping (&out, message->number); break;
    case CLIENT_CREDIT: say_credit (&out, message->number); break;
    case CLIENT_GOODBYE: say_goodbye (&out); break;
    case CLIENT_TYPES: fail ();
    }
}

/*  The next message of a part is this one. */
static void
is_next (const char *name, bool is_binary, const json_t *means)
{
    client_message_t message, wanted;
    char *said = json_dumps (means, JSON_COMPACT);
    text_open (&meaning, said, strlen (said));
    if (text_next (&meaning, &wanted, &error) != TROUPE_OK
        || (is_binary ? binary_next (&binary, &message, &error) : text_next (&text, &message, &error)) != TROUPE_OK)
        fail_msg ("%s: %s", name, error.text);
    if (!client_messages_equal (&message, &wanted))
        fail_msg ("%s: another message is read", name);
    if (is_binary)
        say (&message);
    free (said);
}

static void
read_binary (const char *name, const json_t *hex, const json_t *means)
{
    binary_routes_t routes = { 0 };
    client_message_t none;
    size_t index;
    json_t *message;
    take_hex (hex);
    binary_open (&binary, &routes, part, part_size);
    json_array_foreach (means, index, message)
        is_next (name, true, message);
    assert_int_equal (binary_next (&binary, &none, &error), TROUPE_NOT_FOUND);
    binary_routes_clear (&routes);
}

static void
what_clients_say_is_read_and_written (void **state)
{
    (void) state;
    size_t index, place;
    json_t *vector, *message, *hex;
    json_array_foreach (json_object_get (file, "from_client"), index, vector) {
        const char *name = text_of (vector, "name"), *said = text_of (vector, "text");
        const json_t *means = json_object_get (vector, "means");
        read_binary (name, json_object_get (vector, "binary"), means);
        is_part (name);
        json_array_foreach (json_object_get (vector, "also"), place, hex) {
            read_binary (name, hex, means);
            buffer_reset (&out);
        }
        text_open (&text, said, strlen (said));
        json_array_foreach (means, place, message)
            is_next (name, false, message);
    }
    assert_true (index > 20);
}

/* ---- what a node says ---- */

typedef struct {
    const char *name;
    server_type_t type;
    const char *at, *text, *more, *body;  /* the members that the fields of a server_message_t are */
} told_t;

static const told_t tolds[] = {
    { "welcome", SERVER_WELCOME }, { "reply", SERVER_REPLY, .body = "body" },
    { "error", SERVER_ERROR, "retry_after_ms", "text", "status" }, { "watching", SERVER_WATCHING, "next" },
    { "snapshot", SERVER_SNAPSHOT, "at", .body = "body" }, { "event", SERVER_EVENT, "at", "key", .body = "body" },
    { "cut", SERVER_CUT, NULL, "why", "token" }, { "unwatched", SERVER_UNWATCHED }, { "pong", SERVER_PONG, "now" },
    { "drain", SERVER_DRAIN }, { "presence", SERVER_PRESENCE, "count", .body = "subjects" },
    { "goodbye", SERVER_GOODBYE, NULL, "text" },
};

static const told_t *
told_of (const json_t *message, const json_t **value)
{
    const char *name = type_of (message, value);
    for (size_t i = 0; i < sizeof tolds / sizeof *tolds; i++)
        if (strcmp (tolds[i].name, name) == 0)
            return &tolds[i];
    fail_msg ("no message is called %s", name);
    return NULL;
}

static error_of_t
error_of (const json_t *value)
{
    const char *of = json_string_value (value);
    return strcmp (of, "protocol") == 0 ? ERROR_PROTOCOL : strcmp (of, "call") == 0 ? ERROR_CALL : ERROR_WATCH;
}

static void
write_welcome (const codec_t *codec, const json_t *message)
{
    const json_t *limits = json_object_get (message, "limits");
    const char *session = text_of (message, "session");
    welcome_t welcome = {
        .epoch = text_of (message, "epoch"), .subject = text_of (message, "subject"),
        .now_ms = number_of (message, "now"), .session = *session == 'o' ? SESSION_OK : SESSION_NEW,
        .limits = { (uint32_t) number_of (limits, "message_bytes"), (uint32_t) number_of (limits, "in_flight"),
                    (uint32_t) number_of (limits, "watches"), number_of (limits, "keep_ms") }
    };
    codec->welcome (&out, &welcome);
}

static void
write_told (const codec_t *codec, const json_t *message)
{
    const json_t *value;
    const told_t *told = told_of (message, &value);
    buffer_t body = { 0 };
    const json_t *tree = told->body ? json_object_get (message, told->body) : NULL;
    uint64_t number = (uint64_t) json_integer_value (value), at = told->at ? number_of (message, told->at) : 0;
    uint32_t feed = (uint32_t) number;
    if (tree && !json_is_null (tree))
        assert_int_equal (json_tree_to_packed (tree, &body, &error), TROUPE_OK);
    switch (told->type) {
    case SERVER_WELCOME: write_welcome (codec, message); break;
    case SERVER_REPLY: codec->reply (&out, number, body.data, body.size); break;
    case SERVER_ERROR:
        codec->error (&out, error_of (value), number_of (message, "seq") + number_of (message, "id"),
                      message_status_named (text_of (message, "status"), strlen (text_of (message, "status"))),
                      text_of (message, "text"), (uint32_t) at);
        break;
    case SERVER_WATCHING:
        codec->watching (&out, NULL, number, (uint32_t) number_of (message, "feed"), at, number_of (message, "gap"));
        break;
    case SERVER_SNAPSHOT: codec->snapshot (&out, NULL, feed, at, body.data, body.size); break;
    case SERVER_EVENT: codec->event (&out, NULL, feed, at, text_of (message, "key"), body.data, body.size); break;
    case SERVER_CUT: codec->cut (&out, feed, text_of (message, "why"), text_of (message, "token")); break;
    case SERVER_UNWATCHED: codec->unwatched (&out, feed); break;
    case SERVER_PONG: codec->pong (&out, number, at); break;
    case SERVER_DRAIN: codec->drain (&out, number); break;
    case SERVER_PRESENCE: codec->presence (&out, feed, at, body.data, body.size); break;
    case SERVER_GOODBYE: codec->goodbye (&out, (uint16_t) number, text_of (message, "text")); break;
    }
    buffer_clear (&body);
}

static void
write_all (const codec_t *codec, const json_t *means)
{
    size_t index;
    json_t *message;
    bool is_batch = json_array_size (means) > 1;
    if (is_batch)
        codec->begin (&out);
    json_array_foreach (means, index, message) {
        if (index > 0)
            codec->next (&out);
        write_told (codec, message);
    }
    if (is_batch)
        codec->end (&out);
}

static void
is_text (const heard_text_t *heard, const char *wanted)
{
    assert_int_equal (heard->size, strlen (wanted));
    assert_memory_equal (heard->bytes, wanted, heard->size);
}

static void
hear (const json_t *means)
{
    size_t index;
    json_t *wanted;
    server_message_t heard;
    binary_open (&binary, NULL, part, part_size);
    json_array_foreach (means, index, wanted) {
        const json_t *value;
        const told_t *told = told_of (wanted, &value);
        const json_t *body = told->body ? json_object_get (wanted, told->body) : NULL;
        assert_int_equal (binary_hear (&binary, &heard, &error), TROUPE_OK);
        assert_int_equal (heard.type, told->type);
        if (told->type == SERVER_ERROR)
            assert_int_equal (heard.of, error_of (value));
        if (told->type == SERVER_ERROR)
            assert_int_equal (heard.number, number_of (wanted, "seq") + number_of (wanted, "id"));
        else if (told->type != SERVER_WELCOME)
            assert_int_equal (heard.number, json_integer_value (value));
        assert_int_equal (heard.at, told->at ? number_of (wanted, told->at) : 0);
        assert_int_equal (heard.feed, number_of (wanted, "feed"));
        assert_int_equal (heard.is_gap, number_of (wanted, "gap"));
        is_text (&heard.text, told->text ? text_of (wanted, told->text) : "");
        is_text (&heard.more, told->more ? text_of (wanted, told->more) : "");
        is_value (heard.body, heard.size, told->type == SERVER_WELCOME ? wanted : body);
    }
    assert_int_equal (binary_hear (&binary, &heard, &error), TROUPE_NOT_FOUND);
}

static void
what_a_node_says_is_written_and_read (void **state)
{
    (void) state;
    size_t index, place;
    json_t *vector, *hex;
    json_array_foreach (json_object_get (file, "from_node"), index, vector) {
        const char *name = text_of (vector, "name"), *said = text_of (vector, "text");
        const json_t *means = json_object_get (vector, "means");
        write_all (&lines_codec, means);
        buffer_byte (&out, '\n');
        part_size = strlen (said);
        memcpy (part, said, part_size);
        is_part (name);
        take_hex (json_object_get (vector, "binary"));
        write_all (&records_codec, means);
        is_part (name);
        hear (means);
        json_array_foreach (json_object_get (vector, "also"), place, hex) {
            take_hex (hex);
            hear (means);
        }
    }
    assert_true (index > 30);
}

/* ---- workers ---- */

static void
what_workers_say_is_read (void **state)
{
    (void) state;
    static const char *const names[] = { "announce", "done", "stateless", "untaken", "leave" };
    size_t index;
    json_t *vector;
    json_array_foreach (json_object_get (file, "from_worker"), index, vector) {
        const json_t *value, *means = json_array_get (json_object_get (vector, "means"), 0);
        const char *type = type_of (means, &value), *status = text_of (means, "status");
        bool is_announce = strcmp (type, "announce") == 0;
        work_t work;
        take_hex (json_object_get (vector, "binary"));
        assert_true (work_is (part, part_size));
        binary_open (&binary, NULL, part, part_size);
        assert_int_equal (work_next (&binary, &work, &error), TROUPE_OK);
        assert_string_equal (names[work.type - WORK_ANNOUNCE], type);
        if (work.type != WORK_LEAVE)
            assert_int_equal (work.number, is_announce ? 0 : json_integer_value (value));
        assert_int_equal (work.capacity, number_of (means, "capacity"));
        assert_int_equal (work.states, number_of (means, "states"));
        assert_int_equal (work.status, *status ? message_status_named (status, strlen (status)) : TROUPE_OK);
        assert_string_equal (work.text, text_of (means, "text"));
        is_value (work.body, work.size, is_announce ? value : json_object_get (means, "effects"));
        assert_int_equal (work_next (&binary, &work, &error), TROUPE_NOT_FOUND);
    }
    assert_true (index > 6);
}

/*  An object of bytes, which the file has in base64. */
static void
pack_state (const json_t *state, buffer_t *to)
{
    const char *name;
    json_t *value;
    packed_put_object (to, (uint32_t) json_object_size (state));
    json_object_foreach ((json_t *) state, name, value) {
        uint8_t bytes[64];
        size_t size;
        assert_int_equal (sodium_base642bin (bytes, sizeof bytes, json_string_value (value),
                                             json_string_length (value), NULL, &size, NULL,
                                             sodium_base64_VARIANT_ORIGINAL), 0);
        packed_put_string (to, name, strlen (name));
        packed_put_bytes (to, bytes, size);
    }
}

static void
write_offer (uint64_t number, const json_t *about)
{
    buffer_t body = { 0 }, state = { 0 }, offer = { 0 };
    const json_t *states = json_object_get (about, "state");
    assert_int_equal (json_tree_to_packed (json_object_get (about, "body"), &body, &error), TROUPE_OK);
    assert_string_equal (text_of (about, "what"), "call");
    if (states)
        pack_state (states, &state);
    work_put_offer (&offer, &(remote_offer_t) {
        .kind = text_of (about, "kind"), .kind_version = (uint32_t) number_of (about, "version"),
        .address = text_of (about, "to"), .verb = text_of (about, "verb"), .what = REMOTE_CALL, .sender = "",
        .subject = text_of (about, "subject"), .trace = "", .caller = text_of (about, "caller"), .body = body.data,
        .size = body.size, .id = strtoull (text_of (about, "id"), NULL, 16),
        .attempt = (uint32_t) number_of (about, "attempt"), .now_ms = number_of (about, "now"),
        .budget_ms = number_of (about, "budget_ms"), .version = number_of (about, "state_number"),
        .state_version = (uint32_t) number_of (about, "state_version"), .has_state = states != NULL,
        .state = state.data, .state_size = state.size });
    work_put_offer_head (&out, number, offer.size);
    buffer_append (&out, offer.data, offer.size);
    buffer_clear (&body);
    buffer_clear (&state);
    buffer_clear (&offer);
}

static void
what_workers_are_told_is_written (void **state)
{
    (void) state;
    size_t index;
    json_t *vector;
    json_array_foreach (json_object_get (file, "to_worker"), index, vector) {
        const json_t *value, *means = json_array_get (json_object_get (vector, "means"), 0);
        const char *type = type_of (means, &value), *status = json_string_value (value);
        uint64_t number = (uint64_t) json_integer_value (value);
        take_hex (json_object_get (vector, "binary"));
        if (strcmp (type, "announced") == 0)
            work_put_announced (&out, *status == 'o' ? TROUPE_OK : TROUPE_MISMATCH, text_of (means, "text"));
        else if (strcmp (type, "offer") == 0)
            write_offer (number, json_object_get (means, "about"));
        else if (strcmp (type, "settled") == 0)
            work_put_settled (&out, number, number_of (means, "kept"), number_of (means, "state_number"));
        else
            work_put_left (&out);
        is_part (text_of (vector, "name"));
    }
    assert_true (index > 7);
}

/* ---- what is refused ---- */

static void
bad_parts_are_refused (void **state)
{
    (void) state;
    size_t index;
    json_t *vector;
    json_array_foreach (json_object_get (file, "refused"), index, vector) {
        const char *said = json_string_value (json_object_get (vector, "text"));
        const json_t *hex = json_object_get (vector, "binary");
        binary_routes_t routes = { 0 };
        client_message_t message;
        troupe_status_t status = TROUPE_OK;
        if (said)
            text_open (&text, said, strlen (said));
        while (said && (status = text_next (&text, &message, &error)) == TROUPE_OK)
            ;
        assert_true (!said || status == TROUPE_INVALID);
        if (!hex)
            continue;
        take_hex (hex);
        binary_open (&binary, &routes, part, part_size);
        while ((status = binary_next (&binary, &message, &error)) == TROUPE_OK)
            ;
        assert_int_equal (status, TROUPE_INVALID);
        binary_routes_clear (&routes);
    }
    assert_true (index > 15);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_clients_say_is_read_and_written),
        cmocka_unit_test (what_a_node_says_is_written_and_read),
        cmocka_unit_test (what_workers_say_is_read),
        cmocka_unit_test (what_workers_are_told_is_written),
        cmocka_unit_test (bad_parts_are_refused),
    };
    return cmocka_run_group_tests (tests, set_up, tear_down);
}
