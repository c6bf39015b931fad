/*  test_auth_jwt.c - access tokens: what a good one says, and what makes each other one bad. */

#include "transports/auth/jwt.h"

#include "runtime/base/memory.h"
#include "tests/unit/auth_help.h"

#define NOW_MS 1764190000500u
#define NOW 1764190000

static const char *const role_names[] = { "coach", "shop", NULL };
static key_set_t *rfc_keys;

/*  Verifies a payload that is signed well. */
static token_result_t
verify_as (const jwt_issuer_t *issuer, const char *payload, claims_t *claims)
{
    const char *token = forge ("{\"alg\":\"EdDSA\"}", payload);
    return jwt_verify (issuer, 1, token, strlen (token), NOW_MS, claims);
}

static token_result_t
verify (const char *format, ...)
{
    char payload[4096];
    claims_t claims;
    jwt_issuer_t issuer = { .issuer = "us", .audience = "me", .keys = rfc_keys, .leeway_ms = 5000 };
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (payload, sizeof payload, format, arguments);
    va_end (arguments);
    return verify_as (&issuer, payload, &claims);
}

static const char who[] = "\"iss\":\"us\",\"aud\":\"me\",\"sub\":\"anna\"";

static void
jwt_made_here_is_good_here (void **state)
{
    (void) state;
    keys_t *keys = NULL;
    buffer_t token = { 0 };
    claims_t claims;
    assert_int_equal (keys_open ("made_here", NOW_MS, &keys, NULL), TROUPE_OK);
    jwt_new_t what = { .issuer = "us", .subject = "o'\"\\neil@x", .audience = "me", .roles = role_names,
                       .has_roles = ROLE_OPERATOR | 1u << 2, .now_ms = NOW_MS, .life_ms = 900000 };
    jwt_issuer_t us = { .issuer = "us", .audience = "me", .roles = role_names, .grants = UINT32_MAX,
                        .keys = keys_public (keys) };
    assert_int_equal (jwt_make (keys, &what, &token, NULL), TROUPE_OK);
    assert_int_equal (jwt_verify (&us, 1, (char *) token.data, token.size, NOW_MS, &claims), TOKEN_OK);
    assert_string_equal (claims.subject, "o'\"\\neil@x");
    assert_int_equal (claims.roles, ROLE_OPERATOR | 1u << 2);
    assert_true (claims.issued_ms == NOW * 1000ull && claims.expires_ms == (NOW + 900) * 1000ull);
    assert_int_equal (strlen (claims.id), 22);
    assert_ptr_equal (claims.issuer, &us);
    assert_int_equal (jwt_verify (&us, 1, (char *) token.data, token.size, (NOW + 900) * 1000ull, &claims),
                      TOKEN_EXPIRED);
    assert_string_equal (claims.subject, "");
    buffer_clear (&token);
    keys_destroy (&keys);
}

static void
jwt_that_cannot_be_good_is_not_made (void **state)
{
    (void) state;
    keys_t *keys = NULL;
    buffer_t token = { 0 };
    char large[JWS_PAYLOAD_MAX + 1];
    memset (large, 'x', sizeof large);
    large[JWS_PAYLOAD_MAX] = '\0';
    assert_int_equal (keys_open ("not_made", NOW_MS, &keys, NULL), TROUPE_OK);
    jwt_new_t what = { .issuer = "us", .subject = "a/b", .now_ms = NOW_MS, .life_ms = 60000 };
    assert_int_equal (jwt_make (keys, &what, &token, NULL), TROUPE_INVALID);
    what.subject = "";
    assert_int_equal (jwt_make (keys, &what, &token, NULL), TROUPE_INVALID);
    what.subject = "{anna}7";
    assert_int_equal (jwt_make (keys, &what, &token, NULL), TROUPE_INVALID);
    what.subject = "anna";
    what.life_ms = 999;
    assert_int_equal (jwt_make (keys, &what, &token, NULL), TROUPE_INVALID);
    what.life_ms = 1000;
    what.issuer = large;
    assert_int_equal (jwt_make (keys, &what, &token, NULL), TROUPE_TOO_LARGE);
    assert_int_equal (token.size, 0);
    keys_destroy (&keys);
}

