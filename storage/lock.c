/*  lock.c - one opener of a store at a time, in all processes and within one.
 *
 *  DESIGN
 *  flock belongs to the open file, so that a second open in the same process
 *  meets it too, and it goes with the process however that dies. Where flock is
 *  emulated (NFS) the same process would get the lock twice, and two LMDB
 *  environments on one file in one process break each other's locks: hence a
 *  list of what this process holds, by device and inode, asked first. The pid
 *  in the file is for the text alone; nothing is decided by it.
 *
 *  Who only looks shares the lock and writes nothing, so that a copy on a disk that is mounted for reading can be
 *  looked at. Without a lock file nobody has opened it yet: a backup is never opened.
 */
#include "storage/lock.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct store_lock_s {
    int fd;
    dev_t device;
    ino_t inode;
    store_lock_t *next;  /* in `held` */
};

static pthread_mutex_t held_mutex = PTHREAD_MUTEX_INITIALIZER;
static store_lock_t *held;  /* guarded by held_mutex */

static troupe_status_t
say_locked (const char *directory, long pid, troupe_error_t *error)
{
    if (pid == (long) getpid ())
        return error_set (error, TROUPE_LOCKED, "this process (%ld) has the store %s open already", pid, directory);
    return error_set (error, TROUPE_LOCKED, "process %ld has the store %s open: stop it, or speak to it by its "
                      "control socket", pid, directory);
}

/*  Those who look have left no pid. */
static troupe_status_t
say_held (const char *directory, int fd, troupe_error_t *error)
{
    if (flock (fd, LOCK_SH | LOCK_NB) == 0)
        return error_set (error, TROUPE_LOCKED, "the store %s is being checked: wait until that is done", directory);
    char text[32];
    (void) !files_read_text (directory, "lock", text, sizeof text, NULL);
    return say_locked (directory, atol (text), error);
}

static bool
is_held_here (const struct stat *info)
{
    for (const store_lock_t *lock = held; lock; lock = lock->next) {
        if (lock->device == info->st_dev && lock->inode == info->st_ino)
            return true;
    }
    return false;
}

/*  Locks the open file and writes the pid. 0 or an errno. */
static int
lock_file (store_lock_t *self, bool is_shared)
{
    struct stat info;
    if (flock (self->fd, (is_shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 || fstat (self->fd, &info) != 0)
        return errno;
    self->device = info.st_dev;
    self->inode = info.st_ino;
    if (is_shared)
        return 0;
    char text[32];
    int size = snprintf (text, sizeof text, "%ld\n", (long) getpid ());
    if (ftruncate (self->fd, 0) != 0 || pwrite (self->fd, text, (size_t) size, 0) != size)
        return 0;  /* a full disk must not keep a store closed: only the pid in a text is lost */
    return 0;
}

/*  With held_mutex locked. */
static troupe_status_t
take (store_lock_t *self, const char *directory, bool is_shared, troupe_error_t *error)
{
    char path[PATH_MAX];
    troupe_status_t status = files_path (path, directory, "lock", error);
    if (status != TROUPE_OK)
        return status;
    struct stat info;
    if (stat (path, &info) == 0 && is_held_here (&info))
        return say_locked (directory, (long) getpid (), error);
    self->fd = open (path, is_shared ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->fd < 0)
        return files_error (error, errno, "open", path);
    int code = lock_file (self, is_shared);
    if (code == 0)
        return TROUPE_OK;
    status = code == EWOULDBLOCK ? say_held (directory, self->fd, error)
                                 : files_error (error, code, "lock", path);
    close (self->fd);
    return status;
}

static troupe_status_t
hold (const char *directory, bool is_shared, store_lock_t **lock, troupe_error_t *error)
{
    store_lock_t *self = *lock = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_NO_MEMORY, "no memory to lock the store %s", directory);
    pthread_mutex_lock (&held_mutex);
    troupe_status_t status = take (self, directory, is_shared, error);
    if (status == TROUPE_OK) {
        self->next = held;
        held = self;
    } else {
        memory_free (self);
        *lock = NULL;
    }
    pthread_mutex_unlock (&held_mutex);
    return status;
}

store_lock_t *
store_lock_take (const char *directory, troupe_error_t *error)
{
    store_lock_t *self;
    return hold (directory, false, &self, error) == TROUPE_OK ? self : NULL;
}

troupe_status_t
store_lock_share (const char *directory, store_lock_t **lock, troupe_error_t *error)
{
    troupe_error_t why;
    troupe_status_t status = hold (directory, true, lock, &why);
    if (status == TROUPE_NOT_FOUND)
        return TROUPE_OK;
    return status == TROUPE_OK ? TROUPE_OK : error_set (error, status, "%s", why.text);
}

void
store_lock_release (store_lock_t **self_p)
{
    CHECK (self_p);
    store_lock_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&held_mutex);
    store_lock_t **link = &held;
    while (*link != self) {
        CHECK (*link);
        link = &(*link)->next;
    }
    *link = self->next;
    close (self->fd);
    pthread_mutex_unlock (&held_mutex);
    memory_free (self);
    *self_p = NULL;
}
