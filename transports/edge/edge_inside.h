/*  edge_inside.h - what the files of the edge share. For transports/edge/ alone.
 *
 *      edge.c    its life, the inbox, the flush at the end of a drain
 *      peer.c  a conversation: hello, watches; what a client is sent
 *      peer_call.c  its calls and casts
 *      peer_end.c  conversations that the server ends
 *      feed.c    feeds that somebody watches: events on their way, the latest of each key
 *      presence.c  what watchers are told of each other
 *      watch.c   a watch, from its wish to its end: permission, history, snapshot, live
 *      exchange.c  one call and its answer
 *      audit.c   lines for the audit log
 *      api_key.c  who an API key stands for
 *      sign_in.c  how somebody gets a token
 */
#ifndef TRANSPORTS_EDGE_EDGE_INSIDE_H
#define TRANSPORTS_EDGE_EDGE_INSIDE_H

#include "runtime/base/inbox.h"
#include "runtime/base/table.h"
#include "runtime/lane.h"
#include "transports/auth/recent.h"
#include "transports/edge/accounts.h"
#include "transports/edge/api_key.h"
#include "transports/edge/binary.h"
#include "transports/edge/edge.h"
#include "transports/edge/permit.h"
#include "transports/edge/rates.h"
#include "transports/edge/text.h"

#define WATCHED_SLOTS 16384u       /* a power of two; feeds by hash, so that shards know which are watched */
#define RING_EVENTS_MOST 1024      /* of a feed, for watchers that lag; who lags more reads the history again */
#define RING_BYTES_MOST (1u << 20)
#define LATEST_MOST 4096           /* keys of a feed that conflates */
#define LATEST_BYTES_MOST (16u << 20)  /* and their bytes */
#define GATHER_MOST (256u << 10)   /* bytes of events in one send */
#define BATCH_MOST (16u << 10)     /* and in one frame of several, which a client has to hold whole */
#define REST_MS 100                 /* of one that asks for more than it may, or not in its turn */
#define OUT_SOFT (256u << 10)      /* bytes of answers from which on a client gets no events */
#define HISTORY_EVENTS 256         /* of one look into a feed's history */
#define LOOKS_MOST 4               /* of a client at once; what each brings is sent, whatever waits */
#define LOOK_OUT_MOST (EDGE_OUT_MOST / 4)  /* bytes of answers from which on the rest of a look is looked up again */

/*  What comes through the inbox. */
enum { ITEM_ANSWER, ITEM_EVENT, ITEM_WATCH, ITEM_EXCHANGE, ITEM_SIGN_IN, ITEM_API_KEY };

/* ---- events and feeds ---- */

typedef struct {
    uint8_t *bytes;  /* a whole frame; NULL: not encoded yet */
    size_t size;
} encoded_t;

/*  An event on its way to watchers: made by the node's thread, then the gateway's. */
typedef struct {
    inbox_item_t item;
    uint32_t hash;                 /* of address and channel */
    uint32_t references;           /* the ring's, the latest's */
    uint64_t offset;               /* of a volatile feed: counted here */
    uint32_t address_size, channel_size, key_size, body_size;
    bool has_key;
    encoded_t forms[FORMS];
    char bytes[];                  /* address NUL channel NUL key NUL body */
} event_t;

/*  The newest event of a key. */
typedef struct latest_s {
    table_node_t node;
    struct feed_s *feed;
    struct latest_s *before, *after;  /* by offset */
    event_t *event;
} latest_t;

typedef struct watch_s watch_t;

