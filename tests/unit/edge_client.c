/*  edge_client.c - the other side of the protocol, whatever the form. */
#include "tests/unit/edge_client.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"
#include "transports/edge/binary.h"
#include "transports/edge/text.h"

static const char *const names[] = {
    [CLIENT_HELLO] = "hello", [CLIENT_TOKEN] = "token", [CLIENT_CALL] = "call", [CLIENT_CAST] = "cast",
    [CLIENT_WATCH] = "watch", [CLIENT_UNWATCH] = "unwatch", [CLIENT_PING] = "ping",
    [CLIENT_CREDIT] = "credit", [CLIENT_GOODBYE] = "goodbye",
};

/* ------------------------------------------------------------------ *
 *  Objects: the text form, and hello in both
 * ------------------------------------------------------------------ */

typedef struct {
    buffer_t packed;
    uint32_t count;
    size_t place;
} object_t;

static void
put_name (object_t *self, const char *name)
{
    packed_put_string (&self->packed, name, strlen (name));
    self->count += 1;
}

static void
put_number (object_t *self, const char *name, uint64_t number)
{
    put_name (self, name);
    packed_put_int (&self->packed, (int64_t) number);
}

static void
put_text (object_t *self, const char *name, const char *text)
{
    if (!*text)
        return;
    put_name (self, name);
    packed_put_string (&self->packed, text, strlen (text));
}

static void
put_session (object_t *self, const uint8_t session[SESSION_SIZE])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char text[23] = { 0 };
    for (unsigned digit = 0; digit < 22; digit++)
        for (unsigned bit = 6 * digit, index = 0; index < 6; index++, bit++) {
            unsigned set = bit < 128 && session[bit / 8] >> (7 - bit % 8) & 1;
            text[digit] = (char) (text[digit] << 1 | (char) set);
        }
    for (unsigned digit = 0; digit < 22; digit++)
        text[digit] = digits[(unsigned) text[digit]];
    put_text (self, "session", text);
}

static void
put_call (object_t *self, const client_message_t *message)
{
    put_name (self, names[message->type]);
    packed_put_string (&self->packed, message->to, strlen (message->to));
    put_name (self, "verb");
    packed_put_string (&self->packed, message->verb, strlen (message->verb));
    if (message->type == CLIENT_CALL) {
        put_number (self, "seq", message->number);
        if (message->until_ms)
            put_number (self, "until", message->until_ms);
    }
    if (message->size) {
        put_name (self, "body");
        buffer_append (&self->packed, message->body, message->size);
    }
    put_text (self, "trace", message->trace);
}

static void
put_message (object_t *self, const client_message_t *message)
{
    switch (message->type) {
    case CLIENT_CALL:
    case CLIENT_CAST:
        put_call (self, message);
        return;
    case CLIENT_WATCH:
        put_name (self, "watch");
        packed_put_string (&self->packed, message->to, strlen (message->to));
        put_number (self, "id", message->number);
        put_text (self, "from", message->from);
        return;
    case CLIENT_TOKEN:
        put_name (self, "token");
        packed_put_string (&self->packed, message->token, strlen (message->token));
        return;
    default:
        put_number (self, names[message->type], message->number);
    }
    if (message->type == CLIENT_HELLO) {
        put_text (self, "token", message->token);
        if (message->has_session)
            put_session (self, message->session);
        put_text (self, "epoch", message->epoch);
        put_text (self, "client", message->client);
        if (message->credit)
            put_number (self, "credit", message->credit);
    }
}

static void
make_object (object_t *self, const client_message_t *message)
{
    self->place = packed_open (&self->packed);
    put_message (self, message);
    packed_close (&self->packed, self->place, PACKED_OBJECT, self->count);
    CHECK (!self->packed.failed);
}

/*  By a longer way than json_from_packed, which takes no body as deep as a message with one may be. */
void
client_write_text (buffer_t *to, const client_message_t *message)
{
    object_t object = { { 0 }, 0, 0 };
    packed_reader_t reader;
    packed_value_t value;
    make_object (&object, message);
    reader = (packed_reader_t) { object.packed.data, object.packed.data + object.packed.size };
    CHECK (packed_next (&reader, &value));
    for (uint32_t index = 0; index < object.count; index++) {
        for (unsigned part = 0; part < 2; part++) {
            const uint8_t *begin = reader.at;
            buffer_byte (to, part ? ':' : index ? ',' : '{');
            CHECK (packed_skip (&reader));
            CHECK (json_from_packed (begin, (size_t) (reader.at - begin), to, NULL) == TROUPE_OK);
        }
    }
    buffer_byte (to, '}');
    buffer_clear (&object.packed);
}

/* ------------------------------------------------------------------ *
 *  The binary form
 * ------------------------------------------------------------------ */

static void
put_leb (buffer_t *to, uint64_t number)
{
    for (; number > 127; number >>= 7)
        buffer_byte (to, (uint8_t) (number | 128));
    buffer_byte (to, (uint8_t) number);
}

static void
put_bytes (buffer_t *to, const void *bytes, size_t size)
{
    put_leb (to, size);
    buffer_append (to, bytes, size);
}

static void
put_binary_call (buffer_t *to, const client_message_t *message)
{
    bool is_call = message->type == CLIENT_CALL;
    buffer_append (to, "\x03\x85\x02", 3);
    put_bytes (to, message->to, strlen (message->to));
    put_bytes (to, message->verb, strlen (message->verb));
    if (is_call) {
        buffer_byte (to, 4);
        put_leb (to, message->until_ms);
    }
    if (*message->trace) {
        buffer_byte (to, 10);
        put_bytes (to, message->trace, strlen (message->trace));
    }
    buffer_append (to, is_call ? "\x05\x85\x02" : "\x06\x85\x02", 3);
    if (is_call)
        put_leb (to, message->number);
    put_bytes (to, message->body, message->size);
}

