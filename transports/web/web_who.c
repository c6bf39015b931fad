/*  web_who.c - who asks over HTTP.
 *
 *  DESIGN
 *  A token says it by itself, an API key only with its account, which is asked when the request has come whole: while
 *  that waits nothing more is read, as for a call.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/error.h"
#include "transports/edge/message.h"

#include <string.h>

troupe_status_t
web_identify (web_request_t *self, troupe_error_t *error)
{
    char text[TOKEN_MAX + 16];
    if (!web_header (self->wsi, WSI_TOKEN_HTTP_AUTHORIZATION, text, sizeof text))
        return error_set (error, TROUPE_INVALID, "Authorization: it is too long");
    if (!*text)
        return TROUPE_OK;
    if (strncasecmp (text, "Bearer ", 7) != 0)
        return error_set (error, TROUPE_FORBIDDEN, "Authorization: Bearer is wanted");
    const char *token = text + 7 + strspn (text + 7, " ");
    if (secret_is_api_key (token))
        return api_key_read (token, &self->api_key, error);
    const web_address_t *from = &self->address;
    troupe_status_t status = edge_identify (self->web->edge, token, from->key, from->key_size, &self->who, error);
    if (status != TROUPE_OK)
        self->who = (identity_t) { .subject = "" };
    return status;
}

/*  Outside of libwebsockets' callbacks. */
static void
told (void *arg, const identity_t *who, const troupe_error_t *error)
{
    web_request_t *self = arg;
    self->asking = NULL;
    if (who) {
        self->who = *who;
        self->known (self);
    } else
        web_answer_error (self, error, 0);
    if (self->is_answered)
        web_send_answer (self);
    else if (self->peer)
        web_read_on (self->wsi);  /* or it is not seen that the client of a stream leaves */
}

void
web_when_known (web_request_t *self, void (*known) (web_request_t *self))
{
    troupe_error_t error;
    uint32_t retry_after_ms;
    const web_address_t *address = &self->address;
    if (!*self->api_key.id) {
        known (self);
        return;
    }
    self->wants_body = false;
    self->known = known;
    troupe_status_t status = api_key_ask (self->web->edge, &self->api_key, address->key, address->key_size, told, self,
                                          &self->asking, &retry_after_ms, &error);
    if (status == TROUPE_OK) {
        web_call_wait (self);
        return;
    }
    self->is_limited = retry_after_ms > 0;
    web_answer_error (self, &error, retry_after_ms);
}
