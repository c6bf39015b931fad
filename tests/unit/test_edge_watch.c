/*  test_edge_watch.c - what watchers of feeds are sent, and when, and the audit log: an edge with a node, a clock and
 *  clients of the test. */

#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "transports/edge/edge_inside.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HISTORY_BODY 4000        /* of an event of the node's history */
#define HEARD_MOST 32768

/* ---- the node ---- */

static const troupe_channel_t channels[] = {
    { "live", .keep = 1000000, .allow = TROUPE_ANYONE },
    { "gauge", .is_volatile = true, .allow = TROUPE_ANYONE },
    { "slow-gauge", .is_volatile = true, .rate = 10, .allow = TROUPE_ANYONE },
    { "state", .keep = 1000000, .conflates = true, .allow = TROUPE_ANYONE },
    { "slow-state", .keep = 1000000, .conflates = true, .rate = 10, .allow = TROUPE_ANYONE },
    { "each", .keep = 1000000, .rate = 10, .allow = TROUPE_ANYONE },
    { "brief", .keep = 1, .snapshot = "whole", .allow = TROUPE_ANYONE },
    { NULL }
};

/*  Of another version of the kind, which one may not watch. */
static const troupe_channel_t new_live = { "live", .is_volatile = true, .allow = TROUPE_OPERATOR };

static bool has_new_table;
static uint64_t now_ms, head, first;  /* of every feed's history */
static edge_t *edge;

static uint64_t
tell_time (void *self)
{
    (void) self;
    return now_ms;
}

static const troupe_channel_t *
find_channel (void *self, const char *address, const char *name, troupe_error_t *error)
{
    (void) self;
    (void) address;
    (void) error;
    if (has_new_table && strcmp (name, "live") == 0)
        return &new_live;
    for (const troupe_channel_t *channel = channels; channel->name; channel++)
        if (strcmp (channel->name, name) == 0)
            return channel;
    return NULL;
}

/*  The history of every feed: events from `first` to `head`, as a shard gives them out. */
static troupe_status_t
read_feed (void *self, const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *told,
           void *arg, troupe_error_t *error)
{
    static const uint8_t body[HISTORY_BODY];
    (void) self;
    (void) address;
    (void) channel;
    (void) error;
    buffer_t packed = { 0 };
    uint64_t at = from < first ? first : from;
    uint64_t count = at > head ? 0 : head - at + 1 < most ? head - at + 1 : most;
    packed_put_object (&packed, 3);
    packed_put_number (&packed, "head", head);
    packed_put_number (&packed, "first", first);
    packed_put_name (&packed, "events");
    size_t place = packed_open (&packed);
    for (uint64_t i = 0; i < count; i++) {
        packed_put_object (&packed, 3);
        packed_put_number (&packed, "offset", at + i);
        packed_put_number (&packed, "time_ms", 1);
        packed_put_name (&packed, "body");
        packed_put_bytes (&packed, body, sizeof body);
    }
    packed_close (&packed, place, PACKED_ARRAY, (uint32_t) count);
    assert_false (packed.failed);
    told (arg, TROUPE_OK, "", packed.data, packed.size);
    buffer_clear (&packed);
    return TROUPE_OK;
}

/*  Whatever is asked for is a megabyte. */
static troupe_status_t
submit (void *self, const troupe_call_t *call, troupe_error_t *error)
{
    static const uint8_t bytes[1u << 20];
    (void) self;
    (void) error;
    buffer_t packed = { 0 };
    packed_put_bytes (&packed, bytes, sizeof bytes);
    troupe_answer_t answer = { .status = TROUPE_OK, .text = "", .body = packed.data, .size = packed.size,
                               .head = head };
    call->done (call->arg, &answer);
    buffer_clear (&packed);
    return TROUPE_OK;
}

static void
wake (void *arg)
{
    (void) arg;
}

/* ---- clients ---- */

typedef struct {
    uint64_t at;
    int value;
    uint32_t feed;
    char key[16];
} heard_t;

typedef struct {
    peer_t *peer;
    buffer_t sent;             /* not read yet */
    size_t room;               /* bytes that its socket takes before it is choked */
    bool is_closed;
    unsigned count, others;    /* events that were read; messages that are none */
    unsigned frames;           /* in which they came */
    size_t largest;            /* bytes of one */
    heard_t heard[HEARD_MOST];
} client_t;

static client_t one, two;

static void
send_bytes (void *connection, const void *bytes, size_t size)
{
    client_t *self = connection;
    buffer_append (&self->sent, bytes, size);
    self->room -= size < self->room ? size : self->room;
}

static bool
is_choked (void *connection)
{
    return ((client_t *) connection)->room == 0;
}

