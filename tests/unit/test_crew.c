/*  test_crew.c - workers of remote kinds: who gets what, and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/bytes.h"
#include "runtime/body/packed.h"
#include "transports/zmq/crew.h"

#define TABLE(version) "\x82\xa4kind\xa1k\xa7version" version
#define TOLD_MOST 64

/* ---- a node that writes down what it is told ---- */

static struct {
    troupe_status_t announced;
    unsigned announcements, readies, woken, count;
    struct {
        uint64_t number;
        remote_end_t end;
        troupe_status_t status;
        size_t size;
    } told[TOLD_MOST];
} node;
static crew_t *crew;
static const remote_port_t *port;
static buffer_t answer, sent;
static troupe_error_t error;
static remote_token_t token;

static troupe_status_t
host_announce (void *self, const void *table, size_t size, troupe_error_t *wrong)
{
    (void) self;
    (void) table;
    (void) size;
    node.announcements += 1;
    return node.announced == TROUPE_OK ? TROUPE_OK : error_set (wrong, node.announced, "no");
}

static void
host_outcome (void *self, const char *address, const remote_token_t *of, const remote_outcome_t *outcome)
{
    (void) self;
    (void) address;
    assert_true (node.count < TOLD_MOST);
    node.told[node.count].number = get_le64 (of->bytes);
    node.told[node.count].end = outcome->end;
    node.told[node.count].status = outcome->status;
    node.told[node.count++].size = outcome->size;
}

static void
host_ready (void *self, const char *kind)
{
    (void) self;
    assert_string_equal (kind, "k");
    node.readies += 1;
}

static void
wake (void *arg)
{
    (void) arg;
    node.woken += 1;
}

static int
setup (void **state)
{
    (void) state;
    static const remote_host_t host = { NULL, 1, host_announce, host_outcome, host_ready };
    memset (&node, 0, sizeof node);
    crew = crew_new (wake, NULL);
    port = crew_port (crew);
    crew_attach (crew, &host);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    crew_destroy (&crew);
    buffer_clear (&answer);
    buffer_clear (&sent);
    return 0;
}

/* ---- steps ---- */

static troupe_status_t
say (mate_t *mate, const void *bytes, size_t size)
{
    binary_reader_t reader = { 0 };
    work_t work;
    buffer_reset (&answer);
    binary_open (&reader, NULL, bytes, size);
    troupe_status_t status;
    while ((status = work_next (&reader, &work, &error)) == TROUPE_OK
           && (status = mate_take (mate, &work, &answer, &error)) == TROUPE_OK)
        ;
    return status == TROUPE_NOT_FOUND ? TROUPE_OK : status;
}

#define SAY(mate, literal) say (mate, literal, sizeof literal - 1)

/*  capacity 2, states 10 */
static mate_t *
join (void)
{
    mate_t *mate = crew_join (crew, &crew);
    assert_non_null (mate);
    assert_int_equal (SAY (mate, "\x10\x02\x0a\x11" TABLE ("\x01")), TROUPE_OK);
    assert_memory_equal (answer.data, "\x90\x02ok\x00", 5);
    return mate;
}

static bool
give (const char *address, uint32_t kind_version, uint64_t version, bool has_state)
{
    remote_offer_t offer = { .kind = "k", .kind_version = kind_version, .address = address, .verb = "v",
                             .sender = "", .subject = "", .trace = "", .caller = "", .attempt = 1,
                             .version = version, .has_state = has_state, .state = "\x80", .state_size = 1 };
    return port->offer (port->self, &offer, &token);
}

/*  The number of the first offer that it is sent, 0: none. */
static unsigned
hears (mate_t *mate)
{
    buffer_reset (&sent);
    if (!mate_gather (mate, &sent))
        return 0;
    mate_sent (mate, true);
    return sent.data[0] == 0x92 ? sent.data[5] : sent.data[1];
}

static bool
holds (const char *address, uint64_t version)
{
    return port->holds (port->self, "k", address, version);
}

static void
was_told (uint64_t number, remote_end_t end)
{
    assert_true (node.count > 0);
    assert_int_equal (node.told[node.count - 1].number, number);
    assert_int_equal (node.told[node.count - 1].end, end);
}

/* ---- what is so ---- */

