/*  test_trail.c - turns as they run, for who follows them. */

#include "runtime/body/json.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLLOWER 7
#define KEPT_MS 10000
#define TRAILS_MOST 8

/* ---- kinds ---- */

static bool is_broken;

static troupe_status_t
pass (troupe_turn_t *turn)
{
    const char *to = "", *verb = "";
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:s}", "to", &to, "verb", &verb);
    troupe_store (turn, "last", to, strlen (to));
    troupe_publish (turn, "live", "{s:s}", "to", to);
    return status == TROUPE_OK ? troupe_tell (turn, to, verb, NULL) : status;
}

static troupe_status_t
take (troupe_turn_t *turn)
{
    return is_broken ? troupe_fail (turn, "broken") : troupe_store (turn, "taken", "1", 1);
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    return troupe_reply (turn, "{s:b}", "broken", is_broken);
}

static troupe_status_t
refuse (troupe_turn_t *turn)
{
    troupe_store (turn, "undone", "1", 1);
    return troupe_refuse (turn, "not \xff today");
}

static troupe_status_t
wind (troupe_turn_t *turn)
{
    return troupe_timer_at (turn, "alarm", "take", troupe_now (turn) + 1000, NULL);
}

static troupe_status_t
inquire (troupe_turn_t *turn)
{
    troupe_cast (turn, "ball/{1}b", "take", NULL);
    return troupe_ask (turn, "ball/{1}b", "look", "heard", 1000, NULL) ? TROUPE_OK : TROUPE_FAILED;
}

static troupe_status_t
heard (troupe_turn_t *turn)
{
    (void) turn;
    return TROUPE_OK;
}

/*  More of each sort than is shown. */
static troupe_status_t
much (troupe_turn_t *turn)
{
    char name[16];
    for (int i = 0; i < 20; i++) {
        snprintf (name, sizeof name, "%d", i);
        troupe_store (turn, name, "1", 1);
        troupe_timer_at (turn, name, "take", troupe_now (turn) + 3600000, NULL);
        troupe_publish (turn, "live", NULL);
        troupe_tell (turn, i % 2 ? "ball/{1}b" : "ball/far", "look", NULL);
    }
    return TROUPE_OK;
}

static troupe_status_t
wake (troupe_turn_t *turn)
{
    (void) turn;
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "pass", pass }, { "take", take }, { "look", look, .reads = true }, { "refuse", refuse }, { "wind", wind },
    { "inquire", inquire }, { "heard", heard }, { "much", much }, { NULL }
};
static const troupe_channel_t channels[] = { { "live", .keep = 5 }, { NULL } };
static const troupe_kind_t ball = { "ball", .version = 1, .verbs = verbs, .channels = channels };
static const troupe_kind_t owl = { "owl", .version = 1, .verbs = verbs, .channels = channels, .wake = wake };
static const troupe_kind_t *const kinds[] = { &ball, &owl, NULL };

/* ---- fixtures ---- */

static hand_t hand;
static char shown[8192];

