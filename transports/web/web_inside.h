/*  web_inside.h - what the files of the web transport share. For transports/web/ alone.
 *
 *      web.c         its life: context, loop, thread
 *      web_room.c    contexts of libwebsockets
 *      web_due.c     what is due later
 *      web_accept.c  sockets
 *      web_foyer.c   those that have not said anything yet
 *      web_socket.c  WebSocket connections
 *      web_http.c    HTTP requests: which of the following it is for, and what is answered
 *      web_head.c    what headers and queries mean
 *      web_origin.c  pages of other hosts
 *      web_taken.c   how far the other host of a connection is
 *      web_tls.c     the certificate
 *      web_gzip.c    answers in fewer bytes
 *      web_call.c    calls of verbs
 *      web_who.c     who asks
 *      web_stream.c  feeds as server-sent events
 *      web_auth.c    signing in
 *      web_hook.c    what other services post
 *      web_words.c   settings that are lists of words
 *      web_crowd.c   how many there are of one address
 *      web_address.c  where a connection comes from
 *      web_proxy.c   and what proxies say of it
 */
#ifndef TRANSPORTS_WEB_WEB_INSIDE_H
#define TRANSPORTS_WEB_WEB_INSIDE_H

#include "runtime/base/table.h"
#include "runtime/base/wheel.h"
#include "transports/edge/api_key.h"
#include "transports/edge/exchange.h"
#include "transports/edge/sign_in.h"
#include "transports/web/web.h"
#include "transports/web/web_address.h"
#include "transports/web/web_path.h"

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

/*  Something to be done later. Zero-initialised but for `act` is not due. */
typedef struct web_due_s {
    wheel_node_t node;           /* first */
    void (*act) (web_t *web, struct web_due_s *self);  /* from outside of libwebsockets' callbacks */
} web_due_t;

/*  Some of the connections: a context of libwebsockets. */
typedef struct {
    web_t *web;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct ssl_ctx_st *tls;      /* OpenSSL's, of the vhost; NULL: without TLS */
    uint32_t sockets;
} web_room_t;

#define WEB_ROOMS_MOST 64

struct web_s {
    /* fixed after start */
    web_options_t options;
    edge_t *edge;
    char host[64];
    char files[2048], files_policy[1024];
    char proxies[1024], tcp_proxies[1024];
    char hooks[1024], hook_headers[1024];
    char origins[1024];
    char certificate[1024], key[1024];
    pthread_t thread;
    bool has_thread, has_loop;
    int wake;                    /* an eventfd; any thread writes, the loop polls it */

    /* owner: gateway; before the start and after the end, who starts and ends it */
    uv_loop_t loop;
    web_room_t rooms[WEB_ROOMS_MOST];
    unsigned rooms_count;
    bool has_no_more_rooms;      /* one could not be opened */
    struct ssl_ctx_st *tls;      /* the certificate that is in use */
    struct ssl_ctx_st *outgoing; /* for connections that libwebsockets would make; it makes none */
    uv_poll_t woken;
    uv_prepare_t before;         /* each round of reading */
    uv_check_t check;            /* after each round of reading */
    bool is_behind;              /* something may have come right behind a handshake */
    bool is_late;                /* something was handled that libwebsockets had kept, and may have an answer */
    bool is_reading;             /* from sockets; else what libwebsockets kept of them */
    uv_timer_t due, end;
    uint32_t connections, requests;  /* those of WebSocket; HTTP requests and streams in hand */
    uint64_t unsent;             /* bytes of answers that libwebsockets keeps, since nobody reads them */
    wheel_t wheel;               /* of what is due */
    table_t crowds, sockets;     /* of addresses; all that are open, whatever they say */
    int listening;               /* -1: none */
    uv_poll_t arrival;
    web_due_t opening;           /* again, when there were no descriptors */
    bool is_full;                /* and it was told */
    int foyer;                   /* an epoll of sockets that have not said anything yet; -1: none */
    uv_poll_t words;             /* one of them has */
    struct web_stranger_s *strangers;  /* whose they are */
    uint32_t strangers_count;
    uint32_t serving, served;    /* messages and requests, in this round of reading and in the last one */
    bool is_bad_told;            /* one began without saying so, and the log has it */
    bool is_stopping, is_ending;
    bool is_sending_away;        /* clients that were told to go and did not */
    bool is_last;                /* all were */

    /* shared: atomic; set before the wake, read after it */
    uint64_t calls_ms;           /* set before quiet_ms, read after it */
    _Atomic uint64_t quiet_ms;   /* 0: no */
    _Atomic bool must_reload;
    _Atomic bool is_asked;       /* and has not answered: see web_came_round */
};

/* ---- web.c ---- */

/*  Reading was paused and goes on, from outside of libwebsockets' callbacks. */
void web_read_on (struct lws *wsi);

/*  From anywhere: the connection is no more, soon. */
void web_break_off (struct lws *wsi);

/* ---- web_room.c ---- */

#define WEB_HEAD_BYTES 8192      /* of a request's head: a token is half of it */

/*  The first one. */
troupe_status_t web_rooms_open (web_t *web, troupe_error_t *error) TROUPE_CHECKED;

