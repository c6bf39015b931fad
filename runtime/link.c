/*  link.c - messages to and from other shards: exactly once in effect, in order.
 *
 *  DESIGN. A message for another shard stands in the sender's outbox, a key
 *  of the frame in which its turn happened, under the next number of the link.
 *  When that frame is durable a parcel with the frame's messages is carried.
 *  The receiver takes a message only when its number is the next; taking it (a
 *  mark, and the message in a mailbox) is an effect of the receiver's own
 *  frame, acknowledged when that is durable. The acknowledgement takes the
 *  message out of the outbox, with whatever frame comes next: it never forces
 *  one.
 *
 *  What is sent off and not acknowledged is bounded by a window; beyond it
 *  messages stay in the outbox and are read back from there. The same happens
 *  after the road broke or the node was started again: the sender asks for the
 *  receiver's mark and sends on from there. A resent message that was taken
 *  before is dropped by its number.
 *
 *  A cast travels in the parcel of its frame without a number; when the link
 *  lags it is dropped.
 *
 *  After a store was restored the marks of both sides disagree. When an
 *  operator accepts that, each receiver forgets its own mark (ADOPTS),
 *  durably, and takes what the sender's hello says: up to there the sender
 *  has acknowledgements, and its outbox has nothing.
 */

#include "runtime/inside.h"
#include "runtime/base/memory.h"

#define ADOPTS UINT64_MAX  /* as `taken`: the next hello, or a first message, says where the link is */

static link_t *
link_of (shard_t *self, uint16_t peer)
{
    CHECK (peer < self->shards);
    if (!self->links[peer]) {
        self->links[peer] = memory_zalloc (sizeof (link_t));
        if (!self->links[peer]) {
            shard_fail (self, TROUPE_NO_MEMORY, "no memory for a link");
            return NULL;
        }
        self->links[peer]->peer = peer;
    }
    return self->links[peer];
}

static void
note_open (shard_t *self, link_t *link)
{
    if (link->is_open)
        return;
    link->is_open = true;
    link->open_next = self->open_links;
    self->open_links = link;
}

static void
outbox_key (const link_t *link, uint64_t number, store_key_t *key)
{
    key_start (key, KEY_OUTBOX);
    key_add_be16 (key, link->peer);
    key_add_be64 (key, number);
}

static void
mark_key (char table, const link_t *link, store_key_t *key)
{
    key_start (key, table);
    key_add_be16 (key, link->peer);
}

static void
put_mark (shard_t *self, char table, const link_t *link, uint64_t number)
{
    store_key_t key;
    uint8_t bytes[8];
    mark_key (table, link, &key);
    put_le64 (bytes, number);
    shard_put (self, &key, bytes, sizeof bytes);
}

/* ---- out ---- */

static bool
has_room (const shard_t *self, const link_t *link)
{
    return !link->is_asking && link->in_flight + link->building.size < self->limits.link_window_bytes;
}

static void
build (link_t *link, const uint8_t *record, size_t size, uint64_t first)
{
    if (link->building_count == 0)
        link->building_first = first;
    buffer_append (&link->building, record, size);
}

void
link_give (shard_t *self, uint16_t to, const uint8_t *record, size_t size, bool is_cast)
{
    link_t *link = link_of (self, to);
    if (!link)
        return;
    bool builds = link->planned == link->given && has_room (self, link);
    if (is_cast) {
        counter_add (&self->metrics.casts, 1);
        if (builds) {
            build (link, record, size, link->planned + 1);
            note_open (self, link);
            self->wanted = true;  /* it leaves with its frame, and is worth nothing later */
        }
        return;
    }
    store_key_t key;
    link->given += 1;
    link->gave_in_open = true;
    note_open (self, link);
    outbox_key (link, link->given, &key);
    shard_put (self, &key, record, size);
    counter_add (&self->metrics.told_away, 1);
    self->wanted = true;
    if (!builds)
        return;
    build (link, record, size, link->given);
    link->building_count += 1;
    link->planned = link->given;
}

void
link_give_fields (shard_t *self, uint16_t to, const message_fields_t *fields)
{
    buffer_t record = { 0 };
    size_t size = message_record_size (fields);
    uint8_t *place = buffer_reserve (&record, size);
    if (place) {
        message_record_write (fields, place);
        link_give (self, to, place, size, false);
    } else
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a message");
    buffer_clear (&record);
}

