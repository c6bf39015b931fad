/*  call.c - calls from outside, and the records that make them run once.
 *
 *  DESIGN. Every accepted call has an entry in memory with those who wait for
 *  its answer; the message in the mailbox only names it. With a session the
 *  entry is durable: recorded as pending if its frame closes before the call
 *  is decided, as done with the answer by the frame that decides it, and kept
 *  until its not-after time. A twin meets the entry whatever its state, and
 *  gets the same answer. Past the not-after time the entry may go, because the
 *  door refuses every later twin; shard time never runs back, over a restart
 *  either.
 *
 *  A read, and a call without a session, has an entry in memory alone, and only until it is answered
 *  or its end has come: nobody waits for longer, so that calls which no one ever
 *  answers do not fill the table. A twin of a read waits with it as long as it waits, so that a read of
 *  an ordered session keeps its place when its caller heard that the actor is parked.
 */

#include "runtime/inside.h"
#include "runtime/base/memory.h"
#include <string.h>

#define RECORD_HEAD 12  /* state, status, not after, text size */
#define STATE_PENDING 0
#define STATE_DONE 1
#define RETRY_AFTER_MS 100
#define AHEAD_MS 1000   /* by which the time of a shard may lag behind the clock that clients were told */

static const uint8_t no_session[16];

bool
call_is_sessionless (const uint8_t session[16])
{
    return memcmp (session, no_session, 16) == 0;
}

/* ---- entries ---- */

static uint32_t
entry_hash (const uint8_t session[16], uint64_t seq)
{
    return (uint32_t) hash_bytes (session, 16, seq);
}

static call_entry_t *
find (shard_t *self, const uint8_t session[16], uint64_t seq)
{
    uint32_t hash = entry_hash (session, seq);
    for (table_node_t *node = table_chain (&self->calls, hash); node; node = node->next) {
        call_entry_t *entry = (call_entry_t *) node;
        if (node->hash == hash && entry->seq == seq && memcmp (entry->session, session, 16) == 0)
            return entry;
    }
    return NULL;
}

static call_entry_t *
add (shard_t *self, const uint8_t session[16], uint64_t seq, uint64_t not_after_ms)
{
    call_entry_t *entry = pool_alloc (&self->pool, sizeof *entry);
    if (!entry)
        return NULL;
    *entry = (call_entry_t) { .seq = seq, .not_after_ms = not_after_ms, .expiry.type = DUE_CALL };
    memcpy (entry->session, session, 16);
    if (!table_insert (&self->calls, &entry->node, entry_hash (session, seq))) {
        pool_free (&self->pool, entry, sizeof *entry);
        return NULL;
    }
    wheel_add (&self->wheel, &entry->expiry.node, not_after_ms + 1);
    return entry;
}

static void
set_fresh (shard_t *self, call_entry_t *entry)
{
    entry->is_fresh = true;
    entry->fresh_prev = NULL;
    entry->fresh_next = self->fresh_calls;
    if (entry->fresh_next)
        entry->fresh_next->fresh_prev = entry;
    self->fresh_calls = entry;
}

static void
clear_fresh (shard_t *self, call_entry_t *entry)
{
    if (!entry->is_fresh)
        return;
    entry->is_fresh = false;
    if (entry->fresh_next)
        entry->fresh_next->fresh_prev = entry->fresh_prev;
    if (entry->fresh_prev)
        entry->fresh_prev->fresh_next = entry->fresh_next;
    else
        self->fresh_calls = entry->fresh_next;
}

static void
forget (shard_t *self, call_entry_t *entry)
{
    clear_fresh (self, entry);
    wheel_remove (&self->wheel, &entry->expiry.node);
    table_remove (&self->calls, &entry->node);
    pool_free (&self->pool, entry, sizeof *entry);
}

static void
add_waiter (call_entry_t *entry, call_t *call)
{
    call_t **last = &entry->waiters;
    while (*last)
        last = &(*last)->next_waiter;
    call->next_waiter = NULL;
    *last = call;
}

/* ---- records ---- */

static void
call_key (const uint8_t session[16], uint64_t seq, store_key_t *key)
{
    key_start (key, KEY_CALL);
    key_add (key, session, 16);
    key_add_be64 (key, seq);
}

