/*  test_bounds.c - what a shard does at its bounds: frames, what is not durable, not folded, mailboxes,
 *  awake actors. */

#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

/* ---- a kind that makes much of little ---- */

static int runs;

/*  Tells ten actors that are never ready so many bytes each, and itself to go on. */
static troupe_status_t
spread (troupe_turn_t *turn)
{
    static uint8_t bytes[100000];
    int left, size = sizeof bytes;
    troupe_status_t status = troupe_unpack (turn, "{s:i, s?:i}", "left", &left, "size", &size);
    runs += 1;
    for (int i = 0; status == TROUPE_OK && i < 10; i++) {
        char to[32];
        snprintf (to, sizeof to, "sink/{0}%d", i);
        status = troupe_tell (turn, to, "refill", "{s:r#}", "bytes", bytes, (size_t) size);
    }
    if (status == TROUPE_OK && left > 1)
        status = troupe_tell (turn, troupe_self (turn), "spread", "{s:i, s:i}", "left", left - 1, "size", size);
    return status;
}

static troupe_status_t
refill (troupe_turn_t *turn)
{
    return troupe_fail (turn, "never ready");
}

static troupe_status_t
store (troupe_turn_t *turn)
{
    static uint8_t bytes[MIB];
    int size;
    troupe_status_t status = troupe_unpack (turn, "{s:i}", "size", &size);
    runs += 1;
    return status == TROUPE_OK ? troupe_store (turn, "bytes", bytes, (size_t) size) : status;
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    return troupe_reply (turn, NULL);
}

static uint64_t clock_now_ns, turn_takes_ns;

static uint64_t
clock_ns (void *self)
{
    (void) self;
    return clock_now_ns;
}

static troupe_status_t
work (troupe_turn_t *turn)
{
    (void) turn;
    runs += 1;
    clock_now_ns += turn_takes_ns;
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "spread", spread }, { "refill", refill }, { "store", store }, { "look", look, .reads = true }, { "work", work },
    { NULL }
};
static const troupe_kind_t sink = { "sink", .version = 1, .verbs = verbs };
static const troupe_kind_t *const kinds[] = { &sink, NULL };

/* ---- fixtures ---- */

static hand_t hand;

static int
setup_with (const shard_limits_t *limits)
{
    memset (&hand, 0, sizeof hand);
    runs = 0;
    hand.limits = *limits;
    hand.clock_ns = clock_ns;
    hand_start (&hand, kinds);
    return 0;
}

static int
setup_small (void **state)
{
    (void) state;
    return setup_with (&(shard_limits_t) { .undurable_bytes = MIB });
}

static int
setup_huge (void **state)
{
    (void) state;
    return setup_with (&(shard_limits_t) { .undurable_bytes = 1ull << 40, .unfolded_bytes = 1ull << 40 });
}

static int
teardown (void **state)
{
    (void) state;
    hand_stop (&hand);
    return 0;
}

static size_t
largest_frame (void)
{
    size_t largest = 0;
    for (size_t i = 0; i < hand.frame_count; i++)
        largest = hand.frames[i].body.size > largest ? hand.frames[i].body.size : largest;
    return largest;
}

/* ---- tests ---- */

/*  The journal takes nothing: mail of turns that wait in the open frame counts as much as what they stored. */
static void
frame_of_waiting_mail_stays_within_its_bound (void **state)
{
    (void) state;
    hand.is_stuck = true;
    hand_call (&hand, NULL, "sink/{0}", "spread", "{s:i}", "left", 100);
    assert_true (runs < 10);
    hand.is_stuck = false;
    hand_take (&hand);
    hand_commit (&hand);
    assert_int_equal (runs, 100);
    assert_true (largest_frame () < 5 * MIB);
}

static void
frame_stays_within_what_the_journal_takes_whatever_the_setting (void **state)
{
    (void) state;
    hand.is_stuck = true;
    hand_call (&hand, NULL, "sink/{0}", "spread", "{s:i}", "left", 200);
    hand.is_stuck = false;
    hand_take (&hand);
    hand_commit (&hand);
    assert_int_equal (runs, 200);
    assert_true (largest_frame () < FRAME_BODY_MAX / 4);
}

