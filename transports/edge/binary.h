/*  binary.h - troupe.v1.bin: MessagePack bodies. Reads the messages of one frame after the other.
 *
 *  Routes and the end of calls are state of the connection: what is in use of a table that grows with the highest
 *  route. Not shared between threads.
 */
#ifndef TRANSPORTS_EDGE_BINARY_H
#define TRANSPORTS_EDGE_BINARY_H

#include "transports/edge/message.h"

#define ROUTES_MOST 1024

typedef struct binary_route_s binary_route_t;

/*  Of a connection; zeroed is empty. */
typedef struct {
    binary_route_t **routes;  /* NULL: not in use */
    uint32_t count;           /* of places */
    uint64_t until_ms;
} binary_routes_t;

void binary_routes_clear (binary_routes_t *self);

/*  Zeroed is empty. One reader may serve many connections: nothing of a frame is left when the next is opened, but
 *  the memory that it took. */
typedef struct {
    binary_routes_t *routes;
    const uint8_t *begin, *at, *end;
    char trace[TRACE_MAX + 1];  /* for the next call or cast of this frame */
    buffer_t token;
    buffer_t names;             /* for the check of bodies */
} binary_reader_t;

/*  Begins a frame. The bytes must live until its last message was read; bodies point into them. */
void binary_open (binary_reader_t *self, binary_routes_t *routes, const void *bytes, size_t size);

/*  Frees the reader's memory. */
void binary_close (binary_reader_t *self);

/*  As text_next. Bodies are checked: one good packed value or none. */
troupe_status_t binary_next (binary_reader_t *self, client_message_t *message, troupe_error_t *error) TROUPE_CHECKED;

#endif
