/*  client_core.h - a client without a socket: what is said, what is heard, what is said again (doc/protocol-zmq.md).
 *
 *  It does no input or output and reads no clock: give it the messages that came and the time, and send what is in
 *  `out` after core_fill. Times are ms of one clock that never goes back. Not shared between threads.
 */
#ifndef TRANSPORTS_ZMQ_CLIENT_CORE_H
#define TRANSPORTS_ZMQ_CLIENT_CORE_H

#include "runtime/base/table.h"
#include "transports/edge/binary_client.h"

#include <troupe_client.h>

#define CORE_CREDIT (1u << 20)      /* bytes that the node may send ahead */
#define CORE_MESSAGE_COST 64        /* what a message counts besides its bytes */
#define CORE_PART_MOST (64u << 10)  /* bytes that are said in one message, unless a single call is larger */
#define CORE_WAITING_MOST (64u << 20)  /* bytes of calls and casts without an outcome */
#define CORE_PING_MS 15000          /* how often the node is asked whether it is there */
#define CORE_PATIENCE_MS 10000      /* without an answer, after which a new connection is made */
#define CORE_NEVER UINT64_MAX

typedef struct core_call_s core_call_t;

typedef struct {
    /* fixed */
    char *token, *name;
    uint32_t timeout_ms;
    /* of the session */
    uint8_t session[SESSION_SIZE];
    char epoch[RESUME_MAX + 1];    /* "": of no epoch yet */
    uint64_t seq;
    core_call_t *first, *last;     /* calls without an outcome and casts not sent, in the order of their submission */
    core_call_t *next;             /* none before it is to be sent; NULL: none at all */
    table_t calls;                 /* by seq */
    size_t count, bytes;           /* of them all */
    uint64_t end_ms;               /* no call ends before */
    troupe_watch_t *watches;
    bool watches_wait;             /* some have to be asked or left */
    uint64_t watches_ms;           /* some are to be asked for then */
    troupe_error_t fatal;          /* there is no sense in coming again */
    /* of the connection */
    bool is_welcome, wants_connection;
    bool wants_token, wants_ping;
    uint64_t come_back_ms;         /* the node wants nobody for so long */
    edge_limits_t limits;          /* 0 before the first welcome */
    int64_t ahead_ms;              /* the node's clock less ours */
    uint64_t used;                 /* credit not given back */
    uint64_t heard_ms, pinged_ms;
    uint32_t in_flight;
    uint64_t until_ms;             /* as it was said */
    char *routes[ROUTES_MOST];     /* address NUL verb NUL */
    table_t feeds;                 /* watches by the number of their feed */
    uint64_t watch_ids;
    buffer_t out;
    binary_reader_t reader;
    uint64_t told;                 /* outcomes and events that were handed over */
    char trouble[160];             /* why there is no connection, as far as is known */
} core_t;

/*  False: no memory. */
bool core_init (core_t *self, const troupe_client_options_t *options);

/*  Calls without an outcome have it now. */
void core_clear (core_t *self);

troupe_status_t core_submit (core_t *self, const troupe_client_call_t *call, uint64_t now_ms,
                             troupe_error_t *error) TROUPE_CHECKED;
troupe_watch_t *core_watch (core_t *self, const char *feed, const char *from, troupe_heard_t *heard, void *arg,
                            troupe_error_t *error);
void core_unwatch (core_t *self, troupe_watch_t *watch);
troupe_status_t core_token (core_t *self, const char *token, troupe_error_t *error) TROUPE_CHECKED;

/*  There is a new socket: the hello is in `out`. */
void core_connected (core_t *self, uint64_t now_ms);

/*  The connection is no more. */
void core_lost (core_t *self, const char *why);

/*  One message of the node. */
void core_received (core_t *self, const void *bytes, size_t size, uint64_t now_ms);

/*  Appends to `out` what is to be said, as much as one message may have. */
void core_fill (core_t *self, uint64_t now_ms);

/*  What time has done: calls that are late, a node that is silent. */
void core_tick (core_t *self, uint64_t now_ms);

/*  In how many ms time will have done something, after all was said. */
uint64_t core_wait_ms (const core_t *self, uint64_t now_ms);

#endif