static void
record (shard_t *self, const call_entry_t *entry, uint8_t state, troupe_status_t status, const void *body, size_t size,
        const char *text)
{
    store_key_t key;
    size_t text_size = strlen (text);
    call_key (entry->session, entry->seq, &key);
    uint8_t *place = shard_put_place (self, &key, RECORD_HEAD + text_size + size);
    if (!place)
        return;
    place[0] = state;
    place[1] = (uint8_t) status;
    put_le64 (place + 2, entry->not_after_ms);
    put_le16 (place + 10, (uint16_t) text_size);
    memcpy (place + RECORD_HEAD, text, text_size);
    if (size)
        memcpy (place + RECORD_HEAD + text_size, body, size);
}

void
call_record_fresh (shard_t *self)
{
    while (self->fresh_calls) {
        call_entry_t *entry = self->fresh_calls;
        clear_fresh (self, entry);
        record (self, entry, STATE_PENDING, TROUPE_OK, NULL, 0, "");
    }
}

/*  The answer that the record holds, once the frame that says so is durable. */
static void
answer_again (shard_t *self, const call_entry_t *entry, call_t *call)
{
    store_key_t key;
    const uint8_t *value;
    size_t size;
    uint64_t frame;
    call_key (entry->session, entry->seq, &key);
    if (!shard_get (self, &key, &value, &size, &frame) || size < RECORD_HEAD
        || size < RECORD_HEAD + (size_t) get_le16 (value + 10) || value[0] != STATE_DONE) {
        shard_fail (self, TROUPE_CORRUPT, "the record of a call is gone or malformed");
        call_finish (&call, TROUPE_UNKNOWN, NULL, 0, "the record of the call is unreadable", 0);
        return;
    }
    char text[sizeof ((troupe_error_t *) 0)->text] = "";
    size_t text_size = get_le16 (value + 10);
    memcpy (text, value + RECORD_HEAD, text_size < sizeof text ? text_size : sizeof text - 1);
    release_answer (self, call, frame, (troupe_status_t) value[1], value + RECORD_HEAD + text_size,
                    size - RECORD_HEAD - text_size, text);
}

/* ---- the door ---- */

/*  The call will come again. False: there is no room for that. */
static bool
remember (shard_t *self, const troupe_call_t *asked)
{
    troupe_status_t status = lanes_remember (&self->lanes, asked, self->now_ms);
    if (status == TROUPE_NO_MEMORY)
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to remember that a call was refused");
    return status != TROUPE_TOO_LARGE;
}

static void
turn_down (shard_t *self, call_t *call, troupe_status_t status, const char *text)
{
    bool comes_again = status == TROUPE_OVERLOADED || status == TROUPE_PARKED;
    if (comes_again && !remember (self, &call->asked)) {
        status = TROUPE_INVALID;
        text = "too many refused calls of ordered sessions are to come";
        comes_again = false;
    }
    if (!comes_again)
        lanes_forget (&self->lanes, &call->asked, self->now_ms);
    if (status == TROUPE_OVERLOADED)
        counter_add (&self->metrics.overloaded, 1);
    call_finish (&call, status, NULL, 0, text, status == TROUPE_OVERLOADED ? RETRY_AFTER_MS : 0);
}

/*  Why a call is not accepted now; OK when it is. */
static troupe_status_t
door (shard_t *self, const call_t *call, const actor_t *actor, const verb_t *verb, const char **text)
{
    troupe_status_t closed = (troupe_status_t) atomic_load_explicit (&self->door, memory_order_acquire);
    *text = atomic_load_explicit (&self->door_text, memory_order_relaxed);
    if (closed != TROUPE_OK)
        return closed;
    *text = self->has_parked_kind ? quota_parked (self, actor) : NULL;
    if (*text)
        return TROUPE_PARKED;
    *text = actor->more && actor->more->reason ? actor->more->reason : "the actor is parked";
    if (actor->flags & ACTOR_PARKED)
        return TROUPE_PARKED;
    *text = "an earlier call of this session was refused";
    if (lanes_refuse (&self->lanes, &call->asked, self->now_ms))
        return TROUPE_OVERLOADED;
    *text = verb->reads ? NULL : quota_refuses (self, actor);
    if (*text)
        return TROUPE_OVERLOADED;
    *text = "the actor's mailbox is full";
    if (mailbox_count (actor) >= self->limits.mailbox_door)
        return TROUPE_OVERLOADED;
    *text = "some of the actor's mail waits on disk, where no read waits";
    if (verb->reads && mailbox_spills (self, actor))
        return TROUPE_OVERLOADED;
    *text = "too much is waiting to be written";
    if (!verb->reads && !shard_has_room (self))
        return TROUPE_OVERLOADED;
    *text = "too much is waiting to be folded";
    if (self->unfolded_bytes >= self->limits.unfolded_bytes)
        return TROUPE_OVERLOADED;
    *text = "too many calls are on record";
    if (self->calls.count >= self->limits.calls_kept)
        return TROUPE_OVERLOADED;
    *text = "";
    return TROUPE_OK;
}

