/*  world.c - a whole node on one thread, in simulated time: for tests.
 *
 *  DESIGN
 *  What outlives the process (disk, state, flight recorder, clock) and what dies
 *  with it (shards, journal, checkpoint, letters on their way) are kept apart:
 *  a halt frees the second and nothing else. Threads of the real node become
 *  things that may happen next; each is asked for only when its contract says
 *  that somebody was woken, so that a wake that the runtime forgot shows as a
 *  world that stands still with work undone.
 *
 *  Roads between shards are queues, as between threads or over TCP: in order,
 *  nothing lost, until a road breaks; then all on it is gone and both ends hear of
 *  it. Nothing here looks at a real clock or real dice.
 */
#include "commands/world_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#define FIRST_WALL_MS 1700000000000u
#define SLICE_LOOK_MOST_NS 3000000u  /* that pass from one look at the clock to the next */

/* ------------------------------------------------------------------ *
 *  The machine
 * ------------------------------------------------------------------ */

static void make_port (world_t *self);

world_t *
world_new (const world_options_t *options, troupe_error_t *error)
{
    CHECK (options->shards >= 1 && options->shards <= WORLD_SHARDS_MAX);
    world_t *self = memory_zalloc (sizeof *self);
    if (self) {
        self->options = *options;
        self->shard_count = options->shards;
        self->salt = options->cluster ? hash_mix (options->seed, options->cluster->self + 1u) : options->seed;
        self->dice = dice_of (self->salt);
        self->own_clock_ms = FIRST_WALL_MS + dice_roll (&self->dice, 86400000);
        self->clock = options->clock ? options->clock : &self->own_clock_ms;
        self->disk = disk_memory_new ();
        self->state = state_memory_new (options->shards, options->seed);
        self->recorder = recorder_new (NULL, 1, error);
    }
    if (!self || !self->disk || !self->state || !self->recorder) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for a world");
        world_destroy (&self);
    } else {
        if (options->cluster)
            state_memory_place_by (self->state, cluster_hash_seed (options->cluster));
        make_port (self);
        world_make_volume (self);
    }
    return self;
}

void
world_set_faults (world_t *self, const world_faults_t *faults)
{
    self->options.faults = *faults;
}

void
world_destroy (world_t **self_p)
{
    world_t *self = *self_p;
    if (!self)
        return;
    world_halt (self, false);
    recorder_destroy (&self->recorder);
    state_memory_destroy (&self->state);
    disk_memory_destroy (&self->disk);
    memory_free (self);
    *self_p = NULL;
}

void
world_fail (world_t *self, const troupe_error_t *error)
{
    if (self->failure.status == TROUPE_OK)
        self->failure = *error;
    self->is_up = false;
}

bool
world_is_up (const world_t *self)
{
    return self->is_up;
}

troupe_status_t
world_failure (const world_t *self, const char **text)
{
    *text = self->failure.text;
    return self->failure.status;
}

void
world_pass (world_t *self, uint64_t ms)
{
    *self->clock += ms;
}

void
world_set_clock (world_t *self, uint64_t wall_ms)
{
    *self->clock = wall_ms;
}

uint64_t
world_now (const world_t *self)
{
    return *self->clock;
}

/* ------------------------------------------------------------------ *
 *  What the shards and the journal ask of the world around them
 * ------------------------------------------------------------------ */

static void
on_submit (void *self_, frame_t *frame)
{
    world_t *self = self_;
    if (!self->is_up)
        return;
    if (self->options.watch.submitted)
        self->options.watch.submitted (self->options.watch.self, frame);
    self->submitted += 1;
    self->counts.frames += 1;
    journal_submit (self->journal, frame);
}

static uint16_t
sender_of (const letter_t *letter)
{
    return letter->type == LETTER_PARCEL ? ((const parcel_t *) letter)->from : ((const link_note_t *) letter)->from;
}

static void
on_carry (void *self_, uint16_t to, letter_t *letter)
{
    world_t *self = self_;
    uint16_t from = sender_of (letter);
    CHECK (from < self->shard_count && to < self->shard_count);
    if (!self->is_up) {
        memory_free (letter);
        return;
    }
    if (self->options.watch.carried)
        self->options.watch.carried (self->options.watch.self, from, to, letter);
    if (!world_has (self, to)) {
        world_send_away (self, to, letter);
        return;
    }
    path_t *path = &self->paths[from * WORLD_SHARDS_MAX + to];
    letter->next = NULL;
    if (path->last)
        path->last->next = letter;
    else
        path->first = letter;
    path->last = letter;
    self->letters += 1;
}

