/*  web_auth.c - signing in over HTTP: POST /auth/WHAT with a JSON object. */
#include "transports/web/web_inside.h"

#include "runtime/base/error.h"
#include "runtime/body/packed.h"
#include "transports/auth/member.h"

#include <stdio.h>

void
web_auth_begin (web_request_t *self, const char *path)
{
    troupe_error_t error;
    self->is_sign_in = true;
    if (!edge_sign_in (self->web->edge)) {
        error_set (&error, TROUPE_NOT_FOUND, "nobody signs in here");
        web_answer_error (self, &error, 0);
    } else if (self->method != WEB_POST) {
        web_answer_method (self, "POST");
    } else if (web_call_is_welcome (self)) {
        snprintf (self->verb, sizeof self->verb, "%s", path);
        self->body.limit = SIGN_IN_BODY_MOST;
        web_call_take_body (self);
    }
}

void
web_auth_complete (web_request_t *self)
{
    troupe_error_t error;
    buffer_t packed = { 0 };
    self->wants_body = false;
    if (!web_call_may (self, RATE_SIGN_IN))
        return;
    sign_in_request_t request = { .what = self->verb, .who = &self->who };
    const char *text = self->body.size ? (const char *) self->body.data : "{}";
    troupe_status_t status = object_read (text, self->body.size ? self->body.size : 2, &packed, &request.body, &error);
    request.from = self->address.text;
    request.address = self->address.key;
    request.address_size = self->address.key_size;
    if (status == TROUPE_OK)
        status = sign_in_begin (edge_sign_in (self->web->edge), &request, web_call_answered, self, &self->flow, &error);
    buffer_clear (&packed);
    if (status == TROUPE_OK)
        web_call_wait (self);
    else
        web_answer_error (self, &error, 0);
}
