/*  state_rest.c - the file of the LMDB state: how it is made, opened, copied and walked.
 *
 *  DESIGN
 *  The store's identity and all marks are one record under the key of a single
 *  zero byte, which sorts before any shard's key: written in the transaction of
 *  each fold, so that state and marks cannot part, and leaving the end of the
 *  tree free for appends. It has a checksum of its own.
 *
 *  A file gets the name "state.mdb" only when it is whole and durable, be it new
 *  or a copy: so a crash on the way leaves nothing that looks like a store. Before
 *  the file is mapped its length is compared with what its head says; a file
 *  that was cut would else end the process by SIGBUS.
 *
 *  Any thread; each call begins and ends its own transaction.
 */
#include "storage/state_lmdb.h"

#include "runtime/base/error.h"
#include "runtime/base/hex.h"
#include "runtime/base/memory.h"
#include "storage/files.h"
#include "storage/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_FILE STATE_FILE ".new"
#define LOCK_SUFFIX "-lock"
#define READERS_SPARE 32                  /* besides the views: backup, check, marks */
#define MAP_LEAST (64ull << 20)           /* a smaller address space is not tried */
#define SPACE_SLACK (16ull << 20)         /* see disk_is_full */

/*  The record of identity and marks. */
#define META_MARKS 56
#define META_MARK_BYTES 16
#define META_REACHED(shards) (META_MARKS + (size_t) (shards) * META_MARK_BYTES)
#define META_REACHED_BYTES 8              /* a shard, only while a fold is open */
#define META_SIZE(shards) (META_REACHED (shards) + 8)
#define META_SIZE_OPEN(shards) (META_SIZE (shards) + (size_t) (shards) * META_REACHED_BYTES)
static const uint8_t meta_magic[8] = { 'T', 'R', 'O', 'U', 'P', 'E', 'S', 'T' };

/* ------------------------------------------------------------------ *
 *  Errors
 * ------------------------------------------------------------------ */

/*  LMDB says EIO for a short write too, and that is how a full disk often
 *  shows first. Nothing of the transaction counts either way. */
