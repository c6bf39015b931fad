/*  web_http.c - HTTP requests: whom they are for, and what is answered.
 *
 *  DESIGN
 *  A request lives from its head until its answer is handed to libwebsockets. Its answer is made
 *  whole, and written when the connection has room: at once, or after a call. While it waits for a call
 *  nothing more is read of the connection, so requests that follow stay where they are.
 *
 *  Two things that libwebsockets does not bear end the connection: a request with a body that came together with the
 *  one before it, whose head would be taken for its body, for ever; and one without a length that could have a body,
 *  behind which everything is taken for it.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/edge/problem.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_HEAD_BYTES 2048
#define METHODS "GET, HEAD, POST"
#define HTTP_TOO_MANY 429
#define CONTENT_MOST (1u << 30)  /* lengths are int in libwebsockets */

/* ---- answers ---- */

void
web_answer (web_request_t *self, unsigned code, const char *type)
{
    if (self->content.failed || self->content.size > CONTENT_MOST) {
        buffer_clear (&self->content);
        code = HTTP_STATUS_SERVICE_UNAVAILABLE;
    }
    self->code = code;
    self->type = type;
    self->is_answered = true;
    self->wants_body = false;
    web_gzip (self);
    lws_callback_on_writable (self->wsi);
}

void
web_answer_text (web_request_t *self, unsigned code, const char *text)
{
    buffer_append (&self->content, text, strlen (text));
    web_answer (self, code, "text/plain; charset=utf-8");
}

void
web_answer_error (web_request_t *self, const troupe_error_t *error, uint32_t retry_after_ms)
{
    const problem_t *problem = self->is_limited ? problem_of_code (HTTP_TOO_MANY)
                                                : problem_of (error->status, *self->who.subject != '\0');
    buffer_clear (&self->content);
    problem_write (&self->content, problem, error->text, retry_after_ms);
    self->retry_after_ms = problem->code == HTTP_STATUS_SERVICE_UNAVAILABLE && !retry_after_ms ? 1000 : retry_after_ms;
    web_answer (self, problem->code, PROBLEM_TYPE);
}

void
web_answer_problem (web_request_t *self, unsigned code, const char *text)
{
    buffer_clear (&self->content);
    problem_write (&self->content, problem_of_code (code), text, 0);
    web_answer (self, code, PROBLEM_TYPE);
}

void
web_answer_method (web_request_t *self, const char *allow)
{
    self->allow = allow;
    web_answer_problem (self, HTTP_STATUS_METHOD_NOT_ALLOWED, "");
}

/*  A header, and room for it. */
typedef struct {
    struct lws *wsi;
    uint8_t *at, *end;
    bool failed;
} head_t;

static void
put_header (head_t *head, const char *name, const char *value)
{
    if (lws_add_http_header_by_name (head->wsi, (const unsigned char *) name, (const unsigned char *) value,
                                     (int) strlen (value), &head->at, head->end))
        head->failed = true;
}

/*  The browser may show it to a page of another host. */
static void
put_origin (web_request_t *self, head_t *head)
{
    put_header (head, "access-control-allow-origin:", self->origin);
    put_header (head, "vary:", "origin");
    if (self->method != WEB_OPTIONS) {
        put_header (head, "access-control-expose-headers:", "etag, retry-after");
        return;
    }
    put_header (head, "access-control-allow-methods:", METHODS);
    put_header (head, "access-control-allow-headers:",
                "authorization, content-type, idempotency-key, if-none-match, last-event-id, traceparent");
    put_header (head, "access-control-max-age:", "600");
}

/*  Packed it is not the same byte for byte. */
static void
put_etag (web_request_t *self, head_t *head)
{
    char etag[WEB_ETAG_SIZE + 2];
    snprintf (etag, sizeof etag, "%s%s", self->is_packed ? "W/" : "", self->etag);
    put_header (head, "etag:", etag);
}

