/*  workload_upgrade.c - the code gets newer, and older again, while actors sleep with old state.
 *
 *  A plant writes into its state which version it is of and keeps its height
 *  under a key of that version; the upgrade moves both. A handler that sees state of
 *  another version, or a height that went lost in an upgrade, is found. Upgrades
 *  fail now and then; a plant newer than the code is parked until the code is back.
 */
#include "tests/sim/workload.h"

#include <signal.h>

#define PLANTS 6
#define UPGRADE_FAILS_IN 6

static struct {
    uint64_t sure[PLANTS], maybe[PLANTS];
} model;

static void
height_key (char key[8], uint64_t version)
{
    snprintf (key, 8, "h%u", (unsigned) version);
}

static uint64_t
height_of (troupe_turn_t *turn)
{
    char key[8];
    uint64_t version = load_number (turn, "version");
    if (version && version != sim_now->node->version)
        wrong ("%s: code of version %u sees state of version %llu", troupe_self (turn), sim_now->node->version,
               (unsigned long long) version);
    height_key (key, sim_now->node->version);
    uint64_t height = load_number (turn, key);
    if (version && !height)
        wrong ("%s: its height was lost", troupe_self (turn));
    return height;
}

static troupe_status_t
on_grow (troupe_turn_t *turn)
{
    char key[8];
    uint64_t height = height_of (turn) + 1;
    height_key (key, sim_now->node->version);
    store_number (turn, key, height);
    store_number (turn, "version", sim_now->node->version);
    return troupe_reply (turn, "{s:I, s:I}", "height", (json_int_t) height, "stamp", stamp_next (turn));
}

static troupe_status_t
on_look (troupe_turn_t *turn)
{
    return troupe_reply (turn, "{s:I, s:I}", "height", (json_int_t) height_of (turn), "stamp", stamp_now (turn));
}

static void
maybe_die (void)
{
    if (!sim_now->is_ending && dice_once_in (&sim_now->dice, sim_now->profile.wake_death_in))
        world_die_in_handler (sim_now->world, SIGSEGV);
}

static troupe_status_t
upgrade (troupe_turn_t *turn, uint32_t from)
{
    char key[8];
    uint64_t version = load_number (turn, "version");
    if (version != from || from >= sim_now->node->version)
        wrong ("%s: upgrade from version %u to %u of state of version %llu", troupe_self (turn), from,
               sim_now->node->version, (unsigned long long) version);
    height_key (key, from);
    uint64_t height = load_number (turn, key);
    troupe_erase (turn, key);
    height_key (key, sim_now->node->version);
    store_number (turn, key, height);
    store_number (turn, "version", sim_now->node->version);
    stamp_next (turn);
    maybe_die ();
    if (!sim_now->is_ending && dice_once_in (&sim_now->dice, UPGRADE_FAILS_IN))
        return troupe_fail (turn, "the pot broke");
    return TROUPE_OK;
}

/*  A cache makes the version be looked at while it wakes; without one, at the first load. */
static troupe_status_t
wake (troupe_turn_t *turn)
{
    uint64_t *cache = troupe_cache (turn);
    *cache = height_of (turn);
    maybe_die ();
    if (!sim_now->is_ending && dice_once_in (&sim_now->dice, 4 * UPGRADE_FAILS_IN))
        return troupe_fail (turn, "still tired");
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "grow", on_grow },
    { "look", on_look, .reads = true },
    { NULL }
};
static const troupe_kind_t plant_1 = { "plant", .version = 1, .verbs = verbs };
static const troupe_kind_t plant_2 = { "plant", .version = 2, .verbs = verbs, .upgrade = upgrade };
static const troupe_kind_t plant_3 = {
    "plant", .version = 3, .verbs = verbs, .upgrade = upgrade, .wake = wake, .cache_size = sizeof (uint64_t)
};

/* ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    (void) sim;
    memset (&model, 0, sizeof model);
}

extern const workload_t workload_upgrade;

static void
act (sim_t *sim, uint32_t client)
{
    uint64_t which = roll (sim, PLANTS);
    char to[16];
    snprintf (to, sizeof to, "plant/%u", (unsigned) which);
    if (roll (sim, 4))
        sim_call (sim, &workload_upgrade, client, to, "grow", which, 1, NULL);
    else
        sim_call (sim, &workload_upgrade, client, to, "look", which, 0, NULL);
}

static void
answered (sim_t *sim, const request_t *request)
{
    (void) sim;
    if (!request->b)
        return;
    if (request->is_unknown)
        model.maybe[request->a] += 1;
    else if (request->status == TROUPE_OK)
        model.sure[request->a] += 1;
    else
        sim_fail ("a plant was answered %s \"%s\"", troupe_status_name (request->status), request->text);
}

static void
check (sim_t *sim)
{
    for (uint32_t i = 0; i < PLANTS; i++) {
        char address[16], key[8];
        snprintf (address, sizeof address, "plant/%u", i);
        height_key (key, sim_state_number (sim, address, "version"));
        uint64_t height = sim_state_number (sim, address, key);
        if (height < model.sure[i] || height > model.sure[i] + model.maybe[i])
            sim_fail ("%s is %llu high, answered were %llu and maybe %llu more", address, (unsigned long long) height,
                      (unsigned long long) model.sure[i], (unsigned long long) model.maybe[i]);
    }
}

const workload_t workload_upgrade = {
    "upgrade", .kinds = { &plant_1, &plant_2, &plant_3 }, .begin = begin, .act = act, .answered = answered,
    .check = check
};
