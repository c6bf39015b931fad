/*  binary_client.c - troupe.v1.bin from the other side. */
#include "transports/edge/binary_client.h"

#include "transports/auth/base64url.h"
#include "transports/edge/binary_fields.h"

/* ---- what a client says ---- */

static void
put_name (buffer_t *to, const char *name, uint32_t *count)
{
    packed_put_name (to, name);
    *count += 1;
}

static void
put_member (buffer_t *to, const char *name, const char *text, uint32_t *count)
{
    if (!text || !*text)
        return;
    put_name (to, name, count);
    packed_put_string (to, text, strlen (text));
}

void
say_hello (buffer_t *to, const hello_t *hello)
{
    char session[BASE64URL_SIZE (SESSION_SIZE)] = "";
    buffer_t object = { 0 };
    uint32_t count = 0;
    size_t start = to->size, place = packed_open (&object);
    if (hello->session)
        base64url_write (hello->session, SESSION_SIZE, session);
    put_name (&object, "hello", &count);
    packed_put_int (&object, 1);
    if (hello->credit) {
        put_name (&object, "credit", &count);
        packed_put_int (&object, (int64_t) hello->credit);
    }
    put_member (&object, "session", session, &count);
    put_member (&object, "epoch", hello->epoch, &count);
    put_member (&object, "client", hello->client, &count);
    put_member (&object, "token", hello->token, &count);
    packed_close (&object, place, PACKED_OBJECT, count);
    to->failed = to->failed || object.failed;
    buffer_byte (to, TYPE_HELLO);
    put_span (to, object.data, object.size);
    finish (to, start);
    buffer_clear (&object);
}

void
say_token (buffer_t *to, const char *token)
{
    buffer_byte (to, TYPE_TOKEN);
    put_text (to, token);
}

void
say_route (buffer_t *to, uint32_t route, const char *address, const char *verb)
{
    buffer_byte (to, TYPE_ROUTE);
    put_number (to, route);
    put_text (to, address);
    put_text (to, verb);
}

static void
say_number (buffer_t *to, type_t type, uint64_t number)
{
    buffer_byte (to, (uint8_t) type);
    put_number (to, number);
}

void
say_until (buffer_t *to, uint64_t until_ms)
{
    say_number (to, TYPE_UNTIL, until_ms);
}

void
say_trace (buffer_t *to, const char *trace)
{
    buffer_byte (to, TYPE_TRACE);
    put_text (to, trace);
}

void
say_call (buffer_t *to, uint32_t route, uint64_t seq, const void *body, size_t size)
{
    say_number (to, TYPE_CALL, route);
    put_number (to, seq);
    put_span (to, body, size);
}

void
say_cast (buffer_t *to, uint32_t route, const void *body, size_t size)
{
    say_number (to, TYPE_CAST, route);
    put_span (to, body, size);
}

void
say_watch (buffer_t *to, uint64_t id, const char *feed, const char *from)
{
    say_number (to, TYPE_WATCH, id);
    put_text (to, feed);
    put_text (to, from);
}

void
say_unwatch (buffer_t *to, uint64_t feed)
{
    say_number (to, TYPE_UNWATCH, feed);
}

void
say_ping (buffer_t *to, uint64_t number)
{
    say_number (to, TYPE_PING, number);
}

void
say_credit (buffer_t *to, uint64_t bytes)
{
    say_number (to, TYPE_CREDIT, bytes);
}

void
say_goodbye (buffer_t *to)
{
    say_number (to, TYPE_GOODBYE, 1);
}

/* ---- what it hears ---- */

static troupe_status_t
hear_text (binary_reader_t *self, const char *field, heard_text_t *text, troupe_error_t *error)
{
    span_t span;
    troupe_status_t status = take_span (self, field, &span, error);
    if (status == TROUPE_OK)
        *text = (heard_text_t) { (const char *) span.bytes, span.size };
    return status;
}

static troupe_status_t
hear_body (binary_reader_t *self, server_message_t *message, unsigned depth, troupe_error_t *error)
{
    span_t span = { 0 };
    troupe_status_t status = take_value (self, "body", depth, &span, error);
    if (status == TROUPE_OK && span.size > 0) {
        message->body = span.bytes;
        message->size = span.size;
    }
    return status;
}

