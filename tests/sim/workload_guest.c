/*  workload_guest.c - a kind that the node does not always have, or without some of its verbs.
 *
 *  Code comes and goes with boots: a shared object that is missing, a verb that
 *  was removed and comes back. What was on its way to a guest waits or is a
 *  dead letter; its timers and questions wait. When all is quiet and the code is
 *  back, everything has happened exactly once.
 */
#include "tests/sim/workload.h"

#define GUESTS 3
#define HOSTS 2
#define KNOCKS_MOST 2048

static struct {
    uint64_t knocks;
    uint8_t is_sure[KNOCKS_MOST];
} model;

static void
guest_address (char address[16], uint64_t number)
{
    snprintf (address, 16, "guest/%u", (unsigned) (number % GUESTS));
}

/*  Marks that this happened; each number once. */
static troupe_status_t
mark (troupe_turn_t *turn, char what)
{
    json_int_t number;
    char key[24];
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK)
        return status;
    snprintf (key, sizeof key, "%c%lld", what, (long long) number);
    if (load_number (turn, key))
        wrong ("%s: %s happens twice", troupe_self (turn), key);
    store_number (turn, key, 1);
    return fails_now (turn, 10) ? TROUPE_FAILED : TROUPE_OK;
}

/* ---- the guest ---- */

static troupe_status_t
on_knock (troupe_turn_t *turn)
{
    json_int_t number;
    char name[24];
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK)
        return status;
    stamp_next (turn);
    snprintf (name, sizeof name, "ring%lld", (long long) number);
    troupe_timer_at (turn, name, "ring", troupe_now (turn) + troupe_random (turn) % 1000, "{s:I}", "number", number);
    return mark (turn, 'k');
}

static troupe_status_t
on_ring (troupe_turn_t *turn)
{
    json_int_t number;
    char host[16];
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK)
        return status;
    stamp_next (turn);
    snprintf (host, sizeof host, "host/%u", (unsigned) (troupe_random (turn) % HOSTS));
    troupe_ask (turn, host, "open", "enter", 5000, "{s:I}", "number", number);
    return mark (turn, 'r');
}

static troupe_status_t
on_enter (troupe_turn_t *turn)
{
    char key[32];
    stamp_next (turn);
    snprintf (key, sizeof key, "e%llu", (unsigned long long) troupe_asked (turn));
    if (load_number (turn, key))
        wrong ("%s: enters twice", troupe_self (turn));
    store_number (turn, key, 1);
    store_number (turn, "entered", load_number (turn, "entered") + 1);
    return TROUPE_OK;
}

static const troupe_verb_t guest_verbs[] = {
    { "knock", on_knock }, { "ring", on_ring }, { "enter", on_enter }, { NULL }
};
static const troupe_verb_t few_verbs[] = { { "knock", on_knock }, { NULL } };
static const troupe_verb_t other_verbs[] = { { "ring", on_ring }, { "enter", on_enter }, { NULL } };
static const troupe_kind_t guest_1 = { "guest", .version = 1, .verbs = few_verbs };
static const troupe_kind_t guest_2 = { "guest", .version = 1, .verbs = other_verbs };
static const troupe_kind_t guest_3 = { "guest", .version = 1, .verbs = guest_verbs };

/* ---- the host ---- */

static troupe_status_t
on_invite (troupe_turn_t *turn)
{
    json_int_t number;
    char guest[16];
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK)
        return status;
    guest_address (guest, (uint64_t) number);
    json_int_t stamp = stamp_next (turn);
    troupe_tell (turn, guest, "knock", "{s:I}", "number", number);
    return troupe_reply (turn, "{s:I}", "stamp", stamp);
}

static troupe_status_t
on_open (troupe_turn_t *turn)
{
    stamp_next (turn);
    return troupe_random (turn) % 3 ? troupe_reply (turn, NULL) : TROUPE_FORBIDDEN;
}

static const troupe_verb_t host_verbs[] = { { "invite", on_invite }, { "open", on_open }, { NULL } };
static const troupe_kind_t host = { "host", .version = 1, .verbs = host_verbs };

/* ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    (void) sim;
    memset (&model, 0, sizeof model);
}

extern const workload_t workload_guest;

static void
act (sim_t *sim, uint32_t client)
{
    char to[16];
    if (model.knocks == KNOCKS_MOST)
        return;
    uint64_t number = model.knocks++;
    if (roll (sim, 3)) {
        snprintf (to, sizeof to, "host/%u", (unsigned) roll (sim, HOSTS));
        sim_call (sim, &workload_guest, client, to, "invite", number, 1, "{s:I}", "number", (json_int_t) number);
    } else {
        guest_address (to, number);
        sim_call (sim, &workload_guest, client, to, "knock", number, 0, "{s:I}", "number", (json_int_t) number);
    }
}

/*  While the code lacks the verb, an invitation fails for good: that is a dead letter of the host. */
static void
answered (sim_t *sim, const request_t *request)
{
    (void) sim;
    if (!request->is_unknown && (request->status == TROUPE_OK || request->status == TROUPE_FAILED))
        model.is_sure[request->a] = 1;
}

static void
check (sim_t *sim)
{
    uint64_t rung[GUESTS] = { 0 };
    char address[16], key[24];
    for (uint64_t i = 0; i < model.knocks; i++) {
        guest_address (address, i);
        snprintf (key, sizeof key, "k%llu", (unsigned long long) i);
        bool has_knocked = sim_state_number (sim, address, key);
        if (model.is_sure[i] && !has_knocked)
            sim_fail ("%s: knock %llu was accepted and never handled", address, (unsigned long long) i);
        key[0] = 'r';
        if (has_knocked != (sim_state_number (sim, address, key) == 1))
            sim_fail ("%s: knock %llu did not ring", address, (unsigned long long) i);
        rung[i % GUESTS] += has_knocked;
    }
    for (uint64_t i = 0; i < GUESTS; i++) {
        guest_address (address, i);
        uint64_t entered = sim_state_number (sim, address, "entered");
        if (entered != rung[i])
            sim_fail ("%s entered %llu times and rang %llu times", address, (unsigned long long) entered,
                      (unsigned long long) rung[i]);
    }
}

const workload_t workload_guest = {
    "guest", .kinds = { &guest_1, &guest_2, &guest_3 }, .other = &host, .may_be_missing = true, .begin = begin,
    .act = act, .answered = answered, .check = check
};
