/*  forward.h - what clients of this node ask of actors of another, and the other way round.
 *
 *  A call, a page of history or the wish to hear of a feed goes over the road to the node that has the actor, and what
 *  comes of it is told here as if the actor were at home. A road that breaks ends what may not be repeated, and what
 *  may is asked again on the next one. What waits is bounded on both sides.
 */
#ifndef RUNTIME_FORWARD_H
#define RUNTIME_FORWARD_H

#include "runtime/cluster.h"
#include "runtime/port/host.h"

#define FORWARD_MESSAGES_MOST (1u << 17)  /* to one node, that may wait to leave */

typedef struct {
    void *self;
    /* On the thread of the roads: says it on the open road to this node. The road may break over it: forward_broken is
     * called, and then false returned. */
    bool (*send) (void *self, uint16_t peer, const void *bytes, size_t size);
    void (*complain) (void *self, uint16_t peer, const char *text);
    /* Any thread: has forward_round called soon. */
    void (*wake) (void *self);
    /* Any thread: of the actors of this node, as in host_port_t. */
    uint64_t (*now_ms) (void *self);
    troupe_status_t (*submit) (void *self, const troupe_call_t *call, troupe_error_t *error);
    troupe_status_t (*read_feed) (void *self, const char *address, const char *channel, uint64_t from, uint32_t most,
                                  host_told_t *told, void *arg, troupe_error_t *error);
    /* Any thread: whether a client of this node watches a feed; what those that do are told. */
    bool (*is_watched) (void *self, const char *address, const char *channel);
    void (*heard) (void *self, const char *address, const char *channel, uint64_t offset, const char *key,
                   const void *body, size_t size);
} forward_port_t;

typedef struct {
    uint64_t forwarded, answered, refused, lost;  /* calls and pages asked of other nodes */
    uint64_t served;                              /* asked by other nodes */
    uint64_t events_sent, events_received, events_missed;
} forward_counts_t;

typedef struct forward_s forward_t;

/*  NULL: no memory. The cluster is borrowed; a call without an end waits for at most `keep_ms`. */
forward_t *forward_new (const cluster_t *cluster, uint64_t keep_ms, const forward_port_t *port);

/*  When nothing of the node calls it any more. */
void forward_destroy (forward_t **self_p);

/* ---- any thread ---- */

/*  As troupe_submit, of an actor of that shard. A call that only reads may be repeated, one with a session too. */
troupe_status_t forward_call (forward_t *self, uint16_t shard, const troupe_call_t *call, bool reads,
                              troupe_error_t *error);

/*  As host_port_t.read_feed. */
troupe_status_t forward_read (forward_t *self, uint16_t peer, const char *address, const char *channel, uint64_t from,
                              uint32_t most, host_told_t *told, void *arg, troupe_error_t *error);

/*  A client watches this feed of that node; until the listener says that none does. */
void forward_watch (forward_t *self, uint16_t peer, const char *address, const char *channel);

/*  Of this node's actors, as listeners are told; other nodes may be among them. */
bool forward_is_watched (void *self, const char *address, const char *channel);
void forward_published (void *self, const char *address, const char *channel, uint64_t offset, const char *key,
                        const void *body, size_t size);

forward_counts_t forward_counts (const forward_t *self);

/* ---- on the thread of the roads ---- */

void forward_opened (forward_t *self, uint16_t peer);
void forward_broken (forward_t *self, uint16_t peer);
void forward_received (forward_t *self, uint16_t peer, const void *bytes, size_t size);

/*  Sends what there is to send. Returns in how many ms it must be called again at the latest. */
uint64_t forward_round (forward_t *self);

/*  Instead of that thread, which has ended: all that waits is told that the node stops, and so is who comes later. */
void forward_close (forward_t *self);

#endif
