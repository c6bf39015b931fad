/*  embed.c - calls from the program around a node: troupe_submit and its short forms.
 *
 *  DESIGN
 *  All that can be said about a call without its actor is said here, on the
 *  caller's thread: address, kind, verb, arguments, limits. So a wrong call costs a
 *  shard nothing and its error comes at once. What remains is one allocation, a
 *  push into the shard's inbox and at most one wake.
 *
 *  The id of a call names its message for good (dice, twins, strikes): for a
 *  session it comes from the session, its number and its end, so that a call that is
 *  submitted again after a crash is known again, and a session that counts from 1 again
 *  makes nothing that was there before; else from this process's boot
 *  number and a counter.
 */
#include "commands/node_parts.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/answer.h"
#include "runtime/body/pack.h"
#include "runtime/body/packed.h"

#define MEASURE_EVERY 16  /* calls; reading the clock for each would be felt */
#define SUBJECT_MAX TROUPE_ADDRESS_MAX

static const uint8_t no_session[16];

/* ------------------------------------------------------------------ *
 *  The door
 * ------------------------------------------------------------------ */

static troupe_status_t
check_session (const troupe_call_t *call, troupe_error_t *error)
{
    bool has_session = memcmp (call->session, no_session, sizeof no_session) != 0;
    if (!has_session && call->ordered)
        return error_set (error, TROUPE_INVALID, "an ordered call needs a session");
    if (has_session && call->seq == 0)
        return error_set (error, TROUPE_INVALID, "the calls of a session are numbered from 1");
    if (has_session && call->not_after_ms == 0)
        return error_set (error, TROUPE_INVALID, "a call with a session needs its not_after_ms");
    return TROUPE_OK;
}

static troupe_status_t
check_body (const verb_t *verb, const troupe_call_t *call, troupe_error_t *error)
{
    if (call->size > TROUPE_BODY_MAX)
        return error_set (error, TROUPE_TOO_LARGE, "the body has %zu bytes; %u are allowed", call->size,
                          TROUPE_BODY_MAX);
    if (call->size > 0 && !call->body)
        return error_set (error, TROUPE_INVALID, "a body of %zu bytes at no place", call->size);
    if (!packed_is_valid (call->body, call->size))
        return error_set (error, TROUPE_INVALID, "the body is not one packed value");
    return verb->args ? schema_check (verb->args, call->body, call->size, error) : TROUPE_OK;
}

/*  The verb that is meant, when there is one that may be called. */
static troupe_status_t
find_verb (const troupe_t *node, const address_t *address, const troupe_call_t *call, const verb_t **verb,
           troupe_error_t *error)
{
    const kind_t *kind = registry_find (node->registry, address->kind, address->kind_size);
    if (!kind)
        return error_set (error, TROUPE_NOT_FOUND, "%s: there is no such kind", call->to);
    if (call->verb[0] == '$')
        return error_set (error, TROUPE_FORBIDDEN, "%s is not for callers from outside", call->verb);
    *verb = kind_verb (kind, call->verb, strlen (call->verb));
    if (!*verb)
        return error_set (error, TROUPE_NOT_FOUND, "%s has no verb %s", kind->name, call->verb);
    return TROUPE_OK;
}

static troupe_status_t
check (const troupe_t *node, const troupe_call_t *call, uint16_t *shard, troupe_error_t *error)
{
    address_t address;
    const verb_t *verb;
    if (!call->to || !call->verb)
        return error_set (error, TROUPE_INVALID, "a call needs an address and a verb");
    if (call->subject && strlen (call->subject) > SUBJECT_MAX)
        return error_set (error, TROUPE_TOO_LARGE, "a subject has at most %u bytes", SUBJECT_MAX);
    troupe_status_t status = address_parse (call->to, strlen (call->to), &address, error);
    if (status == TROUPE_OK)
        status = find_verb (node, &address, call, &verb, error);
    if (status == TROUPE_OK)
        status = check_body (verb, call, error);
    if (status == TROUPE_OK)
        status = check_session (call, error);
    if (status == TROUPE_OK)
        *shard = address_shard (&address, node->hash_seed, node->shards);
    return status;
}

static uint64_t
id_of (const troupe_t *node, const troupe_call_t *call, uint64_t number)
{
    uint64_t id = hash_mix (node->boot, number);
    if (memcmp (call->session, no_session, sizeof no_session) != 0)
        id = hash_mix (hash_bytes (call->session, sizeof call->session, call->seq), call->not_after_ms);
    return id ? id : 1;
}

troupe_status_t
troupe_submit (troupe_t *node, const troupe_call_t *asked, troupe_error_t *error)
{
    uint16_t shard = 0;
    if (!node_is_running (node))
        return error_set (error, TROUPE_STOPPING, "the node does not run");
    troupe_status_t status = check (node, asked, &shard, error);
    if (status != TROUPE_OK)
        return status;
    uint64_t number = atomic_fetch_add_explicit (&node->calls, 1, memory_order_relaxed);
    call_t *call = call_new (asked, id_of (node, asked, number));
    if (!call)
        return error_set (error, TROUPE_OVERLOADED, "no memory for one more call");
    if (number % MEASURE_EVERY == 0)
        call->submitted_ns = clock_monotonic_ns ();
    if (node_post (node, shard, &call->letter))
        return TROUPE_OK;
    memory_free (call);
    return error_set (error, TROUPE_STOPPING, "the node is going down");
}

/* ------------------------------------------------------------------ *
 *  The short forms
 * ------------------------------------------------------------------ */

static troupe_status_t
pack_and_submit (troupe_t *node, troupe_call_t *call, troupe_error_t *error, const char *format, va_list arguments)
{
    buffer_t body = { .limit = TROUPE_BODY_MAX };
    troupe_status_t status = pack_append (&body, error, format, arguments);
    call->body = body.data;
    call->size = body.size;
    if (status == TROUPE_OK)
        status = troupe_submit (node, call, error);
    buffer_clear (&body);
    return status;
}

troupe_status_t
troupe_call (troupe_t *node, const char *to, const char *verb, troupe_done_t *done, void *arg, const char *format, ...)
{
    troupe_call_t call = { .to = to, .verb = verb, .done = done, .arg = arg };
    va_list arguments;
    va_start (arguments, format);
    troupe_status_t status = pack_and_submit (node, &call, NULL, format, arguments);
    va_end (arguments);
    return status;
}

typedef struct {
    troupe_answer_t *answer;
    gate_t gate;
} wait_t;

static void
wake_waiter (void *arg, const troupe_answer_t *answer)
{
    wait_t *wait = arg;
    (void) !answer_copy (wait->answer, answer);
    gate_open (&wait->gate);
}

troupe_status_t
troupe_call_wait (troupe_t *node, const char *to, const char *verb, troupe_answer_t *answer, const char *format, ...)
{
    CHECK (!node->workers || !workers_has_me (node->workers));
    troupe_answer_t own;
    troupe_error_t error;
    wait_t wait = { .answer = answer ? answer : &own };
    troupe_call_t call = { .to = to, .verb = verb, .done = wake_waiter, .arg = &wait };
    va_list arguments;
    va_start (arguments, format);
    troupe_status_t status = pack_and_submit (node, &call, &error, format, arguments);
    va_end (arguments);
    if (status == TROUPE_OK)
        gate_wait (&wait.gate, GATE_FOREVER);
    else
        (void) !answer_copy (wait.answer, &(troupe_answer_t) { .status = status, .text = error.text });
    status = wait.answer->status;
    if (!answer)
        troupe_answer_clear (&own);
    return status;
}
