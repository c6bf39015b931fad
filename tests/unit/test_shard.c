/*  test_shard.c - turns, frames, mail, links, timers and feeds of shards run by hand. */

#include "runtime/base/memory.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a kind that does everything ---- */

static troupe_status_t
count (troupe_turn_t *turn)
{
    json_int_t by = 1;
    uint64_t total = 0;
    troupe_status_t status = troupe_unpack (turn, "{s?:I}", "by", &by);
    if (status != TROUPE_OK)
        return status;
    troupe_load (turn, "total", &total, sizeof total);
    total += (uint64_t) by;
    troupe_store (turn, "total", &total, sizeof total);
    return troupe_reply (turn, "{s:I}", "total", (json_int_t) total);
}

static troupe_status_t
total (troupe_turn_t *turn)
{
    uint64_t value = 0;
    troupe_load (turn, "total", &value, sizeof value);
    return troupe_reply (turn, "{s:I}", "total", (json_int_t) value);
}

static troupe_status_t
no (troupe_turn_t *turn)
{
    uint64_t value = 99;
    troupe_store (turn, "total", &value, sizeof value);
    troupe_tell (turn, "thing/other", "count", NULL);
    return troupe_refuse (turn, "no, %s", "never");
}

static int fails_left;

static troupe_status_t
falter (troupe_turn_t *turn)
{
    uint64_t value = 99;
    troupe_store (turn, "total", &value, sizeof value);
    if (fails_left-- > 0)
        return troupe_fail (turn, "not yet");
    return troupe_reply (turn, "{s:i}", "attempt", (int) troupe_attempt (turn));
}

static troupe_status_t
forward (troupe_turn_t *turn)
{
    const char *to;
    int times = 1;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s?:i}", "to", &to, "times", &times);
    if (status != TROUPE_OK)
        return status;
    for (int i = 0; i < times; i++)
        troupe_tell (turn, to, "count", NULL);
    return TROUPE_OK;
}

static troupe_status_t
poison (troupe_turn_t *turn)
{
    uint64_t value = 99;
    troupe_store (turn, "total", &value, sizeof value);
    troupe_tell (turn, "nowhere/1", "count", NULL);
    return TROUPE_OK;
}

static troupe_status_t
consult (troupe_turn_t *turn)
{
    const char *to;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "to", &to);
    if (status != TROUPE_OK)
        return status;
    const char *caller = troupe_reply_later (turn);
    troupe_store (turn, "caller", caller, strlen (caller) + 1);
    troupe_ask (turn, to, "count", "consulted", 5000, "{s:i}", "by", 5);
    return TROUPE_OK;
}

static troupe_status_t
consulted (troupe_turn_t *turn)
{
    char caller[TROUPE_CALLER_MAX];
    json_int_t answer = -1;
    troupe_load (turn, "caller", caller, sizeof caller);
    if (troupe_outcome (turn) == TROUPE_OK && troupe_unpack (turn, "{s:I}", "total", &answer) != TROUPE_OK)
        return troupe_fail (turn, "no total");
    troupe_answer (turn, caller, TROUPE_OK, "{s:I, s:i}", "total", answer, "outcome", (int) troupe_outcome (turn));
    return TROUPE_OK;
}

static troupe_status_t
silent (troupe_turn_t *turn)
{
    troupe_reply_later (turn);
    return TROUPE_OK;
}

static troupe_status_t
mute (troupe_turn_t *turn)
{
    const char *caller = troupe_reply_later (turn);
    troupe_store (turn, "caller", caller, strlen (caller) + 1);
    troupe_ask (turn, "thing/deaf", "silent", "consulted", 5000, NULL);
    return TROUPE_OK;
}

static troupe_status_t
alarm_in (troupe_turn_t *turn)
{
    int ms, every, missed = TROUPE_TICK_ONCE;
    troupe_status_t status = troupe_unpack (turn, "{s:i, s:i, s?:i}", "ms", &ms, "every", &every, "missed", &missed);
    if (status != TROUPE_OK)
        return status;
    if (every)
        return troupe_timer_every (turn, "alarm", "count", (uint64_t) every, (troupe_tick_t) missed, NULL);
    return troupe_timer_at (turn, "alarm", "count", troupe_now (turn) + (uint64_t) ms, "{s:i}", "by", 10);
}

