/*  web_proxy.c - proxies that are believed when they say whom a request is from.
 *
 *  DESIGN
 *  A client may write into the header what it likes, and each proxy adds at the end whom it was called by. So it is
 *  read from the end, for as long as who wrote it is trusted.
 */
#include "transports/web/web_proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE (INET6_ADDRSTRLEN + 8)  /* with brackets and a port */
#define FOUR_BITS 96                      /* before an address of IPv4 */

bool
proxy_read_address (const char *text, struct in6_addr *address)
{
    struct in_addr four;
    if (inet_pton (AF_INET6, text, address) == 1)
        return true;
    if (inet_pton (AF_INET, text, &four) != 1)
        return false;
    memset (address, 0, sizeof *address);
    memset (address->s6_addr + 10, 0xff, 2);
    memcpy (address->s6_addr + 12, &four, sizeof four);
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
