/*  web_taken.c - how far the other host of a connection is, as Linux knows it. Alone, since <linux/tcp.h>, which has
 *  the field, and <netinet/tcp.h> exclude each other. */
#include "transports/web/web_taken.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

uint64_t
tcp_bytes_taken (int descriptor, bool *more)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof info;
    bool is_known = getsockopt (descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
    *more = is_known && (info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0);
    return is_known ? info.tcpi_bytes_acked : 0;
}
