/*  fuzz_road.c - what another node may say on an open road.
 *
 *  The first byte is the type, the rest what follows the number of a letter, or the head of anything else. Whatever
 *  it is, what is delivered is a letter between shards of the two, and a parcel is made of as many records as it says.
 */
#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "runtime/message.h"
#include "runtime/road.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

#define HEAD_SIZE 18
#define LETTER_FIRST 6  /* types from here on are letters, with a number */
#define INPUT_MOST (64u << 10)

typedef struct {
    cluster_t cluster;
    road_t *road;
    size_t said;
    uint8_t bytes[256];
} side_t;

static bool
send (void *self, const void *bytes, size_t size)
{
    side_t *side = self;
    side->said = size < sizeof side->bytes ? size : sizeof side->bytes;
    memcpy (side->bytes, bytes, side->said);
    return true;
}

static void
check_parcel (const parcel_t *parcel)
{
    message_fields_t fields;
    uint64_t numbered = 0;
    for (size_t at = 0, used; at < parcel->size; at += used) {
        used = message_record_read (parcel->bytes + at, parcel->size - at, &fields);
        HOLDS (used);
        numbered += !(fields.flags & MESSAGE_CAST);
    }
    HOLDS (numbered == parcel->count);
}

static void
deliver (void *self, uint16_t to, letter_t *letter)
{
    const side_t *side = self;
    uint16_t from = letter->type == LETTER_PARCEL ? ((parcel_t *) letter)->from : ((link_note_t *) letter)->from;
    HOLDS (to < side->cluster.shards && cluster_is_mine (&side->cluster, to));
    HOLDS (from < side->cluster.shards && !cluster_is_mine (&side->cluster, from));
    HOLDS (letter->type == LETTER_PARCEL || letter->type == LETTER_ACK || letter->type == LETTER_HELLO
           || letter->type == LETTER_CUT);
    if (letter->type == LETTER_PARCEL)
        check_parcel ((const parcel_t *) letter);
    memory_free (letter);
}

static bool
knows (void *self, const uint8_t *identity, troupe_error_t *error)
{
    (void) self;
    (void) identity;
    (void) error;
    return true;
}

static void
changed (void *self, bool is_open, const char *why)
{
    (void) self;
    (void) is_open;
    (void) why;
}

static void
make (side_t *self, const char *name)
{
    static const char map[] = "cluster c\nshards 4\nnode a 0-1 h:1\nnode b 2-3 h:2\n";
    HOLDS (cluster_read (&self->cluster, map, name, NULL) == TROUPE_OK);
    road_options_t options = {
        .cluster = &self->cluster, .peer = 1 - self->cluster.self, .seed = 1 + self->cluster.self,
        .port = { self, send, deliver, knows, changed }
    };
    self->road = road_new (&options);
    HOLDS (self->road);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static side_t a, b;
    static uint8_t message[HEAD_SIZE + 8 + INPUT_MOST];
    if (size == 0 || size > INPUT_MOST)
        return 0;
    make (&a, "a");
    make (&b, "b");
    road_tick (a.road, 0);
    road_received (b.road, a.bytes, a.said, 0);
    road_received (a.road, b.bytes, b.said, 0);
    road_received (b.road, a.bytes, a.said, 0);
    HOLDS (road_is_open (a.road) && road_is_open (b.road));
    size_t used = HEAD_SIZE;
    memcpy (message, a.bytes, HEAD_SIZE);
    message[1] = data[0];
    if (data[0] >= LETTER_FIRST) {
        put_le64 (message + used, 1);
        used += 8;
    }
    memcpy (message + used, data + 1, size - 1);
    road_received (b.road, message, used + size - 1, 1);
    road_destroy (&a.road);
    road_destroy (&b.road);
    return 0;
}
