/*  secret.c - refresh tokens and API keys. */
#include "transports/auth/secret.h"

#include "runtime/base/error.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ID_BYTES 16
#define RANDOM_LETTERS (BASE64URL_SIZE (SECRET_BYTES) - 1)

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char *const prefixes[] = { [SECRET_REFRESH] = "trp_rt_", [SECRET_API_KEY] = SECRET_API_KEY_PREFIX };

void
secret_new_id (char id[SECRET_ID_MAX + 1])
{
    uint8_t random[ID_BYTES];
    randombytes_buf (random, sizeof random);
    base64url_write (random, sizeof random, id);
}

static void
write_text (secret_kind_t kind, const uint8_t bytes[SECRET_BYTES], const char *id, const char *login,
            char text[SECRET_TEXT_SIZE])
{
    char random[BASE64URL_SIZE (SECRET_BYTES)];
    base64url_write (bytes, SECRET_BYTES, random);
    int size = snprintf (text, SECRET_TEXT_SIZE, "%s%s.%s.%s", prefixes[kind], random, id, login);
    CHECK (size < (int) SECRET_TEXT_SIZE);
    sodium_memzero (random, sizeof random);
}

void
secret_make (secret_kind_t kind, const char *id, const char *login, char text[SECRET_TEXT_SIZE])
{
    uint8_t bytes[SECRET_BYTES];
    randombytes_buf (bytes, sizeof bytes);
    write_text (kind, bytes, id, login, text);
    sodium_memzero (bytes, sizeof bytes);
}

void
secret_successor (const uint8_t node_secret[NODE_SECRET_SIZE], const char *old, const void *nonce, size_t size,
                  char text[SECRET_TEXT_SIZE])
{
    secret_t secret;
    uint8_t bytes[SECRET_BYTES];
    crypto_generichash_state state;
    CHECK (secret_read (SECRET_REFRESH, old, strlen (old), &secret));
    crypto_generichash_init (&state, node_secret, NODE_SECRET_SIZE, sizeof bytes);
    crypto_generichash_update (&state, (const uint8_t *) old, strlen (old) + 1);
    crypto_generichash_update (&state, nonce, size);
    crypto_generichash_final (&state, bytes, sizeof bytes);
    write_text (SECRET_REFRESH, bytes, secret.id, secret.login, text);
    sodium_memzero (bytes, sizeof bytes);
    sodium_memzero (&state, sizeof state);
}

static bool
read_end (const char *end, size_t size, secret_t *secret)
{
    char login[LOGIN_MAX + 1];
    size_t id_size = 0;
    while (id_size < size && end[id_size] && strchr (letters, end[id_size]))
        id_size += 1;
    if (id_size == 0 || id_size > SECRET_ID_MAX || id_size == size || end[id_size] != '.')
        return false;
    size_t login_size = size - id_size - 1;
    if (login_size > LOGIN_MAX || memchr (end, '\0', size))
        return false;
    memcpy (secret->id, end, id_size);
    memcpy (login, end + id_size + 1, login_size);
    login[login_size] = '\0';
    return name_login (login, secret->login) && strcmp (login, secret->login) == 0;
}

bool
secret_read (secret_kind_t kind, const char *text, size_t size, secret_t *secret)
{
    uint8_t bytes[SECRET_BYTES], hash[32];
    size_t prefix = strlen (prefixes[kind]), front = prefix + RANDOM_LETTERS;
    memset (secret, 0, sizeof *secret);
    if (size <= front || memcmp (text, prefixes[kind], prefix) != 0 || text[front] != '.'
        || !base64url_read_exactly (text + prefix, RANDOM_LETTERS, bytes, sizeof bytes)
        || !read_end (text + front + 1, size - front - 1, secret))
        return false;
    sodium_memzero (bytes, sizeof bytes);
    crypto_generichash (hash, sizeof hash, (const uint8_t *) text, size, NULL, 0);
    base64url_write (hash, sizeof hash, secret->hash);
    return true;
}

bool
secret_is (const secret_t *secret, const char *stored)
{
    return strlen (stored) == SECRET_HASH_SIZE - 1
        && sodium_memcmp (secret->hash, stored, SECRET_HASH_SIZE - 1) == 0;
}
