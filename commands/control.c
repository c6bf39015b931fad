/*  control.c - the server's side of the control socket.
 *
 *  DESIGN
 *  One thread and poll: an operator's socket has few connections, and one
 *  thread needs no locks. Answers come from the shards' threads as notes on a
 *  lock-free stack; only the push onto an empty stack writes the eventfd, so that
 *  a busy load generator costs one wake a batch. A request knows its connection
 *  by number and generation, never by pointer: when the client has gone, its
 *  answer is dropped here, and nobody else needs to know.
 *  The thread never waits for a client (sockets do not block) nor for a shard.
 */
#include "commands/control.h"

#include "commands/socket.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE (64u << 10)
#define OUT_KEPT (1u << 20)  /* memory of an idle connection's output */

typedef struct {
    int fd;               /* -1: free */
    uint32_t generation;  /* grows with each close */
    uint32_t waiting;     /* requests without an answer */
    bool ending;          /* nothing more is read; closed when all is sent */
    bool stalled;         /* messages that have arrived wait for the bounds */
    wire_t in;
    buffer_t out;
    size_t sent;          /* of out */
} connection_t;

struct control_s {
    /* fixed after start */
    char *path;
    int listener;
    int wake;             /* eventfd */
    control_handle_t *handle;
    void *arg;
    pthread_t thread;

    /* owner: control thread */
    connection_t connections[CONTROL_CONNECTIONS_MAX];
    uint64_t requests;    /* without an answer, those of gone clients included */
    note_t *later;
    uint64_t later_at_ms;

    /* owner: whoever calls control_quiet */
    bool joined;

    inbox_t notes;
    /* shared: atomic */
    _Atomic uint64_t quiet_at_ms;  /* 0: no; else the thread leaves by then */
};

static uint64_t
now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* ---- notes ---- */

