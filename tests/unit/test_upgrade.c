/*  test_upgrade.c - code that gets newer, older or goes away, and what an actor does when it wakes. */

#include "runtime/base/arena.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a kind in three versions: each upgrade notes a uuid, as each wake does ---- */

typedef struct {
    char woken_as[37];
    char *block;       /* freed by sleep */
} cache_t;

static int wakes, sleeps, wake_fails, upgrade_fails;

static troupe_status_t
wake (troupe_turn_t *turn)
{
    cache_t *cache = troupe_cache (turn);
    size_t size;
    if (wake_fails > 0) {
        wake_fails -= 1;
        return troupe_fail (turn, "cannot wake");
    }
    wakes += 1;
    troupe_value (turn, "total", &size);
    troupe_uuid (turn, cache->woken_as);
    cache->block = strdup (cache->woken_as);
    return TROUPE_OK;
}

static void
sleep_ (void *cache_)
{
    cache_t *cache = cache_;
    sleeps += cache->block != NULL;
    free (cache->block);
}

static troupe_status_t
upgrade (troupe_turn_t *turn, uint32_t from_version)
{
    char key[32], uuid[37];
    if (upgrade_fails > 0) {
        upgrade_fails -= 1;
        return TROUPE_FAILED;
    }
    snprintf (key, sizeof key, "from-%u", from_version);
    troupe_uuid (turn, uuid);
    troupe_ask (turn, "plant/oracle", "whisper", "hear", 5000, NULL);
    return troupe_store (turn, key, uuid, sizeof uuid);
}

static troupe_status_t
grow (troupe_turn_t *turn)
{
    uint64_t total = 0;
    troupe_load (turn, "total", &total, sizeof total);
    total += 1;
    troupe_store (turn, "total", &total, sizeof total);
    return troupe_reply (turn, "{s:I}", "total", (json_int_t) total);
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    uint64_t total = 0;
    const char *one, *two;
    size_t size;
    const cache_t *cache = troupe_cache (turn);
    troupe_load (turn, "total", &total, sizeof total);
    one = troupe_value (turn, "from-1", &size);
    two = troupe_value (turn, "from-2", &size);
    return troupe_reply (turn, "{s:I, s:s, s:s, s:s}", "total", (json_int_t) total, "one", one ? one : "", "two",
                         two ? two : "", "woken", cache ? cache->woken_as : "");
}

static troupe_status_t
tell_self (troupe_turn_t *turn)
{
    for (int i = 0; i < 3; i++)
        troupe_tell (turn, troupe_self (turn), "grow", NULL);
    return troupe_timer_at (turn, "soon", "grow", troupe_now (turn) + 100, NULL);
}

static troupe_status_t
whisper (troupe_turn_t *turn)
{
    troupe_reply_later (turn);
    return TROUPE_OK;
}

static int heard;

static troupe_status_t
hear (troupe_turn_t *turn)
{
    heard += troupe_outcome (turn) == TROUPE_TIMEOUT;
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "grow", grow }, { "look", look, .reads = true }, { "tell-self", tell_self },
    { "whisper", whisper }, { "hear", hear }, { NULL }
};
static const troupe_verb_t fewer_verbs[] = { { "look", look, .reads = true }, { NULL } };
static const troupe_kind_t plant_1 = { "plant", .version = 1, .verbs = verbs };
static const troupe_kind_t plant_2 = { "plant", .version = 2, .verbs = verbs, .upgrade = upgrade };
static const troupe_kind_t plant_3 = { "plant", .version = 3, .verbs = verbs, .upgrade = upgrade, .wake = wake,
                                       .sleep = sleep_, .cache_size = sizeof (cache_t) };
static const troupe_kind_t plant_poor = { "plant", .version = 1, .verbs = fewer_verbs };
static const troupe_kind_t stone = { "stone", .version = 1, .verbs = verbs };
static const troupe_kind_t *const first[] = { &plant_1, &stone, NULL };
static const troupe_kind_t *const second[] = { &plant_2, &stone, NULL };
static const troupe_kind_t *const third[] = { &plant_3, &stone, NULL };
static const troupe_kind_t *const poor[] = { &plant_poor, NULL };
static const troupe_kind_t *const none[] = { &stone, NULL };

/* ---- fixtures ---- */

static hand_t hand;

static int
setup (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    wakes = sleeps = wake_fails = upgrade_fails = heard = 0;
    hand_start (&hand, first);
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
do_call (const char *to, const char *verb, troupe_status_t expected)
{
    hand_answer_t answer;
    hand_call (&hand, &answer, to, verb, NULL);
    hand_commit (&hand);
    assert_int_equal (answer.status, expected);
}

typedef struct {
    json_int_t total;
    const char *one, *two, *woken;
    hand_answer_t answer;
    arena_t arena;
} looked_t;

static bool
read_looked (looked_t *looked, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    troupe_status_t status =
        pack_read (looked->answer.body, looked->answer.size, &looked->arena, NULL, format, arguments);
    va_end (arguments);
    return status == TROUPE_OK;
}

static void
look_at (const char *address, looked_t *looked)
{
    memset (looked, 0, sizeof *looked);
    hand_call (&hand, &looked->answer, address, "look", NULL);
    hand_commit (&hand);
    assert_int_equal (looked->answer.status, TROUPE_OK);
    assert_true (read_looked (looked, "{s:I, s:s, s:s, s:s}", "total", &looked->total, "one", &looked->one, "two",
                              &looked->two, "woken", &looked->woken));
}

/* ---- tests ---- */

static void
upgrade_runs_once_before_state_is_seen (void **state)
{
    (void) state;
    looked_t looked;
    do_call ("plant/1", "grow", TROUPE_OK);
    hand_crash_into (&hand, second);
    look_at ("plant/1", &looked);
    assert_int_equal (looked.total, 1);
    assert_int_equal (strlen (looked.one), 36);
    arena_clear (&looked.arena);
}

static void
upgrades_one_after_the_other_fall_other_dice (void **state)
{
    (void) state;
    looked_t looked;
    do_call ("plant/1", "grow", TROUPE_OK);
    hand_crash_into (&hand, second);
    do_call ("plant/1", "grow", TROUPE_OK);
    hand_crash_into (&hand, third);
    look_at ("plant/1", &looked);
    assert_int_equal (looked.total, 2);
    assert_int_equal (strlen (looked.two), 36);
    assert_string_not_equal (looked.one, looked.two);
    arena_clear (&looked.arena);
    hand_advance (&hand, 6000);
    hand_commit (&hand);
    assert_int_equal (heard, 2);
}

static void
wakes_of_one_actor_fall_other_dice (void **state)
{
    (void) state;
    looked_t before, after;
    hand_crash_into (&hand, third);
    look_at ("plant/1", &before);
    hand_crash (&hand);
    hand_advance (&hand, 5);
    look_at ("plant/1", &after);
    assert_int_equal (wakes, 2);
    assert_int_equal (sleeps, 1);
    assert_int_equal (strlen (before.woken), 36);
    assert_string_not_equal (before.woken, after.woken);
    arena_clear (&before.arena);
    arena_clear (&after.arena);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (upgrade_runs_once_before_state_is_seen),
        TEST (upgrades_one_after_the_other_fall_other_dice),
        TEST (wakes_of_one_actor_fall_other_dice),
    };
    (void) tell_self;
    (void) poor;
    (void) none;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
