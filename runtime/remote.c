/*  remote.c - turns of kinds that workers outside of the process serve.
 *
 *  DESIGN. A worker outlives the process and shows what it sees, so a message is offered like anything else that
 *  leaves: as an output that waits for the frames behind it. While it is away the actor takes no turns; its mail
 *  queues and spills as ever, and the message stays first in it, so that a process that ends has lost nothing.
 *  An outcome is put beside the actor, which becomes runnable: its turn is an ordinary one, whose handler
 *  (remote_turn) applies the effects. So all bounds of a slice and a frame hold, and done, refused and failed mean
 *  the same as elsewhere. A lost attempt is a failed turn.
 *
 *  The state is named by a number that grows with each change of any actor of the shard, so that no number ever
 *  names two states. It is not kept: an actor that slept gets a new one.
 */

#include "runtime/remote.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "runtime/inside.h"

#define VALUE_OVERHEAD 8  /* bytes of a packed key and value beside their own, at most */

/* ---- letters ---- */

remote_letter_t *
remote_letter_new (const char *address, const remote_token_t *token, const remote_outcome_t *outcome)
{
    size_t address_size = strnlen (address, TROUPE_ADDRESS_MAX + 1);
    bool is_done = outcome->end == REMOTE_DONE, fits = outcome->size <= TROUPE_TURN_MAX;
    size_t size = is_done && fits && outcome->status == TROUPE_OK ? outcome->size : 0;
    remote_letter_t *self = address_size <= TROUPE_ADDRESS_MAX ? memory_alloc (sizeof *self + size) : NULL;
    if (!self)
        return NULL;
    memset (self, 0, sizeof *self);
    self->letter.type = LETTER_REMOTE;
    self->token = *token;
    self->end = outcome->end;
    self->size = size;
    memcpy (self->address, address, address_size);
    if (size)
        memcpy (self->effects, outcome->effects, size);
    troupe_error_t error = { TROUPE_OK, "" };
    if (!fits)
        error_set (&error, TROUPE_FAILED, "the effects of one turn are over %u bytes", TROUPE_TURN_MAX);
    else if (outcome->status != TROUPE_OK)
        error_set (&error, (unsigned) outcome->status > TROUPE_TOO_LARGE ? TROUPE_FAILED : outcome->status, "%s",
                   outcome->text && *outcome->text ? outcome->text : troupe_status_name (outcome->status));
    self->status = error.status;
    memcpy (self->text, error.text, sizeof self->text);
    return self;
}

/* ---- of one actor ---- */

static remote_t *
remote_of (shard_t *self, actor_t *actor)
{
    actor_more_t *more = actor_more (self, actor);
    if (more && !more->remote) {
        more->remote = pool_alloc (&self->pool, sizeof *more->remote);
        if (more->remote)
            *more->remote = (remote_t) { .due.type = DUE_AWAY, .actor = actor };
    }
    if (!more || !more->remote) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a turn of a remote kind");
        return NULL;
    }
    return more->remote;
}

static void
drop_outcome (remote_t *remote)
{
    memory_free (remote->letter);
    remote->letter = NULL;
    remote->is_back = false;
}

void
remote_free (shard_t *self, actor_t *actor)
{
    remote_t *remote = actor->more->remote;
    if (!remote)
        return;
    drop_outcome (remote);
    wheel_remove (&self->wheel, &remote->due.node);
    pool_free (&self->pool, remote, sizeof *remote);
    actor->more->remote = NULL;
}

bool
remote_is_back (actor_t *actor)
{
    remote_t *remote = actor->more ? actor->more->remote : NULL;
    if (!remote || !remote->is_back)
        return false;
    if (remote->message == actor->first->id)
        return true;
    drop_outcome (remote);  /* its message was set aside */
    return false;
}

/*  Its first message waits for its turn again, or for the turn that the outcome is. */
static void
come_back (shard_t *self, remote_t *remote)
{
    wheel_remove (&self->wheel, &remote->due.node);
    remote->place = REMOTE_HERE;
    remote->actor->flags &= (uint16_t) ~ACTOR_AWAY;
    counter_set (&self->metrics.away, counter_get (&self->metrics.away) - 1);
    mailbox_make_runnable (self, remote->actor);
}

static void
come_back_lost (shard_t *self, remote_t *remote, const char *reason)
{
    counter_add (&self->metrics.lost, 1);
    remote->is_state_wanted = true;
    remote->is_back = true;
    remote->reason = reason;
    come_back (self, remote);
}

/* ---- out ---- */

