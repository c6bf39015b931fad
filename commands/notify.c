/*  notify.c - what a service manager is told of a node (sd_notify(3), by its protocol alone). */
#include "commands/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
notify_say (const char *text)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = getenv ("NOTIFY_SOCKET");
    size_t size = path ? strlen (path) : 0;
    if (size < 2 || size >= sizeof address.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy (address.sun_path, path, size);
    if (*path == '@')
        address.sun_path[0] = '\0';  /* a name that is in no file system */
    int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void) !sendto (fd, text, strlen (text), MSG_NOSIGNAL, (struct sockaddr *) &address,
                    (socklen_t) (offsetof (struct sockaddr_un, sun_path) + size));
    close (fd);
}

uint64_t
notify_watchdog_ms (void)
{
    const char *text = getenv ("WATCHDOG_USEC");
    return text && getenv ("NOTIFY_SOCKET") ? strtoull (text, NULL, 10) / 1000 : 0;
}
