/*  web.h - the gateway for browsers, phones and devices: WebSocket and HTTP on libwebsockets.
 *
 *  One thread of its own, which owns an edge_t and all that is libwebsockets'. Listens on one
 *  address; every size and number that a stranger can choose has a bound in web_limits_t.
 */
#ifndef TRANSPORTS_WEB_WEB_H
#define TRANSPORTS_WEB_WEB_H

#include "transports/edge/edge.h"

typedef struct {
    uint32_t connections;
    uint32_t address_connections;  /* of one address; 0: no bound */
    uint32_t hello_ms;   /* from the handshake to the first message */
    uint32_t idle_ms;    /* of silence, after which a connection is asked whether it lives, and closed if not */
} web_limits_t;

/*  What the node says of itself. */
typedef enum { WEB_METRICS, WEB_OPENAPI, WEB_ASYNCAPI } web_page_t;

typedef struct {
    const char *host;    /* the address to listen on, "127.0.0.1" */
    uint16_t port;       /* 0: any that is free */
    web_limits_t limits;
    uint32_t other_descriptors;  /* that the process may have, besides those of the store */
    const char *certificate, *key;  /* files with PEM; both empty: without TLS; copied */
    const char *files;   /* PREFIX=DIRECTORY, parted by spaces; copied */
    const char *files_policy;  /* their Content-Security-Policy; empty: none; copied */
    const char *proxies; /* whose X-Forwarded-For is believed: addresses and prefixes, parted by spaces; copied */
    const char *tcp_proxies;  /* alike: who begins a connection with a header of the PROXY protocol */
    const char *hooks;   /* PREFIX=KIND/ID/VERB, parted by spaces; copied, as the next */
    const char *hook_headers;  /* names of headers that a hook gets, parted by spaces */
    const char *origins; /* foreign ones whose pages may come, parted by spaces; "*": all; copied */
    edge_options_t edge; /* without wake */
    void (*log) (bool is_error, const char *line);  /* any thread */
    /* On the gateway's thread, for who found it as `host`, or ""; `failed` when there is no memory for it. */
    void (*write_page) (void *arg, web_page_t page, const char *host, buffer_t *to);
    bool (*is_ready) (void *arg);
    void *arg;
} web_options_t;

typedef struct web_s web_t;

/*  Listens, but answers nobody before web_start; so a port in use is known before the node starts.
 *  NULL and an error. */
web_t *web_new (const web_options_t *options, troupe_error_t *error);

/*  The port that it listens on. */
uint16_t web_port (const web_t *self);

/*  For node_listen. */
edge_t *web_edge (web_t *self);

/*  The node runs now, and the host is this. Starts the thread. */
troupe_status_t web_start (web_t *self, const host_port_t *host, troupe_error_t *error) TROUPE_CHECKED;

/*  Any thread: reads the certificate and its key again, soon. False: there is none. */
bool web_reload (web_t *self);

/*  One thread: whether the gateway's came round since this was asked the last time, and asks it again. */
bool web_came_round (web_t *self);

/*  Tells clients to go and takes no more. Those that stay are closed after so long, those with calls in hand, and
 *  requests, so much later at most. Waits for the thread. While the node still runs. */
void web_quiet (web_t *self, uint64_t most_ms, uint64_t calls_ms);

/*  After the node stopped. */
void web_destroy (web_t **self_p);

#endif
