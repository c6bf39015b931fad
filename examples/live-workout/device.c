/*  device.c - see device.h.
 *
 *  A call keeps its number (seq) and its end (until) for life; the end is
 *  set when it is first sent, so that what was made without a network is
 *  still in time. The server runs each pair of session and seq once.
 */

#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELLO = 0x01, ROUTE = 0x03, UNTIL = 0x04, CALL = 0x05 };
enum { WELCOME = 0x81, REPLY = 0x82, ERROR = 0x83, DRAIN = 0x8b };

#define FRAME_MAX 32768          /* bytes of one frame to the server, about */
#define READ_MAX 65536
#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 5000
#define SILENCE_MS 15000         /* without an answer: the connection is dead */
#define UNTIL_STEP_MS 10000      /* calls share an end, which is then said but once */

typedef struct {
    uint64_t seq, until_ms;      /* until 0: never sent */
    uint32_t verb, samples;
    bytes_t body;
    bool is_sent;                /* on this connection */
    bool is_done;
} call_t;

struct device_s {
    const struct addrinfo *where;
    const char *host, *address;
    const char *const *verbs;
    device_counts_t counts;

    uint8_t session[16];
    uint64_t next_seq;
    char epoch[49];              /* in which the session began; "": not known yet */
    int64_t ahead_ms;            /* the server's clock */
    uint64_t keep_ms;            /* how far ahead an end may be */

    call_t calls[DEVICE_WAITING_MAX];  /* a ring, in the order of seq */
    uint32_t first, count;

    int fd;
    enum { CLOSED, CONNECTING, UPGRADING, GREETING, OPEN } state;
    uint64_t now_ms, heard_ms, try_ms, pause_ms, hold_ms;
    uint64_t until_ms;           /* as this connection has it */
    bytes_t in, out;
};

/* ------------------------------------------------------------------ *
 *  Life
 * ------------------------------------------------------------------ */

static void
make_session (device_t *device)
{
    if (getrandom (device->session, sizeof device->session, 0) != sizeof device->session)
        abort ();
    device->session[0] |= 1;     /* all 0 is none */
    device->next_seq = 1;
    device->epoch[0] = '\0';
}

device_t *
device_new (const struct addrinfo *where, const char *host, const char *address, const char *const verbs[DEVICE_VERBS])
{
    device_t *device = calloc (1, sizeof *device);
    if (!device)
        abort ();
    device->where = where;
    device->host = host;
    device->address = address;
    device->verbs = verbs;
    device->fd = -1;
    device->pause_ms = PAUSE_MIN_MS;
    make_session (device);
    return device;
}

static call_t *
call_at (device_t *device, uint32_t index)
{
    return &device->calls[(device->first + index) % DEVICE_WAITING_MAX];
}

/*  Frees the calls at the front that have an outcome. */
static void
drop_done (device_t *device)
{
    while (device->count > 0 && call_at (device, 0)->is_done) {
        bytes_clear (&call_at (device, 0)->body);
        device->first = (device->first + 1) % DEVICE_WAITING_MAX;
        device->count -= 1;
    }
}

static void
disconnect (device_t *device)
{
    if (device->fd >= 0)
        close (device->fd);
    if (device->state == OPEN)
        device->pause_ms = PAUSE_MIN_MS;
    device->fd = -1;
    device->state = CLOSED;
    device->in.size = device->out.size = 0;
    for (uint32_t i = 0; i < device->count; i++)
        call_at (device, i)->is_sent = false;
    device->try_ms = device->now_ms + device->pause_ms / 2 + (uint64_t) rand () % device->pause_ms;
    device->pause_ms = device->pause_ms * 2 < PAUSE_MAX_MS ? device->pause_ms * 2 : PAUSE_MAX_MS;
}

void
device_destroy (device_t **device_p)
{
    device_t *device = *device_p;
    if (!device)
        return;
    disconnect (device);
    for (uint32_t i = 0; i < device->count; i++)
        bytes_clear (&call_at (device, i)->body);
    bytes_clear (&device->in);
    bytes_clear (&device->out);
    free (device);
    *device_p = NULL;
}

bool
device_call (device_t *device, uint32_t verb, const bytes_t *body, uint32_t samples)
{
    if (device->count == DEVICE_WAITING_MAX)
        return false;
    if (device->count == 0)
        device->heard_ms = device->now_ms;  /* it was silent because nothing was asked */
    call_t *call = call_at (device, device->count++);
    *call = (call_t) { .seq = device->next_seq++, .verb = verb, .samples = samples };
    bytes_add (&call->body, body->bytes, body->size);
    return true;
}

/* ------------------------------------------------------------------ *
 *  Writing
 * ------------------------------------------------------------------ */

