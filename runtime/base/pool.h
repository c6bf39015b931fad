/*  pool.h - small blocks that are made and freed all the time, by one thread.
 *
 *  Blocks of equal size (in steps of 32 bytes) share a free list; larger ones
 *  come from memory_alloc. The caller tells the size again when it frees.
 *  Up to POOL_STEP bytes behind a block of a slab may be read (not under AddressSanitizer).
 *  Slabs go back to the system when the pool is cleared. Under
 *  AddressSanitizer every block is an allocation of its own.
 */
#ifndef RUNTIME_BASE_POOL_H
#define RUNTIME_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_STEP 32
#define POOL_CLASSES 64                         /* blocks up to 2,048 bytes */
#define POOL_SLAB (64u << 10)
#define POOL_SLAB_MOST (256u << 10)

typedef struct pool_block_s {
    struct pool_block_s *next;
} pool_block_t;

typedef struct {
    pool_block_t *free[POOL_CLASSES + 1];  /* by size in steps */
    pool_block_t *slabs;
    uint8_t *at;                           /* unused rest of the newest slab */
    size_t left;
    size_t slab_bytes;
} pool_t;

void *pool_alloc_slow (pool_t *self, size_t size);
void pool_free_large (void *block);

#if defined(__SANITIZE_ADDRESS__)
#define POOL_IS_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_IS_MALLOC 1
#endif
#endif

/*  NULL when out of memory. Not zeroed. */
static inline void *
pool_alloc (pool_t *self, size_t size)
{
    size_t steps = (size + POOL_STEP - 1) / POOL_STEP;
    if (steps <= POOL_CLASSES && self->free[steps]) {
        pool_block_t *block = self->free[steps];
        self->free[steps] = block->next;
        return block;
    }
    return pool_alloc_slow (self, size);
}

static inline void
pool_free (pool_t *self, void *memory, size_t size)
{
    size_t steps = (size + POOL_STEP - 1) / POOL_STEP;
#ifdef POOL_IS_MALLOC
    (void) self;
    (void) steps;
    pool_free_large (memory);
#else
    if (steps > POOL_CLASSES) {
        pool_free_large (memory);
        return;
    }
    pool_block_t *block = memory;
    block->next = self->free[steps];
    self->free[steps] = block;
#endif
}

/*  For tests of failing memory: free blocks are not used again, so that memory_fail_after reaches
 *  what is made next. */
void pool_starve (pool_t *self);

/*  Frees all slabs; blocks in use go with them. */
void pool_clear (pool_t *self);

#endif