static parcel_t *
parcel_new (const shard_t *self, uint64_t first, uint32_t count, const buffer_t *records)
{
    parcel_t *parcel = memory_alloc (sizeof *parcel + records->size);
    if (!parcel)
        return NULL;
    *parcel = (parcel_t) { .letter.type = LETTER_PARCEL, .from = self->number, .first = first, .count = count };
    parcel->size = records->size;
    memcpy (parcel->bytes, records->data, records->size);
    return parcel;
}

static void
seal_out (shard_t *self, link_t *link)
{
    output_t *output = output_new (self, OUTPUT_LINK, 0);
    if (!output)
        return;
    output->link.to = link->peer;
    output->link.given = link->given;
    output->link.parcel = NULL;
    if (link->building.size && !link->building.failed)
        output->link.parcel = parcel_new (self, link->building_first, link->building_count, &link->building);
    if (link->building_count && !output->link.parcel)
        link->planned = link->building_first - 1;  /* no memory: it will be read from the outbox */
    buffer_reset (&link->building);
    link->building_count = 0;
    if (link->gave_in_open)
        put_mark (self, KEY_LINK_GIVEN, link, link->given);
    link->gave_in_open = false;
    release_after (self, output, self->open->number);
}

static void
seal_in (shard_t *self, link_t *link)
{
    output_t *output = output_new (self, OUTPUT_TAKEN, 0);
    if (!output)
        return;
    put_mark (self, KEY_LINK_TAKEN, link, link->taken);
    output->taken.from = link->peer;
    output->taken.mark = link->taken;
    link->took_in_open = false;
    release_after (self, output, self->open->number);
}

void
link_seal (shard_t *self)
{
    for (link_t *link = self->open_links; link; link = link->open_next) {
        link->is_open = false;
        if (link->gave_in_open || link->building.size)
            seal_out (self, link);
        if (link->took_in_open)
            seal_in (self, link);
    }
    self->open_links = NULL;
}

static void
send_note (shard_t *self, letter_type_t type, uint16_t to, uint64_t mark, bool to_hello)
{
    link_note_t *note = memory_alloc (sizeof *note);
    if (!note) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a note on a link");
        return;
    }
    *note = (link_note_t) { .letter.type = type, .from = self->number, .to_hello = to_hello, .mark = mark };
    self->world.carry (self->world.self, to, &note->letter);
}

/*  Takes the parcel. One of casts alone is not in flight: nothing acknowledges it. */
static void
carry (shard_t *self, link_t *link, parcel_t *parcel)
{
    if (parcel->count == 0) {
        self->world.carry (self->world.self, link->peer, &parcel->letter);
        return;
    }
    flight_t *flight = pool_alloc (&self->pool, sizeof *flight);
    if (!flight) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a parcel");
        memory_free (parcel);
        return;
    }
    *flight = (flight_t) { .last = parcel->first + parcel->count - 1, .size = parcel->size };
    if (link->flights)
        link->flights_last->next = flight;
    else
        link->flights = flight;
    link->flights_last = flight;
    link->in_flight += parcel->size;
    link->carried = flight->last;
    if (link->planned < link->carried)
        link->planned = link->carried;
    self->world.carry (self->world.self, link->peer, &parcel->letter);
}

/*  Sends on what only the outbox has, as far as the window goes. */
static void
pump (shard_t *self, link_t *link)
{
    buffer_t records = { 0 };
    uint64_t first = link->carried + 1, next = first;
    if (link->carried < link->planned)
        return;  /* the next ones hang on a frame */
    while (next <= link->durable && !link->is_asking
           && link->in_flight + records.size < self->limits.link_window_bytes) {
        store_key_t key;
        const uint8_t *value;
        size_t size;
        outbox_key (link, next, &key);
        if (!shard_get (self, &key, &value, &size, NULL)) {
            shard_fail (self, TROUPE_CORRUPT, "message %llu for shard %u is gone from the outbox",
                        (unsigned long long) next, link->peer);
            break;
        }
        buffer_append (&records, value, size);
        next += 1;
    }
    parcel_t *parcel = next > first && !records.failed ? parcel_new (self, first, (uint32_t) (next - first), &records)
                                                       : NULL;
    if (parcel) {
        counter_add (&self->metrics.links_resent, next - first);
        carry (self, link, parcel);
    } else if (next > first)  /* with nothing in flight, nothing would come to try again */
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for a parcel");
    buffer_clear (&records);
}

