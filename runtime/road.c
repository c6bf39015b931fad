/*  road.c - the road between two nodes: opened by three messages, its letters numbered.
 *
 *  DESIGN
 *  Every road has two numbers, one of each side, random and never used again; whatever is said on it carries both, so
 *  that what a network kept for long is known for old. The node that comes first in the map asks:
 *
 *      OPEN (x)  ->                   until it is answered
 *                <-  ACCEPT (x, y)    a new y for each asking; nothing else changes yet
 *      ALIVE (x, y, 1)  ->            from the first word on it the other side takes the road for opened
 *
 *  Letters are numbered 1, 2, 3 ...; the number that is not the next one is old, and dropped, or shows a hole: then the
 *  road is broken, told so (RESET), and the first side asks anew. ALIVE carries the number of the next letter, so that
 *  a lost last one is found. Who hears of a road that it does not know says RESET. Both sides show in OPEN and ACCEPT
 *  who they are and what their map says, and answer REFUSE with the reason when that does not fit.
 *
 *  What the network does not take now is a hole that is known here: the road is broken at once. What numbered letters
 *  may have under way is bounded by the windows of their links; casts are bounded here, by what was said since the
 *  other side's newest word.
 *
 *  A message: u8 version | u8 type | u64 x | u64 y | by type:
 *      OPEN, ACCEPT     u64 hash of the map | identity | u8 sender | u8 receiver  (nodes by their place in the map)
 *      ALIVE            u64 next
 *      REFUSE           text
 *      PARCEL           u64 number | u16 from | u16 to | u64 first | u32 count | records
 *      ACK, HELLO       u64 number | u16 from | u16 to | u64 mark | u8 answers a hello
 *      RELAY            u64 number | bytes: what gateways ask and are told (relay.h)
 */
#include "runtime/road.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/message.h"

#include <stdio.h>

#define VERSION 1
#define HEAD_SIZE 18
#define CARD_SIZE (8 + ROAD_IDENTITY_SIZE + 2)
#define NUMBER_SIZE 8
#define LETTER_HEAD (HEAD_SIZE + NUMBER_SIZE + 4)
#define PARCEL_HEAD (LETTER_HEAD + 12)
#define NOTE_SIZE (LETTER_HEAD + 9)

typedef enum { OPEN = 1, ACCEPT, ALIVE, RESET, REFUSE, PARCEL, ACK, HELLO, RELAY } type_t;

struct road_s {
    road_options_t options;
    bool is_first;           /* this side asks */
    bool is_open;
    uint64_t x, y;           /* of the open road; of the first side also: x of the asking */
    uint64_t asked_x, asked_y;  /* of the second side: accepted, and nothing said on it yet */
    uint64_t minted;         /* numbers made so far */
    uint64_t next_out, next_in;
    uint64_t now_ms;
    uint64_t said_ms, heard_ms;  /* the newest word of each side on the open road */
    uint64_t unheard_bytes;  /* letters since the other side's */
    uint64_t ask_ms;         /* when to ask again */
    char reason[ROAD_REASON_MAX + 1];  /* told last; "": that it is open, or nothing yet */
    road_counts_t counts;
    buffer_t out;
};

/* ---- saying ---- */

static void
begin (road_t *self, type_t type, uint64_t x, uint64_t y)
{
    buffer_reset (&self->out);
    uint8_t *place = buffer_reserve (&self->out, HEAD_SIZE);
    if (!place)
        return;
    place[0] = VERSION;
    place[1] = (uint8_t) type;
    put_le64 (place + 2, x);
    put_le64 (place + 10, y);
    self->out.size += HEAD_SIZE;
}

static void
add_64 (road_t *self, uint64_t number)
{
    uint8_t bytes[8];
    put_le64 (bytes, number);
    buffer_append (&self->out, bytes, sizeof bytes);
}

