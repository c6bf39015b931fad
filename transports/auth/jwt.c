/*  jwt.c - access tokens: who somebody is, for a short while, signed. */
#include "transports/auth/jwt.h"

#include "runtime/body/json.h"
#include "transports/auth/base64url.h"
#include "transports/auth/member.h"
#include "transports/auth/name.h"

#include <sodium.h>
#include <stdio.h>

#define JTI_SIZE 16
#define ISSUER_MAX 255

/* ------------------------------------------------------------------ *
 *  Reading
 * ------------------------------------------------------------------ */

static token_result_t
check_times (packed_reader_t object, const jwt_issuer_t *issuer, uint64_t now_ms, claims_t *claims)
{
    uint64_t not_before_ms = 0, leeway_ms = issuer->leeway_ms;
    CHECK (leeway_ms <= LEEWAY_MAX_MS);
    if (member_time (object, "exp", &claims->expires_ms) != MEMBER_OK
        || member_time (object, "nbf", &not_before_ms) == MEMBER_BAD
        || member_time (object, "iat", &claims->issued_ms) == MEMBER_BAD)
        return TOKEN_CLAIMS;
    if (now_ms >= claims->expires_ms + leeway_ms)
        return TOKEN_EXPIRED;
    if (not_before_ms > now_ms + leeway_ms || claims->issued_ms > now_ms + leeway_ms)
        return TOKEN_NOT_YET;
    return TOKEN_OK;
}

static token_result_t
check_parties (packed_reader_t object, const jwt_issuer_t *issuer)
{
    char name[ISSUER_MAX + 1] = "";
    bool has = false;
    if (member_text (object, "iss", name, sizeof name) == MEMBER_BAD)
        return TOKEN_CLAIMS;
    if (issuer->issuer && strcmp (name, issuer->issuer) != 0)
        return TOKEN_ISSUER;
    if (issuer->audience && member_has (object, "aud", issuer->audience, &has) == MEMBER_BAD)
        return TOKEN_CLAIMS;
    return issuer->audience && !has ? TOKEN_AUDIENCE : TOKEN_OK;
}

static token_result_t
read_subject (packed_reader_t object, const jwt_issuer_t *issuer, claims_t *claims)
{
    const char *prefix = issuer->prefix ? issuer->prefix : "";
    size_t size = strlen (prefix);
    CHECK (size < sizeof claims->subject);
    memcpy (claims->subject, prefix, size);
    if (member_text (object, "sub", claims->subject + size, sizeof claims->subject - size) != MEMBER_OK
        || claims->subject[size] == '\0' || !name_is_subject (claims->subject)
        || member_text (object, "jti", claims->id, sizeof claims->id) == MEMBER_BAD)
        return TOKEN_CLAIMS;
    return TOKEN_OK;
}

static const char *
role_name (const char *const *roles, unsigned bit)
{
    return bit == 0 ? "operator" : roles ? roles[bit - 1] : NULL;
}

/*  One of them, or several. */
static token_result_t
read_roles (packed_reader_t object, const jwt_issuer_t *issuer, claims_t *claims)
{
    const char *name, *claim = issuer->claim;
    for (unsigned bit = 0; bit < ROLES_MAX && (name = role_name (issuer->roles, bit)); bit++) {
        bool one, several;
        if (member_has (object, claim ? claim : "role", name, &one) == MEMBER_BAD
            || member_has (object, claim ? claim : "roles", name, &several) == MEMBER_BAD)
            return TOKEN_CLAIMS;
        if (one || several)
            claims->roles |= 1u << bit & issuer->grants;
    }
    return TOKEN_OK;
}

static token_result_t
read_claims (packed_reader_t object, const jwt_issuer_t *issuer, uint64_t now_ms, claims_t *claims)
{
    token_result_t result = check_parties (object, issuer);
    if (result == TOKEN_OK)
        result = check_times (object, issuer, now_ms, claims);
    if (result == TOKEN_OK)
        result = read_subject (object, issuer, claims);
    return result == TOKEN_OK ? read_roles (object, issuer, claims) : result;
}

