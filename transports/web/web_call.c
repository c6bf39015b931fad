/*  web_call.c - calls of verbs over HTTP.
 *
 *  DESIGN
 *  POST takes the body as JSON, GET makes one of the query, by the fields that the verb's table
 *  names. Then both are one call. A read's answer has a strong ETag: a hash of its text and the
 *  store's epoch.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/error.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"
#include "transports/edge/message.h"
#include "transports/web/web_head.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ETAG_BYTES 16
#define QUERY_MOST 4096
#define UNSENT_MOST (256u << 20)  /* bytes of answers, of all together */

troupe_status_t
web_has_room (const web_t *web, troupe_error_t *error)
{
    if (web->is_stopping)
        return error_set (error, TROUPE_STOPPING, "the node goes down");
    if (web->connections + web->requests > web->options.limits.connections)
        return error_set (error, TROUPE_OVERLOADED, "too many clients");
    if (web->unsent > UNSENT_MOST)
        return error_set (error, TROUPE_OVERLOADED, "too many answers that are not read");
    return TROUPE_OK;
}

/* ---- the query ---- */

/*  The fields of the query as an object; null when there are none. */
static troupe_status_t
read_query (web_request_t *self, const schema_t *schema, troupe_error_t *error)
{
    char text[QUERY_MOST];
    buffer_t fields = { .limit = self->body.limit };
    uint32_t count = 0;
    troupe_status_t status = TROUPE_OK;
    for (int size; status == TROUPE_OK; count++) {
        if (lws_hdr_fragment_length (self->wsi, WSI_TOKEN_HTTP_URI_ARGS, (int) count) >= (int) sizeof text) {
            status = error_set (error, TROUPE_TOO_LARGE, "a field of the query has %d bytes or more", QUERY_MOST);
            break;
        }
        size = lws_hdr_copy_fragment (self->wsi, text, sizeof text, WSI_TOKEN_HTTP_URI_ARGS, (int) count);
        if (size < 0)
            break;
        text[size] = '\0';
        status = head_query_field (schema, text, &fields, error);
    }
    if (status == TROUPE_OK && count > 0) {
        packed_put_object (&self->body, count);
        buffer_append (&self->body, fields.data, fields.size);
        self->body.failed |= fields.failed;
        if (self->body.failed)
            status = error_set (error, TROUPE_TOO_LARGE, "the query is too large");
        else if (!packed_is_valid (self->body.data, self->body.size))
            status = error_set (error, TROUPE_INVALID, "the query has a field twice");
    }
    buffer_clear (&fields);
    return status;
}

/* ---- the answer ---- */

static void
put_etag (web_request_t *self)
{
    uint8_t hash[ETAG_BYTES];
    char text[2 * ETAG_BYTES + 1];
    const char *epoch = edge_epoch (self->web->edge);
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    crypto_generichash_update (&state, (const uint8_t *) epoch, strlen (epoch) + 1);
    crypto_generichash_update (&state, self->content.data, self->content.size);
    crypto_generichash_final (&state, hash, sizeof hash);
    sodium_bin2hex (text, sizeof text, hash, sizeof hash);
    snprintf (self->etag, sizeof self->etag, "\"%s\"", text);
}

void
web_call_answered (void *arg, exchange_answer_t *answer)
{
    web_request_t *self = arg;
    self->exchange = NULL;
    self->flow = NULL;
    self->is_limited = answer->is_limited;
    if (answer->status != TROUPE_OK) {
        troupe_error_t error;
        error_set (&error, answer->status, "%s", answer->text.size ? (const char *) answer->text.data : "");
        web_answer_error (self, &error, answer->retry_after_ms);
        web_send_answer (self);
        return;
    }
    self->content = answer->text;
    answer->text = (buffer_t) { 0 };
    if (self->method != WEB_POST)
        put_etag (self);
    /* web_call_begin left what the client has in `key` */
    bool is_same = *self->etag && head_matches (self->key, self->etag);
    web_answer (self, is_same ? HTTP_STATUS_NOT_MODIFIED : HTTP_STATUS_OK, WEB_TYPE_JSON);
    web_send_answer (self);
}

/* ---- the call ---- */

bool
web_call_may (web_request_t *self, rate_class_t class)
{
    troupe_error_t error;
    const web_address_t *address = &self->address;
    uint32_t retry_after_ms = 0;
    if (edge_may (self->web->edge, class, &self->who, address->key, address->key_size, &retry_after_ms, &error)
        == TROUPE_OK)
        return true;
    self->is_limited = true;
    web_answer_error (self, &error, retry_after_ms);
    return false;
}

void
web_call_submit (web_request_t *self, const void *body, size_t size)
{
    troupe_error_t error;
    exchange_call_t call = {
        .who = &self->who,
        .to = self->to,
        .verb = self->verb,
        .body = body,
        .size = size,
        .trace = self->trace,
        .key = self->method == WEB_POST ? self->key : ""
    };
    self->wants_body = false;
    if (exchange_begin (self->web->edge, &call, web_call_answered, self, &self->exchange, &error) != TROUPE_OK) {
        web_answer_error (self, &error, 0);
        return;
    }
    web_call_wait (self);
}

static void
submit (web_request_t *self, const void *body, size_t size)
{
    troupe_error_t error;
    const troupe_verb_t *verb = edge_verb (self->web->edge, self->to, self->verb, &error);
    self->wants_body = false;
    if (web_call_may (self, verb && verb->reads ? RATE_READ : RATE_COMMAND))
        web_call_submit (self, body, size);
}