/*  The frame that holds all that the first message would show: a tick and a call that is not recorded show their
 *  actor alone. Of other messages it is not known which frame told them, but one that is recorded stands in a
 *  sealed frame, unless it was just spilled. */
static uint64_t
frame_to_wait_for (const shard_t *self, const actor_t *actor)
{
    unsigned flags = actor->first->flags;
    uint64_t frame = self->open->number;
    if ((flags & MESSAGE_RECORDED) && self->spilled != frame)
        frame = self->sealed;
    else if ((flags & MESSAGE_TICK) || ((flags & MESSAGE_CALL) && !(flags & MESSAGE_RECORDED)))
        frame = 0;
    return frame > actor->frame ? frame : actor->frame;
}

bool
remote_begin (shard_t *self, actor_t *actor)
{
    remote_t *remote = remote_of (self, actor);
    output_t *output = remote ? output_new (self, OUTPUT_OFFER, 0) : NULL;
    if (!output)
        return false;
    actor->flags |= ACTOR_AWAY;
    counter_add (&self->metrics.away, 1);
    remote->place = REMOTE_AT_FRAME;
    output->offered = actor;
    release_after (self, output, frame_to_wait_for (self, actor));
    return !(actor->flags & ACTOR_AWAY);
}

/*  Which version of the kind wrote the state. False: the actor cannot be served. */
static bool
know_state (shard_t *self, actor_t *actor, remote_t *remote)
{
    uint32_t version;
    if (remote->version)
        return true;
    if (!values_version (self, actor, &version))
        return false;
    if (version > actor->kind->table->version) {
        come_back (self, remote);
        actor_park (self, actor, "its state is of a newer version than the code");
        return false;
    }
    remote->state_version = actor->flags & ACTOR_HAS_STATE ? version : 0;
    if (version != actor->kind->table->version)
        actor->flags &= (uint16_t) ~ACTOR_HAS_STATE;  /* the first change writes the new one */
    actor->flags |= ACTOR_VERSION_KNOWN;
    remote->version = ++self->remote_versions;
    return true;
}

typedef struct {
    actor_t *actor;
    size_t skip;      /* bytes of a stored key before the name */
    buffer_t *packed;
    uint32_t count;
    uint64_t bytes;
} packing_t;

static void
pack_value (packing_t *packing, const char *name, size_t name_size, const uint8_t *value, size_t size)
{
    packing->count += 1;
    packing->bytes += name_size + size + VALUE_OVERHEAD;
    packed_put_string (packing->packed, name, name_size);
    packed_put_bytes (packing->packed, value, size);
}

static bool
pack_stored (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    packing_t *packing = arg;
    const char *name = (const char *) key + packing->skip;
    if (!value_find (packing->actor, name, key_size - packing->skip))
        pack_value (packing, name, key_size - packing->skip, value, size);
    return true;
}

static void
pack_cached (void *arg, value_t *value)
{
    if (!value->is_absent)
        pack_value (arg, value->key, value->key_size, value->data, value->size);
}

/*  All keys and values, into the scratch of the turn. False: they are too large, or the shard failed. */
static bool
pack_state (shard_t *self, actor_t *actor, remote_t *remote)
{
    store_key_t key;
    buffer_t *packed = &self->turn.scratch;
    key_start (&key, KEY_STATE);
    key_add_name (&key, actor->address, actor->address_size);
    packing_t packing = { .actor = actor, .skip = key.size, .packed = packed };
    buffer_reset (packed);
    size_t place = packed_open (packed);
    if (!shard_scan (self, key.bytes, key.size, pack_stored, &packing))
        return false;
    value_each (actor, pack_cached, &packing);
    packed_close (packed, place, PACKED_OBJECT, packing.count);
    remote->state_bytes = packing.bytes;
    if (packed->failed && !packed->over_limit)
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for the state of an actor");
    return !packed->failed;
}

static remote_what_t
what_is (const message_t *message)
{
    return message->flags & MESSAGE_CALL       ? REMOTE_CALL
           : message->flags & MESSAGE_QUESTION ? REMOTE_QUESTION
           : message->flags & MESSAGE_ANSWER   ? REMOTE_ANSWER
           : message->flags & MESSAGE_TICK     ? REMOTE_TICK
           : message->flags & MESSAGE_CAST     ? REMOTE_CAST
                                               : REMOTE_TELL;
}

