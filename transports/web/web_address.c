/*  web_address.c - where a connection comes from. */
#include "transports/web/web_address.h"

#include "transports/web/web_inside.h"
#include "transports/web/web_proxy.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#define FORWARDED_SIZE 1024

/*  False: not known. */
static bool
peer_of (int fd, struct in6_addr *address)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_storage peer = { 0 };
    socklen_t size = sizeof peer;
    if (getpeername (fd, (struct sockaddr *) &peer, &size) != 0)
        return false;
    if (peer.ss_family == AF_INET6)
        *address = ((struct sockaddr_in6 *) &peer)->sin6_addr;
    return peer.ss_family == AF_INET6
           || (peer.ss_family == AF_INET
               && inet_ntop (AF_INET, &((struct sockaddr_in *) &peer)->sin_addr, text, sizeof text)
               && proxy_read_address (text, address));
}

static void
set (web_address_t *self, const struct in6_addr *address)
{
    bool is_four = IN6_IS_ADDR_V4MAPPED (address);
    const uint8_t *bytes = address->s6_addr + (is_four ? 12 : 0);
    self->key_size = is_four ? 4 : sizeof self->key;
    memcpy (self->key, bytes, self->key_size);
    (void) inet_ntop (is_four ? AF_INET : AF_INET6, bytes, self->text, sizeof self->text);
}

void
web_address_of_socket (const web_t *web, int fd, web_address_t *self)
{
    struct in6_addr address;
    memset (self, 0, sizeof *self);
    if (peer_of (fd, &address) && !proxy_is_trusted (web->proxies, &address))
        set (self, &address);
}

bool
web_address_of (struct lws *wsi, web_address_t *self)
{
    const web_t *web = lws_context_user (lws_get_context (wsi));
    char forwarded[FORWARDED_SIZE];
    struct in6_addr address;
    memset (self, 0, sizeof *self);
    if (!peer_of (lws_get_socket_fd (wsi), &address))
        return true;
    bool is_proxy = *web->proxies && proxy_is_trusted (web->proxies, &address);
    bool fits = !is_proxy || web_header (wsi, WSI_TOKEN_X_FORWARDED_FOR, forwarded, sizeof forwarded);
    if (is_proxy && fits)
        proxy_client (web->proxies, forwarded, &address);
    set (self, &address);
    self->is_forwarded = is_proxy;
    return fits;
}
