/*  ask.c - questions between actors: one answer each, or the deadline.
 *
 *  DESIGN. A question is an entry of the asker's shard under its id until its
 *  answer arrives or its deadline passes; whichever comes first takes the
 *  entry away and puts one message into the asker's mailbox, in the same
 *  frame, so that the other finds nothing. A question that is answered within
 *  the frame that asked it leaves no record.
 */

#include "runtime/inside.h"
#include "runtime/body/packed.h"
#include <string.h>

#define GRACE_MS 1000        /* for deadlines that passed while the node was down */
#define ANSWER_ORDINAL 0xa5a5a5a5u

static void
ask_key (const ask_t *ask, store_key_t *key)
{
    key_start (key, KEY_ASK);
    key_add_name (key, ask->address, ask->address_size);
    key_add_be64 (key, ask->id);
}

static ask_t *
find (shard_t *self, uint64_t id)
{
    for (table_node_t *node = table_chain (&self->asks, (uint32_t) id); node; node = node->next) {
        if (((ask_t *) node)->id == id)
            return (ask_t *) node;
    }
    return NULL;
}

static ask_t *
add (shard_t *self, const char *address, size_t size, uint64_t id, const verb_t *then, uint64_t due_ms)
{
    ask_t *ask = pool_alloc (&self->pool, sizeof *ask + size + 1);
    if (!ask || !table_insert (&self->asks, &ask->node, (uint32_t) id)) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a question");
        if (ask)
            pool_free (&self->pool, ask, sizeof *ask + size + 1);
        return NULL;
    }
    ask->deadline = (due_t) { .type = DUE_ASK };
    ask->id = id;
    ask->due_ms = due_ms;
    ask->then = then;
    ask->is_fresh = ask->is_recorded = false;
    ask->address_size = (uint8_t) size;
    memcpy (ask->address, address, size);
    ask->address[size] = 0;
    wheel_add (&self->wheel, &ask->deadline.node, due_ms);
    return ask;
}

void
ask_begin (shard_t *self, const actor_t *actor, uint64_t id, const verb_t *then, uint64_t due_ms)
{
    ask_t *ask = add (self, actor->address, actor->address_size, id, then, due_ms);
    if (!ask)
        return;
    ask->is_fresh = true;
    ask->fresh_prev = NULL;
    ask->fresh_next = self->fresh_asks;
    if (ask->fresh_next)
        ask->fresh_next->fresh_prev = ask;
    self->fresh_asks = ask;
}

static void
clear_fresh (shard_t *self, ask_t *ask)
{
    if (!ask->is_fresh)
        return;
    ask->is_fresh = false;
    if (ask->fresh_next)
        ask->fresh_next->fresh_prev = ask->fresh_prev;
    if (ask->fresh_prev)
        ask->fresh_prev->fresh_next = ask->fresh_next;
    else
        self->fresh_asks = ask->fresh_next;
}

void
ask_record_fresh (shard_t *self)
{
    while (self->fresh_asks) {
        ask_t *ask = self->fresh_asks;
        store_key_t key;
        clear_fresh (self, ask);
        ask->is_recorded = true;
        ask_key (ask, &key);
        uint8_t *place = shard_put_place (self, &key, 8 + (size_t) ask->then->name_size);
        if (!place)
            return;
        put_le64 (place, ask->due_ms);
        memcpy (place + 8, ask->then->name, ask->then->name_size);
    }
}

static void
forget (shard_t *self, ask_t *ask)
{
    clear_fresh (self, ask);
    if (ask->is_recorded) {
        store_key_t key;
        ask_key (ask, &key);
        shard_delete (self, &key);
        shard_want_soon (self);
    }
    wheel_remove (&self->wheel, &ask->deadline.node);
    table_remove (&self->asks, &ask->node);
    pool_free (&self->pool, ask, sizeof *ask + ask->address_size + 1u);
}

