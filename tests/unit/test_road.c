/*  test_road.c - the road between two nodes: opened, broken, refused; letters once and in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/message.h"
#include "runtime/road.h"
#include <stdio.h>
#include <string.h>

#define PACKETS_MOST 64
#define LETTERS_MOST 64

static const char map[] = "cluster c\nshards 4\nnode a 0-1 h:1\nnode b 2-3 h:2\n";
static const char other_map[] = "cluster c\nshards 4\nnode a 0 h:1\nnode b 1-3 h:2\n";

typedef struct {
    cluster_t cluster;
    road_t *road;
    struct {
        size_t size;
        uint8_t bytes[256];
    } said[PACKETS_MOST];
    uint32_t said_count;
    uint64_t marks[LETTERS_MOST];  /* of acks that arrived */
    uint32_t cuts, parcels, acks;
    bool is_stranger;              /* the other store is not known here */
    bool is_full;                  /* the network takes nothing from here */
    bool is_unheard;               /* what is said is not kept */
    uint32_t opened, broken;       /* told so often */
    char why[200];
} side_t;

static side_t a, b;
static uint64_t now_ms;

static bool
send (void *self, const void *bytes, size_t size)
{
    side_t *side = self;
    if (side->is_full || side->is_unheard)
        return !side->is_full;
    assert_in_range (side->said_count, 0, PACKETS_MOST - 1);
    assert_in_range (size, 1, sizeof side->said[0].bytes);
    memcpy (side->said[side->said_count].bytes, bytes, size);
    side->said[side->said_count++].size = size;
    return true;
}

static void
deliver (void *self, uint16_t to, letter_t *letter)
{
    side_t *side = self;
    assert_true (cluster_is_mine (&side->cluster, to));
    side->cuts += letter->type == LETTER_CUT;
    side->parcels += letter->type == LETTER_PARCEL;
    if (letter->type == LETTER_ACK)
        side->marks[side->acks++] = ((const link_note_t *) letter)->mark;
    memory_free (letter);
}

static bool
knows (void *self, const uint8_t *identity, troupe_error_t *error)
{
    (void) identity;
    const side_t *side = self;
    if (side->is_stranger)
        error_set (error, TROUPE_MISMATCH, "it was restored");
    return !side->is_stranger;
}

static void
changed (void *self, bool is_open, const char *why)
{
    side_t *side = self;
    side->opened += is_open;
    side->broken += !is_open;
    snprintf (side->why, sizeof side->why, "%s", is_open ? "open" : why);
}

static void
make (side_t *side, const char *text, const char *name, uint64_t seed)
{
    troupe_error_t error;
    road_destroy (&side->road);
    memset (side, 0, sizeof *side);
    assert_int_equal (cluster_read (&side->cluster, text, name, &error), TROUPE_OK);
    road_options_t options = {
        .cluster = &side->cluster, .peer = 1 - side->cluster.self, .seed = seed,
        .port = { side, send, deliver, knows, changed }
    };
    side->road = road_new (&options);
    assert_non_null (side->road);
}

static void
hear (side_t *to, side_t *from, uint32_t number)
{
    road_received (to->road, from->said[number].bytes, from->said[number].size, now_ms);
}

/*  All that both say, until they have nothing to say. */
static void
talk (void)
{
    uint32_t heard_of_a = 0, heard_of_b = 0;
    while (heard_of_a < a.said_count || heard_of_b < b.said_count) {
        while (heard_of_a < a.said_count)
            hear (&b, &a, heard_of_a++);
        while (heard_of_b < b.said_count)
            hear (&a, &b, heard_of_b++);
    }
    a.said_count = b.said_count = 0;
}

static void
tick (void)
{
    road_tick (a.road, now_ms);
    road_tick (b.road, now_ms);
    talk ();
}

static int
begin (void **state)
{
    (void) state;
    now_ms = 1000;
    make (&a, map, "a", 1);
    make (&b, map, "b", 2);
    return 0;
}

static int
end (void **state)
{
    (void) state;
    road_destroy (&a.road);
    road_destroy (&b.road);
    return 0;
}

static void
open_it (void)
{
    tick ();
    assert_true (road_is_open (a.road) && road_is_open (b.road));
}

/*  An acknowledgement of shard 0 to shard 2. */
static void
say_mark (uint64_t mark)
{
    link_note_t *note = memory_zalloc (sizeof *note);
    assert_non_null (note);
    *note = (link_note_t) { .letter.type = LETTER_ACK, .from = 0, .mark = mark };
    road_carry (a.road, 2, &note->letter);
}

static void
say_parcel (uint16_t from, uint32_t count, const char *bytes)
{
    parcel_t *parcel = memory_zalloc (sizeof *parcel + strlen (bytes));
    assert_non_null (parcel);
    *parcel = (parcel_t) { .letter.type = LETTER_PARCEL, .from = from, .first = 1, .count = count,
                           .size = strlen (bytes) };
    memcpy (parcel->bytes, bytes, strlen (bytes));
    road_carry (a.road, 2, &parcel->letter);
}

