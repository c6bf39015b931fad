/*  memory.h - allocation that tests can make fail.
 *
 *  Every allocation of the runtime goes through here. memory_fail_after (n)
 *  makes the n-th following allocation of this thread, and all later ones,
 *  return NULL; 0 turns that off. Freed with memory_free. Any thread.
 */
#ifndef RUNTIME_BASE_MEMORY_H
#define RUNTIME_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memory_alloc (size_t size);
void *memory_zalloc (size_t size);
void *memory_realloc (void *block, size_t size);
void memory_free (void *block);
void memory_populate (void *block, size_t size);  /* its pages are made now, if the system can */
char *memory_strdup (const char *text);
void memory_fail_after (uint64_t allocations);

/*  Whether an allocation from memory at hand (pool.h) shall fail; it counts as one. */
bool memory_fails (void);

#endif
