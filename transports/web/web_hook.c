/*  web_hook.c - what other services post reaches an actor as it came: `web_hooks`, PREFIX=KIND/ID/VERB words.
 *
 *  DESIGN
 *  The setting is the operator's word that this verb may be run for a request of anybody, so the verb needs to be
 *  allowed to nobody else. The actor looks at the signature, and for that it gets the body byte by byte.
 *  libwebsockets lists no headers that it does not know, so they are asked for by name: web_words.c has seen that each
 *  is one.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/utf8.h"
#include "runtime/body/packed.h"

#include <stdio.h>
#include <string.h>

#define VALUE_SIZE 2048
#define QUERY_SIZE 4096

/*  One header into `to`, when there is one and it is a text. False: it is too long, and would be missed. */
static bool
put_header (web_request_t *self, const char *name, size_t size, buffer_t *to, unsigned *count)
{
    char wanted[WEB_HEADER_NAME_MAX + 2], value[VALUE_SIZE];
    snprintf (wanted, sizeof wanted, "%.*s:", (int) size, name);
    if (!web_header_named (self->wsi, wanted, value, sizeof value))
        return false;
    if (*value && utf8_is_valid (value, strlen (value))) {
        packed_put_string (to, name, size);
        packed_put_name (to, value);
        *count += 1;
    }
    return true;
}

static bool
put_headers (web_request_t *self)
{
    char type[VALUE_SIZE];
    buffer_t fields = { 0 };
    unsigned count = 0;
    bool fits = web_header (self->wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, type, sizeof type);
    if (fits && *type && utf8_is_valid (type, strlen (type))) {
        packed_put_text (&fields, "content-type", type);
        count += 1;
    }
    const char *word = self->web->hook_headers;
    while (fits && *word) {
        size_t size = strcspn (word, " ");
        fits = put_header (self, word, size, &fields, &count);
        word += size;
        word += strspn (word, " ");
    }
    packed_put_name (&self->head, "headers");
    packed_put_object (&self->head, count);
    buffer_append (&self->head, fields.data, fields.size);
    self->head.failed |= fields.failed;
    buffer_clear (&fields);
    return fits;
}

/*  The query, "a=1&b=2", its escapes resolved. */
static troupe_status_t
put_query (web_request_t *self, troupe_error_t *error)
{
    char query[QUERY_SIZE] = "";
    size_t at = 0;
    int size;
    if (lws_hdr_total_length (self->wsi, WSI_TOKEN_HTTP_URI_ARGS) > QUERY_SIZE / 2)
        return error_set (error, TROUPE_TOO_LARGE, "the query is longer than %d bytes", QUERY_SIZE / 2);
    for (int i = 0; at < sizeof query - 1; i++) {
        size = lws_hdr_copy_fragment (self->wsi, query + at, (int) (sizeof query - at), WSI_TOKEN_HTTP_URI_ARGS, i);
        if (size < 0)
            break;
        at += (size_t) size;
        query[at++] = '&';
    }
    query[at ? at - 1 : 0] = '\0';
    if (!utf8_is_valid (query, strlen (query)))
        return error_set (error, TROUPE_INVALID, "the query is no UTF-8");
    packed_put_text (&self->head, "query", query);
    return TROUPE_OK;
}

/*  What tells that two requests are the same one; services send again what was not answered. */
static bool
read_key (web_request_t *self)
{
    static const char *const names[] = { "idempotency-key:", "webhook-id:", "x-github-delivery:" };
    self->key[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names && !*self->key; i++)
        if (!web_header_named (self->wsi, names[i], self->key, sizeof self->key))
            return false;
    return true;
}

static troupe_status_t
take_head (web_request_t *self, const char *rest, troupe_error_t *error)
{
    if (!utf8_is_valid (rest, strlen (rest)))
        return error_set (error, TROUPE_INVALID, "the path is no UTF-8");
    if (!read_key (self))
        return error_set (error, TROUPE_INVALID, "the id of the request has more than %zu bytes", sizeof self->key - 1);
    packed_put_object (&self->head, 4);
    packed_put_text (&self->head, "path", rest);
    return put_query (self, error);
}

bool
web_hook_begin (web_request_t *self, const char *path)
{
    char to[TROUPE_ADDRESS_MAX + TROUPE_NAME_MAX + 2];
    troupe_error_t error;
    const char *rest;
    if (!web_find_prefix (self->web->hooks, path, to, sizeof to, &rest))
        return false;
    if (self->method != WEB_POST) {
        web_answer_method (self, "POST");
        return true;
    }
    troupe_status_t status = web_has_room (self->web, &error);
    if (status == TROUPE_OK && !message_split_feed (to, self->to, self->verb))
        status = error_set (&error, TROUPE_NOT_FOUND, "web_hooks: KIND/ID/VERB is wanted, not \"%.100s\"", to);
    if (status == TROUPE_OK)
        status = take_head (self, rest, &error);
    if (status != TROUPE_OK) {
        web_answer_error (self, &error, 0);
        return true;
    }
    if (!put_headers (self)) {
        self->is_closing = true;
        web_answer_problem (self, WEB_HEADERS_TOO_LARGE, "a header that is wanted has 2048 bytes or more");
        return true;
    }
    web_call_take_trace (self);
    self->is_hook = true;
    web_call_wait_for_body (self);
    return true;
}

void
web_hook_complete (web_request_t *self)
{
    troupe_error_t error;
    packed_put_name (&self->head, "body");
    packed_put_bytes (&self->head, self->body.data, self->body.size);
    self->wants_body = false;
    if (self->head.failed) {
        error_set (&error, TROUPE_OVERLOADED, "no memory for the request");
        web_answer_error (self, &error, 0);
    } else if (web_call_may (self, RATE_COMMAND)) {
        self->who.is_operator = true;  /* who wrote the setting said so */
        web_call_submit (self, self->head.data, self->head.size);
    }
}
