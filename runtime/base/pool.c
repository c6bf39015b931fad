/*  pool.c - small blocks that are made and freed all the time; see pool.h. */

#include "runtime/base/pool.h"
#include "runtime/base/memory.h"
#include <stdbool.h>

#ifndef POOL_IS_MALLOC
/*  A large pool grows in larger steps, whose pages are made at once: a page fault each costs more
 *  than the page does. */
static bool
add_slab (pool_t *self)
{
    size_t size = self->slab_bytes / 8 / POOL_SLAB * POOL_SLAB;
    size = size < POOL_SLAB ? POOL_SLAB : size > POOL_SLAB_MOST ? POOL_SLAB_MOST : size;
    pool_block_t *slab = memory_alloc (size);
    if (!slab)
        return false;
    if (size > POOL_SLAB)
        memory_populate (slab, size);
    slab->next = self->slabs;
    self->slabs = slab;
    self->slab_bytes += size;
    self->at = (uint8_t *) slab + POOL_STEP;
    self->left = size - 2 * POOL_STEP;  /* something may be read behind the last block */
    return true;
}
#endif

#include <string.h>

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
    if (memory_fails ())
        return NULL;
    if (rounded == 0)
        rounded = POOL_STEP;
    if (self->left < rounded && !add_slab (self))
        return NULL;
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
pool_starve (pool_t *self)
{
    memset (self->free, 0, sizeof self->free);
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
