/*  openapi.c - what HTTP offers of some kinds, as an OpenAPI 3.1 document.
 *
 *  DESIGN
 *  Paths are written out per kind and verb, so that a client that is made of the
 *  document has a function for each verb. What all operations share stands once,
 *  in the components. The caller's thread.
 */
#include "transports/edge/openapi.h"

#include "runtime/body/schema.h"
#include "transports/edge/message.h"
#include "transports/edge/problem.h"

#include <stdio.h>

#define JSON_TYPE "application/json"
#define PLACE_MAX 256  /* bytes of a path or a reference */
#define ID_PATTERN "^[!-.0-~]+$"
#define IDEMPOTENCY_KEY_MAX 255

/*  The codes that errors may have, each once, in the order of the problems. */
static bool
is_first_of_code (unsigned index)
{
    for (unsigned before = 0; before < index; before++)
        if (problem_at (before)->code == problem_at (index)->code)
            return false;
    return true;
}

static bool
wants_subject (troupe_allow_t allow)
{
    return allow == TROUPE_SIGNED_IN || allow == TROUPE_OWNER || allow == TROUPE_OPERATOR
           || allow == TROUPE_ROLE;
}

static void
put_security (buffer_t *to, const permit_t *permit)
{
    const char *role = permit->allow == TROUPE_OPERATOR ? "operator" : permit->role;
    document_open (to, "security", '[');
    if (!wants_subject (permit->allow))
        document_json (to, NULL, "{}");
    document_open (to, NULL, '{');
    document_open (to, "bearer", '[');
    if (role)
        document_text (to, NULL, role);
    document_close (to, ']');
    document_close (to, '}');
    document_close (to, ']');
}

/*  "content": one type of it. */
static void
open_content (buffer_t *to, const char *type)
{
    document_open (to, "content", '{');
    document_open (to, type, '{');
}

static void
close_content (buffer_t *to)
{
    document_close (to, '}');
    document_close (to, '}');
}

static void
put_errors (buffer_t *to)
{
    for (unsigned index = 0; problem_at (index); index++) {
        char code[16], place[PLACE_MAX];
        if (!is_first_of_code (index))
            continue;
        snprintf (code, sizeof code, "%u", problem_at (index)->code);
        snprintf (place, sizeof place, "#/components/responses/problem_%s", code);
        document_ref (to, code, place);
    }
}

static void
put_responses (buffer_t *to, const troupe_verb_t *verb, const char *done)
{
    document_open (to, "responses", '{');
    document_open (to, "200", '{');
    document_text (to, "description", done);
    open_content (to, JSON_TYPE);
    document_schema (to, "schema", verb->gives, false);
    close_content (to);
    document_close (to, '}');
    put_errors (to);
    document_close (to, '}');
}

/*  What all operations begin with; `more` tells those of one verb apart. */
static void
put_head (buffer_t *to, const troupe_kind_t *kind, const permit_t *permit, const char *more, const char *doc)
{
    document_format (to, "operationId", "%s.%s%s", kind->name, permit->name, more);
    document_open (to, "tags", '[');
    document_text (to, NULL, kind->name);
    document_close (to, ']');
    document_description (to, doc, permit);
    put_security (to, permit);
}

static void
see_required (void *arg, const char *name, const char *type, bool optional)
{
    (void) name;
    (void) type;
    bool *any = arg;
    *any = *any || !optional;
}

/*  A body that is absent is one without fields. */
static bool
wants_body (buffer_t *to, const char *args)
{
    bool any = false;
    schema_t *schema = args ? schema_new (args, NULL) : NULL;
    if (schema)
        schema_each (schema, see_required, &any);
    else if (args)
        to->failed = true;
    schema_destroy (&schema);
    return any;
}

static const char reads[] = "What the actor says.", durably[] = "Done, durably.";

static void
put_post (buffer_t *to, const troupe_kind_t *kind, const troupe_verb_t *verb, const char *done)
{
    document_open (to, "post", '{');
    put_head (to, kind, &(permit_t) { verb->allow, verb->role, verb->name }, "", verb->doc);
    if (done == durably) {
        document_open (to, "parameters", '[');
        document_ref (to, NULL, "#/components/parameters/idempotency_key");
        document_close (to, ']');
    }
    document_open (to, "requestBody", '{');
    document_flag (to, "required", wants_body (to, verb->args));
    open_content (to, JSON_TYPE);
    document_schema (to, "schema", verb->args, true);
    close_content (to);
    document_close (to, '}');
    put_responses (to, verb, done);
    document_close (to, '}');
}

/*  Fields with a plain text stand in the query as they are, others as JSON. */
static void
put_query_field (void *arg, const char *name, const char *type, bool optional)
{
    buffer_t *to = arg;
    bool is_json = strcmp (type, "any") == 0 || strcmp (type, "array") == 0 || strcmp (type, "object") == 0;
    document_open (to, NULL, '{');
    document_text (to, "name", name);
    document_text (to, "in", "query");
    document_flag (to, "required", !optional);
    if (is_json)
        open_content (to, JSON_TYPE);
    document_type (to, "schema", type, false);
    if (is_json)
        close_content (to);
    document_close (to, '}');
}

