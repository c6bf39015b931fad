/*  client_core.c - a client without a socket.
 *
 *  DESIGN
 *  Calls stand in one row in the order of their submission, and `next` is the first that may have to be sent: a new
 *  connection, and a call that was not accepted, set it back, so that none overtakes another. A call is known by its
 *  number; its end by the node's clock is fixed when it is sent first. Routes are a cache by hash: a route
 *  that another call needs is said anew.
 *
 *  Whoever is told an outcome or an event may use the client: nothing is touched behind such a call but what was read
 *  again.
 */
#include "transports/zmq/client_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/answer.h"
#include "runtime/body/packed.h"
#include "transports/auth/secret.h"

#include <sodium.h>
#include <stdio.h>

#define RETRY_MS 50          /* for who was told no better time */
#define WATCH_RETRY_MS 1000  /* of a watch */
#define KEEP_MS 60000        /* before the node told how long it keeps calls */

struct core_call_s {
    table_node_t node;
    core_call_t *before, *after;
    uint64_t seq;                /* 0: a cast */
    uint64_t end_ms;
    uint64_t until_ms;           /* by the node's clock; 0: it was never sent */
    uint64_t again_ms;           /* it was not accepted: not before */
    bool is_sent;                /* in this connection */
    bool is_lost;                /* with the store that it was sent to */
    troupe_done_t *done;
    void *arg;
    size_t size;                 /* of the body */
    uint16_t verb_at, trace_at, body_at;
    char text[];                 /* address NUL verb NUL trace NUL body */
};

/* ---- life ---- */

static void
new_session (core_t *self)
{
    randombytes_buf (self->session, sizeof self->session);
    self->session[0] |= 1;  /* not all of them 0 */
    self->epoch[0] = '\0';
    self->seq = 0;
}

bool
core_init (core_t *self, const troupe_client_options_t *options)
{
    *self = (core_t) { .timeout_ms = options->timeout_ms, .wants_connection = true, .end_ms = CORE_NEVER,
                       .watches_ms = CORE_NEVER };
    self->name = memory_strdup (options->name);
    self->token = memory_strdup (options->token);
    new_session (self);
    return self->name && self->token;
}

static void
forget_routes (core_t *self)
{
    for (unsigned i = 0; i < ROUTES_MOST; i++) {
        memory_free (self->routes[i]);
        self->routes[i] = NULL;
    }
    self->until_ms = 0;
}

/* ---- outcomes ---- */

static void
take_out (core_t *self, core_call_t *call)
{
    *(call->before ? &call->before->after : &self->first) = call->after;
    *(call->after ? &call->after->before : &self->last) = call->before;
    if (self->next == call)
        self->next = call->after;
    if (call->seq)
        table_remove (&self->calls, &call->node);
    self->bytes -= sizeof *call + call->body_at + call->size;
    self->count -= 1;
}

static void
end_call (core_t *self, core_call_t *call, const troupe_answer_t *answer)
{
    take_out (self, call);
    self->told += 1;
    if (call->done)
        answer_deliver (call->done, call->arg, answer);
    memory_free (call);
}

static void
fail_call (core_t *self, core_call_t *call, troupe_status_t status, const char *text)
{
    end_call (self, call, &(troupe_answer_t) { .status = status, .text = text });
}

static core_call_t *
find_call (core_t *self, uint64_t seq)
{
    uint32_t hash = (uint32_t) hash_mix (seq, 0);
    for (table_node_t *node = table_chain (&self->calls, hash); node; node = node->next)
        if (((core_call_t *) node)->seq == seq)
            return (core_call_t *) node;
    return NULL;
}

/* ---- calls ---- */

static troupe_status_t
check_call (const core_t *self, const troupe_client_call_t *call, troupe_error_t *error)
{
    if (self->fatal.status != TROUPE_OK)
        return error_set (error, self->fatal.status, "%s", self->fatal.text);
    if (!fits (call->to, 3, TROUPE_ADDRESS_MAX) || !strchr (call->to, '/'))
        return error_set (error, TROUPE_INVALID, "kind/id is wanted, not \"%.60s\"", call->to);
    if (!fits (call->verb, 1, TROUPE_NAME_MAX))
        return error_set (error, TROUPE_INVALID, "a verb has 1 to %d bytes", TROUPE_NAME_MAX);
    if (call->trace && !fits (call->trace, 0, TRACE_MAX))
        return error_set (error, TROUPE_INVALID, "a trace has at most %d bytes", TRACE_MAX);
    if (call->size > TROUPE_BODY_MAX)
        return error_set (error, TROUPE_TOO_LARGE, "a body has at most %u bytes", TROUPE_BODY_MAX);
    if (self->bytes > CORE_WAITING_MOST)
        return error_set (error, TROUPE_OVERLOADED, "more than %u bytes wait for the node", CORE_WAITING_MOST);
    return TROUPE_OK;
}

