/*  workload_timer.c - timers fire once per setting, never early, late after a crash rather than never.
 *
 *  A clock keeps in its state what each of its timers should do; a tick that
 *  belongs to no setting, to one that was replaced or cancelled, or that comes
 *  twice or early is found by the clock itself. When all is quiet no setting is left
 *  without its tick, and those that tick for each period have ticked so often.
 */
#include "tests/sim/workload.h"

#define CLOCKS 4
#define NAMES 3
#define DELAY_MOST_MS 20000
#define PERIOD_MOST_MS 3000
#define TICKS_MOST 6
#define LATE_MOST_MS 8000     /* what a closed door held is looked at again after 5 s */
#define MAIL_LARGE (1u << 20) /* bytes; kinds with a smaller quota of mail are parked again and again */

typedef struct {
    uint64_t setting;     /* grows with each setting of this name */
    uint64_t due_ms;      /* of the next tick, at the earliest */
    uint64_t period_ms;   /* 0: one shot */
    uint64_t left;        /* ticks until it is cancelled by its own handler; 0: none is waited for */
    uint64_t is_each;
} setting_t;

static setting_t
load_setting (troupe_turn_t *turn, const char *name)
{
    setting_t setting = { 0, 0, 0, 0, 0 };
    load (turn, name, &setting, sizeof setting);
    return setting;
}

static troupe_status_t
unpack_name (troupe_turn_t *turn, char name[8])
{
    json_int_t which;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "name", &which);
    if (status == TROUPE_OK)
        snprintf (name, 8, "t%u", (unsigned) which % NAMES);
    return status;
}

static troupe_status_t
on_set (troupe_turn_t *turn)
{
    json_int_t delay, period, ticks, each;
    char name[8];
    troupe_status_t status = unpack_name (turn, name);
    if (status == TROUPE_OK)
        status = troupe_unpack (turn, "{s:I, s:I, s:I, s:I}", "delay", &delay, "period", &period, "ticks", &ticks,
                                "each", &each);
    if (status != TROUPE_OK)
        return status;
    setting_t setting = load_setting (turn, name);
    setting.setting += 1;
    setting.period_ms = (uint64_t) period;
    setting.due_ms = troupe_now (turn) + (uint64_t) (period ? period : delay);
    setting.left = period ? (uint64_t) ticks : 1;
    setting.is_each = (uint64_t) each;
    troupe_store (turn, name, &setting, sizeof setting);
    json_int_t number = (json_int_t) setting.setting;
    if (period)
        troupe_timer_every (turn, name, "tick", (uint64_t) period, each ? TROUPE_TICK_EACH : TROUPE_TICK_ONCE,
                            "{s:s, s:I}", "name", name, "setting", number);
    else
        troupe_timer_at (turn, name, "tick", setting.due_ms, "{s:s, s:I}", "name", name, "setting", number);
    json_int_t stamp = stamp_next (turn);
    return fails_now (turn, 8) ? troupe_fail (turn, "jammed") : troupe_reply (turn, "{s:I}", "stamp", stamp);
}

static troupe_status_t
on_cancel (troupe_turn_t *turn)
{
    char name[8];
    troupe_status_t status = unpack_name (turn, name);
    if (status != TROUPE_OK)
        return status;
    setting_t setting = load_setting (turn, name);
    setting.left = 0;
    troupe_store (turn, name, &setting, sizeof setting);
    troupe_timer_cancel (turn, name);
    return troupe_reply (turn, "{s:I}", "stamp", stamp_next (turn));
}

