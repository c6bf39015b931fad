/*  state.h - what the runtime asks of the folded state. A port: storage makes it.
 *
 *  The state is one ordered map. Keys are shard number (big-endian u16) and
 *  the key as it stands in frames. With each shard goes a mark: the number and
 *  time of the newest frame that is folded in. A fold moves all marks to one
 *  place in the journal's order in one durable transaction, its last. Its first,
 *  when it has several, says how far it reaches: from then on these frames must
 *  be found in the journal until the marks are there.
 *
 *  Threads: a view belongs to one shard and is used by whichever thread runs
 *  the shard. `fold` belongs to the checkpoint's thread. All others: any thread.
 */
#ifndef RUNTIME_PORT_STATE_H
#define RUNTIME_PORT_STATE_H

#include "runtime/frame.h"
#include <troupe.h>

#define STATE_SHARDS_MAX 1024

typedef struct {
    uint64_t frame;    /* newest folded frame; 0: none yet */
    uint64_t time_ms;  /* its time */
    uint64_t reached;  /* a fold that has not ended holds changes of frames up to it; 0: there is none */
} state_mark_t;

/*  The newest frame of which the state may hold changes: it was durable. */
static inline uint64_t
state_mark_newest (const state_mark_t *self)
{
    return self->reached > self->frame ? self->reached : self->frame;
}

/*  What a store is, fixed when it is made; the epoch is new with each restore. */
typedef struct {
    uint8_t store_id[16];
    uint8_t epoch[16];
    uint32_t format;
    uint32_t shards;
    uint64_t hash_seed;
} state_identity_t;

typedef struct state_view_s state_view_t;

/*  `key` is without the shard number. False stops the scan. */
typedef bool (state_each_t) (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size);

typedef struct {
    uint16_t shard;
    frame_op_t op;
} state_change_t;

typedef struct {
    void *self;

    const state_identity_t *(*identity) (void *self);
    void (*marks) (void *self, state_mark_t *marks);  /* one per shard */

    state_view_t *(*view_new) (void *self, uint16_t shard);
    void (*view_destroy) (state_view_t **view_p);
    /* The view looks at the newest state from now on, until release; get and
     * scan renew by themselves when released. Returns the shard's mark there. */
    uint64_t (*view_renew) (state_view_t *view);
    void (*view_release) (state_view_t *view);
    /* The value is borrowed until the view is renewed or released. TROUPE_OK,
     * TROUPE_NOT_FOUND, or TROUPE_IO / TROUPE_CORRUPT: the node stops. */
    troupe_status_t (*get) (state_view_t *view, const uint8_t *key, size_t key_size,
                            const uint8_t **value, size_t *value_size);
    /* All keys that begin with `prefix` and are >= `from`, in order. */
    troupe_status_t (*scan) (state_view_t *view, const uint8_t *prefix, size_t prefix_size,
                             const uint8_t *from, size_t from_size, state_each_t *each, void *arg);

    /* Changes sorted by (shard, key), one per key; then the marks; one durable
     * transaction. TROUPE_FULL: nothing changed, try again when there is room. */
    troupe_status_t (*fold) (void *self, const state_change_t *changes, size_t count,
                             const state_mark_t *marks, troupe_error_t *error);
} state_port_t;

#endif
