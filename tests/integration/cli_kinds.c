/*  cli_kinds.c - kinds in a shared object, for test_cli. */
#include <stdlib.h>
#include <troupe.h>

static troupe_status_t
lap (troupe_turn_t *turn)
{
    uint64_t laps = 0;
    troupe_load (turn, "laps", &laps, sizeof laps);
    laps += 1;
    troupe_store (turn, "laps", &laps, sizeof laps);
    troupe_publish (turn, "live", "{s:I}", "laps", (json_int_t) laps);
    return troupe_reply (turn, "{s:I}", "laps", (json_int_t) laps);
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    uint64_t laps = 0;
    troupe_load (turn, "laps", &laps, sizeof laps);
    return troupe_reply (turn, "{s:I, s:s}", "laps", (json_int_t) laps, "subject", troupe_subject (turn));
}

static troupe_status_t
refuse (troupe_turn_t *turn)
{
    return troupe_refuse (turn, "not today");
}

static troupe_status_t
fail (troupe_turn_t *turn)
{
    return troupe_fail (turn, "the moon is wrong");
}

/*  Whoever asks never hears. */
static troupe_status_t
ponder (troupe_turn_t *turn)
{
    (void) troupe_reply_later (turn);
    return TROUPE_OK;
}

static troupe_status_t
crash (troupe_turn_t *turn)
{
    (void) turn;
    __builtin_trap ();
}

/*  Tells another actor, so that nobody waits for the outcome. */
static troupe_status_t
tell (troupe_turn_t *turn)
{
    const char *to, *verb;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:s}", "to", &to, "verb", &verb);
    return status == TROUPE_OK ? troupe_tell (turn, to, verb, NULL) : status;
}

static troupe_status_t
remember (troupe_turn_t *turn)
{
    troupe_save (turn, "note", "{s:s}", "text", "milk");
    troupe_store (turn, "name", "Anna", 4);
    return troupe_timer_at (turn, "later", "lap", troupe_now (turn) + 3600000, NULL);
}

/*  Cannot wake while it is told not to. */
static troupe_status_t
wake (troupe_turn_t *turn)
{
    return getenv ("CLI_KINDS_SLEEP") ? troupe_fail (turn, "still tired") : TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "lap", lap, .allow = TROUPE_OWNER, .gives = "laps:int", .doc = "Count one lap." },
    { "look", look, .reads = true, .allow = TROUPE_ANYONE },
    { "refuse", refuse },
    { "fail", fail },
    { "ponder", ponder },
    { "crash", crash },
    { "tell", tell, .args = "to:string verb:string" },
    { "remember", remember },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "live", .keep = 5, .allow = TROUPE_SIGNED_IN, .doc = "Every lap." },
    { NULL }
};
static const troupe_kind_t runner = { "runner", .version = 1, .verbs = verbs, .channels = channels, .doc = "Runs." };
static const troupe_kind_t sleeper = { "sleeper", .version = 1, .verbs = verbs, .channels = channels, .wake = wake };
TROUPE_KINDS (&runner, &sleeper)
