/*  node_known.h - with whose stores a node's own is linked: files in the store's directory.
 *
 *      known-NODE   the identities of that node's store and of this one, when they were linked
 *      asks-NODE    the same of a pair that was refused: what an operator may accept
 *
 *  A store that was restored has taken back what it acknowledged: the marks of the other side are of another past.
 *  Such a pair is not linked before both sides accept it (rule 12). Any thread, one at a time.
 */
#ifndef COMMANDS_NODE_KNOWN_H
#define COMMANDS_NODE_KNOWN_H

#include "commands/node.h"
#include "runtime/road.h"

typedef struct {
    const char *store;                   /* directory */
    const char *self, *other;            /* names of nodes */
    uint8_t own[ROAD_IDENTITY_SIZE];     /* of this store */
} node_known_t;

/*  Whether this store is linked with the other's, which becomes so when neither was linked or restored before. Not:
 *  why. */
bool node_known_check (const node_known_t *self, const uint8_t *identity, troupe_error_t *error);

/*  Whether the other was refused since. */
bool node_known_asks (const node_known_t *self);

/*  From now on it is the one, after all shards adopted its links (shard_link_adopt). */
troupe_status_t node_known_accept (const node_known_t *self, troupe_error_t *error) TROUPE_CHECKED;

#endif
