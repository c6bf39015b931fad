/*  arena.c - memory that is freed all at once; blocks never move.
 *
 *  DESIGN
 *  A list of chunks, each twice the one before up to a bound, so that a large
 *  turn makes few calls to the allocator. A block that would take more than half
 *  of a new chunk gets one to itself, which goes behind the newest, so that the
 *  newest one's free bytes are still used. The caller's thread. It never aborts.
 */
#include "runtime/base/arena.h"

#include "runtime/base/memory.h"

#include <string.h>

#define CHUNK_FIRST 2048
#define CHUNK_MOST (64u * 1024)

struct arena_chunk_s {
    arena_chunk_t *next;  /* older */
    size_t size;          /* bytes behind this head */
};

_Static_assert (sizeof (arena_chunk_t) % 16 == 0, "blocks behind the head are aligned to 16");

static arena_chunk_t *
chunk_new (size_t size)
{
    if (size > SIZE_MAX - sizeof (arena_chunk_t))
        return NULL;
    arena_chunk_t *chunk = memory_alloc (sizeof *chunk + size);
    if (chunk)
        *chunk = (arena_chunk_t) { .size = size };
    return chunk;
}

static void
chunk_use (arena_t *arena, arena_chunk_t *chunk)
{
    arena->start = arena->at = (uint8_t *) (chunk + 1);
    arena->left = chunk->size;
}

/*  A block of its own, behind the newest chunk. */
static void *
alloc_large (arena_t *arena, size_t size)
{
    arena_chunk_t *chunk = chunk_new (size);
    if (!chunk)
        return NULL;
    if (arena->chunks) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else
        arena->chunks = chunk;  /* newest, and full: `left` stays 0 */
    arena->start = (uint8_t *) (chunk + 1);  /* where `at` never is: there is something to be given back */
    return chunk + 1;
}

void *
arena_alloc_slow (arena_t *arena, size_t size)
{
    if (size > SIZE_MAX - 64)
        return NULL;
    size = size ? (size + 15) & ~(size_t) 15 : 16;
    size_t next = arena->chunks ? arena->chunks->size * 2 : CHUNK_FIRST;
    if (next > CHUNK_MOST)
        next = CHUNK_MOST;
    if (size > next / 2)
        return alloc_large (arena, size);
    if (size > arena->left) {
        arena_chunk_t *chunk = chunk_new (next);
        if (!chunk)
            return NULL;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        chunk_use (arena, chunk);
    }
    return arena_alloc (arena, size);
}

char *
arena_string (arena_t *arena, const void *bytes, size_t size)
{
    char *copy = size < SIZE_MAX - 16 ? arena_alloc (arena, size + 1) : NULL;
    if (!copy)
        return NULL;
    if (size)
        memcpy (copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

/*  Keeps the newest chunk within the bound: the largest that is not a stray large block's. */
void
arena_reset_slow (arena_t *arena)
{
    arena_chunk_t *kept = NULL;
    for (arena_chunk_t *chunk = arena->chunks, *older; chunk; chunk = older) {
        older = chunk->next;
        if (!kept && chunk->size <= CHUNK_MOST)
            kept = chunk;
        else
            memory_free (chunk);
    }
    *arena = (arena_t) { .chunks = kept };
    if (kept) {
        kept->next = NULL;
        chunk_use (arena, kept);
    }
}

void
arena_clear (arena_t *arena)
{
    while (arena->chunks) {
        arena_chunk_t *chunk = arena->chunks;
        arena->chunks = chunk->next;
        memory_free (chunk);
    }
    *arena = (arena_t) { 0 };
}