/*  What it does is too far ahead, but for case 0. */
static troupe_status_t
aim (troupe_turn_t *turn)
{
    int which;
    troupe_status_t status = troupe_unpack (turn, "{s:i}", "which", &which);
    if (status != TROUPE_OK)
        return status;
    switch (which) {
    case 0:
        return troupe_timer_at (turn, "alarm", "count", TROUPE_TIME_MAX, NULL);
    case 1:
        return troupe_timer_at (turn, "alarm", "count", TROUPE_TIME_MAX + 1, NULL);
    case 2:
        return troupe_timer_at (turn, "alarm", "count", UINT64_MAX, NULL);
    case 3:
        return troupe_timer_every (turn, "alarm", "count", UINT64_MAX, TROUPE_TICK_EACH, NULL);
    case 4:
        return troupe_timer_every (turn, "alarm", "count", UINT64_MAX - troupe_now (turn) + 1, TROUPE_TICK_ONCE, NULL);
    default:
        troupe_ask (turn, "thing/deaf", "silent", "consulted", UINT64_MAX - troupe_now (turn) + 1, NULL);
        return TROUPE_OK;
    }
}

static troupe_status_t
say (troupe_turn_t *turn)
{
    const char *text;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "text", &text);
    if (status != TROUPE_OK)
        return status;
    return troupe_publish (turn, "news", "{s:s}", "text", text);
}

static bool
add_key (void *arg, const char *key, const void *value, size_t size)
{
    (void) value;
    (void) size;
    strcat (arg, key);
    strcat (arg, " ");
    return true;
}

static troupe_status_t
keys (troupe_turn_t *turn)
{
    char all[4096] = "";
    troupe_each (turn, "k", add_key, all);
    return troupe_reply (turn, "{s:s}", "keys", all);
}

static troupe_status_t
put (troupe_turn_t *turn)
{
    const char *key, *value;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:s}", "key", &key, "value", &value);
    if (status != TROUPE_OK)
        return status;
    return *value ? troupe_append (turn, key, value, strlen (value)) : troupe_erase (turn, key);
}

static const troupe_verb_t verbs[] = {
    { "count", count, .doc = "Count." },
    { "total", total, .reads = true },
    { "no", no },
    { "fail", falter },
    { "forward", forward },
    { "poison", poison },
    { "consult", consult },
    { "consulted", consulted },
    { "silent", silent },
    { "mute", mute },
    { "alarm", alarm_in },
    { "aim", aim },
    { "say", say },
    { "keys", keys, .reads = true },
    { "put", put },
    { NULL }
};
static const troupe_channel_t channels[] = { { "news", .keep = 3 }, { NULL } };
static const troupe_kind_t thing = { "thing", .version = 1, .verbs = verbs, .channels = channels };
static const troupe_kind_t *const kinds[] = { &thing, NULL };

/* ---- fixtures ---- */

static hand_t hand;

static int
setup (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    hand_start (&hand, kinds);
    return 0;
}

static int
setup_tiny (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    hand.limits.mailbox_messages = 2;
    hand.limits.link_window_bytes = 100;
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

static json_int_t
total_of (const char *address)
{
    hand_answer_t answer;
    json_int_t value = -1;
    hand_call (&hand, &answer, address, "total", NULL);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_true (hand_read (&answer, "{s:I}", "total", &value));
    return value;
}

/* ---- tests ---- */

static void
shard_command_waits_until_durable (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "thing/1", "count", NULL);
    assert_int_equal (answer.status, TROUPE_STATUSES);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_int_equal (total_of ("thing/1"), 1);
}

static void
shard_read_of_undurable_state_waits (void **state)
{
    (void) state;
    hand_answer_t command, read;
    hand_call (&hand, &command, "thing/1", "count", NULL);
    hand_call (&hand, &read, "thing/1", "total", NULL);
    assert_int_equal (read.status, TROUPE_STATUSES);
    hand_commit (&hand);
    assert_int_equal (read.status, TROUPE_OK);
    hand_call (&hand, &read, "thing/1", "total", NULL);
    assert_int_equal (read.status, TROUPE_OK);
}

static void
shard_crash_keeps_what_was_durable (void **state)
{
    (void) state;
    hand_answer_t answer, lost;
    hand_call (&hand, &answer, "thing/1", "count", "{s:i}", "by", 3);
    hand_commit (&hand);
    hand_call (&hand, &lost, "thing/1", "count", "{s:i}", "by", 4);
    hand_crash (&hand);
    assert_int_equal (lost.status, TROUPE_UNKNOWN);
    assert_int_equal (total_of ("thing/1"), 3);
    hand_fold (&hand);
    hand_crash (&hand);
    assert_int_equal (total_of ("thing/1"), 3);
}

