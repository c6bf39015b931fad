/*  client_inside.h - what the files of a client share. For transports/zmq/ alone.
 *
 *      client_core.c   the conversation; calls
 *      client_watch.c  feeds
 */
#ifndef TRANSPORTS_ZMQ_CLIENT_INSIDE_H
#define TRANSPORTS_ZMQ_CLIENT_INSIDE_H

#include "transports/zmq/client_core.h"

#include <string.h>

#define ITEM_OVERHEAD 64  /* types, numbers and lengths of what is said for a call or a watch */

static inline bool
fits (const char *text, size_t least, size_t most)
{
    size_t size = strlen (text);
    return size >= least && size <= most;
}

/*  Asks for those that are to be asked for by now, and leaves others, as far as one message has room. */
void watches_say (core_t *self, uint64_t now_ms);

/*  There is a new connection, on which nothing was asked yet. */
void watches_begin_again (core_t *self);

void watches_heard (core_t *self, const server_message_t *message);
void watches_refused (core_t *self, uint64_t id, const troupe_error_t *error, uint64_t again_ms);

/*  All that are heard end so. */
void watches_end (core_t *self, const troupe_error_t *error);
void watches_clear (core_t *self);

#endif
