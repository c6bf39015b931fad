#include <troupe.h>

static troupe_status_t
add (troupe_turn_t *turn)
{
    json_int_t steps, total = 0;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "steps", &steps);
    if (status != TROUPE_OK)
        return status;                       /* the caller hears which field is wrong */
    if (steps <= 0)
        return troupe_refuse (turn, "steps are positive");
    troupe_load (turn, "total", &total, sizeof total);
    total += steps;
    troupe_store (turn, "total", &total, sizeof total);
    return troupe_reply (turn, "{s:I}", "total", total);
}

static const troupe_verb_t verbs[] = {
    { "add", add, .allow = TROUPE_OWNER, .args = "steps:int", .gives = "total:int", .doc = "Add steps." },
    { NULL }
};
static const troupe_kind_t walker = { "walker", .version = 1, .verbs = verbs };

int
main (int argc, char **argv)
{
    return troupe_main (argc, argv, &walker, NULL);
}