static void
pause_reading (void *connection, bool is_paused)
{
    (void) connection;
    (void) is_paused;
}

static void
close_it (void *connection, uint16_t code, const char *text)
{
    (void) code;
    (void) text;
    ((client_t *) connection)->is_closed = true;
}

static const peer_port_t port = { send_bytes, is_choked, pause_reading, close_it };

static void
hear (client_t *self, const json_t *message)
{
    const json_t *event = json_object_get (message, "event");
    assert_true (json_is_object (message));
    const char *key = json_string_value (json_object_get (message, "key"));
    if (!event)
        self->others += 1;
    else {
        assert_true (self->count < HEARD_MOST);
        heard_t *heard = &self->heard[self->count++];
        heard->at = (uint64_t) json_integer_value (json_object_get (message, "at"));
        heard->value = (int) json_integer_value (json_object_get (message, "body"));
        heard->feed = (uint32_t) json_integer_value (event);
        snprintf (heard->key, sizeof heard->key, "%s", key ? key : "");
    }
}

static void
hear_frame (client_t *self, const char *bytes, size_t size)
{
    size_t place;
    json_t *frame = json_loadb (bytes, size, 0, NULL), *message;
    assert_non_null (frame);
    assert_true (json_is_object (frame) || json_array_size (frame) > 1);
    self->frames += 1;
    self->largest = size > self->largest ? size : self->largest;
    if (json_is_object (frame))
        hear (self, frame);
    json_array_foreach (frame, place, message)
        hear (self, message);
    json_decref (frame);
}

/*  All that was sent, frame by frame. Returns how many bytes it was. */
static size_t
read_sent (client_t *self)
{
    size_t size = self->sent.size;
    self->count = self->frames = 0;
    self->largest = 0;
    for (size_t at = 0; at < size;) {
        const uint8_t *frame = self->sent.data + at;
        size_t wide = frame[1] == 126 ? 2 : frame[1] == 127 ? 8 : 0, bytes = wide ? 0 : frame[1];
        for (size_t i = 0; i < wide; i++)
            bytes = bytes << 8 | frame[2 + i];
        hear_frame (self, (const char *) frame + 2 + wide, bytes);
        at += 2 + wide + bytes;
    }
    buffer_clear (&self->sent);
    return size;
}

/*  Until the edge has nothing to do any more that needs no time. */
static void
drain (void)
{
    for (unsigned rounds = 0; rounds < 10; rounds++)
        (void) edge_drain (edge);
}

static void
say (client_t *self, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start (arguments, format);
    int size = vsnprintf (text, sizeof text, format, arguments);
    va_end (arguments);
    peer_received (self->peer, text, (size_t) size);
}

static void
give_room (client_t *self, size_t bytes)
{
    self->room = bytes;
    peer_has_room (self->peer);
    drain ();
}

static void
connect_client (client_t *self)
{
    memset (self, 0, sizeof *self);
    self->room = SIZE_MAX;
    self->peer = peer_new (edge, &text_codec, &port, self);
    assert_non_null (self->peer);
    say (self, "{\"hello\":1}");
    drain ();
    read_sent (self);
    self->others = 0;
}

/*  One event of a feed, and what follows from it at this time. */
static void
publish (const char *channel, const char *key, int value)
{
    buffer_t body = { 0 };
    packed_put_int (&body, value);
    edge_published (edge, "thing/a", channel, ++head, key, body.data, body.size);
    buffer_clear (&body);
    drain ();
}

static void
publish_bytes (unsigned key, size_t size)
{
    static uint8_t bytes[2u << 20];
    char name[8];
    buffer_t body = { 0 };
    snprintf (name, sizeof name, "%u", key);
    packed_put_bytes (&body, bytes, size);
    edge_published (edge, "thing/a", "gauge", ++head, name, body.data, body.size);
    buffer_clear (&body);
    drain ();
}

static void
pass_ms (uint64_t ms)
{
    now_ms += ms;
    drain ();
}

static unsigned audit_lines;
static char last_line[128];

static void
audit (void *arg, const char *line)
{
    (void) arg;
    audit_lines += 1;
    snprintf (last_line, sizeof last_line, "%s", line);
}

