/*  test_quota.c - byte quotas of actors and shards, and kinds that send without end. */

#include "runtime/body/packed.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KIB 1024u
#define HELD_MS 6000  /* until a timer that was held is looked at again */

/* ---- kinds ---- */

static bool is_breeding;   /* rabbits tell more than they hear */
static bool is_stuck;      /* tortoises fail */
static int ticks, bred, plodded;

static troupe_status_t
keep (troupe_turn_t *turn)
{
    static uint8_t bytes[1024 * KIB];
    const char *key;
    int size;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:i}", "key", &key, "size", &size);
    if (status != TROUPE_OK)
        return status;
    return size < 0 ? troupe_erase (turn, key) : troupe_store (turn, key, bytes, (size_t) size);
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    size_t size = 0;
    troupe_value (turn, "a", &size);
    return troupe_reply (turn, "{s:I}", "size", (json_int_t) size);
}

/*  From within: what a call from outside may not do. */
static troupe_status_t
forward (troupe_turn_t *turn)
{
    const char *to, *key;
    int size;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:s, s:i}", "to", &to, "key", &key, "size", &size);
    return status == TROUPE_OK ? troupe_tell (turn, to, "keep", "{s:s, s:i}", "key", key, "size", size) : status;
}

static troupe_status_t
wind (troupe_turn_t *turn)
{
    return troupe_timer_at (turn, "alarm", "tick", troupe_now (turn) + 1000, NULL);
}

static troupe_status_t
tick (troupe_turn_t *turn)
{
    (void) turn;
    ticks += 1;
    return TROUPE_OK;
}

static const troupe_verb_t box_verbs[] = {
    { "keep", keep }, { "look", look, .reads = true }, { "forward", forward }, { "wind", wind }, { "tick", tick },
    { NULL }
};
static const troupe_kind_t box = { "box", .version = 1, .verbs = box_verbs };

static troupe_status_t
breed (troupe_turn_t *turn)
{
    char child[32];
    bred += 1;
    for (int i = 0; is_breeding && i < 2; i++) {
        snprintf (child, sizeof child, "rabbit/%d", (bred * 2 + i) % 500);
        troupe_tell (turn, child, "breed", NULL);
    }
    return TROUPE_OK;
}

static const troupe_verb_t rabbit_verbs[] = { { "breed", breed }, { NULL } };
static const troupe_kind_t rabbit = { "rabbit", .version = 1, .verbs = rabbit_verbs };

static troupe_status_t
drive (troupe_turn_t *turn)
{
    int count;
    troupe_status_t status = troupe_unpack (turn, "{s:i}", "count", &count);
    for (int i = 0; status == TROUPE_OK && i < count; i++)
        status = troupe_tell (turn, "tortoise/{1}", "plod", NULL);
    return status;
}

static troupe_status_t
plod (troupe_turn_t *turn)
{
    if (is_stuck)
        return troupe_fail (turn, "stuck");
    plodded += 1;
    return TROUPE_OK;
}

static const troupe_verb_t hare_verbs[] = { { "drive", drive }, { NULL } };
static const troupe_kind_t hare = { "hare", .version = 1, .verbs = hare_verbs };
static const troupe_verb_t tortoise_verbs[] = { { "plod", plod }, { NULL } };
static const troupe_kind_t tortoise = { "tortoise", .version = 1, .verbs = tortoise_verbs };

/* ---- fixtures ---- */

static const troupe_kind_t *const kinds[] = { &box, &rabbit, &hare, &tortoise, NULL };
static hand_t hand;

static int
setup (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    is_breeding = is_stuck = false;
    ticks = bred = plodded = 0;
    hand.limits = (shard_limits_t) { .actor_bytes = 512 * KIB, .mail_bytes = 32 * KIB, .attempts = 200 };
    hand_start (&hand, kinds);
    hand.commits = true;
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    hand_stop (&hand);
    return 0;
}

static troupe_status_t
ask (const char *to, const char *verb)
{
    hand_answer_t answer;
    hand_call (&hand, &answer, to, verb, NULL);
    return answer.status;
}

static troupe_status_t
put (const char *to, const char *key, int size, const char *why)
{
    hand_answer_t answer;
    hand_call (&hand, &answer, to, "keep", "{s:s, s:i}", "key", key, "size", size);
    assert_true (!why || strstr (answer.text, why));
    return answer.status;
}

