/*  jwks.h - the keys of outside providers, from the text that they publish (RFC 7517).
 *
 *  Taken are Ed25519, P-256 for ES256 and RSA of 2048 to 4096 bits for RS256. What is for something else
 *  (`use`, `key_ops`, `alg`), of another type, broken, or has its secret in it is skipped, and so is a
 *  second key of one name: a set is good when it has one good key. How to fetch the text is not known here.
 */
#ifndef TRANSPORTS_AUTH_JWKS_H
#define TRANSPORTS_AUTH_JWKS_H

#include "transports/auth/public_key.h"

#define JWKS_TEXT_MAX (256u << 10)
#define JWKS_KEYS_MAX 64             /* that are looked at */

/*  TROUPE_INVALID: no JWKS, or no key in it that can be used; TROUPE_TOO_LARGE. The set is never changed: any
 *  thread. Destroy it with jwks_destroy. */
troupe_status_t jwks_read (const char *text, size_t size, key_set_t **set, troupe_error_t *error) TROUPE_CHECKED;
void jwks_destroy (key_set_t **self_p);

#endif
