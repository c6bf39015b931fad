/*  node_cluster.c - a node among others: the map of its cluster, and which shards are its own.
 *
 *  DESIGN
 *  Shards of other nodes are there, too, and empty: nothing is ever sent to them here. So whatever walks over all
 *  shards needs to know nothing of a cluster; whatever goes to one goes by node_shard_of or by a link, and these do.
 */
#include "commands/node_parts.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <errno.h>
#include <stdio.h>

static troupe_status_t
read_map (cluster_t *cluster, const char *path, const char *name, troupe_error_t *error)
{
    FILE *file = fopen (path, "re");
    if (!file)
        return error_set (error, TROUPE_INVALID, "nodes: cannot read %.120s: %s", path, strerror (errno));
    char *text = memory_alloc (CLUSTER_TEXT_MAX + 1);
    size_t size = text ? fread (text, 1, CLUSTER_TEXT_MAX + 1, file) : 0;
    fclose (file);
    troupe_status_t status = !text ? error_set (error, TROUPE_NO_MEMORY, "no memory for the map of the cluster")
                             : size > CLUSTER_TEXT_MAX
                                 ? error_set (error, TROUPE_INVALID, "nodes: %.120s has more than %u bytes", path,
                                              CLUSTER_TEXT_MAX)
                                 : TROUPE_OK;
    if (status == TROUPE_OK) {
        text[size] = '\0';
        status = cluster_read (cluster, text, name, error);
    }
    memory_free (text);
    return status;
}

troupe_status_t
node_load_cluster (troupe_t *self, troupe_error_t *error)
{
    const settings_t *settings = &self->settings;
    if (self->cluster || (!*settings->nodes && !*settings->node))
        return TROUPE_OK;
    if (!*settings->nodes || !*settings->node)
        return error_set (error, TROUPE_INVALID, "the settings node and nodes go together");
    self->cluster = memory_zalloc (sizeof *self->cluster);
    self->cluster_line = memory_zalloc (NODE_CLUSTER_LINE);
    if (!self->cluster || !self->cluster_line)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for the map of the cluster");
    troupe_status_t status = read_map (self->cluster, settings->nodes, settings->node, error);
    if (status == TROUPE_OK && !cluster_describe (self->cluster, self->cluster_line, NODE_CLUSTER_LINE))
        status = error_set (error, TROUPE_INVALID, "nodes: the shards of the map are divided into too many parts");
    return status;
}

const cluster_t *
node_cluster (const troupe_t *self)
{
    return self->cluster;
}

void
node_join (troupe_t *self, const node_away_t *away)
{
    CHECK (node_state (self) == NODE_NEW);
    self->away = *away;
}

const node_away_t *
node_away (const troupe_t *self)
{
    return self->away.carry ? &self->away : NULL;
}

bool
node_away_counts (const troupe_t *self, node_away_counts_t *counts)
{
    if (self->away.count)
        self->away.count (self->away.arg, counts);
    return self->away.count != NULL;
}

troupe_status_t
node_home_of (const troupe_t *self, const char *text, uint16_t *home, troupe_error_t *error)
{
    address_t address;
    troupe_status_t status = address_parse (text, strlen (text), &address, error);
    if (status == TROUPE_OK)
        *home = self->cluster ? self->cluster->owners[address_shard (&address, self->hash_seed, self->shards)] : 0;
    return status;
}

troupe_status_t
node_check_home (const troupe_t *self, uint16_t shard, troupe_error_t *error)
{
    const cluster_t *cluster = self->cluster;
    return node_has (self, shard) ? TROUPE_OK
                                  : error_set (error, TROUPE_NOT_FOUND, "it lives on node %s",
                                               cluster->node[cluster->owners[shard]].name);
}