/*  Where one more connection goes. */
web_room_t *web_room_for_one (web_t *web);

/*  Before the loop sleeps: has it come round again for what was read behind a handshake. */
void web_rooms_look_behind (web_t *web);

/*  Twice: before the loop ends, and after it. */
void web_rooms_close (web_t *web);

web_t *web_of (const struct lws *wsi);

/* ---- web_due.c ---- */

void web_due_in (web_t *web, web_due_t *due, uint64_t after_ms);
void web_due_never (web_t *web, web_due_t *due);

/*  Does what is due; in how many ms the next will be, or EDGE_NEVER. */
void web_due_run (web_t *web);
uint64_t web_due_wait_ms (const web_t *web);

/* ---- web_accept.c ---- */

troupe_status_t web_accept_open (web_t *web, troupe_error_t *error) TROUPE_CHECKED;
void web_accept_close (web_t *web);
uint32_t web_sockets_most (const web_t *web);

/*  A request was answered with so many bytes, and the next one may come for some time. */
void web_socket_idle (web_t *web, struct lws *wsi, size_t size);

/*  It became a WebSocket connection; it is no more. */
void web_socket_upgraded (web_t *web, const struct lws *wsi);
void web_socket_gone (web_t *web, const struct lws *wsi);

/*  Whether there is room for one more of that address. */
bool web_may_come (web_t *web, const web_address_t *address);

/*  Has said something; is libwebsockets' from here on, or closed. */
void web_take_in (web_t *web, int descriptor, const struct in6_addr *from);

/*  Who opened it, a proxy or what one that says so says; "::": not known. */
struct in6_addr web_socket_from (web_t *web, const struct lws *wsi);

/* ---- web_foyer.c ---- */

typedef struct web_stranger_s web_stranger_t;

troupe_status_t web_foyer_open (web_t *web, troupe_error_t *error) TROUPE_CHECKED;
void web_foyer_close (web_t *web);

/*  The other end may be a proxy. Is closed when there is no room for it. */
void web_foyer_enter (web_t *web, int descriptor, const struct in6_addr *from);

/* ---- web_crowd.c ---- */

typedef struct web_crowd_s web_crowd_t;

bool web_crowd_has_room (web_t *web, const web_address_t *address);

/*  NULL: it is not counted. */
web_crowd_t *web_crowd_join (web_t *web, const web_address_t *address);
void web_crowd_leave (web_t *web, web_crowd_t **crowd_p);

/* ---- web_socket.c ---- */

#define WEB_SOCKET_PATH "/v1"

/*  What libwebsockets keeps for a connection. */
typedef struct {
    web_due_t due;               /* a look at whether it speaks; first */
    struct lws *wsi;
    web_t *web;
    peer_t *peer;
    uint64_t heard_ms;           /* by the loop's clock */
    bool is_asked;               /* whether it lives, since then */
    uint64_t taken;              /* bytes, when it was; UINT64_MAX: all, and it was pinged */
    web_crowd_t *crowd;          /* behind a proxy */
    buffer_t message;            /* pieces of a message that is not whole yet */
    bool is_closing;             /* our close frame is sent */
    bool is_paused, is_resting;  /* nothing is read: the edge says so; it asked for too much */
} web_socket_t;

int web_socket_callback (struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);

/*  Before the handshake is answered: whether it may come in. -1: no, and it was told why. */
int web_socket_filter (struct lws *wsi, web_t *web);

/* ---- web_http.c ---- */

typedef enum { WEB_GET, WEB_HEAD, WEB_POST, WEB_OPTIONS, WEB_OTHER } web_method_t;

#define WEB_HEADERS_TOO_LARGE 431
#define WEB_ETAG_SIZE 48
#define WEB_ORIGIN_SIZE 256
#define WEB_TYPE_JSON "application/json"

/*  A request, from its head until its answer is on its way. */
typedef struct web_request_s {
    web_due_t due;               /* its body, or a heartbeat; first */
    struct lws *wsi;
    web_t *web;
    web_method_t method;
    bool is_closing;             /* the connection ends behind the answer */
    bool wants_body;             /* it is still to come */
    bool is_answered;            /* what follows is the answer; it goes out when there is room */
    unsigned code;
    const char *type;            /* of the content; static */
    uint32_t retry_after_ms;
    char etag[WEB_ETAG_SIZE];
    bool is_page;                /* a file for a browser to show */
    bool is_stream;              /* its content has no end */
    bool takes_gzip;             /* who asks */
    bool is_packable, is_packed; /* the content may be gzip, and is */
    const char *allow;           /* methods, with 405; static */
    char origin[WEB_ORIGIN_SIZE];  /* of another host, that may see the answer; else empty */
    buffer_t content;            /* of the answer */
    /* web_call.c */
    exchange_t *exchange;
    identity_t who;
    char to[TROUPE_ADDRESS_MAX + 1], verb[TROUPE_NAME_MAX + 1], key[256];
    char trace[TRACE_MAX + 1];
    buffer_t body;               /* of the request */
    web_address_t address;       /* whom it is from */
    web_crowd_t *crowd;          /* behind a proxy */
    bool is_limited;             /* it was too much of this client */
    /* web_who.c */
    secret_t api_key;            /* without an id: none was shown */
    api_key_t *asking;
    void (*known) (struct web_request_s *self);
    /* web_stream.c */
    peer_t *peer;
    bool is_told;                /* something was sent since the last look */
    unsigned silent;             /* looks at which it had taken nothing, one after the other */
    uint64_t taken;              /* at the last of them */
    /* web_auth.c */
    bool is_sign_in;
    sign_in_flow_t *flow;
    /* web_hook.c */
    bool is_hook;
    buffer_t head;               /* what goes before the body, packed */
} web_request_t;

