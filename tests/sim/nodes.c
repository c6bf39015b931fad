/*  nodes.c - the nodes of a run, one or several, and the network between them.
 *
 *  DESIGN
 *  With one node a run is what it was without this file. With several, each has its own disk, process and end, and
 *  some of the shards. What they say to each other are packets, of which the network loses some, delivers some twice
 *  and some before others, and now and then none for a while. All clocks go together: what a wrong clock does, one node
 *  shows.
 */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_WALL_MS 1700000000000u
#define SPLIT_MOST_MS 8000
#define PACKETS_MOST 5000     /* on one wire; more are refused */
#define SETTLE_ROUNDS 20000

extern const workload_t workload_bank, workload_remote;

static uint64_t
roll (sim_t *sim, uint64_t below)
{
    return dice_roll (&sim->network.dice, below);
}

/* ---- who there is ---- */

static uint32_t
one_in (sim_t *sim, uint32_t in)
{
    return roll (sim, 3) ? in : 0;
}

/*  Workers of a remote kind know one node. */
void
nodes_roll (sim_t *sim)
{
    profile_t *profile = &sim->profile;
    sim->network.dice = dice_of (hash_mix (sim->seed, 7));
    profile->nodes = roll (sim, 3) ? 1 : 2 + (uint32_t) roll (sim, 2);
    if (profile->nodes == 1)
        return;
    if (profile->shards < profile->nodes)
        profile->shards = profile->nodes;
    profile->clock_jump_in = 0;
    if (roll (sim, 3))
        profile->upgrade_in = 0;  /* then no node is started anew when the faults end: what is stuck stays so */
    profile->workloads &= ~(1u << sim_place (&workload_remote));
    if (!profile->workloads)
        profile->workloads = 1u << sim_place (&workload_bank);
    profile->lose_in = one_in (sim, 30);
    profile->double_in = one_in (sim, 10);
    profile->reorder_in = one_in (sim, 30);
    profile->split_in = one_in (sim, 100);
    profile->refuse_in = one_in (sim, 100);
}

static void
make_cluster (sim_t *sim)
{
    const profile_t *profile = &sim->profile;
    cluster_t cluster = { .shards = profile->shards, .nodes = profile->nodes };
    snprintf (cluster.name, sizeof cluster.name, "sim%llu", (unsigned long long) sim->seed);  /* it places actors */
    for (uint32_t i = 0; i < profile->shards; i++)
        cluster.owners[i] = (uint8_t) (i < profile->nodes ? i : roll (sim, profile->nodes));
    for (uint16_t i = 0; i < profile->nodes; i++) {
        cluster.self = i;
        snprintf (cluster.node[i].name, sizeof cluster.node[i].name, "node%u", i);
        sim->nodes[i].cluster = cluster;
    }
    for (uint16_t i = 0; i < profile->nodes; i++)
        memcpy (sim->nodes[i].cluster.node, sim->nodes[profile->nodes - 1].cluster.node, sizeof cluster.node);
}

static bool send_packet (void *sim_, uint16_t from, uint16_t to, const void *bytes, size_t size);

void
nodes_begin (sim_t *sim, const world_options_t *asked)
{
    world_options_t options = *asked;
    troupe_error_t error;
    make_cluster (sim);
    sim->clock_ms = FIRST_WALL_MS + roll (sim, 86400000);
    for (uint32_t i = 0; i < sim->profile.nodes; i++) {
        if (sim->profile.nodes > 1) {
            options.cluster = &sim->nodes[i].cluster;
            options.clock = &sim->clock_ms;
            options.send = send_packet;
            options.is_watched = listeners_are_at;
            options.heard = listeners_heard;
            options.network = sim;
        }
        sim->nodes[i].world = world_new (&options, &error);
        if (!sim->nodes[i].world)
            sim_fail ("%s", error.text);
    }
    sim_enter (sim, 0);
}

void
sim_enter (sim_t *sim, uint32_t node)
{
    sim->node = &sim->nodes[node];
    sim->world = sim->node->world;
}

world_t *
sim_world_of (sim_t *sim, uint16_t shard)
{
    for (uint32_t i = 0; i < sim->profile.nodes; i++)
        if (world_has (sim->nodes[i].world, shard))
            return sim->nodes[i].world;
    sim_fail ("no node has shard %u", shard);
}

/* ---- the network ---- */

static void
add_packet (sim_t *sim, wire_t *wire, const void *bytes, size_t size)
{
    packet_t *packet = malloc (sizeof *packet + size);
    CHECK (packet);
    packet->next = NULL;
    packet->size = size;
    memcpy (packet->bytes, bytes, size);
    if (wire->last)
        wire->last->next = packet;
    else
        wire->first = packet;
    wire->last = packet;
    wire->count += 1;
    sim->network.count += 1;
    sim->figures.packets += 1;
}

static bool
send_packet (void *sim_, uint16_t from, uint16_t to, const void *bytes, size_t size)
{
    sim_t *sim = sim_;
    wire_t *wire = &sim->network.wires[from][to];
    sim_note (sim, "packet", from * 100u + to, ((const uint8_t *) bytes)[1], hash_bytes (bytes, size, 0), NULL);
    if (wire->count >= PACKETS_MOST || dice_once_in (&sim->network.dice, sim->profile.refuse_in))
        return false;
    if (wire->split_until_ms > sim->clock_ms || dice_once_in (&sim->network.dice, sim->profile.lose_in))
        return true;
    for (uint32_t times = dice_once_in (&sim->network.dice, sim->profile.double_in) ? 2 : 1; times > 0; times--)
        add_packet (sim, wire, bytes, size);
    return true;
}

