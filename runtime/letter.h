/*  letter.h - what crosses the border of a shard: letters in its inbox.
 *
 *  A letter is made by any thread, posted with shard_post, and from then on
 *  the shard's.
 */
#ifndef RUNTIME_LETTER_H
#define RUNTIME_LETTER_H

#include "runtime/base/inbox.h"
#include "runtime/port/remote.h"
#include <troupe.h>

typedef enum {
    LETTER_CALL,    /* call_t: a call from outside */
    LETTER_PARCEL,  /* parcel_t: messages over a link */
    LETTER_ACK,     /* link_note_t: taken up to here by a durable frame */
    LETTER_HELLO,   /* link_note_t: what have you taken of my link to you? */
    LETTER_CUT,     /* link_note_t: the road to `from` broke; ask it anew */
    LETTER_REMOTE,  /* remote_letter_t: what became of an offer to a worker */
    LETTER_ERRAND   /* errand_t: a function to run on the shard's thread */
} letter_type_t;

typedef inbox_item_t letter_t;

/*  A call from outside, one allocation with all that it points to. */
typedef struct call_s {
    letter_t letter;
    troupe_call_t asked;         /* strings and body point into this block */
    uint64_t id;                 /* message id */
    uint64_t submitted_ns;       /* monotonic, sampled; 0: not measured */
    uint64_t head;               /* of asked.channel */
    struct call_s *next_waiter;  /* twins that wait for one answer */
} call_t;

/*  A copy of `asked` in one block; NULL when out of memory. */
call_t *call_new (const troupe_call_t *asked, uint64_t id);

/*  Tells the caller, exactly once, and frees the call. Any thread. */
void call_finish (call_t **self_p, troupe_status_t status, const void *body, size_t size, const char *text,
                  uint32_t retry_after_ms);

/*  Messages from one shard to another, encoded by message_encode one after the other. */
typedef struct {
    letter_t letter;
    uint16_t from;
    uint16_t to;         /* between nodes alone */
    uint64_t first;      /* number of the first numbered message in it; casts carry none */
    uint32_t count;      /* numbered messages */
    size_t size;
    uint8_t bytes[];
} parcel_t;

typedef struct {
    letter_t letter;
    uint16_t from;       /* the shard that says it */
    uint16_t to;         /* between nodes alone */
    bool to_hello;       /* an ack that answers a hello */
    uint64_t mark;
} link_note_t;

typedef struct {
    letter_t letter;
    remote_token_t token;
    remote_end_t end;
    troupe_status_t status;
    char address[TROUPE_ADDRESS_MAX + 1];
    char text[sizeof ((troupe_error_t *) 0)->text];
    size_t size;
    uint8_t effects[];
} remote_letter_t;

/*  A copy of all; NULL when out of memory, or when this is no address. Effects that are too large become a failure. */
remote_letter_t *remote_letter_new (const char *address, const remote_token_t *token, const remote_outcome_t *outcome);

/*  Runs on the shard's thread between turns (with NULL when the shard is
 *  destroyed before: only free); then `run` owns the errand again
 *  and frees it or hands it back. What it tells the outside must wait with
 *  shard_release_after. */
struct shard_s;
typedef struct errand_s {
    letter_t letter;
    void (*run) (struct shard_s *shard, struct errand_s *errand);
} errand_t;

#endif