static void
on_published (void *self_, uint16_t shard, const char *address, const char *channel, uint64_t offset,
              const char *key, const void *body, size_t size)
{
    world_t *self = self_;
    if (!self->is_up)
        return;
    if (self->options.watch.published)
        self->options.watch.published (self->options.watch.self, shard, address, channel, offset, key, body, size);
    if (self->forward && forward_is_watched (self->forward, address, channel))
        forward_published (self->forward, address, channel, offset, key, body, size);
}

static void
park_kind (void *kind, shard_t *shard)
{
    if (shard)
        shard_park_kind (shard, (uint16_t) (uintptr_t) kind);
}

static void
on_runaway (void *self_, uint16_t kind)
{
    world_t *self = self_;
    self->counts.runaways += 1;
    for (uint32_t i = 0; i < self->shard_count; i++)
        if (world_has (self, (uint16_t) i))
            world_errand (self, (uint16_t) i, park_kind, (void *) (uintptr_t) kind);
}

static void
on_taken (void *self_, uint16_t shard, uint64_t frame)
{
    world_t *self = self_;
    shard_taken (self->shards[shard], frame);
    self->is_ready[shard] = true;
    world_meanwhile (self);
}

static void
on_durable (void *self_, uint16_t shard, uint64_t frame)
{
    world_t *self = self_;
    if (self->options.watch.durable)
        self->options.watch.durable (self->options.watch.self, shard, frame);
    self->durable_frame[shard] = frame;
    shard_durable (self->shards[shard], frame);
    self->is_ready[shard] = true;
}

static void
on_folded (void *self_, uint16_t shard, uint64_t frame)
{
    world_t *self = self_;
    if (self->options.watch.folded)
        self->options.watch.folded (self->options.watch.self, shard, frame);
    self->folded_frame[shard] = frame;
    shard_folded (self->shards[shard], frame);
    self->is_ready[shard] = true;
    world_meanwhile (self);
}

/* ------------------------------------------------------------------ *
 *  The state, as the process sees it
 * ------------------------------------------------------------------ */

static const state_identity_t *
port_identity (void *self_)
{
    const world_t *self = self_;
    return self->state->identity (self->state->self);
}

static void
port_marks (void *self_, state_mark_t *marks)
{
    const world_t *self = self_;
    self->state->marks (self->state->self, marks);
}

static state_view_t *
port_view_new (void *self_, uint16_t shard)
{
    const world_t *self = self_;
    return self->state->view_new (self->state->self, shard);
}

/*  Shards run and the journal commits while the tree is written; they see the old tree or the new. */
static troupe_status_t
port_fold (void *self_, const state_change_t *changes, size_t count, const state_mark_t *marks,
           troupe_error_t *error)
{
    world_t *self = self_;
    world_meanwhile (self);
    if (dice_once_in (&self->dice, self->options.faults.no_room_in))
        return error_set (error, TROUPE_FULL, "no room for the state");
    troupe_status_t status = world_take_room (self, changes, count, error);
    if (status == TROUPE_OK)
        status = self->state->fold (self->state->self, changes, count, marks, error);
    world_meanwhile (self);
    return status;
}

static void
make_port (world_t *self)
{
    self->port = *self->state;
    self->port.self = self;
    self->port.identity = port_identity;
    self->port.marks = port_marks;
    self->port.view_new = port_view_new;
    self->port.fold = port_fold;
}

/* ------------------------------------------------------------------ *
 *  The process begins
 * ------------------------------------------------------------------ */

static troupe_status_t
make_registry (world_t *self, const troupe_kind_t *const *kinds, troupe_error_t *error)
{
    self->registry = registry_new ();
    if (!self->registry)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for a registry");
    for (; *kinds; kinds++) {
        troupe_status_t status = registry_add (self->registry, *kinds, error);
        if (status != TROUPE_OK)
            return status;
    }
    const troupe_kind_t *const *remote = self->options.remote_kinds;
    for (; remote && *remote; remote++) {
        troupe_status_t status = registry_add_remote (self->registry, *remote, REMOTE_ATTEMPT_MS, error);
        if (status != TROUPE_OK)
            return status;
    }
    return TROUPE_OK;
}

