/*  fuzz_http_head.c - headers and query of a request from anybody, and the settings that they are held against.
 *
 *  The input is texts with a line each: origins, host, Origin, Accept-Encoding, If-None-Match, traceparent, a token,
 *  the fields of the verb, and the fields of the query, parted by &.
 */
#include "runtime/base/trace.h"
#include "runtime/body/packed.h"
#include "tests/fuzz/lines.h"
#include "transports/auth/secret.h"
#include "transports/web/web_head.h"

#include <stdlib.h>
#include <string.h>

enum { ORIGINS, HOST, ORIGIN, ACCEPTED, TAGS, TRACE, TOKEN, ARGS, QUERY, TEXTS };

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

/*  Of the host itself, or named in the setting. */
static void
allow (const char *origins, const char *host, const char *origin)
{
    bool is_own = head_origin_is_own (origin, host), is_listed = head_origin_is_listed (origin, origins);
    HOLDS (head_host_is_fixed (host) || strchr (host, '.'));
    HOLDS (!head_host_is_listed (host, origins) || strchr (origins, '*') || strcasestr (origins, host));
    HOLDS (!is_own || (*host && strlen (origin) > strlen (host)));
    HOLDS (!is_listed || strchr (origins, '*') || strcasestr (origins, origin));
}

static void
match (const char *accepted, const char *tags)
{
    HOLDS (!head_takes_gzip (accepted) || strcasestr (accepted, "gzip") || strchr (accepted, '*'));
    HOLDS (!head_matches (tags, "\"a\"") || strcmp (tags, "*") == 0 || strstr (tags, "\"a\""));
}

/*  What is read is what is passed on, but for its version and what behind it is not known. */
static void
follow (const char *text)
{
    uint8_t trace[TRACE_SIZE], again[TRACE_SIZE];
    char written[TRACE_TEXT_SIZE];
    if (!trace_read (text, trace))
        return;
    trace_write (trace, written);
    HOLDS (strlen (written) == TRACE_TEXT_SIZE - 1 && strncmp (text + 2, written + 2, strlen (written) - 2) == 0);
    HOLDS (trace_read (written, again) && memcmp (trace, again, sizeof trace) == 0);
}

/*  Nobody is taken for somebody whose name is another. */
static void
know (const char *token)
{
    secret_t secret;
    if (!secret_read (SECRET_API_KEY, token, strlen (token), &secret))
        return;
    char login[LOGIN_MAX + 1];
    size_t size = strlen (secret.login);
    HOLDS (size > 0 && strcmp (token + strlen (token) - size, secret.login) == 0);
    HOLDS (name_login (secret.login, login) && strcmp (login, secret.login) == 0);
    HOLDS (strlen (secret.hash) == SECRET_HASH_SIZE - 1);
}

/*  Each field that is taken is one, whole and good. */
static void
ask (const char *args, char *query)
{
    schema_t *schema = schema_new (args, NULL);
    for (char *field; (field = strsep (&query, "&")) != NULL;) {
        troupe_error_t error;
        buffer_t packed = { 0 };
        packed_put_object (&packed, 1);
        if (head_query_field (schema, field, &packed, &error) == TROUPE_OK)
            HOLDS (packed.failed || packed_is_valid (packed.data, packed.size));
        buffer_clear (&packed);
    }
    schema_destroy (&schema);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *texts[TEXTS], *text = lines_split (data, size, texts, TEXTS);
    allow (texts[ORIGINS], texts[HOST], texts[ORIGIN]);
    match (texts[ACCEPTED], texts[TAGS]);
    follow (texts[TRACE]);
    know (texts[TOKEN]);
    ask (texts[ARGS], texts[QUERY]);
    free (text);
    return 0;
}
