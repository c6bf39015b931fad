/*  effects.c - what a handler asks for: messages, replies, timers, events, dice.
 *
 *  DESIGN. Nothing here changes the world: a message for an actor of this
 *  shard is made and waits in a list, one for another shard is encoded, the
 *  rest is noted in the turn's arena. turn.c lets all of it happen, or
 *  nothing. Every failure poisons the turn.
 */

#include "runtime/inside.h"
#include "runtime/base/hex.h"
#include "runtime/body/json.h"
#include "runtime/body/pack.h"
#include "runtime/body/packed.h"
#include <stdarg.h>
#include <stdio.h>

#define ASK_DEFAULT_MS 30000

static bool
is_blinding (troupe_status_t status)
{
    return status >= TROUPE_NO_MEMORY;
}

/*  The error stands in the turn already. */
static void
poison (troupe_turn_t *turn, troupe_status_t status)
{
    turn->poisoned = true;
    turn->is_blind = turn->is_blind || is_blinding (status);
}

/*  Of several failures the first one is told; but one that blinds goes before others, or the handler would take it for
 *  those, and "not found" for a value that is not there. */
troupe_status_t
turn_poison (troupe_turn_t *turn, troupe_status_t status, const char *format, ...)
{
    if (turn->poisoned && (turn->is_blind || !is_blinding (status)))
        return turn->error.status;
    char text[sizeof turn->error.text];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    poison (turn, status);
    return error_set (&turn->error, status, "%s", text);
}

/* ---- the message in hand ---- */

const char *
troupe_self (const troupe_turn_t *turn)
{
    return turn->actor->address;
}

const char *
troupe_id (const troupe_turn_t *turn)
{
    return turn->actor->address + turn->actor->id_at;
}

const char *
troupe_verb (const troupe_turn_t *turn)
{
    return turn->message ? message_verb_name (turn->message) : "";
}

const char *
troupe_sender (const troupe_turn_t *turn)
{
    return turn->message ? message_from (turn->message) : "";
}

const char *
troupe_subject (const troupe_turn_t *turn)
{
    return turn->message && turn->message->call ? turn->message->call->subject : "";
}

const char *
troupe_trace (troupe_turn_t *turn)
{
    const uint8_t *trace = turn_trace (turn);
    char *text = trace ? arena_alloc (&turn->arena, TRACE_TEXT_SIZE) : NULL;
    if (!text)
        return "";
    trace_write (trace, text);
    return text;
}

uint32_t
troupe_attempt (const troupe_turn_t *turn)
{
    return turn->message ? turn->message->attempts + 1u : 1;
}

uint64_t
troupe_asked (const troupe_turn_t *turn)
{
    return turn->message && (turn->message->flags & MESSAGE_ANSWER) ? turn->message->ask : 0;
}

troupe_status_t
troupe_outcome (const troupe_turn_t *turn)
{
    return turn->message ? (troupe_status_t) turn->message->outcome : TROUPE_OK;
}

const void *
troupe_body (const troupe_turn_t *turn, size_t *size)
{
    *size = turn->message ? turn->message->body_size : 0;
    return turn->message ? message_body (turn->message) : NULL;
}

troupe_status_t
troupe_unpack (troupe_turn_t *turn, const char *format, ...)
{
    static const uint8_t no_fields[1 + COPY_SLACK] = { 0x80 };
    size_t size;
    const void *body = troupe_body (turn, &size);
    if (size == 0 && *format == '{') {  /* no body is an object without fields */
        body = no_fields;
        size = 1;
    }
    return TURN_READ (turn, body, size, format);
}

json_t *
troupe_body_tree (troupe_turn_t *turn)
{
    size_t size;
    troupe_error_t error;
    const void *body = troupe_body (turn, &size);
    json_t *tree = json_tree_from_packed (body, size, &error);
    if (!tree)
        turn_poison (turn, error.status, "%s", error.text);
    return tree;
}

/* ---- clock, dice, cache ---- */

uint64_t
troupe_now (const troupe_turn_t *turn)
{
    return turn->shard->now_ms;
}

static uint64_t
next_id (troupe_turn_t *turn)
{
    uint64_t id = hash_mix (turn->dice, ++turn->ordinal);
    return id ? id : 1;
}

uint64_t
troupe_random (troupe_turn_t *turn)
{
    return hash_mix (next_id (turn), turn->shard->store_hash);
}

