/*  frame.c - the effects of the turns that a shard ran since its last frame.
 *
 *  DESIGN
 *  One buffer of ops, appended in the order of the effects and never edited: the
 *  journal writes it as it stands and the overlay points into it. The writing
 *  side asserts its limits, since only the runtime calls it; the reading side
 *  trusts nothing, since it reads what a disk returned. Whoever owns the frame
 *  at the time (see the struct) is the only thread here. What the frame's
 *  `outputs` hold is the shard's to free: this file never looks at them.
 */
#include "runtime/frame.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

frame_t *
frame_new (uint16_t shard, uint64_t number)
{
    frame_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->shard = shard;
    self->number = number;
    self->body.limit = FRAME_BODY_MAX;
    return self;
}

void
frame_destroy (frame_t **self_p)
{
    CHECK (self_p);
    if (!*self_p)
        return;
    buffer_clear (&(*self_p)->body);
    memory_free (*self_p);
    *self_p = NULL;
}

/*  Appends head and key, and room for the value; returns the place of the value. */
static uint8_t *
append_op (frame_t *self, frame_op_kind_t kind, const void *key, size_t key_size, size_t value_size)
{
    CHECK (key_size >= 1 && key_size <= FRAME_KEY_MAX);
    if (value_size > FRAME_BODY_MAX) {
        self->body.failed = true;
        return NULL;
    }
    size_t size = FRAME_OP_HEAD + key_size + value_size;
    uint8_t *place = buffer_reserve (&self->body, size);
    if (!place)
        return NULL;
    place[0] = (uint8_t) kind;
    put_le16 (place + 1, (uint16_t) key_size);
    put_le32 (place + 3, (uint32_t) value_size);
    memcpy (place + FRAME_OP_HEAD, key, key_size);
    self->body.size += size;
    return place + FRAME_OP_HEAD + key_size;
}

uint8_t *
frame_put (frame_t *self, const void *key, size_t key_size, size_t value_size)
{
    return append_op (self, FRAME_PUT, key, key_size, value_size);
}

void
frame_delete (frame_t *self, const void *key, size_t key_size)
{
    append_op (self, FRAME_DELETE, key, key_size, 0);
}

bool
frame_next_op (const uint8_t *body, size_t size, size_t *at, frame_op_t *op)
{
    if (*at > size || size - *at < FRAME_OP_HEAD)
        return false;
    const uint8_t *head = body + *at;
    size_t left = size - *at - FRAME_OP_HEAD;
    size_t key_size = get_le16 (head + 1);
    size_t value_size = get_le32 (head + 3);
    if (head[0] != FRAME_PUT && head[0] != FRAME_DELETE)
        return false;
    if (key_size < 1 || key_size > FRAME_KEY_MAX || key_size > left || value_size > left - key_size)
        return false;
    if (head[0] == FRAME_DELETE && value_size != 0)
        return false;
    op->kind = head[0];
    op->key = head + FRAME_OP_HEAD;
    op->key_size = (uint16_t) key_size;
    op->value = op->key + key_size;
    op->value_size = (uint32_t) value_size;
    *at += FRAME_OP_HEAD + key_size + value_size;
    return true;
}

bool
frame_body_is_valid (const uint8_t *body, size_t size)
{
    size_t at = 0;
    frame_op_t op;
    while (frame_next_op (body, size, &at, &op))
        ;
    return at == size;
}