/* ---- */

static void
road_opens_and_tells_all_pairs_of_shards (void **state)
{
    (void) state;
    open_it ();
    assert_int_equal (a.cuts, 4);
    assert_int_equal (b.cuts, 4);
    assert_string_equal (a.why, "open");
    assert_string_equal (b.why, "open");
}

static void
road_drops_letters_while_there_is_none (void **state)
{
    (void) state;
    say_mark (1);
    assert_int_equal (a.said_count, 0);
    open_it ();
    say_mark (2);
    talk ();
    assert_int_equal (b.acks, 1);
    assert_int_equal (b.marks[0], 2);
}

static void
road_letter_that_comes_twice_is_taken_once (void **state)
{
    (void) state;
    open_it ();
    say_mark (7);
    hear (&b, &a, 0);
    hear (&b, &a, 0);
    assert_int_equal (b.acks, 1);
    assert_true (road_is_open (b.road));
}

static void
road_breaks_at_a_hole_and_opens_again (void **state)
{
    (void) state;
    open_it ();
    say_mark (1);
    say_mark (2);
    hear (&b, &a, 1);
    assert_int_equal (b.acks, 0);
    assert_false (road_is_open (b.road));
    assert_string_equal (b.why, "something was lost on the way");
    hear (&b, &a, 0);
    talk ();
    assert_int_equal (b.acks, 0);
    assert_false (road_is_open (a.road));
    now_ms += ROAD_AGAIN_MS;
    open_it ();
    assert_int_equal (b.cuts, 8);
}

static void
road_finds_that_the_last_letter_was_lost (void **state)
{
    (void) state;
    open_it ();
    say_mark (1);
    a.said_count = 0;
    now_ms += ROAD_ALIVE_MS;
    tick ();
    assert_false (road_is_open (a.road) || road_is_open (b.road));
}

static void
road_breaks_when_nothing_is_heard (void **state)
{
    (void) state;
    open_it ();
    for (unsigned i = 0; i < 20; i++) {
        now_ms += ROAD_ALIVE_MS;
        tick ();
    }
    assert_true (road_is_open (a.road) && road_is_open (b.road));
    now_ms += ROAD_SILENT_MS;
    road_tick (a.road, now_ms);
    assert_false (road_is_open (a.road));
    assert_string_equal (a.why, "nothing is heard of it");
}

static void
road_breaks_when_a_letter_does_not_go (void **state)
{
    (void) state;
    open_it ();
    a.is_full = true;
    say_mark (7);
    assert_false (road_is_open (a.road));
    assert_string_equal (a.why, "it is not there, or takes no more");
    a.is_full = false;
    now_ms += ROAD_AGAIN_MS;
    tick ();
    assert_true (road_is_open (a.road) && road_is_open (b.road));
    say_mark (8);
    talk ();
    assert_int_equal (b.acks, 1);
    assert_int_equal (b.marks[0], 8);
    b.is_full = true;
    now_ms += ROAD_ALIVE_MS;
    road_tick (b.road, now_ms);
    assert_false (road_is_open (b.road));
    b.is_full = false;
    tick ();
    assert_false (road_is_open (a.road));  /* its own word was of no road there */
}

/*  Who forwards calls ends those of the old road only when it hears of its end. */
static void
road_that_is_replaced_is_told_as_broken_first (void **state)
{
    (void) state;
    open_it ();
    a.is_full = true;
    say_mark (7);
    a.is_full = false;
    assert_true (road_is_open (b.road));
    now_ms += ROAD_AGAIN_MS;
    open_it ();
    assert_int_equal (b.opened, 2);
    assert_int_equal (b.broken, 1);
    assert_string_equal (b.why, "open");
    make (&a, map, "a", 3);
    open_it ();
    assert_int_equal (b.opened, 3);
    assert_int_equal (b.broken, 2);
    assert_int_equal (road_counts (b.road)->broken, 2);
}

static void
road_drops_casts_for_who_says_nothing (void **state)
{
    (void) state;
    static char payload[1 << 20];
    memset (payload, 'x', sizeof payload - 1);
    open_it ();
    a.is_unheard = true;
    for (uint64_t i = 0; i < ROAD_UNHEARD_MOST / sizeof payload + 11; i++)
        say_parcel (0, 0, payload);
    assert_int_equal (road_counts (a.road)->dropped, 11);
    say_parcel (0, 1, payload);
    assert_int_equal (road_counts (a.road)->dropped, 11);  /* links bound the others */
    assert_true (road_is_open (a.road));
    now_ms += ROAD_ALIVE_MS;
    road_tick (b.road, now_ms);
    hear (&a, &b, 0);
    say_parcel (0, 0, payload);
    assert_int_equal (road_counts (a.road)->dropped, 11);
    a.is_unheard = false;
    b.said_count = 0;
}

