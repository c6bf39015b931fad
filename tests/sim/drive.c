/*  drive.c - one run: clients act, things happen, faults strike; then quiet, and the end.
 *
 *  DESIGN
 *  All choices come from the dice of the seed. Whenever the process is down it is
 *  booted again, maybe by other code, at another time, and maybe to die while it
 *  recovers. After the steps of the profile the faults stop and everything must
 *  come to rest: each call answered, each timer fired, each letter taken. A
 *  world that does not come to rest has lost something. Then the models check, the process is
 *  killed once more, and what is found must be the same.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

#define REST_MS 300000           /* after that nothing may be due but what repeats for ever */
#define ROUND_MS 10000
#define UNTOUCHED_MS 120000
#define REST_STEPS 20000
#define MOMENT_MS 20             /* longest that a frame may wait for more */
#define SETTLE_STEPS 20000
#define CLOCK_JUMP_MS 3000
#define BOOTS_MOST 50
#define DEATH_OPERATIONS 12
#define LAST_ROUNDS 20
#define LAST_ROUND_MS 30         /* after that a caller has heard that it is refused */

extern const workload_t workload_bank, workload_counter, workload_order, workload_feed, workload_timer, workload_ask,
    workload_upgrade, workload_chaos, workload_dead, workload_guest, workload_remote;  /* and workload_hoard */

const workload_t *const sim_workloads[] = {
    &workload_bank, &workload_counter, &workload_order, &workload_feed, &workload_timer, &workload_ask,
    &workload_upgrade, &workload_chaos, &workload_dead, &workload_guest, &workload_remote, &workload_hoard, NULL
};

uint32_t
sim_place (const workload_t *workload)
{
    uint32_t place = 0;
    while (sim_workloads[place] != workload)
        CHECK (sim_workloads[place++]);
    return place;
}

bool
sim_has (const sim_t *sim, const workload_t *workload)
{
    return sim->profile.workloads >> sim_place (workload) & 1;
}

static bool
once_in (sim_t *sim, uint32_t in)
{
    return dice_once_in (&sim->dice, in);
}

/* ------------------------------------------------------------------ *
 *  Up and down
 * ------------------------------------------------------------------ */

static void
choose_kinds (sim_t *sim)
{
    uint32_t count = 0;
    sim->node->lacks_kinds = false;
    for (uint32_t i = 0; sim_workloads[i]; i++) {
        const workload_t *workload = sim_workloads[i];
        const troupe_kind_t *kind = NULL;
        for (uint32_t version = 0; version < sim->node->version; version++)
            kind = workload->kinds[version] ? workload->kinds[version] : kind;
        if (!sim_has (sim, workload))
            continue;
        if (workload->may_be_missing && !sim->is_ending && once_in (sim, 4))
            sim->node->lacks_kinds = true;
        else
            sim->node->kinds[count++] = kind;
        if (workload->other)
            sim->node->kinds[count++] = workload->other;
    }
    sim->node->kinds[count] = NULL;
}

static void
change_version (sim_t *sim)
{
    if (sim->is_ending)
        sim->node->version = SIM_KIND_VERSIONS;
    else if (once_in (sim, sim->profile.upgrade_in))
        sim->node->version = 1 + (uint32_t) dice_roll (&sim->dice, SIM_KIND_VERSIONS);
    choose_kinds (sim);
}

bool
sim_is_failing (sim_t *sim)
{
    const char *text;
    for (uint16_t i = 0; i < sim->profile.shards; i++) {
        shard_t *shard = world_shard (sim->world, i);
        if (shard && shard_failure (shard, &text) != TROUPE_OK)
            return true;
    }
    return false;
}

/*  No shard's time is later than newest_ms: it never goes back, and is as fast as the clock. */
void
sim_note_time (sim_t *sim)
{
    uint64_t now = world_now (sim->world);
    sim->newest_ms += now > sim->noted_ms ? now - sim->noted_ms : 0;
    sim->noted_ms = now;
}

