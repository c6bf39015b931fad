/*  state_lmdb.c - the folded state of a store as one LMDB tree.
 *
 *  DESIGN
 *  One tree: keys are shard number (big-endian) and the frame's key, so that a
 *  sorted fold goes through the tree once from left to right. Identity and marks
 *  are a record of it too (state_rest.c), written in the fold's transaction.
 *
 *  LMDB has no checksums. Every value is followed by four bytes of a hash of key
 *  and value, tested at each read: a node stops rather than serve rot, and a check
 *  finds it.
 *
 *  Commits are fully synced: no NOSYNC, no WRITEMAP. Reading transactions belong
 *  to views (MDB_NOTLS), are reset when released and only then let LMDB reuse
 *  pages. A write transaction begins and ends within one call, as LMDB's lock
 *  belongs to the thread. The map is large from the start, since resizing would
 *  mean stopping every reader.
 *
 *  Threads: fold on the checkpoint's; a view on its shard's; the rest anywhere.
 */
#include "storage/state_lmdb.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/files.h"

#include <stdio.h>

struct state_view_s {
    state_lmdb_t *state;
    uint16_t shard;
    MDB_txn *txn;
    bool is_live;  /* renewed, not yet released */
};

typedef struct {
    uint8_t bytes[STATE_KEY_BYTES];
    MDB_val val;
} full_key_t;

static const state_port_t port_functions;

static state_lmdb_t *
make (const char *directory, troupe_error_t *error)
{
    state_lmdb_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory to open the store %s", directory);
        return NULL;
    }
    pthread_mutex_init (&self->mutex, NULL);
    self->port = port_functions;
    self->port.self = self;
    snprintf (self->directory, sizeof self->directory, "%s", directory);
    return self;
}

static troupe_status_t
find (state_lmdb_t *self, bool create, troupe_error_t *error)
{
    troupe_status_t status = files_path (self->path, self->directory, STATE_FILE, error);
    if (status == TROUPE_OK && create)
        return files_make_directory (self->directory, error);
    if (status == TROUPE_OK && !files_exists (self->directory, STATE_FILE))
        return error_set (error, TROUPE_NOT_FOUND, "there is no store in %s", self->directory);
    return status;
}

state_port_t *
state_lmdb_new (const char *directory, bool create, uint32_t shards, uint64_t hash_seed, uint64_t map_bytes,
                troupe_error_t *error)
{
    if (shards == 0)
        shards = STATE_SHARDS_DEFAULT;
    if (shards > STATE_SHARDS_MAX) {
        error_set (error, TROUPE_INVALID, "a store has 1 to %d shards, not %u", STATE_SHARDS_MAX, shards);
        return NULL;
    }
    state_lmdb_t *self = make (directory, error);
    if (!self)
        return NULL;
    self->identity.hash_seed = hash_seed;
    troupe_status_t status = find (self, create, error);
    if (status == TROUPE_OK) {
        self->lock = store_lock_take (directory, error);
        status = self->lock ? state_lmdb_open (self, create, shards, map_bytes ? map_bytes : STATE_MAP_BYTES, error)
                            : TROUPE_LOCKED;
    }
    state_port_t *port = &self->port;
    if (status != TROUPE_OK)
        state_lmdb_destroy (&port);
    return port;
}

state_port_t *
state_lmdb_new_reader (const char *directory, troupe_error_t *error)
{
    state_lmdb_t *self = make (directory, error);
    if (!self)
        return NULL;
    self->is_reader = true;
    state_port_t *port = &self->port;
    troupe_status_t status = find (self, false, error);
    if (status == TROUPE_OK)
        status = state_lmdb_open (self, false, 0, STATE_MAP_BYTES, error);
    if (status != TROUPE_OK)
        state_lmdb_destroy (&port);
    return port;
}

void
state_lmdb_destroy (state_port_t **self_p)
{
    CHECK (self_p);
    if (!*self_p)
        return;
    state_lmdb_t *self = (*self_p)->self;
    CHECK (self->views == 0);
    if (self->env)
        mdb_env_close (self->env);
    store_lock_release (&self->lock);
    pthread_mutex_destroy (&self->mutex);
    memory_free (self->marks);
    memory_free (self);
    *self_p = NULL;
}

static const state_identity_t *
lmdb_identity (void *port_self)
{
    return &((state_lmdb_t *) port_self)->identity;
}

static void
lmdb_marks (void *port_self, state_mark_t *marks)
{
    state_lmdb_t *self = port_self;
    pthread_mutex_lock (&self->mutex);
    memcpy (marks, self->marks, self->identity.shards * sizeof *marks);
    pthread_mutex_unlock (&self->mutex);
}

/* ------------------------------------------------------------------ *
 *  Views
 * ------------------------------------------------------------------ */