static void
put_get (buffer_t *to, const troupe_kind_t *kind, const troupe_verb_t *verb)
{
    schema_t *schema = verb->args ? schema_new (verb->args, NULL) : NULL;
    document_open (to, "get", '{');
    put_head (to, kind, &(permit_t) { verb->allow, verb->role, verb->name }, ":get", verb->doc);
    document_open (to, "parameters", '[');
    if (schema)
        schema_each (schema, put_query_field, to);
    document_close (to, ']');
    put_responses (to, verb, reads);
    document_close (to, '}');
    schema_destroy (&schema);
}

static void
open_path (buffer_t *to, const char *root, const troupe_kind_t *kind, const char *name)
{
    char path[PLACE_MAX];
    snprintf (path, sizeof path, "/%s/%s/{id}/%s", root, kind->name, name);
    document_open (to, path, '{');
    document_open (to, "parameters", '[');
    document_ref (to, NULL, "#/components/parameters/id");
    document_close (to, ']');
}

static void
put_verb (buffer_t *to, const troupe_kind_t *kind, const troupe_verb_t *verb)
{
    if (verb->allow == TROUPE_ACTORS)
        return;
    open_path (to, "a", kind, verb->name);
    put_post (to, kind, verb, verb->reads ? reads : durably);
    if (verb->reads)
        put_get (to, kind, verb);
    document_close (to, '}');
}

static void
put_channel (buffer_t *to, const troupe_kind_t *kind, const troupe_channel_t *channel)
{
    if (channel->allow == TROUPE_ACTORS)
        return;
    open_path (to, "f", kind, channel->name);
    document_open (to, "get", '{');
    put_head (to, kind, &(permit_t) { channel->allow, channel->role, channel->name }, ":watch", channel->doc);
    document_open (to, "parameters", '[');
    document_ref (to, NULL, "#/components/parameters/from");
    document_ref (to, NULL, "#/components/parameters/last_event_id");
    document_close (to, ']');
    document_open (to, "responses", '{');
    document_open (to, "200", '{');
    document_text (to, "description", "Events as they are published, without an end; the id of each is its token.");
    open_content (to, "text/event-stream");
    document_json (to, "schema", "{\"type\":\"string\"}");
    close_content (to);
    document_close (to, '}');
    put_errors (to);
    document_close (to, '}');
    document_close (to, '}');
    document_close (to, '}');
}

static void
put_kind (buffer_t *to, const troupe_kind_t *kind)
{
    for (const troupe_verb_t *verb = kind->verbs; verb && verb->name; verb++)
        put_verb (to, kind, verb);
    for (const troupe_channel_t *channel = kind->channels; channel && channel->name; channel++)
        put_channel (to, kind, channel);
}

#define TOKENS "access_token:string token_type:string expires_in:int subject:string"
#define SIGN_IN TOKENS " refresh_token:string"

/*  What is behind /auth/, as if it were a kind. */
static const troupe_kind_t auth = {
    .name = "auth",
    .doc = "Signing in. Too many tries are answered 429.",
    .verbs = (const troupe_verb_t[]) {
        { "register", .args = "name:string password:string client?:string", .gives = SIGN_IN, .allow = TROUPE_ANYONE,
          .doc = "A new account, and signed in; for operators, or everybody, as the node is set." },
        { "login", .args = "name:string password:string client?:string", .gives = SIGN_IN, .allow = TROUPE_ANYONE,
          .doc = "By name and password." },
        { "password", .args = "name:string password:string new_password:string client?:string", .gives = SIGN_IN,
          .allow = TROUPE_ANYONE, .doc = "As login; the password is another from now on, all other sign-ins end." },
        { "refresh", .args = "refresh_token:string nonce:string", .gives = SIGN_IN, .allow = TROUPE_ANYONE,
          .doc = "The next two tokens. The nonce is made for each, and the same until it is answered." },
        { "logout", .args = "refresh_token:string", .allow = TROUPE_ANYONE, .doc = "Ends the sign-in." },
        { "keys", .args = "client?:string public_key?:string", .gives = "id:string key?:string device?:string",
          .allow = TROUPE_SIGNED_IN, .doc = "A new API key, told once; with a public key, of a device." },
        { "key", .args = "key:string", .gives = TOKENS, .allow = TROUPE_ANYONE, .doc = "By an API key." },
        { "challenge", .args = "device:string", .gives = "challenge:string audience:string expires_in:int",
          .allow = TROUPE_ANYONE, .doc = "What a device is to sign." },
        { "device", .args = "device:string challenge:string signature:string client?:string", .gives = SIGN_IN,
          .allow = TROUPE_ANYONE, .doc = "By a signed challenge." },
        { NULL }
    }
};

