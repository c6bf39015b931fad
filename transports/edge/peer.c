/*  peer.c - a conversation with one client.
 *
 *  DESIGN
 *  The gateway keeps nothing of a client that outlives its connection. What makes a call run
 *  once is in its actor's shard, under (session, seq); a client that comes back sends its
 *  unanswered calls again, and each finds its record. The session that a shard sees is a hash of
 *  the epoch, the subject and the client's own bytes: nobody can ask for another subject's
 *  answers, and what was sent to a store that has been restored since is not known again.
 *
 *  An answer is encoded by the thread of the node that gives it, into a buffer that travels
 *  to the gateway and becomes what is sent.
 */
#include "transports/edge/edge_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/edge/envelope.h"
#include "transports/edge/exchange.h"

#include <sodium.h>

enum { CLOSE_DONE = 1000, CLOSE_PROTOCOL = 1002, CLOSE_POLICY = 1008, CLOSE_SERVER = 1011, CLOSE_TOKEN = 4401 };
#define AGAIN_MS 1000  /* then a hello that could not be looked at may come again */

static const identity_t nobody;

static bool
is_talking (const peer_t *self)
{
    return self->state == PEER_NEW || self->state == PEER_ASKING || self->state == PEER_OPEN;
}

const identity_t *
peer_identity (const peer_t *self)
{
    return self->who ? self->who : &nobody;
}

/* ---- what it is sent ---- */

void
peer_want_flush (peer_t *self)
{
    if (self->wants_flush)
        return;
    self->wants_flush = true;
    self->next_flush = self->edge->to_flush;
    self->edge->to_flush = self;
}

void
peer_close (peer_t *self, uint16_t code, const char *text)
{
    if (!is_talking (self))
        return;
    peer_send_out (self);
    self->state = PEER_CLOSING;
    self->port->close (self->connection, code, text);
}

size_t
peer_open_frame (peer_t *self)
{
    return envelope_open (&self->out);
}

void
peer_close_frame (peer_t *self, size_t place)
{
    envelope_close (&self->out, place, envelopes[self->codec->form]);
    if (self->out.failed)
        peer_close (self, CLOSE_SERVER, "no memory");
    peer_want_flush (self);
}

void
peer_send_out (peer_t *self)
{
    if (!is_talking (self))
        buffer_clear (&self->out);
    if (self->out.size == 0 || self->port->is_choked (self->connection))
        return;
    self->port->send (self->connection, self->out.data, self->out.size);
    buffer_clear (&self->out);
}

/*  What does not fit is not left out: the client comes back and asks for it. */
static void
append_out (peer_t *self, const void *bytes, size_t size)
{
    buffer_append (&self->out, bytes, size);
    if (self->out.failed)
        peer_close (self, CLOSE_SERVER, "no memory");
}

void
peer_send_shared (peer_t *self, const void *bytes, size_t size)
{
    peer_send_out (self);
    if (self->out.size == 0 && !self->port->is_choked (self->connection))
        self->port->send (self->connection, bytes, size);
    else
        append_out (self, bytes, size);
}

bool
peer_is_full (const peer_t *self)
{
    return self->state != PEER_OPEN || self->out.size > OUT_SOFT || self->port->is_choked (self->connection);
}

void
peer_say_error (peer_t *self, error_of_t of, uint64_t number, const troupe_error_t *error, uint32_t retry_after_ms)
{
    count_up (&self->edge->counts.errors, 1);
    if (self->codec->form == FORM_SSE) {
        self->port->refuse (self->connection, error);
        return;
    }
    size_t place = peer_open_frame (self);
    self->codec->error (&self->out, of, number, error->status, error->text, retry_after_ms);
    peer_close_frame (self, place);
}

void
peer_watch_ended (peer_t *self)
{
    if (self->codec->form == FORM_SSE)
        peer_close (self, CLOSE_DONE, "");
}

/* ---- its life ---- */

peer_t *
peer_new (edge_t *edge, const codec_t *codec, const peer_port_t *port, void *connection)
{
    peer_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->edge = edge;
    self->codec = codec;
    self->port = port;
    self->connection = connection;
    self->after = edge->peers;
    if (self->after)
        self->after->before = self;
    edge->peers = self;
    count_up (&edge->counts.clients, 1);
    return self;
}

