/*  bench_bare.c - the least server that the clients of `bench edge` can talk to: what the machine itself gives them.
 *
 *  DESIGN
 *  One thread and epoll; for each connection that had something one recv and one send a round. It knows just as much of
 *  the protocol as those clients say: calls are answered, and a burst goes to all that watch, whatever came in a round
 *  in one send. What is to be durable waits for the end of the round, when 4 KB are appended and synced for all of it.
 *  There are no actors, no sessions and no checks, and nothing is remembered.
 *
 *  Sends wait for room: these clients always read.
 */
#include "commands/bench_server.h"
#include "runtime/base/buffer.h"
#include "runtime/base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (1u << 18)
#define EVENTS 512
#define CONNECTIONS 32768  /* by descriptor */
#define SYNCS 4096

typedef struct {
    bool is_open;  /* the handshake is over */
    bool watches;
    buffer_t in;   /* bytes of a frame that is not whole yet */
    buffer_t out;  /* goes at the end of the round */
} connection_t;

typedef struct {
    bench_t *bench;
    bench_sync_t file;
    int poll, listener;
    uint8_t *scratch;
    connection_t *connections;
    int touched[EVENTS];
    size_t touched_count;
    buffer_t events;      /* of this round, parted by commas */
    bool is_to_be_synced;
    uint64_t offset;
} bare_t;

static void
put_frame (buffer_t *out, const void *payload, size_t size)
{
    uint8_t head[10] = { 0x81 };
    size_t extra = size < 126 ? 0 : size < 65536 ? 2 : 8;
    head[1] = (uint8_t) (extra == 0 ? size : extra == 2 ? 126 : 127);
    for (size_t i = 0; i < extra; i++)
        head[2 + i] = (uint8_t) (size >> 8 * (extra - 1 - i));
    buffer_append (out, head, 2 + extra);
    buffer_append (out, payload, size);
}

static void
put_text (buffer_t *out, const char *text)
{
    put_frame (out, text, strlen (text));
}

/*  The number behind `name`, or 0. */
static unsigned long long
number_of (const char *message, const char *name)
{
    const char *at = strstr (message, name);
    return at ? strtoull (at + strlen (name), NULL, 10) : 0;
}

/*  As troupe.v1 has them, with a body as long as the stadium's. */
static void
publish (bare_t *self, unsigned long long time, unsigned long long count)
{
    for (; count > 0; count--)
        buffer_printf (&self->events, "%s{\"event\":1,\"at\":%llu,\"body\":{\"t\":%llu,\"text\":\"%s\"}}",
                       self->events.size ? "," : "", (unsigned long long) ++self->offset, time,
                       "runner 4711 passed the eighth kilometre in 3:41.7, heart 172, power 318 W, cadence 182");
}

static void
hear (bare_t *self, connection_t *connection, const char *message)
{
    char reply[64];
    if (strncmp (message, "{\"call\":", 8) != 0) {
        connection->watches |= strncmp (message, "{\"watch\":", 9) == 0;
        put_text (&connection->out, connection->watches ? "{\"watching\":1}" : "{\"welcome\":1}");
        return;
    }
    if (strstr (message, "\"verb\":\"burst\""))
        publish (self, number_of (message, "\"t\":"), number_of (message, "\"n\":"));
    self->is_to_be_synced |= strstr (message, "\"verb\":\"look\"") == NULL;
    snprintf (reply, sizeof reply, "{\"reply\":%llu,\"body\":{\"size\":200}}", number_of (message, "\"seq\":"));
    put_text (&connection->out, reply);
}

