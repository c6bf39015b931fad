/*  turn.c - one message handled by one actor, and all of its effects.
 *
 *  DESIGN. While a handler runs, its effects are only noted: values change in
 *  place with the old bytes kept aside, messages wait in a list, the rest in
 *  the turn's arena. Then one of three things happens, and nothing in between:
 *      done      all of it joins the open frame, with the consumed message
 *      refused   all of it is undone; the message is consumed, the caller told
 *      failed    all of it is undone; the message stays first in its mailbox
 *                and is tried again later; after enough tries it is a dead letter
 *  A turn that touched state of an older version is undone, the upgrade runs
 *  as a turn of its own, and the message is handled again.
 *
 *  What a turn answers waits for the open frame when the turn had an effect or
 *  handled a message that another turn made (which may be undurable itself);
 *  else for the newest frame that changed the actor (`actor->frame`).
 */

#include "runtime/inside.h"
#include "runtime/base/memory.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define VALUES_CACHED_MOST 4096  /* of one actor; callers choose keys, memory must not follow them */

/* ---- begin and end ---- */

static uint64_t
monotonic_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

/*  Of a turn without a message: the same over restarts, so that its strikes are found. Not
 *  its dice: those of one wake must not fall like those of another, whose ids are in use. */
uint64_t
turn_id_of_actor (const shard_t *self, const actor_t *actor, turn_type_t type)
{
    return hash_mix (self->store_hash + type, hash_bytes (actor->address, actor->address_size, 0));
}

static inline void
begin (shard_t *self, turn_type_t type, actor_t *actor, message_t *message)
{
    troupe_turn_t *turn = &self->turn;
    size_t from = offsetof (troupe_turn_t, bytes), to = offsetof (troupe_turn_t, out_last);
    memset ((uint8_t *) turn + from, 0, to - from);
    turn->actor = actor;
    turn->message = message;
    turn->type = type;
    turn->verb = message ? message->verb : NULL;
    turn->read_only = type == TURN_WAKE || (message && message->verb->reads);
    turn->id = turn->dice = message ? message->id : turn_id_of_actor (self, actor, type);
    buffer_reset (&turn->away);
    buffer_reset (&turn->reply);
    turn->error.status = TROUPE_OK;
    turn->error.text[0] = 0;
}

static inline void
end (shard_t *self)
{
    arena_reset (&self->turn.arena);
    self->turn.actor = NULL;
    self->turn.message = NULL;
}

static void
undo (shard_t *self)
{
    troupe_turn_t *turn = &self->turn;
    values_undo (turn);
    for (message_t *message = turn->out, *next; message; message = next) {
        next = message->next;
        message_free (&self->pool, message);
    }
    turn->out = NULL;
}

static void
measure (shard_t *self, const actor_t *actor)
{
    self->took_ns = monotonic_ns () - self->began_ns;
    histogram_add (&self->metrics.turn_ns, self->took_ns);
    histogram_add (&self->metrics.kinds[actor->kind->index].turn_ns, self->took_ns);
}

/*  `upgrade_from` is 0 but for upgrades, which have no handler. */
static inline troupe_status_t
run (shard_t *self, troupe_handler_t *handler, uint32_t upgrade_from, const char *name, uint32_t budget_ms)
{
    troupe_turn_t *turn = &self->turn;
    recorder_slot_t *slot = self->slot;
    actor_t *actor = turn->actor;
    bool measured = (++self->sample & self->sample_mask) == 0;
    if (__builtin_expect (measured, 0))
        self->began_ns = monotonic_ns ();
    if (slot) {
        recorder_enter (slot, turn->id, actor->address, name, budget_ms);
        if (__builtin_expect (recorder_has_suspects (self->recorder), 0))
            recorder_make_way (self->recorder, slot);
    }
    troupe_status_t status = handler ? handler (turn) : actor->kind->table->upgrade (turn, upgrade_from);
    if (slot) {
        recorder_leave (slot);
        if (__builtin_expect (recorder_has_suspects (self->recorder), 0))
            recorder_end_alone (self->recorder, slot);
    }
    if (__builtin_expect (measured, 0))
        measure (self, actor);
    if (__builtin_expect (turn->poisoned, 0) && (status == TROUPE_OK || turn->is_blind))
        return TROUPE_FAILED;  /* a refusal too, when what it was based on may be wrong */
    if (__builtin_expect (status != TROUPE_OK, 0) && !turn->error.text[0])
        error_set (&turn->error, status, "%s", troupe_status_name (status));
    return status;
}

