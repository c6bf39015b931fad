/*  fuzz_jwks.c - a key set from a stranger: every key that is taken can be used, and no signature is good by chance. */
#include "transports/auth/jwks.h"

#include <openssl/err.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

static void
use (const key_set_t *set, const public_key_t *key, const uint8_t *data, size_t size)
{
    static const size_t sizes[] = { 0, 1, ED25519_SIGNATURE_SIZE, RSA_BITS_MIN / 8, SIGNATURE_MAX };
    uint8_t signature[SIGNATURE_MAX] = { 1 };
    HOLDS (key_set_find (set, key->kid) == key);
    HOLDS ((key->algorithm == KEY_EDDSA) == !key->outside);
    memcpy (signature, data, size < sizeof signature ? size : sizeof signature);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        HOLDS (!public_key_verify (key, "something", 9, signature, sizes[i]));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    key_set_t *set = NULL;
    troupe_error_t error = { 0 };
    HOLDS (sodium_init () >= 0);
    troupe_status_t status = jwks_read ((const char *) data, size, &set, &error);
    HOLDS (status == TROUPE_OK ? set && set->count > 0 && set->count <= JWKS_KEYS_MAX
                               : !set && error.status == status && error.text[0]);
    for (size_t i = 0; set && i < set->count; i++)
        use (set, &set->keys[i], data, size);
    HOLDS (ERR_peek_error () == 0);
    jwks_destroy (&set);
    return 0;
}
