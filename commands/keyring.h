/*  keyring.h - whose tokens a door of the node takes, and which roles the kinds know. Each door has its own, which its
 *  thread owns once it runs. */
#ifndef COMMANDS_KEYRING_H
#define COMMANDS_KEYRING_H

#include "commands/node.h"
#include "commands/providers.h"
#include "runtime/port/host.h"
#include "transports/auth/tokens.h"
#include "transports/edge/edge.h"

typedef struct {
    const char *roles[ROLES_MAX];  /* that kinds and doors ask for, ended by NULL; from keyring_open on */
    tokens_t *tokens;
    uint64_t look_at_ms;
    providers_t *providers;        /* who fetches keys; NULL: nobody; set before keyring_open */
    host_port_t host;
} keyring_t;

/*  With the kinds of a node that runs. What was opened is closed in any case. */
troupe_status_t keyring_open (keyring_t *self, troupe_t *node, const host_port_t *host,
                              troupe_error_t *error) TROUPE_CHECKED;
void keyring_close (keyring_t *self);

/*  As edge_options_t.identify, with a keyring. */
troupe_status_t keyring_identify (void *self, const char *token, identity_t *who, troupe_error_t *error);

/*  As edge_options_t.audit: a line in the log. */
void keyring_audit (void *arg, const char *line);

#endif
