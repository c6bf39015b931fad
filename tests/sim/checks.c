/*  checks.c - what holds at any moment of a run: the invariants I1 to I6.
 *
 *  DESIGN
 *  The simulator folds the durable frames itself, and holds against that fold
 *  all that leaves the process, at the moment it leaves:
 *    - Every turn of the workloads that changes its actor counts a stamp up, in
 *      the actor's state, and whatever the turn shows (reply, text of a refusal,
 *      event, cast) carries the stamp. Shown and not durable: a leak (I3, I4).
 *    - A message on a link stands in its sender's durable outbox, byte for byte;
 *      an acknowledgement stands in its receiver's durable marks (I2).
 *    - Numbers of frames have no holes, what was durable before a crash is there
 *      after it, and what a boot recovers are the very bytes that were submitted.
 *    - After a fold the state is the fold of frames, key for key (I6).
 */
#include "tests/sim/sim.h"

#include "runtime/body/packed.h"
#include "runtime/message.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ *
 *  Durable state of an actor, and stamps
 * ------------------------------------------------------------------ */

bool
sim_state (sim_t *sim, const char *address, const char *key, const uint8_t **value, size_t *size)
{
    uint16_t shard;
    store_key_t place;
    if (world_shard_of (sim->world, address, &shard, NULL) != TROUPE_OK)
        sim_fail ("%s is no address", address);
    key_start (&place, KEY_STATE);
    key_add_name (&place, address, strlen (address));
    key_add (&place, key, strlen (key));
    return fold_get (&sim->fold, shard, place.bytes, place.size, value, size);
}

uint64_t
sim_state_number (sim_t *sim, const char *address, const char *key)
{
    const uint8_t *value;
    size_t size;
    return sim_state (sim, address, key, &value, &size) && size >= 8 ? get_le64 (value) : 0;
}

uint64_t
checks_newest_seen (sim_t *sim, const char *address)
{
    const uint8_t *value;
    size_t size;
    return fold_get (&sim->seen, 0, address, strlen (address), &value, &size) ? get_le64 (value) : 0;
}

void
checks_seen (sim_t *sim, const char *address, uint64_t stamp, const char *where)
{
    uint64_t durable = sim_state_number (sim, address, "stamp");
    sim->figures.released += 1;
    if (stamp > durable)
        sim_fail ("%s shows stamp %llu of %s, of which only %llu is durable (I3)", where, (unsigned long long) stamp,
                  address, (unsigned long long) durable);
    if (stamp > checks_newest_seen (sim, address)) {
        uint8_t bytes[8];
        put_le64 (bytes, stamp);
        fold_put (&sim->seen, 0, address, strlen (address), bytes, sizeof bytes);
    }
}

bool
sim_number_of (const void *body, size_t size, const char *name, int64_t *number)
{
    packed_reader_t reader;
    packed_value_t value;
    if (!packed_find (body, size, name, &reader) || !packed_next (&reader, &value) || value.type != PACKED_INT)
        return false;
    *number = value.integer;
    return true;
}

bool
checks_stamp_of_body (const void *body, size_t size, uint64_t *stamp)
{
    return sim_number_of (body, size, "stamp", (int64_t *) stamp);
}

bool
checks_stamp_of_text (const char *text, uint64_t *stamp)
{
    const char *mark = strchr (text, '#');
    if (!mark)
        return false;
    *stamp = strtoull (mark + 1, NULL, 10);
    return true;
}

/* ------------------------------------------------------------------ *
 *  Frames
 * ------------------------------------------------------------------ */

