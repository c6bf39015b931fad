/*  test_auth_jws.c - signed texts: the vectors of the RFCs, and all that is none of ours. */

#include "tests/unit/auth_help.h"

#include <openssl/err.h>

#define NOW_MS 1764190000000u

static token_result_t
open_with (const char *key, const char *token)
{
    static jws_t jws;
    key_set_t *set = set_of (key);
    token_result_t result = jws_open (set, NULL, token, strlen (token), NOW_MS, &jws);
    jwks_destroy (&set);
    assert_int_equal (ERR_peek_error (), 0);
    return result;
}

static token_result_t
open_header (const char *header)
{
    return open_with (RFC8037_KEY, forge (header, "{}"));
}

static void
jws_vectors_of_the_rfcs_are_good (void **state)
{
    (void) state;
    jws_t jws;
    key_set_t *set = set_of (RFC8037_KEY);
    assert_int_equal (jws_open (set, NULL, RFC8037_TOKEN, strlen (RFC8037_TOKEN), NOW_MS, &jws), TOKEN_OK);
    assert_int_equal (jws.size, strlen ("Example of Ed25519 signing"));
    assert_memory_equal (jws.payload, "Example of Ed25519 signing", jws.size);
    jwks_destroy (&set);
    assert_int_equal (open_with (RFC7515_RSA_KEY, RFC7515_RS256), TOKEN_OK);
    assert_int_equal (open_with (RFC7515_EC_KEY, RFC7515_ES256), TOKEN_OK);
}

static void
each_cut (const char *key, const char *token)
{
    jws_t jws;
    key_set_t *set = set_of (key);
    for (size_t size = 0; size < strlen (token); size++) {
        char *cut = malloc (size + 1);
        memcpy (cut, token, size);
        assert_int_not_equal (jws_open (set, NULL, cut, size, NOW_MS, &jws), TOKEN_OK);
        free (cut);
    }
    jwks_destroy (&set);
}

static void
jws_cut_at_any_byte_is_refused (void **state)
{
    (void) state;
    each_cut (RFC8037_KEY, RFC8037_TOKEN);
    each_cut (RFC7515_EC_KEY, RFC7515_ES256);
    each_cut (RFC7515_RSA_KEY, RFC7515_RS256);
}

/*  Also the last letters of each part, whose low bits mean nothing to a lax reader. */
static void
each_change (const char *key, const char *token)
{
    jws_t jws;
    char changed[1024];
    key_set_t *set = set_of (key);
    size_t size = strlen (token);
    for (size_t at = 0; at < size; at++)
        for (const char *c = "AQgwBbZ_-.=+/ \n"; *c; c++) {
            memcpy (changed, token, size);
            changed[at] = *c;
            if (*c != token[at])
                assert_int_not_equal (jws_open (set, NULL, changed, size, NOW_MS, &jws), TOKEN_OK);
        }
    jwks_destroy (&set);
}

static void
jws_with_any_letter_changed_is_refused (void **state)
{
    (void) state;
    each_change (RFC8037_KEY, RFC8037_TOKEN);
    each_change (RFC7515_EC_KEY, RFC7515_ES256);
    each_change (RFC7515_RSA_KEY, RFC7515_RS256);
}

static void
jws_found_good_is_looked_at_again_but_for_its_signature (void **state)
{
    (void) state;
    jws_t jws;
    char changed[256];
    recent_t *good = recent_new (2);
    key_set_t *set = set_of (RFC8037_KEY), *others = set_of (RFC8037_KEY);
    size_t size = strlen (RFC8037_TOKEN);
    assert_int_equal (jws_open (set, good, RFC8037_TOKEN, size, NOW_MS, &jws), TOKEN_OK);
    set->keys[0].ed25519[0] ^= 1;
    others->keys[0].ed25519[0] ^= 1;
    assert_int_equal (jws_open (set, good, RFC8037_TOKEN, size, NOW_MS, &jws), TOKEN_OK);
    assert_memory_equal (jws.payload, "Example of Ed25519 signing", jws.size);
    assert_int_equal (jws_open (set, NULL, RFC8037_TOKEN, size, NOW_MS, &jws), TOKEN_SIGNATURE);
    assert_int_equal (jws_open (others, good, RFC8037_TOKEN, size, NOW_MS, &jws), TOKEN_SIGNATURE);
    for (size_t at = 0; at < size; at++) {
        memcpy (changed, RFC8037_TOKEN, size);
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        assert_int_not_equal (jws_open (set, good, changed, size, NOW_MS, &jws), TOKEN_OK);
        assert_int_not_equal (jws_open (set, good, RFC8037_TOKEN, at, NOW_MS, &jws), TOKEN_OK);
    }
    /* and what was no good took nobody's place */
    assert_int_equal (jws_open (set, good, RFC8037_TOKEN, size, NOW_MS, &jws), TOKEN_OK);
    set->keys[0].until_ms = NOW_MS;
    assert_int_equal (jws_open (set, good, RFC8037_TOKEN, size, NOW_MS, &jws), TOKEN_KEY_UNKNOWN);
    recent_destroy (&good);
    jwks_destroy (&set);
    jwks_destroy (&others);
}

