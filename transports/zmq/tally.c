/*  tally.c - for the benches: a worker of a remote kind, as small as one in C can be. */
#include "transports/zmq/tally.h"

#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "transports/edge/binary_client.h"
#include "transports/edge/binary_fields.h"
#include "transports/zmq/work.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define CREDIT (4u << 20)
#define MESSAGE_COST 64
#define CAPACITY 1024
#define STATE_BYTES 200
#define PATIENCE_MS 5000      /* for the first answers */

enum { ANNOUNCED = 0x90, OFFER, SETTLED, BEAT, LEFT };

struct tally_s {
    void *context, *socket;
    pthread_t thread;
    bool has_thread;
    uint64_t used;            /* credit not given back */
    binary_reader_t reader;
    buffer_t effects, out;
};

/* ---- what it does ---- */

/*  How often `add` ran so far: the first bytes of the state. */
static uint32_t
count_of (span_t offer)
{
    uint32_t count = 0;
    packed_reader_t found, inner;
    packed_value_t value;
    if (packed_find (offer.bytes, offer.size, "state", &found)
        && packed_find (found.at, (size_t) (found.end - found.at), "cells", &inner) && packed_next (&inner, &value)
        && value.type == PACKED_BYTES && value.string.size == STATE_BYTES)
        memcpy (&count, value.string.bytes, sizeof count);
    return count;
}

static void
put_string (buffer_t *to, const char *text)
{
    packed_put_string (to, text, strlen (text));
}

static void
handle (tally_t *self, uint64_t number, span_t offer)
{
    uint8_t state[STATE_BYTES] = { 0 };
    uint32_t count = count_of (offer) + 1;
    memcpy (state, &count, sizeof count);
    buffer_reset (&self->effects);
    packed_put_array (&self->effects, 2);
    packed_put_array (&self->effects, 3);
    put_string (&self->effects, "store");
    put_string (&self->effects, "cells");
    packed_put_bytes (&self->effects, state, sizeof state);
    packed_put_array (&self->effects, 2);
    put_string (&self->effects, "reply");
    packed_put_object (&self->effects, 1);
    put_string (&self->effects, "n");
    packed_put_int (&self->effects, count);
    buffer_byte (&self->out, WORK_DONE);
    put_number (&self->out, number);
    put_text (&self->out, "ok");
    put_text (&self->out, "");
    put_span (&self->out, self->effects.data, self->effects.size);
}

/* ---- what it hears ---- */

static troupe_status_t
take_settled (binary_reader_t *reader, troupe_error_t *error)
{
    uint64_t number;
    troupe_status_t status = TROUPE_OK;
    for (int i = 0; i < 3 && status == TROUPE_OK; i++)
        status = take_number (reader, "settled", &number, error);
    return status;
}

static troupe_status_t
take_announced (binary_reader_t *reader, troupe_error_t *error)
{
    char name[32], text[WORK_TEXT_MAX + 1];
    troupe_status_t status = take_text (reader, "status", name, sizeof name - 1, error);
    if (status == TROUPE_OK)
        status = take_text (reader, "text", text, WORK_TEXT_MAX, error);
    if (status == TROUPE_OK && strcmp (name, "ok") != 0)
        status = error_set (error, TROUPE_REFUSED, "%s: %s", name, text);
    return status;
}

static troupe_status_t
take_offer (tally_t *self, troupe_error_t *error)
{
    uint64_t number;
    span_t offer;
    troupe_status_t status = take_number (&self->reader, "offer", &number, error);
    if (status == TROUPE_OK)
        status = take_span (&self->reader, "offer", &offer, error);
    if (status == TROUPE_OK)
        handle (self, number, offer);
    return status;
}

/*  Of a part that is not of workers only its first type matters: a welcome, or the end. */
static troupe_status_t
take_part (tally_t *self, const uint8_t *bytes, size_t size, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    binary_reader_t *reader = &self->reader;
    binary_open (reader, NULL, bytes, size);
    while (status == TROUPE_OK && reader->at < reader->end)
        switch (*reader->at++) {
        case ANNOUNCED: status = take_announced (reader, error); break;
        case OFFER: status = take_offer (self, error); break;
        case SETTLED: status = take_settled (reader, error); break;
        case BEAT: break;
        case TYPE_WELCOME: reader->at = reader->end; break;
        default: return error_set (error, TROUPE_REFUSED, "the node ended it (%02x)", reader->at[-1]);
        }
    return status;
}