void
troupe_uuid (troupe_turn_t *turn, char text[37])
{
    uint64_t high = troupe_random (turn), low = hash_mix (high, turn->dice);
    high = (high & ~0xf000ull) | 0x8000ull;
    low = (low & ~(3ull << 62)) | 2ull << 62;
    snprintf (text, 37, "%08x-%04x-%04x-%04x-%012llx", (unsigned) (high >> 32), (unsigned) (high >> 16) & 0xffff,
              (unsigned) high & 0xffff, (unsigned) (low >> 48), (unsigned long long) low & 0xffffffffffffull);
}

void *
troupe_cache (troupe_turn_t *turn)
{
    return turn->actor->cache;
}

/* ---- what a body is packed into and what it is read from ---- */

bool
turn_pack (troupe_turn_t *turn, buffer_t *to, size_t most, const char *format, va_list arguments)
{
    troupe_error_t *error = turn->poisoned ? NULL : &turn->error;
    buffer_reset (to);
    troupe_status_t status = pack_append (to, error, format, arguments);
    if (status == TROUPE_OK && to->size > most)
        turn_poison (turn, TROUPE_TOO_LARGE, "%zu bytes are more than the %zu that there may be", to->size, most);
    else if (status != TROUPE_OK)
        poison (turn, status);
    return status == TROUPE_OK && to->size <= most;
}

troupe_status_t
turn_read (troupe_turn_t *turn, const void *body, size_t size, const char *format, va_list arguments)
{
    return pack_read (body, size, &turn->arena, turn->poisoned ? NULL : &turn->error, format, arguments);
}

/* ---- what a turn may still ask for ---- */

static __attribute__ ((noinline)) bool
not_admitted (troupe_turn_t *turn, const char *what)
{
    if (turn->read_only)
        turn_poison (turn, TROUPE_INVALID, "a read may not %s", what);
    else if (turn->effects > TROUPE_EFFECTS_MAX)
        turn_poison (turn, TROUPE_TOO_LARGE, "a turn has at most %d effects", TROUPE_EFFECTS_MAX);
    else
        turn_poison (turn, TROUPE_TOO_LARGE, "the effects of one turn are over %u bytes", TROUPE_TURN_MAX);
    return false;
}

/*  Whether the turn may make one more effect of so many bytes. */
static inline bool
admit (troupe_turn_t *turn, size_t bytes, const char *what)
{
    turn->effects += 1;
    turn->bytes += bytes;
    bool fits = !turn->read_only && turn->effects <= TROUPE_EFFECTS_MAX && turn->bytes <= TROUPE_TURN_MAX;
    return __builtin_expect (fits && !turn->poisoned, 1) ? true : not_admitted (turn, what);
}

/* ---- messages ---- */

/*  The message that is sent, with the body in `scratch`. */
static message_fields_t
sent_fields (const troupe_turn_t *turn, const verb_t *verb, uint8_t flags, uint64_t id)
{
    const actor_t *from = turn->actor;
    const uint8_t *trace = turn_trace (turn);
    return (message_fields_t) {
        .id = id,
        .ask = flags & MESSAGE_QUESTION ? id : 0,
        .flags = (uint8_t) (flags | (trace ? MESSAGE_TRACED : 0)),
        .trace = trace,
        .from = from->address,
        .from_size = from->address_size,
        .verb = verb->name,
        .verb_size = verb->name_size,
        .body = turn->scratch.data,
        .body_size = (uint32_t) turn->scratch.size,
    };
}

static __attribute__ ((noinline)) message_t *
new_traced (troupe_turn_t *turn, const verb_t *verb, uint8_t flags, uint64_t id)
{
    message_fields_t fields = sent_fields (turn, verb, flags, id);
    return message_new (&turn->shard->pool, &fields, verb);
}

/*  To an actor of this shard, as soon as the turn is done. */
static inline bool
put_out (troupe_turn_t *turn, actor_t *to, const verb_t *verb, uint8_t flags, uint64_t id)
{
    const actor_t *from = turn->actor;
    message_t *message = NULL;
    if (to && __builtin_expect (turn_trace (turn) != NULL, 0))
        message = new_traced (turn, verb, flags, id);
    else if (to)
        message = message_new_told (&turn->shard->pool, from->address, from->address_size, verb, id, flags,
                                    turn->scratch.data, (uint32_t) turn->scratch.size);
    if (__builtin_expect (!message, 0)) {
        turn_poison (turn, TROUPE_NO_MEMORY, "no memory for a message");
        return false;
    }
    message->to = to;
    if (turn->out)
        turn->out_last->next = message;
    else
        turn->out = message;
    turn->out_last = message;
    return true;
}