void
peer_from (peer_t *self, const void *address, size_t size)
{
    self->address_size = (uint8_t) (size < sizeof self->address ? size : sizeof self->address);
    memcpy (self->address, address, self->address_size);
}

void
peer_known_as (peer_t *self, const identity_t *who)
{
    self->who = memory_alloc (sizeof *self->who);
    if (self->who)
        *self->who = *who;
    else
        peer_close (self, CLOSE_SERVER, "no memory");
}

const codec_t *
peer_codec (const peer_t *self)
{
    return self->codec;
}

bool
peer_is_new (const peer_t *self)
{
    return self->state == PEER_NEW || self->state == PEER_ASKING;
}

bool
peer_is_open (const peer_t *self)
{
    return self->state == PEER_OPEN;
}

void
peer_let_go (peer_t *self)
{
    if (self->state != PEER_GONE || self->in_flight > 0 || self->told_later > 0 || self->wants_flush)
        return;
    if (self->routes)
        binary_routes_clear (self->routes);
    memory_free (self->routes);
    memory_free (self->who);
    buffer_clear (&self->out);
    memory_free (self);
}

static void
stop_asking (peer_t *self)
{
    if (!self->asking)
        return;
    api_key_leave (&self->asking->key);
    buffer_clear (&self->asking->held);
    memory_free (self->asking);
    self->asking = NULL;
}

void
peer_gone (peer_t **self_p)
{
    peer_t *self = *self_p;
    edge_t *edge = self->edge;
    *self_p = NULL;
    self->state = PEER_GONE;
    stop_asking (self);
    while (self->watches)
        watch_end (self->watches);
    *(self->before ? &self->before->after : &edge->peers) = self->after;
    if (self->after)
        self->after->before = self->before;
    count_up (&edge->counts.clients, (uint64_t) -1);
    peer_let_go (self);
}

bool
peer_is_over (const peer_t *self)
{
    return self->asking || self->in_flight >= self->edge->options.limits.in_flight || self->out.size > OUT_SOFT;
}

static void
see_to_pause (peer_t *self)
{
    bool is_paused = peer_is_over (self);
    if (self->out.size > EDGE_OUT_MOST)
        peer_close (self, CLOSE_POLICY, "too much that is not read");
    if (is_paused == self->is_paused || self->state == PEER_GONE || !self->port->pause)
        return;
    self->is_paused = is_paused;
    self->port->pause (self->connection, is_paused);
}

static void
go_on_watching (peer_t *self)
{
    watch_t *watch = self->watches;
    self->has_waiting = false;
    for (watch_t *next; watch && !peer_is_full (self); watch = next) {
        next = watch->next_of_peer;
        watch_go_on (watch);
    }
    self->has_waiting |= watch != NULL;
}

void
peer_take_frames (peer_t *self, buffer_t *frames)
{
    if (frames->failed)
        peer_close (self, CLOSE_SERVER, "no memory");
    else if (self->state == PEER_OPEN && self->out.size == 0 && frames->size > 0) {
        buffer_clear (&self->out);
        self->out = *frames;
        *frames = (buffer_t) { 0 };
    } else if (self->state == PEER_OPEN)
        append_out (self, frames->data, frames->size);
    buffer_clear (frames);
    peer_want_flush (self);
    see_to_pause (self);
}

void
peer_say (peer_t *self, const void *bytes, size_t size)
{
    peer_send_shared (self, bytes, size);
    see_to_pause (self);
}

void
peer_has_room (peer_t *self)
{
    peer_send_out (self);
    go_on_watching (self);
    see_to_pause (self);
}

void
peer_flush (peer_t *self)
{
    self->wants_flush = false;
    peer_send_out (self);
    if (self->has_waiting && !peer_is_full (self))
        go_on_watching (self);
    see_to_pause (self);
    peer_let_go (self);
}

/* ---- hello ---- */

void
peer_fail_token (peer_t *self, const troupe_error_t *error)
{
    if (self->codec->form == FORM_SSE) {
        watch_forbid_all (self, error);
        return;
    }
    peer_say_error (self, ERROR_PROTOCOL, 0, error, 0);
    peer_close (self, CLOSE_TOKEN, "token");
}

