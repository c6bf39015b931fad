/*  bus.h - the gateway for backends: ZeroMQ. doc/protocol-zmq.md says what is spoken.
 *
 *  One thread of its own, which owns an edge_t, a ROUTER for conversations and, when wished, a PUB
 *  socket for all events. Whoever is not on this machine must have a certificate (CURVE).
 */
#ifndef TRANSPORTS_ZMQ_BUS_H
#define TRANSPORTS_ZMQ_BUS_H

#include "transports/edge/edge.h"
#include "transports/zmq/crew.h"

typedef struct {
    const char *listen;        /* "127.0.0.1:7318"; the port may be 0; copied, as all texts */
    const char *feeds;         /* the same of the PUB socket; empty: none */
    const char *certificate;   /* the node's own, with its secret; empty: NULL, for loopback addresses alone */
    const char *certificates;  /* a directory with those who may come */
    uint32_t connections;
    uint32_t idle_ms;          /* of silence, after which a connection is forgotten */
    uint32_t heartbeat_ms;     /* between looks whether a connection is there */
    uint32_t linger_ms;        /* for goodbyes on their way */
    uint32_t in_messages;      /* of a client, that wait here */
    uint32_t feeds_events;     /* that wait for a subscriber; then it loses some */
    edge_options_t edge;       /* without wake */
    void (*log) (bool is_error, const char *line);
} bus_options_t;

typedef struct bus_s bus_t;

/*  Listens, but answers nobody before bus_start. NULL and an error. */
bus_t *bus_new (const bus_options_t *options, troupe_error_t *error);

/*  "ADDRESS:PORT"; of the feeds: empty when there are none. They live as long as the bus. */
const char *bus_address (const bus_t *self);
const char *bus_feeds_address (const bus_t *self);

edge_t *bus_edge (bus_t *self);

/*  Those who serve remote kinds: for the node before it starts, and for figures. */
crew_t *bus_crew (bus_t *self);

/*  For the node's listener; any thread. */
bool bus_is_watched (bus_t *self, const char *address, const char *channel);
void bus_published (bus_t *self, const char *address, const char *channel, uint64_t offset, const char *key,
                    const void *body, size_t size);

/*  The node runs now, and its hosts are these. Starts the thread. */
troupe_status_t bus_start (bus_t *self, const host_port_t *host, const remote_host_t *remote,
                           troupe_error_t *error) TROUPE_CHECKED;

/*  Tells clients to go and takes no more; waits for the thread, at most so long. While the node still runs. */
void bus_quiet (bus_t *self, uint64_t most_ms);

/*  After the node stopped. */
void bus_destroy (bus_t **self_p);

#endif
