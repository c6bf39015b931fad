/*  inside.h - the inside of a shard, for the files that are the shard.
 *
 *  One thread at a time; the shared fields at the top are the only exception.
 *  What each file does:
 *      shard.c     life, the step, seal, watermarks
 *      map.c       the ordered map: what is put, deleted, read, walked
 *      actors.c    found, made, put to sleep
 *      mailbox.c   deliver, record, spill, refill; the run queue
 *      turn.c      one message handled: run, commit, undo, fail
 *      effects.c   tell, cast, ask, reply, timers, publish: what a turn asks for
 *      values.c    load, store, walk: what a turn sees
 *      call.c      calls from outside and their records
 *      ask.c       questions between actors
 *      timer.c     durable timers
 *      feed.c      events and their history
 *      link.c      messages to and from other shards
 *      release.c   what waits for a frame to be durable
 *      dead.c      dead letters
 *      remote.c    turns of kinds that workers outside of the process serve
 *      remote_effects.c  what they ask for, applied
 *      quota.c     what may pile up, and kinds that send without end
 *      inspect.c   looking at all of it
 *      trail.c     turns as they run, for who follows them
 */
#ifndef RUNTIME_INSIDE_H
#define RUNTIME_INSIDE_H

#include "runtime/actor.h"
#include "runtime/base/arena.h"
#include "runtime/body/shape.h"
#include "runtime/keys.h"
#include "runtime/lane.h"
#include "runtime/overlay.h"
#include "runtime/shard.h"
#include <stdarg.h>

#define HASH_SEED_MEMORY 0x7472u /* of tables in memory; not part of any format */
#define LOG_TEXT_SIZE 1001       /* of a line that a turn writes */

/* ---- a turn ---- */

typedef enum {
    EFFECT_TIMER_SET,
    EFFECT_TIMER_CANCEL,
    EFFECT_EVENT,
    EFFECT_ASK,
    EFFECT_ANSWER
} effect_type_t;

typedef struct effect_s {
    struct effect_s *next;
    effect_type_t type;
    const void *body;             /* in the turn's arena */
    size_t size;
    union {
        struct {
            const char *name;
            const verb_t *verb;
            uint64_t due_ms, period_ms, generation;
            troupe_tick_t missed;
        } timer;
        struct {
            const channel_t *channel;
            const char *key;
            bool is_permit;       /* none, but .permit has changed */
        } event;
        struct {
            uint64_t id, due_ms;
            const verb_t *then;
        } ask;
        struct {
            const char *caller;   /* "ask:..." or "call:..." */
            troupe_status_t status;
        } answer;
    };
} effect_t;

typedef enum {
    TURN_MESSAGE,   /* a verb handles a message */
    TURN_WAKE,      /* reads only */
    TURN_UPGRADE
} turn_type_t;

struct troupe_turn_s {
    shard_t *shard;
    actor_t *actor;
    message_t *message;      /* NULL in wake and upgrade */
    const verb_t *verb;      /* likewise */
    uint64_t id;             /* what strikes are counted against */
    uint64_t dice;           /* what its dice and ids are made of */
    turn_type_t type;
    bool read_only;
    /* zero when it begins: from `bytes` to `first_effect` */
    size_t bytes;            /* counted against TROUPE_TURN_MAX */
    uint32_t effects;        /* counted against TROUPE_EFFECTS_MAX */
    uint32_t ordinal;        /* of the next of its dice and ids */
    bool poisoned;
    bool is_blind;           /* poisoned because memory or the store failed: it may have seen wrong values */
    bool needs_upgrade;      /* touched state of an older version: run again after the upgrade */
    bool replied, later;
    message_t *out;          /* for actors of this shard */
    value_t *changed;
    effect_t *first_effect;
    message_t *out_last;
    effect_t *last_effect;
    buffer_t away;           /* for other shards: u16 shard, u32 size, record, ... */
    buffer_t reply;
    buffer_t scratch;
    arena_t arena;
    troupe_error_t error;    /* of a refusal, a failure, or the first failed effect or the first that blinded it */
    char caller[TROUPE_CALLER_MAX];
};

/*  Of the message in hand; NULL: there is none. */
static inline const uint8_t *
turn_trace (const troupe_turn_t *turn)
{
    return turn->message ? message_trace (turn->message) : NULL;
}