static void
add_n (bytes_t *bytes, uint64_t n)
{
    for (; n >= 128; n >>= 7)
        bytes_add_byte (bytes, (uint8_t) (n | 128));
    bytes_add_byte (bytes, (uint8_t) n);
}

static void
add_sized (bytes_t *bytes, const void *value, size_t size)
{
    add_n (bytes, size);
    bytes_add (bytes, value, size);
}

/*  Clients mask what they send; which mask matters only to proxies that are not there. */
static void
add_frame (bytes_t *out, uint8_t opcode, const bytes_t *payload)
{
    uint8_t mask[4];
    if (getrandom (mask, sizeof mask, 0) != sizeof mask)
        abort ();
    bytes_add_byte (out, 0x80 | opcode);
    if (payload->size < 126) {
        bytes_add_byte (out, (uint8_t) (0x80 | payload->size));
    } else {
        bool is_long = payload->size > 65535;
        bytes_add_byte (out, is_long ? 0x80 | 127 : 0x80 | 126);
        for (int shift = is_long ? 56 : 8; shift >= 0; shift -= 8)
            bytes_add_byte (out, (uint8_t) (payload->size >> shift));
    }
    bytes_add (out, mask, sizeof mask);
    for (size_t i = 0; i < payload->size; i++)
        bytes_add_byte (out, payload->bytes[i] ^ mask[i % 4]);
}

static void
say_hello (device_t *device)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char session[23] = "";
    for (int i = 0; i < 22; i++) {
        int bit = 6 * i, byte = bit / 8;
        unsigned pair = (unsigned) device->session[byte] << 8 | (byte < 15 ? device->session[byte + 1] : 0);
        session[i] = digits[pair >> (10 - bit % 8) & 63];
    }
    bytes_t hello = { 0 }, frame = { 0 };
    pack_map (&hello, device->epoch[0] ? 4 : 3);
    pack_text (&hello, "hello");
    pack_integer (&hello, 1);
    pack_text (&hello, "session");
    pack_text (&hello, session);
    pack_text (&hello, "client");
    pack_text (&hello, "athletes");
    if (device->epoch[0]) {
        pack_text (&hello, "epoch");
        pack_text (&hello, device->epoch);
    }
    bytes_add_byte (&frame, HELLO);
    add_sized (&frame, hello.bytes, hello.size);
    for (uint32_t verb = 0; verb < DEVICE_VERBS; verb++) {
        bytes_add_byte (&frame, ROUTE);
        add_n (&frame, verb);
        add_sized (&frame, device->address, strlen (device->address));
        add_sized (&frame, device->verbs[verb], strlen (device->verbs[verb]));
    }
    add_frame (&device->out, 2, &frame);
    bytes_clear (&hello);
    bytes_clear (&frame);
}

static void
add_call (device_t *device, bytes_t *frame, call_t *call)
{
    if (call->until_ms == 0) {
        uint64_t server_ms = (uint64_t) ((int64_t) device->now_ms + device->ahead_ms);
        uint64_t until_ms = server_ms + device->keep_ms - UNTIL_STEP_MS;
        call->until_ms = until_ms - until_ms % UNTIL_STEP_MS;
        device->counts.sent += 1;
    } else {
        device->counts.resent += 1;
    }
    if (call->until_ms != device->until_ms) {
        device->until_ms = call->until_ms;
        bytes_add_byte (frame, UNTIL);
        add_n (frame, call->until_ms);
    }
    bytes_add_byte (frame, CALL);
    add_n (frame, call->verb);
    add_n (frame, call->seq);
    add_sized (frame, call->body.bytes, call->body.size);
    call->is_sent = true;
}

static void
send_calls (device_t *device)
{
    bytes_t frame = { 0 };
    for (uint32_t i = 0; i < device->count; i++) {
        call_t *call = call_at (device, i);
        if (call->is_sent || call->is_done)
            continue;
        if (frame.size > 0 && frame.size + call->body.size > FRAME_MAX) {
            add_frame (&device->out, 2, &frame);
            frame.size = 0;
        }
        add_call (device, &frame, call);
    }
    if (frame.size > 0)
        add_frame (&device->out, 2, &frame);
    bytes_clear (&frame);
}

/* ------------------------------------------------------------------ *
 *  Reading
 * ------------------------------------------------------------------ */

typedef struct {
    const uint8_t *at, *end;
    bool is_broken;
} message_t;

static uint64_t
take_n (message_t *message)
{
    uint64_t n = 0;
    for (int shift = 0; shift < 56 && message->at < message->end; shift += 7) {
        uint8_t byte = *message->at++;
        n |= (uint64_t) (byte & 127) << shift;
        if (byte < 128)
            return n;
    }
    message->is_broken = true;
    return 0;
}

