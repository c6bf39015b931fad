/*  unpack.c - reading a body by a format.
 *
 *  DESIGN
 *  In place, without a tree. Fields of an object are mostly read in the order in
 *  which they were packed, so each level remembers where the last one ended and
 *  looks there first; only a field that is not there is searched from the front.
 *  Shards read by shape.c, which comes here for what it does not know. The bytes are
 *  trusted in nothing. Any thread. A failed read has set some of its targets and
 *  not others; the trees among them (o) are given back, so that nobody need ask
 *  which.
 */
#include "runtime/base/arena.h"
#include "runtime/body/json.h"
#include "runtime/body/pack.h"
#include "runtime/body/packed.h"

#include <limits.h>

#define PATH_MAX_SIZE 160  /* bytes of the place in an error's text */

/*  A tree that was handed out. */
typedef struct tree_s {
    struct tree_s *next;
    json_t **target;
} tree_t;

/*  One step of the way to the value in hand, for the error's text. */
typedef struct {
    const char *name;        /* of a field; NULL: an element */
    uint32_t index;
} step_t;

/*  An object that is being read. */
typedef struct {
    packed_reader_t first;   /* at its first pair */
    packed_reader_t at;      /* behind the pair that was read last */
    uint32_t count;          /* pairs in all */
    uint32_t index;          /* pairs before `at` */
} fields_t;

typedef struct {
    arena_t *strings;
    troupe_error_t *error;
    const char *format;
    const char *next;        /* behind the character in hand */
    troupe_status_t status;
    unsigned depth;
    tree_t *trees;
    va_list arguments;
    step_t path[PACKED_DEPTH_MAX];
} unpacker_t;

static const uint8_t null_body[] = { 0xc0 };

/*  A wrong body. The place is built only now: "body.laps[3]". */
static bool
misfit (unpacker_t *self, const char *text, const char *more)
{
    buffer_t place = { .limit = PATH_MAX_SIZE };
    for (unsigned level = 0; level < self->depth; level++) {
        const step_t *step = &self->path[level];
        if (step->name)
            buffer_printf (&place, ".%s", step->name);
        else
            buffer_printf (&place, "[%u]", step->index);
    }
    const char *shown = place.size && !place.failed ? (const char *) place.data : "";
    self->status = error_set (self->error, TROUPE_INVALID, "body%s%s: %s%s", shown, place.failed ? "..." : "", text,
                              more);
    buffer_clear (&place);
    return false;
}

/*  A wrong format: the programmer's error, but told like one of the body. */
static bool
fault (unpacker_t *self, const char *text)
{
    self->status = error_set (self->error, TROUPE_INVALID, "format \"%s\" at %td: %s", self->format,
                              self->next - self->format, text);
    return false;
}

static bool
out_of_memory (unpacker_t *self)
{
    self->status = error_set (self->error, TROUPE_NO_MEMORY, "out of memory for what the body holds");
    return false;
}

static char
next_type (unpacker_t *self)
{
    char type;
    do
        type = *self->next++;
    while (type == ' ' || type == ',' || type == ':' || type == '\t' || type == '\n');
    return type;
}

/*  What is wanted, for a text. */
static const char *
wanted_name (char type)
{
    switch (type) {
    case 's': return "a string is wanted, not ";
    case 'r': return "raw bytes are wanted, not ";
    case 'I': case 'i': return "an integer is wanted, not ";
    case 'f': return "a real number is wanted, not ";
    case 'F': return "a number is wanted, not ";
    case 'b': return "a boolean is wanted, not ";
    case 'n': return "null is wanted, not ";
    case '[': return "an array is wanted, not ";
    default: return "an object is wanted, not ";
    }
}

static bool
take (unpacker_t *self, packed_reader_t *at, char type, packed_type_t wanted, packed_value_t *value)
{
    if (!packed_next (at, value))
        return misfit (self, "the bytes are damaged", "");
    if (value->type == wanted)
        return true;
    return misfit (self, wanted_name (type), packed_type_name (value->type));
}

static bool
read_integer (unpacker_t *self, packed_reader_t *at, char type)
{
    packed_value_t value;
    void *target = va_arg (self->arguments, void *);
    if (!take (self, at, type, PACKED_INT, &value))
        return false;
    if (type == 'I')
        *(json_int_t *) target = value.integer;
    else if (value.integer >= INT_MIN && value.integer <= INT_MAX)
        *(int *) target = (int) value.integer;
    else
        return misfit (self, "an integer of 32 bits is wanted", "");
    return true;
}

static bool
read_real (unpacker_t *self, packed_reader_t *at, char type)
{
    packed_value_t value;
    packed_reader_t ahead = *at;
    double *target = va_arg (self->arguments, double *);
    if (type == 'F' && packed_next (&ahead, &value) && value.type == PACKED_INT) {
        *target = (double) value.integer;
        *at = ahead;
        return true;
    }
    if (!take (self, at, type, PACKED_REAL, &value))
        return false;
    *target = value.real;
    return true;
}

