/*  test_auth_jwks.c - the key sets of outside providers: what is taken of them, and what is not. */

#include "transports/auth/jwks.h"

#include "runtime/base/memory.h"
#include "tests/unit/auth_help.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static troupe_status_t
status_of (const char *text)
{
    key_set_t *set = NULL;
    troupe_error_t error = { 0 };
    troupe_status_t status = jwks_read (text, strlen (text), &set, &error);
    assert_true (status == TROUPE_OK ? set != NULL : !set && error.status == status && error.text[0]);
    jwks_destroy (&set);
    assert_int_equal (ERR_peek_error (), 0);
    return status;
}

/*  Whether a key is taken that has these members. */
static bool
takes (const char *format, ...)
{
    char key[2048], text[2100];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (key, sizeof key, format, arguments);
    va_end (arguments);
    snprintf (text, sizeof text, "{\"keys\":[{%s}]}", key);
    troupe_status_t status = status_of (text);
    assert_true (status == TROUPE_OK || status == TROUPE_INVALID);
    return status == TROUPE_OK;
}

static const char ed[] = "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"";
static const char ec[] = "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_EC_X "\",\"y\":\"" RFC7515_EC_Y "\"";
static const char rsa[] = "\"kty\":\"RSA\",\"n\":\"" RFC7515_N "\",\"e\":\"AQAB\"";

static void
jwks_takes_what_it_can_use_and_skips_the_rest (void **state)
{
    (void) state;
    key_set_t *set = NULL;
    static const char text[] = "{\"more\":1,\"keys\":[7,{},{\"kty\":\"oct\",\"k\":\"AAAA\"},{\"kid\":\"a\","
        "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_EC_X "\",\"y\":\"" RFC7515_EC_Y "\"},"
        "{\"kty\":\"OKP\",\"crv\":\"X25519\","
        "\"x\":\"" RFC8037_X "\"},{\"kid\":\"b\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"},"
        "{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"}," RFC7515_RSA_KEY "]}";
    assert_int_equal (jwks_read (text, strlen (text), &set, NULL), TROUPE_OK);
    assert_int_equal (set->count, 3);
    assert_int_equal (key_set_find (set, "a")->algorithm, KEY_ES256);
    assert_int_equal (key_set_find (set, "b")->algorithm, KEY_EDDSA);
    assert_int_equal (key_set_find (set, "")->algorithm, KEY_RS256);
    assert_null (key_set_find (set, "c"));
    jwks_destroy (&set);
}

static void
jwks_use_and_algorithm_are_looked_at (void **state)
{
    (void) state;
    assert_true (takes ("%s,\"use\":\"sig\",\"alg\":\"EdDSA\",\"key_ops\":[\"verify\"]", ed));
    assert_true (takes ("%s,\"alg\":\"ES256\"", ec));
    assert_true (takes ("%s,\"alg\":\"RS256\"", rsa));
    assert_false (takes ("%s,\"use\":\"enc\"", rsa));
    assert_false (takes ("%s,\"key_ops\":[\"encrypt\"]", rsa));
    assert_false (takes ("%s,\"key_ops\":7", rsa));
    assert_false (takes ("%s,\"alg\":\"RS512\"", rsa));
    assert_false (takes ("%s,\"alg\":\"PS256\"", rsa));
    assert_false (takes ("%s,\"alg\":\"HS256\"", ed));
    assert_false (takes ("%s,\"alg\":\"RS256\"", ed));
    assert_false (takes ("%s,\"alg\":\"ES256K\"", ec));
    assert_false (takes ("%s,\"kid\":7", ed));
    assert_false (takes ("%s,\"d\":\"" RFC8037_D "\"", ed));
}

