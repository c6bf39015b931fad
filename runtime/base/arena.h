/*  arena.h - memory that is freed all at once; blocks never move.
 *
 *  Zero-initialised is empty. Blocks are aligned to 16 bytes. arena_reset keeps
 *  one chunk of a bounded size, so that a turn's arena allocates nothing in the
 *  common case. Not shared between threads.
 */
#ifndef RUNTIME_BASE_ARENA_H
#define RUNTIME_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct arena_chunk_s arena_chunk_t;

typedef struct arena_s {
    arena_chunk_t *chunks;  /* newest first */
    uint8_t *start;         /* is `at` as long as nothing was allocated */
    uint8_t *at;            /* next free byte of the newest */
    size_t left;            /* free bytes there */
} arena_t;

void *arena_alloc_slow (arena_t *arena, size_t size);

/*  NULL when out of memory. */
static inline void *
arena_alloc (arena_t *arena, size_t size)
{
    size_t rounded = (size + 15) & ~(size_t) 15;
    if (rounded - 1 >= arena->left)  /* also for 0, and for what rounds over the end */
        return arena_alloc_slow (arena, size);
    void *block = arena->at;
    arena->at += rounded;
    arena->left -= rounded;
    return block;
}

/*  A copy with a NUL behind it. */
char *arena_string (arena_t *arena, const void *bytes, size_t size);

void arena_reset_slow (arena_t *arena);

static inline void
arena_reset (arena_t *arena)
{
    if (arena->at != arena->start)
        arena_reset_slow (arena);
}

void arena_clear (arena_t *arena);

#endif
