/*  fold.c - what frames add up to.
 *
 *  DESIGN
 *  The promise "state = fold of frames" is checked against this, so it shares no
 *  code with overlay, frame and checkpoint: it reads the ops of a frame by the
 *  description in frame.h with a reader of its own. A table of chains is enough for
 *  the few thousand keys of a seed.
 */
#include "tests/sim/fold.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"

#include <stdlib.h>

struct fold_entry_s {
    fold_entry_t *next;
    uint64_t hash;
    uint16_t shard;
    uint16_t key_size;
    uint32_t value_size;
    uint8_t *value;
    uint8_t key[];
};

static uint64_t
hash_of (uint16_t shard, const void *key, size_t key_size)
{
    return hash_bytes (key, key_size, shard);
}

static fold_entry_t **
find (const fold_t *self, uint16_t shard, const void *key, size_t key_size, uint64_t hash)
{
    fold_entry_t **link = (fold_entry_t **) &self->buckets[hash % FOLD_BUCKETS];
    for (; *link; link = &(*link)->next) {
        const fold_entry_t *entry = *link;
        if (entry->hash == hash && entry->shard == shard && entry->key_size == key_size
            && memcmp (entry->key, key, key_size) == 0)
            break;
    }
    return link;
}

void
fold_put (fold_t *self, uint16_t shard, const void *key, size_t key_size, const void *value, size_t value_size)
{
    uint64_t hash = hash_of (shard, key, key_size);
    fold_entry_t **link = find (self, shard, key, key_size, hash), *entry = *link;
    if (!entry) {
        entry = calloc (1, sizeof *entry + key_size);
        CHECK (entry);
        entry->hash = hash;
        entry->shard = shard;
        entry->key_size = (uint16_t) key_size;
        memcpy (entry->key, key, key_size);
        *link = entry;
        self->count += 1;
    }
    if (!entry->value || entry->value_size < value_size) {
        free (entry->value);
        entry->value = malloc (value_size + 1);
        CHECK (entry->value);
    }
    if (value_size)
        memcpy (entry->value, value, value_size);
    entry->value_size = (uint32_t) value_size;
}

void
fold_remove (fold_t *self, uint16_t shard, const void *key, size_t key_size)
{
    fold_entry_t **link = find (self, shard, key, key_size, hash_of (shard, key, key_size)), *entry = *link;
    if (!entry)
        return;
    *link = entry->next;
    free (entry->value);
    free (entry);
    self->count -= 1;
}

bool
fold_get (const fold_t *self, uint16_t shard, const void *key, size_t key_size, const uint8_t **value,
          size_t *value_size)
{
    const fold_entry_t *entry = *find (self, shard, key, key_size, hash_of (shard, key, key_size));
    if (!entry)
        return false;
    *value = entry->value;
    *value_size = entry->value_size;
    return true;
}

bool
fold_apply (fold_t *self, uint16_t shard, const uint8_t *body, size_t size)
{
    while (size) {
        if (size < 7)
            return false;
        size_t key_size = get_le16 (body + 1), value_size = get_le32 (body + 3);
        const uint8_t *key = body + 7;
        if ((body[0] != 1 && body[0] != 2) || key_size > size - 7 || value_size > size - 7 - key_size)
            return false;
        if (body[0] == 1)
            fold_put (self, shard, key, key_size, key + key_size, value_size);
        else
            fold_remove (self, shard, key, key_size);
        body += 7 + key_size + value_size;
        size -= 7 + key_size + value_size;
    }
    return true;
}

void
fold_each (const fold_t *self, fold_each_t *each, void *arg)
{
    for (size_t i = 0; i < FOLD_BUCKETS; i++)
        for (const fold_entry_t *entry = self->buckets[i]; entry; entry = entry->next)
            each (arg, entry->shard, entry->key, entry->key_size, entry->value, entry->value_size);
}

size_t
fold_count (const fold_t *self, uint16_t shard)
{
    size_t count = 0;
    for (size_t i = 0; i < FOLD_BUCKETS; i++)
        for (const fold_entry_t *entry = self->buckets[i]; entry; entry = entry->next)
            count += entry->shard == shard;
    return count;
}

void
fold_clear (fold_t *self)
{
    for (size_t i = 0; i < FOLD_BUCKETS; i++) {
        for (fold_entry_t *entry = self->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            free (entry->value);
            free (entry);
        }
        self->buckets[i] = NULL;
    }
    self->count = 0;
}