static void
on_submitted (void *sim_, const frame_t *frame)
{
    sim_t *sim = sim_;
    shard_record_t *record = &sim->shards[frame->shard];
    uint64_t hash = hash_bytes (frame->body.data, frame->body.size, frame->time_ms);
    sim_note (sim, "frame", frame->shard, frame->number, hash, NULL);
    if (frame->number != record->submitted + 1)
        sim_fail ("shard %u submits frame %llu after %llu", frame->shard, (unsigned long long) frame->number,
                  (unsigned long long) record->submitted);
    if (frame->time_ms < record->time_ms)
        sim_fail ("shard %u: time goes back from %llu to %llu", frame->shard, (unsigned long long) record->time_ms,
                  (unsigned long long) frame->time_ms);
    if (!frame_body_is_valid (frame->body.data, frame->body.size))
        sim_fail ("shard %u submits a malformed frame", frame->shard);
    pending_frame_t *pending = calloc (1, sizeof *pending + frame->body.size);
    CHECK (pending);
    pending->number = frame->number;
    pending->hash = hash;
    pending->size = frame->body.size;
    if (frame->body.size)
        memcpy (pending->bytes, frame->body.data, frame->body.size);
    if (record->pending_last)
        record->pending_last->next = pending;
    else
        record->pending = pending;
    record->pending_last = pending;
    record->submitted = frame->number;
    record->time_ms = frame->time_ms;
    sim->figures.frames += 1;
}

static void
apply_to (sim_t *sim, uint16_t shard, uint64_t number)
{
    for (pending_frame_t *pending = sim->shards[shard].pending; pending; pending = pending->next) {
        if (pending->is_applied || pending->number > number)
            continue;
        if (!fold_apply (&sim->fold, shard, pending->bytes, pending->size))
            sim_fail ("shard %u: frame %llu cannot be folded", shard, (unsigned long long) pending->number);
        pending->is_applied = true;
    }
}

static void
on_durable (void *sim_, uint16_t shard, uint64_t number)
{
    sim_t *sim = sim_;
    shard_record_t *record = &sim->shards[shard];
    sim_note (sim, "durable", shard, number, 0, NULL);
    if (number > record->submitted || number <= record->durable)
        sim_fail ("shard %u: frame %llu is said to be durable, %llu was, %llu is submitted", shard,
                  (unsigned long long) number, (unsigned long long) record->durable,
                  (unsigned long long) record->submitted);
    apply_to (sim, shard, number);
    record->durable = number;
}

static void
drop_first (shard_record_t *record)
{
    pending_frame_t *pending = record->pending;
    record->pending = pending->next;
    if (!record->pending)
        record->pending_last = NULL;
    free (pending);
}

static void
on_folded (void *sim_, uint16_t shard, uint64_t number)
{
    sim_t *sim = sim_;
    shard_record_t *record = &sim->shards[shard];
    sim_note (sim, "folded", shard, number, 0, NULL);
    if (number > record->durable)
        sim_fail ("shard %u: frame %llu is folded, %llu is durable", shard, (unsigned long long) number,
                  (unsigned long long) record->durable);
    while (record->pending && record->pending->number <= number)
        drop_first (record);
    record->folded = number;
    sim->is_folded = true;
    sim->node->boots = 0;
    sim->node->was_crowded = sim->node->is_crowded || !world_has_ballast (sim->world);
}

/*  The door closes in time, and the ballast is room for a whole checkpoint. A process that dies again and again
 *  before it folds takes more. */
static void
on_lacked_room (void *sim_, bool had_ballast)
{
    sim_t *sim = sim_;
    sim_note (sim, "lacked room", had_ballast, world_room (sim->world), 0, NULL);
    if (sim->profile.volume_bytes && (had_ballast || sim_must_have_room (sim)))
        sim_fail ("a fold has no room on the disk: %llu bytes are free (rule 19)",
                  (unsigned long long) world_room (sim->world));
}

/* ------------------------------------------------------------------ *
 *  A boot
 * ------------------------------------------------------------------ */

