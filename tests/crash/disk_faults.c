/*  disk_faults.c - a disk that fails when it is told to, or that writes down what is done to it: for LD_PRELOAD.
 *
 *  DESIGN
 *  It stands between the real binary and the system, so that what is tried is the program as it is installed, LMDB
 *  included. Only paths below the directory DISK_BELOW count; each call on another one passes.
 *
 *  Faults. DISK_FAULTS names a file of lines "CALL END ERRNO": while such a line is there, this call fails with that
 *  errno on paths that end so ("*": any). It is read at each call, so that a test says by writing it when the disk
 *  breaks, and when it answers OK again, as a kernel does that told its error once. CALL is fdatasync, fsync, msync,
 *  pwrite (and all that writes), fallocate, fadvise, or open (for writing). "statvfs * 0" leaves hardly any room. What
 *  failed is a line in DISK_FAULTS.hit.
 *
 *  Record. DISK_RECORD names a file that gets a line "OP INODE OFFSET SIZE PATH" for each thing that is done, with the
 *  bytes behind it: see tests/crash/test_powercut. A write and its line are one step; a sync has two lines, before and
 *  after, since it covers only what was written before it began.
 *
 *  The system is called directly, without the C library's own names, which are taken here. Any thread.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RULES_MOST 2000
#define PATH_TEXT (PATH_MAX + 64)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;  /* over a change and its line */

/* ---- paths ---- */

static bool
link_of (const char *link, char path[PATH_TEXT])
{
    long size = syscall (SYS_readlink, link, path, PATH_MAX);
    path[size > 0 ? size : 0] = '\0';
    return size > 0;
}

static bool
path_of (int fd, char path[PATH_TEXT])
{
    char link[64];
    snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
    return link_of (link, path);
}

static void
path_at (int folder, const char *name, char path[PATH_TEXT])
{
    path[0] = '\0';
    if (name[0] != '/') {
        if (folder == AT_FDCWD)
            link_of ("/proc/self/cwd", path);
        else
            path_of (folder, path);
        strcat (path, "/");
    }
    strncat (path, name, PATH_MAX - strlen (path) - 1);
    for (char *dot; (dot = strstr (path, "/./"));)
        memmove (dot, dot + 2, strlen (dot + 2) + 1);
}

/*  What is behind DISK_BELOW, or NULL. */
static const char *
inside (const char *path)
{
    const char *below = getenv ("DISK_BELOW");
    size_t size = below ? strlen (below) : 0;
    if (size == 0 || strncmp (path, below, size) != 0 || (path[size] != '/' && path[size] != '\0'))
        return NULL;
    return path[size] ? path + size + 1 : ".";
}

/* ---- faults ---- */

static void
put_line (const char *file, const char *line)
{
    long fd = syscall (SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || syscall (SYS_write, fd, line, strlen (line)) < 0)
        abort ();
    syscall (SYS_close, fd);
}

static int
number_of (const char *name)
{
    return strcmp (name, "ENOSPC") == 0   ? ENOSPC
           : strcmp (name, "EROFS") == 0  ? EROFS
           : strcmp (name, "EACCES") == 0 ? EACCES
                                          : EIO;
}

static bool
ends_with (const char *path, const char *end)
{
    size_t size = strlen (path), least = strlen (end);
    return strcmp (end, "*") == 0 || (size >= least && strcmp (path + size - least, end) == 0);
}