/*  Some turns are slow, so that slices end early. */
static uint64_t
slice_clock_ns (void *self_)
{
    world_t *self = self_;
    self->slices_ns += hash_mix (self->salt, ++self->slice_looks) % SLICE_LOOK_MOST_NS;
    return self->slices_ns;
}

static troupe_status_t
make_shards (world_t *self, troupe_error_t *error)
{
    shard_options_t options = {
        .registry = self->registry,
        .state = &self->port,
        .world = { .self = self, .submit = on_submit, .carry = on_carry, .published = on_published,
                   .runaway = on_runaway, .clock_ns = slice_clock_ns },
        .limits = self->options.limits,
        .boot = hash_mix (self->salt, self->counts.boots),
        .recorder = self->recorder,
        .remote = self->options.remote
    };
    for (uint32_t i = 0; i < self->shard_count; i++) {
        if (!world_has (self, (uint16_t) i))
            continue;
        options.number = i;
        self->shards[i] = shard_new (&options, error);
        if (!self->shards[i])
            return error->status;
        self->is_ready[i] = true;
    }
    return TROUPE_OK;
}

static troupe_status_t
make_journal (world_t *self, troupe_error_t *error)
{
    journal_options_t options = {
        .segment_size = self->options.segment_size ? self->options.segment_size : 65536,
        .spare_segments = self->options.spare_segments,
        .salt_seed = hash_mix (self->salt, self->counts.boots + 1000),
        .on_taken = on_taken,
        .on_durable = on_durable,
        .arg = self
    };
    self->journal = journal_new (self->disk, self->state->identity (self->state->self), &options, error);
    if (!self->journal)
        return error->status;
    self->checkpoint = checkpoint_new (self->journal, &self->port, on_folded, self);
    if (!self->checkpoint)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for a checkpoint");
    uint32_t most = self->options.fold_changes;
    checkpoint_pace_t pace = { .most_changes = most ? most : CHECKPOINT_CHANGES };
    checkpoint_set_pace (self->checkpoint, &pace);
    return TROUPE_OK;
}

static troupe_status_t
replay (void *self_, frame_t *frame)
{
    world_t *self = self_;
    if (self->options.watch.replayed)
        self->options.watch.replayed (self->options.watch.self, frame);
    self->durable_frame[frame->shard] = frame->number;
    return shard_replay (self->shards[frame->shard], frame, &self->failure);
}

static troupe_status_t
recover (world_t *self, troupe_error_t *error)
{
    state_mark_t marks[WORLD_SHARDS_MAX];
    self->state->marks (self->state->self, marks);
    for (uint32_t i = 0; i < self->shard_count; i++)
        self->durable_frame[i] = self->folded_frame[i] = marks[i].frame;
    return room_recover (&self->volume.room, self->journal, marks, self->shard_count, replay, self, error);
}

/*  As a node does: time goes on from the newest frame. */
static void
take_up_time (world_t *self)
{
    for (uint32_t i = 0; i < self->shard_count; i++) {
        uint64_t time_ms = self->shards[i] ? shard_time_ms (self->shards[i]) : 0;
        *self->clock = time_ms > *self->clock ? time_ms : *self->clock;
    }
}

static troupe_status_t
start_shards (world_t *self, troupe_error_t *error)
{
    take_up_time (self);
    for (uint32_t i = 0; i < self->shard_count; i++) {
        troupe_status_t status = self->shards[i] ? shard_start (self->shards[i], *self->clock, error) : TROUPE_OK;
        if (status != TROUPE_OK)
            return status;
    }
    return TROUPE_OK;
}

troupe_status_t
world_boot (world_t *self, const troupe_kind_t *const *kinds, troupe_error_t *error)
{
    troupe_error_t unheard;
    error = error ? error : &unheard;
    CHECK (!self->journal && !self->registry);
    self->counts.boots += 1;
    self->failure.status = TROUPE_OK;
    self->is_up = true;
    troupe_status_t status = make_registry (self, kinds, error);
    if (status == TROUPE_OK)
        status = make_journal (self, error);
    if (status == TROUPE_OK)
        status = make_shards (self, error);
    if (status == TROUPE_OK)
        status = recover (self, error);
    if (status == TROUPE_OK)
        status = world_open_roads (self, error);
    if (status == TROUPE_OK)
        status = start_shards (self, error);
    if (status == TROUPE_OK)
        world_look_at_room (self);
    else
        world_halt (self, false);
    return status;
}

