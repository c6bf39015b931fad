/*  workload_dead.c - messages that are given up, set aside, and tried again by an operator.
 *
 *  While a mine is armed, what comes to it fails until it is a dead letter; the
 *  caller is told. An operator retries dead letters at any moment. When all is quiet,
 *  everything that was sent has been handled exactly once.
 */
#include "tests/sim/workload.h"

#define MINES 3
#define STEPS_MOST 2048

static struct {
    uint64_t steps;
    uint8_t is_sure[STEPS_MOST];
} model;

static troupe_status_t
on_arm (troupe_turn_t *turn)
{
    json_int_t armed;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "armed", &armed);
    if (status != TROUPE_OK)
        return status;
    store_number (turn, "armed", (uint64_t) armed);
    return troupe_reply (turn, "{s:I}", "stamp", stamp_next (turn));
}

static troupe_status_t
on_step (troupe_turn_t *turn)
{
    json_int_t number;
    char key[16];
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK)
        return status;
    snprintf (key, sizeof key, "s%lld", (long long) number);
    json_int_t shown = stamp_now (turn), stamp = stamp_next (turn);
    if (load_number (turn, key))
        wrong ("%s: step %lld is handled twice", troupe_self (turn), (long long) number);
    store_number (turn, key, 1);
    if (load_number (turn, "armed"))
        return troupe_fail (turn, "it blew up #%lld", (long long) shown);
    return troupe_reply (turn, "{s:I}", "stamp", stamp);
}

/*  Steps on a mine by a message, so that what is given up is nobody's call. */
static troupe_status_t
on_send (troupe_turn_t *turn)
{
    json_int_t number;
    const char *to;
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:s}", "number", &number, "to", &to);
    if (status != TROUPE_OK)
        return status;
    troupe_tell (turn, to, "step", "{s:I}", "number", number);
    return troupe_reply (turn, "{s:I}", "stamp", stamp_next (turn));
}

static const troupe_verb_t verbs[] = {
    { "arm", on_arm },
    { "step", on_step },
    { "send", on_send },
    { NULL }
};
static const troupe_kind_t mine = { "mine", .version = 1, .verbs = verbs };

/* ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    (void) sim;
    memset (&model, 0, sizeof model);
}

extern const workload_t workload_dead;

static void
mine_address (char address[16], uint64_t which)
{
    snprintf (address, 16, "mine/%u", (unsigned) (which % MINES));
}

static void
act (sim_t *sim, uint32_t client)
{
    char to[16], from[16];
    uint64_t fallen = roll (sim, 6);
    mine_address (to, roll (sim, MINES));
    if (fallen == 0 || model.steps == STEPS_MOST) {
        sim_call (sim, &workload_dead, client, to, "arm", 0, 0, "{s:I}", "armed", (json_int_t) roll (sim, 2));
        return;
    }
    uint64_t number = model.steps++;
    mine_address (to, number);
    if (fallen < 4) {
        sim_call (sim, &workload_dead, client, to, "step", number, 1, "{s:I}", "number", (json_int_t) number);
        return;
    }
    mine_address (from, roll (sim, MINES));
    sim_call (sim, &workload_dead, client, from, "send", number, 1, "{s:I, s:s}", "number", (json_int_t) number, "to",
              to);
}

static void
answered (sim_t *sim, const request_t *request)
{
    (void) sim;
    if (!request->b || request->is_unknown)
        return;
    if (request->status != TROUPE_OK && (request->status != TROUPE_FAILED || strcmp (request->verb, "step") != 0))
        sim_fail ("%s of a mine was answered %s \"%s\"", request->verb, troupe_status_name (request->status),
                  request->text);
    model.is_sure[request->a] = 1;
}

static void
ending (sim_t *sim)
{
    for (uint32_t i = 0; i < MINES; i++) {
        char to[16];
        mine_address (to, i);
        sim_call (sim, &workload_dead, SIM_NO_SESSION, to, "arm", 0, 0, "{s:I}", "armed", (json_int_t) 0);
    }
}

static void
check (sim_t *sim)
{
    for (uint64_t i = 0; i < model.steps; i++) {
        char address[16], key[24];
        mine_address (address, i);
        snprintf (key, sizeof key, "s%llu", (unsigned long long) i);
        if (model.is_sure[i] && !sim_state_number (sim, address, key))
            sim_fail ("%s: step %llu was accepted and never handled", address, (unsigned long long) i);
    }
}

const workload_t workload_dead = {
    "dead", .kinds = { &mine }, .begin = begin, .act = act, .answered = answered, .ending = ending, .check = check
};