void
checks_boot_begins (sim_t *sim)
{
    state_mark_t marks[WORLD_SHARDS_MAX];
    state_port_t *state = world_state (sim->world);
    state->marks (state->self, marks);
    for (uint16_t i = 0; i < sim->profile.shards; i++) {
        shard_record_t *record = &sim->shards[i];
        if (!world_has (sim->world, i))
            continue;
        record->recovered = marks[i].frame;
        record->time_ms = marks[i].time_ms;
        if (marks[i].frame > record->durable || marks[i].frame < record->folded)
            sim_fail ("shard %u: the state's mark is %llu, %llu was durable and %llu folded", i,
                      (unsigned long long) marks[i].frame, (unsigned long long) record->durable,
                      (unsigned long long) record->folded);
        while (record->pending && record->pending->number <= marks[i].frame)
            drop_first (record);
        record->folded = marks[i].frame;
    }
}

static void
on_replayed (void *sim_, const frame_t *frame)
{
    sim_t *sim = sim_;
    shard_record_t *record = &sim->shards[frame->shard];
    uint64_t hash = hash_bytes (frame->body.data, frame->body.size, frame->time_ms);
    if (frame->number != record->recovered + 1)
        sim_fail ("shard %u: the boot finds frame %llu after %llu", frame->shard, (unsigned long long) frame->number,
                  (unsigned long long) record->recovered);
    record->recovered = frame->number;
    record->time_ms = frame->time_ms;
    const pending_frame_t *pending = record->pending;
    while (pending && pending->number != frame->number)
        pending = pending->next;
    if (!pending || pending->hash != hash)
        sim_fail ("shard %u: the boot finds a frame %llu that was %s", frame->shard,
                  (unsigned long long) frame->number, pending ? "another when it was submitted" : "never submitted");
}

/*  The process serves: what it did not find is gone for good. */
void
checks_booted (sim_t *sim)
{
    for (uint16_t i = 0; i < sim->profile.shards; i++) {
        shard_record_t *record = &sim->shards[i];
        if (!world_has (sim->world, i))
            continue;
        if (record->recovered < record->durable)
            sim_fail ("shard %u: frame %llu was durable, the boot finds only %llu (I4)", i,
                      (unsigned long long) record->durable, (unsigned long long) record->recovered);
        apply_to (sim, i, record->recovered);
        pending_frame_t **link = &record->pending, *last = NULL;
        while (*link) {
            pending_frame_t *pending = *link;
            if (pending->number > record->recovered) {
                *link = pending->next;
                free (pending);
            } else {
                last = pending;
                link = &pending->next;
            }
        }
        record->pending_last = last;
        record->submitted = record->durable = record->recovered;
        sim_note (sim, "recovered", i, record->recovered, record->folded, NULL);
    }
}

/* ------------------------------------------------------------------ *
 *  Links
 * ------------------------------------------------------------------ */

static void
check_cast (sim_t *sim, const message_fields_t *fields)
{
    char from[TROUPE_ADDRESS_MAX + 1];
    uint64_t stamp;
    if (!fields->from_size || !checks_stamp_of_body (fields->body, fields->body_size, &stamp))
        return;
    memcpy (from, fields->from, fields->from_size);
    from[fields->from_size] = 0;
    checks_seen (sim, from, stamp, "a cast");
}

static void
check_outbox (sim_t *sim, uint16_t from, uint16_t to, uint64_t number, const uint8_t *record, size_t size)
{
    store_key_t key;
    const uint8_t *value;
    size_t value_size;
    key_start (&key, KEY_OUTBOX);
    key_add_be16 (&key, to);
    key_add_be64 (&key, number);
    if (!fold_get (&sim->fold, from, key.bytes, key.size, &value, &value_size) || value_size != size
        || memcmp (value, record, size) != 0)
        sim_fail ("shard %u carries message %llu to %u, which is not in its durable outbox (I2)", from,
                  (unsigned long long) number, to);
}

static void
check_parcel (sim_t *sim, uint16_t from, uint16_t to, const parcel_t *parcel)
{
    uint64_t number = parcel->first;
    sim->figures.parcels += 1;
    for (size_t at = 0, size; at < parcel->size; at += size) {
        message_fields_t fields;
        size = message_record_read (parcel->bytes + at, parcel->size - at, &fields);
        if (!size)
            sim_fail ("shard %u carries a malformed parcel to %u", from, to);
        if (fields.flags & MESSAGE_CAST)
            check_cast (sim, &fields);
        else
            check_outbox (sim, from, to, number++, parcel->bytes + at, size);
    }
    if (number != parcel->first + parcel->count)
        sim_fail ("shard %u carries a parcel of %llu messages and calls them %u", from,
                  (unsigned long long) (number - parcel->first), parcel->count);
}

