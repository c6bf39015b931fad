/*  map.c - the ordered map that a shard durably is: the open frame, the overlay, the tree.
 *
 *  DESIGN. A change is an op of the open frame and nothing else. The overlay
 *  hears of new ops when somebody looks or the frame closes, many at once,
 *  since noting each one alone would be a row of cache misses. A read asks the
 *  overlay, which knows all that is not folded, and then the tree. A walk
 *  gathers both into a copy, so that whoever walks may change the map.
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

typedef struct {
    uint32_t at, key_size, value_size;  /* in the bytes of the gathering */
    bool is_deleted;
} found_t;

typedef struct {
    buffer_t bytes, found;
} gathering_t;

static bool
gather (gathering_t *self, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size, bool deleted)
{
    found_t found = { (uint32_t) self->bytes.size, (uint32_t) key_size, (uint32_t) value_size, deleted };
    buffer_append (&self->bytes, key, key_size);
    buffer_append (&self->bytes, value, value_size);
    buffer_append (&self->found, &found, sizeof found);
    return !self->bytes.failed && !self->found.failed;
}

static bool
gather_op (void *arg, const frame_op_t *op)
{
    return gather (arg, op->key, op->key_size, op->value, op->value_size, op->kind == FRAME_DELETE);
}

static bool
gather_stored (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    return gather (arg, key, key_size, value, value_size, false);
}

static int
compare_found (const void *left_, const void *right_, void *bytes_)
{
    const found_t *left = left_, *right = right_;
    const uint8_t *bytes = bytes_;
    uint32_t shorter = left->key_size < right->key_size ? left->key_size : right->key_size;
    int order = memcmp (bytes + left->at, bytes + right->at, shorter);
    if (order)
        return order;
    if (left->key_size != right->key_size)
        return left->key_size < right->key_size ? -1 : 1;
    return left->at < right->at ? -1 : 1;  /* the overlay's, gathered first, wins */
}

static void
tell_found (const gathering_t *self, shard_each_t *each, void *arg)
{
    const found_t *found = (const found_t *) self->found.data, *before = NULL;
    for (size_t i = 0; i < self->found.size / sizeof *found; i++) {
        const uint8_t *key = self->bytes.data + found[i].at;
        bool again = before && before->key_size == found[i].key_size
                     && memcmp (self->bytes.data + before->at, key, before->key_size) == 0;
        if (!again && !found[i].is_deleted
            && !each (arg, key, found[i].key_size, key + found[i].key_size, found[i].value_size))
            return;
        before = &found[i];
    }
}

bool
shard_scan (shard_t *self, const void *prefix, size_t prefix_size, shard_each_t *each, void *arg)
{
    gathering_t gathering = { .bytes.limit = UINT32_MAX };
    if (!shard_catch_up (self))
        return false;
    overlay_each (&self->overlay, prefix, prefix_size, gather_op, &gathering);
    self->view_held = true;
    troupe_status_t status = self->state->scan (self->view, prefix, prefix_size, prefix, prefix_size, gather_stored,
                                                &gathering);
    if (status != TROUPE_OK && status != TROUPE_NOT_FOUND)
        shard_fail (self, status, "the state cannot be read");
    else if (gathering.bytes.failed || gathering.found.failed)
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to walk a part of the state");
    else if (gathering.found.size) {
        qsort_r (gathering.found.data, gathering.found.size / sizeof (found_t), sizeof (found_t), compare_found,
                 gathering.bytes.data);
        tell_found (&gathering, each, arg);
    }
    buffer_clear (&gathering.bytes);
    buffer_clear (&gathering.found);
    return self->failure.status == TROUPE_OK;
}
