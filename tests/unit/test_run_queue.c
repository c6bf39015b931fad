/*  test_run_queue.c - which actor of a shard has its turn next. */

#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TURNS_MOST 4096

static char order[TURNS_MOST + 1];  /* last letters of the actors that ran */
static size_t turns;

static void
note (const troupe_turn_t *turn)
{
    const char *id = troupe_id (turn);
    assert_true (turns < TURNS_MOST);
    order[turns++] = id[strlen (id) - 1];
    order[turns] = '\0';
}

/*  Tells the sink, and itself to go on. */
static troupe_status_t
talk (troupe_turn_t *turn)
{
    int left;
    troupe_status_t status = troupe_unpack (turn, "{s:i}", "left", &left);
    note (turn);
    if (status == TROUPE_OK && left > 1)
        status = troupe_tell (turn, troupe_self (turn), "talk", "{s:i}", "left", left - 1);
    return status == TROUPE_OK ? troupe_tell (turn, "one/{0}s", "hear", NULL) : status;
}

static troupe_status_t
hear (troupe_turn_t *turn)
{
    note (turn);
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = { { "talk", talk }, { "hear", hear }, { NULL } };
static const troupe_kind_t one = { "one", .version = 1, .verbs = verbs };
static const troupe_kind_t *const kinds[] = { &one, NULL };

static hand_t hand;

static int
setup (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    turns = 0;
    hand.commits = true;
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
run_queue_who_was_just_told_is_next (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "one/{0}a", "talk", "{s:i}", "left", 3);
    assert_string_equal (order, "asasas");
}

/*  Or the sink's mail would pile up behind two that go on by themselves. */
static void
run_queue_who_told_itself_lets_others_go_first (void **state)
{
    (void) state;
    hand_answer_t answers[2];
    hand_post (&hand, &answers[0], "one/{0}a", "talk", "{s:i}", "left", 3);
    hand_post (&hand, &answers[1], "one/{0}b", "talk", "{s:i}", "left", 3);
    hand_run (&hand);
    assert_string_equal (order, "bsasbsasbsas");
}

/*  Newest first only within a burst. */
static void
run_queue_oldest_has_its_turn (void **state)
{
    (void) state;
    hand_answer_t answers[2];
    hand_post (&hand, &answers[0], "one/{0}o", "hear", NULL);
    hand_post (&hand, &answers[1], "one/{0}a", "talk", "{s:i}", "left", 1000);
    hand_run (&hand);
    assert_int_equal (turns, 2001);
    assert_true (strchr (order, 'o') - order < 600);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (run_queue_who_was_just_told_is_next),
        TEST (run_queue_who_told_itself_lets_others_go_first),
        TEST (run_queue_oldest_has_its_turn),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
