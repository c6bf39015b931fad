/*  shape.c - packing and reading flat objects whose format was met before; see shape.h. */

#include "runtime/body/shape.h"

#include "runtime/base/utf8.h"
#include "runtime/body/packed_write.h"

#include <limits.h>
#include <math.h>

#define NAME_MOST 15                           /* bytes; with its head a name is two words */
#define SHORT_MOST 31                          /* bytes of a string whose head is one byte */
#define FIELD_ROOM (NAME_MOST + 1 + 2 + SHORT_MOST) /* bytes of a field, a long string aside */

/* ---- finding and making shapes ---- */

static bool
add_field (const literals_t *literals, shape_t *shape, const char *name, char type)
{
    size_t size = name && literals_have (literals, name) ? strnlen (name, NAME_MOST + 1) : NAME_MOST + 1;
    if (size > NAME_MOST || shape->count == SHAPE_FIELDS || !utf8_is_valid (name, size))
        return false;
    shape_field_t *field = &shape->fields[shape->count++];
    *field = (shape_field_t) { .name = name, .size = (uint8_t) (size + 1), .type = type };
    uint8_t head = (uint8_t) (0xa0 | size);
    memcpy (field->packed, &head, 1);
    memcpy ((uint8_t *) field->packed + 1, name, size);
    memset (field->mask, 0xff, size + 1);
    return true;
}

/*  Takes the names, of which the first is taken already, and passes over the values: arguments of
 *  pack_append, or targets of pack_read. */
static bool
take_fields (const literals_t *literals, shape_t *shape, bool reads, va_list arguments)
{
    const char *next = shape->format + 1, *name = shape->first;
    for (;; next += *next == ' ') {
        if (next[0] != 's' || next[1] != ':' || !strchr ("Iifbs", next[2] ? next[2] : 'n') || next[3] == '#')
            return false;
        if (!add_field (literals, shape, name, next[2]))
            return false;
        if (reads || next[2] == 's')
            (void) va_arg (arguments, void *);  /* NOLINT(bugprone-branch-clone): the types differ */
        else if (next[2] == 'f')
            (void) va_arg (arguments, double);
        else if (next[2] == 'I')
            (void) va_arg (arguments, json_int_t);
        else
            (void) va_arg (arguments, int);
        next += 3;
        if (*next == '}')
            return next[1] == '\0';
        if (*next++ != ',')
            return false;
        name = va_arg (arguments, const char *);
    }
}

/*  False: there is nothing to be known of it, since its texts may change. */
static __attribute__ ((noinline)) bool
learn (const literals_t *literals, shape_t *shape, const char *format, const char *first, bool reads,
       va_list arguments)
{
    va_list ahead;
    if (!literals || !literals_have (literals, format) || !literals_have (literals, first))
        return false;
    *shape = (shape_t) { .format = format, .first = first };
    va_copy (ahead, arguments);
    if (!take_fields (literals, shape, reads, ahead))
        shape->count = 0;
    va_end (ahead);
    return true;
}

/*  The shape of a format with this first name, which was taken from the arguments; NULL: it has none. */
static inline const shape_t *
find (shapes_t *self, const char *format, const char *first, bool reads, va_list arguments)
{
    uintptr_t place = ((uintptr_t) format << 2) + (uintptr_t) first + reads;
    shape_t *shape = &self->shapes[(place ^ place >> 7) % SHAPES_MOST];
    bool known = shape->format == format && shape->first == first;
    if (!__builtin_expect (known, 1) && !learn (self->literals, shape, format, first, reads, arguments))
        return NULL;
    return shape->count ? shape : NULL;
}

static inline bool
begins_with_name (const char *format)
{
    return format && format[0] == '{' && format[1] == 's';
}

/* ---- packing ---- */

/*  A short string of ASCII is measured, checked and copied in one go. Returns the
 *  place behind it, NULL when it is something else. */
static inline __attribute__ ((always_inline)) uint8_t *
write_short (uint8_t *at, const char *text)
{
    for (size_t index = 0; index <= SHORT_MOST; index++) {
        uint8_t byte = (uint8_t) text[index];
        if ((uint8_t) (byte - 1) >= 0x7f) {
            at[0] = (uint8_t) (0xa0 | index);
            return byte ? NULL : at + 1 + index;
        }
        at[1 + index] = byte;
    }
    return NULL;
}

/*  Any string. NULL: no room for it, or it is no good text. */
static __attribute__ ((noinline)) uint8_t *
write_text (buffer_t *to, uint8_t *at, size_t room_behind, const char *text)
{
    size_t size = text ? strlen (text) : 0, used = (size_t) (at - to->data);
    if (!text || size > UINT32_MAX || !utf8_is_valid (text, size))
        return NULL;
    if (to->capacity - used < size + room_behind) {
        size_t before = to->size;
        to->size = used;
        bool has_room = buffer_reserve (to, size + room_behind) != NULL;
        to->size = before;
        if (!has_room)
            return NULL;
        at = to->data + used;
    }
    at = write_string_head (at, (uint32_t) size);
    memcpy (at, text, size);
    return at + size;
}

