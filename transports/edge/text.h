/*  text.h - troupe.v1: JSON text. Reads the messages of one frame after the other.
 *
 *  A body goes from text to packed bytes in the same pass that finds the members
 *  of its message, and is not looked at again before the actor reads it. Not
 *  shared between threads.
 */
#ifndef TRANSPORTS_EDGE_TEXT_H
#define TRANSPORTS_EDGE_TEXT_H

#include "runtime/body/json.h"
#include "transports/edge/message.h"

/*  Zeroed is empty. One reader may serve many connections: nothing of a frame is left when the next is opened, but
 *  the memory that it took. */
typedef struct {
    json_parser_t json;
    enum { TEXT_BEGIN, TEXT_BATCH, TEXT_LATER, TEXT_END } place;  /* LATER: behind a comma of a batch */
    buffer_t packed;                                              /* the message read last */
    buffer_t token;
} text_reader_t;

/*  Begins a frame. The text must live until its last message was read. */
void text_open (text_reader_t *self, const void *text, size_t size);

/*  Frees the reader's memory. */
void text_close (text_reader_t *self);

/*  TROUPE_OK: a message; TROUPE_NOT_FOUND: there is no more; TROUPE_INVALID, TROUPE_NO_MEMORY: the error says what is
 *  wrong with the frame, and where; nothing more of it can be read, and `message` is not to be looked at. */
troupe_status_t text_next (text_reader_t *self, client_message_t *message, troupe_error_t *error) TROUPE_CHECKED;

#endif