typedef struct feed_s {
    table_node_t node;
    edge_t *edge;
    const troupe_channel_t *channel;
    uint32_t number;
    uint64_t head;                 /* offset of the newest event that was heard; 0: none */
    event_t **ring;                /* `count` events up to the head; a power of two of places */
    uint32_t first, count, places;
    size_t ring_bytes;
    latest_t *oldest, *newest;     /* of a feed that conflates */
    uint32_t keys;
    size_t latest_bytes;
    watch_t *watches;
    uint32_t watch_count;
    uint64_t not_before_ms;        /* of a feed with a rate: the next flush */
    uint64_t looks;                /* how often the history was to be looked into again */
    uint64_t again_ms;             /* when those that the node turned away ask it again; 0: there are none */
    uint64_t presence_version, presence_at_ms;  /* not told before */
    bool presence_is_due;
    bool is_dirty;
    struct feed_s *next_dirty;
    uint32_t address_size;
    char name[];                   /* address NUL channel NUL */
} feed_t;

static inline const char *
feed_channel (const feed_t *self)
{
    return self->name + self->address_size + 1;
}

static inline bool
feed_conflates (const feed_t *self)
{
    return self->channel->is_volatile || self->channel->conflates;
}

/*  Offset of the oldest event in the ring; head + 1 when it is empty. */
static inline uint64_t
feed_first (const feed_t *self)
{
    return self->head + 1 - self->count;
}

/* ---- watches ---- */

typedef enum {
    WATCH_PERMIT,    /* the actor is asked */
    WATCH_READING,   /* history is read */
    WATCH_SNAPSHOT,  /* the snapshot is read */
    WATCH_BEHIND,    /* there is history to be read, and no room for it */
    WATCH_LIVE,
    WATCH_ENDED      /* only what is still told to it keeps it */
} watch_state_t;

struct watch_s {
    inbox_item_t item;             /* with what was told */
    peer_t *peer;
    feed_t *feed;
    watch_t *next_of_feed, **place_in_feed;
    watch_t *next_of_peer, **place_in_peer;
    uint64_t id, next;             /* the offset that it gets next */
    watch_state_t state;
    bool is_told;                  /* "watching" was said */
    bool has_gap;
    bool is_asking;                /* something will be told */
    bool is_looking;               /* what will be told may be much */
    bool wants_permit;             /* the actor is to be asked again */
    uint8_t tries;                 /* how often it was turned away before it began */
    uint64_t presence_told;        /* the version of it */
    uint64_t looks;                /* of the feed, when the history was last asked for */
    bool wants_latest;             /* not each event but the latest of each key, this time */
    /* what was told; of the thread that tells it, then the gateway's */
    troupe_status_t told_status;
    uint64_t told_head;
    buffer_t told;                 /* packed, or the text of an error */
};

/* ---- clients ---- */

typedef enum { PEER_NEW, PEER_ASKING, PEER_OPEN, PEER_CLOSING, PEER_GONE } peer_state_t;

/*  Its hello came with an API key: what it said, hello first, waits for what the account says. */
typedef struct {
    api_key_t *key;                /* NULL: it was told */
    buffer_t held;                 /* frames, each behind its size */
} asking_t;

struct peer_s {
    edge_t *edge;
    const codec_t *codec;
    const peer_port_t *port;
    void *connection;
    identity_t *who;               /* NULL: nobody */
    asking_t *asking;              /* NULL: who it is needs nobody to be asked */
    binary_routes_t *routes;       /* of the binary form */
    peer_state_t state;
    session_state_t session_state;
    uint8_t session[SESSION_SIZE]; /* as shards know it: with subject and epoch */
    bool is_paused;
    bool wants_flush;
    bool has_waiting;              /* watches that wait for room, or for their turn to look */
    uint8_t looks;                 /* of its watches, that are not told yet */
    uint32_t in_flight;            /* calls without an outcome */
    uint32_t told_later;           /* watches that will be told something, of a client that is gone */
    uint32_t watch_count;
    uint8_t address[8], address_size;
    buffer_t out;                  /* frames that wait for room */
    peer_t *next_flush;
    peer_t *before, *after;      /* of all clients */
    watch_t *watches;
};

/*  Classes of lines for the audit log, each with so many a second. */
typedef enum { AUDIT_DENIED, AUDIT_FAILED, AUDIT_PASSED, AUDIT_CLASSES } audit_class_t;

