/*  keys.h - the node's own keys: what its tokens are signed with. As all of transports/auth it wants
 *  sodium_init () to have been called, before threads start.
 *
 *  A file of mode 0600, as a set of private JWKs with some times:
 *
 *      {"keys":[{"kty":"OKP","crv":"Ed25519","kid":"kPrK_...","x":"11qYAY...","d":"nWGxne...",
 *                "created":1764190000000}]}
 *
 *  A key that was retired has `retired` and `until`, ms since 1970 as all times here: it signs no more, and
 *  verifies until `until`, when the last of its tokens has ended. The name of a key is its thumbprint (RFC 7638).
 *
 *  A keys_t is what was in the file when it was opened, and never changes: any thread. After a rotation
 *  open it again, and destroy the old one when nobody uses it. The file is replaced as a whole and
 *  durably; who writes it holds a lock on its directory.
 */
#ifndef TRANSPORTS_AUTH_KEYS_H
#define TRANSPORTS_AUTH_KEYS_H

#include "runtime/base/buffer.h"
#include "transports/auth/public_key.h"

#define KEYS_MAX 8               /* in the file */
#define KEYS_FILE_MAX 8192       /* bytes of it */

typedef struct keys_s keys_t;

/*  Reads the file; makes it with a first key when there is none. TROUPE_FORBIDDEN: others may read or write it, or
 *  it belongs to somebody else; TROUPE_CORRUPT: it is no such file. */
troupe_status_t keys_open (const char *path, uint64_t now_ms, keys_t **keys, troupe_error_t *error) TROUPE_CHECKED;
void keys_destroy (keys_t **self_p);

/*  In the file: a new key signs from now on, the others verify for `keep_ms` more, which is the longest life of a
 *  token, and those whose time is over go. 0 when a key may have been seen by others: then they go at once.
 *  TROUPE_TOO_LARGE: too many keys still verify. */
troupe_status_t keys_rotate (const char *path, uint64_t now_ms, uint64_t keep_ms, troupe_error_t *error)
    TROUPE_CHECKED;

const char *keys_kid (const keys_t *self);   /* of the one that signs */
void keys_sign (const keys_t *self, const void *bytes, size_t size, uint8_t signature[ED25519_SIGNATURE_SIZE]);

/*  32 bytes that only the keys' holder can know, others for each purpose. They change when the oldest key goes. */
void keys_secret (const keys_t *self, const char *purpose, uint8_t secret[32]);

/*  Those that verify; lives as long as the keys. */
const key_set_t *keys_public (const keys_t *self);

/*  Appends them as JWKS, for others. */
void keys_jwks (const keys_t *self, buffer_t *to);

#endif