static bool
disk_is_full (const state_lmdb_t *self)
{
    uint64_t room;
    if (files_room (self->directory, &room) && room < SPACE_SLACK)
        return true;
    struct rlimit most;
    struct stat info;
    return getrlimit (RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY && stat (self->path, &info) == 0
           && (uint64_t) info.st_size + SPACE_SLACK > most.rlim_cur;
}

troupe_status_t
state_lmdb_say (const state_lmdb_t *self, int code, const char *doing, troupe_error_t *error)
{
    switch (code) {
    case MDB_MAP_FULL:
        return error_set (error, TROUPE_FULL, "%s is at its bound of %llu MB: raise the setting map_bytes and start "
                          "again", self->path, (unsigned long long) (self->map_bytes >> 20));
    case MDB_VERSION_MISMATCH:
        return error_set (error, TROUPE_MISMATCH, "%s was written by another version of LMDB", self->path);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
        return error_set (error, TROUPE_CORRUPT, "%s is damaged (%s): check the store, restore a backup", self->path,
                          mdb_strerror (code));
    case MDB_NOTFOUND:
        return error_set (error, TROUPE_CORRUPT, "%s has lost its record of identity", self->path);
    case EIO:
        if (disk_is_full (self))
            return error_set (error, TROUPE_FULL, "no space left to %s %s", doing, self->path);
        break;
    }
    if (code > 0)
        return files_error (error, code, doing, self->path);
    return error_set (error, TROUPE_IO, "cannot %s %s: %s", doing, self->path, mdb_strerror (code));
}

/* ------------------------------------------------------------------ *
 *  The record of identity and marks
 * ------------------------------------------------------------------ */

static MDB_val
meta_key (void)
{
    static uint8_t zero = 0;
    return (MDB_val) { 1, &zero };
}

static bool
is_open (const state_mark_t *marks, uint32_t shards)
{
    for (uint32_t i = 0; i < shards; i++)
        if (marks[i].reached)
            return true;
    return false;
}

int
state_lmdb_put_meta (MDB_txn *txn, MDB_dbi dbi, const state_identity_t *identity, const state_mark_t *marks)
{
    bool has_reached = is_open (marks, identity->shards);
    size_t size = has_reached ? META_SIZE_OPEN (identity->shards) : META_SIZE (identity->shards);
    MDB_val key = meta_key (), data = { size, NULL };
    int code = mdb_put (txn, dbi, &key, &data, MDB_RESERVE);
    if (code != 0)
        return code;
    uint8_t *bytes = data.mv_data;
    memcpy (bytes, meta_magic, 8);
    put_le32 (bytes + 8, identity->format);
    put_le32 (bytes + 12, identity->shards);
    memcpy (bytes + 16, identity->store_id, 16);
    memcpy (bytes + 32, identity->epoch, 16);
    put_le64 (bytes + 48, identity->hash_seed);
    for (uint32_t i = 0; i < identity->shards; i++) {
        put_le64 (bytes + META_MARKS + i * META_MARK_BYTES, marks[i].frame);
        put_le64 (bytes + META_MARKS + i * META_MARK_BYTES + 8, marks[i].time_ms);
        if (has_reached)
            put_le64 (bytes + META_REACHED (identity->shards) + i * META_REACHED_BYTES, marks[i].reached);
    }
    put_le64 (bytes + size - 8, hash_bytes (bytes, size - 8, 0));
    return 0;
}

static troupe_status_t
meta_parse (state_lmdb_t *self, const uint8_t *bytes, size_t size, troupe_error_t *error)
{
    if (size < META_MARKS || memcmp (bytes, meta_magic, 8) != 0)
        return error_set (error, TROUPE_CORRUPT, "%s: the record of identity is damaged", self->path);
    state_identity_t *identity = &self->identity;
    identity->format = get_le32 (bytes + 8);
    if (identity->format != STATE_FORMAT)
        return error_set (error, TROUPE_MISMATCH, "%s has format %u, this program reads format %u", self->path,
                          identity->format, STATE_FORMAT);
    identity->shards = get_le32 (bytes + 12);
    bool has_reached = size == META_SIZE_OPEN (identity->shards);
    if (identity->shards < 1 || identity->shards > STATE_SHARDS_MAX
        || (!has_reached && size != META_SIZE (identity->shards))
        || get_le64 (bytes + size - 8) != hash_bytes (bytes, size - 8, 0))
        return error_set (error, TROUPE_CORRUPT, "%s: the record of identity is damaged", self->path);
    memcpy (identity->store_id, bytes + 16, 16);
    memcpy (identity->epoch, bytes + 32, 16);
    identity->hash_seed = get_le64 (bytes + 48);
    self->marks = memory_zalloc (identity->shards * sizeof *self->marks);
    if (!self->marks)
        return error_set (error, TROUPE_NO_MEMORY, "no memory to open %s", self->path);
    for (uint32_t i = 0; i < identity->shards; i++) {
        self->marks[i].frame = get_le64 (bytes + META_MARKS + i * META_MARK_BYTES);
        self->marks[i].time_ms = get_le64 (bytes + META_MARKS + i * META_MARK_BYTES + 8);
        if (has_reached)
            self->marks[i].reached = get_le64 (bytes + META_REACHED (identity->shards) + i * META_REACHED_BYTES);
    }
    return TROUPE_OK;
}

bool
state_lmdb_get_mark (const state_lmdb_t *self, MDB_txn *txn, uint16_t shard, uint64_t *frame)
{
    MDB_val key = meta_key (), data;
    if (mdb_get (txn, self->dbi, &key, &data) != 0 || data.mv_size < META_SIZE (self->identity.shards))
        return false;
    *frame = get_le64 ((const uint8_t *) data.mv_data + META_MARKS + shard * META_MARK_BYTES);
    return true;
}

/* ------------------------------------------------------------------ *
 *  Opening and making
 * ------------------------------------------------------------------ */

/*  One try with this much address space. */
static int
open_env_once (const char *path, unsigned flags, uint64_t map_bytes, MDB_env **env)
{
    int code = mdb_env_create (env);
    if (code != 0)
        return code;
    code = mdb_env_set_maxreaders (*env, STATE_SHARDS_MAX + READERS_SPARE);
    if (code == 0)
        code = mdb_env_set_mapsize (*env, map_bytes);
    if (code == 0)
        code = mdb_env_open (*env, path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0600);
    if (code == 0)
        return 0;
    mdb_env_close (*env);
    *env = NULL;
    return code;
}

static int
open_env (const char *path, unsigned flags, uint64_t *map_bytes, MDB_env **env)
{
    int code = open_env_once (path, flags, *map_bytes, env);
    while ((code == ENOMEM || code == EINVAL) && *map_bytes / 2 >= MAP_LEAST) {  /* EINVAL: valgrind's word for it */
        *map_bytes = *map_bytes / 2 & ~0xffffull;
        code = open_env_once (path, flags, *map_bytes, env);
    }
    return code;
}

static troupe_status_t
mint (void *bytes, size_t size, troupe_error_t *error)
{
    ssize_t got = getrandom (bytes, size, 0);
    if (got != (ssize_t) size)
        return error_set (error, TROUPE_IO, "the system gives no random numbers");
    return TROUPE_OK;
}

static troupe_status_t
mint_identity (state_identity_t *identity, uint32_t shards, troupe_error_t *error)
{
    memset (identity, 0, sizeof *identity);
    identity->format = STATE_FORMAT;
    identity->shards = shards;
    troupe_status_t status = mint (identity->store_id, sizeof identity->store_id, error);
    if (status == TROUPE_OK)
        status = mint (identity->epoch, sizeof identity->epoch, error);
    if (status == TROUPE_OK)
        status = mint (&identity->hash_seed, sizeof identity->hash_seed, error);
    return status;
}

/*  A new environment that holds an identity and zero marks. 0 or a code. */
static int
write_new_env (const char *path, uint64_t map_bytes, const state_identity_t *identity)
{
    static const state_mark_t marks[STATE_SHARDS_MAX];
    MDB_env *env;
    int code = open_env (path, 0, &map_bytes, &env);
    if (code != 0)
        return code;
    MDB_txn *txn;
    MDB_dbi dbi;
    code = mdb_txn_begin (env, NULL, 0, &txn);
    if (code == 0) {
        code = mdb_dbi_open (txn, NULL, 0, &dbi);
        if (code == 0)
            code = state_lmdb_put_meta (txn, dbi, identity, marks);
        if (code == 0)
            code = mdb_txn_commit (txn);
        else
            mdb_txn_abort (txn);
    }
    if (code == 0)
        code = mdb_env_sync (env, 1);
    mdb_env_close (env);
    return code;
}

/*  Under another name first: a "state.mdb" is always whole. */
static troupe_status_t
make (state_lmdb_t *self, uint32_t shards, uint64_t map_bytes, troupe_error_t *error)
{
    state_identity_t identity;
    char path[PATH_MAX];
    troupe_status_t status = mint_identity (&identity, shards, error);
    if (self->identity.hash_seed)
        identity.hash_seed = self->identity.hash_seed;
    if (status == TROUPE_OK)
        status = files_path (path, self->directory, NEW_FILE, error);
    if (status == TROUPE_OK)
        status = files_remove (self->directory, NEW_FILE, error);
    if (status != TROUPE_OK)
        return status;
    int code = write_new_env (path, map_bytes, &identity);
    if (code != 0)
        return state_lmdb_say (self, code, "make", error);
    status = files_remove (self->directory, NEW_FILE LOCK_SUFFIX, error);
    if (status == TROUPE_OK)
        status = files_rename (self->directory, NEW_FILE, STATE_FILE, error);
    return status;
}

static troupe_status_t
load_meta (state_lmdb_t *self, troupe_error_t *error)
{
    MDB_txn *txn;
    int code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return state_lmdb_say (self, code, "read", error);
    MDB_val key = meta_key (), data;
    code = mdb_dbi_open (txn, NULL, 0, &self->dbi);
    if (code == 0)
        code = mdb_get (txn, self->dbi, &key, &data);
    troupe_status_t status = code != 0 ? state_lmdb_say (self, code, "read", error)
                                       : meta_parse (self, data.mv_data, data.mv_size, error);
    mdb_txn_abort (txn);
    return status;
}

troupe_status_t
state_lmdb_open (state_lmdb_t *self, bool create, uint32_t shards, uint64_t map_bytes, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    if (create && !files_exists (self->directory, STATE_FILE))
        status = make (self, shards, map_bytes, error);
    if (status == TROUPE_OK)
        status = pages_check_size (self->path, error);
    if (status != TROUPE_OK)
        return status;
    self->map_bytes = map_bytes;
    unsigned flags = self->is_reader ? MDB_RDONLY | MDB_NOLOCK : 0;
    int code = open_env (self->path, flags, &self->map_bytes, &self->env);
    if (code == 0)
        code = mdb_reader_check (self->env, NULL);
    if (code != 0)
        return state_lmdb_say (self, code, "open", error);
    return load_meta (self, error);
}

/* ------------------------------------------------------------------ *
 *  A store at rest
 * ------------------------------------------------------------------ */

uint64_t
state_lmdb_used_bytes (const state_port_t *port)
{
    const state_lmdb_t *self = port->self;
    MDB_stat stat;
    if (mdb_env_stat (self->env, &stat) != 0)
        return 0;
    return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * (uint64_t) stat.ms_psize;
}

troupe_status_t
state_lmdb_sync (state_port_t *port, troupe_error_t *error)
{
    state_lmdb_t *self = port->self;
    int code;
    do
        code = mdb_env_sync (self->env, 1);
    while (code == EINTR);
    return code ? files_error_sync (error, code, "sync", self->path) : TROUPE_OK;
}

/*  Into the open file; durable when it returns TROUPE_OK. */
static troupe_status_t
copy_into (state_lmdb_t *self, const char *path, troupe_error_t *error)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return files_error (error, errno, "make", path);
    int code = mdb_env_copyfd2 (self->env, fd, MDB_CP_COMPACT);
    if (code == 0 && fsync (fd) != 0)
        code = errno;
    close (fd);
    if (code > 0)
        return files_error (error, code, "write", path);
    return code ? state_lmdb_say (self, code, "copy", error) : TROUPE_OK;
}

