/*  shard.c - a single-threaded world: its life, its step, its frames.
 *
 *  DESIGN. All that a shard durably is, is an ordered map (keys.h). A change
 *  joins the open frame and the overlay in one call, shard_put, so that a read
 *  sees it at once and nothing has to be kept twice. What lives for less than
 *  a frame (a value changed many times, a message handled soon after it was
 *  sent, a question answered at once) stays out of the frame until it closes
 *  and is written only if it is still there: see seal.
 *
 *  The open frame closes when somebody waits for it (`wanted`) and the frame
 *  before it has left the journal's queue: at once when the disk is idle, as
 *  large as it grew when the disk is busy. What nobody waits for (a told
 *  message that was only taken in, a tick) closes it a moment later, together
 *  with what came meanwhile, so that it takes no sync away from those who wait.
 *
 *  Nothing here waits, sleeps or takes a lock; a step ends after a slice of
 *  turns or of time, when a bound is reached, or when there is nothing to do.
 */

#include "runtime/inside.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"
#include <stdarg.h>
#include <stdio.h>

#define EVICT_BYTES_A_STEP (64u << 10)  /* of frames; evicting more would stop the shard for too long */
#define EVICT_SHARE_A_STEP 128          /* or a part of all, so that it keeps up with what a step adds */
#define DUE_A_STEP 512
#define SOON_MS 2                       /* a frame that nobody waits for closes after so long, */
#define SOON_BUSY_MS 20                 /* or so long when mail waits all the time */
/*  An open frame of so many takes no turns and no calls. One call and one turn may follow, and all
 *  that the links bring (WINDOWS_BYTES, and one message over in each). */
#define OPEN_BYTES_MOST (FRAME_BODY_MAX / 8)
#define WINDOWS_BYTES (FRAME_BODY_MAX / 4)
#define BURST_TURNS 256                 /* of the newest, before the oldest gets its turn */
#define TURNS_BETWEEN_LOOKS 32          /* at watermarks, inbox and bounds */
#define SLICE_NS 5000000u               /* of slow turns: the slice ends, though it is not used up */
#define LARGE_TURN (64u << 10)          /* bytes of effects after which they are looked at at once */

static const shard_limits_t default_limits = {
    .mailbox_messages = 4096,
    .mailbox_door = 2048,
    .awake_actors = 1u << 20,
    .undurable_bytes = 32u << 20,
    .unfolded_bytes = 256u << 20,
    .link_window_bytes = 4u << 20,
    .slice_turns = 4096,
    .attempts = 8,
    .retry_first_ms = 50,
    .retry_most_ms = 10000,
    .wake_attempts = 5,
    .call_keep_ms = 60000,
    .calls_kept = 1u << 18,
    .dead_bytes = 64u << 20,
    .actor_bytes = 256u << 20,
    .mail_bytes = 256u << 20,
    .idle_ms = 60000,
};

void
shard_fail (shard_t *self, troupe_status_t status, const char *format, ...)
{
    if (self->failure.status != TROUPE_OK)
        return;
    char text[sizeof self->failure.text];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    error_set (&self->failure, status, "shard %u: %s", self->number, text);
}

troupe_status_t
shard_failure (const shard_t *self, const char **text)
{
    *text = self->failure.text;
    return self->failure.status;
}

/* ---- life ---- */

static void
take_limits (shard_limits_t *limits, const shard_limits_t *wanted, uint32_t shards)
{
    *limits = *wanted;
#define DEFAULT(field)                                                         \
    if (limits->field == 0)                                                    \
        limits->field = default_limits.field;
    DEFAULT (mailbox_messages)
    DEFAULT (mailbox_door)
    DEFAULT (awake_actors)
    DEFAULT (undurable_bytes)
    DEFAULT (unfolded_bytes)
    DEFAULT (link_window_bytes)
    DEFAULT (slice_turns)
    DEFAULT (attempts)
    DEFAULT (retry_first_ms)
    DEFAULT (retry_most_ms)
    DEFAULT (wake_attempts)
    DEFAULT (call_keep_ms)
    DEFAULT (calls_kept)
    DEFAULT (dead_bytes)
    DEFAULT (actor_bytes)
    DEFAULT (mail_bytes)
#undef DEFAULT
    uint64_t window_most = WINDOWS_BYTES / shards;
    if (limits->link_window_bytes > window_most)
        limits->link_window_bytes = (uint32_t) window_most;
    if (limits->attempts > UINT8_MAX)
        limits->attempts = UINT8_MAX;
}