static packet_t *
take_packet (sim_t *sim, wire_t *wire)
{
    packet_t **link = &wire->first, *before = NULL;
    if (dice_once_in (&sim->network.dice, sim->profile.reorder_in))
        for (uint64_t skip = roll (sim, wire->count); skip > 0; skip--) {
            before = *link;
            link = &before->next;
        }
    packet_t *packet = *link;
    *link = packet->next;
    if (wire->last == packet)
        wire->last = before;
    wire->count -= 1;
    sim->network.count -= 1;
    return packet;
}

static wire_t *
any_wire (sim_t *sim, uint16_t *from, uint16_t *to)
{
    uint64_t nth = roll (sim, sim->network.count);
    for (*from = 0;; *from += 1)
        for (*to = 0; *to < WORLD_NODES_MAX; *to += 1) {
            wire_t *wire = &sim->network.wires[*from][*to];
            if (nth < wire->count)
                return wire;
            nth -= wire->count;
        }
}

/*  A packet arrives. False: there is none. */
static bool
deliver (sim_t *sim)
{
    uint16_t from, to;
    if (!sim->network.count)
        return false;
    wire_t *wire = any_wire (sim, &from, &to);
    packet_t *packet = take_packet (sim, wire);
    sim_note (sim, "arrives", from * 100u + to, packet->bytes[1], packet->size, NULL);
    if (wire->split_until_ms <= sim->clock_ms)
        world_received (sim->nodes[to].world, from, packet->bytes, packet->size);
    free (packet);
    return true;
}

void
network_bother (sim_t *sim)
{
    if (sim->profile.nodes == 1 || !dice_once_in (&sim->network.dice, sim->profile.split_in))
        return;
    uint64_t one = roll (sim, sim->profile.nodes), other = roll (sim, sim->profile.nodes);
    uint64_t until = sim->clock_ms + roll (sim, SPLIT_MOST_MS);
    sim->figures.splits += 1;
    sim_note (sim, "split", one, other, until, NULL);
    sim->network.wires[one][other].split_until_ms = until;
    if (roll (sim, 4))
        sim->network.wires[other][one].split_until_ms = until;
}

void
network_heal (sim_t *sim)
{
    profile_t *profile = &sim->profile;
    profile->lose_in = profile->double_in = profile->reorder_in = profile->split_in = profile->refuse_in = 0;
    for (uint32_t from = 0; from < WORLD_NODES_MAX; from++)
        for (uint32_t to = 0; to < WORLD_NODES_MAX; to++)
            sim->network.wires[from][to].split_until_ms = 0;
}

/* ---- what happens ---- */

bool
nodes_step (sim_t *sim)
{
    uint32_t nodes = sim->profile.nodes, choices = 2 * nodes;
    if (nodes == 1)
        return world_step (sim->world);
    uint64_t first = roll (sim, choices);
    for (uint32_t i = 0; i < choices; i++) {
        uint32_t which = (uint32_t) (first + i) % choices;
        if (which < nodes)
            sim_enter (sim, which);
        if (which < nodes ? world_step (sim->world) : deliver (sim))
            return true;
    }
    return false;
}

bool
nodes_settle (sim_t *sim, uint64_t most)
{
    for (uint32_t round = 0; round < SETTLE_ROUNDS; round++) {
        for (uint32_t i = 0; i < sim->profile.nodes; i++) {
            sim_enter (sim, i);
            if (!world_settle (sim->world, most))
                return false;
        }
        if (!deliver (sim))
            return true;
        while (deliver (sim))
            ;
    }
    return false;
}

uint64_t
nodes_next_due (const sim_t *sim)
{
    uint64_t earliest = UINT64_MAX;
    for (uint32_t i = 0; i < sim->profile.nodes; i++) {
        uint64_t due = world_next_due (sim->nodes[i].world);
        earliest = due < earliest ? due : earliest;
    }
    return earliest;
}

bool
nodes_are_quiet (const sim_t *sim)
{
    bool all = sim->network.count == 0;
    for (uint32_t i = 0; i < sim->profile.nodes; i++)
        all = all && world_is_quiet (sim->nodes[i].world);
    return all;
}

bool
nodes_are_full (const sim_t *sim)
{
    bool any = false;
    for (uint32_t i = 0; i < sim->profile.nodes; i++)
        any = any || world_is_full (sim->nodes[i].world);
    return any;
}

/* ---- the end ---- */

void
nodes_count (sim_t *sim)
{
    sim->figures.seeds = 1;
    for (uint32_t i = 0; i < sim->profile.nodes; i++) {
        world_counts_t counts = world_counts (sim->nodes[i].world);
        sim->figures.steps += counts.steps;
        sim->figures.turns += counts.turns;
        sim->figures.halts += counts.halts;
        sim->figures.folds += counts.folds;
        sim->figures.cuts += counts.cuts;
        sim->figures.handler_deaths += counts.deaths_in_handlers;
        sim->figures.runaways += counts.runaways;
        sim->figures.roads_opened += counts.roads_opened;
        sim->figures.roads_broken += counts.roads_broken;
        sim->figures.forwarded += counts.forwarded;
        sim->figures.heard += counts.heard;
    }
}

void
nodes_clear (sim_t *sim)
{
    for (uint32_t i = 0; i < WORLD_NODES_MAX; i++)
        world_destroy (&sim->nodes[i].world);
    for (uint32_t from = 0; from < WORLD_NODES_MAX; from++)
        for (uint32_t to = 0; to < WORLD_NODES_MAX; to++)
            while (sim->network.wires[from][to].first)
                free (take_packet (sim, &sim->network.wires[from][to]));
}
