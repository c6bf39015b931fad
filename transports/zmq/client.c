/*  client.c - the socket of a client, and what programs see of it.
 *
 *  DESIGN
 *  A connection is a DEALER that is thrown away when it is lost: a new one has nothing of the old in it. That it is
 *  lost tells a monitor at once. All clients of a process share one context, and so its one thread of input and output.
 *  What a program polls is an epoll of the socket, the monitor, and an event that says that something is to be sent.
 */
#include "transports/zmq/client_core.h"
#include "transports/zmq/client_keys.h"

#include "runtime/base/bytes.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/answer.h"
#include "runtime/body/pack.h"
#include "runtime/body/packed.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#define ADDRESS_MOST 255
#define TIMEOUT_MS 30000
#define SOCKETS_MOST 65536
#define FIRST_DELAY_MS 50    /* before another connection */
#define LAST_DELAY_MS 2000
#define RECONNECT_MS 100     /* ZeroMQ's own, while nobody is there */
#define HEARTBEAT_MS 10000
#define LINGER_MS 500        /* for a goodbye on its way */
#define SEND_HWM 64
#define RECEIVE_MOST 256     /* messages in one round */

struct troupe_client_s {
    core_t core;
    char endpoint[ADDRESS_MOST + 16];
    client_keys_t keys;
    void *context;
    void *socket, *monitor;  /* NULL: no connection */
    int poll, wake;
    bool is_woken;           /* the event is set */
    bool is_working;         /* a function of the program may run */
    uint64_t connect_ms;     /* not before */
    uint32_t delay_ms;
};

static uint64_t
now_ms (void)
{
    return clock_monotonic_ns () / 1000000;
}

/* ---- the context of the process ---- */

