/*  jws.h - signed bytes as one line of text, HEADER.BYTES.SIGNATURE (RFC 7515, compact form).
 *
 *  Strict: three parts of base64url without padding, one text for a token (nothing can be put in or
 *  changed that keeps it good), headers read as JSON without duplicates, `crit` refused. The
 *  header's `kid` chooses the key, the key says how it is verified, and the header's `alg`
 *  must agree. Any thread, but for what is shared by those who use the same `good`.
 */
#ifndef TRANSPORTS_AUTH_JWS_H
#define TRANSPORTS_AUTH_JWS_H

#include "runtime/base/buffer.h"
#include "transports/auth/keys.h"
#include "transports/auth/public_key.h"
#include "transports/auth/recent.h"

#define JWS_MAX 4096             /* bytes of the text */
#define JWS_HEADER_MAX 1024      /* bytes of the header, decoded */
#define JWS_PAYLOAD_MAX 3072     /* bytes that are signed, decoded */

/*  What is wrong with a token. */
typedef enum {
    TOKEN_OK,
    TOKEN_MALFORMED,    /* not the form of a token */
    TOKEN_TOO_LARGE,
    TOKEN_ALGORITHM,    /* not signed as the key of this name signs */
    TOKEN_KEY_UNKNOWN,
    TOKEN_SIGNATURE,
    TOKEN_EXPIRED,
    TOKEN_NOT_YET,
    TOKEN_ISSUER,
    TOKEN_AUDIENCE,
    TOKEN_CLAIMS,       /* one is missing, or not what it should be */
    TOKEN_NO_MEMORY,
    TOKEN_RESULTS
} token_result_t;

/*  For people and logs: one of a few texts, with nothing of any token in it. */
const char *token_result_text (token_result_t result);

typedef struct {
    const public_key_t *key;     /* that verified it: lives as long as the set */
    size_t size;
    uint8_t payload[JWS_PAYLOAD_MAX];
} jws_t;

/*  TOKEN_OK: the payload was signed with a key of the set. Else the payload is not to be looked at.
 *  `good`: the texts whose signature was found good lately, and with which key: it is not looked at again. It ends
 *  before these keys do. NULL: none are kept. */
token_result_t jws_open (const key_set_t *keys, recent_t *good, const char *token, size_t size, uint64_t now_ms,
                         jws_t *jws);

/*  Appends the token, signed with the node's key; on failure the buffer is `failed`. */
void jws_make (const keys_t *keys, const void *payload, size_t size, buffer_t *to);

#endif