/*  The machine stood for a while; its clock may have been set. */
static void
pass_downtime (sim_t *sim)
{
    world_pass (sim->world, dice_roll (&sim->dice, once_in (sim, 4) ? 5000 : 50));
    sim_note_time (sim);
    bool is_behind = sim->newest_ms - world_now (sim->world) > CLOCK_JUMP_MS;
    if (!sim->is_ending && !is_behind && once_in (sim, sim->profile.clock_jump_in))
        world_set_clock (sim->world, world_now (sim->world) - dice_roll (&sim->dice, CLOCK_JUMP_MS));
    else if (sim->is_ending)
        world_set_clock (sim->world, sim->newest_ms);
    sim->noted_ms = world_now (sim->world);
}

void
sim_halt (sim_t *sim, bool power)
{
    sim_note (sim, power ? "power" : "kill", 0, 0, 0, NULL);
    sim->figures.powers += power;
    world_halt (sim->world, power);
    if (power)
        sim->node->boots = SIM_SHORT_BOOTS;  /* removed segments may be back */
    clients_forget (sim);
}

static void
die_in_boot (sim_t *sim)
{
    if (sim->is_ending || !once_in (sim, sim->profile.boot_death_in))
        return;
    uint64_t operations = 1 + dice_roll (&sim->dice, DEATH_OPERATIONS);
    sim_note (sim, "boot dies", operations, 0, 0, NULL);
    sim->node->may_fail = true;  /* if not now, then soon after */
    disk_memory_die_after (world_disk (sim->world), operations);
}

/*  Others go from the disk. */
static void
give_room (sim_t *sim)
{
    sim->node->is_crowded = false;
    if (sim->profile.volume_bytes)
        world_crowd (sim->world, 0);
    else
        disk_memory_set_space (world_disk (sim->world), 0);
}

/*  It cannot even start. */
static void
make_room (sim_t *sim)
{
    if (sim->profile.volume_bytes && !sim->node->is_crowded) {
        if (sim_must_have_room (sim) || world_has_ballast (sim->world))
            sim_fail ("there is no room to start, %llu bytes are free", (unsigned long long) world_room (sim->world));
        world_set_volume (sim->world, world_volume (sim->world) + sim->profile.soft_room_bytes);
    }
    give_room (sim);
}

void
sim_boot (sim_t *sim)
{
    for (uint32_t tries = 0; tries < BOOTS_MOST; tries++) {
        troupe_error_t error = { TROUPE_OK, "" };
        pass_downtime (sim);
        change_version (sim);
        die_in_boot (sim);
        for (uint32_t i = 0; sim_workloads[i]; i++)
            if (sim_workloads[i]->booting && sim_has (sim, sim_workloads[i]))
                sim_workloads[i]->booting (sim);
        checks_boot_begins (sim);
        sim->node->boots += 1;
        sim_note (sim, "boot", sim->node->version, 0, 0, NULL);
        troupe_status_t status = world_boot (sim->world, sim->node->kinds, &error);
        if (status == TROUPE_OK) {
            checks_booted (sim);
            sim->noted_ms = world_now (sim->world);
            sim->quiet_since_ms = 0;
            for (uint32_t i = 0; sim_workloads[i]; i++)
                if (sim_workloads[i]->booted && sim_has (sim, sim_workloads[i]))
                    sim_workloads[i]->booted (sim);
            return;
        }
        sim_note (sim, "boot fails", status, world_room (sim->world), 0, error.text);
        sim->figures.deaths_in_boot += 1;
        if (status == TROUPE_FULL)
            make_room (sim);
        else if (status != TROUPE_IO)
            sim_fail ("the process does not start: %s", error.text);
        disk_memory_die_after (world_disk (sim->world), 0);
        if (once_in (sim, 2))
            sim_halt (sim, true);
    }
    sim_fail ("the process does not start");
}

