/*  restore.c - a node of several gets a restored store (rule 12).
 *
 *  DESIGN
 *  The backup is of a moment at which nothing was on its way, so that nothing is
 *  lost by it and the models still hold; but nobody can know that, and so no link
 *  with the node may go on by itself. What actors of other nodes are told
 *  meanwhile waits in outboxes. When an operator has accepted at both ends, it arrives.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

#define RESTORES_ONCE_IN 3
#define ROUNDS 40
#define ROUND_MOST_MS 400
#define LINKED_MOST_MS 30000

static bool
are_linked (sim_t *sim, uint16_t one, uint16_t other)
{
    const char *why;
    return world_is_linked (sim->nodes[one].world, other, &why);
}

static void
pass (sim_t *sim, uint64_t ms)
{
    world_pass (sim->world, ms);
    sim_note_time (sim);
    sim_settle (sim);
}

/*  The others may take a while to hear that the old process has ended. */
static void
check_apart (sim_t *sim, uint16_t restored)
{
    for (uint16_t i = 0; i < sim->profile.nodes; i++)
        if (i != restored && are_linked (sim, restored, i))
            sim_fail ("nodes %u and %u are linked, but the store of %u was restored and nobody has accepted it (rule "
                      "12)", i, restored, restored);
}

/*  Life goes on, each node for itself. */
static void
live_apart (sim_t *sim, uint16_t restored)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        sim_act (sim);
        pass (sim, dice_roll (&sim->network.dice, ROUND_MOST_MS));
        check_apart (sim, restored);
    }
}

/*  Once it has refused the other one, and says so: a process that started since has yet to be asked. */
static bool
accept_at (sim_t *sim, uint16_t at, uint16_t other)
{
    const char *why;
    world_t *world = sim->nodes[at].world;
    bool is_linked = world_is_linked (world, other, &why);
    if ((!is_linked && !*why) || !world_adopt (world, other))
        return false;
    if (is_linked)
        sim_fail ("node %u is linked with node %u, which it has refused", at, other);
    sim_note (sim, "accept", at, other, 0, why);
    sim_settle (sim);
    world_accept (world, other);
    return true;
}

/*  One of the two hears of the other first, and the other of it when that was accepted. */
static void
link_again (sim_t *sim, uint16_t one, uint16_t other)
{
    bool has_one = false, has_other = false;
    for (uint64_t waited = 0; !are_linked (sim, one, other) || !are_linked (sim, other, one);
         waited += ROUND_MOST_MS) {
        if (waited > LINKED_MOST_MS)
            sim_fail ("nodes %u and %u are not linked although that was accepted", one, other);
        has_one = accept_at (sim, one, other) || has_one;
        has_other = accept_at (sim, other, one) || has_other;
        if ((are_linked (sim, one, other) || are_linked (sim, other, one)) && !(has_one && has_other))
            sim_fail ("nodes %u and %u are linked before both have accepted it (rule 12)", one, other);
        pass (sim, ROUND_MOST_MS);
    }
}

bool
restore_one (sim_t *sim)
{
    troupe_error_t error;
    dice_t dice = dice_of (hash_mix (sim->seed, 11));
    if (sim->profile.nodes == 1 || !dice_once_in (&dice, RESTORES_ONCE_IN))
        return false;
    uint16_t restored = (uint16_t) dice_roll (&dice, sim->profile.nodes);
    sim_enter (sim, restored);
    sim_note (sim, "restore", restored, 0, 0, NULL);
    sim->figures.restores += 1;
    sim_halt (sim, false);
    if (world_restore (sim->world, &error) != TROUPE_OK)
        sim_fail ("%s", error.text);
    sim_boot (sim);
    sim_settle (sim);
    live_apart (sim, restored);
    for (uint16_t i = 0; i < sim->profile.nodes; i++)
        if (i != restored)
            link_again (sim, i, restored);
    return true;
}
