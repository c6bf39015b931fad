/*  web_proxy.c - proxies that are believed when they say whom a request is from.
 *
 *  DESIGN
 *  A client may write into the header what it likes, and each proxy adds at the end whom it was called by. So it is
 *  read from the end, for as long as who wrote it is trusted.
 *
 *  The PROXY protocol: https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
 */
#include "transports/web/web_proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE (INET6_ADDRSTRLEN + 8)  /* with brackets and a port */
#define FOUR_BITS 96                      /* before an address of IPv4 */

void
proxy_from_four (const void *four, struct in6_addr *address)
{
    memset (address, 0, sizeof *address);
    memset (address->s6_addr + 10, 0xff, 2);
    memcpy (address->s6_addr + 12, four, sizeof (struct in_addr));
}

bool
proxy_read_address (const char *text, struct in6_addr *address)
{
    struct in_addr four;
    if (inet_pton (AF_INET6, text, address) == 1)
        return true;
    if (inet_pton (AF_INET, text, &four) != 1)
        return false;
    proxy_from_four (&four, address);
    return true;
}

/*  "10.0.0.0/8". */
static bool
read_prefix (const char *word, size_t size, struct in6_addr *address, unsigned *bits)
{
    char text[TEXT_SIZE];
    if (snprintf (text, sizeof text, "%.*s", (int) size, word) >= (int) sizeof text)
        return false;
    char *slash = strchr (text, '/'), *end = NULL;
    if (slash)
        *slash = '\0';
    if (!proxy_read_address (text, address))
        return false;
    unsigned before = strchr (text, ':') ? 0 : FOUR_BITS;
    unsigned long number = slash ? strtoul (slash + 1, &end, 10) : 128u - before;
    if (slash && (end == slash + 1 || *end))
        return false;
    *bits = before + (unsigned) number;
    return number <= 128u - before;
}

static bool
begins_alike (const struct in6_addr *one, const struct in6_addr *other, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp (one->s6_addr, other->s6_addr, whole) == 0
           && (rest == 0 || (one->s6_addr[whole] ^ other->s6_addr[whole]) >> (8 - rest) == 0);
}

bool
proxy_is_trusted (const char *proxies, const struct in6_addr *address)
{
    struct in6_addr prefix;
    unsigned bits;
    for (const char *word = proxies + strspn (proxies, " "); *word; word += strspn (word, " ")) {
        size_t size = strcspn (word, " ");
        if (read_prefix (word, size, &prefix, &bits) && begins_alike (&prefix, address, bits))
            return true;
        word += size;
    }
    return false;
}

const char *
proxy_bad_word (const char *proxies)
{
    struct in6_addr prefix;
    unsigned bits;
    for (const char *word = proxies + strspn (proxies, " "); *word; word += strspn (word, " ")) {
        size_t size = strcspn (word, " ");
        if (!read_prefix (word, size, &prefix, &bits))
            return word;
        word += size;
    }
    return NULL;
}

/*  "1.2.3.4", "1.2.3.4:80", "[::1]:80", "::1". */
static bool
read_hop (const char *hop, size_t size, struct in6_addr *address)
{
    char text[TEXT_SIZE];
    if (size > 0 && *hop == '[') {
        const char *end = memchr (hop, ']', size);
        if (!end)
            return false;
        hop += 1;
        size = (size_t) (end - hop);
    } else if (memchr (hop, '.', size) && memchr (hop, ':', size) == memrchr (hop, ':', size)
               && memchr (hop, ':', size))
        size = (size_t) ((const char *) memchr (hop, ':', size) - hop);
    return snprintf (text, sizeof text, "%.*s", (int) size, hop) < (int) sizeof text
           && proxy_read_address (text, address);
}

