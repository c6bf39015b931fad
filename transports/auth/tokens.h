/*  tokens.h - whose access tokens a node takes, and those that it makes.
 *
 *  Its own are signed with the keys of one file (keys.h). Others may change the file, `troupe token --rotate` for one;
 *  then it is read again. Used by one thread at a time.
 */
#ifndef TRANSPORTS_AUTH_TOKENS_H
#define TRANSPORTS_AUTH_TOKENS_H

#include "transports/auth/jwt.h"

#define TOKENS_ISSUER "troupe"   /* `iss` and `aud` of the node's own */

typedef struct tokens_s tokens_t;

/*  Reads the file, and makes it when there is none; errors as of keys_open. */
troupe_status_t tokens_open (const char *path, tokens_t **self_p, troupe_error_t *error) TROUPE_CHECKED;
void tokens_destroy (tokens_t **self_p);

/*  Reads again what has changed since. An error is told once, and what was good before goes on. */
troupe_status_t tokens_look (tokens_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  TROUPE_FORBIDDEN: it is no good; the text never tells the token. Then the claims are empty. */
troupe_status_t tokens_verify (const tokens_t *self, const char *token, uint64_t now_ms, claims_t *claims,
                               troupe_error_t *error) TROUPE_CHECKED;

/*  Appends a token for so long; `roles` are names, ended by NULL. Errors as of jwt_make. */
troupe_status_t tokens_make (const tokens_t *self, const char *subject, bool is_operator, const char *const *roles,
                             uint64_t now_ms, uint64_t life_ms, buffer_t *to, troupe_error_t *error) TROUPE_CHECKED;

/*  As keys_secret. */
void tokens_secret (const tokens_t *self, const char *purpose, uint8_t secret[32]);

#endif
