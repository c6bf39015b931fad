/*  state.h - the two makers of the state port, and what is done to a store at rest.
 *
 *  state_lmdb: one LMDB environment "state.mdb" in the store's directory, one
 *  tree, fully synced commits. state_memory: its twin for the simulator; a
 *  fold is there as a whole or, when `state_memory_die_after` folds are
 *  counted down, not at all; the content outlives the "process".
 *
 *  Both assert what the port asks: changes in order, one per key, marks that
 *  never go back. A fold without memory gives TROUPE_NO_MEMORY and changes
 *  nothing, as with TROUPE_FULL.
 */
#ifndef STORAGE_STATE_H
#define STORAGE_STATE_H

#include "runtime/port/state.h"

#define STATE_FORMAT 1
#define STATE_FILE "state.mdb"
#define STATE_MAP_BYTES (1ull << 40)  /* default of map_bytes: address space, neither memory nor disk */
#define STATE_SHARDS_DEFAULT 16

/*  Opens, or with `create` makes, the store below `directory`. `shards`, `hash_seed` (0: a random one) and
 *  the random identity count only when it is made. Takes the lock file "lock"
 *  (close-on-exec): TROUPE_LOCKED names the holder's pid. TROUPE_MISMATCH for another
 *  format. TROUPE_NOT_FOUND without `create`. NULL and an error.
 *  `map_bytes` bounds the size of the state (0: STATE_MAP_BYTES); where the system
 *  grants less address space, a smaller bound is taken. A fold beyond it gives
 *  TROUPE_FULL. `shards` 0: STATE_SHARDS_DEFAULT. */
state_port_t *state_lmdb_new (const char *directory, bool create, uint32_t shards, uint64_t hash_seed,
                              uint64_t map_bytes, troupe_error_t *error);
void state_lmdb_destroy (state_port_t **self_p);

/*  A store at rest, or a backup, to be read: changes nothing in `directory`, and does without a lock, which the caller
 *  holds (store_lock_share). No folds. NULL and an error, as above. */
state_port_t *state_lmdb_new_reader (const char *directory, troupe_error_t *error);

/*  Forces what the environment wrote before onto the disk (recovery does). */
troupe_status_t state_lmdb_sync (state_port_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  The bytes of the pages that hold the newest state. Any thread. */
uint64_t state_lmdb_used_bytes (const state_port_t *self);

/*  A compact copy of the newest state, with its identity, into `directory`
 *  (made; must not hold a store). A reader for as long as it takes. The copy has
 *  its name only when it is whole and durable. Any thread. */
troupe_status_t state_lmdb_copy (state_port_t *self, const char *directory, troupe_error_t *error) TROUPE_CHECKED;

/*  Offline: gives the store of `directory` a new epoch (after a restore). */
troupe_status_t state_lmdb_new_epoch (const char *directory, troupe_error_t *error) TROUPE_CHECKED;

/*  Every record of the state in order: its checksum holds and its key is one of
 *  a shard (first two bytes) of this store. TROUPE_CORRUPT names the key. Any thread. */
troupe_status_t state_lmdb_walk (state_port_t *self, state_each_t *each, void *arg, troupe_error_t *error)
    TROUPE_CHECKED;

/*  In memory; NULL when out of memory. The n-th following fold after die_after (n),
 *  and all later ones, change nothing and give TROUPE_IO; 0: never. */
state_port_t *state_memory_new (uint32_t shards, uint64_t seed);
void state_memory_destroy (state_port_t **self_p);
void state_memory_die_after (state_port_t *self, uint64_t folds);
uint64_t state_memory_bytes (state_port_t *self);  /* of all keys and values */
void state_memory_new_epoch (state_port_t *self, uint64_t seed);  /* as a restore does */
void state_memory_place_by (state_port_t *self, uint64_t hash_seed);  /* which shard has an actor */
void state_memory_revive (state_port_t *self);  /* after a crash: views are gone, folds work again */

#endif