static void
put_auth (buffer_t *to)
{
    for (const troupe_verb_t *verb = auth.verbs; verb->name; verb++) {
        char path[PLACE_MAX];
        snprintf (path, sizeof path, "/auth/%s", verb->name);
        document_open (to, path, '{');
        put_post (to, &auth, verb, "Done.");
        document_close (to, '}');
    }
}

static void
put_tag (buffer_t *to, const troupe_kind_t *kind)
{
    document_open (to, NULL, '{');
    document_text (to, "name", kind->name);
    if (kind->doc)
        document_text (to, "description", kind->doc);
    document_close (to, '}');
}

static void
put_tags (buffer_t *to, const document_info_t *info, const troupe_kind_t *const *kinds)
{
    document_open (to, "tags", '[');
    for (; *kinds; kinds++)
        put_tag (to, *kinds);
    if (info->has_sign_in)
        put_tag (to, &auth);
    document_close (to, ']');
}

/* ------------------------------------------------------------------ *
 *  Components
 * ------------------------------------------------------------------ */

static void
put_parameter (buffer_t *to, const char *key, const char *name, const char *in, const char *description,
               const char *pattern, unsigned most)
{
    document_open (to, key, '{');
    document_text (to, "name", name);
    document_text (to, "in", in);
    document_flag (to, "required", strcmp (in, "path") == 0);
    document_text (to, "description", description);
    document_open (to, "schema", '{');
    document_text (to, "type", "string");
    document_number (to, "minLength", 1);
    document_number (to, "maxLength", most);
    if (pattern)
        document_text (to, "pattern", pattern);
    document_close (to, '}');
    document_close (to, '}');
}

static void
put_parameters (buffer_t *to)
{
    document_open (to, "parameters", '{');
    put_parameter (to, "id", "id", "path", "Which actor of the kind.", ID_PATTERN, TROUPE_ID_MAX);
    put_parameter (to, "idempotency_key", "Idempotency-Key", "header",
                   "Made up by the client, one for each command: sent again with the same key the command runs once, "
                   "and the answer is that of the first. Without it a command that is sent again may run again.",
                   NULL, IDEMPOTENCY_KEY_MAX);
    put_parameter (to, "from", "from", "query",
                   "The token of the event seen last, or \"start\" for all that is kept; absent: what comes now.",
                   NULL, RESUME_MAX);
    put_parameter (to, "last_event_id", "Last-Event-ID", "header", "As from, sent by browsers; it goes before.", NULL,
                   RESUME_MAX);
    document_close (to, '}');
}

/*  Of the problems with one code: the title of the first, and which they are. */
static void
put_problem_response (buffer_t *to, unsigned index)
{
    char key[32];
    const problem_t *problem = problem_at (index);
    snprintf (key, sizeof key, "problem_%u", problem->code);
    document_open (to, key, '{');
    buffer_t names = { 0 };
    for (unsigned other = index; problem_at (other); other++)
        if (problem_at (other)->code == problem->code)
            buffer_printf (&names, "%s%s: %s", names.size ? "; " : "", problem_at (other)->status,
                           problem_at (other)->title);
    if (names.failed)
        to->failed = true;
    else
        document_text (to, "description", (const char *) names.data);
    buffer_clear (&names);
    if (problem->code == 503 || problem->code == 429)
        document_json (to, "headers", "{\"Retry-After\":{\"schema\":{\"type\":\"integer\"}}}");
    open_content (to, PROBLEM_TYPE);
    document_ref (to, "schema", "#/components/schemas/problem");
    close_content (to);
    document_close (to, '}');
}

static void
put_components (buffer_t *to)
{
    document_open (to, "components", '{');
    document_json (to, "securitySchemes", "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
                   "\"An access token or an API key.\"}}");
    document_json (to, "schemas",
                   "{\"problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\"],\"properties\":{"
                   "\"type\":{\"type\":\"string\",\"format\":\"uri\"},\"title\":{\"type\":\"string\"},"
                   "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
                   "\"retry_after_ms\":{\"type\":\"integer\"}}}}");
    put_parameters (to);
    document_open (to, "responses", '{');
    for (unsigned index = 0; problem_at (index); index++)
        if (is_first_of_code (index))
            put_problem_response (to, index);
    document_close (to, '}');
    document_close (to, '}');
}

void
openapi_write (buffer_t *to, const document_info_t *info, const troupe_kind_t *const *kinds)
{
    size_t start = to->size;
    document_begin (to);
    document_text (to, "openapi", "3.1.0");
    document_about (to, info);
    document_open (to, "servers", '[');
    document_open (to, NULL, '{');
    if (info->host)
        document_format (to, "url", "http%s://%s", info->is_secure ? "s" : "", info->host);
    else
        document_text (to, "url", "/");
    document_close (to, '}');
    document_close (to, ']');
    put_tags (to, info, kinds);
    document_open (to, "paths", '{');
    for (const troupe_kind_t *const *kind = kinds; *kind; kind++)
        put_kind (to, *kind);
    if (info->has_sign_in)
        put_auth (to);
    document_close (to, '}');
    put_components (to);
    document_close (to, '}');
    if (to->failed)
        to->size = start;
}
