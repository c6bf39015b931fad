/*  packed.h - a cursor over MessagePack and a writer of it.
 *
 *  The reader trusts nothing: a value that runs past the end, is nested deeper
 *  than PACKED_DEPTH_MAX, or uses the ext family is TROUPE_INVALID. Any thread.
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

/*  Reads one scalar, or the head of an array or object whose elements (for an
 *  object: key, value, key, value ...) follow. False when the bytes are bad. */
bool packed_next (packed_reader_t *reader, packed_value_t *value);

/*  Steps over one whole value. */
bool packed_skip (packed_reader_t *reader);

/*  Whether the bytes are exactly one good value (strings UTF-8, keys strings), or none at all. */
bool packed_is_valid (const void *bytes, size_t size);

/*  Finds a field of an object; false when absent or when this is no object. */
bool packed_find (const void *bytes, size_t size, const char *name, packed_reader_t *found);

void packed_put_null (buffer_t *to);
void packed_put_bool (buffer_t *to, bool truth);
void packed_put_int (buffer_t *to, int64_t integer);
void packed_put_real (buffer_t *to, double real);
void packed_put_string (buffer_t *to, const char *bytes, size_t size);
void packed_put_bytes (buffer_t *to, const void *bytes, size_t size);
void packed_put_array (buffer_t *to, uint32_t count);
void packed_put_object (buffer_t *to, uint32_t count);

#endif