static void
shard_refused_turn_leaves_nothing (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "thing/1", "no", NULL);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_REFUSED);
    assert_string_equal (answer.text, "no, never");
    assert_int_equal (total_of ("thing/1"), 0);
    assert_int_equal (total_of ("thing/other"), 0);
}

static void
shard_failing_turn_is_tried_again (void **state)
{
    (void) state;
    hand_answer_t answer;
    int attempt = 0;
    fails_left = 2;
    hand_call (&hand, &answer, "thing/1", "fail", NULL);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_STATUSES);
    hand_advance (&hand, 60);
    hand_advance (&hand, 200);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_true (hand_read (&answer, "{s:i}", "attempt", &attempt));
    assert_int_equal (attempt, 3);
}

static void
shard_hopeless_message_becomes_dead_letter (void **state)
{
    (void) state;
    hand_answer_t answer, next;
    fails_left = 1000;
    hand_call (&hand, &answer, "thing/1", "fail", NULL);
    hand_call (&hand, &next, "thing/1", "count", NULL);
    for (int i = 0; i < 10; i++)
        hand_advance (&hand, 4000);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_FAILED);
    assert_int_equal (next.status, TROUPE_OK);
    assert_int_equal (total_of ("thing/1"), 1);
    shard_t *shard = hand_shard_of (&hand, "thing/1");
    assert_int_equal (counter_get (&shard_metrics (shard)->dead_letters), 1);
    fails_left = 0;
    assert_int_equal (shard_dead_retry (shard, 1, NULL), TROUPE_OK);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 99);
    assert_int_equal (shard_dead_retry (shard, 1, NULL), TROUPE_NOT_FOUND);
}

static void
shard_poisoned_turn_leaves_nothing (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "thing/1", "poison", NULL);
    for (int i = 0; i < 10; i++)
        hand_advance (&hand, 4000);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_FAILED);
    assert_non_null (strstr (answer.text, "nowhere"));
    assert_int_equal (total_of ("thing/1"), 0);
}

static void
shard_tell_reaches_every_shard_once (void **state)
{
    (void) state;
    hand_answer_t answer;
    char to[32];
    for (int i = 0; i < 32; i++) {
        snprintf (to, sizeof to, "thing/%d", i);
        hand_call (&hand, &answer, "thing/sender", "forward", "{s:s, s:i}", "to", to, "times", 3);
    }
    hand_commit (&hand);
    for (int i = 0; i < 32; i++) {
        snprintf (to, sizeof to, "thing/%d", i);
        assert_int_equal (total_of (to), 3);
    }
}

static void
shard_message_across_a_crash_arrives_once (void **state)
{
    (void) state;
    hand_answer_t answer;
    char to[32];
    for (int i = 0; i < 16; i++) {
        snprintf (to, sizeof to, "thing/%d", i);
        hand_call (&hand, &answer, "thing/sender", "forward", "{s:s, s:i}", "to", to, "times", 5);
    }
    while (hand.durable_count < hand.frame_count) {
        hand_frame_t *kept = &hand.frames[hand.durable_count++];
        shard_durable (hand.shards[kept->shard], kept->number);
        hand_run (&hand);
        if (hand.durable_count % 3 == 0)
            hand_crash (&hand);
    }
    hand_crash (&hand);
    hand_commit (&hand);
    for (int i = 0; i < 16; i++) {
        snprintf (to, sizeof to, "thing/%d", i);
        json_int_t got = total_of (to);
        assert_true (got == 5 || got == 0);
    }
}

static int
setup_narrow (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    hand.limits.link_window_bytes = 1;
    hand_start (&hand, kinds);
    return 0;
}

static void
step (shard_t *shard)
{
    while (shard_step (shard, hand.now_ms, NULL))
        continue;
}

static void
cut (shard_t *shard, const shard_t *peer)
{
    link_note_t *note = memory_alloc (sizeof *note);
    CHECK (note);
    *note = (link_note_t) { .letter.type = LETTER_CUT, .from = shard_number (peer) };
    shard_post (shard, &note->letter);
}

/*  Two frames carried a message each. Asked anew before these are durable with the taker, the sender sends on from the
 *  first, and the window lets no more than that go before both are acknowledged. */
