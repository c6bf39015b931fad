/*  pool.c - small blocks that are made and freed all the time; see pool.h. */

#include "runtime/base/pool.h"
#include "runtime/base/memory.h"

void *
pool_alloc_slow (pool_t *self, size_t size)
{
#ifdef POOL_IS_MALLOC
    (void) self;
    return memory_alloc (size ? size : 1);
#else
    size_t rounded = (size + POOL_STEP - 1) / POOL_STEP * POOL_STEP;
    if (rounded > POOL_CLASSES * POOL_STEP)
        return memory_alloc (size);
    if (rounded == 0)
        rounded = POOL_STEP;
    if (self->left < rounded) {
        pool_block_t *slab = memory_alloc (POOL_SLAB);
        if (!slab)
            return NULL;
        slab->next = self->slabs;
        self->slabs = slab;
        self->slab_bytes += POOL_SLAB;
        self->at = (uint8_t *) slab + POOL_STEP;
        self->left = POOL_SLAB - POOL_STEP;
    }
    void *block = self->at;
    self->at += rounded;
    self->left -= rounded;
    return block;
#endif
}

void
pool_free_large (void *block)
{
    memory_free (block);
}

void
pool_clear (pool_t *self)
{
    while (self->slabs) {
        pool_block_t *slab = self->slabs;
        self->slabs = slab->next;
        memory_free (slab);
    }
    *self = (pool_t) { 0 };
}