/*  With a good modulus of so many bits. */
static bool
takes_rsa_of (unsigned bits)
{
    uint8_t modulus[RSA_BITS_MAX / 8];
    char n[BASE64URL_SIZE (sizeof modulus)];
    BIGNUM *number = NULL;
    EVP_PKEY *key = EVP_RSA_gen (bits);
    assert_true (key && EVP_PKEY_get_bn_param (key, "n", &number) == 1 && BN_num_bits (number) == (int) bits);
    base64url_write (modulus, (size_t) BN_bn2bin (number, modulus), n);
    BN_free (number);
    EVP_PKEY_free (key);
    return takes ("\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"", n);
}

static void
jwks_weak_and_broken_keys_are_skipped (void **state)
{
    (void) state;
    assert_true (takes_rsa_of (2048));
    assert_false (takes_rsa_of (1024));
    assert_false (takes_rsa_of (2047));
    assert_false (takes ("\"kty\":\"RSA\",\"n\":\"" RFC7515_N RFC7515_N "AAAA\",\"e\":\"AQAB\""));
    assert_false (takes ("\"kty\":\"RSA\",\"n\":\"" RFC7515_N "\",\"e\":\"AQ\""));
    assert_false (takes ("\"kty\":\"RSA\",\"n\":\"" RFC7515_N "\",\"e\":\"Ag\""));
    assert_false (takes ("\"kty\":\"RSA\",\"n\":\"" RFC7515_N "\",\"e\":\"\""));
    assert_false (takes ("\"kty\":\"RSA\",\"n\":\"" RFC7515_N "\""));
    assert_false (takes ("\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_EC_X "\",\"y\":\"" RFC7515_EC_X "\""));
    assert_false (takes ("\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" RFC7515_EC_X "\",\"y\":\"" RFC7515_EC_Y "\""));
    assert_false (takes ("\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"" RFC7515_EC_Y "\""));
    assert_false (takes ("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\""));
    assert_false (takes ("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "=\""));
    assert_false (takes ("\"kty\":\"OKP\",\"crv\":\"Ed25519\""));
}

static void
jwks_that_is_none_is_refused (void **state)
{
    (void) state;
    assert_int_equal (status_of (""), TROUPE_INVALID);
    assert_int_equal (status_of ("<html>"), TROUPE_INVALID);
    assert_int_equal (status_of ("[]"), TROUPE_INVALID);
    assert_int_equal (status_of ("{}"), TROUPE_INVALID);
    assert_int_equal (status_of ("{\"keys\":{}}"), TROUPE_INVALID);
    assert_int_equal (status_of ("{\"keys\":[]}"), TROUPE_INVALID);
    assert_int_equal (status_of ("{\"keys\":[" RFC8037_KEY "],\"keys\":[" RFC8037_KEY "]}"), TROUPE_INVALID);
}

static void
jwks_too_large_is_refused (void **state)
{
    (void) state;
    char *text = malloc (JWKS_TEXT_MAX + 2);
    memset (text, ' ', JWKS_TEXT_MAX + 1);
    text[JWKS_TEXT_MAX + 1] = '\0';
    assert_int_equal (status_of (text), TROUPE_TOO_LARGE);
    size_t size = (size_t) sprintf (text, "{\"keys\":[" RFC8037_KEY);
    for (int i = 0; i < JWKS_KEYS_MAX; i++)
        size += (size_t) sprintf (text + size, ",{}");
    strcpy (text + size, "]}");
    assert_int_equal (status_of (text), TROUPE_TOO_LARGE);
    free (text);
}

static void
jwks_without_memory_says_so (void **state)
{
    (void) state;
    key_set_t *set = NULL;
    troupe_status_t status = TROUPE_NO_MEMORY;
    static const char text[] = "{\"keys\":[" RFC8037_KEY "," RFC7515_EC_KEY "]}";
    for (uint64_t n = 1; status == TROUPE_NO_MEMORY; n++) {
        memory_fail_after (n);
        status = jwks_read (text, strlen (text), &set, NULL);
        memory_fail_after (0);
        assert_true (n < 50);
    }
    assert_int_equal (status, TROUPE_OK);
    jwks_destroy (&set);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (jwks_takes_what_it_can_use_and_skips_the_rest),
        cmocka_unit_test (jwks_use_and_algorithm_are_looked_at),
        cmocka_unit_test (jwks_weak_and_broken_keys_are_skipped),
        cmocka_unit_test (jwks_that_is_none_is_refused),
        cmocka_unit_test (jwks_too_large_is_refused),
        cmocka_unit_test (jwks_without_memory_says_so),
    };
    return cmocka_run_group_tests (tests, start_sodium, NULL);
}
