/*  test_map.c - what a walk and a read see: the open frame, frames that are not folded, the tree. */

#include "runtime/base/memory.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a kind that writes, erases and lists numbered keys ---- */

static troupe_status_t
mark (troupe_turn_t *turn)
{
    int from, step, to;
    const char *value;
    troupe_status_t status =
        troupe_unpack (turn, "{s:i, s:i, s:i, s:s}", "from", &from, "step", &step, "to", &to, "value", &value);
    if (status != TROUPE_OK)
        return status;
    for (int i = from; i < to; i += step) {
        char key[16];
        snprintf (key, sizeof key, "k%03d", i);
        if (*value)
            troupe_store (turn, key, value, strlen (value));
        else
            troupe_erase (turn, key);
    }
    return TROUPE_OK;
}

typedef struct {
    char text[4000];
    size_t at;
    int most;
} listed_t;

static bool
list_one (void *arg, const char *key, const void *value, size_t size)
{
    listed_t *listed = arg;
    listed->at += (size_t) snprintf (listed->text + listed->at, sizeof listed->text - listed->at, "%s=%.*s ", key,
                                     (int) size, (const char *) value);
    return --listed->most > 0;
}

static troupe_status_t
list (troupe_turn_t *turn)
{
    listed_t listed = { .most = 1000 };
    const char *prefix = "";
    troupe_status_t status = troupe_unpack (turn, "{s?:s, s?:i}", "prefix", &prefix, "most", &listed.most);
    if (status != TROUPE_OK)
        return status;
    status = troupe_each (turn, prefix, list_one, &listed);
    return status == TROUPE_OK ? troupe_reply (turn, "{s:s}", "keys", listed.text) : status;
}

static troupe_status_t
clear (troupe_turn_t *turn)
{
    return troupe_erase_all (turn);
}

static const troupe_verb_t verbs[] = {
    { "mark", mark }, { "list", list, .reads = true }, { "clear", clear }, { NULL }
};
static const troupe_kind_t shelf = { "shelf", .version = 1, .verbs = verbs };
static const troupe_kind_t *const kinds[] = { &shelf, NULL };

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
teardown (void **state)
{
    (void) state;
    memory_fail_after (0);
    hand_stop (&hand);
    return 0;
}

static void
mark_keys (int from, int step, int to, const char *value)
{
    hand_answer_t answer;
    hand_call (&hand, &answer, "shelf/1", "mark", "{s:i, s:i, s:i, s:s}", "from", from, "step", step, "to", to, "value",
               value);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
}

static void
assert_listed (const char *prefix, int most, const char *expected)
{
    hand_answer_t answer;
    hand_call (&hand, &answer, "shelf/1", "list", "{s:s, s:i}", "prefix", prefix, "most", most);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    size_t size = strlen (expected);
    assert_true (answer.size >= size && memcmp (answer.body + answer.size - size, expected, size) == 0);
}

/* ---- tests ---- */

/*  None of it is in the actor's memory: it slept. */
static void
walk_merges_tree_and_frames_in_order (void **state)
{
    (void) state;
    mark_keys (0, 2, 8, "a");
    hand_fold (&hand);
    mark_keys (1, 2, 9, "b");
    mark_keys (2, 4, 8, "");
    mark_keys (4, 1, 5, "c");
    hand_crash (&hand);
    assert_listed ("", 100, "k000=a k001=b k003=b k004=c k005=b k007=b ");
    assert_listed ("k00", 100, "k000=a k001=b k003=b k004=c k005=b k007=b ");
    assert_listed ("k004", 100, "k004=c ");
    assert_listed ("l", 100, "");
}

static void
walk_sees_what_is_not_folded_before_and_behind_the_tree (void **state)
{
    (void) state;
    mark_keys (5, 1, 7, "t");
    hand_fold (&hand);
    mark_keys (1, 1, 3, "f");
    mark_keys (8, 1, 10, "f");
    hand_crash (&hand);
    assert_listed ("", 100, "k001=f k002=f k005=t k006=t k008=f k009=f ");
}

static void
walk_ends_when_told (void **state)
{
    (void) state;
    mark_keys (0, 2, 8, "a");
    hand_fold (&hand);
    mark_keys (1, 2, 9, "b");
    hand_crash (&hand);
    assert_listed ("", 1, "k000=a ");
    assert_listed ("", 2, "k000=a k001=b ");
    assert_listed ("", 3, "k000=a k001=b k002=a ");
}

static void
walk_erases_all_and_nothing_of_a_neighbour (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&hand, &answer, "shelf/12", "mark", "{s:i, s:i, s:i, s:s}", "from", 0, "step", 1, "to", 1, "value", "n");
    mark_keys (0, 1, 3, "a");
    hand_fold (&hand);
    mark_keys (3, 1, 5, "b");
    hand_call (&hand, &answer, "shelf/1", "clear", NULL);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_listed ("", 100, "");
    hand_crash (&hand);
    assert_listed ("", 100, "");
    hand_call (&hand, &answer, "shelf/12", "list", NULL);
    hand_commit (&hand);
    assert_int_equal (memcmp (answer.body + answer.size - 7, "k000=n ", 7), 0);
}

/*  Each allocation of the walk may fail: then the turn does, and is tried again. */
static void
walk_without_memory_fails_its_turn_or_the_shard (void **state)
{
    (void) state;
    mark_keys (0, 1, 4, "a");
    hand_fold (&hand);
    mark_keys (4, 1, 40, "b");
    hand_answer_t answer;
    for (uint64_t nth = 1; nth < 40; nth++) {
        const char *text;
        hand_crash (&hand);
        shard_t *shard = hand_shard_of (&hand, "shelf/1");
        hand_post (&hand, &answer, "shelf/1", "list", NULL);
        memory_fail_after (nth);
        while (shard_step (shard, hand.now_ms, NULL))
            ;
        memory_fail_after (0);
        if (shard_failure (shard, &text) != TROUPE_OK)
            assert_int_equal (shard_failure (shard, &text), TROUPE_NO_MEMORY);
        else if (answer.status == TROUPE_STATUSES)
            hand_advance (&hand, 20000);
        if (shard_failure (shard, &text) == TROUPE_OK)
            assert_true (answer.status == TROUPE_OK || answer.status == TROUPE_OVERLOADED);
    }
    hand_crash (&hand);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (walk_merges_tree_and_frames_in_order),
        TEST (walk_sees_what_is_not_folded_before_and_behind_the_tree),
        TEST (walk_ends_when_told),
        TEST (walk_erases_all_and_nothing_of_a_neighbour),
        TEST (walk_without_memory_fails_its_turn_or_the_shard),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