static int
setup (void **state)
{
    (void) state;
    static const host_port_t host = { .epoch = "e", .now_ms = tell_time, .channel = find_channel,
                                      .read_feed = read_feed, .submit = submit };
    edge_options_t options = {
        .limits = { .message_bytes = 65536, .in_flight = 64, .watches = 4096, .keep_ms = 1000 },
        .wake = wake,
        .audit = audit
    };
    now_ms = 1000000;
    audit_lines = 0;
    head = 0;
    first = 1;
    edge = edge_new (&options);
    assert_non_null (edge);
    edge_attach (edge, &host);
    connect_client (&one);
    connect_client (&two);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    peer_gone (&one.peer);
    peer_gone (&two.peer);
    drain ();
    edge_destroy (&edge);
    buffer_clear (&one.sent);
    buffer_clear (&two.sent);
    return 0;
}

/* ---- who reads slowly, or nothing ---- */

#define FEEDS 60
#define MANY 300               /* events of a feed: more than one look brings */
#define PIECE 100000

static void
watch_many (client_t *self, const char *channel, const char *from)
{
    for (unsigned i = 0; i < FEEDS; i++)
        say (self, "{\"watch\":\"thing/%u/%s\",\"id\":%u,\"from\":\"%s\"}", i, channel, i + 1, from);
    drain ();
}

/*  What it was sent is in order and whole; how much waits for it is bounded at all times. */
static void
history_of_many_feeds_is_sent_as_there_is_room (void **state)
{
    (void) state;
    uint64_t next[FEEDS + 1] = { 0 };
    unsigned counted = 0;
    head = MANY;
    one.room = 1;
    watch_many (&one, "live", "start");
    assert_true (one.peer->out.size + one.sent.size < EDGE_OUT_MOST);
    while (counted < FEEDS * MANY) {
        give_room (&one, PIECE);
        assert_true (one.peer->out.size < EDGE_OUT_MOST);
        assert_true (read_sent (&one) > 0);
        for (unsigned i = 0; i < one.count; i++, counted++)
            assert_int_equal (one.heard[i].at, ++next[one.heard[i].feed]);
    }
    assert_false (one.is_closed);
    assert_int_equal (one.others, FEEDS);
}

static void
snapshots_of_many_feeds_are_asked_for_as_there_is_room (void **state)
{
    (void) state;
    head = first = 10;
    one.room = 1;
    watch_many (&one, "brief", "e-2");
    assert_true (one.peer->out.size + one.sent.size < EDGE_OUT_MOST);
    while (one.others < 2 * FEEDS) {
        give_room (&one, PIECE);
        assert_true (one.peer->out.size < EDGE_OUT_MOST);
        assert_true (read_sent (&one) > 0);
    }
    assert_false (one.is_closed);
}

/*  Its socket takes all at once, so nobody says that there is room again. */
static void
history_of_many_feeds_goes_on_by_itself (void **state)
{
    (void) state;
    unsigned counted = 0;
    head = MANY;
    watch_many (&one, "live", "start");
    for (unsigned rounds = 0; rounds < FEEDS; rounds++, counted += one.count) {
        drain ();
        read_sent (&one);
    }
    assert_int_equal (counted, FEEDS * MANY);
}

/* ---- a kind that changes ---- */

/*  Neither those who watched before hear of more, nor those who come. */
static void
watchers_ask_anew_when_their_kind_has_another_table (void **state)
{
    (void) state;
    say (&one, "{\"watch\":\"thing/a/live\",\"id\":1}");
    drain ();
    publish ("live", "", 1);
    read_sent (&one);
    assert_int_equal (one.count, 1);
    has_new_table = true;
    publish ("live", "", 2);
    read_sent (&one);
    assert_int_equal (one.count, 0);
    assert_int_equal (one.others, 2);  /* watching, cut */
    assert_null (feed_find (edge, "thing/a", "live"));
    has_new_table = false;
    say (&one, "{\"watch\":\"thing/a/live\",\"id\":2}");
    drain ();
    has_new_table = true;
    say (&two, "{\"watch\":\"thing/a/live\",\"id\":1}");
    drain ();
    read_sent (&two);
    assert_int_equal (two.others, 1);  /* the error */
    publish ("live", "", 3);
    read_sent (&one);
    assert_int_equal (one.count, 0);
    assert_int_equal (one.others, 4);
    has_new_table = false;
}

/*  Whoever joins finds it: here nothing is published meanwhile. */
static void
joiner_of_another_table_sends_the_others_off (void **state)
{
    (void) state;
    say (&one, "{\"watch\":\"thing/a/live\",\"id\":1}");
    drain ();
    has_new_table = true;
    watch_t watch = { .peer = two.peer };
    feed_t *feed = feed_join (edge, "thing/a", "live", &new_live, &watch);
    assert_ptr_equal (feed->channel, &new_live);
    assert_int_equal (feed->watch_count, 1);
    feed_leave (feed, &watch);
    drain ();
    read_sent (&one);
    assert_int_equal (one.others, 2);
    has_new_table = false;
}

