/*  embed.c - calls from the program around a node: troupe_submit and its short forms.
 *
 *  DESIGN
 *  All that can be said about a call without its actor is said on the caller's
 *  thread (admission.h). What remains is one allocation, a push into the shard's
 *  inbox and at most one wake.
 *
 *  The id of a call names its message for good (dice, twins, strikes): for a
 *  session it comes from the session, its number and its end, so that a call that is
 *  submitted again after a crash is known again, and a session that counts from 1 again
 *  makes nothing that was there before; else from this process's boot
 *  number and a counter.
 */
#include "commands/admission.h"
#include "commands/node_parts.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/answer.h"
#include "runtime/body/pack.h"

#define MEASURE_EVERY 16  /* calls; reading the clock for each would be felt */

static uint64_t
id_of (const troupe_t *node, const troupe_call_t *call, uint64_t number)
{
    uint64_t id = hash_mix (node->boot, number);
    if (admission_has_session (call))
        id = hash_mix (hash_bytes (call->session, sizeof call->session, call->seq), call->not_after_ms);
    return id ? id : 1;
}

/*  Whether it may be called at all, and which shard has it. */
static troupe_status_t
admit (const troupe_t *node, const troupe_call_t *asked, uint16_t *shard, troupe_error_t *error)
{
    address_t address;
    if (!node_is_running (node))
        return error_set (error, TROUPE_STOPPING, "the node does not run");
    troupe_status_t status = admission_check (node->registry, asked, &address, error);
    if (status == TROUPE_OK)
        *shard = address_shard (&address, node->hash_seed, node->shards);
    return status;
}

static troupe_status_t
post (troupe_t *node, const troupe_call_t *asked, uint16_t shard, troupe_error_t *error)
{
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

static troupe_status_t
forward (troupe_t *node, const troupe_call_t *asked, uint16_t shard, troupe_error_t *error)
{
    const kind_t *kind = registry_find (node->registry, asked->to, strcspn (asked->to, "/"));
    bool reads = kind_verb (kind, asked->verb, strlen (asked->verb))->reads;
    return forward_call (node->away.forward, shard, asked, reads, error);
}

troupe_status_t
node_submit_here (troupe_t *node, const troupe_call_t *asked, troupe_error_t *error)
{
    uint16_t shard;
    troupe_status_t status = admit (node, asked, &shard, error);
    if (status == TROUPE_OK)
        status = node_check_home (node, shard, error);
    return status == TROUPE_OK ? post (node, asked, shard, error) : status;
}

troupe_status_t
troupe_submit (troupe_t *node, const troupe_call_t *asked, troupe_error_t *error)
{
    uint16_t shard;
    troupe_status_t status = admit (node, asked, &shard, error);
    if (status != TROUPE_OK)
        return status;
    if (!node_has (node, shard))
        return forward (node, asked, shard, error);
    return post (node, asked, shard, error);
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
