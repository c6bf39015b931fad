/*  tokens.c - whose access tokens a node takes, and those that it makes. */
#include "transports/auth/tokens.h"

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

#include <stdio.h>
#include <sys/stat.h>

#define PATH_SIZE 1100
#define LEEWAY_MS 1000           /* a clock may have been set back a little since */

/*  What tells that a file is another one. */
typedef struct {
    uint64_t device, inode, size, changed_ns;
} stamp_t;

struct tokens_s {
    char path[PATH_SIZE];
    keys_t *keys;
    stamp_t stamp;
    jwt_issuer_t issuer;
};

static stamp_t
stamp_of (const char *path)
{
    struct stat info;
    if (stat (path, &info) != 0)
        return (stamp_t) { 0 };
    return (stamp_t) {
        .device = (uint64_t) info.st_dev,
        .inode = (uint64_t) info.st_ino,
        .size = (uint64_t) info.st_size,
        .changed_ns = (uint64_t) info.st_ctim.tv_sec * 1000000000u + (uint64_t) info.st_ctim.tv_nsec
    };
}

/*  The stamp is taken first: a change while the file is read is then seen the next time. */
static troupe_status_t
read_keys (tokens_t *self, troupe_error_t *error)
{
    keys_t *keys = NULL;
    self->stamp = stamp_of (self->path);
    troupe_status_t status = keys_open (self->path, clock_wall_ms (), &keys, error);
    if (status != TROUPE_OK)
        return status;
    keys_destroy (&self->keys);
    self->keys = keys;
    self->issuer.keys = keys_public (keys);
    return TROUPE_OK;
}

troupe_status_t
tokens_open (const char *path, tokens_t **self_p, troupe_error_t *error)
{
    tokens_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for tokens");
    self->issuer = (jwt_issuer_t) {
        .issuer = TOKENS_ISSUER,
        .audience = TOKENS_ISSUER,
        .grants = UINT32_MAX,
        .leeway_ms = LEEWAY_MS
    };
    bool fits = snprintf (self->path, sizeof self->path, "%s", path) < (int) sizeof self->path;
    troupe_status_t status = fits ? read_keys (self, error)
                                  : error_set (error, TROUPE_INVALID, "the path of the keys is too long");
    if (status == TROUPE_OK)
        *self_p = self;
    else
        tokens_destroy (&self);
    return status;
}

void
tokens_destroy (tokens_t **self_p)
{
    tokens_t *self = *self_p;
    if (!self)
        return;
    keys_destroy (&self->keys);
    memory_free (self);
    *self_p = NULL;
}

troupe_status_t
tokens_look (tokens_t *self, troupe_error_t *error)
{
    stamp_t stamp = stamp_of (self->path);
    return memcmp (&stamp, &self->stamp, sizeof stamp) == 0 ? TROUPE_OK : read_keys (self, error);
}

troupe_status_t
tokens_verify (const tokens_t *self, const char *token, uint64_t now_ms, claims_t *claims, troupe_error_t *error)
{
    token_result_t result = jwt_verify (&self->issuer, 1, token, strlen (token), now_ms, claims);
    if (result == TOKEN_OK)
        return TROUPE_OK;
    return error_set (error, result == TOKEN_NO_MEMORY ? TROUPE_OVERLOADED : TROUPE_FORBIDDEN, "%s",
                      token_result_text (result));
}

static uint32_t
bits_of (bool is_operator, const char *const *roles)
{
    uint32_t bits = is_operator ? ROLE_OPERATOR : 0;
    for (unsigned bit = 1; bit < ROLES_MAX && roles && roles[bit - 1]; bit++)
        bits |= 1u << bit;
    return bits;
}

troupe_status_t
tokens_make (const tokens_t *self, const char *subject, bool is_operator, const char *const *roles, uint64_t now_ms,
             uint64_t life_ms, buffer_t *to, troupe_error_t *error)
{
    jwt_new_t what = {
        .issuer = TOKENS_ISSUER,
        .audience = TOKENS_ISSUER,
        .subject = subject,
        .roles = roles,
        .has_roles = bits_of (is_operator, roles),
        .now_ms = now_ms,
        .life_ms = life_ms
    };
    return jwt_make (self->keys, &what, to, error);
}

void
tokens_secret (const tokens_t *self, const char *purpose, uint8_t secret[32])
{
    keys_secret (self->keys, purpose, secret);
}
