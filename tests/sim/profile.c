/*  profile.c - what a seed decides before its run begins: sizes, bounds, faults, moods.
 *
 *  DESIGN
 *  Most bounds are tiny, so that their far sides are reached within some hundred
 *  steps: spilled mailboxes, full windows, closed doors, sleeping actors. Each kind
 *  of fault is on in a part of the seeds, since a run in which everything
 *  breaks all the time never gets anywhere.
 */
#include "tests/sim/sim.h"

#define UNFOLDED_MOST 3000
#define CHECKPOINT_BYTES 48000  /* a shard's whole checkpoint at most, with what it writes before that is done */
#define JOURNAL_BYTES 64000     /* of pages until a fold ends, if not at the first try */

static uint64_t
one_of (dice_t *dice, const uint64_t *choices, size_t count)
{
    return choices[dice_roll (dice, count)];
}

#define ONE_OF(...)                                                            \
    one_of (dice, (const uint64_t[]){ __VA_ARGS__ }, sizeof ((const uint64_t[]){ __VA_ARGS__ }) / sizeof (uint64_t))

static void
roll_limits (dice_t *dice, shard_limits_t *limits)
{
    limits->mailbox_messages = (uint32_t) ONE_OF (2, 4, 4, 16, 4096);
    limits->mailbox_door = (uint32_t) ONE_OF (3, 8, 2048);
    limits->awake_actors = (uint32_t) ONE_OF (1, 3, 8, 1000);
    limits->undurable_bytes = ONE_OF (400, 2000, 10000, 1u << 20);
    limits->unfolded_bytes = ONE_OF (3000, 20000, 1u << 20);
    limits->link_window_bytes = (uint32_t) ONE_OF (1, 100, 300, 1000, 1u << 20);
    limits->slice_turns = (uint32_t) ONE_OF (1, 2, 5, 40, 4096);
    limits->attempts = (uint32_t) ONE_OF (3, 4, 8);
    limits->retry_first_ms = (uint32_t) ONE_OF (1, 10, 50);
    limits->retry_most_ms = (uint32_t) ONE_OF (50, 1000);
    limits->wake_attempts = (uint32_t) ONE_OF (2, 5);
    limits->call_keep_ms = (uint32_t) ONE_OF (20000, 60000);
    limits->calls_kept = (uint32_t) ONE_OF (10, 60, 100000);
    limits->dead_bytes = 1u << 30;
    limits->mail_bytes = ONE_OF (1000, 5000, 1u << 30, 1u << 30);
    limits->idle_ms = (uint32_t) ONE_OF (0, 20, 5000);
}

static void
roll_faults (dice_t *dice, profile_t *profile)
{
    profile->power_in = (uint32_t) ONE_OF (0, 80, 150, 400);
    profile->kill_in = (uint32_t) ONE_OF (0, 0, 100, 300);
    profile->disk_death_in = (uint32_t) ONE_OF (0, 0, 80, 200);
    profile->fold_death_in = (uint32_t) ONE_OF (0, 0, 100, 300);
    profile->boot_death_in = (uint32_t) ONE_OF (0, 2, 4);
    profile->full_in = (uint32_t) ONE_OF (0, 0, 100);
    profile->sync_failure_in = (uint32_t) ONE_OF (0, 0, 200);
    profile->faults.cut_in = (uint32_t) ONE_OF (0, 0, 20, 60);
    profile->faults.no_room_in = profile->full_in ? 3 : 0;
    profile->faults.no_memory_in = (uint32_t) ONE_OF (0, 0, 0, 15, 60);
    if (profile->faults.no_memory_in)
        profile->limits.attempts = 8;  /* tries that fail so are no fault of the message */
    profile->clock_jump_in = (uint32_t) ONE_OF (0, 3);
    profile->upgrade_in = (uint32_t) ONE_OF (0, 2, 4);
    profile->operator_in = (uint32_t) ONE_OF (0, 40);
    profile->door_in = (uint32_t) ONE_OF (0, 0, 100);
    profile->handler_death_in = (uint32_t) ONE_OF (0, 0, 100);
    profile->wake_death_in = profile->handler_death_in ? (uint32_t) ONE_OF (2, 10) : 0;
}