static void
jws_with_more_behind_it_is_refused (void **state)
{
    (void) state;
    assert_int_not_equal (open_with (RFC8037_KEY, RFC8037_TOKEN "."), TOKEN_OK);
    assert_int_not_equal (open_with (RFC8037_KEY, RFC8037_TOKEN "A"), TOKEN_OK);
    assert_int_not_equal (open_with (RFC8037_KEY, RFC8037_TOKEN "=="), TOKEN_OK);
    assert_int_not_equal (open_with (RFC8037_KEY, RFC8037_TOKEN "\n"), TOKEN_OK);
}

static void
jws_algorithm_is_that_of_the_key (void **state)
{
    (void) state;
    assert_int_equal (open_header ("{\"alg\":\"EdDSA\"}"), TOKEN_OK);
    assert_int_equal (open_header ("{\"alg\":\"Ed25519\"}"), TOKEN_OK);
    assert_int_equal (open_header ("{\"alg\":\"none\"}"), TOKEN_ALGORITHM);
    assert_int_equal (open_header ("{\"alg\":\"NONE\"}"), TOKEN_ALGORITHM);
    assert_int_equal (open_header ("{\"alg\":\"HS256\"}"), TOKEN_ALGORITHM);
    assert_int_equal (open_header ("{\"alg\":\"ES256\"}"), TOKEN_ALGORITHM);
    assert_int_equal (open_header ("{\"alg\":\"eddsa\"}"), TOKEN_ALGORITHM);
    assert_int_equal (open_header ("{\"alg\":[\"EdDSA\"]}"), TOKEN_ALGORITHM);
    assert_int_equal (open_header ("{\"alg\":\"EdDSA\\u0000\"}"), TOKEN_ALGORITHM);
    assert_int_equal (open_header ("{}"), TOKEN_ALGORITHM);
    assert_int_equal (open_with (RFC7515_EC_KEY, RFC7515_RS256), TOKEN_ALGORITHM);
    assert_int_equal (open_with (RFC7515_RSA_KEY, RFC7515_ES256), TOKEN_ALGORITHM);
}

static void
jws_without_signature_is_refused (void **state)
{
    (void) state;
    assert_int_equal (open_with (RFC8037_KEY, "eyJhbGciOiJub25lIn0.e30."), TOKEN_ALGORITHM);
    assert_int_equal (open_with (RFC8037_KEY, "eyJhbGciOiJFZERTQSJ9.e30."), TOKEN_SIGNATURE);
    assert_int_equal (open_with (RFC7515_EC_KEY, "eyJhbGciOiJFUzI1NiJ9.e30."), TOKEN_SIGNATURE);
    assert_int_equal (open_with (RFC7515_RSA_KEY, "eyJhbGciOiJSUzI1NiJ9.e30."), TOKEN_SIGNATURE);
}

/*  The oldest trick: the public key as the secret of an HMAC. */
static void
jws_signed_with_the_public_key_is_refused (void **state)
{
    (void) state;
    uint8_t x[32], mac[32];
    char token[256];
    assert_true (base64url_read_exactly (RFC8037_X, strlen (RFC8037_X), x, sizeof x));
    size_t size = append_base64url (token, "{\"alg\":\"HS256\"}", strlen ("{\"alg\":\"HS256\"}"));
    size += (size_t) sprintf (token + size, ".e30");
    crypto_auth_hmacsha256 (mac, (const uint8_t *) token, size, x);
    token[size++] = '.';
    append_base64url (token + size, mac, sizeof mac);
    assert_int_equal (open_with (RFC8037_KEY, token), TOKEN_ALGORITHM);
}

