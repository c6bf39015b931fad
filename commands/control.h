/*  control.h - the server's side of the control socket.
 *
 *  One thread reads requests, hands each to the handler, and sends the answers
 *  back in whatever order they are finished. What a request means is none of
 *  its business (requests.h). Bounds: CONTROL_CONNECTIONS_MAX; per connection
 *  CONTROL_REQUESTS_MAX requests without an answer and CONTROL_UNSENT_MAX bytes
 *  that the client does not read: beyond these its next requests stay in the
 *  socket. A message that cannot be understood is answered with an error, and
 *  the connection is closed.
 */
#ifndef COMMANDS_CONTROL_H
#define COMMANDS_CONTROL_H

#include "commands/wire.h"
#include "runtime/base/inbox.h"

#define CONTROL_CONNECTIONS_MAX 64
#define CONTROL_REQUESTS_MAX 4096
#define CONTROL_UNSENT_MAX (4u << 20)

typedef struct control_s control_t;

/*  Something for the control thread to do. */
typedef struct note_s {
    inbox_item_t item;
    void (*arrived) (struct note_s *note);
} note_t;

/*  A request until its answer is sent. The handler, or whoever it handed the
 *  request to, fills in status, text and body, and finishes it, exactly once. */
typedef struct request_s {
    note_t note;               /* what becomes of it when it is finished; of its maker */
    control_t *control;
    uint32_t connection, generation;
    uint64_t tag;
    /* the answer; owner: whoever works on the request */
    troupe_error_t error;      /* status; text when it is not TROUPE_OK */
    uint32_t retry_after_ms;
    buffer_t body;             /* one packed value, or empty */
    /* of those who gather an answer on several shards; control thread */
    struct gather_s *gather;
} request_t;

/*  On the control thread; must not block. The message is borrowed until it returns. */
typedef void (control_handle_t) (void *arg, request_t *request, const wire_message_t *message);

/*  Listens and starts the thread. NULL and an error: see socket_listen. */
control_t *control_new (const char *path, control_handle_t *handle, void *arg, troupe_error_t *error);

/*  Any thread. */
void request_finish (request_t *request);
void control_post (control_t *self, note_t *note);

/*  On the control thread: has the note arrive in so many ms. One at a time. */
void control_post_later (control_t *self, note_t *note, uint64_t in_ms);

/*  Takes no more connections and requests, waits until all that were taken are
 *  answered and sent, at most so long, joins the thread, and removes the socket. The
 *  connections stay open until control_destroy, so that a client can wait for the very end. */
void control_quiet (control_t *self, uint64_t most_ms);

/*  After control_quiet: has the notes arrive that were posted since. */
void control_settle (control_t *self);

/*  After everybody who might finish a request is gone. */
void control_destroy (control_t **self_p);

#endif
