/*  fold.h - what frames add up to, by a few lines that share nothing with the runtime. */
#ifndef TESTS_SIM_FOLD_H
#define TESTS_SIM_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLD_BUCKETS 512

typedef struct fold_entry_s fold_entry_t;

typedef struct {
    fold_entry_t *buckets[FOLD_BUCKETS];
    size_t count;
} fold_t;

void fold_put (fold_t *self, uint16_t shard, const void *key, size_t key_size, const void *value, size_t value_size);
void fold_remove (fold_t *self, uint16_t shard, const void *key, size_t key_size);

/*  Borrowed until the key changes. */
bool fold_get (const fold_t *self, uint16_t shard, const void *key, size_t key_size, const uint8_t **value,
               size_t *value_size);

/*  False when the bytes are no ops. */
bool fold_apply (fold_t *self, uint16_t shard, const uint8_t *body, size_t size);

typedef void (fold_each_t) (void *arg, uint16_t shard, const uint8_t *key, size_t key_size, const uint8_t *value,
                            size_t value_size);
void fold_each (const fold_t *self, fold_each_t *each, void *arg);

size_t fold_count (const fold_t *self, uint16_t shard);
void fold_clear (fold_t *self);

#endif
