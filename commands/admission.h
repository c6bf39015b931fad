/*  admission.h - what can be said about a call without its actor: address, kind, verb, arguments, limits.
 *
 *  Said on the caller's thread, so that a wrong call costs a shard nothing and its
 *  error comes at once. Any thread.
 */
#ifndef COMMANDS_ADMISSION_H
#define COMMANDS_ADMISSION_H

#include "runtime/registry.h"

/*  TROUPE_OK, and the parts of the address, which point into the call; else what troupe_submit gives. */
troupe_status_t admission_check (const registry_t *registry, const troupe_call_t *call, address_t *address,
                                 troupe_error_t *error) TROUPE_CHECKED;

bool admission_has_session (const troupe_call_t *call);

#endif