/*  It is told so, as by a limit of its own. */
static void
fail_hello (peer_t *self, const troupe_error_t *error, uint32_t retry_after_ms)
{
    if (error->status == TROUPE_FORBIDDEN) {
        peer_fail_token (self, error);
        return;
    }
    peer_say_error (self, ERROR_PROTOCOL, 0, error, retry_after_ms);
    peer_close (self, CLOSE_POLICY, "who asks cannot be told now");
}

/*  Its token is looked at when it ends. */
static void
note_end (edge_t *edge, uint64_t until_ms)
{
    if (until_ms && until_ms < edge->look_at_ms)
        edge->look_at_ms = until_ms;
}

/*  False: it is somebody else already, or there is no memory, and the client is told. After the hello nobody is
 *  somebody as well, since its session is named by who it is. */
static bool
become (peer_t *self, const identity_t *who)
{
    troupe_error_t error;
    troupe_status_t status = TROUPE_OK;
    bool is_known = self->who || self->state == PEER_OPEN;
    if (is_known && strcmp (peer_identity (self)->subject, who->subject) != 0)
        status = error_set (&error, TROUPE_FORBIDDEN, "the token is another subject's");
    else if (!self->who && !(self->who = memory_alloc (sizeof *self->who)))
        status = error_set (&error, TROUPE_OVERLOADED, "no memory");
    if (status != TROUPE_OK) {
        peer_fail_token (self, &error);
        return false;
    }
    *self->who = *who;
    note_end (self->edge, who->until_ms);
    return true;
}

/*  False: the token is no good, and the client is told. */
static bool
identify (peer_t *self, const char *token)
{
    troupe_error_t error;
    identity_t who = { .subject = "" };
    troupe_status_t status = secret_is_api_key (token)
                                 ? error_set (&error, TROUPE_FORBIDDEN, "an API key is shown in the hello alone")
                                 : edge_identify (self->edge, token, self->address, self->address_size, &who,
                                                  &error);
    if (status == TROUPE_OK)
        return become (self, &who);
    fail_hello (self, &error, status == TROUPE_OVERLOADED ? AGAIN_MS : 0);
    return false;
}

/* ---- API keys ---- */

/*  Takes what was held, hello first. */
static void
take_held (peer_t *self, const buffer_t *held)
{
    for (size_t at = 0, size; at < held->size && is_talking (self); at += sizeof size + size) {
        memcpy (&size, held->data + at, sizeof size);
        if (self->port->again)
            self->port->again (self->connection, held->data + at + sizeof size, size);
        else
            peer_received (self, held->data + at + sizeof size, size);
    }
}

static void
go_on (void *arg, const identity_t *who, const troupe_error_t *error)
{
    peer_t *self = arg;
    asking_t *asking = self->asking;
    asking->key = NULL;
    if (self->state != PEER_ASKING) {  /* it was closed meanwhile */
        stop_asking (self);
        return;
    }
    self->state = PEER_NEW;
    if (!who)
        fail_hello (self, error, 0);
    else if (become (self, who)) {
        buffer_t held = asking->held;
        asking->held = (buffer_t) { 0 };
        take_held (self, &held);
        buffer_clear (&held);
    }
    stop_asking (self);
    see_to_pause (self);
}

static void
ask_key (peer_t *self, const char *text)
{
    troupe_error_t error;
    secret_t key;
    uint32_t retry_after_ms = 0;
    troupe_status_t status = api_key_read (text, &key, &error);
    if (status == TROUPE_OK && !(self->asking = memory_zalloc (sizeof *self->asking)))
        status = error_set (&error, TROUPE_OVERLOADED, "no memory");
    if (status == TROUPE_OK)
        status = api_key_ask (self->edge, &key, self->address, self->address_size, go_on, self, &self->asking->key,
                              &retry_after_ms, &error);
    if (status == TROUPE_OK) {
        self->asking->held.limit = 2 * (size_t) self->edge->options.limits.message_bytes;
        self->state = PEER_ASKING;
    } else {
        stop_asking (self);
        fail_hello (self, &error, retry_after_ms);
    }
}

