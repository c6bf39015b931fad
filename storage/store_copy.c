/*  store_copy.c - backups of a running store, and stores made out of backups.
 *
 *  DESIGN
 *  A fold moves the marks of all shards to one place in the journal's order; while
 *  a copy is made it is one transaction. So every snapshot of the state is then a
 *  consistent cut through all shards, and a copy of one snapshot is a backup: no
 *  frames need to go with it, and the node need not stop. The fold before it makes
 *  it fresh, and ends what an earlier one in several transactions had begun. What was
 *  copied is then read back and checked, since a backup that nobody ever read
 *  is none.
 *
 *  A restored store has an epoch of its own, as it forgets what came after the
 *  backup: clients and links of the old one must notice. The marker stands in
 *  the target from before the first byte until all is synced; such a directory
 *  is never opened.
 */
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/files.h"
#include "storage/store.h"
#include "storage/store_cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAD STATE_FILE ".bad"    /* what failed its check must not look like a backup */
#define PART STATE_FILE ".new"  /* until it is whole */
#define COPY_BYTES (1u << 20)   /* of one read */

static void
say (store_tell_t *tell, void *arg, const char *line)
{
    if (tell)
        tell (arg, line);
}

static troupe_status_t
fold_here (void *arg, troupe_error_t *error)
{
    return store_fold (arg, error);
}

troupe_status_t
store_backup (store_t *self, const char *target, store_fold_t *fold, void *fold_arg, store_tell_t *tell, void *arg,
              troupe_error_t *error)
{
    if (files_exists (target, STATE_FILE) || files_exists (target, STORE_JOURNAL))
        return error_set (error, TROUPE_INVALID, "%s holds a store or a backup already", target);
    checkpoint_begin_copy (self->checkpoint);
    say (tell, arg, "folding the journal into the state");
    troupe_status_t status = fold ? fold (fold_arg, error) : fold_here (self, error);
    if (status == TROUPE_OK) {
        say (tell, arg, "copying the state");
        status = state_lmdb_copy (self->state, target, error);
    }
    checkpoint_end_copy (self->checkpoint);
    if (status == TROUPE_OK)
        status = store_copy_cluster (self->directory, target, error);
    if (status != TROUPE_OK)
        return status;
    say (tell, arg, "checking the copy");
    status = store_check (target, self->options.tables, tell, arg, error);
    if (status != TROUPE_OK)
        (void) !files_rename (target, STATE_FILE, BAD, NULL);
    return status;
}

/* ------------------------------------------------------------------ *
 *  Restoring
 * ------------------------------------------------------------------ */

/*  0 or an errno. */
static int
write_all (int fd, const uint8_t *bytes, size_t size)
{
    while (size) {
        ssize_t some = write (fd, bytes, size);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return errno;
        bytes += some;
        size -= (size_t) some;
    }
    return 0;
}

/*  0 or an errno. The target is durable afterwards. */
static int
copy_bytes (int from, int to)
{
    uint8_t *bytes = memory_alloc (COPY_BYTES);
    int code = bytes ? 0 : ENOMEM;
    ssize_t some = 1;
    while (code == 0 && some != 0) {
        some = read (from, bytes, COPY_BYTES);
        if (some >= 0)
            code = write_all (to, bytes, (size_t) some);
        else if (errno != EINTR)
            code = errno;
    }
    memory_free (bytes);
    return code == 0 && fsync (to) != 0 ? errno : code;
}

static troupe_status_t
copy_state (const char *backup, const char *target, troupe_error_t *error)
{
    char from[PATH_MAX], to[PATH_MAX];
    troupe_status_t status = files_path (from, backup, STATE_FILE, error);
    if (status == TROUPE_OK)
        status = files_path (to, target, PART, error);
    if (status != TROUPE_OK)
        return status;
    int source = open (from, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return files_error (error, errno, "open", from);
    int sink = open (to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int code = sink < 0 ? errno : copy_bytes (source, sink);
    close (source);
    if (sink >= 0)
        close (sink);
    return code ? files_error (error, code, "write", to) : files_rename (target, PART, STATE_FILE, error);
}

static troupe_status_t
check_places (const char *backup, const char *target, troupe_error_t *error)
{
    if (!files_exists (backup, STATE_FILE) || files_exists (backup, STORE_RESTORING))
        return error_set (error, TROUPE_NOT_FOUND, "%s holds no backup", backup);
    if (files_exists (backup, STORE_JOURNAL))
        return error_set (error, TROUPE_INVALID, "%s is a store and no backup: what its journal holds would be lost",
                          backup);
    if (files_exists (target, STORE_RESTORING))
        return TROUPE_OK;
    if (files_exists (target, STATE_FILE) || files_exists (target, STORE_JOURNAL))
        return error_set (error, TROUPE_INVALID, "%s holds a store already: restore into an empty directory", target);
    return TROUPE_OK;
}

troupe_status_t
store_restore (const char *backup, const char *target, const char *tables, store_tell_t *tell, void *arg,
               troupe_error_t *error)
{
    char journal[PATH_MAX];
    troupe_status_t status = check_places (backup, target, error);
    if (status == TROUPE_OK)
        status = files_path (journal, target, STORE_JOURNAL, error);
    if (status == TROUPE_OK)
        status = files_make_directory (target, error);
    if (status == TROUPE_OK)
        status = files_write_text (target, STORE_RESTORING, backup, error);
    if (status == TROUPE_OK)
        status = files_make_directory (journal, error);
    if (status == TROUPE_OK)
        status = store_copy_cluster (backup, target, error);
    if (status != TROUPE_OK)
        return status;
    say (tell, arg, "copying the state");
    status = copy_state (backup, target, error);
    if (status == TROUPE_OK)
        say (tell, arg, "checking the copy");
    if (status == TROUPE_OK)
        status = store_check (target, tables, tell, arg, error);
    if (status == TROUPE_OK)
        status = state_lmdb_new_epoch (target, error);
    if (status == TROUPE_OK)
        status = files_write_text (target, STORE_RESTORED, backup, error);
    return status == TROUPE_OK ? files_remove (target, STORE_RESTORING, error) : status;
}
