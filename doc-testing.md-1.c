/*  test_reminder.c - a reminder rings once, whatever dies before. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <troupe_test.h>

#define HOUR_MS (3600 * 1000)

static troupe_status_t
set (troupe_turn_t *turn)
{
    json_int_t in_ms;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "in_ms", &in_ms);
    if (status != TROUPE_OK)
        return status;
    return troupe_timer_at (turn, "bell", "ring", troupe_now (turn) + (uint64_t) in_ms, NULL);
}

static troupe_status_t
ring (troupe_turn_t *turn)
{
    uint64_t rung = 0;
    troupe_load (turn, "rung", &rung, sizeof rung);
    rung += 1;
    troupe_store (turn, "rung", &rung, sizeof rung);
    return troupe_publish (turn, "bells", "{s:I}", "rung", (json_int_t) rung);
}

static const troupe_verb_t verbs[] = { { "set", set, .args = "in_ms:int" }, { "ring", ring }, { NULL } };
static const troupe_channel_t channels[] = { { "bells" }, { NULL } };
static const troupe_kind_t reminder = { "reminder", .version = 1, .verbs = verbs, .channels = channels };
static const troupe_kind_t *const kinds[] = { &reminder, NULL };

static uint64_t
ring_once (uint64_t seed)
{
    troupe_error_t error;
    troupe_test_t *node = troupe_test_new (kinds, seed, &error);
    assert (node);
    troupe_test_crash_often (node, 10);  /* before one step in ten, also while it recovers */
    troupe_status_t status = troupe_test_call (node, "reminder/tea", "set", NULL, "{s:i}", "in_ms", HOUR_MS);
    assert (status == TROUPE_OK);
    troupe_test_pass (node, HOUR_MS / 2);
    assert (strcmp (troupe_test_state (node, "reminder/tea"), "{}") == 0);
    troupe_test_pass (node, HOUR_MS);
    assert (strcmp (troupe_test_state (node, "reminder/tea"), "{\"rung\":1}") == 0);
    assert (strcmp (troupe_test_events (node, "reminder/tea", "bells", 1), "[{\"rung\":1}]") == 0);
    assert (strcmp (troupe_test_dead (node), "[]") == 0);
    uint64_t crashes = troupe_test_crashes (node);
    troupe_test_destroy (&node);
    return crashes;
}

int
main (void)
{
    uint64_t crashes = 0;
    for (uint64_t seed = 1; seed <= 100; seed++)
        crashes += ring_once (seed);
    printf ("rang once for each of 100 seeds, over %llu crashes\n", (unsigned long long) crashes);
    return crashes > 0 ? 0 : 1;  /* without a crash nothing was shown */
}