static void
set_key (full_key_t *full, uint16_t shard, const uint8_t *key, size_t size)
{
    CHECK (size <= FRAME_KEY_MAX);
    put_be16 (full->bytes, shard);
    if (size)
        memcpy (full->bytes + 2, key, size);
    full->val = (MDB_val) { size + 2, full->bytes };
}

static void
count_views (state_lmdb_t *self, uint32_t more)
{
    pthread_mutex_lock (&self->mutex);
    self->views += more;
    pthread_mutex_unlock (&self->mutex);
}

static state_view_t *
lmdb_view_new (void *port_self, uint16_t shard)
{
    state_lmdb_t *self = port_self;
    CHECK (shard < self->identity.shards);
    state_view_t *view = memory_zalloc (sizeof *view);
    if (!view)
        return NULL;
    if (mdb_txn_begin (self->env, NULL, MDB_RDONLY, &view->txn) != 0) {
        memory_free (view);
        return NULL;
    }
    mdb_txn_reset (view->txn);
    view->state = self;
    view->shard = shard;
    count_views (self, 1);
    return view;
}

static void
lmdb_view_destroy (state_view_t **view_p)
{
    CHECK (view_p);
    state_view_t *view = *view_p;
    if (!view)
        return;
    mdb_txn_abort (view->txn);
    count_views (view->state, UINT32_MAX);
    memory_free (view);
    *view_p = NULL;
}

static bool
make_live (state_view_t *view)
{
    if (!view->is_live)
        view->is_live = mdb_txn_renew (view->txn) == 0;
    return view->is_live;
}

static void
lmdb_view_release (state_view_t *view)
{
    if (view->is_live)
        mdb_txn_reset (view->txn);
    view->is_live = false;
}

/*  A view that cannot be renewed says so at the next get. */
static uint64_t
lmdb_view_renew (state_view_t *view)
{
    lmdb_view_release (view);
    uint64_t frame;
    return make_live (view) && state_lmdb_get_mark (view->state, view->txn, view->shard, &frame) ? frame : 0;
}

static troupe_status_t
status_of_read (int code)
{
    return code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND ? TROUPE_CORRUPT : TROUPE_IO;
}

static troupe_status_t
lmdb_get (state_view_t *view, const uint8_t *key, size_t key_size, const uint8_t **value, size_t *value_size)
{
    if (!make_live (view))
        return TROUPE_IO;
    full_key_t full;
    MDB_val data;
    set_key (&full, view->shard, key, key_size);
    int code = mdb_get (view->txn, view->state->dbi, &full.val, &data);
    if (code == MDB_NOTFOUND)
        return TROUPE_NOT_FOUND;
    if (code != 0)
        return status_of_read (code);
    return state_lmdb_unseal (&full.val, &data, value, value_size) ? TROUPE_OK : TROUPE_CORRUPT;
}

static bool
begins_with (const MDB_val *key, const full_key_t *prefix)
{
    return key->mv_size >= prefix->val.mv_size && memcmp (key->mv_data, prefix->bytes, prefix->val.mv_size) == 0;
}

static troupe_status_t
scan_from (MDB_cursor *cursor, MDB_val key, const full_key_t *prefix, state_each_t *each, void *arg)
{
    MDB_val data;
    int code = mdb_cursor_get (cursor, &key, &data, MDB_SET_RANGE);
    while (code == 0 && begins_with (&key, prefix)) {
        const uint8_t *value;
        size_t size;
        if (!state_lmdb_unseal (&key, &data, &value, &size))
            return TROUPE_CORRUPT;
        if (!each (arg, (const uint8_t *) key.mv_data + 2, key.mv_size - 2, value, size))
            return TROUPE_OK;
        code = mdb_cursor_get (cursor, &key, &data, MDB_NEXT);
    }
    return code == 0 || code == MDB_NOTFOUND ? TROUPE_OK : status_of_read (code);
}

static troupe_status_t
lmdb_scan (state_view_t *view, const uint8_t *prefix, size_t prefix_size, const uint8_t *from, size_t from_size,
           state_each_t *each, void *arg)
{
    if (!make_live (view))
        return TROUPE_IO;
    full_key_t first, all;
    set_key (&all, view->shard, prefix, prefix_size);
    set_key (&first, view->shard, from, from_size);
    MDB_cursor *cursor;
    if (mdb_cursor_open (view->txn, view->state->dbi, &cursor) != 0)
        return TROUPE_IO;
    bool from_is_later = mdb_cmp (view->txn, view->state->dbi, &first.val, &all.val) > 0;
    troupe_status_t status = scan_from (cursor, from_is_later ? first.val : all.val, &all, each, arg);
    mdb_cursor_close (cursor);
    return status;
}

/* ------------------------------------------------------------------ *
 *  Folding
 * ------------------------------------------------------------------ */

typedef struct {
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_cursor *cursor;
    full_key_t last;      /* the tree's last key when the fold began */
    bool is_beyond;       /* the changes have passed it */
} fold_t;

