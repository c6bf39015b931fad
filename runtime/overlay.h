/*  overlay.h - what the frames that are not folded yet say, key by key.
 *
 *  An entry points at the newest op of its key inside a frame's body; nothing
 *  is copied. A deletion is an entry too: it hides what the tree still holds.
 *  Entries of state values are also chained by actor, all others by the letter
 *  of their table, so that a walk over one actor's keys, or over a table at the
 *  start, looks at nothing else. Shard's thread.
 */
#ifndef RUNTIME_OVERLAY_H
#define RUNTIME_OVERLAY_H

#include "runtime/base/pool.h"
#include "runtime/base/table.h"
#include "runtime/frame.h"

typedef struct overlay_entry_s overlay_entry_t;

typedef struct {
    table_t entries;
    table_t groups;    /* one per actor with state values in here */
    overlay_entry_t *tables[256];  /* all other entries by the first byte of their keys, newest first */
    pool_t pool;
} overlay_t;

/*  Notes the ops of the frame's body from `*offset` on, which moves to the end
 *  (or to an op that is malformed). False when out of memory. */
bool overlay_note (overlay_t *self, const frame_t *frame, size_t *offset);

typedef enum { OVERLAY_SILENT, OVERLAY_PUT, OVERLAY_DELETED } overlay_answer_t;

/*  The value is borrowed until the next op joins that frame (while it is open)
 *  or the frame is freed. `frame` (may be NULL) gets the number of the frame that said it. */
overlay_answer_t overlay_get (overlay_t *self, const void *key, size_t key_size, const uint8_t **value,
                              size_t *value_size, uint64_t *frame);

/*  Forgets what only this frame said. */
void overlay_evict (overlay_t *self, const frame_t *frame);

/*  All entries whose key begins with the prefix, in no order. False stops. */
typedef bool (overlay_each_t) (void *arg, const frame_op_t *op);
void overlay_each (overlay_t *self, const void *prefix, size_t prefix_size, overlay_each_t *each, void *arg);

void overlay_clear (overlay_t *self);

#endif