bool
shape_pack (shapes_t *self, buffer_t *to, const char *format, va_list arguments)
{
    if (!begins_with_name (format))
        return false;
    const shape_t *shape = find (self, format, va_arg (arguments, const char *), false, arguments);
    if (!shape)
        return false;
    const shape_field_t *field = shape->fields, *end = field + shape->count;
    size_t room = 1 + SHAPE_FIELDS * FIELD_ROOM;
    uint8_t *at = buffer_reserve (to, room);
    if (!at) {
        to->failed = to->over_limit = false;  /* the general way asks for just what it needs */
        return false;
    }
    *at++ = (uint8_t) (0x80 | shape->count);
    for (;;) {
        memcpy (at, field->packed, sizeof field->packed);
        at += field->size;
        if (field->type == 'I')
            at = write_int (at, va_arg (arguments, json_int_t));
        else if (field->type == 's') {
            const char *text = va_arg (arguments, const char *);
            uint8_t *behind = text ? write_short (at, text) : NULL;
            at = behind ? behind : write_text (to, at, room, text);
            if (!at)
                return false;
        } else if (field->type == 'f') {
            double real = va_arg (arguments, double);
            if (!isfinite (real))
                return false;
            at = write_real (at, real);
        } else {
            int number = va_arg (arguments, int);
            at = field->type == 'i' ? write_int (at, number) : write_bool (at, number);
        }
        if (++field == end)
            break;
        if (va_arg (arguments, const char *) != field->name)
            return false;
    }
    to->size = (size_t) (at - to->data);
    return true;
}

/* ---- reading ---- */

static inline bool
is_name (const shape_field_t *field, const uint8_t *at)
{
    uint64_t words[2];
    memcpy (words, at, sizeof words);
    return (((words[0] ^ field->packed[0]) & field->mask[0]) | ((words[1] ^ field->packed[1]) & field->mask[1])) == 0;
}

/*  The place behind an integer that is at `at`; NULL: it is none, or not a common one. */
static inline const uint8_t *
read_integer (const uint8_t *at, json_int_t *integer)
{
    uint64_t bytes;
    memcpy (&bytes, at + 1, sizeof bytes);
    bytes = __builtin_bswap64 (bytes);
    switch (*at) {
    case 0xcc: *integer = (json_int_t) (bytes >> 56); return at + 2;
    case 0xcd: *integer = (json_int_t) (bytes >> 48); return at + 3;
    case 0xce: *integer = (json_int_t) (bytes >> 32); return at + 5;
    case 0xd0: *integer = (json_int_t) bytes >> 56; return at + 2;
    case 0xd1: *integer = (json_int_t) bytes >> 48; return at + 3;
    case 0xd2: *integer = (json_int_t) bytes >> 32; return at + 5;
    case 0xcf:
    case 0xd3: *integer = (json_int_t) bytes; return *at == 0xd3 || *integer >= 0 ? at + 9 : NULL;
    default: *integer = *at < 0x80 ? *at : *at - 0x100; return *at < 0x80 || *at >= 0xe0 ? at + 1 : NULL;
    }
}

/*  Short ones without NUL. */
static inline const uint8_t *
read_text (const uint8_t *at, const uint8_t *end, arena_t *strings, const char **text)
{
    size_t size = (size_t) *at - 0xa0;
    if (size > 31 || size >= (size_t) (end - at) || memchr (at + 1, '\0', size))
        return NULL;
    *text = arena_string (strings, at + 1, size);
    return *text ? at + 1 + size : NULL;
}

/*  Reads one value into its target; NULL: the general way has to look at it. */
static inline const uint8_t *
read_value (char type, const uint8_t *at, const uint8_t *end, arena_t *strings, void *target)
{
    json_int_t integer;
    const char *text;
    uint64_t bits;
    switch (type) {
    case 'I':
    case 'i':
        at = read_integer (at, &integer);
        if (!at || at > end || (type == 'i' && (integer < INT_MIN || integer > INT_MAX)))
            return NULL;
        if (type == 'I')
            *(json_int_t *) target = integer;
        else
            *(int *) target = (int) integer;
        return at;
    case 's':
        at = read_text (at, end, strings, &text);
        if (at)
            *(const char **) target = text;
        return at;
    case 'b':
        if (*at != 0xc2 && *at != 0xc3)
            return NULL;
        *(int *) target = *at == 0xc3;
        return at + 1;
    default:
        if (*at != 0xcb || end - at < 9)
            return NULL;
        memcpy (&bits, at + 1, sizeof bits);
        bits = __builtin_bswap64 (bits);
        memcpy (target, &bits, sizeof bits);
        return isfinite (*(double *) target) ? at + 9 : NULL;
    }
}

bool
shape_read (shapes_t *self, const void *body, size_t size, arena_t *strings, const char *format, va_list arguments)
{
    if (!begins_with_name (format) || size == 0)
        return false;
    const shape_t *shape = find (self, format, va_arg (arguments, const char *), true, arguments);
    const uint8_t *at = body, *end = at + size;
    if (!shape || *at != (0x80 | shape->count))
        return false;
    const shape_field_t *field = shape->fields, *last = field + shape->count;
    for (at += 1;;) {
        if (end - at <= field->size || !is_name (field, at))
            return false;
        at = read_value (field->type, at + field->size, end, strings, va_arg (arguments, void *));
        if (!at)
            return false;
        if (++field == last)
            return true;
        if (va_arg (arguments, const char *) != field->name)
            return false;
    }
}