static void
put_headers (web_request_t *self, head_t *head)
{
    char number[24];
    bool has_content = self->code != HTTP_STATUS_NOT_MODIFIED && self->code != HTTP_STATUS_NO_CONTENT;
    head->failed = lws_add_http_header_status (self->wsi, self->code, &head->at, head->end) != 0;
    if (has_content && self->type)
        put_header (head, "content-type:", self->type);
    if (*self->etag)
        put_etag (self, head);
    if (self->is_packable)
        put_header (head, "vary:", "accept-encoding");
    if (self->is_packed)
        put_header (head, "content-encoding:", "gzip");
    put_header (head, "x-content-type-options:", "nosniff");
    if (*self->web->certificate)
        put_header (head, "strict-transport-security:", "max-age=31536000");
    if (self->is_page) {
        if (*self->web->files_policy)
            put_header (head, "content-security-policy:", self->web->files_policy);
        put_header (head, "cache-control:", "no-cache");
    }
    if (self->is_sign_in)
        put_header (head, "cache-control:", "no-store");
    if (self->allow)
        put_header (head, "allow:", self->allow);
    if (self->code == HTTP_STATUS_UNAUTHORIZED)
        put_header (head, "www-authenticate:", "Bearer");
    if (self->retry_after_ms) {
        snprintf (number, sizeof number, "%u", (self->retry_after_ms + 999) / 1000);
        put_header (head, "retry-after:", number);
    }
    if (self->is_closing)
        put_header (head, "connection:", "close");
    if (*self->origin)
        put_origin (self, head);
    if (self->is_stream) {
        put_header (head, "cache-control:", "no-store");
        put_header (head, "x-accel-buffering:", "no");
    } else if (has_content && lws_add_http_header_content_length (self->wsi, self->content.size, &head->at, head->end))
        head->failed = true;
}

bool
web_write_answer (web_request_t *self)
{
    bool has_body = self->method != WEB_HEAD && self->code != HTTP_STATUS_NOT_MODIFIED
                    && self->code != HTTP_STATUS_NO_CONTENT;
    size_t size = has_body ? self->content.size : 0;
    uint8_t *bytes = memory_alloc (LWS_PRE + ANSWER_HEAD_BYTES + size);
    if (!bytes)
        return false;
    uint8_t *start = bytes + LWS_PRE;
    head_t head = { self->wsi, start, start + ANSWER_HEAD_BYTES, false };
    put_headers (self, &head);
    bool failed = head.failed || lws_finalize_http_header (self->wsi, &head.at, head.end);
    if (!failed && size)
        memcpy (head.at, self->content.data, size);
    size_t all = (size_t) (head.at - start) + size;
    failed = failed || lws_write (self->wsi, start, all, LWS_WRITE_HTTP_HEADERS) < 0;
    memory_free (bytes);
    return !failed;
}

/* ---- its life ---- */

static void
request_free (web_request_t *self)
{
    lws_set_opaque_user_data (self->wsi, NULL);
    web_due_never (self->web, &self->due);
    self->web->requests -= 1;
    exchange_leave (&self->exchange);
    if (self->peer)
        peer_gone (&self->peer);
    sign_in_leave (&self->flow);
    api_key_leave (&self->asking);
    web_crowd_leave (self->web, &self->crowd);
    buffer_clear (&self->content);
    buffer_clear (&self->body);
    buffer_clear (&self->head);
    memory_free (self);
}

static int
writable (web_request_t *self)
{
    if (self && self->is_stream)
        return web_stream_writable (self);
    if (!self || !self->is_answered || lws_partial_buffered (self->wsi))
        return 0;
    struct lws *wsi = self->wsi;
    web_t *web = self->web;
    size_t size = self->content.size;
    bool goes_on = web_write_answer (self) && !self->is_closing;
    request_free (self);
    if (!goes_on || lws_http_transaction_completed (wsi))
        return -1;
    web_socket_idle (web, wsi, size);
    return 0;
}

void
web_send_answer (web_request_t *self)
{
    struct lws *wsi = self->wsi;
    web_read_on (wsi);
    if (writable (self) != 0)
        web_break_off (wsi);
}

bool
web_header (struct lws *wsi, enum lws_token_indexes token, char *to, size_t size)
{
    *to = '\0';
    int length = lws_hdr_total_length (wsi, token);
    return length <= 0 || lws_hdr_copy (wsi, to, (int) size, token) >= 0;
}

