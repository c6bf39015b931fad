/*  test_test_node.c - the test API for integrators: what it says is what it does. */
#include <troupe_test.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOON 43200000u

static troupe_status_t
on_add (troupe_turn_t *turn)
{
    uint64_t count = 0;
    troupe_load (turn, "count", &count, sizeof count);
    count += 1;
    troupe_store (turn, "count", &count, sizeof count);
    troupe_store (turn, "by", troupe_subject (turn), strlen (troupe_subject (turn)));
    troupe_save (turn, "last", "{s:I}", "count", (json_int_t) count);
    troupe_store (turn, "raw", "\x01\xff", 2);
    troupe_publish (turn, "counts", "{s:I}", "count", (json_int_t) count);
    return troupe_reply (turn, "{s:I}", "count", (json_int_t) count);
}

static troupe_status_t
on_alarm (troupe_turn_t *turn)
{
    return troupe_timer_at (turn, "alarm", "add", troupe_now (turn) + NOON, NULL);
}

static troupe_status_t
on_fail (troupe_turn_t *turn)
{
    return troupe_fail (turn, "not in the mood");
}

static troupe_status_t
on_never (troupe_turn_t *turn)
{
    return troupe_reply_later (turn) ? TROUPE_OK : TROUPE_FAILED;
}

static troupe_status_t
on_late (troupe_turn_t *turn)
{
    return troupe_attempt (turn) < 4 ? troupe_fail (turn, "not yet") : on_add (turn);
}

static troupe_status_t
on_large (troupe_turn_t *turn)
{
    char bytes[200000] = { 1 };
    return troupe_store (turn, "large", bytes, sizeof bytes);
}

static troupe_status_t
on_endless (troupe_turn_t *turn)
{
    return troupe_tell (turn, "counter/b", "endless", NULL);
}

static troupe_status_t
on_upgrade (troupe_turn_t *turn, uint32_t from)
{
    return troupe_save (turn, "upgraded", "{s:i}", "from", (int) from);
}

static const troupe_verb_t verbs[] = {
    { "add", on_add }, { "alarm", on_alarm }, { "fail", on_fail },
    { "never", on_never }, { "late", on_late }, { "large", on_large }, { "endless", on_endless },
    { "strict", on_add, .args = "count:int" }, { NULL }
};
static const troupe_channel_t channels[] = { { "counts", .keep = 10 }, { NULL } };
static const troupe_kind_t counter = { "counter", .version = 1, .verbs = verbs, .channels = channels };
static const troupe_kind_t counter_2 = {
    "counter", .version = 2, .verbs = verbs, .channels = channels, .upgrade = on_upgrade
};
static const troupe_kind_t nameless = { "", .version = 1, .verbs = verbs };
static const troupe_kind_t *const kinds[] = { &counter, NULL };
static const troupe_kind_t *const newer[] = { &counter_2, NULL };
static const troupe_kind_t *const wrong[] = { &nameless, NULL };

static void
test_node_call_gives_the_answer (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    troupe_answer_t answer;
    json_int_t count = 0;
    assert_int_equal (troupe_test_call (node, "counter/a", "add", &answer, NULL), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&answer, NULL, "{s:I}", "count", &count), TROUPE_OK);
    assert_int_equal (count, 1);
    troupe_answer_clear (&answer);
    assert_int_equal (troupe_test_call (node, "counter/a", "strict", &answer, "{s:s}", "count", "x"), TROUPE_INVALID);
    assert_non_null (strstr (answer.text, "integer"));
    troupe_answer_clear (&answer);
    assert_int_equal (troupe_test_call (node, "nobody/a", "add", NULL, NULL), TROUPE_NOT_FOUND);
    assert_int_equal (troupe_test_call (node, "counter/a", "never", NULL, NULL), TROUPE_UNKNOWN);
    troupe_test_destroy (&node);
    troupe_test_destroy (&node);
}

static void
test_node_call_lets_time_pass_until_the_answer (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 8, NULL);
    uint64_t from = troupe_test_now (node);
    assert_int_equal (troupe_test_call (node, "counter/a", "late", NULL, NULL), TROUPE_OK);
    assert_in_range (troupe_test_now (node), from + 300, from + 10000);
    troupe_test_destroy (&node);
}

