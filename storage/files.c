/*  files.c - the few things that a store does to its directory beside LMDB and
 *  the journal.
 *
 *  DESIGN
 *  Every name that appears, changes or goes is followed by a sync of its
 *  directory, inside the call that did it: a marker or a store that vanishes
 *  with the power is worse than none. Nothing here holds state; any thread.
 */
#include "storage/files.h"

#include "runtime/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static troupe_status_t
status_of (int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return TROUPE_FULL;
    case ENOENT:
        return TROUPE_NOT_FOUND;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return TROUPE_NO_MEMORY;
    case EACCES:
    case EPERM:
    case EROFS:
        return TROUPE_FORBIDDEN;
    case EEXIST:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOTDIR:
        return TROUPE_INVALID;
    default:
        return TROUPE_IO;
    }
}

static const char *
advice_of (int code)
{
    return code == EROFS                      ? ": mount it for writing"
           : status_of (code) == TROUPE_FORBIDDEN ? ": run as the user who owns it, or give it to this one"
                                                  : "";
}

troupe_status_t
files_error (troupe_error_t *error, int code, const char *doing, const char *path)
{
    char why[128];
    return error_set (error, status_of (code), "cannot %s %s: %s%s", doing, path,
                      strerror_r (code, why, sizeof why), advice_of (code));
}

troupe_status_t
files_error_sync (troupe_error_t *error, int code, const char *doing, const char *path)
{
    char why[128];
    return error_set (error, TROUPE_IO, "cannot %s %s: %s", doing, path, strerror_r (code, why, sizeof why));
}

troupe_status_t
files_path (char path[PATH_MAX], const char *directory, const char *name, troupe_error_t *error)
{
    int size = snprintf (path, PATH_MAX, "%s/%s", directory, name);
    if (size < 0 || size >= PATH_MAX)
        return error_set (error, TROUPE_INVALID, "the path %.100s... is too long", directory);
    return TROUPE_OK;
}

bool
files_exists (const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    return files_path (path, directory, name, NULL) == TROUPE_OK && lstat (path, &info) == 0;
}

/*  The directory that holds `path`, without looking at the disk. */
static void
parent_of (char parent[PATH_MAX], const char *path)
{
    size_t size = strlen (path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    while (size > 1 && path[size - 1] == '/')
        size--;
    if (size == 0)
        memcpy (parent, ".", 2);
    else
        snprintf (parent, PATH_MAX, "%.*s", (int) size, path);
}

/*  Who made one that is there may have died before its name was durable. A parent that may not be opened was no
 *  hindrance to others. */
troupe_status_t
files_make_directory (const char *path, troupe_error_t *error)
{
    char parent[PATH_MAX];
    struct stat info;
    troupe_error_t why = { TROUPE_OK, "" };
    int code = mkdir (path, 0700) == 0 ? 0 : errno;
    if (code && !(code == EEXIST && stat (path, &info) == 0 && S_ISDIR (info.st_mode)))
        return files_error (error, code, "make the directory", path);
    parent_of (parent, path);
    troupe_status_t status = files_sync_directory (parent, &why);
    if (status == TROUPE_OK || (code == EEXIST && status == TROUPE_FORBIDDEN))
        return TROUPE_OK;
    return error_set (error, status, "%s", why.text);
}

troupe_status_t
files_sync_directory (const char *path, troupe_error_t *error)
{
    int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return files_error (error, errno, "open the directory", path);
    int code = fsync (fd) == 0 || errno == EINVAL ? 0 : errno;  /* a file system that has no such sync */
    close (fd);
    return code ? files_error_sync (error, code, "sync the directory", path) : TROUPE_OK;
}

/*  0 or an errno. */
static int
write_all (int fd, const char *bytes, size_t size)
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
    return fsync (fd) == 0 ? 0 : errno;
}

troupe_status_t
files_write_text (const char *directory, const char *name, const char *text, troupe_error_t *error)
{
    char aside[NAME_MAX + 1], path[PATH_MAX];
    if ((size_t) snprintf (aside, sizeof aside, "%s.new", name) >= sizeof aside)
        return error_set (error, TROUPE_INVALID, "the name %.100s... is too long", name);
    troupe_status_t status = files_path (path, directory, aside, error);
    if (status != TROUPE_OK)
        return status;
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return files_error (error, errno, "make", path);
    int code = write_all (fd, text, strlen (text));
    close (fd);
    return code ? files_error (error, code, "write", path) : files_rename (directory, aside, name, error);
}

/*  0 or an errno. */
static int
read_some (int fd, char *text, size_t size)
{
    size_t filled = 0;
    ssize_t got;
    do {
        got = read (fd, text + filled, size - 1 - filled);
        filled += got > 0 ? (size_t) got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    text[filled] = '\0';
    return got < 0 ? errno : 0;
}

troupe_status_t
files_read_text (const char *directory, const char *name, char *text, size_t size, troupe_error_t *error)
{
    char path[PATH_MAX];
    text[0] = '\0';
    troupe_status_t status = files_path (path, directory, name, error);
    if (status != TROUPE_OK)
        return status;
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? TROUPE_OK : files_error (error, errno, "open", path);
    int code = read_some (fd, text, size);
    close (fd);
    return code ? files_error (error, code, "read", path) : TROUPE_OK;
}

troupe_status_t
files_remove (const char *directory, const char *name, troupe_error_t *error)
{
    char path[PATH_MAX];
    troupe_status_t status = files_path (path, directory, name, error);
    if (status != TROUPE_OK)
        return status;
    if (unlink (path) == 0)
        return files_sync_directory (directory, error);
    return errno == ENOENT ? TROUPE_OK : files_error (error, errno, "remove", path);
}

troupe_status_t
files_rename (const char *directory, const char *from, const char *to, troupe_error_t *error)
{
    char old[PATH_MAX], new[PATH_MAX];
    troupe_status_t status = files_path (old, directory, from, error);
    if (status == TROUPE_OK)
        status = files_path (new, directory, to, error);
    if (status != TROUPE_OK)
        return status;
    if (rename (old, new) != 0)
        return files_error (error, errno, "rename", old);
    return files_sync_directory (directory, error);
}

bool
files_room (const char *directory, uint64_t *bytes)
{
    struct statvfs info;
    if (statvfs (directory, &info) != 0)
        return false;
    *bytes = (uint64_t) info.f_bavail * info.f_frsize;
    return true;
}
