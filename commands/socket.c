/*  socket.c - the control socket's two ends.
 *
 *  DESIGN
 *  Who may speak to a node is decided twice: by the socket's mode, set before
 *  the name appears so that there is no moment in which it is open to all, and
 *  by the uid that the kernel vouches for. A socket left behind by a dead
 *  process is told from a living one by connecting to it. Only a socket is ever
 *  removed: a wrong path in the settings must not cost a file.
 */
#include "commands/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

typedef struct {
    struct sockaddr_un bytes;
    int directory;  /* -1: the path fits as it is */
} place_t;

static troupe_status_t
place_open (place_t *place, const char *path, troupe_error_t *error)
{
    *place = (place_t) { .bytes.sun_family = AF_UNIX, .directory = -1 };
    size_t size = strlen (path);
    if (size > 0 && size < sizeof place->bytes.sun_path) {
        memcpy (place->bytes.sun_path, path, size + 1);
        return TROUPE_OK;
    }
    const char *slash = strrchr (path, '/');
    char *directory = slash ? strndup (path, (size_t) (slash - path)) : NULL;
    if (directory)
        place->directory = open (*directory ? directory : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    free (directory);
    int printed = snprintf (place->bytes.sun_path, sizeof place->bytes.sun_path, "/proc/self/fd/%d/%s",
                            place->directory, slash ? slash + 1 : path);
    if (printed >= (int) sizeof place->bytes.sun_path) {
        if (place->directory >= 0)
            close (place->directory);
        return error_set (error, TROUPE_INVALID, "the name of the control socket is too long: %s", path);
    }
    if (place->directory < 0)
        return error_set (error, errno == ENOENT ? TROUPE_NOT_FOUND : TROUPE_IO, "cannot reach %s: %s", path,
                          strerror (errno));
    return TROUPE_OK;
}

static void
place_close (place_t *place)
{
    if (place->directory >= 0)
        close (place->directory);
}

static int
connect_there (const place_t *place, int *fd)
{
    *fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return errno;
    if (connect (*fd, (const struct sockaddr *) &place->bytes, sizeof place->bytes) == 0)
        return 0;
    int code = errno;
    close (*fd);
    *fd = -1;
    return code;
}

int
socket_connect (const char *path, troupe_error_t *error)
{
    place_t place;
    int fd = -1;
    if (place_open (&place, path, error) != TROUPE_OK)
        return -1;
    int code = connect_there (&place, &fd);
    place_close (&place);
    switch (code) {
    case 0:
        break;
    case ENOENT:
    case ECONNREFUSED:
    case ENOTDIR:
        error_set (error, TROUPE_NOT_FOUND, "no node answers at %s: is it running, and is this its --store?", path);
        break;
    case EACCES:
    case EPERM:
        error_set (error, TROUPE_FORBIDDEN, "not allowed to speak to the node at %s: it is another user's", path);
        break;
    case EAGAIN:
        error_set (error, TROUPE_OVERLOADED, "the node at %s has more callers waiting than it takes", path);
        break;
    default:
        error_set (error, TROUPE_IO, "cannot reach the node at %s: %s", path, strerror (code));
    }
    return fd;
}

/*  Takes away what a dead process left; TROUPE_OK also when there is nothing. */
static troupe_status_t
clear_stale (const place_t *place, const char *path, troupe_error_t *error)
{
    struct stat status;
    int fd;
    if (lstat (place->bytes.sun_path, &status) != 0)
        return TROUPE_OK;
    if (!S_ISSOCK (status.st_mode))
        return error_set (error, TROUPE_INVALID, "%s is in the way of the control socket and is none", path);
    int code = connect_there (place, &fd);
    if (code == 0)
        close (fd);
    if (code == 0 || code == EAGAIN)
        return error_set (error, TROUPE_LOCKED, "another node answers at %s", path);
    if (unlink (place->bytes.sun_path) != 0)
        return error_set (error, TROUPE_IO, "cannot replace %s: %s", path, strerror (errno));
    return TROUPE_OK;
}

int
socket_listen (const char *path, troupe_error_t *error)
{
    place_t place;
    if (place_open (&place, path, error) != TROUPE_OK)
        return -1;
    int fd = -1;
    if (clear_stale (&place, path, error) == TROUPE_OK) {
        fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || fchmod (fd, S_IRUSR | S_IWUSR) != 0
            || bind (fd, (const struct sockaddr *) &place.bytes, sizeof place.bytes) != 0
            || listen (fd, BACKLOG) != 0) {
            error_set (error, TROUPE_IO, "cannot listen at %s: %s", path, strerror (errno));
            if (fd >= 0)
                close (fd);
            fd = -1;
        }
    }
    place_close (&place);
    return fd;
}

void
socket_remove (const char *path)
{
    struct stat status;
    if (lstat (path, &status) == 0 && S_ISSOCK (status.st_mode))
        unlink (path);
}

bool
socket_peer_is_ours (int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid () || peer.uid == 0);
}
