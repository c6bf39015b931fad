/*  exposition.h - the figures of a node as Prometheus reads them: text format 0.0.4. */
#ifndef COMMANDS_EXPOSITION_H
#define COMMANDS_EXPOSITION_H

#include "commands/node.h"
#include "transports/edge/edge.h"
#include "transports/zmq/crew.h"

/*  Appends the page, with `edge` of all gateways; times in seconds, sizes in bytes. Any thread. */
void exposition_write (troupe_t *node, const edge_counts_t *edge, buffer_t *to);

/*  The same of workers of remote kinds. */
void exposition_write_crew (crew_t *crew, buffer_t *to);

#endif
