/*  test_release.c - what leaves a shard, and when: behind which frame, and while other threads raise the watermarks. */

#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static troupe_status_t
add (troupe_turn_t *turn)
{
    uint64_t total = 0;
    troupe_load (turn, "total", &total, sizeof total);
    total += 1;
    troupe_store (turn, "total", &total, sizeof total);
    return troupe_reply (turn, "{s:I}", "total", (json_int_t) total);
}

static const troupe_verb_t verbs[] = { { "add", add }, { NULL } };
static const troupe_kind_t sum = { "sum", .version = 1, .verbs = verbs };
static const troupe_kind_t *const kinds[] = { &sum, NULL };

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
teardown (void **state)
{
    (void) state;
    hand_stop (&hand);
    return 0;
}

static void
fold_all (void *arg, const troupe_answer_t *answer)
{
    assert_int_equal (answer->status, TROUPE_OK);
    hand_sync (arg);
    hand_fold_aside (arg);
}

/*  The shard releases frame 1 while frame 2 becomes durable and both are folded. */
static void
release_overtaken_by_a_fold_keeps_what_is_not_released (void **state)
{
    (void) state;
    hand_answer_t second;
    troupe_call_t asked = { .to = "sum/1", .verb = "add", .done = fold_all, .arg = &hand };
    shard_t *shard = hand_shard_of (&hand, "sum/1");
    shard_post (shard, &call_new (&asked, 1)->letter);
    hand_run (&hand);
    hand_call (&hand, &second, "sum/1", "add", NULL);
    assert_int_equal (hand.frame_count, 2);
    shard_durable (shard, 1);
    hand_run (&hand);
    assert_int_equal (second.status, TROUPE_OK);
    hand_commit (&hand);
    assert_int_equal (hand.frame_count, 0);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (release_overtaken_by_a_fold_keeps_what_is_not_released),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
