/*  table.h - a hash table of nodes that live inside their owners' structs.
 *
 *  DESIGN. The table is cut into segments by the top bits of the hash, and
 *  each grows on its own, so that growing never stops a shard of a million
 *  actors for longer than one segment takes. There are two buckets a node, so
 *  that looking for what is not there mostly touches no node at all: each
 *  touch is a cache miss in a large table. A failed growth leaves longer
 *  chains and nothing else. Not shared between threads.
 */
#ifndef RUNTIME_BASE_TABLE_H
#define RUNTIME_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_SEGMENTS 64

typedef struct table_node_s {
    struct table_node_s *next;
    uint32_t hash;
} table_node_t;

typedef struct {
    table_node_t **buckets;  /* NULL until first used */
    uint32_t mask;           /* of their number */
    uint32_t count;
} table_segment_t;

typedef struct {
    table_segment_t segments[TABLE_SEGMENTS];
    size_t count;
} table_t;

/*  False when out of memory for the first buckets. */
bool table_insert_slow (table_t *self, table_node_t *node);

static inline table_segment_t *
table_segment (table_t *self, uint32_t hash)
{
    return &self->segments[hash >> 26];
}

/*  The first node that may match; walk on with node->next, comparing hash and key. */
static inline table_node_t *
table_chain (table_t *self, uint32_t hash)
{
    table_segment_t *segment = table_segment (self, hash);
    return segment->buckets ? segment->buckets[hash & segment->mask] : NULL;
}

/*  Has the place that will be looked at soon brought near. */
static inline void
table_expect (table_t *self, uint32_t hash)
{
    table_segment_t *segment = table_segment (self, hash);
    if (segment->buckets)
        __builtin_prefetch (&segment->buckets[hash & segment->mask]);
}

static inline bool
table_insert (table_t *self, table_node_t *node, uint32_t hash)
{
    table_segment_t *segment = table_segment (self, hash);
    node->hash = hash;
    if (!segment->buckets || segment->count > segment->mask / 2)
        return table_insert_slow (self, node);
    node->next = segment->buckets[hash & segment->mask];
    segment->buckets[hash & segment->mask] = node;
    segment->count += 1;
    self->count += 1;
    return true;
}

/*  The node must be in the table. */
void table_remove (table_t *self, table_node_t *node);

/*  Walks all nodes in no order. The callback may remove (and free) the node that it is
 *  given, nothing else. False stops. */
void table_each (table_t *self, bool (*each) (void *arg, table_node_t *node), void *arg);

/*  Walks on from a hand for at most `buckets` buckets, wrapping; for sweeps a bit at a time. */
typedef struct {
    uint32_t segment;
    uint32_t bucket;
} table_hand_t;
void table_sweep (table_t *self, table_hand_t *hand, uint32_t buckets,
                  bool (*each) (void *arg, table_node_t *node), void *arg);

/*  Frees the buckets; the nodes are their owners'. */
void table_clear (table_t *self);

#endif
