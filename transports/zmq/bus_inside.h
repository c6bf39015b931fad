/*  bus_inside.h - what the files of the bus share. For transports/zmq/ alone.
 *
 *      bus.c        its life and its loop
 *      bus_peer.c   connections of the ROUTER: credit, silence, the end of a conversation
 *      bus_leave.c  which connections are gone
 *      bus_feeds.c  all events for those who subscribe
 *      bus_work.c   workers of remote kinds: what they say, and offers on their way
 */
#ifndef TRANSPORTS_ZMQ_BUS_INSIDE_H
#define TRANSPORTS_ZMQ_BUS_INSIDE_H

#include "runtime/base/inbox.h"
#include "runtime/base/table.h"
#include "transports/zmq/bus.h"
#include "transports/zmq/certificates.h"

#include <pthread.h>
#include <zmq.h>

#define BUS_TEXT_MAX 255
#define BUS_CREDIT_MOST (4u << 20)    /* bytes that a client may let wait for it */
#define BUS_MESSAGE_COST 64           /* what a message counts besides its bytes */
#define BUS_SENT_MOST ((int) (BUS_CREDIT_MOST / BUS_MESSAGE_COST) + 1024)  /* messages; who counts right has fewer */
#define BUS_FAULTS_MOST 3             /* of one connection; then it is answered no more */
#define BUS_CONVERSATIONS_MOST 16     /* of one connection: what is said to one that reads nothing has no other bound */
#define BUS_REFUSED_MOST 256          /* connections without a place; more hear nothing at all */
#define BUS_REFUSALS_MOST 512         /* of one, which may not read them: then it hears nothing either */
#define BUS_SUBSCRIPTION_MAX 512

typedef enum { FEEDS_JSON, FEEDS_PACK, FEEDS_FORMS } feeds_form_t;

/*  A connection, as the ROUTER numbers them. */
typedef struct connection_s {
    table_node_t node;
    bus_t *bus;
    uint32_t number;
    peer_t *peer;                     /* NULL: no conversation */
    mate_t *worker;                   /* NULL: it serves no kinds */
    uint32_t descriptor;              /* of its socket; 0: not known */
    bool is_watched;                  /* bus_leave.c was asked for it */
    bool has_left;                    /* it is gone; what it said before is still read */
    bool has_place;                   /* one of options.connections; else it is told that there is none */
    uint32_t refusals;                /* how often it was told */
    int64_t credit;
    uint64_t heard_ms;
    uint32_t faults;                  /* conversations that ended by its own */
    uint32_t conversations;
    bool is_ending;                   /* the conversation ends with this round */
    bool is_gone;                     /* so does the connection */
    struct connection_s *next_ending;
} connection_t;

struct bus_s {
    bus_options_t options;
    char listen[BUS_TEXT_MAX + 1], feeds_listen[BUS_TEXT_MAX + 1];
    char certificate[BUS_TEXT_MAX + 1], certificates_path[BUS_TEXT_MAX + 1];
    char address[BUS_TEXT_MAX + 1], feeds_address[BUS_TEXT_MAX + 1];
    edge_t *edge;
    crew_t *crew;
    void *context;
    pthread_t thread;
    bool has_thread;
    int wake;                         /* eventfd; outlives the thread: a node that stops still tells its last answers */
    inbox_t events;                   /* for the PUB socket */
    /* shared: atomic */
    _Atomic uint64_t quiet_ms;        /* not 0: stop, after so long at most */
    _Atomic uint32_t subscriptions[FEEDS_FORMS];
    _Atomic uint64_t events_bytes;    /* of those in `events` */
    /* owner: the thread, once it runs */
    void *router, *monitor, *feeds, *zap;  /* sockets; feeds and zap may be NULL */
    certificates_t *certificates;
    host_port_t host;
    table_t connections;
    uint32_t places;                  /* of them, those that have one */
    table_t topics;                   /* of the PUB socket */
    uint64_t topics_seed;             /* strangers choose them */
    connection_t *ending;
    struct descriptor_s *descriptors; /* by number */
    uint32_t descriptor_count;
    bool somebody_left;
    bool is_stopping;
    uint64_t sweep_ms;
    binary_reader_t work;
    buffer_t scratch;
};

/* ---- bus.c ---- */

/*  Any thread: has the loop turn once. */
void bus_wake (bus_t *self);

/* ---- bus_peer.c ---- */

/*  Takes what came, some messages at most. */
void bus_receive (bus_t *self);

/*  What ended in this round. */
void bus_end_all (bus_t *self);

/*  Forgets who was silent for too long. Returns in how many ms to look again. */
uint64_t bus_sweep (bus_t *self, uint64_t now_ms);

/*  At the end: all of them. */
void bus_forget_all (bus_t *self);

/*  What a connection is sent; when it is gone, `is_gone` is set. */
void bus_send (void *connection, const void *bytes, size_t size);

/*  Its connection is no good any more; it goes at the end of the round. */
void bus_lose (connection_t *self);

/* ---- bus_leave.c ---- */

troupe_status_t leave_open (bus_t *self, troupe_error_t *error);
void leave_close (bus_t *self);

/*  Hears who left. */
void leave_hear (bus_t *self);

/*  A new connection, of which this is the first part. */
void leave_watch (connection_t *connection, zmq_msg_t *part);

/*  It will be freed. */
void leave_forget (connection_t *connection);

/*  After a round that found nothing unread: those who left go with the end of it. */
void leave_lose (bus_t *self);

/* ---- bus_work.c ---- */

/*  A part of a worker, in a conversation that has begun. */
void bus_work_received (connection_t *self, const void *bytes, size_t size);

/*  Sends offers. */
void bus_work_round (bus_t *self);

/* ---- bus_feeds.c ---- */

/*  Takes subscriptions. */
void feeds_receive (bus_t *self);

/*  Sends all events that came in. */
void feeds_send (bus_t *self);

void feeds_forget (bus_t *self);

#endif
