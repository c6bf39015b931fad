/*  web_room.c - contexts of libwebsockets: each has room for some connections.
 *
 *  DESIGN
 *  As Debian builds it, libwebsockets looks at all connections of a context whenever one of them is closed, and at as
 *  many empty entries as the process may have descriptors: it makes sure that nobody has this one still. So connections
 *  are dealt out among contexts, which are made when they are needed and share the loop, and a context is told no more
 *  descriptors than there can be.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROOM_SOCKETS 2048          /* before another one is opened */
#define RECEIVE_BYTES 1024         /* of one read; each connection has such a buffer while it reads */
#define SEND_BYTES (1u << 20)      /* of one write at most; the edge bounds them */
#define SPARE_DESCRIPTORS 4096     /* of the store, of kinds */

#define LINES_MOST 10              /* of libwebsockets in a second: strangers make it write them */

static void (*log_line) (bool is_error, const char *line);
static _Atomic uint64_t log_second;
static _Atomic unsigned log_lines;  /* in it */

static void
emit (int level, const char *line)
{
    char text[256];
    uint64_t second = clock_monotonic_ns () / 1000000000;
    if (!log_line)
        return;
    if (atomic_exchange (&log_second, second) != second) {
        unsigned lines = atomic_exchange (&log_lines, 0);
        snprintf (text, sizeof text, "web: %u lines more were left out", lines - LINES_MOST);
        if (lines > LINES_MOST)
            log_line (false, text);
    }
    snprintf (text, sizeof text, "web: %.*s", (int) strcspn (line, "\n"), line);
    if (atomic_fetch_add (&log_lines, 1) < LINES_MOST)
        log_line (level == LLL_ERR, text);
}

static const struct lws_protocols protocols[] = {
    { "http", web_http_callback, 0, RECEIVE_BYTES, 0, NULL, SEND_BYTES },
    { "troupe.v1", web_socket_callback, sizeof (web_socket_t), RECEIVE_BYTES, 0, NULL, SEND_BYTES },
    { "troupe.v1.bin", web_socket_callback, sizeof (web_socket_t), RECEIVE_BYTES, 0, NULL, SEND_BYTES },
    { NULL, NULL, 0, 0, 0, NULL, 0 }
};

/*  What stands under a mount is served in a state in which libwebsockets reads on and sees a client leave, which it
 *  does not while any other answer is awaited. */
static const struct lws_http_mount streams = {
    .mountpoint = WEB_STREAM_PATH,
    .mountpoint_len = sizeof WEB_STREAM_PATH - 1,
    .origin = "http",
    .origin_protocol = LWSMPRO_CALLBACK
};

static const lws_retry_bo_t never = { .secs_since_valid_ping = 0 };  /* who is silent is asked by web_socket.c */

/* ---- one ---- */

/*  For a moment. False: it stays as it is, for it is low enough, or so many are open that others might miss some. */
static bool
lower_limit (const web_t *web, struct rlimit *before)
{
    rlim_t wanted = (rlim_t) web_sockets_most (web) + web->options.other_descriptors + SPARE_DESCRIPTORS;
    if (getrlimit (RLIMIT_NOFILE, before) != 0 || before->rlim_cur <= wanted)
        return false;
    int lowest = fcntl (web->wake, F_DUPFD_CLOEXEC, 0);
    if (lowest < 0)
        return false;
    close (lowest);
    struct rlimit lower = { .rlim_cur = wanted, .rlim_max = before->rlim_max };
    return (rlim_t) lowest < wanted - SPARE_DESCRIPTORS / 2 && setrlimit (RLIMIT_NOFILE, &lower) == 0;
}

/*  It has entries for as many descriptors as the process may have at this moment. */
static struct lws_context *
create_context (web_room_t *self)
{
    web_t *web = self->web;
    void *loops[] = { &web->loop };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6
                   | (*web->certificate ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
        .foreign_loops = loops,
        .user = self,
        .gid = (gid_t) -1,
        .uid = (uid_t) -1,
        .max_http_header_data = WEB_HEAD_BYTES,
        .pt_serv_buf_size = 32768
    };
    struct rlimit before;
    bool is_lower = lower_limit (web, &before);
    struct lws_context *context = lws_create_context (&info);
    if (is_lower)
        (void) setrlimit (RLIMIT_NOFILE, &before);
    return context;
}

static struct lws_vhost *
create_vhost (const web_room_t *self)
{
    bool is_secret = *self->web->certificate;
    struct lws_context_creation_info info = {
        .vhost_name = "troupe",
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .mounts = &streams,
        .alpn = "http/1.1",
        .provided_client_ssl_ctx = self->web->outgoing,  /* its own are not freed when there are several contexts */
        .options = LWS_SERVER_OPTION_DISABLE_IPV6
                   | (is_secret ? LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
        .timeout_secs = 10,
        .retry_and_idle_policy = &never,
        .keepalive_timeout = 60
    };
    return lws_create_vhost (self->context, &info);
}

static troupe_status_t
open_room (web_t *web, troupe_error_t *error)
{
    web_room_t *self = &web->rooms[web->rooms_count];
    *self = (web_room_t) { .web = web };
    self->context = create_context (self);
    if (!self->context)
        return error_set (error, TROUPE_INVALID, "libwebsockets does not start; is its libuv plugin installed "
                                                 "(libwebsockets-evlib-uv)?");
    web->rooms_count += 1;
    self->vhost = create_vhost (self);
    if (!self->vhost)
        return error_set (error, TROUPE_INVALID, "libwebsockets does not take the gateway's options");
    return TROUPE_OK;
}

/* ---- all ---- */

troupe_status_t
web_rooms_open (web_t *web, troupe_error_t *error)
{
    log_line = web->options.log;
    lws_set_log_level (LLL_ERR | LLL_WARN, emit);
    return open_room (web, error);
}

static web_room_t *
emptiest (web_t *web)
{
    web_room_t *best = &web->rooms[0];
    for (unsigned i = 1; i < web->rooms_count; i++)
        if (web->rooms[i].vhost && web->rooms[i].sockets < best->sockets)
            best = &web->rooms[i];
    return best;
}

web_room_t *
web_room_for_one (web_t *web)
{
    troupe_error_t error;
    web_room_t *room = emptiest (web);
    if (room->sockets < ROOM_SOCKETS || web->rooms_count == WEB_ROOMS_MOST || web->has_no_more_rooms)
        return room;
    if (open_room (web, &error) != TROUPE_OK) {
        web->has_no_more_rooms = true;
        if (web->options.log)
            web->options.log (true, error.text);
    }
    return emptiest (web);
}

/*  What libwebsockets has read already is handled by an idle handler that only an event of a socket starts, and that
 *  stops while there is still something behind a handshake. */
void
web_rooms_look_behind (web_t *web)
{
    web->is_behind = false;
    for (unsigned i = 0; i < web->rooms_count; i++)
        if (lws_service_adjust_timeout (web->rooms[i].context, 1, 0) == 0)
            lws_cancel_service (web->rooms[i].context);
}

void
web_rooms_close (web_t *web)
{
    for (unsigned i = 0; i < web->rooms_count; i++)
        lws_context_destroy (web->rooms[i].context);
}

web_t *
web_of (const struct lws *wsi)
{
    const web_room_t *room = lws_context_user (lws_get_context (wsi));
    return room->web;
}
