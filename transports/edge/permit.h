/*  permit.h - who may call a verb or watch a channel, by what its table says. */
#ifndef TRANSPORTS_EDGE_PERMIT_H
#define TRANSPORTS_EDGE_PERMIT_H

#include "transports/edge/edge.h"

/*  What the table says of a verb or channel. */
typedef struct {
    troupe_allow_t allow;
    const char *role;            /* with TROUPE_ROLE */
    const char *name;
} permit_t;

/*  TROUPE_FORBIDDEN and what would be needed. TROUPE_DECIDES is left to the actor. `roles` are names of the bits that
 *  an identity has. */
troupe_status_t permit_check (const permit_t *self, const char *const *roles, const identity_t *who,
                              const char *address, troupe_error_t *error) TROUPE_CHECKED;

#endif
