/*  json.h - between JSON text, jansson trees and packed bodies.
 *
 *  Text comes from strangers: it is bounded in size by the caller and in depth
 *  by PACKED_DEPTH_MAX; duplicate keys, keys with a NUL, NaN, integers beyond
 *  int64 and invalid UTF-8 are TROUPE_INVALID, with line and column. Raw bytes,
 *  which JSON does not have, become a base64 string on the way out. What is
 *  appended is appended whole or not at all. No bytes at all are null. Any thread.
 */
#ifndef RUNTIME_BODY_JSON_H
#define RUNTIME_BODY_JSON_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"
#include <jansson.h>

troupe_status_t json_to_packed (const char *text, size_t length, buffer_t *to, troupe_error_t *error);

/*  Reads texts that hold several values, one value at a time. Zeroed is empty; what memory it needs is kept from
 *  text to text. Not shared between threads. */
typedef struct {
    const char *text;  /* borrowed */
    const char *at;    /* what comes next; the owner may step over what stands between values */
    const char *end;
    buffer_t *to;
    buffer_t names;    /* keys of the objects that we are inside of */
    buffer_t scratch;  /* a string with its escapes resolved */
    troupe_error_t *error;
    troupe_status_t status;
} json_parser_t;

void json_open (json_parser_t *self, const char *text, size_t length);
void json_close (json_parser_t *self);  /* frees its memory */

/*  The next character that is no space, where `at` then stands; NUL at the end. */
char json_peek (json_parser_t *self);

/*  The next value, of at most `depth` levels. Whether something stands behind it is the caller's to see. */
troupe_status_t json_next (json_parser_t *self, unsigned depth, buffer_t *to, troupe_error_t *error);

/*  TROUPE_INVALID, with line and column of `at`. */
troupe_status_t json_wrong (json_parser_t *self, const char *what, troupe_error_t *error);

/*  Compact text, no NUL behind it. TROUPE_INVALID when the body is no good value;
 *  that the keys of an object differ is not looked at here (see packed_is_valid). */
troupe_status_t json_from_packed (const void *body, size_t size, buffer_t *text, troupe_error_t *error);

/*  Parts of a text. Bytes of a string that are no UTF-8 become U+FFFD each. */
void json_put_string (buffer_t *text, const char *string, size_t size);
void json_put_int (buffer_t *text, int64_t integer);

troupe_status_t json_tree_to_packed (const json_t *tree, buffer_t *to, troupe_error_t *error);

/*  A new tree, which the caller decrefs. */
json_t *json_tree_from_packed (const void *body, size_t size, troupe_error_t *error);

#endif
