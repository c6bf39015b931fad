/*  trail.c - turns as they run, for somebody who follows them.
 *
 *  DESIGN. While nobody follows, a turn pays one look at a pointer. Who follows asks
 *  again and again, and takes all that ran since the last time. What does not fit
 *  until then is counted and let go: a trail has all of its memory from the start,
 *  and makes no turn wait. One that nobody asks for any more goes after TRAIL_KEPT_MS.
 *
 *  A turn is noted when its handler has returned, before its effects join the frame
 *  or are undone. So what is shown may never become durable: it waits like every
 *  output (shard_release_after, by the caller).
 */

#include "runtime/inside.h"
#include "runtime/base/hex.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"
#include "runtime/body/packed.h"

#define TRAILS_MOST 8
#define TRAIL_KEPT_MS 10000
#define TRAIL_BYTES (1u << 20) /* of one trail in all shards, */
#define TRAIL_BYTES_LEAST (4u << 10) /* or in one; what 1,024 shards show fits into an answer */
#define NAMES_MOST 16 /* of a sort in a turn */
#define TRACE_ID_SIZE 16

typedef enum { TRAIL_ALL, TRAIL_ACTOR, TRAIL_KIND, TRAIL_TRACE } trail_type_t;

struct trail_s {
    struct trail_s *next;
    uint64_t id;
    uint64_t until_ms;
    trail_type_t type;
    uint16_t kind;
    uint8_t trace[TRACE_ID_SIZE];
    char of[TROUPE_ADDRESS_MAX + 1];
    buffer_t turns;     /* packed objects */
    uint32_t count, lost;
};

/* ---- which ---- */

static troupe_status_t
read_of (const shard_t *self, const char *of, trail_t *trail, troupe_error_t *error)
{
    address_t parts;
    size_t size = strlen (of);
    if (size == 0) {
        trail->type = TRAIL_ALL;
        return TROUPE_OK;
    }
    if (memchr (of, '/', size)) {
        trail->type = TRAIL_ACTOR;
        return address_parse (of, size, &parts, error);
    }
    if (size == 2 * TRACE_ID_SIZE && hex_read (of, trail->trace, TRACE_ID_SIZE)) {
        trail->type = TRAIL_TRACE;
        return TROUPE_OK;
    }
    const kind_t *kind = registry_find (self->registry, of, size);
    if (!kind)
        return error_set (error, TROUPE_NOT_FOUND, "this node has no kind \"%.60s\"", of);
    trail->type = TRAIL_KIND;
    trail->kind = kind->index;
    return TROUPE_OK;
}

static bool
concerns (const trail_t *trail, const troupe_turn_t *turn)
{
    const uint8_t *trace = turn_trace (turn);
    switch (trail->type) {
    case TRAIL_ALL:
        return true;
    case TRAIL_ACTOR:
        return strcmp (trail->of, turn->actor->address) == 0;
    case TRAIL_KIND:
        return trail->kind == turn->actor->kind->index;
    case TRAIL_TRACE:
        return trace && memcmp (trail->trace, trace, TRACE_ID_SIZE) == 0;
    }
    return false;
}

/* ---- what a turn was ---- */

/*  Names and texts of strangers. */
static void
put_string (buffer_t *to, const char *text, size_t size)
{
    bool is_good = utf8_is_valid (text, size);
    packed_put_string (to, is_good ? text : "?", is_good ? size : 1);
}

static void
put_text (buffer_t *to, const char *name, const char *text)
{
    packed_put_name (to, name);
    put_string (to, text, strlen (text));
}

static void
put_id (buffer_t *to, uint64_t id)
{
    char digits[2 * sizeof id + 1];
    uint8_t bytes[sizeof id];
    put_be64 (bytes, id);
    hex_write (digits, bytes, sizeof bytes);
    packed_put_text (to, "id", digits);
}

static const char *
way (const troupe_turn_t *turn)
{
    const message_t *message = turn->message;
    if (!message)
        return turn->type == TURN_WAKE ? "wake" : "upgrade";
    return message->flags & MESSAGE_CALL       ? "call"
           : message->flags & MESSAGE_QUESTION ? "ask"
           : message->flags & MESSAGE_ANSWER   ? "answer"
           : message->flags & MESSAGE_TICK     ? "timer"
           : message->flags & MESSAGE_CAST     ? "cast"
                                               : "tell";
}

