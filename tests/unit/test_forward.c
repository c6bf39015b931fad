/*  test_forward.c - what clients of one node ask of another: answered, refused, lost, asked again; feeds that are
 *  watched there; bounds; bytes that are malformed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "runtime/forward.h"
#include "runtime/relay.h"
#include <stdio.h>
#include <string.h>

#define SAID_MOST 64
#define CALLS_MOST 8

static const char map[] = "cluster c\nshards 4\nnode a 0-1 h:1\nnode b 2-3 h:2\n";

typedef struct {
    cluster_t cluster;
    forward_t *forward;
    buffer_t said[SAID_MOST];
    uint32_t said_count, complaints;
    /* what its actors were asked */
    troupe_call_t calls[CALLS_MOST];
    uint32_t call_count, reads;
    troupe_status_t refuses;
    /* its gateway */
    bool watches, is_lossy;
    uint32_t events, looks;
    uint64_t offset;
} side_t;

static side_t a, b;
static uint64_t clock_ms;

/* ---- the answers that the gateway of a was given ---- */

static troupe_status_t statuses[32];
static uint32_t status_count;
static char text[256];

static void
done (void *arg, const troupe_answer_t *answer)
{
    uint32_t number = (uint32_t) (uintptr_t) arg;
    statuses[number] = answer->status;
    status_count += 1;
    snprintf (text, sizeof text, "%s", answer->text);
}

static void
told (void *arg, troupe_status_t status, const char *why, const void *packed, size_t size)
{
    if (status == TROUPE_OK)
        assert_true (relay_is_page (packed, size));
    done (arg, &(troupe_answer_t) { .status = status, .text = why });
}

/* ---- the ports ---- */

static bool
send (void *self, uint16_t peer, const void *bytes, size_t size)
{
    side_t *side = self;
    assert_int_equal (peer, 1 - side->cluster.self);
    if (side->is_lossy)
        return true;
    assert_in_range (side->said_count, 0, SAID_MOST - 1);
    buffer_append (&side->said[side->said_count++], bytes, size);
    return true;
}

static void
complain (void *self, uint16_t peer, const char *why)
{
    (void) peer;
    assert_true (*why);
    ((side_t *) self)->complaints += 1;
}

static void
wake (void *self)
{
    (void) self;
}

static uint64_t
now_ms (void *self)
{
    (void) self;
    return clock_ms;
}

static troupe_status_t
submit (void *self, const troupe_call_t *call, troupe_error_t *error)
{
    side_t *side = self;
    if (side->refuses)
        return error_set (error, side->refuses, "not now");
    side->calls[side->call_count++] = *call;
    return TROUPE_OK;
}

static troupe_status_t
read_feed (void *self, const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *tell,
           void *arg, troupe_error_t *error)
{
    static const uint8_t page[] = "\x83\xa4head\x00\xa5" "first\x01\xa6" "events\x90";
    (void) error;
    assert_string_equal (address, "thing/1");
    assert_string_equal (channel, "live");
    assert_int_equal (from, 5);
    assert_int_equal (most, 10);
    ((side_t *) self)->reads += 1;
    tell (arg, TROUPE_OK, "", page, sizeof page - 1);
    return TROUPE_OK;
}

static bool
is_watched (void *self, const char *address, const char *channel)
{
    (void) address;
    (void) channel;
    return ((side_t *) self)->watches;
}

static void
heard (void *self, const char *address, const char *channel, uint64_t offset, const char *key, const void *body,
       size_t size)
{
    side_t *side = self;
    (void) key;
    (void) body;
    (void) size;
    assert_string_equal (channel, "live");
    assert_true (*address);
    if (offset == HOST_LOOK_AGAIN) {
        side->looks += 1;
        return;
    }
    side->events += 1;
    side->offset = offset;
}

static void
make (side_t *side, const char *name)
{
    memset (side, 0, sizeof *side);
    assert_int_equal (cluster_read (&side->cluster, map, name, NULL), TROUPE_OK);
    forward_port_t port = { side, send, complain, wake, now_ms, submit, read_feed, is_watched, heard };
    side->forward = forward_new (&side->cluster, 10000, &port);
    assert_non_null (side->forward);
}

/* ---- the road ---- */

static void
hear (side_t *to, side_t *from)
{
    for (uint32_t i = 0; i < from->said_count; i++) {
        forward_received (to->forward, from->cluster.self, from->said[i].data, from->said[i].size);
        buffer_clear (&from->said[i]);
    }
    from->said_count = 0;
}

/*  Until both have nothing to say. */
static void
talk (void)
{
    do {
        forward_round (a.forward);
        hear (&b, &a);
        forward_round (b.forward);
        hear (&a, &b);
        forward_round (a.forward);
    } while (a.said_count > 0);
}

