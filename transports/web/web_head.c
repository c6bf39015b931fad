/*  web_head.c - what the headers and the query of a request mean. */
#include "transports/web/web_head.h"

#include "runtime/base/utf8.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- headers ---- */

bool
head_origin_is_own (const char *origin, const char *host)
{
    const char *behind = strstr (origin, "://");
    return behind && *host && strcasecmp (behind + 3, host) == 0;
}

bool
head_host_is_fixed (const char *host)
{
    static const char local[] = ".localhost";
    const size_t local_size = sizeof local - 1;
    size_t size = strcspn (host, ":");
    bool has_dot = memchr (host, '.', size), is_address = *host == '[' || strspn (host, "0123456789.") == size;
    return !has_dot || is_address
           || (size > local_size && strncasecmp (host + size - local_size, local, local_size) == 0);
}

/*  Whether a word, or what stands behind its "://", is this text. */
static bool
is_listed (const char *text, const char *words, bool is_whole)
{
    size_t size = strlen (text);
    while (*(words += strspn (words, " "))) {
        size_t word = strcspn (words, " ");
        const char *end = words + word;
        bool fits = is_whole ? word == size : word > size + 3 && strncmp (end - size - 3, "://", 3) == 0;
        if ((word == 1 && *words == '*') || (fits && strncasecmp (end - size, text, size) == 0))
            return true;
        words = end;
    }
    return false;
}

bool
head_host_is_listed (const char *host, const char *origins)
{
    return is_listed (host, origins, false);
}

bool
head_origin_is_listed (const char *origin, const char *words)
{
    return is_listed (origin, words, true);
}

bool
head_takes_gzip (const char *accepted)
{
    while (*accepted) {
        size_t all = strcspn (accepted, ","), blank = strspn (accepted, " \t");
        const char *one = accepted + blank;
        size_t size = strcspn (one, " \t;,");
        if ((size == 4 && strncasecmp (one, "gzip", 4) == 0) || (size == 1 && *one == '*')) {
            const char *weight = strcasestr (one + size, "q=");
            return !weight || weight >= accepted + all || strtod (weight + 2, NULL) > 0;
        }
        accepted += all;
        accepted += strspn (accepted, ",");
    }
    return false;
}

bool
head_matches (const char *tags, const char *etag)
{
    return strcmp (tags, "*") == 0 || strstr (tags, etag);
}

/* ---- the query ---- */

typedef struct {
    const char *name;
    size_t size;
    const char *type;  /* NULL: it has none of this name */
} wanted_t;

static void
see_field (void *arg, const char *name, const char *type, bool optional)
{
    (void) optional;
    wanted_t *wanted = arg;
    if (strlen (name) == wanted->size && memcmp (name, wanted->name, wanted->size) == 0)
        wanted->type = type;
}

static troupe_status_t
put_value (const char *type, const char *name, size_t name_size, const char *value, buffer_t *to,
           troupe_error_t *error)
{
    size_t size = strlen (value);
    bool is_text = !type || strcmp (type, "string") == 0 || strcmp (type, "bytes") == 0;
    if (!utf8_is_valid (name, name_size) || !utf8_is_valid (value, size))
        return error_set (error, TROUPE_INVALID, "the query is no UTF-8");
    packed_put_string (to, name, name_size);
    if (is_text) {
        packed_put_string (to, value, size);
        return TROUPE_OK;
    }
    if (json_to_packed (value, size, to, error) == TROUPE_OK)
        return TROUPE_OK;
    return error_set (error, TROUPE_INVALID, "%.*s: %s is wanted", (int) name_size, name, type);
}

troupe_status_t
head_query_field (const schema_t *schema, const char *field, buffer_t *to, troupe_error_t *error)
{
    size_t size = strcspn (field, "=");
    wanted_t wanted = { field, size, NULL };
    if (schema)
        schema_each (schema, see_field, &wanted);
    return put_value (wanted.type, field, size, field[size] ? field + size + 1 : "", to, error);
}