/*  Takes what is whole; returns how much. Masks are zeros, and a message is less than 512 bytes: bench_client.c. */
static size_t
take (bare_t *self, connection_t *connection, const uint8_t *bytes, size_t size)
{
    static const char switched[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    size_t used = 0;
    if (!connection->is_open) {
        const uint8_t *end = memmem (bytes, size, "\r\n\r\n", 4);
        if (!end)
            return 0;
        connection->is_open = true;
        buffer_append (&connection->out, switched, sizeof switched - 1);
        used = (size_t) (end - bytes) + 4;
    }
    while (size - used >= 8) {
        char message[512];
        size_t payload = bytes[used + 1] & 0x7fu, head = 6;
        if (payload == 126) {
            payload = (size_t) bytes[used + 2] << 8 | bytes[used + 3];
            head = 8;
        }
        if (size - used < head + payload)
            break;
        snprintf (message, sizeof message, "%.*s", (int) payload, (const char *) bytes + used + head);
        hear (self, connection, message);
        used += head + payload;
    }
    return used;
}

static void
lose (bare_t *self, int socket)
{
    connection_t *connection = &self->connections[socket];
    buffer_clear (&connection->in);
    buffer_clear (&connection->out);
    *connection = (connection_t) { 0 };
    close (socket);
}

static void
read_one (bare_t *self, int socket)
{
    connection_t *connection = &self->connections[socket];
    ssize_t got = recv (socket, self->scratch, READ_BYTES, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        lose (self, socket);
        return;
    }
    const uint8_t *bytes = self->scratch;
    size_t size = (size_t) got;
    if (connection->in.size > 0) {
        buffer_append (&connection->in, bytes, size);
        bytes = connection->in.data;
        size = connection->in.size;
    }
    size_t used = take (self, connection, bytes, size);
    buffer_t rest = { 0 };
    buffer_append (&rest, bytes + used, size - used);
    buffer_clear (&connection->in);
    connection->in = rest;
    self->touched[self->touched_count++] = socket;
}

static void
send_all (int socket, const void *bytes, size_t size)
{
    for (const uint8_t *at = bytes; size > 0;) {
        ssize_t done = send (socket, at, size, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR)
            return;  /* it left; the next recv says so */
        at += done > 0 ? done : 0;
        size -= done > 0 ? (size_t) done : 0;
    }
}

static void
end_round (bare_t *self)
{
    if (self->is_to_be_synced)
        (void) bench_sync_ns (self->bench, &self->file);
    self->is_to_be_synced = false;
    for (size_t i = 0; i < self->touched_count; i++) {
        buffer_t *out = &self->connections[self->touched[i]].out;
        send_all (self->touched[i], out->data, out->size);
        buffer_reset (out);
    }
    self->touched_count = 0;
    if (self->events.size == 0)
        return;
    buffer_t batch = { 0 }, frame = { 0 };
    buffer_printf (&batch, "[%.*s]", (int) self->events.size, (const char *) self->events.data);
    put_frame (&frame, batch.data, batch.size);
    for (int socket = 0; socket < CONNECTIONS; socket++)
        if (self->connections[socket].watches)
            send_all (socket, frame.data, frame.size);
    buffer_clear (&batch);
    buffer_clear (&frame);
    buffer_reset (&self->events);
}

static void
watch_socket (const bare_t *self, int socket)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = socket };
    if (epoll_ctl (self->poll, EPOLL_CTL_ADD, socket, &event) != 0)
        bench_fail (self->bench, "epoll: %s", strerror (errno));
}

static void
accept_one (bare_t *self)
{
    int one = 1, socket = accept4 (self->listener, NULL, NULL, SOCK_CLOEXEC);
    if (socket < 0 || socket >= CONNECTIONS)
        bench_fail (self->bench, "cannot accept: %s", socket < 0 ? strerror (errno) : "too many connections");
    setsockopt (socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch_socket (self, socket);
}

static uint16_t
listen_somewhere (bare_t *self)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    self->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->listener < 0 || bind (self->listener, (struct sockaddr *) &at, sizeof at) != 0
        || listen (self->listener, 4096) != 0 || getsockname (self->listener, (struct sockaddr *) &at, &size) != 0)
        bench_fail (self->bench, "cannot listen: %s", strerror (errno));
    return ntohs (at.sin_port);
}

_Noreturn void
bench_bare_serve (bench_t *bench, int told, int stop)
{
    struct epoll_event events[EVENTS];
    bare_t self = { .bench = bench, .poll = epoll_create1 (EPOLL_CLOEXEC), .scratch = memory_alloc (READ_BYTES),
                    .connections = memory_zalloc (CONNECTIONS * sizeof (connection_t)) };
    if (self.poll < 0 || !self.scratch || !self.connections)
        bench_fail (bench, "no memory for connections");
    bench_sync_open (bench, &self.file, SYNCS);
    uint16_t port = listen_somewhere (&self);
    watch_socket (&self, self.listener);
    watch_socket (&self, stop);
    if (write (told, &port, sizeof port) != sizeof port)
        _exit (1);
    for (;;) {
        int count = epoll_wait (self.poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == stop)
                _exit (0);
            if (events[i].data.fd == self.listener)
                accept_one (&self);
            else
                read_one (&self, events[i].data.fd);
        }
        end_round (&self);
    }
}
