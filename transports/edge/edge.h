/*  edge.h - where clients meet actors, whatever carries their bytes.
 *
 *  An edge belongs to one thread, the gateway's, which calls everything here but what is said
 *  to be for any thread. A transport (web/) makes a peer_t for each connection, hands it
 *  whole messages, and sends what it is given. The node behind is reached through host_port_t;
 *  its threads leave answers and events in the edge's inbox and wake the gateway.
 *
 *  Bounds. A client has at most `in_flight` calls without an outcome: then nothing more is read
 *  from it. What it does not read stays in its feeds: a watcher pulls, nothing is pushed at it;
 *  what waits for it besides is bounded by its calls, and beyond EDGE_OUT_MOST it is closed.
 */
#ifndef TRANSPORTS_EDGE_EDGE_H
#define TRANSPORTS_EDGE_EDGE_H

#include "runtime/port/host.h"
#include "transports/edge/message.h"

#define EDGE_OUT_MOST (32u << 20)  /* bytes of answers that a client does not read */
#define EDGE_NEVER UINT64_MAX
#define EDGE_WORKER_ROLE "worker"  /* who has it may serve remote kinds */

typedef struct edge_s edge_t;
typedef struct peer_s peer_t;

/*  Who somebody is. */
typedef struct {
    char subject[TROUPE_ADDRESS_MAX + 1];  /* "": nobody */
    bool is_operator;
    uint32_t roles;                        /* a bit for each of edge_options_t.roles */
    uint64_t until_ms;                     /* by the host's clock; 0: no end */
    uint64_t issued_ms;                    /* when its token was made; 0: it is not said */
    uint64_t key, account;                 /* api_key_hash of the API key and its login; 0: it was another way */
} identity_t;

/*  What is limited apart. RATE_ADDRESS: all that one address asks for, whoever it is, beside the bound of its class. */
typedef enum { RATE_READ, RATE_COMMAND, RATE_SIGN_IN, RATE_ADDRESS, RATE_CLASSES } rate_class_t;

typedef struct {
    edge_limits_t limits;
    uint32_t rates[RATE_CLASSES];  /* a second, of one client; 0: no bound */
    uint64_t key_ms;               /* a connection by an API key comes again after so long; 0: never */
    const char *const *roles;      /* that the kinds ask for, ended by NULL, from the start on; at most 32 */
    /* Whose token it is; the error never tells the token. NULL: nobody can sign in. */
    troupe_status_t (*identify) (void *arg, const char *token, identity_t *identity, troupe_error_t *error);
    void *identify_arg;
    /* A line for the audit log: somebody was denied what the tables keep from him. At most some a second. */
    void (*audit) (void *arg, const char *line);
    void *audit_arg;
    /* Any thread: have edge_drain called soon on the gateway's. */
    void (*wake) (void *arg);
    void *wake_arg;
} edge_options_t;

/*  NULL: no memory. */
edge_t *edge_new (const edge_options_t *options);

/*  The node behind it, which runs: before the first client. */
void edge_attach (edge_t *self, const host_port_t *host);

/*  When all clients are gone and the node will tell nothing any more; also when there never was one. */
void edge_destroy (edge_t **self_p);

/*  Round of a loop that takes in messages: what they ask of the node may wait for its end. */
void edge_hold (edge_t *self);
void edge_release (edge_t *self);

/*  Takes in what the node told and sends what is to be sent. Returns in how many ms it must be called
 *  again if nothing wakes it before; EDGE_NEVER. */
uint64_t edge_drain (edge_t *self);

/*  Tells all clients to leave and to come back in so many ms, spread a little. */
void edge_say_drain (edge_t *self, uint64_t after_ms);

/*  Closes those that stayed, as a server does that goes away; unless `all`, those alone without calls in hand. False:
 *  none are left. */
bool edge_send_away (edge_t *self, bool all);

/*  Any thread: what a node tells its listener. */
bool edge_is_watched (void *self, const char *address, const char *channel);
void edge_published (void *self, const char *address, const char *channel, uint64_t offset, const char *key,
                     const void *body, size_t size);

typedef struct {
    uint64_t clients, watches, feeds;
    uint64_t messages, calls, events, deliveries, errors, cuts;
} edge_counts_t;
edge_counts_t edge_counts (const edge_t *self);  /* any thread */

/*  Adds those of another edge. */
void edge_counts_add (edge_counts_t *sum, const edge_counts_t *counts);

/* ---- clients ---- */

/*  What carries a client's bytes. Called on the gateway's thread. */
typedef struct {
    /* Takes all of it, or breaks the connection. */
    void (*send) (void *connection, const void *bytes, size_t size);
    /* Whether something sent before is still on its way out; peer_has_room follows. */
    bool (*is_choked) (void *connection);
    /* Reads no more of it, or again. NULL: cannot be; calls beyond what may be in flight are refused. */
    void (*pause) (void *connection, bool is_paused);
    /* After what was sent; peer_gone follows. */
    void (*close) (void *connection, uint16_t code, const char *text);
    /* Of a stream, before anything was sent: the watch is refused. peer_gone follows. */
    void (*refuse) (void *connection, const troupe_error_t *error);
    /* It takes so many bytes more: in its hello, where there must be some, and later. NULL: it cannot say so. */
    void (*credit) (void *connection, uint64_t bytes);
    /* What came while it was asked who the client is: takes it as it took it before. NULL: it is for peer_received. */
    void (*again) (void *connection, const void *bytes, size_t size);
    /* It asked for more than it may, and was told: nothing is read of it for so long. NULL: cannot be. */
    void (*rest) (void *connection, uint64_t ms);
} peer_port_t;

/*  The port and the connection live until peer_gone. NULL: no memory. */
peer_t *peer_new (edge_t *edge, const codec_t *codec, const peer_port_t *port, void *connection);

/*  Where it comes from, as limits count it. */
void peer_from (peer_t *self, const void *address, size_t size);

/*  Who it is was found out already: before its first message. */
void peer_known_as (peer_t *self, const identity_t *who);

/*  One whole message of the connection. Answers may be sent before it returns. */
void peer_received (peer_t *self, const void *bytes, size_t size);

/*  A stream of events, new with sse_codec, whose client says no more than this: `message` is a watch, which edge_may
 *  was asked for. It may be refused or be sent something before this returns. It is closed when the watch ends. */
void peer_watch (peer_t *self, const identity_t *who, const client_message_t *message);

const codec_t *peer_codec (const peer_t *self);

/*  It has not said hello yet. */
bool peer_is_new (const peer_t *self);

/*  It has, and may speak. */
bool peer_is_open (const peer_t *self);

/*  Who it is; never NULL. */
const identity_t *peer_identity (const peer_t *self);

/*  What it said is nothing that can be understood: it is told so, and the conversation ends. */
void peer_fail (peer_t *self, const troupe_error_t *error);

/*  Frames that the transport has for it besides, behind what waits. Who does not read them is closed. */
void peer_say (peer_t *self, const void *bytes, size_t size);

/*  What was sent is on its way, and more may be. */
void peer_has_room (peer_t *self);

/*  The connection is no more; frees the client when nothing refers to it. */
void peer_gone (peer_t **self_p);

#endif