static const uint8_t *
take_sized (message_t *message, size_t *size)
{
    const uint8_t *value = NULL;
    *size = take_n (message);
    if (message->is_broken || (size_t) (message->end - message->at) < *size) {
        message->is_broken = true;
        *size = 0;
        return NULL;
    }
    value = message->at;
    message->at += *size;
    return value;
}

static void
give_up (device_t *device)
{
    for (uint32_t i = 0; i < device->count; i++) {
        call_t *call = call_at (device, i);
        if (call->is_done || call->until_ms == 0)
            continue;
        call->is_done = true;
        device->counts.unknown += 1;
    }
    drop_done (device);
    device->counts.sessions += 1;
    make_session (device);
    for (uint32_t i = 0; i < device->count; i++)
        call_at (device, i)->seq = device->next_seq++;
}

static void
take_welcome (device_t *device, message_t *message)
{
    uint64_t server_ms = 0;
    char session[8] = "";
    packed_t welcome, limits;
    welcome.bytes = take_sized (message, &welcome.size);
    if (message->is_broken || !packed_integer (&welcome, "now", &server_ms)
        || !packed_text (&welcome, "session", session, sizeof session)
        || !packed_map (&welcome, "limits", &limits) || !packed_integer (&limits, "keep_ms", &device->keep_ms)) {
        message->is_broken = true;
        return;
    }
    if (strcmp (session, "new") == 0) {
        fprintf (stderr, "athletes: %s: another store: %u calls without an answer are given up\n", device->address,
                 device->count);
        give_up (device);
        message->is_broken = true;
        return;
    }
    packed_text (&welcome, "epoch", device->epoch, sizeof device->epoch);
    device->ahead_ms = (int64_t) server_ms - (int64_t) device->now_ms;
    device->until_ms = 0;
    device->hold_ms = 0;
    device->state = OPEN;
}

static call_t *
call_of (device_t *device, uint64_t seq)
{
    uint64_t index = device->count > 0 ? seq - call_at (device, 0)->seq : 0;
    return index < device->count && !call_at (device, (uint32_t) index)->is_done
        ? call_at (device, (uint32_t) index) : NULL;
}

static void
take_reply (device_t *device, message_t *message)
{
    size_t size;
    call_t *call = call_of (device, take_n (message));
    take_sized (message, &size);
    if (message->is_broken || !call)
        return;
    call->is_done = true;
    device->counts.answered += 1;
    device->counts.samples += call->samples;
    drop_done (device);
}

static void
take_error (device_t *device, message_t *message)
{
    size_t status_size, text_size;
    uint64_t what = take_n (message), seq = take_n (message);
    const char *status = (const char *) take_sized (message, &status_size);
    const char *text = (const char *) take_sized (message, &text_size);
    uint64_t retry_after_ms = take_n (message);
    call_t *call = what == 1 ? call_of (device, seq) : NULL;
    if (message->is_broken || what == 0)
        fprintf (stderr, "athletes: %s: %.*s\n", device->address, (int) text_size, text ? text : "");
    if (message->is_broken || !call)
        return;
    if (status_size == 10 && memcmp (status, "overloaded", 10) == 0) {
        call->is_sent = false;
        device->hold_ms = device->now_ms + retry_after_ms;
    } else if (status_size != 8 || memcmp (status, "stopping", 8) != 0) {  /* else the connection ends at once */
        bool is_unknown = status_size == 7 && memcmp (status, "unknown", 7) == 0;
        *(is_unknown ? &device->counts.unknown : &device->counts.refused) += 1;
        fprintf (stderr, "athletes: %s: %.*s: %.*s\n", device->address, (int) status_size, status,
                 (int) text_size, text);
        call->is_done = true;
        drop_done (device);
    }
}

/*  All messages of a frame; false: the connection is of no use. */
static bool
take_frame (device_t *device, const uint8_t *payload, size_t size)
{
    message_t message = { payload, payload + size, false };
    while (message.at < message.end && !message.is_broken)
        switch (*message.at++) {
            case WELCOME: take_welcome (device, &message); break;
            case REPLY: take_reply (device, &message); break;
            case ERROR: take_error (device, &message); break;
            case DRAIN: take_n (&message); break;
            default: message.is_broken = true;
        }
    return !message.is_broken;
}

/*  One frame at the front of what came; 0: it is not all there. Servers do not mask, and ours sends no fragments. */
static size_t
frame_size (const bytes_t *in, size_t *head)
{
    if (in->size < 2)
        return 0;
    size_t size = in->bytes[1] & 127, more = size == 126 ? 2 : size == 127 ? 8 : 0;
    *head = 2 + more;
    if (in->size < *head)
        return 0;
    if (more > 0)
        size = 0;
    for (size_t i = 0; i < more; i++)
        size = size << 8 | in->bytes[2 + i];
    return in->size - *head < size ? 0 : *head + size;
}