static void
release_out (shard_t *self, link_t *link, output_t *output)
{
    parcel_t *parcel = output->link.parcel;
    link->durable = output->link.given;
    if (parcel && !link->is_asking && parcel->first == link->carried + 1)
        carry (self, link, parcel);
    else
        memory_free (parcel);  /* the road broke meanwhile: the outbox has it */
    pump (self, link);
}

void
link_released (shard_t *self, output_t *output)
{
    if (output->type == OUTPUT_LINK) {
        release_out (self, self->links[output->link.to], output);
        return;
    }
    if (output->taken.mark == ADOPTS)
        return;
    link_t *link = self->links[output->taken.from];
    link->taken_durable = output->taken.mark;
    send_note (self, LETTER_ACK, link->peer, output->taken.mark, false);
}

static void
drop_flights (shard_t *self, link_t *link, uint64_t mark)
{
    while (link->flights && link->flights->last <= mark) {
        flight_t *flight = link->flights;
        link->flights = flight->next;
        link->in_flight -= flight->size;
        pool_free (&self->pool, flight, sizeof *flight);
    }
}

static void
restart_from (shard_t *self, link_t *link, uint64_t mark)
{
    drop_flights (self, link, UINT64_MAX);
    link->carried = link->planned = mark;
    link->is_asking = false;
}

void
link_acked (shard_t *self, const link_note_t *note)
{
    link_t *link = link_of (self, note->from);
    if (!link)
        return;
    if (note->mark > link->durable) {
        shard_fail (self, TROUPE_MISMATCH, "shard %u acknowledges message %llu, which was never sent", note->from,
                    (unsigned long long) note->mark);
        return;
    }
    for (; link->acked < note->mark; link->acked++) {
        store_key_t key;
        outbox_key (link, link->acked + 1, &key);
        shard_delete (self, &key);
    }
    if (note->to_hello && link->is_asking)
        restart_from (self, link, link->acked);
    else
        drop_flights (self, link, note->mark);
    if (link->carried < link->acked) {  /* carried before the road broke, and acknowledged after it was asked anew */
        link->carried = link->acked;
        if (link->planned < link->carried)
            link->planned = link->carried;
    }
    pump (self, link);
}

static void
ask (shard_t *self, link_t *link)
{
    link->is_asking = true;
    link->planned = link->carried;
    buffer_reset (&link->building);
    link->building_count = 0;
    send_note (self, LETTER_HELLO, link->peer, link->acked, false);
}

void
link_cut (shard_t *self, const link_note_t *note)
{
    if (self->links[note->from])
        ask (self, self->links[note->from]);
}

/*  A mark that comes from elsewhere than a message. */
static void
take_mark (shard_t *self, link_t *link, uint64_t mark)
{
    link->taken = link->taken_durable = mark;
    link->took_in_open = true;
    note_open (self, link);
    shard_want_soon (self);
}

void
shard_link_adopt (shard_t *self, uint16_t from)
{
    link_t *link = link_of (self, from);
    if (link)
        take_mark (self, link, ADOPTS);
}

void
link_hello (shard_t *self, const link_note_t *note)
{
    link_t *link = link_of (self, note->from);
    if (link && link->taken == ADOPTS)
        take_mark (self, link, note->mark);
    if (link)
        send_note (self, LETTER_ACK, note->from, link->taken_durable, true);
}

/* ---- in ---- */

