/*  buffer.c - bytes that grow.
 *
 *  DESIGN
 *  Doubling, so that n appends cost O(n); the limit caps the doubling too, so
 *  that a buffer never owns more than it may use. After a failure nothing is
 *  appended until the owner resets: a body with a hole in it would be worse than
 *  one that is cut off. The caller's thread. It never aborts.
 */
#include "runtime/base/buffer.h"

#include "runtime/base/memory.h"

#include <stdarg.h>
#include <stdio.h>

#define FIRST_CAPACITY 64

/*  The capacity that holds `needed` bytes, 0 when that is over the limit. */
static size_t
grown (const buffer_t *buffer, size_t needed)
{
    size_t most = buffer->limit ? buffer->limit : SIZE_MAX;
    if (needed > most)
        return 0;
    size_t capacity = buffer->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buffer->capacity;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    return capacity > most ? most : capacity;
}

uint8_t *
buffer_reserve_slow (buffer_t *buffer, size_t more)
{
    if (buffer->failed)
        return NULL;
    if (more <= buffer->capacity - buffer->size && buffer->data)
        return buffer->data + buffer->size;
    size_t capacity = 0;
    if (more <= SIZE_MAX - buffer->size)
        capacity = grown (buffer, buffer->size + more);
    uint8_t *data = capacity ? memory_realloc (buffer->data, capacity) : NULL;
    if (!data) {
        buffer->failed = true;
        buffer->over_limit = capacity == 0;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->size;
}

/*  The text ends with a NUL behind `size`, so that it can be printed as it is;
 *  the limit counts that NUL. */
void
buffer_printf (buffer_t *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start (arguments, format);
    va_copy (again, arguments);
    size_t room = buffer->failed ? 0 : buffer->capacity - buffer->size;
    int length = vsnprintf (room ? (char *) buffer->data + buffer->size : NULL, room, format, arguments);
    va_end (arguments);
    if (length < 0)
        buffer->failed = true;
    else if (!buffer->failed && (size_t) length >= room) {
        char *place = (char *) buffer_reserve (buffer, (size_t) length + 1);
        if (place)
            vsnprintf (place, (size_t) length + 1, format, again);
    }
    va_end (again);
    if (!buffer->failed)
        buffer->size += (size_t) length;
}

void
buffer_clear (buffer_t *buffer)
{
    memory_free (buffer->data);
    size_t limit = buffer->limit;
    *buffer = (buffer_t) { .limit = limit };
}