typedef struct {
    uint64_t since_ms;
    uint32_t lines;                /* since then; some of them left out */
} audit_second_t;

struct edge_s {
    edge_options_t options;
    host_port_t host;
    rates_t *rates;
    accounts_t *accounts;
    recent_t *keys_seen;           /* API keys and addresses: when the audit log was told */
    audit_second_t audits[AUDIT_CLASSES];
    bool audit_is_due;             /* it is to be said that some were left out */
    struct sign_in_s *sign_in;     /* NULL: nobody can sign in here */
    inbox_t inbox;
    /* owner: gateway */
    peer_t *peers;
    peer_t *to_flush;
    pool_t pool;
    lanes_t lanes;                 /* calls that were refused here; shards have their own */
    table_t feeds;
    table_t latest;                /* of all feeds that conflate */
    feed_t *dirty;
    uint32_t feed_numbers;
    uint64_t look_at_ms;           /* then a token may have ended; EDGE_NEVER */
    text_reader_t text;
    binary_reader_t binary;
    buffer_t gathered;             /* frames of events, for all watchers that are as far */
    feed_t *gathered_feed;
    uint64_t gathered_from, gathered_next;
    codec_form_t gathered_form;
    bool gathered_latest;
    /* shared: atomic; a count is raised before the history of its feed is asked for, read by shards */
    _Atomic uint32_t watched[WATCHED_SLOTS];
    /* shared: atomic, counts only */
    struct {
        _Atomic uint64_t clients, watches, feeds, messages, calls, events, deliveries, errors, cuts;
    } counts;
};

static inline void
count_up (_Atomic uint64_t *count, uint64_t by)
{
    atomic_store_explicit (count, atomic_load_explicit (count, memory_order_relaxed) + by, memory_order_relaxed);
}

/* ---- edge.c ---- */

/*  Any thread: leaves it for the next drain. */
void edge_tell (edge_t *self, inbox_item_t *item);

/*  As permit_check, and what is denied is told to the audit log. */
troupe_status_t edge_permit (edge_t *self, const permit_t *permit, const identity_t *who, const char *address,
                             troupe_error_t *error) TROUPE_CHECKED;

/* ---- audit.c ---- */

/*  A line for the audit log; false: there were too many of its class in this second. */
bool edge_audit (edge_t *self, audit_class_t class, const char *line);

/*  Says how many were left out, once the second is over. Returns in how many ms it will be, or EDGE_NEVER. */
uint64_t edge_audit_left_out (edge_t *self, uint64_t now_ms);

#define AUDIT_FROM_SIZE 46

/*  An address as limits count it, as a text. */
const char *edge_audit_from (const void *address, size_t size, char text[AUDIT_FROM_SIZE]);

/*  Somebody may not have what `name` says of the actor. */
void edge_audit_denied (edge_t *self, const identity_t *who, const char *name, const char *address);

/* ---- peer.c ---- */

/*  Opens a frame at the end of what the client is to be sent, and closes it; the flush is seen to. */
size_t peer_open_frame (peer_t *self);
void peer_close_frame (peer_t *self, size_t place);

void peer_send_out (peer_t *self);

/*  Takes over frames that are its own; the flush is seen to. */
void peer_take_frames (peer_t *self, buffer_t *frames);

/*  No more calls now: too many are on their way, or too many answers wait. */
bool peer_is_over (const peer_t *self);

/*  It is seen to at the end of the drain. */
void peer_want_flush (peer_t *self);

/*  Then: sends what waits, and goes on with what waited for it; the client may be freed. */
void peer_flush (peer_t *self);

/*  Frames that are not its own: at once when nothing waits, else behind what does. */
void peer_send_shared (peer_t *self, const void *bytes, size_t size);

/*  Its watch ended: a stream of events does so too. */
void peer_watch_ended (peer_t *self);

/*  No events now; peer_has_room follows. */
bool peer_is_full (const peer_t *self);

/*  Frees it when it is gone and nothing will be told to it. */
void peer_let_go (peer_t *self);