static void
test_node_large_values_fit (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 9, NULL);
    char bytes[200000];
    assert_int_equal (troupe_test_call (node, "counter/a", "large", NULL, NULL), TROUPE_OK);
    troupe_test_crash (node);
    assert_int_equal (troupe_test_load (node, "counter/a", "large", bytes, sizeof bytes), TROUPE_OK);
    assert_int_equal (bytes[0], 1);
    troupe_test_destroy (&node);
}

static void
test_node_state_shows_values_as_what_they_are (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 2, NULL);
    uint64_t count = 0;
    assert_string_equal (troupe_test_state (node, "counter/a"), "{}");
    troupe_test_subject (node, "anna");
    troupe_test_call (node, "counter/a", "add", NULL, NULL);
    assert_string_equal (troupe_test_state (node, "counter/a"),
                         "{\"by\":\"anna\",\"count\":1,\"last\":{\"count\":1},\"raw\":\"0x01ff\"}");
    assert_int_equal (troupe_test_load (node, "counter/a", "count", &count, sizeof count), TROUPE_OK);
    assert_int_equal (count, 1);
    assert_int_equal (troupe_test_load (node, "counter/a", "count", &count, 4), TROUPE_TOO_LARGE);
    assert_int_equal (troupe_test_load (node, "counter/a", "none", &count, 4), TROUPE_NOT_FOUND);
    assert_non_null (strstr (troupe_test_inspect (node, "counter/a"), "\"feeds\":[{\"channel\":\"counts\""));
    troupe_test_destroy (&node);
}

static void
test_node_pass_fires_timers_when_they_are_due (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 3, NULL);
    troupe_test_call (node, "counter/a", "alarm", NULL, NULL);
    uint64_t from = troupe_test_now (node);
    troupe_test_pass (node, NOON - 1000);
    assert_string_equal (troupe_test_state (node, "counter/a"), "{}");
    troupe_test_crash (node);
    troupe_test_pass (node, 2000);
    assert_true (troupe_test_now (node) >= from + NOON + 1000);
    assert_non_null (strstr (troupe_test_state (node, "counter/a"), "\"count\":1"));
    troupe_test_destroy (&node);
}

static void
test_node_crash_loses_nothing_that_was_answered (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        troupe_test_t *node = troupe_test_new (kinds, seed, NULL);
        troupe_test_crash_often (node, 8);
        for (json_int_t i = 1; i <= 10; i++) {
            troupe_answer_t answer;
            json_int_t count = 0;
            assert_int_equal (troupe_test_call (node, "counter/a", "add", &answer, NULL), TROUPE_OK);
            assert_int_equal (troupe_answer_unpack (&answer, NULL, "{s:I}", "count", &count), TROUPE_OK);
            assert_int_equal (count, i);
            troupe_answer_clear (&answer);
        }
        troupe_test_crash_often (node, 0);
        assert_string_equal (troupe_test_events (node, "counter/a", "counts", 8),
                             "[{\"count\":8},{\"count\":9},{\"count\":10}]");
        assert_true (troupe_test_crashes (node) > 0);
        troupe_test_destroy (&node);
    }
}

/*  It never gets far, yet all comes to its end. */
static void
test_node_crash_at_every_step_ends (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 4, NULL);
    troupe_test_crash_often (node, 1);
    assert_int_equal (troupe_test_call (node, "counter/a", "add", NULL, NULL), TROUPE_OK);
    assert_int_equal (troupe_test_call (node, "counter/a", "add", NULL, NULL), TROUPE_OK);
    troupe_test_settle (node);
    assert_true (troupe_test_crashes (node) >= 20);
    assert_non_null (strstr (troupe_test_state (node, "counter/a"), "\"count\":2"));
    troupe_test_destroy (&node);
}

static void
test_node_same_seed_is_the_same_run (void **state)
{
    (void) state;
    uint64_t now[2], crashes[2];
    for (int i = 0; i < 2; i++) {
        troupe_test_t *node = troupe_test_new (kinds, 11, NULL);
        troupe_test_crash_often (node, 20);
        for (int j = 0; j < 10; j++)
            troupe_test_call (node, j % 2 ? "counter/a" : "counter/b", "add", NULL, NULL);
        troupe_test_settle (node);
        now[i] = troupe_test_now (node);
        crashes[i] = troupe_test_crashes (node);
        troupe_test_destroy (&node);
    }
    assert_int_equal (now[0], now[1]);
    assert_int_equal (crashes[0], crashes[1]);
}

