/*  tokens.h - whose access tokens a node takes, and those that it makes.
 *
 *  Its own are signed with the keys of one file (keys.h), those of outside providers verified with the keys that
 *  another names (issuers.h). Others may change these files, `troupe token --rotate` for one; then they are read again.
 *  Used by one thread at a time.
 */
#ifndef TRANSPORTS_AUTH_TOKENS_H
#define TRANSPORTS_AUTH_TOKENS_H

#include "transports/auth/jwt.h"

typedef struct tokens_s tokens_t;

/*  Texts are copied, the names of roles live longer. */
typedef struct {
    const char *keys;              /* the file of the node's own; made when there is none */
    const char *issuer, *audience; /* `iss` and `aud` of the node's own */
    const char *issuers;           /* the file of outside providers; "": there are none */
    const char *fetched;           /* where their keys are that it names by URL */
    const char *const *roles;      /* names of the bits after ROLE_OPERATOR, ended by NULL; NULL: none */
} tokens_options_t;

/*  Errors as of keys_open and issuers_open. */
troupe_status_t tokens_open (const tokens_options_t *options, tokens_t **self_p, troupe_error_t *error) TROUPE_CHECKED;
void tokens_destroy (tokens_t **self_p);

/*  Reads again what has changed since. An error is told once, and what was good before goes on. */
troupe_status_t tokens_look (tokens_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  TROUPE_FORBIDDEN: it is no good; the text never tells the token. TROUPE_NOT_FOUND: nor is it, but its key may be one
 *  that is to be fetched. Then the claims are empty. */
troupe_status_t tokens_verify (const tokens_t *self, const char *token, uint64_t now_ms, claims_t *claims,
                               troupe_error_t *error) TROUPE_CHECKED;

/*  Appends a token for so long; `roles` are names, ended by NULL. Errors as of jwt_make. */
troupe_status_t tokens_make (const tokens_t *self, const char *subject, bool is_operator, const char *const *roles,
                             uint64_t now_ms, uint64_t life_ms, buffer_t *to, troupe_error_t *error) TROUPE_CHECKED;

const char *tokens_audience (const tokens_t *self);

/*  As keys_secret. */
void tokens_secret (const tokens_t *self, const char *purpose, uint8_t secret[32]);

#endif
