/*  workload_chaos.c - imps do anything, and look at all of their state first.
 *
 *  An imp keeps beside its values a map of what they should be, and beside its
 *  log a sum of it; each turn begins with a look at every one, by key and by a walk
 *  over prefixes. A value that comes back from the dead, a lost one, an undo that
 *  forgot something show in the very next turn. Some turns kill the process; a
 *  message that does it each time is set aside after a few strikes.
 */
#include "tests/sim/workload.h"

#include <signal.h>

#define IMPS 5
#define KEYS 12
#define LOG_MOST 1500
#define VALUE_MOST 900
#define DOOMS_MOST 512

typedef struct {
    uint32_t present[KEYS];   /* 0: absent, else which value it is */
    uint32_t next;
    uint32_t log_size;
    uint64_t log_hash;
} map_t;

static struct {
    uint8_t runs[DOOMS_MOST];
    uint64_t dooms;
} model;

static size_t
value_size (uint32_t which)
{
    uint64_t mixed = hash_mix (which, 77);
    return mixed % 8 == 0 ? (mixed >> 8) % VALUE_MOST : (mixed >> 8) % 40;
}

static void
make_value (uint8_t *to, uint32_t which)
{
    for (size_t i = 0, size = value_size (which); i < size; i++)
        to[i] = (uint8_t) (which * 31 + i * 7);
}

static bool
is_value (const void *value, size_t size, uint32_t which)
{
    uint8_t wanted[VALUE_MOST];
    make_value (wanted, which);
    return size == value_size (which) && (size == 0 || memcmp (value, wanted, size) == 0);
}

/* ---- the look ---- */

typedef struct {
    const char *self, *prefix;
    const map_t *map;
    uint32_t seen;
    char last[TROUPE_KEY_MAX + 1];
} look_t;

static bool
look_at (void *arg, const char *key, const void *value, size_t size)
{
    look_t *look = arg;
    uint32_t number = (uint32_t) atoi (key + 1);
    if (strncmp (key, look->prefix, strlen (look->prefix)) != 0 || strcmp (key, look->last) <= 0 || number >= KEYS)
        wrong ("%s: a walk over \"%s\" shows \"%s\" after \"%s\"", look->self, look->prefix, key, look->last);
    if (!look->map->present[number] || !is_value (value, size, look->map->present[number]))
        wrong ("%s: a walk shows \"%s\" with %zu bytes, which is not what was stored (%s)", look->self, key, size,
               look->map->present[number] ? "another value" : "it was erased");
    memcpy (look->last, key, strlen (key) + 1);
    look->seen += 1;
    return true;
}

static void
walk (troupe_turn_t *turn, const map_t *map, const char *prefix)
{
    look_t look = { troupe_self (turn), prefix, map, 0, "" };
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[8];
        snprintf (key, sizeof key, "k%u", i);
        wanted += map->present[i] && strncmp (key, prefix, strlen (prefix)) == 0;
    }
    if (troupe_each (turn, prefix, look_at, &look) == TROUPE_OK && look.seen != wanted)
        wrong ("%s: a walk over \"%s\" shows %u keys of %u", troupe_self (turn), prefix, look.seen, wanted);
}

static map_t
look (troupe_turn_t *turn)
{
    map_t map = { { 0 }, 0, 0, 0 };
    char key[8];
    size_t size = 0;
    load (turn, "map", &map, sizeof map);
    if (troupe_random (turn) % 3 == 0)
        walk (turn, &map, troupe_random (turn) % 2 ? "k" : "k1");
    uint32_t number = (uint32_t) (troupe_random (turn) % KEYS);
    snprintf (key, sizeof key, "k%u", number);
    const void *value = value_of (turn, key, &size);
    if (!value != !map.present[number] || (value && !is_value (value, size, map.present[number])))
        wrong ("%s: \"%s\" is not what was stored", troupe_self (turn), key);
    size = 0;
    value = value_of (turn, "log", &size);
    if (size != map.log_size || (size && hash_bytes (value, size, 0) != map.log_hash))
        wrong ("%s: the log has %zu bytes, appended were %u, or they differ", troupe_self (turn), size,
               map.log_size);
    return map;
}

/* ---- the deeds ---- */

static void
put (troupe_turn_t *turn, map_t *map, uint64_t fallen)
{
    uint8_t value[VALUE_MOST];
    char key[8];
    uint32_t number = (uint32_t) (fallen % KEYS);
    map->present[number] = ++map->next;
    make_value (value, map->next);
    snprintf (key, sizeof key, "k%u", number);
    troupe_store (turn, key, value, value_size (map->next));
}

static void
drop (troupe_turn_t *turn, map_t *map, uint64_t fallen)
{
    char key[8];
    uint32_t number = (uint32_t) (fallen % KEYS);
    map->present[number] = 0;
    snprintf (key, sizeof key, "k%u", number);
    troupe_erase (turn, key);
}

static void
append (troupe_turn_t *turn, map_t *map, uint64_t fallen)
{
    uint8_t bytes[64];
    size_t size = 1 + fallen % 63;
    memset (bytes, (int) (fallen >> 8), size);
    troupe_append (turn, "log", bytes, size);
    const void *log = value_of (turn, "log", &size);
    if (!log)
        return;
    map->log_size = (uint32_t) size;
    map->log_hash = hash_bytes (log, size, 0);
    if (size > LOG_MOST) {
        troupe_erase (turn, "log");
        map->log_size = 0;
        map->log_hash = 0;
    }
}