/* ---- messages ---- */

static bool
send_out (tally_t *self)
{
    bool is_sent = !self->out.failed
                   && (self->out.size == 0 || zmq_send (self->socket, self->out.data, self->out.size, 0) >= 0);
    buffer_reset (&self->out);
    return is_sent;
}

/*  False: nothing came, or it has to end. Outcomes leave as they came: those of one message in one. */
static bool
go_round (tally_t *self, troupe_error_t *error)
{
    zmq_msg_t part;
    zmq_msg_init (&part);
    bool is_good = zmq_msg_recv (&part, self->socket, 0) >= 0;
    if (!is_good)
        error_set (error, TROUPE_TIMEOUT, "ZeroMQ: %s", zmq_strerror (errno));
    if (is_good) {
        self->used += zmq_msg_size (&part) + MESSAGE_COST;
        is_good = take_part (self, zmq_msg_data (&part), zmq_msg_size (&part), error) == TROUPE_OK
                  && send_out (self);
    }
    zmq_msg_close (&part);
    if (!is_good || self->used < CREDIT / 2)
        return is_good;
    say_credit (&self->out, self->used);
    self->used = 0;
    return send_out (self);
}

static void *
run (void *self)
{
    troupe_error_t error;
    while (go_round (self, &error))
        ;
    return NULL;
}

/* ---- its life ---- */

static bool
introduce (tally_t *self, const char *token)
{
    static const char table[] = "\x83\xa4kind\xa5tally\xa7version\x01\xa5verbs\x91\x82\xa4name\xa3" "add\xa5" "allow"
                                "\xa6" "anyone";
    say_hello (&self->out, &(hello_t) { .token = token, .client = "tally", .credit = CREDIT });
    if (!send_out (self))
        return false;
    buffer_byte (&self->out, WORK_ANNOUNCE);
    put_number (&self->out, CAPACITY);
    put_number (&self->out, 0);
    put_span (&self->out, table, sizeof table - 1);
    return send_out (self);
}

static troupe_status_t
open_socket (tally_t *self, const char *at, troupe_error_t *error)
{
    char endpoint[128];
    int linger = 0, patience_ms = PATIENCE_MS, no_bound = 0;
    snprintf (endpoint, sizeof endpoint, "tcp://%s", at);
    self->context = zmq_ctx_new ();
    self->socket = self->context ? zmq_socket (self->context, ZMQ_DEALER) : NULL;
    if (!self->socket)
        return error_set (error, TROUPE_NO_MEMORY, "ZeroMQ: %s", zmq_strerror (errno));
    zmq_setsockopt (self->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt (self->socket, ZMQ_RCVHWM, &no_bound, sizeof no_bound);  /* credit bounds it */
    zmq_setsockopt (self->socket, ZMQ_RCVTIMEO, &patience_ms, sizeof patience_ms);
    return zmq_connect (self->socket, endpoint) == 0
               ? TROUPE_OK
               : error_set (error, TROUPE_INVALID, "%s: %s", at, zmq_strerror (errno));
}

tally_t *
tally_start (const char *at, const char *token, troupe_error_t *error)
{
    int for_ever = -1;
    tally_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for a worker");
        return NULL;
    }
    bool is_open = open_socket (self, at, error) == TROUPE_OK;
    if (is_open && introduce (self, token) && go_round (self, error) && go_round (self, error)) {
        zmq_setsockopt (self->socket, ZMQ_RCVTIMEO, &for_ever, sizeof for_ever);
        self->has_thread = thread_start (&self->thread, "tally", run, self, error) == TROUPE_OK;
    }
    if (!self->has_thread)
        tally_stop (&self);
    return self;
}

void
tally_stop (tally_t **self_p)
{
    tally_t *self = *self_p;
    if (!self)
        return;
    if (self->has_thread) {
        zmq_ctx_shutdown (self->context);  /* ends the thread */
        pthread_join (self->thread, NULL);
    }
    if (self->socket)
        zmq_close (self->socket);
    if (self->context)
        zmq_ctx_term (self->context);
    buffer_clear (&self->effects);
    buffer_clear (&self->out);
    memory_free (self);
    *self_p = NULL;
}