static void
lose_all (side_t *side)
{
    for (uint32_t i = 0; i < side->said_count; i++)
        buffer_clear (&side->said[i]);
    side->said_count = 0;
}

static void
break_road (void)
{
    lose_all (&a);
    lose_all (&b);
    forward_broken (a.forward, 1);
    forward_broken (b.forward, 0);
}

static void
open_road (void)
{
    forward_opened (a.forward, 1);
    forward_opened (b.forward, 0);
}

/*  An address that lives on b. */
static void
ask (uint32_t number, bool reads, uint64_t seq)
{
    troupe_error_t error;
    troupe_call_t call = {
        .to = "thing/1", .verb = "do", .subject = "anna", .trace = "t", .done = done,
        .arg = (void *) (uintptr_t) number, .seq = seq, .ordered = seq > 0, .not_after_ms = seq ? clock_ms + 5000 : 0
    };
    memset (call.session, seq ? 's' : 0, sizeof call.session);
    statuses[number] = TROUPE_STATUSES;
    assert_int_equal (forward_call (a.forward, 2, &call, reads, &error), TROUPE_OK);
}

static void
answer (uint32_t number, troupe_status_t status)
{
    troupe_call_t *call = &b.calls[number];
    call->done (call->arg, &(troupe_answer_t) { .status = status, .text = status ? "no" : "" });
    call->done = NULL;
}

static int
begin (void **state)
{
    (void) state;
    clock_ms = 1000;
    status_count = 0;
    make (&a, "a");
    make (&b, "b");
    open_road ();
    return 0;
}

static int
end (void **state)
{
    (void) state;
    lose_all (&a);
    lose_all (&b);
    for (uint32_t i = 0; i < b.call_count; i++)
        if (b.calls[i].done)
            answer (i, TROUPE_UNKNOWN);
    forward_destroy (&a.forward);
    forward_destroy (&b.forward);
    return 0;
}

/* ---- calls ---- */

static void
call_is_answered_once (void **state)
{
    (void) state;
    ask (0, false, 0);
    talk ();
    assert_int_equal (b.call_count, 1);
    assert_int_equal (status_count, 0);
    answer (0, TROUPE_OK);
    talk ();
    assert_int_equal (status_count, 1);
    assert_int_equal (statuses[0], TROUPE_OK);
    assert_int_equal (forward_counts (a.forward).answered, 1);
    assert_int_equal (forward_counts (b.forward).served, 1);
}

static void
call_without_road_is_refused_for_now (void **state)
{
    (void) state;
    break_road ();
    ask (0, false, 0);
    talk ();
    assert_int_equal (statuses[0], TROUPE_OVERLOADED);
    assert_string_equal (text, "it lives on node b, which is away");
    assert_int_equal (b.call_count, 0);
}

static void
broken_road_ends_what_may_not_be_repeated (void **state)
{
    (void) state;
    ask (0, false, 0);
    ask (1, true, 0);
    ask (2, false, 1);
    talk ();
    break_road ();
    assert_int_equal (status_count, 2);
    assert_int_equal (statuses[0], TROUPE_UNKNOWN);
    assert_int_equal (statuses[1], TROUPE_OVERLOADED);
    open_road ();
    talk ();
    assert_int_equal (b.call_count, 4);
    answer (3, TROUPE_OK);
    talk ();
    assert_int_equal (statuses[2], TROUPE_OK);
}

static void
answer_on_an_old_road_is_dropped (void **state)
{
    (void) state;
    ask (0, false, 1);
    talk ();
    break_road ();
    open_road ();
    talk ();
    answer (0, TROUPE_REFUSED);
    talk ();
    assert_int_equal (status_count, 0);
    answer (1, TROUPE_OK);
    talk ();
    assert_int_equal (status_count, 1);
    assert_int_equal (statuses[0], TROUPE_OK);
}

/*  The other node forgot what it had refused. */
static void
order_of_a_session_outlives_the_other_node (void **state)
{
    (void) state;
    ask (0, false, 1);
    ask (1, false, 2);
    talk ();
    answer (0, TROUPE_OVERLOADED);
    talk ();
    assert_int_equal (statuses[0], TROUPE_OVERLOADED);
    break_road ();
    open_road ();
    talk ();
    assert_int_equal (statuses[1], TROUPE_OVERLOADED);
    assert_int_equal (b.call_count, 2);
    ask (2, false, 1);
    ask (3, false, 2);
    talk ();
    assert_int_equal (b.call_count, 4);
}

