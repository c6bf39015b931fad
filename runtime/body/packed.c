/*  packed.c - a cursor over MessagePack and a writer of it.
 *
 *  DESIGN
 *  A body is checked as a whole once, at the door (packed_is_valid); all later
 *  reading is by cursor, in place, without a tree. The cursor is still safe on
 *  any bytes: a size that a stranger wrote is compared with what is left before
 *  it is believed, also the count of a container, whose elements take a byte
 *  each. What JSON lacks (ext, integers beyond int64, NaN, infinity) is refused
 *  where it is read, so that no two readers can disagree about it. For the same
 *  reason a key may stand in an object only once: readers in other languages
 *  take the last one, packed_find takes the first. Any thread.
 */
#include "runtime/body/packed.h"

#include "runtime/base/utf8.h"
#include "runtime/body/names.h"
#include "runtime/body/packed_write.h"

#include <math.h>

/*  What the head bytes 0xc0 to 0xdf begin, and how many bytes of number follow. */
typedef enum { BAD, NIL, TRUTH, BYTES, REAL, UNSIGNED, SIGNED, STRING, ARRAY, OBJECT } form_t;

static const struct {
    uint8_t form, width;
} forms[32] = {
    /* 0xc0 */ { NIL, 0 }, { BAD, 0 }, { TRUTH, 0 }, { TRUTH, 0 },
    /* 0xc4 */ { BYTES, 1 }, { BYTES, 2 }, { BYTES, 4 }, { BAD, 0 },
    /* 0xc8 */ { BAD, 0 }, { BAD, 0 }, { REAL, 4 }, { REAL, 8 },
    /* 0xcc */ { UNSIGNED, 1 }, { UNSIGNED, 2 }, { UNSIGNED, 4 }, { UNSIGNED, 8 },
    /* 0xd0 */ { SIGNED, 1 }, { SIGNED, 2 }, { SIGNED, 4 }, { SIGNED, 8 },
    /* 0xd4 */ { BAD, 0 }, { BAD, 0 }, { BAD, 0 }, { BAD, 0 },
    /* 0xd8 */ { BAD, 0 }, { STRING, 1 }, { STRING, 2 }, { STRING, 4 },
    /* 0xdc */ { ARRAY, 2 }, { ARRAY, 4 }, { OBJECT, 2 }, { OBJECT, 4 },
};

const char *
packed_type_name (packed_type_t type)
{
    static const char *const names[] = {
        [PACKED_NULL] = "null", [PACKED_BOOL] = "a boolean", [PACKED_INT] = "an integer",
        [PACKED_REAL] = "a real number", [PACKED_STRING] = "a string", [PACKED_BYTES] = "raw bytes",
        [PACKED_ARRAY] = "an array", [PACKED_OBJECT] = "an object",
    };
    return (unsigned) type < sizeof names / sizeof *names ? names[type] : "nothing known";
}

static uint64_t
read_number (const uint8_t *at, unsigned width)
{
    uint64_t number = 0;
    for (unsigned index = 0; index < width; index++)
        number = number << 8 | at[index];
    return number;
}

static int64_t
signed_number (uint64_t number, unsigned width)
{
    switch (width) {
    case 1: return (int8_t) number;
    case 2: return (int16_t) number;
    case 4: return (int32_t) number;
    default: return (int64_t) number;
    }
}

static bool
take_bytes (packed_reader_t *reader, const uint8_t *at, packed_type_t type, uint64_t size, packed_value_t *value)
{
    if (size > (size_t) (reader->end - at))
        return false;
    value->type = type;
    value->string.bytes = at;
    value->string.size = (uint32_t) size;
    reader->at = at + size;
    return true;
}

static bool
take_count (packed_reader_t *reader, const uint8_t *at, packed_type_t type, uint64_t count, packed_value_t *value)
{
    if ((type == PACKED_OBJECT ? 2 * count : count) > (size_t) (reader->end - at))
        return false;
    value->type = type;
    value->count = (uint32_t) count;
    reader->at = at;
    return true;
}

static bool
take_int (packed_reader_t *reader, const uint8_t *at, int64_t integer, packed_value_t *value)
{
    value->type = PACKED_INT;
    value->integer = integer;
    reader->at = at;
    return true;
}

static bool
take_real (packed_reader_t *reader, const uint8_t *at, uint64_t bits, unsigned width, packed_value_t *value)
{
    value->type = PACKED_REAL;
    if (width == 4) {
        uint32_t narrow = (uint32_t) bits;
        float real;
        memcpy (&real, &narrow, sizeof real);
        value->real = (double) real;
    } else
        memcpy (&value->real, &bits, sizeof value->real);
    reader->at = at;
    return isfinite (value->real);
}