/*  Whatever ended the process, it is started again. */
static void
revive (sim_t *sim)
{
    const char *text;
    troupe_status_t status = world_failure (sim->world, &text);
    sim_note (sim, "down", status, 0, 0, text);
    bool may_lack = status == TROUPE_NO_MEMORY && sim->profile.faults.no_memory_in;
    if (status == TROUPE_CORRUPT || status == TROUPE_MISMATCH || (status == TROUPE_NO_MEMORY && !may_lack))
        sim_fail ("the process stopped: %s", text);
    if (status == TROUPE_IO && !sim->node->may_fail)
        sim_fail ("the process stopped: %s", text);
    sim->node->may_fail = false;
    sim_halt (sim, once_in (sim, 2));
    state_memory_die_after (world_state (sim->world), 0);
    sim_boot (sim);
}

/* ------------------------------------------------------------------ *
 *  What strikes
 * ------------------------------------------------------------------ */

static uint32_t
any_node (sim_t *sim)
{
    return sim->profile.nodes > 1 ? (uint32_t) dice_roll (&sim->dice, sim->profile.nodes) : 0;
}

static void
strike (sim_t *sim)
{
    const profile_t *profile = &sim->profile;
    sim_enter (sim, any_node (sim));
    if (once_in (sim, profile->power_in) || once_in (sim, profile->kill_in)) {
        sim_halt (sim, once_in (sim, profile->kill_in ? 2 : 1));
        sim_boot (sim);
    }
    if (once_in (sim, profile->disk_death_in)) {
        sim->node->may_fail = true;
        disk_memory_die_after (world_disk (sim->world), 1 + dice_roll (&sim->dice, DEATH_OPERATIONS));
        sim_note (sim, "disk dies", 0, 0, 0, NULL);
    }
    if (once_in (sim, profile->fold_death_in)) {
        sim->node->may_fail = true;
        state_memory_die_after (world_state (sim->world), 1 + dice_roll (&sim->dice, 8));
        sim_note (sim, "fold dies", 0, 0, 0, NULL);
    }
    if (once_in (sim, profile->sync_failure_in)) {
        sim->node->may_fail = true;
        sim->figures.sync_failures += 1;
        disk_memory_fail_sync_after (world_disk (sim->world), 1 + dice_roll (&sim->dice, 3));
        sim_note (sim, "sync fails", 0, 0, 0, NULL);
    }
}

static bool
add_size (void *sim_, const char *name)
{
    sim_t *sim = sim_;
    disk_t *disk = world_disk (sim->world);
    disk_file_t *file;
    uint64_t size = 0;
    if (disk->open (disk->self, name, false, &file, NULL) != TROUPE_OK)
        return false;
    if (disk->size (disk->self, file, &size, NULL) == TROUPE_OK)
        sim->used += size;
    disk->close (disk->self, &file);
    return true;
}

static uint64_t
files_size (sim_t *sim)
{
    disk_t *disk = world_disk (sim->world);
    sim->used = 0;
    return disk->each_name (disk->self, add_size, sim, NULL) == TROUPE_OK ? sim->used : 0;
}

