/*  test_no_memory.c - memory runs out at any allocation of any step: what was accepted happens once all the same. */

#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEPS 40          /* of a run, in which memory may run out */
#define ALLOCATIONS 14    /* of a step */
#define MESSAGES 3
#define RETRIES 20
#define STUCK_STEPS 16    /* the journal takes no frame */

static void
add_one (troupe_turn_t *turn, const char *key)
{
    uint64_t number = 0;
    troupe_load (turn, key, &number, sizeof number);
    number += 1;
    troupe_store (turn, key, &number, sizeof number);
}

static troupe_status_t
take (troupe_turn_t *turn)
{
    add_one (turn, "taken");
    return TROUPE_OK;
}

static troupe_status_t
begin (troupe_turn_t *turn)
{
    const char *to;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "to", &to);
    return status == TROUPE_OK ? troupe_tell (turn, troupe_self (turn), "send", "{s:s}", "to", to) : status;
}

/*  The large one makes room in the open frame, so that it is something else that finds no memory next. */
static troupe_status_t
send (troupe_turn_t *turn)
{
    static const uint8_t large[600];
    const char *to;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "to", &to);
    troupe_tell (turn, "post/f", "take", "{s:r#}", "bytes", large, sizeof large);
    for (int i = 0; status == TROUPE_OK && i < MESSAGES; i++) {
        add_one (turn, "sent");
        troupe_tell (turn, to, "take", NULL);
    }
    return status;
}

static troupe_status_t
show (troupe_turn_t *turn)
{
    uint64_t sent = 0, taken = 0;
    troupe_load (turn, "sent", &sent, sizeof sent);
    troupe_load (turn, "taken", &taken, sizeof taken);
    return troupe_reply (turn, "{s:I, s:I}", "sent", (json_int_t) sent, "taken", (json_int_t) taken);
}

static bool finds_memory;

/*  Says what it finds, whatever failed before. */
static troupe_status_t
doubt (troupe_turn_t *turn)
{
    uint64_t taken = 0;
    troupe_tell (turn, "nobody/1", "take", NULL);
    memory_fail_after (!finds_memory);
    troupe_status_t status = troupe_load (turn, "taken", &taken, sizeof taken);
    memory_fail_after (0);
    finds_memory = true;
    return status == TROUPE_NOT_FOUND ? troupe_refuse (turn, "nothing was taken")
                                      : troupe_refuse (turn, "it took %d", (int) taken);
}

static const troupe_verb_t verbs[] = {
    { "begin", begin }, { "send", send }, { "take", take }, { "show", show, .reads = true }, { "doubt", doubt },
    { NULL }
};
/*  With a cache, which may find no memory either when an actor wakes. */
static const troupe_kind_t post = { "post", .version = 1, .verbs = verbs, .cache_size = 64 };
static const troupe_kind_t *const kinds[] = { &post, NULL };
static const troupe_kind_t newer_post = { "post", .version = 2, .verbs = verbs, .cache_size = 64 };
static const troupe_kind_t *const newer_kinds[] = { &newer_post, NULL };

static hand_t hand;

/*  One step of each shard, memory running out in one of them; then all that was sealed is durable. */
static bool
step_all (int *step, int fails_at, int allocation)
{
    bool is_well = true;
    for (int i = 0; i < HAND_SHARDS; i++) {
        const char *text;
        if ((*step)++ == fails_at) {
            shard_starve (hand.shards[i]);
            memory_fail_after ((uint64_t) allocation);
        }
        shard_step (hand.shards[i], hand.now_ms, NULL);
        memory_fail_after (0);
        is_well = is_well && shard_failure (hand.shards[i], &text) == TROUPE_OK;
    }
    if (!hand.is_stuck)
        hand_sync (&hand);
    hand.now_ms += 3;
    return is_well;
}

static void
unstick (void)
{
    hand.is_stuck = false;
    hand_take (&hand);
}

static int64_t
number_of (const char *address, const char *name)
{
    hand_answer_t answer;
    json_int_t sent = -1, taken = -1;
    hand_call (&hand, &answer, address, "show", NULL);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_true (hand_read (&answer, "{s:I, s:I}", "sent", &sent, "taken", &taken));
    return strcmp (name, "sent") == 0 ? sent : taken;
}

static void
post_begin (hand_answer_t *answer, const char *to)
{
    buffer_t body = { 0 };
    packed_put_object (&body, 1);
    packed_put_string (&body, "to", 2);
    packed_put_string (&body, to, strlen (to));
    hand_submit (&hand, answer,
                 &(troupe_call_t) { .to = "post/a", .verb = "begin", .session = { 1 }, .seq = 1,
                                    .not_after_ms = 1000000 + 60000, .body = body.data, .size = body.size });
    buffer_clear (&body);
}