static void
describe (shard_t *self, const actor_t *actor, const verb_t *verb, remote_offer_t *offer)
{
    const message_t *message = actor->first;
    const remote_t *remote = actor->more->remote;
    *offer = (remote_offer_t) {
        .kind = actor->kind->name,
        .kind_version = actor->kind->table->version,
        .address = actor->address,
        .verb = verb->name,
        .what = what_is (message),
        .reads = verb->reads,
        .sender = message_from (message),
        .subject = message->call ? message->call->subject : "",
        .asked = message->flags & MESSAGE_ANSWER ? message->ask : 0,
        .outcome = (troupe_status_t) message->outcome,
        .body = message_body (message),
        .size = message->body_size,
        .id = message->id,
        .attempt = message->attempts + 1u,
        .now_ms = self->now_ms,
        .budget_ms = verb->table->budget_ms ? verb->table->budget_ms : actor->kind->attempt_ms,
        .boot = self->boot,
        .version = remote->version,
        .state_version = remote->state_version,
    };
}

static void
wait_at_door (shard_t *self, remote_t *remote)
{
    remote_queue_t *room = &self->rooms[remote->actor->kind->index];
    remote->place = REMOTE_AT_DOOR;
    remote->next = remote->has_waited ? room->first : NULL;
    if (remote->has_waited || !room->last)
        room->first = remote;
    else
        room->last->next = remote;
    if (!remote->next)
        room->last = remote;
    remote->has_waited = true;
}

static void
give_to_port (shard_t *self, actor_t *actor, const verb_t *verb)
{
    const remote_port_t *port = self->remote;
    remote_t *remote = actor->more->remote;
    char trace[TRACE_TEXT_SIZE] = "", caller[TROUPE_CALLER_MAX];
    remote_offer_t offer;
    describe (self, actor, verb, &offer);
    offer.has_state = remote->is_state_wanted || !port->holds (port->self, offer.kind, offer.address, offer.version);
    if (offer.has_state && !pack_state (self, actor, remote)) {
        if (self->failure.status == TROUPE_OK)
            come_back_lost (self, remote, "its state is too large for a worker");
        return;
    }
    if (offer.has_state) {
        offer.state = self->turn.scratch.data;
        offer.state_size = self->turn.scratch.size;
    }
    if (message_trace (actor->first))
        trace_write (message_trace (actor->first), trace);
    message_caller (actor->first, caller);
    offer.trace = trace;
    offer.caller = caller;
    remote->message = offer.id;
    remote->kind_version = offer.kind_version;
    if (!port->offer (port->self, &offer, &remote->token)) {
        wait_at_door (self, remote);
        return;
    }
    counter_add (&self->metrics.offered, 1);
    remote->is_state_wanted = remote->has_waited = false;
    remote->place = REMOTE_AT_WORKER;
    wheel_add (&self->wheel, &remote->due.node, self->now_ms + offer.budget_ms);
}

void
remote_offer (shard_t *self, actor_t *actor)
{
    remote_t *remote = actor->more->remote;
    CHECK (remote->place == REMOTE_AT_FRAME && actor->first);
    if (self->failure.status != TROUPE_OK || !know_state (self, actor, remote))
        return;
    const char *name = message_verb_name (actor->first);
    const verb_t *verb = kind_verb (actor->kind, name, strlen (name));
    remote->message = actor->first->id;
    if (verb)
        give_to_port (self, actor, verb);
    else
        come_back_lost (self, remote, "its kind does not have this verb any more");
}

/* ---- back ---- */

static remote_t *
find_away (shard_t *self, const remote_letter_t *letter)
{
    actor_t *actor = shard_find_actor (self, letter->address, strlen (letter->address));
    remote_t *remote = actor && actor->more ? actor->more->remote : NULL;
    bool is_it = remote && remote->place == REMOTE_AT_WORKER
                 && memcmp (&remote->token, &letter->token, sizeof letter->token) == 0;
    return is_it ? remote : NULL;
}

void
remote_take (shard_t *self, remote_letter_t *letter)
{
    remote_t *remote = find_away (self, letter);
    if (!remote) {
        counter_add (&self->metrics.stale, 1);
        memory_free (letter);
        return;
    }
    if (letter->end == REMOTE_LOST)
        come_back_lost (self, remote, "its worker was lost");
    else if (letter->end == REMOTE_DONE && remote->kind_version == remote->actor->kind->table->version) {
        remote->letter = letter;
        remote->is_back = true;
        come_back (self, remote);
        return;
    } else {  /* also what an older version made of a state that a newer one will see */
        remote->is_state_wanted = true;
        come_back (self, remote);
    }
    memory_free (letter);
}

