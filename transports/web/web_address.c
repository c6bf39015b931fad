/*  web_address.c - where a connection comes from. */
#include "transports/web/web_address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

static void
set (web_address_t *self, int family, const void *text_of, const void *key, size_t key_size)
{
    (void) inet_ntop (family, text_of, self->text, sizeof self->text);
    memcpy (self->key, key, key_size);
    self->key_size = key_size;
}

void
web_address_of (struct lws *wsi, web_address_t *self)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t size = sizeof peer;
    memset (self, 0, sizeof *self);
    if (getpeername (lws_get_socket_fd (wsi), (struct sockaddr *) &peer, &size) != 0)
        return;
    const struct in_addr *four = &((struct sockaddr_in *) &peer)->sin_addr;
    const struct in6_addr *six = &((struct sockaddr_in6 *) &peer)->sin6_addr;
    if (peer.ss_family == AF_INET)
        set (self, AF_INET, four, four, sizeof *four);
    else if (peer.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED (six))
        set (self, AF_INET, six->s6_addr + 12, six->s6_addr + 12, sizeof *four);
    else if (peer.ss_family == AF_INET6)
        set (self, AF_INET6, six, six, sizeof self->key);
}