void
turn_drop_cache (shard_t *self, actor_t *actor)
{
    (void) self;
    if (!(actor->flags & ACTOR_AWAKE))
        return;
    if (actor->kind && actor->kind->table->sleep && actor->cache)
        actor->kind->table->sleep (actor->cache);
    memory_free (actor->cache);
    actor->cache = NULL;
    actor->flags &= (uint16_t) ~ACTOR_AWAKE;
}

/* ---- done ---- */

static void
apply_effect (shard_t *self, actor_t *actor, const effect_t *effect)
{
    switch (effect->type) {
    case EFFECT_TIMER_SET:
        timer_set (self, actor, effect);
        break;
    case EFFECT_TIMER_CANCEL:
        timer_cancel (self, actor, effect->timer.name);
        break;
    case EFFECT_EVENT:
        feed_publish (self, actor, effect);
        break;
    case EFFECT_ASK:
        ask_begin (self, actor, effect->ask.id, effect->ask.then, effect->ask.due_ms);
        break;
    case EFFECT_ANSWER:
        turn_answer_caller (self, actor, effect);
        break;
    }
}

static void
give_away (shard_t *self)
{
    const buffer_t *away = &self->turn.away;
    for (size_t at = 0; at < away->size;) {
        uint16_t to = get_le16 (away->data + at);
        uint32_t size = get_le32 (away->data + at + 2);
        link_give (self, to, away->data + at + 6, size, away->data[at + 6] & MESSAGE_CAST);
        at += 6 + size;
    }
}

/*  The handled message's caller hears, whoever it is. */
static void
answer (shard_t *self, actor_t *actor, message_t *message, troupe_status_t status, uint64_t wait_frame)
{
    const troupe_turn_t *turn = &self->turn;
    if (message->flags & MESSAGE_CALL)
        call_complete (self, message->call->session, message->call->seq, wait_frame, status, turn->reply.data,
                       status == TROUPE_OK ? turn->reply.size : 0, status == TROUPE_OK ? "" : turn->error.text);
    else if (message->flags & MESSAGE_QUESTION) {
        buffer_t text = { 0 };
        if (status != TROUPE_OK)
            ask_error_body (&text, turn->error.text);
        ask_answer (self, actor, message_from (message), message->from_size, message->ask, status,
                    status == TROUPE_OK ? turn->reply.data : text.data,
                    status == TROUPE_OK ? turn->reply.size : text.size, message->id);
        buffer_clear (&text);
    }
}

static inline void
finish_message (shard_t *self, actor_t *actor)
{
    message_t *message = actor->first;
    if (__builtin_expect ((message->flags & MESSAGE_TICK) != 0, 0))
        timer_tick_done (self, actor, message);
    mailbox_consume (self, actor);
}

/*  What changes the map: it joins the open frame. */
static void
join_changes (shard_t *self, actor_t *actor)
{
    troupe_turn_t *turn = &self->turn;
    if (turn->changed)
        values_commit (turn);
    if (turn->away.size)
        give_away (self);
    for (const effect_t *effect = turn->first_effect; effect; effect = effect->next)
        apply_effect (self, actor, effect);
    actor->frame = self->open->number;
    shard_want_soon (self);
}

