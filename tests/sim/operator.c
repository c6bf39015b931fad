/*  operator.c - an operator's errands at any moment: dead letters, parked actors, looks.
 *
 *  DESIGN
 *  What an errand shows waits, like everything, until it is durable; then it is
 *  held against the durable state. Dead letters of verbs that fail for good are
 *  dropped, all others are tried again.
 */
#include "tests/sim/workload.h"

#include "runtime/base/memory.h"
#include "runtime/body/json.h"

#define LETTERS_MOST 50

typedef enum { LOOK_DEAD, LOOK_INSPECT, LOOK_HOT, LOOK_TURNS, REVIVE, REVIVE_KINDS, FLUSH, ERRANDS } errand_type_t;

typedef struct {
    errand_type_t type;
    bool is_thorough;          /* every dead letter, not one in three */
    troupe_status_t status;
    buffer_t packed;
    char address[32];
} visit_t;

static const char *const known[] = {
    "account/0", "account/{4}a", "counter/1", "node/a", "node/{d}1", "radio/0", "clock/2", "asker/1", "oracle/1",
    "plant/0", "plant/1", "plant/2", "plant/3", "plant/4", "plant/5", "imp/a", "imp/{c}1", "imp/e", "mine/0", "mine/2"
};
#define KNOWN (sizeof known / sizeof *known)

static bool
is_hopeless (const char *verb)
{
    static const char *const verbs[] = { "poisoned", "break", "doom" };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp (verb, verbs[i]) == 0)
            return true;
    return false;
}

static void
treat_one (shard_t *shard, const json_t *letter)
{
    troupe_error_t error = { TROUPE_OK, "" };
    uint64_t number = (uint64_t) json_integer_value (json_object_get (letter, "number"));
    const char *verb = json_string_value (json_object_get (letter, "verb"));
    CHECK (verb);
    troupe_status_t status = is_hopeless (verb) ? shard_dead_drop (shard, number, &error)
                                                : shard_dead_retry (shard, number, &error);
    sim_note (sim_now, is_hopeless (verb) ? "drop" : "retry", shard_number (shard), number, status, verb);
    bool may_lack_code = status == TROUPE_NOT_FOUND && !sim_now->is_ending;
    if (status != TROUPE_OK && !may_lack_code)
        sim_fail ("dead letter %llu (%s) of shard %u: %s", (unsigned long long) number, verb, shard_number (shard),
                  error.text);
}

static void
treat_dead (visit_t *visit, shard_t *shard)
{
    troupe_error_t error;
    visit->status = shard_dead_list (shard, 0, LETTERS_MOST, &visit->packed, &error);
    if (sim_is_failing (sim_now))
        return;
    json_t *list = json_tree_from_packed (visit->packed.data, visit->packed.size, &error), *letter;
    size_t i;
    if (visit->status != TROUPE_OK || !json_is_array (list))
        sim_fail ("the dead letters of shard %u cannot be listed: %s", shard_number (shard), error.text);
    json_array_foreach (list, i, letter)
        if (visit->is_thorough || dice_once_in (&sim_now->dice, 3))
            treat_one (shard, letter);
    json_decref (list);
}

/*  The stamp in what was seen of an actor's state. */
static void
check_inspected (const visit_t *visit)
{
    troupe_error_t error;
    json_t *seen = json_tree_from_packed (visit->packed.data, visit->packed.size, &error), *value;
    size_t i;
    if (!seen)
        sim_fail ("what is inspected of %s is malformed: %s", visit->address, error.text);
    json_array_foreach (json_object_get (seen, "state"), i, value) {
        if (strcmp (json_string_value (json_object_get (value, "key")), "stamp") != 0)
            continue;
        const uint8_t *durable;
        size_t size;
        if (!sim_state (sim_now, visit->address, "stamp", &durable, &size))
            sim_fail ("%s is shown with a state of which nothing is durable (I3)", visit->address);
    }
    json_decref (seen);
}

/*  The shard keeps them in order, and what it has no room for at the end. */
static void
check_turns (const visit_t *visit)
{
    troupe_error_t error;
    json_t *turns = json_tree_from_packed (visit->packed.data, visit->packed.size, &error), *turn;
    size_t i;
    json_int_t newest = 0;
    if (!json_is_array (turns))
        sim_fail ("the turns that ran are malformed: %s", error.text);
    json_array_foreach (turns, i, turn) {
        json_int_t began = json_integer_value (json_object_get (turn, "began_ns"));
        bool is_end = json_object_get (turn, "lost") && i == json_array_size (turns) - 1;
        const char *address = json_string_value (json_object_get (turn, "address"));
        if (!is_end && (!address || began < newest))
            sim_fail ("turns that ran are shown in another order");
        if (!is_end && *visit->address && strcmp (address, visit->address) != 0)
            sim_fail ("%s is followed, and %s shown", visit->address, address);
        newest = began;
    }
    json_decref (turns);
}

