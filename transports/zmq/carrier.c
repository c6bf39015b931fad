/*  carrier.c - bytes between the nodes of a cluster, over ZeroMQ.
 *
 *  DESIGN
 *  A message has two parts, the sender's name and its bytes; where there are certificates the name must be the
 *  subject of the sender's. Each direction has a connection of its own, made by the one who sends. Nothing is kept for
 *  a node that is not connected or takes no more: the road above is told, and links send again. What comes waits here
 *  in small numbers, then in the sender's queue, which has room for what links have under way.
 */
#include "transports/zmq/carrier.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "transports/zmq/certificates.h"
#include "transports/zmq/sockets.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#define ADDRESS_MAX 255
#define IN_HWM 64             /* messages of a node that wait here */
#define RECEIVE_MOST 200      /* in one round */
#define RECONNECT_MS 50
#define RECONNECT_MOST_MS 1000
#define HEARTBEAT_MS 2000
#define HANDSHAKE_MS 5000
#define WAIT_MOST_MS 60000

struct carrier_s {
    carrier_options_t options;
    char address[ADDRESS_MAX + 1];
    void *context;
    pthread_t thread;
    bool has_thread;
    int wake;                 /* eventfd */
    _Atomic bool is_stopping;
    /* owner: the thread, once it runs */
    void *in, *zap;           /* zap may be NULL */
    void *out[CARRIER_NODES_MAX];
    certificates_t *certificates;
};

/* ---- the loop ---- */

