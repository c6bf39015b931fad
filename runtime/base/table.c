/*  table.c - a hash table of nodes that live inside their owners' structs; see table.h. */

#include "runtime/base/table.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#define BUCKETS_FIRST 16

static bool
grow (table_segment_t *segment)
{
    uint32_t buckets = segment->buckets ? (segment->mask + 1) * 2 : BUCKETS_FIRST;
    table_node_t **fresh = memory_zalloc (buckets * sizeof *fresh);
    if (!fresh)
        return false;
    for (uint32_t i = 0; segment->buckets && i <= segment->mask; i++) {
        for (table_node_t *node = segment->buckets[i], *next; node; node = next) {
            next = node->next;
            node->next = fresh[node->hash & (buckets - 1)];
            fresh[node->hash & (buckets - 1)] = node;
        }
    }
    memory_free (segment->buckets);
    segment->buckets = fresh;
    segment->mask = buckets - 1;
    return true;
}

bool
table_insert_slow (table_t *self, table_node_t *node)
{
    table_segment_t *segment = table_segment (self, node->hash);
    if (!grow (segment) && !segment->buckets)
        return false;
    node->next = segment->buckets[node->hash & segment->mask];
    segment->buckets[node->hash & segment->mask] = node;
    segment->count += 1;
    self->count += 1;
    return true;
}

void
table_remove (table_t *self, table_node_t *node)
{
    table_segment_t *segment = table_segment (self, node->hash);
    CHECK (segment->buckets);
    table_node_t **place = &segment->buckets[node->hash & segment->mask];
    while (*place != node) {
        CHECK (*place);
        place = &(*place)->next;
    }
    *place = node->next;
    segment->count -= 1;
    self->count -= 1;
}

static bool
walk_bucket (table_segment_t *segment, uint32_t bucket, bool (*each) (void *arg, table_node_t *node), void *arg)
{
    for (table_node_t *node = segment->buckets[bucket], *next; node; node = next) {
        next = node->next;
        if (!each (arg, node))
            return false;
    }
    return true;
}

void
table_each (table_t *self, bool (*each) (void *arg, table_node_t *node), void *arg)
{
    for (uint32_t s = 0; s < TABLE_SEGMENTS; s++) {
        table_segment_t *segment = &self->segments[s];
        for (uint32_t i = 0; segment->buckets && i <= segment->mask; i++) {
            if (!walk_bucket (segment, i, each, arg))
                return;
        }
    }
}

void
table_sweep (table_t *self, table_hand_t *hand, uint32_t buckets, bool (*each) (void *arg, table_node_t *node),
             void *arg)
{
    for (uint32_t empty = 0; buckets > 0 && empty <= TABLE_SEGMENTS;) {
        table_segment_t *segment = &self->segments[hand->segment];
        if (!segment->buckets || hand->bucket > segment->mask) {
            hand->segment = (hand->segment + 1) % TABLE_SEGMENTS;
            hand->bucket = 0;
            empty += 1;
            continue;
        }
        buckets -= 1;
        if (!walk_bucket (segment, hand->bucket++, each, arg))
            return;
    }
}

void
table_clear (table_t *self)
{
    for (uint32_t s = 0; s < TABLE_SEGMENTS; s++) {
        memory_free (self->segments[s].buckets);
        self->segments[s] = (table_segment_t) { 0 };
    }
    self->count = 0;
}
