/*  mailbox.c - messages that wait for their actor, and the actors that wait for their turn.
 *
 *  DESIGN. Mail that is born and handled within one frame never touches the
 *  disk. What still waits when the frame closes is recorded then, under the
 *  actor's next mail number; numbers are contiguous, so that a mailbox on disk
 *  is a range and needs no list. A mailbox beyond its bound in memory spills:
 *  new mail goes straight into the open frame, behind everything before it,
 *  and is read back when the memory part runs empty.
 *
 *  The run queue is last in, first out within a burst, since what was just
 *  told is warm in the cache; then the oldest gets its turn.
 */

#include "runtime/inside.h"
#include "runtime/base/memory.h"

#define RUN_FIRST 256

/* ---- run queue ---- */

bool
mailbox_grow_run (shard_t *self)
{
    uint32_t capacity = self->run_capacity ? self->run_capacity * 2 : RUN_FIRST;
    actor_t **run = memory_alloc (capacity * sizeof (actor_t *));
    if (!run) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for the run queue");
        return false;
    }
    for (uint32_t i = 0; i < self->run_count; i++)
        run[i] = self->run[(self->run_head + i) & (self->run_capacity - 1)];
    memory_free (self->run);
    self->run = run;
    self->run_head = 0;
    self->run_capacity = capacity;
    return true;
}

/* ---- records ---- */

static void
mail_key (const actor_t *actor, uint64_t number, store_key_t *key)
{
    key_start (key, KEY_MAIL);
    key_add_name (key, actor->address, actor->address_size);
    key_add_be64 (key, number);
}

static void
record (shard_t *self, actor_t *actor, message_t *message)
{
    store_key_t key;
    message_fields_t fields;
    message->number = actor->next_number++;
    message_fields (message, &fields);
    mail_key (actor, message->number, &key);
    uint8_t *place = shard_put_place (self, &key, message_record_size (&fields));
    if (place)
        message_record_write (&fields, place);
    message->flags |= MESSAGE_RECORDED;
    quota_mail (self, actor, &fields, true);
}

static void
record_fresh (shard_t *self, actor_t *actor)
{
    for (message_t *message = actor->fresh; message; message = message->next) {
        if (!message_is_fresh (message))
            continue;
        self->fresh_bytes -= message->size;
        record (self, actor, message);
    }
    actor->fresh = NULL;
}

void
mailbox_record_all (shard_t *self)
{
    for (actor_t *actor = self->fresh; actor; actor = actor->fresh_next) {
        record_fresh (self, actor);
        actor->flags &= (uint16_t) ~ACTOR_FRESH;
    }
    self->fresh = NULL;
}

/* ---- in ---- */

/*  What may be lost is not spilled: a cast goes, a tick comes again later. A read was refused at the door. */
static void
turn_away (shard_t *self, actor_t *actor, message_t *message)
{
    CHECK (!(message->flags & MESSAGE_CALL));
    if (message->flags & MESSAGE_TICK)
        timer_put_off (self, actor, message);
    message_free (&self->pool, message);
}

static void
spill (shard_t *self, actor_t *actor, message_t *message)
{
    actor_more_t *more = actor_more (self, actor);
    if (!more) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to spill a mailbox");
        message_free (&self->pool, message);
        return;
    }
    record_fresh (self, actor);
    record (self, actor, message);
    if (more->spill_count == 0)
        more->spill_first = message->number;
    CHECK (message->number == more->spill_first + more->spill_count);
    more->spill_count += 1;
    self->spilled = self->open->number;
    counter_add (&self->metrics.spilled, 1);
    message_free (&self->pool, message);
}

void
mailbox_deliver_full (shard_t *self, actor_t *actor, message_t *message)
{
    if (message->flags & MESSAGE_DURABLE)
        spill (self, actor, message);
    else
        turn_away (self, actor, message);
}

uint64_t
mailbox_count (const actor_t *actor)
{
    return actor->mail + (actor->more ? actor->more->spill_count : 0);
}

