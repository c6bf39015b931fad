/*  test_feed.c - the history of a feed when newer code keeps less of it. */

#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FEW 3
#define AGE_MS 1000

static troupe_status_t
say (troupe_turn_t *turn)
{
    int times;
    troupe_status_t status = troupe_unpack (turn, "{s:i}", "times", &times);
    for (; status == TROUPE_OK && times > 0; times--)
        status = troupe_publish (turn, "news", NULL);
    return status;
}

static troupe_status_t
change (troupe_turn_t *turn)
{
    return troupe_permit_changed (turn, "news");
}

static const troupe_verb_t verbs[] = { { "say", say }, { "change", change }, { NULL } };

#define KINDS(name, ...)                                                                                    \
    static const troupe_channel_t name##_channels[] = { { "news", __VA_ARGS__ }, { NULL } };                \
    static const troupe_kind_t name##_kind = { "radio", .version = 1, .verbs = verbs, .channels = name##_channels }; \
    static const troupe_kind_t *const name[] = { &name##_kind, NULL }

KINDS (all_kept, .keep = 1000000);
KINDS (few_kept, .keep = FEW);
KINDS (young_kept, .keep_ms = AGE_MS);
KINDS (any_age_kept, .keep_ms = UINT64_MAX);

static hand_t hand;

static int
setup (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    hand_start (&hand, all_kept);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    hand_stop (&hand);
    return 0;
}

/*  Bytes of the frames that it took. */
static size_t
publish (int times)
{
    hand_answer_t answer;
    size_t before = hand.frame_count, bytes = 0;
    hand_call (&hand, &answer, "radio/1", "say", "{s:i}", "times", times);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    for (size_t i = before; i < hand.frame_count; i++)
        bytes += hand.frames[i].body.size;
    return bytes;
}

/*  Reads the whole history, each event of which must be there. */
static void
bounds (int64_t *first, int64_t *head)
{
    hand_answer_t answer;
    buffer_t packed = { 0 };
    troupe_error_t error;
    json_int_t first_ = -1, head_ = -1;
    shard_t *shard = hand_shard_of (&hand, "radio/1");
    assert_int_equal (shard_read_feed (shard, "radio/1", "news", 0, 1000000, &packed, &error), TROUPE_OK);
    buffer_clear (&packed);
    assert_int_equal (shard_read_feed (shard, "radio/1", "news", UINT64_MAX, 1, &packed, &error), TROUPE_OK);
    memcpy (answer.body, packed.data, packed.size);
    answer.size = packed.size;
    buffer_clear (&packed);
    assert_true (hand_read (&answer, "{s:I, s:I}", "first", &first_, "head", &head_));
    *first = first_;
    *head = head_;
}

static void
feed_of_which_newer_code_keeps_fewer_is_trimmed_bit_by_bit (void **state)
{
    (void) state;
    int64_t first, head, before = 1;
    publish (500);
    hand_fold (&hand);
    hand_crash_into (&hand, few_kept);
    for (int i = 1; i <= 20; i++) {
        publish (1);
        bounds (&first, &head);
        assert_int_equal (head, 500 + i);
        assert_true (first > before && first - before <= 64);
        before = first;
        if (i % 3 == 0)
            hand_crash (&hand);
    }
    assert_int_equal (first, head - FEW + 1);
    hand_fold (&hand);
    bounds (&first, &head);
    assert_int_equal (first, head - FEW + 1);
}

static void
feed_of_which_newer_code_keeps_the_young_is_trimmed_bit_by_bit (void **state)
{
    (void) state;
    int64_t first, head;
    publish (100);
    hand_crash_into (&hand, young_kept);
    publish (1);
    bounds (&first, &head);
    assert_int_equal (first, 1);
    hand_advance (&hand, AGE_MS + 100);
    publish (1);
    bounds (&first, &head);
    assert_in_range (first, 2, 65);
    publish (1);
    bounds (&first, &head);
    assert_int_equal (first, 102);
    assert_int_equal (head, 103);
}

static void
permit_of_a_channel_without_one_cannot_change (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "radio/1", "change", NULL);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_INVALID);
}

static void
feed_without_a_bound_but_an_endless_age_keeps_all (void **state)
{
    (void) state;
    int64_t first, head;
    publish (100);
    hand_crash_into (&hand, any_age_kept);
    hand_advance (&hand, 1000000);
    publish (1);
    bounds (&first, &head);
    assert_int_equal (first, 1);
    assert_int_equal (head, 101);
}

static void
turn_of_many_events_is_no_larger_for_a_history_that_goes (void **state)
{
    (void) state;
    int64_t first, head;
    for (int i = 0; i < 10; i++)
        publish (20000);
    hand_crash_into (&hand, few_kept);
    assert_true (publish (1) < 64 * 100);
    assert_true (publish (5000) < 3u << 20);
    bounds (&first, &head);
    assert_int_equal (head, 205001);
    assert_true (first > 5000 && first < head - FEW);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (feed_of_which_newer_code_keeps_fewer_is_trimmed_bit_by_bit),
        TEST (feed_of_which_newer_code_keeps_the_young_is_trimmed_bit_by_bit),
        TEST (feed_without_a_bound_but_an_endless_age_keeps_all),
        TEST (permit_of_a_channel_without_one_cannot_change),
        TEST (turn_of_many_events_is_no_larger_for_a_history_that_goes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