static bool
next_wide (packed_reader_t *reader, packed_value_t *value)
{
    uint8_t head = *reader->at;
    const uint8_t *at = reader->at + 1;
    unsigned width = forms[head & 31].width;
    if (width > (size_t) (reader->end - at))
        return false;
    uint64_t number = read_number (at, width);
    at += width;
    switch ((form_t) forms[head & 31].form) {
    case NIL:
        value->type = PACKED_NULL;
        reader->at = at;
        return true;
    case TRUTH:
        value->type = PACKED_BOOL;
        value->truth = head & 1;
        reader->at = at;
        return true;
    case UNSIGNED:
        return number <= INT64_MAX && take_int (reader, at, (int64_t) number, value);
    case SIGNED:
        return take_int (reader, at, signed_number (number, width), value);
    case REAL:
        return take_real (reader, at, number, width, value);
    case STRING:
        return take_bytes (reader, at, PACKED_STRING, number, value);
    case BYTES:
        return take_bytes (reader, at, PACKED_BYTES, number, value);
    case ARRAY:
        return take_count (reader, at, PACKED_ARRAY, number, value);
    case OBJECT:
        return take_count (reader, at, PACKED_OBJECT, number, value);
    case BAD:
        break;
    }
    return false;
}

bool
packed_next (packed_reader_t *reader, packed_value_t *value)
{
    const uint8_t *at = reader->at;
    if (at == reader->end)
        return false;
    uint8_t head = *at++;
    if (head < 0x80 || head >= 0xe0)
        return take_int (reader, at, (int8_t) head, value);
    if (head >= 0xc0)
        return next_wide (reader, value);
    if (head >= 0xa0)
        return take_bytes (reader, at, PACKED_STRING, head & 31, value);
    return take_count (reader, at, head >= 0x90 ? PACKED_ARRAY : PACKED_OBJECT, head & 15, value);
}

static uint64_t
children (const packed_value_t *value)
{
    if (value->type == PACKED_ARRAY)
        return value->count;
    return value->type == PACKED_OBJECT ? 2 * (uint64_t) value->count : 0;
}

static bool
skip (packed_reader_t *reader, unsigned depth)
{
    packed_value_t value;
    if (!packed_next (reader, &value))
        return false;
    if (value.type < PACKED_ARRAY)
        return true;
    if (depth == 0)
        return false;
    for (uint64_t left = children (&value); left; left--)
        if (!skip (reader, depth - 1))
            return false;
    return true;
}

bool
packed_skip (packed_reader_t *reader)
{
    return skip (reader, PACKED_DEPTH_MAX);
}

/*  A check of one body. */
typedef struct {
    packed_reader_t reader;
    buffer_t *names;  /* keys of the objects that it is inside of */
} checker_t;

/*  Keys are names: UTF-8, and no NUL, which would end them early for C readers. */
static bool
check_key (checker_t *self)
{
    packed_value_t key;
    if (!packed_next (&self->reader, &key) || key.type != PACKED_STRING)
        return false;
    if (memchr (key.string.bytes, '\0', key.string.size) || !utf8_is_valid (key.string.bytes, key.string.size))
        return false;
    return names_push (self->names, key.string.bytes, key.string.size);
}

static bool
check_value (checker_t *self, unsigned depth)
{
    packed_value_t value;
    if (!packed_next (&self->reader, &value))
        return false;
    if (value.type == PACKED_STRING)
        return utf8_is_valid (value.string.bytes, value.string.size);
    if (value.type < PACKED_ARRAY)
        return true;
    if (depth == 0)
        return false;
    size_t base = self->names->size;
    for (uint32_t left = value.count; left; left--) {
        if (value.type == PACKED_OBJECT && !check_key (self))
            return false;
        if (!check_value (self, depth - 1))
            return false;
    }
    return names_pop (self->names, base);
}

troupe_status_t
packed_check_with (buffer_t *names, const void *bytes, size_t size, unsigned depth)
{
    if (size == 0)
        return TROUPE_OK;
    buffer_reset (names);
    checker_t checker = { { bytes, (const uint8_t *) bytes + size }, names };
    bool good = check_value (&checker, depth) && checker.reader.at == checker.reader.end;
    return good ? TROUPE_OK : names->failed ? TROUPE_NO_MEMORY : TROUPE_INVALID;
}

troupe_status_t
packed_check (const void *bytes, size_t size, unsigned depth)
{
    buffer_t names = { 0 };
    troupe_status_t status = packed_check_with (&names, bytes, size, depth);
    buffer_clear (&names);
    return status;
}

bool
packed_is_valid (const void *bytes, size_t size)
{
    return packed_check (bytes, size, PACKED_DEPTH_MAX) == TROUPE_OK;
}

