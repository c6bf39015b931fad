/*  utf8.c - whether bytes are UTF-8.
 *
 *  DESIGN
 *  Nearly all strings here are ASCII, so eight bytes are looked at at a time
 *  until one of them is not; the rest goes character by character. Any thread.
 */
#include "runtime/base/utf8.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080u
#define EACH(byte) (0x0101010101010101u * (byte))

static bool
is_tail (uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/*  The second byte's range closes overlong forms, surrogates and what is beyond U+10FFFF. */
static bool
second_fits (uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0: return second >= 0xa0 && second <= 0xbf;
    case 0xed: return second >= 0x80 && second <= 0x9f;
    case 0xf0: return second >= 0x90 && second <= 0xbf;
    case 0xf4: return second >= 0x80 && second <= 0x8f;
    default: return is_tail (second);
    }
}

size_t
utf8_step (const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length > left || !second_fits (first, at[1]))
        return 0;
    for (size_t index = 2; index < length; index++)
        if (!is_tail (at[index]))
            return 0;
    return length;
}

size_t
utf8_prefix (const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t left = size; left;) {
        uint64_t eight;
        size_t length = sizeof eight;
        if (left < sizeof eight || (memcpy (&eight, at, sizeof eight), eight & HIGH_BITS))
            length = utf8_step (at, left);
        if (!length)
            return size - left;
        at += length;
        left -= length;
    }
    return size;
}

static bool
is_plain (uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/*  Subtracting sets the high bit of each byte that is smaller, and of none that is not below one that is. */
static bool
all_plain (uint64_t eight)
{
    uint64_t quotes = eight ^ EACH ('"'), backslashes = eight ^ EACH ('\\');
    return !((eight | (eight - EACH (0x20)) | (quotes - EACH (1)) | (backslashes - EACH (1))) & HIGH_BITS);
}

size_t
utf8_plain_prefix (const void *bytes, size_t size)
{
    const uint8_t *at = bytes, *end = at + size;
    uint64_t eight;
    while ((size_t) (end - at) >= sizeof eight && (memcpy (&eight, at, sizeof eight), all_plain (eight)))
        at += sizeof eight;
    while (at < end && is_plain (*at))
        at += 1;
    return (size_t) (at - (const uint8_t *) bytes);
}

bool
utf8_is_valid (const void *bytes, size_t size)
{
    return utf8_prefix (bytes, size) == size;
}
