/*  store.c - a store: a directory, opened and kept as a whole.
 *
 *  DESIGN
 *  The directory of the journal is made before the state, and a state appears
 *  only when it is whole: so a state without a journal was never a store (it is
 *  a backup, or somebody removed what is not folded yet), and segments without a
 *  state have lost it. Both are refused, since going on would lose what was
 *  promised.
 *
 *  After an I/O error nothing may be believed of the disk: the kernel tells it once, and the next sync of the
 *  same pages succeeds although they are lost. So each call here that meets one leaves the marker before it
 *  returns, be it of a node or of a tool; what may not be read or written is no I/O error, and leaves none.
 */
#include "storage/store.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/files.h"
#include "storage/store_cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARKER_BROKEN "io-error"
#define BALLAST "ballast"

/* ------------------------------------------------------------------ *
 *  Room
 * ------------------------------------------------------------------ */

/*  0 or an errno. What exists and is large enough stays. */
static int
fill_ballast (const char *path, uint64_t size)
{
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    struct stat info;
    int code = fstat (fd, &info) == 0 ? 0 : errno;
    if (code == 0 && (uint64_t) info.st_size < size)
        code = posix_fallocate (fd, 0, (off_t) size);
    close (fd);
    return code;
}

static bool
get_free (void *self_, uint64_t *bytes)
{
    return files_room (((const store_t *) self_)->directory, bytes);
}

static bool
has_ballast (void *self_)
{
    return files_exists (((const store_t *) self_)->directory, BALLAST);
}

static void
make_ballast (void *self_, uint64_t bytes)
{
    char path[PATH_MAX];
    if (files_path (path, ((const store_t *) self_)->directory, BALLAST, NULL) == TROUPE_OK
        && fill_ballast (path, bytes) != 0)
        unlink (path);
}

static void
free_ballast (void *self_)
{
    char path[PATH_MAX];
    if (files_path (path, ((const store_t *) self_)->directory, BALLAST, NULL) == TROUPE_OK)
        unlink (path);
}

uint64_t
store_used_bytes (const store_t *self)
{
    return state_lmdb_used_bytes (self->state) + journal_counts (self->journal).bytes;
}

/* ------------------------------------------------------------------ *
 *  Markers
 * ------------------------------------------------------------------ */

void
store_mark_broken (const store_t *self, const char *text)
{
    if (store_is_broken (self->directory))
        return;
    if (files_write_text (self->directory, MARKER_BROKEN, text, NULL) == TROUPE_FULL) {
        self->room.port.free_ballast (self->room.port.self);
        (void) !files_write_text (self->directory, MARKER_BROKEN, text, NULL);
    }
}

/*  Nobody may try again after an I/O error. */
static troupe_status_t
marked (const store_t *self, troupe_status_t status, const troupe_error_t *error)
{
    if (status == TROUPE_IO)
        store_mark_broken (self, error->text);
    return status;
}

bool
store_is_broken (const char *directory)
{
    return files_exists (directory, MARKER_BROKEN);
}

troupe_status_t
store_acknowledge (const char *directory, troupe_error_t *error)
{
    return files_remove (directory, MARKER_BROKEN, error);
}

static troupe_status_t
check_markers (const char *directory, troupe_error_t *error)
{
    if (files_exists (directory, STORE_RESTORING))
        return error_set (error, TROUPE_CORRUPT, "a restore into %s did not finish: restore again", directory);
    if (!store_is_broken (directory))
        return TROUPE_OK;
    char text[160];
    (void) !files_read_text (directory, MARKER_BROKEN, text, sizeof text, NULL);
    return error_set (error, TROUPE_IO, "the store stopped on an I/O error (%s): look at the disk, check the store, "
                      "then acknowledge it", text);
}

/* ------------------------------------------------------------------ *
 *  Opening and closing
 * ------------------------------------------------------------------ */

static bool
note_name (void *arg, const char *name)
{
    (void) name;
    *(bool *) arg = true;
    return false;
}

/*  Without a state there may be no segments. */
static troupe_status_t
check_no_segments (const store_t *self, const char *path, troupe_error_t *error)
{
    disk_t *disk = disk_posix_new (path, error);
    if (!disk)
        return error->status;
    bool is_used = false;
    troupe_status_t status = disk->each_name (disk->self, note_name, &is_used, error);
    disk_posix_destroy (&disk);
    if (status == TROUPE_OK && is_used)
        status = error_set (error, TROUPE_CORRUPT, "%s has a journal and no " STATE_FILE ": put it back, or restore a "
                            "backup elsewhere", self->directory);
    return status;
}