static void
jwt_times_are_looked_at (void **state)
{
    (void) state;
    assert_int_equal (verify ("{%s,\"exp\":%d}", who, NOW + 1), TOKEN_OK);
    assert_int_equal (verify ("{%s,\"exp\":%d.5}", who, NOW + 1), TOKEN_OK);
    assert_int_equal (verify ("{%s,\"exp\":%d}", who, NOW - 4), TOKEN_OK);
    assert_int_equal (verify ("{%s,\"exp\":%d}", who, NOW - 5), TOKEN_EXPIRED);
    assert_int_equal (verify ("{%s,\"exp\":0}", who), TOKEN_EXPIRED);
    assert_int_equal (verify ("{%s,\"exp\":%d,\"nbf\":%d}", who, NOW + 9, NOW + 5), TOKEN_OK);
    assert_int_equal (verify ("{%s,\"exp\":%d,\"nbf\":%d}", who, NOW + 9, NOW + 6), TOKEN_NOT_YET);
    assert_int_equal (verify ("{%s,\"exp\":%d,\"iat\":%d}", who, NOW + 9, NOW + 6), TOKEN_NOT_YET);
}

static void
jwt_times_that_are_none_are_refused (void **state)
{
    (void) state;
    assert_int_equal (verify ("{%s}", who), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":\"%d\"}", who, NOW + 9), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":null}", who), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":-1}", who), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":9223372036854775807}", who), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":9223372036854775808}", who), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":1e300}", who), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":%d,\"nbf\":\"\"}", who, NOW + 9), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":%d,\"iat\":true}", who, NOW + 9), TOKEN_CLAIMS);
}

static void
jwt_issuer_and_audience_are_looked_at (void **state)
{
    (void) state;
    static const char rest[] = "\"sub\":\"anna\",\"exp\":1764190009";
    assert_int_equal (verify ("{\"iss\":\"us\",\"aud\":[\"you\",\"me\"],%s}", rest), TOKEN_OK);
    assert_int_equal (verify ("{\"iss\":\"US\",\"aud\":\"me\",%s}", rest), TOKEN_ISSUER);
    assert_int_equal (verify ("{\"aud\":\"me\",%s}", rest), TOKEN_ISSUER);
    assert_int_equal (verify ("{\"iss\":[\"us\"],\"aud\":\"me\",%s}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{\"iss\":\"us\",\"aud\":\"mee\",%s}", rest), TOKEN_AUDIENCE);
    assert_int_equal (verify ("{\"iss\":\"us\",\"aud\":[],%s}", rest), TOKEN_AUDIENCE);
    assert_int_equal (verify ("{\"iss\":\"us\",%s}", rest), TOKEN_AUDIENCE);
    assert_int_equal (verify ("{\"iss\":\"us\",\"aud\":[\"me\",7],%s}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{\"iss\":\"us\",\"aud\":{\"me\":1},%s}", rest), TOKEN_CLAIMS);
}

static void
jwt_subject_is_one_that_may_own (void **state)
{
    (void) state;
    static const char rest[] = "\"iss\":\"us\",\"aud\":\"me\",\"exp\":1764190009";
    assert_int_equal (verify ("{%s}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":\"\"}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":7}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":\"a b\"}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":\"a/b\"}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":\"{anna}\"}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":\"anna\\u0000\"}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":\"\\u00e4\"}", rest), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":\"%.191d\"}", rest, 0), TOKEN_OK);
    assert_int_equal (verify ("{%s,\"sub\":\"%.192d\"}", rest, 0), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"sub\":\"anna\",\"jti\":7}", rest), TOKEN_CLAIMS);
}

static void
jwt_payload_is_read_strictly (void **state)
{
    (void) state;
    assert_int_equal (verify ("{%s,\"exp\":%d,\"sub\":\"ben\"}", who, NOW + 9), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":%d,\"exp\":%d}", who, NOW - 9, NOW + 9), TOKEN_CLAIMS);
    assert_int_equal (verify ("{%s,\"exp\":%d} ,", who, NOW + 9), TOKEN_CLAIMS);
    assert_int_equal (verify ("[{%s,\"exp\":%d}]", who, NOW + 9), TOKEN_CLAIMS);
    assert_int_equal (verify ("%0500d", 0), TOKEN_CLAIMS);
    assert_int_equal (verify (""), TOKEN_CLAIMS);
}