void
remote_due (shard_t *self, remote_t *remote)
{
    const remote_port_t *port = self->remote;
    if (port->withdraw (port->self, remote->actor->address, &remote->token))
        come_back_lost (self, remote, "its worker did not answer in time");
    else
        come_back (self, remote);
}

/*  All that they show was durable when they came to the door. Until one is refused again, or the port would not know
 *  that more of them wait. */
void
shard_remote_ready (shard_t *self, const char *name)
{
    const kind_t *kind = registry_find (self->registry, name, strlen (name));
    remote_queue_t *room = kind ? &self->rooms[kind->index] : NULL;
    for (bool has_room = true; room && room->first && has_room;) {
        remote_t *remote = room->first;
        room->first = remote->next;
        if (!room->first)
            room->last = NULL;
        remote->place = REMOTE_AT_FRAME;
        remote_offer (self, remote->actor);
        has_room = remote->place != REMOTE_AT_DOOR;
    }
}

/* ---- the turn ---- */

/*  What the packed state will have, at most, once this turn is done. */
static uint64_t
bytes_after (const troupe_turn_t *turn)
{
    uint64_t bytes = turn->actor->more->remote->state_bytes;
    for (const value_t *value = turn->changed; value; value = value->changed_next) {
        bytes -= value->was_absent ? 0 : value->key_size + value->saved_size + VALUE_OVERHEAD;
        bytes += value->is_absent ? 0 : value->key_size + value->size + VALUE_OVERHEAD;
    }
    return bytes;
}

static troupe_status_t
apply (troupe_turn_t *turn, const remote_letter_t *letter)
{
    if (letter->status != TROUPE_OK)
        return error_set (&turn->error, letter->status, "%s", letter->text);
    troupe_status_t status = remote_apply (turn, letter->effects, letter->size);
    uint64_t bytes = bytes_after (turn);
    if (status == TROUPE_OK && turn->changed && bytes > REMOTE_STATE_MAX)
        return troupe_fail (turn, "the state would be over %u bytes, too large for a worker", REMOTE_STATE_MAX);
    return turn->poisoned ? TROUPE_FAILED : status;
}

/*  From here on nothing can go wrong with a turn that is kept, so the number of its state is known. */
static void
settle (troupe_turn_t *turn, bool is_kept)
{
    shard_t *self = turn->shard;
    remote_t *remote = turn->actor->more->remote;
    if (is_kept && turn->changed) {
        remote->state_bytes = bytes_after (turn);
        remote->state_version = turn->actor->kind->table->version;
        remote->version = ++self->remote_versions;
    }
    self->remote->settled (self->remote->self, turn->actor->address, &remote->token, is_kept, remote->version);
}

troupe_status_t
remote_turn (troupe_turn_t *turn)
{
    remote_t *remote = turn->actor->more->remote;
    CHECK (remote->is_back);
    troupe_status_t status;
    if (remote->letter) {
        status = apply (turn, remote->letter);
        settle (turn, status == TROUPE_OK);
    } else
        status = troupe_fail (turn, "%s", remote->reason);
    drop_outcome (remote);
    return status;
}

/* ---- a table that came while the node runs ---- */

typedef struct {
    shard_t *shard;
    const kind_t *kind;
} renewal_t;

static bool
renew_one (void *arg, table_node_t *node)
{
    const renewal_t *renewal = arg;
    const kind_t *kind = renewal->kind;
    actor_t *actor = (actor_t *) node;
    bool is_stranger = !actor->kind;
    if (actor->id_at != kind->name_size + 1u || memcmp (actor->address, kind->name, kind->name_size) != 0)
        return true;
    actor->kind = kind;
    if (actor->more && actor->more->remote && actor->more->remote->state_version != kind->table->version)
        actor->flags &= (uint16_t) ~ACTOR_HAS_STATE;  /* the first change writes the new one */
    for (message_t *message = actor->first; message; message = message->next) {
        const char *name = message_verb_name (message);
        if (!message->verb)
            message->verb = kind_verb (kind, name, strlen (name));
    }
    if (is_stranger && (actor->flags & ACTOR_PARKED))
        actor_revive (renewal->shard, actor);
    return true;
}

void
shard_renew_kind (shard_t *self, const char *name)
{
    renewal_t renewal = { self, registry_find (self->registry, name, strlen (name)) };
    if (!renewal.kind)
        return;
    if (self->has_resolved)
        memset (self->resolved, 0, sizeof self->resolved);
    self->has_resolved = false;
    table_each (&self->actors, renew_one, &renewal);
    timer_renew (self, renewal.kind);
    ask_start (self);
    shard_remote_ready (self, name);
}