/* ---- what waits for a frame ---- */

typedef enum {
    OUTPUT_ANSWER,  /* a call is finished */
    OUTPUT_LINK,    /* messages may travel a link */
    OUTPUT_TAKEN,   /* a link's messages are acknowledged */
    OUTPUT_EVENT,   /* an event may be pushed */
    OUTPUT_RUN,     /* shard_release_after */
    OUTPUT_FORGIVE, /* strikes against a message are dropped */
    OUTPUT_OFFER    /* the first message of an actor may be shown to a worker */
} output_type_t;

typedef struct output_s {
    struct output_s *next;
    output_type_t type;
    uint32_t size;               /* of this block in the pool */
    union {
        struct {
            call_t *call;
            troupe_status_t status;
            uint32_t body_size, text_size;
        } answer;                /* bytes: body, text NUL */
        struct {
            parcel_t *parcel;    /* NULL: the link lags, its outbox is read later */
            uint16_t to;
            uint64_t given;      /* newest message in this frame */
        } link;
        struct {
            uint16_t from;
            uint64_t mark;
        } taken;
        struct {
            const channel_t *channel;
            uint64_t offset;
            uint32_t address_size, key_size, body_size;
            bool has_key;
        } event;                 /* bytes: address NUL key NUL body */
        uint64_t forgiven;           /* id of the message */
        actor_t *offered;
        struct {
            void (*run) (void *arg, bool is_durable);
            void *arg;
        } run;
    };
    uint8_t bytes[];
} output_t;

/* ---- records in memory ---- */

/*  A call from outside that is accepted, and kept until its not-after time. */
typedef struct call_entry_s {
    table_node_t node;           /* by session and seq */
    due_t expiry;
    uint8_t session[16];         /* zero: none */
    uint64_t seq;
    uint64_t not_after_ms;
    call_t *waiters;             /* twins, oldest first */
    struct call_entry_s *fresh_prev, *fresh_next;  /* pending and not recorded yet */
    bool is_pending;
    bool is_kept;                /* recorded, with its outcome; or else it goes with the answer */
    bool is_fresh;               /* in that list */
} call_entry_t;

typedef struct ask_s {
    table_node_t node;           /* by id */
    due_t deadline;
    uint64_t id;
    uint64_t due_ms;
    const verb_t *then;
    struct ask_s *fresh_prev, *fresh_next;
    bool is_fresh;               /* not recorded yet */
    bool is_recorded;
    uint8_t address_size;
    char address[];              /* who asked */
} ask_t;

typedef struct stored_timer_s {
    table_node_t node;           /* by address and name */
    due_t due;
    uint64_t due_ms, period_ms, generation;
    const verb_t *verb;          /* NULL: the kind or verb is gone; it waits */
    uint8_t missed;
    bool in_mail;                /* its tick waits in the mailbox */
    uint8_t address_size, name_size, verb_size;
    uint32_t body_size;
    char texts[];                /* address NUL name NUL verb NUL body */
} stored_timer_t;

/*  The road to and from one other shard. Numbers of messages grow by one:
 *  acked <= carried <= planned <= given, and carried <= durable <= given. */
typedef struct link_s {
    /* out */
    uint64_t given;         /* newest message of a turn */
    uint64_t planned;       /* newest one that was sent off or stands in a parcel of an undurable frame */
    uint64_t durable;       /* newest one in a durable frame */
    uint64_t carried;       /* newest one that was sent off */
    uint64_t acked;         /* newest one that the other has durably taken */
    uint64_t in_flight;     /* bytes sent off and not acknowledged */
    struct flight_s *flights, *flights_last;  /* parcels sent off, oldest first */
    buffer_t building;      /* records of the open frame */
    uint64_t building_first;
    uint32_t building_count;  /* numbered ones */
    bool is_asking;         /* a hello is out: nothing is carried until its answer */
    bool gave_in_open;
    /* in */
    bool took_in_open;
    uint64_t taken;         /* newest message taken, maybe not durably yet */
    uint64_t taken_durable;
    bool is_open;           /* in the list of links of the open frame */
    struct link_s *open_next;
    uint16_t peer;
} link_t;