static void
add_16 (road_t *self, uint16_t number)
{
    uint8_t bytes[2];
    put_le16 (bytes, number);
    buffer_append (&self->out, bytes, sizeof bytes);
}

/*  False: no memory, or the network takes no more. */
static bool
send (road_t *self)
{
    if (self->out.failed || !self->options.port.send (self->options.port.self, self->out.data, self->out.size))
        return false;
    self->counts.bytes_sent += self->out.size;
    return true;
}

/*  What is said again when it was lost. */
static void
say (road_t *self, type_t type, uint64_t x, uint64_t y)
{
    begin (self, type, x, y);
    (void) send (self);
}

static void
say_who (road_t *self, type_t type, uint64_t x, uint64_t y)
{
    begin (self, type, x, y);
    add_64 (self, cluster_hash (self->options.cluster));
    buffer_append (&self->out, self->options.identity, ROAD_IDENTITY_SIZE);
    buffer_byte (&self->out, (uint8_t) self->options.cluster->self);
    buffer_byte (&self->out, (uint8_t) self->options.peer);
    (void) send (self);
}

static void
tell (road_t *self, bool is_open, const char *why)
{
    if (!is_open && strcmp (self->reason, why) == 0)
        return;
    snprintf (self->reason, sizeof self->reason, "%s", is_open ? "" : why);
    self->options.port.changed (self->options.port.self, is_open, why);
}

/* ---- open and broken ---- */

static uint64_t
mint (road_t *self)
{
    uint64_t number = hash_mix (self->options.seed, ++self->minted);
    return number ? number : 1;
}

static void
ask (road_t *self)
{
    self->ask_ms = self->now_ms + ROAD_AGAIN_MS;
    say_who (self, OPEN, self->x, 0);
}

static void
close_road (road_t *self, const char *why, uint64_t pause_ms)
{
    if (self->is_open) {
        self->counts.broken += 1;
        tell (self, false, why);
    }
    self->is_open = false;
    if (!self->is_first)
        return;
    self->x = mint (self);
    self->ask_ms = self->now_ms + pause_ms;
}

/*  This side found it broken; the other is told. */
static void
break_road (road_t *self, const char *why)
{
    say (self, RESET, self->x, self->y);
    close_road (self, why, ROAD_AGAIN_MS);
}

/*  A word on the open road, which was written. */
static void
send_on_road (road_t *self)
{
    self->said_ms = self->now_ms;
    if (!send (self))
        break_road (self, "it is not there, or takes no more");
}

static void
say_alive (road_t *self)
{
    begin (self, ALIVE, self->x, self->y);
    add_64 (self, self->next_out);
    send_on_road (self);
}

/*  Each pair of shards hears that what was on the old road is lost. */
static bool
cut_links (road_t *self)
{
    const cluster_t *cluster = self->options.cluster;
    for (uint32_t to = 0; to < cluster->shards; to++)
        for (uint32_t from = 0; cluster_is_mine (cluster, to) && from < cluster->shards; from++) {
            if (cluster->owners[from] != self->options.peer)
                continue;
            link_note_t *note = memory_zalloc (sizeof *note);
            if (!note)
                return false;
            note->letter.type = LETTER_CUT;
            note->from = (uint16_t) from;
            self->options.port.deliver (self->options.port.self, (uint16_t) to, &note->letter);
        }
    return true;
}

static void
open_road (road_t *self, uint64_t x, uint64_t y)
{
    self->x = x;
    self->y = y;
    self->is_open = true;
    self->asked_x = self->asked_y = 0;
    self->next_out = self->next_in = 1;
    self->heard_ms = self->now_ms;
    self->unheard_bytes = 0;
    self->counts.opened += 1;
    say_alive (self);
    if (!self->is_open)
        return;
    if (cut_links (self))
        tell (self, true, "");
    else
        break_road (self, "no memory");
}

/* ---- who the other is ---- */

