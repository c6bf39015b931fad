/*  auth_help.h - keys and tokens that tests share: the vectors of RFC 7515 and RFC 8037, and tokens made by hand. */
#ifndef TESTS_UNIT_AUTH_HELP_H
#define TESTS_UNIT_AUTH_HELP_H

#include "transports/auth/base64url.h"
#include "transports/auth/jwks.h"
#include "transports/auth/jws.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*  RFC 8037, A.1 to A.5. */
#define RFC8037_D "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define RFC8037_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RFC8037_THUMB "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
#define RFC8037_KEY "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"}"
#define RFC8037_TOKEN                                                                                              \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."                                                    \
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

/*  RFC 7515, A.2 and A.3. */
#define RFC7515_N                                                                                                  \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-" \
    "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Cap" \
    "Hg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h" \
    "4FRWyuXpoQ"
#define RFC7515_RSA_KEY "{\"kty\":\"RSA\",\"n\":\"" RFC7515_N "\",\"e\":\"AQAB\"}"
#define RFC7515_PAYLOAD                                                                                            \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RFC7515_RS256                                                                                              \
    "eyJhbGciOiJSUzI1NiJ9." RFC7515_PAYLOAD "."                                                                    \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF"    \
    "9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383Lc"    \
    "OLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlV"    \
    "mtVrBp0igcN_IoypGlUPQGe77Rw"
#define RFC7515_EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC7515_EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define RFC7515_EC_KEY                                                                                             \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_EC_X "\",\"y\":\"" RFC7515_EC_Y "\"}"
#define RFC7515_ES256                                                                                              \
    "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD                                                                        \
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static inline key_set_t *
set_of (const char *key)
{
    char text[8192];
    key_set_t *set = NULL;
    snprintf (text, sizeof text, "{\"keys\":[%s]}", key);
    assert_int_equal (jwks_read (text, strlen (text), &set, NULL), TROUPE_OK);
    return set;
}

static inline size_t
append_base64url (char *to, const void *bytes, size_t size)
{
    base64url_write (bytes, size, to);
    return strlen (to);
}

/*  A token with any header and payload, signed with the key of RFC 8037. */
static inline const char *
forge (const char *header, const char *payload)
{
    static char token[65536];
    uint8_t seed[32], public[32], secret[64], signature[64];
    assert_true (base64url_read_exactly (RFC8037_D, strlen (RFC8037_D), seed, sizeof seed));
    crypto_sign_seed_keypair (public, secret, seed);
    size_t size = append_base64url (token, header, strlen (header));
    token[size++] = '.';
    size += append_base64url (token + size, payload, strlen (payload));
    crypto_sign_detached (signature, NULL, (const uint8_t *) token, size, secret);
    token[size++] = '.';
    append_base64url (token + size, signature, sizeof signature);
    return token;
}

static inline int
start_sodium (void **state)
{
    (void) state;
    return sodium_init () < 0 ? -1 : 0;
}

#endif