static void
call_has_an_end (void **state)
{
    (void) state;
    ask (0, false, 1);
    ask (1, true, 0);
    talk ();
    clock_ms += 6001;
    talk ();
    assert_int_equal (statuses[0], TROUPE_UNKNOWN);
    assert_int_equal (status_count, 1);
    clock_ms += 6000;
    talk ();
    assert_int_equal (statuses[1], TROUPE_UNKNOWN);  /* come again, it would be late again */
    answer (0, TROUPE_OK);
    talk ();
    assert_int_equal (status_count, 2);
}

static void
refusal_there_comes_back (void **state)
{
    (void) state;
    b.refuses = TROUPE_NOT_FOUND;
    ask (0, false, 0);
    talk ();
    assert_int_equal (statuses[0], TROUPE_NOT_FOUND);
    b.refuses = TROUPE_STOPPING;
    ask (1, false, 0);
    talk ();
    assert_int_equal (statuses[1], TROUPE_OVERLOADED);
}

static void
end_tells_all_that_wait (void **state)
{
    troupe_error_t error;
    (void) state;
    ask (0, false, 0);
    talk ();
    ask (1, false, 0);
    forward_close (a.forward);
    assert_int_equal (statuses[0], TROUPE_UNKNOWN);
    assert_int_equal (statuses[1], TROUPE_STOPPING);
    troupe_call_t call = { .to = "thing/1", .verb = "do", .done = done };
    assert_int_equal (forward_call (a.forward, 2, &call, false, &error), TROUPE_STOPPING);
}

static void
too_many_bytes_are_refused (void **state)
{
    (void) state;
    troupe_error_t error;
    uint8_t *body = memory_zalloc (TROUPE_BODY_MAX);
    assert_non_null (body);
    body[0] = 0xc6;  /* raw bytes */
    body[1] = (TROUPE_BODY_MAX - 5) >> 24;
    body[2] = (TROUPE_BODY_MAX - 5) >> 16 & 255;
    body[3] = (TROUPE_BODY_MAX - 5) >> 8 & 255;
    body[4] = (TROUPE_BODY_MAX - 5) & 255;
    for (uint32_t i = 0; i < 8; i++) {
        troupe_call_t call = { .to = "thing/1", .verb = "do", .body = body, .size = TROUPE_BODY_MAX, .done = done,
                               .arg = (void *) (uintptr_t) i };
        assert_int_equal (forward_call (a.forward, 2, &call, false, &error), TROUPE_OK);
    }
    talk ();
    assert_int_equal (b.call_count, 7);
    assert_int_equal (status_count, 1);
    assert_int_equal (statuses[7], TROUPE_OVERLOADED);
    memory_free (body);
}

/* ---- feeds ---- */

static void
page_is_read_there (void **state)
{
    troupe_error_t error;
    (void) state;
    assert_int_equal (forward_read (a.forward, 1, "thing/1", "live", 5, 10, told, NULL, &error), TROUPE_OK);
    talk ();
    assert_int_equal (b.reads, 1);
    assert_int_equal (status_count, 1);
    assert_int_equal (statuses[0], TROUPE_OK);
}

static void
publish (uint64_t offset, const void *body, size_t size)
{
    if (forward_is_watched (b.forward, "thing/1", "live"))
        forward_published (b.forward, "thing/1", "live", offset, NULL, body, size);
}

static void
events_come_while_somebody_watches (void **state)
{
    (void) state;
    publish (1, NULL, 0);
    talk ();
    assert_int_equal (a.events, 0);
    a.watches = true;
    forward_watch (a.forward, 1, "thing/1", "live");
    talk ();
    publish (2, NULL, 0);
    publish (3, NULL, 0);
    talk ();
    assert_int_equal (a.events, 2);
    assert_int_equal (a.offset, 3);
    a.watches = false;
    clock_ms += 6000;
    talk ();
    assert_false (forward_is_watched (b.forward, "thing/1", "live"));
}

static void
new_road_has_watchers_look_again (void **state)
{
    (void) state;
    a.watches = true;
    forward_watch (a.forward, 1, "thing/1", "live");
    talk ();
    break_road ();
    assert_false (forward_is_watched (b.forward, "thing/1", "live"));
    publish (1, NULL, 0);
    open_road ();
    assert_int_equal (a.looks, 1);
    talk ();
    publish (2, NULL, 0);
    talk ();
    assert_int_equal (a.events, 1);
    assert_int_equal (a.offset, 2);
}

