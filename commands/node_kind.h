/*  node_kind.h - the node itself at an address, node/self: what its operators see and do from afar.
 *
 *  No actor: calls to it are answered by the node, as the control socket's requests are, and
 *  nothing of them is recorded. It has the table of a kind all the same, so that permissions, documents and clients
 *  know it as they know any other; a program cannot have a kind of this name.
 *
 *  Reached through a host_port_t that stands in front of the node's own. Its channel
 *  `figures` has an event a second while somebody watches, and costs nothing else.
 */
#ifndef COMMANDS_NODE_KIND_H
#define COMMANDS_NODE_KIND_H

#include "commands/requests.h"
#include "runtime/port/host.h"
#include "transports/edge/edge.h"

#define NODE_KIND "node"
#define NODE_ADDRESS NODE_KIND "/self"

extern const troupe_kind_t node_kind;

typedef struct node_kind_s node_kind_t;

/*  After the node started. Everything given is borrowed until control_settle has returned; `host` is the node's own.
 *  NULL: out of memory. */
node_kind_t *node_kind_new (troupe_t *node, edge_t *edge, requests_t *requests, control_t *control,
                            const host_port_t *host);

/*  For edge_attach. */
host_port_t node_kind_host (node_kind_t *self);

/*  After control_settle. */
void node_kind_destroy (node_kind_t **self_p);

#endif
