/*  test_call.c - calls from outside: the door, their end, twins, lanes, and who hears what. */

#include "runtime/base/memory.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_MS 1000000  /* as hand_start sets the clock */

/* ---- a kind that answers, keeps silent, or fails ---- */

static int runs, fails_left;

static troupe_status_t
count (troupe_turn_t *turn)
{
    uint64_t total = 0;
    runs += 1;
    troupe_load (turn, "total", &total, sizeof total);
    total += 1;
    troupe_store (turn, "total", &total, sizeof total);
    return troupe_reply (turn, "{s:I}", "total", (json_int_t) total);
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    uint64_t total = 0;
    troupe_load (turn, "total", &total, sizeof total);
    return troupe_reply (turn, "{s:I}", "total", (json_int_t) total);
}

static troupe_status_t
silent (troupe_turn_t *turn)
{
    runs += 1;
    const char *caller = troupe_reply_later (turn);
    return troupe_store (turn, "caller", caller, strlen (caller) + 1);
}

static troupe_status_t
speak (troupe_turn_t *turn)
{
    char caller[TROUPE_CALLER_MAX] = "";
    troupe_load (turn, "caller", caller, sizeof caller);
    return troupe_answer (turn, caller, TROUPE_OK, "{s:s}", "said", "now");
}

static troupe_status_t
deny (troupe_turn_t *turn)
{
    char caller[TROUPE_CALLER_MAX] = "";
    troupe_load (turn, "caller", caller, sizeof caller);
    return troupe_answer (turn, caller, TROUPE_FORBIDDEN, "{s:s}", "error", "not for you");
}

static troupe_status_t
falter (troupe_turn_t *turn)
{
    runs += 1;
    return fails_left-- > 0 ? troupe_fail (turn, "not yet") : TROUPE_OK;
}

static troupe_status_t
forward (troupe_turn_t *turn)
{
    int times;
    troupe_status_t status = troupe_unpack (turn, "{s:i}", "times", &times);
    for (int i = 0; status == TROUPE_OK && i < times; i++)
        status = troupe_tell (turn, troupe_self (turn), "count", NULL);
    return status;
}

static const troupe_verb_t verbs[] = {
    { "count", count }, { "look", look, .reads = true }, { "silent", silent }, { "speak", speak },
    { "deny", deny },   { "falter", falter },            { "forward", forward }, { NULL }
};
static const troupe_kind_t thing = { "thing", .version = 1, .verbs = verbs };

static bool is_sick;

static troupe_status_t
wake (troupe_turn_t *turn)
{
    return is_sick ? troupe_fail (turn, "not today") : TROUPE_OK;
}

static const troupe_kind_t patient = { "patient", .version = 1, .verbs = verbs, .wake = wake };
static const troupe_kind_t *const kinds[] = { &thing, &patient, NULL };

/* ---- fixtures ---- */

static hand_t hand;

static int
setup_with (const shard_limits_t *limits)
{
    memset (&hand, 0, sizeof hand);
    runs = fails_left = 0;
    hand.limits = *limits;
    hand_start (&hand, kinds);
    return 0;
}

static int
setup (void **state)
{
    (void) state;
    return setup_with (&(shard_limits_t) { 0 });
}

static int
teardown (void **state)
{
    (void) state;
    memory_fail_after (0);
    hand_stop (&hand);
    return 0;
}

/*  A call in full. */
static void
submit (hand_answer_t *answer, const troupe_call_t *asked)
{
    hand_submit (&hand, answer, asked);
    hand_run (&hand);
}

static troupe_call_t
session_call (uint64_t session, uint64_t seq, const char *verb, uint64_t not_after_ms)
{
    troupe_call_t call = { .to = "thing/1", .verb = verb, .seq = seq, .not_after_ms = not_after_ms };
    memcpy (call.session, &session, sizeof session);
    return call;
}

/* ---- the end of a call ---- */

