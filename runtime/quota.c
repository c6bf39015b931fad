/*  quota.c - what an actor and a shard may pile up, and kinds that send without end.
 *
 *  DESIGN. Only what comes from outside is held back: a full actor refuses calls
 *  that are not reads, and its timers wait; so does a shard with far too much mail.
 *  Turns go on, and so do messages between actors, for a turn that is denied its
 *  effects could not keep any promise.
 *
 *  Nothing is counted for a message or a value that lives for less than a frame. Mail
 *  counts when it is recorded and until that record goes. State counts when a value is
 *  written, in steps of STATE_STEP, by chance: a change of a tenth of a step moves the count
 *  in one of ten cases. So the count is right on average, an actor's record is written
 *  again once a step, and small actors that sleep and wake for ever cost nothing.
 *
 *  Actors that tell more than they consume would fill the disk from inside, where nobody
 *  may refuse. When much mail waits, the kind that sent most of it is parked as a whole,
 *  on all shards: its mail keeps, the rest goes on, and an operator decides.
 */

#include "runtime/inside.h"
#include "runtime/base/memory.h"

#define STATE_STEP (64u << 10)
#define MAIL_HEAD 64  /* what a waiting message costs besides its body, more or less */

static const char parked_reason[] = "its kind is parked: it sent most of too much waiting mail (mail_bytes)";

/* ---- counting ---- */

void
quota_mail (shard_t *self, actor_t *actor, const message_fields_t *fields, bool is_more)
{
    uint64_t bytes = (uint64_t) fields->body_size + MAIL_HEAD;
    actor->mail_bytes += is_more ? bytes : -bytes;
    self->mail_bytes += is_more ? bytes : -bytes;
    self->mail_count += is_more ? 1 : UINT64_MAX;
}

void
quota_value (shard_t *self, value_t *value)
{
    actor_t *actor = value->actor;
    uint32_t before = value->stored, now = value->is_absent ? 0 : value->size + value->key_size;
    uint32_t change = now > before ? now - before : before - now;
    value->stored = now;
    if (change == 0)
        return;
    uint64_t dice = hash_mix (self->boot + self->open->number, (uint64_t) actor->node.hash << 32 | value->hash);
    uint32_t steps = change / STATE_STEP + (dice % STATE_STEP < change % STATE_STEP);
    if (steps == 0)
        return;
    if (now > before)
        actor->state_steps += steps;
    else
        actor->state_steps -= steps < actor->state_steps ? steps : actor->state_steps;
    values_write_version (self, actor);
}

uint64_t
quota_bytes (const actor_t *actor)
{
    return actor->mail_bytes + (uint64_t) actor->state_steps * STATE_STEP;
}

/* ---- what is held back ---- */

static bool
is_full (const shard_t *self, const actor_t *actor)
{
    return quota_bytes (actor) >= self->limits.actor_bytes;
}

static bool
has_too_much_mail (const shard_t *self)
{
    return self->mail_bytes / 2 >= self->limits.mail_bytes;
}

const char *
quota_refuses (const shard_t *self, const actor_t *actor)
{
    if (is_full (self, actor))
        return "the actor has reached its quota of state and mail (actor_bytes)";
    if (has_too_much_mail (self))
        return "the actor's shard has far too much waiting mail (mail_bytes)";
    return NULL;
}

bool
quota_holds_timers (const shard_t *self, const actor_t *actor)
{
    return is_full (self, actor) || has_too_much_mail (self)
           || atomic_load_explicit (&self->door, memory_order_relaxed) == TROUPE_OVERLOADED;
}

/* ---- a kind without end ---- */

typedef struct {
    const shard_t *shard;
    uint64_t *by_kind, all;
} senders_t;

/*  Of each mailbox the newest message speaks for all: what comes in now. An answer was asked for by who gets it. */
static bool
tally (void *arg, table_node_t *node)
{
    senders_t *senders = arg;
    const actor_t *actor = (const actor_t *) node;
    const message_t *message = actor->last;
    if (actor->mail_bytes == 0 || !message)
        return true;
    const char *from = message_from (message), *slash = strchr (from, '/');
    const kind_t *kind = slash ? registry_find (senders->shard->registry, from, (size_t) (slash - from)) : NULL;
    if (message->flags & MESSAGE_ANSWER)
        kind = actor->kind;
    if (kind && senders->shard->parked_kinds[kind->index])
        return true;  /* it sends no more */
    senders->all += actor->mail_bytes;
    if (kind)
        senders->by_kind[kind->index] += actor->mail_bytes;
    return true;
}

/*  The kind that sent more than half of what waits; none when there is no such. */
static bool
find_runaway (shard_t *self, uint16_t *kind)
{
    uint32_t count = registry_count (self->registry);
    senders_t senders = { .shard = self, .by_kind = memory_zalloc (count * sizeof (uint64_t)) };
    if (!senders.by_kind)
        return false;
    table_each (&self->actors, tally, &senders);
    uint32_t most = 0;
    for (uint32_t i = 1; i < count; i++)
        most = senders.by_kind[i] > senders.by_kind[most] ? i : most;
    bool found = senders.by_kind[most] > senders.all / 2;
    memory_free (senders.by_kind);
    *kind = (uint16_t) most;
    return found;
}

void
quota_look_at_mail (shard_t *self)
{
    uint16_t kind;
    if (self->mail_bytes < self->limits.mail_bytes / 2)
        self->mail_trip = 0;
    if (self->mail_bytes < self->limits.mail_bytes || self->mail_bytes < self->mail_trip)
        return;
    self->mail_trip = self->mail_bytes + self->limits.mail_bytes / 2;
    if (!find_runaway (self, &kind))
        return;
    if (self->world.runaway)
        self->world.runaway (self->world.self, kind);
    else
        shard_park_kind (self, kind);
}

void
shard_park_kind (shard_t *self, uint16_t kind)
{
    CHECK (kind < registry_count (self->registry));
    self->parked_kinds[kind] = true;
    self->has_parked_kind = true;
    counter_set (&self->metrics.kinds[kind].parked, 1);
}

const char *
quota_parked (const shard_t *self, const actor_t *actor)
{
    return actor->kind && self->parked_kinds[actor->kind->index] ? parked_reason : NULL;
}

typedef struct {
    shard_t *shard;
    const kind_t *kind;
} revival_t;

static bool
revive_one (void *arg, table_node_t *node)
{
    const revival_t *revival = arg;
    actor_t *actor = (actor_t *) node;
    if (actor->kind == revival->kind && (actor->flags & ACTOR_PARKED))
        actor_revive (revival->shard, actor);
    return true;
}

troupe_status_t
shard_revive_kind (shard_t *self, const char *name, troupe_error_t *error)
{
    revival_t revival = { self, registry_find (self->registry, name, strlen (name)) };
    if (!revival.kind)
        return error_set (error, TROUPE_NOT_FOUND, "there is no kind %.100s", name);
    self->parked_kinds[revival.kind->index] = false;
    self->has_parked_kind = false;
    for (uint32_t i = 0; i < registry_count (self->registry); i++)
        self->has_parked_kind = self->has_parked_kind || self->parked_kinds[i];
    counter_set (&self->metrics.kinds[revival.kind->index].parked, 0);
    table_each (&self->actors, revive_one, &revival);
    return TROUPE_OK;
}
