/*  web_proxy.h - proxies that are believed when they say whom a request is from. Pure: texts and addresses. */
#ifndef TRANSPORTS_WEB_WEB_PROXY_H
#define TRANSPORTS_WEB_WEB_PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  The four bytes of an address of IPv4, as ::ffff:a.b.c.d. */
void proxy_from_four (const void *four, struct in6_addr *address);

/*  As IPv6, an address of IPv4 as ::ffff:a.b.c.d. False: the text is none. */
bool proxy_read_address (const char *text, struct in6_addr *address);

/*  Whether it is in one of the words "10.0.0.0/8 ::1", parted by spaces; words that are none are in vain. */
bool proxy_is_trusted (const char *proxies, const struct in6_addr *address);

/*  The newest hop of an X-Forwarded-For that no trusted proxy stands for; the oldest when all are. `address` stays as
 *  it was when that hop is no address. */
void proxy_client (const char *proxies, const char *forwarded, struct in6_addr *address);

#define PROXY_HEADER_MOST 1024

typedef enum { PROXY_MORE, PROXY_WHOLE, PROXY_BAD } proxy_header_t;

/*  What a connection begins with when a proxy speaks the PROXY protocol, version 1 or 2: for whom. Of these bytes the
 *  first `*used` belong to it, all of them when more are wanted. `address` is "::" when it tells none. PROXY_BAD: it is
 *  no such header, or one that is longer than PROXY_HEADER_MOST. */
proxy_header_t proxy_header (const uint8_t *bytes, size_t size, size_t *used, struct in6_addr *address);

/*  The first word that is no address or prefix; NULL: all are. */
const char *proxy_bad_word (const char *proxies);

#endif