troupe_status_t
state_lmdb_copy (state_port_t *port, const char *directory, troupe_error_t *error)
{
    char path[PATH_MAX];
    troupe_status_t status = files_path (path, directory, NEW_FILE, error);
    if (status == TROUPE_OK)
        status = files_make_directory (directory, error);
    if (status != TROUPE_OK)
        return status;
    if (files_exists (directory, STATE_FILE))
        return error_set (error, TROUPE_INVALID, "%s holds a store already", directory);
    status = copy_into (port->self, path, error);
    if (status == TROUPE_OK)
        return files_rename (directory, NEW_FILE, STATE_FILE, error);
    unlink (path);
    return status;
}

/*  In a write transaction of its own. */
static troupe_status_t
write_meta (state_lmdb_t *self, const state_identity_t *identity, troupe_error_t *error)
{
    MDB_txn *txn;
    int code = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (code == 0) {
        code = state_lmdb_put_meta (txn, self->dbi, identity, self->marks);
        if (code == 0)
            code = mdb_txn_commit (txn);
        else
            mdb_txn_abort (txn);
    }
    return code ? state_lmdb_say (self, code, "write", error) : TROUPE_OK;
}

troupe_status_t
state_lmdb_new_epoch (const char *directory, troupe_error_t *error)
{
    troupe_error_t why;
    state_port_t *port = state_lmdb_new (directory, false, 0, 0, 0, &why);
    if (!port)
        return error_set (error, why.status, "%s", why.text);
    state_lmdb_t *self = port->self;
    state_identity_t identity = self->identity;
    troupe_status_t status = mint (identity.epoch, sizeof identity.epoch, error);
    if (status == TROUPE_OK)
        status = write_meta (self, &identity, error);
    state_lmdb_destroy (&port);
    return status;
}

