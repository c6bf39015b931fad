/*  workload_hoard.c - actors that only grow, until the disk has no more room for them.
 *
 *  A hoard keeps a value for each call, of up to some thousand bytes that follow from its
 *  number: what was acknowledged is there at the end, whole.
 */
#include "tests/sim/workload.h"

#define HOARDS 2
#define VALUE_LEAST 200
#define VALUE_MOST 6000

extern const workload_t workload_hoard;

static struct {
    uint64_t sure[HOARDS], maybe[HOARDS];
} model;

static size_t
fill (uint8_t *bytes, uint64_t number)
{
    size_t size = VALUE_LEAST + hash_mix (number, 1) % (VALUE_MOST - VALUE_LEAST);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t) hash_mix (number, i + 2);
    return size;
}

static const char *
key_of (char key[24], uint64_t number)
{
    snprintf (key, 24, "%llu", (unsigned long long) number);
    return key;
}

static troupe_status_t
on_keep (troupe_turn_t *turn)
{
    char key[24];
    uint8_t bytes[VALUE_MOST];
    uint64_t number = load_number (turn, "count") + 1;
    json_int_t stamp = stamp_next (turn);
    store_number (turn, "count", number);
    troupe_store (turn, key_of (key, number), bytes, fill (bytes, number));
    return troupe_reply (turn, "{s:I, s:I}", "count", (json_int_t) number, "stamp", stamp);
}

static const troupe_verb_t verbs[] = {
    { "keep", on_keep },
    { NULL }
};
static const troupe_kind_t hoard = { "hoard", .version = 1, .verbs = verbs };

/* ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    (void) sim;
    memset (&model, 0, sizeof model);
}

static void
act (sim_t *sim, uint32_t client)
{
    char to[16];
    uint64_t which = roll (sim, HOARDS);
    snprintf (to, sizeof to, "hoard/%llu", (unsigned long long) which);
    sim_call (sim, &workload_hoard, client, to, "keep", which, 0, NULL);
}

static void
answered (sim_t *sim, const request_t *request)
{
    (void) sim;
    if (request->is_unknown)
        model.maybe[request->a] += 1;
    else if (request->status == TROUPE_OK)
        model.sure[request->a] += 1;
    else
        sim_fail ("a hoard was answered %s \"%s\"", troupe_status_name (request->status), request->text);
}

static void
check (sim_t *sim)
{
    for (uint64_t i = 0; i < HOARDS; i++) {
        char address[16], key[24];
        snprintf (address, sizeof address, "hoard/%llu", (unsigned long long) i);
        uint64_t count = sim_state_number (sim, address, "count");
        if (count < model.sure[i] || count > model.sure[i] + model.maybe[i])
            sim_fail ("%s keeps %llu, answered were %llu and maybe %llu more", address, (unsigned long long) count,
                      (unsigned long long) model.sure[i], (unsigned long long) model.maybe[i]);
        for (uint64_t number = 1; number <= count; number++) {
            const uint8_t *value;
            uint8_t bytes[VALUE_MOST];
            size_t size, wanted = fill (bytes, number);
            if (!sim_state (sim, address, key_of (key, number), &value, &size) || size != wanted
                || memcmp (value, bytes, size) != 0)
                sim_fail ("%s has not kept %s as it was", address, key);
        }
    }
}

const workload_t workload_hoard = {
    "hoard", .kinds = { &hoard }, .begin = begin, .act = act, .answered = answered, .check = check
};