static core_call_t *
copy_call (const troupe_client_call_t *call)
{
    const char *trace = call->trace ? call->trace : "";
    size_t verb_at = strlen (call->to) + 1, trace_at = verb_at + strlen (call->verb) + 1;
    size_t body_at = trace_at + strlen (trace) + 1;
    core_call_t *copy = memory_alloc (sizeof *copy + body_at + call->size);
    if (!copy)
        return NULL;
    *copy = (core_call_t) { .done = call->done, .arg = call->arg, .size = call->size, .verb_at = (uint16_t) verb_at,
                            .trace_at = (uint16_t) trace_at, .body_at = (uint16_t) body_at };
    memcpy (copy->text, call->to, verb_at);
    memcpy (copy->text + verb_at, call->verb, trace_at - verb_at);
    memcpy (copy->text + trace_at, trace, body_at - trace_at);
    if (call->size)
        memcpy (copy->text + body_at, call->body, call->size);
    return copy;
}

troupe_status_t
core_submit (core_t *self, const troupe_client_call_t *call, uint64_t now_ms, troupe_error_t *error)
{
    troupe_status_t status = check_call (self, call, error);
    core_call_t *copy = status == TROUPE_OK ? copy_call (call) : NULL;
    if (status != TROUPE_OK)
        return status;
    if (copy && call->done) {
        copy->seq = self->seq + 1;
        if (!table_insert (&self->calls, &copy->node, (uint32_t) hash_mix (copy->seq, 0))) {
            memory_free (copy);
            copy = NULL;
        }
    }
    if (!copy)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for a call");
    self->seq += call->done != NULL;
    copy->end_ms = now_ms + (call->timeout_ms ? call->timeout_ms : self->timeout_ms);
    copy->before = self->last;
    *(self->last ? &self->last->after : &self->first) = copy;
    self->last = copy;
    if (!self->next)
        self->next = copy;
    if (copy->end_ms < self->end_ms)
        self->end_ms = copy->end_ms;
    self->bytes += sizeof *copy + copy->body_at + copy->size;
    self->count += 1;
    return TROUPE_OK;
}

/*  False: no memory, and it is said in full. */
static bool
route_is_known (core_t *self, const core_call_t *call, uint32_t *route)
{
    *route = (uint32_t) hash_bytes (call->text, call->trace_at, 0) % ROUTES_MOST;
    char *known = self->routes[*route];
    if (known && strcmp (known, call->text) == 0 && strcmp (known + call->verb_at, call->text + call->verb_at) == 0)
        return true;
    memory_free (known);
    self->routes[*route] = memory_alloc (call->trace_at);
    if (self->routes[*route])
        memcpy (self->routes[*route], call->text, call->trace_at);
    return false;
}

static void
fix_end (core_t *self, core_call_t *call, uint64_t now_ms)
{
    uint64_t keep_ms = self->limits.keep_ms ? self->limits.keep_ms : KEEP_MS;
    uint64_t left_ms = call->end_ms > now_ms ? call->end_ms - now_ms : 0;
    call->until_ms = (uint64_t) ((int64_t) (now_ms + (left_ms < keep_ms ? left_ms : keep_ms)) + self->ahead_ms);
}

static void
say_item (core_t *self, core_call_t *call, uint64_t now_ms)
{
    uint32_t route;
    buffer_t *out = &self->out;
    if (!route_is_known (self, call, &route))
        say_route (out, route, call->text, call->text + call->verb_at);
    if (call->seq && !call->until_ms)
        fix_end (self, call, now_ms);
    if (call->seq && call->until_ms != self->until_ms) {
        say_until (out, call->until_ms);
        self->until_ms = call->until_ms;
    }
    if (call->text[call->trace_at])
        say_trace (out, call->text + call->trace_at);
    if (call->seq)
        say_call (out, route, call->seq, call->text + call->body_at, call->size);
    else
        say_cast (out, route, call->text + call->body_at, call->size);
    call->is_sent = true;
}

