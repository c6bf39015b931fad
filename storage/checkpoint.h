/*  checkpoint.h - folds durable frames into the state and trims the journal.
 *
 *  One thread's (or the simulator's hand's). It folds from the immutable
 *  frames, never from a shard's memory: takes the journal's durable frames,
 *  sorts their ops by key, keeps the last of each, hands them to the state's
 *  fold, tells the shards, trims.
 *
 *  A large fold is a row of transactions, so that each commit has little to
 *  write, with pauses between. The first says how far it reaches, which recovery
 *  holds against the journal. Only the last moves the marks: until then the
 *  state is ahead of them in some keys, which nobody sees, since all frames
 *  above the marks are in the overlays or, after a crash, in the journal. A copy
 *  of the state would show it: checkpoint_begin_copy.
 */
#ifndef STORAGE_CHECKPOINT_H
#define STORAGE_CHECKPOINT_H

#include "storage/journal.h"

#define CHECKPOINT_CHANGES 2048  /* default of checkpoint_pace_t */

typedef struct checkpoint_s checkpoint_t;

/*  `on_folded` is told on the checkpoint's thread, once per shard that moved,
 *  after the fold is durable and when no frame <= that number is looked at any more.
 *  Borrows journal and state. NULL when out of memory. */
checkpoint_t *checkpoint_new (journal_t *journal, state_port_t *state,
                              void (*on_folded) (void *arg, uint16_t shard, uint64_t frame), void *arg);
void checkpoint_destroy (checkpoint_t **self_p);

typedef struct {
    uint32_t most_changes;  /* of one transaction */
    /* Between two transactions: may wait. So many of the bytes to fold are in the tree. */
    void (*pause) (void *arg, uint64_t done, uint64_t all);
    void *arg;
} checkpoint_pace_t;

/*  While nobody runs it. */
void checkpoint_set_pace (checkpoint_t *self, const checkpoint_pace_t *pace);

/*  Any thread. Between `begin` and `end` each fold that begins is one transaction,
 *  so that after the first of them every snapshot of the state is what its marks say. */
void checkpoint_begin_copy (checkpoint_t *self);
void checkpoint_end_copy (checkpoint_t *self);

/*  Makes the journal's next segments ready and folds all that is durable now.
 *  TROUPE_OK also when there was nothing. TROUPE_FULL, TROUPE_NO_MEMORY: nothing is
 *  lost, call again when there is room. Others: the node stops. */
troupe_status_t checkpoint_run (checkpoint_t *self, troupe_error_t *error) TROUPE_CHECKED;

typedef struct {
    uint64_t folds, frames, ops, keys;  /* ops folded, and keys left of them */
} checkpoint_counts_t;
checkpoint_counts_t checkpoint_counts (const checkpoint_t *self);  /* any thread */

#endif
