/*  web_inside.h - what the files of the web transport share. For transports/web/ alone.
 *
 *      web.c         its life: context, loop, thread
 *      web_socket.c  WebSocket connections
 *      web_http.c    HTTP requests
 */
#ifndef TRANSPORTS_WEB_WEB_INSIDE_H
#define TRANSPORTS_WEB_WEB_INSIDE_H

#include "transports/web/web.h"

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

struct web_s {
    /* fixed after start */
    web_options_t options;
    edge_t *edge;
    struct lws_context *context;
    struct lws_vhost *vhost;
    char host[64];
    pthread_t thread;
    bool has_thread, has_loop;
    int wake;                    /* an eventfd; any thread writes, the loop polls it */

    /* owner: gateway; before the start and after the end, who starts and ends it */
    uv_loop_t loop;
    uv_poll_t woken;
    uv_check_t check;            /* after each round of reading */
    uv_timer_t due, end;
    uint32_t connections;
    bool is_stopping, is_ending;
    lws_retry_bo_t idle;

    /* shared: atomic; set before the wake, read after it */
    _Atomic uint64_t quiet_ms;   /* 0: no */
};

/* ---- web_socket.c ---- */

#define WEB_SOCKET_PATH "/v1"

/*  What libwebsockets keeps for a connection. */
typedef struct {
    struct lws *wsi;
    web_t *web;
    peer_t *peer;
    buffer_t message;            /* pieces of a message that is not whole yet */
    bool is_closing;             /* our close frame is sent */
} web_socket_t;

int web_socket_callback (struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);

/*  Before the handshake is answered: whether it may come in. -1: no, and it was told why. */
int web_socket_filter (struct lws *wsi, web_t *web);

/* ---- web_http.c ---- */

typedef struct web_request_s web_request_t;

int web_http_callback (struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);

#endif
