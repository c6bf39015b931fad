/*  node_wiring.c - the callbacks between the parts of a node, and its door.
 *
 *  DESIGN
 *  Everything here is called by a part of the node on that part's thread, and
 *  ends soon: a watermark is raised, a shard is scheduled, a line is logged.
 *  A shard that hears that its frame was taken has something to do only when it
 *  waits with the next one: that is worth a look, not a wake.
 *
 *  The door has several locks (a full disk, little room, the stop): each is a
 *  bit, and calls come in when all are open.
 *
 *  What cannot go on ends the process here, whatever thread noticed it.
 */
#include "commands/node_parts.h"

#include "commands/exit.h"
#include "commands/log.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <stdio.h>
#include <unistd.h>

#define SUSPECTED_MS 60000   /* after a start */
#define SHORT_STEP_TURNS 32  /* a frame sealed before so many turns closes its step */

/* ------------------------------------------------------------------ *
 *  The end of the process
 * ------------------------------------------------------------------ */

/*  The disk, or a thread of the node, failed in a way that it cannot go on
 *  from. The first one says why; others who notice wait for the end here. */
_Noreturn static void
end_process (troupe_t *self, const troupe_error_t *why)
{
    int code = EXIT_INTERNAL;
    while (atomic_exchange (&self->is_ending, true))
        pause ();
    bool is_read_only = why->status == TROUPE_FORBIDDEN;  /* so does a kernel answer an error on the disk */
    if (why->status == TROUPE_IO || why->status == TROUPE_CORRUPT || is_read_only) {
        code = EXIT_DISK;
        store_mark_broken (self->store, why->text);
    }
    log_error ("the node stops at once: %s", why->text);
    _exit (code);
}

static void
on_broken (void *arg, const troupe_error_t *error)
{
    end_process (arg, error);
}

/* ------------------------------------------------------------------ *
 *  The door
 * ------------------------------------------------------------------ */

static troupe_status_t
door_status (unsigned doors)
{
    return doors & DOOR_STOPPING ? TROUPE_STOPPING : doors ? TROUPE_OVERLOADED : TROUPE_OK;
}

static const char *
door_text (unsigned doors)
{
    return doors & DOOR_STOPPING ? "the node is stopping"
           : doors & DOOR_FULL   ? "the disk is full"
           : doors & DOOR_SHORT  ? "the disk has too little room (soft_room_bytes)"
           : doors & DOOR_QUOTA  ? "the store has reached its quota (store_bytes)"
                                 : "";
}

bool
node_set_door (troupe_t *self, unsigned bit, bool is_closed)
{
    pthread_mutex_lock (&self->lock);
    unsigned before = self->doors;
    self->doors = is_closed ? before | bit : before & ~bit;
    bool is_changed = self->doors != before;
    for (uint32_t i = 0; i < self->shards && is_changed; i++)
        shard_close_door (self->places[i].shard, door_status (self->doors), door_text (self->doors));
    pthread_mutex_unlock (&self->lock);
    return is_changed;
}

troupe_status_t
node_door (troupe_t *self)
{
    pthread_mutex_lock (&self->lock);
    troupe_status_t status = door_status (self->doors);
    pthread_mutex_unlock (&self->lock);
    return status;
}

/* ------------------------------------------------------------------ *
 *  What shards, journal and checkpoint are wired to
 * ------------------------------------------------------------------ */

/*  A frame that closes a short step can be committed by its worker after the
 *  step; in the middle of a long one the journal's thread must not wait for the end. */
static void
world_submit (void *arg, frame_t *frame)
{
    place_t *place = arg;
    troupe_t *self = place->node;
    uint64_t turns = counter_get (&shard_metrics (place->shard)->turns) - place->turns_before;
    committer_submit (self->committer, frame, turns < SHORT_STEP_TURNS && workers_has_me (self->workers));
}

static void
mark_quiet (place_t *place, bool is_quiet)
{
    troupe_t *self = place->node;
    pthread_mutex_lock (&self->lock);
    if (is_quiet != place->is_quiet) {
        place->is_quiet = is_quiet;
        self->unquiet += is_quiet ? -1u : 1u;
    }
    bool all = self->unquiet == 0;
    pthread_mutex_unlock (&self->lock);
    if (all)
        gate_open (&self->quiet);
}

static void
carry_away (troupe_t *self, uint16_t to, letter_t *letter)
{
    if (letter->type == LETTER_PARCEL)
        ((parcel_t *) letter)->to = to;
    else
        ((link_note_t *) letter)->to = to;
    self->away.carry (self->away.arg, letter);
}

/*  A shard that has nothing left to do ends its step: its worker looks at once
 *  for what is ready, and nobody else needs to be woken. */
