/*  disk_posix.c - the real disk: files below one directory.
 *
 *  DESIGN
 *  Everything goes through a descriptor of the directory, so that a change of the
 *  working directory or a renamed parent does no harm. Space is asked for before
 *  it is written (fallocate beyond the end), so that a file lies in one piece and
 *  a full disk says so at once; the zeros are written all the same, because the
 *  first write into space that was only reserved changes metadata, and a sync
 *  must not. Plain pwrite and fdatasync: see doc/decisions/002-journal.md for what
 *  the other ways gain. A failed sync is an I/O error whatever its errno: the kernel drops the dirty
 *  pages and forgets, so nobody may ask again. Any thread, as long as one file
 *  is not closed while another thread uses it.
 */
#include "storage/disk.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZEROS_SIZE (256u << 10)  /* bytes of one write when a file is filled */
#define FILL_STEP (1u << 20)     /* filled bytes that may wait for the disk */

typedef struct {
    disk_t port;
    int fd;           /* the directory */
    char *directory;  /* for error texts */
} posix_t;

struct disk_file_s {
    int fd;
    char *name;
    const posix_t *disk;
};

/*  A process with too many files open lacks a resource, as one without memory
 *  does: no reason to call the disk broken. */
static troupe_status_t
fail (const posix_t *disk, int code, const char *doing, const char *name, troupe_error_t *error)
{
    if (code == EMFILE || code == ENFILE)
        return error_set (error, TROUPE_NO_MEMORY, "cannot %s %s: too many open files, raise the limit (ulimit -n)",
                          doing, name);
    char path[sizeof error->text];
    snprintf (path, sizeof path, "%s/%s", disk->directory, name);
    return files_error (error, code, doing, path);
}

static void
close_file (void *self, disk_file_t **file_p)
{
    (void) self;
    CHECK (file_p);
    disk_file_t *file = *file_p;
    if (!file)
        return;
    if (file->fd >= 0)
        close (file->fd);
    memory_free (file->name);
    memory_free (file);
    *file_p = NULL;
}

static troupe_status_t
open_file (void *self, const char *name, bool create, disk_file_t **file, troupe_error_t *error)
{
    posix_t *disk = self;
    CHECK (!strchr (name, '/'));
    *file = memory_zalloc (sizeof **file);
    if (!*file)
        return fail (disk, ENOMEM, "open", name, error);
    (*file)->disk = disk;
    (*file)->name = memory_strdup (name);
    int flags = O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
    (*file)->fd = openat (disk->fd, name, O_RDWR | flags, 0600);
    if ((*file)->fd < 0 && errno == EROFS && !create)
        (*file)->fd = openat (disk->fd, name, O_RDONLY | flags);  /* a store that is only looked at */
    int code = (*file)->fd < 0 ? errno : (*file)->name ? 0 : ENOMEM;
    if (!code)
        return TROUPE_OK;
    close_file (disk, file);
    return fail (disk, code, create ? "make" : "open", name, error);
}

static troupe_status_t
size_of_file (void *self, disk_file_t *file, uint64_t *size, troupe_error_t *error)
{
    struct stat info;
    if (fstat (file->fd, &info) != 0)
        return fail (self, errno, "look at", file->name, error);
    *size = (uint64_t) info.st_size;
    return TROUPE_OK;
}

static troupe_status_t
read_file (void *self, disk_file_t *file, uint64_t at, void *bytes, size_t size, troupe_error_t *error)
{
    char *to = bytes;
    while (size) {
        ssize_t some = pread (file->fd, to, size, (off_t) at);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return fail (self, errno, "read", file->name, error);
        if (some == 0)
            return error_set (error, TROUPE_IO, "%s ends at byte %llu, more was expected", file->name,
                              (unsigned long long) at);
        to += some;
        at += (uint64_t) some;
        size -= (size_t) some;
    }
    return TROUPE_OK;
}

static troupe_status_t
write_file (void *self, disk_file_t *file, uint64_t at, const void *bytes, size_t size, troupe_error_t *error)
{
    const char *from = bytes;
    while (size) {
        ssize_t some = pwrite (file->fd, from, size, (off_t) at);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            return fail (self, some < 0 ? errno : EIO, "write", file->name, error);
        from += some;
        at += (uint64_t) some;
        size -= (size_t) some;
    }
    return TROUPE_OK;
}

/*  Keeps the size, so that after a crash the file is as long as it was filled. */
static int
reserve (int fd, uint64_t from, uint64_t to)
{
    for (;;) {
        if (fallocate (fd, FALLOC_FL_KEEP_SIZE, (off_t) from, (off_t) (to - from)) == 0)
            return 0;
        if (errno == EINTR)
            continue;
        return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno;
    }
}