static int
setup (void **state)
{
    (void) state;
    memset (&hand, 0, sizeof hand);
    is_broken = false;
    hand.limits = (shard_limits_t) { .attempts = 2 };
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

static const char *
text (const json_t *turn, const char *name)
{
    const char *value = json_string_value (json_object_get (turn, name));
    assert_non_null (value);
    return value;
}

static void
show_list (const json_t *turn, const char *name)
{
    const json_t *list = json_object_get (turn, name), *one;
    size_t i, size = strlen (shown);
    json_array_foreach (list, i, one)
        size += (size_t) snprintf (shown + size, sizeof shown - size, "%s%s", i ? "," : "",
                                   json_is_string (one) ? json_string_value (one) : text (one, "to"));
    snprintf (shown + size, sizeof shown - size, name[1] == 'o' ? "\n" : "|");
}

/*  What this shard shows, a line a turn: address verb by from status|changed|timers|events|told. */
static const char *
follow_shard (shard_t *shard, const char *of)
{
    troupe_error_t error;
    buffer_t packed = { 0 };
    assert_int_equal (shard_follow (shard, FOLLOWER, of, &packed, &error), TROUPE_OK);
    json_t *turns = json_tree_from_packed (packed.data, packed.size, &error), *turn;
    buffer_clear (&packed);
    assert_true (json_is_array (turns));
    size_t i;
    shown[0] = 0;
    json_array_foreach (turns, i, turn) {
        size_t size = strlen (shown);
        if (json_object_get (turn, "lost")) {
            snprintf (shown + size, sizeof shown - size, "lost\n");
            break;
        }
        snprintf (shown + size, sizeof shown - size, "%s %s %s %s %s|", text (turn, "address"), text (turn, "verb"),
                  text (turn, "by"), text (turn, "from"), text (turn, "status"));
        for (const char *const *list = (const char *const[]) { "changed", "timers", "events", "told", NULL }; *list;
             list++)
            show_list (turn, *list);
    }
    json_decref (turns);
    return shown;
}

static const char *
follow (const char *of)
{
    return follow_shard (hand_shard_of (&hand, "ball/{1}a"), of);
}

static void
call (const char *to, const char *verb)
{
    hand_call (&hand, NULL, to, verb, NULL);
    hand_commit (&hand);
}

static void
call_pass (const char *from, const char *to, const char *verb)
{
    hand_answer_t answer;
    hand_call (&hand, &answer, from, "pass", "{s:s, s:s}", "to", to, "verb", verb);
    hand_commit (&hand);
    assert_int_equal (answer.status, TROUPE_OK);
}

/* ---- tests ---- */

static void
trail_begins_when_it_is_asked_for (void **state)
{
    (void) state;
    call ("ball/{1}a", "take");
    assert_string_equal (follow (""), "");
    call ("ball/{1}a", "take");
    assert_string_equal (follow (""), "ball/{1}a take call  ok|taken|||\n");
    assert_string_equal (follow (""), "");
}

static void
trail_shows_what_a_turn_did (void **state)
{
    (void) state;
    follow ("");
    call_pass ("ball/{1}a", "ball/{1}b", "take");
    assert_string_equal (follow (""), "ball/{1}a pass call  ok|last||live|ball/{1}b\n"
                                      "ball/{1}b take tell ball/{1}a ok|taken|||\n");
    call ("ball/{1}a", "inquire");
    assert_string_equal (follow (""), "ball/{1}a inquire call  ok||||ball/{1}b,ball/{1}b\n"
                                      "ball/{1}b take cast ball/{1}a ok|taken|||\n"
                                      "ball/{1}b look ask ball/{1}a ok||||\n"
                                      "ball/{1}a heard answer ball/{1}b ok||||\n");
    call ("ball/{1}a", "wind");
    hand_advance (&hand, 1000);
    assert_string_equal (follow (""), "ball/{1}a wind call  ok||alarm||\n"
                                      "ball/{1}a take timer alarm ok|taken|||\n");
    call ("owl/{1}a", "look");
    assert_string_equal (follow (""), "owl/{1}a  wake  ok||||\n"
                                      "owl/{1}a look call  ok||||\n");
}

static void
trail_shows_messages_to_other_shards (void **state)
{
    (void) state;
    assert_ptr_not_equal (hand_shard_of (&hand, "ball/{1}a"), hand_shard_of (&hand, "ball/far"));
    follow ("");
    follow_shard (hand_shard_of (&hand, "ball/far"), "");
    call_pass ("ball/{1}a", "ball/far", "take");
    assert_string_equal (follow (""), "ball/{1}a pass call  ok|last||live|ball/far\n");
    assert_string_equal (follow_shard (hand_shard_of (&hand, "ball/far"), ""),
                         "ball/far take tell ball/{1}a ok|taken|||\n");
}

static void
trail_shows_what_went_wrong (void **state)
{
    (void) state;
    follow ("");
    call ("ball/{1}a", "refuse");
    assert_string_equal (follow (""), "ball/{1}a refuse call  refused|undone|||\n");
    is_broken = true;
    call ("ball/{1}a", "take");
    hand_advance (&hand, 1000);
    assert_string_equal (follow (""), "ball/{1}a take call  failed||||\n"
                                      "ball/{1}a take call  failed||||\n");
}

static void
trail_shows_the_first_names_and_counts_the_rest (void **state)
{
    (void) state;
    troupe_error_t error;
    buffer_t packed = { 0 };
    follow ("ball/{1}a");
    call ("ball/{1}a", "much");
    assert_int_equal (shard_follow (hand_shard_of (&hand, "ball/{1}a"), FOLLOWER, "", &packed, &error), TROUPE_OK);
    json_t *turns = json_tree_from_packed (packed.data, packed.size, &error), *turn = json_array_get (turns, 0);
    for (const char *const *list = (const char *const[]) { "changed", "timers", "events", "told", NULL }; *list; list++)
        assert_int_equal (json_array_size (json_object_get (turn, *list)), 16);
    assert_int_equal (json_integer_value (json_object_get (turn, "more")), 16);
    json_decref (turns);
    buffer_clear (&packed);
}

static void
trail_is_of_an_actor_or_a_kind (void **state)
{
    (void) state;
    follow ("ball/{1}a");
    call ("ball/{1}a", "take");
    call ("ball/{1}b", "take");
    call ("owl/{1}a", "take");
    assert_string_equal (follow ("ball/{1}a"), "ball/{1}a take call  ok|taken|||\n");
    hand_advance (&hand, KEPT_MS + 1);
    call ("ball/{1}a", "take");  /* nobody asked for so long */
    assert_string_equal (follow ("owl"), "");
    call ("ball/{1}b", "take");
    call ("owl/{1}a", "look");
    assert_string_equal (follow ("owl"), "owl/{1}a look call  ok||||\n");
}

static void
trail_is_of_a_trace (void **state)
{
    (void) state;
    hand_answer_t answer;
    static const char text[] = "{\"to\": \"ball/{1}b\", \"verb\": \"take\"}";
    size_t size;
    void *body = troupe_pack_json (text, strlen (text), &size, NULL);
    troupe_call_t traced = { .to = "ball/{1}a", .verb = "pass", .body = body, .size = size,
                             .trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    assert_non_null (body);
    follow ("0af7651916cd43dd8448eb211c80319c");
    call ("ball/{1}b", "take");
    hand_submit (&hand, &answer, &traced);
    hand_run (&hand);
    hand_commit (&hand);
    call ("ball/{1}a", "take");
    assert_string_equal (follow (""), "ball/{1}a pass call  ok|last||live|ball/{1}b\n"
                                      "ball/{1}b take tell ball/{1}a ok|taken|||\n");
    free (body);
}

static void
trail_has_a_bound_and_counts_what_is_lost (void **state)
{
    (void) state;
    shard_t *shard = hand_shard_of (&hand, "ball/{1}a");
    follow ("");
    for (int i = 0; i < 3000; i++)
        hand_call (&hand, NULL, "ball/{1}a", "look", NULL);
    troupe_error_t error;
    buffer_t packed = { 0 };
    assert_int_equal (shard_follow (shard, FOLLOWER, "", &packed, &error), TROUPE_OK);
    json_t *turns = json_tree_from_packed (packed.data, packed.size, &error);
    size_t count = json_array_size (turns);
    json_int_t lost = json_integer_value (json_object_get (json_array_get (turns, count - 1), "lost"));
    assert_true (packed.size <= (1u << 20) / HAND_SHARDS + 64);
    assert_true (lost > 0);
    assert_int_equal (count - 1 + (size_t) lost, 3000);
    json_decref (turns);
    buffer_clear (&packed);
    call ("ball/{1}a", "take");
    assert_string_equal (follow (""), "ball/{1}a take call  ok|taken|||\n");
}

static void
trail_of_nothing_is_refused (void **state)
{
    (void) state;
    troupe_error_t error;
    buffer_t packed = { 0 };
    shard_t *shard = hand_shard_of (&hand, "ball/{1}a");
    assert_int_equal (shard_follow (shard, 1, "balloon", &packed, &error), TROUPE_NOT_FOUND);
    assert_non_null (strstr (error.text, "no kind \"balloon\""));
    assert_int_equal (shard_follow (shard, 1, "ball/", &packed, &error), TROUPE_INVALID);
    for (uint64_t id = 1; id <= TRAILS_MOST; id++)
        assert_int_equal (shard_follow (shard, id, "", &packed, &error), TROUPE_OK);
    assert_int_equal (shard_follow (shard, 100, "", &packed, &error), TROUPE_OVERLOADED);
    hand_advance (&hand, KEPT_MS / 2);
    buffer_reset (&packed);
    assert_int_equal (shard_follow (shard, 1, "", &packed, &error), TROUPE_OK);
    hand_advance (&hand, KEPT_MS / 2 + 1);
    call ("ball/{1}a", "look");
    assert_int_equal (shard_follow (shard, 100, "", &packed, &error), TROUPE_OK);
    buffer_reset (&packed);
    assert_int_equal (shard_follow (shard, 1, "", &packed, &error), TROUPE_OK);  /* it asked in between */
    assert_non_null (memmem (packed.data, packed.size, "ball/{1}a", 9));
    buffer_clear (&packed);
}

static void
turns_are_measured_while_somebody_follows (void **state)
{
    (void) state;
    shard_t *shard = hand_shard_of (&hand, "ball/{1}a");
    const histogram_t *times = &shard_metrics (shard)->turn_ns;
    call ("ball/{1}a", "look");
    assert_int_equal (counter_get (&times->count), 0);
    follow ("");
    for (int i = 0; i < 5; i++)
        call ("ball/{1}a", "look");
    assert_int_equal (counter_get (&times->count), 5);
    hand_advance (&hand, KEPT_MS + 1);
    for (int i = 0; i < 10; i++)
        call ("ball/{1}a", "look");  /* the first of them lets the trail go */
    assert_int_equal (counter_get (&times->count), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (trail_begins_when_it_is_asked_for),
        TEST (trail_shows_what_a_turn_did),
        TEST (trail_shows_messages_to_other_shards),
        TEST (trail_shows_what_went_wrong),
        TEST (trail_shows_the_first_names_and_counts_the_rest),
        TEST (trail_is_of_an_actor_or_a_kind),
        TEST (trail_is_of_a_trace),
        TEST (trail_has_a_bound_and_counts_what_is_lost),
        TEST (trail_of_nothing_is_refused),
        TEST (turns_are_measured_while_somebody_follows)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