/*  Rules of time for a call; says what is wrong with it. */
static troupe_status_t
in_time (const shard_t *self, troupe_call_t *asked, const char **text)
{
    bool has_session = !call_is_sessionless (asked->session);
    *text = "a call with a session needs its not-after time";
    if (has_session && asked->not_after_ms == 0)
        return TROUPE_INVALID;
    if (asked->not_after_ms == 0)
        asked->not_after_ms = self->now_ms + self->limits.call_keep_ms;
    *text = "its not-after time has passed; the outcome is unknown";
    if (self->now_ms > asked->not_after_ms)
        return TROUPE_UNKNOWN;
    *text = "its not-after time is too far away";
    if (asked->not_after_ms > self->now_ms + 2ull * self->limits.call_keep_ms + AHEAD_MS)
        return TROUPE_INVALID;
    return TROUPE_OK;
}

/*  The actor of this address; NULL: there is none such here, or no memory for it (OVERLOADED). */
static actor_t *
actor_of (shard_t *self, const char *to, troupe_status_t *why)
{
    size_t size = strlen (to);
    address_t address;
    actor_t *actor = size <= TROUPE_ADDRESS_MAX ? shard_find_actor (self, to, size) : NULL;
    *why = TROUPE_NOT_FOUND;
    if (actor)
        return actor;
    if (address_parse (to, size, &address, NULL) != TROUPE_OK
        || address_shard (&address, self->hash_seed, self->shards) != self->number)
        return NULL;
    *why = TROUPE_OVERLOADED;
    return shard_new_actor (self, to, size);
}

static void
accept (shard_t *self, call_t *call, actor_t *actor, const verb_t *verb)
{
    const troupe_call_t *asked = &call->asked;
    bool has_session = !call_is_sessionless (asked->session), is_kept = has_session && !verb->reads;
    const uint8_t *session = has_session ? asked->session : no_session;
    uint64_t seq = has_session ? asked->seq : call->id;
    call_entry_t *entry = add (self, session, seq, asked->not_after_ms);
    uint8_t trace[TRACE_SIZE];
    bool is_traced = asked->trace && trace_read (asked->trace, trace);
    message_fields_t fields = {
        .id = call->id,
        .flags = (uint8_t) (MESSAGE_CALL | (verb->reads ? 0 : MESSAGE_DURABLE) | (is_traced ? MESSAGE_TRACED : 0)),
        .trace = trace,
        .session = session,
        .seq = seq,
        .not_after_ms = asked->not_after_ms,
        .subject = asked->subject,
        .subject_size = (uint8_t) (asked->subject ? strnlen (asked->subject, TROUPE_ADDRESS_MAX) : 0),
        .body = asked->body,
        .body_size = (uint32_t) asked->size,
    };
    message_t *message = entry ? message_new (&self->pool, &fields, verb) : NULL;
    if (!message) {
        if (entry)
            forget (self, entry);
        turn_down (self, call, TROUPE_OVERLOADED, "no memory for one more call");
        return;
    }
    lanes_forget (&self->lanes, asked, self->now_ms);
    counter_add (&self->metrics.calls, 1);
    entry->is_pending = true;
    entry->is_kept = is_kept;
    add_waiter (entry, call);
    if (is_kept)
        set_fresh (self, entry);
    if (!verb->reads)
        self->wanted = true;
    mailbox_deliver (self, actor, message);
}

/*  True when the call met its twin and waits with it, or has its answer. */
static bool
joins_twin (shard_t *self, call_t *call)
{
    call_entry_t *twin = call_is_sessionless (call->asked.session) ? NULL
                                                                   : find (self, call->asked.session, call->asked.seq);
    if (!twin)
        return false;
    if (twin->is_pending)
        add_waiter (twin, call);
    else
        answer_again (self, twin, call);
    return true;
}