static void
turns_wait_for_the_journal_and_go_on (void **state)
{
    (void) state;
    hand_answer_t answers[20];
    hand.is_stuck = true;
    for (int i = 0; i < 20; i++) {
        char to[32];
        snprintf (to, sizeof to, "sink/{0}%d", i);
        hand_call (&hand, &answers[i], to, "store", "{s:i}", "size", 200000);
    }
    assert_true (runs < 12);
    hand.is_stuck = false;
    hand_take (&hand);
    hand_commit (&hand);
    assert_int_equal (runs, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal (answers[i].status, TROUPE_OK);
}

/*  Nobody comes to handle them: all of it would be written with the frame. */
static void
call_that_would_make_the_frame_too_large_is_refused_until_it_is_written (void **state)
{
    (void) state;
    static hand_answer_t answers[50], next;
    static uint8_t bytes[4 * MIB - 100];
    int overloaded = 0;
    hand.is_stuck = true;
    hand_call (&hand, NULL, "sink/{0}", "spread", "{s:i, s:i}", "left", 1, "size", 10);
    for (int i = 0; i < 50; i++)
        hand_post (&hand, &answers[i], "sink/{0}0", "refill", "{s:r#}", "bytes", bytes, sizeof bytes);
    hand_run (&hand);
    for (int i = 0; i < 50; i++) {
        overloaded += answers[i].status == TROUPE_OVERLOADED;
        assert_true (answers[i].status == TROUPE_STATUSES || answers[i].retry_after_ms > 0);
    }
    assert_in_range (overloaded, 30, 45);
    assert_int_equal (counter_get (&shard_metrics (hand_shard_of (&hand, "sink/{0}0"))->overloaded), overloaded);
    hand.is_stuck = false;
    hand_take (&hand);
    hand_commit (&hand);
    assert_true (largest_frame () < FRAME_BODY_MAX / 4);
    hand_post (&hand, &next, "sink/{0}0", "refill", "{s:r#}", "bytes", bytes, sizeof bytes);
    hand_run (&hand);
    assert_int_equal (next.status, TROUPE_STATUSES);
}

/*  A read is never written. */
static void
read_is_taken_while_calls_are_refused_for_their_bytes (void **state)
{
    (void) state;
    static hand_answer_t answers[30], read;
    static uint8_t bytes[100000];
    hand.is_stuck = true;
    hand_call (&hand, NULL, "sink/{0}", "spread", "{s:i, s:i}", "left", 1, "size", 10);
    for (int i = 0; i < 30; i++)
        hand_call (&hand, &answers[i], "sink/{0}0", "refill", "{s:r#}", "bytes", bytes, sizeof bytes);
    assert_int_equal (answers[0].status, TROUPE_STATUSES);
    assert_int_equal (answers[29].status, TROUPE_OVERLOADED);
    hand_call (&hand, &read, "sink/{0}x", "look", NULL);
    hand.is_stuck = false;
    hand_take (&hand);
    hand_commit (&hand);
    assert_int_equal (read.status, TROUPE_OK);
}

/*  Turns of this length in one step, of so many that wait. */
static int
runs_in_a_step (uint64_t takes_ns, int waiting)
{
    shard_t *shard = hand_shard_of (&hand, "sink/1");
    runs = 0;
    turn_takes_ns = takes_ns;
    for (int i = 0; i < waiting; i++)
        hand_post (&hand, NULL, "sink/1", "work", NULL);
    shard_step (shard, hand.now_ms, NULL);
    int ran = runs;
    hand_commit (&hand);
    assert_int_equal (runs, waiting);
    return ran;
}

static void
slice_of_slow_turns_ends_early (void **state)
{
    (void) state;
    assert_int_equal (runs_in_a_step (1000, 1000), 1000);
    assert_in_range (runs_in_a_step (1000000, 1000), 5, 10);
    assert_int_equal (runs_in_a_step (100000000, 1000), 1);
}

static void
told_messages_are_counted (void **state)
{
    (void) state;
    hand_call (&hand, NULL, "sink/{0}", "spread", "{s:i, s:i}", "left", 3, "size", 10);
    hand_commit (&hand);
    assert_int_equal (counter_get (&shard_metrics (hand_shard_of (&hand, "sink/{0}"))->told), 32);
}

int
main (void)
{
#define TEST(name, setup) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (frame_of_waiting_mail_stays_within_its_bound, setup_small),
        TEST (frame_stays_within_what_the_journal_takes_whatever_the_setting, setup_huge),
        TEST (turns_wait_for_the_journal_and_go_on, setup_small),
        TEST (call_that_would_make_the_frame_too_large_is_refused_until_it_is_written, setup_huge),
        TEST (slice_of_slow_turns_ends_early, setup_huge),
        TEST (told_messages_are_counted, setup_huge),
        TEST (read_is_taken_while_calls_are_refused_for_their_bytes, setup_small),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
