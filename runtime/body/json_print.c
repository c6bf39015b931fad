/*  json_print.c - a packed body to JSON text.
 *
 *  DESIGN
 *  By cursor, straight into the text's buffer: replies and events go this way
 *  for every client that speaks JSON. The cursor's checks make it safe on any
 *  bytes, and what comes out is JSON or nothing. Any thread.
 */
#include "runtime/base/utf8.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"
#include "runtime/body/real.h"

#define INTEGER_TEXT_MAX 20  /* "-9223372036854775808" */

static void
print_text (buffer_t *text, const char *word)
{
    buffer_append (text, word, strlen (word));
}

void
json_put_int (buffer_t *text, int64_t integer)
{
    char digits[INTEGER_TEXT_MAX];
    char *at = digits + sizeof digits;
    uint64_t left = integer < 0 ? -(uint64_t) integer : (uint64_t) integer;
    do
        *--at = (char) ('0' + left % 10);
    while (left /= 10);
    if (integer < 0)
        *--at = '-';
    buffer_append (text, at, (size_t) (digits + sizeof digits - at));
}

static void
print_real (buffer_t *text, double real)
{
    char digits[REAL_TEXT_MAX];
    buffer_append (text, digits, real_print (real, digits));
}

static void
print_escape (buffer_t *text, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char plain[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *found = byte ? strchr (plain, byte) : NULL;
    if (found) {
        char escape[2] = { '\\', names[found - plain] };
        buffer_append (text, escape, sizeof escape);
    } else {
        char escape[6] = { '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15] };
        buffer_append (text, escape, sizeof escape);
    }
}

/*  Of good UTF-8. */
static void
print_plain (buffer_t *text, const uint8_t *at, size_t size)
{
    const uint8_t *end = at + size;
    while (at < end) {
        const uint8_t *run = at;
        while (at < end && *at >= 0x20 && *at != '"' && *at != '\\')
            at += 1;
        buffer_append (text, run, (size_t) (at - run));
        if (at < end)
            print_escape (text, *at++);
    }
}

/*  Most strings need no look at their characters but one. */
static bool
put_plain (buffer_t *text, const void *string, size_t size)
{
    if (utf8_plain_prefix (string, size) < size)
        return false;
    char *place = (char *) buffer_reserve (text, size + 2);
    if (place) {
        place[0] = '"';
        memcpy (place + 1, string, size);
        place[size + 1] = '"';
        text->size += size + 2;
    }
    return true;
}

static bool
print_string (buffer_t *text, const packed_value_t *value)
{
    if (put_plain (text, value->string.bytes, value->string.size))
        return true;
    if (!utf8_is_valid (value->string.bytes, value->string.size))
        return false;
    json_put_string (text, (const char *) value->string.bytes, value->string.size);
    return true;
}

void
json_put_string (buffer_t *text, const char *string, size_t size)
{
    const uint8_t *at = (const uint8_t *) string;
    if (put_plain (text, string, size))
        return;
    buffer_byte (text, '"');
    while (size) {
        size_t good = utf8_prefix (at, size);
        print_plain (text, at, good);
        at += good;
        size -= good;
        if (size) {
            print_text (text, "\xef\xbf\xbd");
            at += 1;
            size -= 1;
        }
    }
    buffer_byte (text, '"');
}

static void
print_base64 (buffer_t *text, const packed_value_t *value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = value->string.bytes;
    buffer_byte (text, '"');
    for (size_t left = value->string.size; left;) {
        size_t taken = left < 3 ? left : 3;
        uint32_t bits = (uint32_t) at[0] << 16 | (taken > 1 ? (uint32_t) at[1] << 8 : 0) | (taken > 2 ? at[2] : 0);
        char group[4] = { digits[bits >> 18], digits[bits >> 12 & 63], '=', '=' };
        if (taken > 1)
            group[2] = digits[bits >> 6 & 63];
        if (taken > 2)
            group[3] = digits[bits & 63];
        buffer_append (text, group, sizeof group);
        at += taken;
        left -= taken;
    }
    buffer_byte (text, '"');
}

static bool print_value (buffer_t *text, packed_reader_t *reader, unsigned depth);

static bool
print_array (buffer_t *text, packed_reader_t *reader, uint32_t count, unsigned depth)
{
    buffer_byte (text, '[');
    for (uint32_t index = 0; index < count; index++) {
        if (index)
            buffer_byte (text, ',');
        if (!print_value (text, reader, depth))
            return false;
    }
    buffer_byte (text, ']');
    return true;
}

static bool
print_object (buffer_t *text, packed_reader_t *reader, uint32_t count, unsigned depth)
{
    packed_value_t key;
    buffer_byte (text, '{');
    for (uint32_t index = 0; index < count; index++) {
        if (index)
            buffer_byte (text, ',');
        if (!packed_next (reader, &key) || key.type != PACKED_STRING || !print_string (text, &key))
            return false;
        buffer_byte (text, ':');
        if (!print_value (text, reader, depth))
            return false;
    }
    buffer_byte (text, '}');
    return true;
}

/*  False for bad bytes, or when the text has no room: then there is no point in going on. */
static bool
print_value (buffer_t *text, packed_reader_t *reader, unsigned depth)
{
    packed_value_t value;
    if (text->failed || !packed_next (reader, &value))
        return false;
    switch (value.type) {
    case PACKED_NULL: print_text (text, "null"); return true;
    case PACKED_BOOL: print_text (text, value.truth ? "true" : "false"); return true;
    case PACKED_INT: json_put_int (text, value.integer); return true;
    case PACKED_REAL: print_real (text, value.real); return true;
    case PACKED_STRING: return print_string (text, &value);
    case PACKED_BYTES: print_base64 (text, &value); return true;
    case PACKED_ARRAY: return depth && print_array (text, reader, value.count, depth - 1);
    case PACKED_OBJECT: return depth && print_object (text, reader, value.count, depth - 1);
    }
    return false;
}

troupe_status_t
json_from_packed (const void *body, size_t size, buffer_t *text, troupe_error_t *error)
{
    size_t start = text->size;
    packed_reader_t reader = { body, size ? (const uint8_t *) body + size : body };
    bool good = true;
    if (size == 0)
        print_text (text, "null");
    else
        good = print_value (text, &reader, PACKED_DEPTH_MAX) && reader.at == reader.end;
    troupe_status_t status = packed_status (text, error);
    if (status == TROUPE_OK && !good)
        status = error_set (error, TROUPE_INVALID, "the body is not one good packed value");
    if (status != TROUPE_OK)
        packed_cut (text, start);
    return status;
}