static void
run_once (const char *to, uint32_t window, int fails_at, int allocation)
{
    hand_answer_t first, again;
    int step = 0;
    memset (&hand, 0, sizeof hand);
    hand.limits = (shard_limits_t) { .link_window_bytes = window, .mailbox_messages = 2, .retry_first_ms = 1,
                                     .slice_turns = 1 };
    hand_start (&hand, kinds);
    assert_ptr_not_equal (hand_shard_of (&hand, "post/a"), hand_shard_of (&hand, "post/f"));
    assert_ptr_not_equal (hand_shard_of (&hand, "post/b"), hand_shard_of (&hand, "post/f"));
    hand.is_stuck = true;
    hand_call (&hand, NULL, "post/a", "take", NULL);
    post_begin (&first, to);
    while (step < STEPS) {
        if (!step_all (&step, fails_at, allocation))
            hand_crash (&hand);
        if (step == STUCK_STEPS)
            unstick ();
    }
    for (int i = 0; i < RETRIES && (i == 0 || again.status != TROUPE_OK); i++) {
        post_begin (&again, to);
        hand_commit (&hand);
        hand_advance (&hand, 10);
    }
    hand_commit (&hand);
    assert_int_equal (again.status, TROUPE_OK);
    assert_int_equal (number_of ("post/a", "sent"), MESSAGES);
    assert_int_equal (number_of (to, "taken"), MESSAGES);
    assert_int_equal (number_of ("post/f", "taken"), 1);
    hand_stop (&hand);
}

static void
run_all (const char *to, uint32_t window)
{
    for (int step = 0; step < STEPS; step++)
        for (int allocation = 1; allocation <= ALLOCATIONS; allocation++)
            run_once (to, window, step, allocation);
}

static void
messages_to_another_shard_arrive_once (void **state)
{
    (void) state;
    run_all ("post/b", 1u << 20);
}

static void
messages_beyond_the_window_of_a_link_arrive_once (void **state)
{
    (void) state;
    run_all ("post/b", 1);
}

static void
messages_within_a_shard_arrive_once (void **state)
{
    (void) state;
    run_all ("post/{a}2", 1);
}

/*  What cannot be handled is told to its caller, or the node stops and the caller asks again. */
static void
actor_that_must_be_parked_never_just_stays (void **state)
{
    (void) state;
    for (int allocation = 1; allocation <= ALLOCATIONS; allocation++) {
        hand_answer_t answer;
        int step = 0;
        memset (&hand, 0, sizeof hand);
        hand_start (&hand, newer_kinds);
        hand_call (&hand, NULL, "post/a", "take", NULL);
        hand_commit (&hand);
        hand_crash_into (&hand, kinds);
        hand.is_stuck = true;
        hand_call (&hand, NULL, "post/{a}2", "take", NULL);
        hand_post (&hand, &answer, "post/a", "take", NULL);
        bool is_well = step_all (&step, shard_number (hand_shard_of (&hand, "post/a")), allocation);
        unstick ();
        if (is_well)
            hand_commit (&hand);
        assert_true (!is_well || answer.status == TROUPE_PARKED || answer.status == TROUPE_OVERLOADED);
        hand_stop (&hand);
    }
}

/*  Its first failure told it nothing wrong; the second, of memory, did. */
static void
turn_that_failed_before_it_lacked_memory_may_not_refuse (void **state)
{
    (void) state;
    hand_answer_t answer;
    memset (&hand, 0, sizeof hand);
    finds_memory = false;
    hand_start (&hand, kinds);
    hand_call (&hand, NULL, "post/a", "take", NULL);
    hand_commit (&hand);
    hand_crash (&hand);  /* its state is not in memory */
    hand_call (&hand, &answer, "post/a", "doubt", NULL);
    assert_int_equal (answer.status, TROUPE_STATUSES);
    hand_advance (&hand, 1000);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_REFUSED);
    assert_string_equal (answer.text, "it took 1");
    hand_stop (&hand);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (messages_to_another_shard_arrive_once),
        cmocka_unit_test (messages_beyond_the_window_of_a_link_arrive_once),
        cmocka_unit_test (messages_within_a_shard_arrive_once),
        cmocka_unit_test (actor_that_must_be_parked_never_just_stays),
        cmocka_unit_test (turn_that_failed_before_it_lacked_memory_may_not_refuse),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
