/*  actors.c - the actors in memory: found, made, put to sleep.
 *
 *  DESIGN. An actor wakes when it is first needed and sleeps when it was not
 *  used for two passes of the sweep (one every idle_ms), or when there are too
 *  many. The sweep looks at some buckets a step, so that a million actors stop
 *  nobody. Only an actor without mail, all of whose changes are durable, may
 *  sleep: then nothing of it is only here.
 */

#include "runtime/inside.h"
#include "runtime/base/memory.h"

#define SWEEP_BUCKETS_A_STEP 2048

actor_t *
shard_find_actor (shard_t *self, const char *address, size_t size)
{
    uint32_t hash = address_table_hash (self, address, size);
    for (table_node_t *node = table_chain (&self->actors, hash); node; node = node->next) {
        actor_t *actor = (actor_t *) node;
        if (node->hash == hash && actor->address_size == size && memcmp (actor->address, address, size) == 0)
            return actor;
    }
    return NULL;
}

actor_t *
shard_actor (shard_t *self, const char *address, size_t size)
{
    actor_t *actor = shard_find_actor (self, address, size);
    return actor ? actor : shard_new_actor (self, address, size);
}

actor_t *
shard_new_actor (shard_t *self, const char *address, size_t size)
{
    const char *slash = memchr (address, '/', size);
    CHECK (slash && size <= TROUPE_ADDRESS_MAX);
    actor_t *actor = pool_alloc (&self->pool, actor_size (size));
    if (!actor)
        return NULL;
    memset (actor, 0, sizeof *actor);
    memcpy (actor->address, address, size);
    actor->address[size] = 0;
    actor->address_size = (uint8_t) size;
    actor->id_at = (uint8_t) (slash - address + 1);
    actor->kind = registry_find (self->registry, address, (size_t) (slash - address));
    actor->next_number = 1;
    if (!table_insert (&self->actors, &actor->node, address_table_hash (self, address, size))) {
        pool_free (&self->pool, actor, actor_size (size));
        return NULL;
    }
    counter_set (&self->metrics.awake, self->actors.count);
    if (actor->kind)
        counter_add (&self->metrics.kinds[actor->kind->index].awake, 1);
    if (self->limits.idle_ms && !wheel_has (&self->sweep.node) && self->sweep_left == 0)
        wheel_add (&self->wheel, &self->sweep.node, self->now_ms + self->limits.idle_ms);
    return actor;
}

actor_more_t *
actor_more (shard_t *self, actor_t *actor)
{
    if (!actor->more) {
        actor_more_t *more = pool_alloc (&self->pool, sizeof *more);
        if (!more)
            return NULL;
        *more = (actor_more_t) { .actor = actor, .retry.type = DUE_RETRY };
        actor->more = more;
    }
    return actor->more;
}

static void
resolved_forget (shard_t *self)
{
    if (self->has_resolved)
        memset (self->resolved, 0, sizeof self->resolved);
    self->has_resolved = false;
}

static bool
actor_free (void *arg, table_node_t *node)
{
    shard_t *self = arg;
    actor_t *actor = (actor_t *) node;
    mailbox_drop_all (self, actor);
    turn_drop_cache (self, actor);
    value_free_all (&self->pool, actor);
    if (actor->more) {
        for (feed_t *feed = actor->more->feeds, *next; feed; feed = next) {
            next = feed->next;
            pool_free (&self->pool, feed, sizeof *feed);
        }
        wheel_remove (&self->wheel, &actor->more->retry.node);
        memory_free (actor->more->reason);
        remote_free (self, actor);
        pool_free (&self->pool, actor->more, sizeof *actor->more);
    }
    resolved_forget (self);
    table_remove (&self->actors, &actor->node);
    pool_free (&self->pool, actor, actor_size (actor->address_size));
    return true;
}

static bool
may_sleep (const shard_t *self, const actor_t *actor)
{
    uint16_t busy = ACTOR_RUNNABLE | ACTOR_HELD | ACTOR_PARKED | ACTOR_FRESH | ACTOR_AWAY;
    return !(actor->flags & busy) && !actor->first && actor->frame <= self->released
           && !(actor->more && actor->more->spill_count);
}

static bool
sweep_actor (void *arg, table_node_t *node)
{
    shard_t *self = arg;
    actor_t *actor = (actor_t *) node;
    if (actor->flags & ACTOR_USED) {
        actor->flags &= (uint16_t) ~ACTOR_USED;
        actor->turns /= 2;
        return true;
    }
    if (!may_sleep (self, actor))
        return true;
    if (actor->kind)
        counter_set (&self->metrics.kinds[actor->kind->index].awake,
                     counter_get (&self->metrics.kinds[actor->kind->index].awake) - 1);
    counter_add (&self->metrics.slept, 1);
    return actor_free (self, node);
}

/*  A bit of a walk that puts idle actors to sleep: two passes unused, or memory is short. */
void
actors_sweep (shard_t *self)
{
    bool crowded = self->actors.count > self->limits.awake_actors;
    if (!crowded && self->sweep_left == 0)
        return;
    table_sweep (&self->actors, &self->sweep_hand, SWEEP_BUCKETS_A_STEP, sweep_actor, self);
    counter_set (&self->metrics.awake, self->actors.count);
    if (self->sweep_left > SWEEP_BUCKETS_A_STEP) {
        self->sweep_left -= SWEEP_BUCKETS_A_STEP;
        return;
    }
    bool pass_ended = self->sweep_left > 0;
    self->sweep_left = 0;
    if (pass_ended && self->actors.count)
        wheel_add (&self->wheel, &self->sweep.node, self->now_ms + self->limits.idle_ms);
}

void
actors_sweep_begin (shard_t *self)
{
    uint64_t buckets = 0;
    for (uint32_t i = 0; i < TABLE_SEGMENTS; i++)
        buckets += self->actors.segments[i].buckets ? self->actors.segments[i].mask + 1u : 0;
    self->sweep_left = (uint32_t) buckets;
}

void
actors_drop_all (shard_t *self)
{
    table_each (&self->actors, actor_free, self);
    table_clear (&self->actors);
}
