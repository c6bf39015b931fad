/*  backends.h - the door of a served node for backends (ZeroMQ), put together from settings. */
#ifndef COMMANDS_BACKENDS_H
#define COMMANDS_BACKENDS_H

#include "commands/node.h"
#include "commands/providers.h"
#include "transports/zmq/bus.h"

typedef struct backends_s backends_t;

/*  Before the node starts. NULL and an error. */
backends_t *backends_new (troupe_t *node, const settings_t *settings, troupe_error_t *error);

bus_t *backends_bus (backends_t *self);

/*  The node runs, the host is this, and keys of providers are fetched by those, who live longer; NULL: by nobody. */
troupe_status_t backends_start (backends_t *self, const host_port_t *host, providers_t *providers,
                                troupe_error_t *error) TROUPE_CHECKED;

/*  As gateway_quiet, and after the node stopped. */
void backends_quiet (backends_t *self, uint64_t most_ms);
void backends_destroy (backends_t **self_p);

#endif