static void
world_carry (void *arg, uint16_t to, letter_t *letter)
{
    place_t *from = arg;
    troupe_t *self = from->node;
    if (__builtin_expect (!node_has (self, to), 0)) {
        carry_away (self, to, letter);
        return;
    }
    place_t *place = &self->places[to];
    bool is_first = shard_post (place->shard, letter);
    bool is_stopping = node_state (self) == NODE_STOPPING;
    if (is_stopping)
        mark_quiet (place, false);
    if (is_first && !is_stopping && workers_has_me (self->workers) && shard_is_quiet (from->shard))
        workers_nudge (self->workers, to);
    else if (is_first || is_stopping)
        workers_schedule (self->workers, to);
}

static bool
world_is_watched (void *arg, const char *address, const char *channel)
{
    const troupe_t *node = ((place_t *) arg)->node;
    const node_listener_t *listener = &node->listener;
    return (listener->is_watched && listener->is_watched (listener->arg, address, channel))
           || (node->away.forward && forward_is_watched (node->away.forward, address, channel));
}

static void
world_published (void *arg, uint16_t shard, const char *address, const char *channel, uint64_t offset,
                 const char *key, const void *body, size_t size)
{
    (void) shard;
    const troupe_t *node = ((place_t *) arg)->node;
    const node_listener_t *listener = &node->listener;
    if (listener->published)
        listener->published (listener->arg, address, channel, offset, key, body, size);
    if (node->away.forward && forward_is_watched (node->away.forward, address, channel))
        forward_published (node->away.forward, address, channel, offset, key, body, size);
}

typedef struct {
    errand_t errand;
    uint16_t kind;
} park_t;

static void
park_kind (shard_t *shard, errand_t *errand)
{
    if (shard)
        shard_park_kind (shard, ((park_t *) errand)->kind);
    memory_free (errand);
}

static void
world_log (void *self, troupe_level_t level, const char *address, const char *verb, const char *trace, const char *text)
{
    (void) self;
    log_turn (level, address, verb, trace, text);
}

/*  A shard that gets no memory for its errand sees by itself when its own mail is too much. */
static void
world_runaway (void *arg, uint16_t kind)
{
    const place_t *place = arg;
    troupe_t *self = place->node;
    const char *name = registry_at (self->registry, kind)->name;
    log_error ("%s is parked: it sent most of the mail that waits in shard %u, which is too much (mail_bytes). "
               "Its own mail keeps; `troupe revive %s` lets it go on", name, place->number, name);
    for (uint32_t i = 0; i < self->shards; i++) {
        park_t *park = memory_zalloc (sizeof *park);
        if (!park)
            continue;
        *park = (park_t) { .errand = { .letter.type = LETTER_ERRAND, .run = park_kind }, .kind = kind };
        if (shard_post (self->places[i].shard, &park->errand.letter))
            workers_schedule (self->workers, i);
    }
}

static void
on_taken (void *arg, uint16_t shard, uint64_t frame)
{
    troupe_t *self = arg;
    shard_taken (self->places[shard].shard, frame);
    workers_nudge (self->workers, shard);
}

static void
on_durable (void *arg, uint16_t shard, uint64_t frame)
{
    troupe_t *self = arg;
    shard_durable (self->places[shard].shard, frame);
    workers_schedule (self->workers, shard);
    if (counter_get (&shard_metrics (self->places[shard].shard)->unfolded_bytes) > self->settings.unfolded_bytes / 2)
        checkpointer_urge (self->checkpointer);
}

static void
on_folded (void *arg, uint16_t shard, uint64_t frame)
{
    troupe_t *self = arg;
    shard_folded (self->places[shard].shard, frame);
    workers_schedule (self->workers, shard);
}

static void
on_committed (void *arg)
{
    checkpointer_committed (((troupe_t *) arg)->checkpointer);
}

static void
on_full (void *arg, bool is_full, const char *text)
{
    node_set_door (arg, DOOR_FULL, is_full);
    if (is_full)
        log_error ("calls are refused until there is space for the journal: %s", text);
    else
        log_warning ("there is space for the journal again");
}

static void
on_fold_full (void *arg, bool is_full, const char *text)
{
    (void) arg;
    if (is_full)
        log_error ("the checkpoint waits for space: %s", text);
    else
        log_warning ("the checkpoint has space again");
}

/*  The wall clock was set by a large amount: timers keep to the steady one. Messages that were in hand
 *  when the last process was killed and did not come back for long will not come. */
