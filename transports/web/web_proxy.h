/*  web_proxy.h - proxies that are believed when they say whom a request is from. Pure: texts and addresses. */
#ifndef TRANSPORTS_WEB_WEB_PROXY_H
#define TRANSPORTS_WEB_WEB_PROXY_H

#include <netinet/in.h>
#include <stdbool.h>

/*  As IPv6, an address of IPv4 as ::ffff:a.b.c.d. False: the text is none. */
bool proxy_read_address (const char *text, struct in6_addr *address);

/*  Whether it is in one of the words "10.0.0.0/8 ::1", parted by spaces; words that are none are in vain. */
bool proxy_is_trusted (const char *proxies, const struct in6_addr *address);

/*  The newest hop of an X-Forwarded-For that no trusted proxy stands for; the oldest when all are. `address` stays as
 *  it was when that hop is no address. */
void proxy_client (const char *proxies, const char *forwarded, struct in6_addr *address);

/*  The first word that is no address or prefix; NULL: all are. */
const char *proxy_bad_word (const char *proxies);

#endif