static void
call_without_session_is_unknown_after_its_end (void **state)
{
    (void) state;
    hand_answer_t answer;
    troupe_call_t call = { .to = "thing/1", .verb = "silent", .not_after_ms = START_MS + 500 };
    submit (&answer, &call);
    hand_commit (&hand);
    hand_advance (&hand, START_MS + 500 - hand.now_ms);
    assert_int_equal (answer.status, TROUPE_STATUSES);
    hand_advance (&hand, 1);
    assert_int_equal (answer.status, TROUPE_UNKNOWN);
    hand_call (&hand, NULL, "thing/1", "speak", NULL);
    hand_commit (&hand);
    assert_int_equal (answer.answers, 1);
}

static int
setup_few (void **state)
{
    (void) state;
    return setup_with (&(shard_limits_t) { .calls_kept = 3, .call_keep_ms = 1000 });
}

/*  Those that nobody ever answers do not keep the door closed. */
static void
call_that_is_never_answered_leaves_its_place (void **state)
{
    (void) state;
    hand_answer_t answers[3], next;
    for (int i = 0; i < 3; i++)
        hand_call (&hand, &answers[i], "thing/1", "silent", NULL);
    hand_call (&hand, &next, "thing/1", "count", NULL);
    assert_int_equal (next.status, TROUPE_OVERLOADED);
    hand_commit (&hand);
    hand_advance (&hand, 1100);
    for (int i = 0; i < 3; i++)
        assert_int_equal (answers[i].status, TROUPE_UNKNOWN);
    hand_call (&hand, &next, "thing/1", "count", NULL);
    hand_commit (&hand);
    assert_int_equal (next.status, TROUPE_OK);
}

/*  A client that asks for all the time that there is takes the gateway's clock, which is a little ahead. */
static void
call_may_be_a_little_further_ahead_than_it_is_kept (void **state)
{
    (void) state;
    hand_answer_t answer;
    troupe_call_t near = session_call (5, 1, "count", START_MS + 2000 + 500);
    troupe_call_t far = session_call (5, 2, "count", START_MS + 2000 + 5000);
    submit (&answer, &far);
    assert_int_equal (answer.status, TROUPE_INVALID);
    submit (&answer, &near);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
}

static void
call_too_late_or_too_far_ahead_is_not_accepted (void **state)
{
    (void) state;
    hand_answer_t answer;
    troupe_call_t late = session_call (5, 1, "count", START_MS - 1), far = session_call (5, 1, "count", UINT64_MAX);
    troupe_call_t endless = { .to = "thing/1", .verb = "count", .not_after_ms = UINT64_MAX };
    troupe_call_t no_end = session_call (5, 1, "count", 0);
    submit (&answer, &late);
    assert_int_equal (answer.status, TROUPE_UNKNOWN);
    submit (&answer, &far);
    assert_int_equal (answer.status, TROUPE_INVALID);
    submit (&answer, &endless);
    assert_int_equal (answer.status, TROUPE_INVALID);
    submit (&answer, &no_end);
    assert_int_equal (answer.status, TROUPE_INVALID);
    hand_commit (&hand);
    assert_int_equal (runs, 0);
}

/* ---- ordered sessions ---- */

static int
setup_sick (void **state)
{
    (void) state;
    is_sick = true;
    return setup_with (&(shard_limits_t) { .wake_attempts = 1 });
}

static troupe_status_t
in_lane (uint64_t seq, const char *to)
{
    hand_answer_t answer;
    troupe_call_t call = session_call (5, seq, "count", START_MS + 1000);
    call.to = to;
    call.ordered = true;
    submit (&answer, &call);
    hand_commit (&hand);
    return answer.status;
}

/*  Both live in one shard, as their ids are the same. */
static void
call_of_ordered_session_waits_for_one_that_was_told_parked (void **state)
{
    (void) state;
    hand_answer_t answer;
    troupe_error_t error;
    hand_call (&hand, &answer, "patient/1", "count", NULL);
    assert_int_equal (answer.status, TROUPE_PARKED);
    assert_int_equal (in_lane (1, "patient/1"), TROUPE_PARKED);
    assert_int_equal (in_lane (2, "thing/1"), TROUPE_OVERLOADED);
    is_sick = false;
    assert_int_equal (shard_revive (hand_shard_of (&hand, "patient/1"), "patient/1", &error), TROUPE_OK);
    assert_int_equal (in_lane (2, "thing/1"), TROUPE_OVERLOADED);
    assert_int_equal (in_lane (1, "patient/1"), TROUPE_OK);
    assert_int_equal (in_lane (2, "thing/1"), TROUPE_OK);
}