static inline void
join (shard_t *self, actor_t *actor)
{
    troupe_turn_t *turn = &self->turn;
    uint32_t count = 0, casts = 0;
    for (message_t *message = turn->out, *next; message; message = next) {
        next = message->next;
        count += 1;
        casts += (message->flags & MESSAGE_CAST) != 0;
        mailbox_deliver (self, message->to, message);
    }
    if (count)
        counter_add (&self->metrics.told, count - casts);
    if (__builtin_expect (casts != 0, 0))
        counter_add (&self->metrics.casts, casts);
    if (turn->changed || turn->first_effect || turn->away.size)
        join_changes (self, actor);
}

/*  The frame that the answer to this message must wait for. */
static uint64_t
frame_to_wait_for (const shard_t *self, const actor_t *actor, const message_t *message)
{
    bool is_outside = (message->flags & MESSAGE_CALL) && !(message->flags & MESSAGE_RECORDED);
    return self->turn.out || !is_outside ? self->open->number : actor->frame;
}

static inline void
done (shard_t *self, actor_t *actor, message_t *message)
{
    join (self, actor);
    if ((message->flags & (MESSAGE_CALL | MESSAGE_QUESTION)) && !self->turn.later)
        answer (self, actor, message, TROUPE_OK, frame_to_wait_for (self, actor, message));
    finish_message (self, actor);
}

static void
refused (shard_t *self, actor_t *actor, message_t *message, troupe_status_t status)
{
    undo (self);
    counter_add (&self->metrics.refused, 1);
    counter_add (&self->metrics.kinds[actor->kind->index].refused, 1);
    answer (self, actor, message, status, frame_to_wait_for (self, actor, message));
    finish_message (self, actor);
}

/* ---- failed ---- */

static void
hold (shard_t *self, actor_t *actor, uint32_t failures, const char *reason)
{
    actor_more_t *more = actor_more (self, actor);
    if (!more) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to hold an actor");
        return;
    }
    uint64_t delay = self->limits.retry_first_ms;
    for (uint32_t i = 1; i < failures && delay < self->limits.retry_most_ms; i++)
        delay *= 2;
    if (delay > self->limits.retry_most_ms)
        delay = self->limits.retry_most_ms;
    memory_free (more->reason);
    more->reason = memory_strdup (reason);
    actor->flags |= ACTOR_HELD;
    wheel_add (&self->wheel, &more->retry.node, self->now_ms + delay);
}

void
actor_unhold (shard_t *self, actor_more_t *more)
{
    more->actor->flags &= (uint16_t) ~ACTOR_HELD;
    if (more->actor->first)
        mailbox_make_runnable (self, more->actor);
}

void
actor_park (shard_t *self, actor_t *actor, const char *reason)
{
    actor_more_t *more = actor_more (self, actor);
    if (!more)
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to park an actor");
    if (!more || (actor->flags & ACTOR_PARKED))
        return;
    memory_free (more->reason);
    more->reason = memory_strdup (reason);
    actor->flags |= ACTOR_PARKED;
    counter_add (&self->metrics.parked, 1);
    for (message_t *message = actor->first; message; message = message->next) {
        if (message->flags & MESSAGE_CALL)
            call_tell_parked (self, message->call->session, message->call->seq, reason);
    }
}

/*  Gives a message up: what may not be lost becomes a dead letter, the caller hears. */
static void
give_up (shard_t *self, actor_t *actor, message_t *message, const char *reason)
{
    if (message->flags & (MESSAGE_DURABLE | MESSAGE_TICK))
        dead_letter (self, actor, message, reason);
    error_set (&self->turn.error, TROUPE_FAILED, "%s", reason);
    answer (self, actor, message, TROUPE_FAILED, self->open->number);
    finish_message (self, actor);
}