static void
ring (control_t *self)
{
    uint64_t one = 1;
    while (write (self->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void
control_post (control_t *self, note_t *note)
{
    if (inbox_push (&self->notes, &note->item))
        ring (self);
}

void
control_post_later (control_t *self, note_t *note, uint64_t in_ms)
{
    CHECK (!self->later);
    self->later = note;
    self->later_at_ms = now_ms () + in_ms;
}

/*  Runs what was posted, oldest first. */
static void
take_notes (control_t *self)
{
    for (inbox_item_t *item = inbox_take (&self->notes), *next; item; item = next) {
        next = item->next;
        note_t *note = (note_t *) item;
        note->arrived (note);
    }
}

static void
take_later (control_t *self)
{
    note_t *note = self->later;
    if (!note || now_ms () < self->later_at_ms)
        return;
    self->later = NULL;
    note->arrived (note);
}

/* ---- connections ---- */

static void
close_connection (connection_t *connection)
{
    close (connection->fd);
    connection->fd = -1;
    connection->generation++;
    connection->waiting = 0;
    connection->ending = connection->stalled = false;
    connection->sent = 0;
    wire_clear (&connection->in);
    buffer_clear (&connection->out);
}

static void
put_answer (connection_t *connection, uint64_t tag, const troupe_error_t *error, uint32_t retry_after_ms,
            const buffer_t *body)
{
    bool is_error = error->status != TROUPE_OK;
    size_t begun = wire_begin (&connection->out);
    packed_put_object (&connection->out, 2 + is_error + (retry_after_ms ? 1 : 0) + (body->size ? 1 : 0));
    packed_put_number (&connection->out, "tag", tag);
    packed_put_text (&connection->out, "status", troupe_status_name (error->status));
    if (is_error)
        packed_put_text (&connection->out, "text", error->text);
    if (retry_after_ms)
        packed_put_number (&connection->out, "retry_after_ms", retry_after_ms);
    if (body->size)
        wire_put_bytes (&connection->out, "body", body->data, body->size);
    if (wire_end (&connection->out, begun))
        return;
    connection->ending = true;  /* without memory: the client must not wait for ever */
    if (body->size) {
        static const buffer_t nothing;
        troupe_error_t large;
        error_set (&large, TROUPE_TOO_LARGE, "the answer is larger than %u bytes: ask for less", WIRE_MESSAGE_MAX);
        connection->ending = false;
        put_answer (connection, tag, &large, 0, &nothing);
    }
}

/*  On the control thread: the answer goes to the connection, if that is still the same. */
static void
answer_request (note_t *note)
{
    request_t *request = (request_t *) note;
    control_t *self = request->control;
    connection_t *connection = &self->connections[request->connection];
    if (connection->fd >= 0 && connection->generation == request->generation) {
        connection->waiting--;
        if (request->body.failed) {
            error_set (&request->error, TROUPE_NO_MEMORY, "out of memory for the answer");
            buffer_clear (&request->body);
        }
        put_answer (connection, request->tag, &request->error, request->retry_after_ms, &request->body);
    }
    self->requests--;
    buffer_clear (&request->body);
    memory_free (request);
}

void
request_finish (request_t *request)
{
    control_post (request->control, &request->note);
}

static void
refuse_connection (connection_t *connection, uint64_t tag, const troupe_error_t *error)
{
    static const buffer_t nothing;
    put_answer (connection, tag, error, 0, &nothing);
    connection->ending = true;
}

static void
take_message (control_t *self, uint32_t number, const wire_message_t *message)
{
    connection_t *connection = &self->connections[number];
    troupe_error_t error;
    uint64_t tag = 0;
    if (wire_number (message, "tag", &tag, &error) == TROUPE_INVALID) {
        refuse_connection (connection, 0, &error);
        return;
    }
    request_t *request = memory_zalloc (sizeof *request);
    if (!request) {
        error_set (&error, TROUPE_NO_MEMORY, "out of memory");
        refuse_connection (connection, tag, &error);
        return;
    }
    request->note.arrived = answer_request;
    request->control = self;
    request->connection = number;
    request->generation = connection->generation;
    request->tag = tag;
    connection->waiting++;
    self->requests++;
    self->handle (self->arg, request, message);
}

static size_t
unsent (const connection_t *connection)
{
    return connection->out.size - connection->sent;
}

static bool
may_read (const connection_t *connection)
{
    return !connection->ending && connection->waiting < CONTROL_REQUESTS_MAX
           && unsent (connection) < CONTROL_UNSENT_MAX;
}

/*  All whole messages that have arrived, as far as the bounds allow. */
static void
take_messages (control_t *self, uint32_t number)
{
    connection_t *connection = &self->connections[number];
    connection->stalled = false;
    while (may_read (connection)) {
        wire_message_t message;
        troupe_error_t error;
        wire_result_t result = wire_next (&connection->in, &message, &error);
        if (result == WIRE_MORE)
            return;
        if (result == WIRE_MESSAGE)
            take_message (self, number, &message);
        else
            refuse_connection (connection, 0, &error);
    }
    connection->stalled = true;
}

static void
receive (connection_t *connection)
{
    uint8_t *place = wire_room (&connection->in, READ_SIZE);
    if (!place) {
        close_connection (connection);
        return;
    }
    ssize_t size = recv (connection->fd, place, READ_SIZE, 0);
    if (size > 0)
        wire_arrived (&connection->in, (size_t) size);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        close_connection (connection);
}

/*  As much as the socket takes. */
static void
transmit (connection_t *connection)
{
    while (unsent (connection)) {
        const uint8_t *at = connection->out.data + connection->sent;
        ssize_t size = send (connection->fd, at, unsent (connection), MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size < 0 && errno != EINTR) {
            close_connection (connection);
            return;
        }
        if (size > 0)
            connection->sent += (size_t) size;
    }
    connection->sent = 0;
    buffer_reset (&connection->out);
    if (connection->out.capacity > OUT_KEPT)
        buffer_clear (&connection->out);
    if (connection->ending)
        close_connection (connection);
}

static connection_t *
free_connection (control_t *self)
{
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (self->connections[i].fd < 0)
            return &self->connections[i];
    return NULL;
}

static void
turn_away (int fd, troupe_status_t status, const char *text)
{
    static const buffer_t nothing;
    connection_t stranger = { .fd = fd };
    troupe_error_t error;
    error_set (&error, status, "%s", text);
    put_answer (&stranger, 0, &error, 0, &nothing);
    stranger.ending = true;
    transmit (&stranger);
    if (stranger.fd >= 0)
        close_connection (&stranger);
}

static void
accept_all (control_t *self)
{
    for (;;) {
        int fd = accept4 (self->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        connection_t *connection = free_connection (self);
        if (!socket_peer_is_ours (fd))
            turn_away (fd, TROUPE_FORBIDDEN, "only the user who runs the node may speak to it");
        else if (!connection)
            turn_away (fd, TROUPE_OVERLOADED, "the node has as many tools connected as it takes");
        else
            connection->fd = fd;
    }
}

/* ---- the thread ---- */

/*  [0] the wake, [1] the listener, then the connections; a closed one is -1, which poll
 *  skips. True: a message waits that may be taken now, though nothing arrives. */
static bool
fill_poll (control_t *self, struct pollfd *fds, bool quiet)
{
    bool ready = false;
    fds[0] = (struct pollfd) { .fd = self->wake, .events = POLLIN };
    fds[1] = (struct pollfd) { .fd = quiet ? -1 : self->listener, .events = POLLIN };
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        const connection_t *connection = &self->connections[i];
        short events = 0;
        if (!quiet && may_read (connection)) {
            events |= POLLIN;
            ready |= connection->fd >= 0 && connection->stalled;
        }
        if (connection->fd >= 0 && unsent (connection))
            events |= POLLOUT;
        fds[2 + i] = (struct pollfd) { .fd = connection->fd, .events = events };
    }
    return ready;
}

static void
hear_connection (control_t *self, uint32_t number, short events, bool quiet)
{
    connection_t *connection = &self->connections[number];
    if (connection->fd < 0)
        return;
    if (!quiet && (events & POLLIN))
        receive (connection);
    else if (events & (POLLERR | POLLHUP))
        close_connection (connection);
    if (connection->fd >= 0 && !quiet)
        take_messages (self, number);
}

/*  Whether the thread may leave. */
static bool
is_done (control_t *self, uint64_t quiet_at_ms)
{
    if (!quiet_at_ms)
        return false;
    bool all_sent = true;
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        all_sent &= self->connections[i].fd < 0 || !unsent (&self->connections[i]);
    return (self->requests == 0 && all_sent) || now_ms () >= quiet_at_ms;
}

static void
transmit_all (control_t *self)
{
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (self->connections[i].fd >= 0)
            transmit (&self->connections[i]);
}

/*  For poll: -1, until something comes. */
static int
patience_ms (const control_t *self, uint64_t quiet_at_ms)
{
    uint64_t until_ms = quiet_at_ms ? quiet_at_ms : self->later ? self->later_at_ms : UINT64_MAX, now = now_ms ();
    return until_ms == UINT64_MAX ? -1 : until_ms > now ? (int) (until_ms - now) : 0;
}

static void *
run (void *arg)
{
    control_t *self = arg;
    struct pollfd fds[2 + CONTROL_CONNECTIONS_MAX];
    for (;;) {
        uint64_t quiet_at_ms = atomic_load_explicit (&self->quiet_at_ms, memory_order_acquire);
        if (is_done (self, quiet_at_ms))
            return NULL;
        bool ready = fill_poll (self, fds, quiet_at_ms != 0);
        if (poll (fds, 2 + CONTROL_CONNECTIONS_MAX, ready ? 0 : patience_ms (self, quiet_at_ms)) < 0)
            continue;
        uint64_t rung;
        if ((fds[0].revents & POLLIN) && read (self->wake, &rung, sizeof rung) < 0 && errno != EAGAIN)
            CHECK (errno == EINTR);
        take_notes (self);
        take_later (self);
        for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
            hear_connection (self, i, fds[2 + i].revents, quiet_at_ms != 0);
        if (fds[1].revents)
            accept_all (self);
        transmit_all (self);
    }
}

/* ---- life ---- */

static void
stop_listening (control_t *self)
{
    if (self->listener < 0)
        return;
    socket_remove (self->path);
    close (self->listener);
    self->listener = -1;
}

static void
free_all (control_t *self)
{
    stop_listening (self);
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (self->connections[i].fd >= 0)
            close_connection (&self->connections[i]);
    if (self->wake >= 0)
        close (self->wake);
    memory_free (self->path);
    memory_free (self);
}

static troupe_status_t
start_thread (control_t *self, troupe_error_t *error)
{
    /* signals belong to the main thread */
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int code = pthread_create (&self->thread, NULL, run, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    return code == 0 ? TROUPE_OK
                     : error_set (error, TROUPE_NO_MEMORY, "cannot start the control thread: %s", strerror (code));
}

control_t *
control_new (const char *path, control_handle_t *handle, void *arg, troupe_error_t *error)
{
    control_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "out of memory");
        return NULL;
    }
    for (uint32_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        self->connections[i].fd = -1;
    self->handle = handle;
    self->arg = arg;
    self->path = memory_strdup (path);
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->listener = -1;
    troupe_status_t status = TROUPE_OK;
    if (!self->path || self->wake < 0)
        status = error_set (error, TROUPE_NO_MEMORY, "out of memory or descriptors for the control socket");
    else if ((self->listener = socket_listen (path, error)) < 0)
        status = TROUPE_IO;
    else
        status = start_thread (self, error);
    if (status == TROUPE_OK)
        return self;
    free_all (self);
    return NULL;
}

void
control_quiet (control_t *self, uint64_t most_ms)
{
    if (self->joined)
        return;
    atomic_store_explicit (&self->quiet_at_ms, now_ms () + most_ms, memory_order_release);
    ring (self);
    pthread_join (self->thread, NULL);
    self->joined = true;
    control_settle (self);
    stop_listening (self);
}

void
control_settle (control_t *self)
{
    CHECK (self->joined);
    while (!inbox_is_empty (&self->notes))
        take_notes (self);
}

void
control_destroy (control_t **self_p)
{
    control_t *self = *self_p;
    if (!self)
        return;
    control_quiet (self, 0);
    control_settle (self);
    free_all (self);
    *self_p = NULL;
}
