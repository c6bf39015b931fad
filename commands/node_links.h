/*  node_links.h - the links of a node to the others of its cluster: roads, and what carries them. */
#ifndef COMMANDS_NODE_LINKS_H
#define COMMANDS_NODE_LINKS_H

#include "commands/node.h"

typedef struct node_links_s node_links_t;

/*  Before the node is started, which it joins to them. NULL without an error (TROUPE_OK): it is in no cluster. */
node_links_t *node_links_new (troupe_t *node, troupe_error_t *error);

/*  "ADDRESS:PORT"; of NULL: empty. */
const char *node_links_address (const node_links_t *self);

/*  The node runs now. Of NULL: nothing. */
troupe_status_t node_links_start (node_links_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Nothing comes or goes any more: what shards still say is said after the next start. While the node still runs. */
void node_links_quiet (node_links_t *self);

/*  After the node stopped. */
void node_links_destroy (node_links_t **self_p);

#endif
