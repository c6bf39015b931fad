/*  binary.c - troupe.v1.bin: the same messages for those who count bytes.
 *
 *  DESIGN
 *  A type byte, then fields in a fixed order. Nothing is believed before it was compared with what is left of the
 *  frame. Bodies stay where they are and are checked here, once, with memory that the reader keeps. The caller's
 *  thread.
 */
#include "transports/edge/binary.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "transports/edge/binary_fields.h"

struct binary_route_s {
    uint8_t address_size, verb_size;  /* with their NULs */
    char text[];                      /* address NUL verb NUL */
};

_Static_assert (TROUPE_ADDRESS_MAX < UINT8_MAX && TROUPE_NAME_MAX < UINT8_MAX, "a size with its NUL fits a byte");

static troupe_status_t
take_body (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    span_t body = { 0 };
    troupe_status_t status = take_value (self, "body", PACKED_DEPTH_MAX, &body, error);
    if (status == TROUPE_OK)
        members_body (message, body.bytes, body.size);
    return status;
}

/* ------------------------------------------------------------------ *
 *  Routes
 * ------------------------------------------------------------------ */

void
binary_routes_clear (binary_routes_t *self)
{
    for (uint32_t index = 0; index < self->count; index++)
        memory_free (self->routes[index]);
    memory_free (self->routes);
    *self = (binary_routes_t) { 0 };
}

static bool
make_room (binary_routes_t *self, uint32_t number)
{
    uint32_t count = self->count ? self->count : 8;
    if (number < self->count)
        return true;
    while (count <= number)
        count *= 2;
    binary_route_t **routes = memory_realloc (self->routes, count * sizeof *routes);
    if (!routes)
        return false;
    memset (routes + self->count, 0, (count - self->count) * sizeof *routes);
    self->routes = routes;
    self->count = count;
    return true;
}

static bool
set_route (binary_routes_t *self, uint32_t number, const char *address, const char *verb)
{
    size_t address_size = strlen (address) + 1, verb_size = strlen (verb) + 1;
    binary_route_t *route = memory_alloc (sizeof *route + address_size + verb_size);
    if (!route || !make_room (self, number)) {
        memory_free (route);
        return false;
    }
    route->address_size = (uint8_t) address_size;
    route->verb_size = (uint8_t) verb_size;
    memcpy (route->text, address, address_size);
    memcpy (route->text + address_size, verb, verb_size);
    memory_free (self->routes[number]);
    self->routes[number] = route;
    return true;
}

static troupe_status_t
read_route (binary_reader_t *self, troupe_error_t *error)
{
    uint64_t number;
    char address[TROUPE_ADDRESS_MAX + 1], verb[TROUPE_NAME_MAX + 1];
    troupe_status_t status = take_number (self, "route", &number, error);
    if (status == TROUPE_OK && number >= ROUTES_MOST)
        status = wrong (self, "route", "a number from 0 to 1023 is wanted", error);
    if (status == TROUPE_OK)
        status = take_text (self, "address", address, TROUPE_ADDRESS_MAX, error);
    if (status == TROUPE_OK)
        status = take_text (self, "verb", verb, TROUPE_NAME_MAX, error);
    if (status == TROUPE_OK && !set_route (self->routes, (uint32_t) number, address, verb))
        status = error_set (error, TROUPE_NO_MEMORY, "out of memory for a route");
    return status;
}