/*  An actor, the subject of a call, or the name of a timer. */
static const char *
sender (const message_t *message)
{
    if (!message)
        return "";
    if (message->flags & MESSAGE_TICK)
        return message_tick_name (message);
    return message->flags & MESSAGE_CALL ? message->call->subject : message_from (message);
}

/*  Up to NAMES_MOST of a sort; `more` counts what is left out of all sorts. */
typedef struct {
    buffer_t *to;
    size_t place;
    uint32_t count, more;
} names_t;

static void
names_open (names_t *self, const char *name)
{
    packed_put_name (self->to, name);
    self->place = packed_open (self->to);
    self->count = 0;
}

static bool
names_have_room (names_t *self)
{
    bool has_room = self->count < NAMES_MOST;
    *(has_room ? &self->count : &self->more) += 1;
    return has_room;
}

static void
names_close (names_t *self)
{
    packed_close (self->to, self->place, PACKED_ARRAY, self->count);
}

static void
put_message (names_t *names, const char *to, size_t to_size, const char *verb, size_t verb_size, uint64_t id)
{
    if (!names_have_room (names))
        return;
    packed_put_object (names->to, 3);
    packed_put_name (names->to, "to");
    put_string (names->to, to, to_size);
    packed_put_name (names->to, "verb");
    put_string (names->to, verb, verb_size);
    put_id (names->to, id);
}

/*  To actors of this shard and of others. */
static void
put_messages (names_t *names, const troupe_turn_t *turn)
{
    message_fields_t fields;
    names_open (names, "told");
    for (const message_t *message = turn->out; message; message = message->next) {
        const char *verb = message_verb_name (message);
        put_message (names, message->to->address, message->to->address_size, verb, strlen (verb), message->id);
    }
    for (size_t at = 0, size; at < turn->away.size; at += 6 + size) {
        size = get_le32 (turn->away.data + at + 2);
        CHECK (message_record_read (turn->away.data + at + 6, size, &fields));
        put_message (names, fields.to, fields.to_size, fields.verb, fields.verb_size, fields.id);
    }
    names_close (names);
}

static void
put_changed (names_t *names, const troupe_turn_t *turn)
{
    names_open (names, "changed");
    for (const value_t *value = turn->changed; value; value = value->changed_next)
        if (names_have_room (names))
            put_string (names->to, value->key, value->key_size);
    names_close (names);
}

static void
put_timers (names_t *names, const troupe_turn_t *turn)
{
    names_open (names, "timers");
    for (const effect_t *effect = turn->first_effect; effect; effect = effect->next)
        if ((effect->type == EFFECT_TIMER_SET || effect->type == EFFECT_TIMER_CANCEL) && names_have_room (names))
            put_string (names->to, effect->timer.name, strlen (effect->timer.name));
    names_close (names);
}

static void
put_events (names_t *names, const troupe_turn_t *turn)
{
    names_open (names, "events");
    for (const effect_t *effect = turn->first_effect; effect; effect = effect->next)
        if (effect->type == EFFECT_EVENT && !effect->event.is_permit && names_have_room (names))
            packed_put_name (names->to, effect->event.channel->name);
    names_close (names);
}

static void
put_turn (const shard_t *self, buffer_t *to, troupe_status_t status)
{
    const troupe_turn_t *turn = &self->turn;
    const message_t *message = turn->message;
    names_t names = { .to = to };
    char trace[TRACE_TEXT_SIZE] = "";
    if (turn_trace (turn))
        trace_write (turn_trace (turn), trace);
    packed_put_object (to, 19);
    packed_put_number (to, "shard", self->number);
    packed_put_number (to, "time_ms", self->now_ms);
    packed_put_number (to, "began_ns", self->began_ns);
    packed_put_number (to, "took_ns", self->took_ns);
    packed_put_text (to, "address", turn->actor->address);
    packed_put_text (to, "verb", turn->verb ? turn->verb->name : "");
    packed_put_text (to, "by", way (turn));
    put_text (to, "from", sender (message));
    put_id (to, turn->id);
    packed_put_text (to, "trace", trace);
    packed_put_number (to, "tried", message ? message->attempts : 0);
    packed_put_number (to, "size", message ? message->body_size : 0);
    packed_put_text (to, "status", troupe_status_name (status));
    put_text (to, "text", status == TROUPE_OK ? "" : turn->error.text);
    put_messages (&names, turn);
    put_changed (&names, turn);
    put_timers (&names, turn);
    put_events (&names, turn);
    packed_put_number (to, "more", names.more);
}

