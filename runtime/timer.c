/*  timer.c - named durable timers.
 *
 *  DESIGN. A timer is a key of the store and an entry in memory that hangs in
 *  the shard's wheel. When it is due its tick goes into the mailbox but not
 *  into the mail on disk: until the tick is handled, the timer itself, due in
 *  the past, is what survives a crash. Handling the tick and moving the timer
 *  on (or away) happen in one frame. A tick names the generation of its
 *  timer; a timer that was set anew or cancelled meanwhile has another, and
 *  the tick is dropped.
 */

#include "runtime/inside.h"
#include <string.h>

#define RECORD_HEAD 26  /* due, period, generation, missed, verb size */
#define PUT_OFF_MS 100
#define HOLD_MS 5000    /* until one that is held is looked at again */

static size_t
timer_size (const stored_timer_t *timer)
{
    return sizeof *timer + timer->address_size + timer->name_size + timer->verb_size + 3u + timer->body_size;
}

static const char *
timer_name (const stored_timer_t *timer)
{
    return timer->texts + timer->address_size + 1;
}

static const char *
timer_verb (const stored_timer_t *timer)
{
    return timer_name (timer) + timer->name_size + 1;
}

static const void *
timer_body (const stored_timer_t *timer)
{
    return timer_verb (timer) + timer->verb_size + 1;
}

static uint32_t
timer_hash (const char *address, size_t address_size, const char *name, size_t name_size)
{
    return (uint32_t) hash_bytes (name, name_size, hash_bytes (address, address_size, HASH_SEED_MEMORY));
}

static stored_timer_t *
find (shard_t *self, const actor_t *actor, const char *name)
{
    size_t size = strlen (name);
    uint32_t hash = timer_hash (actor->address, actor->address_size, name, size);
    for (table_node_t *node = table_chain (&self->timers, hash); node; node = node->next) {
        stored_timer_t *timer = (stored_timer_t *) node;
        if (node->hash == hash && timer->address_size == actor->address_size && timer->name_size == size
            && memcmp (timer->texts, actor->address, actor->address_size) == 0
            && memcmp (timer_name (timer), name, size) == 0)
            return timer;
    }
    return NULL;
}

static void
timer_key (const stored_timer_t *timer, store_key_t *key)
{
    key_start (key, KEY_TIMER);
    key_add_name (key, timer->texts, timer->address_size);
    key_add (key, timer_name (timer), timer->name_size);
}

typedef struct {
    const char *address, *name, *verb;
    size_t address_size, name_size, verb_size, body_size;
    const void *body;
} timer_texts_t;

static stored_timer_t *
add (shard_t *self, const timer_texts_t *texts)
{
    stored_timer_t sizes = { .address_size = (uint8_t) texts->address_size,
                             .name_size = (uint8_t) texts->name_size,
                             .verb_size = (uint8_t) texts->verb_size,
                             .body_size = (uint32_t) texts->body_size,
                             .due.type = DUE_TIMER };
    stored_timer_t *timer = pool_alloc (&self->pool, timer_size (&sizes));
    uint32_t hash = timer_hash (texts->address, texts->address_size, texts->name, texts->name_size);
    if (!timer) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a timer");
        return NULL;
    }
    *timer = sizes;
    memset (timer->texts, 0, timer_size (&sizes) - sizeof *timer);
    memcpy (timer->texts, texts->address, texts->address_size);
    memcpy ((char *) timer_name (timer), texts->name, texts->name_size);
    memcpy ((char *) timer_verb (timer), texts->verb, texts->verb_size);
    if (texts->body_size)
        memcpy ((char *) timer_body (timer), texts->body, texts->body_size);
    if (!table_insert (&self->timers, &timer->node, hash)) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a timer");
        pool_free (&self->pool, timer, timer_size (timer));
        return NULL;
    }
    return timer;
}

static void
record (shard_t *self, const stored_timer_t *timer)
{
    store_key_t key;
    timer_key (timer, &key);
    uint8_t *place = shard_put_place (self, &key, RECORD_HEAD + timer->verb_size + (size_t) timer->body_size);
    if (!place)
        return;
    put_le64 (place, timer->due_ms);
    put_le64 (place + 8, timer->period_ms);
    put_le64 (place + 16, timer->generation);
    place[24] = timer->missed;
    place[25] = timer->verb_size;
    memcpy (place + RECORD_HEAD, timer_verb (timer), timer->verb_size);
    if (timer->body_size)
        memcpy (place + RECORD_HEAD + timer->verb_size, timer_body (timer), timer->body_size);
}

static void
free_timer (shard_t *self, stored_timer_t *timer)
{
    wheel_remove (&self->wheel, &timer->due.node);
    table_remove (&self->timers, &timer->node);
    pool_free (&self->pool, timer, timer_size (timer));
}

void
timer_set (shard_t *self, const actor_t *actor, const effect_t *effect)
{
    stored_timer_t *old = find (self, actor, effect->timer.name);
    if (old)
        free_timer (self, old);
    timer_texts_t texts = { .address = actor->address,
                            .address_size = actor->address_size,
                            .name = effect->timer.name,
                            .name_size = strlen (effect->timer.name),
                            .verb = effect->timer.verb->name,
                            .verb_size = effect->timer.verb->name_size,
                            .body = effect->body,
                            .body_size = effect->size };
    stored_timer_t *timer = add (self, &texts);
    if (!timer)
        return;
    timer->due_ms = effect->timer.due_ms;
    timer->period_ms = effect->timer.period_ms;
    timer->generation = effect->timer.generation;
    timer->missed = (uint8_t) effect->timer.missed;
    timer->verb = effect->timer.verb;
    wheel_add (&self->wheel, &timer->due.node, timer->due_ms);
    record (self, timer);
}