/*  Makes the directories when there is no store yet. */
static troupe_status_t
check_parts (const store_t *self, const char *journal_path, troupe_error_t *error)
{
    bool has_state = files_exists (self->directory, STATE_FILE);
    bool has_journal = files_exists (self->directory, STORE_JOURNAL);
    if (has_state && has_journal)
        return TROUPE_OK;
    if (has_state)
        return error_set (error, TROUPE_INVALID, "%s has no journal: if it is a backup, restore it into another "
                          "directory", self->directory);
    if (has_journal) {
        troupe_status_t status = check_no_segments (self, journal_path, error);
        if (status != TROUPE_OK)
            return status;
    }
    if (!self->options.create)
        return error_set (error, TROUPE_NOT_FOUND, "there is no store in %s", self->directory);
    troupe_status_t status = files_make_directory (self->directory, error);
    return status == TROUPE_OK ? files_make_directory (journal_path, error) : status;
}

static troupe_status_t
open_journal (store_t *self, const char *path, troupe_error_t *error)
{
    journal_options_t options = {
        .segment_size = self->options.segment_size ? self->options.segment_size : STORE_SEGMENT_BYTES,
        .spare_segments = STORE_SPARE_SEGMENTS,
        .on_taken = self->options.on_taken,
        .on_durable = self->options.on_durable,
        .arg = self->options.arg,
    };
    self->disk = disk_posix_new (path, error);
    if (!self->disk)
        return error->status;
    self->journal = journal_new (self->disk, self->state->identity (self->state->self), &options, error);
    if (!self->journal)
        return error->status;
    self->checkpoint = checkpoint_new (self->journal, self->state, self->options.on_folded, self->options.arg);
    if (!self->checkpoint)
        return error_set (error, TROUPE_NO_MEMORY, "no memory to open the store %s", self->directory);
    return TROUPE_OK;
}

static troupe_status_t
open_parts (store_t *self, troupe_error_t *error)
{
    char path[PATH_MAX];
    troupe_status_t status = files_path (path, self->directory, STORE_JOURNAL, error);
    if (status == TROUPE_OK)
        status = check_markers (self->directory, error);
    if (status == TROUPE_OK)
        status = check_parts (self, path, error);
    if (status == TROUPE_OK && !self->options.of_any_node)
        status = store_check_cluster (self->directory, self->options.cluster, error);
    if (status != TROUPE_OK)
        return status;
    self->state = state_lmdb_new (self->directory, self->options.create, self->options.shards,
                                  self->options.hash_seed, self->options.map_bytes, error);
    return self->state ? open_journal (self, path, error) : error->status;
}

store_t *
store_open (const store_options_t *options, troupe_error_t *error)
{
    troupe_error_t own;
    error = error ? error : &own;
    store_t *self = memory_zalloc (sizeof *self);
    if (self) {
        self->options = *options;
        self->directory = memory_strdup (options->directory);
        self->room = (room_t) { { self, get_free, has_ballast, free_ballast, make_ballast },
                                options->soft_room_bytes, options->ballast_bytes };
    }
    if (!self || !self->directory) {
        error_set (error, TROUPE_NO_MEMORY, "no memory to open the store %s", options->directory);
        store_close (&self);
        return NULL;
    }
    self->options.directory = self->directory;
    if (marked (self, open_parts (self, error), error) == TROUPE_OK)
        room_make_ballast (&self->room);
    else
        store_close (&self);
    return self;
}

void
store_close (store_t **self_p)
{
    CHECK (self_p);
    store_t *self = *self_p;
    if (!self)
        return;
    checkpoint_destroy (&self->checkpoint);
    journal_destroy (&self->journal);
    disk_posix_destroy (&self->disk);
    state_lmdb_destroy (&self->state);
    memory_free (self->directory);
    memory_free (self);
    *self_p = NULL;
}

troupe_status_t
store_recover (store_t *self, journal_replay_t *replay, void *arg, troupe_error_t *error)
{
    troupe_error_t own;
    error = error ? error : &own;
    state_mark_t marks[STATE_SHARDS_MAX];
    uint32_t shards = self->state->identity (self->state->self)->shards;
    troupe_status_t status = files_sync_directory (self->directory, error);
    if (status == TROUPE_OK)
        status = state_lmdb_sync (self->state, error);
    self->state->marks (self->state->self, marks);
    if (status == TROUPE_OK)
        status = room_recover (&self->room, self->journal, marks, shards, replay, arg, error);
    return marked (self, status, error);
}

/* ------------------------------------------------------------------ *
 *  Folding
 * ------------------------------------------------------------------ */

troupe_status_t
store_fold (store_t *self, troupe_error_t *error)
{
    troupe_error_t own;
    error = error ? error : &own;
    return marked (self, room_fold (&self->room, self->journal, self->checkpoint, error), error);
}
