/*  actor_values.c - the cached values of an actor: a list that becomes a table.
 *
 *  DESIGN. Most actors have a handful of keys, so `values` is a plain chain
 *  until it holds CHAIN_MOST of them; then it becomes an array of chains.
 */

#include "runtime/actor.h"
#include "runtime/base/memory.h"

#define CHAIN_MOST 8
#define VALUE_LEAST 32

static value_t **
chain (actor_t *actor, uint32_t hash)
{
    if (actor->value_mask == 0)
        return (value_t **) &actor->values;
    return &((value_t **) actor->values)[hash & actor->value_mask];
}

value_t *
value_find (const actor_t *actor, const char *key, size_t key_size)
{
    uint32_t hash = value_hash (key, key_size);
    value_t *value = *chain ((actor_t *) actor, hash);
    while (value && !(value->hash == hash && value->key_size == key_size && memcmp (value->key, key, key_size) == 0))
        value = value->next;
    return value;
}

/*  More chains; without memory the old ones stay and are only longer. */
static void
spread (actor_t *actor)
{
    uint32_t count = actor->value_mask ? (actor->value_mask + 1) * 4 : CHAIN_MOST;
    value_t **fresh = memory_zalloc (count * sizeof *fresh);
    if (!fresh)
        return;
    for (uint32_t i = 0; i <= actor->value_mask; i++) {
        for (value_t *value = *chain (actor, i), *next; value; value = next) {
            next = value->next;
            value->next = fresh[value->hash & (count - 1)];
            fresh[value->hash & (count - 1)] = value;
        }
    }
    if (actor->value_mask)
        memory_free (actor->values);
    actor->values = fresh;
    actor->value_mask = count - 1;
}

value_t *
value_add (pool_t *pool, actor_t *actor, const char *key, size_t key_size)
{
    value_t *value = pool_alloc (pool, sizeof *value + key_size + 1);
    if (!value)
        return NULL;
    *value = (value_t) { .actor = actor, .hash = value_hash (key, key_size), .is_absent = true };
    value->key_size = (uint16_t) key_size;
    memcpy (value->key, key, key_size);
    value->key[key_size] = 0;
    if (actor->value_count >= (actor->value_mask + 1) * CHAIN_MOST)
        spread (actor);
    value_t **first = chain (actor, value->hash);
    value->next = *first;
    *first = value;
    actor->value_count += 1;
    return value;
}

bool
value_set (value_t *self, const void *bytes, size_t size)
{
    if (size + COPY_SLACK > self->capacity) {
        size_t capacity = size < VALUE_LEAST - COPY_SLACK ? VALUE_LEAST : size + size / 4 + COPY_SLACK;
        uint8_t *data = memory_alloc (capacity);
        if (!data)
            return false;
        if (size)
            memcpy (data, bytes, size);
        memory_free (self->data);
        self->data = data;
        self->capacity = (uint32_t) capacity;
    } else if (size)
        memmove (self->data, bytes, size);
    self->size = (uint32_t) size;
    self->is_absent = false;
    return true;
}

void
value_each (actor_t *actor, void (*each) (void *arg, value_t *value), void *arg)
{
    for (uint32_t i = 0; i <= actor->value_mask; i++) {
        for (value_t *value = *chain (actor, i), *next; value; value = next) {
            next = value->next;
            each (arg, value);
        }
    }
}

static void
free_one (void *arg, value_t *value)
{
    memory_free (value->data);
    pool_free (arg, value, sizeof *value + value->key_size + 1u);
}

void
value_free_all (pool_t *pool, actor_t *actor)
{
    if (actor->value_count == 0)
        return;
    value_each (actor, free_one, pool);
    if (actor->value_mask)
        memory_free (actor->values);
    actor->values = NULL;
    actor->value_count = actor->value_mask = 0;
}