/* ------------------------------------------------------------------ *
 *  The process ends
 * ------------------------------------------------------------------ */

void
world_clear_path (world_t *self, uint16_t from, uint16_t to)
{
    path_t *path = &self->paths[from * WORLD_SHARDS_MAX + to];
    for (letter_t *letter = path->first, *next; letter; letter = next) {
        next = letter->next;
        memory_free (letter);
        self->letters -= 1;
    }
    *path = (path_t) { NULL, NULL };
}

static uint64_t
turns_of (const world_t *self)
{
    uint64_t turns = 0;
    for (uint32_t i = 0; i < self->shard_count; i++)
        turns += self->shards[i] ? counter_get (&shard_metrics (self->shards[i])->turns) : 0;
    return turns;
}

static void
keep_suspect (void *arg, const recorder_suspect_t *suspect)
{
    world_t *self = arg;
    if (self->suspect_count < WORLD_SUSPECTS_MAX)
        self->suspects[self->suspect_count++] = *suspect;
}

/*  A dead process forgives nobody. The shard goes on to the end of its step and does: so the
 *  strikes are kept as they are now, and put back when the process has ended. */
void
world_die_in_handler (world_t *self, int signal)
{
    recorder_slot_t *slot = recorder_slot (self->recorder, 0);
    recorder_suspect_t suspect = { .message = atomic_load (&slot->message), .signal = signal };
    if (!self->is_up)
        return;
    CHECK (suspect.message);
    const char *address = atomic_load (&slot->address), *verb = atomic_load (&slot->verb);
    memcpy (suspect.address, address, strnlen (address, sizeof suspect.address - 1));
    memcpy (suspect.verb, verb, strnlen (verb, sizeof suspect.verb - 1));
    recorder_strike (self->recorder, &suspect);
    self->suspect_count = 0;
    recorder_each (self->recorder, keep_suspect, self);
    self->counts.deaths_in_handlers += 1;
    troupe_error_t error;
    error_set (&error, TROUPE_FAILED, "signal %d in a handler of %s", signal, suspect.address);
    world_fail (self, &error);
}

static void
restore_strikes (world_t *self)
{
    for (uint32_t i = 0; i < self->suspect_count; i++) {
        const recorder_suspect_t *kept = &self->suspects[i], *now = recorder_find (self->recorder, kept->message);
        for (uint32_t strikes = now ? now->strikes : 0; strikes < kept->strikes; strikes++)
            recorder_strike (self->recorder, kept);
    }
    self->suspect_count = 0;
}

void
world_halt (world_t *self, bool power)
{
    self->is_up = false;
    self->counts.halts += self->journal != NULL;
    self->counts.turns += turns_of (self);
    for (uint32_t from = 0; from < self->shard_count; from++)
        for (uint32_t to = 0; to < self->shard_count; to++)
            world_clear_path (self, from, to);
    world_close_roads (self);
    checkpoint_destroy (&self->checkpoint);
    journal_destroy (&self->journal);
    for (uint32_t i = 0; i < self->shard_count; i++)
        shard_destroy (&self->shards[i]);
    world_close_forward (self);
    registry_destroy (&self->registry);
    restore_strikes (self);
    self->submitted = self->durable = self->within = 0;
    self->is_full = false;
    self->door = 0;
    disk_memory_crash (self->disk, dice_next (&self->dice), !power);
    state_memory_revive (self->state);
}

/* ------------------------------------------------------------------ *
 *  From outside
 * ------------------------------------------------------------------ */

void
world_remote_outcome (world_t *self, const char *address, const remote_token_t *token,
                      const remote_outcome_t *outcome)
{
    uint16_t shard;
    remote_letter_t *letter = self->is_up ? remote_letter_new (address, token, outcome) : NULL;
    if (letter && world_shard_of (self, address, &shard, NULL) == TROUPE_OK)
        world_post (self, shard, &letter->letter);
    else
        memory_free (letter);
}

troupe_status_t
world_shard_of (const world_t *self, const char *address, uint16_t *shard, troupe_error_t *error)
{
    address_t parsed;
    troupe_status_t status = address_parse (address, strlen (address), &parsed, error);
    if (status == TROUPE_OK)
        *shard = address_shard (&parsed, self->state->identity (self->state->self)->hash_seed, self->shard_count);
    return status;
}