static bool
put_away (troupe_turn_t *turn, uint16_t shard, const message_fields_t *fields)
{
    size_t size = message_record_size (fields);
    uint8_t *place = buffer_reserve (&turn->away, size + 6);
    if (!place) {
        turn_poison (turn, TROUPE_NO_MEMORY, "no memory for a message");
        return false;
    }
    put_le16 (place, shard);
    put_le32 (place + 2, (uint32_t) size);
    message_record_write (fields, place + 6);
    turn->away.size += size + 6;
    return true;
}

static const verb_t *
verb_or_poison (troupe_turn_t *turn, const kind_t *kind, const char *to, const char *name)
{
    const verb_t *verb = kind && name ? kind_verb (kind, name, strnlen (name, TROUPE_NAME_MAX + 1)) : NULL;
    if (!kind)
        turn_poison (turn, TROUPE_NOT_FOUND, "no kind for the address \"%.100s\"", to);
    else if (!verb)
        turn_poison (turn, TROUPE_NOT_FOUND, "%s has no verb \"%.60s\"", kind->name, name ? name : "");
    return verb;
}

/*  To an address that is not known yet: parsed, checked, and sent where it lives. */
static bool
send_far (troupe_turn_t *turn, const char *to, size_t size, const char *name, uint8_t flags, uint64_t id)
{
    shard_t *self = turn->shard;
    address_t address;
    troupe_error_t error;
    if (!admit (turn, turn->scratch.size + size, "send"))
        return false;
    if (address_parse (to ? to : "", size, &address, &error) != TROUPE_OK) {
        turn_poison (turn, error.status, "%s", error.text);
        return false;
    }
    const kind_t *kind = registry_find (self->registry, address.kind, address.kind_size);
    const verb_t *verb = verb_or_poison (turn, kind, to, name);
    if (!verb)
        return false;
    uint16_t shard = address_shard (&address, self->hash_seed, self->shards);
    if (shard == self->number)
        return put_out (turn, shard_new_actor (self, to, size), verb, flags, id);
    message_fields_t fields = sent_fields (turn, verb, flags, id);
    fields.to = to;
    fields.to_size = (uint8_t) size;
    return put_away (turn, shard, &fields);
}

/*  An actor of this shard that is in memory, and its verb; NULL: not so simple. */
static actor_t *
look_up (shard_t *self, const char *to, size_t size, const char *name, const verb_t **verb)
{
    actor_t *actor = size > 0 && size <= TROUPE_ADDRESS_MAX ? shard_find_actor (self, to, size) : NULL;
    *verb = actor && actor->kind && name ? kind_verb (actor->kind, name, strnlen (name, TROUPE_NAME_MAX + 1)) : NULL;
    return *verb ? actor : NULL;
}

/*  The names in a program's tables are mostly the very texts that it tells them by. */
static inline bool
is_named (const verb_t *verb, const char *name)
{
    return verb->name == name || strcmp (verb->name, name) == 0;
}

/*  Sends the body in `scratch`. The id of the message, 0 when the turn is poisoned. */
static uint64_t
send (troupe_turn_t *turn, const char *to, const char *name, uint8_t flags)
{
    shard_t *self = turn->shard;
    uint64_t id = next_id (turn);
    uintptr_t place = (uintptr_t) to ^ (uintptr_t) name << 3;
    resolved_t *known = &self->resolved[(place ^ place >> 10) % RESOLVED_MOST];
    actor_t *actor = known->actor;
    const verb_t *verb = known->verb;
    if (!to || known->to != to || !name || !is_named (verb, name) || strcmp (actor->address, to) != 0) {
        size_t size = to ? strnlen (to, TROUPE_ADDRESS_MAX + 1) : 0;
        actor = look_up (self, to, size, name, &verb);
        if (!actor)
            return send_far (turn, to, size, name, flags, id) ? id : 0;
        *known = (resolved_t) { to, actor, verb };
        self->has_resolved = true;
    }
    if (!admit (turn, turn->scratch.size + actor->address_size, "send") || !put_out (turn, actor, verb, flags, id))
        return 0;
    return id;
}

troupe_status_t
troupe_tell (troupe_turn_t *turn, const char *to, const char *verb, const char *format, ...)
{
    bool sent = TURN_PACK (turn, &turn->scratch, TROUPE_BODY_MAX, format) && send (turn, to, verb, MESSAGE_DURABLE);
    return sent ? TROUPE_OK : turn->error.status;
}

