/*  forward_inside.h - what the files of the forwarding share. For runtime/forward*.c alone.
 *
 *      forward.c        its life, and what this node asks of others
 *      forward_serve.c  what others ask of this node
 *      forward_feeds.c  feeds of others that are watched here, and of this node that are watched there
 */
#ifndef RUNTIME_FORWARD_INSIDE_H
#define RUNTIME_FORWARD_INSIDE_H

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/inbox.h"
#include "runtime/base/memory.h"
#include "runtime/forward.h"
#include "runtime/lane.h"
#include "runtime/relay.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

#define RETRY_AFTER_MS 500
#define ASKED_MOST 16384             /* calls and pages without an answer, of one node to another */
#define ASKED_BYTES_MOST (32u << 20)
#define UNTAKEN_MOST (64u << 20)     /* bytes to a node that has not taken them: then it may ask for nothing more ... */
#define EVENTS_MOST (8u << 20)       /* ... and hears of no event: it is told to look for itself, later */
#define CHARGE_LEAST 256             /* bytes that a small message counts for, which bounds their number */
#define TOLD_SLOTS 4096u             /* a power of two; feeds by hash, so that shards know which are watched */

/*  What comes through the inbox. */
enum { ITEM_ASKED, ITEM_SERVED, ITEM_WANTED, ITEM_EVENT };

/*  A call or a page that another node was asked for. */
typedef struct asked_s {
    inbox_item_t item;
    table_node_t node;               /* by id */
    struct asked_s *before, *after;  /* of the same node, in the order that they came in */
    uint16_t peer;
    bool reads;
    bool is_beyond;                  /* what may be on its way */
    uint64_t id, end_ms;
    troupe_call_t call;              /* its texts and body are gone */
    host_told_t *told;               /* NULL: it is a call */
    buffer_t bytes;                  /* what is said for it */
} asked_t;

/*  A feed of another node that is watched here; of this node that is watched there. */
typedef struct {
    inbox_item_t item;               /* of a wish */
    table_node_t node;
    uint16_t peer;                   /* of a wish */
    uint64_t road;                   /* of a wish: that it was told on; 0: none yet */
    uint64_t peers, missed;          /* of those that are told: a bit for each node, and those that lack events */
    uint32_t address_size;
    char name[];                     /* address NUL channel NUL */
} feed_name_t;

/*  What is said to one or several nodes, made by any thread. */
typedef struct {
    inbox_item_t item;
    struct forward_s *forward;
    uint64_t peers;                  /* a bit for each */
    uint64_t id, road;               /* of an answer: of the asking, and the road that it came on */
    buffer_t bytes;
} said_t;

typedef struct {
    bool is_open;
    bool has_complained;             /* on this road */
    uint64_t road;                   /* counts them */
    asked_t *first, *last;
    lanes_t lanes;
    uint64_t taken;                  /* bytes that arrived and were not told yet */
    uint32_t serving;                /* what it asked and was not answered */
    _Atomic uint32_t asked;          /* relaxed: a bound, not a count that anybody relies on */
    _Atomic uint64_t asked_bytes;    /* likewise */
    bool has_wishes;                 /* that were not told on this road */
    /* under the lock */
    uint64_t untaken;                /* bytes that were said and not taken */
    bool has_missed;
} peer_way_t;

struct forward_s {
    /* fixed after start */
    const cluster_t *cluster;
    forward_port_t port;
    uint64_t keep_ms, hash_seed;
    /* owner: the thread of the roads */
    peer_way_t ways[CLUSTER_NODES_MAX];
    pool_t pool;
    table_t asked;
    table_t wanted;
    uint64_t look_ms, sweep_ms;      /* when ends and wishes are looked at again */
    buffer_t out;
    /* shared: atomic */
    inbox_t inbox;
    _Atomic uint64_t ids;
    _Atomic uint32_t told_by_hash[TOLD_SLOTS];  /* release, pairs with acquire in forward_is_watched */
    struct {
        _Atomic uint64_t forwarded, answered, refused, lost, served, events_sent, events_received, events_missed;
    } counts;                        /* relaxed */
    pthread_mutex_t lock;
    /* under the lock */
    bool is_closed;
    table_t told;                    /* feeds of this node, of which others are told */
};

static inline void
count_one (_Atomic uint64_t *count)
{
    atomic_fetch_add_explicit (count, 1, memory_order_relaxed);
}

/*  What a message counts for, at both ends. */
static inline uint64_t
charge_of (uint64_t bytes)
{
    return bytes > CHARGE_LEAST ? bytes : CHARGE_LEAST;
}

static inline uint64_t
forward_now (const forward_t *self)
{
    return self->port.now_ms (self->port.self);
}

static inline const char *
forward_name (const forward_t *self, uint16_t peer)
{
    return self->cluster->node[peer].name;
}

/* ---- forward.c ---- */

/*  Any thread. False: it is closed, and the item is the caller's. */
bool forward_leave (forward_t *self, inbox_item_t *item);
bool forward_say (forward_t *self, uint16_t peer, const relay_message_t *message);
void forward_answered (forward_t *self, uint16_t peer, const relay_message_t *message);

/* ---- forward_serve.c ---- */

void serve_call (forward_t *self, uint16_t peer, const relay_message_t *message);
void serve_read (forward_t *self, uint16_t peer, const relay_message_t *message);
/*  An answer or an event goes out; frees it. */
void serve_said (forward_t *self, said_t *said);
void said_free (said_t *said);

/* ---- forward_feeds.c ---- */

void feeds_want (forward_t *self, feed_name_t *feed);
void feeds_opened (forward_t *self, uint16_t peer);
void feeds_broken (forward_t *self, uint16_t peer);
void feeds_watch (forward_t *self, uint16_t peer, const relay_message_t *message);
void feeds_heard (forward_t *self, uint16_t peer, const relay_message_t *message);
/*  A wish or an answer goes out; what went out was taken; how much was not. */
void feeds_said (forward_t *self, uint16_t peer, uint64_t bytes);
void feeds_taken (forward_t *self, uint16_t peer, uint64_t bytes);
uint64_t feeds_untaken (forward_t *self, uint16_t peer);
/*  In how many ms again. */
uint64_t feeds_round (forward_t *self);
void feeds_clear (forward_t *self);

#endif
