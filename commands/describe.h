/*  describe.h - what a node is made of, as packed values: its kinds, itself. Any thread. */
#ifndef COMMANDS_DESCRIBE_H
#define COMMANDS_DESCRIBE_H

#include "commands/node.h"

/*  [{name, version, doc, verbs: [{name, allow, reads, args, gives, budget_ms, doc}],
 *    channels: [{name, keep, keep_ms, volatile, allow, doc}]}] */
void describe_kinds (const registry_t *registry, buffer_t *to);

/*  {version, store, store_id, epoch, boot, pid, started_ms, shards, workers, door, kinds: [name]} */
void describe_node (troupe_t *node, buffer_t *to);

#endif
