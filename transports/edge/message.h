/*  message.h - what a client and the gateway say to each other, whatever the form: doc/protocol.md.
 *
 *  A codec reads messages of a client out of the payload of one frame, and
 *  writes those of the server at the end of a buffer. It keeps no state but a
 *  client's routes (binary), and knows no connection: text.h, binary.h.
 */
#ifndef TRANSPORTS_EDGE_MESSAGE_H
#define TRANSPORTS_EDGE_MESSAGE_H

#include "runtime/base/buffer.h"

#include <troupe.h>

#define FEED_MAX (TROUPE_ADDRESS_MAX + 1 + TROUPE_NAME_MAX)  /* bytes of "kind/id/channel" */
#define TOKEN_MAX 4096                                       /* bytes of an access token */
#define RESUME_MAX 48                                        /* bytes of "EPOCH-OFFSET" */
#define TRACE_MAX 64                                         /* bytes of a traceparent */
#define CLIENT_NAME_MAX 127
#define SESSION_SIZE 16
#define NUMBER_LIMIT (1ull << 53)                            /* numbers of the protocol are below it */

typedef enum {
    CLIENT_HELLO,
    CLIENT_TOKEN,
    CLIENT_CALL,
    CLIENT_CAST,
    CLIENT_WATCH,
    CLIENT_UNWATCH,
    CLIENT_PING,
    CLIENT_CREDIT,
    CLIENT_GOODBYE,
    CLIENT_TYPES
} client_type_t;

/*  A message of a client. Texts are copied and end with a NUL; `body` is packed and
 *  borrowed until the next message is read. What was absent is empty or 0. */
typedef struct {
    client_type_t type;
    char to[FEED_MAX + 1];             /* call, cast: the address; watch: the feed */
    char verb[TROUPE_NAME_MAX + 1];
    char trace[TRACE_MAX + 1];
    uint64_t number;                   /* hello: version; call: seq; watch: id; unwatch: feed; ping; credit; goodbye */
    uint64_t until_ms;                 /* call */
    uint64_t credit;                   /* hello; 0: none */
    const void *body;                  /* NULL when size is 0: absent, or null */
    size_t size;
    char from[RESUME_MAX + 1];         /* watch */
    /* hello and token: */
    bool has_session;
    uint8_t session[SESSION_SIZE];
    char epoch[RESUME_MAX + 1];
    char client[CLIENT_NAME_MAX + 1];
    const char *token;                 /* "" when absent, never NULL; lives as long as body */
} client_message_t;

/*  How a call or a watch ended, or why a message could not be read. */
typedef enum {
    ERROR_PROTOCOL,
    ERROR_CALL,
    ERROR_WATCH
} error_of_t;

typedef struct {
    uint32_t message_bytes, in_flight, watches;
    uint64_t keep_ms;
} edge_limits_t;

typedef enum {
    SESSION_NONE,  /* the client named none */
    SESSION_OK,
    SESSION_NEW    /* of another epoch: not to be used any more */
} session_state_t;

typedef struct {
    const char *epoch, *subject;
    uint64_t now_ms;
    session_state_t session;
    edge_limits_t limits;
} welcome_t;

/*  Text and binary are frames of WebSocket; server-sent events are a text without frames, of one feed; lines and
 *  records are text and binary for what has frames of its own. */
typedef enum { FORM_TEXT, FORM_BINARY, FORM_SSE, FORM_LINES, FORM_RECORDS, FORMS } codec_form_t;

static inline bool
form_is_binary (codec_form_t form)
{
    return form == FORM_BINARY || form == FORM_RECORDS;
}

/*  The writers of one form. Bodies are packed; an empty one is null; one that is no good value counts, in text, as
 *  one that does not fit. A write that does not fit makes the buffer `failed` and leaves in it what was there. Bytes
 *  of a string that are no UTF-8 become U+FFFD. A key that is NULL or empty is none. */
typedef struct {
    const char *subprotocol;
    codec_form_t form;
    void (*welcome) (buffer_t *to, const welcome_t *welcome);
    void (*reply) (buffer_t *to, uint64_t seq, const void *body, size_t size);
    void (*error) (buffer_t *to, error_of_t of, uint64_t number, troupe_status_t status, const char *text,
                   uint32_t retry_after_ms);
    void (*watching) (buffer_t *to, const char *epoch, uint64_t id, uint32_t feed, uint64_t next, bool is_gap);
    void (*snapshot) (buffer_t *to, const char *epoch, uint32_t feed, uint64_t at, const void *body, size_t size);
    void (*event) (buffer_t *to, const char *epoch, uint32_t feed, uint64_t at, const char *key, const void *body,
                   size_t size);
    void (*cut) (buffer_t *to, uint32_t feed, const char *why, const char *token);
    void (*unwatched) (buffer_t *to, uint32_t feed);
    /* `subjects`: a packed array; empty: no list. */
    void (*presence) (buffer_t *to, uint32_t feed, uint64_t count, const void *subjects, size_t size);
    void (*pong) (buffer_t *to, uint64_t number, uint64_t now_ms);
    void (*drain) (buffer_t *to, uint64_t after_ms);
    void (*goodbye) (buffer_t *to, uint16_t code, const char *text);
    /* Opens, parts and closes a frame of several messages; they do nothing where none is needed. */
    void (*begin) (buffer_t *to);
    void (*next) (buffer_t *to);
    void (*end) (buffer_t *to);
} codec_t;

/*  "kind/id/channel" in its two parts; false: it is none. */
bool message_split_feed (const char *feed, char address[TROUPE_ADDRESS_MAX + 1], char channel[TROUPE_NAME_MAX + 1]);

/*  "EPOCH-OFFSET". */
void message_resume (const char *epoch, uint64_t offset, char text[RESUME_MAX + 1]);
typedef enum {
    RESUME_BAD,
    RESUME_OK,
    RESUME_OTHER_EPOCH
} resume_t;
resume_t message_read_resume (const char *text, const char *epoch, uint64_t *offset);

/*  How the protocol calls it: "not_found"; statuses that it does not have become the nearest that it has. */
const char *message_status (troupe_status_t status);

/*  The one that is called so, without a NUL behind it; TROUPE_FAILED when none is. */
troupe_status_t message_status_named (const char *name, size_t size);

extern const codec_t text_codec;    /* text.h */
extern const codec_t binary_codec;  /* binary.h */
extern const codec_t lines_codec, records_codec;  /* what they are without WebSocket */
extern const codec_t sse_codec;     /* sse.c: watching, snapshot, event, cut, presence, drain alone */

#endif
