/*  names.c - whether the keys of an object differ.
 *
 *  DESIGN
 *  Bodies come from strangers, so comparing each key with each other one is out:
 *  a million keys in four megabytes would hold a thread for minutes. Hashes of 64
 *  bits are sorted instead. Two different keys that share one are refused as if
 *  they were the same; who makes such a pair on purpose only hurts his own call.
 *  The caller's thread.
 */
#include "runtime/body/names.h"

#include "runtime/base/bytes.h"

#include <stdlib.h>

#define FEW 12

bool
names_push (buffer_t *stack, const void *name, size_t size)
{
    uint64_t hash = hash_bytes (name, size, 0);
    buffer_append (stack, &hash, sizeof hash);
    return !stack->failed;
}

static int
compare (const void *left, const void *right)
{
    uint64_t a = get_le64 (left), b = get_le64 (right);
    return (a > b) - (a < b);
}

/*  Of a few hashes: cheaper than to sort them. */
static bool
few_differ (const uint8_t *hashes, size_t count)
{
    for (size_t index = 1; index < count; index++)
        for (size_t before = 0; before < index; before++)
            if (get_le64 (hashes + 8 * before) == get_le64 (hashes + 8 * index))
                return false;
    return true;
}

bool
names_pop (buffer_t *stack, size_t base)
{
    size_t count = (stack->size - base) / sizeof (uint64_t);
    stack->size = base;
    if (count < 2)
        return true;
    uint8_t *hashes = stack->data + base;
    if (count <= FEW)
        return few_differ (hashes, count);
    qsort (hashes, count, sizeof (uint64_t), compare);
    for (size_t index = 1; index < count; index++)
        if (get_le64 (hashes + 8 * index - 8) == get_le64 (hashes + 8 * index))
            return false;
    return true;
}
