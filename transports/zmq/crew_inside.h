/*  crew_inside.h - what the files of the crew share. For transports/zmq/ alone.
 *
 *      crew.c       their life; what they say and are told
 *      crew_port.c  what shards ask: offers, and who holds which state
 */
#ifndef TRANSPORTS_ZMQ_CREW_INSIDE_H
#define TRANSPORTS_ZMQ_CREW_INSIDE_H

#include "runtime/base/table.h"
#include "transports/zmq/crew.h"

#include <pthread.h>
#include <stdatomic.h>

/*  What a worker was given, or will be. */
typedef struct offer_s {
    table_node_t node;         /* by number */
    uint64_t number;
    mate_t *worker;
    struct offer_s *before, *after;  /* of its worker, by number */
    bool has_state;
    bool is_withdrawn;         /* the shard does not want it any more, the worker is at it all the same */
    buffer_t bytes;            /* until they are sent */
    char address[TROUPE_ADDRESS_MAX + 1];
} offer_t;

/*  An actor whose state a worker holds. */
typedef struct held_s {
    table_node_t node;         /* by address */
    mate_t *worker;
    struct held_s *newer, *older;  /* of its worker, by use */
    uint64_t number;           /* of the newest offer */
    uint64_t version;          /* of the state */
    char address[];
} held_t;

typedef struct {
    char name[TROUPE_KIND_MAX + 1];
    uint32_t version;          /* the newest that was announced */
    bool is_owed;              /* an offer was refused, and `ready` not told since */
} served_t;

struct mate_s {
    crew_t *pool;
    void *connection;
    uint32_t place;
    uint32_t versions[REMOTE_KINDS_MAX];  /* of the kinds that it serves, as the pool numbers them; 0: not this one */
    uint32_t capacity, in_hand;
    uint64_t states_most, states;
    bool is_leaving;
    uint64_t sent, sent_before;           /* newest number that was sent; before that is certain */
    offer_t *first, *last, *unsent;       /* what it has in hand, by number */
    size_t waiting;                       /* bytes of what is not sent */
    buffer_t out;                         /* what goes along with the next offer */
    held_t *newest, *oldest;
};

struct crew_s {
    remote_port_t port;
    remote_host_t host;
    void (*wake) (void *arg);
    void *wake_arg;
    _Atomic bool is_awake;                /* the bus' thread was woken, and did not come yet */
    pthread_mutex_t lock;                 /* of all that follows, and of all workers */
    mate_t *mates[CREW_MOST];
    served_t kinds[REMOTE_KINDS_MAX];
    uint32_t kind_count;
    bool is_closed;
    uint64_t numbers;
    table_t offers, held;
    crew_counts_t counts;
};

/* ---- crew_port.c; with the lock ---- */

void crew_make_port (crew_t *self);

served_t *crew_kind (crew_t *self, const char *name);
bool mate_has_room (const mate_t *self, uint32_t kind, uint32_t version);

offer_t *offer_find (crew_t *self, uint64_t number);

/*  Out of the table and its worker's list; the caller frees it. */
void offer_remove (offer_t *self);
void offer_free (offer_t *self);

/*  The state of this actor is not there any more. */
void held_forget (crew_t *self, const char *address);
void held_drop (held_t *self);

#endif
