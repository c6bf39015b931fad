/*  jws.c - signed bytes as one line of text.
 *
 *  DESIGN. Nothing of the payload is decoded before the signature is known to be good, and of the header
 *  only what chooses the key.
 */
#include "transports/auth/jws.h"

#include "transports/auth/base64url.h"
#include "transports/auth/member.h"

#include <stdio.h>

#define ALGORITHM_MAX 15

static const char *const texts[TOKEN_RESULTS] = {
    [TOKEN_OK] = "the token is good",
    [TOKEN_MALFORMED] = "this is no token",
    [TOKEN_TOO_LARGE] = "the token is too large",
    [TOKEN_ALGORITHM] = "the token is not signed in the way of its key",
    [TOKEN_KEY_UNKNOWN] = "the token is signed with a key that is not known here",
    [TOKEN_SIGNATURE] = "the token's signature is wrong",
    [TOKEN_EXPIRED] = "the token has expired: get a new one",
    [TOKEN_NOT_YET] = "the token is not yet valid: compare the clocks",
    [TOKEN_ISSUER] = "the token was issued by somebody else",
    [TOKEN_AUDIENCE] = "the token was issued for somebody else",
    [TOKEN_CLAIMS] = "the token lacks a claim, or one is not what it should be",
    [TOKEN_NO_MEMORY] = "no memory to look at the token",
};

const char *
token_result_text (token_result_t result)
{
    CHECK (result < TOKEN_RESULTS);
    return texts[result];
}

typedef struct {
    const char *text;
    size_t size;
} part_t;

static bool
split (const char *token, size_t size, part_t parts[3])
{
    const char *at = token, *end = token + size;
    for (int i = 0; i < 2; i++) {
        const char *dot = memchr (at, '.', (size_t) (end - at));
        if (!dot)
            return false;
        parts[i] = (part_t) { at, (size_t) (dot - at) };
        at = dot + 1;
    }
    parts[2] = (part_t) { at, (size_t) (end - at) };
    return true;  /* a third dot is no letter of base64url */
}

/*  The key that the header names, if it is signed as that key signs. */
static token_result_t
key_of (packed_reader_t header, const key_set_t *keys, uint64_t now_ms, const public_key_t **key)
{
    char kid[KID_MAX + 1] = "", algorithm[ALGORITHM_MAX + 1];
    packed_reader_t found;
    if (packed_find (header.at, (size_t) (header.end - header.at), "crit", &found)
        || member_text (header, "kid", kid, sizeof kid) == MEMBER_BAD)
        return TOKEN_MALFORMED;
    if (member_text (header, "alg", algorithm, sizeof algorithm) != MEMBER_OK)
        return TOKEN_ALGORITHM;
    *key = key_set_find (keys, kid);
    if (!*key || ((*key)->until_ms && now_ms >= (*key)->until_ms))
        return TOKEN_KEY_UNKNOWN;
    return public_key_is_called (*key, algorithm) ? TOKEN_OK : TOKEN_ALGORITHM;
}

static token_result_t
read_header (part_t part, const key_set_t *keys, uint64_t now_ms, const public_key_t **key)
{
    uint8_t text[JWS_HEADER_MAX];
    size_t size;
    packed_reader_t header;
    buffer_t packed = { 0 };
    if (!base64url_read (part.text, part.size, text, sizeof text, &size))
        return TOKEN_MALFORMED;
    troupe_status_t status = object_read (text, size, &packed, &header, NULL);
    token_result_t result = status == TROUPE_OK ? key_of (header, keys, now_ms, key)
        : status == TROUPE_NO_MEMORY ? TOKEN_NO_MEMORY : TOKEN_MALFORMED;
    buffer_clear (&packed);
    return result;
}

/*  The dearest thing here by far. What is no good is not kept, so strangers push nothing out. */
static bool
is_signed (const public_key_t *key, recent_t *good, const char *token, size_t size, const uint8_t *signature,
           size_t signature_size)
{
    const uint64_t *found = good ? recent_find (good, token, size) : NULL;
    size_t signed_size = (size_t) ((const char *) memrchr (token, '.', size) - token);
    if (found && found[0] == (uintptr_t) key)
        return true;
    if (!public_key_verify (key, token, signed_size, signature, signature_size))
        return false;
    if (good)
        recent_use (good, token, size)[0] = (uintptr_t) key;
    return true;
}

token_result_t
jws_open (const key_set_t *keys, recent_t *good, const char *token, size_t size, uint64_t now_ms, jws_t *jws)
{
    part_t parts[3];
    uint8_t signature[SIGNATURE_MAX];
    size_t signature_size;
    if (size > JWS_MAX)
        return TOKEN_TOO_LARGE;
    if (!split (token, size, parts)
        || !base64url_read (parts[2].text, parts[2].size, signature, sizeof signature, &signature_size))
        return TOKEN_MALFORMED;
    token_result_t result = read_header (parts[0], keys, now_ms, &jws->key);
    if (result != TOKEN_OK)
        return result;
    if (!is_signed (jws->key, good, token, size, signature, signature_size))
        return TOKEN_SIGNATURE;
    return base64url_read (parts[1].text, parts[1].size, jws->payload, sizeof jws->payload, &jws->size)
        ? TOKEN_OK : TOKEN_MALFORMED;
}

/*  Within the buffer's memory, which was reserved. */
static void
append_encoded (buffer_t *to, const void *bytes, size_t size)
{
    base64url_write (bytes, size, (char *) to->data + to->size);
    to->size += BASE64URL_SIZE (size) - 1;
}

void
jws_make (const keys_t *keys, const void *payload, size_t size, buffer_t *to)
{
    char header[JWS_HEADER_MAX];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    int header_size = snprintf (header, sizeof header, "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                                keys_kid (keys));
    size_t start = to->size;
    if (!buffer_reserve (to, BASE64URL_SIZE ((size_t) header_size) + BASE64URL_SIZE (size)
                             + BASE64URL_SIZE (sizeof signature)))
        return;
    append_encoded (to, header, (size_t) header_size);
    buffer_byte (to, '.');
    append_encoded (to, payload, size);
    keys_sign (keys, to->data + start, to->size - start, signature);
    buffer_byte (to, '.');
    append_encoded (to, signature, sizeof signature);
}