/* ---- the latest of each key ---- */

static void
latest_of_many_keys_are_sent_as_there_is_room (void **state)
{
    (void) state;
    bool has[100] = { false };
    unsigned counted = 0;
    say (&two, "{\"watch\":\"thing/a/gauge\",\"id\":1}");
    for (unsigned i = 0; i < 200; i++)
        publish_bytes (i % 100, 30000);
    one.room = 1;
    say (&one, "{\"watch\":\"thing/a/gauge\",\"id\":1}");
    drain ();
    while (counted < 100) {
        give_room (&one, 1);
        size_t size = read_sent (&one);
        assert_true (size > 0 && size < 2 * GATHER_MOST);
        for (unsigned i = 0; i < one.count; i++, counted++) {
            unsigned key = (unsigned) atoi (one.heard[i].key);
            assert_true (key < 100 && !has[key]);
            has[key] = true;
        }
    }
    give_room (&one, SIZE_MAX);
    assert_int_equal (read_sent (&one), 0);
}

static void
latest_keep_no_more_bytes_than_they_may (void **state)
{
    (void) state;
    say (&two, "{\"watch\":\"thing/a/gauge\",\"id\":1}");
    for (unsigned key = 0; key < 40; key++) {
        publish_bytes (key, 1u << 20);
        buffer_clear (&two.sent);
    }
    const feed_t *feed = feed_find (edge, "thing/a", "gauge");
    assert_true (feed->latest_bytes <= LATEST_BYTES_MOST && feed->keys >= 15);
    say (&one, "{\"watch\":\"thing/a/gauge\",\"id\":1}");
    drain ();
    read_sent (&one);
    assert_int_equal (one.count, feed->keys);
    assert_string_equal (one.heard[one.count - 1].key, "39");
    publish_bytes (39, 10);
    assert_true (feed->latest_bytes <= (feed->keys - 1) * ((1u << 20) + 200) + 200);
}

/* ---- channels with a rate, and that conflate ---- */