/*  An open road goes on: it may be an old asking that is refused. */
static void
be_refused (road_t *self, const char *why)
{
    self->counts.refused += 1;
    if (self->is_open)
        return;
    close_road (self, why, ROAD_REFUSED_MS);
    tell (self, false, why);
}

static void
refuse (road_t *self, uint64_t x, uint64_t y, const char *why)
{
    begin (self, REFUSE, x, y);
    buffer_append (&self->out, why, strlen (why));
    (void) send (self);
    be_refused (self, why);
}

/*  False: it was refused. */
static bool
fits (road_t *self, uint64_t x, uint64_t y, const uint8_t *card)
{
    const cluster_t *cluster = self->options.cluster;
    const char *name = cluster->node[self->options.peer].name;
    char why[ROAD_REASON_MAX + 1];
    troupe_error_t error;
    if (get_le64 (card) != cluster_hash (cluster) || card[8 + ROAD_IDENTITY_SIZE] != self->options.peer
        || card[9 + ROAD_IDENTITY_SIZE] != cluster->self) {
        snprintf (why, sizeof why, "nodes %s and %s have different maps of the cluster %s", name,
                  cluster->node[cluster->self].name, cluster->name);
        refuse (self, x, y, why);
        return false;
    }
    if (!self->options.port.knows (self->options.port.self, card + 8, &error)) {
        refuse (self, x, y, error.text);
        return false;
    }
    return true;
}

static void
take_open (road_t *self, uint64_t x, const uint8_t *card, size_t size)
{
    if (self->is_first || size != CARD_SIZE || !fits (self, x, 0, card))
        return;
    if (self->is_open && self->x == x) {
        say_who (self, ACCEPT, x, self->y);
        return;
    }
    if (self->asked_x != x) {
        self->asked_x = x;
        self->asked_y = mint (self);
    }
    say_who (self, ACCEPT, x, self->asked_y);
}

static void
take_accept (road_t *self, uint64_t x, uint64_t y, const uint8_t *card, size_t size)
{
    if (self->is_first && !self->is_open && x == self->x && size == CARD_SIZE && fits (self, x, y, card))
        open_road (self, x, y);
}

static void
take_refuse (road_t *self, uint64_t x, const uint8_t *text, size_t size)
{
    char why[ROAD_REASON_MAX + 1];
    if (self->is_first ? x != self->x : x != self->asked_x)
        return;
    snprintf (why, sizeof why, "refused: %.*s", (int) (size < ROAD_REASON_MAX ? size : ROAD_REASON_MAX),
              (const char *) text);
    for (char *at = why; *at; at++)
        *at = (uint8_t) *at < 32 ? '?' : *at;
    self->asked_x = 0;
    be_refused (self, why);
}

/* ---- letters ---- */

static void
begin_letter (road_t *self, type_t type, uint16_t from, uint16_t to)
{
    begin (self, type, self->x, self->y);
    add_64 (self, self->next_out);
    add_16 (self, from);
    add_16 (self, to);
}

static void
write_parcel (road_t *self, uint16_t to, const parcel_t *parcel)
{
    uint8_t count[4];
    put_le32 (count, parcel->count);
    begin_letter (self, PARCEL, parcel->from, to);
    add_64 (self, parcel->first);
    buffer_append (&self->out, count, sizeof count);
    buffer_append (&self->out, parcel->bytes, parcel->size);
}

static void
write_note (road_t *self, uint16_t to, const link_note_t *note)
{
    begin_letter (self, note->letter.type == LETTER_ACK ? ACK : HELLO, note->from, to);
    add_64 (self, note->mark);
    buffer_byte (&self->out, note->to_hello);
}

static void
send_numbered (road_t *self)
{
    self->next_out += 1;
    send_on_road (self);
}