/*  One of those that libwebsockets knows is not among the custom ones. */
bool
web_header_named (struct lws *wsi, const char *name, char *to, size_t size)
{
    *to = '\0';
    for (enum lws_token_indexes token = 0; token < WSI_TOKEN_COUNT; token++) {
        const char *known = (const char *) lws_token_to_string (token);
        if (known && strcmp (known, name) == 0)
            return web_header (wsi, token, to, size);
    }
    int length = lws_hdr_custom_length (wsi, name, (int) strlen (name));
    return length <= 0 || lws_hdr_custom_copy (wsi, to, (int) size, name, (int) strlen (name)) >= 0;
}

/*  The path is one of libwebsockets', which ends with a NUL. */
static web_method_t
read_method (struct lws *wsi, char **path)
{
    int size;
    switch (lws_http_get_uri_and_method (wsi, path, &size)) {
    case LWSHUMETH_GET:
        return WEB_GET;
    case LWSHUMETH_HEAD:
        return WEB_HEAD;
    case LWSHUMETH_POST:
        return WEB_POST;
    case LWSHUMETH_OPTIONS:
        return WEB_OPTIONS;
    default:
        return WEB_OTHER;
    }
}

static void
act (web_t *web, web_due_t *due)
{
    (void) web;
    web_request_t *self = (web_request_t *) due;
    if (self->is_stream)
        web_stream_beat (self);
    else if (self->wants_body) {
        self->is_closing = true;
        web_answer_problem (self, HTTP_STATUS_REQUEST_TIMEOUT, "the body did not come");
        web_send_answer (self);
    }
}

/*  `fits`: what it says of whom it is from. */
static web_request_t *
request_new (web_t *web, struct lws *wsi, web_method_t method, bool *fits)
{
    web_request_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->due.act = act;
    self->wsi = wsi;
    self->web = web;
    self->method = method;
    self->content.limit = CONTENT_MOST;
    self->body.limit = web->options.edge.limits.message_bytes;
    self->takes_gzip = web_takes_gzip (wsi);
    *fits = web_address_of (wsi, &self->address);
    self->is_limited = self->address.is_forwarded && !web_crowd_has_room (web, &self->address);
    if (self->address.is_forwarded)
        self->crowd = web_crowd_join (web, &self->address);
    lws_set_opaque_user_data (wsi, self);
    web->requests += 1;
    return self;
}

/* ---- pages ---- */

static void
answer_page (web_request_t *self, web_page_t page, const char *type)
{
    const web_options_t *options = &self->web->options;
    char host[WEB_ORIGIN_SIZE];
    if (!web_header (self->wsi, WSI_TOKEN_HOST, host, sizeof host))
        *host = '\0';
    if (options->write_page)
        options->write_page (options->arg, page, host, &self->content);
    web_answer (self, HTTP_STATUS_OK, type);
}

static void
answer_ready (web_request_t *self)
{
    const web_options_t *options = &self->web->options;
    bool is_ready = !options->is_ready || options->is_ready (options->arg);
    if (self->web->is_stopping)
        web_answer_text (self, HTTP_STATUS_SERVICE_UNAVAILABLE, "stopping\n");
    else if (!is_ready)
        web_answer_text (self, HTTP_STATUS_SERVICE_UNAVAILABLE, "takes nothing\n");
    else
        web_answer_text (self, HTTP_STATUS_OK, "ready\n");
}

/*  What every server has under one name. False: it is none of those. */
static bool
answer_named (web_request_t *self, const char *path)
{
    static const char *const names[] = { "/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json" };
    size_t at = 0, count = sizeof names / sizeof *names;
    while (at < count && strcmp (path, names[at]) != 0)
        at++;
    if (at == count)
        return false;
    if (self->method != WEB_GET && self->method != WEB_HEAD)
        web_answer_method (self, "GET, HEAD");
    else if (at == 0)
        web_answer_text (self, HTTP_STATUS_OK, "ok\n");
    else if (at == 1)
        answer_ready (self);
    else if (at == 2)
        answer_page (self, WEB_METRICS, "text/plain; version=0.0.4; charset=utf-8");
    else
        answer_page (self, at == 3 ? WEB_OPENAPI : WEB_ASYNCAPI, WEB_TYPE_JSON);
    return true;
}

