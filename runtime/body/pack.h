/*  pack.h - making a body from a format and reading one by a format.
 *
 *  The formats stand at the top of troupe.h. A body is one MessagePack value;
 *  no bytes at all stand for null. Integers are packed in their shortest form,
 *  reals as float64. Any thread.
 */
#ifndef RUNTIME_BODY_PACK_H
#define RUNTIME_BODY_PACK_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"
#include <stdarg.h>

/*  Appends the packed value. On failure the buffer is cut back to where it
 *  stood (its `failed` cleared) and the error says which place of the format is wrong:
 *  TROUPE_INVALID (format, NULL string, invalid UTF-8, NaN), TROUPE_TOO_LARGE
 *  (the buffer's limit), TROUPE_NO_MEMORY. A NULL format appends nothing.
 *  No allocation but the buffer's. Keys are C strings and must differ: not checked. */
troupe_status_t pack_append (buffer_t *to, troupe_error_t *error, const char *format, va_list arguments);

/*  Reads by the format. Strings (s) are returned as C strings: since packed
 *  strings carry no NUL, they are copied into `strings`, an arena that the caller
 *  keeps as long as the strings are used; one with a NUL inside is TROUPE_INVALID
 *  (s# takes it). r# and v point into the body. Extra fields of an object and
 *  extra elements of an array are ignored, a missing one is TROUPE_INVALID unless
 *  written `s?`; then its targets stay unchanged, also when it is null and the
 *  format is not n, o or v. The error names the place:
 *  "body.laps: an integer is wanted, not a string". After a failure other targets
 *  may have been set; trees (o) are given back. A NULL format reads nothing. */
struct arena_s;
troupe_status_t pack_read (const void *body, size_t size, struct arena_s *strings, troupe_error_t *error,
                           const char *format, va_list arguments);

#endif
