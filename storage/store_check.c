/*  store_check.c - looks at every byte of a store at rest.
 *
 *  DESIGN
 *  From the outside in, each step safe because of the one before: the pages
 *  of the state without mapping them, then its records, then the journal by the
 *  identity and the marks of the state. It stops at the first damage, since what
 *  comes behind it would be told from a false premise. The only thing that it
 *  writes is the pid in the lock file.
 *
 *  Frames above the marks must continue them without a hole: changes are
 *  absolute, so any well-formed frame in its place can be applied.
 */
#include "runtime/base/buffer.h"
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/hex.h"
#include "storage/files.h"
#include "storage/lock.h"
#include "storage/pages.h"
#include "storage/store.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *directory;
    const char *tables;
    store_tell_t *tell;
    void *arg;
    troupe_error_t *error;

    state_mark_t marks[STATE_SHARDS_MAX];  /* of the state, then of the frames seen */
    uint64_t records, record_bytes;
    uint64_t of_table[256];
    uint64_t frames, frame_bytes, ops;
    troupe_status_t status;                /* of the callbacks, which only say stop */
} check_t;

static void __attribute__ ((format (printf, 2, 3)))
say (const check_t *self, const char *format, ...)
{
    if (!self->tell)
        return;
    char line[512];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (line, sizeof line, format, arguments);
    va_end (arguments);
    self->tell (self->arg, line);
}

static bool
is_table (const check_t *self, uint8_t byte)
{
    return !self->tables || (byte != 0 && strchr (self->tables, byte));
}

/* ------------------------------------------------------------------ *
 *  The state
 * ------------------------------------------------------------------ */

/*  With the lock, but without a mapping. */
static troupe_status_t
check_pages (const check_t *self)
{
    char path[PATH_MAX];
    troupe_status_t status = files_path (path, self->directory, STATE_FILE, self->error);
    if (status != TROUPE_OK)
        return status;
    if (!files_exists (self->directory, STATE_FILE))
        return error_set (self->error, TROUPE_NOT_FOUND, "there is no store in %s", self->directory);
    troupe_error_t why;
    store_lock_t *lock = store_lock_take (self->directory, &why);
    if (!lock)
        return error_set (self->error, why.status, "%s", why.text);
    pages_counts_t counts;
    status = pages_check (path, &counts, self->error);
    store_lock_release (&lock);
    if (status == TROUPE_OK)
        say (self, "state: %llu pages, %llu used, %llu free", (unsigned long long) counts.pages,
             (unsigned long long) counts.used, (unsigned long long) counts.free);
    return status;
}

/*  `key` begins with the shard's number. */
static bool
check_record (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    check_t *self = arg;
    (void) value;
    self->records++;
    self->record_bytes += key_size + value_size;
    self->of_table[key[2]]++;
    if (!is_table (self, key[2]))
        self->status = error_set (self->error, TROUPE_CORRUPT, "the state of shard %u has a key of an unknown table, "
                                  "0x%02x", get_be16 (key), key[2]);
    return self->status == TROUPE_OK;
}

static troupe_status_t
check_records (check_t *self, state_port_t *state)
{
    troupe_status_t status = state_lmdb_walk (state, check_record, self, self->error);
    if (status == TROUPE_OK)
        status = self->status;
    if (status != TROUPE_OK)
        return status;
    say (self, "state: %llu records, %llu bytes", (unsigned long long) self->records,
         (unsigned long long) self->record_bytes);
    for (int byte = 0; byte < 256; byte++) {
        if (self->of_table[byte])
            say (self, "state: table %c: %llu records", byte > 32 && byte < 127 ? byte : '?',
                 (unsigned long long) self->of_table[byte]);
    }
    return TROUPE_OK;
}

static void
tell_identity (const check_t *self, const state_identity_t *identity)
{
    char store_id[33], epoch[33];
    hex_write (store_id, identity->store_id, 16);
    hex_write (epoch, identity->epoch, 16);
    say (self, "store %s, epoch %s, format %u, %u shards", store_id, epoch, identity->format, identity->shards);
}

