/*  troupe_client.h - to speak to a node from another program, over ZeroMQ (doc/protocol-zmq.md).
 *
 *  A client goes on over any number of connections. Its calls belong to a
 *  session: each runs exactly once, however often the connection breaks or the
 *  node starts again, and has one outcome; a watch goes on without a gap.
 *
 *  Work is done while one of its functions runs: a client has no thread of its
 *  own. Either a program waits for an outcome (troupe_client_call), or it has an
 *  event loop: it polls troupe_client_fd for reading, for as long as
 *  troupe_client_process says, and calls troupe_client_process again.
 *
 *  A client is for one thread at a time; several clients for several. Functions that are
 *  called (troupe_done_t, troupe_heard_t) run inside of troupe_client_process, _wait and _call; they may use
 *  the client but not wait with it, nor destroy it. After fork, the child leaves the parent's clients alone.
 */
#ifndef TROUPE_CLIENT_H_INCLUDED
#define TROUPE_CLIENT_H_INCLUDED

#include <troupe.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TROUPE_CLIENT_TOKEN_MAX 4096
#define TROUPE_RESUME_MAX 48         /* bytes of a place in a feed */

typedef struct troupe_client_s troupe_client_t;
typedef struct troupe_watch_s troupe_watch_t;

/*  Texts are copied. NULL is the default of each. */
typedef struct {
    const char *at;           /* the node: "HOST:PORT", tcp:// before it or not; 127.0.0.1:7318 */
    const char *token;        /* who calls, unless a certificate says so */
    const char *certificate;  /* our file, of `troupe certificate`; its secret is beside it, NAME_secret */
    const char *server;       /* goes with it: the node's public key (40 characters), or a file that has it */
    const char *name;         /* what the node's operator sees; "c" */
    uint32_t timeout_ms;      /* of a call that names none; 30000 */
} troupe_client_options_t;

/*  It connects when it works. NULL `options` are the defaults. NULL and an error: an address that is none, a
 *  certificate that cannot be read, no memory. */
TROUPE_EXPORT troupe_client_t *troupe_client_new (const troupe_client_options_t *options, troupe_error_t *error);

/*  Says goodbye. Calls without an outcome have TROUPE_UNKNOWN now, watches end. NULLs the pointer. */
TROUPE_EXPORT void troupe_client_destroy (troupe_client_t **self_p);

/*  Another token, before the old one ends or after a call was refused since it had ended; of the same subject. */
TROUPE_EXPORT troupe_status_t troupe_client_token (troupe_client_t *self, const char *token,
                                                   troupe_error_t *error) TROUPE_CHECKED;

/* ------------------------------------------------------------------ *
 *  Waiting
 * ------------------------------------------------------------------ */

/*  Runs a verb once and waits for the outcome, which stands in `answer` until troupe_answer_clear. Body by format, as
 *  troupe.h has them. A status that the node gave is one of a call; TROUPE_TIMEOUT also when there is no connection,
 *  with a text that says so. */
TROUPE_EXPORT troupe_status_t troupe_client_call (troupe_client_t *self, const char *to, const char *verb,
                                                  troupe_answer_t *answer, const char *format, ...);

/*  Works until something happened, at most for so many ms: for loops that look what they wait for. */
TROUPE_EXPORT void troupe_client_wait (troupe_client_t *self, uint32_t most_ms);

/* ------------------------------------------------------------------ *
 *  Event loops
 * ------------------------------------------------------------------ */

/*  Readable when there is something to do; the same for the life of the client. */
TROUPE_EXPORT int troupe_client_fd (const troupe_client_t *self);

/*  Does what there is to do, and does not wait. Returns in how many ms to call it again at the latest. */
TROUPE_EXPORT uint32_t troupe_client_process (troupe_client_t *self);

/* ------------------------------------------------------------------ *
 *  Calls
 * ------------------------------------------------------------------ */

typedef struct {
    const char *to, *verb;
    const void *body;         /* packed (troupe_pack_json); NULL: null; copied */
    size_t size;
    uint32_t timeout_ms;      /* 0: the client's */
    const char *trace;        /* a W3C traceparent, or NULL */
    troupe_done_t *done;      /* exactly once, later; NULL: a cast, run at most once, of which nothing is told */
    void *arg;
} troupe_client_call_t;

/*  Sends it with the next work. Calls and casts to one actor are handled in the order of their submission. One that the
 *  node does not accept for now is sent again until its time is over; its outcome is TROUPE_TIMEOUT then, and it may
 *  still run when it was sent before. Anything but TROUPE_OK: nothing was taken, `done` is not called;
 *  TROUPE_OVERLOADED: too much waits to be sent. */
TROUPE_EXPORT troupe_status_t troupe_client_submit (troupe_client_t *self, const troupe_client_call_t *call,
                                                    troupe_error_t *error) TROUPE_CHECKED;

/*  A cast by format. */
TROUPE_EXPORT troupe_status_t troupe_client_cast (troupe_client_t *self, const char *to, const char *verb,
                                                  troupe_error_t *error, const char *format, ...) TROUPE_CHECKED;

/*  Calls that wait for their outcome, and casts that wait to be sent. */
TROUPE_EXPORT size_t troupe_client_calls (const troupe_client_t *self);

/* ------------------------------------------------------------------ *
 *  Feeds
 * ------------------------------------------------------------------ */

typedef enum {
    TROUPE_HEARD_EVENT,
    TROUPE_HEARD_SNAPSHOT,    /* instead of events that are no longer kept: all that they had told */
    TROUPE_HEARD_GAP,         /* events are missing, and there is no snapshot instead unless one follows */
    TROUPE_HEARD_END          /* the watch is no more: status and text say why */
} troupe_heard_type_t;

/*  Borrowed until the function that hears it returns. */
typedef struct {
    troupe_heard_type_t type;
    const troupe_answer_t *answer;  /* the body (troupe_answer_unpack); of an end status and text */
    const char *key;                /* of an event, or "" */
    const char *token;              /* where to go on behind it; "" of a volatile channel: nowhere */
} troupe_heard_event_t;
typedef void (troupe_heard_t) (void *arg, const troupe_heard_event_t *event);

/*  Hears the events of "kind/id/channel": from now on (`from` NULL), from the first that is kept ("start"), or behind a
 *  token. The watch lives until troupe_client_unwatch, also behind its end. NULL and an error: a name that is none, no
 *  memory. */
TROUPE_EXPORT troupe_watch_t *troupe_client_watch (troupe_client_t *self, const char *feed, const char *from,
                                                   troupe_heard_t *heard, void *arg, troupe_error_t *error);

/*  Nothing more of it is heard. NULLs the pointer. Also from inside of `heard`. */
TROUPE_EXPORT void troupe_client_unwatch (troupe_client_t *self, troupe_watch_t **watch_p);

#ifdef __cplusplus
}
#endif
#endif
