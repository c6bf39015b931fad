/*  web_stream.c - feeds over HTTP, as server-sent events.
 *
 *  DESIGN
 *  The request lives as long as the stream, with a client of the edge (peer_t) that watches one feed. The head of the
 *  answer waits until the watch stands, so that one that is refused has a status of HTTP. The stream ends with the
 *  connection, and what comes behind its request ends it: libwebsockets would take it for the next request.
 *  A heartbeat keeps proxies from closing what is silent; who takes nothing of what waits for two of them is gone.
 */
#include "transports/web/web_inside.h"
#include "transports/web/web_taken.h"

#include "runtime/base/error.h"

#include <stdio.h>
#include <string.h>

#define BEAT ":\n\n"
#define SILENT_MOST 2

/* ---- the port ---- */

static void
set_beat (web_request_t *self)
{
    web_due_in (self->web, &self->due, self->web->options.limits.idle_ms / 2);
}

static void
begin_stream (web_request_t *self)
{
    self->is_stream = true;
    self->is_closing = true;
    self->code = HTTP_STATUS_OK;
    self->type = "text/event-stream";
    if (!web_write_answer (self))
        web_break_off (self->wsi);
    lws_http_headers_detach (self->wsi);
    set_beat (self);
}

static void
send_bytes (void *connection, const void *bytes, size_t size)
{
    web_request_t *self = connection;
    if (!self->is_stream)
        begin_stream (self);
    self->is_told = true;
    if (lws_write (self->wsi, (unsigned char *) bytes, size, LWS_WRITE_HTTP) < 0)
        web_break_off (self->wsi);
}

static bool
is_choked (void *connection)
{
    return lws_partial_buffered (((web_request_t *) connection)->wsi);
}

/*  Nothing is read of it. */
static void
pause_reading (void *connection, bool is_paused)
{
    (void) connection;
    (void) is_paused;
}

static void
close_stream (void *connection, uint16_t code, const char *text)
{
    (void) code;
    (void) text;
    web_break_off (((web_request_t *) connection)->wsi);
}

static void
refuse (void *connection, const troupe_error_t *error)
{
    web_answer_error (connection, error, 0);
}

static const peer_port_t port = { send_bytes, is_choked, pause_reading, close_stream, refuse };

/* ---- its begin ---- */

/*  Last-Event-ID, which a browser sends when it comes back, goes before the query. */
static troupe_status_t
read_from (web_request_t *self, char from[RESUME_MAX + 1], troupe_error_t *error)
{
    if (!web_header_named (self->wsi, "last-event-id:", from, RESUME_MAX + 1))
        return error_set (error, TROUPE_INVALID, "Last-Event-ID: at most %d bytes", RESUME_MAX);
    if (*from)
        return TROUPE_OK;
    char text[sizeof "from=" + RESUME_MAX];
    bool fits = lws_hdr_total_length (self->wsi, WSI_TOKEN_HTTP_URI_ARGS) < (int) sizeof text;
    const char *value = fits ? lws_get_urlarg_by_name (self->wsi, "from=", text, sizeof text) : NULL;
    if (!fits)
        return error_set (error, TROUPE_INVALID, "the query is too long: from is all that is wanted");
    snprintf (from, RESUME_MAX + 1, "%s", value ? value : "");
    return TROUPE_OK;
}

static void
watch (web_request_t *self)
{
    troupe_error_t error;
    client_message_t message = { .type = CLIENT_WATCH, .number = 1, .token = "" };
    if (!web_call_may (self, RATE_READ))
        return;
    snprintf (message.to, sizeof message.to, "%s/%s", self->to, self->verb);
    snprintf (message.from, sizeof message.from, "%s", self->key);
    self->peer = peer_new (self->web->edge, &sse_codec, &port, self);
    if (!self->peer) {
        error_set (&error, TROUPE_OVERLOADED, "no memory for one more client");
        web_answer_error (self, &error, 0);
        return;
    }
    lws_set_timeout (self->wsi, NO_PENDING_TIMEOUT, 0);
    peer_watch (self->peer, &self->who, &message);
}

void
web_stream_begin (web_request_t *self, const char *path)
{
    troupe_error_t error;
    if (self->method != WEB_GET) {
        web_answer_method (self, "GET");
        return;
    }
    troupe_status_t status = web_has_room (self->web, &error);
    if (status == TROUPE_OK && !message_split_feed (path, self->to, self->verb))
        status = error_set (&error, TROUPE_INVALID, "a feed is named kind/id/channel");
    if (status == TROUPE_OK)
        status = read_from (self, self->key, &error);
    if (status == TROUPE_OK)
        status = web_identify (self, &error);
    if (status == TROUPE_OK)
        web_when_known (self, watch);
    else
        web_answer_error (self, &error, 0);
}

/* ---- its life ---- */

int
web_stream_writable (web_request_t *self)
{
    peer_has_room (self->peer);
    return 0;
}

void
web_stream_beat (web_request_t *self)
{
    bool waits;
    uint64_t taken = tcp_bytes_taken (lws_get_socket_fd (self->wsi), &waits);
    self->silent = waits && taken <= self->taken ? self->silent + 1 : 0;
    self->taken = taken;
    if (self->silent == SILENT_MOST) {
        web_break_off (self->wsi);
        return;
    }
    set_beat (self);
    if (!waits && !self->is_told)
        send_bytes (self, BEAT, strlen (BEAT));
    self->is_told = false;
}