/* ------------------------------------------------------------------ *
 *  The journal
 * ------------------------------------------------------------------ */

static troupe_status_t
check_ops (check_t *self, const frame_t *frame)
{
    size_t at = 0;
    frame_op_t op;
    while (frame_next_op (frame->body.data, frame->body.size, &at, &op)) {
        self->ops++;
        if (!is_table (self, op.key[0]))
            return error_set (self->error, TROUPE_CORRUPT, "frame %llu of shard %u has a key of an unknown table, "
                              "0x%02x", (unsigned long long) frame->number, frame->shard, op.key[0]);
    }
    if (at != frame->body.size)
        return error_set (self->error, TROUPE_CORRUPT, "frame %llu of shard %u holds no changes at byte %zu",
                          (unsigned long long) frame->number, frame->shard, at);
    return TROUPE_OK;
}

static troupe_status_t
check_frame (void *arg, frame_t *frame)
{
    check_t *self = arg;
    self->frames++;
    self->frame_bytes += frame->body.size;
    troupe_status_t status = check_ops (self, frame);
    uint64_t wanted = self->marks[frame->shard].frame + 1;
    if (status == TROUPE_OK && frame->number != wanted)
        status = error_set (self->error, TROUPE_CORRUPT, "shard %u: the journal goes on with frame %llu where frame "
                            "%llu is missing", frame->shard, (unsigned long long) frame->number,
                            (unsigned long long) wanted);
    self->marks[frame->shard].frame = frame->number;
    self->status = status;
    frame_destroy (&frame);
    return status;
}

/*  In the middle of a fold the tree is no cut: only its journal makes it one. */
static troupe_status_t
check_backup (const check_t *self, uint32_t shards)
{
    for (uint32_t i = 0; i < shards; i++)
        if (state_mark_newest (&self->marks[i]) > self->marks[i].frame)
            return error_set (self->error, TROUPE_CORRUPT, "%s has no journal, but its state is in the middle of a "
                              "fold: it is no backup, and what it holds is not whole", self->directory);
    say (self, "no journal: this is a backup");
    return TROUPE_OK;
}

static troupe_status_t
check_journal (check_t *self, const state_identity_t *identity)
{
    char path[PATH_MAX];
    troupe_status_t status = files_path (path, self->directory, STORE_JOURNAL, self->error);
    if (status != TROUPE_OK)
        return status;
    if (!files_exists (self->directory, STORE_JOURNAL))
        return check_backup (self, identity->shards);
    troupe_error_t why;
    disk_t *disk = disk_posix_new (path, &why);
    if (!disk)
        return error_set (self->error, why.status, "%s", why.text);
    state_mark_t marks[STATE_SHARDS_MAX];
    memcpy (marks, self->marks, sizeof marks);
    status = journal_check (disk, identity, marks, identity->shards, check_frame, self, &why);
    disk_posix_destroy (&disk);
    if (self->status != TROUPE_OK)
        return self->status;  /* its text says more than that of the journal */
    if (status != TROUPE_OK)
        return error_set (self->error, status, "%s", why.text);
    say (self, "journal: %llu frames are not folded yet, %llu changes, %llu bytes", (unsigned long long) self->frames,
         (unsigned long long) self->ops, (unsigned long long) self->frame_bytes);
    return TROUPE_OK;
}

troupe_status_t
store_check (const char *directory, const char *tables, store_tell_t *tell, void *arg, troupe_error_t *error)
{
    check_t self = { .directory = directory, .tables = tables, .tell = tell, .arg = arg, .error = error };
    troupe_status_t status = check_pages (&self);
    if (status != TROUPE_OK)
        return status;
    troupe_error_t why;
    state_port_t *state = state_lmdb_new (directory, false, 0, 0, 0, &why);
    if (!state)
        return error_set (error, why.status, "%s", why.text);
    const state_identity_t *identity = state->identity (state->self);
    state->marks (state->self, self.marks);
    tell_identity (&self, identity);
    status = check_records (&self, state);
    if (status == TROUPE_OK)
        status = check_journal (&self, identity);
    state_lmdb_destroy (&state);
    return status;
}
