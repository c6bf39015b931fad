/*  message.h - a message in a mailbox, and its bytes on disk and on links.
 *
 *  A message belongs to one shard and comes from its pool. It is taken by the
 *  mailbox that it is put in and freed when it was handled.
 */
#ifndef RUNTIME_MESSAGE_H
#define RUNTIME_MESSAGE_H

#include "runtime/base/buffer.h"
#include "runtime/base/bytes.h"
#include "runtime/base/pool.h"
#include "runtime/base/trace.h"
#include "runtime/registry.h"

enum {
    MESSAGE_DURABLE = 1,    /* written with a frame in which it waits: a turn or an accepted command made it */
    MESSAGE_RECORDED = 2,   /* is written: consuming it deletes its record */
    MESSAGE_CALL = 4,       /* from outside: `more` says which call */
    MESSAGE_QUESTION = 8,   /* its answer goes to `from` with the id `ask` */
    MESSAGE_ANSWER = 16,    /* the outcome of the question `ask` */
    MESSAGE_TICK = 32,      /* of a timer: `ask` is the timer's generation */
    MESSAGE_CAST = 64,      /* at most once */
    MESSAGE_TRACED = 128    /* belongs to a trace */
};

/*  Which call from outside a message is. */
typedef struct {
    uint8_t session[16];    /* zero: none; `seq` then is the message's id */
    uint64_t seq;
    uint64_t not_after_ms;
    char subject[];         /* NUL-ended */
} message_call_t;

typedef struct message_s {
    struct message_s *next;
    struct actor_s *to;
    uint64_t id;
    const verb_t *verb;     /* NULL: this kind has no such verb (any more) */
    uint64_t ask;
    uint64_t number;        /* in its mailbox, once it is recorded */
    message_call_t *call;   /* with MESSAGE_CALL, in the same block */
    uint32_t size;          /* of the whole block */
    uint32_t body_size;
    uint16_t body_at;       /* where in `data` the body begins */
    uint8_t flags;
    uint8_t outcome;        /* troupe_status_t of an answer */
    uint8_t attempts;       /* tries that failed */
    uint8_t from_size;
    char data[];            /* from NUL, [name of an unknown verb, or of a tick's timer, NUL], body, COPY_SLACK;
                               at the end of the block the trace, with MESSAGE_TRACED */
} message_t;

/*  All that a message says, borrowed from wherever it is. */
typedef struct {
    uint64_t id;
    uint64_t ask;
    uint8_t flags;
    uint8_t outcome;
    const char *to;         /* only in records of links */
    const char *from;
    const char *verb;
    uint8_t to_size, from_size, verb_size;
    const uint8_t *session; /* with MESSAGE_CALL: 16 bytes */
    uint64_t seq;
    uint64_t not_after_ms;
    const char *subject;
    uint8_t subject_size;
    const uint8_t *trace;   /* with MESSAGE_TRACED: TRACE_SIZE bytes */
    const void *body;
    uint32_t body_size;
} message_fields_t;

/*  A message of these fields for an actor of this kind; NULL when out of
 *  memory. The name in the fields is kept when the verb is unknown, and for a
 *  tick, where it is the timer's. */
message_t *message_new (pool_t *pool, const message_fields_t *fields, const verb_t *verb);

/*  The hot path: a message of one actor to another, of a known verb. Behind `from` and
 *  `body` there are COPY_SLACK bytes that may be read. */
static inline message_t *
message_new_told (pool_t *pool, const char *from, uint8_t from_size, const verb_t *verb, uint64_t id, uint8_t flags,
                  const void *body, uint32_t body_size)
{
    size_t size = sizeof (message_t) + from_size + 1u + body_size + COPY_SLACK;
    message_t *self = pool_alloc (pool, size);
    if (!self)
        return NULL;
    self->next = NULL;
    self->id = id;
    self->verb = verb;
    self->ask = flags & MESSAGE_QUESTION ? id : 0;
    self->number = 0;
    self->call = NULL;
    self->size = (uint32_t) size;
    self->body_size = body_size;
    self->body_at = from_size + 1;
    self->flags = flags;
    self->outcome = self->attempts = 0;
    self->from_size = from_size;
    copy_short (self->data, from, from_size + 1u);
    copy_short (self->data + from_size + 1, body, body_size);
    return self;
}

static inline void
message_free (pool_t *pool, message_t *self)
{
    pool_free (pool, self, self->size);
}

static inline const char *
message_from (const message_t *self)
{
    return self->data;
}

/*  NULL: it belongs to none. */
static inline const uint8_t *
message_trace (const message_t *self)
{
    return self->flags & MESSAGE_TRACED ? (const uint8_t *) self + self->size - TRACE_SIZE : NULL;
}

static inline const char *
message_tick_name (const message_t *self)
{
    return self->data + self->from_size + 1;
}

static inline const void *
message_body (const message_t *self)
{
    return self->body_size ? self->data + self->body_at : NULL;
}

/*  The name of its verb, also of an unknown one. */
const char *message_verb_name (const message_t *self);

void message_fields (const message_t *self, message_fields_t *fields);

/*  Bytes of the record of these fields, and the record into exactly so many bytes. */
size_t message_record_size (const message_fields_t *fields);
void message_record_write (const message_fields_t *fields, uint8_t *to);

/*  Reads one record from the front; the bytes that it took, or 0 when they are bad. Trusts nothing. */
size_t message_record_read (const uint8_t *bytes, size_t size, message_fields_t *fields);

#endif
