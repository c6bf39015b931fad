/*  public_key.c - keys that verify, each for one algorithm alone.
 *
 *  DESIGN. The algorithm is a field of the key, set by whoever made it, so that nothing which a token
 *  says can change how it is verified.
 */
#include "transports/auth/public_key.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>
#include <string.h>

#define EXPONENT_MAX 8  /* bytes */
#define DER_MAX 80      /* of an ECDSA signature */

/* ------------------------------------------------------------------ *
 *  Making
 * ------------------------------------------------------------------ */

static EVP_PKEY *
key_of (const char *type, OSSL_PARAM *parameters)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name (NULL, type, NULL);
    if (context && parameters && EVP_PKEY_fromdata_init (context) == 1
        && EVP_PKEY_fromdata (context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free (context);
    return key;
}

/*  libcrypto has seen to it that a point is on its curve. */
static troupe_status_t
take (public_key_t *self, key_algorithm_t algorithm, EVP_PKEY *key)
{
    self->algorithm = algorithm;
    self->outside = key;
    return key ? TROUPE_OK : TROUPE_INVALID;
}

troupe_status_t
public_key_es256 (public_key_t *self, const uint8_t x[P256_SIZE], const uint8_t y[P256_SIZE])
{
    uint8_t point[1 + 2 * P256_SIZE] = { POINT_CONVERSION_UNCOMPRESSED };
    memcpy (point + 1, x, P256_SIZE);
    memcpy (point + 1 + P256_SIZE, y, P256_SIZE);
    char group[] = "P-256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string (OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string (OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end ()
    };
    ERR_set_mark ();
    troupe_status_t status = take (self, KEY_ES256, key_of ("EC", parameters));
    ERR_pop_to_mark ();
    return status;
}

static EVP_PKEY *
rsa_of (const BIGNUM *modulus, const BIGNUM *exponent)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new ();
    if (build && OSSL_PARAM_BLD_push_BN (build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1
        && OSSL_PARAM_BLD_push_BN (build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param (build);
        key = key_of ("RSA", parameters);
        OSSL_PARAM_free (parameters);
    }
    OSSL_PARAM_BLD_free (build);
    return key;
}

troupe_status_t
public_key_rs256 (public_key_t *self, const uint8_t *modulus, size_t modulus_size, const uint8_t *exponent,
                  size_t exponent_size)
{
    if (modulus_size > RSA_BITS_MAX / 8 || exponent_size > EXPONENT_MAX)
        return TROUPE_INVALID;
    troupe_status_t status = TROUPE_NO_MEMORY;
    ERR_set_mark ();
    BIGNUM *n = BN_bin2bn (modulus, (int) modulus_size, NULL);
    BIGNUM *e = BN_bin2bn (exponent, (int) exponent_size, NULL);
    if (n && e)
        status = BN_num_bits (n) >= RSA_BITS_MIN && BN_is_odd (n) && BN_is_odd (e) && BN_num_bits (e) > 1
            ? take (self, KEY_RS256, rsa_of (n, e)) : TROUPE_INVALID;
    BN_free (n);
    BN_free (e);
    ERR_pop_to_mark ();
    return status;
}

void
public_key_clear (public_key_t *self)
{
    EVP_PKEY_free (self->outside);
    self->outside = NULL;
}

/* ------------------------------------------------------------------ *
 *  Using
 * ------------------------------------------------------------------ */

bool
public_key_is_called (const public_key_t *self, const char *algorithm)
{
    switch (self->algorithm) {
    case KEY_EDDSA:
        return strcmp (algorithm, "EdDSA") == 0 || strcmp (algorithm, "Ed25519") == 0;  /* RFC 8037, RFC 9864 */
    case KEY_ES256:
        return strcmp (algorithm, "ES256") == 0;
    case KEY_RS256:
        return strcmp (algorithm, "RS256") == 0;
    }
    return false;
}

/*  A token has the two numbers side by side, libcrypto wants them in DER. */
static int
to_der (const uint8_t raw[2 * P256_SIZE], uint8_t der[DER_MAX])
{
    int size = 0;
    ECDSA_SIG *pair = ECDSA_SIG_new ();
    BIGNUM *r = BN_bin2bn (raw, P256_SIZE, NULL), *s = BN_bin2bn (raw + P256_SIZE, P256_SIZE, NULL);
    if (pair && r && s && ECDSA_SIG_set0 (pair, r, s) == 1) {
        r = s = NULL;
        if (i2d_ECDSA_SIG (pair, NULL) <= DER_MAX)
            size = i2d_ECDSA_SIG (pair, &der);
    }
    BN_free (r);
    BN_free (s);
    ECDSA_SIG_free (pair);
    return size;
}

static bool
verify_outside (EVP_PKEY *key, const void *message, size_t size, const uint8_t *signature, size_t signature_size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new ();
    bool good = context && EVP_DigestVerifyInit (context, NULL, EVP_sha256 (), NULL, key) == 1
        && EVP_DigestVerify (context, signature, signature_size, message, size) == 1;
    EVP_MD_CTX_free (context);
    return good;
}

static bool
verify_es256 (EVP_PKEY *key, const void *message, size_t size, const uint8_t *signature, size_t signature_size)
{
    uint8_t der[DER_MAX];
    int der_size = signature_size == 2 * P256_SIZE ? to_der (signature, der) : 0;
    return der_size > 0 && verify_outside (key, message, size, der, (size_t) der_size);
}

bool
public_key_verify (const public_key_t *self, const void *message, size_t size, const uint8_t *signature,
                   size_t signature_size)
{
    if (self->algorithm == KEY_EDDSA)
        return signature_size == ED25519_SIGNATURE_SIZE
            && crypto_sign_verify_detached (signature, message, size, self->ed25519) == 0;
    ERR_set_mark ();
    bool good = self->algorithm == KEY_ES256
        ? verify_es256 (self->outside, message, size, signature, signature_size)
        : verify_outside (self->outside, message, size, signature, signature_size);
    ERR_pop_to_mark ();
    return good;
}

const public_key_t *
key_set_find (const key_set_t *self, const char *kid)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->keys[i].kid, kid) == 0)
            return &self->keys[i];
    return NULL;
}