static void
put_from_within (const char *to, const char *key, int size)
{
    hand_answer_t answer;
    hand_call (&hand, &answer, "box/other", "forward", "{s:s, s:s, s:i}", "to", to, "key", key, "size", size);
    assert_int_equal (answer.status, TROUPE_OK);
}

static uint64_t
sum_of_mail (bool bytes)
{
    uint64_t sum = 0;
    for (uint16_t i = 0; i < HAND_SHARDS; i++) {
        const metrics_t *metrics = shard_metrics (hand.shards[i]);
        sum += counter_get (bytes ? &metrics->mail_bytes : &metrics->mail);
    }
    return sum;
}

static void
revive_all (const char *kind)
{
    troupe_error_t error;
    for (uint16_t i = 0; i < HAND_SHARDS; i++)
        assert_int_equal (shard_revive_kind (hand.shards[i], kind, &error), TROUPE_OK);
    hand_run (&hand);
}

/* ---- an actor ---- */

static void
quota_full_actor_refuses_commands_and_answers_reads (void **state)
{
    (void) state;
    assert_int_equal (put ("box/1", "a", 300 * KIB, NULL), TROUPE_OK);
    assert_int_equal (put ("box/1", "b", 300 * KIB, NULL), TROUPE_OK);
    assert_int_equal (put ("box/1", "a", 1, "actor_bytes"), TROUPE_OVERLOADED);
    assert_int_equal (ask ("box/1", "look"), TROUPE_OK);
    assert_int_equal (put ("box/2", "a", 1, NULL), TROUPE_OK);
    put_from_within ("box/1", "b", -1);  /* turns go on */
    assert_int_equal (put ("box/1", "a", 1, NULL), TROUPE_OK);
}

static void
quota_of_an_actor_is_known_after_a_crash (void **state)
{
    (void) state;
    assert_int_equal (put ("box/1", "a", 700 * KIB, NULL), TROUPE_OK);
    hand_fold (&hand);
    hand_crash (&hand);
    assert_int_equal (ask ("box/1", "look"), TROUPE_OK);
    assert_int_equal (put ("box/1", "a", 1, "actor_bytes"), TROUPE_OVERLOADED);
}

static void
quota_counts_a_value_that_only_changes_once (void **state)
{
    (void) state;
    for (int i = 0; i < 50; i++)
        assert_int_equal (put ("box/1", "a", 300 * KIB + i % 2, NULL), TROUPE_OK);
}

/*  Small changes count by chance, and on average right. */
static void
quota_counts_small_growth_on_average (void **state)
{
    (void) state;
    int kept = 0;
    for (char key[16]; kept < 10000; kept++) {
        snprintf (key, sizeof key, "%d", kept);
        if (put ("box/1", key, 1000, NULL) != TROUPE_OK)
            break;
        if (kept % 100 == 0)
            hand_fold (&hand);
    }
    assert_in_range (kept, 256, 1024);
}

static void
quota_holds_timers_of_a_full_actor (void **state)
{
    (void) state;
    assert_int_equal (ask ("box/1", "wind"), TROUPE_OK);
    assert_int_equal (put ("box/1", "a", 700 * KIB, NULL), TROUPE_OK);
    hand_advance (&hand, 60000);
    assert_int_equal (ticks, 0);
    put_from_within ("box/1", "a", -1);
    hand_advance (&hand, HELD_MS);
    assert_int_equal (ticks, 1);
}

static void
quota_holds_timers_while_the_door_is_closed (void **state)
{
    (void) state;
    hand_answer_t answer;
    assert_int_equal (ask ("box/1", "wind"), TROUPE_OK);
    shard_t *shard = hand_shard_of (&hand, "box/1");
    shard_close_door (shard, TROUPE_OVERLOADED, "the store is full");
    hand_advance (&hand, 60000);
    assert_int_equal (ticks, 0);
    hand_call (&hand, &answer, "box/1", "wind", NULL);
    assert_int_equal (answer.status, TROUPE_OVERLOADED);
    assert_string_equal (answer.text, "the store is full");
    shard_close_door (shard, TROUPE_OK, "");
    hand_advance (&hand, HELD_MS);
    assert_int_equal (ticks, 1);
}

/* ---- a kind ---- */

