/*  utf8.h - whether bytes are UTF-8. Any thread.
 *
 *  Strict, as JSON needs it: no overlong forms, no surrogates, nothing beyond
 *  U+10FFFF. A NUL is a character like any other.
 */
#ifndef RUNTIME_BASE_UTF8_H
#define RUNTIME_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  Bytes of the character that stands at `at`, 1 to 4; 0 when none does. `left` is 1 or more. */
size_t utf8_step (const uint8_t *at, size_t left);

/*  How many of the bytes, from the first, are good. */
size_t utf8_prefix (const void *bytes, size_t size);

/*  The same for ASCII that stands in JSON strings as it is: no control characters, quotes and backslashes. */
size_t utf8_plain_prefix (const void *bytes, size_t size);

bool utf8_is_valid (const void *bytes, size_t size);

#endif
