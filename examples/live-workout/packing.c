/*  packing.c - see packing.h. */

#include "packing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
bytes_add (bytes_t *bytes, const void *more, size_t size)
{
    if (bytes->room - bytes->size < size) {
        bytes->room = 2 * bytes->room + size;
        bytes->bytes = realloc (bytes->bytes, bytes->room);
        if (!bytes->bytes) {
            fprintf (stderr, "athletes: out of memory\n");
            exit (1);
        }
    }
    if (size > 0)
        memcpy (bytes->bytes + bytes->size, more, size);
    bytes->size += size;
}

void
bytes_add_byte (bytes_t *bytes, uint8_t byte)
{
    bytes_add (bytes, &byte, 1);
}

void
bytes_clear (bytes_t *bytes)
{
    free (bytes->bytes);
    *bytes = (bytes_t) { 0 };
}

void
bytes_drop (bytes_t *bytes, size_t size)
{
    if (size == 0)
        return;
    bytes->size -= size;
    memmove (bytes->bytes, bytes->bytes + size, bytes->size);
}

/* ---- writing ---- */

/*  A type byte and a number of so many bytes, the highest first. */
static void
add_number (bytes_t *bytes, uint8_t type, uint64_t value, int size)
{
    bytes_add_byte (bytes, type);
    for (int i = size - 1; i >= 0; i--)
        bytes_add_byte (bytes, (uint8_t) (value >> (8 * i)));
}

void
pack_map (bytes_t *bytes, uint32_t pairs)
{
    add_number (bytes, 0xdf, pairs, 4);
}

void
pack_array (bytes_t *bytes, uint32_t values)
{
    add_number (bytes, 0xdd, values, 4);
}

void
pack_text (bytes_t *bytes, const char *text)
{
    size_t length = strlen (text);
    add_number (bytes, 0xdb, length, 4);
    bytes_add (bytes, text, length);
}

void
pack_integer (bytes_t *bytes, uint64_t value)
{
    if (value < 128)
        bytes_add_byte (bytes, (uint8_t) value);
    else
        add_number (bytes, 0xcf, value, 8);
}

void
pack_real (bytes_t *bytes, double value)
{
    uint64_t bits;
    memcpy (&bits, &value, sizeof bits);
    add_number (bytes, 0xcb, bits, 8);
}

/* ---- reading ---- */

typedef struct {
    const uint8_t *at, *end;
} reader_t;

typedef enum { NUMBER, TEXT, ARRAY, MAP, OTHER, BROKEN } type_t;

typedef struct {
    type_t type;
    uint64_t number;             /* or how many bytes or values follow */
    const uint8_t *text;
} value_t;

static uint64_t
take_number (reader_t *reader, size_t size, value_t *value)
{
    uint64_t number = 0;
    if ((size_t) (reader->end - reader->at) < size) {
        value->type = BROKEN;
        return 0;
    }
    for (size_t i = 0; i < size; i++)
        number = number << 8 | *reader->at++;
    return number;
}

static value_t
with_length (value_t value, reader_t *reader, type_t type, size_t size)
{
    value.type = type;
    value.number = take_number (reader, size, &value);
    return value;
}

/*  The head of a value, and the bytes of one that is a text or raw. */
static value_t
take_head (reader_t *reader)
{
    value_t value = { .type = BROKEN };
    if (reader->at == reader->end)
        return value;
    uint8_t byte = *reader->at++;
    value.type = OTHER;
    if (byte < 0x80)
        value = (value_t) { NUMBER, byte, NULL };
    else if (byte < 0x90)
        value = (value_t) { MAP, byte & 15, NULL };
    else if (byte < 0xa0)
        value = (value_t) { ARRAY, byte & 15, NULL };
    else if (byte < 0xc0)
        value = (value_t) { TEXT, byte & 31, NULL };
    else if (byte >= 0xc4 && byte <= 0xc6)
        value = with_length (value, reader, TEXT, (size_t) 1 << (byte - 0xc4));
    else if (byte >= 0xcc && byte <= 0xcf)
        value = with_length (value, reader, NUMBER, (size_t) 1 << (byte - 0xcc));
    else if (byte == 0xca || byte == 0xcb)
        value = with_length (value, reader, OTHER, byte == 0xca ? 4 : 8);
    else if (byte >= 0xd0 && byte <= 0xd3)
        value = with_length (value, reader, OTHER, (size_t) 1 << (byte - 0xd0));
    else if (byte >= 0xd9 && byte <= 0xdb)
        value = with_length (value, reader, TEXT, (size_t) 1 << (byte - 0xd9));
    else if (byte >= 0xdc && byte <= 0xdf)
        value = with_length (value, reader, byte < 0xde ? ARRAY : MAP, byte & 1 ? 4 : 2);
    if (value.type == TEXT) {
        value.text = reader->at;
        if ((uint64_t) (reader->end - reader->at) < value.number)
            value.type = BROKEN;
        else
            reader->at += value.number;
    }
    return value;
}

/*  Steps over what belongs to a value whose head was taken. False: the bytes end in it. */
static bool
skip (reader_t *reader, value_t value)
{
    uint64_t left = value.type == MAP ? 2 * value.number : value.type == ARRAY ? value.number : 0;
    for (; left > 0 && value.type != BROKEN; left--) {
        value = take_head (reader);
        if (value.type == MAP || value.type == ARRAY)
            left += value.type == MAP ? 2 * value.number : value.number;
    }
    return value.type != BROKEN;
}

/*  The value under a name, and the bytes from its head on. */
static bool
find (const packed_t *packed, const char *name, value_t *found, packed_t *from)
{
    reader_t reader = { packed->bytes, packed->bytes + packed->size };
    value_t map = take_head (&reader);
    for (uint64_t i = 0; map.type == MAP && i < map.number; i++) {
        value_t key = take_head (&reader);
        *from = (packed_t) { reader.at, (size_t) (reader.end - reader.at) };
        *found = take_head (&reader);
        if (key.type != TEXT || found->type == BROKEN)
            return false;
        if (key.number == strlen (name) && memcmp (key.text, name, key.number) == 0)
            return true;
        if (!skip (&reader, *found))
            return false;
    }
    return false;
}

bool
packed_text (const packed_t *map, const char *name, char *text, size_t room)
{
    value_t found;
    packed_t from;
    if (!find (map, name, &found, &from) || found.type != TEXT || found.number >= room)
        return false;
    memcpy (text, found.text, found.number);
    text[found.number] = '\0';
    return true;
}

bool
packed_integer (const packed_t *map, const char *name, uint64_t *value)
{
    value_t found;
    packed_t from;
    if (!find (map, name, &found, &from) || found.type != NUMBER)
        return false;
    *value = found.number;
    return true;
}

bool
packed_map (const packed_t *map, const char *name, packed_t *inner)
{
    value_t found;
    return find (map, name, &found, inner) && found.type == MAP;
}
