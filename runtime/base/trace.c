/*  trace.c - whose doing something is: a W3C traceparent that goes from message to message. */
#include "runtime/base/trace.h"
#include "runtime/base/hex.h"

#include <string.h>

#define ID_SIZE 16
#define PARENT_SIZE 8

static bool
is_zero (const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[ID_SIZE];
    return memcmp (bytes, zeros, size) == 0;
}

bool
trace_read (const char *text, uint8_t trace[TRACE_SIZE])
{
    uint8_t version;
    uint8_t *parent = trace + ID_SIZE, *flags = parent + PARENT_SIZE;
    if (!hex_read (text, &version, 1) || version == 0xff || text[2] != '-' || !hex_read (text + 3, trace, ID_SIZE)
        || text[35] != '-' || !hex_read (text + 36, parent, PARENT_SIZE) || text[52] != '-'
        || !hex_read (text + 53, flags, 1))
        return false;
    bool ends = text[55] == '\0' || (version > 0 && text[55] == '-');
    return ends && !is_zero (trace, ID_SIZE) && !is_zero (parent, PARENT_SIZE);
}

void
trace_write (const uint8_t trace[TRACE_SIZE], char text[TRACE_TEXT_SIZE])
{
    memcpy (text, "00-", 3);
    text = hex_write (text + 3, trace, ID_SIZE);
    *text++ = '-';
    text = hex_write (text, trace + ID_SIZE, PARENT_SIZE);
    *text++ = '-';
    hex_write (text, trace + ID_SIZE + PARENT_SIZE, 1);
}