troupe_status_t
troupe_cast (troupe_turn_t *turn, const char *to, const char *verb, const char *format, ...)
{
    bool sent = TURN_PACK (turn, &turn->scratch, TROUPE_BODY_MAX, format) && send (turn, to, verb, MESSAGE_CAST);
    return sent ? TROUPE_OK : turn->error.status;
}

static effect_t *
new_effect (troupe_turn_t *turn, effect_type_t type, const void *body, size_t size)
{
    effect_t *effect = arena_alloc (&turn->arena, sizeof *effect);
    void *copy = effect && size ? arena_alloc (&turn->arena, size) : NULL;
    if (!effect || (size && !copy)) {
        turn_poison (turn, TROUPE_NO_MEMORY, "no memory for an effect");
        return NULL;
    }
    if (size)
        memcpy (copy, body, size);
    *effect = (effect_t) { .type = type, .body = copy, .size = size };
    if (turn->first_effect)
        turn->last_effect->next = effect;
    else
        turn->first_effect = effect;
    turn->last_effect = effect;
    return effect;
}

static bool
time_or_poison (troupe_turn_t *turn, uint64_t time_ms, const char *what)
{
    if (time_ms > TROUPE_TIME_MAX)
        turn_poison (turn, TROUPE_INVALID, "%s is too far ahead: %llu ms, at most %llu", what,
                     (unsigned long long) time_ms, (unsigned long long) TROUPE_TIME_MAX);
    return time_ms <= TROUPE_TIME_MAX;
}

uint64_t
troupe_ask (troupe_turn_t *turn, const char *to, const char *verb, const char *then, uint64_t within_ms,
            const char *format, ...)
{
    const verb_t *continuation = verb_or_poison (turn, turn->actor->kind, turn->actor->address, then);
    if (!continuation || !time_or_poison (turn, within_ms, "a question's deadline")
        || !TURN_PACK (turn, &turn->scratch, TROUPE_BODY_MAX, format))
        return 0;
    uint64_t id = send (turn, to, verb, MESSAGE_DURABLE | MESSAGE_QUESTION);
    effect_t *effect = id ? new_effect (turn, EFFECT_ASK, NULL, 0) : NULL;
    if (!effect)
        return 0;
    effect->ask.id = id;
    effect->ask.then = continuation;
    effect->ask.due_ms = turn->shard->now_ms + (within_ms ? within_ms : ASK_DEFAULT_MS);
    return id;
}

/* ---- replies ---- */

troupe_status_t
troupe_reply (troupe_turn_t *turn, const char *format, ...)
{
    if (turn->type != TURN_MESSAGE)
        return turn_poison (turn, TROUPE_INVALID, "nobody waits for a reply here");
    if (turn->replied || turn->later)
        return turn_poison (turn, TROUPE_INVALID, "a turn replies once");
    if (!TURN_PACK (turn, &turn->reply, TROUPE_BODY_MAX, format))
        return turn->error.status;
    turn->replied = true;
    return TROUPE_OK;
}

static troupe_status_t
say_no (troupe_turn_t *turn, troupe_status_t status, const char *format, va_list arguments)
{
    char text[sizeof turn->error.text];
    vsnprintf (text, sizeof text, format, arguments);
    return error_set (&turn->error, status, "%s", text);
}

troupe_status_t
troupe_refuse (troupe_turn_t *turn, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    say_no (turn, TROUPE_REFUSED, format, arguments);
    va_end (arguments);
    return TROUPE_REFUSED;
}

troupe_status_t
troupe_fail (troupe_turn_t *turn, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    say_no (turn, TROUPE_FAILED, format, arguments);
    va_end (arguments);
    return TROUPE_FAILED;
}