static troupe_status_t
on_tick (troupe_turn_t *turn)
{
    const char *name;
    json_int_t number;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:I}", "name", &name, "setting", &number);
    if (status != TROUPE_OK)
        return status;
    setting_t setting = load_setting (turn, name);
    if (setting.left == 0 || setting.setting != (uint64_t) number)
        wrong ("%s/%s: a tick of setting %lld, waiting for %llu of setting %llu", troupe_self (turn), name,
               (long long) number, (unsigned long long) setting.left, (unsigned long long) setting.setting);
    if (troupe_now (turn) < setting.due_ms)
        wrong ("%s/%s: a tick %llu ms early", troupe_self (turn), name,
               (unsigned long long) (setting.due_ms - troupe_now (turn)));
    setting.due_ms += setting.period_ms;
    setting.left -= 1;
    if (setting.left == 0 && setting.period_ms)
        troupe_timer_cancel (turn, name);
    troupe_store (turn, name, &setting, sizeof setting);
    stamp_next (turn);
    if (troupe_random (turn) % 10 == 0)
        troupe_tell (turn, "clock/1", "nudge", NULL);
    return fails_now (turn, 8) ? troupe_fail (turn, "stuck") : TROUPE_OK;
}

static troupe_status_t
on_nudge (troupe_turn_t *turn)
{
    stamp_next (turn);
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "set", on_set },
    { "cancel", on_cancel },
    { "tick", on_tick },
    { "nudge", on_nudge },
    { NULL }
};
static const troupe_kind_t clock_kind = { "clock", .version = 1, .verbs = verbs };

/* ------------------------------------------------------------------ */

extern const workload_t workload_timer;

static void
act (sim_t *sim, uint32_t client)
{
    char address[16];
    snprintf (address, sizeof address, "clock/%u", (unsigned) roll (sim, CLOCKS));
    json_int_t name = (json_int_t) roll (sim, NAMES), zero = 0;
    uint64_t fallen = roll (sim, 8);
    if (fallen == 0)
        sim_call (sim, &workload_timer, client, address, "cancel", 0, 0, "{s:I}", "name", name);
    else
        sim_call (sim, &workload_timer, client, address, "set", 0, 0, "{s:I, s:I, s:I, s:I, s:I}", "name", name,
                  "delay", (json_int_t) roll (sim, roll (sim, 2) ? 50 : DELAY_MOST_MS), "period",
                  fallen < 3 ? (json_int_t) (1 + roll (sim, PERIOD_MOST_MS)) : zero, "ticks",
                  (json_int_t) (1 + roll (sim, TICKS_MOST)), "each", (json_int_t) roll (sim, 2));
}

typedef bool (fits_t) (const sim_t *sim, const setting_t *setting);

static void
check_each (sim_t *sim, fits_t *fits)
{
    for (uint32_t i = 0; i < CLOCKS; i++)
        for (uint32_t j = 0; j < NAMES; j++) {
            char address[16], name[8];
            const uint8_t *value;
            size_t size;
            setting_t setting;
            snprintf (address, sizeof address, "clock/%u", i);
            snprintf (name, sizeof name, "t%u", j);
            if (!sim_state (sim, address, name, &value, &size))
                continue;
            CHECK (size == sizeof setting);
            memcpy (&setting, value, sizeof setting);
            if (!fits (sim, &setting))
                sim_fail ("%s/%s: setting %llu still waits for %llu ticks, the next due %lld ms ago", address, name,
                          (unsigned long long) setting.setting, (unsigned long long) setting.left,
                          (long long) (world_now (sim->world) - setting.due_ms));
        }
}

/*  Late ticks come at once, each of them; only a failing handler holds them up for a while, and a quota
 *  of mail as long as parked kinds wait for the operator: then the end tells. */
static bool
is_caught_up (const sim_t *sim, const setting_t *setting)
{
    return setting->left == 0 || (setting->period_ms && !setting->is_each)
           || sim->profile.limits.mail_bytes < MAIL_LARGE
           || setting->due_ms + LATE_MOST_MS > world_now (sim->world)
           || sim->quiet_since_ms + LATE_MOST_MS > world_now (sim->world);
}

static bool
is_over (const sim_t *sim, const setting_t *setting)
{
    (void) sim;
    return setting->left == 0;
}

static void
quiet (sim_t *sim)
{
    check_each (sim, is_caught_up);
}

static void
check (sim_t *sim)
{
    check_each (sim, is_over);
}

const workload_t workload_timer = { "timer", .kinds = { &clock_kind }, .act = act, .quiet = quiet, .check = check };
