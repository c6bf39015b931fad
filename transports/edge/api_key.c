/*  api_key.c - who an API key stands for.
 *
 *  DESIGN
 *  A key that is no good counts against its address when that is known, as a sign-in does; one that is good does not,
 *  or who has one could not ask much. The audit log has those that failed, and those that passed once in an hour: each
 *  request shows its key. The account of one that came over another node of the cluster may be out of hearing, so no
 *  connection lasts longer by a key than by a token.
 */
#include "transports/edge/api_key.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/auth/member.h"
#include "transports/auth/recent.h"
#include "transports/edge/edge_inside.h"

#include <stdio.h>

#define HOUR_MS 3600000u

static const identity_t nobody;
static const char wrong_key[] = "this key is no good here";

struct api_key_s {
    inbox_item_t item;
    edge_t *edge;
    api_key_done_t *done;        /* NULL: nobody waits */
    void *arg;
    secret_t secret;
    uint8_t address[8], address_size;
    /* what was told; of the thread that tells it, then the gateway's */
    troupe_status_t told_status;
    buffer_t told;               /* packed, or the text of an error */
};

uint64_t
api_key_hash (const char *text)
{
    uint64_t hash = hash_bytes (text, strlen (text), 0);
    return hash ? hash : 1;
}

bool
api_key_fits (const secret_t *secret, const buffer_t *told)
{
    char type[16], stored[SECRET_HASH_SIZE];
    packed_reader_t object = { told->data, told->data + told->size };
    return member_text (object, "type", type, sizeof type) == MEMBER_OK && strcmp (type, "api") == 0
           && member_text (object, "value", stored, sizeof stored) == MEMBER_OK && secret_is (secret, stored);
}

/* ---- what is written of it ---- */

static bool
audit (api_key_t *self, audit_class_t class, const char *what)
{
    char line[256], from[AUDIT_FROM_SIZE];
    snprintf (line, sizeof line, "%s: %s by API key %s from %s", what, self->secret.login, self->secret.id,
              edge_audit_from (self->address, self->address_size, from));
    return edge_audit (self->edge, class, line);
}

static void
note_passed (api_key_t *self)
{
    char key[sizeof self->secret.id + sizeof self->secret.login + sizeof self->address];
    int size = snprintf (key, sizeof key, "%s.%s", self->secret.id, self->secret.login);
    memcpy (key + size, self->address, self->address_size);
    uint64_t *said_ms = recent_use (self->edge->keys_seen, key, (size_t) size + self->address_size);
    uint64_t now_ms = self->edge->host.now_ms (self->edge->host.self);
    if (*said_ms && now_ms < *said_ms + HOUR_MS)
        return;
    if (audit (self, AUDIT_PASSED, "signed in"))
        *said_ms = now_ms;
}

static void
note_failed (api_key_t *self)
{
    troupe_error_t error;
    uint32_t retry_after_ms;
    if (rates_take (self->edge->rates, RATE_SIGN_IN, &nobody, self->address, self->address_size, &retry_after_ms,
                    &error) == TROUPE_OK)
        (void) audit (self, AUDIT_FAILED, "sign-in failed");
}

/* ---- the account's answer ---- */

/*  On a thread of the node. */
static void
told (void *arg, const troupe_answer_t *answer)
{
    api_key_t *self = arg;
    self->told_status = answer->status;
    if (answer->status == TROUPE_OK)
        buffer_append (&self->told, answer->body, answer->size);
    else
        buffer_append (&self->told, answer->text, strlen (answer->text) + 1);
    edge_tell (self->edge, &self->item);
}

static troupe_status_t
read_account (api_key_t *self, identity_t *who, troupe_error_t *error)
{
    packed_reader_t account = { self->told.data, self->told.data + self->told.size };
    if (self->told.failed)
        return error_set (error, TROUPE_OVERLOADED, "no memory");
    if (self->told_status == TROUPE_REFUSED || self->told_status == TROUPE_NOT_FOUND)
        return error_set (error, TROUPE_FORBIDDEN, wrong_key);
    if (self->told_status != TROUPE_OK)
        return error_set (error, self->told_status, "%s", (const char *) self->told.data);
    if (!api_key_fits (&self->secret, &self->told) || !accounts_read_roles (self->edge->options.roles, account, who)
        || member_text (account, "subject", who->subject, sizeof who->subject) != MEMBER_OK)
        return error_set (error, TROUPE_FORBIDDEN, wrong_key);
    const edge_t *edge = self->edge;
    who->until_ms = edge->options.key_ms ? edge->host.now_ms (edge->host.self) + edge->options.key_ms : 0;
    who->key = api_key_hash (self->secret.id);
    who->account = api_key_hash (self->secret.login);
    return TROUPE_OK;
}

void
api_key_told (inbox_item_t *item)
{
    troupe_error_t error;
    api_key_t *self = (api_key_t *) item;
    identity_t who = { .subject = "" };
    troupe_status_t status = self->done ? read_account (self, &who, &error) : TROUPE_OK;
    if (self->done && status == TROUPE_OK)
        note_passed (self);
    else if (status == TROUPE_FORBIDDEN)
        note_failed (self);
    if (self->done)
        self->done (self->arg, status == TROUPE_OK ? &who : NULL, &error);
    buffer_clear (&self->told);
    memory_free (self);
}

/* ---- its life ---- */

static troupe_status_t
submit (api_key_t *self, troupe_error_t *error)
{
    const host_port_t *host = &self->edge->host;
    char to[sizeof "login/" + LOGIN_MAX];
    buffer_t body = { 0 };
    snprintf (to, sizeof to, "login/%s", self->secret.login);
    packed_put_object (&body, 1);
    packed_put_text (&body, "id", self->secret.id);
    troupe_call_t call = { .to = to, .verb = "key", .body = body.data, .size = body.size, .done = told, .arg = self };
    troupe_status_t status = body.failed ? error_set (error, TROUPE_OVERLOADED, "no memory")
                                         : host->submit (host->self, &call, error);
    buffer_clear (&body);
    return status;
}

troupe_status_t
api_key_read (const char *text, secret_t *key, troupe_error_t *error)
{
    return secret_read (SECRET_API_KEY, text, strlen (text), key) ? TROUPE_OK
                                                                  : error_set (error, TROUPE_FORBIDDEN, wrong_key);
}

troupe_status_t
api_key_ask (edge_t *edge, const secret_t *key, const void *address, size_t size, api_key_done_t *done, void *arg,
             api_key_t **self_p, uint32_t *retry_after_ms, troupe_error_t *error)
{
    *retry_after_ms = 0;
    troupe_status_t status = rates_look (edge->rates, RATE_SIGN_IN, &nobody, address, size, retry_after_ms, error);
    if (status != TROUPE_OK)
        return status;
    api_key_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_OVERLOADED, "no memory");
    *self = (api_key_t) { .item.type = ITEM_API_KEY, .edge = edge, .done = done, .arg = arg, .secret = *key };
    self->address_size = (uint8_t) (size < sizeof self->address ? size : sizeof self->address);
    memcpy (self->address, address, self->address_size);
    status = submit (self, error);
    if (status == TROUPE_OK)
        *self_p = self;
    else
        memory_free (self);
    return status;
}

void
api_key_leave (api_key_t **self_p)
{
    if (*self_p)
        (*self_p)->done = NULL;
    *self_p = NULL;
}