static token_result_t
verify (const jwt_issuer_t *issuer, const char *token, size_t size, uint64_t now_ms, claims_t *claims)
{
    jws_t jws;
    packed_reader_t object;
    buffer_t packed = { 0 };
    token_result_t result = jws_open (issuer->keys, issuer->good, token, size, now_ms, &jws);
    if (result != TOKEN_OK)
        return result;
    troupe_status_t status = object_read (jws.payload, jws.size, &packed, &object, NULL);
    result = status == TROUPE_OK ? read_claims (object, issuer, now_ms, claims)
        : status == TROUPE_NO_MEMORY ? TOKEN_NO_MEMORY : TOKEN_CLAIMS;
    buffer_clear (&packed);
    return result;
}

/*  What another issuer's keys and rules could make good. */
static bool
is_of_others (token_result_t result)
{
    return result == TOKEN_KEY_UNKNOWN || result == TOKEN_ALGORITHM || result == TOKEN_SIGNATURE
        || result == TOKEN_ISSUER || result == TOKEN_AUDIENCE;
}

token_result_t
jwt_verify (const jwt_issuer_t *issuers, size_t count, const char *token, size_t size, uint64_t now_ms,
            claims_t *claims)
{
    token_result_t nearest = TOKEN_KEY_UNKNOWN;
    for (size_t i = 0; i < count; i++) {
        memset (claims, 0, sizeof *claims);
        token_result_t result = verify (&issuers[i], token, size, now_ms, claims);
        claims->issuer = &issuers[i];
        if (result == TOKEN_OK)
            return result;
        if (result != TOKEN_KEY_UNKNOWN)
            nearest = result;
        if (!is_of_others (result))
            break;
    }
    memset (claims, 0, sizeof *claims);
    return nearest;
}

/* ------------------------------------------------------------------ *
 *  Making
 * ------------------------------------------------------------------ */

static void
put_roles (buffer_t *to, const jwt_new_t *what)
{
    const char *name;
    packed_put_name (to, "roles");
    size_t place = packed_open (to);
    uint32_t count = 0;
    for (unsigned bit = 0; bit < ROLES_MAX && (name = role_name (what->roles, bit)); bit++)
        if (what->has_roles & 1u << bit) {
            packed_put_name (to, name);
            count += 1;
        }
    packed_close (to, place, PACKED_ARRAY, count);
}

static void
put_claims (buffer_t *to, const jwt_new_t *what)
{
    uint8_t random[JTI_SIZE];
    char id[BASE64URL_SIZE (JTI_SIZE)];
    randombytes_buf (random, sizeof random);
    base64url_write (random, sizeof random, id);
    packed_put_object (to, 5 + (what->audience ? 1 : 0) + (what->has_roles ? 1 : 0));
    packed_put_text (to, "iss", what->issuer);
    packed_put_text (to, "sub", what->subject);
    if (what->audience)
        packed_put_text (to, "aud", what->audience);
    if (what->has_roles)
        put_roles (to, what);
    packed_put_number (to, "iat", what->now_ms / 1000);
    packed_put_number (to, "exp", (what->now_ms + what->life_ms) / 1000);
    packed_put_text (to, "jti", id);
}

static troupe_status_t
sign (const keys_t *keys, const buffer_t *claims, buffer_t *to, troupe_error_t *error)
{
    buffer_t text = { .limit = JWS_PAYLOAD_MAX };
    size_t start = to->size;
    troupe_status_t status = json_from_packed (claims->data, claims->size, &text, error);
    if (status == TROUPE_OK) {
        jws_make (keys, text.data, text.size, to);
        status = packed_status (to, error);
        if (status == TROUPE_OK && to->size - start > JWS_MAX) {
            packed_cut (to, start);
            status = error_set (error, TROUPE_TOO_LARGE, "the names in the token are too long");
        }
    }
    buffer_clear (&text);
    return status;
}

troupe_status_t
jwt_make (const keys_t *keys, const jwt_new_t *what, buffer_t *to, troupe_error_t *error)
{
    if (!name_is_subject (what->subject))
        return error_set (error, TROUPE_INVALID, "the subject of a token is the id of an actor, without / { }");
    if (what->life_ms < 1000)
        return error_set (error, TROUPE_INVALID, "a token lives for a second or more");
    buffer_t claims = { .limit = JWS_PAYLOAD_MAX };
    put_claims (&claims, what);
    troupe_status_t status = packed_status (&claims, error);
    if (status == TROUPE_OK)
        status = sign (keys, &claims, to, error);
    buffer_clear (&claims);
    return status;
}