static void
check_heard (client_t *self, unsigned count, const int *values)
{
    read_sent (self);
    assert_int_equal (self->count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal (self->heard[i].value, values[i]);
}
#define HEARD(client, ...) \
    check_heard (client, sizeof ((int[]) { __VA_ARGS__ }) / sizeof (int), (int[]) { __VA_ARGS__ })

static void
watch_one (const char *channel)
{
    say (&one, "{\"watch\":\"thing/a/%s\",\"id\":1}", channel);
    drain ();
    pass_ms (1000);
    read_sent (&one);
}

/*  At most ten times a second: the first at once, then what is newest when the time has come. */
static void
check_latest_at_a_rate (const char *channel)
{
    watch_one (channel);
    publish (channel, "x", 1);
    HEARD (&one, 1);
    for (int value = 2; value < 10; value++) {
        publish (channel, value % 2 ? "x" : "y", value);
        pass_ms (10);
        check_heard (&one, 0, NULL);
    }
    pass_ms (19);
    check_heard (&one, 0, NULL);
    pass_ms (1);
    HEARD (&one, 8, 9);
    pass_ms (1000);
    check_heard (&one, 0, NULL);
    publish (channel, "x", 10);
    HEARD (&one, 10);
}

static void
volatile_channel_with_a_rate_tells_the_latest_at_that_rate (void **state)
{
    (void) state;
    check_latest_at_a_rate ("slow-gauge");
}

static void
durable_channel_that_conflates_tells_the_latest_at_its_rate (void **state)
{
    (void) state;
    check_latest_at_a_rate ("slow-state");
}

/*  One as it is, some in one frame, many in frames of a bounded size, and a large one in its own. */
static void
several_events_come_in_batches (void **state)
{
    (void) state;
    watch_one ("each");
    publish ("each", NULL, 1);
    HEARD (&one, 1);
    assert_int_equal (one.frames, 1);
    for (int value = 2; value < 5; value++)
        publish ("each", "x", value);
    pass_ms (100);
    HEARD (&one, 2, 3, 4);
    assert_int_equal (one.frames, 1);
    for (int value = 5; value < 605; value++)
        publish ("each", "x", value);
    pass_ms (100);
    read_sent (&one);
    assert_int_equal (one.count, 600);
    for (int i = 0; i < 600; i++)
        assert_int_equal (one.heard[i].value, 5 + i);
    assert_true (one.largest <= BATCH_MOST && one.largest > BATCH_MOST - 100);
    watch_one ("gauge");
    one.room = 0;
    publish ("gauge", "x", 1);
    publish_bytes (1, BATCH_MOST);
    publish ("gauge", "y", 2);
    publish ("gauge", "z", 3);
    give_room (&one, SIZE_MAX);
    read_sent (&one);
    assert_int_equal (one.count, 4);
    assert_int_equal (one.frames, 3);
}

/*  The rate bounds how often something leaves, not how much. */
static void
durable_channel_with_a_rate_tells_each_event (void **state)
{
    (void) state;
    watch_one ("each");
    publish ("each", NULL, 1);
    HEARD (&one, 1);
    for (int value = 2; value < 5; value++)
        publish ("each", "x", value);
    pass_ms (99);
    check_heard (&one, 0, NULL);
    pass_ms (1);
    HEARD (&one, 2, 3, 4);
}

static void
channel_that_conflates_tells_each_event_to_who_reads (void **state)
{
    (void) state;
    watch_one ("state");
    for (int value = 1; value < 5; value++)
        publish ("state", value % 2 ? "odd" : "even", value);
    HEARD (&one, 1, 2, 3, 4);
}

/*  More than the ring holds: the latest of each key, by offset, and then each event again. */
static void
channel_that_conflates_tells_the_latest_to_who_lags (void **state)
{
    (void) state;
    watch_one ("state");
    publish ("state", "x", 1);
    one.room = 0;
    for (int value = 2; value <= 2 * RING_EVENTS_MOST; value++)
        publish ("state", value % 2 ? "odd" : "even", value);
    give_room (&one, SIZE_MAX);
    HEARD (&one, 1, 2 * RING_EVENTS_MOST - 1, 2 * RING_EVENTS_MOST);
    assert_int_equal (one.heard[2].at, head);
    publish ("state", "x", 7);
    publish ("state", "x", 8);
    HEARD (&one, 7, 8);
}

/*  One that lags less gets each: the ring has it. */
static void
channel_that_conflates_tells_each_event_that_is_at_hand (void **state)
{
    (void) state;
    watch_one ("state");
    publish ("state", "x", 1);
    one.room = 0;
    for (int value = 2; value < 6; value++)
        publish ("state", "x", value);
    give_room (&one, SIZE_MAX);
    HEARD (&one, 1, 2, 3, 4, 5);
}

/* ---- the audit log ---- */

/*  Whoever makes noise hides no line of another class, and what was left out is told. */
static void
audit_log_has_so_many_lines_of_each_class (void **state)
{
    (void) state;
    unsigned said = 0;
    for (unsigned i = 0; i < 100; i++)
        said += edge_audit (edge, AUDIT_DENIED, "denied: x");
    assert_int_equal (said, 10);
    assert_true (edge_audit (edge, AUDIT_FAILED, "failed: y") && edge_audit (edge, AUDIT_PASSED, "signed in: z"));
    assert_int_equal (audit_lines, 12);
    assert_int_equal (edge_drain (edge), 1000);
    pass_ms (999);
    assert_int_equal (audit_lines, 12);
    pass_ms (1);
    assert_int_equal (audit_lines, 13);
    assert_string_equal (last_line, "denied: 90 more lines left out");
    assert_true (edge_drain (edge) == EDGE_NEVER);
    assert_true (edge_audit (edge, AUDIT_DENIED, "denied: x"));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (history_of_many_feeds_is_sent_as_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown (snapshots_of_many_feeds_are_asked_for_as_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown (history_of_many_feeds_goes_on_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown (latest_of_many_keys_are_sent_as_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown (latest_keep_no_more_bytes_than_they_may, setup, teardown),
        cmocka_unit_test_setup_teardown (watchers_ask_anew_when_their_kind_has_another_table, setup, teardown),
        cmocka_unit_test_setup_teardown (joiner_of_another_table_sends_the_others_off, setup, teardown),
        cmocka_unit_test_setup_teardown (volatile_channel_with_a_rate_tells_the_latest_at_that_rate, setup, teardown),
        cmocka_unit_test_setup_teardown (durable_channel_that_conflates_tells_the_latest_at_its_rate, setup, teardown),
        cmocka_unit_test_setup_teardown (several_events_come_in_batches, setup, teardown),
        cmocka_unit_test_setup_teardown (durable_channel_with_a_rate_tells_each_event, setup, teardown),
        cmocka_unit_test_setup_teardown (channel_that_conflates_tells_each_event_to_who_reads, setup, teardown),
        cmocka_unit_test_setup_teardown (channel_that_conflates_tells_the_latest_to_who_lags, setup, teardown),
        cmocka_unit_test_setup_teardown (channel_that_conflates_tells_each_event_that_is_at_hand, setup, teardown),
        cmocka_unit_test_setup_teardown (audit_log_has_so_many_lines_of_each_class, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
