/*  buffer.h - bytes that grow.
 *
 *  A failed growth (no memory, over `limit`) sets `failed`, keeps what was
 *  there, and makes every later append a no-op: append freely, check once.
 *  Zero-initialised is empty with no limit. Not shared between threads.
 */
#ifndef RUNTIME_BASE_BUFFER_H
#define RUNTIME_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *data;    /* NULL when nothing was ever appended */
    size_t size;      /* bytes in use */
    size_t capacity;  /* bytes allocated */
    size_t limit;     /* largest size; 0: none */
    bool failed;      /* an append did not fit */
    bool over_limit;  /* with `failed`: it was the limit, not memory */
} buffer_t;

/*  Makes room for `more` bytes behind the end and returns the place, NULL on failure. */
uint8_t *buffer_reserve_slow (buffer_t *buffer, size_t more);

static inline uint8_t *
buffer_reserve (buffer_t *buffer, size_t more)
{
    if (buffer->capacity - buffer->size > more - 1 && !buffer->failed)  /* 0 bytes: the slow way */
        return buffer->data + buffer->size;
    return buffer_reserve_slow (buffer, more);
}

static inline void
buffer_append (buffer_t *buffer, const void *bytes, size_t size)
{
    uint8_t *place = size ? buffer_reserve (buffer, size) : NULL;
    if (place) {
        memcpy (place, bytes, size);
        buffer->size += size;
    }
}

static inline void
buffer_byte (buffer_t *buffer, uint8_t byte)
{
    uint8_t *place = buffer_reserve (buffer, 1);
    if (place) {
        *place = byte;
        buffer->size += 1;
    }
}

void buffer_printf (buffer_t *buffer, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/*  Empties it and keeps the memory. */
static inline void
buffer_reset (buffer_t *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
    buffer->over_limit = false;
}

/*  Frees the memory and leaves it empty with the same limit. */
void buffer_clear (buffer_t *buffer);

#endif
