/*  store_check.c - looks at every byte of a store at rest.
 *
 *  DESIGN
 *  From the outside in, each step safe because of the one before: the pages
 *  of the state without mapping them, then its records, then the journal by the
 *  identity and the marks of the state. It stops at the first damage, since what
 *  comes behind it would be told from a false premise. Nothing is written, and nothing needs to be writable.
 *
 *  What is looked at is the disk: after a failed sync the page cache goes on showing what was not written, and an
 *  operator who is to look before acknowledging would see a store that is not there.
 *
 *  Frames above the marks must continue them without a hole: changes are
 *  absolute, so any well-formed frame in its place can be applied.
 *
 *  Those at or below the marks are trimmed by whole segments, so the newest are mostly there still: of each key
 *  that they mention the tree must hold the last value, or nothing when they deleted it. A write of the tree that was
 *  lost, or a wrong fold, shows nowhere else: its pages and records are all well-formed. Only a fold that has not
 *  ended may have written newer values, of frames up to which it reaches: their keys are left out.
 */
#include "runtime/base/buffer.h"
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/hex.h"
#include "storage/changes.h"
#include "storage/files.h"
#include "storage/frame_list.h"
#include "storage/lock.h"
#include "storage/pages.h"
#include "storage/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_SHOWN 100  /* bytes of the text of a key */

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
    frame_list_t folded;                       /* that the journal still has */
    frame_list_t begun;                        /* above the marks, that a fold has reached */
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

/*  Best effort: clean pages leave the page cache. */
static bool
forget_cached (void *directory, const char *name)
{
    char path[PATH_MAX];
    int fd = files_path (path, directory, name, NULL) == TROUPE_OK ? open (path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return true;
    (void) posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED);
    close (fd);
    return true;
}

