/*  binary_client.h - troupe.v1.bin from the other side: what a client says, and what it hears.
 *
 *  Writers append to a buffer and look at nothing: sizes are the caller's to check. Not shared between threads.
 */
#ifndef TRANSPORTS_EDGE_BINARY_CLIENT_H
#define TRANSPORTS_EDGE_BINARY_CLIENT_H

#include "transports/edge/binary.h"

/*  Texts may be NULL: absent. */
typedef struct {
    const char *token, *epoch, *client;
    const uint8_t *session;  /* SESSION_SIZE bytes */
    uint64_t credit;         /* 0: none */
} hello_t;

void say_hello (buffer_t *to, const hello_t *hello);
void say_token (buffer_t *to, const char *token);
void say_route (buffer_t *to, uint32_t route, const char *address, const char *verb);
void say_until (buffer_t *to, uint64_t until_ms);
void say_trace (buffer_t *to, const char *trace);
void say_call (buffer_t *to, uint32_t route, uint64_t seq, const void *body, size_t size);
void say_cast (buffer_t *to, uint32_t route, const void *body, size_t size);
void say_watch (buffer_t *to, uint64_t id, const char *feed, const char *from);
void say_unwatch (buffer_t *to, uint64_t feed);
void say_ping (buffer_t *to, uint64_t number);
void say_credit (buffer_t *to, uint64_t bytes);
void say_goodbye (buffer_t *to);

typedef enum {
    SERVER_WELCOME,
    SERVER_REPLY,
    SERVER_ERROR,
    SERVER_WATCHING,
    SERVER_SNAPSHOT,
    SERVER_EVENT,
    SERVER_CUT,
    SERVER_UNWATCHED,
    SERVER_PONG,
    SERVER_DRAIN,
    SERVER_PRESENCE,
    SERVER_GOODBYE
} server_type_t;

/*  A text in a frame: no NUL behind it. */
typedef struct {
    const char *bytes;
    size_t size;
} heard_text_t;

/*  A message of the server. Body and texts point into the frame; those that its type does not have are empty. */
typedef struct {
    server_type_t type;
    uint64_t number;           /* reply: seq; error: seq or id; watching: id; pong; drain: ms; goodbye: code;
                                * snapshot, event, cut, unwatched, presence: feed */
    uint64_t at;               /* watching: next; error: retry_after_ms; presence: count; pong: now */
    uint64_t feed;             /* watching */
    bool is_gap;               /* watching */
    error_of_t of;             /* error */
    const void *body;          /* welcome: its object; packed, NULL when empty */
    size_t size;
    heard_text_t text;         /* error, goodbye; event: key; cut: why */
    heard_text_t more;         /* error: status; cut: token */
} server_message_t;

/*  After binary_open, which needs no routes: the next message, TROUPE_NOT_FOUND at the end, or what is wrong. */
troupe_status_t binary_hear (binary_reader_t *self, server_message_t *message, troupe_error_t *error) TROUPE_CHECKED;

#endif