static void
shard_acknowledgement_from_before_the_road_broke_counts (void **state)
{
    (void) state;
    hand_answer_t answer;
    shard_t *sender = hand_shard_of (&hand, "thing/sender"), *taker = hand_shard_of (&hand, "thing/taker");
    assert_ptr_not_equal (sender, taker);
    for (int i = 0; i < 2; i++)
        hand_call (&hand, &answer, "thing/sender", "forward", "{s:s}", "to", "thing/taker");
    assert_int_equal (hand.frame_count, 2);
    hand_sync (&hand);
    step (sender);
    step (taker);
    cut (sender, taker);
    step (sender);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/taker"), 2);
    hand_call (&hand, &answer, "thing/sender", "forward", "{s:s}", "to", "thing/taker");
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/taker"), 3);
}

static void
shard_spilled_mail_comes_in_order_and_once (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "thing/1", "forward", "{s:s, s:i}", "to", "thing/1", "times", 100);
    hand_call (&hand, &answer, "thing/1", "forward", "{s:s, s:i}", "to", "thing/2", "times", 100);
    hand_commit (&hand);
    hand_crash (&hand);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 100);
    assert_int_equal (total_of ("thing/2"), 100);
}

static void
shard_session_call_runs_once (void **state)
{
    (void) state;
    hand_answer_t first, twin, late;
    json_int_t value = 0;
    hand_session_call (&hand, &first, 9, 1, "thing/1", "count", NULL);
    hand_session_call (&hand, &twin, 9, 1, "thing/1", "count", NULL);
    assert_int_equal (twin.status, TROUPE_STATUSES);
    hand_commit (&hand);
    assert_int_equal (first.status, TROUPE_OK);
    assert_int_equal (twin.status, TROUPE_OK);
    hand_crash (&hand);
    hand_session_call (&hand, &late, 9, 1, "thing/1", "count", NULL);
    hand_commit (&hand);
    assert_int_equal (late.status, TROUPE_OK);
    assert_true (hand_read (&late, "{s:I}", "total", &value));
    assert_int_equal (value, 1);
    hand_advance (&hand, 70000);
    hand_session_call (&hand, &late, 9, 1, "thing/1", "count", NULL);
    assert_int_equal (late.status, TROUPE_UNKNOWN);
    assert_int_equal (total_of ("thing/1"), 1);
}

static void
shard_ask_is_answered_across_shards (void **state)
{
    (void) state;
    for (int i = 0; i < 16; i++) {
        hand_answer_t answer;
        json_int_t value = 0;
        int outcome = -1;
        char to[32];
        snprintf (to, sizeof to, "thing/%d", i);
        hand_call (&hand, &answer, "thing/asker", "consult", "{s:s}", "to", to);
        hand_commit (&hand);
        assert_int_equal (answer.status, TROUPE_OK);
        assert_true (hand_read (&answer, "{s:I, s:i}", "total", &value, "outcome", &outcome));
        assert_int_equal (value, 5);
        assert_int_equal (outcome, TROUPE_OK);
    }
}

static void
shard_ask_without_answer_times_out_once (void **state)
{
    (void) state;
    hand_answer_t answer;
    int outcome = -1;
    hand_session_call (&hand, &answer, 4, 1, "thing/asker", "mute", NULL);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_STATUSES);
    hand_crash (&hand);
    hand_session_call (&hand, &answer, 4, 1, "thing/asker", "mute", NULL);
    hand_advance (&hand, 6000);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_true (hand_read (&answer, "{s:i}", "outcome", &outcome));
    assert_int_equal (outcome, TROUPE_TIMEOUT);
}

static void
shard_timer_fires_once_over_a_crash (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "thing/1", "alarm", "{s:i, s:i}", "ms", 1000, "every", 0);
    hand_commit (&hand);
    hand_advance (&hand, 500);
    assert_int_equal (total_of ("thing/1"), 0);
    hand_crash (&hand);
    hand_advance (&hand, 600);
    hand_crash (&hand);
    hand_advance (&hand, 1);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 10);
    hand_crash (&hand);
    hand_advance (&hand, 10000);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 10);
}

static void
shard_repeating_timer_counts_missed_ticks_once (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "thing/1", "alarm", "{s:i, s:i}", "ms", 0, "every", 100);
    hand_commit (&hand);
    for (int i = 0; i < 3; i++)
        hand_advance (&hand, 100);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 3);
    hand_advance (&hand, 1050);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 4);
}

static void
shard_repeating_timer_makes_up_for_each_missed_tick (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "thing/1", "alarm", "{s:i, s:i, s:i}", "ms", 0, "every", 100, "missed",
               (int) TROUPE_TICK_EACH);
    hand_commit (&hand);
    hand_advance (&hand, 1050);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 10);
    hand_crash (&hand);
    hand_advance (&hand, 300);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 13);
}

