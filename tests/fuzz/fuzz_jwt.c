/*  fuzz_jwt.c - a token from a stranger.
 *
 *  As it is, no input is ever good: nobody can guess a signature. So the input is used a second time: up to the first
 *  NUL as header and the rest as payload of a token that is signed well, to see what is read behind the signature.
 */
#include "transports/auth/jwt.h"

#include "transports/auth/base64url.h"
#include "transports/auth/jwks.h"
#include "transports/auth/member.h"
#include "transports/auth/name.h"

#include <sodium.h>
#include <stdlib.h>

#define NOW_MS 1764190000000u
#define TOKEN_SIZE 16384

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

static uint8_t secret[crypto_sign_SECRETKEYBYTES];
static public_key_t key;
static const key_set_t keys = { &key, 1 };
static recent_t *good;
static const char *const roles[] = { "coach", NULL };

static void
start (void)
{
    static const uint8_t seed[crypto_sign_SEEDBYTES] = "a seed that is no secret";
    HOLDS (sodium_init () >= 0);
    crypto_sign_seed_keypair (key.ed25519, secret, seed);
    HOLDS ((good = recent_new (64)) != NULL);
}

static token_result_t
verify (const char *token, size_t size, claims_t *claims)
{
    jwt_issuer_t issuer = { .prefix = "they:", .roles = roles, .grants = 1u << 1, .keys = &keys, .good = good };
    token_result_t result = jwt_verify (&issuer, 1, token, size, NOW_MS, claims);
    HOLDS (result < TOKEN_RESULTS && token_result_text (result)[0]);
    if (result != TOKEN_OK) {
        HOLDS (!claims->subject[0] && !claims->roles && !claims->expires_ms);
        return result;
    }
    HOLDS (memcmp (claims->subject, "they:", 5) == 0 && name_is_subject (claims->subject));
    HOLDS (claims->expires_ms > NOW_MS && claims->issued_ms <= NOW_MS && (claims->roles & ~(1u << 1)) == 0);
    return result;
}

static size_t
append (char *token, size_t at, const void *bytes, size_t size)
{
    base64url_write (bytes, size, token + at);
    return strlen (token);
}

/*  A good one has the right algorithm in its header, whatever else. */
static void
verify_signed (const uint8_t *header, size_t header_size, const uint8_t *payload, size_t size)
{
    static char token[TOKEN_SIZE];
    uint8_t signature[crypto_sign_BYTES];
    claims_t claims;
    packed_reader_t object;
    packed_value_t value;
    buffer_t packed = { 0 };
    size_t at = append (token, 0, header, header_size);
    token[at++] = '.';
    at = append (token, at, payload, size);
    crypto_sign_detached (signature, NULL, (const uint8_t *) token, at, secret);
    token[at++] = '.';
    at = append (token, at, signature, sizeof signature);
    token_result_t result = verify (token, at, &claims);
    HOLDS (result != TOKEN_SIGNATURE);
    HOLDS (verify (token, at, &claims) == result);
    if (result == TOKEN_OK) {
        HOLDS (object_read (header, header_size, &packed, &object, NULL) == TROUPE_OK);
        HOLDS (member_string (object, "alg", &value) == MEMBER_OK);
        HOLDS (memcmp (value.string.bytes, "EdDSA", 5) == 0 || memcmp (value.string.bytes, "Ed25519", 7) == 0);
    }
    buffer_clear (&packed);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    claims_t claims;
    if (!secret[0] && !secret[1])
        start ();
    HOLDS (verify ((const char *) data, size, &claims) != TOKEN_OK);
    const uint8_t *end = size < JWS_MAX ? memchr (data, '\0', size) : NULL;
    if (end)
        verify_signed (data, (size_t) (end - data), end + 1, (size_t) (data + size - end - 1));
    return 0;
}