/*  As much as fits a message, in order; none overtakes one that waits. */
static void
say_calls (core_t *self, uint64_t now_ms)
{
    while (self->next && !self->out.failed) {
        core_call_t *call = self->next;
        size_t size = call->body_at + call->size + ITEM_OVERHEAD;
        if (call->is_sent) {
            self->next = call->after;
            continue;
        }
        if (size > self->limits.message_bytes) {
            fail_call (self, call, TROUPE_TOO_LARGE, "larger than the messages that the node takes");
            continue;
        }
        bool is_full = self->out.size > 0 && (self->out.size + size > CORE_PART_MOST
                                              || self->out.size + size > self->limits.message_bytes);
        if (is_full || call->again_ms > now_ms || (call->seq && self->in_flight >= self->limits.in_flight))
            return;
        say_item (self, call, now_ms);
        self->next = call->after;
        if (call->seq)
            self->in_flight += 1;
        else
            fail_call (self, call, TROUPE_OK, "");
    }
}

/* ---- the connection ---- */

void
core_lost (core_t *self, const char *why)
{
    self->is_welcome = false;
    self->wants_connection = true;
    if (why)
        snprintf (self->trouble, sizeof self->trouble, "%s", why);
}

static void
say_hello_again (core_t *self)
{
    hello_t hello = { .token = self->token, .epoch = self->epoch, .client = self->name, .session = self->session,
                      .credit = CORE_CREDIT };
    buffer_reset (&self->out);
    say_hello (&self->out, &hello);
}

void
core_connected (core_t *self, uint64_t now_ms)
{
    self->is_welcome = self->wants_connection = self->wants_token = self->wants_ping = false;
    self->used = 0;
    self->in_flight = 0;
    self->heard_ms = self->pinged_ms = now_ms;
    forget_routes (self);
    watches_begin_again (self);
    for (core_call_t *call = self->first; call; call = call->after) {
        call->is_sent = false;
        call->again_ms = 0;
    }
    self->next = self->first;
    say_hello_again (self);
}

troupe_status_t
core_token (core_t *self, const char *token, troupe_error_t *error)
{
    char *copy = memory_strdup (token);
    if (!fits (token, 1, TOKEN_MAX) || !copy) {
        memory_free (copy);
        return error_set (error, copy ? TROUPE_INVALID : TROUPE_NO_MEMORY, "a token has 1 to %d bytes", TOKEN_MAX);
    }
    memory_free (self->token);
    self->token = copy;
    self->wants_token = true;
    if (self->fatal.status != TROUPE_OK)
        self->wants_connection = true;
    self->fatal.status = TROUPE_OK;
    return TROUPE_OK;
}

void
core_fill (core_t *self, uint64_t now_ms)
{
    if (!self->is_welcome)
        return;
    if (self->used >= CORE_CREDIT / 2) {
        say_credit (&self->out, self->used);
        self->used = 0;
    }
    if (self->wants_token && !secret_is_api_key (self->token))  /* that is shown in a hello alone */
        say_token (&self->out, self->token);
    if (self->wants_ping)
        say_ping (&self->out, 1);
    self->wants_token = self->wants_ping = false;
    if (self->watches_wait || now_ms >= self->watches_ms)
        watches_say (self, now_ms);
    say_calls (self, now_ms);
    if (self->out.failed) {  /* the connection's routes are not known any more: a new one says all again */
        buffer_clear (&self->out);
        core_lost (self, "no memory");
    }
}

/* ---- what is heard ---- */

static uint64_t
number_in (const void *object, size_t size, const char *name, uint64_t otherwise)
{
    packed_reader_t found;
    packed_value_t value;
    if (!packed_find (object, size, name, &found) || !packed_next (&found, &value) || value.type != PACKED_INT
        || value.integer < 0)
        return otherwise;
    return (uint64_t) value.integer;
}

static void
text_in (const void *object, size_t size, const char *name, char *to, size_t most)
{
    packed_reader_t found;
    packed_value_t value;
    to[0] = '\0';
    if (packed_find (object, size, name, &found) && packed_next (&found, &value) && value.type == PACKED_STRING
        && value.string.size <= most) {
        memcpy (to, value.string.bytes, value.string.size);
        to[value.string.size] = '\0';
    }
}

static uint32_t
limit_in (const packed_reader_t *limits, const char *name)
{
    uint64_t number = number_in (limits->at, (size_t) (limits->end - limits->at), name, 1);
    return number < UINT32_MAX ? (uint32_t) number : UINT32_MAX;
}

/*  A call that was not sent yet has a number of the new session; false: no memory for it. */
static bool
renumber (core_t *self, core_call_t *call)
{
    if (call->seq == 0)
        return true;
    call->seq = ++self->seq;
    return table_insert (&self->calls, &call->node, (uint32_t) hash_mix (call->seq, 0));
}

