/*  pack.c - making a body from a format.
 *
 *  DESIGN
 *  Nearly every body is a flat object of short fields, "{s:I, s:s}", and one is
 *  packed for every message and event. So pack_append begins with a loop that
 *  knows only that shape and keeps all it needs in registers. At whatever it does
 *  not expect it hands over, in the middle of the object, to the general way,
 *  which takes all there is and alone knows what is wrong with a format or a
 *  value. Both leave one byte for the head of a container and patch the count in
 *  when it closes; only one of more than 15 elements moves what it holds. What
 *  is appended is one good value, or nothing: strings are checked for UTF-8,
 *  reals for NaN, foreign values as a whole. That the keys of one object differ is
 *  the caller's to see to. Any thread.
 */
#include "runtime/body/pack.h"

#include "runtime/base/utf8.h"
#include "runtime/body/json.h"
#include "runtime/body/packed.h"
#include "runtime/body/packed_write.h"

#include <math.h>

#define SHORT_MAX 31                     /* bytes of a string whose head is one byte */
#define FIELD_ROOM (2 * (1 + SHORT_MAX)) /* bytes of a key and a value, both short */
#define FIELDS_MAX 15                    /* fields of an object whose head is one byte */

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
    bool has_key;            /* of an object: a key was put and its value is due */
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

/*  The rest of an object. */
static bool
put_pairs (packer_t *self, level_t *level)
{
    for (;;) {
        char type = next_type (self);
        if (!level->has_key) {
            if (type == '}')
                return close_level (self, level, PACKED_OBJECT);
            if (type != 's')
                return fault (self, TROUPE_INVALID, "a key, s, is wanted");
            if (!put_text (self, va_arg (self->arguments, const char *)))
                return false;
            type = next_type (self);
        }
        if (!put_value (self, type))
            return false;
        level->count += 1;
        level->has_key = false;
    }
}

static bool
put_object (packer_t *self)
{
    level_t level;
    return open_level (self, &level) && put_pairs (self, &level);
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

/*  A short string of ASCII is measured, checked and copied in one go. Returns the
 *  place behind it, NULL when it is something else. */
static inline __attribute__ ((always_inline)) uint8_t *
write_short (uint8_t *at, const char *text)
{
    for (size_t size = 0; text && size < SHORT_MAX; size += 8) {
#pragma GCC unroll 8
        for (size_t index = size; index < size + 8; index++) {
            uint8_t byte = (uint8_t) text[index];
            if ((uint8_t) (byte - 1) >= 0x7f) {
                at[0] = (uint8_t) (0xa0 | index);
                return byte ? NULL : at + 1 + index;
            }
            at[1 + index] = byte;
        }
    }
    return NULL;
}

/*  Where the fast way stopped: before anything; before a pair or the brace; with
 *  a string in hand that is a key, or a value; before a value. */
typedef enum { AT_START, AT_PAIR, WITH_KEY, AT_VALUE, WITH_VALUE } stop_t;

static bool
put_rest (packer_t *self, stop_t stop, level_t *level, const char *text)
{
    if (stop == AT_START)
        return put_value (self, next_type (self));
    if ((stop == WITH_KEY || stop == WITH_VALUE) && !put_text (self, text))
        return false;
    level->count += stop == WITH_VALUE;
    level->has_key = stop == WITH_KEY || stop == AT_VALUE;
    self->depth = 1;
    return put_pairs (self, level);
}

/*  Packs what the fast way has left, which may be everything. On failure nothing stays appended. */
static __attribute__ ((noinline)) troupe_status_t
pack_rest (packer_t *self, stop_t stop, level_t *level, const char *text, va_list arguments)
{
    size_t start = level->head;
    va_copy (self->arguments, arguments);
    bool good = put_rest (self, stop, level, text);
    if (good && next_type (self) != '\0')
        good = fault (self, TROUPE_INVALID, "only one value is wanted");
    va_end (self->arguments);
    if (good)
        return TROUPE_OK;
    packed_cut (self->to, start);
    return self->status;
}

/*  Tries for room for a head and a field. Not to have it is no failure yet: the
 *  general way asks for just what it needs. */
static __attribute__ ((noinline)) bool
find_room (buffer_t *to)
{
    if (to->failed || (to->limit && (to->size > to->limit || to->limit - to->size <= FIELD_ROOM)))
        return false;
    return buffer_reserve (to, 1 + FIELD_ROOM) != NULL;
}

troupe_status_t
pack_append (buffer_t *to, troupe_error_t *error, const char *format, va_list arguments)
{
    if (!format)
        return TROUPE_OK;
    size_t start = to->size;
    stop_t stop = AT_START;
    uint32_t count = 0;
    const char *next = format, *text = NULL;
    if (*next == '{' && (to->capacity - start > FIELD_ROOM || find_room (to))) {
        uint8_t *at = to->data + start + 1, *end = to->data + to->capacity, *behind;
        next += 1;
        for (stop = AT_PAIR; *next == 's' && end - at >= FIELD_ROOM; stop = AT_PAIR, count++) {
            next += 1;
            stop = WITH_KEY;
            text = va_arg (arguments, const char *);
            behind = write_short (at, text);
            if (!behind)
                break;
            at = behind;
            next += *next == ':';
            stop = AT_VALUE;
            if (*next == 'I')
                at = write_int (at, va_arg (arguments, json_int_t));
            else if (*next == 's' && next[1] != '#') {
                stop = WITH_VALUE;
                text = va_arg (arguments, const char *);
                behind = write_short (at, text);
                if (!behind)
                    break;
                at = behind;
            } else if (*next == 'i' || *next == 'b') {
                int number = va_arg (arguments, int);
                at = *next == 'i' ? write_int (at, number) : write_bool (at, number);
            } else
                break;
            next += 1;
            next += *next == ',';
            next += *next == ' ';
        }
        to->size = (size_t) (at - to->data);
        if (stop == AT_PAIR && next[0] == '}' && next[1] == '\0' && count <= FIELDS_MAX) {
            to->data[start] = (uint8_t) (0x80 | count);
            return TROUPE_OK;
        }
    }
    packer_t self = { .to = to, .error = error, .format = format, .next = next + (stop == WITH_VALUE) };
    level_t level = { .head = start, .count = count };
    return pack_rest (&self, stop, &level, text, arguments);
}
