/*  recent.c - two numbers for each of the keys that were used last.
 *
 *  DESIGN. An array of entries, linked by their numbers twice: in chains, one a bucket, and in one ring by last
 *  use, which entry 0 opens and closes. Entries are never freed; they change their key.
 */
#include "transports/auth/recent.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <sodium.h>
#include <string.h>

#define KEYS_MOST (1u << 24)

typedef struct {
    uint64_t numbers[2];
    uint64_t hash[2];
    uint32_t chain;              /* the next of its bucket; 0: none */
    uint32_t newer, older;       /* the ring */
} entry_t;

struct recent_s {
    entry_t *entries;            /* 0 is none of them: the ring's ends */
    uint32_t *buckets;           /* the first of each chain */
    uint32_t mask;
    uint32_t used, keys;
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
};

recent_t *
recent_new (uint32_t keys)
{
    uint32_t buckets = 1;
    CHECK (keys >= 1 && keys <= KEYS_MOST);
    while (buckets < keys)
        buckets *= 2;
    recent_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->entries = memory_zalloc ((keys + (size_t) 1) * sizeof *self->entries);
    self->buckets = memory_zalloc (buckets * sizeof *self->buckets);
    self->mask = buckets - 1;
    self->keys = keys;
    randombytes_buf (self->secret, sizeof self->secret);
    if (!self->entries || !self->buckets)
        recent_destroy (&self);
    return self;
}

void
recent_destroy (recent_t **self_p)
{
    recent_t *self = *self_p;
    if (!self)
        return;
    memory_free (self->entries);
    memory_free (self->buckets);
    memory_free (self);
    *self_p = NULL;
}

static void
leave_ring (recent_t *self, uint32_t at)
{
    entry_t *entry = &self->entries[at];
    self->entries[entry->newer].older = entry->older;
    self->entries[entry->older].newer = entry->newer;
}

static void
join_ring (recent_t *self, uint32_t at)
{
    uint32_t newest = self->entries[0].older;
    self->entries[at].newer = 0;
    self->entries[at].older = newest;
    self->entries[newest].newer = at;
    self->entries[0].older = at;
}

static uint32_t *
bucket_of (const recent_t *self, const uint64_t hash[2])
{
    return &self->buckets[hash[0] & self->mask];
}

static void
leave_chain (recent_t *self, uint32_t at)
{
    uint32_t *link = bucket_of (self, self->entries[at].hash);
    while (*link != at)
        link = &self->entries[*link].chain;
    *link = self->entries[at].chain;
}

/*  An entry for a new key: one that was never used, or the oldest. */
static uint32_t
take_entry (recent_t *self)
{
    if (self->used < self->keys)
        return ++self->used;
    uint32_t oldest = self->entries[0].newer;
    leave_ring (self, oldest);
    leave_chain (self, oldest);
    return oldest;
}

/*  0: there is none. */
static uint32_t
find (const recent_t *self, const uint64_t hash[2])
{
    uint32_t at = *bucket_of (self, hash);
    while (at && memcmp (self->entries[at].hash, hash, sizeof self->entries[at].hash) != 0)
        at = self->entries[at].chain;
    return at;
}

uint64_t *
recent_use (recent_t *self, const void *key, size_t size)
{
    uint64_t hash[2];
    crypto_shorthash_siphashx24 ((uint8_t *) hash, key, size, self->secret);
    uint32_t at = find (self, hash);
    if (at)
        leave_ring (self, at);
    else {
        at = take_entry (self);
        self->entries[at] = (entry_t) { .hash = { hash[0], hash[1] }, .chain = *bucket_of (self, hash) };
        *bucket_of (self, hash) = at;
    }
    join_ring (self, at);
    return self->entries[at].numbers;
}

const uint64_t *
recent_find (const recent_t *self, const void *key, size_t size)
{
    uint64_t hash[2];
    crypto_shorthash_siphashx24 ((uint8_t *) hash, key, size, self->secret);
    uint32_t at = find (self, hash);
    return at ? self->entries[at].numbers : NULL;
}
