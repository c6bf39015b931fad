/*  packed.h - a cursor over MessagePack and a writer of it.
 *
 *  The reader trusts nothing: a value that runs past the end, is nested deeper
 *  than PACKED_DEPTH_MAX, or is of a kind that JSON lacks (ext, an integer
 *  beyond int64, NaN, infinity) is bad. Any thread.
 */
#ifndef RUNTIME_BODY_PACKED_H
#define RUNTIME_BODY_PACKED_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"

#define PACKED_DEPTH_MAX 64

typedef enum {
    PACKED_NULL,
    PACKED_BOOL,
    PACKED_INT,     /* fits int64_t */
    PACKED_REAL,
    PACKED_STRING,
    PACKED_BYTES,
    PACKED_ARRAY,
    PACKED_OBJECT
} packed_type_t;

typedef struct {
    packed_type_t type;
    union {
        bool truth;
        int64_t integer;
        double real;
        struct {
            const uint8_t *bytes;  /* into the packed bytes; no NUL behind it */
            uint32_t size;
        } string;                  /* and bytes */
        uint32_t count;            /* elements of an array, pairs of an object */
    };
} packed_value_t;

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} packed_reader_t;

/*  For texts: "an integer". Never NULL. */
const char *packed_type_name (packed_type_t type);

/*  Reads one scalar, or the head of an array or object whose elements (for an
 *  object: key, value, key, value ...) follow. False when the bytes are bad or
 *  at an end. A count is never larger than the bytes that are left. */
bool packed_next (packed_reader_t *reader, packed_value_t *value);

/*  Steps over one whole value. */
bool packed_skip (packed_reader_t *reader);

/*  Whether the bytes are exactly one good value (strings UTF-8; keys strings
 *  without NUL, each once in its object), or none at all. To compare an object's
 *  keys takes memory; without any the answer is false. */
bool packed_is_valid (const void *bytes, size_t size);

/*  The same for whom the difference matters, and for a value that will stand
 *  inside of others, with at most `depth` levels: TROUPE_OK, TROUPE_INVALID,
 *  TROUPE_NO_MEMORY. */
troupe_status_t packed_check (const void *bytes, size_t size, unsigned depth);

/*  The same with memory for the keys that the caller keeps from one check to the next. */
troupe_status_t packed_check_with (buffer_t *names, const void *bytes, size_t size, unsigned depth);

/*  Finds a field of an object, `found` spans its value; false when absent or
 *  when this is no object. */
bool packed_find (const void *bytes, size_t size, const char *name, packed_reader_t *found);

/*  Writers, of the shortest form. Reals are finite, strings are UTF-8: the caller sees to it. */
void packed_put_null (buffer_t *to);
void packed_put_bool (buffer_t *to, bool truth);
void packed_put_int (buffer_t *to, int64_t integer);
void packed_put_real (buffer_t *to, double real);
void packed_put_string (buffer_t *to, const char *bytes, size_t size);
void packed_put_bytes (buffer_t *to, const void *bytes, size_t size);
void packed_put_array (buffer_t *to, uint32_t count);
void packed_put_object (buffer_t *to, uint32_t count);

/*  Of objects: a name, whose value follows, and whole members. */
void packed_put_name (buffer_t *to, const char *name);
void packed_put_text (buffer_t *to, const char *name, const char *text);
void packed_put_number (buffer_t *to, const char *name, uint64_t number);  /* at most INT64_MAX */

/*  A container whose count is known only at its end. packed_open returns the
 *  place to give to packed_close. */
size_t packed_open (buffer_t *to);
void packed_close (buffer_t *to, size_t place, packed_type_t type, uint32_t count);

/*  TROUPE_OK, or why the last append did not fit: TROUPE_TOO_LARGE, TROUPE_NO_MEMORY. */
troupe_status_t packed_status (const buffer_t *to, troupe_error_t *error);

/*  Takes back what was appended beyond `size`, and with it the failure. */
void packed_cut (buffer_t *to, size_t size);

#endif
