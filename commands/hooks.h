/*  hooks.h - whether the verbs that `web_hooks` names are there. */
#ifndef COMMANDS_HOOKS_H
#define COMMANDS_HOOKS_H

#include "runtime/registry.h"

/*  PREFIX=KIND/ID/VERB words; an error names the first that leads nowhere, and what was meant perhaps. */
troupe_status_t hooks_check (const char *hooks, const registry_t *registry, troupe_error_t *error) TROUPE_CHECKED;

#endif
