/*  web_accept.c - sockets that clients connect to, and what is kept of each, whatever it will say.
 *
 *  DESIGN
 *  libwebsockets would accept all who wait before it reads of one of them, and have for each a timer in its
 *  one sorted list and a buffer for a head: who comes first in a rush waits for all others. So sockets are accepted
 *  here, a few a round of the loop, and the time that a request may take to come is ours.
 *
 *  What is kept of a socket lasts as long as that, which nothing of libwebsockets does that we may write to, and is
 *  found by the connection. One for which there is no memory is closed.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/web/web_taken.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
#define ACCEPT_MOST 8   /* in a round */
#define FULL_MS 100     /* without a descriptor */
#define FIRST_MS 10000  /* until a request has come whole */
#define NEXT_MS 60000   /* until the next one has */
#define UNSENT_MS 5000  /* between looks at one that has not got its answer yet */
#define STALLS_MOST 12  /* such looks without another byte */

typedef struct {
    table_node_t node;
    web_due_t due;               /* no request came */
    struct lws *wsi;
    web_room_t *room;
    struct in6_addr from;        /* "::": not known */
    web_crowd_t *crowd;
    uint64_t taken;              /* bytes, at the last look */
    uint32_t unsent;             /* size of an answer that it has not got yet */
    uint32_t stalls;
} socket_t;

/* ---- each ---- */

static uint32_t
hash_of (const struct lws *wsi)
{
    return (uint32_t) hash_bytes (&wsi, sizeof wsi, 0);
}

static socket_t *
find (web_t *web, const struct lws *wsi)
{
    table_node_t *node = table_chain (&web->sockets, hash_of (wsi));
    while (node && ((socket_t *) node)->wsi != wsi)
        node = node->next;
    return (socket_t *) node;
}

static void
note_unsent (web_t *web, socket_t *self, uint32_t size)
{
    web->unsent += size;
    web->unsent -= self->unsent;
    self->unsent = size;
    self->stalls = 0;
}

static void
await_request (web_t *web, socket_t *self, uint64_t within_ms)
{
    lws_set_timeout (self->wsi, NO_PENDING_TIMEOUT, 0);
    web_due_in (web, &self->due, within_ms);
}

/*  False: it has got all, or takes no more. */
static bool
still_takes (socket_t *self)
{
    bool waits;
    uint64_t taken = tcp_bytes_taken (lws_get_socket_fd (self->wsi), &waits);
    self->stalls = taken > self->taken ? 0 : self->stalls + 1;
    self->taken = taken;
    return (waits || lws_partial_buffered (self->wsi)) && self->stalls < STALLS_MOST;
}

/*  Unless one is in hand. The time for the next one begins when an answer has arrived. */
static void
no_request (web_t *web, web_due_t *due)
{
    socket_t *self = (socket_t *) ((char *) due - offsetof (socket_t, due));
    if (lws_get_opaque_user_data (self->wsi))
        return;
    if (self->unsent && still_takes (self))
        web_due_in (web, due, UNSENT_MS);
    else if (self->unsent && self->stalls < STALLS_MOST) {
        note_unsent (web, self, 0);
        await_request (web, self, NEXT_MS);
    } else
        web_break_off (self->wsi);
}

void
web_socket_idle (web_t *web, struct lws *wsi, size_t size)
{
    socket_t *self = find (web, wsi);
    if (!self)
        return;
    note_unsent (web, self, lws_partial_buffered (wsi) ? (uint32_t) size : 0);
    await_request (web, self, self->unsent ? UNSENT_MS : NEXT_MS);
}

void
web_socket_upgraded (web_t *web, const struct lws *wsi)
{
    socket_t *self = find (web, wsi);
    if (!self)
        return;
    note_unsent (web, self, 0);
    web_due_never (web, &self->due);
}

void
web_socket_gone (web_t *web, const struct lws *wsi)
{
    socket_t *self = find (web, wsi);
    if (!self)
        return;  /* of its context, or it ended while it was taken in */
    note_unsent (web, self, 0);
    web_due_never (web, &self->due);
    table_remove (&web->sockets, &self->node);
    self->room->sockets -= 1;
    web_crowd_leave (web, &self->crowd);
    memory_free (self);
}

struct in6_addr
web_socket_from (web_t *web, const struct lws *wsi)
{
    const socket_t *self = find (web, wsi);
    return self ? self->from : (struct in6_addr) IN6ADDR_ANY_INIT;
}

/* ---- all ---- */

/*  Some more than clients may be, so that most who are too many are told so; the others are closed at once. */
uint32_t
web_sockets_most (const web_t *web)
{
    uint32_t most = web->options.limits.connections;
    return most + most / 8 + 16;
}