typedef struct flight_s {
    struct flight_s *next;
    uint64_t last;
    size_t size;
} flight_t;

/*  Where a told address and verb led the last time, by the place of their
 *  text. The text is compared again: the place may hold another by now. All are
 *  forgotten when an actor leaves memory, since it may be one of them. */
#define RESOLVED_MOST 1024

typedef struct {
    const char *to;         /* NULL: nothing is known */
    actor_t *actor;
    const verb_t *verb;
} resolved_t;

/* ---- remote kinds ---- */

typedef enum {
    REMOTE_HERE,        /* not away: nothing is out */
    REMOTE_AT_FRAME,    /* what it shows is not durable yet */
    REMOTE_AT_DOOR,     /* the port had no room */
    REMOTE_AT_WORKER    /* offered, with this token */
} remote_place_t;

/*  Of an actor of a remote kind. */
typedef struct remote_s {
    due_t due;                  /* the attempt's end */
    actor_t *actor;
    struct remote_s *next;      /* at the door */
    remote_place_t place;
    remote_token_t token;
    uint64_t message;           /* id of the one that was offered */
    uint32_t kind_version;      /* with which it was offered */
    uint32_t state_version;     /* of the kind that wrote the state; 0: there is none */
    uint64_t version;           /* names the state in this boot; 0: not looked at yet */
    uint64_t state_bytes;       /* of its packed state, at most */
    bool has_waited;            /* at the door: it keeps its place there */
    bool is_state_wanted;       /* whatever the port holds */
    bool is_back;               /* with `letter`, or without one: lost, for this reason */
    const char *reason;         /* a literal */
    remote_letter_t *letter;
} remote_t;

typedef struct {
    remote_t *first, *last;
} remote_queue_t;

/* ---- the shard ---- */

#define SHARD_SAMPLE_MASK 63u  /* reading the clock around each turn costs more than many turns do */

typedef struct trail_s trail_t;

struct shard_s {
    /* fixed after start */
    uint16_t number;
    uint32_t shards;
    uint64_t hash_seed;
    uint64_t store_hash;     /* of store id, epoch and shard: in every generated id */
    uint64_t boot;
    const registry_t *registry;
    const recorder_t *recorder;
    state_port_t *state;
    const remote_port_t *remote;  /* NULL: no kind is remote */
    shard_world_t world;
    shard_limits_t limits;

    /* shared: atomic */
    inbox_t inbox;
    _Atomic uint64_t taken;     /* newest frame that left the journal's queue; pairs with watermarks () */
    _Atomic uint64_t durable;   /* newest durable frame */
    _Atomic uint64_t folded;    /* newest frame in the state */
    _Atomic int door;           /* troupe_status_t; not OK: why calls are refused; released after its text */
    _Atomic (const char *) door_text;

    /* owner: shard */
    uint64_t now_ms;
    recorder_slot_t *slot;      /* of the worker that steps it */
    troupe_error_t failure;     /* not OK: the node must stop */
    state_view_t *view;
    bool view_held;
    overlay_t overlay;
    pool_t pool;
    table_t actors;
    table_hand_t sweep_hand;

    frame_t *open;              /* always there; its number is the next */
    size_t noted;               /* bytes of its body that the overlay knows */
    frame_t *unfolded;          /* sealed ones, oldest first; `open` is not among them */
    frame_t *newest;
    frame_t *undurable;         /* oldest sealed one whose outputs wait */
    uint64_t sealed;            /* number of the newest sealed frame */
    uint64_t released;          /* newest frame whose outputs left */
    uint64_t evicted;           /* newest frame whose entries left the overlay */
    uint64_t undurable_bytes, unfolded_bytes;
    uint64_t dirty_bytes;       /* of values changed since the last frame */
    uint64_t fresh_bytes;       /* of mail that is written when the frame closes, if it still waits then */
    uint64_t mail_bytes, mail_count;  /* of recorded mail */
    uint64_t mail_trip;         /* bytes of it from which a runaway kind is looked for again */
    bool *parked_kinds;         /* by index in the registry */
    bool has_parked_kind;
    remote_queue_t *rooms;      /* who waits for room at the port, by index of the kind */
    uint64_t spilled;           /* newest frame that mail was spilled into */
    uint64_t remote_versions;   /* newest number of a state of a remote kind */
    bool wanted;                /* somebody waits for the open frame */
    bool wanted_soon;           /* nobody does, but it changes something: it closes in a moment */
    due_t seal;                 /* the end of that moment */
    uint64_t soon_until_ms;     /* and of the last one */