static void
leave (void *arg, bool is_durable)
{
    visit_t *visit = arg;
    memory_fail_after (0);
    if (is_durable && visit->type == LOOK_INSPECT && visit->status == TROUPE_OK)
        check_inspected (visit);
    if (is_durable && visit->type == LOOK_TURNS && visit->status == TROUPE_OK)
        check_turns (visit);
    buffer_clear (&visit->packed);
    free (visit);
}

static void
revive_kinds (shard_t *shard)
{
    troupe_error_t error;
    const registry_t *registry = world_registry (sim_now->world);
    for (uint32_t i = 0; i < registry_count (registry); i++)
        if (shard_revive_kind (shard, registry_at (registry, i)->name, &error) != TROUPE_OK)
            sim_fail ("%s cannot be revived: %s", registry_at (registry, i)->name, error.text);
}

static void
run (void *arg, shard_t *shard)
{
    visit_t *visit = arg;
    troupe_error_t error;
    if (!shard) {
        leave (visit, false);
        return;
    }
    memory_fail_after (0);  /* an operator's memory is not what is tested */
    switch (visit->type) {
    case LOOK_DEAD:
        treat_dead (visit, shard);
        break;
    case LOOK_INSPECT:
        visit->status = shard_inspect (shard, visit->address, 100, &visit->packed, &error);
        if (visit->status != TROUPE_OK && visit->status != TROUPE_NOT_FOUND && !sim_is_failing (sim_now))
            sim_fail ("%s cannot be inspected: %s", visit->address, error.text);
        break;
    case LOOK_HOT:
        if (shard_hot (shard, HOT_BY_TURNS, 5, &visit->packed, &error) != TROUPE_OK)
            sim_fail ("the busy actors of shard %u cannot be listed", shard_number (shard));
        break;
    case LOOK_TURNS:
        visit->status = shard_follow (shard, hash_bytes (visit->address, strlen (visit->address), 1), visit->address,
                                      &visit->packed, &error);
        if (visit->status != TROUPE_OK && visit->status != TROUPE_OVERLOADED)
            sim_fail ("turns of \"%s\" cannot be followed: %s", visit->address, error.text);
        break;
    case FLUSH:
    case ERRANDS:
        break;
    case REVIVE:
        visit->status = shard_revive (shard, visit->address, &error);
        break;
    case REVIVE_KINDS:
        revive_kinds (shard);
        break;
    }
    if (shard_release_after (shard, leave, visit) != TROUPE_OK)
        leave (visit, false);
}

static void
send (sim_t *sim, errand_type_t type, uint16_t shard, const char *address, bool is_thorough)
{
    visit_t *visit = calloc (1, sizeof *visit);
    CHECK (visit && strlen (address) < sizeof visit->address);
    visit->type = type;
    visit->is_thorough = is_thorough;
    memcpy (visit->address, address, strlen (address) + 1);
    if (*address && world_shard_of (sim->world, address, &shard, NULL) != TROUPE_OK)
        sim_fail ("%s is no address", address);
    sim_note (sim, "errand", type, shard, 0, address);
    world_errand (sim_world_of (sim, shard), shard, run, visit);
}

void
operator_act (sim_t *sim)
{
    errand_type_t type = (errand_type_t) dice_roll (&sim->dice, ERRANDS);
    uint16_t shard = (uint16_t) dice_roll (&sim->dice, sim->profile.shards);
    bool has_address = type == LOOK_INSPECT || type == REVIVE || (type == LOOK_TURNS && dice_once_in (&sim->dice, 2));
    send (sim, type, shard, has_address ? known[dice_roll (&sim->dice, KNOWN)] : "", false);
}

void
operator_flush (sim_t *sim)
{
    for (uint16_t i = 0; i < sim->profile.shards; i++)
        send (sim, FLUSH, i, "", false);
}

void
operator_end (sim_t *sim, bool retries)
{
    for (uint16_t i = 0; retries && i < sim->profile.shards; i++)
        send (sim, LOOK_DEAD, i, "", true);
    for (uint16_t i = 0; i < sim->profile.shards; i++)
        send (sim, REVIVE_KINDS, i, "", true);
    for (size_t i = 0; i < KNOWN; i++)
        send (sim, REVIVE, 0, known[i], true);
}