static void
quota_parks_a_kind_that_sends_without_end (void **state)
{
    (void) state;
    hand_answer_t answer;
    is_breeding = true;
    assert_int_equal (ask ("rabbit/0", "breed"), TROUPE_OK);
    assert_true (sum_of_mail (true) >= 32 * KIB);
    uint64_t waiting = sum_of_mail (false);
    int before = bred;
    hand_advance (&hand, 60000);
    assert_int_equal (bred, before);
    hand_call (&hand, &answer, "rabbit/0", "breed", NULL);
    assert_int_equal (answer.status, TROUPE_PARKED);
    assert_non_null (strstr (answer.text, "mail_bytes"));
    assert_int_equal (put ("box/1", "a", 1, NULL), TROUPE_OK);
    is_breeding = false;
    revive_all ("rabbit");
    assert_int_equal (bred, before + (int) waiting);
    assert_int_equal (sum_of_mail (false), 0);
    assert_int_equal (sum_of_mail (true), 0);
    assert_int_equal (ask ("rabbit/0", "breed"), TROUPE_OK);
}

static void
quota_revive_of_one_names_the_kind (void **state)
{
    (void) state;
    troupe_error_t error;
    is_breeding = true;
    assert_int_equal (ask ("rabbit/0", "breed"), TROUPE_OK);
    assert_int_equal (ask ("rabbit/0", "breed"), TROUPE_PARKED);
    assert_int_equal (shard_revive (hand_shard_of (&hand, "rabbit/0"), "rabbit/0", &error), TROUPE_INVALID);
    assert_non_null (strstr (error.text, "revive rabbit"));
    assert_int_equal (shard_revive_kind (hand.shards[0], "robot", &error), TROUPE_NOT_FOUND);
    is_breeding = false;
}

static troupe_status_t
drive_many (int count)
{
    hand_answer_t answer;
    hand_call (&hand, &answer, "hare/{1}", "drive", "{s:i}", "count", count);
    return answer.status;
}

/*  It is not the one whose mail waits. */
static void
quota_parks_who_sends_not_who_is_slow (void **state)
{
    (void) state;
    is_stuck = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal (drive_many (200), TROUPE_OK);
    assert_int_equal (drive_many (1), TROUPE_PARKED);
    is_stuck = false;
    hand_advance (&hand, 60000);
    assert_int_equal (plodded, 600);
    assert_int_equal (drive_many (1), TROUPE_PARKED);
    revive_all ("hare");
    assert_int_equal (drive_many (1), TROUPE_OK);
}

static void
quota_of_mail_closes_the_door_at_twice_it (void **state)
{
    (void) state;
    is_stuck = true;
    assert_int_equal (drive_many (1200), TROUPE_OK);
    assert_int_equal (put ("box/{1}", "a", 1, "mail_bytes"), TROUPE_OVERLOADED);
    assert_int_equal (ask ("box/{1}", "look"), TROUPE_OK);
    is_stuck = false;
    hand_advance (&hand, 60000);
    assert_int_equal (put ("box/{1}", "a", 1, NULL), TROUPE_OK);
}

static void
quota_of_mail_is_known_after_a_crash (void **state)
{
    (void) state;
    is_stuck = true;
    hand.limits.mailbox_messages = 4;
    hand_crash (&hand);
    assert_int_equal (drive_many (50), TROUPE_OK);
    uint64_t count = sum_of_mail (false), bytes = sum_of_mail (true);
    assert_int_equal (count, 50);
    hand_crash (&hand);
    hand_run (&hand);
    assert_int_equal (sum_of_mail (false), count);
    assert_int_equal (sum_of_mail (true), bytes);
    is_stuck = false;
    hand_advance (&hand, 60000);
    assert_int_equal (plodded, 50);
    assert_int_equal (sum_of_mail (true), 0);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (quota_full_actor_refuses_commands_and_answers_reads),
        TEST (quota_of_an_actor_is_known_after_a_crash),
        TEST (quota_counts_a_value_that_only_changes_once),
        TEST (quota_counts_small_growth_on_average),
        TEST (quota_holds_timers_of_a_full_actor),
        TEST (quota_holds_timers_while_the_door_is_closed),
        TEST (quota_parks_a_kind_that_sends_without_end),
        TEST (quota_revive_of_one_names_the_kind),
        TEST (quota_parks_who_sends_not_who_is_slow),
        TEST (quota_of_mail_closes_the_door_at_twice_it),
        TEST (quota_of_mail_is_known_after_a_crash),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