void
road_carry (road_t *self, uint16_t to, letter_t *letter)
{
    CHECK (self->options.cluster->owners[to] == self->options.peer);
    bool is_cast = letter->type == LETTER_PARCEL && ((const parcel_t *) letter)->count == 0;
    if (!self->is_open || (is_cast && self->unheard_bytes > ROAD_UNHEARD_MOST)) {
        self->counts.dropped += 1;
        memory_free (letter);
        return;
    }
    if (letter->type == LETTER_PARCEL)
        write_parcel (self, to, (const parcel_t *) letter);
    else
        write_note (self, to, (const link_note_t *) letter);
    memory_free (letter);
    self->counts.sent += 1;
    self->unheard_bytes += self->out.size;
    send_numbered (self);
}

bool
road_relay (road_t *self, const void *bytes, size_t size)
{
    if (!self->is_open)
        return false;
    begin (self, RELAY, self->x, self->y);
    add_64 (self, self->next_out);
    buffer_append (&self->out, bytes, size);
    send_numbered (self);
    return self->is_open;
}

/*  A shard trusts its links: what comes from another machine is looked at here. */
static bool
are_records (const uint8_t *bytes, size_t size, uint32_t count)
{
    message_fields_t fields;
    uint64_t numbered = 0;
    for (size_t at = 0, used; at < size; at += used) {
        used = message_record_read (bytes + at, size - at, &fields);
        if (used == 0)
            return false;
        numbered += !(fields.flags & MESSAGE_CAST);
    }
    return numbered == count;
}

static letter_t *
read_parcel (uint16_t from, const uint8_t *bytes, size_t size)
{
    if (size < PARCEL_HEAD - LETTER_HEAD)
        return NULL;
    uint64_t first = get_le64 (bytes);
    uint32_t count = get_le32 (bytes + 8);
    bytes += 12;
    size -= 12;
    if (first == 0 || !are_records (bytes, size, count))
        return NULL;
    parcel_t *parcel = memory_alloc (sizeof *parcel + size);
    if (!parcel)
        return NULL;
    *parcel = (parcel_t) { .letter.type = LETTER_PARCEL, .from = from, .first = first, .count = count, .size = size };
    if (size)
        memcpy (parcel->bytes, bytes, size);
    return &parcel->letter;
}

static letter_t *
read_note (type_t type, uint16_t from, const uint8_t *bytes, size_t size)
{
    link_note_t *note = size == NOTE_SIZE - LETTER_HEAD ? memory_zalloc (sizeof *note) : NULL;
    if (!note)
        return NULL;
    *note = (link_note_t) { .letter.type = type == ACK ? LETTER_ACK : LETTER_HELLO, .from = from,
                            .mark = get_le64 (bytes), .to_hello = bytes[8] == 1 };
    return &note->letter;
}

static bool
is_between_us (const road_t *self, uint16_t from, uint16_t to)
{
    const cluster_t *cluster = self->options.cluster;
    return from < cluster->shards && to < cluster->shards && cluster->owners[from] == self->options.peer
           && cluster_is_mine (cluster, to);
}

static void
take_letter (road_t *self, type_t type, const uint8_t *bytes, size_t size)
{
    bool is_whole = size >= 4;
    uint16_t from = is_whole ? get_le16 (bytes) : 0, to = is_whole ? get_le16 (bytes + 2) : 0;
    letter_t *letter = NULL;
    if (is_whole && is_between_us (self, from, to))
        letter = type == PARCEL ? read_parcel (from, bytes + 4, size - 4) : read_note (type, from, bytes + 4, size - 4);
    if (!letter) {
        break_road (self, "a letter is malformed");
        return;
    }
    self->next_in += 1;
    self->counts.received += 1;
    self->options.port.deliver (self->options.port.self, to, letter);
}

static void
take_numbered (road_t *self, type_t type, const uint8_t *bytes, size_t size)
{
    uint64_t number = size >= NUMBER_SIZE ? get_le64 (bytes) : 0;
    if (number > self->next_in || number == 0) {
        break_road (self, number ? "something was lost on the way" : "a letter is malformed");
        return;
    }
    if (number < self->next_in)
        return;
    if (type != RELAY) {
        take_letter (self, type, bytes + NUMBER_SIZE, size - NUMBER_SIZE);
        return;
    }
    self->next_in += 1;
    if (self->options.port.relayed)
        self->options.port.relayed (self->options.port.self, bytes + NUMBER_SIZE, size - NUMBER_SIZE);
}

