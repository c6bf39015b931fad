/*  public_key.h - keys that verify, each for one algorithm alone.
 *
 *  Ed25519 is libsodium's; ES256 and RS256, which only others sign with, are libcrypto's. A key
 *  that is made is never changed: any thread may verify with it. What libcrypto notes about a bad
 *  signature does not stay in the thread's error queue, where TLS on that thread would find it.
 */
#ifndef TRANSPORTS_AUTH_PUBLIC_KEY_H
#define TRANSPORTS_AUTH_PUBLIC_KEY_H

#include "runtime/base/error.h"

#define KID_MAX 127
#define SIGNATURE_MAX 512       /* RSA of 4096 bits */
#define ED25519_KEY_SIZE 32
#define ED25519_SIGNATURE_SIZE 64
#define P256_SIZE 32            /* of a coordinate, and of half a signature */
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

typedef enum {
    KEY_EDDSA,
    KEY_ES256,
    KEY_RS256
} key_algorithm_t;

typedef struct {
    char kid[KID_MAX + 1];               /* "": of tokens that name none */
    key_algorithm_t algorithm;
    uint8_t ed25519[ED25519_KEY_SIZE];
    struct evp_pkey_st *outside;         /* of the other algorithms */
    uint64_t until_ms;                   /* verifies nothing from then on; 0: no end */
} public_key_t;

typedef struct {
    public_key_t *keys;
    size_t count;
} key_set_t;

/*  The others of the key's fields are the caller's. TROUPE_INVALID: no point of the curve, no modulus of a
 *  good size, a small or even exponent. Free them with public_key_clear. */
troupe_status_t public_key_es256 (public_key_t *self, const uint8_t x[P256_SIZE], const uint8_t y[P256_SIZE])
    TROUPE_CHECKED;
troupe_status_t public_key_rs256 (public_key_t *self, const uint8_t *modulus, size_t modulus_size,
                                  const uint8_t *exponent, size_t exponent_size) TROUPE_CHECKED;
void public_key_clear (public_key_t *self);

/*  Whether a token may say that it is signed so. */
bool public_key_is_called (const public_key_t *self, const char *algorithm);

bool public_key_verify (const public_key_t *self, const void *message, size_t size, const uint8_t *signature,
                        size_t signature_size);

/*  NULL: none of this name. */
const public_key_t *key_set_find (const key_set_t *self, const char *kid);

#endif
