/*  web_http.c - HTTP requests. */
#include "transports/web/web_inside.h"

#include <string.h>

static int
answer (struct lws *wsi, unsigned status, const char *type, const char *body)
{
    uint8_t bytes[LWS_PRE + 1024], *start = bytes + LWS_PRE, *at = start, *end = bytes + sizeof bytes - 1;
    size_t size = strlen (body);
    if (lws_add_http_common_headers (wsi, status, type, size, &at, end)
        || lws_finalize_write_http_header (wsi, start, &at, end))
        return 1;
    memcpy (start, body, size);
    if (lws_write (wsi, start, size, LWS_WRITE_HTTP_FINAL) != (int) size)
        return 1;
    return lws_http_transaction_completed (wsi) ? -1 : 0;
}

int
web_http_callback (struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
    web_t *web = lws_context_user (lws_get_context (wsi));
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return web_socket_filter (wsi, web);
    case LWS_CALLBACK_HTTP:
        if (strcmp (in, "/healthz") == 0)
            return answer (wsi, HTTP_STATUS_OK, "text/plain", "ok\n");
        if (strcmp (in, "/readyz") == 0)
            return web->is_stopping ? answer (wsi, HTTP_STATUS_SERVICE_UNAVAILABLE, "text/plain", "stopping\n")
                                    : answer (wsi, HTTP_STATUS_OK, "text/plain", "ready\n");
        return lws_return_http_status (wsi, HTTP_STATUS_NOT_FOUND, NULL) ? -1 : 0;
    default:
        return lws_callback_http_dummy (wsi, reason, user, in, size);
    }
}
