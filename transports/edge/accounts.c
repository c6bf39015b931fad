/*  accounts.c - what happens to accounts, as far as it touches who is here now. */
#include "transports/edge/accounts.h"

#include "runtime/base/memory.h"
#include "transports/auth/member.h"
#include "transports/auth/recent.h"
#include "transports/edge/api_key.h"

#include <stdio.h>
#include <string.h>

#define HEARD_MOST 4096

enum { IS_OUT = 1, HAS_ROLES = 2, IS_OPERATOR = 4, FLAG_BITS = 32 };

struct accounts_s {
    const char *const *roles;
    recent_t *heard;             /* by subject: flags and, above them, roles; since when, in seconds */
};

accounts_t *
accounts_new (const char *const *roles)
{
    accounts_t *self = memory_zalloc (sizeof *self);
    if (self && !(self->heard = recent_new (HEARD_MOST)))
        accounts_destroy (&self);
    if (self)
        self->roles = roles;
    return self;
}

void
accounts_destroy (accounts_t **self_p)
{
    accounts_t *self = *self_p;
    if (!self)
        return;
    recent_destroy (&self->heard);
    memory_free (self);
    *self_p = NULL;
}

bool
accounts_want (const char *address, const char *channel)
{
    return strncmp (address, "login/", 6) == 0 && strcmp (channel, "audit") == 0;
}

bool
accounts_read_roles (const char *const *roles, packed_reader_t object, identity_t *who)
{
    bool has, is_good = member_has (object, "roles", "operator", &who->is_operator) != MEMBER_BAD;
    who->roles = 0;
    for (unsigned bit = 0; is_good && roles && roles[bit]; bit++) {
        is_good = member_has (object, "roles", roles[bit], &has) != MEMBER_BAD;
        who->roles |= has ? 1u << bit : 0;
    }
    return is_good;
}

static void
note_roles (accounts_t *self, packed_reader_t event, account_end_t *end)
{
    identity_t who;
    uint64_t at_ms;
    if (member_text (event, "subject", end->changed, sizeof end->changed) != MEMBER_OK
        || member_integer (event, "at", &at_ms) != MEMBER_OK || !accounts_read_roles (self->roles, event, &who)) {
        *end->changed = '\0';
        return;
    }
    uint64_t *heard = recent_use (self->heard, end->changed, strlen (end->changed));
    heard[0] = (heard[0] & IS_OUT) | HAS_ROLES | (who.is_operator ? IS_OPERATOR : 0)
               | (uint64_t) who.roles << FLAG_BITS;
    heard[1] = at_ms / 1000;
}

static void
note_disabled (accounts_t *self, packed_reader_t event, bool is_out, account_end_t *end)
{
    char subject[TROUPE_ID_MAX + 1];
    if (member_text (event, "what", subject, sizeof subject) != MEMBER_OK)
        return;
    uint64_t *heard = recent_use (self->heard, subject, strlen (subject));
    heard[0] = is_out ? heard[0] | IS_OUT : heard[0] & ~(uint64_t) IS_OUT;
    if (is_out) {
        snprintf (end->subject, sizeof end->subject, "%s", subject);
        end->why = "the account is disabled";
    }
}

bool
accounts_heard (accounts_t *self, const char *address, packed_reader_t event, account_end_t *end)
{
    char name[16], key[TROUPE_ID_MAX + 1];
    *end = (account_end_t) { .why = NULL };
    if (member_text (event, "event", name, sizeof name) != MEMBER_OK)
        return false;
    bool is_out = strcmp (name, "disabled") == 0;
    if (is_out || strcmp (name, "enabled") == 0)
        note_disabled (self, event, is_out, end);
    else if (strcmp (name, "key_removed") == 0 && member_text (event, "what", key, sizeof key) == MEMBER_OK) {
        end->key = api_key_hash (key);
        end->why = "the API key was removed";
    } else if (strcmp (name, "roles_changed") == 0) {
        end->account = api_key_hash (strchr (address, '/') + 1);
        end->why = "the roles of the account have changed: come again";
        note_roles (self, event, end);
    }
    return end->why != NULL;
}

bool
accounts_is_out (const accounts_t *self, const char *subject)
{
    const uint64_t *heard = recent_find (self->heard, subject, strlen (subject));
    return heard && (heard[0] & IS_OUT);
}

/*  Of a token of the same second it is not known which was first; the account is right. */
void
accounts_update (const accounts_t *self, identity_t *who)
{
    const uint64_t *heard = recent_find (self->heard, who->subject, strlen (who->subject));
    if (!heard || !(heard[0] & HAS_ROLES) || who->issued_ms / 1000 > heard[1])
        return;
    who->is_operator = (heard[0] & IS_OPERATOR) != 0;
    who->roles = (uint32_t) (heard[0] >> FLAG_BITS);
}