/*  The address and verb of a call or cast, and its trace. */
static troupe_status_t
follow_route (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    uint64_t number;
    troupe_status_t status = take_number (self, "route", &number, error);
    if (status != TROUPE_OK)
        return status;
    const binary_route_t *route = number < self->routes->count ? self->routes->routes[number] : NULL;
    if (!route)
        return wrong (self, "route", "it was not said what this number means", error);
    memcpy (message->to, route->text, route->address_size);
    memcpy (message->verb, route->text + route->address_size, route->verb_size);
    memcpy (message->trace, self->trace, sizeof message->trace);
    self->trace[0] = '\0';
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Messages of a client
 * ------------------------------------------------------------------ */

static troupe_status_t
read_hello (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    span_t object = { 0 };
    troupe_status_t status = take_value (self, "hello", PACKED_DEPTH_MAX + 1, &object, error);
    if (status == TROUPE_OK && object.size == 0)
        return wrong (self, "hello", "an object is wanted", error);
    if (status == TROUPE_OK)
        status = members_read (object.bytes, object.size, message, &self->token, error);
    if (status == TROUPE_OK && message->type != CLIENT_HELLO)
        return wrong (self, "hello", "its first member must be hello", error);
    return status;
}

static troupe_status_t
read_token (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    buffer_reset (&self->token);
    char *place = (char *) buffer_reserve (&self->token, TOKEN_MAX + 1);
    message->token = place;
    return place ? take_text (self, "token", place, TOKEN_MAX, error) : packed_status (&self->token, error);
}

static troupe_status_t
read_call (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    message->until_ms = self->routes->until_ms;
    troupe_status_t status = follow_route (self, message, error);
    if (status == TROUPE_OK)
        status = take_number (self, "seq", &message->number, error);
    return status == TROUPE_OK ? take_body (self, message, error) : status;
}

static troupe_status_t
read_cast (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    troupe_status_t status = follow_route (self, message, error);
    return status == TROUPE_OK ? take_body (self, message, error) : status;
}

static troupe_status_t
read_watch (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    troupe_status_t status = take_number (self, "id", &message->number, error);
    if (status == TROUPE_OK)
        status = take_text (self, "feed", message->to, FEED_MAX, error);
    return status == TROUPE_OK ? take_text (self, "from", message->from, RESUME_MAX, error) : status;
}

static troupe_status_t
read_message (binary_reader_t *self, client_type_t type, client_message_t *message, troupe_error_t *error)
{
    members_reset (message, type);
    switch (type) {
    case CLIENT_HELLO: return read_hello (self, message, error);
    case CLIENT_TOKEN: return read_token (self, message, error);
    case CLIENT_CALL: return read_call (self, message, error);
    case CLIENT_CAST: return read_cast (self, message, error);
    case CLIENT_WATCH: return read_watch (self, message, error);
    case CLIENT_UNWATCH: return take_number (self, "feed", &message->number, error);
    case CLIENT_PING: return take_number (self, "ping", &message->number, error);
    case CLIENT_CREDIT: return take_number (self, "credit", &message->number, error);
    case CLIENT_GOODBYE: return take_number (self, "goodbye", &message->number, error);
    case CLIENT_TYPES: break;
    }
    return error_set (error, TROUPE_INVALID, "no such type");
}

/*  A message, or what is said of those that follow: then `message->type` is CLIENT_TYPES. */
static troupe_status_t
read_item (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    static const client_type_t types[] = {
        [TYPE_HELLO] = CLIENT_HELLO, [TYPE_TOKEN] = CLIENT_TOKEN, [TYPE_CALL] = CLIENT_CALL, [TYPE_CAST] = CLIENT_CAST,
        [TYPE_WATCH] = CLIENT_WATCH, [TYPE_UNWATCH] = CLIENT_UNWATCH, [TYPE_PING] = CLIENT_PING,
        [TYPE_CREDIT] = CLIENT_CREDIT, [TYPE_GOODBYE] = CLIENT_GOODBYE,
    };
    uint8_t type = *self->at;
    message->type = CLIENT_TYPES;
    if (type < TYPE_HELLO || type > TYPE_GOODBYE)
        return error_set (error, TROUPE_INVALID, "byte %zu: there is no type %02x of messages",
                          (size_t) (self->at - self->begin), type);
    self->at += 1;
    switch (type) {
    case TYPE_ROUTE: return read_route (self, error);
    case TYPE_UNTIL: return take_number (self, "until", &self->routes->until_ms, error);
    case TYPE_TRACE: return take_text (self, "trace", self->trace, TRACE_MAX, error);
    default: return read_message (self, types[type], message, error);
    }
}

void
binary_open (binary_reader_t *self, binary_routes_t *routes, const void *bytes, size_t size)
{
    self->routes = routes;
    self->begin = self->at = bytes;
    self->end = self->begin + size;
    self->trace[0] = '\0';
}

void
binary_close (binary_reader_t *self)
{
    buffer_clear (&self->token);
    buffer_clear (&self->names);
}

troupe_status_t
binary_next (binary_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    if (self->begin == self->end)
        return error_set (error, TROUPE_INVALID, "the frame is empty");
    while (self->at < self->end) {
        troupe_status_t status = read_item (self, message, error);
        if (status != TROUPE_OK)
            self->at = self->end;
        if (status != TROUPE_OK || message->type != CLIENT_TYPES)
            return status;
    }
    return TROUPE_NOT_FOUND;
}

/* ------------------------------------------------------------------ *
 *  Messages of the server
 * ------------------------------------------------------------------ */

static void
write_welcome (buffer_t *to, const welcome_t *welcome)
{
    buffer_t object = { 0 };
    size_t start = to->size;
    members_welcome (&object, welcome);
    to->failed = to->failed || object.failed;
    buffer_byte (to, TYPE_WELCOME);
    put_span (to, object.data, object.size);
    finish (to, start);
    buffer_clear (&object);
}

static void
write_reply (buffer_t *to, uint64_t seq, const void *body, size_t size)
{
    size_t start = to->size;
    buffer_byte (to, TYPE_REPLY);
    put_number (to, seq);
    put_span (to, body, size);
    finish (to, start);
}

static void
write_error (buffer_t *to, error_of_t of, uint64_t number, troupe_status_t status, const char *text,
             uint32_t retry_after_ms)
{
    static const uint8_t codes[] = { [ERROR_PROTOCOL] = 0, [ERROR_CALL] = 1, [ERROR_WATCH] = 2 };
    size_t start = to->size;
    buffer_byte (to, TYPE_ERROR);
    put_number (to, codes[of]);
    put_number (to, number);
    put_text (to, message_status (status));
    put_text (to, text);
    put_number (to, retry_after_ms);
    finish (to, start);
}

static void
write_watching (buffer_t *to, const char *epoch, uint64_t id, uint32_t feed, uint64_t next, bool is_gap)
{
    (void) epoch;
    size_t start = to->size;
    buffer_byte (to, TYPE_WATCHING);
    put_number (to, id);
    put_number (to, feed);
    put_number (to, next);
    put_number (to, is_gap);
    finish (to, start);
}

static void
write_snapshot (buffer_t *to, const char *epoch, uint32_t feed, uint64_t at, const void *body, size_t size)
{
    (void) epoch;
    size_t start = to->size;
    buffer_byte (to, TYPE_SNAPSHOT);
    put_number (to, feed);
    put_number (to, at);
    put_span (to, body, size);
    finish (to, start);
}

static void
write_event (buffer_t *to, const char *epoch, uint32_t feed, uint64_t at, const char *key, const void *body,
             size_t size)
{
    (void) epoch;
    bool has_key = key && *key;
    size_t start = to->size;
    buffer_byte (to, has_key ? TYPE_KEY_EVENT : TYPE_EVENT);
    put_number (to, feed);
    put_number (to, at);
    if (has_key)
        put_text (to, key);
    put_span (to, body, size);
    finish (to, start);
}

static void
write_cut (buffer_t *to, uint32_t feed, const char *why, const char *token)
{
    size_t start = to->size;
    buffer_byte (to, TYPE_CUT);
    put_number (to, feed);
    put_text (to, why);
    put_text (to, token);
    finish (to, start);
}

static void
write_unwatched (buffer_t *to, uint32_t feed)
{
    size_t start = to->size;
    buffer_byte (to, TYPE_UNWATCHED);
    put_number (to, feed);
    finish (to, start);
}

static void
write_presence (buffer_t *to, uint32_t feed, uint64_t count, const void *subjects, size_t size)
{
    size_t start = to->size;
    buffer_byte (to, TYPE_PRESENCE);
    put_number (to, feed);
    put_number (to, count);
    put_span (to, subjects, size);
    finish (to, start);
}

static void
write_pong (buffer_t *to, uint64_t number, uint64_t now_ms)
{
    size_t start = to->size;
    buffer_byte (to, TYPE_PONG);
    put_number (to, number);
    put_number (to, now_ms);
    finish (to, start);
}

static void
write_drain (buffer_t *to, uint64_t after_ms)
{
    size_t start = to->size;
    buffer_byte (to, TYPE_DRAIN);
    put_number (to, after_ms);
    finish (to, start);
}

static void
write_goodbye (buffer_t *to, uint16_t code, const char *text)
{
    size_t start = to->size;
    buffer_byte (to, TYPE_SERVER_GOODBYE);
    put_number (to, code);
    put_text (to, text);
    finish (to, start);
}

static void
write_nothing (buffer_t *to)
{
    (void) to;
}

#define WRITERS                                                                                                        \
    .welcome = write_welcome, .reply = write_reply, .error = write_error, .watching = write_watching,                  \
    .snapshot = write_snapshot, .event = write_event, .cut = write_cut, .unwatched = write_unwatched,                  \
    .presence = write_presence, .pong = write_pong, .drain = write_drain, .goodbye = write_goodbye,                    \
    .begin = write_nothing, .next = write_nothing, .end = write_nothing

const codec_t binary_codec = { .subprotocol = "troupe.v1.bin", .form = FORM_BINARY, WRITERS };
const codec_t records_codec = { .form = FORM_RECORDS, WRITERS };