/*  Without a mapping. */
static troupe_status_t
check_pages (const check_t *self)
{
    char directory[PATH_MAX], path[PATH_MAX];
    troupe_status_t status = files_path (path, self->directory, STATE_FILE, self->error);
    if (status != TROUPE_OK)
        return status;
    pages_counts_t counts;
    snprintf (directory, sizeof directory, "%s", self->directory);
    forget_cached (directory, STATE_FILE);
    status = pages_check (path, &counts, self->error);
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
check_ops (const check_t *self, const frame_t *frame, uint64_t *ops)
{
    size_t at = 0;
    frame_op_t op;
    while (frame_next_op (frame->body.data, frame->body.size, &at, &op)) {
        *ops += 1;
        if (!is_table (self, op.key[0]))
            return error_set (self->error, TROUPE_CORRUPT, "frame %llu of shard %u has a key of an unknown table, "
                              "0x%02x", (unsigned long long) frame->number, frame->shard, op.key[0]);
    }
    if (at != frame->body.size)
        return error_set (self->error, TROUPE_CORRUPT, "frame %llu of shard %u holds no changes at byte %zu",
                          (unsigned long long) frame->number, frame->shard, at);
    return TROUPE_OK;
}

static void
drop (frame_list_t *list)
{
    for (frame_t *frame; (frame = frame_list_take (list)) != NULL;)
        frame_destroy (&frame);
}

/*  The first of them that is wrong says so. */
static void
check_folded (void *arg, frame_t *frame)
{
    check_t *self = arg;
    uint64_t ops = 0;
    frame_list_append (&self->folded, frame);
    if (self->status == TROUPE_OK)
        self->status = check_ops (self, frame, &ops);
}

static troupe_status_t
check_frame (void *arg, frame_t *frame)
{
    check_t *self = arg;
    self->frames++;
    self->frame_bytes += frame->body.size;
    troupe_status_t status = check_ops (self, frame, &self->ops);
    uint64_t wanted = self->marks[frame->shard].frame + 1;
    if (status == TROUPE_OK && frame->number != wanted)
        status = error_set (self->error, TROUPE_CORRUPT, "shard %u: the journal goes on with frame %llu where frame "
                            "%llu is missing", frame->shard, (unsigned long long) frame->number,
                            (unsigned long long) wanted);
    self->marks[frame->shard].frame = frame->number;
    self->status = status;
    if (frame->number <= self->marks[frame->shard].reached)
        frame_list_append (&self->begun, frame);
    else
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
    (void) disk->each_name (disk->self, forget_cached, path, NULL);
    state_mark_t marks[STATE_SHARDS_MAX];
    memcpy (marks, self->marks, sizeof marks);
    status = journal_check (disk, identity, marks, identity->shards, check_frame, check_folded, self, &why);
    disk_posix_destroy (&disk);
    if (self->status != TROUPE_OK)
        return self->status;  /* its text says more than that of the journal */
    if (status != TROUPE_OK)
        return error_set (self->error, status, "%s", why.text);
    say (self, "journal: %llu frames are not folded yet, %llu changes, %llu bytes", (unsigned long long) self->frames,
         (unsigned long long) self->ops, (unsigned long long) self->frame_bytes);
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Both
 * ------------------------------------------------------------------ */

/*  For people: a byte that is no letter as \xNN. */
static void
show_key (const frame_op_t *op, char text[KEY_SHOWN])
{
    size_t at = 0;
    for (uint16_t i = 0; i < op->key_size && at + 5 < KEY_SHOWN; i++) {
        bool is_plain = op->key[i] > 0x20 && op->key[i] < 0x7f && op->key[i] != '\\';
        at += (size_t) snprintf (text + at, KEY_SHOWN - at, is_plain ? "%c" : "\\x%02x", op->key[i]);
    }
    text[at] = '\0';
}

/*  The folded frame whose body this change points into. */
static uint64_t
frame_of (const check_t *self, const state_change_t *change)
{
    const frame_t *frame = self->folded.first;
    while (frame && !(frame->body.size && change->op.key >= frame->body.data
                      && change->op.key < frame->body.data + frame->body.size))
        frame = frame->next;
    return frame ? frame->number : 0;
}

static troupe_status_t
disagrees (const check_t *self, const state_change_t *change, const char *how)
{
    char key[KEY_SHOWN];
    show_key (&change->op, key);
    return error_set (self->error, TROUPE_CORRUPT, "shard %u: frame %llu, which is folded, %s the key %s, but the "
                      "state %s. Restore a backup", change->shard, (unsigned long long) frame_of (self, change),
                      change->op.kind == FRAME_PUT ? "puts" : "deletes", key, how);
}

static troupe_status_t
compare (const check_t *self, state_port_t *state, state_view_t *view, const state_change_t *change)
{
    const frame_op_t *op = &change->op;
    const uint8_t *value;
    size_t size;
    troupe_status_t status = state->get (view, op->key, op->key_size, &value, &size);
    if (status == TROUPE_NOT_FOUND)
        return op->kind == FRAME_DELETE ? TROUPE_OK : disagrees (self, change, "does not hold it");
    if (status != TROUPE_OK)
        return disagrees (self, change, "cannot be read there");
    if (op->kind == FRAME_DELETE)
        return disagrees (self, change, "holds it");
    bool is_same = size == op->value_size && (size == 0 || memcmp (value, op->value, size) == 0);
    return is_same ? TROUPE_OK : disagrees (self, change, "holds another value");
}

static int
order_of (const state_change_t *a, const state_change_t *b)
{
    if (a->shard != b->shard)
        return a->shard < b->shard ? -1 : 1;
    size_t least = a->op.key_size < b->op.key_size ? a->op.key_size : b->op.key_size;
    int order = memcmp (a->op.key, b->op.key, least);
    return order ? order : (int) a->op.key_size - (int) b->op.key_size;
}

/*  Both are in order. */
static troupe_status_t
compare_all (const check_t *self, state_port_t *state, const changes_t *folded, const changes_t *begun,
             uint64_t *compared)
{
    troupe_status_t status = TROUPE_OK;
    state_view_t *view = NULL;
    uint16_t shard = 0;  /* of the view */
    for (size_t i = 0, newer = 0; i < folded->count && status == TROUPE_OK; i++) {
        const state_change_t *change = &folded->items[i];
        while (newer < begun->count && order_of (&begun->items[newer], change) < 0)
            newer++;
        if (newer < begun->count && order_of (&begun->items[newer], change) == 0)
            continue;
        if (!view || shard != change->shard) {
            state->view_destroy (&view);
            shard = change->shard;
            view = state->view_new (state->self, shard);
        }
        status = view ? compare (self, state, view, change)
                      : error_set (self->error, TROUPE_NO_MEMORY, "no memory to read the state");
        *compared += 1;
    }
    state->view_destroy (&view);
    return status;
}

static troupe_status_t
check_agreement (const check_t *self, state_port_t *state)
{
    changes_t folded = { 0 }, begun = { 0 };
    uint64_t compared = 0;
    bool has_memory = changes_open (&folded, self->folded.first) && changes_open (&begun, self->begun.first)
                      && changes_next (&folded, SIZE_MAX) && changes_next (&begun, SIZE_MAX);
    troupe_status_t status = has_memory ? compare_all (self, state, &folded, &begun, &compared)
                                        : error_set (self->error, TROUPE_NO_MEMORY, "no memory to sort the changes "
                                                     "of the journal");
    changes_close (&folded);
    changes_close (&begun);
    if (status == TROUPE_OK && self->folded.first)
        say (self, "journal and state agree about the %llu keys that were folded last", (unsigned long long) compared);
    return status;
}

static troupe_status_t
check_all (check_t *self)
{
    troupe_status_t status = check_pages (self);
    if (status != TROUPE_OK)
        return status;
    troupe_error_t why;
    state_port_t *state = state_lmdb_new_reader (self->directory, &why);
    if (!state)
        return error_set (self->error, why.status, "%s", why.text);
    const state_identity_t *identity = state->identity (state->self);
    state->marks (state->self, self->marks);
    tell_identity (self, identity);
    status = check_records (self, state);
    if (status == TROUPE_OK)
        status = check_journal (self, identity);
    if (status == TROUPE_OK)
        status = check_agreement (self, state);
    drop (&self->folded);
    drop (&self->begun);
    state_lmdb_destroy (&state);
    return status;
}

troupe_status_t
store_check (const char *directory, const char *tables, store_tell_t *tell, void *arg, troupe_error_t *error)
{
    check_t self = { .directory = directory, .tables = tables, .tell = tell, .arg = arg, .error = error };
    store_lock_t *lock;
    if (!files_exists (directory, STATE_FILE))
        return error_set (error, TROUPE_NOT_FOUND, "there is no store in %s", directory);
    troupe_status_t status = store_lock_share (directory, &lock, error);
    if (status == TROUPE_OK)
        status = check_all (&self);
    store_lock_release (&lock);
    return status;
}
