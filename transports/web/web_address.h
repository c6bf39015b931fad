/*  web_address.h - where a connection comes from. */
#ifndef TRANSPORTS_WEB_WEB_ADDRESS_H
#define TRANSPORTS_WEB_WEB_ADDRESS_H

#include <libwebsockets.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct {
    char text[INET6_ADDRSTRLEN];  /* for people and logs; "": not known */
    uint8_t key[8];               /* whom limits count: of IPv6 its /64, which one household has all of */
    size_t key_size;              /* 0: not known */
    bool is_forwarded;            /* a proxy told it in the head of a request */
} web_address_t;

/*  "::": not known. */
void web_address_read (const struct sockaddr_storage *socket, struct in6_addr *from);
void web_address_write (const struct in6_addr *from, web_address_t *self);

struct web_s;

/*  Of who opened the connection; that of a proxy counts as not known. */
void web_address_of_other (const struct web_s *web, const struct in6_addr *from, web_address_t *self);

/*  While the head of its request is known: a proxy that is trusted (web_proxies) tells in it for whom it speaks.
 *  False: it tells too much. */
bool web_address_of (struct lws *wsi, web_address_t *self);

#endif
