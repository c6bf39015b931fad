/*  member.c - JSON of strangers, and the members of its objects.
 *
 *  DESIGN. Texts are read by the runtime's own strict reader: duplicate members, numbers that fit
 *  nowhere and deep nesting end there, and allocation goes where tests can make it fail. A member of
 *  the wrong type is never the same as one that is absent.
 */
#include "transports/auth/member.h"

#include "runtime/body/json.h"

#define SECONDS_MOST (1ull << 43)  /* in ms they stay below 2^53 */

troupe_status_t
object_read (const void *text, size_t size, buffer_t *to, packed_reader_t *object, troupe_error_t *error)
{
    troupe_status_t status = json_to_packed (text, size, to, error);
    if (status != TROUPE_OK)
        return status;
    *object = (packed_reader_t) { to->data, to->data + to->size };
    packed_reader_t reader = *object;
    packed_value_t value;
    if (!packed_next (&reader, &value) || value.type != PACKED_OBJECT)
        return error_set (error, TROUPE_INVALID, "an object is wanted");
    return TROUPE_OK;
}

static bool
find (packed_reader_t object, const char *name, packed_reader_t *found)
{
    return packed_find (object.at, (size_t) (object.end - object.at), name, found);
}

static member_t
typed (packed_reader_t object, const char *name, packed_type_t type, packed_reader_t *rest, packed_value_t *value)
{
    if (!find (object, name, rest))
        return MEMBER_ABSENT;
    return packed_next (rest, value) && value->type == type ? MEMBER_OK : MEMBER_BAD;
}

member_t
member_string (packed_reader_t object, const char *name, packed_value_t *value)
{
    packed_reader_t rest;
    return typed (object, name, PACKED_STRING, &rest, value);
}

static bool
copy_text (const packed_value_t *value, char *text, size_t size)
{
    if (value->string.size >= size || memchr (value->string.bytes, '\0', value->string.size))
        return false;
    memcpy (text, value->string.bytes, value->string.size);
    text[value->string.size] = '\0';
    return true;
}

member_t
member_text (packed_reader_t object, const char *name, char *text, size_t size)
{
    packed_value_t value;
    member_t member = member_string (object, name, &value);
    if (member == MEMBER_OK && !copy_text (&value, text, size))
        return MEMBER_BAD;
    return member;
}

member_t
member_integer (packed_reader_t object, const char *name, uint64_t *number)
{
    packed_reader_t rest;
    packed_value_t value;
    member_t member = typed (object, name, PACKED_INT, &rest, &value);
    if (member != MEMBER_OK)
        return member;
    *number = (uint64_t) value.integer;
    return value.integer >= 0 ? MEMBER_OK : MEMBER_BAD;
}

member_t
member_time (packed_reader_t object, const char *name, uint64_t *ms)
{
    packed_reader_t rest;
    packed_value_t value;
    member_t member = typed (object, name, PACKED_REAL, &rest, &value);
    if (member == MEMBER_ABSENT)
        return member;
    if (member == MEMBER_OK) {
        if (!(value.real >= 0 && value.real < (double) SECONDS_MOST))
            return MEMBER_BAD;
        *ms = (uint64_t) (value.real * 1000);
        return MEMBER_OK;
    }
    if (member_integer (object, name, ms) != MEMBER_OK || *ms >= SECONDS_MOST)
        return MEMBER_BAD;
    *ms *= 1000;
    return MEMBER_OK;
}

member_t
member_array (packed_reader_t object, const char *name, packed_reader_t *elements, uint32_t *count)
{
    packed_value_t value;
    member_t member = typed (object, name, PACKED_ARRAY, elements, &value);
    if (member == MEMBER_OK)
        *count = value.count;
    return member;
}

packed_reader_t
member_element (packed_reader_t *elements)
{
    packed_reader_t element = *elements;
    CHECK (packed_skip (elements));  /* the whole was good when it was read */
    element.end = elements->at;
    return element;
}

static bool
is_text (packed_reader_t element, const char *wanted, bool *is_string)
{
    packed_value_t value;
    *is_string = packed_next (&element, &value) && value.type == PACKED_STRING;
    return *is_string && value.string.size == strlen (wanted)
        && memcmp (value.string.bytes, wanted, value.string.size) == 0;
}

member_t
member_has (packed_reader_t object, const char *name, const char *wanted, bool *has)
{
    packed_reader_t elements;
    uint32_t count;
    bool is_string;
    *has = false;
    member_t member = member_array (object, name, &elements, &count);
    if (member == MEMBER_ABSENT)
        return member;
    if (member == MEMBER_BAD) {
        CHECK (find (object, name, &elements));
        *has = is_text (elements, wanted, &is_string);
        return is_string ? MEMBER_OK : MEMBER_BAD;
    }
    for (uint32_t i = 0; i < count; i++) {
        *has |= is_text (member_element (&elements), wanted, &is_string);
        if (!is_string)
            return MEMBER_BAD;
    }
    return MEMBER_OK;
}
