/*  relay.h - what the gateways of one node ask of another and are told, as bytes on the road between the two.
 *
 *      CALL      a client's call; ANSWER
 *      READ      a page of a feed's history; ANSWER
 *      WATCH     tell me of this feed; UNWATCH: no longer
 *      EVENT     of a feed that is watched
 *      TAKEN     so many bytes of answers and events arrived
 */
#ifndef RUNTIME_RELAY_H
#define RUNTIME_RELAY_H

#include "runtime/base/buffer.h"

#include <troupe.h>

#define RELAY_HEAD 62  /* bytes of a message without its texts and body */

typedef enum {
    RELAY_CALL = 1,
    RELAY_READ,
    RELAY_ANSWER,
    RELAY_WATCH,
    RELAY_UNWATCH,
    RELAY_EVENT,
    RELAY_TAKEN
} relay_type_t;

/*  What a type has no use for is 0. Texts are never NULL when read. */
typedef struct {
    relay_type_t type;
    bool is_ordered;          /* call */
    bool has_key;             /* event */
    troupe_status_t status;   /* answer */
    uint32_t count;           /* read: events at most; answer: ms after which to ask again */
    uint64_t id;              /* call, read and answer */
    uint64_t number;          /* call: seq; read and event: offset; answer: head; taken: bytes */
    uint64_t until_ms;        /* call */
    uint8_t session[16];      /* call */
    const char *to;           /* the actor */
    const char *name;         /* verb or channel */
    const char *who;          /* call: subject; event: key */
    const char *channel;      /* call */
    const char *text;         /* call: trace; answer: of an error */
    const void *body;         /* packed */
    size_t size;
} relay_message_t;

/*  Texts that are NULL are written as empty, what is longer than it may be is cut. Look at `failed`. */
void relay_write (buffer_t *to, const relay_message_t *message);

/*  False: malformed. Texts and body point into the bytes; the body is one packed value, or nothing. */
bool relay_read (relay_message_t *message, const void *bytes, size_t size);

/*  Whether a packed value is a page of a feed as host_port_t.read_feed tells it. */
bool relay_is_page (const void *packed, size_t size);

#endif
