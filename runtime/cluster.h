/*  cluster.h - which node has which shard: the map that all nodes of a cluster share.
 *
 *  A text, the same for all of them; lines, and a # at the begin of one or by itself begins a comment:
 *
 *      cluster shop
 *      shards 16
 *      node north 0-7 10.0.0.1:7319 KEY
 *      node south 8-11,12-15 10.0.0.2:7319 KEY
 *
 *  Each shard has one node. KEY is the public key of the node's certificate (Z85); all nodes have one, or none. Names
 *  are 1 to CLUSTER_NAME_MAX of a-z A-Z 0-9 . - _.
 */
#ifndef RUNTIME_CLUSTER_H
#define RUNTIME_CLUSTER_H

#include "runtime/port/state.h"

#define CLUSTER_NODES_MAX 64
#define CLUSTER_NAME_MAX 63
#define CLUSTER_ADDRESS_MAX 255
#define CLUSTER_KEY_SIZE 40
#define CLUSTER_TEXT_MAX (64u << 10)   /* of a map */

typedef struct {
    char name[CLUSTER_NAME_MAX + 1];
    char address[CLUSTER_ADDRESS_MAX + 1];  /* HOST:PORT of its links */
    char key[CLUSTER_KEY_SIZE + 1];         /* "": none */
} cluster_node_t;

typedef struct {
    char name[CLUSTER_NAME_MAX + 1];
    uint32_t shards, nodes;
    uint16_t self;                          /* the node that this is */
    uint8_t owners[STATE_SHARDS_MAX];       /* nodes, by shard */
    cluster_node_t node[CLUSTER_NODES_MAX];
} cluster_t;

/*  Reads a map, for the node of this name. TROUPE_INVALID: the text says line and what is wrong. */
troupe_status_t cluster_read (cluster_t *self, const char *text, const char *name, troupe_error_t *error)
    TROUPE_CHECKED;

/*  Of the cluster's name alone; never 0. */
uint64_t cluster_hash_seed (const cluster_t *self);

/*  Of all that must be the same on all nodes and stay so: names and who has which shard. */
uint64_t cluster_hash (const cluster_t *self);

/*  One line for people and stores: "node north of shop, 16 shards: 0-7 north, 8-15 south". False: it does not fit. */
bool cluster_describe (const cluster_t *self, char *text, size_t size);

static inline bool
cluster_is_mine (const cluster_t *self, uint32_t shard)
{
    return self->owners[shard] == self->self;
}

#endif
