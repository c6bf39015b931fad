/*  actor.h - an actor in memory: its mailbox, its cached values, its cache.
 *
 *  An actor in memory is awake; asleep it is nothing but keys in the store.
 *  Small on purpose: a million of them sit idle in 200 MB. What few actors
 *  need (feeds, a delay before a retry, spilled mail) hangs on `more`.
 */
#ifndef RUNTIME_ACTOR_H
#define RUNTIME_ACTOR_H

#include "runtime/base/table.h"
#include "runtime/message.h"
#include "runtime/base/wheel.h"

enum {
    ACTOR_RUNNABLE = 1,       /* in the run queue */
    ACTOR_AWAKE = 2,          /* woken: the cache is built */
    ACTOR_HELD = 4,           /* waits for its retry: no turns until then */
    ACTOR_PARKED = 8,         /* set aside until an operator revives it */
    ACTOR_FRESH = 16,         /* in the list of actors with mail that is not recorded */
    ACTOR_VERSION_KNOWN = 32, /* the version of its state fits the code */
    ACTOR_HAS_STATE = 64,     /* its version is recorded */
    ACTOR_USED = 128,         /* ran since the sweep last passed */
    ACTOR_AWAY = 256          /* of a remote kind: its first message waits for a worker or is with one */
};

/*  Anything of a shard that waits for a time. */
typedef enum { DUE_RETRY, DUE_CALL, DUE_ASK, DUE_TIMER, DUE_SWEEP, DUE_SEAL, DUE_AWAY } due_type_t;

typedef struct {
    wheel_node_t node;
    due_type_t type;
} due_t;

/*  One value of the state, as the newest turn left it. */
typedef struct value_s {
    struct value_s *next;         /* in its bucket */
    struct value_s *dirty_next;   /* among those changed since the last frame */
    struct value_s *changed_next; /* among those changed by this turn */
    struct actor_s *actor;
    uint8_t *data;                /* from memory_alloc, COPY_SLACK bytes behind it; NULL: never had bytes */
    uint32_t size, capacity;
    uint32_t stored;              /* bytes of key and value in the store; 0: not there */
    uint32_t hash;
    bool is_absent;               /* known not to exist */
    bool is_dirty;                /* changed since the last frame */
    bool is_changed;              /* changed by this turn: `saved` holds what was before */
    bool was_absent;
    uint32_t saved_size;
    uint8_t *saved;               /* in the turn's arena, or the old `data` itself */
    uint16_t key_size;
    char key[];                   /* NUL-ended */
} value_t;

typedef struct feed_s {
    struct feed_s *next;
    const channel_t *channel;
    uint64_t head;      /* offset of the newest event; 0: none yet */
    uint64_t first;     /* offset of the oldest one kept; head + 1: none */
    uint64_t first_ms;  /* its time */
} feed_t;

typedef struct {
    due_t retry;
    struct actor_s *actor;
    feed_t *feeds;
    uint64_t spill_first;     /* number of the oldest message that is only on disk */
    uint64_t spill_count;
    uint64_t wake_since_ms;
    uint32_t wake_failures;
    char *reason;             /* why it is parked or held; memory_alloc */
    struct remote_s *remote;  /* of a remote kind: remote.c */
} actor_more_t;

typedef struct actor_s {
    table_node_t node;        /* in the shard's actors, by address */
    uint16_t flags;
    uint8_t address_size;
    uint8_t id_at;            /* where the id begins in the address */
    const kind_t *kind;       /* NULL: a kind that this node does not have */
    message_t *first, *last;  /* mailbox, in memory */
    message_t *fresh;         /* oldest of it that should be recorded with the frame; NULL: none */
    struct actor_s *fresh_next;
    void *values;             /* value_t *, or value_t ** when value_mask is not 0 */
    uint32_t value_count, value_mask;
    void *cache;
    actor_more_t *more;
    uint64_t frame;           /* newest frame that changed it: what it shows waits for that one */
    uint64_t next_number;     /* of the next recorded message */
    uint64_t mail_bytes;      /* of its recorded mail: quota.c */
    uint32_t state_steps;     /* of its state, about; known with the version */
    uint32_t mail;            /* messages in memory */
    uint32_t turns;           /* lately */
    char address[];           /* NUL-ended */
} actor_t;

/*  Bytes of an actor whose address has so many. */
static inline size_t
actor_size (size_t address_size)
{
#ifdef POOL_IS_MALLOC
    address_size += COPY_SLACK;  /* which may be read behind the address */
#endif
    return sizeof (actor_t) + address_size + 1;
}

/* ---- values: actor_values.c ---- */

static inline uint32_t
value_hash (const char *key, size_t key_size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key_size; i++)
        hash = (hash ^ (uint8_t) key[i]) * 16777619u;
    return hash;
}

value_t *value_find (const actor_t *actor, const char *key, size_t key_size);

/*  A new value, absent and clean; NULL when out of memory. The key is not there yet. */
value_t *value_add (pool_t *pool, actor_t *actor, const char *key, size_t key_size);

/*  Sets the bytes; false when out of memory (nothing changed). */
bool value_set (value_t *self, const void *bytes, size_t size);

void value_each (actor_t *actor, void (*each) (void *arg, value_t *value), void *arg);

/*  Frees all; none may be dirty. */
void value_free_all (pool_t *pool, actor_t *actor);

#endif