static int
put_change (fold_t *self, MDB_val *key, const frame_op_t *op, unsigned flags)
{
    MDB_val data = { (size_t) op->value_size + STATE_HASH_BYTES, NULL };
    int code = mdb_cursor_put (self->cursor, key, &data, flags | MDB_RESERVE);
    if (code != 0)
        return code;
    uint8_t *bytes = data.mv_data;
    if (op->value_size)
        memcpy (bytes, op->value, op->value_size);
    put_le32 (bytes + op->value_size, state_lmdb_hash (key, op->value, op->value_size));
    return 0;
}

/*  Sorted changes that have passed the last key once stay behind it: puts are
 *  then appends, which fill pages to the brim, and deletes have nothing to find. */
static int
apply_change (fold_t *self, const state_change_t *change)
{
    full_key_t full;
    set_key (&full, change->shard, change->op.key, change->op.key_size);
    if (!self->is_beyond)
        self->is_beyond = mdb_cmp (self->txn, self->dbi, &full.val, &self->last.val) > 0;
    if (change->op.kind == FRAME_PUT)
        return put_change (self, &full.val, &change->op, self->is_beyond ? MDB_APPEND : 0);
    if (self->is_beyond)
        return 0;
    MDB_val data;
    int code = mdb_cursor_get (self->cursor, &full.val, &data, MDB_SET);
    if (code == MDB_NOTFOUND)
        return 0;
    return code ? code : mdb_cursor_del (self->cursor, 0);
}

static void
check_order (const state_lmdb_t *self, const state_change_t *changes, size_t count, const state_mark_t *marks)
{
    for (uint32_t i = 0; i < self->identity.shards; i++)
        CHECK (marks[i].frame >= self->marks[i].frame
               && state_mark_newest (&marks[i]) >= state_mark_newest (&self->marks[i]));
    for (size_t i = 0; i < count; i++)
        CHECK (changes[i].shard < self->identity.shards && changes[i].op.key_size >= 1);
    for (size_t i = 1; i < count; i++) {
        const state_change_t *a = &changes[i - 1], *b = &changes[i];
        if (a->shard != b->shard) {
            CHECK (a->shard < b->shard);
            continue;
        }
        size_t least = a->op.key_size < b->op.key_size ? a->op.key_size : b->op.key_size;
        int order = memcmp (a->op.key, b->op.key, least);
        CHECK (order < 0 || (order == 0 && a->op.key_size < b->op.key_size));
    }
}

static int
apply_all (state_lmdb_t *self, MDB_txn *txn, const state_change_t *changes, size_t count, const state_mark_t *marks)
{
    fold_t fold = { .txn = txn, .dbi = self->dbi };
    int code = mdb_cursor_open (txn, self->dbi, &fold.cursor);
    if (code != 0)
        return code;
    MDB_val key, data;
    code = mdb_cursor_get (fold.cursor, &key, &data, MDB_LAST);
    if (code == 0 && key.mv_size > STATE_KEY_BYTES)
        code = MDB_CORRUPTED;
    if (code == 0) {
        memcpy (fold.last.bytes, key.mv_data, key.mv_size);
        fold.last.val = (MDB_val) { key.mv_size, fold.last.bytes };
    }
    for (size_t i = 0; i < count && code == 0; i++)
        code = apply_change (&fold, &changes[i]);
    mdb_cursor_close (fold.cursor);
    if (code == 0 && memcmp (marks, self->marks, self->identity.shards * sizeof *marks) != 0)
        code = state_lmdb_put_meta (txn, self->dbi, &self->identity, marks);
    return code;
}

static troupe_status_t
lmdb_fold (void *port_self, const state_change_t *changes, size_t count, const state_mark_t *marks,
           troupe_error_t *error)
{
    state_lmdb_t *self = port_self;
    check_order (self, changes, count, marks);
    MDB_txn *txn;
    int code = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (code != 0)
        return state_lmdb_say (self, code, "fold into", error);
    code = apply_all (self, txn, changes, count, marks);
    if (code == 0)
        code = mdb_txn_commit (txn);
    else
        mdb_txn_abort (txn);
    if (code != 0)
        return state_lmdb_say (self, code, "fold into", error);
    pthread_mutex_lock (&self->mutex);
    memcpy (self->marks, marks, self->identity.shards * sizeof *marks);
    pthread_mutex_unlock (&self->mutex);
    return TROUPE_OK;
}

static const state_port_t port_functions = {
    .identity = lmdb_identity,
    .marks = lmdb_marks,
    .view_new = lmdb_view_new,
    .view_destroy = lmdb_view_destroy,
    .view_renew = lmdb_view_renew,
    .view_release = lmdb_view_release,
    .get = lmdb_get,
    .scan = lmdb_scan,
    .fold = lmdb_fold,
};