void
timer_cancel (shard_t *self, const actor_t *actor, const char *name)
{
    stored_timer_t *timer = find (self, actor, name);
    if (!timer)
        return;
    store_key_t key;
    timer_key (timer, &key);
    shard_delete (self, &key);
    free_timer (self, timer);
}

/* ---- ticks ---- */

void
timer_due (shard_t *self, stored_timer_t *timer)
{
    if (!timer->verb)
        return;  /* its kind or verb is gone; it waits for the code to come back */
    actor_t *actor = shard_actor (self, timer->texts, timer->address_size);
    if (actor && quota_holds_timers (self, actor)) {
        wheel_add (&self->wheel, &timer->due.node, self->now_ms + HOLD_MS);
        return;
    }
    message_fields_t fields = {
        .id = hash_mix (timer->generation, timer->due_ms),
        .ask = timer->generation,
        .flags = MESSAGE_TICK,
        .from = timer->texts,
        .from_size = timer->address_size,
        .verb = timer_name (timer),
        .verb_size = timer->name_size,
        .body = timer_body (timer),
        .body_size = timer->body_size,
    };
    message_t *tick = actor ? message_new (&self->pool, &fields, timer->verb) : NULL;
    if (!tick) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a tick");
        return;
    }
    counter_add (&self->metrics.timers_fired, 1);
    mailbox_deliver (self, actor, tick);
}

static stored_timer_t *
timer_of (shard_t *self, const actor_t *actor, const message_t *tick)
{
    stored_timer_t *timer = find (self, actor, message_tick_name (tick));
    return timer && timer->generation == tick->ask ? timer : NULL;
}

bool
timer_tick_is_live (shard_t *self, const actor_t *actor, const message_t *tick)
{
    return timer_of (self, actor, tick) != NULL;
}

void
timer_put_off (shard_t *self, const actor_t *actor, const message_t *tick)
{
    stored_timer_t *timer = timer_of (self, actor, tick);
    if (timer)
        wheel_add (&self->wheel, &timer->due.node, self->now_ms + PUT_OFF_MS);
}

void
timer_tick_done (shard_t *self, const actor_t *actor, const message_t *tick)
{
    stored_timer_t *timer = timer_of (self, actor, tick);
    if (!timer)
        return;  /* its own turn cancelled it or set it anew */
    shard_want_soon (self);
    if (timer->period_ms == 0) {
        timer_cancel (self, actor, timer_name (timer));
        return;
    }
    timer->due_ms += timer->period_ms;
    if (timer->missed == TROUPE_TICK_ONCE && timer->due_ms <= self->now_ms)
        timer->due_ms += (self->now_ms - timer->due_ms) / timer->period_ms * timer->period_ms + timer->period_ms;
    wheel_add (&self->wheel, &timer->due.node, timer->due_ms);
    record (self, timer);
}

/* ---- start and end ---- */

static bool
start_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    shard_t *self = arg;
    const uint8_t *nul = memchr (key, 0, key_size);
    size_t address_size = nul ? (size_t) (nul - key) - 1 : 0;
    address_t address;
    if (address_size == 0 || size < RECORD_HEAD || size < RECORD_HEAD + (size_t) value[25]
        || key_size - address_size - 2 > TROUPE_NAME_MAX
        || address_parse ((const char *) key + 1, address_size, &address, NULL) != TROUPE_OK) {
        shard_fail (self, TROUPE_CORRUPT, "the record of a timer is malformed");
        return false;
    }
    timer_texts_t texts = { .address = (const char *) key + 1,
                            .address_size = address_size,
                            .name = (const char *) nul + 1,
                            .name_size = key_size - address_size - 2,
                            .verb = (const char *) value + RECORD_HEAD,
                            .verb_size = value[25],
                            .body = value + RECORD_HEAD + value[25],
                            .body_size = size - RECORD_HEAD - value[25] };
    stored_timer_t *timer = add (self, &texts);
    if (!timer)
        return false;
    const kind_t *kind = registry_find (self->registry, address.kind, address.kind_size);
    timer->verb = kind ? kind_verb (kind, texts.verb, texts.verb_size) : NULL;
    timer->due_ms = get_le64 (value);
    timer->period_ms = get_le64 (value + 8);
    timer->generation = get_le64 (value + 16);
    timer->missed = value[24];
    wheel_add (&self->wheel, &timer->due.node, timer->due_ms);
    return true;
}

static bool
renew_one (void *arg, table_node_t *node)
{
    const struct { shard_t *shard; const kind_t *kind; } *renewal = arg;
    stored_timer_t *timer = (stored_timer_t *) node;
    size_t size = renewal->kind->name_size;
    if (timer->verb || memcmp (timer->texts, renewal->kind->name, size) != 0 || timer->texts[size] != '/')
        return true;
    timer->verb = kind_verb (renewal->kind, timer_verb (timer), timer->verb_size);
    if (timer->verb && !wheel_has (&timer->due.node))
        wheel_add (&renewal->shard->wheel, &timer->due.node, timer->due_ms);
    return true;
}

void
timer_renew (shard_t *self, const kind_t *kind)
{
    struct { shard_t *shard; const kind_t *kind; } renewal = { self, kind };
    table_each (&self->timers, renew_one, &renewal);
}

bool
timer_start (shard_t *self)
{
    char table = KEY_TIMER;
    return shard_scan (self, &table, 1, start_one, self);
}

static bool
drop_one (void *arg, table_node_t *node)
{
    free_timer (arg, (stored_timer_t *) node);
    return true;
}

void
timer_drop_all (shard_t *self)
{
    table_each (&self->timers, drop_one, self);
    table_clear (&self->timers);
}
