/*  tokens.c - whose access tokens a node takes, and those that it makes. */
#include "transports/auth/tokens.h"

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "transports/auth/issuers.h"

#include <stdio.h>

#define NAME_SIZE 256
#define GOOD_MOST 65536          /* tokens whose signature need not be looked at again: 3 MB when all are used */
#define LEEWAY_MS 1000           /* a clock may have been set back a little since */

struct tokens_s {
    char path[FILE_PATH_SIZE], issuers_path[FILE_PATH_SIZE], fetched[FILE_PATH_SIZE];
    char issuer[NAME_SIZE], audience[NAME_SIZE];
    const char *const *roles;
    files_t files;
    keys_t *keys;
    issuers_t *issuers;          /* NULL: none */
    recent_t *good;              /* signed with these keys; NULL: there was no memory for it */
    size_t rule_count;
    jwt_issuer_t rules[1 + ISSUERS_MAX];  /* its own, then the others */
};

/*  The stamps are taken first: a change while a file is read is then seen the next time. */
static troupe_status_t
read_files (tokens_t *self, troupe_error_t *error)
{
    keys_t *keys = NULL;
    issuers_t *issuers = NULL;
    const jwt_issuer_t *rules = NULL;
    size_t count = 0;
    self->files.count = 0;
    troupe_status_t status = files_add (&self->files, self->path, error);
    if (status == TROUPE_OK)
        status = keys_open (self->path, clock_wall_ms (), &keys, error);
    if (*self->issuers_path) {
        troupe_error_t other;
        troupe_status_t outside = issuers_open (self->issuers_path, self->fetched, self->roles, &self->files,
                                                &issuers, &other);
        if (status == TROUPE_OK && outside != TROUPE_OK)
            status = error_set (error, outside, "%s", other.text);
    }
    if (status != TROUPE_OK) {
        keys_destroy (&keys);
        issuers_destroy (&issuers);
        return status;
    }
    recent_destroy (&self->good);
    keys_destroy (&self->keys);
    issuers_destroy (&self->issuers);
    self->good = recent_new (GOOD_MOST);
    self->keys = keys;
    self->issuers = issuers;
    self->rules[0].keys = keys_public (keys);
    if (issuers)
        rules = issuers_rules (issuers, &count);
    self->rule_count = 1 + count;
    for (size_t i = 0; i < count; i++)
        self->rules[1 + i] = rules[i];
    for (size_t i = 0; i < self->rule_count; i++)
        self->rules[i].good = self->good;
    return TROUPE_OK;
}

static bool
take (char *to, size_t size, const char *text)
{
    return snprintf (to, size, "%s", text) < (int) size;
}

troupe_status_t
tokens_open (const tokens_options_t *options, tokens_t **self_p, troupe_error_t *error)
{
    tokens_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for tokens");
    self->roles = options->roles;
    bool fits = take (self->path, sizeof self->path, options->keys)
                && take (self->issuers_path, sizeof self->issuers_path, options->issuers)
                && take (self->fetched, sizeof self->fetched, options->fetched ? options->fetched : ".")
                && take (self->issuer, sizeof self->issuer, options->issuer)
                && take (self->audience, sizeof self->audience, options->audience);
    self->rules[0] = (jwt_issuer_t) {
        .issuer = self->issuer,
        .audience = self->audience,
        .roles = options->roles,
        .grants = UINT32_MAX,
        .leeway_ms = LEEWAY_MS
    };
    troupe_status_t status = fits ? read_files (self, error)
                                  : error_set (error, TROUPE_INVALID, "a path, an issuer or an audience is too long");
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
    recent_destroy (&self->good);
    keys_destroy (&self->keys);
    issuers_destroy (&self->issuers);
    memory_free (self);
    *self_p = NULL;
}

troupe_status_t
tokens_look (tokens_t *self, troupe_error_t *error)
{
    return files_changed (&self->files) ? read_files (self, error) : TROUPE_OK;
}

troupe_status_t
tokens_verify (const tokens_t *self, const char *token, uint64_t now_ms, claims_t *claims, troupe_error_t *error)
{
    token_result_t result = jwt_verify (self->rules, self->rule_count, token, strlen (token), now_ms, claims);
    if (result == TOKEN_OK)
        return TROUPE_OK;
    troupe_status_t status = result == TOKEN_NO_MEMORY     ? TROUPE_OVERLOADED
                             : result == TOKEN_KEY_UNKNOWN ? TROUPE_NOT_FOUND
                                                           : TROUPE_FORBIDDEN;
    return error_set (error, status, "%s", token_result_text (result));
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
        .issuer = self->issuer,
        .audience = self->audience,
        .subject = subject,
        .roles = roles,
        .has_roles = bits_of (is_operator, roles),
        .now_ms = now_ms,
        .life_ms = life_ms
    };
    return jwt_make (self->keys, &what, to, error);
}

const char *
tokens_audience (const tokens_t *self)
{
    return self->audience;
}

void
tokens_secret (const tokens_t *self, const char *purpose, uint8_t secret[32])
{
    keys_secret (self->keys, purpose, secret);
}