/*  A provider may say who somebody is, with a name of its own, and give no more than it is trusted with. */
static void
jwt_of_a_provider_has_its_prefix_and_grants (void **state)
{
    (void) state;
    claims_t claims;
    jwt_issuer_t provider = { .prefix = "they:", .roles = role_names, .grants = 1u << 1, .keys = rfc_keys };
    assert_int_equal (verify_as (&provider, "{\"sub\":\"anna\",\"exp\":1764190009,\"role\":\"operator\","
                                 "\"roles\":[\"coach\",\"shop\",\"king\"]}", &claims), TOKEN_OK);
    assert_string_equal (claims.subject, "they:anna");
    assert_int_equal (claims.roles, 1u << 1);
    assert_int_equal (verify_as (&provider, "{\"sub\":\"\",\"exp\":1764190009}", &claims), TOKEN_CLAIMS);
    assert_int_equal (verify_as (&provider, "{\"sub\":\"a\",\"exp\":1764190009,\"roles\":7}", &claims), TOKEN_CLAIMS);
    provider.grants = ROLE_OPERATOR;
    assert_int_equal (verify_as (&provider, "{\"sub\":\"anna\",\"exp\":1764190009,\"role\":\"operator\"}", &claims),
                      TOKEN_OK);
    assert_int_equal (claims.roles, ROLE_OPERATOR);
}

static void
jwt_of_several_issuers_is_judged_by_its_own (void **state)
{
    (void) state;
    claims_t claims;
    keys_t *keys = NULL;
    assert_int_equal (keys_open ("several", NOW_MS, &keys, NULL), TROUPE_OK);
    jwt_issuer_t issuers[] = { { .issuer = "us", .keys = keys_public (keys), .grants = UINT32_MAX },
                               { .issuer = "they", .keys = rfc_keys, .prefix = "they:" } };
    const char *token = forge ("{\"alg\":\"EdDSA\"}", "{\"iss\":\"they\",\"sub\":\"anna\",\"exp\":1764190009,"
                               "\"role\":\"operator\"}");
    assert_int_equal (jwt_verify (issuers, 2, token, strlen (token), NOW_MS, &claims), TOKEN_OK);
    assert_ptr_equal (claims.issuer, &issuers[1]);
    assert_int_equal (claims.roles, 0);
    /* who says to be us must be signed by us */
    token = forge ("{\"alg\":\"EdDSA\"}", "{\"iss\":\"us\",\"sub\":\"anna\",\"exp\":1764190009}");
    assert_int_equal (jwt_verify (issuers, 2, token, strlen (token), NOW_MS, &claims), TOKEN_ISSUER);
    assert_int_equal (jwt_verify (issuers, 0, token, strlen (token), NOW_MS, &claims), TOKEN_KEY_UNKNOWN);
    keys_destroy (&keys);
}

/*  Memory that fails anywhere makes a token neither good nor bad. */
static void
jwt_without_memory_says_so (void **state)
{
    (void) state;
    claims_t claims;
    token_result_t result = TOKEN_NO_MEMORY;
    jwt_issuer_t issuer = { .keys = rfc_keys };
    for (uint64_t n = 1; result == TOKEN_NO_MEMORY; n++) {
        memory_fail_after (n);
        result = verify_as (&issuer, "{\"sub\":\"anna\",\"exp\":1764190009}", &claims);
        memory_fail_after (0);
        assert_true (n < 50);
    }
    assert_int_equal (result, TOKEN_OK);
    keys_t *keys = NULL;
    buffer_t token = { 0 };
    troupe_status_t status = TROUPE_NO_MEMORY;
    jwt_new_t what = { .issuer = "us", .subject = "anna", .now_ms = NOW_MS, .life_ms = 60000 };
    assert_int_equal (keys_open ("no_memory", NOW_MS, &keys, NULL), TROUPE_OK);
    for (uint64_t n = 1; status == TROUPE_NO_MEMORY; n++) {
        buffer_clear (&token);
        memory_fail_after (n);
        status = jwt_make (keys, &what, &token, NULL);
        memory_fail_after (0);
        assert_true (n < 50);
    }
    assert_int_equal (status, TROUPE_OK);
    buffer_clear (&token);
    keys_destroy (&keys);
}

static int
start (void **state)
{
    if (start_sodium (state) != 0)
        return -1;
    rfc_keys = set_of (RFC8037_KEY);
    return 0;
}

static int
end (void **state)
{
    (void) state;
    jwks_destroy (&rfc_keys);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (jwt_made_here_is_good_here),
        cmocka_unit_test (jwt_that_cannot_be_good_is_not_made),
        cmocka_unit_test (jwt_times_are_looked_at),
        cmocka_unit_test (jwt_times_that_are_none_are_refused),
        cmocka_unit_test (jwt_issuer_and_audience_are_looked_at),
        cmocka_unit_test (jwt_subject_is_one_that_may_own),
        cmocka_unit_test (jwt_payload_is_read_strictly),
        cmocka_unit_test (jwt_of_a_provider_has_its_prefix_and_grants),
        cmocka_unit_test (jwt_of_several_issuers_is_judged_by_its_own),
        cmocka_unit_test (jwt_without_memory_says_so),
    };
    return cmocka_run_group_tests (tests, start, end);
}
