/*  web_origin.c - pages of other hosts, and what their browsers may.
 *
 *  DESIGN
 *  A browser sends a stranger's page's requests with the user's own network behind them, and tells in
 *  Origin whose page it is. What is not our own or in the list is refused before it does anything, a
 *  WebSocket as a call: the browser alone would hide the answer, not prevent the deed.
 *
 *  A page may be our own by a name that its DNS turned to this machine after it was loaded. Who listens for this
 *  machine alone, without TLS, does not take that for its own; behind a proxy with TLS the page would be https.
 */
#include "transports/web/web_head.h"
#include "transports/web/web_inside.h"

static bool
is_near (const web_t *web)
{
    const char *host = web->host;
    return strncmp (host, "127.", 4) == 0 || strcmp (host, "::1") == 0 || strcmp (host, "localhost") == 0;
}

static bool
is_own (const web_t *web, struct lws *wsi, const char *origin)
{
    char host[WEB_ORIGIN_SIZE];
    if (!web_header (wsi, WSI_TOKEN_HOST, host, sizeof host) || !head_origin_is_own (origin, host))
        return false;
    return !is_near (web) || strncasecmp (origin, "http://", 7) != 0 || head_origin_is_fixed (origin);
}

web_origin_t
web_origin (const web_t *web, struct lws *wsi, char origin[WEB_ORIGIN_SIZE])
{
    web_origin_t found = ORIGIN_FOREIGN;
    bool fits = web_header (wsi, WSI_TOKEN_ORIGIN, origin, WEB_ORIGIN_SIZE);
    if (fits && (!*origin || is_own (web, wsi, origin)))
        found = ORIGIN_OWN;
    else if (fits && head_origin_is_listed (origin, web->origins))
        found = ORIGIN_ALLOWED;
    if (found != ORIGIN_ALLOWED)
        *origin = '\0';
    return found;
}