/*  What comes meanwhile is little: nothing more is read. */
static void
hold (peer_t *self, const void *bytes, size_t size)
{
    buffer_t *held = &self->asking->held;
    if (!buffer_reserve (held, sizeof size + size)) {  /* both or none of them */
        peer_close (self, CLOSE_POLICY, "too much before a welcome");
        return;
    }
    buffer_append (held, &size, sizeof size);
    buffer_append (held, bytes, size);
}

static void
name_session (peer_t *self, const client_message_t *message)
{
    const char *epoch = self->edge->host.epoch, *subject = peer_identity (self)->subject;
    self->session_state = !message->has_session                                          ? SESSION_NONE
                          : *message->epoch == '\0' || strcmp (message->epoch, epoch) == 0 ? SESSION_OK
                                                                                           : SESSION_NEW;
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof self->session);
    crypto_generichash_update (&state, (const uint8_t *) epoch, strlen (epoch) + 1);
    crypto_generichash_update (&state, (const uint8_t *) subject, strlen (subject) + 1);
    crypto_generichash_update (&state, message->session, sizeof message->session);
    crypto_generichash_final (&state, self->session, sizeof self->session);
}

static void
take_hello (peer_t *self, const client_message_t *message)
{
    const edge_options_t *options = &self->edge->options;
    troupe_error_t error;
    if (message->number != 1) {
        error_set (&error, TROUPE_INVALID, "hello: this server speaks version 1");
        peer_say_error (self, ERROR_PROTOCOL, 0, &error, 0);
        peer_close (self, CLOSE_PROTOCOL, "version");
        return;
    }
    if (self->port->credit && message->credit == 0) {
        error_set (&error, TROUPE_INVALID, "hello: credit: is missing");
        peer_say_error (self, ERROR_PROTOCOL, 0, &error, 0);
        peer_close (self, CLOSE_PROTOCOL, "credit");
        return;
    }
    if (secret_is_api_key (message->token) && !self->asking) {
        ask_key (self, message->token);
        return;
    }
    if (*message->token && !self->asking && !identify (self, message->token))
        return;
    if (self->port->credit)
        self->port->credit (self->connection, message->credit);
    name_session (self, message);
    self->state = PEER_OPEN;
    welcome_t welcome = {
        .epoch = self->edge->host.epoch,
        .subject = peer_identity (self)->subject,
        .now_ms = self->edge->host.now_ms (self->edge->host.self),
        .session = self->session_state,
        .limits = options->limits
    };
    size_t place = peer_open_frame (self);
    self->codec->welcome (&self->out, &welcome);
    peer_close_frame (self, place);
}

/* ---- messages ---- */

uint32_t
peer_rest (peer_t *self, uint32_t retry_after_ms)
{
    if (!self->port->rest)
        return retry_after_ms;
    self->port->rest (self->connection, REST_MS);
    return retry_after_ms > REST_MS ? retry_after_ms : REST_MS;
}

troupe_status_t
peer_may (peer_t *self, rate_class_t class, uint32_t *retry_after_ms, troupe_error_t *error)
{
    troupe_status_t status = edge_may (self->edge, class, peer_identity (self), self->address, self->address_size,
                                       retry_after_ms, error);
    if (status == TROUPE_OVERLOADED)
        *retry_after_ms = peer_rest (self, *retry_after_ms);
    return status;
}

/*  It counts as a read. */
static void
take_watch (peer_t *self, const client_message_t *message)
{
    troupe_error_t error;
    uint32_t retry_after_ms;
    if (peer_may (self, RATE_READ, &retry_after_ms, &error) == TROUPE_OK)
        watch_begin (self, message);
    else
        peer_say_error (self, ERROR_WATCH, message->number, &error, retry_after_ms);
}

static void
take_unwatch (peer_t *self, const client_message_t *message)
{
    watch_t *watch = watch_find (self, message->number);
    if (watch)
        watch_end (watch);
    size_t place = peer_open_frame (self);
    self->codec->unwatched (&self->out, (uint32_t) message->number);
    peer_close_frame (self, place);
}

