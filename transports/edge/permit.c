/*  permit.c - who may call a verb or watch a channel.
 *
 *  DESIGN
 *  The table of a kind says it (`.allow`), so nothing here knows any kind. An
 *  owner is known by name: the subject is the actor's id, or its affinity key, the part in
 *  braces that all actors of one user share.
 */
#include "transports/edge/permit.h"

#include "runtime/base/error.h"

#include <string.h>

/*  "user/anna", "workout/{anna}7" are anna's. */
static bool
is_owner (const char *subject, const char *address)
{
    const char *id = strchr (address, '/');
    if (!*subject || !id)
        return false;
    if (strcmp (id + 1, subject) == 0)
        return true;
    const char *open = strchr (id, '{'), *close = open ? strchr (open, '}') : NULL;
    size_t size = close ? (size_t) (close - open - 1) : 0;
    return size == strlen (subject) && memcmp (open + 1, subject, size) == 0;
}

static bool
has_role (const identity_t *who, const char *const *roles, const char *role)
{
    for (unsigned bit = 0; roles && roles[bit]; bit++)
        if (strcmp (roles[bit], role) == 0)
            return (who->roles & 1u << bit) != 0;
    return false;
}

troupe_status_t
permit_check (const permit_t *self, const char *const *roles, const identity_t *who, const char *address,
              troupe_error_t *error)
{
    const char *name = self->name;
    switch (self->allow) {
    case TROUPE_ANYONE:
    case TROUPE_DECIDES:
        return TROUPE_OK;
    case TROUPE_SIGNED_IN:
        if (*who->subject)
            return TROUPE_OK;
        return error_set (error, TROUPE_FORBIDDEN, "%.60s is for those who are signed in", name);
    case TROUPE_OWNER:
        if (is_owner (who->subject, address))
            return TROUPE_OK;
        return error_set (error, TROUPE_FORBIDDEN, "%.60s of %.100s is for its owner", name, address);
    case TROUPE_OPERATOR:
    case TROUPE_ACTORS:
        if (who->is_operator)
            return TROUPE_OK;
        return error_set (error, TROUPE_FORBIDDEN, "%.60s is for %s", name,
                          self->allow == TROUPE_ACTORS ? "other actors" : "operators");
    case TROUPE_ROLE:
        if (has_role (who, roles, self->role))
            return TROUPE_OK;
        return error_set (error, TROUPE_FORBIDDEN, "%.60s is for the role %.63s", name, self->role);
    }
    return error_set (error, TROUPE_FORBIDDEN, "%.60s is for nobody", name);
}