static void
test_node_restart_upgrades (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 5, NULL);
    troupe_error_t error;
    troupe_test_call (node, "counter/a", "add", NULL, NULL);
    assert_int_equal (troupe_test_restart (node, wrong, &error), TROUPE_INVALID);
    assert_int_equal (troupe_test_restart (node, newer, &error), TROUPE_OK);
    troupe_test_call (node, "counter/a", "add", NULL, NULL);
    assert_non_null (strstr (troupe_test_state (node, "counter/a"), "\"upgraded\":{\"from\":1}"));
    assert_int_equal (troupe_test_restart (node, NULL, &error), TROUPE_OK);
    assert_non_null (strstr (troupe_test_state (node, "counter/a"), "\"count\":2"));
    troupe_test_destroy (&node);
    assert_null (troupe_test_new (wrong, 1, &error));
}

static void
count_answer (void *arg, const troupe_answer_t *answer)
{
    assert_int_equal (answer->status, TROUPE_OK);
    *(int *) arg += 1;
}

static void
test_node_submit_answers_while_it_runs (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 6, NULL);
    troupe_error_t error;
    int answers = 0;
    troupe_call_t call = { .to = "counter/a", .verb = "add", .done = count_answer, .arg = &answers };
    for (int i = 0; i < 3; i++)
        assert_int_equal (troupe_test_submit (node, &call, &error), TROUPE_OK);
    assert_int_equal (answers, 0);
    troupe_test_settle (node);
    assert_int_equal (answers, 3);
    assert_int_equal (troupe_test_submit (node, &call, &error), TROUPE_OK);
    troupe_test_crash (node);
    troupe_test_settle (node);
    assert_int_equal (answers, 3);
    troupe_test_destroy (&node);
}

static void
test_node_dead_shows_what_was_given_up (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 7, NULL);
    assert_string_equal (troupe_test_dead (node), "[]");
    assert_int_equal (troupe_test_call (node, "counter/a", "fail", NULL, NULL), TROUPE_FAILED);
    const char *dead = troupe_test_dead (node);
    assert_non_null (strstr (dead, "\"verb\":\"fail\""));
    assert_non_null (strstr (dead, "not in the mood"));
    troupe_test_destroy (&node);
}

static void
look_at_nothing (troupe_test_t *node)
{
    troupe_test_state (node, "nobody");
}

static void
look_at_no_channel (troupe_test_t *node)
{
    troupe_test_events (node, "counter/a", "none", 1);
}

static void
settle_endlessly (troupe_test_t *node)
{
    troupe_test_call (node, "counter/a", "endless", NULL, NULL);
    troupe_test_settle (node);
}

static void
ends_with (void (*mistake) (troupe_test_t *node), const char *text)
{
    char said[400] = "";
    int status;
    pid_t child = fork ();
    if (child == 0) {
        dup2 (open ("said", O_CREAT | O_TRUNC | O_WRONLY, 0600), STDERR_FILENO);
        mistake (troupe_test_new (kinds, 10, NULL));
        _exit (0);
    }
    assert_int_equal (waitpid (child, &status, 0), child);
    FILE *file = fopen ("said", "r");
    assert_non_null (file);
    said[fread (said, 1, sizeof said - 1, file)] = '\0';
    fclose (file);
    assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGABRT);
    assert_non_null (strstr (said, text));
}

static void
test_node_mistakes_end_the_program (void **state)
{
    (void) state;
    ends_with (look_at_nothing, "kind/id");
    ends_with (look_at_no_channel, "no channel \"none\"");
    ends_with (settle_endlessly, "do not come to rest");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_node_call_gives_the_answer),
        cmocka_unit_test (test_node_call_lets_time_pass_until_the_answer),
        cmocka_unit_test (test_node_large_values_fit),
        cmocka_unit_test (test_node_state_shows_values_as_what_they_are),
        cmocka_unit_test (test_node_pass_fires_timers_when_they_are_due),
        cmocka_unit_test (test_node_crash_loses_nothing_that_was_answered),
        cmocka_unit_test (test_node_crash_at_every_step_ends),
        cmocka_unit_test (test_node_same_seed_is_the_same_run),
        cmocka_unit_test (test_node_restart_upgrades),
        cmocka_unit_test (test_node_submit_answers_while_it_runs),
        cmocka_unit_test (test_node_dead_shows_what_was_given_up),
        cmocka_unit_test (test_node_mistakes_end_the_program),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