    value_t *dirty;             /* values changed since the last frame */
    actor_t *fresh;             /* actors with mail to be recorded */
    call_entry_t *fresh_calls;
    ask_t *fresh_asks;
    link_t *open_links;         /* given to or taken from in the open frame */

    actor_t **run;              /* run queue: a ring */
    uint32_t run_head, run_count, run_capacity;
    uint32_t burst;             /* turns since the oldest was last taken */

    wheel_t wheel;
    table_t calls, asks, timers;
    lanes_t lanes;
    due_t sweep;
    uint32_t sweep_left;        /* buckets still to look at in this pass */
    link_t **links;             /* by shard; NULL: none yet */
    uint64_t dead_next, dead_first, dead_bytes, dead_count;
    uint32_t sample;            /* counts turns */
    uint32_t sample_mask;       /* how often one is measured; 0: all are, since somebody follows them */
    uint64_t began_ns, took_ns; /* of the measured one in hand */
    trail_t *trails;            /* who follows turns */

    troupe_turn_t turn;
    shapes_t shapes;
    bool has_resolved;          /* anything */
    resolved_t resolved[RESOLVED_MOST];
    metrics_t metrics;
};

/* ---- shard.c ---- */

/*  Of the table in memory alone, so that it may be short: eight bytes a step.
 *  Seeded anew at each start, since strangers choose ids. Addresses that differ in their
 *  last byte alone are neighbours in the table: who needs one mostly needs the next. */
static inline uint32_t
address_table_hash (const shard_t *self, const char *address, size_t size)
{
    uint64_t hash = self->boot ^ size, word;
    uint8_t last = (uint8_t) address[--size];
    for (; size >= 8; address += 8, size -= 8) {
        memcpy (&word, address, 8);
        hash = hash_mix (hash, word);
    }
    for (word = 0; size > 0; size--)
        word = word << 8 | (uint8_t) *address++;
    hash = hash_mix (hash, word);
    return (uint32_t) (hash ^ hash >> 32) + last;
}

