/*  crew.h - those who serve remote kinds: who they are, what each has in hand, whose state it holds.
 *
 *  Between the shards, which offer, and the bus' thread, which speaks to workers: one lock, held while
 *  one is chosen. It knows no socket. An actor's messages go to the worker that holds its state, else to the one with
 *  the most room; what a worker has in hand, in number and in bytes that wait for it, is bounded, and nobody waits for
 *  a slow one but the actors that it has. (Threads that run shards are workers, too: runtime/worker.h.)
 */
#ifndef TRANSPORTS_ZMQ_CREW_H
#define TRANSPORTS_ZMQ_CREW_H

#include "transports/zmq/work.h"

#define CREW_MOST 256
#define CREW_CAPACITY_MOST 4096          /* offers that one has in hand */
#define CREW_WAITING_MOST (8u << 20)     /* bytes that wait for one; one offer may be larger */
#define CREW_STATES_MOST (1u << 17)      /* actors of which it is known who holds their state */

typedef struct crew_s crew_t;
typedef struct mate_s mate_t;

/*  `wake` has the bus' thread turn once; any thread. NULL: no memory. */
crew_t *crew_new (void (*wake) (void *arg), void *arg);

/*  After the node stopped and all workers left. */
void crew_destroy (crew_t **self_p);

/*  For the node. Lives as long as the workers. */
const remote_port_t *crew_port (const crew_t *self);

/* ---- the bus' thread ---- */

/*  The node runs now: before the first worker. */
void crew_attach (crew_t *self, const remote_host_t *host);

/*  Offers no more: the node stops. */
void crew_close (crew_t *self);

/*  A connection whose first message of a worker this is. NULL: too many, or no memory. */
mate_t *crew_join (crew_t *self, void *connection);

/*  It is gone: what it began with is lost, the rest goes to others. */
void mate_leave (mate_t **self_p);

/*  What it said; `answer` gets what it is to be told. TROUPE_INVALID: it broke the protocol. */
troupe_status_t mate_take (mate_t *self, const work_t *work, buffer_t *answer, troupe_error_t *error) TROUPE_CHECKED;

/*  Appends what waits for it, some at a time. False: nothing did. Then says whether it was sent. */
bool mate_gather (mate_t *self, buffer_t *to);
void mate_sent (mate_t *self, bool is_sent);

/*  One after the other, from 0 on; NULL at the end. */
void *crew_connection (crew_t *self, uint32_t *place);

/*  In each round before and after things are sent: tells the node where there is room again. */
void crew_make_room (crew_t *self);

/* ---- any thread ---- */

typedef struct {
    uint64_t workers, in_hand, states;                       /* now */
    uint64_t done, undone, stateless, untaken, lost, broken; /* ever; undone: of those done, the ones not applied */
} crew_counts_t;
crew_counts_t crew_counts (crew_t *self);

/*  How many serve a kind in its newest version; kinds from 0 on, false at the end. */
bool crew_of_kind (crew_t *self, uint32_t number, char name[TROUPE_KIND_MAX + 1], uint64_t *count);

#endif