/*  What a GET asks for. */
static void
submit_query (web_request_t *self)
{
    submit (self, self->body.data, self->body.size);
}

/*  Nothing more is read until it is answered. */
void
web_call_wait (web_request_t *self)
{
    self->wants_body = false;
    lws_set_timeout (self->wsi, NO_PENDING_TIMEOUT, 0);
    lws_rx_flow_control (self->wsi, 0);
}

void
web_call_received (web_request_t *self, const void *bytes, size_t size)
{
    troupe_error_t error;
    buffer_append (&self->body, bytes, size);
    if (!self->body.failed)
        return;
    self->is_closing = true;
    error_set (&error, self->body.over_limit ? TROUPE_TOO_LARGE : TROUPE_OVERLOADED, "the body is too large");
    web_answer_error (self, &error, 0);
}

static void
submit_body (web_request_t *self)
{
    troupe_error_t error;
    buffer_t packed = { 0 };
    troupe_status_t status = self->body.size == 0 ? TROUPE_OK
                                                  : json_to_packed ((const char *) self->body.data, self->body.size,
                                                                    &packed, &error);
    if (status == TROUPE_OK)
        submit (self, packed.data, packed.size);
    else
        web_answer_error (self, &error, 0);
    buffer_clear (&packed);
}

void
web_call_complete (web_request_t *self)
{
    web_when_known (self, self->is_sign_in ? web_auth_complete : self->is_hook ? web_hook_complete : submit_body);
}

/*  "kind/id/verb". */
static troupe_status_t
split (web_request_t *self, const char *path, troupe_error_t *error)
{
    if (!message_split_feed (path, self->to, self->verb))
        return error_set (error, TROUPE_NOT_FOUND, "/a/KIND/ID/VERB is wanted");
    return TROUPE_OK;
}

static void
begin_get (web_request_t *self, const troupe_verb_t *verb)
{
    troupe_error_t error;
    if (!verb->reads) {
        web_answer_method (self, "POST");
        return;
    }
    (void) web_header (self->wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, self->key, sizeof self->key);
    schema_t *schema = verb->args ? schema_new (verb->args, NULL) : NULL;
    troupe_status_t status = read_query (self, schema, &error);
    schema_destroy (&schema);
    if (status == TROUPE_OK)
        web_when_known (self, submit_query);
    else
        web_answer_error (self, &error, 0);
}

/*  The length of the body as the request tells it. False: there is none. */
static bool
announced (web_request_t *self, char *length, size_t size)
{
    (void) web_header (self->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, size);
    return *length && strspn (length, "0") != strlen (length);
}

void
web_call_wait_for_body (web_request_t *self)
{
    troupe_error_t error;
    char length[32];
    bool has_body = announced (self, length, sizeof length);
    if (has_body && (strlen (length) > 15 || strtoull (length, NULL, 10) > self->body.limit)) {
        self->is_closing = true;
        error_set (&error, TROUPE_TOO_LARGE, "the body has more than %zu bytes", self->body.limit);
        web_answer_error (self, &error, 0);
        return;
    }
    self->wants_body = true;
    if (has_body)
        web_due_in (self->web, &self->due, self->web->options.limits.hello_ms);
    else if (!*length)
        web_call_complete (self);  /* with a length of zero libwebsockets tells the end */
}

void
web_call_take_body (web_request_t *self)
{
    troupe_error_t error;
    char type[128], length[32];
    bool has_body = announced (self, length, sizeof length);
    if (!web_header_named (self->wsi, "idempotency-key:", self->key, sizeof self->key)) {
        error_set (&error, TROUPE_INVALID, "Idempotency-Key: at most %zu bytes", sizeof self->key - 1);
        web_answer_error (self, &error, 0);
    } else if (!web_header (self->wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, type, sizeof type)
               || (has_body && strncasecmp (type, WEB_TYPE_JSON, strlen (WEB_TYPE_JSON)) != 0))
        web_answer_problem (self, HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE, "a body must be " WEB_TYPE_JSON);
    else
        web_call_wait_for_body (self);
}

void
web_call_take_trace (web_request_t *self)
{
    if (!web_header_named (self->wsi, "traceparent:", self->trace, sizeof self->trace))
        self->trace[0] = '\0';
}

bool
web_call_is_welcome (web_request_t *self)
{
    troupe_error_t error;
    troupe_status_t status = web_has_room (self->web, &error);
    web_call_take_trace (self);
    if (status == TROUPE_OK)
        status = web_identify (self, &error);
    if (status != TROUPE_OK)
        web_answer_error (self, &error, 0);
    return status == TROUPE_OK;
}

void
web_call_begin (web_request_t *self, const char *path)
{
    troupe_error_t error;
    web_t *web = self->web;
    const troupe_verb_t *verb = NULL;
    troupe_status_t status = split (self, path, &error);
    if (status == TROUPE_OK && !web_call_is_welcome (self))
        return;
    if (status == TROUPE_OK && !(verb = edge_verb (web->edge, self->to, self->verb, &error)))
        status = error.status;
    if (status != TROUPE_OK)
        web_answer_error (self, &error, 0);
    else if (self->method == WEB_POST)
        web_call_take_body (self);
    else if (self->method == WEB_GET || self->method == WEB_HEAD)
        begin_get (self, verb);
    else
        web_answer_method (self, verb->reads ? "GET, HEAD, POST" : "POST");
}