static void
road_says_of_old_roads_change_nothing (void **state)
{
    (void) state;
    open_it ();
    say_mark (1);
    side_t old = a;
    talk ();
    make (&a, map, "a", 3);
    open_it ();
    b.acks = 0;
    hear (&b, &old, 0);
    assert_int_equal (b.acks, 0);
    assert_true (road_is_open (b.road));
    say_mark (2);
    talk ();
    assert_int_equal (b.acks, 1);
}

static void
road_to_a_node_that_started_again_is_a_new_one (void **state)
{
    (void) state;
    open_it ();
    make (&b, map, "b", 4);
    say_mark (1);
    talk ();
    assert_int_equal (b.acks, 0);
    assert_false (road_is_open (a.road));
    now_ms += ROAD_AGAIN_MS;
    open_it ();
}

static void
road_is_refused_when_the_maps_differ (void **state)
{
    (void) state;
    make (&b, other_map, "b", 2);
    tick ();
    assert_false (road_is_open (a.road) || road_is_open (b.road));
    assert_string_equal (b.why, "nodes a and b have different maps of the cluster c");
    assert_string_equal (a.why, "refused: nodes a and b have different maps of the cluster c");
    assert_true (road_next_due (a.road) >= now_ms + ROAD_REFUSED_MS);
    make (&b, map, "b", 2);
    now_ms += ROAD_REFUSED_MS;
    open_it ();
}

static void
road_is_refused_to_another_store (void **state)
{
    (void) state;
    b.is_stranger = true;
    tick ();
    assert_string_equal (a.why, "refused: it was restored");
    b.is_stranger = false;
    a.is_stranger = true;
    now_ms += ROAD_REFUSED_MS;
    tick ();
    assert_string_equal (a.why, "it was restored");
    assert_string_equal (b.why, "refused: it was restored");
    assert_int_equal (a.cuts + b.cuts, 0);
}

static void
road_breaks_at_what_is_no_letter (void **state)
{
    (void) state;
    static const struct {
        uint16_t from;
        uint32_t count;
        const char *bytes;
    } bad[] = { { 0, 1, "no record" }, { 0, 1, "" }, { 3, 0, "" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        open_it ();
        say_parcel (bad[i].from, bad[i].count, bad[i].bytes);
        talk ();
        assert_int_equal (b.parcels, 0);
        assert_string_equal (b.why, "a letter is malformed");
        now_ms += ROAD_AGAIN_MS;
    }
    open_it ();
    say_parcel (0, 0, "");
    talk ();
    assert_int_equal (b.parcels, 1);
}

static void
road_noise_changes_nothing (void **state)
{
    (void) state;
    open_it ();
    for (size_t size = 0; size < 60; size++)
        for (unsigned type = 0; type < 12; type++) {
            uint8_t noise[64];
            memset (noise, 0x5a, sizeof noise);
            noise[0] = 1;
            noise[1] = (uint8_t) type;
            road_received (b.road, noise, size, now_ms);
            b.said_count = 0;
        }
    assert_true (road_is_open (b.road));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (road_opens_and_tells_all_pairs_of_shards, begin, end),
        cmocka_unit_test_setup_teardown (road_drops_letters_while_there_is_none, begin, end),
        cmocka_unit_test_setup_teardown (road_letter_that_comes_twice_is_taken_once, begin, end),
        cmocka_unit_test_setup_teardown (road_breaks_when_a_letter_does_not_go, begin, end),
        cmocka_unit_test_setup_teardown (road_that_is_replaced_is_told_as_broken_first, begin, end),
        cmocka_unit_test_setup_teardown (road_drops_casts_for_who_says_nothing, begin, end),
        cmocka_unit_test_setup_teardown (road_breaks_at_a_hole_and_opens_again, begin, end),
        cmocka_unit_test_setup_teardown (road_finds_that_the_last_letter_was_lost, begin, end),
        cmocka_unit_test_setup_teardown (road_breaks_when_nothing_is_heard, begin, end),
        cmocka_unit_test_setup_teardown (road_says_of_old_roads_change_nothing, begin, end),
        cmocka_unit_test_setup_teardown (road_to_a_node_that_started_again_is_a_new_one, begin, end),
        cmocka_unit_test_setup_teardown (road_is_refused_when_the_maps_differ, begin, end),
        cmocka_unit_test_setup_teardown (road_is_refused_to_another_store, begin, end),
        cmocka_unit_test_setup_teardown (road_breaks_at_what_is_no_letter, begin, end),
        cmocka_unit_test_setup_teardown (road_noise_changes_nothing, begin, end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
