/*  hex.h - bytes as hex digits, two each, in small letters. */
#ifndef RUNTIME_BASE_HEX_H
#define RUNTIME_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  Writes the digits and a NUL; returns where the NUL stands. */
static inline char *
hex_write (char *to, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        *to++ = "0123456789abcdef"[((const uint8_t *) bytes)[i] >> 4];
        *to++ = "0123456789abcdef"[((const uint8_t *) bytes)[i] & 15];
    }
    *to = '\0';
    return to;
}

static inline int
hex_digit (char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*  So many bytes from the front of a text; false at what is no digit, and at its end. */
static inline bool
hex_read (const char *text, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit (text[2 * i]), low = high < 0 ? -1 : hex_digit (text[2 * i + 1]);
        if (low < 0)
            return false;
        bytes[i] = (uint8_t) (high << 4 | low);
    }
    return true;
}

#endif
