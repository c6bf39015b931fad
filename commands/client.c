/*  client.c - the other side of the control socket: for the tools and for tests.
 *
 *  DESIGN
 *  Requests go into one buffer and from there as far as the socket takes them;
 *  answers are decoded where they lie. A broken connection is final: nothing is
 *  sent again here, since only the caller knows which of his requests may be
 *  repeated (a call with a session may, another may not).
 */
#include "commands/client.h"

#include "commands/far.h"
#include "commands/socket.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE (64u << 10)
#define SENT_KEPT (256u << 10)  /* sent bytes that may stand at the buffer's front before it is moved */

struct client_s {
    far_t *far;        /* then the socket is none */
    int fd;
    uint64_t last_tag;
    buffer_t out;
    size_t sent;       /* of out */
    size_t begun;      /* where the request that is being written begins */
    wire_t in;
    bool broken;
};

static uint64_t
now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

client_t *
client_new (const char *path, troupe_error_t *error)
{
    int fd = socket_connect (path, error);
    if (fd < 0)
        return NULL;
    client_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "out of memory");
        close (fd);
        return NULL;
    }
    self->fd = fd;
    return self;
}

client_t *
client_open (const settings_t *settings, uint64_t timeout_ms, troupe_error_t *error)
{
    char path[SETTINGS_TEXT_MAX + 16];
    if (!*settings->at)
        return client_new (settings_control (settings, path, sizeof path), error);
    client_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "out of memory");
        return NULL;
    }
    self->fd = -1;
    self->far = far_new (settings, timeout_ms, error);
    if (!self->far)
        client_destroy (&self);
    return self;
}

void
client_destroy (client_t **self_p)
{
    client_t *self = *self_p;
    if (!self)
        return;
    far_destroy (&self->far);
    if (self->fd >= 0)
        close (self->fd);
    buffer_clear (&self->out);
    wire_clear (&self->in);
    memory_free (self);
    *self_p = NULL;
}

int
client_fd (const client_t *self)
{
    return self->fd;
}

static troupe_status_t
broken (client_t *self, troupe_error_t *error, const char *why)
{
    self->broken = true;
    return error_set (error, TROUPE_UNKNOWN, "the connection to the node broke (%s): what became of requests "
                      "without an answer is unknown", why);
}

/* ---- sending ---- */

buffer_t *
client_begin (client_t *self, const char *what, uint32_t fields, uint64_t *tag)
{
    if (self->sent > SENT_KEPT) {
        self->out.size -= self->sent;
        memmove (self->out.data, self->out.data + self->sent, self->out.size);
        self->sent = 0;
    }
    *tag = ++self->last_tag;
    self->begun = wire_begin (&self->out);
    packed_put_object (&self->out, fields + 2);
    packed_put_text (&self->out, "do", what);
    packed_put_number (&self->out, "tag", *tag);
    return &self->out;
}

/*  TROUPE_OK also when there was nothing to read yet. */
static troupe_status_t
read_some (client_t *self, troupe_error_t *error)
{
    uint8_t *place = wire_room (&self->in, READ_SIZE);
    if (!place)
        return error_set (error, TROUPE_NO_MEMORY, "out of memory");
    ssize_t size = recv (self->fd, place, READ_SIZE, 0);
    if (size > 0) {
        wire_arrived (&self->in, (size_t) size);
        return TROUPE_OK;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return TROUPE_OK;
    return broken (self, error, size == 0 ? "closed by the node" : strerror (errno));
}

static troupe_status_t
wait_and_read (client_t *self, troupe_error_t *error)
{
    struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN | POLLOUT };
    if (poll (&poll_fd, 1, -1) < 0)
        return errno == EINTR ? TROUPE_OK : broken (self, error, strerror (errno));
    return poll_fd.revents & POLLIN ? read_some (self, error) : TROUPE_OK;
}

/*  The node hung up. It may have said why before (too many tools, not this user):
 *  then that is the answer, and the connection is found broken behind it. */
static troupe_status_t
hear_last_words (client_t *self, int code, troupe_error_t *error)
{
    troupe_status_t status = read_some (self, error);
    if (status != TROUPE_OK || self->in.bytes.size == self->in.taken)
        return broken (self, error, strerror (code));
    self->broken = true;
    return TROUPE_OK;
}

static troupe_status_t
end_far (client_t *self, troupe_error_t *error)
{
    wire_message_t request = { self->out.data + WIRE_HEAD, self->out.size - WIRE_HEAD };
    troupe_status_t status = far_submit (self->far, &request, error);
    buffer_reset (&self->out);
    return status;
}

troupe_status_t
client_end (client_t *self, troupe_error_t *error)
{
    if (!wire_end (&self->out, self->begun))
        return error_set (error, TROUPE_TOO_LARGE, "the request is larger than %u bytes, or memory is short",
                          WIRE_MESSAGE_MAX);
    if (self->far)
        return end_far (self, error);
    if (self->broken)
        return broken (self, error, "earlier");
    while (self->sent < self->out.size) {
        ssize_t size = send (self->fd, self->out.data + self->sent, self->out.size - self->sent, MSG_NOSIGNAL);
        if (size > 0)
            self->sent += (size_t) size;
        else if (errno == EAGAIN) {
            troupe_status_t status = wait_and_read (self, error);
            if (status != TROUPE_OK)
                return status;
        } else if (errno != EINTR)
            return hear_last_words (self, errno, error);
    }
    self->sent = 0;
    buffer_reset (&self->out);
    return TROUPE_OK;
}