static void
take_ping (peer_t *self, const client_message_t *message)
{
    const host_port_t *host = &self->edge->host;
    size_t place = peer_open_frame (self);
    self->codec->pong (&self->out, message->number, host->now_ms (host->self));
    peer_close_frame (self, place);
}

void
peer_fail (peer_t *self, const troupe_error_t *error)
{
    peer_say_error (self, ERROR_PROTOCOL, 0, error, 0);
    peer_close (self, CLOSE_PROTOCOL, "message");
}

static void
take_credit (peer_t *self, const client_message_t *message)
{
    troupe_error_t error;
    if (self->port->credit) {
        self->port->credit (self->connection, message->number);
        return;
    }
    error_set (&error, TROUPE_INVALID, "credit: of no use on this connection");
    peer_fail (self, &error);
}

static void
take (peer_t *self, const client_message_t *message)
{
    troupe_error_t error;
    count_up (&self->edge->counts.messages, 1);
    if ((message->type == CLIENT_HELLO) != (self->state == PEER_NEW)) {
        error_set (&error, TROUPE_INVALID, "hello comes first, and once");
        peer_fail (self, &error);
        return;
    }
    switch (message->type) {
    case CLIENT_HELLO:
        take_hello (self, message);
        break;
    case CLIENT_TOKEN:
        if (identify (self, message->token))
            watch_check_all (self);
        break;
    case CLIENT_CALL:
        peer_call (self, message);
        break;
    case CLIENT_CAST:
        peer_cast (self, message);
        break;
    case CLIENT_WATCH:
        take_watch (self, message);
        break;
    case CLIENT_UNWATCH:
        take_unwatch (self, message);
        break;
    case CLIENT_PING:
        take_ping (self, message);
        break;
    case CLIENT_CREDIT:
        take_credit (self, message);
        break;
    case CLIENT_GOODBYE:
        peer_close (self, CLOSE_DONE, "");
        break;
    case CLIENT_TYPES:
        CHECK (false);
    }
}

void
peer_watch (peer_t *self, const identity_t *who, const client_message_t *message)
{
    troupe_error_t error;
    self->state = PEER_OPEN;
    self->who = memory_alloc (sizeof *self->who);
    if (!self->who) {
        error_set (&error, TROUPE_OVERLOADED, "no memory");
        peer_say_error (self, ERROR_WATCH, message->number, &error, 0);
        return;
    }
    *self->who = *who;
    note_end (self->edge, who->until_ms);
    count_up (&self->edge->counts.messages, 1);
    watch_begin (self, message);
}

static bool
is_listening (const peer_t *self)
{
    return self->state == PEER_NEW || self->state == PEER_OPEN;
}

static troupe_status_t
take_text (peer_t *self, const void *bytes, size_t size, troupe_error_t *error)
{
    client_message_t message;
    troupe_status_t status = TROUPE_OK;
    text_reader_t *reader = &self->edge->text;
    text_open (reader, bytes, size);
    while (is_listening (self) && (status = text_next (reader, &message, error)) == TROUPE_OK)
        take (self, &message);
    return status;
}

static troupe_status_t
take_binary (peer_t *self, const void *bytes, size_t size, troupe_error_t *error)
{
    client_message_t message;
    binary_reader_t *reader = &self->edge->binary;
    troupe_status_t status = TROUPE_OK;
    if (!self->routes && !(self->routes = memory_zalloc (sizeof *self->routes)))
        return error_set (error, TROUPE_NO_MEMORY, "no memory");
    binary_open (reader, self->routes, bytes, size);
    while (is_listening (self) && (status = binary_next (reader, &message, error)) == TROUPE_OK)
        take (self, &message);
    return status;
}

void
peer_received (peer_t *self, const void *bytes, size_t size)
{
    troupe_error_t error;
    troupe_status_t status = TROUPE_OK;
    if (!is_talking (self))
        return;
    if (is_listening (self))
        status = form_is_binary (self->codec->form) ? take_binary (self, bytes, size, &error)
                                                    : take_text (self, bytes, size, &error);
    if (self->state == PEER_ASKING)
        hold (self, bytes, size);
    else if (status != TROUPE_OK && status != TROUPE_NOT_FOUND)
        peer_fail (self, &error);
    see_to_pause (self);
}
