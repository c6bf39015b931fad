/*  bus_leave.c - who left the ROUTER.
 *
 *  DESIGN
 *  A ROUTER does not say that one of its connections is gone, and names none of them. Its monitor does, by
 *  descriptor, and so does every message that came over it. Both tell of one descriptor in order: what is heard of the
 *  first message of a new connection is heard behind the end of the one that had its descriptor before. A
 *  connection that left may have said things that are still unread, so it is forgotten when a round found no more.
 */
#include "transports/zmq/bus_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/zmq/sockets.h"

#include <errno.h>

#define EVENT_SIZE 6
#define DESCRIPTORS_MOST (1u << 22)

typedef struct descriptor_s {
    connection_t *holder;  /* the newest that spoke over it; NULL: none did */
    bool is_open;
} descriptor_t;

troupe_status_t
leave_open (bus_t *self, troupe_error_t *error)
{
    static const char where[] = "inproc://leave";
    self->monitor = zmq_socket (self->context, ZMQ_PAIR);
    if (!self->monitor)
        return error_set (error, TROUPE_NO_MEMORY, "ZeroMQ: %s", zmq_strerror (errno));
    sockets_set (self->monitor, ZMQ_RCVHWM, 0);  /* the thread that tells must never wait */
    sockets_set (self->monitor, ZMQ_LINGER, 0);
    if (zmq_socket_monitor (self->router, where, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) != 0
        || zmq_connect (self->monitor, where) != 0)
        return error_set (error, TROUPE_NO_MEMORY, "ZeroMQ: %s", zmq_strerror (errno));
    return TROUPE_OK;
}

void
leave_close (bus_t *self)
{
    if (self->router)
        (void) zmq_socket_monitor (self->router, NULL, 0);
    sockets_close (&self->monitor);
    memory_free (self->descriptors);
}

/*  NULL: no memory, or none that can be; then a connection goes by its silence. */
static descriptor_t *
descriptor (bus_t *self, uint32_t number)
{
    if (number >= DESCRIPTORS_MOST)
        return NULL;
    if (number >= self->descriptor_count) {
        uint32_t count = self->descriptor_count ? self->descriptor_count : 64;
        while (count <= number)
            count *= 2;
        descriptor_t *more = memory_realloc (self->descriptors, count * sizeof *more);
        if (!more)
            return NULL;
        memset (more + self->descriptor_count, 0, (count - self->descriptor_count) * sizeof *more);
        self->descriptors = more;
        self->descriptor_count = count;
    }
    return &self->descriptors[number];
}

static void
leave (bus_t *self, connection_t *connection)
{
    connection->has_left = true;
    self->somebody_left = true;
}

static void
hear_event (bus_t *self, const uint8_t bytes[EVENT_SIZE])
{
    uint16_t event;
    uint32_t number;
    memcpy (&event, bytes, sizeof event);
    memcpy (&number, bytes + sizeof event, sizeof number);
    descriptor_t *known = descriptor (self, number);
    if (!known)
        return;
    known->is_open = event == ZMQ_EVENT_ACCEPTED;
    if (known->holder)
        leave (self, known->holder);
    known->holder = NULL;
}

void
leave_hear (bus_t *self)
{
    uint8_t bytes[EVENT_SIZE];
    bool is_event = true;
    int more = 0;
    size_t size = sizeof more;
    while (zmq_recv (self->monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) >= 0) {
        if (is_event)
            hear_event (self, bytes);
        (void) zmq_getsockopt (self->monitor, ZMQ_RCVMORE, &more, &size);
        is_event = !more;
    }
}

void
leave_watch (connection_t *connection, zmq_msg_t *part)
{
    bus_t *self = connection->bus;
    int number = zmq_msg_get (part, ZMQ_SRCFD);  /* of a part: what ROUTER puts before them may lack it (4.3.4) */
    leave_hear (self);
    descriptor_t *known = number >= 0 ? descriptor (self, (uint32_t) number) : NULL;
    if (!known)
        return;
    if (!known->is_open) {
        leave (self, connection);
        return;
    }
    connection->descriptor = (uint32_t) number;
    bool is_newest = !known->holder || (int32_t) (connection->number - known->holder->number) > 0;
    if (known->holder)  /* two cannot have it: the older one left */
        leave (self, is_newest ? known->holder : connection);
    if (is_newest)
        known->holder = connection;
}

void
leave_forget (connection_t *connection)
{
    bus_t *self = connection->bus;
    if (connection->descriptor < self->descriptor_count
        && self->descriptors[connection->descriptor].holder == connection)
        self->descriptors[connection->descriptor].holder = NULL;
}

static bool
lose_one (void *arg, table_node_t *node)
{
    connection_t *connection = (connection_t *) node;
    (void) arg;
    if (connection->has_left)
        bus_lose (connection);
    return true;
}

void
leave_lose (bus_t *self)
{
    if (self->somebody_left)
        table_each (&self->connections, lose_one, NULL);
    self->somebody_left = false;
}
