/*  accounts.c - what happens to accounts, as far as it touches who is here now. */
#include "transports/edge/accounts.h"

#include "runtime/base/memory.h"
#include "transports/auth/member.h"
#include "transports/auth/recent.h"
#include "transports/edge/api_key.h"

#include <stdio.h>
#include <string.h>

#define OUT_MOST 4096

struct accounts_s {
    recent_t *out;               /* by subject: 1 when disabled */
};

accounts_t *
accounts_new (void)
{
    accounts_t *self = memory_zalloc (sizeof *self);
    if (self && !(self->out = recent_new (OUT_MOST)))
        accounts_destroy (&self);
    return self;
}

void
accounts_destroy (accounts_t **self_p)
{
    accounts_t *self = *self_p;
    if (!self)
        return;
    recent_destroy (&self->out);
    memory_free (self);
    *self_p = NULL;
}

bool
accounts_want (const char *address, const char *channel)
{
    return strncmp (address, "login/", 6) == 0 && strcmp (channel, "audit") == 0;
}

bool
accounts_heard (accounts_t *self, const char *address, const void *body, size_t size, account_end_t *end)
{
    char event[16], what[TROUPE_ID_MAX + 1] = "";  /* the roles are longer, and of no use here */
    packed_reader_t object = { body, (const uint8_t *) body + size };
    *end = (account_end_t) { .why = NULL };
    if (member_text (object, "event", event, sizeof event) != MEMBER_OK)
        return false;
    (void) member_text (object, "what", what, sizeof what);
    if (strcmp (event, "disabled") == 0 || strcmp (event, "enabled") == 0) {
        bool is_out = strcmp (event, "disabled") == 0;
        *recent_use (self->out, what, strlen (what)) = is_out;
        snprintf (end->subject, sizeof end->subject, "%s", is_out ? what : "");
        end->why = is_out ? "the account is disabled" : NULL;
    } else if (strcmp (event, "key_removed") == 0) {
        end->key = api_key_hash (what);
        end->why = "the API key was removed";
    } else if (strcmp (event, "roles_changed") == 0) {
        end->account = api_key_hash (strchr (address, '/') + 1);
        end->why = "the roles of the account have changed: come again";
    }
    return end->why != NULL;
}

bool
accounts_is_out (const accounts_t *self, const char *subject)
{
    const uint64_t *out = recent_find (self->out, subject, strlen (subject));
    return out && *out;
}
