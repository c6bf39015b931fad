/*  binary_fields.h - the types and fields of troupe.v1.bin, for those who read and write its two sides. */
#ifndef TRANSPORTS_EDGE_BINARY_FIELDS_H
#define TRANSPORTS_EDGE_BINARY_FIELDS_H

#include "runtime/base/error.h"
#include "runtime/base/utf8.h"
#include "runtime/body/packed.h"
#include "transports/edge/binary.h"
#include "transports/edge/members.h"

#define NUMBER_BYTES 8  /* of the longest number */

typedef enum {
    TYPE_HELLO = 0x01, TYPE_TOKEN, TYPE_ROUTE, TYPE_UNTIL, TYPE_CALL, TYPE_CAST, TYPE_WATCH, TYPE_UNWATCH, TYPE_PING,
    TYPE_TRACE, TYPE_CREDIT, TYPE_GOODBYE,

    TYPE_WELCOME = 0x81, TYPE_REPLY, TYPE_ERROR, TYPE_WATCHING, TYPE_SNAPSHOT, TYPE_EVENT, TYPE_KEY_EVENT, TYPE_CUT,
    TYPE_UNWATCHED, TYPE_PONG, TYPE_DRAIN, TYPE_PRESENCE, TYPE_SERVER_GOODBYE
} type_t;

/* ---- reading: each field names itself in the error ---- */

typedef struct {
    const uint8_t *bytes;
    size_t size;
} span_t;

static inline troupe_status_t
wrong (const binary_reader_t *self, const char *field, const char *what, troupe_error_t *error)
{
    return error_set (error, TROUPE_INVALID, "byte %zu: %s: %s", (size_t) (self->at - self->begin), field, what);
}

static inline troupe_status_t
take_number (binary_reader_t *self, const char *field, uint64_t *number, troupe_error_t *error)
{
    uint64_t value = 0;
    size_t left = (size_t) (self->end - self->at);
    *number = 0;
    for (unsigned index = 0; index < NUMBER_BYTES; index++) {
        if (index == left)
            return wrong (self, field, "the frame ends too early", error);
        uint8_t byte = self->at[index];
        value |= (uint64_t) (byte & 127) << 7 * index;
        if (byte < 128 && value < NUMBER_LIMIT) {
            self->at += index + 1;
            *number = value;
            return TROUPE_OK;
        }
        if (byte < 128)
            break;
    }
    return wrong (self, field, "a number below 2^53 is wanted", error);
}

static inline troupe_status_t
take_span (binary_reader_t *self, const char *field, span_t *span, troupe_error_t *error)
{
    uint64_t size;
    troupe_status_t status = take_number (self, field, &size, error);
    *span = (span_t) { 0 };
    if (status != TROUPE_OK)
        return status;
    if (size > (size_t) (self->end - self->at))
        return wrong (self, field, "the frame ends too early", error);
    *span = (span_t) { self->at, (size_t) size };
    self->at += size;
    return TROUPE_OK;
}

static inline troupe_status_t
too_long (const binary_reader_t *self, const char *field, size_t most, troupe_error_t *error)
{
    return error_set (error, TROUPE_INVALID, "byte %zu: %s: longer than %zu bytes", (size_t) (self->at - self->begin),
                      field, most);
}

static inline troupe_status_t
take_text (binary_reader_t *self, const char *field, char *to, size_t most, troupe_error_t *error)
{
    span_t span;
    troupe_status_t status = take_span (self, field, &span, error);
    if (status != TROUPE_OK)
        return status;
    if (span.size > most)
        return too_long (self, field, most, error);
    if (!utf8_is_valid (span.bytes, span.size))
        return wrong (self, field, "this is no UTF-8", error);
    const char *why = members_text (span.bytes, span.size, to, most);
    return why ? wrong (self, field, why, error) : TROUPE_OK;
}

/*  One good packed value, or nothing. */
static inline troupe_status_t
take_value (binary_reader_t *self, const char *field, unsigned depth, span_t *span, troupe_error_t *error)
{
    troupe_status_t status = take_span (self, field, span, error);
    if (status != TROUPE_OK)
        return status;
    status = packed_check_with (&self->names, span->bytes, span->size, depth);
    if (status == TROUPE_INVALID)
        return wrong (self, field, "this is not one good MessagePack value", error);
    return status == TROUPE_OK ? TROUPE_OK : error_set (error, status, "out of memory to check a body");
}

/* ---- writing ---- */

static inline void
put_number (buffer_t *to, uint64_t number)
{
    uint8_t bytes[10];
    size_t size = 0;
    for (; number > 127; number >>= 7)
        bytes[size++] = (uint8_t) (number | 128);
    bytes[size++] = (uint8_t) number;
    buffer_append (to, bytes, size);
}

static inline void
put_span (buffer_t *to, const void *bytes, size_t size)
{
    put_number (to, size);
    buffer_append (to, bytes, size);
}

static inline void
put_text (buffer_t *to, const char *text)
{
    size_t size = strlen (text);
    if (utf8_is_valid (text, size)) {
        put_span (to, text, size);
        return;
    }
    buffer_t mended = { 0 };
    members_mend (&mended, text, size);
    to->failed = to->failed || mended.failed;
    put_span (to, mended.data, mended.size);
    buffer_clear (&mended);
}

/*  Takes back what did not fit as a whole. */
static inline void
finish (buffer_t *to, size_t start)
{
    if (to->failed)
        to->size = start;
}

#endif
