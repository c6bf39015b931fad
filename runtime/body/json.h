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

/*  Compact text, no NUL behind it. TROUPE_INVALID when the body is no good value;
 *  that the keys of an object differ is not looked at here (see packed_is_valid). */
troupe_status_t json_from_packed (const void *body, size_t size, buffer_t *text, troupe_error_t *error);

troupe_status_t json_tree_to_packed (const json_t *tree, buffer_t *to, troupe_error_t *error);

/*  A new tree, which the caller decrefs. */
json_t *json_tree_from_packed (const void *body, size_t size, troupe_error_t *error);

#endif
