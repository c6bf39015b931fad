/*  password.h - passwords, kept as Argon2id.
 *
 *  SLOW ON PURPOSE: password_hash and password_verify take tens to hundreds of milliseconds of a core and 64 to 256 MB
 *  of memory, and block. They run on a helper thread, few at a time: never on a gateway's loop or a shard. Put
 *  slowdown.h in front of them. Any thread.
 */
#ifndef TRANSPORTS_AUTH_PASSWORD_H
#define TRANSPORTS_AUTH_PASSWORD_H

#include <troupe.h>

#define PASSWORD_MIN 8           /* bytes */
#define PASSWORD_MAX 512
#define PASSWORD_HASH_SIZE 128   /* with its NUL: text, "$argon2id$v=19$..." */

/*  Between libsodium's INTERACTIVE (2 rounds, 64 MB) and MODERATE (3 rounds, 256 MB); what is
 *  outside of that counts as the nearer of them. */
typedef struct {
    uint64_t rounds;
    uint64_t memory_bytes;
} password_cost_t;

/*  TROUPE_INVALID: too short; TROUPE_TOO_LARGE; TROUPE_NO_MEMORY. */
troupe_status_t password_hash (const password_cost_t *cost, const char *password, size_t size,
                               char hash[PASSWORD_HASH_SIZE], troupe_error_t *error) TROUPE_CHECKED;

/*  TROUPE_OK: it is that password. TROUPE_FORBIDDEN: it is not; TROUPE_CORRUPT: this is no hash; TROUPE_NO_MEMORY:
 *  nobody knows. With NULL for the hash, for a name that nobody has: takes as long, and is forbidden. */
troupe_status_t password_verify (const password_cost_t *cost, const char *hash, const char *password,
                                 size_t size) TROUPE_CHECKED;

/*  Whether the hash was made at another cost: hash again after a sign-in, when the password is at hand. */
bool password_needs_rehash (const password_cost_t *cost, const char *hash);

#endif