/*  The store is another one: what was sent to the old one is not known; all else is of a new session. Who is told so
 *  may make calls: they come behind, and all others have their numbers by then. */
static void
begin_anew (core_t *self)
{
    new_session (self);
    table_clear (&self->calls);
    for (core_call_t *call = self->first; call; call = call->after) {
        call->is_lost = call->until_ms || !renumber (self, call);
        if (call->is_lost)
            call->seq = 0;  /* it is in no table */
    }
    for (core_call_t *call = self->first, *after; call; call = after) {
        after = call->after;
        if (call->is_lost)
            fail_call (self, call, TROUPE_UNKNOWN, "the node's store is another one now");
    }
    core_lost (self, NULL);
}

static void
heard_welcome (core_t *self, const server_message_t *message, uint64_t now_ms)
{
    char session[8];
    packed_reader_t limits = { NULL, NULL };
    const void *object = message->body;
    size_t size = message->size;
    text_in (object, size, "session", session, sizeof session - 1);
    (void) packed_find (object, size, "limits", &limits);
    self->limits = (edge_limits_t) {
        .message_bytes = limit_in (&limits, "message_bytes"),
        .in_flight = limit_in (&limits, "in_flight"),
        .watches = limit_in (&limits, "watches"),
        .keep_ms = number_in (limits.at, (size_t) (limits.end - limits.at), "keep_ms", KEEP_MS)
    };
    self->ahead_ms = (int64_t) number_in (object, size, "now", now_ms) - (int64_t) now_ms;
    if (strcmp (session, "new") == 0) {
        begin_anew (self);
        return;
    }
    text_in (object, size, "epoch", self->epoch, RESUME_MAX);
    self->is_welcome = true;
    self->trouble[0] = '\0';
}

static void
heard_reply (core_t *self, const server_message_t *message)
{
    core_call_t *call = find_call (self, message->number);
    self->in_flight -= self->in_flight > 0;
    if (call)
        end_call (self, call, &(troupe_answer_t) { .body = message->body, .size = message->size, .text = "" });
}

/*  It was not accepted: it is sent again later, and none of those behind it before. */
static void
put_off (core_t *self, core_call_t *call, uint64_t until_ms)
{
    call->is_sent = false;
    call->again_ms = until_ms;
    if (!self->next || self->next->seq == 0 || self->next->seq > call->seq)
        self->next = call;
}

static void
fail_all (core_t *self, const troupe_error_t *error)
{
    self->fatal = *error;
    self->is_welcome = false;
    while (self->first)
        fail_call (self, self->first, self->first->until_ms ? TROUPE_UNKNOWN : error->status, error->text);
    watches_end (self, error);
}

static void
heard_call_error (core_t *self, const server_message_t *message, const troupe_error_t *error, uint64_t now_ms)
{
    core_call_t *call = find_call (self, message->number);
    self->in_flight -= self->in_flight > 0;
    if (!call)
        return;
    uint64_t again_ms = now_ms + (message->at > RETRY_MS ? message->at : RETRY_MS);
    bool is_for_now = error->status == TROUPE_OVERLOADED || error->status == TROUPE_STOPPING;
    if (is_for_now && again_ms < call->end_ms)
        put_off (self, call, again_ms);
    else
        end_call (self, call, &(troupe_answer_t) { .status = error->status, .text = error->text,
                                                   .retry_after_ms = (uint32_t) message->at });
}

/*  An API key lets us in again after each end, and another token may, which was not shown yet. */
static bool
comes_again (const core_t *self)
{
    return self->wants_token || (self->is_welcome && secret_is_api_key (self->token));
}

static void
heard_error (core_t *self, const server_message_t *message, uint64_t now_ms)
{
    troupe_error_t error;
    error_set (&error, message_status_named (message->more.bytes, message->more.size), "%.*s",
               (int) message->text.size, message->text.bytes);
    switch (message->of) {
    case ERROR_CALL:
        heard_call_error (self, message, &error, now_ms);
        break;
    case ERROR_WATCH:
        watches_refused (self, message->number, &error,
                         now_ms + (message->at > WATCH_RETRY_MS ? message->at : WATCH_RETRY_MS));
        break;
    case ERROR_PROTOCOL:
        if (error.status == TROUPE_FORBIDDEN && !comes_again (self))
            fail_all (self, &error);
        else
            core_lost (self, error.text);
    }
}

