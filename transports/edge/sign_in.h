/*  sign_in.h - how somebody gets a token: by password, refresh token, device or API key. What is behind /auth/.
 *
 *  Of the gateway's thread. Who may come in stands in the actors of the kind `login` (actors/login.h); passwords are
 *  hashed on a helper thread. What clients send and get: doc/protocol.md.
 */
#ifndef TRANSPORTS_EDGE_SIGN_IN_H
#define TRANSPORTS_EDGE_SIGN_IN_H

#include "runtime/body/packed.h"
#include "transports/auth/tokens.h"
#include "transports/edge/edge.h"
#include "transports/edge/exchange.h"

#define SIGN_IN_BODY_MOST 8192   /* bytes of a request */

typedef struct {
    const tokens_t *tokens;      /* lives longer */
    bool may_register;           /* whoever comes may make an account */
    uint64_t access_ms, refresh_ms;
    /* One line for the audit log, without secrets. */
    void (*audit) (void *arg, const char *line);
    void *arg;
} sign_in_options_t;

typedef struct sign_in_s sign_in_t;
typedef struct sign_in_flow_s sign_in_flow_t;

/*  After edge_attach, before the first client. NULL and an error. */
sign_in_t *sign_in_new (edge_t *edge, const sign_in_options_t *options, troupe_error_t *error);

/*  When no more clients come. What is in hand ends with edge_destroy. */
void sign_in_destroy (sign_in_t **self_p);

/*  The edge's; NULL: nobody can sign in here. */
sign_in_t *edge_sign_in (const edge_t *edge);

typedef struct {
    const char *what;            /* "login": the path behind /auth/ */
    packed_reader_t body;        /* an object; borrowed */
    const identity_t *who;       /* of the token that came along */
    const char *from;            /* the address, for people */
    const void *address;         /* and for limits */
    size_t address_size;
} sign_in_request_t;

/*  TROUPE_OK: `done` is called once, from edge_drain, unless the flow is left before, and the flow is gone then.
 *  TROUPE_NOT_FOUND: there is no such request. */
troupe_status_t sign_in_begin (sign_in_t *self, const sign_in_request_t *request,
                               void (*done) (void *arg, exchange_answer_t *answer), void *arg, sign_in_flow_t **flow,
                               troupe_error_t *error) TROUPE_CHECKED;

/*  Nobody waits for the answer any more. */
void sign_in_leave (sign_in_flow_t **flow);

#endif
