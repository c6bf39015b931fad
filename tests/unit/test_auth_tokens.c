/*  test_auth_tokens.c - whose tokens are taken: the node's own, and those of outside providers. */

#include "transports/auth/tokens.h"

#include "runtime/base/clock.h"
#include "tests/unit/auth_help.h"

#define ISSUER "{\"issuer\":\"them\",\"audience\":\"shop\",\"jwks\":\"them.jwks\",\"prefix\":\"they:\"%s}"
#define HEADER "{\"alg\":\"EdDSA\",\"kid\":\"k\"}"

static const char *const roles[] = { "coach", "judge", NULL };
static const char jwks[] = "{\"keys\":[{\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_X "\"}]}";

static void
write_file (const char *path, const char *text)
{
    char temporary[64];
    snprintf (temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen (temporary, "w");
    assert_non_null (file);
    assert_true (fputs (text, file) >= 0);
    assert_int_equal (fclose (file), 0);
    assert_int_equal (rename (temporary, path), 0);
}

/*  A file with one issuer, which has these members besides. */
static void
write_issuer (const char *more)
{
    char text[1024];
    snprintf (text, sizeof text, "{\"issuers\":[" ISSUER "]}", more);
    write_file ("issuers.json", text);
}

static troupe_status_t
open_tokens (tokens_t **tokens, troupe_error_t *error)
{
    tokens_options_t options = { .keys = "tokens.keys", .issuer = "us", .audience = "me", .issuers = "issuers.json",
                                 .roles = roles };
    *tokens = NULL;
    return tokens_open (&options, tokens, error);
}

static const char *
outside (const char *audience, const char *more)
{
    char payload[512];
    snprintf (payload, sizeof payload, "{\"iss\":\"them\",\"aud\":[\"x\",\"%s\"],\"sub\":\"anna\",\"exp\":%llu%s}",
              audience, (unsigned long long) clock_wall_ms () / 1000 + 60, more);
    return forge (HEADER, payload);
}

static troupe_status_t
verify (const tokens_t *tokens, const char *token, claims_t *claims)
{
    return tokens_verify (tokens, token, clock_wall_ms (), claims, NULL);
}

static void
tokens_of_a_provider_are_taken_with_its_prefix_and_roles (void **state)
{
    (void) state;
    tokens_t *tokens;
    claims_t claims;
    write_file ("them.jwks", jwks);
    write_issuer (",\"roles\":[\"judge\"],\"claim\":\"groups\"");
    assert_int_equal (open_tokens (&tokens, NULL), TROUPE_OK);
    static const char groups[] = ",\"groups\":[\"judge\",\"coach\",\"operator\"],\"roles\":[\"coach\"]";
    assert_int_equal (verify (tokens, outside ("shop", groups), &claims), TROUPE_OK);
    assert_string_equal (claims.subject, "they:anna");
    assert_int_equal (claims.roles, 1u << 2);
    assert_int_equal (verify (tokens, outside ("me", ""), &claims), TROUPE_FORBIDDEN);
    tokens_destroy (&tokens);
}

static void
tokens_of_its_own_are_taken_beside_them (void **state)
{
    (void) state;
    tokens_t *tokens;
    claims_t claims;
    buffer_t text = { 0 };
    write_file ("them.jwks", jwks);
    write_issuer ("");
    assert_int_equal (open_tokens (&tokens, NULL), TROUPE_OK);
    static const char *const has[] = { "coach", NULL };
    assert_int_equal (tokens_make (tokens, "anna", true, has, clock_wall_ms (), 60000, &text, NULL), TROUPE_OK);
    buffer_byte (&text, '\0');
    assert_int_equal (verify (tokens, (const char *) text.data, &claims), TROUPE_OK);
    assert_string_equal (claims.subject, "anna");
    assert_int_equal (claims.roles, ROLE_OPERATOR | 1u << 1);
    buffer_clear (&text);
    tokens_destroy (&tokens);
}

static void
tokens_file_that_changes_is_read_again_and_a_bad_one_changes_nothing (void **state)
{
    (void) state;
    tokens_t *tokens;
    claims_t claims;
    troupe_error_t error;
    write_file ("them.jwks", "{\"keys\":[" RFC7515_EC_KEY "]}");
    write_issuer ("");
    assert_int_equal (open_tokens (&tokens, NULL), TROUPE_OK);
    assert_int_equal (verify (tokens, outside ("shop", ""), &claims), TROUPE_NOT_FOUND);
    write_file ("them.jwks", jwks);
    assert_int_equal (tokens_look (tokens, NULL), TROUPE_OK);
    assert_int_equal (verify (tokens, outside ("shop", ""), &claims), TROUPE_OK);
    write_file ("them.jwks", "{\"keys\":[]}");
    assert_int_equal (tokens_look (tokens, &error), TROUPE_INVALID);
    assert_non_null (strstr (error.text, "them.jwks"));
    assert_int_equal (tokens_look (tokens, &error), TROUPE_OK);
    assert_int_equal (verify (tokens, outside ("shop", ""), &claims), TROUPE_OK);
    write_file ("issuers.json", "{\"issuers\":[]}");
    assert_int_equal (tokens_look (tokens, NULL), TROUPE_OK);
    assert_int_equal (verify (tokens, outside ("shop", ""), &claims), TROUPE_NOT_FOUND);
    tokens_destroy (&tokens);
}

/*  What was found to be signed with a key is not, when another has its name. */
static void
tokens_key_that_is_replaced_under_its_name_verifies_no_more (void **state)
{
    (void) state;
    tokens_t *tokens;
    claims_t claims;
    uint8_t key[ED25519_KEY_SIZE], secret[crypto_sign_SECRETKEYBYTES];
    char x[BASE64URL_SIZE (ED25519_KEY_SIZE)], text[256], token[JWS_MAX];
    write_file ("them.jwks", jwks);
    write_issuer ("");
    assert_int_equal (open_tokens (&tokens, NULL), TROUPE_OK);
    snprintf (token, sizeof token, "%s", outside ("shop", ""));
    for (int i = 0; i < 3; i++)
        assert_int_equal (verify (tokens, token, &claims), TROUPE_OK);
    crypto_sign_keypair (key, secret);
    base64url_write (key, sizeof key, x);
    snprintf (text, sizeof text, "{\"keys\":[{\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}]}", x);
    write_file ("them.jwks", text);
    assert_int_equal (tokens_look (tokens, NULL), TROUPE_OK);
    assert_int_equal (verify (tokens, token, &claims), TROUPE_FORBIDDEN);
    tokens_destroy (&tokens);
}

static void
tokens_issuers_that_are_none_are_told (void **state)
{
    (void) state;
    static const struct {
        const char *text, *said;
    } cases[] = {
        { "", "issuers.json" },
        { "{}", "an array \"issuers\"" },
        { "{\"issuers\":[7]}", "objects" },
        { "{\"issuers\":[{}]}", "issuer and audience" },
        { "{\"issuers\":[{\"issuer\":\"a\",\"audience\":\"b\",\"jwks\":\"them.jwks\"}]}", "prefix" },
        { "{\"issuers\":[{\"issuer\":\"a\",\"audience\":\"b\",\"prefix\":\"\"}]}", "jwks" },
        { "{\"issuers\":[{\"issuer\":\"a\",\"audience\":\"b\",\"prefix\":\"\",\"jwks\":\"nowhere\"}]}", "nowhere" },
        { "{\"issuers\":[{\"issuer\":\"a\",\"audience\":\"b\",\"prefix\":\"\",\"jwks\":\"them.jwks\",\"roles\":7}]}",
          "roles" },
        { "{\"issuers\":[{},{},{},{},{},{},{},{},{}]}", "at most 8" },
    };
    tokens_t *tokens;
    troupe_error_t error;
    write_file ("them.jwks", jwks);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file ("issuers.json", cases[i].text);
        assert_true (open_tokens (&tokens, &error) != TROUPE_OK && !tokens);
        assert_non_null (strstr (error.text, cases[i].said));
    }
    assert_int_equal (remove ("issuers.json"), 0);
    assert_int_equal (open_tokens (&tokens, &error), TROUPE_IO);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (tokens_of_a_provider_are_taken_with_its_prefix_and_roles),
        cmocka_unit_test (tokens_of_its_own_are_taken_beside_them),
        cmocka_unit_test (tokens_file_that_changes_is_read_again_and_a_bad_one_changes_nothing),
        cmocka_unit_test (tokens_key_that_is_replaced_under_its_name_verifies_no_more),
        cmocka_unit_test (tokens_issuers_that_are_none_are_told),
    };
    return cmocka_run_group_tests (tests, start_sodium, NULL);
}
