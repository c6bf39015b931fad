/*  issuers.c - outside providers whose tokens are taken. */
#include "transports/auth/issuers.h"

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "transports/auth/jwks.h"
#include "transports/auth/member.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX_SIZE 33
#define LEEWAY_MS 60000          /* other people's clocks */

typedef struct {
    char issuer[ISSUERS_TEXT_SIZE], audience[ISSUERS_TEXT_SIZE], claim[ISSUERS_TEXT_SIZE], prefix[PREFIX_SIZE];
    key_set_t *keys;
} issuer_t;

struct issuers_s {
    const char *path, *fetched;  /* while they are read */
    const char *const *roles;
    files_t *files;
    size_t count;
    issuer_t issuers[ISSUERS_MAX];
    jwt_issuer_t rules[ISSUERS_MAX];
};

static const key_set_t no_keys;

/*  Without TLS from this machine alone. Nor is any with a name and a password, which logs would tell. */
static bool
is_url (const char *name)
{
    bool is_of_scheme = strncmp (name, "https://", 8) == 0 || strncmp (name, "http://127.0.0.1:", 17) == 0
                        || strncmp (name, "http://localhost:", 17) == 0;
    return is_of_scheme && !strchr (name, '@');
}

void
issuers_fetched (const char *directory, const char *url, char *path, size_t size)
{
    snprintf (path, size, "%s/provider-%016llx.jwks", directory,
              (unsigned long long) hash_bytes (url, strlen (url), 0));
}

/*  `name` is in the directory of `path`, unless it begins with a slash. */
static bool
path_beside (const char *path, const char *name, char *to, size_t size)
{
    const char *slash = strrchr (path, '/');
    int directory = slash && *name != '/' ? (int) (slash - path + 1) : 0;
    return snprintf (to, size, "%.*s%s", directory, path, name) < (int) size;
}

/*  Where the keys of a provider are. */
static troupe_status_t
find_jwks (const issuers_t *self, packed_reader_t object, char name[ISSUERS_TEXT_SIZE], char *path, size_t size,
           troupe_error_t *error)
{
    bool is_good = member_text (object, "jwks", name, ISSUERS_TEXT_SIZE) == MEMBER_OK && *name;
    if (is_good && is_url (name))
        issuers_fetched (self->fetched, name, path, size);
    else if (!is_good || strstr (name, "://") || !path_beside (self->path, name, path, size))
        return error_set (error, TROUPE_INVALID, "jwks: the name of a file is wanted, or an URL (https)");
    return TROUPE_OK;
}

static troupe_status_t
read_jwks (const issuers_t *self, packed_reader_t object, files_t *files, key_set_t **keys, troupe_error_t *error)
{
    char name[ISSUERS_TEXT_SIZE], path[FILE_PATH_SIZE];
    buffer_t text = { 0 };
    troupe_error_t inner;
    troupe_status_t status = find_jwks (self, object, name, path, sizeof path, error);
    if (status == TROUPE_OK)
        status = files_add (files, path, error);
    if (status != TROUPE_OK || (is_url (name) && access (path, F_OK) != 0))
        return status;
    status = file_read (path, JWKS_TEXT_MAX, &text, error);
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
read_issuer (void *arg, packed_reader_t object, troupe_error_t *error)
{
    issuers_t *self = arg;
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
        .roles = self->roles,
        .leeway_ms = LEEWAY_MS
    };
    troupe_status_t status = read_grants (object, self->roles, &rules->grants, error);
    if (status == TROUPE_OK)
        status = read_jwks (self, object, self->files, &issuer->keys, error);
    rules->keys = issuer->keys ? issuer->keys : &no_keys;
    return status;
}

typedef troupe_status_t (each_t) (void *arg, packed_reader_t object, troupe_error_t *error);

/*  Each provider of the file. */
static troupe_status_t
read_each (const char *path, each_t *each, void *arg, troupe_error_t *error)
{
    buffer_t text = { 0 }, packed = { 0 };
    packed_reader_t object, elements;
    uint32_t count = 0;
    troupe_status_t status = file_read (path, ISSUERS_FILE_MAX, &text, error);
    if (status == TROUPE_OK)
        status = object_read (text.data, text.size, &packed, &object, error);
    if (status == TROUPE_OK && (member_array (object, "issuers", &elements, &count) != MEMBER_OK
                                || count > ISSUERS_MAX))
        status = error_set (error, TROUPE_INVALID, "an array \"issuers\" of at most %d is wanted", ISSUERS_MAX);
    while (status == TROUPE_OK && count-- > 0)
        status = each (arg, member_element (&elements), error);
    buffer_clear (&packed);
    buffer_clear (&text);
    return status;
}

troupe_status_t
issuers_open (const char *path, const char *fetched, const char *const *roles, files_t *files, issuers_t **self_p,
              troupe_error_t *error)
{
    troupe_error_t inner;
    issuers_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for issuers");
    self->path = path;
    self->fetched = fetched;
    self->roles = roles;
    self->files = files;
    troupe_status_t status = files_add (files, path, &inner);
    if (status == TROUPE_OK)
        status = read_each (path, read_issuer, self, &inner);
    if (status == TROUPE_OK) {
        *self_p = self;
        return status;
    }
    issuers_destroy (&self);
    return error_set (error, status, "%.100s: %s", path, inner.text);
}

typedef struct {
    char (*urls)[ISSUERS_TEXT_SIZE];
    size_t count;
} urls_t;

static troupe_status_t
note_url (void *arg, packed_reader_t object, troupe_error_t *error)
{
    urls_t *self = arg;
    char *url = self->urls[self->count];
    (void) error;
    self->count += member_text (object, "jwks", url, ISSUERS_TEXT_SIZE) == MEMBER_OK && is_url (url);
    return TROUPE_OK;
}

troupe_status_t
issuers_urls (const char *path, char urls[ISSUERS_MAX][ISSUERS_TEXT_SIZE], size_t *count, troupe_error_t *error)
{
    urls_t found = { urls, 0 };
    troupe_status_t status = read_each (path, note_url, &found, error);
    *count = found.count;
    return status;
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
