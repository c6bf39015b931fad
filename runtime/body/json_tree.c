/*  json_tree.c - between jansson trees and packed bodies.
 *
 *  DESIGN
 *  For those who want trees; the runtime itself never makes one. jansson's
 *  values may have been made by its _nocheck functions, so strings are checked
 *  here too. It reports most failures as NULL: since all that it could object to
 *  was checked before, NULL means no memory. A tree is used by one thread.
 */
#include "runtime/base/utf8.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"

#include <math.h>

typedef struct {
    buffer_t *to;
    troupe_error_t *error;
    troupe_status_t status;
} writer_t;

static bool
refuse (writer_t *self, const char *text)
{
    self->status = error_set (self->error, TROUPE_INVALID, "JSON tree: %s", text);
    return false;
}

static bool write_tree (writer_t *self, const json_t *tree, unsigned depth);

static bool
write_string (writer_t *self, const char *string, size_t size)
{
    if (!utf8_is_valid (string, size))
        return refuse (self, "a string is no UTF-8");
    packed_put_string (self->to, string, size);
    return true;
}

static bool
write_array (writer_t *self, const json_t *array, unsigned depth)
{
    size_t count = json_array_size (array);
    packed_put_array (self->to, (uint32_t) count);
    for (size_t index = 0; index < count; index++)
        if (!write_tree (self, json_array_get (array, index), depth))
            return false;
    return true;
}

static bool
write_object (writer_t *self, json_t *object, unsigned depth)
{
    packed_put_object (self->to, (uint32_t) json_object_size (object));
    for (void *at = json_object_iter (object); at; at = json_object_iter_next (object, at)) {
        const char *key = json_object_iter_key (at);
        size_t size = json_object_iter_key_len (at);
        if (memchr (key, '\0', size))
            return refuse (self, "a key holds a NUL");
        if (!write_string (self, key, size) || !write_tree (self, json_object_iter_value (at), depth))
            return false;
    }
    return true;
}

static bool
write_real (writer_t *self, double real)
{
    if (!isfinite (real))
        return refuse (self, "a number is NaN or infinite");
    packed_put_real (self->to, real);
    return true;
}

/*  A tree that holds itself is stopped by the depth. */
static bool
write_tree (writer_t *self, const json_t *tree, unsigned depth)
{
    if (!tree)
        return refuse (self, "it is NULL");
    if (self->to->failed)
        return false;
    switch (json_typeof (tree)) {
    case JSON_NULL: packed_put_null (self->to); return true;
    case JSON_TRUE: packed_put_bool (self->to, true); return true;
    case JSON_FALSE: packed_put_bool (self->to, false); return true;
    case JSON_INTEGER: packed_put_int (self->to, json_integer_value (tree)); return true;
    case JSON_REAL: return write_real (self, json_real_value (tree));
    case JSON_STRING: return write_string (self, json_string_value (tree), json_string_length (tree));
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (depth == 0)
            return refuse (self, "nested too deeply");
        if (json_is_array (tree))
            return write_array (self, tree, depth - 1);
        return write_object (self, (json_t *) tree, depth - 1);  /* iterators are const for values alone */
    }
    return refuse (self, "an unknown type");
}

troupe_status_t
json_tree_to_packed (const json_t *tree, buffer_t *to, troupe_error_t *error)
{
    size_t start = to->size;
    writer_t self = { .to = to, .error = error, .status = TROUPE_OK };
    write_tree (&self, tree, PACKED_DEPTH_MAX);
    if (self.status == TROUPE_OK)
        self.status = packed_status (to, error);
    if (self.status != TROUPE_OK)
        packed_cut (to, start);
    return self.status;
}

/*  NULL: `good` tells whether the bytes are to blame or the memory. */
static json_t *read_tree (packed_reader_t *reader, unsigned depth, bool *good);

static json_t *
read_array (packed_reader_t *reader, uint32_t count, unsigned depth, bool *good)
{
    json_t *array = json_array ();
    for (; array && count; count--) {
        json_t *element = read_tree (reader, depth, good);
        if (!element || json_array_append_new (array, element) != 0) {
            json_decref (array);
            return NULL;
        }
    }
    return array;
}

/*  Adds one pair. */
static bool
read_pair (packed_reader_t *reader, json_t *object, unsigned depth, bool *good)
{
    packed_value_t key;
    *good = packed_next (reader, &key) && key.type == PACKED_STRING;
    if (!*good)
        return false;
    const char *name = (const char *) key.string.bytes;
    size_t size = key.string.size;
    *good = utf8_is_valid (name, size) && !memchr (name, '\0', size) && !json_object_getn (object, name, size);
    if (!*good)
        return false;
    json_t *value = read_tree (reader, depth, good);
    return value && json_object_setn_new_nocheck (object, name, size, value) == 0;
}

static json_t *
read_object (packed_reader_t *reader, uint32_t count, unsigned depth, bool *good)
{
    json_t *object = json_object ();
    for (; object && count; count--)
        if (!read_pair (reader, object, depth, good)) {
            json_decref (object);
            return NULL;
        }
    return object;
}

/*  Raw bytes have no type in a tree: as in the text, they are a base64 string. */
static json_t *
read_bytes (const packed_value_t *value)
{
    buffer_t packed = { 0 }, text = { 0 };
    json_t *string = NULL;
    packed_put_bytes (&packed, value->string.bytes, value->string.size);
    if (!packed.failed && json_from_packed (packed.data, packed.size, &text, NULL) == TROUPE_OK)
        string = json_stringn_nocheck ((const char *) text.data + 1, text.size - 2);
    buffer_clear (&packed);
    buffer_clear (&text);
    return string;
}

static json_t *
read_string (const packed_value_t *value, bool *good)
{
    *good = utf8_is_valid (value->string.bytes, value->string.size);
    return *good ? json_stringn_nocheck ((const char *) value->string.bytes, value->string.size) : NULL;
}

static json_t *
read_tree (packed_reader_t *reader, unsigned depth, bool *good)
{
    packed_value_t value;
    *good = packed_next (reader, &value) && (value.type < PACKED_ARRAY || depth);
    if (!*good)
        return NULL;
    switch (value.type) {
    case PACKED_NULL: return json_null ();
    case PACKED_BOOL: return json_boolean (value.truth);
    case PACKED_INT: return json_integer (value.integer);
    case PACKED_REAL: return json_real (value.real);
    case PACKED_STRING: return read_string (&value, good);
    case PACKED_BYTES: return read_bytes (&value);
    case PACKED_ARRAY: return read_array (reader, value.count, depth - 1, good);
    case PACKED_OBJECT: return read_object (reader, value.count, depth - 1, good);
    }
    return NULL;
}

json_t *
json_tree_from_packed (const void *body, size_t size, troupe_error_t *error)
{
    bool good = true;
    packed_reader_t reader = { body, size ? (const uint8_t *) body + size : body };
    json_t *tree = size ? read_tree (&reader, PACKED_DEPTH_MAX, &good) : json_null ();
    if (tree && size && reader.at != reader.end) {
        json_decref (tree);
        tree = NULL;
        good = false;
    }
    if (!tree && good)
        error_set (error, TROUPE_NO_MEMORY, "out of memory for the JSON tree of a body");
    else if (!tree)
        error_set (error, TROUPE_INVALID, "the body is not one good packed value");
    return tree;
}
