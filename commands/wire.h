/*  wire.h - messages on the control socket, taken apart and put together.
 *
 *  A message is a u32, little-endian, that counts the bytes behind it, and then
 *  one packed object. A packed value inside of a message (the body of a call, an
 *  answer) is carried as bytes, so that it has its own depth and is checked by
 *  whom it concerns. The fields of each request stand in requests.h.
 *
 *  The reader trusts nothing: a message over the limit, an empty one, and what
 *  is no good object end the conversation. One thread.
 */
#ifndef COMMANDS_WIRE_H
#define COMMANDS_WIRE_H

#include "runtime/body/packed.h"

#define WIRE_HEAD 4
#define WIRE_MESSAGE_MAX (8u << 20)

/*  Zero-initialise; wire_clear frees. */
typedef struct {
    buffer_t bytes;      /* what arrived */
    size_t taken;        /* of these, by messages that were handed out */
} wire_t;

/*  A whole message, borrowed until the next wire_room or wire_clear. */
typedef struct {
    const uint8_t *bytes;
    size_t size;
} wire_message_t;

typedef enum {
    WIRE_MORE,    /* the rest has not arrived yet */
    WIRE_MESSAGE,
    WIRE_BAD      /* nothing behind it can be understood */
} wire_result_t;

/*  A place for `size` bytes from the socket; NULL when out of memory. */
uint8_t *wire_room (wire_t *self, size_t size);
void wire_arrived (wire_t *self, size_t size);

/*  The next message; with WIRE_BAD the error says why. */
wire_result_t wire_next (wire_t *self, wire_message_t *message, troupe_error_t *error);

void wire_clear (wire_t *self);

/*  Fields. TROUPE_NOT_FOUND when it is absent or null, and then the target is
 *  unchanged; TROUPE_INVALID names the field that is of another type or does not fit. */
troupe_status_t wire_text (const wire_message_t *message, const char *name, char *text, size_t size,
                           troupe_error_t *error);
troupe_status_t wire_number (const wire_message_t *message, const char *name, uint64_t *number, troupe_error_t *error);
troupe_status_t wire_flag (const wire_message_t *message, const char *name, bool *flag, troupe_error_t *error);
troupe_status_t wire_bytes (const wire_message_t *message, const char *name, const uint8_t **bytes, size_t *size,
                            troupe_error_t *error);

/*  Writing: between begin and end, packed_put_object and its fields. end gives
 *  false when the buffer failed or the message is too large; the buffer is then
 *  as it was before begin. */
size_t wire_begin (buffer_t *to);
bool wire_end (buffer_t *to, size_t begun);
void wire_put_bytes (buffer_t *to, const char *name, const void *bytes, size_t size);

#endif
