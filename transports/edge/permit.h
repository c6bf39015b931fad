/*  permit.h - who may call a verb or watch a channel, by what its table says. */
#ifndef TRANSPORTS_EDGE_PERMIT_H
#define TRANSPORTS_EDGE_PERMIT_H

#include "transports/edge/edge.h"

/*  TROUPE_FORBIDDEN and what would be needed. TROUPE_DECIDES is left to the actor. */
troupe_status_t permit_check (troupe_allow_t allow, const identity_t *who, const char *address, const char *name,
                              troupe_error_t *error) TROUPE_CHECKED;

#endif
