/*  work.h - what a worker of remote kinds and the node say to each other, as bytes: doc/protocol-zmq.md.
 *
 *  These messages stand in parts of their own. Reading keeps nothing and believes nothing; what the messages mean is
 *  runtime/port/remote.h.
 */
#ifndef TRANSPORTS_ZMQ_WORK_H
#define TRANSPORTS_ZMQ_WORK_H

#include "runtime/port/remote.h"
#include "transports/edge/binary.h"

#define WORK_TEXT_MAX 255

typedef enum {
    WORK_ANNOUNCE = 0x10,  /* it serves a kind: `capacity`, `states`, `body` is the table */
    WORK_DONE,             /* `number`, `status`, `text`, `body` is the list of effects */
    WORK_STATELESS,        /* `number` came without a state, which it has no more */
    WORK_UNTAKEN,          /* `number` was not begun with; after WORK_LEAVE alone */
    WORK_LEAVE,            /* it takes no more, and finishes what it has: it is told when nothing more comes */
    WORK_END
} work_type_t;

/*  A message of a worker. `body` is borrowed from the part. */
typedef struct {
    work_type_t type;
    uint64_t number;    /* of an offer */
    uint64_t capacity;  /* so many offers it takes at a time */
    uint64_t states;    /* of so many actors it keeps the state */
    troupe_status_t status;
    char text[WORK_TEXT_MAX + 1];
    const void *body;
    size_t size;
} work_t;

/*  Whether a part is one of these. */
static inline bool
work_is (const void *part, size_t size)
{
    const uint8_t *bytes = part;
    return size > 0 && bytes[0] >= WORK_ANNOUNCE && bytes[0] < WORK_ANNOUNCE + 16;
}

/*  After binary_open, which needs no routes. As binary_next; whether a body is good, its reader finds out. */
troupe_status_t work_next (binary_reader_t *reader, work_t *work, troupe_error_t *error) TROUPE_CHECKED;

/*  An offer without its head, so that all of it can be made before its number is known. */
void work_put_offer (buffer_t *to, const remote_offer_t *offer);
void work_put_offer_head (buffer_t *to, uint64_t number, size_t size);

/*  Each a whole message. */
void work_put_announced (buffer_t *to, troupe_status_t status, const char *text);
void work_put_settled (buffer_t *to, uint64_t number, bool is_kept, uint64_t version);
void work_put_left (buffer_t *to);

#endif