static void
roll_moods (dice_t *dice, profile_t *profile)
{
    profile->weights[WORLD_SHARD] = (uint32_t) ONE_OF (1, 4, 10);
    profile->weights[WORLD_COMMIT] = (uint32_t) ONE_OF (1, 4, 10);
    profile->weights[WORLD_DELIVER] = (uint32_t) ONE_OF (1, 4, 10);
    profile->weights[WORLD_CHECKPOINT] = (uint32_t) ONE_OF (5, 20, 60, 1000);
    profile->meanwhile_most = (uint32_t) ONE_OF (0, 2, 6);
    profile->weights[WORLD_CLOCK] = (uint32_t) ONE_OF (1, 3);
    profile->fold_changes = (uint32_t) ONE_OF (1, 3, 10, 1000);
}

void
profile_roll (profile_t *profile, dice_t *dice)
{
    uint32_t count = sim_place (&workload_hoard);
    *profile = (profile_t) { 0 };
    profile->shards = (uint32_t) ONE_OF (1, 2, 3, 4);
    profile->clients = (uint32_t) (1 + dice_roll (dice, SIM_CLIENTS_MAX));
    profile->steps = (uint32_t) ONE_OF (150, 300, 500);
    profile->act_in = (uint32_t) ONE_OF (2, 4, 10);
    profile->think_ms = (uint32_t) ONE_OF (5, 100, 2000);
    profile->sessionless_in = (uint32_t) ONE_OF (2, 10, 10);
    profile->is_ordered = dice_once_in (dice, 4);
    profile->segment_size = ONE_OF (8192, 16384, 65536);
    profile->spare_segments = (uint32_t) ONE_OF (0, 1, 3);
    do
        profile->workloads = (uint32_t) dice_next (dice) & (uint32_t) dice_next (dice) & ((1u << count) - 1);
    while (!profile->workloads);
    roll_limits (dice, &profile->limits);
    roll_faults (dice, profile);
    roll_moods (dice, profile);
}

/*  The door must close before a whole checkpoint has no room, whatever waits behind it: bounds small enough for that,
 *  and calls enough to get there. */
void
profile_roll_volume (sim_t *sim)
{
    profile_t *profile = &sim->profile;
    dice_t own = dice_of (hash_mix (sim->seed, 9)), *dice = &own;
    if (profile->nodes > 1 || !dice_once_in (dice, 6))
        return;
    profile->workloads |= 1u << sim_place (&workload_hoard);
    profile->shards = 1 + (profile->shards - 1) % 2;
    profile->limits.unfolded_bytes = UNFOLDED_MOST;
    profile->limits.undurable_bytes = ONE_OF (400, 2000);
    profile->limits.mailbox_door = (uint32_t) ONE_OF (3, 8);
    profile->limits.slice_turns = (uint32_t) ONE_OF (1, 2);
    profile->segment_size = ONE_OF (8192, profile->shards * 40960);
    profile->spare_segments = (uint32_t) ONE_OF (0, 1);
    profile->full_in = profile->faults.no_room_in = 0;
    profile->act_in = (uint32_t) ONE_OF (1, 2);
    profile->steps = 1000;
    profile->crowd_in = (uint32_t) ONE_OF (0, 0, 20, 100);
    profile->ballast_bytes = profile->shards * CHECKPOINT_BYTES;
    profile->soft_room_bytes = profile->ballast_bytes + JOURNAL_BYTES + 2 * profile->segment_size;
    profile->volume_bytes = profile->soft_room_bytes + profile->ballast_bytes + dice_roll (dice, CHECKPOINT_BYTES);
}
