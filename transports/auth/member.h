/*  member.h - JSON of strangers, and the members of its objects. Any thread. */
#ifndef TRANSPORTS_AUTH_MEMBER_H
#define TRANSPORTS_AUTH_MEMBER_H

#include "runtime/body/packed.h"

/*  Reads an object; a member twice, and all that is no JSON, is TROUPE_INVALID. `to` holds it. */
troupe_status_t object_read (const void *text, size_t size, buffer_t *to, packed_reader_t *object,
                             troupe_error_t *error);

typedef enum {
    MEMBER_ABSENT,
    MEMBER_OK,
    MEMBER_BAD    /* not of this type, or too long */
} member_t;

/*  Copies a string, which has no NUL in it, and puts one behind it. */
member_t member_text (packed_reader_t object, const char *name, char *text, size_t size);

/*  A string as it stands in the object. */
member_t member_string (packed_reader_t object, const char *name, packed_value_t *value);

/*  Seconds since 1970, perhaps with a fraction, as milliseconds. */
member_t member_time (packed_reader_t object, const char *name, uint64_t *ms);

member_t member_integer (packed_reader_t object, const char *name, uint64_t *number);

/*  The elements of an array, one after the other, each spanning itself. */
member_t member_array (packed_reader_t object, const char *name, packed_reader_t *elements, uint32_t *count);
packed_reader_t member_element (packed_reader_t *elements);

/*  Whether the member, a string or an array of them, has this one. */
member_t member_has (packed_reader_t object, const char *name, const char *wanted, bool *has);

#endif
