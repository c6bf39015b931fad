/*  registry.h - the kinds of a node, checked and compiled from their tables.
 *
 *  Made before the node starts, read by all threads. While it runs only remote kinds are added or
 *  replaced, by one thread at a time; what was found once is valid for the registry's life.
 *  Built-in verbs of every actor begin with "$" and cannot be declared.
 *  Names of verbs and channels are 1 to TROUPE_NAME_MAX of a-z A-Z 0-9 . - _ and
 *  begin with a letter or a digit, so that they stand in a URL as they are.
 */
#ifndef RUNTIME_REGISTRY_H
#define RUNTIME_REGISTRY_H

#include "runtime/base/literals.h"
#include "runtime/body/schema.h"
#include <troupe.h>

#define REGISTRY_KINDS_MAX 256
#define REGISTRY_VERBS_MAX 255
#define REGISTRY_CHANNELS_MAX 64
#define REGISTRY_REPLACED_MAX 256  /* tables of remote kinds; they stay in memory */

typedef struct {
    const troupe_verb_t *table;
    const char *name;
    troupe_handler_t *run;
    uint8_t name_size;
    bool reads;
    uint8_t index;     /* in its kind */
    schema_t *args;    /* NULL: not checked */
    struct kind_s *kind;
} verb_t;

typedef struct {
    const troupe_channel_t *table;
    const char *name;
    uint8_t name_size;
    uint8_t index;
} channel_t;

typedef struct kind_s {
    const troupe_kind_t *table;
    const char *name;
    uint8_t name_size;
    uint16_t index;    /* in the registry */
    bool is_remote;    /* served by workers outside of the process */
    uint32_t attempt_ms;  /* of a remote kind */
    uint16_t verb_count, channel_count;
    verb_t *verbs;
    channel_t *channels;
    uint8_t *verb_slots;      /* hash of the name -> index + 1; a power of two */
    uint32_t verb_slot_mask;
} kind_t;

typedef struct registry_s registry_t;

registry_t *registry_new (void);  /* NULL when out of memory */
void registry_destroy (registry_t **self_p);

/*  TROUPE_INVALID: the text names kind, verb or channel and what is wrong. The
 *  registry is unchanged by an error. The table is borrowed for its life. */
troupe_status_t registry_add (registry_t *self, const troupe_kind_t *table, troupe_error_t *error) TROUPE_CHECKED;

/*  The same for a remote kind, at any time. One that is there is replaced by a newer version of it; the index stays.
 *  TROUPE_INVALID also when the name is a local kind's; TROUPE_MISMATCH: the version is not a newer one. */
troupe_status_t registry_add_remote (registry_t *self, const troupe_kind_t *table, uint32_t attempt_ms,
                                     troupe_error_t *error) TROUPE_CHECKED;

/*  These return NULL when there is none such. */
const kind_t *registry_find (const registry_t *self, const char *name, size_t size);
/*  The texts in the programs and shared objects of the verbs' functions. */
const literals_t *registry_literals (const registry_t *self);

const kind_t *registry_at (const registry_t *self, uint32_t index);  /* its newest table */
uint32_t registry_count (const registry_t *self);

const verb_t *kind_verb (const kind_t *self, const char *name, size_t size);
const channel_t *kind_channel (const kind_t *self, const char *name);

/* ---- addresses ---- */

typedef struct {
    const char *kind;
    size_t kind_size;
    const char *id;
    size_t id_size;
    const char *affinity;  /* what is in braces, else the id */
    size_t affinity_size;
} address_t;

/*  Parts of "kind/id", which point into the text and live as it does; the text
 *  needs no NUL. TROUPE_INVALID says what is wrong with it and leaves `address`. */
troupe_status_t address_parse (const char *text, size_t size, address_t *address, troupe_error_t *error);

/*  Of the affinity key alone, so that addresses of several kinds with one key
 *  share a shard. Part of the store's format. */
uint64_t address_hash (const address_t *address, uint64_t hash_seed);

/*  The shard of an address; part of the store's format. */
static inline uint16_t
address_shard (const address_t *address, uint64_t hash_seed, uint32_t shards)
{
    return (uint16_t) (address_hash (address, hash_seed) % shards);
}

#endif