/*  The errno with which this call fails now; 0: it does not. */
static int
fault_of (const char *call, const char *path)
{
    const char *file = getenv ("DISK_FAULTS"), *name = inside (path);
    char rules[RULES_MOST + 1], *rest, own[32], end[256], code[32];
    long fd = file && name ? syscall (SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    long size = syscall (SYS_read, fd, rules, RULES_MOST);
    syscall (SYS_close, fd);
    rules[size > 0 ? size : 0] = '\0';
    for (char *line = strtok_r (rules, "\n", &rest); line; line = strtok_r (NULL, "\n", &rest)) {
        if (sscanf (line, "%31s %255s %31s", own, end, code) != 3 || strcmp (own, call) != 0 || !ends_with (name, end))
            continue;
        char hits[PATH_TEXT], hit[PATH_TEXT];
        snprintf (hits, sizeof hits, "%s.hit", file);
        snprintf (hit, sizeof hit, "%s %.200s %s\n", call, name, code);
        put_line (hits, hit);
        return number_of (code);
    }
    return 0;
}

/*  Whether the call on the descriptor is to fail; sets errno. */
static bool
fails (const char *call, int fd)
{
    char path[PATH_TEXT];
    int code = path_of (fd, path) ? fault_of (call, path) : 0;
    if (code)
        errno = code;
    return code;
}

/* ---- the record ---- */

/*  With the lock held. */
static void
note (char op, uint64_t inode, uint64_t at, const void *bytes, size_t size, const char *path)
{
    static int fd = -1;
    const char *file = getenv ("DISK_RECORD"), *name = inside (path);
    char line[PATH_TEXT];
    if (!file || !name)
        return;
    if (fd < 0)
        fd = (int) syscall (SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int head = snprintf (line, sizeof line, "%c %llu %llu %zu %.3000s\n", op, (unsigned long long) inode,
                         (unsigned long long) at, size, name);
    struct iovec parts[2] = { { line, (size_t) head }, { (void *) (uintptr_t) bytes, bytes ? size : 0 } };
    if (syscall (SYS_writev, fd, parts, 2) != (long) (parts[0].iov_len + parts[1].iov_len))
        abort ();
}

static uint64_t
inode_of (int fd)
{
    struct stat info;
    return fstat (fd, &info) == 0 ? info.st_ino : 0;
}

/*  A write and its line; one that is durable when it returns says so. */
static ssize_t
write_at (int fd, const struct iovec *parts, int count, off_t at)
{
    char path[PATH_TEXT];
    bool is_known = getenv ("DISK_RECORD") && path_of (fd, path) && inside (path);
    if (!is_known)
        return syscall (SYS_pwritev, fd, parts, count, (unsigned long) at, 0UL);
    pthread_mutex_lock (&lock);
    ssize_t done = syscall (SYS_pwritev, fd, parts, count, (unsigned long) at, 0UL), left = done;
    for (int i = 0; i < count && left > 0; i++) {
        size_t some = (size_t) left < parts[i].iov_len ? (size_t) left : parts[i].iov_len;
        note ('W', inode_of (fd), (uint64_t) at, parts[i].iov_base, some, path);
        at += (off_t) some;
        left -= (ssize_t) some;
    }
    if (done > 0 && (syscall (SYS_fcntl, fd, F_GETFL) & O_DSYNC))
        note ('P', inode_of (fd), (uint64_t) (at - done), NULL, (size_t) done, path);
    pthread_mutex_unlock (&lock);
    return done;
}

static int
noted_sync (int fd, long number)
{
    char path[PATH_TEXT];
    if (!getenv ("DISK_RECORD") || !path_of (fd, path))
        return (int) syscall (number, fd);
    uint64_t inode = inode_of (fd);
    pthread_mutex_lock (&lock);
    note ('S', inode, 0, NULL, 0, path);
    pthread_mutex_unlock (&lock);
    int result = (int) syscall (number, fd);
    pthread_mutex_lock (&lock);
    if (result == 0)
        note ('s', inode, 0, NULL, 0, path);
    pthread_mutex_unlock (&lock);
    return result;
}

/*  A name that came, changed or went; the second path stands behind a blank. */
static long
noted_name (char op, const char *path, const char *to, long result)
{
    char both[2 * PATH_TEXT];
    if (result == 0 && inside (path)) {
        snprintf (both, sizeof both, "%s%s%s", path, to ? " " : "", to && inside (to) ? inside (to) : "");
        pthread_mutex_lock (&lock);
        note (op, 0, 0, NULL, 0, both);
        pthread_mutex_unlock (&lock);
    }
    return result;
}

/* ---- the names that are taken ---- */

#pragma GCC visibility push(default)

int
fdatasync (int fd)
{
    return fails ("fdatasync", fd) ? -1 : noted_sync (fd, SYS_fdatasync);
}

int
fsync (int fd)
{
    return fails ("fsync", fd) ? -1 : noted_sync (fd, SYS_fsync);
}

/*  The file that is mapped there. */
static bool
mapped_at (const void *place, char path[PATH_TEXT])
{
    char line[PATH_TEXT];
    FILE *maps = fopen ("/proc/self/maps", "re");
    bool is_found = false;
    while (maps && !is_found && fgets (line, sizeof line, maps)) {
        unsigned long from, to;
        const char *slash = strchr (line, '/');
        if (sscanf (line, "%lx-%lx", &from, &to) != 2 || !slash)
            continue;
        is_found = from <= (uintptr_t) place && (uintptr_t) place < to;
        if (is_found)
            snprintf (path, PATH_TEXT, "%.*s", (int) strcspn (slash, "\n"), slash);
    }
    if (maps)
        fclose (maps);
    return is_found;
}

int
msync (void *place, size_t size, int flags)
{
    char path[PATH_TEXT];
    struct stat info;
    bool is_known = mapped_at (place, path);
    int code = is_known ? fault_of ("msync", path) : 0;
    if (code) {
        errno = code;
        return -1;
    }
    is_known = is_known && getenv ("DISK_RECORD") && stat (path, &info) == 0;
    if (is_known) {
        pthread_mutex_lock (&lock);
        note ('W', info.st_ino, 0, place, size, path);
        note ('S', info.st_ino, 0, NULL, 0, path);
        pthread_mutex_unlock (&lock);
    }
    int result = (int) syscall (SYS_msync, place, size, flags);
    if (is_known && result == 0) {
        pthread_mutex_lock (&lock);
        note ('s', info.st_ino, 0, NULL, 0, path);
        pthread_mutex_unlock (&lock);
    }
    return result;
}

ssize_t
pwritev (int fd, const struct iovec *parts, int count, off_t at)
{
    return fails ("pwrite", fd) ? -1 : write_at (fd, parts, count, at);
}

ssize_t
pwritev64 (int fd, const struct iovec *parts, int count, off64_t at)
{
    return pwritev (fd, parts, count, at);
}

ssize_t
pwrite (int fd, const void *bytes, size_t size, off_t at)
{
    struct iovec part = { (void *) (uintptr_t) bytes, size };
    return pwritev (fd, &part, 1, at);
}

ssize_t
pwrite64 (int fd, const void *bytes, size_t size, off64_t at)
{
    return pwrite (fd, bytes, size, at);
}

/*  To files it is as a pwritev where the descriptor stands; to all else it passes. */
ssize_t
writev (int fd, const struct iovec *parts, int count)
{
    char path[PATH_TEXT];
    off_t at = path_of (fd, path) && inside (path) ? lseek (fd, 0, SEEK_CUR) : -1;
    if (at < 0)
        return syscall (SYS_writev, fd, parts, count);
    ssize_t done = pwritev (fd, parts, count, at);
    if (done > 0)
        lseek (fd, done, SEEK_CUR);
    return done;
}

ssize_t
write (int fd, const void *bytes, size_t size)
{
    struct iovec part = { (void *) (uintptr_t) bytes, size };
    return writev (fd, &part, 1);
}

int
posix_fadvise (int fd, off_t at, off_t size, int advice)
{
    return fails ("fadvise", fd) ? errno : (int) syscall (SYS_fadvise64, fd, at, size, advice);
}

int
posix_fadvise64 (int fd, off64_t at, off64_t size, int advice)
{
    return posix_fadvise (fd, at, size, advice);
}

static int
change_size (int fd, char op, long result, off_t at, off_t size)
{
    char path[PATH_TEXT];
    if (result == 0 && getenv ("DISK_RECORD") && path_of (fd, path)) {
        pthread_mutex_lock (&lock);
        note (op, inode_of (fd), (uint64_t) at, NULL, (size_t) size, path);
        pthread_mutex_unlock (&lock);
    }
    return (int) result;
}

int
fallocate (int fd, int mode, off_t at, off_t size)
{
    if (fails ("fallocate", fd))
        return -1;
    long result = syscall (SYS_fallocate, fd, mode, at, size);
    return mode == 0 ? change_size (fd, 'A', result, at, size) : (int) result;
}

int
fallocate64 (int fd, int mode, off64_t at, off64_t size)
{
    return fallocate (fd, mode, at, size);
}

int
posix_fallocate (int fd, off_t at, off_t size)
{
    return fallocate (fd, 0, at, size) == 0 ? 0 : errno;
}

int
posix_fallocate64 (int fd, off64_t at, off64_t size)
{
    return posix_fallocate (fd, at, size);
}

int
ftruncate (int fd, off_t size)
{
    return change_size (fd, 'T', syscall (SYS_ftruncate, fd, size), size, 0);
}

int
ftruncate64 (int fd, off64_t size)
{
    return ftruncate (fd, size);
}

static int
open_at (int folder, const char *name, int flags, mode_t mode)
{
    char path[PATH_TEXT];
    struct stat info;
    path_at (folder, name, path);
    bool is_writing = (flags & (O_WRONLY | O_RDWR | O_CREAT)) && inside (path);
    int code = is_writing ? fault_of ("open", path) : 0;
    if (code) {
        errno = code;
        return -1;
    }
    bool is_new = is_writing && (flags & O_CREAT) && stat (path, &info) != 0;
    int fd = (int) syscall (SYS_openat, folder, name, flags, mode);
    if (fd >= 0 && is_new)
        change_size (fd, 'C', 0, 0, 0);
    else if (fd >= 0 && is_writing && (flags & O_TRUNC))
        change_size (fd, 'T', 0, 0, 0);
    return fd;
}

/*  The mode is there only where a file may be made. */
#define OPEN(name, folder)                                       \
    va_list arguments;                                           \
    va_start (arguments, flags);                                 \
    mode_t mode = flags & O_CREAT ? va_arg (arguments, mode_t) : 0; \
    va_end (arguments);                                          \
    return open_at (folder, name, flags, mode)

int
open (const char *name, int flags, ...)
{
    OPEN (name, AT_FDCWD);
}

int
open64 (const char *name, int flags, ...)
{
    OPEN (name, AT_FDCWD);
}

int
openat (int folder, const char *name, int flags, ...)
{
    OPEN (name, folder);
}

int
openat64 (int folder, const char *name, int flags, ...)
{
    OPEN (name, folder);
}

int
renameat (int from_folder, const char *from, int to_folder, const char *to)
{
    char old[PATH_TEXT], new[PATH_TEXT];
    path_at (from_folder, from, old);
    path_at (to_folder, to, new);
    return (int) noted_name ('R', old, new, syscall (SYS_renameat2, from_folder, from, to_folder, to, 0));
}

int
rename (const char *from, const char *to)
{
    return renameat (AT_FDCWD, from, AT_FDCWD, to);
}

int
unlinkat (int folder, const char *name, int flags)
{
    char path[PATH_TEXT];
    path_at (folder, name, path);
    return (int) noted_name ('U', path, NULL, syscall (SYS_unlinkat, folder, name, flags));
}

int
unlink (const char *name)
{
    return unlinkat (AT_FDCWD, name, 0);
}

int
mkdir (const char *name, mode_t mode)
{
    char path[PATH_TEXT];
    path_at (AT_FDCWD, name, path);
    return (int) noted_name ('M', path, NULL, syscall (SYS_mkdirat, AT_FDCWD, name, mode));
}

/*  By way of the descriptor, whose call is not taken. */
int
statvfs (const char *name, struct statvfs *info)
{
    char path[PATH_TEXT];
    path_at (AT_FDCWD, name, path);
    int fd = (int) syscall (SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
    int result = fd < 0 ? -1 : fstatvfs (fd, info);
    if (fd >= 0)
        syscall (SYS_close, fd);
    if (result == 0 && fault_of ("statvfs", path))
        info->f_bavail = 1;
    return result;
}

/*  The same on all machines that have both names as one. */
int
statvfs64 (const char *name, struct statvfs64 *info)
{
    _Static_assert (sizeof (struct statvfs64) == sizeof (struct statvfs), "one structure by two names");
    return statvfs (name, (struct statvfs *) info);
}

#pragma GCC visibility pop
