/*  base64url.c - bytes as text without padding (RFC 4648, 5). */
#include "transports/auth/base64url.h"

#include <sodium.h>

void
base64url_write (const void *bytes, size_t size, char *text)
{
    sodium_bin2base64 (text, BASE64URL_SIZE (size), bytes, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool
base64url_read (const char *text, size_t size, void *bytes, size_t most, size_t *got)
{
    return sodium_base642bin (bytes, most, text, size, NULL, got, NULL,
                              sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

bool
base64url_read_exactly (const char *text, size_t size, void *bytes, size_t wanted)
{
    size_t got;
    return base64url_read (text, size, bytes, wanted, &got) && got == wanted;
}
