/*  bench_client.c - many WebSocket clients on one thread.
 *
 *  DESIGN
 *  The generator must not be the limit: one read takes all that a socket has, into one
 *  buffer for all; only a frame that is cut in the middle is kept with its client. What
 *  is sent while a client is heard leaves in one write.
 */
#include "commands/bench_client.h"

#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (1u << 20)
#define EVENTS 512
#define ADDRESSES 16  /* of this machine, so that there are ports for all */

static const uint8_t binary_hello[] = "\x01\x08\x81\xa5hello\x01";

void
bench_clients_init (bench_clients_t *self, bench_t *bench, uint16_t port, uint32_t count, bench_heard_t *heard)
{
    *self = (bench_clients_t) { .bench = bench, .port = port, .count = count, .heard = heard };
    self->poll = epoll_create1 (EPOLL_CLOEXEC);
    self->clients = memory_zalloc (count * sizeof *self->clients);
    self->scratch = memory_alloc (READ_BYTES);
    if (self->poll < 0 || !self->clients || !self->scratch)
        bench_fail (bench, "no memory for %u clients", count);
    for (uint32_t i = 0; i < count; i++)
        self->clients[i] = (bench_client_t) { .socket = -1, .number = i };
}

static void
write_all (bench_clients_t *self, const bench_client_t *client, const void *bytes, size_t size)
{
    for (const uint8_t *at = bytes; size > 0;) {
        ssize_t done = send (client->socket, at, size, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            bench_fail (self->bench, "a client cannot send: %s", strerror (errno));
        at += done > 0 ? done : 0;
        size -= done > 0 ? (size_t) done : 0;
    }
}

void
bench_client_send (bench_clients_t *self, bench_client_t *client, const void *bytes, size_t size)
{
    uint8_t frame[16 + 1024] = { self->is_binary ? 0x82 : 0x81 };
    size_t head = size < 126 ? 6 : 8;
    if (size > 1024)
        bench_fail (self->bench, "a message of %zu bytes", size);
    frame[1] = (uint8_t) (0x80 | (size < 126 ? size : 126));
    if (size >= 126) {
        frame[2] = (uint8_t) (size >> 8);
        frame[3] = (uint8_t) size;
    }
    memcpy (frame + head, bytes, size);  /* the mask before it is four zeros */
    if (self->hearing == client)
        buffer_append (&self->out, frame, head + size);
    else
        write_all (self, client, frame, head + size);
}

void
bench_client_say (bench_clients_t *self, bench_client_t *client, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    CHECK (size >= 0 && size < (int) sizeof text);
    bench_client_send (self, client, text, (size_t) size);
}

/* ---- opening ---- */

static void
open_one (bench_clients_t *self, bench_client_t *client)
{
    char request[256];
    int one = 1;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons (self->port) };
    struct sockaddr_in from = { .sin_family = AF_INET };
    to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl (INADDR_LOOPBACK + client->number % ADDRESSES);
    client->socket = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->socket < 0 || bind (client->socket, (struct sockaddr *) &from, sizeof from) != 0
        || connect (client->socket, (struct sockaddr *) &to, sizeof to) != 0)
        bench_fail (self->bench, "client %u cannot connect: %s", client->number, strerror (errno));
    setsockopt (client->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int size = snprintf (request, sizeof request,
                         "GET /v1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Protocol: troupe.v1%s\r\n\r\n", self->port, self->is_binary ? ".bin" : "");
    write_all (self, client, request, (size_t) size);
    fcntl (client->socket, F_SETFL, O_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
    if (epoll_ctl (self->poll, EPOLL_CTL_ADD, client->socket, &event) != 0)
        bench_fail (self->bench, "epoll: %s", strerror (errno));
}

void
bench_clients_open (bench_clients_t *self, uint32_t first, uint32_t count)
{
    uint32_t wanted = self->opened + count;
    for (uint32_t i = 0; i < count; i++) {
        open_one (self, &self->clients[first + i]);
        (void) bench_clients_poll (self, 0);
    }
    while (self->opened < wanted)
        (void) bench_clients_poll (self, 1000);
}

/* ---- hearing ---- */

/*  Bytes of the answer to the handshake; 0: it is not whole. */
static size_t
handshake_size (bench_clients_t *self, const uint8_t *bytes, size_t size)
{
    const uint8_t *end = memmem (bytes, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (size < 12 || memcmp (bytes + 9, "101", 3) != 0)
        bench_fail (self->bench, "the handshake was answered with %.12s", (const char *) bytes);
    return (size_t) (end - bytes) + 4;
}

/*  Bytes of the frame at the front, with its head; 0: it is not whole. */
static size_t
frame_size (const uint8_t *bytes, size_t size, size_t *head)
{
    uint64_t payload = size >= 2 ? bytes[1] & 0x7fu : 0;
    *head = payload == 127 ? 10 : payload == 126 ? 4 : 2;
    if (size < *head)
        return 0;
    if (*head > 2) {
        payload = 0;
        for (size_t i = 2; i < *head; i++)
            payload = payload << 8 | bytes[i];
    }
    return *head + payload <= size ? *head + (size_t) payload : 0;
}

/*  Where the message at the front of a batch ends. A batch holds events alone, and no body has what parts them; most
 *  are as long as the one before, which is looked at first: this must cost less than what is measured. */
static const uint8_t *
message_end (const uint8_t *at, const uint8_t *end, size_t before)
{
    static const char parts[] = ",{\"event\":";
    const size_t size = sizeof parts - 1;
    if (before > 0 && before + size <= (size_t) (end - at) && memcmp (at + before, parts, size) == 0)
        return at + before;
    const uint8_t *next = memmem (at, (size_t) (end - at), parts, size);
    return next ? next : end;
}

static void
hear_text (bench_clients_t *self, bench_client_t *client, const uint8_t *bytes, size_t size)
{
    const uint8_t *at = bytes + 1, *end = bytes + size - 1, *next;
    size_t before = 0;
    if (bytes[0] != '[') {
        self->heard (self, client, bytes, size);
        return;
    }
    for (; at < end; at = next + 1) {
        next = message_end (at, end, before);
        before = (size_t) (next - at);
        self->heard (self, client, at, before);
    }
}

static void
say_hello (bench_clients_t *self, bench_client_t *client)
{
    if (self->is_binary)
        bench_client_send (self, client, binary_hello, sizeof binary_hello - 1);
    else if (self->token)
        bench_client_say (self, client, "{\"hello\":1,\"session\":\"%021uA\",\"token\":\"%s\"}", client->number,
                          self->token);
    else
        bench_client_say (self, client, "{\"hello\":1,\"session\":\"%021uA\"}", client->number);
}

/*  Takes what is whole; returns how much. */
static size_t
hear (bench_clients_t *self, bench_client_t *client, const uint8_t *bytes, size_t size)
{
    size_t used = 0, head = 0, one;
    if (!client->is_open) {
        used = handshake_size (self, bytes, size);
        client->is_open = used > 0;
        self->opened += used > 0;
        if (client->is_open)
            say_hello (self, client);
    }
    while (client->is_open && (one = frame_size (bytes + used, size - used, &head)) > 0) {
        uint8_t kind = bytes[used] & 0x0f;
        if (kind == 8)
            bench_fail (self->bench, "client %u was closed: %.*s", client->number, (int) (one - head - 2),
                        (const char *) bytes + used + head + 2);
        if (kind == 1)
            hear_text (self, client, bytes + used + head, one - head);
        if (kind == 2)
            self->heard (self, client, bytes + used + head, one - head);
        used += one;
    }
    return used;
}

static void
read_one (bench_clients_t *self, bench_client_t *client)
{
    ssize_t got = recv (client->socket, self->scratch, READ_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        bench_fail (self->bench, "client %u lost its connection: %s", client->number, got ? strerror (errno) : "end");
    const uint8_t *bytes = self->scratch;
    size_t size = (size_t) got;
    if (client->in.size > 0) {
        buffer_append (&client->in, bytes, size);
        bytes = client->in.data;
        size = client->in.size;
    }
    self->hearing = client;
    size_t used = hear (self, client, bytes, size);
    self->hearing = NULL;
    if (self->out.size > 0)
        write_all (self, client, self->out.data, self->out.size);
    buffer_reset (&self->out);
    if (bytes == self->scratch)
        buffer_append (&client->in, bytes + used, size - used);
    else {
        memmove (client->in.data, bytes + used, size - used);
        client->in.size = size - used;
    }
    if (client->in.size == 0)
        buffer_clear (&client->in);
}

int
bench_clients_poll (bench_clients_t *self, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait (self->poll, events, EVENTS, wait_ms);
    uint64_t began_ns = clock_monotonic_ns ();
    for (int i = 0; i < count; i++)
        read_one (self, events[i].data.ptr);
    uint64_t lag_ns = clock_monotonic_ns () - began_ns;
    self->lag_ns = lag_ns > self->lag_ns ? lag_ns : self->lag_ns;
    return count;
}

void
bench_clients_close (bench_clients_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->clients[i].socket >= 0)
            close (self->clients[i].socket);
        buffer_clear (&self->clients[i].in);
    }
    close (self->poll);
    buffer_clear (&self->out);
    memory_free (self->clients);
    memory_free (self->scratch);
}