void
carrier_wake (carrier_t *self)
{
    uint64_t one = 1;
    while (write (self->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

bool
carrier_send (carrier_t *self, uint32_t to, const void *bytes, size_t size)
{
    const char *name = self->options.nodes[self->options.self].name;
    return zmq_send (self->out[to], name, strlen (name), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0
           && zmq_send (self->out[to], bytes, size, ZMQ_DONTWAIT) >= 0;
}

/*  The place of the node in the map; `count`: it is none, or not the one that it says it is. */
static uint32_t
sender_of (const carrier_t *self, zmq_msg_t *part)
{
    const carrier_options_t *options = &self->options;
    const char *name = zmq_msg_data (part), *subject = zmq_msg_gets (part, "Subject");
    size_t size = zmq_msg_size (part);
    for (uint32_t i = 0; i < options->count; i++)
        if (strlen (options->nodes[i].name) == size && memcmp (options->nodes[i].name, name, size) == 0)
            return i == options->self || (self->zap && (!subject || strcmp (subject, options->nodes[i].name) != 0))
                       ? options->count
                       : i;
    return options->count;
}

/*  False: nothing is there. */
static bool
receive_one (carrier_t *self)
{
    zmq_msg_t part;
    uint32_t from = self->options.count, number = 0;
    zmq_msg_init (&part);
    for (bool has_more = true; has_more && zmq_msg_recv (&part, self->in, ZMQ_DONTWAIT) >= 0; number++) {
        has_more = zmq_msg_more (&part);
        if (number == 0)
            from = sender_of (self, &part);
        else if (number == 1 && from < self->options.count && !has_more)
            self->options.received (self->options.arg, from, zmq_msg_data (&part), zmq_msg_size (&part));
    }
    zmq_msg_close (&part);
    return number > 0;
}

static void *
run (void *arg)
{
    carrier_t *self = arg;
    void *const sockets[] = { self->in, self->zap };
    for (bool is_woken = true; !atomic_load (&self->is_stopping);) {
        uint64_t woken;
        unsigned received = 0;
        while (is_woken && read (self->wake, &woken, sizeof woken) < 0 && errno == EINTR)
            ;
        while (self->zap && certificates_answer (self->certificates, self->zap))
            ;
        while (received < RECEIVE_MOST && receive_one (self))
            received += 1;
        uint64_t wait_ms = self->options.round (self->options.arg);
        is_woken = sockets_wait (sockets, 2, self->wake, wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS);
    }
    return NULL;
}

/* ---- new ---- */

static void *
new_socket (carrier_t *self, int type)
{
    void *socket = zmq_socket (self->context, type);
    int64_t most = CARRIER_MESSAGE_MAX;
    if (!socket)
        return NULL;
    (void) zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
    sockets_set (socket, ZMQ_LINGER, 0);
    sockets_set (socket, ZMQ_SNDHWM, (int) self->options.waiting_most);
    sockets_set (socket, ZMQ_RCVHWM, IN_HWM);
    sockets_set (socket, ZMQ_IMMEDIATE, 1);
    sockets_set (socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    sockets_set (socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MOST_MS);
    sockets_set (socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    sockets_set (socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS);
    sockets_set (socket, ZMQ_HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS);
    return socket;
}

static troupe_status_t
check_loopback (const char *address, troupe_error_t *error)
{
    if (sockets_is_loopback (address))
        return TROUPE_OK;
    return error_set (error, TROUPE_INVALID, "links between nodes: %.60s is not a loopback address: set "
                                             "zmq_certificate and zmq_certificates, and give each node its key in the "
                                             "map", address);
}

/*  Who may come is asked before anybody can. */
static troupe_status_t
open_certificates (carrier_t *self, troupe_error_t *error)
{
    const carrier_options_t *options = &self->options;
    bool has_keys = *options->nodes[options->self].key;
    if (has_keys && (!*options->certificate || !*options->certificates))
        return error_set (error, TROUPE_INVALID, "the nodes of the map have keys: set zmq_certificate and "
                                                 "zmq_certificates");
    if (!has_keys)
        return TROUPE_OK;
    self->certificates = certificates_open (options->certificates, options->log, error);
    if (!self->certificates)
        return error->status;
    self->zap = sockets_open_zap (self->context, error);
    return self->zap ? TROUPE_OK : error->status;
}

static troupe_status_t
listen_there (carrier_t *self, troupe_error_t *error)
{
    const carrier_options_t *options = &self->options;
    troupe_status_t status = self->zap ? certificates_guard (self->in, options->certificate, "links", error)
                                       : check_loopback (options->listen, error);
    return status == TROUPE_OK
               ? sockets_bind (self->in, options->listen, "node_listen", self->address, sizeof self->address, error)
               : status;
}

static troupe_status_t
connect_to (carrier_t *self, uint32_t number, troupe_error_t *error)
{
    char endpoint[ADDRESS_MAX + 16];
    const carrier_node_t *node = &self->options.nodes[number];
    void *socket = self->out[number] = new_socket (self, ZMQ_PUSH);
    if (!socket)
        return error_set (error, TROUPE_NO_MEMORY, "ZeroMQ: %s", zmq_strerror (errno));
    troupe_status_t status = self->zap ? certificates_approach (socket, self->options.certificate, node->key, error)
                                       : check_loopback (node->address, error);
    if (status != TROUPE_OK)
        return status;
    snprintf (endpoint, sizeof endpoint, "tcp://%.255s", node->address);
    if (zmq_connect (socket, endpoint) != 0)
        return error_set (error, TROUPE_INVALID, "map of the cluster: %.60s: %s", node->address, zmq_strerror (errno));
    return TROUPE_OK;
}

static troupe_status_t
open_sockets (carrier_t *self, troupe_error_t *error)
{
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->context = zmq_ctx_new ();
    if (self->wake < 0 || !self->context)
        return error_set (error, TROUPE_NO_MEMORY, "no descriptors for ZeroMQ: %s", strerror (errno));
    troupe_status_t status = open_certificates (self, error);
    if (status != TROUPE_OK)
        return status;
    self->in = new_socket (self, ZMQ_PULL);
    if (!self->in)
        return error_set (error, TROUPE_NO_MEMORY, "ZeroMQ: %s", zmq_strerror (errno));
    status = listen_there (self, error);
    for (uint32_t i = 0; status == TROUPE_OK && i < self->options.count; i++)
        if (i != self->options.self)
            status = connect_to (self, i, error);
    return status;
}

carrier_t *
carrier_new (const carrier_options_t *options, troupe_error_t *error)
{
    CHECK (options->count <= CARRIER_NODES_MAX);
    carrier_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for the links between nodes");
        return NULL;
    }
    self->options = *options;
    self->wake = -1;
    if (open_sockets (self, error) != TROUPE_OK)
        carrier_destroy (&self);
    return self;
}

const char *
carrier_address (const carrier_t *self)
{
    return self->address;
}

troupe_status_t
carrier_start (carrier_t *self, troupe_error_t *error)
{
    troupe_status_t status = thread_start (&self->thread, "troupe-links", run, self, error);
    self->has_thread = status == TROUPE_OK;
    return status;
}

/* ---- end ---- */

void
carrier_stop (carrier_t *self)
{
    if (!self->has_thread)
        return;
    atomic_store (&self->is_stopping, true);
    carrier_wake (self);
    pthread_join (self->thread, NULL);
    self->has_thread = false;
}

void
carrier_destroy (carrier_t **self_p)
{
    carrier_t *self = *self_p;
    if (!self)
        return;
    carrier_stop (self);
    sockets_close (&self->in);
    for (uint32_t i = 0; i < CARRIER_NODES_MAX; i++)
        sockets_close (&self->out[i]);
    sockets_close (&self->zap);
    if (self->context)
        zmq_ctx_term (self->context);
    certificates_close (&self->certificates);
    if (self->wake >= 0)
        close (self->wake);
    memory_free (self);
    *self_p = NULL;
}
