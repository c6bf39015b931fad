/*  exchange.h - one call and its one answer, for carriers that have no conversation: HTTP.
 *
 *  Of the gateway's thread.
 */
#ifndef TRANSPORTS_EDGE_EXCHANGE_H
#define TRANSPORTS_EDGE_EXCHANGE_H

#include "transports/edge/edge.h"

typedef struct exchange_s exchange_t;

typedef struct {
    const identity_t *who;
    const char *to, *verb;
    const void *body;        /* packed; borrowed */
    size_t size;
    const char *trace;       /* a traceparent, or "" */
    const char *key;         /* the same call with the same key runs once; "": no promise */
} exchange_call_t;

/*  How it ended; the buffer may be taken. */
typedef struct {
    troupe_status_t status;
    uint32_t retry_after_ms;
    bool is_limited;         /* by a limit of this client, not by what all have together */
    buffer_t text;           /* JSON; of an error what was said, with a NUL */
} exchange_answer_t;

/*  Who a token stands for, that came from this address. TROUPE_FORBIDDEN, and the audit log has it; TROUPE_OVERLOADED:
 *  too many that are no good came from there, or there is no memory. */
troupe_status_t edge_identify (edge_t *edge, const char *token, const void *address, size_t size, identity_t *who,
                               troupe_error_t *error) TROUPE_CHECKED;

/*  Whether this client may ask for one more of the class; TROUPE_OVERLOADED and when again. */
troupe_status_t edge_may (edge_t *edge, rate_class_t class, const identity_t *who, const void *address, size_t size,
                          uint32_t *retry_after_ms, troupe_error_t *error) TROUPE_CHECKED;

/*  What a verb is; NULL and an error. It lives as long as the node. */
const troupe_verb_t *edge_verb (edge_t *edge, const char *address, const char *name, troupe_error_t *error);

/*  The store's. */
const char *edge_epoch (const edge_t *edge);

/*  Checks the permission and submits it. TROUPE_OK: `done` is called once, from edge_drain, unless the exchange is left
 *  before, and the exchange is gone then. Otherwise there is none. */
troupe_status_t exchange_begin (edge_t *edge, const exchange_call_t *call,
                                void (*done) (void *arg, exchange_answer_t *answer), void *arg, exchange_t **self_p,
                                troupe_error_t *error) TROUPE_CHECKED;

/*  Nobody waits for the answer any more. What was submitted is run all the same. */
void exchange_leave (exchange_t **self_p);

#endif