static void
heard_goodbye (core_t *self, const server_message_t *message)
{
    char why[160];
    snprintf (why, sizeof why, "the node ended the conversation: %.*s", (int) message->text.size,
              message->text.bytes ? message->text.bytes : "");
    core_lost (self, why);
}

static void
heard (core_t *self, const server_message_t *message, uint64_t now_ms)
{
    switch (message->type) {
    case SERVER_WELCOME:
        heard_welcome (self, message, now_ms);
        break;
    case SERVER_REPLY:
        heard_reply (self, message);
        break;
    case SERVER_ERROR:
        heard_error (self, message, now_ms);
        break;
    case SERVER_WATCHING:
    case SERVER_SNAPSHOT:
    case SERVER_EVENT:
    case SERVER_CUT:
    case SERVER_UNWATCHED:
        watches_heard (self, message);
        break;
    case SERVER_DRAIN:
        self->come_back_ms = now_ms + message->number;
        core_lost (self, "the node goes down");
        break;
    case SERVER_GOODBYE:
        heard_goodbye (self, message);
        break;
    case SERVER_PONG:
    case SERVER_PRESENCE:
        break;
    }
}

void
core_received (core_t *self, const void *bytes, size_t size, uint64_t now_ms)
{
    server_message_t message;
    troupe_error_t error;
    troupe_status_t status;
    self->heard_ms = now_ms;
    self->used += size + CORE_MESSAGE_COST;
    binary_open (&self->reader, NULL, bytes, size);
    while ((status = binary_hear (&self->reader, &message, &error)) == TROUPE_OK)
        heard (self, &message, now_ms);
    if (status != TROUPE_NOT_FOUND)
        core_lost (self, error.text);
}

/* ---- time ---- */

static const char *
late_text (const core_t *self, const core_call_t *call, char *text, size_t size)
{
    if (call->until_ms && call->again_ms)
        return "the node did not accept it in time";
    if (call->until_ms)
        return "no answer in time";
    snprintf (text, size, "no connection in time%s%s", *self->trouble ? ": " : "", self->trouble);
    return text;
}

static void
end_late (core_t *self, uint64_t now_ms)
{
    char text[256];
    self->end_ms = CORE_NEVER;
    for (core_call_t *call = self->first, *after; call; call = after) {
        after = call->after;
        if (now_ms >= call->end_ms)
            fail_call (self, call, TROUPE_TIMEOUT, late_text (self, call, text, sizeof text));
        else if (call->end_ms < self->end_ms)
            self->end_ms = call->end_ms;
    }
}

/*  When an answer, or a ping, is due. */
static uint64_t
silence_due_ms (const core_t *self)
{
    if (!self->is_welcome)
        return self->heard_ms + CORE_PATIENCE_MS;
    return self->pinged_ms + (self->pinged_ms > self->heard_ms ? CORE_PATIENCE_MS : CORE_PING_MS);
}

void
core_tick (core_t *self, uint64_t now_ms)
{
    if (now_ms >= self->end_ms)
        end_late (self, now_ms);
    if (self->wants_connection || now_ms < silence_due_ms (self))
        return;
    if (!self->is_welcome || self->pinged_ms > self->heard_ms) {
        core_lost (self, *self->trouble ? NULL : "the node does not answer");
        return;
    }
    self->pinged_ms = now_ms;
    self->wants_ping = true;
}

uint64_t
core_wait_ms (const core_t *self, uint64_t now_ms)
{
    uint64_t due_ms = self->wants_connection ? CORE_NEVER : silence_due_ms (self);
    if (self->end_ms < due_ms)
        due_ms = self->end_ms;
    if (self->is_welcome && self->next && self->next->again_ms > now_ms && self->next->again_ms < due_ms)
        due_ms = self->next->again_ms;
    if (self->is_welcome && self->watches_ms < due_ms)
        due_ms = self->watches_ms;
    return due_ms == CORE_NEVER ? CORE_NEVER : due_ms > now_ms ? due_ms - now_ms : 0;
}

/* ---- end ---- */

void
core_clear (core_t *self)
{
    error_set (&self->fatal, TROUPE_STOPPING, "the client is being destroyed");
    while (self->first)
        fail_call (self, self->first, self->first->until_ms ? TROUPE_UNKNOWN : TROUPE_STOPPING, self->fatal.text);
    watches_clear (self);
    table_clear (&self->calls);
    forget_routes (self);
    buffer_clear (&self->out);
    binary_close (&self->reader);
    memory_free (self->token);
    memory_free (self->name);
}