int web_http_callback (struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);

/*  The answer is what stands in `content`. */
void web_answer (web_request_t *self, unsigned code, const char *type);
void web_answer_text (web_request_t *self, unsigned code, const char *text);
void web_answer_error (web_request_t *self, const troupe_error_t *error, uint32_t retry_after_ms);
/*  A problem of HTTP alone; `text`: what more there is to say, or "". */
void web_answer_problem (web_request_t *self, unsigned code, const char *text);
void web_answer_method (web_request_t *self, const char *allow);

/*  Writes what stands in the answer, now. False: the connection is no good any more. */
bool web_write_answer (web_request_t *self);

/*  Outside of libwebsockets' callbacks, after web_answer: sends it, reads on, and frees the request. */
void web_send_answer (web_request_t *self);

/*  A header of the request; false: it does not fit. One that is absent is empty. */
bool web_header (struct lws *wsi, enum lws_token_indexes token, char *to, size_t size);

/*  `name`: in small letters, with its colon. */
bool web_header_named (struct lws *wsi, const char *name, char *to, size_t size);

/* ---- web_origin.c ---- */

typedef enum { ORIGIN_OWN, ORIGIN_ALLOWED, ORIGIN_FOREIGN } web_origin_t;

/*  Where the page is from whose browser asks; ORIGIN_OWN also when it does not say. `origin` is then empty. */
web_origin_t web_origin (const web_t *web, struct lws *wsi, char origin[WEB_ORIGIN_SIZE]);

/* ---- web_tls.c ---- */

/*  Reads the files, and has all rooms use them; on an error all stays as it was. */
troupe_status_t web_tls_read (web_t *web, troupe_error_t *error) TROUPE_CHECKED;

/*  libwebsockets made the context of a room. -1: it cannot be used. */
int web_tls_begin (web_room_t *room, struct ssl_ctx_st *context);

void web_tls_end (web_t *web);

/* ---- web_gzip.c ---- */

bool web_takes_gzip (struct lws *wsi);

/*  The content is whole: packs it when that pays. */
void web_gzip (web_request_t *self);

/* ---- web_files.c ---- */

/*  False: there is no such file. */
bool web_file_begin (web_request_t *self, const char *path);

/* ---- web_hook.c ---- */

/*  False: the path leads to no hook. */
bool web_hook_begin (web_request_t *self, const char *path);
void web_hook_complete (web_request_t *self);

/* ---- web_words.c ---- */

#define WEB_HEADER_NAME_MAX 62

/*  Sees that the words of each setting mean something; puts names of headers in small letters. */
troupe_status_t web_words_check (web_t *web, troupe_error_t *error) TROUPE_CHECKED;

/* ---- web_who.c ---- */

/*  Who asks, or that its API key says so. */
troupe_status_t web_identify (web_request_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  The request has come whole: goes on with `known`, at once or when the account of its API key was asked. It is
 *  answered instead when the key is no good. */
void web_when_known (web_request_t *self, void (*known) (web_request_t *self));

/* ---- web_call.c ---- */

/*  The node goes down, or has too many clients. */
troupe_status_t web_has_room (const web_t *web, troupe_error_t *error) TROUPE_CHECKED;

/*  The path is behind "/a/". */
void web_call_begin (web_request_t *self, const char *path);
void web_call_received (web_request_t *self, const void *bytes, size_t size);
void web_call_complete (web_request_t *self);

/*  Parts of it, for other requests with a body. False: it was answered. */
bool web_call_is_welcome (web_request_t *self);
void web_call_take_trace (web_request_t *self);
void web_call_take_body (web_request_t *self);
void web_call_wait_for_body (web_request_t *self);  /* whatever it is */
void web_call_submit (web_request_t *self, const void *body, size_t size);
/*  False: it asks for too much, and was told. */
bool web_call_may (web_request_t *self, rate_class_t class);
void web_call_wait (web_request_t *self);
void web_call_answered (void *self, exchange_answer_t *answer);

/* ---- web_stream.c ---- */

#define WEB_STREAM_PATH "/f"

/*  The path is behind "/f/". */
void web_stream_begin (web_request_t *self, const char *path);

/*  There is room (non-zero: the connection ends), or it is time for a heartbeat. */
int web_stream_writable (web_request_t *self);
void web_stream_beat (web_request_t *self);

/* ---- web_auth.c ---- */

/*  The path is behind "/auth/". */
void web_auth_begin (web_request_t *self, const char *path);
void web_auth_complete (web_request_t *self);

#endif