static bool
allocate (shard_t *self)
{
    uint32_t kinds = self->remote ? REGISTRY_KINDS_MAX : registry_count (self->registry);  /* more may come */
    self->links = memory_zalloc (self->shards * sizeof *self->links);
    self->metrics.kinds = memory_zalloc ((kinds ? kinds : 1) * sizeof *self->metrics.kinds);
    self->metrics.kind_count = kinds;
    self->parked_kinds = memory_zalloc ((kinds ? kinds : 1) * sizeof *self->parked_kinds);
    self->rooms = memory_zalloc ((kinds ? kinds : 1) * sizeof *self->rooms);
    self->open = frame_new (self->number, self->sealed + 1);
    self->view = self->state->view_new (self->state->self, self->number);
    return self->links && self->metrics.kinds && self->parked_kinds && self->rooms && self->open && self->view;
}

shard_t *
shard_new (const shard_options_t *options, troupe_error_t *error)
{
    const state_identity_t *identity = options->state->identity (options->state->self);
    CHECK (options->number < identity->shards);
    shard_t *self = memory_zalloc (sizeof *self);
    state_mark_t *marks = memory_zalloc (identity->shards * sizeof *marks);
    if (self && marks) {
        self->number = options->number;
        self->shards = identity->shards;
        self->hash_seed = identity->hash_seed;
        self->store_hash = hash_mix (hash_bytes (identity->store_id, 16, self->number),
                                     hash_bytes (identity->epoch, 16, 0));
        self->boot = options->boot;
        self->sample_mask = SHARD_SAMPLE_MASK;
        self->registry = options->registry;
        self->recorder = options->recorder;
        self->state = options->state;
        self->remote = options->remote;
        self->world = options->world;
        take_limits (&self->limits, &options->limits, self->shards);
        self->state->marks (self->state->self, marks);
        uint64_t mark = marks[self->number].frame;
        self->sealed = self->released = self->evicted = mark;
        atomic_init (&self->taken, mark);
        atomic_init (&self->durable, mark);
        atomic_init (&self->folded, mark);
        self->now_ms = marks[self->number].time_ms;
        self->turn.shard = self;
        self->lanes.pool = &self->pool;
        self->shapes.literals = registry_literals (options->registry);
        self->turn.away.limit = self->turn.reply.limit = self->turn.scratch.limit = TROUPE_TURN_MAX;
        self->sweep.type = DUE_SWEEP;
        self->seal.type = DUE_SEAL;
    }
    memory_free (marks);
    if (!self || !marks || !allocate (self)) {
        shard_destroy (&self);
        error_set (error, TROUPE_NO_MEMORY, "no memory for a shard");
        return NULL;
    }
    return self;
}

static void
list_frame (shard_t *self, frame_t *frame)
{
    if (self->newest)
        self->newest->next_in_shard = frame;
    else
        self->unfolded = frame;
    self->newest = frame;
    self->unfolded_bytes += frame->body.size;
}

troupe_status_t
shard_replay (shard_t *self, frame_t *frame, troupe_error_t *error)
{
    if (frame->number != self->sealed + 1)
        return error_set (error, TROUPE_CORRUPT, "shard %u: frame %llu follows frame %llu", self->number,
                          (unsigned long long) frame->number, (unsigned long long) self->sealed);
    size_t at = 0;
    if (!overlay_note (&self->overlay, frame, &at))
        return error_set (error, TROUPE_NO_MEMORY, "no memory to recover shard %u", self->number);
    if (at != frame->body.size)
        return error_set (error, TROUPE_CORRUPT, "shard %u: frame %llu is malformed at byte %zu", self->number,
                          (unsigned long long) frame->number, at);
    list_frame (self, frame);
    self->sealed = self->released = frame->number;
    self->open->number = frame->number + 1;
    atomic_store_explicit (&self->taken, frame->number, memory_order_relaxed);
    atomic_store_explicit (&self->durable, frame->number, memory_order_relaxed);
    if (frame->time_ms > self->now_ms)
        self->now_ms = frame->time_ms;
    return TROUPE_OK;
}

