/*  envelope.h - the head of a WebSocket frame from a server, around what is written in between.
 *
 *  Frames are made here and not by libwebsockets, so that one encoding of an event serves all
 *  of its watchers and many messages leave in one send.
 */
#ifndef TRANSPORTS_EDGE_ENVELOPE_H
#define TRANSPORTS_EDGE_ENVELOPE_H

#include "transports/edge/message.h"

#define ENVELOPE_HEAD 10       /* the largest */
/*  FIN and opcode by form; 0: no head. */
static const uint8_t envelopes[FORMS] = { [FORM_TEXT] = 0x81, [FORM_BINARY] = 0x82 };

/*  Leaves room for the head and returns the place to give to envelope_close. */
static inline size_t
envelope_open (buffer_t *to)
{
    size_t place = to->size;
    if (buffer_reserve (to, ENVELOPE_HEAD))
        to->size += ENVELOPE_HEAD;
    return place;
}

/*  The frame ends at the end of the buffer. A message that did not fit is taken back whole. */
static inline void
envelope_close (buffer_t *to, size_t place, uint8_t kind)
{
    if (to->failed) {
        to->size = place;
        return;
    }
    uint8_t *head = to->data + place;
    size_t size = to->size - place - ENVELOPE_HEAD, used = !kind ? 0 : size < 126 ? 2 : size < 65536 ? 4 : 10;
    memmove (head + used, head + ENVELOPE_HEAD, size);
    to->size = place + used + size;
    if (!kind)
        return;
    head[0] = kind;
    head[1] = (uint8_t) (used == 2 ? size : used == 4 ? 126 : 127);
    for (size_t i = used; i > 2; i--, size >>= 8)
        head[i - 1] = (uint8_t) size;
}

#endif