static void
bother (sim_t *sim)
{
    const profile_t *profile = &sim->profile;
    sim_enter (sim, any_node (sim));
    if (once_in (sim, profile->full_in)) {
        uint64_t room = dice_roll (&sim->dice, 20000);
        disk_memory_set_space (world_disk (sim->world), files_size (sim) + room);
        sim->figures.full += 1;
        sim_note (sim, "full", room, 0, 0, NULL);
    } else if (profile->full_in && once_in (sim, 30))
        give_room (sim);
    if (once_in (sim, profile->crowd_in)) {
        uint64_t bytes = once_in (sim, 2) ? UINT64_MAX : dice_roll (&sim->dice, profile->volume_bytes);
        sim_note (sim, "crowd", bytes, world_room (sim->world), 0, NULL);
        sim->node->is_crowded = sim->node->was_crowded = true;
        sim->figures.full += 1;
        world_crowd (sim->world, bytes);
    } else if (sim->node->is_crowded && once_in (sim, 30))
        give_room (sim);
    network_bother (sim);
    if (once_in (sim, 3 * profile->faults.cut_in))
        world_cut (sim->world, (uint16_t) dice_roll (&sim->dice, profile->shards),
                   (uint16_t) dice_roll (&sim->dice, profile->shards));
    if (once_in (sim, profile->door_in)) {
        bool closes = once_in (sim, 2);
        sim_note (sim, "door", closes, 0, 0, NULL);
        world_close_door (sim->world, closes);
    }
    if (once_in (sim, profile->operator_in))
        operator_act (sim);
}

/* ------------------------------------------------------------------ *
 *  What happens
 * ------------------------------------------------------------------ */

void
sim_act (sim_t *sim)
{
    uint32_t count = sim_place (&workload_hoard);
    bool hoards = sim->profile.volume_bytes && once_in (sim, 2);
    uint32_t which = hoards ? count : (uint32_t) dice_roll (&sim->dice, count);
    while (!sim_has (sim, sim_workloads[which]))
        which = (which + 1) % count;
    bool has_session = !once_in (sim, sim->profile.sessionless_in);
    uint32_t client = has_session ? (uint32_t) dice_roll (&sim->dice, sim->profile.clients) : SIM_NO_SESSION;
    sim_workloads[which]->act (sim, client);
}

static void
wait_for_time (sim_t *sim)
{
    uint64_t now = world_now (sim->world), due = nodes_next_due (sim);
    uint64_t most = 1 + dice_roll (&sim->dice, sim->profile.think_ms);
    world_pass (sim->world, due > now && due - now < most ? due - now : most);
    sim_note_time (sim);
}

static void
step (sim_t *sim)
{
    sim->step += 1;
    strike (sim);
    bother (sim);
    if (once_in (sim, sim->profile.act_in))
        sim_act (sim);
    if (once_in (sim, 3 * sim->profile.act_in))
        clients_repeat (sim);
    for (uint32_t i = 0; sim_workloads[i]; i++)
        if (sim_workloads[i]->works && sim_has (sim, sim_workloads[i]))
            sim_workloads[i]->works (sim);
    if (!nodes_step (sim))
        wait_for_time (sim);
    sim_note_time (sim);
    checks_stepped (sim);
    for (uint32_t i = 0; i < sim->profile.nodes; i++) {
        sim_enter (sim, i);
        if (!world_is_up (sim->world))
            revive (sim);
    }
}

/* ------------------------------------------------------------------ *
 *  The end
 * ------------------------------------------------------------------ */

static void
end_faults_of_node (sim_t *sim)
{
    disk_t *disk = world_disk (sim->world);
    give_room (sim);
    disk_memory_die_after (disk, 0);
    disk_memory_fail_sync_after (disk, 0);
    state_memory_die_after (world_state (sim->world), 0);
    world_set_faults (sim->world, &(world_faults_t) { 0, 0, 0 });
    world_close_door (sim->world, false);
    if (sim->node->version != SIM_KIND_VERSIONS || sim->node->lacks_kinds || !world_is_up (sim->world)) {
        sim_halt (sim, false);
        sim_boot (sim);
    }
}

static void
end_faults (sim_t *sim)
{
    sim->is_ending = true;
    sim_note (sim, "ending", 0, 0, 0, NULL);
    network_heal (sim);
    for (uint32_t i = 0; i < sim->profile.nodes; i++) {
        sim_enter (sim, i);
        end_faults_of_node (sim);
    }
}

