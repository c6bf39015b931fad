/*  password.c - passwords, kept as Argon2id. */
#include "transports/auth/password.h"

#include "runtime/base/error.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HASH_BYTES 32

_Static_assert (PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "a hash fits");

static uint64_t
within (uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static password_cost_t
bounded (const password_cost_t *cost)
{
    return (password_cost_t) {
        within (cost->rounds, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_OPSLIMIT_MODERATE),
        within (cost->memory_bytes, crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_MODERATE)
    };
}

troupe_status_t
password_hash (const password_cost_t *cost, const char *password, size_t size, char hash[PASSWORD_HASH_SIZE],
               troupe_error_t *error)
{
    password_cost_t good = bounded (cost);
    if (size < PASSWORD_MIN)
        return error_set (error, TROUPE_INVALID, "a password has %d characters or more", PASSWORD_MIN);
    if (size > PASSWORD_MAX)
        return error_set (error, TROUPE_TOO_LARGE, "a password has at most %d bytes", PASSWORD_MAX);
    memset (hash, 0, PASSWORD_HASH_SIZE);
    if (crypto_pwhash_str_alg (hash, password, size, good.rounds, (size_t) good.memory_bytes,
                               crypto_pwhash_ALG_ARGON2ID13) != 0)
        return error_set (error, TROUPE_NO_MEMORY, "no memory to hash a password");
    return TROUPE_OK;
}

/*  What a hash is made of. libsodium's own verifying does not tell a wrong password from a lack of memory. */
typedef struct {
    unsigned rounds, memory_kb;
    uint8_t salt[crypto_pwhash_SALTBYTES];
    uint8_t bytes[HASH_BYTES];
} parts_t;

static bool
decode (const char *text, uint8_t *bytes, size_t wanted)
{
    size_t size;
    return sodium_base642bin (bytes, wanted, text, strlen (text), NULL, &size, NULL,
                              sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 && size == wanted;
}

static bool
read_parts (const char *hash, parts_t *parts)
{
    char salt[32], bytes[64];
    int end = 0;
    return sscanf (hash, "$argon2id$v=19$m=%9u,t=%9u,p=1$%31[^$]$%63[^$]%n", &parts->memory_kb, &parts->rounds, salt,
                   bytes, &end) == 4
        && hash[end] == '\0' && decode (salt, parts->salt, sizeof parts->salt)
        && decode (bytes, parts->bytes, sizeof parts->bytes)
        && parts->rounds >= crypto_pwhash_OPSLIMIT_MIN && parts->rounds <= crypto_pwhash_OPSLIMIT_MODERATE
        && parts->memory_kb >= crypto_pwhash_MEMLIMIT_MIN / 1024
        && parts->memory_kb <= crypto_pwhash_MEMLIMIT_MODERATE / 1024;
}

troupe_status_t
password_verify (const password_cost_t *cost, const char *hash, const char *password, size_t size)
{
    password_cost_t good = bounded (cost);
    parts_t parts = { .rounds = (unsigned) good.rounds, .memory_kb = (unsigned) (good.memory_bytes / 1024) };
    uint8_t bytes[HASH_BYTES];
    if (size > PASSWORD_MAX)
        return TROUPE_FORBIDDEN;
    if (hash && !read_parts (hash, &parts))
        return TROUPE_CORRUPT;
    if (crypto_pwhash (bytes, sizeof bytes, password, size, parts.salt, parts.rounds, parts.memory_kb * 1024ull,
                       crypto_pwhash_ALG_ARGON2ID13) != 0)
        return TROUPE_NO_MEMORY;
    return sodium_memcmp (bytes, parts.bytes, sizeof bytes) == 0 && hash ? TROUPE_OK : TROUPE_FORBIDDEN;
}

bool
password_needs_rehash (const password_cost_t *cost, const char *hash)
{
    password_cost_t good = bounded (cost);
    return crypto_pwhash_str_needs_rehash (hash, good.rounds, (size_t) good.memory_bytes) != 0;
}
