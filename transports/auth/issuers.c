/*  issuers.c - outside providers whose tokens are taken. */
#include "transports/auth/issuers.h"

#include "runtime/base/memory.h"
#include "transports/auth/jwks.h"
#include "transports/auth/member.h"

#include <stdio.h>

#define TEXT_SIZE 256
#define PREFIX_SIZE 33
#define LEEWAY_MS 60000          /* other people's clocks */

typedef struct {
    char issuer[TEXT_SIZE], audience[TEXT_SIZE], claim[TEXT_SIZE], prefix[PREFIX_SIZE];
    key_set_t *keys;
} issuer_t;

struct issuers_s {
    size_t count;
    issuer_t issuers[ISSUERS_MAX];
    jwt_issuer_t rules[ISSUERS_MAX];
};

/*  `name` is in the directory of `path`, unless it begins with a slash. */
static bool
path_beside (const char *path, const char *name, char *to, size_t size)
{
    const char *slash = strrchr (path, '/');
    int directory = slash && *name != '/' ? (int) (slash - path + 1) : 0;
    return snprintf (to, size, "%.*s%s", directory, path, name) < (int) size;
}

static troupe_status_t
read_jwks (const char *path, packed_reader_t object, files_t *files, key_set_t **keys, troupe_error_t *error)
{
    char name[TEXT_SIZE], beside[FILE_PATH_SIZE];
    buffer_t text = { 0 };
    troupe_error_t inner;
    if (member_text (object, "jwks", name, sizeof name) != MEMBER_OK || !*name
        || !path_beside (path, name, beside, sizeof beside))
        return error_set (error, TROUPE_INVALID, "jwks: the name of a file is wanted");
    troupe_status_t status = files_add (files, beside, error);
    if (status == TROUPE_OK)
        status = file_read (beside, JWKS_TEXT_MAX, &text, error);
    if (status == TROUPE_OK && (status = jwks_read ((const char *) text.data, text.size, keys, &inner)) != TROUPE_OK)
        error_set (error, status, "%.100s: %.120s", name, inner.text);
    buffer_clear (&text);
    return status;
}

static troupe_status_t
read_grants (packed_reader_t object, const char *const *roles, uint32_t *grants, troupe_error_t *error)
{
    *grants = 0;
    for (unsigned bit = 0; bit < ROLES_MAX && (bit == 0 || (roles && roles[bit - 1])); bit++) {
        bool has = false;
        if (member_has (object, "roles", bit == 0 ? "operator" : roles[bit - 1], &has) == MEMBER_BAD)
            return error_set (error, TROUPE_INVALID, "roles: names in an array are wanted");
        *grants |= has ? 1u << bit : 0;
    }
    return TROUPE_OK;
}

static troupe_status_t
read_issuer (issuers_t *self, const char *path, packed_reader_t object, const char *const *roles, files_t *files,
             troupe_error_t *error)
{
    issuer_t *issuer = &self->issuers[self->count];
    jwt_issuer_t *rules = &self->rules[self->count];
    packed_reader_t head = object;
    packed_value_t value;
    self->count += 1;
    if (!packed_next (&head, &value) || value.type != PACKED_OBJECT)
        return error_set (error, TROUPE_INVALID, "objects are wanted");
    if (member_text (object, "issuer", issuer->issuer, sizeof issuer->issuer) != MEMBER_OK || !*issuer->issuer
        || member_text (object, "audience", issuer->audience, sizeof issuer->audience) != MEMBER_OK
        || !*issuer->audience)
        return error_set (error, TROUPE_INVALID, "issuer and audience are wanted");
    if (member_text (object, "prefix", issuer->prefix, sizeof issuer->prefix) != MEMBER_OK)
        return error_set (error, TROUPE_INVALID, "prefix: a text of at most %d bytes is wanted, \"\" for none",
                          PREFIX_SIZE - 1);
    if (member_text (object, "claim", issuer->claim, sizeof issuer->claim) == MEMBER_BAD)
        return error_set (error, TROUPE_INVALID, "claim: the name of a member of tokens is wanted");
    *rules = (jwt_issuer_t) {
        .issuer = issuer->issuer,
        .audience = issuer->audience,
        .prefix = issuer->prefix,
        .claim = *issuer->claim ? issuer->claim : NULL,
        .roles = roles,
        .leeway_ms = LEEWAY_MS
    };
    troupe_status_t status = read_grants (object, roles, &rules->grants, error);
    if (status == TROUPE_OK)
        status = read_jwks (path, object, files, &issuer->keys, error);
    rules->keys = issuer->keys;
    return status;
}

static troupe_status_t
read_all (issuers_t *self, const char *path, const buffer_t *text, const char *const *roles, files_t *files,
          troupe_error_t *error)
{
    buffer_t packed = { 0 };
    packed_reader_t object, elements;
    uint32_t count = 0;
    troupe_status_t status = object_read (text->data, text->size, &packed, &object, error);
    if (status == TROUPE_OK && (member_array (object, "issuers", &elements, &count) != MEMBER_OK
                                || count > ISSUERS_MAX))
        status = error_set (error, TROUPE_INVALID, "an array \"issuers\" of at most %d is wanted", ISSUERS_MAX);
    while (status == TROUPE_OK && count-- > 0)
        status = read_issuer (self, path, member_element (&elements), roles, files, error);
    buffer_clear (&packed);
    return status;
}

troupe_status_t
issuers_open (const char *path, const char *const *roles, files_t *files, issuers_t **self_p, troupe_error_t *error)
{
    buffer_t text = { 0 };
    troupe_error_t inner;
    issuers_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for issuers");
    troupe_status_t status = files_add (files, path, &inner);
    if (status == TROUPE_OK)
        status = file_read (path, ISSUERS_FILE_MAX, &text, &inner);
    if (status == TROUPE_OK)
        status = read_all (self, path, &text, roles, files, &inner);
    buffer_clear (&text);
    if (status == TROUPE_OK) {
        *self_p = self;
        return status;
    }
    issuers_destroy (&self);
    return error_set (error, status, "%.100s: %s", path, inner.text);
}

void
issuers_destroy (issuers_t **self_p)
{
    issuers_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        jwks_destroy (&self->issuers[i].keys);
    memory_free (self);
    *self_p = NULL;
}

const jwt_issuer_t *
issuers_rules (const issuers_t *self, size_t *count)
{
    *count = self->count;
    return self->rules;
}