static bool
is_over (shard_t *self, trail_t **trail_p)
{
    trail_t *trail = *trail_p;
    if (self->now_ms <= trail->until_ms)
        return false;
    *trail_p = trail->next;
    buffer_clear (&trail->turns);
    memory_free (trail);
    return true;
}

static void
measure_all (shard_t *self)
{
    self->sample_mask = self->trails ? 0 : SHARD_SAMPLE_MASK;
}

void
trail_turn (shard_t *self, troupe_status_t status)
{
    for (trail_t **trail_p = &self->trails; *trail_p;) {
        if (is_over (self, trail_p))
            continue;
        trail_t *trail = *trail_p;
        size_t size = trail->turns.size;
        trail_p = &trail->next;
        if (!concerns (trail, &self->turn))
            continue;
        put_turn (self, &trail->turns, status);
        if (trail->turns.failed) {
            packed_cut (&trail->turns, size);
            trail->lost += 1;
        } else
            trail->count += 1;
    }
    measure_all (self);
}

/* ---- who follows ---- */

static trail_t *
begin (shard_t *self, uint64_t id, const char *of, troupe_error_t *error)
{
    trail_t trail = { .id = id };
    uint32_t count = 0;
    for (const trail_t *other = self->trails; other; other = other->next)
        count += 1;
    if (count == TRAILS_MOST) {
        error_set (error, TROUPE_OVERLOADED, "%d others follow turns of this node", TRAILS_MOST);
        return NULL;
    }
    if (read_of (self, of, &trail, error) != TROUPE_OK)
        return NULL;
    size_t most = TRAIL_BYTES / self->shards;
    trail.turns.limit = most > TRAIL_BYTES_LEAST ? most : TRAIL_BYTES_LEAST;
    memcpy (trail.of, of, strlen (of) + 1);
    trail_t *kept = memory_alloc (sizeof *kept);
    if (!kept || !buffer_reserve (&trail.turns, trail.turns.limit)) {  /* a turn takes no memory for it */
        memory_free (kept);
        error_set (error, TROUPE_NO_MEMORY, "no memory to follow turns");
        return NULL;
    }
    *kept = trail;
    kept->next = self->trails;
    self->trails = kept;
    return kept;
}

troupe_status_t
shard_follow (shard_t *self, uint64_t id, const char *of, buffer_t *packed, troupe_error_t *error)
{
    trail_t *trail = NULL;
    for (trail_t **trail_p = &self->trails; *trail_p;) {
        if ((*trail_p)->id == id)
            trail = *trail_p;
        else if (is_over (self, trail_p))
            continue;
        trail_p = &(*trail_p)->next;
    }
    if (!trail && !(trail = begin (self, id, of, error))) {
        measure_all (self);
        return error->status;
    }
    measure_all (self);
    trail->until_ms = self->now_ms + TRAIL_KEPT_MS;
    packed_put_array (packed, trail->count + (trail->lost ? 1 : 0));
    buffer_append (packed, trail->turns.data, trail->turns.size);
    if (trail->lost) {
        packed_put_object (packed, 2);
        packed_put_number (packed, "shard", self->number);
        packed_put_number (packed, "lost", trail->lost);
    }
    if (packed->failed)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for the turns");
    buffer_reset (&trail->turns);
    trail->count = trail->lost = 0;
    return TROUPE_OK;
}

void
trail_drop_all (shard_t *self)
{
    for (trail_t *trail = self->trails, *next; trail; trail = next) {
        next = trail->next;
        buffer_clear (&trail->turns);
        memory_free (trail);
    }
}