troupe_status_t
shard_start (shard_t *self, uint64_t wall_ms, troupe_error_t *error)
{
    if (wall_ms > self->now_ms)
        self->now_ms = wall_ms;
    wheel_init (&self->wheel, self->now_ms);
    bool done = dead_start (self) && timer_start (self) && call_start (self) && ask_start (self) && link_start (self)
                && mailbox_start (self);
    if (self->view_held)
        self->state->view_release (self->view);
    self->view_held = false;
    if (!done || self->failure.status != TROUPE_OK)
        return error_set (error, self->failure.status ? self->failure.status : TROUPE_NO_MEMORY, "%s",
                          self->failure.status ? self->failure.text : "no memory to start a shard");
    link_ask_all (self);
    return TROUPE_OK;
}

static void
drop_inbox (shard_t *self)
{
    for (letter_t *letter = inbox_take (&self->inbox), *next; letter; letter = next) {
        next = letter->next;
        if (letter->type == LETTER_CALL) {
            call_t *call = (call_t *) letter;
            call_finish (&call, TROUPE_UNKNOWN, NULL, 0, "the node stopped before it was handled", 0);
        } else if (letter->type == LETTER_ERRAND)
            ((errand_t *) letter)->run (NULL, (errand_t *) letter);
        else
            memory_free (letter);
    }
}

void
shard_destroy (shard_t **self_p)
{
    shard_t *self = *self_p;
    if (!self)
        return;
    drop_inbox (self);
    if (self->open)
        release_drop (self, self->open);
    for (frame_t *frame = self->unfolded, *next; frame; frame = next) {
        next = frame->next_in_shard;
        release_drop (self, frame);
        frame_destroy (&frame);
    }
    frame_destroy (&self->open);
    for (value_t *value = self->dirty; value; value = value->dirty_next)
        value->is_dirty = false;
    actors_drop_all (self);
    call_drop_all (self);
    lanes_clear (&self->lanes);
    ask_drop_all (self);
    timer_drop_all (self);
    link_drop_all (self);
    trail_drop_all (self);
    overlay_clear (&self->overlay);
    arena_clear (&self->turn.arena);
    buffer_clear (&self->turn.away);
    buffer_clear (&self->turn.reply);
    buffer_clear (&self->turn.scratch);
    pool_clear (&self->pool);
    memory_free (self->run);
    memory_free (self->metrics.kinds);
    memory_free (self->parked_kinds);
    memory_free (self->rooms);
    if (self->view)
        self->state->view_destroy (&self->view);
    memory_free (self);
    *self_p = NULL;
}

/* ---- frames ---- */

void
shard_want_soon (shard_t *self)
{
    if (self->wanted || self->wanted_soon)
        return;
    self->wanted_soon = true;
    self->soon_until_ms = self->now_ms + SOON_BUSY_MS;
    wheel_add (&self->wheel, &self->seal.node, self->now_ms + SOON_MS);
}

static void
levels (shard_t *self)
{
    counter_set (&self->metrics.undurable_bytes, self->undurable_bytes);
    counter_set (&self->metrics.unfolded_bytes, self->unfolded_bytes);
    counter_set (&self->metrics.timers, self->timers.count);
    counter_set (&self->metrics.asks, self->asks.count);
    counter_set (&self->metrics.mail, self->mail_count);
    counter_set (&self->metrics.mail_bytes, self->mail_bytes);
}