void
call_admit (shard_t *self, call_t *call)
{
    const char *text;
    troupe_status_t status = in_time (self, &call->asked, &text);
    if (status != TROUPE_OK) {
        turn_down (self, call, status, text);
        return;
    }
    if (joins_twin (self, call))
        return;
    actor_t *actor = actor_of (self, call->asked.to, &status);
    if (!actor) {
        turn_down (self, call, status,
                   status == TROUPE_NOT_FOUND ? "no such address in this shard" : "no memory for one more actor");
        return;
    }
    const verb_t *verb = actor->kind ? kind_verb (actor->kind, call->asked.verb, strlen (call->asked.verb)) : NULL;
    if (!verb) {
        turn_down (self, call, TROUPE_NOT_FOUND, "no such kind or verb");
        return;
    }
    status = door (self, call, actor, verb, &text);
    if (status != TROUPE_OK)
        turn_down (self, call, status, text);
    else
        accept (self, call, actor, verb);
}

/* ---- the answer ---- */

void
call_complete (shard_t *self, const uint8_t session[16], uint64_t seq, uint64_t wait_frame, troupe_status_t status,
               const void *body, size_t size, const char *text)
{
    call_entry_t *entry = find (self, session, seq);
    if (!entry || !entry->is_pending)
        return;
    bool is_kept = entry->is_kept;
    if (is_kept) {
        record (self, entry, STATE_DONE, status, body, size, text);
        shard_want_soon (self);
        wait_frame = self->open->number;
    }
    clear_fresh (self, entry);
    entry->is_pending = false;
    for (call_t *call = entry->waiters, *next; call; call = next) {
        next = call->next_waiter;
        if (call->asked.channel)
            call->head = feed_head (self, call->asked.to, call->asked.channel);
        release_answer (self, call, wait_frame, status, body, size, text);
    }
    entry->waiters = NULL;
    if (!is_kept)
        forget (self, entry);
}

void
call_tell_parked (shard_t *self, const uint8_t session[16], uint64_t seq, const char *reason)
{
    call_entry_t *entry = find (self, session, seq);
    for (call_t *call = entry ? entry->waiters : NULL, *next; call; call = next) {
        next = call->next_waiter;
        call_finish (&call, TROUPE_PARKED, NULL, 0, reason, 0);
    }
    if (entry)
        entry->waiters = NULL;
}

void
call_expire (shard_t *self, call_entry_t *entry)
{
    store_key_t key;
    for (call_t *call = entry->waiters, *next; call; call = next) {
        next = call->next_waiter;
        call_finish (&call, TROUPE_UNKNOWN, NULL, 0, "not decided before its not-after time", 0);
    }
    if (entry->is_kept) {
        call_key (entry->session, entry->seq, &key);
        shard_delete (self, &key);
    }
    forget (self, entry);
}

/* ---- start and end ---- */

static bool
start_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    shard_t *self = arg;
    if (key_size != 25 || size < RECORD_HEAD || value[0] > STATE_DONE) {
        shard_fail (self, TROUPE_CORRUPT, "the record of a call is malformed");
        return false;
    }
    call_entry_t *entry = add (self, key + 1, get_be64 (key + 17), get_le64 (value + 2));
    if (!entry) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for the records of calls");
        return false;
    }
    entry->is_kept = true;
    entry->is_pending = value[0] == STATE_PENDING;
    return true;
}

bool
call_start (shard_t *self)
{
    char table = KEY_CALL;
    return shard_scan (self, &table, 1, start_one, self);
}

static bool
drop_one (void *arg, table_node_t *node)
{
    shard_t *self = arg;
    call_entry_t *entry = (call_entry_t *) node;
    for (call_t *call = entry->waiters, *next; call; call = next) {
        next = call->next_waiter;
        call_finish (&call, TROUPE_UNKNOWN, NULL, 0, "the node stopped before it was decided", 0);
    }
    wheel_remove (&self->wheel, &entry->expiry.node);
    table_remove (&self->calls, node);
    pool_free (&self->pool, entry, sizeof *entry);
    return true;
}

void
call_drop_all (shard_t *self)
{
    table_each (&self->calls, drop_one, self);
    table_clear (&self->calls);
}