static bool
has_session (const troupe_call_t *call)
{
    static const uint8_t none[sizeof call->session];
    return memcmp (call->session, none, sizeof none) != 0;
}

troupe_status_t
client_call (client_t *self, const troupe_call_t *call, uint64_t *tag, troupe_error_t *error)
{
    bool session = has_session (call);
    uint32_t fields = 3 + (call->subject ? 1 : 0) + (call->trace ? 1 : 0)
                     + (session ? 3 : 0) + (call->not_after_ms ? 1 : 0);
    buffer_t *to = client_begin (self, "call", fields, tag);
    packed_put_text (to, "to", call->to);
    packed_put_text (to, "verb", call->verb);
    wire_put_bytes (to, "body", call->body, call->size);
    if (call->subject)
        packed_put_text (to, "subject", call->subject);
    if (call->trace)
        packed_put_text (to, "trace", call->trace);
    if (session) {
        wire_put_bytes (to, "session", call->session, sizeof call->session);
        packed_put_number (to, "seq", call->seq);
        packed_put_name (to, "ordered");
        packed_put_bool (to, call->ordered);
    }
    if (call->not_after_ms)
        packed_put_number (to, "not_after_ms", call->not_after_ms);
    return client_end (self, error);
}

/* ---- answers ---- */

static troupe_status_t
status_of (const char *name)
{
    for (int i = 0; i < TROUPE_STATUSES; i++)
        if (strcmp (troupe_status_name ((troupe_status_t) i), name) == 0)
            return (troupe_status_t) i;
    return TROUPE_UNKNOWN;
}

static troupe_status_t
read_answer (client_t *self, const wire_message_t *message, client_answer_t *answer, troupe_error_t *error)
{
    char name[32];
    uint64_t retry_after_ms = 0;
    *answer = (client_answer_t) { 0 };
    if (wire_number (message, "tag", &answer->tag, error) == TROUPE_INVALID
        || wire_text (message, "status", name, sizeof name, error) != TROUPE_OK
        || wire_text (message, "text", answer->text, sizeof answer->text, error) == TROUPE_INVALID
        || wire_number (message, "retry_after_ms", &retry_after_ms, error) == TROUPE_INVALID
        || wire_bytes (message, "body", &answer->body, &answer->size, error) == TROUPE_INVALID) {
        char why[sizeof error->text];
        snprintf (why, sizeof why, "%s", error->text);
        return broken (self, error, why);
    }
    answer->status = status_of (name);
    answer->retry_after_ms = (uint32_t) retry_after_ms;
    return TROUPE_OK;
}

static troupe_status_t
wait_readable (client_t *self, uint64_t deadline_ms, troupe_error_t *error)
{
    struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
    uint64_t now = now_ms ();
    int wait_ms = deadline_ms <= now ? 0 : deadline_ms - now > 1u << 30 ? 1 << 30 : (int) (deadline_ms - now);
    int ready = poll (&poll_fd, 1, wait_ms);
    if (ready < 0 && errno != EINTR)
        return broken (self, error, strerror (errno));
    if (ready == 0 && now_ms () >= deadline_ms)
        return error_set (error, TROUPE_TIMEOUT, "the node did not answer in time");
    return ready > 0 ? read_some (self, error) : TROUPE_OK;
}

troupe_status_t
client_receive (client_t *self, client_answer_t *answer, uint64_t timeout_ms, troupe_error_t *error)
{
    if (self->far)
        return far_receive (self->far, answer, timeout_ms, error);
    uint64_t start = now_ms ();
    uint64_t deadline_ms = timeout_ms > UINT64_MAX - start ? UINT64_MAX : start + timeout_ms;
    for (;;) {
        wire_message_t message;
        troupe_error_t inner;
        switch (wire_next (&self->in, &message, &inner)) {
        case WIRE_MESSAGE:
            return read_answer (self, &message, answer, error);
        case WIRE_BAD:
            return broken (self, error, inner.text);
        case WIRE_MORE:
            break;
        }
        if (self->broken)
            return broken (self, error, "earlier");
        troupe_status_t status = wait_readable (self, deadline_ms, error);
        if (status != TROUPE_OK)
            return status;
    }
}

troupe_status_t
client_ask (client_t *self, client_answer_t *answer, uint64_t timeout_ms, troupe_error_t *error)
{
    uint64_t tag = self->last_tag;
    troupe_status_t status = client_end (self, error);
    while (status == TROUPE_OK) {
        status = client_receive (self, answer, timeout_ms, error);
        if (status != TROUPE_OK || answer->tag == tag || answer->tag == 0)
            break;  /* 0: the node could not read our message */
    }
    return status;
}

bool
client_wait_closed (client_t *self, uint64_t timeout_ms)
{
    client_answer_t answer;
    troupe_error_t error;
    troupe_status_t status;
    do
        status = client_receive (self, &answer, timeout_ms, &error);
    while (status == TROUPE_OK);
    return status == TROUPE_UNKNOWN;
}