/*  Stands between a call and its caller, who hears nothing from a dead process. */
typedef struct {
    world_t *world;
    troupe_done_t *done;
    void *arg;
} waiting_t;

static void
on_done (void *arg, const troupe_answer_t *answer)
{
    waiting_t waiting = *(waiting_t *) arg;
    memory_free (arg);
    if (waiting.world->is_up && waiting.done)
        waiting.done (waiting.arg, answer);
}

/*  As the node does it: a session's call keeps its id over a restart. */
static uint64_t
call_id (world_t *self, const troupe_call_t *call)
{
    static const uint8_t none[16];
    uint64_t id = memcmp (call->session, none, 16)
                      ? hash_mix (hash_bytes (call->session, 16, 0), call->seq)
                      : hash_mix (hash_mix (self->salt, self->counts.boots), ++self->call_ids);
    return id ? id : 1;
}

troupe_status_t
world_call (world_t *self, const troupe_call_t *call, uint16_t shard, troupe_error_t *error)
{
    call_t *letter = call_new (call, call_id (self, call));
    if (!letter)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for a call");
    world_post (self, shard, &letter->letter);
    return TROUPE_OK;
}

troupe_status_t
world_submit (world_t *self, const troupe_call_t *call, troupe_error_t *error)
{
    uint16_t shard;
    if (!self->is_up)
        return error_set (error, TROUPE_STOPPING, "the process is down");
    troupe_status_t status = world_shard_of (self, call->to, &shard, error);
    if (status != TROUPE_OK)
        return status;
    waiting_t *waiting = memory_alloc (sizeof *waiting);
    if (!waiting)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for a call");
    troupe_call_t asked = *call;
    asked.done = on_done;
    asked.arg = waiting;
    *waiting = (waiting_t) { self, call->done, call->arg };
    status = world_has (self, shard) ? world_call (self, &asked, shard, error)
                                     : world_forward_call (self, &asked, shard, error);
    if (status != TROUPE_OK)
        memory_free (waiting);
    return status;
}

typedef struct {
    errand_t errand;
    world_errand_t *run;
    void *arg;
} world_errand_letter_t;

static void
run_errand (struct shard_s *shard, errand_t *errand)
{
    world_errand_letter_t letter = *(world_errand_letter_t *) errand;
    memory_free (errand);
    letter.run (letter.arg, shard);
}

void
world_errand (world_t *self, uint16_t shard, world_errand_t *run, void *arg)
{
    world_errand_letter_t *letter = self->is_up ? memory_zalloc (sizeof *letter) : NULL;
    if (!letter) {
        run (arg, NULL);
        return;
    }
    letter->errand.letter.type = LETTER_ERRAND;
    letter->errand.run = run_errand;
    letter->run = run;
    letter->arg = arg;
    world_post (self, shard, &letter->errand.letter);
}

void
world_set_door (world_t *self, unsigned reason, bool is_closed)
{
    bool was_closed = self->door;
    self->door = is_closed ? self->door | reason : self->door & ~reason;
    bool closes = self->door;
    for (uint32_t i = 0; closes != was_closed && i < self->shard_count; i++)
        if (self->shards[i])
            shard_close_door (self->shards[i], closes ? TROUPE_OVERLOADED : TROUPE_OK, "the door is closed");
}

void
world_close_door (world_t *self, bool closes)
{
    world_set_door (self, DOOR_ASKED, closes);
}

const registry_t *
world_registry (const world_t *self)
{
    return self->registry;
}

uint32_t
world_shards (const world_t *self)
{
    return self->shard_count;
}

bool
world_has (const world_t *self, uint16_t shard)
{
    return !self->options.cluster || cluster_is_mine (self->options.cluster, shard);
}

shard_t *
world_shard (world_t *self, uint16_t number)
{
    return self->shards[number];
}

disk_t *
world_disk (world_t *self)
{
    return self->disk;
}

state_port_t *
world_state (world_t *self)
{
    return self->state;
}

recorder_t *
world_recorder (world_t *self)
{
    return self->recorder;
}

dice_t *
world_dice (world_t *self)
{
    return &self->dice;
}

world_counts_t
world_counts (const world_t *self)
{
    world_counts_t counts = self->counts;
    counts.turns += turns_of (self);
    return counts;
}
