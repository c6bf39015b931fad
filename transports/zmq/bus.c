/*  bus.c - the thread of the gateway for backends: sockets of ZeroMQ on one loop.
 *
 *  DESIGN
 *  libzmq as it is, in a context of our own. A round takes what came in, on all sockets and from the node, and
 *  then lets the edge send: many answers to one client leave as one message. With nothing to do the loop sleeps.
 */
#include "transports/zmq/bus_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "transports/zmq/sockets.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COME_BACK_MS 1000
#define HANDSHAKE_MS 10000

/* ---- the loop ---- */

void
bus_wake (bus_t *self)
{
    uint64_t one = 1;
    while (write (self->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void
wake_for_edge (void *arg)
{
    bus_wake (arg);
}

static void
see_to_end (bus_t *self, uint64_t now_ms, uint64_t *end_ms)
{
    uint64_t quiet_ms = atomic_load_explicit (&self->quiet_ms, memory_order_acquire);
    if (!quiet_ms || self->is_stopping)
        return;
    self->is_stopping = true;
    *end_ms = now_ms + quiet_ms;
    crew_close (self->crew);
    edge_say_drain (self->edge, COME_BACK_MS);
}

static uint64_t
least (uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/*  Everything that there is to do now. Returns for how many ms there is nothing more. */
static uint64_t
go_round (bus_t *self, bool is_woken, uint64_t end_ms)
{
    uint64_t woken;
    while (is_woken && read (self->wake, &woken, sizeof woken) < 0 && errno == EINTR)
        ;
    while (self->zap && certificates_answer (self->certificates, self->zap))
        ;
    if (self->feeds)
        feeds_receive (self);
    leave_hear (self);
    edge_hold (self->edge);
    bus_receive (self);
    edge_release (self->edge);
    feeds_send (self);
    uint64_t now_ms = self->host.now_ms (self->host.self);
    bus_work_round (self);
    uint64_t wait_ms = edge_drain (self->edge);
    bus_end_all (self);
    wait_ms = least (wait_ms, bus_sweep (self, now_ms));
    return end_ms == EDGE_NEVER ? wait_ms : least (wait_ms, end_ms > now_ms ? end_ms - now_ms : 0);
}

static void *
run (void *arg)
{
    bus_t *self = arg;
    void *const sockets[] = { self->router, self->monitor, self->feeds, self->zap };
    uint64_t end_ms = EDGE_NEVER;
    for (bool is_woken = true;;) {
        uint64_t now_ms = self->host.now_ms (self->host.self);
        see_to_end (self, now_ms, &end_ms);
        uint64_t wait_ms = go_round (self, is_woken, end_ms);
        if (self->is_stopping && (now_ms >= end_ms || edge_counts (self->edge).clients == 0))
            break;
        is_woken = sockets_wait (sockets, sizeof sockets / sizeof *sockets, self->wake, wait_ms);
    }
    bus_forget_all (self);
    (void) edge_drain (self->edge);
    return NULL;
}

/* ---- new ---- */

static void *
new_socket (bus_t *self, int type)
{
    void *socket = zmq_socket (self->context, type);
    if (!socket)
        return NULL;
    sockets_set (socket, ZMQ_LINGER, (int) self->options.linger_ms);
    sockets_set (socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    sockets_set (socket, ZMQ_HEARTBEAT_IVL, (int) self->options.heartbeat_ms);
    sockets_set (socket, ZMQ_HEARTBEAT_TIMEOUT, 3 * (int) self->options.heartbeat_ms);
    sockets_set (socket, ZMQ_BACKLOG, 1024);
    return socket;
}

static troupe_status_t
bind_socket (bus_t *self, void *socket, const char *setting, const char *where, const char *domain, char *bound,
             troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    if (*self->certificate)
        status = certificates_guard (socket, self->certificate, domain, error);
    else if (!sockets_is_loopback (where))
        status = error_set (error, TROUPE_INVALID, "%s: %.60s is not a loopback address: set zmq_certificate and "
                                                   "zmq_certificates", setting, where);
    return status == TROUPE_OK ? sockets_bind (socket, where, setting, bound, BUS_TEXT_MAX + 1, error) : status;
}

/*  Who may come is asked before anybody can. */
static troupe_status_t
open_certificates (bus_t *self, troupe_error_t *error)
{
    if (!*self->certificate != !*self->certificates_path)
        return error_set (error, TROUPE_INVALID, "zmq_certificate and zmq_certificates go together");
    if (!*self->certificate)
        return TROUPE_OK;
    self->certificates = certificates_open (self->certificates_path, self->options.log, error);
    if (!self->certificates)
        return error->status;
    self->zap = sockets_open_zap (self->context, error);
    return self->zap ? TROUPE_OK : error->status;
}

static troupe_status_t
open_sockets (bus_t *self, troupe_error_t *error)
{
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->context = zmq_ctx_new ();
    if (self->wake < 0 || !self->context)
        return error_set (error, TROUPE_NO_MEMORY, "no descriptors for ZeroMQ: %s", strerror (errno));
    (void) zmq_ctx_set (self->context, ZMQ_MAX_SOCKETS, 16);
    troupe_status_t status = open_certificates (self, error);
    if (status != TROUPE_OK)
        return status;
    self->router = new_socket (self, ZMQ_ROUTER);
    if (*self->feeds_listen)
        self->feeds = new_socket (self, ZMQ_XPUB);
    if (!self->router || (*self->feeds_listen && !self->feeds))
        return error_set (error, TROUPE_NO_MEMORY, "ZeroMQ: %s", zmq_strerror (errno));
    int64_t most = self->options.edge.limits.message_bytes;
    (void) zmq_setsockopt (self->router, ZMQ_MAXMSGSIZE, &most, sizeof most);
    sockets_set (self->router, ZMQ_ROUTER_MANDATORY, 1);
    sockets_set (self->router, ZMQ_SNDHWM, BUS_SENT_MOST);
    sockets_set (self->router, ZMQ_RCVHWM, (int) self->options.in_messages);
    status = leave_open (self, error);
    if (status == TROUPE_OK)
        status = bind_socket (self, self->router, "zmq_listen", self->listen, "calls", self->address, error);
    if (status != TROUPE_OK || !self->feeds)
        return status;
    most = BUS_SUBSCRIPTION_MAX;
    (void) zmq_setsockopt (self->feeds, ZMQ_MAXMSGSIZE, &most, sizeof most);
    sockets_set (self->feeds, ZMQ_SNDHWM, (int) self->options.feeds_events);
    return bind_socket (self, self->feeds, "zmq_feeds", self->feeds_listen, "feeds", self->feeds_address, error);
}

static void
copy (char to[BUS_TEXT_MAX + 1], const char *text)
{
    snprintf (to, BUS_TEXT_MAX + 1, "%s", text ? text : "");
}

bus_t *
bus_new (const bus_options_t *options, troupe_error_t *error)
{
    bus_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for ZeroMQ");
        return NULL;
    }
    self->options = *options;
    self->wake = -1;
    randombytes_buf (&self->topics_seed, sizeof self->topics_seed);
    copy (self->listen, options->listen);
    copy (self->feeds_listen, options->feeds);
    copy (self->certificate, options->certificate);
    copy (self->certificates_path, options->certificates);
    edge_options_t edge = options->edge;
    edge.wake = wake_for_edge;
    edge.wake_arg = self;
    self->edge = edge_new (&edge);
    self->crew = crew_new (wake_for_edge, self);
    troupe_status_t status = self->edge && self->crew ? open_sockets (self, error)
                                                         : error_set (error, TROUPE_NO_MEMORY, "no memory for ZeroMQ");
    if (status != TROUPE_OK)
        bus_destroy (&self);
    return self;
}

const char *
bus_address (const bus_t *self)
{
    return self->address;
}

const char *
bus_feeds_address (const bus_t *self)
{
    return self->feeds_address;
}

edge_t *
bus_edge (bus_t *self)
{
    return self->edge;
}

crew_t *
bus_crew (bus_t *self)
{
    return self->crew;
}

troupe_status_t
bus_start (bus_t *self, const host_port_t *host, const remote_host_t *remote, troupe_error_t *error)
{
    self->host = *host;
    crew_attach (self->crew, remote);
    edge_attach (self->edge, host);
    troupe_status_t status = thread_start (&self->thread, "troupe-zmq", run, self, error);
    self->has_thread = status == TROUPE_OK;
    return status;
}

/* ---- end ---- */

void
bus_quiet (bus_t *self, uint64_t most_ms)
{
    if (!self->has_thread)
        return;
    atomic_store_explicit (&self->quiet_ms, most_ms ? most_ms : 1, memory_order_release);
    bus_wake (self);
    pthread_join (self->thread, NULL);
    self->has_thread = false;
}

void
bus_destroy (bus_t **self_p)
{
    bus_t *self = *self_p;
    if (!self)
        return;
    bus_quiet (self, 0);
    leave_close (self);
    sockets_close (&self->router);
    sockets_close (&self->feeds);
    feeds_send (self);
    feeds_forget (self);
    sockets_close (&self->zap);
    if (self->context)
        zmq_ctx_term (self->context);
    certificates_close (&self->certificates);
    if (self->wake >= 0)
        close (self->wake);
    edge_destroy (&self->edge);
    crew_destroy (&self->crew);
    binary_close (&self->work);
    buffer_clear (&self->scratch);
    memory_free (self);
    *self_p = NULL;
}