static void
check_ack (sim_t *sim, uint16_t from, uint16_t to, uint64_t mark)
{
    store_key_t key;
    const uint8_t *value;
    size_t size;
    key_start (&key, KEY_LINK_TAKEN);
    key_add_be16 (&key, to);
    uint64_t durable = 0;
    if (fold_get (&sim->fold, from, key.bytes, key.size, &value, &size) && size == 8)
        durable = get_le64 (value);
    if (mark > durable)
        sim_fail ("shard %u acknowledges message %llu of shard %u, durable is %llu", from, (unsigned long long) mark,
                  to, (unsigned long long) durable);
}

static void
on_carried (void *sim_, uint16_t from, uint16_t to, const letter_t *letter)
{
    sim_t *sim = sim_;
    if (letter->type == LETTER_PARCEL) {
        const parcel_t *parcel = (const parcel_t *) letter;
        sim_note (sim, "parcel", from * 100u + to, parcel->first, parcel->count, NULL);
        check_parcel (sim, from, to, parcel);
    } else {
        const link_note_t *note = (const link_note_t *) letter;
        sim_note (sim, letter->type == LETTER_ACK ? "ack" : "hello", from * 100u + to, note->mark, 0, NULL);
        if (letter->type == LETTER_ACK)
            check_ack (sim, from, to, note->mark);
    }
}

static void
on_published (void *sim_, uint16_t shard, const char *address, const char *channel, uint64_t offset,
              const char *key, const void *body, size_t size)
{
    sim_t *sim = sim_;
    uint64_t stamp;
    sim_note (sim, "event", shard, offset, hash_bytes (body, size, key != NULL), address);
    sim->figures.events += 1;
    if (checks_stamp_of_body (body, size, &stamp))
        checks_seen (sim, address, stamp, "an event");
    for (uint32_t i = 0; sim_workloads[i]; i++)
        if (sim_workloads[i]->published && sim_has (sim, sim_workloads[i]))
            sim_workloads[i]->published (sim, address, channel, offset, body, size);
}

/* ------------------------------------------------------------------ *
 *  State = fold of frames
 * ------------------------------------------------------------------ */

typedef struct {
    sim_t *sim;
    uint16_t shard;
    size_t count;
    uint8_t last[FRAME_KEY_MAX + 2];
    size_t last_size;
} comparison_t;

static bool
compare_key (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    comparison_t *self = arg;
    const uint8_t *ours;
    size_t ours_size;
    size_t shorter = key_size < self->last_size ? key_size : self->last_size;
    int order = memcmp (self->last, key, shorter);
    if (self->count && (order > 0 || (order == 0 && self->last_size >= key_size)))
        sim_fail ("shard %u: the state tells its keys out of order", self->shard);
    if (!fold_get (&self->sim->fold, self->shard, key, key_size, &ours, &ours_size))
        sim_fail ("shard %u: the state holds a key '%c' %.*s that no frame left there (I6)", self->shard, key[0],
                  (int) key_size - 1, (const char *) key + 1);
    if (ours_size != value_size || memcmp (ours, value, value_size) != 0)
        sim_fail ("shard %u: the value of key '%c' %.*s is not what the frames left there (I6)", self->shard, key[0],
                  (int) key_size - 1, (const char *) key + 1);
    self->count += 1;
    memcpy (self->last, key, key_size);
    self->last_size = key_size;
    return true;
}