bool
web_may_come (web_t *web, const web_address_t *address)
{
    return web->sockets.count + web->strangers_count < web_sockets_most (web) && web_crowd_has_room (web, address);
}

void
web_take_in (web_t *web, int descriptor, const struct in6_addr *from)
{
    web_address_t address;
    web_address_of_other (web, from, &address);
    socket_t *self = web_may_come (web, &address) ? memory_zalloc (sizeof *self) : NULL;
    if (!self) {
        close (descriptor);
        return;
    }
    self->due.act = no_request;
    self->from = *from;
    self->room = web_room_for_one (web);
    self->wsi = lws_adopt_socket_vhost (self->room->vhost, descriptor);  /* or closes it */
    if (!self->wsi || !table_insert (&web->sockets, &self->node, hash_of (self->wsi))) {
        if (self->wsi)
            web_break_off (self->wsi);
        memory_free (self);
        return;
    }
    self->room->sockets += 1;
    self->crowd = web_crowd_join (web, &address);
    await_request (web, self, FIRST_MS);
}

static void on_arrival (uv_poll_t *poll, int status, int events);

static void
open_again (web_t *web, web_due_t *due)
{
    (void) due;
    uv_poll_start (&web->arrival, UV_READABLE, on_arrival);
}

static void
stop_for_a_while (web_t *web)
{
    char line[128];
    snprintf (line, sizeof line, "no descriptor for one more client: %s", strerror (errno));
    if (web->options.log && !web->is_full)
        web->options.log (true, line);
    web->is_full = true;
    uv_poll_stop (&web->arrival);
    web->opening.act = open_again;
    web_due_in (web, &web->opening, FULL_MS);
}

/*  Those that are left are told of in the next round. */
static void
on_arrival (uv_poll_t *poll, int status, int events)
{
    (void) status;
    (void) events;
    web_t *web = poll->data;
    for (unsigned i = 0; i < ACCEPT_MOST; i++) {
        struct in6_addr from;
        struct sockaddr_storage other = { 0 };
        socklen_t size = sizeof other;
        int descriptor = accept4 (web->listening, (struct sockaddr *) &other, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (descriptor >= 0) {
            web_address_read (&other, &from);
            web_foyer_enter (web, descriptor, &from);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            stop_for_a_while (web);
            return;
        } else if (errno == EAGAIN) {
            web->is_full = false;
            return;
        }
    }
}

/* ---- the door ---- */

/*  "127.0.0.1", "[::1]", "localhost". */
static int
bind_to (const char *host, uint16_t port)
{
    char name[64], service[8];
    int descriptor = -1, one = 1;
    size_t size = strlen (host);
    bool is_bracketed = size > 1 && host[0] == '[' && host[size - 1] == ']';
    struct addrinfo *found = NULL, hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    snprintf (name, sizeof name, "%.*s", (int) (is_bracketed ? size - 2 : size), is_bracketed ? host + 1 : host);
    snprintf (service, sizeof service, "%u", port);
    if (getaddrinfo (name, service, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    descriptor = socket (found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor >= 0
        && (setsockopt (descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0
            || setsockopt (descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0  /* so have those of clients */
            || bind (descriptor, found->ai_addr, found->ai_addrlen) != 0 || listen (descriptor, BACKLOG) != 0)) {
        int error = errno;
        close (descriptor);
        descriptor = -1;
        errno = error;
    }
    freeaddrinfo (found);
    return descriptor;
}

troupe_status_t
web_accept_open (web_t *web, troupe_error_t *error)
{
    web->listening = bind_to (web->host, web->options.port);
    if (web->listening < 0)
        return error_set (error, TROUPE_INVALID, "cannot listen on %s:%u: %s (listen)", web->host, web->options.port,
                          strerror (errno));
    uv_poll_init (&web->loop, &web->arrival, web->listening);
    web->arrival.data = web;
    uv_poll_start (&web->arrival, UV_READABLE, on_arrival);
    return TROUPE_OK;
}

uint16_t
web_port (const web_t *web)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    if (getsockname (web->listening, (struct sockaddr *) &own, &size) != 0)
        return 0;
    return ntohs (own.ss_family == AF_INET6 ? ((struct sockaddr_in6 *) &own)->sin6_port
                                            : ((struct sockaddr_in *) &own)->sin_port);
}

void
web_accept_close (web_t *web)
{
    if (web->listening < 0)
        return;
    web_due_never (web, &web->opening);
    uv_close ((uv_handle_t *) &web->arrival, NULL);
    close (web->listening);
    web->listening = -1;
}