/*  What a node does not take is not kept for it. */
static void
slow_node_misses_events_and_looks_again (void **state)
{
    static uint8_t body[4u << 20] = { 0xc6, 0, 0x3f, 0xff, 0xfb };
    (void) state;
    a.watches = true;
    forward_watch (a.forward, 1, "thing/1", "live");
    talk ();
    for (uint64_t offset = 1; offset <= 6; offset++)
        publish (offset, body, sizeof body);
    forward_round (b.forward);
    assert_in_range (forward_counts (b.forward).events_missed, 1, 4);
    assert_int_equal (b.said_count, forward_counts (b.forward).events_sent);
    uint64_t sent = b.said_count;
    hear (&a, &b);
    assert_int_equal (a.events, sent);
    assert_int_equal (a.looks, 0);
    talk ();
    talk ();
    assert_int_equal (a.looks, 1);
    publish (7, NULL, 0);
    talk ();
    assert_int_equal (a.offset, 7);
}

/*  With all that is in them, keys too. */
static void
events_under_way_are_bounded_by_their_bytes (void **state)
{
    char key[TROUPE_KEY_MAX + 1];
    (void) state;
    memset (key, 'k', TROUPE_KEY_MAX);
    key[TROUPE_KEY_MAX] = '\0';
    a.watches = b.is_lossy = true;
    forward_watch (a.forward, 1, "thing/1", "live");
    talk ();
    for (uint64_t offset = 1; !forward_counts (b.forward).events_missed; offset++)
        forward_published (b.forward, "thing/1", "live", offset, key, key, 99);
    forward_round (b.forward);
    uint64_t bytes = RELAY_HEAD + strlen ("thing/1") + strlen ("live") + strlen (key) + 99;
    assert_in_range (forward_counts (b.forward).events_sent, 1, (8u << 20) / bytes + 1);
    b.is_lossy = false;
}

/*  What did not go does not count as under way, either. */
static void
event_without_memory_has_watchers_look_again (void **state)
{
    static uint8_t body[4u << 20] = { 0xc6, 0, 0x3f, 0xff, 0xfb };
    (void) state;
    a.watches = true;
    forward_watch (a.forward, 1, "thing/1", "live");
    talk ();
    for (uint64_t offset = 1; offset <= 8; offset++) {
        memory_fail_after (1 + offset % 2);
        publish (offset, body, sizeof body);
        memory_fail_after (0);
        talk ();
        assert_int_equal (a.looks, offset);
    }
    publish (9, NULL, 0);
    talk ();
    assert_int_equal (a.offset, 9);
    assert_int_equal (a.events, 1);
}

static void
node_tells_of_its_own_actors_alone (void **state)
{
    buffer_t bytes = { 0 };
    (void) state;
    for (int i = 0; i < 40; i++) {  /* half of them live here */
        char address[32];
        snprintf (address, sizeof address, "thing/%d", i);
        buffer_reset (&bytes);
        relay_write (&bytes, &(relay_message_t) { .type = RELAY_EVENT, .to = address, .name = "live", .number = 1 });
        forward_received (a.forward, 1, bytes.data, bytes.size);
    }
    assert_in_range (a.events, 1, 39);
    buffer_clear (&bytes);
}

/* ---- bytes ---- */

static void
malformed_bytes_are_told_once (void **state)
{
    buffer_t bytes = { 0 };
    relay_message_t message;
    (void) state;
    relay_write (&bytes, &(relay_message_t) { .type = RELAY_CALL, .to = "thing/1", .name = "do", .body = "\xc0",
                                              .size = 1 });
    assert_true (relay_read (&message, bytes.data, bytes.size));
    assert_string_equal (message.to, "thing/1");
    assert_string_equal (message.name, "do");
    assert_string_equal (message.who, "");
    assert_int_equal (message.size, 1);
    for (size_t size = 0; size < bytes.size - 1; size++)
        forward_received (a.forward, 1, bytes.data, size);
    assert_int_equal (a.complaints, 1);
    assert_int_equal (a.call_count, 0);
    buffer_clear (&bytes);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST (call_is_answered_once),
        TEST (call_without_road_is_refused_for_now),
        TEST (broken_road_ends_what_may_not_be_repeated),
        TEST (answer_on_an_old_road_is_dropped),
        TEST (order_of_a_session_outlives_the_other_node),
        TEST (call_has_an_end),
        TEST (refusal_there_comes_back),
        TEST (end_tells_all_that_wait),
        TEST (too_many_bytes_are_refused),
        TEST (page_is_read_there),
        TEST (events_come_while_somebody_watches),
        TEST (new_road_has_watchers_look_again),
        TEST (slow_node_misses_events_and_looks_again),
        TEST (events_under_way_are_bounded_by_their_bytes),
        TEST (event_without_memory_has_watchers_look_again),
        TEST (node_tells_of_its_own_actors_alone),
        TEST (malformed_bytes_are_told_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
