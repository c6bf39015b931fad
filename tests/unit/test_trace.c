/*  test_trace.c - a traceparent: how it is read, and that it goes with all that follows from a call. */

#include "runtime/base/trace.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define HOPS 8  /* actors; some on the shard of the first, some not */

static int heard, ticks;

static void
check_trace (troupe_turn_t *turn, const char *wanted)
{
    assert_string_equal (troupe_trace (turn), wanted);
}

static troupe_status_t
begin (troupe_turn_t *turn)
{
    check_trace (turn, TRACE);
    for (int i = 1; i <= HOPS; i++) {
        char to[32];
        snprintf (to, sizeof to, "hop/%d", i);
        troupe_tell (turn, to, "hear", NULL);
        troupe_cast (turn, to, "hear", NULL);
        troupe_ask (turn, to, i % 2 ? "say" : "say-later", "hear", 1000, NULL);
    }
    return troupe_timer_at (turn, "tick", "tick", troupe_now (turn) + 10, NULL);
}

static troupe_status_t
hear (troupe_turn_t *turn)
{
    check_trace (turn, TRACE);
    heard += 1;
    return TROUPE_OK;
}

static troupe_status_t
say (troupe_turn_t *turn)
{
    check_trace (turn, TRACE);
    return troupe_reply (turn, "{s:s}", "said", "yes");
}

static troupe_status_t
say_later (troupe_turn_t *turn)
{
    check_trace (turn, TRACE);
    return troupe_answer (turn, troupe_reply_later (turn), TROUPE_OK, NULL);
}

static troupe_status_t
tick (troupe_turn_t *turn)
{
    check_trace (turn, "");
    ticks += 1;
    return TROUPE_OK;
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    return troupe_reply (turn, "{s:i}", "size", (int) strlen (troupe_trace (turn)));
}

static const troupe_verb_t verbs[] = {
    { "begin", begin },         { "hear", hear }, { "say", say },
    { "say-later", say_later }, { "tick", tick }, { "look", look, .reads = true },
    { NULL }
};
static const troupe_kind_t hop = { "hop", .version = 1, .verbs = verbs };
static const troupe_kind_t *const kinds[] = { &hop, NULL };

static hand_t hand;

static int
setup (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    heard = ticks = 0;
    hand_start (&hand, kinds);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    hand_stop (&hand);
    return 0;
}

static void
trace_goes_with_messages_questions_and_answers (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand.commits = true;
    hand_submit (&hand, &answer, &(troupe_call_t) { .to = "hop/0", .verb = "begin", .trace = TRACE });
    hand_run (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_int_equal (heard, 3 * HOPS);
    hand_advance (&hand, 20);
    assert_int_equal (ticks, 1);
}

static void
trace_stands_in_records (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_submit (&hand, &answer, &(troupe_call_t) { .to = "hop/0", .verb = "begin", .trace = TRACE });
    hand_run (&hand);
    heard = 0;
    hand_take (&hand);
    hand_sync (&hand);  /* the outboxes are durable, nothing of them was carried yet */
    hand_crash (&hand);
    hand.commits = true;
    hand_commit (&hand);
    hand_run (&hand);
    assert_true (heard > 0);
}

static void
trace_is_none_when_malformed_or_absent (void **state)
{
    (void) state;
    static const char *const bad[] = { NULL, "", "x", "00-4bf9", TRACE "-more", "ff" "-4bf92f3577b34da6a3ce929d0e0e4736"
                                       "-00f067aa0ba902b7-01" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hand_answer_t answer;
        int size = -1;
        hand_submit (&hand, &answer, &(troupe_call_t) { .to = "hop/0", .verb = "look", .trace = bad[i] });
        hand_run (&hand);
        assert_true (hand_read (&answer, "{s:i}", "size", &size));
        assert_int_equal (size, 0);
    }
}

static void
trace_reads_what_it_writes (void **state)
{
    (void) state;
    uint8_t trace[TRACE_SIZE];
    char text[TRACE_TEXT_SIZE];
    assert_true (trace_read (TRACE, trace));
    trace_write (trace, text);
    assert_string_equal (text, TRACE);
    assert_true (trace_read ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", trace));
    static const char *const bad[] = {
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", /* no trace */
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", /* no parent */
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b70-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false (trace_read (bad[i], trace));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (trace_goes_with_messages_questions_and_answers, setup, teardown),
        cmocka_unit_test_setup_teardown (trace_stands_in_records, setup, teardown),
        cmocka_unit_test_setup_teardown (trace_is_none_when_malformed_or_absent, setup, teardown),
        cmocka_unit_test (trace_reads_what_it_writes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
