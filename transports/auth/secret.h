/*  secret.h - refresh tokens and API keys: random texts that their holder shows, and that are kept as a hash alone.
 *
 *      trp_rt_<43 letters of 32 random bytes>.<id>.<login>       trp_key_...
 *
 *  The end says where its hash is: in the account `login`, as the family of refresh tokens or the key `id`. The
 *  hash is BLAKE2b of the whole text: 32 random bytes need no slow one. Any thread.
 */
#ifndef TRANSPORTS_AUTH_SECRET_H
#define TRANSPORTS_AUTH_SECRET_H

#include "transports/auth/base64url.h"
#include "transports/auth/name.h"

#include <stdbool.h>
#include <string.h>

#define SECRET_API_KEY_PREFIX "trp_key_"
#define SECRET_BYTES 32
#define SECRET_ID_MAX 32
#define SECRET_HASH_SIZE BASE64URL_SIZE (32)     /* with its NUL */
#define SECRET_TEXT_SIZE (8 + BASE64URL_SIZE (SECRET_BYTES) + 1 + SECRET_ID_MAX + 1 + LOGIN_MAX)
#define NODE_SECRET_SIZE 32

typedef enum {
    SECRET_REFRESH,
    SECRET_API_KEY
} secret_kind_t;

/*  What a text says of itself; believe it when secret_is has compared the hash. */
typedef struct {
    char id[SECRET_ID_MAX + 1];
    char login[LOGIN_MAX + 1];
    char hash[SECRET_HASH_SIZE];
} secret_t;

/*  Whether it is meant for an API key, rather than for a token. */
static inline bool
secret_is_api_key (const char *text)
{
    return strncmp (text, SECRET_API_KEY_PREFIX, sizeof SECRET_API_KEY_PREFIX - 1) == 0;
}

/*  A new random id of 22 letters. */
void secret_new_id (char id[SECRET_ID_MAX + 1]);

/*  A new text; its hash comes from secret_read. The id is 1 to SECRET_ID_MAX letters of base64url, the login one
 *  of name_login. */
void secret_make (secret_kind_t kind, const char *id, const char *login, char text[SECRET_TEXT_SIZE]);

/*  The refresh token that follows this one. For the same `nonce`, which the client makes up for each rotation and
 *  keeps until it is answered, it is the same: who asks again because an answer was lost gets what was sent before,
 *  and a thief, who does not know the nonce, is seen. */
void secret_successor (const uint8_t node_secret[NODE_SECRET_SIZE], const char *old, const void *nonce, size_t size,
                       char text[SECRET_TEXT_SIZE]);

/*  False: no text of this kind. */
bool secret_read (secret_kind_t kind, const char *text, size_t size, secret_t *secret);

/*  Whether it hashes to what was stored; in constant time. */
bool secret_is (const secret_t *secret, const char *stored);

#endif
