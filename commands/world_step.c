/*  world_step.c - what happens next in a world.
 *
 *  DESIGN
 *  Of all that could happen now one thing is chosen by dice. What waits for time
 *  alone is not among it: the caller moves the clock, or a step now and then. The
 *  checkpoint may run at any time, so it has dice of its own, or it would
 *  always run when nothing else can and no frame would ever wait for long.
 */
#include "commands/world_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#define FULL_RETRY_MS 20       /* between two tries of the journal on a full disk */
#define CLOCK_STEP_MS 4        /* most that passes in one step */
#define NO_MEMORY_AFTER 40     /* allocations, at most */
#define CHECKPOINT_ONCE_IN 40  /* steps, by default */
#define SHORT_ONCE_IN 10       /* when the disk has little room */

/* ------------------------------------------------------------------ *
 *  What can happen
 * ------------------------------------------------------------------ */

static bool
must_step (const world_t *self, uint32_t shard)
{
    return self->shards[shard] && (self->is_ready[shard] || shard_next_due (self->shards[shard]) <= *self->clock);
}

static void
step_shard (world_t *self, uint32_t number)
{
    shard_t *shard = self->shards[number];
    self->is_ready[number] = false;
    if (dice_once_in (&self->dice, self->options.faults.no_memory_in)) {
        shard_starve (shard);
        memory_fail_after (1 + dice_roll (&self->dice, NO_MEMORY_AFTER));
    }
    if (shard_step (shard, *self->clock, recorder_slot (self->recorder, 0)))
        self->is_ready[number] = true;
    memory_fail_after (0);
    troupe_error_t error;
    const char *text;
    error.status = shard_failure (shard, &text);
    if (error.status != TROUPE_OK && self->is_up) {
        error_set (&error, error.status, "%s", text);
        world_fail (self, &error);
    }
}

static bool
can_commit (const world_t *self)
{
    return self->submitted > self->durable && !(self->is_full && *self->clock < self->retry_ms);
}

static void
commit (world_t *self)
{
    troupe_error_t error = { 0 };
    uint32_t frames = 0;
    self->within |= WITHIN_COMMIT;
    troupe_status_t status = journal_commit (self->journal, &frames, &error);
    self->within &= ~(uint32_t) WITHIN_COMMIT;
    self->durable += frames;
    self->is_full = status == TROUPE_FULL;
    if (self->is_full)
        self->retry_ms = *self->clock + FULL_RETRY_MS;
    else if (status != TROUPE_OK)
        world_fail (self, &error);
    world_set_door (self, DOOR_FULL, self->is_full);
    world_look_at_room (self);
}

static void
fold (world_t *self)
{
    troupe_error_t error = { 0 };
    bool had_ballast = world_has_ballast (self);
    self->counts.folds += 1;
    self->within |= WITHIN_FOLD;
    troupe_status_t status = room_fold (&self->volume.room, self->journal, self->checkpoint, &error);
    self->within &= ~(uint32_t) WITHIN_FOLD;
    if (status != TROUPE_OK && status != TROUPE_FULL)
        world_fail (self, &error);
    if (status == TROUPE_FULL && self->options.watch.lacked_room)
        self->options.watch.lacked_room (self->options.watch.self, had_ballast);
    world_look_at_room (self);
}

bool
world_has_unfolded (const world_t *self)
{
    for (uint32_t i = 0; i < self->shard_count; i++)
        if (self->durable_frame[i] > self->folded_frame[i])
            return true;
    return false;
}

void
world_post (world_t *self, uint16_t to, letter_t *letter)
{
    if (shard_post (self->shards[to], letter))
        self->is_ready[to] = true;
}

static bool
cut_end (world_t *self, uint16_t at, uint16_t from)
{
    link_note_t *note = memory_zalloc (sizeof *note);
    if (!note)
        return false;
    note->letter.type = LETTER_CUT;
    note->from = from;
    world_post (self, at, &note->letter);
    return true;
}

void
world_cut (world_t *self, uint16_t one, uint16_t other)
{
    if (!self->is_up || one == other || !world_has (self, one) || !world_has (self, other))
        return;
    world_clear_path (self, one, other);
    world_clear_path (self, other, one);
    self->counts.cuts += 1;
    CHECK (cut_end (self, one, other) && cut_end (self, other, one));
}

static void
deliver (world_t *self, uint32_t which)
{
    uint16_t from = (uint16_t) (which / WORLD_SHARDS_MAX), to = (uint16_t) (which % WORLD_SHARDS_MAX);
    if (dice_once_in (&self->dice, self->options.faults.cut_in)) {
        world_cut (self, from, to);
        return;
    }
    path_t *path = &self->paths[which];
    letter_t *letter = path->first;
    path->first = letter->next;
    if (!path->first)
        path->last = NULL;
    self->letters -= 1;
    self->counts.letters += 1;
    world_post (self, to, letter);
}

/* ------------------------------------------------------------------ *
 *  Choosing
 * ------------------------------------------------------------------ */

static uint32_t
count_ready (const world_t *self)
{
    uint32_t ready = 0;
    for (uint32_t i = 0; i < self->shard_count; i++)
        ready += must_step (self, i);
    return ready;
}