static void
nobody_there_is_owed_a_word_once (void **state)
{
    (void) state;
    assert_false (give ("k/1", 1, 1, true));
    assert_false (give ("k/2", 1, 2, true));
    crew_make_room (crew);
    assert_int_equal (node.readies, 0);
    mate_t *mate = join ();
    crew_make_room (crew);
    crew_make_room (crew);
    assert_int_equal (node.readies, 1);
    assert_true (give ("k/1", 1, 1, true) && give ("k/2", 1, 2, true));
    assert_false (give ("k/3", 1, 3, true));
    crew_make_room (crew);
    assert_int_equal (node.readies, 1);
    assert_int_equal (hears (mate), 1);
    assert_int_equal (SAY (mate, "\x11\x01\x02ok\x00\x00"), TROUPE_OK);
    crew_make_room (crew);
    assert_int_equal (node.readies, 2);
    mate_leave (&mate);
}

static void
an_actor_stays_with_who_holds_its_state (void **state)
{
    (void) state;
    mate_t *one = join (), *other = join ();
    assert_true (give ("k/1", 1, 7, true));
    assert_int_equal (hears (one), 1);
    assert_true (holds ("k/1", 7));
    assert_false (holds ("k/1", 8));
    assert_int_equal (SAY (one, "\x11\x01\x02ok\x00\x01\x90"), TROUPE_OK);
    was_told (1, REMOTE_DONE);
    assert_int_equal (node.told[0].size, 1);
    port->settled (port->self, "k/1", &token, true, 8);
    assert_false (holds ("k/1", 7));
    assert_true (holds ("k/1", 8));
    assert_false (mate_gather (one, &sent));  /* not for that alone */
    assert_true (give ("k/2", 1, 20, true));  /* to the first again, which has as much room */
    assert_int_equal (hears (one), 2);
    assert_memory_equal (sent.data, "\x92\x01\x01\x08", 4);
    assert_true (give ("k/1", 1, 8, false));
    assert_int_equal (hears (one), 3);
    assert_false (holds ("k/2", 20));  /* it is full */
    assert_true (give ("k/2", 1, 20, true));
    assert_int_equal (hears (other), 4);
    mate_leave (&one);
    assert_false (holds ("k/1", 8));
    mate_leave (&other);
}

static void
without_its_state_it_goes_to_nobody_else (void **state)
{
    (void) state;
    mate_t *one = join (), *other = join ();
    assert_true (give ("k/1", 1, 7, true));
    assert_int_equal (hears (one), 1);
    mate_leave (&one);
    unsigned woken = node.woken;
    crew_make_room (crew);
    assert_false (give ("k/1", 1, 7, false));
    assert_int_equal (node.woken, woken + 1);  /* the shard is to ask again at once */
    crew_make_room (crew);
    assert_int_equal (node.readies, 1);
    mate_leave (&other);
}

static void
who_leaves_gives_back (void **state)
{
    (void) state;
    mate_t *one = join ();
    assert_true (give ("k/1", 1, 1, true));
    assert_int_equal (hears (one), 1);
    assert_true (give ("k/2", 1, 2, true));
    assert_int_equal (SAY (one, "\x14"), TROUPE_OK);
    assert_int_equal (answer.data[0], 0x94);
    was_told (2, REMOTE_UNTAKEN);
    assert_false (give ("k/2", 1, 2, true));
    assert_int_equal (SAY (one, "\x13\x01"), TROUPE_OK);
    was_told (1, REMOTE_UNTAKEN);
    mate_leave (&one);

    one = join ();
    assert_true (give ("k/1", 1, 1, true) && give ("k/2", 1, 2, true));
    buffer_reset (&sent);
    assert_true (mate_gather (one, &sent));
    mate_sent (one, false);
    mate_leave (&one);
    was_told (4, REMOTE_UNTAKEN);

    one = join ();
    assert_true (give ("k/1", 1, 1, true));
    assert_int_equal (hears (one), 5);
    mate_leave (&one);
    was_told (5, REMOTE_LOST);
    assert_int_equal (node.count, 5);
    assert_int_equal (crew_counts (crew).lost, 1);
}

static void
what_it_does_not_have_is_a_lie (void **state)
{
    (void) state;
    mate_t *one = join (), *other = join ();
    assert_true (give ("k/1", 1, 1, true));
    assert_int_equal (SAY (one, "\x11\x01\x02ok\x00\x00"), TROUPE_INVALID);  /* not sent yet */
    assert_int_equal (hears (one), 1);
    assert_int_equal (SAY (other, "\x11\x01\x02ok\x00\x00"), TROUPE_INVALID);
    assert_int_equal (SAY (one, "\x12\x01"), TROUPE_INVALID);
    assert_string_equal (error.text, "offer 1: its state came along");
    assert_int_equal (SAY (one, "\x13\x01"), TROUPE_INVALID);
    assert_int_equal (SAY (one, "\x11\x01\x02ok\x00\x00"), TROUPE_OK);
    assert_int_equal (SAY (one, "\x11\x01\x02ok\x00\x00"), TROUPE_INVALID);
    assert_int_equal (node.count, 1);
    assert_int_equal (crew_counts (crew).broken, 5);
    mate_leave (&one);
    mate_leave (&other);
}

