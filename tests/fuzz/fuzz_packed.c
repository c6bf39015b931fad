/*  fuzz_packed.c - bytes that claim to be a body.
 *
 *  Every reader must survive any bytes, and agree with the others on what is a
 *  good body: that one goes through text and tree and back without a change.
 */
#include "runtime/base/arena.h"
#include "runtime/body/json.h"
#include "runtime/body/pack.h"
#include "runtime/body/packed.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

/*  Writes again what the cursor reads, in the shortest forms. */
static bool
copy_value (packed_reader_t *reader, buffer_t *to, unsigned depth)
{
    packed_value_t value;
    if (!packed_next (reader, &value))
        return false;
    uint64_t parts = 0;
    switch (value.type) {
    case PACKED_NULL: packed_put_null (to); break;
    case PACKED_BOOL: packed_put_bool (to, value.truth); break;
    case PACKED_INT: packed_put_int (to, value.integer); break;
    case PACKED_REAL: packed_put_real (to, value.real); break;
    case PACKED_STRING: packed_put_string (to, (const char *) value.string.bytes, value.string.size); break;
    case PACKED_BYTES: packed_put_bytes (to, value.string.bytes, value.string.size); break;
    case PACKED_ARRAY: packed_put_array (to, value.count); parts = value.count; break;
    case PACKED_OBJECT: packed_put_object (to, value.count); parts = 2 * (uint64_t) value.count; break;
    }
    if (parts && depth == 0)
        return false;
    for (; parts; parts--)
        if (!copy_value (reader, to, depth - 1))
            return false;
    return true;
}

static troupe_status_t
read_by (const void *body, size_t size, const char *format, ...)
{
    arena_t strings = { 0 };
    troupe_error_t error;
    va_list arguments;
    va_start (arguments, format);
    troupe_status_t status = pack_read (body, size, &strings, &error, format, arguments);
    va_end (arguments);
    arena_clear (&strings);
    return status;
}

/*  Formats of each type against whatever is there. */
static void
read_wildly (const uint8_t *data, size_t size)
{
    const char *text, *other;
    const void *bytes;
    json_int_t integer = 0, second;
    int small, truth;
    double real;
    size_t length;
    json_t *tree = NULL, *inner = NULL;
    (void) !read_by (data, size, "{s:I, s:s, s:I}", "a", &integer, "b", &text, "c", &second);
    (void) !read_by (data, size, "{s?:I, s?:s#, s?:{s:F s:[b, i]}, s?:r#}", "a", &integer, "b", &text, &length, "c",
                     "d", &real, "e", &truth, &small, "f", &bytes, &length);
    (void) !read_by (data, size, "[s, I, {s:f, s:n, s?:v}]", &other, &integer, "a", &real, "b", "c", &bytes, &length);
    if (read_by (data, size, "[o, [o, I]]", &tree, &inner, &integer) == TROUPE_OK) {
        json_decref (tree);
        json_decref (inner);
    }
    if (read_by (data, size, "o", &tree) == TROUPE_OK)
        json_decref (tree);
}

static void
good_body_survives (const uint8_t *data, size_t size)
{
    buffer_t text = { 0 }, again = { 0 }, copy = { 0 };
    packed_reader_t reader = { data, data + size };
    HOLDS (copy_value (&reader, &copy, PACKED_DEPTH_MAX) && reader.at == reader.end && copy.size <= size + 8 * size);
    HOLDS (packed_is_valid (copy.data, copy.size));
    HOLDS (json_from_packed (data, size, &text, NULL) == TROUPE_OK);
    HOLDS (json_to_packed ((const char *) text.data, text.size, &again, NULL) == TROUPE_OK);
    HOLDS (packed_is_valid (again.data, again.size));
    json_t *tree = json_tree_from_packed (data, size, NULL);
    json_t *same = json_tree_from_packed (again.data, again.size, NULL);
    HOLDS (tree && same && json_equal (tree, same));
    buffer_reset (&copy);
    HOLDS (json_tree_to_packed (tree, &copy, NULL) == TROUPE_OK && packed_is_valid (copy.data, copy.size));
    json_decref (tree);
    json_decref (same);
    buffer_clear (&text);
    buffer_clear (&again);
    buffer_clear (&copy);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    packed_reader_t reader = { data, data + size }, found;
    buffer_t text = { 0 };
    bool good = packed_is_valid (data, size);
    bool skipped = packed_skip (&reader);
    HOLDS (!good || size == 0 || (skipped && reader.at == reader.end));
    if (packed_find (data, size, "a", &found))
        HOLDS (found.at < found.end && found.at > data && found.end <= data + size);
    bool printed = json_from_packed (data, size, &text, NULL) == TROUPE_OK;
    HOLDS (printed || !good);
    buffer_clear (&text);
    json_t *tree = json_tree_from_packed (data, size, NULL);
    HOLDS ((tree != NULL) == good);
    json_decref (tree);
    read_wildly (data, size);
    if (good && size)
        good_body_survives (data, size);
    return 0;
}
