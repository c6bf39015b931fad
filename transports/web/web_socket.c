/*  web_socket.c - WebSocket connections: bytes between libwebsockets and clients.
 *
 *  DESIGN
 *  Frames are made by the edge, so what is written here is raw bytes for libwebsockets
 *  (LWS_WRITE_HTTP passes them on as they are; no extension is offered that could change
 *  them). A write that the socket does not take whole is kept by libwebsockets, without
 *  bound: so nothing more is written while it keeps something, and the edge knows it.
 *  Close frames are written so, too, and libwebsockets sees those of clients: it would wait for room to answer them.
 *  A message comes in pieces; one that is whole is handed on where it lies.
 *  Who was silent for long is asked by a ping, and let go when it stays so. One that has still to read what was sent
 *  could not answer, so it is enough that it reads.
 *  The same timer ends the rest of one that asked for too much.
 */
#include "transports/edge/problem.h"
#include "transports/web/web_inside.h"
#include "transports/web/web_taken.h"

#include <stdio.h>
#include <string.h>

#define CLOSE_TEXT_MOST 32
#define CLOSE_SECONDS 2  /* for the client's own close frame */

enum { CLOSE_NORMAL = 1000, CLOSE_POLICY = 1008, CLOSE_TOO_LARGE = 1009, CLOSE_WRONG_TYPE = 1003, CLOSE_SERVER = 1011 };

/* ---- the port ---- */

static void
send_bytes (void *connection, const void *bytes, size_t size)
{
    web_socket_t *self = connection;
    if (lws_write (self->wsi, (unsigned char *) bytes, size, LWS_WRITE_HTTP) < 0)
        web_break_off (self->wsi);
}

static bool
is_choked (void *connection)
{
    return lws_partial_buffered (((web_socket_t *) connection)->wsi);
}

static void
pause_reading (void *connection, bool is_paused)
{
    web_socket_t *self = connection;
    self->is_paused = is_paused;
    if (is_paused)
        lws_rx_flow_control (self->wsi, 0);
    else if (!self->is_resting)
        web_read_on (self->wsi);
}

/*  Who floods is slowed by its own socket, and costs no more than what is read of it. */
static void
rest (void *connection, uint64_t ms)
{
    web_socket_t *self = connection;
    self->is_resting = true;
    lws_rx_flow_control (self->wsi, 0);
    web_due_in (self->web, &self->due, ms);
}

static void
end_rest (web_socket_t *self)
{
    self->is_resting = false;
    pause_reading (self, self->is_paused);
}

static void
send_close (web_socket_t *self, uint16_t code, const char *text)
{
    size_t size = strlen (text);
    uint8_t frame[4 + CLOSE_TEXT_MOST] = { 0x88 };
    size = size < CLOSE_TEXT_MOST ? size : CLOSE_TEXT_MOST;
    frame[1] = (uint8_t) (2 + size);
    frame[2] = (uint8_t) (code >> 8);
    frame[3] = (uint8_t) code;
    memcpy (frame + 4, text, size);
    self->is_closing = true;
    send_bytes (self, frame, 4 + size);
}

static void
close_socket (void *connection, uint16_t code, const char *text)
{
    web_socket_t *self = connection;
    send_close (self, code, text);
    lws_set_timeout (self->wsi, PENDING_TIMEOUT_CLOSE_ACK, CLOSE_SECONDS);
    self->is_resting = false;
    web_read_on (self->wsi);  /* to its close frame */
}

static const peer_port_t port = { send_bytes, is_choked, pause_reading, close_socket, .rest = rest };

/* ---- callbacks ---- */

/*  In words of our own: libwebsockets does not know yet that this is HTTP/1.1. Then the connection ends. */
static int
refuse (struct lws *wsi, unsigned code, const char *reason, const char *text)
{
    buffer_t problem = { 0 };
    char bytes[LWS_PRE + 1024];
    problem_write (&problem, problem_of_code (code), text, 0);
    int size = snprintf (bytes + LWS_PRE, sizeof bytes - LWS_PRE,
                         "HTTP/1.1 %u %s\r\nContent-Type: " PROBLEM_TYPE "\r\nContent-Length: %zu\r\n"
                         "Connection: close\r\n\r\n%.*s", code, reason, problem.size, (int) problem.size,
                         problem.data ? (const char *) problem.data : "");
    (void) lws_write (wsi, (unsigned char *) bytes + LWS_PRE, (size_t) size, LWS_WRITE_HTTP_FINAL);
    buffer_clear (&problem);
    return -1;
}

/*  One of ours must be among the subprotocols that are offered. */
static bool
offers_ours (struct lws *wsi)
{
    char offered[128] = "";
    if (lws_hdr_copy (wsi, offered, sizeof offered, WSI_TOKEN_PROTOCOL) <= 0)
        return false;
    for (char *rest, *name = strtok_r (offered, ", ", &rest); name; name = strtok_r (NULL, ", ", &rest))
        if (strcmp (name, text_codec.subprotocol) == 0 || strcmp (name, binary_codec.subprotocol) == 0)
            return true;
    return false;
}