static void
a_dropped_state_is_sent_again (void **state)
{
    (void) state;
    mate_t *one = join ();
    assert_true (give ("k/1", 1, 1, true));
    assert_int_equal (hears (one), 1);
    assert_int_equal (SAY (one, "\x11\x01\x02ok\x00\x00"), TROUPE_OK);
    assert_true (give ("k/1", 1, 1, false));
    assert_int_equal (hears (one), 2);
    assert_int_equal (SAY (one, "\x12\x02"), TROUPE_OK);
    was_told (2, REMOTE_STATELESS);
    assert_false (holds ("k/1", 1));
    mate_leave (&one);
}

static void
what_a_shard_gave_up_stays_in_hand (void **state)
{
    (void) state;
    mate_t *one = join ();
    assert_true (give ("k/1", 1, 1, true));
    assert_false (port->withdraw (port->self, "k/1", &token));
    assert_int_equal (hears (one), 0);
    assert_true (give ("k/1", 1, 1, true));
    assert_int_equal (hears (one), 2);
    assert_true (port->withdraw (port->self, "k/1", &token));
    assert_true (give ("k/2", 1, 2, true));
    assert_false (give ("k/3", 1, 3, true));
    assert_int_equal (SAY (one, "\x11\x02\x02ok\x00\x00"), TROUPE_OK);
    assert_int_equal (node.count, 0);
    assert_true (give ("k/3", 1, 3, true));
    mate_leave (&one);
}

static void
versions_roll (void **state)
{
    (void) state;
    mate_t *one = join (), *other = crew_join (crew, &crew);
    assert_int_equal (SAY (other, "\x10\x02\x0a\x11" TABLE ("\x02")), TROUPE_OK);
    assert_true (give ("k/1", 1, 1, true));
    assert_int_equal (hears (one), 1);
    assert_true (give ("k/2", 2, 2, true));
    assert_int_equal (hears (other), 2);
    assert_true (give ("k/3", 2, 3, true));
    assert_int_equal (hears (other), 3);
    assert_false (give ("k/4", 2, 4, true));  /* the other one has room, and the other version */
    char name[TROUPE_KIND_MAX + 1];
    uint64_t count;
    assert_true (crew_of_kind (crew, 0, name, &count));
    assert_int_equal (count, 1);
    node.announced = TROUPE_MISMATCH;
    mate_t *late = crew_join (crew, &crew);
    assert_int_equal (SAY (late, "\x10\x02\x0a\x11" TABLE ("\x01")), TROUPE_OK);
    assert_memory_equal (answer.data, "\x90\x08mismatch\x02no", 13);
    mate_leave (&one);
    mate_leave (&other);
    assert_false (give ("k/1", 1, 1, true));
    mate_leave (&late);
}

static void
states_are_bounded (void **state)
{
    (void) state;
    mate_t *one = crew_join (crew, &crew);
    assert_int_equal (SAY (one, "\x10\x7f\x02\x11" TABLE ("\x01")), TROUPE_OK);
    assert_true (give ("k/1", 1, 1, true) && give ("k/2", 1, 2, true) && give ("k/3", 1, 3, true));
    assert_false (holds ("k/1", 1));
    assert_true (holds ("k/2", 2) && holds ("k/3", 3));
    assert_int_equal (crew_counts (crew).states, 2);
    mate_leave (&one);
}

static void
an_outcome_has_one_of_few_statuses (void **state)
{
    (void) state;
    binary_reader_t reader = { 0 };
    work_t work;
    static const uint8_t odd[] = "\x11\x01\x03" "odd\x00\x00";
    binary_open (&reader, NULL, odd, sizeof odd - 1);
    assert_int_equal (work_next (&reader, &work, &error), TROUPE_INVALID);
    assert_string_equal (error.text, "byte 6: status: ok, a refusal or failed is wanted");
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (nobody_there_is_owed_a_word_once),
        TEST (an_actor_stays_with_who_holds_its_state),
        TEST (without_its_state_it_goes_to_nobody_else),
        TEST (who_leaves_gives_back),
        TEST (what_it_does_not_have_is_a_lie),
        TEST (a_dropped_state_is_sent_again),
        TEST (what_a_shard_gave_up_stays_in_hand),
        TEST (versions_roll),
        TEST (states_are_bounded),
        TEST (an_outcome_has_one_of_few_statuses),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
