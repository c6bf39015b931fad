/*  packed_write.h - MessagePack at a place that is known to have room.
 *
 *  For packed.c and pack.c alone; all others use packed_put_*. Each function
 *  writes the shortest form and returns the place behind it.
 */
#ifndef RUNTIME_BODY_PACKED_WRITE_H
#define RUNTIME_BODY_PACKED_WRITE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PACKED_HEAD_MAX 9  /* bytes of the longest scalar or head */

static inline uint8_t *
write_wide (uint8_t *at, uint8_t head, uint64_t value, unsigned bytes)
{
    *at = head;
    value = __builtin_bswap64 (value << (64 - 8 * bytes));
    memcpy (at + 1, &value, bytes);
    return at + 1 + bytes;
}

static inline uint8_t *
write_int_wide (uint8_t *at, int64_t integer)
{
    uint64_t value = (uint64_t) integer;
    if (integer >= 0) {
        if (value <= UINT8_MAX)
            return write_wide (at, 0xcc, value, 1);
        if (value <= UINT16_MAX)
            return write_wide (at, 0xcd, value, 2);
        if (value <= UINT32_MAX)
            return write_wide (at, 0xce, value, 4);
        return write_wide (at, 0xcf, value, 8);
    }
    if (integer >= INT8_MIN)
        return write_wide (at, 0xd0, value, 1);
    if (integer >= INT16_MIN)
        return write_wide (at, 0xd1, value, 2);
    if (integer >= INT32_MIN)
        return write_wide (at, 0xd2, value, 4);
    return write_wide (at, 0xd3, value, 8);
}

static inline uint8_t *
write_int (uint8_t *at, int64_t integer)
{
    if (integer < -32 || integer > 127)
        return write_int_wide (at, integer);
    *at = (uint8_t) integer;
    return at + 1;
}

static inline uint8_t *
write_real (uint8_t *at, double real)
{
    uint64_t bits;
    memcpy (&bits, &real, sizeof bits);
    return write_wide (at, 0xcb, bits, 8);
}

static inline uint8_t *
write_bool (uint8_t *at, int truth)
{
    *at = truth ? 0xc3 : 0xc2;
    return at + 1;
}

static inline uint8_t *
write_null (uint8_t *at)
{
    *at = 0xc0;
    return at + 1;
}

static inline uint8_t *
write_string_head (uint8_t *at, uint32_t size)
{
    if (size > UINT16_MAX)
        return write_wide (at, 0xdb, size, 4);
    if (size > UINT8_MAX)
        return write_wide (at, 0xda, size, 2);
    if (size > 31)
        return write_wide (at, 0xd9, size, 1);
    *at = (uint8_t) (0xa0 | size);
    return at + 1;
}

static inline uint8_t *
write_bytes_head (uint8_t *at, uint32_t size)
{
    if (size > UINT16_MAX)
        return write_wide (at, 0xc6, size, 4);
    if (size > UINT8_MAX)
        return write_wide (at, 0xc5, size, 2);
    return write_wide (at, 0xc4, size, 1);
}

/*  `fix` is 0x80 for objects and 0x90 for arrays. */
static inline uint8_t *
write_container_head (uint8_t *at, uint8_t fix, uint32_t count)
{
    uint8_t wide = fix == 0x80 ? 0xde : 0xdc;
    if (count > UINT16_MAX)
        return write_wide (at, wide + 1, count, 4);
    if (count > 15)
        return write_wide (at, wide, count, 2);
    *at = (uint8_t) (fix | count);
    return at + 1;
}

#endif
