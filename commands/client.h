/*  client.h - the other side of the control socket, or a node from afar: for the tools and for tests.
 *
 *  Many requests may be on their way; answers come in any order and are told
 *  apart by their tag. One thread.
 *
 *      buffer_t *to = client_begin (client, "call", 3, &tag);
 *      packed_put_text (to, "to", "user/42"); ... three fields
 *      client_end (client, &error)          queued, and sent as far as the socket takes it
 *      client_receive (client, &answer, 5000, &error)
 */
#ifndef COMMANDS_CLIENT_H
#define COMMANDS_CLIENT_H

#include "commands/settings.h"
#include "commands/wire.h"

typedef struct client_s client_t;

/*  Connects. NULL and an error: see socket_connect. */
client_t *client_new (const char *path, troupe_error_t *error);

/*  The node that the settings name: at its control socket, or from afar with `at`; then answers are waited for so long.
 *  From afar nothing is said before a request has no answer. */
client_t *client_open (const settings_t *settings, uint64_t timeout_ms, troupe_error_t *error);
void client_destroy (client_t **self_p);

/*  Starts a request with so many fields besides "do" and "tag"; the caller
 *  puts exactly these into the buffer (wire.h). */
buffer_t *client_begin (client_t *self, const char *what, uint32_t fields, uint64_t *tag);

/*  Ends and sends it. While the node takes nothing, answers are read, so that
 *  two full sockets never wait for each other. TROUPE_TOO_LARGE: nothing was
 *  sent. TROUPE_UNKNOWN: the connection broke; what became of unanswered requests is unknown. */
troupe_status_t client_end (client_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  The text and the body are borrowed until the next client_receive or client_end. */
typedef struct {
    uint64_t tag;
    troupe_status_t status;
    char text[256];            /* of an error */
    uint32_t retry_after_ms;
    const uint8_t *body;       /* packed */
    size_t size;
} client_answer_t;

/*  The next answer. TROUPE_TIMEOUT: none came in time; more may still come.
 *  TROUPE_UNKNOWN: the node closed the connection or sent nonsense. */
troupe_status_t client_receive (client_t *self, client_answer_t *answer, uint64_t timeout_ms,
                                troupe_error_t *error) TROUPE_CHECKED;

/*  Ends the request and waits for its answer alone, when no other is on its
 *  way. TROUPE_OK: there is an answer, whatever its status. */
troupe_status_t client_ask (client_t *self, client_answer_t *answer, uint64_t timeout_ms,
                            troupe_error_t *error) TROUPE_CHECKED;

/*  A call in full, as troupe_submit takes it (`done` and `arg` aside). */
troupe_status_t client_call (client_t *self, const troupe_call_t *call, uint64_t *tag,
                             troupe_error_t *error) TROUPE_CHECKED;

/*  True when the node closes the connection within the time. */
bool client_wait_closed (client_t *self, uint64_t timeout_ms);

/*  Readable when an answer may be there; for loops of one's own, at a control socket. */
int client_fd (const client_t *self);

#endif
