/*  shown.c - a stored value as people read it. */
#include "commands/shown.h"

#include "runtime/base/bytes.h"
#include "runtime/base/hex.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"

#include <stdio.h>

static bool
is_printable (const uint8_t *bytes, size_t size)
{
    if (!utf8_is_valid (bytes, size))
        return false;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < 0x20 || bytes[i] == 0x7f)
            return false;
    return true;
}

/*  151 in eight bytes is the packed array [0, 0, 0, 0, 0, 0, 0] as well, but hardly was meant as that. */
static bool
is_small_integer (const uint8_t *bytes, size_t size)
{
    if (size == 8)
        return get_le32 (bytes + 4) == 0 || get_le32 (bytes + 4) == UINT32_MAX;
    return size == 4 && (get_le16 (bytes + 2) == 0 || get_le16 (bytes + 2) == UINT16_MAX);
}

static json_t *
integer_of (const uint8_t *bytes, size_t size)
{
    switch (size) {
    case 1:
        return json_integer (bytes[0]);
    case 4:
        return json_integer ((int32_t) get_le32 (bytes));
    default:
        return json_integer ((json_int_t) get_le64 (bytes));
    }
}

static json_t *
hex_of (const uint8_t *bytes, size_t size)
{
    char *text = memory_alloc (2 * size + 3);
    if (!text)
        return NULL;
    memcpy (text, "0x", 3);
    hex_write (text + 2, bytes, size);
    json_t *hex = json_string (text);
    memory_free (text);
    return hex;
}

json_t *
shown_value (const uint8_t *bytes, size_t size)
{
    if (is_printable (bytes, size))
        return json_stringn (size ? (const char *) bytes : "", size);
    if (is_small_integer (bytes, size))
        return integer_of (bytes, size);
    if (size > 1 && packed_is_valid (bytes, size))
        return json_tree_from_packed (bytes, size, NULL);
    return size == 1 || size == 4 || size == 8 ? integer_of (bytes, size) : hex_of (bytes, size);
}
