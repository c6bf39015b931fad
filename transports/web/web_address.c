/*  web_address.c - where a connection comes from. */
#include "transports/web/web_address.h"

#include "transports/web/web_inside.h"
#include "transports/web/web_proxy.h"

#include <arpa/inet.h>
#include <string.h>

#define FORWARDED_SIZE 1024

void
web_address_read (const struct sockaddr_storage *socket, struct in6_addr *from)
{
    memset (from, 0, sizeof *from);
    if (socket->ss_family == AF_INET6)
        *from = ((const struct sockaddr_in6 *) socket)->sin6_addr;
    else if (socket->ss_family == AF_INET)
        proxy_from_four (&((const struct sockaddr_in *) socket)->sin_addr, from);
}

void
web_address_write (const struct in6_addr *from, web_address_t *self)
{
    memset (self, 0, sizeof *self);
    if (IN6_IS_ADDR_UNSPECIFIED (from))
        return;
    bool is_four = IN6_IS_ADDR_V4MAPPED (from);
    const uint8_t *bytes = from->s6_addr + (is_four ? 12 : 0);
    self->key_size = is_four ? 4 : sizeof self->key;
    memcpy (self->key, bytes, self->key_size);
    (void) inet_ntop (is_four ? AF_INET : AF_INET6, bytes, self->text, sizeof self->text);
}

void
web_address_of_other (const web_t *web, const struct in6_addr *from, web_address_t *self)
{
    static const struct in6_addr nobody;
    web_address_write (proxy_is_trusted (web->proxies, from) ? &nobody : from, self);
}

bool
web_address_of (struct lws *wsi, web_address_t *self)
{
    web_t *web = web_of (wsi);
    char forwarded[FORWARDED_SIZE];
    struct in6_addr from = web_socket_from (web, wsi);
    bool is_proxy = *web->proxies && proxy_is_trusted (web->proxies, &from);
    bool fits = !is_proxy || web_header (wsi, WSI_TOKEN_X_FORWARDED_FOR, forwarded, sizeof forwarded);
    if (is_proxy && fits)
        proxy_client (web->proxies, forwarded, &from);
    web_address_write (&from, self);
    self->is_forwarded = is_proxy;
    return fits;
}
