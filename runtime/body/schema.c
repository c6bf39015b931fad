/*  schema.c - the fields that a verb takes, "laps:int note?:string".
 *
 *  DESIGN
 *  Compiled once into names and types, then walked together with the body:
 *  fields mostly come in the order in which they are written down, so the search
 *  for each begins behind the one before. A bit per field tells which were seen,
 *  hence the limit of 64. Values inside of an array or object are stepped over,
 *  not looked at. After schema_new nothing changes: any thread.
 */
#include "runtime/body/schema.h"

#include "runtime/base/memory.h"
#include "runtime/body/packed.h"

typedef enum { TYPE_ANY, TYPE_INT, TYPE_NUMBER, TYPE_STRING, TYPE_BOOL, TYPE_BYTES, TYPE_ARRAY, TYPE_OBJECT } type_t;

static const struct {
    const char *name;
    const char *wanted;
    uint32_t takes;  /* a bit for each packed_type_t */
} types[] = {
    [TYPE_ANY] = { "any", "anything", UINT32_MAX },
    [TYPE_INT] = { "int", "an integer is wanted", 1u << PACKED_INT },
    [TYPE_NUMBER] = { "number", "a number is wanted", 1u << PACKED_INT | 1u << PACKED_REAL },
    [TYPE_STRING] = { "string", "a string is wanted", 1u << PACKED_STRING },
    [TYPE_BOOL] = { "bool", "a boolean is wanted", 1u << PACKED_BOOL },
    [TYPE_BYTES] = { "bytes", "raw bytes are wanted", 1u << PACKED_BYTES },
    [TYPE_ARRAY] = { "array", "an array is wanted", 1u << PACKED_ARRAY },
    [TYPE_OBJECT] = { "object", "an object is wanted", 1u << PACKED_OBJECT },
};

#define TYPES (sizeof types / sizeof *types)

typedef struct {
    char name[TROUPE_NAME_MAX + 1];
    uint8_t size;    /* bytes of the name */
    uint8_t type;
    bool optional;   /* may be missing or null */
} field_t;

struct schema_s {
    uint32_t count;
    field_t fields[];
};

_Static_assert (SCHEMA_FIELDS_MAX <= 64, "a bit of a uint64_t for each field");

static bool
is_name (const char *text, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        char byte = text[index];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
        bool other = (byte >= '0' && byte <= '9') || byte == '-' || byte == '.';
        if (!letter && !other)
            return false;
    }
    return size >= 1 && size <= TROUPE_NAME_MAX;
}

static bool
find_type (const char *text, size_t size, uint8_t *type)
{
    for (size_t index = 0; index < TYPES; index++)
        if (strlen (types[index].name) == size && memcmp (types[index].name, text, size) == 0) {
            *type = (uint8_t) index;
            return true;
        }
    return false;
}

/*  One word of the text, "note?:string". Shows at most the length of the longest good one. */
static troupe_status_t
compile (field_t *field, const char *word, size_t size, troupe_error_t *error)
{
    int shown = size > 2 * TROUPE_NAME_MAX ? 2 * TROUPE_NAME_MAX : (int) size;
    const char *colon = memchr (word, ':', size);
    if (!colon)
        return error_set (error, TROUPE_INVALID, "field \"%.*s\": write name:type", shown, word);
    size_t name_size = (size_t) (colon - word);
    field->optional = name_size && colon[-1] == '?';
    name_size -= field->optional;
    if (!is_name (word, name_size))
        return error_set (error, TROUPE_INVALID, "field \"%.*s\": a name is 1 to %d of a-z A-Z 0-9 _ - .", shown,
                          word, TROUPE_NAME_MAX);
    if (!find_type (colon + 1, size - (size_t) (colon + 1 - word), &field->type))
        return error_set (error, TROUPE_INVALID,
                          "field \"%.*s\": a type is one of int number string bool bytes array object any", shown,
                          word);
    memcpy (field->name, word, name_size);
    field->name[name_size] = '\0';
    field->size = (uint8_t) name_size;
    return TROUPE_OK;
}

static bool
is_blank (char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t';
}

/*  Moves to the next word; its size, 0 at the end. */
static size_t
next_word (const char **at)
{
    size_t size = 0;
    while (is_blank (**at))
        *at += 1;
    while ((*at)[size] && !is_blank ((*at)[size]))
        size += 1;
    return size;
}

static troupe_status_t
add_field (schema_t *self, const char *word, size_t size, troupe_error_t *error)
{
    if (self->count == SCHEMA_FIELDS_MAX)
        return error_set (error, TROUPE_INVALID, "more than %d fields", SCHEMA_FIELDS_MAX);
    field_t *field = &self->fields[self->count];
    troupe_status_t status = compile (field, word, size, error);
    for (uint32_t index = 0; index < self->count && status == TROUPE_OK; index++)
        if (strcmp (self->fields[index].name, field->name) == 0)
            status = error_set (error, TROUPE_INVALID, "field \"%s\" stands there twice", field->name);
    self->count += status == TROUPE_OK;
    return status;
}