/*  r = s = 0 passes where numbers are not looked at. */
static void
jws_of_zeros_is_refused (void **state)
{
    (void) state;
    uint8_t zeros[64] = { 0 };
    char token[256] = "eyJhbGciOiJFUzI1NiJ9.e30.";
    append_base64url (token + strlen (token), zeros, sizeof zeros);
    assert_int_equal (open_with (RFC7515_EC_KEY, token), TOKEN_SIGNATURE);
    strcpy (token, "eyJhbGciOiJFZERTQSJ9.e30.");
    append_base64url (token + strlen (token), zeros, sizeof zeros);
    assert_int_equal (open_with (RFC8037_KEY, token), TOKEN_SIGNATURE);
}

static void
jws_header_is_read_strictly (void **state)
{
    (void) state;
    assert_int_equal (open_header ("{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\"}"), TOKEN_MALFORMED);
    assert_int_equal (open_header ("{\"alg\":\"EdDSA\",\"crit\":[\"exp\"]}"), TOKEN_MALFORMED);
    assert_int_equal (open_header ("{\"alg\":\"EdDSA\"} {}"), TOKEN_MALFORMED);
    assert_int_equal (open_header ("[\"alg\",\"EdDSA\"]"), TOKEN_MALFORMED);
    assert_int_equal (open_header ("{\"alg\":\"EdDSA\",\"kid\":7}"), TOKEN_MALFORMED);
    assert_int_equal (open_header ("\xff"), TOKEN_MALFORMED);
    assert_int_equal (open_header (""), TOKEN_MALFORMED);
}

static void
jws_key_is_found_by_its_name (void **state)
{
    (void) state;
    static const char named[] = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":\"" RFC8037_X "\"}";
    assert_int_equal (open_with (named, forge ("{\"alg\":\"EdDSA\",\"kid\":\"a\"}", "{}")), TOKEN_OK);
    assert_int_equal (open_with (named, forge ("{\"alg\":\"EdDSA\",\"kid\":\"b\"}", "{}")), TOKEN_KEY_UNKNOWN);
    assert_int_equal (open_with (named, forge ("{\"alg\":\"EdDSA\"}", "{}")), TOKEN_KEY_UNKNOWN);
    assert_int_equal (open_with (RFC8037_KEY, forge ("{\"alg\":\"EdDSA\",\"kid\":\"a\"}", "{}")), TOKEN_KEY_UNKNOWN);
}

static void
jws_too_large_is_refused (void **state)
{
    (void) state;
    char payload[JWS_MAX + 1], header[JWS_HEADER_MAX + 100];
    memset (payload, ' ', sizeof payload);
    payload[JWS_MAX] = '\0';
    assert_int_equal (open_with (RFC8037_KEY, forge ("{\"alg\":\"EdDSA\"}", payload)), TOKEN_TOO_LARGE);
    memset (header, ' ', sizeof header);
    strcpy (header + JWS_HEADER_MAX, "{\"alg\":\"EdDSA\"}");
    assert_int_equal (open_with (RFC8037_KEY, forge (header, "{}")), TOKEN_MALFORMED);
}

static void
jws_texts_are_there (void **state)
{
    (void) state;
    for (token_result_t result = TOKEN_OK; result < TOKEN_RESULTS; result++)
        assert_true (strlen (token_result_text (result)) > 10);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (jws_vectors_of_the_rfcs_are_good),
        cmocka_unit_test (jws_cut_at_any_byte_is_refused),
        cmocka_unit_test (jws_with_any_letter_changed_is_refused),
        cmocka_unit_test (jws_found_good_is_looked_at_again_but_for_its_signature),
        cmocka_unit_test (jws_with_more_behind_it_is_refused),
        cmocka_unit_test (jws_algorithm_is_that_of_the_key),
        cmocka_unit_test (jws_without_signature_is_refused),
        cmocka_unit_test (jws_signed_with_the_public_key_is_refused),
        cmocka_unit_test (jws_of_zeros_is_refused),
        cmocka_unit_test (jws_header_is_read_strictly),
        cmocka_unit_test (jws_key_is_found_by_its_name),
        cmocka_unit_test (jws_too_large_is_refused),
        cmocka_unit_test (jws_texts_are_there),
    };
    return cmocka_run_group_tests (tests, start_sodium, NULL);
}