static void
take_alive (road_t *self, const uint8_t *bytes, size_t size)
{
    if (size != 8 || get_le64 (bytes) > self->next_in)
        break_road (self, "something was lost on the way");
}

/* ---- what comes ---- */

/*  Something that is said on an open road. */
static void
take_on_road (road_t *self, type_t type, uint64_t x, uint64_t y, const uint8_t *bytes, size_t size)
{
    bool is_known = self->is_open && x == self->x && y == self->y;
    if (!is_known && !self->is_first && x && x == self->asked_x && y == self->asked_y && type != RESET) {
        close_road (self, "the other side began a new one", 0);  /* this one may have heard nothing of the end */
        open_road (self, x, y);
        is_known = self->is_open;
    }
    if (!is_known) {
        if (type != RESET)
            say (self, RESET, x, y);
        return;
    }
    self->heard_ms = self->now_ms;
    self->unheard_bytes = 0;
    if (type == RESET)
        close_road (self, "the other side broke it", ROAD_AGAIN_MS);
    else if (type == ALIVE)
        take_alive (self, bytes, size);
    else
        take_numbered (self, type, bytes, size);
}

void
road_received (road_t *self, const void *message, size_t size, uint64_t now_ms)
{
    const uint8_t *bytes = message;
    self->now_ms = now_ms;
    self->counts.bytes_received += size;
    if (size < HEAD_SIZE || bytes[0] != VERSION)
        return;
    type_t type = (type_t) bytes[1];
    uint64_t x = get_le64 (bytes + 2), y = get_le64 (bytes + 10);
    bytes += HEAD_SIZE;
    size -= HEAD_SIZE;
    switch (type) {
    case OPEN:
        take_open (self, x, bytes, size);
        break;
    case ACCEPT:
        take_accept (self, x, y, bytes, size);
        break;
    case REFUSE:
        take_refuse (self, x, bytes, size);
        break;
    case ALIVE:
    case RESET:
    case PARCEL:
    case ACK:
    case HELLO:
    case RELAY:
        take_on_road (self, type, x, y, bytes, size);
        break;
    }
}

/* ---- time ---- */

uint64_t
road_next_due (const road_t *self)
{
    if (!self->is_open)
        return self->is_first ? self->ask_ms : UINT64_MAX;
    uint64_t say_ms = self->said_ms + ROAD_ALIVE_MS, silent_ms = self->heard_ms + ROAD_SILENT_MS;
    return say_ms < silent_ms ? say_ms : silent_ms;
}

uint64_t
road_tick (road_t *self, uint64_t now_ms)
{
    self->now_ms = now_ms;
    if (self->is_open && now_ms >= self->heard_ms + ROAD_SILENT_MS)
        break_road (self, "nothing is heard of it");
    if (self->is_open && now_ms >= self->said_ms + ROAD_ALIVE_MS)
        say_alive (self);
    if (!self->is_open && self->is_first && now_ms >= self->ask_ms)
        ask (self);
    return road_next_due (self);
}

/* ---- its life ---- */

road_t *
road_new (const road_options_t *options)
{
    road_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->options = *options;
    self->is_first = options->cluster->self < options->peer;
    if (self->is_first)
        self->x = mint (self);
    return self;
}

void
road_destroy (road_t **self_p)
{
    road_t *self = *self_p;
    if (!self)
        return;
    buffer_clear (&self->out);
    memory_free (self);
    *self_p = NULL;
}

bool
road_is_open (const road_t *self)
{
    return self->is_open;
}

const road_counts_t *
road_counts (const road_t *self)
{
    return &self->counts;
}