static void
seal (shard_t *self)
{
    frame_t *next = frame_new (self->number, self->open->number + 1);
    values_seal (self);
    mailbox_record_all (self);
    call_record_fresh (self);
    ask_record_fresh (self);
    link_seal (self);
    shard_catch_up (self);
    if (!next || self->failure.status != TROUPE_OK) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to seal a frame");
        frame_destroy (&next);
        return;
    }
    frame_t *frame = self->open;
    frame->time_ms = self->now_ms;
    frame->sealed_ns = clock_monotonic_ns ();
    list_frame (self, frame);
    if (!self->undurable)
        self->undurable = frame;
    self->undurable_bytes += frame->body.size;
    self->sealed = frame->number;
    self->open = next;
    self->noted = 0;
    self->wanted = self->wanted_soon = false;
    wheel_remove (&self->wheel, &self->seal.node);
    self->dirty_bytes = 0;
    CHECK (self->fresh_bytes == 0);
    counter_add (&self->metrics.frames, 1);
    counter_add (&self->metrics.frame_bytes, frame->body.size);
    self->world.submit (self->world.self, frame);
    quota_look_at_mail (self);
}

/*  What the open frame will have, more or less, when it closes now. */
static uint64_t
open_bytes (const shard_t *self)
{
    return self->open->body.size + self->dirty_bytes + self->fresh_bytes;
}

/*  Calls that nobody handles yet are written with the frame too. */
bool
shard_has_room (const shard_t *self)
{
    uint64_t bytes = open_bytes (self);
    return bytes < OPEN_BYTES_MOST && (bytes + self->undurable_bytes) / 2 < self->limits.undurable_bytes;
}

/*  Whether the bounds let a turn run now. */
static bool
may_run (const shard_t *self)
{
    uint64_t bytes = open_bytes (self);
    return bytes + self->undurable_bytes < self->limits.undurable_bytes && bytes < OPEN_BYTES_MOST
           && self->unfolded_bytes < self->limits.unfolded_bytes * 2 && self->failure.status == TROUPE_OK;
}

static void
seal_when_ready (shard_t *self)
{
    uint64_t bytes = open_bytes (self);
    bool large = bytes > self->limits.undurable_bytes / 2 || bytes > OPEN_BYTES_MOST / 2;
    if ((self->wanted || large) && self->sealed <= atomic_load_explicit (&self->taken, memory_order_acquire))
        seal (self);
}

/*  Frames that are in the tree leave the overlay and memory; the tree that
 *  is looked at from now on must hold them. Those whose outputs have not left yet
 *  stay: frames can become durable and folded while the ones before are released. */
static void
evict (shard_t *self)
{
    uint64_t folded = atomic_load_explicit (&self->folded, memory_order_acquire);
    if (folded > self->released)
        folded = self->released;
    if (self->evicted >= folded)
        return;
    if (self->view_held)
        self->state->view_release (self->view);
    uint64_t mark = self->state->view_renew (self->view);
    self->view_held = true;
    CHECK (mark >= folded);
    uint64_t most = self->unfolded_bytes / EVICT_SHARE_A_STEP;
    if (most < EVICT_BYTES_A_STEP)
        most = EVICT_BYTES_A_STEP;
    for (uint64_t bytes = 0; self->evicted < folded && bytes < most;) {
        frame_t *frame = self->unfolded;
        CHECK (frame && frame->number == self->evicted + 1);
        overlay_evict (&self->overlay, frame);
        bytes += frame->body.size + sizeof *frame;
        self->unfolded_bytes -= frame->body.size;
        self->unfolded = frame->next_in_shard;
        if (!self->unfolded)
            self->newest = NULL;
        self->evicted = frame->number;
        frame_destroy (&frame);
    }
}

static void
watermarks (shard_t *self)
{
    uint64_t durable = atomic_load_explicit (&self->durable, memory_order_acquire);
    if (durable > self->released)
        release_frames (self, durable);
    evict (self);
}

static void
raise (_Atomic uint64_t *mark, uint64_t frame)
{
    CHECK (atomic_load_explicit (mark, memory_order_relaxed) <= frame);
    atomic_store_explicit (mark, frame, memory_order_release);
}

void
shard_taken (shard_t *self, uint64_t frame)
{
    raise (&self->taken, frame);
}

void
shard_durable (shard_t *self, uint64_t frame)
{
    raise (&self->durable, frame);
}

void
shard_folded (shard_t *self, uint64_t frame)
{
    raise (&self->folded, frame);
}

/* ---- the step ---- */