/*  Waits until the disk has these bytes, so that the sync of all of them does not
 *  hold up syncs of other files for long. Nothing counts as durable by it; but an error that
 *  is told here is not told by that sync again. */
static troupe_status_t
write_back (posix_t *disk, const disk_file_t *file, uint64_t at, troupe_error_t *error)
{
    if (sync_file_range (file->fd, (off_t) at, FILL_STEP, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE
                                                              | SYNC_FILE_RANGE_WAIT_AFTER) == 0)
        return TROUPE_OK;
    bool is_unknown = errno == ENOSYS || errno == EINVAL || errno == ESPIPE;
    return is_unknown ? TROUPE_OK : fail (disk, errno, "fill", file->name, error);
}

static troupe_status_t
fill_file (void *self, disk_file_t *file, uint64_t size, troupe_error_t *error)
{
    uint64_t at;
    troupe_status_t status = size_of_file (self, file, &at, error);
    if (status != TROUPE_OK || at >= size)
        return status;
    int code = reserve (file->fd, at, size);
    if (code)
        return fail (self, code, "make room for", file->name, error);
    void *zeros = memory_zalloc (ZEROS_SIZE);
    if (!zeros)
        return fail (self, ENOMEM, "fill", file->name, error);
    while (status == TROUPE_OK && at < size) {
        size_t some = size - at < ZEROS_SIZE ? size - at : ZEROS_SIZE;
        status = write_file (self, file, at, zeros, some, error);
        at += some;
        if (status == TROUPE_OK && at % FILL_STEP == 0)
            status = write_back (self, file, at - FILL_STEP, error);
    }
    memory_free (zeros);
    return status;
}

/*  An interrupted sync has lost nothing: only that one is asked again. */
static int
sync_fd (int fd, int (*how) (int fd))
{
    for (;;) {
        if (how (fd) == 0)
            return 0;
        if (errno != EINTR)
            return errno;
    }
}

static troupe_status_t
sync_file (void *self, disk_file_t *file, troupe_error_t *error)
{
    int code = sync_fd (file->fd, fdatasync);
    if (!code)
        return TROUPE_OK;
    fail (self, code, "sync", file->name, error);
    if (error)
        error->status = TROUPE_IO;
    return TROUPE_IO;
}

static troupe_status_t
rename_file (void *self, const char *from, const char *to, troupe_error_t *error)
{
    posix_t *disk = self;
    return renameat (disk->fd, from, disk->fd, to) == 0 ? TROUPE_OK : fail (disk, errno, "rename", from, error);
}

static troupe_status_t
remove_file (void *self, const char *name, troupe_error_t *error)
{
    posix_t *disk = self;
    return unlinkat (disk->fd, name, 0) == 0 ? TROUPE_OK : fail (disk, errno, "remove", name, error);
}

static troupe_status_t
sync_names (void *self, troupe_error_t *error)
{
    posix_t *disk = self;
    int code = sync_fd (disk->fd, fsync);
    if (!code)
        return TROUPE_OK;
    fail (disk, code, "sync the directory", "", error);
    if (error)
        error->status = TROUPE_IO;
    return TROUPE_IO;
}

static troupe_status_t
each_name (void *self, disk_each_name_t *each, void *arg, troupe_error_t *error)
{
    posix_t *disk = self;
    int fd = openat (disk->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir (fd);
    if (!folder) {
        int code = errno;
        if (fd >= 0)
            close (fd);
        return fail (disk, code, "list", "", error);
    }
    struct dirent *entry;
    while (errno = 0, (entry = readdir (folder)) != NULL)
        if (entry->d_name[0] != '.' && !each (arg, entry->d_name))
            break;
    int code = entry ? 0 : errno;
    closedir (folder);
    return code ? fail (disk, code, "list", "", error) : TROUPE_OK;
}

disk_t *
disk_posix_new (const char *directory, troupe_error_t *error)
{
    posix_t *disk = memory_zalloc (sizeof *disk);
    char *copy = memory_strdup (directory);
    int fd = disk && copy ? open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) {
        int code = disk && copy ? errno : ENOMEM;
        memory_free (copy);
        memory_free (disk);
        files_error (error, code, "open the directory", directory);
        return NULL;
    }
    disk->fd = fd;
    disk->directory = copy;
    disk->port = (disk_t) {
        .self = disk, .open = open_file, .close = close_file, .size = size_of_file, .read = read_file,
        .write = write_file, .fill = fill_file, .sync = sync_file, .rename = rename_file, .remove = remove_file,
        .sync_names = sync_names, .each_name = each_name,
    };
    return &disk->port;
}

void
disk_posix_destroy (disk_t **self_p)
{
    CHECK (self_p);
    if (!*self_p)
        return;
    posix_t *disk = (*self_p)->self;
    close (disk->fd);
    memory_free (disk->directory);
    memory_free (disk);
    *self_p = NULL;
}