static bool
failed (shard_t *self, actor_t *actor, message_t *message)
{
    undo (self);
    turn_drop_cache (self, actor);
    counter_add (&self->metrics.failed, 1);
    counter_add (&self->metrics.kinds[actor->kind->index].failed, 1);
    message->attempts += 1;
    if (message->attempts >= self->limits.attempts || (message->flags & MESSAGE_CAST)) {
        char reason[sizeof self->turn.error.text];
        snprintf (reason, sizeof reason, "%s", self->turn.error.text);
        give_up (self, actor, message, reason);
        return true;
    }
    counter_add (&self->metrics.retried, 1);
    hold (self, actor, message->attempts, self->turn.error.text);
    return false;
}

/* ---- waking ---- */

static bool
wake_failed (shard_t *self, actor_t *actor, const char *what)
{
    char reason[sizeof self->turn.error.text];
    snprintf (reason, sizeof reason, "%s: %.200s", what, self->turn.error.text);
    undo (self);
    turn_drop_cache (self, actor);
    actor_more_t *more = actor_more (self, actor);
    if (!more)
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to hold an actor");
    else if (++more->wake_failures >= self->limits.wake_attempts)
        actor_park (self, actor, reason);
    else
        hold (self, actor, more->wake_failures, reason);
    return false;
}

/*  A wake or an upgrade that killed the process often enough is not run again. */
static bool
is_struck (shard_t *self, actor_t *actor)
{
    const recorder_suspect_t *suspect =
        recorder_has_suspects (self->recorder) ? recorder_find (self->recorder, self->turn.id) : NULL;
    if (!suspect || suspect->strikes < RECORDER_STRIKES)
        return false;
    turn_drop_cache (self, actor);  /* once revived, it wakes and upgrades as if for the first time */
    actor->flags &= (uint16_t) ~ACTOR_VERSION_KNOWN;
    actor_park (self, actor, "waking it killed the process");
    return true;
}

/*  The upgrade is a turn of its own: its effects join the frame before the message is handled. */
static bool
upgrade (shard_t *self, actor_t *actor)
{
    uint32_t from;
    if (!values_version (self, actor, &from))
        return false;
    const troupe_kind_t *kind = actor->kind->table;
    if (from > kind->version) {
        actor_park (self, actor, "its state is of a newer version than the code");
        return false;
    }
    turn_drop_cache (self, actor);
    actor->flags |= ACTOR_VERSION_KNOWN;
    begin (self, TURN_UPGRADE, actor, NULL);
    self->turn.dice = hash_mix (self->turn.id, from);
    if (is_struck (self, actor))
        return false;
    troupe_status_t status = kind->upgrade ? run (self, NULL, from, "(upgrade)", 0) : TROUPE_OK;
    if (__builtin_expect (self->trails && kind->upgrade, 0))
        trail_turn (self, status);
    if (status != TROUPE_OK) {
        actor->flags &= (uint16_t) ~ACTOR_VERSION_KNOWN;
        return wake_failed (self, actor, "upgrade");
    }
    values_write_version (self, actor);
    join (self, actor);
    actor->frame = self->open->number;
    shard_want_soon (self);
    if (__builtin_expect (recorder_has_suspects (self->recorder), 0))
        release_forgive (self, self->turn.id);
    end (self);
    return true;
}

static bool
wake (shard_t *self, actor_t *actor)
{
    const troupe_kind_t *kind = actor->kind->table;
    counter_add (&self->metrics.woken, 1);
    actor->flags |= ACTOR_AWAKE;
    if (kind->cache_size && !(actor->cache = memory_zalloc (kind->cache_size))) {
        begin (self, TURN_WAKE, actor, NULL);  /* or what the last turn did is undone */
        error_set (&self->turn.error, TROUPE_NO_MEMORY, "no memory for the cache");
        return wake_failed (self, actor, "wake");
    }
    if (!kind->wake)
        return true;
    begin (self, TURN_WAKE, actor, NULL);
    self->turn.dice = hash_mix (hash_mix (self->turn.id, self->boot), counter_get (&self->metrics.woken));
    if (is_struck (self, actor))
        return false;
    troupe_status_t status = run (self, kind->wake, 0, "(wake)", 0);
    if (self->turn.needs_upgrade) {
        undo (self);
        return upgrade (self, actor) && wake (self, actor);
    }
    if (__builtin_expect (self->trails != NULL, 0))
        trail_turn (self, status);
    if (status != TROUPE_OK)
        return wake_failed (self, actor, "wake");
    if (actor->more)
        actor->more->wake_failures = 0;
    if (__builtin_expect (recorder_has_suspects (self->recorder), 0))
        recorder_forgive (self->recorder, self->turn.id);
    end (self);
    return true;
}

