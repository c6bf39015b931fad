/*  pack.c - making a body from a format.
 *
 *  DESIGN
 *  One walk over the format. A container leaves one byte for its head and the count is
 *  patched in when it closes; only one of more than 15 elements moves what it holds.
 *  What is appended is one good value, or nothing: strings are checked for UTF-8, reals
 *  for NaN, foreign values as a whole. That the keys of one object differ is the
 *  caller's to see to. Any thread. Shards pack by shape.c, which comes here for what
 *  it does not know.
 */
#include "runtime/body/pack.h"

#include "runtime/base/utf8.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"

#include <math.h>

typedef struct {
    buffer_t *to;
    troupe_error_t *error;
    const char *format;
    const char *next;        /* behind the character in hand */
    troupe_status_t status;
    unsigned depth;          /* containers that are open */
    va_list arguments;
} packer_t;

/*  A container that is open. */
typedef struct {
    size_t head;             /* place of its head in the buffer */
    uint32_t count;          /* elements or pairs so far */
} level_t;

static bool
fault (packer_t *self, troupe_status_t status, const char *text)
{
    self->status = error_set (self->error, status, "format \"%s\" at %td: %s", self->format,
                              self->next - self->format, text);
    return false;
}

/*  After an append: whether the buffer took it. */
static bool
settle (packer_t *self)
{
    troupe_error_t reason;
    if (!self->to->failed)
        return true;
    troupe_status_t status = packed_status (self->to, &reason);
    return fault (self, status, reason.text);
}

static bool
put_string (packer_t *self, const char *text, size_t size)
{
    if (!text)
        return fault (self, TROUPE_INVALID, "the string is NULL");
    if (!utf8_is_valid (text, size))
        return fault (self, TROUPE_INVALID, "the string is no UTF-8");
    packed_put_string (self->to, text, size);
    return settle (self);
}

static bool
put_text (packer_t *self, const char *text)
{
    return put_string (self, text, text ? strlen (text) : 0);
}

static bool
put_real (packer_t *self, double real)
{
    if (!isfinite (real))
        return fault (self, TROUPE_INVALID, "the number is NaN or infinite");
    packed_put_real (self->to, real);
    return settle (self);
}

/*  Whether what was appended since `from` is one good value at this depth. */
static bool
check_foreign (packer_t *self, size_t from)
{
    if (!settle (self))
        return false;
    troupe_status_t status =
        packed_check (self->to->data + from, self->to->size - from, PACKED_DEPTH_MAX - self->depth);
    if (status == TROUPE_OK)
        return true;
    return fault (self, status, status == TROUPE_INVALID ? "this is not one good value, or nested too deeply"
                                                         : "out of memory");
}

static bool
put_tree (packer_t *self, const json_t *tree)
{
    troupe_error_t reason;
    size_t from = self->to->size;
    if (!tree)
        return fault (self, TROUPE_INVALID, "the tree is NULL");
    troupe_status_t status = json_tree_to_packed (tree, self->to, &reason);
    if (status != TROUPE_OK)
        return fault (self, status, reason.text);
    return check_foreign (self, from);
}

/*  s# r# v: values that come with a size. */
static bool
put_sized (packer_t *self, char type)
{
    size_t from = self->to->size;
    const void *bytes = va_arg (self->arguments, const void *);
    size_t size = va_arg (self->arguments, size_t);
    if (!bytes && size)
        return fault (self, TROUPE_INVALID, "the pointer is NULL");
    if (type == 's')
        return put_string (self, bytes ? bytes : "", size);
    if (type == 'r')
        packed_put_bytes (self->to, bytes, size);
    else if (size == 0)
        packed_put_null (self->to);
    else
        buffer_append (self->to, bytes, size);
    return type == 'v' ? check_foreign (self, from) : settle (self);
}

/*  The next character of the format that means something. */
static char
next_type (packer_t *self)
{
    char type;
    do
        type = *self->next++;
    while (type == ' ' || type == ',' || type == ':' || type == '\t' || type == '\n');
    return type;
}

static bool
open_level (packer_t *self, level_t *level)
{
    if (self->depth == PACKED_DEPTH_MAX)
        return fault (self, TROUPE_INVALID, "nested too deeply");
    self->depth += 1;
    *level = (level_t) { .head = packed_open (self->to) };
    return settle (self);
}

static bool
close_level (packer_t *self, const level_t *level, packed_type_t type)
{
    packed_close (self->to, level->head, type, level->count);
    self->depth -= 1;
    return settle (self);
}

static bool put_value (packer_t *self, char type);

static bool
put_array (packer_t *self)
{
    level_t level;
    if (!open_level (self, &level))
        return false;
    for (char type; (type = next_type (self)) != ']'; level.count++)
        if (!put_value (self, type))
            return false;
    return close_level (self, &level, PACKED_ARRAY);
}

static bool
put_object (packer_t *self)
{
    level_t level;
    if (!open_level (self, &level))
        return false;
    for (char type; (type = next_type (self)) != '}'; level.count++) {
        if (type != 's')
            return fault (self, TROUPE_INVALID, "a key, s, is wanted");
        if (!put_text (self, va_arg (self->arguments, const char *)) || !put_value (self, next_type (self)))
            return false;
    }
    return close_level (self, &level, PACKED_OBJECT);
}

static bool
put_value (packer_t *self, char type)
{
    switch (type) {
    case '{': return put_object (self);
    case '[': return put_array (self);
    case 'f': return put_real (self, va_arg (self->arguments, double));
    case 'o': return put_tree (self, va_arg (self->arguments, const json_t *));
    case 'v': return put_sized (self, type);
    case 'I':
    case 'i':
        packed_put_int (self->to, type == 'I' ? va_arg (self->arguments, json_int_t) : va_arg (self->arguments, int));
        break;
    case 'b': packed_put_bool (self->to, va_arg (self->arguments, int)); break;
    case 'n': packed_put_null (self->to); break;
    case 's':
        if (*self->next != '#')
            return put_text (self, va_arg (self->arguments, const char *));
        self->next += 1;
        return put_sized (self, type);
    case 'r':
        if (*self->next++ == '#')
            return put_sized (self, type);
        return fault (self, TROUPE_INVALID, "raw bytes are written r#");
    case '\0': return fault (self, TROUPE_INVALID, "the format ends too early");
    default: return fault (self, TROUPE_INVALID, "a type is wanted");
    }
    return settle (self);
}

troupe_status_t
pack_append (buffer_t *to, troupe_error_t *error, const char *format, va_list arguments)
{
    if (!format)
        return TROUPE_OK;
    size_t start = to->size;
    packer_t self = { .to = to, .error = error, .format = format, .next = format };
    va_copy (self.arguments, arguments);
    bool good = put_value (&self, next_type (&self));
    if (good && next_type (&self) != '\0')
        good = fault (&self, TROUPE_INVALID, "only one value is wanted");
    va_end (self.arguments);
    if (good)
        return TROUPE_OK;
    packed_cut (to, start);
    return self.status;
}