static bool
take_frames (device_t *device)
{
    size_t head, size;
    while ((size = frame_size (&device->in, &head)) > 0) {
        uint8_t opcode = device->in.bytes[0] & 15;
        bytes_t payload = { .bytes = device->in.bytes + head, .size = size - head };
        if (opcode == 9)
            add_frame (&device->out, 10, &payload);
        if (opcode == 8 || (opcode == 2 && !take_frame (device, payload.bytes, payload.size)))
            return false;
        bytes_drop (&device->in, size);
    }
    return true;
}

static bool
take_upgrade (device_t *device)
{
    const char *end = device->in.size ? memmem (device->in.bytes, device->in.size, "\r\n\r\n", 4) : NULL;
    if (!end)
        return device->in.size < READ_MAX;
    if (device->in.size < 12 || memcmp (device->in.bytes, "HTTP/1.1 101", 12) != 0) {
        fprintf (stderr, "athletes: %s: the server does not speak WebSocket\n", device->host);
        return false;
    }
    bytes_drop (&device->in, (size_t) (end + 4 - (const char *) device->in.bytes));
    device->state = GREETING;
    say_hello (device);
    return true;
}

/* ------------------------------------------------------------------ *
 *  The connection
 * ------------------------------------------------------------------ */

static void
connect_now (device_t *device)
{
    device->fd = socket (device->where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    device->heard_ms = device->now_ms;
    if (device->fd < 0 || (connect (device->fd, device->where->ai_addr, device->where->ai_addrlen) != 0
                           && errno != EINPROGRESS)) {
        disconnect (device);
        return;
    }
    device->state = CONNECTING;
}

static void
ask_upgrade (device_t *device)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct pollfd wait = { .fd = device->fd, .events = POLLOUT };
    if (poll (&wait, 1, 0) == 0)
        return;
    if (getsockopt (device->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        disconnect (device);
        return;
    }
    char request[512];
    int length = snprintf (request, sizeof request,
                           "GET /v1 HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Key: dHJvdXBlLWF0aGxldGVzLQ==\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Protocol: troupe.v1.bin\r\n\r\n", device->host);
    bytes_add (&device->out, request, (size_t) length);
    device->state = UPGRADING;
}

/*  False: the connection is lost. */
static bool
read_some (device_t *device)
{
    uint8_t bytes[READ_MAX];
    ssize_t got;
    while ((got = recv (device->fd, bytes, sizeof bytes, 0)) > 0) {
        device->heard_ms = device->now_ms;
        bytes_add (&device->in, bytes, (size_t) got);
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        return false;
    if (device->state == UPGRADING && !take_upgrade (device))
        return false;
    bool was_open = device->state == OPEN;
    if (device->state > UPGRADING && !take_frames (device))
        return false;
    if (!was_open && device->state == OPEN)
        device->counts.opened += 1;
    return true;
}

static bool
write_some (device_t *device)
{
    if (device->out.size == 0)
        return true;
    ssize_t sent = send (device->fd, device->out.bytes, device->out.size, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    bytes_drop (&device->out, (size_t) sent);
    return true;
}

static bool
is_silent (const device_t *device)
{
    return (device->state != OPEN || device->count > 0) && device->now_ms > device->heard_ms + SILENCE_MS;
}

void
device_turn (device_t *device, uint64_t now_ms)
{
    device->now_ms = now_ms;
    if (device->state == CLOSED && now_ms >= device->try_ms)
        connect_now (device);
    else if (device->state != CLOSED && is_silent (device))
        disconnect (device);
    if (device->state == CONNECTING)
        ask_upgrade (device);
    if (device->state <= CONNECTING)
        return;
    if (!read_some (device)) {
        disconnect (device);
        return;
    }
    if (device->state == OPEN && device->count > 0 && now_ms >= device->hold_ms)
        send_calls (device);
    if (!write_some (device))
        disconnect (device);
}

int
device_fd (const device_t *device)
{
    return device->fd;
}

short
device_events (const device_t *device)
{
    return device->state == CONNECTING || device->out.size > 0 ? POLLIN | POLLOUT : POLLIN;
}

uint32_t
device_waiting (const device_t *device)
{
    return device->count;
}

bool
device_clock (const device_t *device, int64_t *ahead_ms)
{
    *ahead_ms = device->ahead_ms;
    return device->keep_ms > 0;
}

const device_counts_t *
device_counts (const device_t *device)
{
    return &device->counts;
}