/* ---- one message ---- */

/*  A message whose handler killed the process often enough is set aside. */
static bool
set_aside (shard_t *self, actor_t *actor, message_t *message)
{
    const recorder_suspect_t *suspect = recorder_find (self->recorder, message->id);
    if (!suspect || suspect->strikes < RECORDER_STRIKES)
        return false;
    char reason[sizeof self->turn.error.text];
    snprintf (reason, sizeof reason, "killed the process %u times by signal %d: %.160s", suspect->strikes,
              suspect->signal, suspect->backtrace);
    uint64_t id = message->id;
    give_up (self, actor, message, reason);
    release_forgive (self, id);
    return true;
}

static bool
handle (shard_t *self, actor_t *actor, message_t *message)
{
    kind_metrics_t *kind = &self->metrics.kinds[actor->kind->index];
    if (__builtin_expect (actor->value_count > VALUES_CACHED_MOST, 0) && actor->frame <= self->sealed)
        value_free_all (&self->pool, actor);  /* none is dirty: the open frame changed nothing of it */
    begin (self, TURN_MESSAGE, actor, message);
    troupe_status_t status = run (self, message->verb->run, 0, message->verb->name, message->verb->table->budget_ms);
    if (__builtin_expect (self->turn.needs_upgrade, 0)) {
        undo (self);
        end (self);
        return upgrade (self, actor);
    }
    if (__builtin_expect (self->trails != NULL, 0))
        trail_turn (self, status);
    counter_add (&self->metrics.turns, 1);
    counter_add (message->verb->reads ? &kind->reads : &kind->turns, 1);
    bool goes_on = true;
    uint64_t id = message->id;
    if (status == TROUPE_OK)
        done (self, actor, message);
    else if (status <= TROUPE_TOO_LARGE)
        refused (self, actor, message, status);
    else
        goes_on = failed (self, actor, message);
    if (__builtin_expect (goes_on && recorder_has_suspects (self->recorder), 0))
        release_forgive (self, id);
    end (self);
    return goes_on;
}

bool
turn_run_next (shard_t *self, actor_t *actor)
{
    message_t *message = actor->first;
    if (!message || (actor->flags & (ACTOR_HELD | ACTOR_PARKED | ACTOR_AWAY)))
        return false;
    actor->flags |= ACTOR_USED;
    actor->turns += 1;
    if (__builtin_expect (recorder_has_suspects (self->recorder), 0) && set_aside (self, actor, message))
        return true;
    if (!(actor->flags & ACTOR_AWAKE) && !wake (self, actor))
        return false;
    if (__builtin_expect ((message->flags & MESSAGE_TICK) != 0, 0) && !timer_tick_is_live (self, actor, message)) {
        mailbox_consume (self, actor);
        return true;
    }
    if (__builtin_expect (!message->verb, 0)) {
        begin (self, TURN_WAKE, actor, NULL);
        char reason[sizeof self->turn.error.text];
        snprintf (reason, sizeof reason, "%s has no verb \"%s\"", actor->kind->name, message_verb_name (message));
        give_up (self, actor, message, reason);
        end (self);
        return true;
    }
    if (__builtin_expect (actor->kind->is_remote, 0) && !remote_is_back (actor))
        return remote_begin (self, actor);
    return handle (self, actor, message);
}
