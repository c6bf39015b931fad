/*  world_road.c - a world among others: roads to other nodes, over a network that the caller makes.
 *
 *  DESIGN
 *  Roads are of the process and die with it; which stores the links were made with is remembered by the machine, or
 *  rather by its store: one that was restored knows nobody, and links with nobody before an operator accepts. What a
 *  dead process would say is not said.
 */
#include "commands/world_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <stdio.h>

static bool
send (void *way_, const void *bytes, size_t size)
{
    way_t *way = way_;
    const world_options_t *options = &way->world->options;
    return !way->world->is_up || options->send (options->network, options->cluster->self, way->peer, bytes, size);
}

static void
deliver (void *way_, uint16_t to, letter_t *letter)
{
    way_t *way = way_;
    world_post (way->world, to, letter);
}

static bool
knows (void *way_, const uint8_t *identity, troupe_error_t *error)
{
    way_t *way = way_;
    if (!way->is_known)
        memcpy (way->identity, identity, sizeof way->identity);
    way->is_known = true;
    if (memcmp (way->identity, identity, sizeof way->identity) == 0)
        return true;
    way->asks = true;
    memcpy (way->asked, identity, sizeof way->asked);
    error_set (error, TROUPE_MISMATCH, "it is another store");
    return false;
}

static void
changed (void *way_, bool is_open, const char *why)
{
    way_t *way = way_;
    snprintf (way->why, sizeof way->why, "%s", is_open ? "" : why);
    if (is_open)
        forward_opened (way->world->forward, way->peer);
    else
        forward_broken (way->world->forward, way->peer);
    way->world->must_forward = true;
}

static void
relayed (void *way_, const void *bytes, size_t size)
{
    way_t *way = way_;
    forward_received (way->world->forward, way->peer, bytes, size);
    way->world->must_forward = true;
}

static road_t *
new_road (world_t *self, way_t *way)
{
    const state_identity_t *identity = self->state->identity (self->state->self);
    road_options_t options = {
        .cluster = self->options.cluster,
        .peer = way->peer,
        .seed = hash_mix (self->salt, self->counts.boots + 2000),
        .port = { way, send, deliver, knows, changed, relayed }
    };
    memcpy (options.identity, identity->store_id, 16);
    memcpy (options.identity + 16, identity->epoch, 16);
    *way->why = 0;
    return road_new (&options);
}

troupe_status_t
world_open_roads (world_t *self, troupe_error_t *error)
{
    const cluster_t *cluster = self->options.cluster;
    for (uint16_t i = 0; cluster && i < cluster->nodes; i++) {
        way_t *way = &self->ways[i];
        way->world = self;
        way->peer = i;
        if (i == cluster->self)
            continue;
        way->road = new_road (self, way);
        if (!way->road)
            return error_set (error, TROUPE_NO_MEMORY, "no memory for a road");
    }
    return cluster ? world_open_forward (self, error) : TROUPE_OK;
}

void
world_close_roads (world_t *self)
{
    for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
        road_t **road = &self->ways[i].road;
        if (!*road)
            continue;
        self->counts.roads_opened += road_counts (*road)->opened;
        self->counts.roads_broken += road_counts (*road)->broken;
        road_destroy (road);
    }
}

void
world_send_away (world_t *self, uint16_t to, letter_t *letter)
{
    road_carry (self->ways[self->options.cluster->owners[to]].road, to, letter);
}

void
world_received (world_t *self, uint16_t from, const void *bytes, size_t size)
{
    if (self->is_up)
        road_received (self->ways[from].road, bytes, size, *self->clock);
}

uint64_t
world_roads_due (const world_t *self)
{
    uint64_t earliest = world_forward_due (self);
    for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
        uint64_t due = self->ways[i].road ? road_next_due (self->ways[i].road) : UINT64_MAX;
        earliest = due < earliest ? due : earliest;
    }
    return earliest;
}

void
world_tick_roads (world_t *self)
{
    if (self->forward)
        world_forward (self);
    for (uint32_t i = 0; i < WORLD_NODES_MAX; i++)
        if (self->ways[i].road && road_next_due (self->ways[i].road) <= *self->clock)
            road_tick (self->ways[i].road, *self->clock);
}

bool
world_is_linked (const world_t *self, uint16_t peer, const char **why)
{
    const way_t *way = &self->ways[peer];
    *why = way->why;
    return way->road && road_is_open (way->road);
}

uint64_t
world_broken (const world_t *self, uint16_t peer)
{
    const road_t *road = self->ways[peer].road;
    return road ? road_counts (road)->broken : 0;
}

/* ---- another store ---- */

troupe_status_t
world_restore (world_t *self, troupe_error_t *error)
{
    CHECK (!self->journal);
    disk_t *disk = disk_memory_new ();
    if (!disk)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for a disk");
    disk_memory_destroy (&self->disk);
    self->disk = disk;
    state_memory_new_epoch (self->state, hash_mix (self->salt, self->counts.boots + 3000));
    for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
        self->ways[i].is_known = true;
        memset (self->ways[i].identity, 0, sizeof self->ways[i].identity);
    }
    return TROUPE_OK;
}

static void
adopt (void *peer, shard_t *shard)
{
    if (shard)
        shard_link_adopt (shard, (uint16_t) (uintptr_t) peer);
}

bool
world_adopt (world_t *self, uint16_t peer)
{
    const cluster_t *cluster = self->options.cluster;
    for (uint32_t i = 0; self->ways[peer].asks && i < self->shard_count; i++)
        for (uint32_t from = 0; world_has (self, (uint16_t) i) && from < self->shard_count; from++)
            if (cluster->owners[from] == peer)
                world_errand (self, (uint16_t) i, adopt, (void *) (uintptr_t) from);
    return self->ways[peer].asks;
}

void
world_accept (world_t *self, uint16_t peer)
{
    way_t *way = &self->ways[peer];
    memcpy (way->identity, way->asked, sizeof way->identity);
    way->asks = false;
}
