/*  web_origin.c - pages of other hosts, and what their browsers may.
 *
 *  DESIGN
 *  A browser sends a stranger's page's requests with the user's own network behind them, and tells in
 *  Origin whose page it is. What is not our own or in the list is refused before it does anything, a
 *  WebSocket as a call: the browser alone would hide the answer, not prevent the deed.
 *
 *  A stranger's page may also be of our own host, by a name that its DNS turned to this machine after it was loaded;
 *  what it only reads then comes without Origin. Who listens for this machine alone, without TLS or a proxy, is not
 *  called by such names.
 */
#include "transports/web/web_head.h"
#include "transports/web/web_inside.h"

static bool
is_near (const web_t *web)
{
    const char *host = web->host;
    return strncmp (host, "127.", 4) == 0 || strcmp (host, "[::1]") == 0 || strcmp (host, "::1") == 0
           || strcasecmp (host, "localhost") == 0;
}

static bool
is_turned (const web_t *web, const char *host)
{
    return is_near (web) && !*web->certificate && !*web->proxies && !*web->tcp_proxies && !head_host_is_fixed (host)
           && !head_host_is_listed (host, web->origins);
}

web_origin_t
web_origin (const web_t *web, struct lws *wsi, char origin[WEB_ORIGIN_SIZE])
{
    web_origin_t found = ORIGIN_FOREIGN;
    char host[WEB_ORIGIN_SIZE];
    bool fits = web_header (wsi, WSI_TOKEN_ORIGIN, origin, WEB_ORIGIN_SIZE)
                && web_header (wsi, WSI_TOKEN_HOST, host, sizeof host) && !is_turned (web, host);
    if (fits && (!*origin || head_origin_is_own (origin, host)))
        found = ORIGIN_OWN;
    else if (fits && head_origin_is_listed (origin, web->origins))
        found = ORIGIN_ALLOWED;
    if (found != ORIGIN_ALLOWED)
        *origin = '\0';
    return found;
}
