/*  sign_in_keys.c - signing in with an API key, or with the key of a device; new keys. */
#include "transports/edge/sign_in_inside.h"

#include "runtime/base/error.h"
#include "transports/auth/member.h"

#include <stdio.h>

#define CHALLENGE_MS 60000

static const char wrong_key[] = "this key is no good here";

static troupe_status_t
ask_key (sign_in_flow_t *self, const char *id, step_t *next, troupe_error_t *error)
{
    buffer_t body = { 0 };
    packed_put_object (&body, 1);
    packed_put_text (&body, "id", id);
    return flow_ask (self, "key", NULL, &body, next, error);
}

/*  The public key of a device, and whose it is. */
static troupe_status_t
take_device (sign_in_flow_t *self, char *value, size_t size, troupe_error_t *error)
{
    char type[16];
    if (self->told_status != TROUPE_OK)
        return flow_said_no (self, wrong_key, error);
    if (member_text (flow_told_body (self), "type", type, sizeof type) != MEMBER_OK || strcmp (type, "device") != 0
        || member_text (flow_told_body (self), "value", value, size) != MEMBER_OK)
        return error_set (error, TROUPE_FORBIDDEN, wrong_key);
    return flow_take_subject (self, error);
}

static troupe_status_t
key_told (sign_in_flow_t *self, troupe_error_t *error)
{
    troupe_status_t status = self->told_status != TROUPE_OK ? flow_said_no (self, wrong_key, error)
                             : api_key_fits (&self->secret, &self->told)
                                 ? flow_take_subject (self, error)
                                 : error_set (error, TROUPE_FORBIDDEN, wrong_key);
    if (status == TROUPE_OK)
        return flow_write_tokens (self, error);
    flow_audit (self, "sign-in failed");
    return status;
}

troupe_status_t
sign_in_begin_key (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    char text[SECRET_TEXT_SIZE];
    self->how = "API key";
    if (member_text (request->body, "key", text, sizeof text) != MEMBER_OK
        || !secret_read (SECRET_API_KEY, text, strlen (text), &self->secret))
        return error_set (error, TROUPE_FORBIDDEN, wrong_key);
    snprintf (self->login, sizeof self->login, "%s", self->secret.login);
    return ask_key (self, self->secret.id, key_told, error);
}

/*  "ID.LOGIN". */
static troupe_status_t
read_device (sign_in_flow_t *self, packed_reader_t body, troupe_error_t *error)
{
    char login[LOGIN_MAX + 1];
    const char *dot = NULL;
    if (member_text (body, "device", self->device, sizeof self->device) == MEMBER_OK)
        dot = strchr (self->device, '.');
    if (!dot || dot - self->device > SECRET_ID_MAX)
        return error_set (error, TROUPE_INVALID, "a device is named ID.NAME, as it was told when its key was added");
    snprintf (self->secret.id, sizeof self->secret.id, "%.*s", (int) (dot - self->device), self->device);
    snprintf (login, sizeof login, "%s", dot + 1);
    if (!name_login (login, self->login) || strcmp (login, self->login) != 0)
        return error_set (error, TROUPE_INVALID, "there is no such name");
    return TROUPE_OK;
}

troupe_status_t
sign_in_begin_challenge (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    char challenge[DEVICE_CHALLENGE_SIZE];
    const host_port_t *host = &self->service->edge->host;
    self->how = "device";
    troupe_status_t status = read_device (self, request->body, error);
    if (status != TROUPE_OK)
        return status;
    device_challenge (self->service->device_secret, self->device, host->now_ms (host->self), CHALLENGE_MS, challenge);
    buffer_printf (&self->answer.text, "{\"challenge\":\"%s\",\"audience\":\"%s\",\"expires_in\":%d}", challenge,
                   tokens_audience (self->service->options.tokens), CHALLENGE_MS / 1000);
    return TROUPE_OK;
}

/*  False: this challenge was answered before. */
static bool
answer_once (sign_in_flow_t *self)
{
    uint64_t *count = recent_use (self->service->answered, self->challenge, strlen (self->challenge));
    return ++*count == 1;
}