static bool
read_bool (unpacker_t *self, packed_reader_t *at, char type)
{
    packed_value_t value;
    int *target = va_arg (self->arguments, int *);
    if (!take (self, at, type, PACKED_BOOL, &value))
        return false;
    *target = value.truth;
    return true;
}

static bool
read_null (unpacker_t *self, packed_reader_t *at, char type)
{
    packed_value_t value;
    return take (self, at, type, PACKED_NULL, &value);
}

/*  A C string: one that has a NUL inside would be another for whoever reads it. */
static bool
read_string (unpacker_t *self, packed_reader_t *at, char type)
{
    packed_value_t value;
    bool sized = *self->next == '#';
    const char **target = va_arg (self->arguments, const char **);
    size_t *size = sized ? va_arg (self->arguments, size_t *) : NULL;
    self->next += sized;
    if (!take (self, at, type, PACKED_STRING, &value))
        return false;
    if (!sized && memchr (value.string.bytes, '\0', value.string.size))
        return misfit (self, "a string without NUL is wanted", "");
    char *copy = arena_string (self->strings, value.string.bytes, value.string.size);
    if (!copy)
        return out_of_memory (self);
    *target = copy;
    if (sized)
        *size = value.string.size;
    return true;
}

static bool
read_raw (unpacker_t *self, packed_reader_t *at, char type)
{
    packed_value_t value;
    if (*self->next++ != '#')
        return fault (self, "raw bytes are written r#");
    const void **target = va_arg (self->arguments, const void **);
    size_t *size = va_arg (self->arguments, size_t *);
    if (!take (self, at, type, PACKED_BYTES, &value))
        return false;
    *target = value.string.bytes;
    *size = value.string.size;
    return true;
}

static bool
read_packed (unpacker_t *self, packed_reader_t *at)
{
    const void **target = va_arg (self->arguments, const void **);
    size_t *size = va_arg (self->arguments, size_t *);
    const uint8_t *begin = at->at;
    if (!packed_skip (at))
        return misfit (self, "the bytes are damaged", "");
    *target = begin;
    *size = (size_t) (at->at - begin);
    return true;
}

static bool
read_tree (unpacker_t *self, packed_reader_t *at)
{
    json_t **target = va_arg (self->arguments, json_t **);
    const uint8_t *begin = at->at;
    if (!packed_skip (at))
        return misfit (self, "the bytes are damaged", "");
    tree_t *note = arena_alloc (self->strings, sizeof *note);
    if (!note)
        return out_of_memory (self);
    troupe_error_t reason;
    json_t *tree = json_tree_from_packed (begin, (size_t) (at->at - begin), &reason);
    if (!tree && reason.status == TROUPE_NO_MEMORY)
        return out_of_memory (self);
    if (!tree)
        return misfit (self, reason.text, "");
    *target = tree;
    *note = (tree_t) { self->trees, target };
    self->trees = note;
    return true;
}

static bool read_value (unpacker_t *self, packed_reader_t *at, char type);

static bool
enter (unpacker_t *self)
{
    if (self->depth == PACKED_DEPTH_MAX)
        return fault (self, "nested too deeply");
    self->path[self->depth++] = (step_t) { 0 };
    return true;
}

/*  Steps over what the format does not ask for, so that the container around this
 *  one can be read on; around the outermost there is none. */
static bool
leave (unpacker_t *self, packed_reader_t *at, uint64_t left)
{
    self->depth -= 1;
    for (; self->depth && left; left--)
        if (!packed_skip (at))
            return misfit (self, "the bytes are damaged", "");
    return true;
}

static bool
read_array (unpacker_t *self, packed_reader_t *at)
{
    packed_value_t array;
    if (!take (self, at, '[', PACKED_ARRAY, &array) || !enter (self))
        return false;
    uint32_t index = 0;
    for (char type; (type = next_type (self)) != ']'; index++) {
        self->path[self->depth - 1].index = index;
        if (type == '\0')
            return fault (self, "the format ends too early");
        if (index == array.count)
            return misfit (self, "the array is too short", "");
        if (!read_value (self, at, type))
            return false;
    }
    return leave (self, at, array.count - index);
}

/*  Whether the key, which need not be a C string, is this name. */
static inline bool
key_is (const packed_value_t *key, const char *name)
{
    for (uint32_t index = 0; index < key->string.size; index++)
        if (name[index] == '\0' || name[index] != (char) key->string.bytes[index])
            return false;
    return name[key->string.size] == '\0';
}

/*  Looks for a field from `at` to the end. When found, `at` is at its value. */
static bool
search (fields_t *fields, const char *name)
{
    for (; fields->index < fields->count; fields->index++) {
        packed_value_t key;
        if (!packed_next (&fields->at, &key) || key.type != PACKED_STRING)
            return false;
        if (key_is (&key, name))
            return true;
        if (!packed_skip (&fields->at))
            return false;
    }
    return false;
}

/*  When it is not found, `at` stays where it was. */
static bool
find (fields_t *fields, const char *name)
{
    fields_t ahead = *fields;
    if (!search (&ahead, name)) {
        ahead.at = fields->first;
        ahead.index = 0;
        if (fields->index == 0 || !search (&ahead, name))
            return false;
    }
    *fields = ahead;
    return true;
}