static void
erase_all (troupe_turn_t *turn, map_t *map)
{
    stamp_t stamp = stamp_load (turn);
    uint32_t next = map->next;
    troupe_erase_all (turn);
    *map = (map_t) { .next = next };
    troupe_store (turn, "stamp", &stamp, sizeof stamp);
}

static const char *
some_imp (uint64_t fallen)
{
    static const char *const imps[IMPS] = { "imp/a", "imp/b", "imp/{c}1", "imp/{c}2", "imp/e" };
    return imps[fallen % IMPS];
}

static void
deed (troupe_turn_t *turn, map_t *map, json_int_t hops)
{
    uint64_t fallen = troupe_random (turn), more = fallen >> 16;
    static const char padding[200];
    switch (fallen % 12) {
    case 0: case 1: case 2:
        put (turn, map, more);
        return;
    case 3:
        drop (turn, map, more);
        return;
    case 4: case 5:
        append (turn, map, more);
        return;
    case 6: case 7:
        if (hops > 0)
            troupe_tell (turn, some_imp (more), "do", "{s:I, s:r#}", "hops", hops - 1, "padding", padding,
                         (size_t) (more >> 8) % sizeof padding);
        return;
    case 8:
        if (hops > 0)
            troupe_cast (turn, some_imp (more), "do", "{s:I}", "hops", hops - 1);
        return;
    case 9:
        troupe_publish (turn, "noise", "{s:I}", "n", (json_int_t) (more % 1000));
        return;
    case 10:
        troupe_timer_at (turn, "poke", "do", troupe_now (turn) + more % 3000, "{s:I}", "hops", (json_int_t) 0);
        return;
    default:
        if (more % 6 == 0)
            erase_all (turn, map);
    }
}

static void
maybe_die (const troupe_turn_t *turn)
{
    (void) turn;
    if (!sim_now->is_ending && dice_once_in (&sim_now->dice, sim_now->profile.handler_death_in))
        world_die_in_handler (sim_now->world, SIGSEGV);
}

static troupe_status_t
on_do (troupe_turn_t *turn)
{
    json_int_t hops;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "hops", &hops);
    if (status != TROUPE_OK)
        return status;
    map_t map = look (turn);
    json_int_t shown = stamp_now (turn);
    for (uint64_t deeds = 1 + troupe_random (turn) % 4; deeds > 0; deeds--)
        deed (turn, &map, hops);
    troupe_store (turn, "map", &map, sizeof map);
    json_int_t stamp = stamp_next (turn);
    maybe_die (turn);
    if (fails_now (turn, 8))
        return troupe_fail (turn, "giggling");
    if (troupe_random (turn) % 8 == 0)
        return troupe_refuse (turn, "no #%lld", (long long) shown);
    return troupe_reply (turn, "{s:I}", "stamp", stamp);
}

/*  Kills the process whenever it runs. */
static troupe_status_t
on_doom (troupe_turn_t *turn)
{
    json_int_t number;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "number", &number);
    if (status != TROUPE_OK || !world_is_up (sim_now->world))
        return status;
    if (number < DOOMS_MOST && ++model.runs[number] > RECORDER_STRIKES)
        wrong ("a message runs again after it killed the process %d times", RECORDER_STRIKES);
    world_die_in_handler (sim_now->world, SIGABRT);
    return TROUPE_OK;
}

static troupe_status_t
on_look (troupe_turn_t *turn)
{
    look (turn);
    return troupe_reply (turn, "{s:I}", "stamp", stamp_now (turn));
}

static const troupe_verb_t verbs[] = {
    { "do", on_do },
    { "doom", on_doom },
    { "look", on_look, .reads = true },
    { NULL }
};
static const troupe_channel_t channels[] = { { "noise", .keep = 20, .keep_ms = 800 }, { NULL } };
static const troupe_kind_t imp = { "imp", .version = 1, .verbs = verbs, .channels = channels };

/* ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    (void) sim;
    memset (&model, 0, sizeof model);
}

extern const workload_t workload_chaos;

static void
act (sim_t *sim, uint32_t client)
{
    const char *to = some_imp (roll (sim, IMPS));
    if (roll (sim, 5) == 0)
        sim_call (sim, &workload_chaos, client, to, "look", 0, 0, NULL);
    else if (sim->profile.handler_death_in && client < SIM_NO_SESSION && roll (sim, 40) == 0)
        sim_call (sim, &workload_chaos, client, to, "doom", 1, 0, "{s:I}", "number", (json_int_t) model.dooms++);
    else
        sim_call (sim, &workload_chaos, client, to, "do", 0, 0, "{s:I}", "hops", (json_int_t) roll (sim, 5));
}

static void
answered (sim_t *sim, const request_t *request)
{
    (void) sim;
    if (!request->is_unknown && request->a && request->status != TROUPE_FAILED)
        sim_fail ("a message that kills the process was answered %s", troupe_status_name (request->status));
}

static void
check (sim_t *sim)
{
    (void) sim;
}

const workload_t workload_chaos = {
    "chaos", .kinds = { &imp }, .begin = begin, .act = act, .answered = answered, .check = check
};