/*  A message may still kill the process, a few times. */
static void
settle_once (sim_t *sim)
{
    const char *text;
    while (!nodes_settle (sim, SETTLE_STEPS)) {
        troupe_status_t status = world_failure (sim->world, &text);
        if (status != TROUPE_FAILED)
            sim_fail ("without faults the process %s %s", status ? "stopped:" : "does not come to rest", text);
        revive (sim);
    }
    checks_stepped (sim);
}

/*  Whether those outside of the process had something in hand. */
static bool
work_goes_on (sim_t *sim)
{
    bool goes_on = false;
    for (uint32_t i = 0; sim_workloads[i]; i++)
        if (sim_workloads[i]->rests && sim_has (sim, sim_workloads[i]))
            goes_on = sim_workloads[i]->rests (sim) || goes_on;
    return goes_on;
}

/*  Until nothing can happen now. Frames may wait a moment for more. */
void
sim_settle (sim_t *sim)
{
    do
        settle_once (sim);
    while (work_goes_on (sim));
    while (!nodes_are_full (sim) && !nodes_are_quiet (sim)) {
        uint64_t now = world_now (sim->world), due = nodes_next_due (sim);
        if (due > now + MOMENT_MS)
            sim_fail ("nothing can happen any more, yet work is left");
        world_pass (sim->world, due > now ? due - now : 1);
        sim_note_time (sim);
        do
            settle_once (sim);
        while (work_goes_on (sim));
    }
    if (!sim->quiet_since_ms)
        sim->quiet_since_ms = world_now (sim->world);
    for (uint32_t i = 0; sim_workloads[i]; i++)
        if (sim_workloads[i]->quiet && sim_has (sim, sim_workloads[i]))
            sim_workloads[i]->quiet (sim);
}

/*  Dead letters are left alone at first: retried ones fill mailboxes. */
static void
make_round (sim_t *sim, bool retries)
{
    for (uint32_t i = 0; sim_workloads[i]; i++)
        if (sim_workloads[i]->ending && sim_has (sim, sim_workloads[i]))
            sim_workloads[i]->ending (sim);
    operator_end (sim, retries);
    clients_push (sim);
    sim_settle (sim);
}

/*  Time passes from one due thing to the next, until all calls are answered and nothing is due. */
static void
come_to_rest (sim_t *sim)
{
    uint64_t until = world_now (sim->world) + REST_MS, next_round = 0;
    for (uint32_t i = 0; i < REST_STEPS; i++) {
        sim->step += 1;
        sim_settle (sim);
        uint64_t now = world_now (sim->world), due = nodes_next_due (sim);
        if (now >= next_round) {
            make_round (sim, now + REST_MS > until + UNTOUCHED_MS);
            next_round = now + ROUND_MS;
            now = world_now (sim->world);
            due = nodes_next_due (sim);
        }
        if (now >= until)
            break;
        uint64_t next = due < next_round ? due : next_round;
        world_pass (sim->world, next > now ? next - now : 0);
        sim_note_time (sim);
    }
    if (world_now (sim->world) < until)
        sim_fail ("timers never end");
}

static void
check_requests (const sim_t *sim)
{
    for (const request_t *request = sim->requests; request; request = request->next)
        if (!request->is_final && !request->is_unknown)
            sim_fail ("client %u, call %llu, %s of %s has no answer", request->client,
                      (unsigned long long) request->seq, request->verb, request->to);
}

static void
check_all (sim_t *sim)
{
    checks_quiet (sim);
    check_requests (sim);
    for (uint32_t i = 0; sim_workloads[i]; i++)
        if (sim_has (sim, sim_workloads[i]))
            sim_workloads[i]->check (sim);
}

/*  Calls that come all at once may be too many bytes for the door: then some come again. */
static void
make_last_calls (sim_t *sim)
{
    for (uint32_t i = 0; sim_workloads[i]; i++)
        if (sim_workloads[i]->last && sim_has (sim, sim_workloads[i]))
            sim_workloads[i]->last (sim);
    sim_settle (sim);
    for (uint32_t i = 0; i < LAST_ROUNDS && sim->waiting; i++) {
        world_pass (sim->world, LAST_ROUND_MS);
        sim_note_time (sim);
        clients_push (sim);
        sim_settle (sim);
    }
}

