/*  envelope.h - what parts a message of the server from the next: the head of a WebSocket frame, or an end of line.
 *
 *  Frames are made here and not by libwebsockets, so that one encoding of an event serves all
 *  of its watchers and many messages leave in one send.
 */
#ifndef TRANSPORTS_EDGE_ENVELOPE_H
#define TRANSPORTS_EDGE_ENVELOPE_H

#include "transports/edge/message.h"

#define ENVELOPE_HEAD 10       /* the largest */
#define ENVELOPE_LINE 0x0a
/*  FIN and opcode by form; 0: nothing is needed. */
static const uint8_t envelopes[FORMS] = { [FORM_TEXT] = 0x81, [FORM_BINARY] = 0x82, [FORM_LINES] = ENVELOPE_LINE };

static inline bool
envelope_is_frame (uint8_t kind)
{
    return kind > ENVELOPE_LINE;
}

/*  Bytes of the head of a frame. */
static inline size_t
envelope_head (const uint8_t *frame)
{
    return frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
}

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
    bool has_head = envelope_is_frame (kind);
    size_t size = to->size - place - ENVELOPE_HEAD, used = !has_head ? 0 : size < 126 ? 2 : size < 65536 ? 4 : 10;
    memmove (head + used, head + ENVELOPE_HEAD, size);
    to->size = place + used + size;
    if (kind == ENVELOPE_LINE)
        to->data[to->size++] = '\n';  /* there was room for a head */
    if (!has_head)
        return;
    head[0] = kind;
    head[1] = (uint8_t) (used == 2 ? size : used == 4 ? 126 : 127);
    for (size_t i = used; i > 2; i--, size >>= 8)
        head[i - 1] = (uint8_t) size;
}

#endif