schema_t *
schema_new (const char *text, troupe_error_t *error)
{
    CHECK (text);
    size_t words = 0;
    const char *at = text;
    for (size_t size; (size = next_word (&at)) != 0; at += size)
        words += 1;
    if (words > SCHEMA_FIELDS_MAX)
        words = SCHEMA_FIELDS_MAX;  /* add_field refuses the rest */
    schema_t *self = memory_zalloc (sizeof *self + words * sizeof (field_t));
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "out of memory for a list of fields");
        return NULL;
    }
    at = text;
    for (size_t size; (size = next_word (&at)) != 0; at += size)
        if (add_field (self, at, size, error) != TROUPE_OK) {
            schema_destroy (&self);
            return NULL;
        }
    return self;
}

void
schema_destroy (schema_t **self_p)
{
    CHECK (self_p);
    memory_free (*self_p);
    *self_p = NULL;
}

/*  The field of a key; `count` when there is none. Begins at `hint`. */
static uint32_t
find_field (const schema_t *self, const packed_value_t *key, uint32_t hint)
{
    for (uint32_t step = 0; step < self->count; step++) {
        uint32_t index = hint + step < self->count ? hint + step : hint + step - self->count;
        const field_t *field = &self->fields[index];
        if (field->size == key->string.size && memcmp (field->name, key->string.bytes, field->size) == 0)
            return index;
    }
    return self->count;
}

static troupe_status_t
damaged (troupe_error_t *error)
{
    return error_set (error, TROUPE_INVALID, "the body is not one good packed value");
}

static troupe_status_t
refuse_key (const packed_value_t *key, const char *why, troupe_error_t *error)
{
    int shown = key->string.size > TROUPE_NAME_MAX ? TROUPE_NAME_MAX : (int) key->string.size;
    return error_set (error, TROUPE_INVALID, "%.*s: %s", shown, (const char *) key->string.bytes, why);
}

static troupe_status_t
check_value (const field_t *field, packed_reader_t *reader, troupe_error_t *error)
{
    packed_value_t value;
    packed_reader_t ahead = *reader;
    if (!packed_next (&ahead, &value) || !packed_skip (reader))
        return damaged (error);
    if (types[field->type].takes >> value.type & 1 || (field->optional && value.type == PACKED_NULL))
        return TROUPE_OK;
    return error_set (error, TROUPE_INVALID, "%s: %s, not %s", field->name, types[field->type].wanted,
                      packed_type_name (value.type));
}

static troupe_status_t
check_pairs (const schema_t *self, packed_reader_t *reader, uint32_t count, uint64_t *seen, troupe_error_t *error)
{
    packed_value_t key;
    for (uint32_t hint = 0; count; count--) {
        if (!packed_next (reader, &key) || key.type != PACKED_STRING)
            return damaged (error);
        uint32_t index = find_field (self, &key, hint);
        if (index == self->count)
            return refuse_key (&key, "there is no such field", error);
        if (*seen >> index & 1)
            return refuse_key (&key, "the field stands there twice", error);
        troupe_status_t status = check_value (&self->fields[index], reader, error);
        if (status != TROUPE_OK)
            return status;
        *seen |= UINT64_C (1) << index;
        hint = index + 1;
    }
    return reader->at == reader->end ? TROUPE_OK : damaged (error);
}

/*  A body of null is one without fields. */
troupe_status_t
schema_check (const schema_t *self, const void *body, size_t size, troupe_error_t *error)
{
    uint64_t seen = 0;
    packed_value_t value = { .type = PACKED_NULL };
    packed_reader_t reader = { body, size ? (const uint8_t *) body + size : body };
    if (size && !packed_next (&reader, &value))
        return damaged (error);
    if (value.type != PACKED_OBJECT && value.type != PACKED_NULL)
        return error_set (error, TROUPE_INVALID, "an object is wanted, not %s", packed_type_name (value.type));
    uint32_t pairs = value.type == PACKED_OBJECT ? value.count : 0;
    troupe_status_t status = check_pairs (self, &reader, pairs, &seen, error);
    for (uint32_t index = 0; index < self->count && status == TROUPE_OK; index++)
        if (!self->fields[index].optional && !(seen >> index & 1))
            status = error_set (error, TROUPE_INVALID, "%s: is missing", self->fields[index].name);
    return status;
}

void
schema_each (const schema_t *self, void (*each) (void *arg, const char *name, const char *type, bool optional),
             void *arg)
{
    for (uint32_t index = 0; index < self->count; index++) {
        const field_t *field = &self->fields[index];
        each (arg, field->name, types[field->type].name, field->optional);
    }
}
