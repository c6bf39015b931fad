/*  bytes.h - integers at fixed places in bytes, and the hashes that are part
 *  of the store's format.
 *
 *  Big-endian where the order of the bytes must be the order of the numbers
 *  (keys), little-endian elsewhere.
 */
#ifndef RUNTIME_BASE_BYTES_H
#define RUNTIME_BASE_BYTES_H

#define XXH_INLINE_ALL
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

static inline void
put_be16 (uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t) (value >> 8);
    to[1] = (uint8_t) value;
}

static inline uint16_t
get_be16 (const uint8_t *from)
{
    return (uint16_t) (from[0] << 8 | from[1]);
}

static inline void
put_be64 (uint8_t *to, uint64_t value)
{
    value = __builtin_bswap64 (value);
    memcpy (to, &value, sizeof value);
}

static inline uint64_t
get_be64 (const uint8_t *from)
{
    uint64_t value;
    memcpy (&value, from, sizeof value);
    return __builtin_bswap64 (value);
}

#define BYTES_LITTLE(bits)                                                     \
    static inline void put_le##bits (uint8_t *to, uint##bits##_t value)        \
    {                                                                          \
        memcpy (to, &value, sizeof value);                                     \
    }                                                                          \
    static inline uint##bits##_t get_le##bits (const uint8_t *from)            \
    {                                                                          \
        uint##bits##_t value;                                                  \
        memcpy (&value, from, sizeof value);                                   \
        return value;                                                          \
    }
BYTES_LITTLE (16)
BYTES_LITTLE (32)
BYTES_LITTLE (64)

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a big-endian machine needs swaps here"
#endif

/*  Copies what is mostly short faster than a call, or the compiler's own way, would. Up
 *  to COPY_SLACK bytes behind the end are read and written as well. */
#define COPY_SLACK 15

static inline void
copy_short (void *to, const void *from, size_t size)
{
    if (__builtin_expect (size > 128, 0)) {
        memcpy (to, from, size);
        return;
    }
    for (size_t at = 0; at < size; at += COPY_SLACK + 1)
        memcpy ((uint8_t *) to + at, (const uint8_t *) from + at, COPY_SLACK + 1);
}

static inline uint64_t
hash_bytes (const void *bytes, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed (bytes, size, seed);
}

/*  A good mix of two numbers, for ids that are made from ids. */
static inline uint64_t
hash_mix (uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128) (a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xe7037ed1a0b428dbu);
    return (uint64_t) product ^ (uint64_t) (product >> 64);
}

#endif
