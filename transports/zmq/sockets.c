/*  sockets.c - what the threads that own sockets of ZeroMQ do alike. */
#include "transports/zmq/sockets.h"

#include "runtime/base/error.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define ENDPOINT_MAX 320

void
sockets_set (void *socket, int option, int value)
{
    (void) zmq_setsockopt (socket, option, &value, sizeof value);
}

bool
sockets_is_loopback (const char *where)
{
    return strncmp (where, "127.", 4) == 0 || strncmp (where, "localhost:", 10) == 0;
}

troupe_status_t
sockets_bind (void *socket, const char *where, const char *setting, char *bound, size_t size, troupe_error_t *error)
{
    char endpoint[ENDPOINT_MAX], last[ENDPOINT_MAX] = "";
    size_t last_size = sizeof last - 1;
    snprintf (endpoint, sizeof endpoint, "tcp://%.255s", where);
    if (zmq_bind (socket, endpoint) != 0)
        return error_set (error, TROUPE_INVALID, "cannot listen on %.60s: %s (%s)", where, zmq_strerror (errno),
                          setting);
    (void) zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, last, &last_size);
    snprintf (bound, size, "%s", strncmp (last, "tcp://", 6) == 0 ? last + 6 : last);
    return TROUPE_OK;
}

void *
sockets_open_zap (void *context, troupe_error_t *error)
{
    void *zap = zmq_socket (context, ZMQ_REP);
    if (zap && zmq_bind (zap, "inproc://zeromq.zap.01") == 0) {
        sockets_set (zap, ZMQ_LINGER, 0);
        return zap;
    }
    error_set (error, TROUPE_NO_MEMORY, "ZeroMQ: %s", zmq_strerror (errno));
    sockets_close (&zap);
    return NULL;
}

static bool
has_input (void *socket)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt (socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

/*  A socket's descriptor tells of what came after its events were asked for, so that is done last before sleep. */
bool
sockets_wait (void *const *sockets, unsigned count, int fd, uint64_t wait_ms)
{
    CHECK (count <= SOCKETS_WAIT_MOST);
    struct pollfd items[1 + SOCKETS_WAIT_MOST] = { { .fd = fd, .events = POLLIN } };
    nfds_t used = 1;
    for (unsigned i = 0; i < count; i++) {
        size_t size = sizeof items->fd;
        if (!sockets[i] || zmq_getsockopt (sockets[i], ZMQ_FD, &items[used].fd, &size) != 0)
            continue;
        items[used++].events = POLLIN;
        wait_ms = wait_ms > 0 && has_input (sockets[i]) ? 0 : wait_ms;
    }
    return poll (items, used, wait_ms < INT_MAX ? (int) wait_ms : -1) > 0 && (items[0].revents & POLLIN);
}

void
sockets_close (void **socket_p)
{
    if (*socket_p)
        zmq_close (*socket_p);
    *socket_p = NULL;
}
