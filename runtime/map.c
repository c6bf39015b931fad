/*  map.c - the ordered map that a shard durably is: the open frame, the overlay, the tree.
 *
 *  DESIGN. A change is an op of the open frame and nothing else. The overlay
 *  hears of new ops when somebody looks or the frame closes, many at once,
 *  since noting each one alone would be a row of cache misses. A read asks the
 *  overlay, which knows all that is not folded, and then the tree. A walk
 *  is a merge of both in which nothing is copied: what a shard has on disk, spilled mail
 *  above all, may be far more than memory holds. So whoever walks may not change the map.
 */

#include "runtime/inside.h"
#include <stdlib.h>

bool
shard_catch_up (shard_t *self)
{
    if (self->noted < self->open->body.size && !overlay_note (&self->overlay, self->open, &self->noted))
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for the overlay");
    return self->failure.status == TROUPE_OK;
}

uint8_t *
shard_put_place (shard_t *self, const store_key_t *key, size_t size)
{
    uint8_t *place = frame_put (self->open, key->bytes, key->size, size);
    if (!place)
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for the open frame (%zu bytes)", self->open->body.size);
    return place;
}

void
shard_put (shard_t *self, const store_key_t *key, const void *value, size_t size)
{
    uint8_t *place = shard_put_place (self, key, size);
    if (place && size)
        memcpy (place, value, size);
}

void
shard_delete (shard_t *self, const store_key_t *key)
{
    frame_delete (self->open, key->bytes, key->size);
    if (self->open->body.failed)
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for the open frame (%zu bytes)", self->open->body.size);
}

bool
shard_get (shard_t *self, const store_key_t *key, const uint8_t **value, size_t *size, uint64_t *frame)
{
    if (frame)
        *frame = 0;
    if (!shard_catch_up (self))
        return false;
    switch (overlay_get (&self->overlay, key->bytes, key->size, value, size, frame)) {
    case OVERLAY_PUT:
        return true;
    case OVERLAY_DELETED:
        return false;
    case OVERLAY_SILENT:
        break;
    }
    self->view_held = true;
    troupe_status_t status = self->state->get (self->view, key->bytes, key->size, value, size);
    if (status != TROUPE_OK && status != TROUPE_NOT_FOUND)
        shard_fail (self, status, "the state cannot be read");
    return status == TROUPE_OK;
}

/* ---- walks ---- */

typedef struct {
    shard_each_t *each;
    void *arg;
    buffer_t ops;        /* frame_op_t: what the overlay says, in order of keys */
    const frame_op_t *next, *end;
    bool is_over;        /* `each` wants no more */
} walk_t;

static bool
gather (void *arg, const frame_op_t *op)
{
    walk_t *walk = arg;
    buffer_append (&walk->ops, op, sizeof *op);
    return !walk->ops.failed;
}

static int
compare_keys (const uint8_t *left, size_t left_size, const uint8_t *right, size_t right_size)
{
    int order = memcmp (left, right, left_size < right_size ? left_size : right_size);
    return order ? order : (left_size > right_size) - (left_size < right_size);
}

static int
compare_ops (const void *left_, const void *right_)
{
    const frame_op_t *left = left_, *right = right_;
    return compare_keys (left->key, left->key_size, right->key, right->key_size);
}

static void
tell_next_op (walk_t *walk)
{
    const frame_op_t *op = walk->next++;
    if (op->kind == FRAME_PUT)
        walk->is_over = !walk->each (walk->arg, op->key, op->key_size, op->value, op->value_size);
}

/*  A key of the tree, after what the overlay has before it; unless the overlay speaks of that very key. */
static bool
tell_stored (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    walk_t *walk = arg;
    int order = 1;
    while (!walk->is_over && walk->next < walk->end && order > 0) {
        order = compare_keys (key, key_size, walk->next->key, walk->next->key_size);
        if (order >= 0)
            tell_next_op (walk);
    }
    if (!walk->is_over && order != 0)
        walk->is_over = !walk->each (walk->arg, key, key_size, value, value_size);
    return !walk->is_over;
}

static void
tell_all (shard_t *self, walk_t *walk, const void *prefix, size_t prefix_size)
{
    size_t count = walk->ops.size / sizeof *walk->next;
    if (count) {
        qsort (walk->ops.data, count, sizeof *walk->next, compare_ops);
        walk->next = (const frame_op_t *) walk->ops.data;
        walk->end = walk->next + count;
    }
    self->view_held = true;
    troupe_status_t status =
        self->state->scan (self->view, prefix, prefix_size, prefix, prefix_size, tell_stored, walk);
    if (status != TROUPE_OK && status != TROUPE_NOT_FOUND)
        shard_fail (self, status, "the state cannot be read");
    while (!walk->is_over && walk->next < walk->end)
        tell_next_op (walk);
}

bool
shard_scan (shard_t *self, const void *prefix, size_t prefix_size, shard_each_t *each, void *arg)
{
    walk_t walk = { .each = each, .arg = arg };
    if (!shard_catch_up (self))
        return false;
    overlay_each (&self->overlay, prefix, prefix_size, gather, &walk);
    if (walk.ops.failed)
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to walk a part of the state");
    else
        tell_all (self, &walk, prefix, prefix_size);
    buffer_clear (&walk.ops);
    return self->failure.status == TROUPE_OK;
}