/*  A message that arrived joins a mailbox; what cannot is a dead letter. */
static void
take_message (shard_t *self, const message_fields_t *fields)
{
    if (fields->flags & MESSAGE_ANSWER) {
        ask_resolve (self, fields->ask, (troupe_status_t) fields->outcome, fields->body, fields->body_size, fields->id,
                     fields->from, fields->from_size, fields->trace);
        return;
    }
    address_t address;
    bool is_cast = fields->flags & MESSAGE_CAST;
    bool fits = address_parse (fields->to, fields->to_size, &address, NULL) == TROUPE_OK
                && address_shard (&address, self->hash_seed, self->shards) == self->number;
    const kind_t *kind = fits ? registry_find (self->registry, address.kind, address.kind_size) : NULL;
    const verb_t *verb = kind ? kind_verb (kind, fields->verb, fields->verb_size) : NULL;
    if (!verb) {
        if (!is_cast)
            dead_record (self, fields, fields->to, fields->to_size,
                         kind ? "no such verb" : fits ? "no such kind" : "no address of this shard", 0);
        return;
    }
    actor_t *actor = shard_actor (self, fields->to, fields->to_size);
    message_t *message = actor ? message_new (&self->pool, fields, verb) : NULL;
    if (message)
        mailbox_deliver (self, actor, message);
    else
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to take a message");
}

void
link_take (shard_t *self, parcel_t *parcel)
{
    link_t *link = link_of (self, parcel->from);
    message_fields_t fields;
    uint64_t number = parcel->first;
    if (link && link->taken == ADOPTS && number == 1 && parcel->count > 0)  /* a new link says no hello */
        take_mark (self, link, 0);
    for (size_t at = 0, used; link && at < parcel->size; at += used) {
        used = message_record_read (parcel->bytes + at, parcel->size - at, &fields);
        if (used == 0) {
            shard_fail (self, TROUPE_CORRUPT, "a parcel of shard %u is malformed", parcel->from);
            return;
        }
        if (fields.flags & MESSAGE_CAST) {
            take_message (self, &fields);
            continue;
        }
        if (number == link->taken + 1) {
            link->taken = number;
            link->took_in_open = true;
            note_open (self, link);
            shard_want_soon (self);
            counter_add (&self->metrics.links_taken, 1);
            take_message (self, &fields);
        } else
            counter_add (&self->metrics.links_dropped, 1);
        number += 1;
    }
}

/* ---- start and end ---- */

static bool
start_mark (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    shard_t *self = arg;
    link_t *link = key_size == 3 && size == 8 && get_be16 (key + 1) < self->shards ? link_of (self, get_be16 (key + 1))
                                                                                   : NULL;
    if (!link) {
        shard_fail (self, TROUPE_CORRUPT, "the mark of a link is malformed");
        return false;
    }
    if (key[0] == KEY_LINK_GIVEN)
        link->given = link->durable = link->acked = get_le64 (value);
    else
        link->taken = link->taken_durable = get_le64 (value);
    return true;
}

/*  The oldest message of an outbox is the first that is not acknowledged. */
static bool
start_outbox (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    shard_t *self = arg;
    (void) value;
    (void) size;
    link_t *link = key_size == 11 && get_be16 (key + 1) < self->shards ? self->links[get_be16 (key + 1)] : NULL;
    uint64_t number = link ? get_be64 (key + 3) : 0;
    if (!link || number > link->given) {
        shard_fail (self, TROUPE_CORRUPT, "a message of an outbox is malformed");
        return false;
    }
    if (number - 1 < link->acked)
        link->acked = number - 1;
    return true;
}

bool
link_start (shard_t *self)
{
    static const char given = KEY_LINK_GIVEN, taken = KEY_LINK_TAKEN, outbox = KEY_OUTBOX;
    if (!shard_scan (self, &given, 1, start_mark, self) || !shard_scan (self, &taken, 1, start_mark, self)
        || !shard_scan (self, &outbox, 1, start_outbox, self))
        return false;
    for (uint32_t i = 0; i < self->shards; i++) {
        if (self->links[i])
            self->links[i]->carried = self->links[i]->planned = self->links[i]->acked;
    }
    return true;
}

void
link_ask_all (shard_t *self)
{
    for (uint32_t i = 0; i < self->shards; i++) {
        if (self->links[i] && self->links[i]->acked < self->links[i]->given)
            ask (self, self->links[i]);
    }
}

void
link_drop_all (shard_t *self)
{
    for (uint32_t i = 0; self->links && i < self->shards; i++) {
        if (!self->links[i])
            continue;
        drop_flights (self, self->links[i], UINT64_MAX);
        buffer_clear (&self->links[i]->building);
        memory_free (self->links[i]);
    }
    memory_free (self->links);
    self->links = NULL;
}