/*  It was told to come again: nothing is read of it for a moment. When it is worth another try, then. */
uint32_t peer_rest (peer_t *self, uint32_t retry_after_ms);

/*  Whether it may do one more of these; one that may not rests. */
troupe_status_t peer_may (peer_t *self, rate_class_t class, uint32_t *retry_after_ms, troupe_error_t *error)
    TROUPE_CHECKED;

void peer_say_error (peer_t *self, error_of_t of, uint64_t number, const troupe_error_t *error,
                       uint32_t retry_after_ms);

/*  Says nothing more and is closed; peer_gone follows. Unless it is being closed already. */
void peer_close (peer_t *self, uint16_t code, const char *text);

/*  Its token is no good: it is told so, and closed. */
void peer_fail_token (peer_t *self, const troupe_error_t *error);

/* ---- peer_call.c ---- */

/*  Tells it the outcome, now or later. */
void peer_call (peer_t *self, const client_message_t *message);

/*  Nobody is told what came of it. */
void peer_cast (peer_t *self, const client_message_t *message);

/*  An answer came in. */
void peer_answered (inbox_item_t *item);

/* ---- peer_end.c ---- */

/*  Closes those whose token has ended. Returns in how many ms the next may, or EDGE_NEVER. */
uint64_t peer_end_tokens (edge_t *edge, uint64_t now_ms);

/*  Closes those of whom an account said so, and gives others their new roles. */
void peer_end_all (edge_t *edge, const account_end_t *end);

/* ---- exchange.c ---- */

/*  Its answer came in. */
void exchange_answered (inbox_item_t *item);

/* ---- api_key.c ---- */

/*  What its account says came in. */
void api_key_told (inbox_item_t *item);

/* ---- sign_in.c ---- */

/*  What a flow asked for came in. */
void sign_in_told (inbox_item_t *item);

/* ---- feed.c ---- */

uint32_t feed_hash (const char *address, size_t address_size, const char *channel, size_t channel_size);

/*  NULL: nobody watches it. */
feed_t *feed_find (edge_t *edge, const char *address, const char *channel);

/*  The feed, with its count raised; NULL: no memory. */
feed_t *feed_join (edge_t *edge, const char *address, const char *channel, const troupe_channel_t *table,
                   watch_t *watch);
void feed_leave (feed_t *self, watch_t *watch);
void feed_heard (edge_t *edge, inbox_item_t *item);

/*  Frames of the events from `from` on, in `form`, for as many watchers as are as far. Returns the
 *  offset that comes after them. With `latest`: of each key the newest alone. */
uint64_t feed_gather (feed_t *self, codec_form_t form, uint64_t from, bool latest);

/*  It is looked at by the next flush. */
void feed_touch (feed_t *self);

/*  Sends what is new to all who may hear it now; the ms until the next try, or EDGE_NEVER. */
uint64_t feed_flush_all (edge_t *edge, uint64_t now_ms);

/* ---- presence.c ---- */

/*  Somebody is among the watchers now, or not any more. */
void presence_changed (feed_t *feed);

/*  When there is something to be told again, or EDGE_NEVER. */
uint64_t presence_flush (feed_t *feed, uint64_t now_ms);

/* ---- watch.c ---- */

void watch_begin (peer_t *peer, const client_message_t *message);
void watch_told (inbox_item_t *item);
/*  Goes on with what it lacks. */
void watch_go_on (watch_t *self);
/*  Of a feed whose node turned some away. */
void watch_try_again (watch_t *self);
/*  Its end: with a word why, or without one when the client wished it. */
void watch_cut (watch_t *self, const char *why);
void watch_end (watch_t *self);
/*  It has to ask anew. */
void watch_send_off (watch_t *self);
/*  The peer has another token: what it may not watch any more is cut. */
void watch_check_all (peer_t *peer);
/*  It may watch nothing any more. */
void watch_forbid_all (peer_t *peer, const troupe_error_t *error);
watch_t *watch_find (peer_t *peer, uint64_t feed_number);

#endif
