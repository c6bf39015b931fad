/*  memory.c - allocation that tests can make fail.
 *
 *  DESIGN
 *  The C library's allocator with one question in front: does this thread's
 *  test want a failure now? The countdown is per thread, so that a test of one
 *  module never makes another thread of the same process fail. Blocks are plain
 *  malloc blocks: memory that the public API hands out is freed with free().
 *  Any thread. It never aborts: out of memory is the caller's to handle.
 */
#include "runtime/base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Thread_local uint64_t countdown;  /* 0: off; 1: fail from now on */

bool
memory_fails (void)
{
    if (__builtin_expect (countdown == 0, 1))
        return false;
    if (countdown == 1)
        return true;
    countdown -= 1;
    return false;
}

void
memory_fail_after (uint64_t allocations)
{
    countdown = allocations;
}

void *
memory_alloc (size_t size)
{
    return memory_fails () ? NULL : malloc (size ? size : 1);
}

void *
memory_zalloc (size_t size)
{
    return memory_fails () ? NULL : calloc (1, size ? size : 1);
}

/*  Never frees: realloc to nothing would return NULL, which means failure here. */
void *
memory_realloc (void *block, size_t size)
{
    return memory_fails () ? NULL : realloc (block, size ? size : 1);
}

void
memory_free (void *block)
{
    free (block);
}

void
memory_populate (void *block, size_t size)
{
#ifdef MADV_POPULATE_WRITE
    uintptr_t page = (uintptr_t) sysconf (_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t) block + page - 1) & ~(page - 1), to = ((uintptr_t) block + size) & ~(page - 1);
    if (from < to && madvise ((void *) from, to - from, MADV_POPULATE_WRITE) != 0)
        return;  /* an older system: each page is made when it is first touched */
#else
    (void) block;
    (void) size;
#endif
}

char *
memory_strdup (const char *text)
{
    size_t size = strlen (text) + 1;
    char *copy = memory_alloc (size);
    if (copy)
        memcpy (copy, text, size);
    return copy;
}