static void
take_letter (shard_t *self, letter_t *letter)
{
    switch (letter->type) {
    case LETTER_CALL:
        call_admit (self, (call_t *) letter);
        return;
    case LETTER_ERRAND:
        ((errand_t *) letter)->run (self, (errand_t *) letter);
        return;
    case LETTER_REMOTE:
        remote_take (self, (remote_letter_t *) letter);
        return;
    case LETTER_PARCEL:
        link_take (self, (parcel_t *) letter);
        break;
    case LETTER_ACK:
        link_acked (self, (link_note_t *) letter);
        break;
    case LETTER_HELLO:
        link_hello (self, (link_note_t *) letter);
        break;
    case LETTER_CUT:
        link_cut (self, (link_note_t *) letter);
        break;
    }
    memory_free (letter);
}

static void
take_letters (shard_t *self)
{
    if (inbox_is_empty (&self->inbox))
        return;
    for (letter_t *letter = inbox_take (&self->inbox), *next; letter; letter = next) {
        next = letter->next;
        take_letter (self, letter);
    }
}

/*  Mail that waits would have to be written, and most of it is handled in a moment. */
static void
moment_is_over (shard_t *self)
{
    if (self->fresh_bytes && self->now_ms < self->soon_until_ms)
        wheel_add (&self->wheel, &self->seal.node, self->now_ms + SOON_MS);
    else
        self->wanted = true;
}

static void
fire (shard_t *self, due_t *due)
{
#define OWNER(type, field) ((type *) ((char *) due - offsetof (type, field)))
    switch (due->type) {
    case DUE_RETRY:
        actor_unhold (self, OWNER (actor_more_t, retry));
        break;
    case DUE_CALL:
        call_expire (self, OWNER (call_entry_t, expiry));
        break;
    case DUE_ASK:
        ask_due (self, OWNER (ask_t, deadline));
        break;
    case DUE_TIMER:
        timer_due (self, OWNER (stored_timer_t, due));
        break;
    case DUE_AWAY:
        remote_due (self, OWNER (remote_t, due));
        break;
    case DUE_SEAL:
        moment_is_over (self);
        break;
    case DUE_SWEEP:
        actors_sweep_begin (self);
        break;
    }
#undef OWNER
}

/*  True when more is due than fits a step. */
static bool
fire_due (shard_t *self)
{
    wheel_advance (&self->wheel, self->now_ms);
    for (int i = 0; i < DUE_A_STEP; i++) {
        wheel_node_t *node = wheel_pop_due (&self->wheel);
        if (!node)
            return false;
        fire (self, (due_t *) node);
    }
    return true;
}

static bool
has_news (const shard_t *self)
{
    return !inbox_is_empty (&self->inbox)
           || atomic_load_explicit (&self->durable, memory_order_relaxed) > self->released;
}

/*  Between turns: what came meanwhile, and whether the journal waits for a frame. */
static void
look_around (shard_t *self)
{
    seal_when_ready (self);
    if (has_news (self)) {
        watermarks (self);
        take_letters (self);
    }
}

/*  Last in, first out within a burst. It counts as runnable until its visit is over. */
static actor_t *
next_runnable (shard_t *self)
{
    self->run_count -= 1;
    if (++self->burst < BURST_TURNS)
        return self->run[(self->run_head + self->run_count) & (self->run_capacity - 1)];
    self->burst = 0;
    actor_t *actor = self->run[self->run_head];
    self->run_head = (self->run_head + 1) & (self->run_capacity - 1);
    return actor;
}

/*  One that cannot go on is held, parked or away, and not runnable; it may be back from there by now. In a shard
 *  that failed it may be none of these, and what it has loaded may be wrong. One whose
 *  visit was cut short goes on first. One that got new mail meanwhile, mostly from
 *  itself, goes behind all others, or it would run on while theirs piles up. */
static void
visit_is_over (shard_t *self, actor_t *actor, bool is_cut)
{
    actor->flags &= (uint16_t) ~ACTOR_RUNNABLE;
    if (!actor->first || self->failure.status != TROUPE_OK)
        return;
    mailbox_make_runnable (self, actor);
    if (is_cut || !(actor->flags & ACTOR_RUNNABLE))
        return;
    uint32_t mask = self->run_capacity - 1;
    self->run_head = (self->run_head - 1) & mask;
    self->run[self->run_head] = actor;
}