void shard_fail (shard_t *self, troupe_status_t status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/*  Changes of the map; they join the open frame at once. */
void shard_put (shard_t *self, const store_key_t *key, const void *value, size_t size);
uint8_t *shard_put_place (shard_t *self, const store_key_t *key, size_t size);  /* NULL: the shard failed */
void shard_delete (shard_t *self, const store_key_t *key);

/*  Whether the bounds let one more call be taken that is written with the open frame. */
bool shard_has_room (const shard_t *self);

/*  The open frame must be written, but nobody waits for it yet. */
void shard_want_soon (shard_t *self);

/*  Newest value of a key, the open frame included; borrowed until the next change
 *  of the map. `frame` (may be NULL): which unfolded frame says it, else 0. */
bool shard_get (shard_t *self, const store_key_t *key, const uint8_t **value, size_t *size, uint64_t *frame);

/*  The overlay hears of all that was put and deleted. False: the shard failed. */
bool shard_catch_up (shard_t *self);

/*  All keys with this prefix, in order, borrowed for the call: `each` may neither change nor
 *  read the map. It returns false to stop. False: the shard failed. */
typedef bool (shard_each_t) (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size);
bool shard_scan (shard_t *self, const void *prefix, size_t prefix_size, shard_each_t *each, void *arg);

/*  The actor of this address in memory, made when it is not. NULL: out of memory. */
actor_t *shard_actor (shard_t *self, const char *address, size_t size);
actor_t *shard_find_actor (shard_t *self, const char *address, size_t size);
actor_t *shard_new_actor (shard_t *self, const char *address, size_t size);  /* it is not in memory yet */
void actors_sweep (shard_t *self);        /* a bit of a pass that puts idle ones to sleep */
void actors_sweep_begin (shard_t *self);
void actors_drop_all (shard_t *self);     /* memory only */
actor_more_t *actor_more (shard_t *self, actor_t *actor);  /* NULL: out of memory */

/* ---- mailbox.c ---- */

/*  Takes the message. */
static inline void mailbox_deliver (shard_t *self, actor_t *actor, message_t *message);
static inline void mailbox_make_runnable (shard_t *self, actor_t *actor);
/*  Takes the handled message off the front: its record goes, it is freed. */
static inline void mailbox_consume (shard_t *self, actor_t *actor);
/*  Writes all waiting mail that should be into the open frame. */
void mailbox_record_all (shard_t *self);
void mailbox_load (shard_t *self, actor_t *actor);   /* more of what was spilled */
bool mailbox_start (shard_t *self);
uint64_t mailbox_count (const actor_t *actor);       /* spilled ones included */
void mailbox_drop_all (shard_t *self, actor_t *actor);  /* memory only */

/*  The common cases of the above, and what they leave to mailbox.c. */
bool mailbox_grow_run (shard_t *self);
void mailbox_deliver_full (shard_t *self, actor_t *actor, message_t *message);
void mailbox_consumed (shard_t *self, actor_t *actor, const message_t *message);

static inline void
mailbox_make_runnable (shard_t *self, actor_t *actor)
{
    if (actor->flags & (ACTOR_RUNNABLE | ACTOR_HELD | ACTOR_PARKED | ACTOR_AWAY))
        return;
    if (__builtin_expect (self->run_count == self->run_capacity, 0) && !mailbox_grow_run (self))
        return;
    self->run[(self->run_head + self->run_count) & (self->run_capacity - 1)] = actor;
    self->run_count += 1;
    actor->flags |= ACTOR_RUNNABLE;
}

static inline bool
message_is_fresh (const message_t *message)
{
    return (message->flags & (MESSAGE_DURABLE | MESSAGE_RECORDED)) == MESSAGE_DURABLE;
}

static inline void
mailbox_append (actor_t *actor, message_t *message)
{
    message->next = NULL;
    if (actor->last)
        actor->last->next = message;
    else
        actor->first = message;
    actor->last = message;
    actor->mail += 1;
}

/*  What comes now goes to disk, or away. */
static inline bool
mailbox_spills (const shard_t *self, const actor_t *actor)
{
    return (actor->more && actor->more->spill_count) || actor->mail >= self->limits.mailbox_messages;
}

static inline void
mailbox_deliver (shard_t *self, actor_t *actor, message_t *message)
{
    if (__builtin_expect (mailbox_spills (self, actor), 0)) {
        mailbox_deliver_full (self, actor, message);
        return;
    }
    mailbox_append (actor, message);
    if (message->flags & MESSAGE_DURABLE) {
        self->fresh_bytes += message->size;
        if (!actor->fresh)
            actor->fresh = message;
        if (!(actor->flags & ACTOR_FRESH)) {
            actor->flags |= ACTOR_FRESH;
            actor->fresh_next = self->fresh;
            self->fresh = actor;
        }
    }
    mailbox_make_runnable (self, actor);
}

static inline void
mailbox_consume (shard_t *self, actor_t *actor)
{
    message_t *message = actor->first;
    actor->first = message->next;
    if (!actor->first)
        actor->last = NULL;
    actor->mail -= 1;
    if (actor->fresh == message)
        actor->fresh = message->next;
    if (message_is_fresh (message))
        self->fresh_bytes -= message->size;
    if ((message->flags & MESSAGE_RECORDED) || actor->more)
        mailbox_consumed (self, actor, message);
    message_free (&self->pool, message);
}

/* ---- turn.c ---- */

/*  Handles the first message of the mailbox; returns false when the actor
 *  cannot go on now (held, parked). */
bool turn_run_next (shard_t *self, actor_t *actor);
void turn_drop_cache (shard_t *self, actor_t *actor);
uint64_t turn_id_of_actor (const shard_t *self, const actor_t *actor, turn_type_t type);
void actor_park (shard_t *self, actor_t *actor, const char *reason);
void actor_unhold (shard_t *self, actor_more_t *more);

/* ---- effects.c, values.c ---- */

/*  The general way to pack a body of at most so many bytes, and to read one. */
bool turn_pack (troupe_turn_t *turn, buffer_t *to, size_t most, const char *format, va_list arguments);
troupe_status_t turn_read (troupe_turn_t *turn, const void *body, size_t size, const char *format, va_list arguments);

/*  Packs the arguments behind `format` of the function that it stands in. False: the turn is poisoned. */
#define TURN_PACK(turn, to, most, format)                                      \
    ({                                                                         \
        va_list arguments;                                                     \
        va_start (arguments, format);                                          \
        buffer_reset (to);                                                     \
        bool packed = shape_pack (&(turn)->shard->shapes, to, format, arguments); \
        va_end (arguments);                                                    \
        if (__builtin_expect (!packed || (to)->size > (most), 0)) {            \
            va_start (arguments, format);                                      \
            packed = turn_pack (turn, to, most, format, arguments);            \
            va_end (arguments);                                                \
        }                                                                      \
        packed;                                                                \
    })

/*  Reads into the arguments behind `format`, as troupe_unpack does. */
#define TURN_READ(turn, body, size, format)                                    \
    ({                                                                         \
        va_list arguments;                                                     \
        va_start (arguments, format);                                          \
        bool read = shape_read (&(turn)->shard->shapes, body, size, &(turn)->arena, format, arguments); \
        va_end (arguments);                                                    \
        troupe_status_t status = TROUPE_OK;                                    \
        if (__builtin_expect (!read, 0)) {                                     \
            va_start (arguments, format);                                      \
            status = turn_read (turn, body, size, format, arguments);          \
            va_end (arguments);                                                \
        }                                                                      \
        status;                                                                \
    })

troupe_status_t turn_poison (troupe_turn_t *turn, troupe_status_t status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
void turn_answer_caller (shard_t *self, const actor_t *actor, const effect_t *effect);
/*  The text that troupe_answer takes for whoever waits for the reply to this message; "": nobody does. */
void message_caller (const message_t *message, char caller[TROUPE_CALLER_MAX]);
void values_undo (troupe_turn_t *turn);
void values_commit (troupe_turn_t *turn);
void values_seal (shard_t *self);
/*  The recorded version of the actor's state, its kind's own when nothing is
 *  recorded; false when the store cannot be read. Recording it joins the open frame. */
bool values_version (shard_t *self, actor_t *actor, uint32_t *version);
void values_write_version (shard_t *self, const actor_t *actor);

/* ---- call.c ---- */

void call_admit (shard_t *self, call_t *call);
void call_complete (shard_t *self, const uint8_t session[16], uint64_t seq, uint64_t wait_frame,
                    troupe_status_t status, const void *body, size_t size, const char *text);
/*  Whoever waits for this call hears that its actor is parked; the call itself stays accepted. */
void call_tell_parked (shard_t *self, const uint8_t session[16], uint64_t seq, const char *reason);
void call_record_fresh (shard_t *self);
void call_expire (shard_t *self, call_entry_t *entry);
bool call_start (shard_t *self);
void call_drop_all (shard_t *self);
bool call_is_sessionless (const uint8_t session[16]);

/* ---- ask.c ---- */

void ask_begin (shard_t *self, const actor_t *actor, uint64_t id, const verb_t *then, uint64_t due_ms);
/*  An answer arrived (or its deadline passed): the asker gets its message, once. */
void ask_resolve (shard_t *self, uint64_t id, troupe_status_t outcome, const void *body, size_t size,
                  uint64_t message_id, const char *from, size_t from_size, const uint8_t *trace);
void ask_answer (shard_t *self, const actor_t *from, const char *to, size_t to_size, uint64_t ask,
                 troupe_status_t outcome, const void *body, size_t size, uint64_t parent_id);
void ask_error_body (buffer_t *to, const char *text);  /* {"error": text} */
void ask_due (shard_t *self, ask_t *ask);
void ask_record_fresh (shard_t *self);
bool ask_start (shard_t *self);
void ask_drop_all (shard_t *self);

/* ---- timer.c ---- */

void timer_set (shard_t *self, const actor_t *actor, const effect_t *effect);
void timer_cancel (shard_t *self, const actor_t *actor, const char *name);
void timer_due (shard_t *self, stored_timer_t *timer);
/*  Whether the tick still belongs to its timer; handled ticks move the timer on. */
bool timer_tick_is_live (shard_t *self, const actor_t *actor, const message_t *tick);
void timer_tick_done (shard_t *self, const actor_t *actor, const message_t *tick);
bool timer_start (shard_t *self);
void timer_drop_all (shard_t *self);
/*  A tick that found the mailbox full comes again a little later. */
void timer_put_off (shard_t *self, const actor_t *actor, const message_t *tick);

/* ---- feed.c ---- */

void feed_publish (shard_t *self, actor_t *actor, const effect_t *effect);

/*  Offset of its newest event, in the open frame too; 0: none yet. */
uint64_t feed_head (shard_t *self, const char *address, const char *channel);

/* ---- link.c ---- */

/*  A record (message_record_write, `to` included) joins the open frame for another shard. */
void link_give (shard_t *self, uint16_t to, const uint8_t *record, size_t size, bool is_cast);
void link_give_fields (shard_t *self, uint16_t to, const message_fields_t *fields);
void link_seal (shard_t *self);
void link_released (shard_t *self, output_t *output);
void link_take (shard_t *self, parcel_t *parcel);
void link_acked (shard_t *self, const link_note_t *note);
void link_hello (shard_t *self, const link_note_t *note);
void link_cut (shard_t *self, const link_note_t *note);
bool link_start (shard_t *self);
void link_ask_all (shard_t *self);
void link_drop_all (shard_t *self);

/* ---- release.c ---- */

/*  Queues an output behind a frame, or lets it go at once when that frame is durable. Takes it. */
void release_after (shard_t *self, output_t *output, uint64_t frame);
output_t *output_new (shard_t *self, output_type_t type, size_t bytes);
void release_frames (shard_t *self, uint64_t durable);
/*  Answers a call behind a frame; takes the call. */
void release_answer (shard_t *self, call_t *call, uint64_t frame, troupe_status_t status, const void *body,
                     size_t size, const char *text);
void release_drop (shard_t *self, frame_t *frame);
/*  The strikes against a message that the open frame consumes go when that is durable. */
void release_forgive (shard_t *self, uint64_t message);

/* ---- dead.c ---- */

void dead_letter (shard_t *self, const actor_t *actor, const message_t *message, const char *reason);
void dead_record (shard_t *self, const message_fields_t *fields, const char *to, size_t to_size, const char *reason,
                  uint32_t attempts);
bool dead_start (shard_t *self);

/* ---- remote.c ---- */

/*  Whether the outcome of the first message is here, to be run as its turn. */
bool remote_is_back (actor_t *actor);
/*  Sets the actor aside and offers its first message, once that may be shown. True: it is here again. */
bool remote_begin (shard_t *self, actor_t *actor);
void remote_offer (shard_t *self, actor_t *actor);
/*  An outcome; takes the letter. */
void remote_take (shard_t *self, remote_letter_t *letter);
void remote_due (shard_t *self, remote_t *remote);
void remote_free (shard_t *self, actor_t *actor);
/*  Effects of a worker, through the public API. */
troupe_status_t remote_apply (troupe_turn_t *turn, const void *effects, size_t size);
/*  The kind of these timers and asks came while the node runs. */
void timer_renew (shard_t *self, const kind_t *kind);

/* ---- quota.c ---- */

/*  A message is recorded, or its record goes. */
void quota_mail (shard_t *self, actor_t *actor, const message_fields_t *fields, bool is_more);
/*  A changed value is written. */
void quota_value (shard_t *self, value_t *value);
/*  State and mail of an actor, about; that of its state is known once it was used. */
uint64_t quota_bytes (const actor_t *actor);
/*  Why calls that are not reads are refused; NULL: they are not. */
const char *quota_refuses (const shard_t *self, const actor_t *actor);
bool quota_holds_timers (const shard_t *self, const actor_t *actor);
/*  After mail was recorded: parks the kind that sent most of it when it is too much. */
void quota_look_at_mail (shard_t *self);
/*  While has_parked_kind: why this actor's kind is parked; NULL: it is not. */
const char *quota_parked (const shard_t *self, const actor_t *actor);

/* ---- inspect.c ---- */

void actor_revive (shard_t *self, actor_t *actor);

/* ---- trail.c ---- */

/*  The turn in hand has run with this outcome; nothing of it has joined a frame or is undone. Only with trails. */
void trail_turn (shard_t *self, troupe_status_t status);
void trail_drop_all (shard_t *self);

#endif