/*  Behind the closed door all that was accepted comes to rest; then the disk gets larger, and calls are taken again. */
static void
enlarge_disks (sim_t *sim)
{
    if (!sim->profile.volume_bytes)
        return;
    if (sim_must_have_room (sim))
        sim_settle (sim);
    sim_note (sim, "no bound", world_room (sim->world), world_has_ballast (sim->world), 0, NULL);
    world_set_volume (sim->world, 0);
}

/*  All is as it was after one more end of the process, and nothing is left over. */
static void
check_for_good (sim_t *sim)
{
    for (uint32_t i = 0; i < sim->profile.nodes; i++) {
        sim_enter (sim, i);
        sim_halt (sim, true);
        sim_boot (sim);
    }
    sim_settle (sim);
    operator_flush (sim);
    sim_settle (sim);
    check_all (sim);
    checks_left (sim);
}

static void
finish (sim_t *sim)
{
    end_faults (sim);
    enlarge_disks (sim);
    come_to_rest (sim);
    make_last_calls (sim);
    check_all (sim);
    check_for_good (sim);
    if (restore_one (sim)) {
        come_to_rest (sim);
        check_all (sim);
        check_for_good (sim);
    }
}

/* ------------------------------------------------------------------ *
 *  A run
 * ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    profile_t *profile = &sim->profile;
    world_options_t options = { .seed = sim->seed };
    profile_roll (profile, &sim->dice);
    nodes_roll (sim);
    profile_roll_volume (sim);
    options.shards = profile->shards;
    options.limits = profile->limits;
    options.segment_size = profile->segment_size;
    options.spare_segments = profile->spare_segments;
    options.volume_bytes = profile->volume_bytes;
    options.soft_room_bytes = profile->soft_room_bytes;
    options.ballast_bytes = profile->ballast_bytes;
    memcpy (options.weights, profile->weights, sizeof options.weights);
    options.meanwhile_most = profile->meanwhile_most;
    options.fold_changes = profile->fold_changes;
    options.faults = profile->faults;
    if (sim_has (sim, &workload_remote)) {
        options.remote = &sim_remote_port;
        options.remote_kinds = sim_remote_kinds;
    }
    checks_begin (sim);
    checks_watch (sim, &options.watch);
    nodes_begin (sim, &options);
    clients_begin (sim);
    for (uint32_t i = 0; sim_workloads[i]; i++)
        if (sim_workloads[i]->begin)
            sim_workloads[i]->begin (sim);
    sim->newest_ms = sim->noted_ms = world_now (sim->world);
    for (uint32_t i = 0; i < profile->nodes; i++) {
        sim_enter (sim, i);
        sim->node->version = profile->nodes > 1 && !profile->upgrade_in ? SIM_KIND_VERSIONS : 1;
        sim_boot (sim);
    }
}

void
sim_run (sim_t *sim, uint64_t seed, bool verbose)
{
    *sim = (sim_t) { .seed = seed, .is_verbose = verbose, .dice = dice_of (hash_mix (seed, 1)) };
    sim->node = sim->nodes;
    sim->trace = calloc (TRACE_KEPT, sizeof *sim->trace);
    CHECK (sim->trace);
    sim_now = sim;
    begin (sim);
    for (uint32_t i = 0; i < sim->profile.steps; i++)
        step (sim);
    finish (sim);
    nodes_count (sim);
}

void
sim_clear (sim_t *sim)
{
    nodes_clear (sim);
    clients_clear (sim);
    checks_clear (sim);
    free (sim->trace);
    sim->trace = NULL;
    sim_now = NULL;
}