static void
shard_time_too_far_ahead_is_refused (void **state)
{
    (void) state;
    hand_answer_t answer;
    for (int which = 0; which <= 5; which++) {
        hand_call (&hand, &answer, "thing/1", "aim", "{s:i}", "which", which);
        for (int i = 0; i < 20 && answer.status == TROUPE_STATUSES; i++) {
            hand_advance (&hand, 500);
            hand_commit (&hand);
        }
        assert_int_equal (answer.status, which == 0 ? TROUPE_OK : which < 5 ? TROUPE_INVALID : TROUPE_FAILED);
        assert_true (!which || strstr (answer.text, "too far ahead"));
    }
    hand_crash (&hand);
    hand_advance (&hand, 1000000);
    hand_commit (&hand);
    assert_int_equal (total_of ("thing/1"), 0);
}

static void
shard_feed_keeps_its_newest_events (void **state)
{
    (void) state;
    hand_answer_t answer;
    for (int i = 0; i < 5; i++)
        hand_call (&hand, &answer, "thing/1", "say", "{s:s}", "text", "hello");
    hand_commit (&hand);
    hand_crash (&hand);
    hand_call (&hand, &answer, "thing/1", "say", "{s:s}", "text", "again");
    hand_commit (&hand);
    hand_fold (&hand);
    buffer_t packed = { 0 };
    json_int_t head = 0, first = 0;
    troupe_error_t error;
    shard_t *shard = hand_shard_of (&hand, "thing/1");
    assert_int_equal (shard_read_feed (shard, "thing/1", "news", 1, 100, &packed, &error), TROUPE_OK);
    memcpy (answer.body, packed.data, packed.size);
    answer.size = packed.size;
    assert_true (hand_read (&answer, "{s:I, s:I}", "head", &head, "first", &first));
    assert_int_equal (head, 6);
    assert_int_equal (first, 4);
    buffer_clear (&packed);
}

static void
shard_walk_sees_stored_cached_and_erased (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "thing/1", "put", "{s:s, s:s}", "key", "k3", "value", "x");
    hand_call (&hand, &answer, "thing/1", "put", "{s:s, s:s}", "key", "k1", "value", "x");
    hand_commit (&hand);
    hand_fold (&hand);
    hand_call (&hand, &answer, "thing/1", "put", "{s:s, s:s}", "key", "k2", "value", "x");
    hand_commit (&hand);
    hand_crash (&hand);
    hand_call (&hand, &answer, "thing/1", "put", "{s:s, s:s}", "key", "k3", "value", "");
    hand_call (&hand, &answer, "thing/1", "put", "{s:s, s:s}", "key", "k4", "value", "x");
    hand_call (&hand, &answer, "thing/1", "put", "{s:s, s:s}", "key", "other", "value", "x");
    hand_call (&hand, &answer, "thing/1", "keys", NULL);
    hand_commit (&hand);
    assert_true (answer.size > 10 && memcmp (answer.body + answer.size - 9, "k1 k2 k4 ", 9) == 0);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (shard_command_waits_until_durable),
        TEST (shard_read_of_undurable_state_waits),
        TEST (shard_crash_keeps_what_was_durable),
        TEST (shard_refused_turn_leaves_nothing),
        TEST (shard_failing_turn_is_tried_again),
        TEST (shard_hopeless_message_becomes_dead_letter),
        TEST (shard_poisoned_turn_leaves_nothing),
        TEST (shard_tell_reaches_every_shard_once),
        TEST (shard_message_across_a_crash_arrives_once),
        cmocka_unit_test_setup_teardown (shard_acknowledgement_from_before_the_road_broke_counts, setup_narrow,
                                         teardown),
        cmocka_unit_test_setup_teardown (shard_spilled_mail_comes_in_order_and_once, setup_tiny, teardown),
        TEST (shard_session_call_runs_once),
        TEST (shard_ask_is_answered_across_shards),
        TEST (shard_ask_without_answer_times_out_once),
        TEST (shard_timer_fires_once_over_a_crash),
        TEST (shard_repeating_timer_counts_missed_ticks_once),
        TEST (shard_repeating_timer_makes_up_for_each_missed_tick),
        TEST (shard_time_too_far_ahead_is_refused),
        TEST (shard_feed_keeps_its_newest_events),
        TEST (shard_walk_sees_stored_cached_and_erased),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