static uint32_t
count_paths (const world_t *self)
{
    uint32_t used = 0;
    for (uint32_t i = 0; self->letters && i < self->shard_count * WORLD_SHARDS_MAX; i++)
        used += self->paths[i].first != NULL;
    return used;
}

static uint32_t
nth_ready (const world_t *self, uint64_t nth)
{
    for (uint32_t i = 0;; i++)
        if (must_step (self, i) && nth-- == 0)
            return i;
}

static uint32_t
nth_path (const world_t *self, uint64_t nth)
{
    for (uint32_t i = 0;; i++)
        if (self->paths[i].first && nth-- == 0)
            return i;
}

static void
act (world_t *self, world_action_t action, uint32_t which, uint64_t detail)
{
    self->counts.steps += 1;
    if (self->options.watch.acted)
        self->options.watch.acted (self->options.watch.self, action, which, detail);
    switch (action) {
    case WORLD_SHARD:
        step_shard (self, which);
        break;
    case WORLD_COMMIT:
        commit (self);
        break;
    case WORLD_CHECKPOINT:
        fold (self);
        break;
    case WORLD_DELIVER:
        deliver (self, which);
        break;
    case WORLD_TICK:
        world_tick_roads (self);
        break;
    case WORLD_CLOCK:
    case WORLD_ACTIONS:
        world_pass (self, detail);
        break;
    }
}

static uint64_t
weight (const world_t *self, world_action_t action)
{
    return self->options.weights[action] ? self->options.weights[action] : 1;
}

/*  Chooses among what the threads of a node could do next; the clock moves only while
 *  something else could happen as well. False: nothing. */
static bool
choose (world_t *self, bool commits_too)
{
    uint32_t ready = count_ready (self), paths = count_paths (self);
    uint64_t shards = ready ? weight (self, WORLD_SHARD) * ready : 0;
    uint64_t commits = commits_too && can_commit (self) ? weight (self, WORLD_COMMIT) : 0;
    uint64_t letters = paths ? weight (self, WORLD_DELIVER) * paths : 0;
    uint64_t ticks = world_roads_due (self) <= *self->clock;
    if (shards + commits + letters + ticks == 0)
        return false;
    uint64_t fallen = dice_roll (&self->dice, shards + commits + letters + ticks + weight (self, WORLD_CLOCK));
    if (fallen < shards)
        act (self, WORLD_SHARD, nth_ready (self, fallen % ready), 0);
    else if ((fallen -= shards) < commits)
        act (self, WORLD_COMMIT, 0, self->submitted - self->durable);
    else if ((fallen -= commits) < letters)
        act (self, WORLD_DELIVER, nth_path (self, fallen % paths), 0);
    else if (fallen - letters < ticks)
        act (self, WORLD_TICK, 0, 0);
    else
        act (self, WORLD_CLOCK, 0, 1 + dice_roll (&self->dice, CLOCK_STEP_MS));
    return true;
}

void
world_meanwhile (world_t *self)
{
    for (uint64_t i = dice_roll (&self->dice, self->options.meanwhile_most + 1); i > 0 && self->is_up; i--)
        choose (self, !(self->within & WITHIN_COMMIT));
}

bool
world_step (world_t *self)
{
    uint32_t fold_once_in = self->options.weights[WORLD_CHECKPOINT];
    if (!self->is_up)
        return false;
    if (fold_once_in == 0)
        fold_once_in = CHECKPOINT_ONCE_IN;
    if (self->door & DOOR_SHORT && fold_once_in > SHORT_ONCE_IN)
        fold_once_in = SHORT_ONCE_IN;
    if (world_has_unfolded (self) && dice_once_in (&self->dice, fold_once_in)) {
        act (self, WORLD_CHECKPOINT, 0, 0);
        return true;
    }
    return choose (self, true);
}

bool
world_settle (world_t *self, uint64_t most)
{
    for (; most && self->is_up; most--) {
        if (world_step (self))
            continue;
        if (!world_has_unfolded (self))
            return true;
        act (self, WORLD_CHECKPOINT, 0, 0);
    }
    return false;
}

uint64_t
world_next_due (const world_t *self)
{
    uint64_t earliest = UINT64_MAX;
    for (uint32_t i = 0; self->is_up && i < self->shard_count; i++) {
        uint64_t due = self->shards[i] ? shard_next_due (self->shards[i]) : UINT64_MAX;
        earliest = due < earliest ? due : earliest;
    }
    if (self->is_up && world_roads_due (self) < earliest)
        earliest = world_roads_due (self);
    if (self->is_full && self->retry_ms < earliest)
        earliest = self->retry_ms;
    return earliest;
}

bool
world_is_quiet (const world_t *self)
{
    if (!self->is_up || self->letters || self->must_forward || self->submitted > self->durable)
        return false;
    for (uint32_t i = 0; i < self->shard_count; i++)
        if (self->shards[i] && !shard_is_quiet (self->shards[i]))
            return false;
    return true;
}

bool
world_is_full (const world_t *self)
{
    return self->is_full;
}
