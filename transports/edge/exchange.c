/*  exchange.c - one call and its one answer, for carriers that have no conversation.
 *
 *  DESIGN
 *  An idempotency key stands for a session of one call: a hash of the epoch, the subject, the
 *  address, the verb and the key. `not_after` is the end of the next window of a fixed grid: all who repeat a call
 *  within one window say the same, and the record lives for one window at least and two at most.
 *
 *  Whoever waits may leave; the answer then frees the exchange.
 */
#include "transports/edge/exchange.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/json.h"
#include "transports/edge/edge_inside.h"

#include <sodium.h>
#include <stdio.h>

struct exchange_s {
    inbox_item_t item;
    edge_t *edge;
    void (*done) (void *arg, exchange_answer_t *answer);  /* NULL: nobody waits */
    void *arg;
    exchange_answer_t answer;  /* of the thread that tells it, then the gateway's */
};

troupe_status_t
edge_identify (edge_t *edge, const char *token, const void *address, size_t size, identity_t *who,
               troupe_error_t *error)
{
    static const identity_t nobody = { .subject = "" };
    char line[sizeof error->text + 96], from[AUDIT_FROM_SIZE];
    uint32_t retry_after_ms;
    troupe_error_t ignored;
    if (!edge->options.identify)
        return error_set (error, TROUPE_FORBIDDEN, "this server knows no tokens");
    troupe_status_t status = rates_look (edge->rates, RATE_ADDRESS, &nobody, address, size, &retry_after_ms, error);
    if (status != TROUPE_OK)
        return status;
    status = edge->options.identify (edge->options.identify_arg, token, who, error);
    if (status == TROUPE_OK && accounts_is_out (edge->accounts, who->subject))
        status = error_set (error, TROUPE_FORBIDDEN, "the account is disabled");
    if (status == TROUPE_OK)
        accounts_update (edge->accounts, who);
    if (status == TROUPE_FORBIDDEN) {
        troupe_status_t counted = rates_take (edge->rates, RATE_ADDRESS, &nobody, address, size, &retry_after_ms,
                                              &ignored);
        (void) counted;  /* it was there to be taken */
        snprintf (line, sizeof line, "sign-in failed: token from %s: %s", edge_audit_from (address, size, from),
                  error->text);
        (void) edge_audit (edge, AUDIT_FAILED, line);
    }
    return status;
}

troupe_status_t
edge_may (edge_t *edge, rate_class_t class, const identity_t *who, const void *address, size_t size,
          uint32_t *retry_after_ms, troupe_error_t *error)
{
    return rates_take (edge->rates, class, who, address, size, retry_after_ms, error);
}

const troupe_verb_t *
edge_verb (edge_t *edge, const char *address, const char *name, troupe_error_t *error)
{
    return edge->host.verb (edge->host.self, address, name, error);
}

const char *
edge_epoch (const edge_t *edge)
{
    return edge->host.epoch;
}

static void
name_session (const edge_t *edge, const exchange_call_t *call, uint8_t session[SESSION_SIZE])
{
    const char *const parts[] = { "key", edge->host.epoch, call->who->subject, call->to, call->verb, call->key };
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, SESSION_SIZE);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        crypto_generichash_update (&state, (const uint8_t *) parts[i], strlen (parts[i]) + 1);
    crypto_generichash_final (&state, session, SESSION_SIZE);
}

static uint64_t
not_after (const edge_t *edge)
{
    uint64_t window_ms = edge->options.limits.keep_ms / 2;
    uint64_t now_ms = edge->host.now_ms (edge->host.self);
    return (now_ms / window_ms + 2) * window_ms;
}

/*  On a thread of the node. */
static void
answered (void *arg, const troupe_answer_t *answer)
{
    exchange_t *self = arg;
    buffer_t *text = &self->answer.text;
    self->answer.status = answer->status;
    self->answer.retry_after_ms = answer->retry_after_ms;
    if (answer->status == TROUPE_OK) {
        troupe_status_t status = json_from_packed (answer->body, answer->size, text, NULL);
        text->failed |= status != TROUPE_OK;
    } else
        buffer_append (text, answer->text, strlen (answer->text) + 1);
    edge_tell (self->edge, &self->item);
}

troupe_status_t
exchange_begin (edge_t *edge, const exchange_call_t *call, void (*done) (void *arg, exchange_answer_t *answer),
                void *arg, exchange_t **self_p, troupe_error_t *error)
{
    const troupe_verb_t *verb = edge_verb (edge, call->to, call->verb, error);
    if (!verb)
        return error->status;
    permit_t permit = { verb->allow, verb->role, verb->name };
    troupe_status_t status = edge_permit (edge, &permit, call->who, call->to, error);
    if (status != TROUPE_OK)
        return status;
    exchange_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_OVERLOADED, "no memory for one more call");
    *self = (exchange_t) { .item.type = ITEM_EXCHANGE, .edge = edge, .done = done, .arg = arg };
    troupe_call_t submitted = {
        .to = call->to,
        .verb = call->verb,
        .body = call->body,
        .size = call->size,
        .subject = call->who->subject,
        .trace = call->trace,
        .done = answered,
        .arg = self
    };
    if (*call->key) {
        name_session (edge, call, submitted.session);
        submitted.seq = 1;
        submitted.not_after_ms = not_after (edge);
    }
    status = edge->host.submit (edge->host.self, &submitted, error);
    if (status != TROUPE_OK) {
        memory_free (self);
        return status;
    }
    count_up (&edge->counts.calls, 1);
    *self_p = self;
    return TROUPE_OK;
}

void
exchange_answered (inbox_item_t *item)
{
    exchange_t *self = (exchange_t *) item;
    if (self->answer.text.failed) {
        buffer_clear (&self->answer.text);
        self->answer.status = TROUPE_NO_MEMORY;
    }
    if (self->done)
        self->done (self->arg, &self->answer);
    buffer_clear (&self->answer.text);
    memory_free (self);
}

void
exchange_leave (exchange_t **self_p)
{
    if (*self_p)
        (*self_p)->done = NULL;
    *self_p = NULL;
}
