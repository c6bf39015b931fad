/*  peer_call.c - calls and casts of a conversation: who may, how often, in which order, and the answer.
 *
 *  DESIGN
 *  What is refused here for now never reached a shard, so the order of its session is kept here (runtime/lane.h), as
 *  shards keep that of what they refused.
 */
#include "transports/edge/edge_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/edge/envelope.h"
#include "transports/edge/exchange.h"

#include <string.h>

/*  A call on its way. */
typedef struct {
    inbox_item_t item;
    peer_t *peer;
    uint64_t seq;
    buffer_t out;  /* the frame of the answer */
} pending_t;

/*  On a thread of the node. */
static void
answer (void *arg, const troupe_answer_t *answer)
{
    pending_t *self = arg;
    const codec_t *codec = self->peer->codec;
    size_t place = envelope_open (&self->out);
    if (answer->status == TROUPE_OK)
        codec->reply (&self->out, self->seq, answer->body, answer->size);
    else
        codec->error (&self->out, ERROR_CALL, self->seq, answer->status, answer->text, answer->retry_after_ms);
    envelope_close (&self->out, place, envelopes[codec->form]);
    edge_tell (self->peer->edge, &self->item);
}

/*  On a thread of the node. */
static void
end_cast (void *arg, const troupe_answer_t *answer)
{
    (void) answer;
    pending_t *self = arg;
    edge_tell (self->peer->edge, &self->item);
}

void
peer_answered (inbox_item_t *item)
{
    pending_t *pending = (pending_t *) item;
    pending->peer->in_flight -= 1;
    peer_take_frames (pending->peer, &pending->out);
    memory_free (pending);
}

static bool
is_of_session (const peer_t *self, const client_message_t *message)
{
    return message->type == CLIENT_CALL && message->until_ms && self->session_state == SESSION_OK;
}

/*  What the order of its session knows it by; nothing of a call without one. */
static troupe_call_t
name_call (const peer_t *self, const client_message_t *message)
{
    troupe_call_t call = { .seq = 0 };
    if (!is_of_session (self, message))
        return call;
    memcpy (call.session, self->session, sizeof call.session);
    call.seq = message->number;
    call.not_after_ms = message->until_ms;
    call.ordered = true;
    return call;
}

/*  How much it asks for; what is refused for another reason counts as well. */
static troupe_status_t
check_rate (peer_t *self, const troupe_verb_t *verb, uint32_t *retry_after_ms, troupe_error_t *error)
{
    *retry_after_ms = 1;
    if (!self->port->pause && peer_is_over (self))
        return error_set (error, TROUPE_OVERLOADED, "too many calls without an answer");
    return peer_may (self, verb && verb->reads ? RATE_READ : RATE_COMMAND, retry_after_ms, error);
}

/*  What may be called, by whom. NULL: there is no such verb. */
static troupe_status_t
check_permit (peer_t *self, const client_message_t *message, const troupe_verb_t *verb, troupe_error_t *error)
{
    if (!verb) {
        (void) edge_verb (self->edge, message->to, message->verb, error);
        return error->status;
    }
    permit_t permit = { verb->allow, verb->role, verb->name };
    return edge_permit (self->edge, &permit, peer_identity (self), message->to, error);
}

/*  It comes back as an answer, a cast as an empty one: both count against what a client has in flight. `call` has its
 *  name, and gets the rest. */
static troupe_status_t
submit (peer_t *self, const client_message_t *message, troupe_call_t *call, troupe_error_t *error)
{
    const host_port_t *host = &self->edge->host;
    bool is_cast = message->type == CLIENT_CAST;
    pending_t *pending = memory_zalloc (sizeof *pending);
    if (!pending)
        return error_set (error, TROUPE_OVERLOADED, "no memory for one more call");
    *pending = (pending_t) { .item.type = ITEM_ANSWER, .peer = self, .seq = message->number };
    call->to = message->to;
    call->verb = message->verb;
    call->body = message->body;
    call->size = message->size;
    call->subject = peer_identity (self)->subject;
    call->trace = message->trace;
    call->done = is_cast ? end_cast : answer;
    call->arg = pending;
    troupe_status_t status = host->submit (host->self, call, error);
    if (status != TROUPE_OK) {
        memory_free (pending);
        return status;
    }
    self->in_flight += 1;
    count_up (&self->edge->counts.calls, 1);
    return TROUPE_OK;
}

/*  Calls of a session are handled in order: behind one that was refused for now none goes through (rule 7). */
static troupe_status_t
try_call (peer_t *self, const client_message_t *message, uint32_t *retry_after_ms, troupe_error_t *error)
{
    edge_t *edge = self->edge;
    troupe_call_t call = name_call (self, message);
    uint64_t now_ms = call.ordered ? edge->host.now_ms (edge->host.self) : 0;
    const troupe_verb_t *verb = edge_verb (edge, message->to, message->verb, error);
    troupe_status_t status;
    if (lanes_refuse (&edge->lanes, &call, now_ms)) {
        status = error_set (error, TROUPE_OVERLOADED, "calls before this one wait");
        *retry_after_ms = peer_rest (self, 1);
    } else
        status = check_rate (self, verb, retry_after_ms, error);
    if (status == TROUPE_OK && message->until_ms && self->session_state == SESSION_NEW)
        status = error_set (error, TROUPE_UNKNOWN, "the session is of another epoch");
    if (status == TROUPE_OK)
        status = check_permit (self, message, verb, error);
    if (status == TROUPE_OK)
        status = submit (self, message, &call, error);
    if (status != TROUPE_OVERLOADED)
        lanes_forget (&edge->lanes, &call, now_ms);
    else if (lanes_remember (&edge->lanes, &call, now_ms) != TROUPE_OK)
        status = error_set (error, TROUPE_INVALID, "too many refused calls of ordered sessions are to come");
    return status;
}

void
peer_call (peer_t *self, const client_message_t *message)
{
    troupe_error_t error;
    uint32_t retry_after_ms = 0;
    troupe_status_t status = try_call (self, message, &retry_after_ms, &error);
    if (status != TROUPE_OK)
        peer_say_error (self, ERROR_CALL, message->number, &error, status == TROUPE_OVERLOADED ? retry_after_ms : 0);
}

void
peer_cast (peer_t *self, const client_message_t *message)
{
    troupe_error_t error;
    uint32_t retry_after_ms;
    troupe_call_t call = { .seq = 0 };
    const troupe_verb_t *verb = edge_verb (self->edge, message->to, message->verb, &error);
    troupe_status_t status = check_rate (self, verb, &retry_after_ms, &error);
    if (status == TROUPE_OK)
        status = check_permit (self, message, verb, &error);
    if (status != TROUPE_OK || submit (self, message, &call, &error) != TROUPE_OK)
        count_up (&self->edge->counts.errors, 1);
}
