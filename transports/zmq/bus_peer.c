/*  bus_peer.c - connections of the ROUTER.
 *
 *  DESIGN
 *  A ROUTER cannot stop reading from one peer, nor close one. So a client says how many bytes it takes (credit), and
 *  no more wait for it in ZeroMQ; calls beyond what may be in flight are refused; a conversation ends with a word, and
 *  the connection is forgotten when it left (bus_leave.c) or nothing was heard of it for long. ROUTER's own numbers of
 *  connections, five bytes that begin with 0, cannot be chosen by a client: names that were are not answered.
 */
#include "transports/zmq/bus_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"

#include <stdio.h>

#define RECEIVE_MOST 1000  /* messages in one round, so that answers leave, too */
#define ID_SIZE 5

enum { CLOSE_SILENT = 1001, CLOSE_PROTOCOL = 1002, CLOSE_POLICY = 1008, CLOSE_FULL = 1013 };

/* ---- the port ---- */

static void
end_soon (connection_t *self)
{
    if (self->is_ending)
        return;
    self->is_ending = true;
    self->next_ending = self->bus->ending;
    self->bus->ending = self;
}

void
bus_lose (connection_t *self)
{
    self->is_gone = true;
    end_soon (self);
}

void
bus_send (void *connection, const void *bytes, size_t size)
{
    connection_t *self = connection;
    uint8_t id[ID_SIZE] = { 0, (uint8_t) (self->number >> 24), (uint8_t) (self->number >> 16),
                            (uint8_t) (self->number >> 8), (uint8_t) self->number };
    if (self->is_gone)
        return;
    self->credit -= (int64_t) (size + BUS_MESSAGE_COST);
    if (zmq_send (self->bus->router, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0
        || zmq_send (self->bus->router, bytes, size, ZMQ_DONTWAIT) < 0)
        bus_lose (self);
}

static bool
is_choked (void *connection)
{
    const connection_t *self = connection;
    return self->credit <= 0 && !peer_is_new (self->peer);
}

static void
say_goodbye (connection_t *self, const codec_t *codec, uint16_t code, const char *text)
{
    buffer_t bytes = { 0 };
    codec->goodbye (&bytes, code, text);
    if (codec->form == FORM_LINES)
        buffer_byte (&bytes, '\n');
    if (!bytes.failed)
        bus_send (self, bytes.data, bytes.size);
    buffer_clear (&bytes);
}

static void
close_talk (void *connection, uint16_t code, const char *text)
{
    connection_t *self = connection;
    say_goodbye (self, peer_codec (self->peer), code, text);
    self->faults += code == CLOSE_PROTOCOL || code == CLOSE_POLICY;
    end_soon (self);
}

static void
give_credit (void *connection, uint64_t bytes)
{
    connection_t *self = connection;
    uint64_t room = (uint64_t) (BUS_CREDIT_MOST - self->credit);  /* below 0 it takes more than is kept */
    self->credit += (int64_t) (bytes < room ? bytes : room);
    if (self->credit > 0)
        peer_has_room (self->peer);
}

/*  What a worker says of its work is for the crew. */
static void
take_one (void *connection, const void *bytes, size_t size)
{
    connection_t *self = connection;
    bool may_work = peer_is_open (self->peer) && peer_codec (self->peer)->form == FORM_RECORDS;
    if (may_work && work_is (bytes, size))
        bus_work_received (self, bytes, size);
    else
        peer_received (self->peer, bytes, size);
}

static const peer_port_t port = { .send = bus_send, .is_choked = is_choked, .close = close_talk,
                                  .credit = give_credit, .again = take_one };

/* ---- connections ---- */

static connection_t *
find (bus_t *self, uint32_t number)
{
    uint32_t hash = (uint32_t) hash_mix (number, 0);
    for (table_node_t *node = table_chain (&self->connections, hash); node; node = node->next)
        if (((connection_t *) node)->number == number)
            return (connection_t *) node;
    return NULL;
}

static connection_t *
add (bus_t *self, uint32_t number)
{
    connection_t *connection = memory_zalloc (sizeof *connection);
    if (!connection)
        return NULL;
    *connection = (connection_t) { .bus = self, .number = number };
    if (table_insert (&self->connections, &connection->node, (uint32_t) hash_mix (number, 0)))
        return connection;
    memory_free (connection);
    return NULL;
}

static void
end (connection_t *self)
{
    mate_leave (&self->worker);
    if (self->peer)
        peer_gone (&self->peer);
    self->is_ending = false;
    self->credit = 0;
    if (!self->is_gone)
        return;
    leave_forget (self);
    self->bus->places -= self->has_place;
    table_remove (&self->bus->connections, &self->node);
    memory_free (self);
}

void
bus_end_all (bus_t *self)
{
    for (connection_t *connection = self->ending, *next; connection; connection = next) {
        next = connection->next_ending;
        end (connection);
    }
    self->ending = NULL;
}

/* ---- what comes in ---- */

/*  Who it is says the certificate, whose subject and roles came with the handshake. */
static void
know (connection_t *self, zmq_msg_t *part)
{
    const char *subject = zmq_msg_gets (part, "Subject"), *roles = zmq_msg_gets (part, "Roles");
    const char *const *known = self->bus->options.edge.roles;
    identity_t who = { .subject = "" };
    if (!subject)
        return;
    snprintf (who.subject, sizeof who.subject, "%s", subject);
    who.is_operator = roles && certificates_has_role (roles, "operator");
    for (unsigned i = 0; roles && known && known[i]; i++)
        who.roles |= (uint32_t) certificates_has_role (roles, known[i]) << i;
    peer_known_as (self->peer, &who);
}

static const codec_t *
codec_of (zmq_msg_t *part)
{
    const char *bytes = zmq_msg_data (part);
    return zmq_msg_size (part) > 0 && (*bytes == '{' || *bytes == '[') ? &lines_codec : &records_codec;
}

static bool
begin (connection_t *self, zmq_msg_t *part)
{
    const char *user = zmq_msg_gets (part, "User-Id");
    if (self->faults >= BUS_FAULTS_MOST || self->conversations >= BUS_CONVERSATIONS_MOST || self->bus->is_stopping)
        return false;
    self->conversations += 1;
    self->peer = peer_new (self->bus->edge, codec_of (part), &port, self);
    if (!self->peer)
        return false;
    if (user)
        peer_from (self->peer, user, strlen (user));
    know (self, part);
    return true;
}

/*  False: there is none, and it is told so. */
static bool
find_place (connection_t *self, zmq_msg_t *part)
{
    bus_t *bus = self->bus;
    if (self->has_place)
        return true;
    if (bus->places < bus->options.connections) {
        self->has_place = true;
        bus->places += 1;
        return true;
    }
    if (self->refusals < BUS_REFUSALS_MOST) {
        self->refusals += 1;
        say_goodbye (self, codec_of (part), CLOSE_FULL, "too many connections");
    }
    return false;
}

static void
take_part (connection_t *self, zmq_msg_t *part)
{
    if (!self->is_watched)
        leave_watch (self, part);
    self->is_watched = true;
    if (!find_place (self, part))
        return;
    if (self->is_ending || (!self->peer && !begin (self, part)))
        return;
    take_one (self, zmq_msg_data (part), zmq_msg_size (part));
}

/*  NULL: nobody, and the rest of the message is for nobody. */
static connection_t *
sender_of (bus_t *self, zmq_msg_t *id)
{
    const uint8_t *bytes = zmq_msg_data (id);
    if (zmq_msg_size (id) != ID_SIZE || bytes[0] != 0)
        return NULL;
    uint32_t number = (uint32_t) bytes[1] << 24 | (uint32_t) bytes[2] << 16 | (uint32_t) bytes[3] << 8 | bytes[4];
    connection_t *connection = find (self, number);
    if (!connection && self->connections.count < self->options.connections + BUS_REFUSED_MOST)
        connection = add (self, number);
    return connection;
}

/*  One message: the number of the connection, and parts that are each a frame of the protocol. */
static bool
receive_one (bus_t *self, uint64_t now_ms)
{
    zmq_msg_t part;
    connection_t *sender = NULL;
    bool is_first = true, has_more = true;
    zmq_msg_init (&part);
    while (has_more && zmq_msg_recv (&part, self->router, ZMQ_DONTWAIT) >= 0) {
        has_more = zmq_msg_more (&part);
        if (is_first)
            sender = sender_of (self, &part);
        else if (sender)
            take_part (sender, &part);
        is_first = false;
    }
    zmq_msg_close (&part);
    if (sender)
        sender->heard_ms = now_ms;
    return !is_first;
}

void
bus_receive (bus_t *self)
{
    uint64_t now_ms = self->host.now_ms (self->host.self);
    for (unsigned count = 0; count < RECEIVE_MOST; count++) {
        if (!receive_one (self, now_ms)) {
            leave_lose (self);
            return;
        }
        bus_end_all (self);  /* who said goodbye may say hello in its next message */
    }
}

/* ---- silence ---- */

typedef struct {
    uint64_t now_ms, most_ms;
} sweep_t;

static bool
look_at (void *arg, table_node_t *node)
{
    const sweep_t *sweep = arg;
    connection_t *connection = (connection_t *) node;
    if (sweep->now_ms - connection->heard_ms < sweep->most_ms)
        return true;
    if (connection->peer)
        say_goodbye (connection, peer_codec (connection->peer), CLOSE_SILENT, "silent");
    connection->is_gone = true;
    end_soon (connection);
    return true;
}

uint64_t
bus_sweep (bus_t *self, uint64_t now_ms)
{
    uint64_t most_ms = self->options.idle_ms;
    if (self->connections.count == 0)
        return EDGE_NEVER;
    if (now_ms >= self->sweep_ms) {
        table_each (&self->connections, look_at, &(sweep_t) { now_ms, most_ms });
        bus_end_all (self);
        self->sweep_ms = now_ms + most_ms / 4 + 1;
    }
    return self->sweep_ms - now_ms;
}

static bool
forget (void *arg, table_node_t *node)
{
    (void) arg;
    ((connection_t *) node)->is_gone = true;
    end_soon ((connection_t *) node);
    return true;
}

void
bus_forget_all (bus_t *self)
{
    table_each (&self->connections, forget, NULL);
    bus_end_all (self);
    table_clear (&self->connections);
}