static troupe_status_t
hear_error (binary_reader_t *self, server_message_t *message, troupe_error_t *error)
{
    uint64_t of = 0;
    troupe_status_t status = take_number (self, "error", &of, error);
    if (status == TROUPE_OK && of > 2)
        status = wrong (self, "error", "0, 1 or 2 is wanted", error);
    message->of = of == 0 ? ERROR_PROTOCOL : of == 1 ? ERROR_CALL : ERROR_WATCH;
    if (status == TROUPE_OK)
        status = take_number (self, "seq", &message->number, error);
    if (status == TROUPE_OK)
        status = hear_text (self, "status", &message->more, error);
    if (status == TROUPE_OK)
        status = hear_text (self, "text", &message->text, error);
    return status == TROUPE_OK ? take_number (self, "retry_after_ms", &message->at, error) : status;
}

static troupe_status_t
hear_watching (binary_reader_t *self, server_message_t *message, troupe_error_t *error)
{
    uint64_t gap = 0;
    troupe_status_t status = take_number (self, "id", &message->number, error);
    if (status == TROUPE_OK)
        status = take_number (self, "feed", &message->feed, error);
    if (status == TROUPE_OK)
        status = take_number (self, "next", &message->at, error);
    if (status == TROUPE_OK)
        status = take_number (self, "gap", &gap, error);
    message->is_gap = gap != 0;
    return status;
}

static troupe_status_t
hear_event (binary_reader_t *self, server_message_t *message, bool has_key, troupe_error_t *error)
{
    troupe_status_t status = take_number (self, "feed", &message->number, error);
    if (status == TROUPE_OK)
        status = take_number (self, "at", &message->at, error);
    if (status == TROUPE_OK && has_key)
        status = hear_text (self, "key", &message->text, error);
    return status == TROUPE_OK ? hear_body (self, message, PACKED_DEPTH_MAX, error) : status;
}

static troupe_status_t
hear_cut (binary_reader_t *self, server_message_t *message, troupe_error_t *error)
{
    troupe_status_t status = take_number (self, "feed", &message->number, error);
    if (status == TROUPE_OK)
        status = hear_text (self, "why", &message->text, error);
    return status == TROUPE_OK ? hear_text (self, "token", &message->more, error) : status;
}

static troupe_status_t
hear_pong (binary_reader_t *self, server_message_t *message, troupe_error_t *error)
{
    troupe_status_t status = take_number (self, "pong", &message->number, error);
    return status == TROUPE_OK ? take_number (self, "now", &message->at, error) : status;
}

static troupe_status_t
hear_fields (binary_reader_t *self, uint8_t type, server_message_t *message, troupe_error_t *error)
{
    troupe_status_t status;
    switch (type) {
    case TYPE_WELCOME:
        return hear_body (self, message, PACKED_DEPTH_MAX + 1, error);
    case TYPE_REPLY:
        status = take_number (self, "seq", &message->number, error);
        return status == TROUPE_OK ? hear_body (self, message, PACKED_DEPTH_MAX, error) : status;
    case TYPE_ERROR:
        return hear_error (self, message, error);
    case TYPE_WATCHING:
        return hear_watching (self, message, error);
    case TYPE_SNAPSHOT:
    case TYPE_EVENT:
    case TYPE_PRESENCE:
        return hear_event (self, message, false, error);
    case TYPE_KEY_EVENT:
        return hear_event (self, message, true, error);
    case TYPE_CUT:
        return hear_cut (self, message, error);
    case TYPE_PONG:
        return hear_pong (self, message, error);
    case TYPE_SERVER_GOODBYE:
        status = take_number (self, "goodbye", &message->number, error);
        return status == TROUPE_OK ? hear_text (self, "text", &message->text, error) : status;
    default:
        return take_number (self, "number", &message->number, error);
    }
}

troupe_status_t
binary_hear (binary_reader_t *self, server_message_t *message, troupe_error_t *error)
{
    static const server_type_t types[] = {
        SERVER_WELCOME, SERVER_REPLY, SERVER_ERROR, SERVER_WATCHING, SERVER_SNAPSHOT, SERVER_EVENT, SERVER_EVENT,
        SERVER_CUT, SERVER_UNWATCHED, SERVER_PONG, SERVER_DRAIN, SERVER_PRESENCE, SERVER_GOODBYE
    };
    if (self->at == self->end)
        return TROUPE_NOT_FOUND;
    uint8_t type = *self->at;
    if (type < TYPE_WELCOME || type > TYPE_SERVER_GOODBYE)
        return error_set (error, TROUPE_INVALID, "byte %zu: there is no type %02x of messages",
                          (size_t) (self->at - self->begin), type);
    self->at += 1;
    *message = (server_message_t) { .type = types[type - TYPE_WELCOME] };
    return hear_fields (self, type, message, error);
}
