/*  test_link.c - the road between two shards, when it breaks at a bad moment. */

#include "runtime/base/memory.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int arrived;

static troupe_status_t
tell (troupe_turn_t *turn)
{
    const char *to;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "to", &to);
    return status == TROUPE_OK ? troupe_tell (turn, to, "hear", NULL) : status;
}

static troupe_status_t
hear (troupe_turn_t *turn)
{
    (void) turn;
    arrived += 1;
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = { { "tell", tell }, { "hear", hear }, { NULL } };
static const troupe_kind_t post = { "post", .version = 1, .verbs = verbs };
static const troupe_kind_t *const kinds[] = { &post, NULL };

static hand_t hand;

static int
setup (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    arrived = 0;
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

/*  An actor of another shard than post/0. */
static shard_t *
far_one (char address[16])
{
    shard_t *shard = hand_shard_of (&hand, "post/0");
    for (int i = 1; shard == hand_shard_of (&hand, "post/0"); i++) {
        snprintf (address, 16, "post/%d", i);
        shard = hand_shard_of (&hand, address);
    }
    return shard;
}

static void
step (shard_t *shard)
{
    while (shard_step (shard, hand.now_ms, NULL))
        ;
}

static void
break_road (shard_t *at, const shard_t *other)
{
    link_note_t *note = memory_zalloc (sizeof *note);
    note->letter.type = LETTER_CUT;
    note->from = shard_number (other);
    shard_post (at, &note->letter);
}

/*  The message was taken, but not durably yet, when the road broke; and there was no memory to send it once more.
 *  So it is acknowledged although it was not sent since. */
static void
link_acknowledged_without_being_sent_again_goes_on (void **state)
{
    (void) state;
    char to[16];
    shard_t *near = hand_shard_of (&hand, "post/0"), *far = far_one (to);
    hand_call (&hand, NULL, "post/0", "tell", "{s:s}", "to", to);
    hand_sync (&hand);
    hand_run (&hand);
    hand_advance (&hand, 10);
    assert_int_equal (arrived, 1);
    break_road (near, far);
    step (near);
    step (far);
    memory_fail_after (1);
    step (near);
    memory_fail_after (0);
    hand_commit (&hand);
    hand_call (&hand, NULL, "post/0", "tell", "{s:s}", "to", to);
    hand_commit (&hand);
    assert_int_equal (arrived, 2);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (link_acknowledged_without_being_sent_again_goes_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