bool
packed_find (const void *bytes, size_t size, const char *name, packed_reader_t *found)
{
    if (size == 0)
        return false;
    packed_reader_t reader = { bytes, (const uint8_t *) bytes + size };
    packed_value_t object, key;
    size_t name_size = strlen (name);
    if (!packed_next (&reader, &object) || object.type != PACKED_OBJECT)
        return false;
    for (uint32_t left = object.count; left; left--) {
        if (!packed_next (&reader, &key) || key.type != PACKED_STRING)
            return false;
        const uint8_t *at = reader.at;
        if (!packed_skip (&reader))
            return false;
        if (key.string.size == name_size && memcmp (key.string.bytes, name, name_size) == 0) {
            *found = (packed_reader_t) { at, reader.at };
            return true;
        }
    }
    return false;
}

/*  Each writer makes its bytes on the stack, so that the buffer's limit is met exactly. */
static void
put_head (buffer_t *to, const uint8_t *head, const uint8_t *end)
{
    buffer_append (to, head, (size_t) (end - head));
}

void
packed_put_null (buffer_t *to)
{
    buffer_byte (to, 0xc0);
}

void
packed_put_bool (buffer_t *to, bool truth)
{
    buffer_byte (to, truth ? 0xc3 : 0xc2);
}

void
packed_put_int (buffer_t *to, int64_t integer)
{
    uint8_t head[PACKED_HEAD_MAX];
    put_head (to, head, write_int (head, integer));
}

void
packed_put_real (buffer_t *to, double real)
{
    uint8_t head[PACKED_HEAD_MAX];
    put_head (to, head, write_real (head, real));
}

/*  Head and bytes in one reservation: never a head without its bytes. */
static void
put_sized (buffer_t *to, const uint8_t *head, const uint8_t *end, const void *bytes, size_t size)
{
    size_t head_size = (size_t) (end - head);
    uint8_t *place = buffer_reserve (to, head_size + size);
    if (!place)
        return;
    memcpy (place, head, head_size);
    if (size)
        memcpy (place + head_size, bytes, size);
    to->size += head_size + size;
}

void
packed_put_string (buffer_t *to, const char *bytes, size_t size)
{
    uint8_t head[PACKED_HEAD_MAX];
    if (size > UINT32_MAX)
        to->failed = true;
    else
        put_sized (to, head, write_string_head (head, (uint32_t) size), bytes, size);
}

void
packed_put_bytes (buffer_t *to, const void *bytes, size_t size)
{
    uint8_t head[PACKED_HEAD_MAX];
    if (size > UINT32_MAX)
        to->failed = true;
    else
        put_sized (to, head, write_bytes_head (head, (uint32_t) size), bytes, size);
}

void
packed_put_array (buffer_t *to, uint32_t count)
{
    uint8_t head[PACKED_HEAD_MAX];
    put_head (to, head, write_container_head (head, 0x90, count));
}

void
packed_put_object (buffer_t *to, uint32_t count)
{
    uint8_t head[PACKED_HEAD_MAX];
    put_head (to, head, write_container_head (head, 0x80, count));
}

void
packed_put_name (buffer_t *to, const char *name)
{
    packed_put_string (to, name, strlen (name));
}

void
packed_put_text (buffer_t *to, const char *name, const char *text)
{
    packed_put_name (to, name);
    packed_put_name (to, text);
}

void
packed_put_number (buffer_t *to, const char *name, uint64_t number)
{
    packed_put_name (to, name);
    packed_put_int (to, (int64_t) number);
}

troupe_status_t
packed_status (const buffer_t *to, troupe_error_t *error)
{
    if (!to->failed)
        return TROUPE_OK;
    if (to->over_limit)
        return error_set (error, TROUPE_TOO_LARGE, "over the limit of %zu bytes", to->limit);
    return error_set (error, TROUPE_NO_MEMORY, "out of memory");
}

size_t
packed_open (buffer_t *to)
{
    size_t place = to->size;
    buffer_byte (to, 0);
    return place;
}

/*  When the head needs more than the byte that was left for it, the contents move up. */
void
packed_close (buffer_t *to, size_t place, packed_type_t type, uint32_t count)
{
    uint8_t head[PACKED_HEAD_MAX];
    size_t more = (size_t) (write_container_head (head, type == PACKED_OBJECT ? 0x80 : 0x90, count) - head) - 1;
    if (to->failed || (more && !buffer_reserve (to, more)))
        return;
    uint8_t *begin = to->data + place;
    if (more)
        memmove (begin + 1 + more, begin + 1, to->size - place - 1);
    memcpy (begin, head, 1 + more);
    to->size += more;
}

void
packed_cut (buffer_t *to, size_t size)
{
    to->size = size;
    to->failed = false;
    to->over_limit = false;
}