static troupe_status_t
walk_record (state_lmdb_t *self, const MDB_val *key, const MDB_val *data, state_each_t *each, void *arg, bool *goes_on,
             troupe_error_t *error)
{
    const uint8_t *bytes = key->mv_data, *value;
    size_t size;
    char name[2 * 24 + 1];
    hex_write (name, bytes, key->mv_size < 24 ? key->mv_size : 24);
    if (key->mv_size < 3 || get_be16 (bytes) >= self->identity.shards)
        return error_set (error, TROUPE_CORRUPT, "%s: the key %s belongs to no shard", self->path, name);
    if (!state_lmdb_unseal (key, data, &value, &size))
        return error_set (error, TROUPE_CORRUPT, "%s: the record of key %s is damaged", self->path, name);
    *goes_on = each (arg, bytes, key->mv_size, value, size);
    return TROUPE_OK;
}

troupe_status_t
state_lmdb_walk (state_port_t *port, state_each_t *each, void *arg, troupe_error_t *error)
{
    state_lmdb_t *self = port->self;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int code = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return state_lmdb_say (self, code, "read", error);
    code = mdb_cursor_open (txn, self->dbi, &cursor);
    if (code != 0) {
        mdb_txn_abort (txn);
        return state_lmdb_say (self, code, "read", error);
    }
    MDB_val key, data;
    troupe_status_t status = TROUPE_OK;
    bool goes_on = true;
    code = mdb_cursor_get (cursor, &key, &data, MDB_FIRST);  /* the identity */
    while (code == 0 && status == TROUPE_OK && goes_on) {
        code = mdb_cursor_get (cursor, &key, &data, MDB_NEXT);
        if (code == 0)
            status = walk_record (self, &key, &data, each, arg, &goes_on, error);
    }
    if (code != 0 && code != MDB_NOTFOUND)
        status = state_lmdb_say (self, code, "read", error);
    mdb_cursor_close (cursor);
    mdb_txn_abort (txn);
    return status;
}