void
proxy_client (const char *proxies, const char *forwarded, struct in6_addr *address)
{
    size_t end = strlen (forwarded);
    while (end > 0) {
        size_t begin = end;
        while (begin > 0 && forwarded[begin - 1] != ',')
            begin--;
        size_t from = begin + strspn (forwarded + begin, " \t"), to = end;
        while (to > from && strchr (" \t", forwarded[to - 1]))
            to--;
        struct in6_addr hop;
        if (to > from) {
            if (!read_hop (forwarded + from, to - from, &hop))
                return;
            *address = hop;
            if (!proxy_is_trusted (proxies, &hop))
                return;
        }
        end = begin > 0 ? begin - 1 : 0;
    }
}

/* ---- the PROXY protocol ---- */

#define LINE_MOST 107  /* of version 1, with its end */
#define FIXED 16       /* of version 2, before the addresses */

static const char line_begin[] = "PROXY ";
static const uint8_t signature[] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

/*  As far as there is something of both. */
static bool
agrees (const uint8_t *bytes, size_t size, const void *begin, size_t begin_size)
{
    return memcmp (bytes, begin, size < begin_size ? size : begin_size) == 0;
}

/*  "PROXY TCP4 1.2.3.4 10.0.0.1 5678 443", or UNKNOWN and whatever. */
static bool
read_line (char *line, struct in6_addr *address)
{
    char *rest, *words[7];
    size_t count = 0;
    for (char *word = strtok_r (line, " ", &rest); word && count < 7; word = strtok_r (NULL, " ", &rest))
        words[count++] = word;
    if (count > 1 && strcmp (words[1], "UNKNOWN") == 0)
        return true;
    if (count != 6)
        return false;
    bool is_four = strcmp (words[1], "TCP4") == 0;
    struct in6_addr to;
    return (is_four || strcmp (words[1], "TCP6") == 0) && proxy_read_address (words[2], address)
           && proxy_read_address (words[3], &to) && is_four == !strchr (words[2], ':');
}

static proxy_header_t
read_text (const uint8_t *bytes, size_t size, size_t *used, struct in6_addr *address)
{
    char line[LINE_MOST + 1];
    size_t most = size < LINE_MOST ? size : LINE_MOST;
    const uint8_t *end = memchr (bytes, '\n', most);
    if (!end)
        return size < LINE_MOST ? PROXY_MORE : PROXY_BAD;
    *used = (size_t) (end - bytes) + 1;
    if (end[-1] != '\r' || memchr (bytes, 0, *used))
        return PROXY_BAD;
    memcpy (line, bytes, *used - 2);
    line[*used - 2] = '\0';
    return read_line (line, address) ? PROXY_WHOLE : PROXY_BAD;
}

static proxy_header_t
read_binary (const uint8_t *bytes, size_t size, size_t *used, struct in6_addr *address)
{
    enum { LOCAL = 0x20, PROXIED = 0x21, OVER_FOUR = 1, OVER_SIX = 2 };
    if (size < FIXED)
        return PROXY_MORE;
    size_t rest = (size_t) bytes[14] << 8 | bytes[15];
    unsigned family = bytes[13] >> 4;
    if ((bytes[12] != LOCAL && bytes[12] != PROXIED) || FIXED + rest > PROXY_HEADER_MOST)
        return PROXY_BAD;
    if (size < FIXED + rest)
        return PROXY_MORE;
    *used = FIXED + rest;
    if (bytes[12] == LOCAL || (family != OVER_FOUR && family != OVER_SIX))
        return PROXY_WHOLE;
    if (rest < (family == OVER_FOUR ? 12 : 36))
        return PROXY_BAD;
    if (family == OVER_SIX)
        memcpy (address, bytes + FIXED, sizeof *address);
    else
        proxy_from_four (bytes + FIXED, address);
    return PROXY_WHOLE;
}

proxy_header_t
proxy_header (const uint8_t *bytes, size_t size, size_t *used, struct in6_addr *address)
{
    memset (address, 0, sizeof *address);
    *used = size;
    if (agrees (bytes, size, line_begin, sizeof line_begin - 1))
        return read_text (bytes, size, used, address);
    if (agrees (bytes, size, signature, sizeof signature))
        return read_binary (bytes, size, used, address);
    return PROXY_BAD;
}
