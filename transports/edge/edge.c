/*  edge.c - the gateway's side of the node: what it told, and the flush that follows.
 *
 *  DESIGN
 *  One drain takes all that the node told since the last, and only then sends: so
 *  many answers to one peer, and many events to one watcher, leave in one
 *  send, which costs more than all else that is done for them. Nobody waits for
 *  more to come: the busier the gateway, the more it finds each time.
 */
#include "transports/edge/edge_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#define KEYS_SEEN 4096

edge_t *
edge_new (const edge_options_t *options)
{
    edge_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->options = *options;
    self->look_at_ms = EDGE_NEVER;
    self->lanes.pool = &self->pool;
    self->rates = rates_new (options->rates);
    self->accounts = accounts_new (self->options.roles);
    self->keys_seen = recent_new (KEYS_SEEN);
    if (!self->rates || !self->accounts || !self->keys_seen)
        edge_destroy (&self);
    return self;
}

void
edge_attach (edge_t *self, const host_port_t *host)
{
    CHECK (!self->peers);
    self->host = *host;
}

void
edge_destroy (edge_t **self_p)
{
    edge_t *self = *self_p;
    if (!self)
        return;
    (void) edge_drain (self);
    CHECK (!self->peers && self->feeds.count == 0);
    table_clear (&self->feeds);
    table_clear (&self->latest);
    lanes_clear (&self->lanes);
    pool_clear (&self->pool);
    text_close (&self->text);
    binary_close (&self->binary);
    buffer_clear (&self->gathered);
    rates_destroy (&self->rates);
    accounts_destroy (&self->accounts);
    recent_destroy (&self->keys_seen);
    memory_free (self);
    *self_p = NULL;
}

void
edge_tell (edge_t *self, inbox_item_t *item)
{
    if (inbox_push (&self->inbox, item))
        self->options.wake (self->options.wake_arg);
}

void
edge_hold (edge_t *self)
{
    if (self->host.hold)
        self->host.hold (self->host.self);
}

void
edge_release (edge_t *self)
{
    if (self->host.release)
        self->host.release (self->host.self);
}

uint64_t
edge_drain (edge_t *self)
{
    for (inbox_item_t *item = inbox_take (&self->inbox), *next; item; item = next) {
        next = item->next;
        if (item->type == ITEM_ANSWER)
            peer_answered (item);
        else if (item->type == ITEM_EVENT)
            feed_heard (self, item);
        else if (item->type == ITEM_EXCHANGE)
            exchange_answered (item);
        else if (item->type == ITEM_SIGN_IN)
            sign_in_told (item);
        else if (item->type == ITEM_API_KEY)
            api_key_told (item);
        else
            watch_told (item);
    }
    uint64_t wait_ms = self->dirty ? feed_flush_all (self, self->host.now_ms (self->host.self)) : EDGE_NEVER;
    if (self->look_at_ms != EDGE_NEVER) {
        uint64_t end_ms = peer_end_tokens (self, self->host.now_ms (self->host.self));
        wait_ms = end_ms < wait_ms ? end_ms : wait_ms;
    }
    if (self->audit_is_due) {
        uint64_t said_ms = edge_audit_left_out (self, self->host.now_ms (self->host.self));
        wait_ms = said_ms < wait_ms ? said_ms : wait_ms;
    }
    while (self->to_flush) {
        peer_t *peer = self->to_flush;
        self->to_flush = peer->next_flush;
        peer_flush (peer);
    }
    return wait_ms;
}

troupe_status_t
edge_permit (edge_t *self, const permit_t *permit, const identity_t *who, const char *address, troupe_error_t *error)
{
    troupe_status_t status = permit_check (permit, self->options.roles, who, address, error);
    if (status != TROUPE_OK)
        edge_audit_denied (self, who, permit->name, address);
    return status;
}

void
edge_say_drain (edge_t *self, uint64_t after_ms)
{
    uint64_t slot = 0;
    for (peer_t *peer = self->peers; peer; peer = peer->after) {
        if (peer->state != PEER_OPEN)
            continue;
        size_t place = peer_open_frame (peer);
        peer->codec->drain (&peer->out, after_ms + hash_mix (slot++, after_ms) % (after_ms + 1));
        peer_close_frame (peer, place);
        peer_watch_ended (peer);
    }
}

edge_counts_t
edge_counts (const edge_t *self)
{
#define READ(name) .name = atomic_load_explicit (&self->counts.name, memory_order_relaxed)
    return (edge_counts_t) { READ (clients), READ (watches), READ (feeds), READ (messages), READ (calls),
                             READ (events),  READ (deliveries), READ (errors), READ (cuts) };
#undef READ
}

void
edge_counts_add (edge_counts_t *sum, const edge_counts_t *counts)
{
    sum->clients += counts->clients;
    sum->watches += counts->watches;
    sum->feeds += counts->feeds;
    sum->messages += counts->messages;
    sum->calls += counts->calls;
    sum->events += counts->events;
    sum->deliveries += counts->deliveries;
    sum->errors += counts->errors;
    sum->cuts += counts->cuts;
}
