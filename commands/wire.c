/*  wire.c - messages on the control socket, taken apart and put together.
 *
 *  DESIGN
 *  The size stands in front so that a reader knows before it allocates whether
 *  it wants the message. Messages are handed out where they lie; what is left of
 *  a half message moves to the front only when the next bytes are asked for, so
 *  that a row of small messages costs one move a read. The whole object is
 *  checked once, so that the readers of its fields need not doubt its bytes.
 */
#include "commands/wire.h"

#include "runtime/base/bytes.h"
#include "runtime/body/packed.h"

uint8_t *
wire_room (wire_t *self, size_t size)
{
    if (self->taken) {
        self->bytes.size -= self->taken;
        memmove (self->bytes.data, self->bytes.data + self->taken, self->bytes.size);
        self->taken = 0;
    }
    return buffer_reserve (&self->bytes, size);
}

void
wire_arrived (wire_t *self, size_t size)
{
    CHECK (size <= self->bytes.capacity - self->bytes.size);
    self->bytes.size += size;
}

static wire_result_t
bad (troupe_error_t *error, troupe_status_t status, const char *text)
{
    error_set (error, status, "%s", text);
    return WIRE_BAD;
}

wire_result_t
wire_next (wire_t *self, wire_message_t *message, troupe_error_t *error)
{
    size_t left = self->bytes.size - self->taken;
    if (left < WIRE_HEAD)
        return WIRE_MORE;
    const uint8_t *at = self->bytes.data + self->taken;
    uint32_t size = get_le32 (at);
    if (size > WIRE_MESSAGE_MAX)
        return bad (error, TROUPE_TOO_LARGE, "a message of more than 8 MB: is this the control protocol?");
    if (size == 0)
        return bad (error, TROUPE_INVALID, "a message of no bytes");
    if (left - WIRE_HEAD < size)
        return WIRE_MORE;
    packed_reader_t reader = { at + WIRE_HEAD, at + WIRE_HEAD + size };
    packed_value_t value = { .type = PACKED_NULL };
    if (!packed_is_valid (reader.at, size) || !packed_next (&reader, &value) || value.type != PACKED_OBJECT)
        return bad (error, TROUPE_INVALID, "a message that is no packed object");
    *message = (wire_message_t) { at + WIRE_HEAD, size };
    self->taken += WIRE_HEAD + size;
    return WIRE_MESSAGE;
}

void
wire_clear (wire_t *self)
{
    buffer_clear (&self->bytes);
    self->taken = 0;
}

/* ---- fields ---- */

static troupe_status_t
field (const wire_message_t *message, const char *name, packed_type_t type, packed_value_t *value, const char *wanted,
       troupe_error_t *error)
{
    packed_reader_t found;
    if (!packed_find (message->bytes, message->size, name, &found) || !packed_next (&found, value)
        || value->type == PACKED_NULL)
        return error_set (error, TROUPE_NOT_FOUND, "the field \"%s\" is missing", name);
    if (value->type != type)
        return error_set (error, TROUPE_INVALID, "the field \"%s\": %s is wanted", name, wanted);
    return TROUPE_OK;
}

troupe_status_t
wire_text (const wire_message_t *message, const char *name, char *text, size_t size, troupe_error_t *error)
{
    packed_value_t value = { .type = PACKED_NULL };
    troupe_status_t status = field (message, name, PACKED_STRING, &value, "a text", error);
    if (status != TROUPE_OK)
        return status;
    if (value.string.size >= size || memchr (value.string.bytes, '\0', value.string.size))
        return error_set (error, TROUPE_INVALID, "the field \"%s\": a text of at most %zu bytes is wanted", name,
                          size - 1);
    memcpy (text, value.string.bytes, value.string.size);
    text[value.string.size] = '\0';
    return TROUPE_OK;
}

troupe_status_t
wire_number (const wire_message_t *message, const char *name, uint64_t *number, troupe_error_t *error)
{
    packed_value_t value = { .type = PACKED_NULL };
    troupe_status_t status = field (message, name, PACKED_INT, &value, "a whole number", error);
    if (status == TROUPE_OK && value.integer < 0)
        status = error_set (error, TROUPE_INVALID, "the field \"%s\": may not be negative", name);
    if (status == TROUPE_OK)
        *number = (uint64_t) value.integer;
    return status;
}

troupe_status_t
wire_flag (const wire_message_t *message, const char *name, bool *flag, troupe_error_t *error)
{
    packed_value_t value = { .type = PACKED_NULL };
    troupe_status_t status = field (message, name, PACKED_BOOL, &value, "true or false", error);
    if (status == TROUPE_OK)
        *flag = value.truth;
    return status;
}

troupe_status_t
wire_bytes (const wire_message_t *message, const char *name, const uint8_t **bytes, size_t *size,
            troupe_error_t *error)
{
    packed_value_t value = { .type = PACKED_NULL };
    troupe_status_t status = field (message, name, PACKED_BYTES, &value, "bytes", error);
    if (status == TROUPE_OK) {
        *bytes = value.string.bytes;
        *size = value.string.size;
    }
    return status;
}

/* ---- writing ---- */

size_t
wire_begin (buffer_t *to)
{
    static const uint8_t head[WIRE_HEAD];
    size_t begun = to->size;
    buffer_append (to, head, sizeof head);
    return begun;
}

bool
wire_end (buffer_t *to, size_t begun)
{
    size_t size = to->failed ? 0 : to->size - begun - WIRE_HEAD;
    if (to->failed || size > WIRE_MESSAGE_MAX) {
        to->size = begun;
        to->failed = false;
        return false;
    }
    put_le32 (to->data + begun, (uint32_t) size);
    return true;
}

void
wire_put_bytes (buffer_t *to, const char *name, const void *bytes, size_t size)
{
    packed_put_name (to, name);
    packed_put_bytes (to, bytes, size);
}