/*  One that comes again while it waits, say since its client heard nothing or that the actor is parked. */
static void
read_that_comes_again_while_it_waits_has_the_answer_of_its_place (void **state)
{
    (void) state;
    hand_answer_t held, reads[2], behind;
    troupe_call_t read = session_call (5, 1, "look", START_MS + 10000);
    troupe_call_t command = session_call (5, 2, "count", START_MS + 10000);
    fails_left = 1;
    hand_call (&hand, &held, "thing/1", "falter", NULL);
    submit (&reads[0], &read);
    submit (&behind, &command);
    submit (&reads[1], &read);
    hand_advance (&hand, 1000);
    hand_commit (&hand);
    assert_int_equal (behind.status, TROUPE_OK);
    for (int i = 0; i < 2; i++) {
        json_int_t total = -1;
        assert_int_equal (reads[i].status, TROUPE_OK);
        assert_true (hand_read (&reads[i], "{s:I}", "total", &total));
        assert_int_equal (total, 0);
    }
    submit (&reads[1], &read);
    hand_commit (&hand);
    json_int_t total = -1;
    assert_true (hand_read (&reads[1], "{s:I}", "total", &total));
    assert_int_equal (total, 1);
}

static int
setup_spilling (void **state)
{
    (void) state;
    return setup_with (&(shard_limits_t) { .mailbox_messages = 2 });
}

static void
submit_in_lane (hand_answer_t *answer, uint64_t seq, const char *verb)
{
    troupe_call_t call = session_call (5, seq, verb, START_MS + 10000);
    call.ordered = true;
    submit (answer, &call);
}

/*  Behind a message that is tried again later, some of the mail is on disk. */
static void
read_that_meets_a_spilled_mailbox_keeps_its_place_in_an_ordered_session (void **state)
{
    (void) state;
    hand_answer_t held, read, behind;
    fails_left = 1;
    hand_call (&hand, &held, "thing/1", "falter", NULL);
    for (int i = 0; i < 3; i++)
        hand_call (&hand, NULL, "thing/1", "count", NULL);
    submit_in_lane (&read, 1, "look");
    assert_int_equal (read.status, TROUPE_OVERLOADED);
    assert_true (read.retry_after_ms > 0);
    assert_int_equal (counter_get (&shard_metrics (hand_shard_of (&hand, "thing/1"))->overloaded), 1);
    submit_in_lane (&behind, 2, "count");
    assert_int_equal (behind.status, TROUPE_OVERLOADED);
    hand_advance (&hand, 1000);
    hand_commit (&hand);
    assert_int_equal (held.status, TROUPE_OK);
    submit_in_lane (&behind, 2, "count");
    assert_int_equal (behind.status, TROUPE_OVERLOADED);
    submit_in_lane (&read, 1, "look");
    submit_in_lane (&behind, 2, "count");
    hand_commit (&hand);
    assert_int_equal (read.status, TROUPE_OK);
    assert_int_equal (behind.status, TROUPE_OK);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
#define TEST_WITH(name, setup) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (call_without_session_is_unknown_after_its_end),
        TEST_WITH (call_that_is_never_answered_leaves_its_place, setup_few),
        TEST_WITH (call_may_be_a_little_further_ahead_than_it_is_kept, setup_few),
        TEST (call_too_late_or_too_far_ahead_is_not_accepted),
        TEST_WITH (call_of_ordered_session_waits_for_one_that_was_told_parked, setup_sick),
        TEST (read_that_comes_again_while_it_waits_has_the_answer_of_its_place),
        TEST_WITH (read_that_meets_a_spilled_mailbox_keeps_its_place_in_an_ordered_session, setup_spilling),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