void
ask_resolve (shard_t *self, uint64_t id, troupe_status_t outcome, const void *body, size_t size, uint64_t message_id,
             const char *from, size_t from_size, const uint8_t *trace)
{
    ask_t *ask = find (self, id);
    if (!ask)
        return;
    actor_t *actor = shard_actor (self, ask->address, ask->address_size);
    message_fields_t fields = {
        .id = message_id,
        .ask = id,
        .flags = MESSAGE_DURABLE | MESSAGE_ANSWER | (trace ? MESSAGE_TRACED : 0),
        .outcome = (uint8_t) outcome,
        .trace = trace,
        .from = from,
        .from_size = (uint8_t) from_size,
        .body = body,
        .body_size = (uint32_t) size,
    };
    message_t *message = actor ? message_new (&self->pool, &fields, ask->then) : NULL;
    if (!message) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for an answer");
        return;
    }
    forget (self, ask);
    mailbox_deliver (self, actor, message);
}

void
ask_error_body (buffer_t *to, const char *text)
{
    packed_put_object (to, 1);
    packed_put_text (to, "error", text);
    if (to->failed)
        to->size = 0;  /* rather no body than half of one */
}

void
ask_due (shard_t *self, ask_t *ask)
{
    buffer_t text = { 0 };
    ask_error_body (&text, "no answer before the deadline");
    ask_resolve (self, ask->id, TROUPE_TIMEOUT, text.data, text.size, hash_mix (ask->id, ANSWER_ORDINAL), "", 0, NULL);
    buffer_clear (&text);
}

void
ask_answer (shard_t *self, const actor_t *from, const char *to, size_t to_size, uint64_t ask, troupe_status_t outcome,
            const void *body, size_t size, uint64_t parent_id)
{
    address_t address;
    uint64_t id = hash_mix (parent_id, ANSWER_ORDINAL);
    const uint8_t *trace = turn_trace (&self->turn);
    if (find (self, ask)) {
        ask_resolve (self, ask, outcome, body, size, id, from->address, from->address_size, trace);
        return;
    }
    if (address_parse (to, to_size, &address, NULL) != TROUPE_OK)
        return;
    uint16_t shard = address_shard (&address, self->hash_seed, self->shards);
    if (shard == self->number)
        return;  /* its deadline was first */
    message_fields_t fields = {
        .id = id,
        .ask = ask,
        .flags = MESSAGE_DURABLE | MESSAGE_ANSWER | (trace ? MESSAGE_TRACED : 0),
        .outcome = (uint8_t) outcome,
        .trace = trace,
        .to = to,
        .to_size = (uint8_t) to_size,
        .from = from->address,
        .from_size = from->address_size,
        .verb = "",
        .body = body,
        .body_size = (uint32_t) size,
    };
    link_give_fields (self, shard, &fields);
}

/* ---- start and end ---- */

static bool
start_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    shard_t *self = arg;
    const uint8_t *nul = memchr (key, 0, key_size);
    size_t address_size = nul ? (size_t) (nul - key) - 1 : 0;
    address_t address;
    if (address_size == 0 || key_size != address_size + 10 || size < 8
        || address_parse ((const char *) key + 1, address_size, &address, NULL) != TROUPE_OK) {
        shard_fail (self, TROUPE_CORRUPT, "the record of a question is malformed");
        return false;
    }
    const kind_t *kind = registry_find (self->registry, address.kind, address.kind_size);
    const verb_t *then = kind ? kind_verb (kind, (const char *) value + 8, size - 8) : NULL;
    if (!then)
        return true;  /* the code that asked is gone: the record stays for it to come back */
    if (find (self, get_be64 (nul + 1)))
        return true;  /* its kind is here since the start */
    uint64_t due_ms = get_le64 (value);
    if (due_ms < self->now_ms + GRACE_MS)
        due_ms = self->now_ms + GRACE_MS;
    ask_t *ask = add (self, (const char *) key + 1, address_size, get_be64 (nul + 1), then, due_ms);
    if (ask)
        ask->is_recorded = true;
    return ask != NULL;
}

bool
ask_start (shard_t *self)
{
    char table = KEY_ASK;
    return shard_scan (self, &table, 1, start_one, self);
}

static bool
drop_one (void *arg, table_node_t *node)
{
    shard_t *self = arg;
    ask_t *ask = (ask_t *) node;
    wheel_remove (&self->wheel, &ask->deadline.node);
    table_remove (&self->asks, node);
    pool_free (&self->pool, ask, sizeof *ask + ask->address_size + 1u);
    return true;
}

void
ask_drop_all (shard_t *self)
{
    table_each (&self->asks, drop_one, self);
    table_clear (&self->asks);
}
