/*  node_host.h - a node as gateways see it: the port of runtime/port/host.h. */
#ifndef COMMANDS_NODE_HOST_H
#define COMMANDS_NODE_HOST_H

#include "commands/node.h"
#include "runtime/port/host.h"

#define NODE_EPOCH_SIZE 17  /* of its text, with the NUL */

/*  After the start. The node and `epoch` must outlive the port. */
host_port_t node_host (troupe_t *node, char epoch[NODE_EPOCH_SIZE]);

#endif
