#include <troupe.h>

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
    { "lap", lap, .allow = TROUPE_OWNER, .doc = "Count one lap." },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "live", .keep = 1000, .allow = TROUPE_SIGNED_IN, .doc = "Every lap as it is run." },
    { NULL }
};
static const troupe_kind_t runner = { "runner", .version = 1, .verbs = verbs, .channels = channels };

int main (int argc, char **argv)
{
    return troupe_main (argc, argv, &runner, NULL);
}