/*  A body is announced; `*may`: there could have been one. */
static bool
has_body (struct lws *wsi, web_method_t method, bool *may)
{
    char length[32];
    bool fits = web_header (wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, length, sizeof length);
    *may = fits && !*length && (method == WEB_POST || method == WEB_OTHER);
    return !fits || strspn (length, "0") != strlen (length);
}

static int
begin (web_t *web, struct lws *wsi)
{
    troupe_error_t error;
    char *path = NULL;
    web_method_t method = read_method (wsi, &path);
    bool may_have_body, fits = true, is_kept = !web->is_reading;
    if (has_body (wsi, method, &may_have_body) && is_kept)
        return -1;
    web_request_t *self = path ? request_new (web, wsi, method, &fits) : NULL;
    if (!self)
        return -1;
    self->is_closing = may_have_body;
    web_origin_t origin = web_origin (web, wsi, self->origin);
    bool is_chunked = lws_hdr_total_length (wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
    if (!fits) {
        self->is_closing = true;
        web_answer_problem (self, WEB_HEADERS_TOO_LARGE, "X-Forwarded-For has 1024 bytes or more");
    } else if (self->is_limited) {
        self->is_closing = true;
        error_set (&error, TROUPE_OVERLOADED, "too many connections of this address");
        web_answer_error (self, &error, 1000);
    } else if (is_chunked) {
        self->is_closing = true;
        web_answer_problem (self, HTTP_STATUS_LENGTH_REQUIRED, "");
    } else if (origin == ORIGIN_FOREIGN) {
        web_answer_problem (self, HTTP_STATUS_FORBIDDEN, "pages of this host or origin may not (web_origins)");
    } else if (self->method == WEB_OPTIONS) {
        self->allow = METHODS;
        web_answer (self, HTTP_STATUS_NO_CONTENT, NULL);
    } else if (answer_named (self, path)) {
        return 0;
    } else if (strncmp (path, "/a/", 3) == 0) {
        web_call_begin (self, path + 3);
    } else if (strncmp (path, WEB_STREAM_PATH "/", sizeof WEB_STREAM_PATH) == 0) {
        web_stream_begin (self, path + sizeof WEB_STREAM_PATH);
    } else if (strncmp (path, "/auth/", 6) == 0) {
        web_auth_begin (self, path + 6);
    } else if (!web_hook_begin (self, path) && !web_file_begin (self, path)) {
        error_set (&error, TROUPE_NOT_FOUND, "nothing is here");
        web_answer_error (self, &error, 0);
    }
    return 0;
}

/* ---- callbacks ---- */

int
web_http_callback (struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    web_request_t *request = NULL;
    if (reason == LWS_CALLBACK_HTTP || reason == LWS_CALLBACK_HTTP_BODY || reason == LWS_CALLBACK_HTTP_BODY_COMPLETION
        || reason == LWS_CALLBACK_HTTP_WRITEABLE || reason == LWS_CALLBACK_CLOSED_HTTP)
        request = lws_get_opaque_user_data (wsi);
    switch (reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        return web_tls_begin (lws_context_user (lws_get_context (wsi)), user);
    case LWS_CALLBACK_WSI_DESTROY:
        web_socket_gone (web_of (wsi), wsi);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return web_socket_filter (wsi, web_of (wsi));
    case LWS_CALLBACK_HTTP:
        if (request)
            return -1;  /* something behind a request whose answer has no end */
        web_of (wsi)->serving += 1;
        return begin (web_of (wsi), wsi);
    case LWS_CALLBACK_HTTP_BODY:
        if (request && request->wants_body)
            web_call_received (request, in, size);
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        if (request && request->wants_body)
            web_call_complete (request);
        return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return writable (request);
    case LWS_CALLBACK_CLOSED_HTTP:
        if (request)
            request_free (request);
        return 0;
    default:
        return lws_callback_http_dummy (wsi, reason, user, in, size);
    }
}