void
troupe_log (troupe_turn_t *turn, troupe_level_t level, const char *format, ...)
{
    const shard_world_t *world = &turn->shard->world;
    if (!world->log || level < world->log_from)
        return;
    char text[LOG_TEXT_SIZE];
    va_list arguments;
    va_start (arguments, format);
    if (vsnprintf (text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    va_end (arguments);
    world->log (world->self, level, turn->actor->address, troupe_verb (turn), troupe_trace (turn), text);
}

/* ---- replies that come later ---- */

void
message_caller (const message_t *message, char caller[TROUPE_CALLER_MAX])
{
    caller[0] = 0;
    if (message->flags & MESSAGE_CALL) {
        char session[33];
        hex_write (session, message->call->session, 16);
        snprintf (caller, TROUPE_CALLER_MAX, "call:%s:%016llx", session, (unsigned long long) message->call->seq);
    } else if (message->flags & MESSAGE_QUESTION)
        snprintf (caller, TROUPE_CALLER_MAX, "ask:%016llx:%s", (unsigned long long) message->ask,
                  message_from (message));
}

const char *
troupe_reply_later (troupe_turn_t *turn)
{
    turn->caller[0] = 0;
    if (turn->type != TURN_MESSAGE || turn->replied) {
        turn_poison (turn, TROUPE_INVALID, "there is no reply to be put off");
        return turn->caller;
    }
    if (turn->read_only) {
        turn_poison (turn, TROUPE_INVALID, "a read replies in its turn");
        return turn->caller;
    }
    turn->later = true;
    message_caller (turn->message, turn->caller);
    return turn->caller;
}

troupe_status_t
troupe_answer (troupe_turn_t *turn, const char *caller, troupe_status_t status, const char *format, ...)
{
    if (status > TROUPE_TOO_LARGE)
        return turn_poison (turn, TROUPE_INVALID, "an answer is ok or a refusal, not \"%s\"",
                            troupe_status_name (status));
    if (!caller || strnlen (caller, TROUPE_CALLER_MAX) == TROUPE_CALLER_MAX)
        return turn_poison (turn, TROUPE_INVALID, "this names no caller");
    if (!TURN_PACK (turn, &turn->scratch, TROUPE_BODY_MAX, format) || !admit (turn, turn->scratch.size, "answer"))
        return turn->error.status;
    effect_t *effect = new_effect (turn, EFFECT_ANSWER, turn->scratch.data, turn->scratch.size);
    char *name = effect ? arena_string (&turn->arena, caller, strlen (caller)) : NULL;
    if (!name)
        return turn_poison (turn, TROUPE_NO_MEMORY, "no memory for an answer");
    effect->answer.caller = name;
    effect->answer.status = status;
    return TROUPE_OK;
}

/*  The text in {"error": text}, or the status' name. */
static const char *
error_text (troupe_turn_t *turn, const effect_t *effect)
{
    packed_reader_t reader;
    packed_value_t value;
    const char *text = NULL;
    if (packed_find (effect->body, effect->size, "error", &reader) && packed_next (&reader, &value)
        && value.type == PACKED_STRING)
        text = arena_string (&turn->arena, value.string.bytes, value.string.size);
    return text ? text : troupe_status_name (effect->answer.status);
}

void
turn_answer_caller (shard_t *self, const actor_t *actor, const effect_t *effect)
{
    const char *caller = effect->answer.caller;
    size_t size = strlen (caller);
    uint8_t session[16], number[8];
    if (size == 54 && strncmp (caller, "call:", 5) == 0 && hex_read (caller + 5, session, 16)
        && hex_read (caller + 38, number, 8))
        call_complete (self, session, get_be64 (number), self->open->number, effect->answer.status, effect->body,
                       effect->size, effect->answer.status ? error_text (&self->turn, effect) : "");
    else if (size > 21 && strncmp (caller, "ask:", 4) == 0 && hex_read (caller + 4, number, 8))
        ask_answer (self, actor, caller + 21, size - 21, get_be64 (number), effect->answer.status, effect->body,
                    effect->size, next_id (&self->turn));
}

/* ---- timers and events ---- */

static bool
name_or_poison (troupe_turn_t *turn, const char *name, const char *what)
{
    size_t size = name ? strnlen (name, TROUPE_NAME_MAX + 1) : 0;
    if (size == 0 || size > TROUPE_NAME_MAX)
        turn_poison (turn, TROUPE_INVALID, "a %s's name has 1 to %d bytes", what, TROUPE_NAME_MAX);
    return size > 0 && size <= TROUPE_NAME_MAX;
}

static troupe_status_t
set_timer (troupe_turn_t *turn, const char *name, const char *verb_name, uint64_t due_ms, uint64_t period_ms,
           troupe_tick_t missed)
{
    const verb_t *verb = verb_or_poison (turn, turn->actor->kind, turn->actor->address, verb_name);
    if (!verb || !name_or_poison (turn, name, "timer") || !time_or_poison (turn, period_ms, "a timer's period")
        || !time_or_poison (turn, due_ms, "a timer's time") || !admit (turn, turn->scratch.size, "set a timer"))
        return turn->error.status;
    effect_t *effect = new_effect (turn, EFFECT_TIMER_SET, turn->scratch.data, turn->scratch.size);
    char *copy = effect ? arena_string (&turn->arena, name, strlen (name)) : NULL;
    if (!copy)
        return turn_poison (turn, TROUPE_NO_MEMORY, "no memory for a timer");
    effect->timer.name = copy;
    effect->timer.verb = verb;
    effect->timer.due_ms = due_ms;
    effect->timer.period_ms = period_ms;
    effect->timer.missed = missed;
    effect->timer.generation = next_id (turn);
    return TROUPE_OK;
}

troupe_status_t
troupe_timer_at (troupe_turn_t *turn, const char *name, const char *verb, uint64_t due_ms, const char *format, ...)
{
    if (!TURN_PACK (turn, &turn->scratch, TROUPE_BODY_MAX, format))
        return turn->error.status;
    return set_timer (turn, name, verb, due_ms, 0, TROUPE_TICK_ONCE);
}

troupe_status_t
troupe_timer_every (troupe_turn_t *turn, const char *name, const char *verb, uint64_t period_ms,
                    troupe_tick_t missed, const char *format, ...)
{
    if (period_ms == 0)
        return turn_poison (turn, TROUPE_INVALID, "a timer's period is at least 1 ms");
    if (!TURN_PACK (turn, &turn->scratch, TROUPE_BODY_MAX, format))
        return turn->error.status;
    return set_timer (turn, name, verb, turn->shard->now_ms + period_ms, period_ms, missed);
}

troupe_status_t
troupe_timer_cancel (troupe_turn_t *turn, const char *name)
{
    if (!name_or_poison (turn, name, "timer") || !admit (turn, 0, "cancel a timer"))
        return turn->error.status;
    effect_t *effect = new_effect (turn, EFFECT_TIMER_CANCEL, NULL, 0);
    char *copy = effect ? arena_string (&turn->arena, name, strlen (name)) : NULL;
    if (!copy)
        return turn_poison (turn, TROUPE_NO_MEMORY, "no memory for a timer");
    effect->timer.name = copy;
    return TROUPE_OK;
}

static troupe_status_t
find_channel (troupe_turn_t *turn, const char *name, const channel_t **channel)
{
    *channel = name ? kind_channel (turn->actor->kind, name) : NULL;
    if (*channel)
        return TROUPE_OK;
    return turn_poison (turn, TROUPE_NOT_FOUND, "%s has no channel \"%.60s\"", turn->actor->kind->name,
                        name ? name : "");
}

static troupe_status_t
publish (troupe_turn_t *turn, const char *name, const char *key)
{
    const channel_t *channel;
    if (find_channel (turn, name, &channel) != TROUPE_OK)
        return turn->error.status;
    if (key && !name_or_poison (turn, key, "key"))
        return turn->error.status;
    if (!admit (turn, turn->scratch.size, "publish"))
        return turn->error.status;
    effect_t *effect = new_effect (turn, EFFECT_EVENT, turn->scratch.data, turn->scratch.size);
    char *copy = effect && key ? arena_string (&turn->arena, key, strlen (key)) : NULL;
    if (!effect || (key && !copy))
        return turn_poison (turn, TROUPE_NO_MEMORY, "no memory for an event");
    effect->event.channel = channel;
    effect->event.key = copy;
    return TROUPE_OK;
}

troupe_status_t
troupe_publish (troupe_turn_t *turn, const char *channel, const char *format, ...)
{
    if (!TURN_PACK (turn, &turn->scratch, TROUPE_BODY_MAX, format))
        return turn->error.status;
    return publish (turn, channel, NULL);
}

troupe_status_t
troupe_publish_key (troupe_turn_t *turn, const char *channel, const char *key, const char *format, ...)
{
    if (!TURN_PACK (turn, &turn->scratch, TROUPE_BODY_MAX, format))
        return turn->error.status;
    return publish (turn, channel, key ? key : "");
}

troupe_status_t
troupe_permit_changed (troupe_turn_t *turn, const char *name)
{
    const channel_t *channel;
    if (find_channel (turn, name, &channel) != TROUPE_OK || !admit (turn, 0, "ask about watchers"))
        return turn->error.status;
    if (!channel->table->permit)
        return turn_poison (turn, TROUPE_INVALID, "channel \"%.60s\" of %s has no .permit", name,
                            turn->actor->kind->name);
    effect_t *effect = new_effect (turn, EFFECT_EVENT, NULL, 0);
    if (!effect)
        return turn_poison (turn, TROUPE_NO_MEMORY, "no memory to ask about watchers");
    effect->event.channel = channel;
    effect->event.is_permit = true;
    return TROUPE_OK;
}