int
web_socket_filter (struct lws *wsi, web_t *web)
{
    char path[32] = "";
    if (lws_hdr_copy (wsi, path, sizeof path, WSI_TOKEN_GET_URI) < 0 || strcmp (path, WEB_SOCKET_PATH) != 0)
        return refuse (wsi, 404, "Not Found", "WebSocket is at " WEB_SOCKET_PATH);
    if (!offers_ours (wsi))
        return refuse (wsi, 400, "Bad Request", "offer the subprotocol troupe.v1 or troupe.v1.bin");
    web_address_t address;
    if (!web_address_of (wsi, &address))
        return refuse (wsi, 431, "Request Header Fields Too Large", "X-Forwarded-For has 1024 bytes or more");
    char origin[WEB_ORIGIN_SIZE];
    if (web_origin (web, wsi, origin) == ORIGIN_FOREIGN)
        return refuse (wsi, 403, "Forbidden", "pages of this origin may not (web_origins)");
    if (address.is_forwarded && !web_crowd_has_room (web, &address))
        return refuse (wsi, 429, "Too Many Requests", "too many connections of this address");
    if (web->is_stopping || web->connections >= web->options.limits.connections)
        return refuse (wsi, 503, "Service Unavailable", "no room for one more client");
    return 0;
}

static void
look (web_t *web, web_due_t *due)
{
    static const uint8_t ping[] = { 0x89, 1, '?' };  /* of one without content libwebsockets tells no pong */
    web_socket_t *self = (web_socket_t *) due;
    const web_limits_t *limits = &web->options.limits;
    bool is_new = peer_is_new (self->peer);
    uint64_t silent_ms = uv_now (&web->loop) - self->heard_ms, most_ms = is_new ? limits->hello_ms : limits->idle_ms;
    if (self->is_closing)
        return;
    if (self->is_resting)
        end_rest (self);
    bool waits;
    uint64_t taken = tcp_bytes_taken (lws_get_socket_fd (self->wsi), &waits);
    if (silent_ms < most_ms)
        web_due_in (web, due, most_ms - silent_ms);
    else if (is_new)
        close_socket (self, CLOSE_POLICY, "no hello in time");
    else if (self->is_asked && taken <= self->taken)
        web_break_off (self->wsi);
    else {
        self->is_asked = true;
        self->taken = waits ? taken : UINT64_MAX;
        if (!waits)
            send_bytes (self, ping, sizeof ping);
        web_due_in (web, due, most_ms);
    }
}

/*  Before the hello nothing counts. */
static void
note_heard (web_socket_t *self)
{
    if (peer_is_new (self->peer))
        return;
    self->heard_ms = uv_now (&self->web->loop);
    self->is_asked = false;
}

static int
established (web_socket_t *self, struct lws *wsi)
{
    web_t *web = web_of (wsi);
    bool is_binary = strcmp (lws_get_protocol (wsi)->name, binary_codec.subprotocol) == 0;
    memset (self, 0, sizeof *self);
    self->due.act = look;
    self->wsi = wsi;
    self->web = web;
    self->heard_ms = uv_now (&web->loop);
    self->message.limit = web->options.edge.limits.message_bytes;
    self->peer = peer_new (web->edge, is_binary ? &binary_codec : &text_codec, &port, self);
    web_address_t address;
    (void) web_address_of (wsi, &address);
    if (address.is_forwarded)
        self->crowd = web_crowd_join (web, &address);
    if (self->peer)
        peer_from (self->peer, address.key, address.key_size);
    web->connections += 1;
    web_socket_upgraded (web, wsi);
    const web_limits_t *limits = &web->options.limits;
    web_due_in (web, &self->due, limits->hello_ms < limits->idle_ms ? limits->hello_ms : limits->idle_ms);
    web->is_behind = true;
    return self->peer ? 0 : -1;
}

static void
closed (web_socket_t *self)
{
    if (!self->wsi)
        return;
    if (self->peer)
        peer_gone (&self->peer);
    web_due_never (self->web, &self->due);
    self->web->connections -= 1;
    web_crowd_leave (self->web, &self->crowd);
    buffer_clear (&self->message);
    self->wsi = NULL;
}

static int
received (web_socket_t *self, const void *bytes, size_t size)
{
    struct lws *wsi = self->wsi;
    self->web->serving += 1;
    bool is_last = lws_is_final_fragment (wsi) && lws_remaining_packet_payload (wsi) == 0;
    bool is_binary = lws_frame_is_binary (wsi);
    self->web->is_late |= !self->web->is_reading;
    note_heard (self);
    if (self->is_closing)
        return 0;
    if (is_binary != (strcmp (lws_get_protocol (wsi)->name, binary_codec.subprotocol) == 0)) {
        close_socket (self, CLOSE_WRONG_TYPE, "frame type");
        return 0;
    }
    if (self->message.size + size + lws_remaining_packet_payload (wsi) > self->message.limit) {
        close_socket (self, CLOSE_TOO_LARGE, "message size");
        return 0;
    }
    if (is_last && self->message.size == 0) {
        peer_received (self->peer, bytes, size);
        return 0;
    }
    buffer_append (&self->message, bytes, size);
    if (self->message.failed)
        close_socket (self, CLOSE_SERVER, "no memory");
    else if (is_last)
        peer_received (self->peer, self->message.data, self->message.size);
    if (is_last || self->message.failed)
        buffer_clear (&self->message);
    return 0;
}

/*  -1: the connection ends, with what was written. */
static int
client_closes (web_socket_t *self, const uint8_t *content, size_t size)
{
    if (!self->is_closing)
        send_close (self, size < 2 ? CLOSE_NORMAL : (uint16_t) (content[0] << 8 | content[1]), "");
    return -1;
}

int
web_socket_callback (struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        return established (user, wsi);
    case LWS_CALLBACK_RECEIVE:
        return received (user, in, size);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        note_heard (user);  /* it took what waited */
        if (!((web_socket_t *) user)->is_closing)
            peer_has_room (((web_socket_t *) user)->peer);
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        note_heard (user);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return client_closes (user, in, size);
    case LWS_CALLBACK_CLOSED:
        closed (user);
        return 0;
    default:
        return 0;
    }
}
