/*  kill_kinds.c - kinds whose books show every message that was lost or doubled. */

#include <troupe.h>

static uint64_t
bump (troupe_turn_t *turn, const char *key, uint64_t by)
{
    uint64_t value = 0;
    troupe_load (turn, key, &value, sizeof value);
    value += by;
    troupe_store (turn, key, &value, sizeof value);
    return value;
}

/*  Counts, tells the mirror (mostly on another shard), publishes. */
static troupe_status_t
add (troupe_turn_t *turn)
{
    uint64_t total = bump (turn, "total", 1);
    char mirror[TROUPE_ADDRESS_MAX + 1] = "mirror/of-";
    for (size_t i = 10, j = 0; troupe_id (turn)[j]; i++, j++) {
        mirror[i] = troupe_id (turn)[j];
        mirror[i + 1] = 0;
    }
    troupe_tell (turn, mirror, "saw", "{s:I}", "total", (json_int_t) total);
    troupe_publish (turn, "live", "{s:I}", "total", (json_int_t) total);
    return troupe_reply (turn, "{s:I}", "total", (json_int_t) total);
}

static troupe_status_t
total (troupe_turn_t *turn)
{
    uint64_t total = 0, disorder = 0;
    troupe_load (turn, "total", &total, sizeof total);
    troupe_load (turn, "disorder", &disorder, sizeof disorder);
    return troupe_reply (turn, "{s:I, s:I}", "total", (json_int_t) total, "disorder", (json_int_t) disorder);
}

/*  The mirror hears 1, 2, 3 ...: anything else is a lost, doubled or overtaken message. */
static troupe_status_t
saw (troupe_turn_t *turn)
{
    json_int_t said;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "total", &said);
    if (status != TROUPE_OK)
        return status;
    if (bump (turn, "total", 1) != (uint64_t) said)
        bump (turn, "disorder", 1);
    return TROUPE_OK;
}

static const troupe_verb_t counter_verbs[] = {
    { "add", add, .allow = TROUPE_ANYONE }, { "total", total, .reads = true, .allow = TROUPE_ANYONE }, { NULL }
};
static const troupe_verb_t mirror_verbs[] = {
    { "saw", saw }, { "total", total, .reads = true, .allow = TROUPE_ANYONE }, { NULL }
};
static const troupe_channel_t channels[] = { { "live", .keep = 10 }, { NULL } };
static const troupe_kind_t counter = { "counter", .version = 1, .verbs = counter_verbs, .channels = channels };
static const troupe_kind_t mirror = { "mirror", .version = 1, .verbs = mirror_verbs };

TROUPE_KINDS (&counter, &mirror)