static void
look_at_clock (troupe_t *self)
{
    uint64_t steady_ms = steady_clock_ms (&self->clock), wall_ms = clock_wall_ms ();
    recorder_note_alive (self->recorder, steady_ms);
    if (recorder_has_suspects (self->recorder) && steady_ms > self->clock.wall_ms + SUSPECTED_MS)
        recorder_let_go (self->recorder);
    uint64_t apart_ms = steady_ms > wall_ms ? steady_ms - wall_ms : wall_ms - steady_ms;
    if (apart_ms > NODE_CLOCK_JUMP_MS && !self->has_told_clock) {
        self->has_told_clock = true;
        log_warning ("the wall clock was set by %llu s; the node keeps its own time until it is started again",
                     (unsigned long long) apart_ms / 1000);
    }
}

static bool
is_within_quota (troupe_t *self)
{
    uint64_t used = store_used_bytes (self->store), most = self->settings.store_bytes;
    bool is_over = most && used > most;
    if (node_set_door (self, DOOR_QUOTA, is_over)) {
        if (is_over)
            log_error ("calls are refused until the store is smaller: %llu MB of state and journal (store_bytes)",
                       (unsigned long long) (used >> 20));
        else
            log_warning ("the store is within its quota again");
    }
    return !is_over;
}

/*  The disk has room for one more checkpoint and the operator, and the store may grow. */
static bool
has_room (void *arg)
{
    troupe_t *self = arg;
    uint64_t room;
    look_at_clock (self);
    bool may_grow = is_within_quota (self);
    bool is_short = !room_is_enough (&self->store->room, self->store->journal, &room);
    if (node_set_door (self, DOOR_SHORT, is_short)) {
        if (is_short)
            log_error ("calls are refused until the disk has more room: %llu MB are free in %s (soft_room_bytes)",
                       (unsigned long long) (room >> 20), self->settings.store);
        else
            log_warning ("there is room on the disk again");
    }
    return may_grow && !is_short;
}

static void
on_long_turn (void *arg, const watchdog_report_t *report)
{
    (void) arg;
    if (report->is_stuck)
        log_error ("%s %s is stuck since %llu ms: the process is ended", report->address, report->verb,
                   (unsigned long long) report->ran_ms);
    else
        log_warning ("%s %s runs for %llu ms, its budget is %u ms", report->address, report->verb,
                     (unsigned long long) report->ran_ms, report->budget_ms);
}

/* ------------------------------------------------------------------ *
 *  On the workers
 * ------------------------------------------------------------------ */

bool
node_step (void *arg, uint64_t now_ms, recorder_slot_t *slot)
{
    place_t *place = arg;
    place->turns_before = counter_get (&shard_metrics (place->shard)->turns);
    bool more = shard_step (place->shard, now_ms, slot);
    troupe_error_t failure;
    const char *text;
    failure.status = shard_failure (place->shard, &text);
    if (failure.status != TROUPE_OK) {
        snprintf (failure.text, sizeof failure.text, "%s", text);
        end_process (place->node, &failure);
    }
    if (node_state (place->node) == NODE_STOPPING)
        mark_quiet (place, !more && shard_is_quiet (place->shard));
    return more;
}

uint64_t
node_next_due (void *arg)
{
    return shard_next_due (((place_t *) arg)->shard);
}

static bool
owes (void *arg)
{
    (void) arg;
    return committer_owes ();
}

/*  A worker that is alone does not go to the disk: a disk that stalls may hold up
 *  answers, but neither timers nor turns. */
static void
pay (void *arg, bool is_busy)
{
    troupe_t *self = arg;
    committer_pay (self->committer, is_busy || self->worker_count == 1);
}

/* ------------------------------------------------------------------ *
 *  Who calls what
 * ------------------------------------------------------------------ */

void
node_wire_store (troupe_t *self, store_options_t *options)
{
    options->on_taken = on_taken;
    options->on_durable = on_durable;
    options->on_folded = on_folded;
    options->arg = self;
}

void
node_wire_shard (place_t *place, shard_world_t *world)
{
    *world = (shard_world_t) { .self = place, .submit = world_submit, .carry = world_carry, .runaway = world_runaway,
                               .log = world_log, .log_from = log_from () };
    if (!place->node->listener.published && !place->node->away.forward)
        return;
    world->is_watched = world_is_watched;
    world->published = world_published;
}

void
node_wire_workers (troupe_t *self, workers_options_t *options)
{
    options->owes = owes;
    options->pay = pay;
    options->arg = self;
}

void
node_wire_committer (troupe_t *self, committer_watch_t *watch)
{
    *watch = (committer_watch_t) { .arg = self, .committed = on_committed, .full = on_full, .broken = on_broken };
}

void
node_wire_checkpointer (troupe_t *self, checkpointer_options_t *options)
{
    options->arg = self;
    options->has_room = has_room;
    options->full = on_fold_full;
    options->broken = on_broken;
}

void
node_wire_watchdog (troupe_t *self, watchdog_options_t *options)
{
    options->report = on_long_turn;
    options->arg = self;
}
