/*  state_lmdb.h - what the two files of the LMDB state share; nobody else's.
 *
 *  state_lmdb.c is the port: views and folds. state_rest.c is the file: its
 *  making, opening, identity, copies, walks.
 */
#ifndef STORAGE_STATE_LMDB_H
#define STORAGE_STATE_LMDB_H

#include "runtime/base/bytes.h"
#include "storage/lock.h"
#include "storage/state.h"

#include <limits.h>
#include <lmdb.h>
#include <pthread.h>

#define STATE_KEY_BYTES (2 + FRAME_KEY_MAX)
#define STATE_HASH_BYTES 4  /* behind each value */

typedef struct {
    state_port_t port;

    /* fixed after open */
    char directory[PATH_MAX];
    char path[PATH_MAX];
    store_lock_t *lock;
    MDB_env *env;
    MDB_dbi dbi;
    uint64_t map_bytes;      /* what was granted */
    bool is_reader;          /* nothing is changed, LMDB's lock file included */
    state_identity_t identity;

    /* shared: under the mutex */
    pthread_mutex_t mutex;
    state_mark_t *marks;     /* as the newest commit has them */
    uint32_t views;
} state_lmdb_t;

/*  The error of an LMDB code or errno. */
troupe_status_t state_lmdb_say (const state_lmdb_t *self, int code, const char *doing, troupe_error_t *error);

/*  Opens "state.mdb" below self->directory, with `create` after making it, and loads
 *  identity and marks. The lock is held. */
troupe_status_t state_lmdb_open (state_lmdb_t *self, bool create, uint32_t shards, uint64_t map_bytes,
                                 troupe_error_t *error) TROUPE_CHECKED;

/*  Writes the record of identity and marks, which is longer while a fold is open. 0 or a code. */
int state_lmdb_put_meta (MDB_txn *txn, MDB_dbi dbi, const state_identity_t *identity, const state_mark_t *marks);

/*  A shard's mark as the transaction sees it; false when it cannot be read. */
bool state_lmdb_get_mark (const state_lmdb_t *self, MDB_txn *txn, uint16_t shard, uint64_t *frame);

static inline uint32_t
state_lmdb_hash (const MDB_val *key, const void *value, size_t size)
{
    return (uint32_t) hash_bytes (value, size, hash_bytes (key->mv_data, key->mv_size, 0));
}

/*  Takes the hash off; false when it does not hold. */
static inline bool
state_lmdb_unseal (const MDB_val *key, const MDB_val *data, const uint8_t **value, size_t *size)
{
    if (data->mv_size < STATE_HASH_BYTES)
        return false;
    *value = data->mv_data;
    *size = data->mv_size - STATE_HASH_BYTES;
    return get_le32 (*value + *size) == state_lmdb_hash (key, *value, *size);
}

#endif
