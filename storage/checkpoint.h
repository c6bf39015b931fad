/*  checkpoint.h - folds durable frames into the state and trims the journal.
 *
 *  One thread's (or the simulator's hand's). It folds from the immutable
 *  frames, never from a shard's memory: takes the journal's durable frames,
 *  sorts their ops by key, keeps the last of each, hands them to the state's
 *  fold with the new marks, tells the shards, trims.
 */
#ifndef STORAGE_CHECKPOINT_H
#define STORAGE_CHECKPOINT_H

#include "storage/journal.h"

typedef struct checkpoint_s checkpoint_t;

/*  `on_folded` is told on the checkpoint's thread, once per shard that moved,
 *  after the fold is durable and when no frame <= that number is looked at any more.
 *  Borrows journal and state. NULL when out of memory. */
checkpoint_t *checkpoint_new (journal_t *journal, state_port_t *state,
                              void (*on_folded) (void *arg, uint16_t shard, uint64_t frame), void *arg);
void checkpoint_destroy (checkpoint_t **self_p);

/*  Makes the journal's next segments ready and folds all that is durable now.
 *  TROUPE_OK also when there was nothing. TROUPE_FULL, TROUPE_NO_MEMORY: nothing is
 *  lost, call again when there is room. Others: the node stops. */
troupe_status_t checkpoint_run (checkpoint_t *self, troupe_error_t *error) TROUPE_CHECKED;

typedef struct {
    uint64_t folds, frames, ops, keys;  /* ops folded, and keys left of them */
} checkpoint_counts_t;
checkpoint_counts_t checkpoint_counts (const checkpoint_t *self);  /* any thread */

#endif