static bool
park_with_its_kind (shard_t *self, actor_t *actor)
{
    const char *reason = quota_parked (self, actor);
    if (reason)
        actor_park (self, actor, reason);
    return actor->flags & ACTOR_PARKED;
}

static uint64_t
clock_ns (const shard_t *self)
{
    return self->world.clock_ns ? self->world.clock_ns (self->world.self) : clock_monotonic_ns ();
}

/*  Runs turns until the slice is used up; a mailbox is drained to where it
 *  stood. Bounds and news are looked at every few turns, and after a large one. The clock, which costs more than many
 *  turns do, is read after the first turn, two more, four more, and at last as rarely as these. */
static void
run_slice (shard_t *self)
{
    uint32_t left = self->limits.slice_turns, until_look = TURNS_BETWEEN_LOOKS;
    uint32_t until_clock = 1, turns_between_clocks = 1;
    uint64_t end_ns = self->run_count ? clock_ns (self) + SLICE_NS : 0;
    bool may = may_run (self);
    while (left > 0 && self->run_count > 0 && may) {
        actor_t *actor = next_runnable (self);
        if (__builtin_expect (self->has_parked_kind, 0) && park_with_its_kind (self, actor)) {
            visit_is_over (self, actor, false);
            continue;
        }
        uint32_t visit = actor->mail < left ? actor->mail : left;
        bool goes_on = true, is_cut = visit < actor->mail;
        for (; visit > 0 && goes_on && may; visit--, left--) {
            goes_on = turn_run_next (self, actor);
            if (--until_look == 0 || self->turn.bytes > LARGE_TURN) {
                until_look = TURNS_BETWEEN_LOOKS;
                look_around (self);
                may = may_run (self);
            }
            if (--until_clock == 0) {
                turns_between_clocks *= turns_between_clocks < TURNS_BETWEEN_LOOKS ? 2 : 1;
                until_clock = turns_between_clocks;
                may = may && clock_ns (self) < end_ns;
            }
        }
        visit_is_over (self, actor, is_cut || visit > 0);
    }
}

bool
shard_step (shard_t *self, uint64_t wall_ms, recorder_slot_t *slot)
{
    if (self->failure.status != TROUPE_OK)
        return false;
    self->slot = slot;
    if (wall_ms > self->now_ms)
        self->now_ms = wall_ms;
    watermarks (self);
    take_letters (self);
    bool more_due = fire_due (self);
    run_slice (self);
    actors_sweep (self);
    seal_when_ready (self);
    levels (self);
    if (self->view_held)
        self->state->view_release (self->view);
    self->view_held = false;
    self->slot = NULL;
    return self->failure.status == TROUPE_OK
           && (more_due || has_news (self) || (self->run_count && may_run (self)) || self->sweep_left
               || self->evicted < atomic_load_explicit (&self->folded, memory_order_relaxed));
}

bool
shard_post (shard_t *self, letter_t *letter)
{
    return inbox_push (&self->inbox, letter);
}

uint64_t
shard_next_due (const shard_t *self)
{
    return wheel_next_due (&self->wheel);
}

bool
shard_is_quiet (const shard_t *self)
{
    return self->run_count == 0 && !self->wanted && !self->wanted_soon && self->released == self->sealed
           && inbox_is_empty (&self->inbox);
}

void
shard_close_door (shard_t *self, troupe_status_t why, const char *text)
{
    atomic_store_explicit (&self->door_text, text, memory_order_relaxed);
    atomic_store_explicit (&self->door, (int) why, memory_order_release);
}

void
shard_starve (shard_t *self)
{
    pool_starve (&self->pool);
    pool_starve (&self->overlay.pool);
    arena_clear (&self->turn.arena);
    buffer_clear (&self->turn.away);
    buffer_clear (&self->turn.reply);
    buffer_clear (&self->turn.scratch);
}

uint64_t
shard_time_ms (const shard_t *self)
{
    return self->now_ms;
}

uint16_t
shard_number (const shard_t *self)
{
    return self->number;
}

const metrics_t *
shard_metrics (const shard_t *self)
{
    return &self->metrics;
}
