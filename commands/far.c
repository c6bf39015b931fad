/*  far.c - a node from afar: what tools ask, over ZeroMQ.
 *
 *  DESIGN
 *  A request of the control socket is an object whose fields are the arguments of the verb of node/self that has its
 *  name; so it is sent as it is, and only what differs is named here. Answers wait in a row until they are asked for.
 */
#include "commands/far.h"

#include "commands/node_kind.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"

#include <stdio.h>

#define TOKEN_FILE_MOST TROUPE_CLIENT_TOKEN_MAX
#define GRACE_MS 500  /* beyond its own time for a call to say why it has no answer */

typedef struct told_s {
    struct told_s *next;
    client_answer_t answer;
    uint8_t body[];
} told_t;

/*  A request on its way. */
typedef struct {
    far_t *far;
    uint64_t tag;
    const char *member;  /* of the answer, that is wanted; NULL: all of it */
} asked_t;

struct far_s {
    troupe_client_t *client;
    told_t *first, **last;
    told_t *current;     /* what was received last */
};

/* ---- the client ---- */

static troupe_status_t
read_token (const char *path, char token[TOKEN_FILE_MOST + 1], troupe_error_t *error)
{
    FILE *file = fopen (path, "re");
    if (!file)
        return error_set (error, TROUPE_INVALID, "at_token: cannot open %.200s", path);
    size_t size = fread (token, 1, TOKEN_FILE_MOST, file);
    fclose (file);
    token[size] = '\0';
    token[strcspn (token, " \t\r\n")] = '\0';
    return *token ? TROUPE_OK : error_set (error, TROUPE_INVALID, "at_token: there is no token in %.200s", path);
}

static const char *
text_or_null (const char *text)
{
    return *text ? text : NULL;
}

troupe_client_t *
far_client (const settings_t *settings, const char *at, uint64_t timeout_ms, troupe_error_t *error)
{
    char token[TOKEN_FILE_MOST + 1] = "";
    troupe_client_options_t options = {
        .at = at,
        .certificate = text_or_null (settings->at_certificate),
        .server = text_or_null (settings->at_server),
        .name = "troupe",
        .timeout_ms = timeout_ms < UINT32_MAX ? (uint32_t) timeout_ms : UINT32_MAX
    };
    if (*settings->at_token && read_token (settings->at_token, token, error) != TROUPE_OK)
        return NULL;
    options.token = text_or_null (token);
    return troupe_client_new (&options, error);
}

far_t *
far_new (const settings_t *settings, uint64_t timeout_ms, troupe_error_t *error)
{
    far_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "out of memory");
        return NULL;
    }
    self->last = &self->first;
    self->client = far_client (settings, settings->at, timeout_ms, error);
    if (!self->client)
        far_destroy (&self);
    return self;
}

void
far_destroy (far_t **self_p)
{
    far_t *self = *self_p;
    if (!self)
        return;
    troupe_client_destroy (&self->client);
    while (self->first) {
        told_t *told = self->first;
        self->first = told->next;
        memory_free (told);
    }
    memory_free (self->current);
    memory_free (self);
    *self_p = NULL;
}

/* ---- requests ---- */

static void
hear (void *arg, const troupe_answer_t *answer)
{
    asked_t *asked = arg;
    far_t *self = asked->far;
    packed_reader_t part = { answer->body, (const uint8_t *) answer->body + answer->size };
    if (asked->member && answer->size && !packed_find (answer->body, answer->size, asked->member, &part))
        part.end = part.at;
    size_t size = answer->size ? (size_t) (part.end - part.at) : 0;
    told_t *told = memory_zalloc (sizeof *told + size);
    if (told) {
        told->answer = (client_answer_t) { .tag = asked->tag, .status = answer->status, .body = told->body,
                                           .size = size, .retry_after_ms = answer->retry_after_ms };
        snprintf (told->answer.text, sizeof told->answer.text, "%s", answer->text);
        if (size)
            memcpy (told->body, part.at, size);
        *self->last = told;
        self->last = &told->next;
    }
    memory_free (asked);
}

static troupe_status_t
send (far_t *self, const troupe_client_call_t *call, uint64_t tag, const char *member, troupe_error_t *error)
{
    troupe_client_call_t copy = *call;
    asked_t *asked = memory_alloc (sizeof *asked);
    if (!asked)
        return error_set (error, TROUPE_NO_MEMORY, "out of memory");
    *asked = (asked_t) { self, tag, member };
    copy.done = hear;
    copy.arg = asked;
    troupe_status_t status = troupe_client_submit (self->client, &copy, error);
    if (status != TROUPE_OK)
        memory_free (asked);
    return status;
}

static troupe_status_t
submit_call (far_t *self, const wire_message_t *request, uint64_t tag, troupe_error_t *error)
{
    char to[TROUPE_ADDRESS_MAX + 1], verb[TROUPE_NAME_MAX + 1], trace[128] = "";
    const uint8_t *body = NULL;
    troupe_client_call_t call = { .to = to, .verb = verb };
    troupe_status_t status = wire_text (request, "to", to, sizeof to, error);
    if (status == TROUPE_OK)
        status = wire_text (request, "verb", verb, sizeof verb, error);
    if (status == TROUPE_OK && wire_text (request, "trace", trace, sizeof trace, error) == TROUPE_INVALID)
        status = TROUPE_INVALID;
    if (status == TROUPE_OK && wire_bytes (request, "body", &body, &call.size, error) == TROUPE_INVALID)
        status = TROUPE_INVALID;
    call.body = body;
    call.trace = trace;
    return status == TROUPE_OK ? send (self, &call, tag, NULL, error) : status;
}

troupe_status_t
far_submit (far_t *self, const wire_message_t *request, troupe_error_t *error)
{
    static const struct {
        const char *request, *verb, *member;
    } others[] = { { "hello", "overview", NULL }, { "metrics", "figures", "node" } };
    char what[32];
    uint64_t tag = 0;
    troupe_client_call_t call = { .to = NODE_ADDRESS, .verb = what, .body = request->bytes, .size = request->size };
    const char *member = NULL;
    if (wire_text (request, "do", what, sizeof what, error) != TROUPE_OK
        || wire_number (request, "tag", &tag, error) != TROUPE_OK)
        return TROUPE_INVALID;
    if (strcmp (what, "call") == 0)
        return submit_call (self, request, tag, error);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp (others[i].request, what) == 0) {
            call.verb = others[i].verb;
            member = others[i].member;
        }
    return send (self, &call, tag, member, error);
}

/*  That there was no answer is no answer. */
troupe_status_t
far_receive (far_t *self, client_answer_t *answer, uint64_t timeout_ms, troupe_error_t *error)
{
    uint64_t now_ms = clock_monotonic_ns () / 1000000, end_ms = now_ms + timeout_ms + GRACE_MS;
    while (!self->first && now_ms < end_ms) {
        troupe_client_wait (self->client, (uint32_t) (end_ms - now_ms < 60000 ? end_ms - now_ms : 60000));
        now_ms = clock_monotonic_ns () / 1000000;
    }
    told_t *told = self->first;
    if (!told)
        return error_set (error, TROUPE_TIMEOUT, "the node did not answer in time");
    self->first = told->next;
    if (!self->first)
        self->last = &self->first;
    memory_free (self->current);
    self->current = told;
    *answer = told->answer;
    if (answer->status == TROUPE_TIMEOUT || answer->status == TROUPE_UNKNOWN)
        return error_set (error, answer->status, "%s", answer->text);
    return TROUPE_OK;
}
