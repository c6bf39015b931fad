/*  base64url.h - bytes as text without padding (RFC 4648, 5), one text for each bytes. Any thread. */
#ifndef TRANSPORTS_AUTH_BASE64URL_H
#define TRANSPORTS_AUTH_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>

/*  Bytes of the text with its NUL. */
#define BASE64URL_SIZE(bytes) (((bytes) * 4 + 2) / 3 + 1)

void base64url_write (const void *bytes, size_t size, char *text);

/*  Strict: no padding, no blanks, no bits that mean nothing. False too when it is more than `most` bytes. */
bool base64url_read (const char *text, size_t size, void *bytes, size_t most, size_t *got);

/*  The same for what has one right size. */
bool base64url_read_exactly (const char *text, size_t size, void *bytes, size_t wanted);

#endif