static bool
skip_null (packed_reader_t *at)
{
    if (at->at == at->end || *at->at != null_body[0])
        return false;
    at->at += 1;
    return true;
}

static bool count_targets (unpacker_t *self, char type, size_t *targets);

static bool
count_inside (unpacker_t *self, char close, size_t *targets)
{
    if (self->depth == PACKED_DEPTH_MAX)
        return fault (self, "nested too deeply");
    self->depth += 1;  /* without a step of the path: no error below names a place */
    for (char type; (type = next_type (self)) != close;) {
        if (close == '}') {
            if (type != 's')
                return fault (self, "a key, s, is wanted");
            *targets += 1;
            self->next += *self->next == '?';
            type = next_type (self);
        }
        if (!count_targets (self, type, targets))
            return false;
    }
    self->depth -= 1;
    return true;
}

/*  Steps over a part of the format, and adds up its arguments. */
static bool
count_targets (unpacker_t *self, char type, size_t *targets)
{
    bool sized = type == 'v' || type == 'r' || (type == 's' && *self->next == '#');
    if (type == '{' || type == '[')
        return count_inside (self, type == '{' ? '}' : ']', targets);
    if (type == 'n')
        return true;
    if (!type || !strchr ("IifFbsrvo", type))
        return fault (self, "a type is wanted");
    if (sized && type != 'v' && *self->next++ != '#')
        return fault (self, "raw bytes are written r#");
    *targets += sized ? 2 : 1;
    return true;
}

/*  Steps over a part of the format whose value is missing, and over its arguments,
 *  which are all pointers. */
static bool
skip_format (unpacker_t *self, char type)
{
    size_t targets = 0;
    if (!count_targets (self, type, &targets))
        return false;
    for (; targets; targets--)
        (void) va_arg (self->arguments, void *);  /* NOLINT(clang-analyzer-valist.Uninitialized): pack_read copied it */
    return true;
}

/*  One field, from behind its s and its name. An optional one that is null counts
 *  as missing, unless the format can take a null. */
static bool
read_field (unpacker_t *self, fields_t *fields, const char *name)
{
    bool optional = *self->next == '?';
    self->next += optional;
    char type = next_type (self);
    if (!name)
        return fault (self, "the key is NULL");
    self->path[self->depth - 1].name = name;
    bool found = find (fields, name);
    if (!found && !optional)
        return misfit (self, "is missing", "");
    if (!found)
        return skip_format (self, type);
    fields->index += 1;
    if (optional && type != 'n' && type != 'o' && type != 'v' && skip_null (&fields->at))
        return skip_format (self, type);
    return read_value (self, &fields->at, type);
}

static bool
read_fields (unpacker_t *self, fields_t *fields)
{
    for (char type; (type = next_type (self)) != '}';) {
        if (type != 's')
            return fault (self, "a key, s, is wanted");
        if (!read_field (self, fields, va_arg (self->arguments, const char *)))
            return false;
    }
    return leave (self, &fields->at, 2 * (uint64_t) (fields->count - fields->index));
}

static bool
read_object (unpacker_t *self, packed_reader_t *at)
{
    packed_value_t object;
    if (!take (self, at, '{', PACKED_OBJECT, &object) || !enter (self))
        return false;
    fields_t fields = { .first = *at, .at = *at, .count = object.count };
    bool good = read_fields (self, &fields);
    *at = fields.at;
    return good;
}

static bool
read_value (unpacker_t *self, packed_reader_t *at, char type)
{
    switch (type) {
    case '{': return read_object (self, at);
    case '[': return read_array (self, at);
    case 'I': case 'i': return read_integer (self, at, type);
    case 'f': case 'F': return read_real (self, at, type);
    case 'b': return read_bool (self, at, type);
    case 'n': return read_null (self, at, type);
    case 's': return read_string (self, at, type);
    case 'r': return read_raw (self, at, type);
    case 'v': return read_packed (self, at);
    case 'o': return read_tree (self, at);
    case '\0': return fault (self, "the format ends too early");
    default: return fault (self, "a type is wanted");
    }
}

troupe_status_t
pack_read (const void *body, size_t size, arena_t *strings, troupe_error_t *error, const char *format,
           va_list arguments)
{
    if (!format)
        return TROUPE_OK;
    const uint8_t *begin = size ? body : null_body;
    packed_reader_t reader = { begin, begin + (size ? size : sizeof null_body) };
    unpacker_t self;  /* not as a whole: the path is long, and written before it is read */
    self.strings = strings;
    self.error = error;
    self.format = self.next = format;
    self.depth = 0;
    self.trees = NULL;
    va_copy (self.arguments, arguments);
    bool good = read_value (&self, &reader, next_type (&self));
    if (good && next_type (&self) != '\0')
        good = fault (&self, "only one value is wanted");
    va_end (self.arguments);
    for (tree_t *note = self.trees; note && !good; note = note->next) {
        json_decref (*note->target);
        *note->target = NULL;
    }
    return good ? TROUPE_OK : self.status;
}