static troupe_status_t
device_told (sign_in_flow_t *self, troupe_error_t *error)
{
    char stored[BASE64URL_SIZE (ED25519_KEY_SIZE)] = "";
    uint8_t key[ED25519_KEY_SIZE];
    const host_port_t *host = &self->service->edge->host;
    const char *audience = tokens_audience (self->service->options.tokens);
    troupe_status_t status = take_device (self, stored, sizeof stored, error);
    if (status == TROUPE_OK
        && (!base64url_read_exactly (stored, strlen (stored), key, sizeof key)
            || device_verify (self->service->device_secret, audience, self->device, self->challenge,
                              host->now_ms (host->self), key, self->signature) != DEVICE_OK))
        status = error_set (error, TROUPE_FORBIDDEN, wrong_key);
    if (status == TROUPE_OK && !answer_once (self))
        status = error_set (error, TROUPE_FORBIDDEN, "the challenge was answered before: ask for another");
    if (status == TROUPE_OK)
        return flow_begin_family (self, self->secret.id, error);
    flow_audit (self, "sign-in failed");
    return status;
}

troupe_status_t
sign_in_begin_device (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    char signature[BASE64URL_SIZE (ED25519_SIGNATURE_SIZE)];
    self->how = "device";
    troupe_status_t status = read_device (self, request->body, error);
    if (status != TROUPE_OK)
        return status;
    if (member_text (request->body, "challenge", self->challenge, sizeof self->challenge) != MEMBER_OK
        || member_text (request->body, "signature", signature, sizeof signature) != MEMBER_OK
        || !base64url_read_exactly (signature, strlen (signature), self->signature, sizeof self->signature))
        return error_set (error, TROUPE_INVALID, "device, challenge and signature are wanted");
    return ask_key (self, self->secret.id, device_told, error);
}

static troupe_status_t
key_added (sign_in_flow_t *self, troupe_error_t *error)
{
    if (self->told_status != TROUPE_OK)
        return flow_said_no (self, NULL, error);
    flow_audit (self, "key added");
    buffer_printf (&self->answer.text, "{\"id\":\"%s\",\"%s\":\"%s\"}", self->secret.id,
                   *self->token ? "key" : "device", *self->token ? self->token : self->device);
    return TROUPE_OK;
}

/*  That the actor showed its keys says that they are this subject's. */
static troupe_status_t
keys_told (sign_in_flow_t *self, troupe_error_t *error)
{
    buffer_t body = { 0 };
    secret_t made = { .id = "" };
    if (self->told_status != TROUPE_OK)
        return flow_said_no (self, "this subject has no account here", error);
    if (*self->token)
        CHECK (secret_read (SECRET_API_KEY, self->token, strlen (self->token), &made));
    packed_put_object (&body, 4);
    packed_put_text (&body, "id", self->secret.id);
    packed_put_text (&body, "type", *self->token ? "api" : "device");
    packed_put_text (&body, "value", *self->token ? made.hash : self->hash);
    packed_put_text (&body, "label", self->client);
    return flow_ask (self, "add_key", NULL, &body, key_added, error);
}

/*  With `public_key` that of a device, else a new API key. */
troupe_status_t
sign_in_begin_keys (sign_in_flow_t *self, const sign_in_request_t *request, troupe_error_t *error)
{
    uint8_t key[ED25519_KEY_SIZE];
    const char *subject = request->who->subject;
    self->how = "key";
    if (!*subject)
        return error_set (error, TROUPE_FORBIDDEN, "keys are for those who are signed in");
    if (!name_login (subject, self->login))
        return error_set (error, TROUPE_FORBIDDEN, "this subject has no account here");
    secret_new_id (self->secret.id);
    member_t member = member_text (request->body, "public_key", self->hash, sizeof self->hash);
    if (member == MEMBER_ABSENT)
        secret_make (SECRET_API_KEY, self->secret.id, self->login, self->token);
    else if (member != MEMBER_OK || !base64url_read_exactly (self->hash, strlen (self->hash), key, sizeof key))
        return error_set (error, TROUPE_INVALID, "public_key: 32 bytes of Ed25519 as base64url are wanted");
    snprintf (self->device, sizeof self->device, "%s.%s", self->secret.id, self->login);
    return flow_ask (self, "keys", subject, NULL, keys_told, error);
}