static struct {
    pthread_mutex_t lock;
    void *context;
    unsigned users;
    pid_t process;           /* a child that was forked has none */
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *
take_context (void)
{
    pthread_mutex_lock (&shared.lock);
    if (shared.process != getpid ()) {
        shared.context = NULL;
        shared.users = 0;
        shared.process = getpid ();
    }
    if (!shared.context && (shared.context = zmq_ctx_new ()))
        (void) zmq_ctx_set (shared.context, ZMQ_MAX_SOCKETS, SOCKETS_MOST);
    shared.users += shared.context != NULL;
    void *context = shared.context;
    pthread_mutex_unlock (&shared.lock);
    return context;
}

static void
give_context (void)
{
    void *unused = NULL;
    pthread_mutex_lock (&shared.lock);
    if (shared.process == getpid () && --shared.users == 0) {
        unused = shared.context;
        shared.context = NULL;
    }
    pthread_mutex_unlock (&shared.lock);
    while (unused && zmq_ctx_term (unused) != 0 && errno == EINTR)
        ;
}

/* ---- the connection ---- */

static void
watch_fd (troupe_client_t *self, void *socket, int operation)
{
    int fd = -1;
    size_t size = sizeof fd;
    struct epoll_event event = { .events = EPOLLIN };
    if (zmq_getsockopt (socket, ZMQ_FD, &fd, &size) == 0)
        (void) epoll_ctl (self->poll, operation, fd, &event);
}

static void
close_socket (troupe_client_t *self, void **socket)
{
    if (!*socket)
        return;
    watch_fd (self, *socket, EPOLL_CTL_DEL);
    zmq_close (*socket);
    *socket = NULL;
}

static void
close_connection (troupe_client_t *self)
{
    if (self->socket)
        (void) zmq_socket_monitor (self->socket, NULL, 0);  /* first: what it tells waits for a reader */
    close_socket (self, &self->monitor);
    close_socket (self, &self->socket);
}

static void
set_number (void *socket, int option, int value)
{
    (void) zmq_setsockopt (socket, option, &value, sizeof value);
}

static bool
set_keys (troupe_client_t *self)
{
    const client_keys_t *keys = &self->keys;
    return !keys->are_there
           || (zmq_setsockopt (self->socket, ZMQ_CURVE_SERVERKEY, keys->server, sizeof keys->server) == 0
               && zmq_setsockopt (self->socket, ZMQ_CURVE_PUBLICKEY, keys->public, sizeof keys->public) == 0
               && zmq_setsockopt (self->socket, ZMQ_CURVE_SECRETKEY, keys->secret, sizeof keys->secret) == 0);
}

static bool
open_monitor (troupe_client_t *self)
{
    static _Atomic uint64_t count;
    char name[64];
    snprintf (name, sizeof name, "inproc://troupe-client-%llu", (unsigned long long) ++count);
    if (zmq_socket_monitor (self->socket, name,
                            ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                                | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) != 0)
        return false;
    self->monitor = zmq_socket (self->context, ZMQ_PAIR);
    if (!self->monitor)
        return false;
    set_number (self->monitor, ZMQ_RCVHWM, 0);  /* a program that looks away for hours must not stop ZeroMQ's thread */
    return zmq_connect (self->monitor, name) == 0;
}

static bool
open_connection (troupe_client_t *self)
{
    self->socket = zmq_socket (self->context, ZMQ_DEALER);
    if (!self->socket)
        return false;
    set_number (self->socket, ZMQ_LINGER, 0);
    set_number (self->socket, ZMQ_IPV6, strchr (self->endpoint, '[') != NULL);
    set_number (self->socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    set_number (self->socket, ZMQ_RECONNECT_IVL_MAX, LAST_DELAY_MS);
    set_number (self->socket, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS);
    set_number (self->socket, ZMQ_SNDHWM, SEND_HWM);
    set_number (self->socket, ZMQ_RCVHWM, 0);  /* credit bounds it */
    if (!set_keys (self) || !open_monitor (self) || zmq_connect (self->socket, self->endpoint) != 0)
        return false;
    watch_fd (self, self->socket, EPOLL_CTL_ADD);
    watch_fd (self, self->monitor, EPOLL_CTL_ADD);
    return true;
}

/*  Longer each time that none was good, and spread, so that clients do not all come at once. */
static uint32_t
next_delay_ms (troupe_client_t *self)
{
    uint32_t delay_ms = self->delay_ms / 2 + randombytes_uniform (self->delay_ms / 2);
    self->delay_ms = 2 * self->delay_ms < LAST_DELAY_MS ? 2 * self->delay_ms : LAST_DELAY_MS;
    return delay_ms;
}

static void
see_to_connection (troupe_client_t *self, uint64_t now)
{
    core_t *core = &self->core;
    if (!core->wants_connection)
        return;
    if (self->socket) {
        close_connection (self);
        self->connect_ms = now + next_delay_ms (self);
        if (core->come_back_ms > self->connect_ms)
            self->connect_ms = core->come_back_ms;
    }
    if (core->fatal.status != TROUPE_OK || now < self->connect_ms)
        return;
    if (open_connection (self)) {
        core_connected (core, now);
        return;
    }
    core_lost (core, zmq_strerror (errno));
    close_connection (self);
    self->connect_ms = now + next_delay_ms (self);
}

/*  What ZeroMQ says of the connection: two parts an event. */
static void
hear_monitor (troupe_client_t *self)
{
    uint8_t event[6];
    while (self->monitor && !self->core.wants_connection
           && zmq_recv (self->monitor, event, sizeof event, ZMQ_DONTWAIT) == sizeof event) {
        uint16_t type;
        memcpy (&type, event, sizeof type);
        (void) zmq_recv (self->monitor, event, sizeof event, ZMQ_DONTWAIT);
        if (type == ZMQ_EVENT_DISCONNECTED)
            core_lost (&self->core, *self->core.trouble ? NULL : "the connection was closed");
        else
            snprintf (self->core.trouble, sizeof self->core.trouble, "%s", type == ZMQ_EVENT_CONNECT_RETRIED
                      ? "nobody answers there" : "the node does not let us in: a key, or encryption, is not its own");
    }
}

/* ---- work ---- */

static void
hear_node (troupe_client_t *self, uint64_t now)
{
    zmq_msg_t part;
    zmq_msg_init (&part);
    for (int i = 0; i < RECEIVE_MOST && self->socket && !self->core.wants_connection; i++) {
        if (zmq_msg_recv (&part, self->socket, ZMQ_DONTWAIT) < 0)
            break;
        core_received (&self->core, zmq_msg_data (&part), zmq_msg_size (&part), now);
        if (self->core.is_welcome)
            self->delay_ms = FIRST_DELAY_MS;
    }
    zmq_msg_close (&part);
}

/*  What does not leave waits in `out`, and nothing more is put to it. */
static void
say_all (troupe_client_t *self, uint64_t now)
{
    buffer_t *out = &self->core.out;
    while (self->socket && !self->core.wants_connection) {
        if (out->size == 0)
            core_fill (&self->core, now);
        if (out->size == 0 || zmq_send (self->socket, out->data, out->size, ZMQ_DONTWAIT) < 0)
            return;
        buffer_reset (out);
    }
}

static bool
has_events (void *socket, int wanted)
{
    int events = 0;
    size_t size = sizeof events;
    return socket && zmq_getsockopt (socket, ZMQ_EVENTS, &events, &size) == 0 && (events & wanted);
}

/*  Whoever asks takes the news of it, also that there is room again: the descriptor will not tell. */
static bool
has_work (troupe_client_t *self)
{
    bool wants_room = self->core.out.size > 0 && !self->core.wants_connection;
    return has_events (self->socket, wants_room ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN)
           || has_events (self->monitor, ZMQ_POLLIN);
}

uint32_t
troupe_client_process (troupe_client_t *self)
{
    uint64_t woken, now = now_ms ();
    CHECK (!self->is_working);
    self->is_working = true;
    if (self->is_woken)
        (void) !read (self->wake, &woken, sizeof woken);
    self->is_woken = false;
    hear_monitor (self);
    hear_node (self, now);
    core_tick (&self->core, now);
    see_to_connection (self, now);
    say_all (self, now);
    self->is_working = false;
    if (has_work (self))
        return 0;
    uint64_t wait_ms = core_wait_ms (&self->core, now);
    uint64_t until_ms = self->connect_ms > now ? self->connect_ms - now : 0;
    if (!self->socket && self->core.fatal.status == TROUPE_OK && until_ms < wait_ms)
        wait_ms = until_ms;
    return wait_ms < UINT32_MAX ? (uint32_t) wait_ms : UINT32_MAX;
}

void
troupe_client_wait (troupe_client_t *self, uint32_t most_ms)
{
    struct pollfd item = { .fd = self->poll, .events = POLLIN };
    uint64_t told = self->core.told;
    uint32_t wait_ms = troupe_client_process (self);
    wait_ms = wait_ms < most_ms ? wait_ms : most_ms;
    if (wait_ms == 0 || self->core.told != told)
        return;
    (void) poll (&item, 1, wait_ms < INT32_MAX ? (int) wait_ms : -1);
    (void) troupe_client_process (self);
}

int
troupe_client_fd (const troupe_client_t *self)
{
    return self->poll;
}

static void
want_work (troupe_client_t *self)
{
    uint64_t one = 1;
    if (self->is_working || self->is_woken)
        return;
    self->is_woken = true;
    (void) !write (self->wake, &one, sizeof one);
}

/* ---- calls and watches ---- */

static troupe_status_t
submit (troupe_client_t *self, const troupe_client_call_t *call, troupe_error_t *error)
{
    troupe_status_t status = core_submit (&self->core, call, now_ms (), error);
    if (status == TROUPE_OK)
        want_work (self);
    return status;
}

troupe_status_t
troupe_client_submit (troupe_client_t *self, const troupe_client_call_t *call, troupe_error_t *error)
{
    troupe_status_t status = packed_check (call->body, call->size, PACKED_DEPTH_MAX);
    if (status == TROUPE_INVALID)
        return error_set (error, status, "the body is not one packed value");
    return status == TROUPE_OK ? submit (self, call, error) : error_set (error, status, "no memory for a call");
}

static troupe_status_t
submit_packed (troupe_client_t *self, troupe_client_call_t *call, troupe_error_t *error, const char *format,
               va_list arguments)
{
    buffer_t body = { .limit = TROUPE_BODY_MAX };
    troupe_status_t status = pack_append (&body, error, format, arguments);
    call->body = body.data;
    call->size = body.size;
    if (status == TROUPE_OK)
        status = submit (self, call, error);
    buffer_clear (&body);
    return status;
}

troupe_status_t
troupe_client_cast (troupe_client_t *self, const char *to, const char *verb, troupe_error_t *error, const char *format,
                    ...)
{
    va_list arguments;
    troupe_client_call_t call = { .to = to, .verb = verb };
    va_start (arguments, format);
    troupe_status_t status = submit_packed (self, &call, error, format, arguments);
    va_end (arguments);
    return status;
}

typedef struct {
    troupe_answer_t *answer;
    bool is_there;
} waiting_t;

static void
end_wait (void *arg, const troupe_answer_t *answer)
{
    waiting_t *self = arg;
    self->is_there = true;
    (void) !answer_copy (self->answer, answer);  /* without memory that is the answer */
}

troupe_status_t
troupe_client_call (troupe_client_t *self, const char *to, const char *verb, troupe_answer_t *answer,
                    const char *format, ...)
{
    va_list arguments;
    troupe_error_t error;
    waiting_t waiting = { answer, false };
    troupe_client_call_t call = { .to = to, .verb = verb, .done = end_wait, .arg = &waiting };
    CHECK (!self->is_working);
    va_start (arguments, format);
    if (submit_packed (self, &call, &error, format, arguments) != TROUPE_OK)
        end_wait (&waiting, &(troupe_answer_t) { .status = error.status, .text = error.text });
    va_end (arguments);
    while (!waiting.is_there)
        troupe_client_wait (self, UINT32_MAX);
    return answer->status;
}

size_t
troupe_client_calls (const troupe_client_t *self)
{
    return self->core.count;
}

troupe_watch_t *
troupe_client_watch (troupe_client_t *self, const char *feed, const char *from, troupe_heard_t *heard, void *arg,
                     troupe_error_t *error)
{
    troupe_watch_t *watch = core_watch (&self->core, feed, from, heard, arg, error);
    if (watch)
        want_work (self);
    return watch;
}

void
troupe_client_unwatch (troupe_client_t *self, troupe_watch_t **watch_p)
{
    if (!*watch_p)
        return;
    core_unwatch (&self->core, *watch_p);
    *watch_p = NULL;
    want_work (self);
}

troupe_status_t
troupe_client_token (troupe_client_t *self, const char *token, troupe_error_t *error)
{
    troupe_status_t status = core_token (&self->core, token, error);
    if (status == TROUPE_OK)
        want_work (self);
    return status;
}

/* ---- life ---- */

static troupe_status_t
set_endpoint (troupe_client_t *self, const char *at, troupe_error_t *error)
{
    const char *colon = strrchr (at, ':');
    if (strncmp (at, "tcp://", 6) == 0)
        at += 6;
    if (strlen (at) > ADDRESS_MOST || !colon || colon <= at || strspn (colon + 1, "0123456789") != strlen (colon + 1)
        || !colon[1] || strtoul (colon + 1, NULL, 10) > UINT16_MAX)
        return error_set (error, TROUPE_INVALID, "HOST:PORT is wanted, not \"%.60s\"", at);
    snprintf (self->endpoint, sizeof self->endpoint, "tcp://%s", at);
    return TROUPE_OK;
}

static bool
open_poll (troupe_client_t *self)
{
    struct epoll_event event = { .events = EPOLLIN };
    self->poll = epoll_create1 (EPOLL_CLOEXEC);
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    return self->poll >= 0 && self->wake >= 0 && epoll_ctl (self->poll, EPOLL_CTL_ADD, self->wake, &event) == 0;
}

static troupe_status_t
open_client (troupe_client_t *self, const troupe_client_options_t *options, troupe_error_t *error)
{
    troupe_client_options_t wanted = *options;
    wanted.token = options->token ? options->token : "";
    wanted.name = options->name ? options->name : "c";
    wanted.timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    if (strlen (wanted.token) > TROUPE_CLIENT_TOKEN_MAX || strlen (wanted.name) > CLIENT_NAME_MAX)
        return error_set (error, TROUPE_INVALID, "a token has at most %d bytes, a name %d", TROUPE_CLIENT_TOKEN_MAX,
                          CLIENT_NAME_MAX);
    troupe_status_t status = set_endpoint (self, options->at ? options->at : "127.0.0.1:7318", error);
    if (status == TROUPE_OK)
        status = client_keys_read (&self->keys, options->certificate, options->server, error);
    if (status != TROUPE_OK)
        return status;
    self->context = sodium_init () >= 0 && core_init (&self->core, &wanted) ? take_context () : NULL;
    if (!self->context || !open_poll (self))
        return error_set (error, TROUPE_NO_MEMORY, "no memory or descriptors for a client");
    return TROUPE_OK;
}

troupe_client_t *
troupe_client_new (const troupe_client_options_t *options, troupe_error_t *error)
{
    troupe_client_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for a client");
        return NULL;
    }
    self->poll = self->wake = -1;
    self->delay_ms = FIRST_DELAY_MS;
    if (open_client (self, options ? options : &(troupe_client_options_t) { 0 }, error) != TROUPE_OK)
        troupe_client_destroy (&self);
    return self;
}

static void
say_goodbye_at_last (troupe_client_t *self)
{
    if (!self->socket || !self->core.is_welcome)
        return;
    say_all (self, now_ms ());
    buffer_reset (&self->core.out);
    say_goodbye (&self->core.out);
    set_number (self->socket, ZMQ_LINGER, LINGER_MS);
    (void) zmq_send (self->socket, self->core.out.data, self->core.out.size, ZMQ_DONTWAIT);
}

void
troupe_client_destroy (troupe_client_t **self_p)
{
    troupe_client_t *self = *self_p;
    if (!self)
        return;
    CHECK (!self->is_working);
    *self_p = NULL;
    say_goodbye_at_last (self);
    self->is_working = true;
    core_clear (&self->core);
    close_connection (self);
    if (self->wake >= 0)
        close (self->wake);
    if (self->poll >= 0)
        close (self->poll);
    if (self->context)
        give_context ();
    sodium_memzero (&self->keys, sizeof self->keys);
    memory_free (self);
}