void
client_write_binary (buffer_t *to, const client_message_t *message)
{
    static const uint8_t bytes[CLIENT_TYPES] = {
        [CLIENT_UNWATCH] = 0x08, [CLIENT_PING] = 0x09, [CLIENT_CREDIT] = 0x0b, [CLIENT_GOODBYE] = 0x0c
    };
    object_t object = { { 0 }, 0, 0 };
    switch (message->type) {
    case CLIENT_HELLO:
        make_object (&object, message);
        buffer_byte (to, 1);
        put_bytes (to, object.packed.data, object.packed.size);
        buffer_clear (&object.packed);
        return;
    case CLIENT_TOKEN:
        buffer_byte (to, 2);
        put_bytes (to, message->token, strlen (message->token));
        return;
    case CLIENT_WATCH:
        buffer_byte (to, 7);
        put_leb (to, message->number);
        put_bytes (to, message->to, strlen (message->to));
        put_bytes (to, message->from, strlen (message->from));
        return;
    case CLIENT_UNWATCH:
    case CLIENT_PING:
    case CLIENT_CREDIT:
    case CLIENT_GOODBYE:
        buffer_byte (to, bytes[message->type]);
        put_leb (to, message->number);
        return;
    default:
        put_binary_call (to, message);
    }
}

/* ------------------------------------------------------------------ *
 *  Both
 * ------------------------------------------------------------------ */

bool
client_messages_equal (const client_message_t *left, const client_message_t *right)
{
    return left->type == right->type && strcmp (left->to, right->to) == 0 && strcmp (left->verb, right->verb) == 0
           && strcmp (left->trace, right->trace) == 0 && left->number == right->number
           && left->until_ms == right->until_ms && left->size == right->size && !left->body == !left->size
           && (left->size == 0 || memcmp (left->body, right->body, left->size) == 0)
           && strcmp (left->from, right->from) == 0 && left->has_session == right->has_session
           && memcmp (left->session, right->session, SESSION_SIZE) == 0 && strcmp (left->epoch, right->epoch) == 0
           && left->credit == right->credit
           && strcmp (left->client, right->client) == 0 && strcmp (left->token, right->token) == 0;
}

void
client_check_again (const client_message_t *message, bool is_binary)
{
    static text_reader_t text;
    static binary_reader_t binary;
    binary_routes_t routes = { 0 };
    client_message_t again, none;
    buffer_t frame = { 0 };
    troupe_error_t error;
    if (is_binary) {
        client_write_binary (&frame, message);
        binary_open (&binary, &routes, frame.data, frame.size);
        CHECK (binary_next (&binary, &again, &error) == TROUPE_OK && client_messages_equal (&again, message));
        CHECK (binary_next (&binary, &none, &error) == TROUPE_NOT_FOUND);
    } else {
        client_write_text (&frame, message);
        text_open (&text, frame.data, frame.size);
        CHECK (text_next (&text, &again, &error) == TROUPE_OK && client_messages_equal (&again, message));
        CHECK (text_next (&text, &none, &error) == TROUPE_NOT_FOUND);
    }
    buffer_clear (&frame);
    text_close (&text);
    binary_close (&binary);
    binary_routes_clear (&routes);
}

#define SERVER_TYPES 11

static void
write_any (const codec_t *codec, buffer_t *to, unsigned which)
{
    static const welcome_t welcome = { .epoch = "e", .subject = "anna" };
    switch (which) {
    case 0: codec->welcome (to, &welcome); break;
    case 1: codec->reply (to, 1, "\xa5hello", 6); break;
    case 2: codec->error (to, ERROR_CALL, 1, TROUPE_REFUSED, "no \xff", 0); break;
    case 3: codec->watching (to, "e", 1, 2, 3, true); break;
    case 4: codec->snapshot (to, "e", 1, 2, "\x91\x01", 2); break;
    case 5: codec->event (to, "e", 1, 2, "key", "\x91\x01", 2); break;
    case 6: codec->cut (to, 1, "slow", "a-1"); break;
    case 7: codec->unwatched (to, 1); break;
    case 8: codec->pong (to, 1, 2); break;
    case 9: codec->presence (to, 1, 2, "\x91\xa4" "anna", 6); break;
    default: codec->drain (to, 1); break;
    }
}

static void
check_rooms_of (const codec_t *codec, unsigned which)
{
    buffer_t whole = { 0 }, none = { 0 };
    write_any (codec, &whole, which);
    CHECK (!whole.failed);
    for (size_t room = 0; room < whole.size; room++) {
        buffer_t narrow = { .limit = 6 + room };
        buffer_append (&narrow, "before", 6);
        for (unsigned twice = 0; twice < 2; twice++) {
            write_any (codec, &narrow, which);
            CHECK (narrow.failed && narrow.over_limit);
            CHECK (narrow.size == 6 && memcmp (narrow.data, "before", 6) == 0);
        }
        buffer_clear (&narrow);
    }
    memory_fail_after (1);
    write_any (codec, &none, which);
    memory_fail_after (0);
    CHECK (none.failed && !none.over_limit && none.size == 0);
    buffer_clear (&none);
    buffer_clear (&whole);
}

void
server_check_rooms (const codec_t *codec)
{
    for (unsigned which = 0; which < SERVER_TYPES; which++)
        check_rooms_of (codec, which);
}