/* ---- out ---- */

void
mailbox_consumed (shard_t *self, actor_t *actor, const message_t *message)
{
    if (message->flags & MESSAGE_RECORDED) {
        store_key_t key;
        mail_key (actor, message->number, &key);
        shard_delete (self, &key);
        quota_mail (self, actor, &(message_fields_t) { .body_size = message->body_size }, false);
        shard_want_soon (self);
    }
    if (!actor->first && actor->more && actor->more->spill_count)
        mailbox_load (self, actor);
}

static message_t *
message_of_record (shard_t *self, const actor_t *actor, uint64_t number, const uint8_t *value, size_t size)
{
    message_fields_t fields;
    if (message_record_read (value, size, &fields) == 0) {
        shard_fail (self, TROUPE_CORRUPT, "a waiting message of %s is malformed", actor->address);
        return NULL;
    }
    const verb_t *verb = actor->kind ? kind_verb (actor->kind, fields.verb, fields.verb_size) : NULL;
    message_t *message = message_new (&self->pool, &fields, verb);
    if (!message) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for waiting mail");
        return NULL;
    }
    message->number = number;
    message->flags |= MESSAGE_RECORDED;
    return message;
}

void
mailbox_load (shard_t *self, actor_t *actor)
{
    actor_more_t *more = actor->more;
    uint32_t most = self->limits.mailbox_messages / 2 + 1;
    while (more->spill_count && actor->mail < most) {
        store_key_t key;
        const uint8_t *value;
        size_t size;
        mail_key (actor, more->spill_first, &key);
        if (!shard_get (self, &key, &value, &size, NULL)) {
            shard_fail (self, TROUPE_CORRUPT, "a waiting message of %s is gone", actor->address);
            return;
        }
        message_t *message = message_of_record (self, actor, more->spill_first, value, size);
        if (!message)
            return;
        mailbox_append (actor, message);
        more->spill_first += 1;
        more->spill_count -= 1;
        counter_add (&self->metrics.unspilled, 1);
    }
}

/* ---- start and end ---- */

static bool
start_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    shard_t *self = arg;
    const uint8_t *nul = memchr (key, 0, key_size);
    size_t size = nul ? (size_t) (nul - key) - 1 : 0;
    if (size == 0 || key_size != size + 10 || !memchr (key + 1, '/', size) || size > TROUPE_ADDRESS_MAX) {
        shard_fail (self, TROUPE_CORRUPT, "the key of a waiting message is malformed");
        return false;
    }
    uint64_t number = get_be64 (nul + 1);
    actor_t *actor = shard_actor (self, (const char *) key + 1, size);
    actor_more_t *more = actor ? actor_more (self, actor) : NULL;
    if (!more) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for waiting mail");
        return false;
    }
    if (mailbox_count (actor) && number != actor->next_number) {
        shard_fail (self, TROUPE_CORRUPT, "a waiting message of %s is gone", actor->address);
        return false;
    }
    actor->next_number = number + 1;
    message_fields_t fields;
    if (message_record_read (value, value_size, &fields))  /* else it is told of when it is loaded */
        quota_mail (self, actor, &fields, true);
    if (more->spill_count || actor->mail >= self->limits.mailbox_messages) {
        more->spill_first = more->spill_count ? more->spill_first : number;
        more->spill_count += 1;
        return true;
    }
    message_t *message = message_of_record (self, actor, number, value, value_size);
    if (!message)
        return false;
    mailbox_append (actor, message);
    if (!actor->kind)
        actor_park (self, actor, "this node does not have its kind");
    mailbox_make_runnable (self, actor);
    return true;
}

bool
mailbox_start (shard_t *self)
{
    char table = KEY_MAIL;
    return shard_scan (self, &table, 1, start_one, self);
}

void
mailbox_drop_all (shard_t *self, actor_t *actor)
{
    for (message_t *message = actor->first, *next; message; message = next) {
        next = message->next;
        message_free (&self->pool, message);
    }
    actor->first = actor->last = NULL;
}
