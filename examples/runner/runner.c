/*  runner.c - runners who count their laps, and their coach. */

#include "runner.h"

static troupe_status_t
lap (troupe_turn_t *turn)
{
    uint64_t laps = 0;
    troupe_load (turn, "laps", &laps, sizeof laps);         /* absent: unchanged */
    laps += 1;
    troupe_store (turn, "laps", &laps, sizeof laps);
    troupe_publish (turn, "live", "{s:I}", "laps", (json_int_t) laps);
    if (laps == 10)
        troupe_tell (turn, "coach/anna", "finished", "{s:s}", "runner", troupe_self (turn));
    return troupe_reply (turn, "{s:I}", "laps", (json_int_t) laps);
}

static const troupe_verb_t verbs[] = {
    { "lap", lap, .allow = TROUPE_OWNER, .args = "", .gives = "laps:int", .doc = "Count one lap." },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "live", .keep = 1000, .allow = TROUPE_SIGNED_IN, .doc = "Every lap as it is run." },
    { NULL }
};
const troupe_kind_t runner = { "runner", .version = 1, .verbs = verbs, .channels = channels };

/* ---- the coach hears of those who finished ---- */

static troupe_status_t
finished (troupe_turn_t *turn)
{
    const char *name;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "runner", &name);
    if (status != TROUPE_OK)
        return status;
    uint64_t now = troupe_now (turn);
    return troupe_store (turn, name, &now, sizeof now);
}

static bool
add (void *list, const char *key, const void *value, size_t size)
{
    (void) value;
    (void) size;
    return json_array_append_new (list, json_string (key)) == 0;
}

static troupe_status_t
list (troupe_turn_t *turn)
{
    json_t *names = json_array ();
    troupe_each (turn, "", add, names);
    troupe_status_t status = troupe_reply (turn, "{s:o}", "finished", names);
    json_decref (names);
    return status;
}

static const troupe_verb_t coach_verbs[] = {
    { "finished", finished, .args = "runner:string", .doc = "A runner ran ten laps." },
    { "list", list, .reads = true, .allow = TROUPE_SIGNED_IN, .gives = "finished:array", .doc = "Who finished." },
    { NULL }
};
const troupe_kind_t coach = { "coach", .version = 1, .verbs = coach_verbs };