static void
compare_shard (sim_t *sim, uint16_t shard)
{
    state_port_t *state = world_state (sim_world_of (sim, shard));
    comparison_t comparison = { .sim = sim, .shard = shard };
    state_view_t *view = state->view_new (state->self, shard);
    CHECK (view);
    uint64_t mark = state->view_renew (view);
    if (mark != sim->shards[shard].folded)
        sim_fail ("shard %u: the state's mark is %llu, %llu was folded", shard, (unsigned long long) mark,
                  (unsigned long long) sim->shards[shard].folded);
    troupe_status_t status = state->scan (view, NULL, 0, NULL, 0, compare_key, &comparison);
    state->view_destroy (&view);
    if (status != TROUPE_OK && status != TROUPE_NOT_FOUND)
        sim_fail ("shard %u: the state cannot be read", shard);
    if (comparison.count != fold_count (&sim->fold, shard))
        sim_fail ("shard %u: the state holds %zu keys, the frames left %zu (I6)", shard, comparison.count,
                  fold_count (&sim->fold, shard));
    sim->figures.compared += 1;
}

static bool
is_all_folded (const sim_t *sim)
{
    for (uint16_t i = 0; i < sim->profile.shards; i++)
        if (sim->shards[i].folded != sim->shards[i].durable)
            return false;
    return true;
}

void
checks_stepped (sim_t *sim)
{
    if (!sim->is_folded)
        return;
    sim->is_folded = false;
    if (!is_all_folded (sim) || !dice_once_in (&sim->dice, 3))
        return;
    for (uint16_t i = 0; i < sim->profile.shards; i++)
        compare_shard (sim, i);
}

void
checks_quiet (sim_t *sim)
{
    if (!is_all_folded (sim))
        sim_fail ("all is quiet, yet a durable frame is not folded");
    for (uint16_t i = 0; i < sim->profile.shards; i++) {
        if (sim->shards[i].submitted != sim->shards[i].durable)
            sim_fail ("all is quiet, yet a frame of shard %u is not durable", i);
        compare_shard (sim, i);
    }
}

/* ------------------------------------------------------------------ *
 *  What is left at the end
 * ------------------------------------------------------------------ */

#define RECORD_GRACE_MS 10000  /* after which the record of a call that is over must be gone */

static void
find_left (void *sim_, uint16_t shard, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    const sim_t *sim = sim_;
    bool is_left = memchr ("mtqod", key[0], 5) != NULL;
    if (key[0] == KEY_CALL)
        is_left = value_size < 10 || get_le64 (value + 2) + RECORD_GRACE_MS < world_now (sim->world);
    if (is_left)
        sim_fail ("all is quiet, and shard %u keeps a key '%c' %.*s", shard, key[0], (int) key_size - 1,
                  (const char *) key + 1);
}

/*  Mail, timers, questions, dead letters and outboxes are empty; records of calls went with their time. */
void
checks_left (sim_t *sim)
{
    fold_each (&sim->fold, find_left, sim);
}

/* ------------------------------------------------------------------ */

void
checks_begin (sim_t *sim)
{
    memset (sim->shards, 0, sizeof sim->shards);
    sim->is_folded = false;
}

static void
on_acted (void *sim_, world_action_t action, uint32_t which, uint64_t detail)
{
    static const char *const names[] = { "slice", "commit", "fold", "deliver", "clock", "tick" };
    sim_t *sim = sim_;
    sim->is_excused = false;
    sim_note (sim, names[action], which, detail, 0, NULL);
}

void
checks_watch (sim_t *sim, world_watch_t *watch)
{
    watch->self = sim;
    watch->acted = on_acted;
    watch->submitted = on_submitted;
    watch->replayed = on_replayed;
    watch->durable = on_durable;
    watch->folded = on_folded;
    watch->lacked_room = on_lacked_room;
    watch->carried = on_carried;
    watch->published = on_published;
}

void
checks_clear (sim_t *sim)
{
    for (uint16_t i = 0; i < WORLD_SHARDS_MAX; i++)
        while (sim->shards[i].pending)
            drop_first (&sim->shards[i]);
    fold_clear (&sim->fold);
    fold_clear (&sim->seen);
}
