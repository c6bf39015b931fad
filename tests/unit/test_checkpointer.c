/*  test_checkpointer.c - a fold takes its time, until somebody waits for it. */
#include "commands/checkpointer.h"

#include "runtime/base/bytes.h"
#include "runtime/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_NS 20000000000ull
#define CHANGES (2 * CHECKPOINT_CHANGES)  /* of one frame: at least two transactions */
#define VALUE 50

static store_t *store;
static checkpointer_t *checkpointer;
static frame_t *frames[8];
static uint64_t newest;

static bool is_short;

static bool
has_room (void *arg)
{
    (void) arg;
    return !is_short;
}

static void
on_full (void *arg, bool is_full, const char *text)
{
    (void) arg;
    (void) is_full;
    (void) text;
}

static void
on_broken (void *arg, const troupe_error_t *error)
{
    (void) arg;
    (void) error;
}

static troupe_status_t
on_replay (void *arg, frame_t *frame)
{
    (void) arg;
    (void) frame;
    return TROUPE_CORRUPT;
}

/*  One frame is enough to fold at once, and less than what makes it hurry. */
static int
start (void **state)
{
    assert_int_equal (system ("rm -rf store"), 0);
    is_short = *state != NULL;
    troupe_error_t error = { TROUPE_OK, "" };
    store = store_open (&(store_options_t) { .directory = "store", .create = true, .shards = 1 }, &error);
    assert_string_equal (error.text, "");
    assert_int_equal (store_recover (store, on_replay, NULL, &error), TROUPE_OK);
    checkpointer_options_t options = { .every_ms = 24 * 3600 * 1000, .most_bytes = CHANGES * VALUE,
                                       .urgent_bytes = UINT64_MAX, .prepare_bytes = 1u << 20,
                                       .has_room = has_room, .full = on_full, .broken = on_broken };
    checkpointer = checkpointer_new (store, &options, &error);
    assert_non_null (checkpointer);
    assert_int_equal (checkpointer_start (checkpointer, &error), TROUPE_OK);
    newest = 0;
    return 0;
}

static int
stop (void **state)
{
    (void) state;
    checkpointer_destroy (&checkpointer);
    store_close (&store);
    for (uint64_t i = 0; i < newest; i++)
        frame_destroy (&frames[i]);
    return 0;
}

static void
key_of (uint32_t number, uint8_t key[9])
{
    key[0] = 's';
    put_be64 (key + 1, number);
}

static void
write_frame (uint32_t changes)
{
    frame_t *frame = frames[newest] = frame_new (0, newest + 1);
    newest++;
    for (uint32_t i = 0; i < changes; i++) {
        uint8_t key[9];
        key_of (i, key);
        memset (frame_put (frame, key, sizeof key, VALUE), (int) newest, VALUE);
    }
    journal_submit (store->journal, frame);
    troupe_error_t error;
    uint32_t count;
    assert_int_equal (journal_commit (store->journal, &count, &error), TROUPE_OK);
    checkpointer_committed (checkpointer);
}

/*  Whether the tree has the newest frame's value of this key. */
static bool
is_in_tree (uint32_t number)
{
    uint8_t key[9];
    const uint8_t *value;
    size_t size;
    key_of (number, key);
    state_view_t *view = store->state->view_new (store->state->self, 0);
    bool is_there = store->state->get (view, key, sizeof key, &value, &size) == TROUPE_OK && value[0] == newest;
    store->state->view_destroy (&view);
    return is_there;
}

/*  The first transaction is done, the last waits for its time, which is hours away. */
static void
fold_half (void)
{
    write_frame (CHANGES);
    uint64_t began_ns = clock_monotonic_ns ();
    while (!is_in_tree (0)) {
        assert_true (clock_monotonic_ns () - began_ns < PATIENCE_NS);
        usleep (1000);
    }
    assert_false (is_in_tree (CHANGES - 1));
    assert_true (journal_counts (store->journal).unfolded_bytes > 0);
}

static void
is_folded (void)
{
    assert_true (is_in_tree (CHANGES - 1));
    assert_int_equal (journal_counts (store->journal).unfolded_bytes, 0);
}

static void
wait_for_fold (void)
{
    uint64_t began_ns = clock_monotonic_ns ();
    while (checkpoint_counts (store->checkpoint).folds == 0) {
        assert_true (clock_monotonic_ns () - began_ns < PATIENCE_NS);
        usleep (1000);
    }
}

static void
checkpointer_that_is_asked_ends_its_fold_at_once (void **state)
{
    (void) state;
    troupe_error_t error;
    for (int round = 0; round < 3; round++) {
        fold_half ();
        assert_int_equal (checkpointer_run_now (checkpointer, &error), TROUPE_OK);
        is_folded ();
    }
}

static void
checkpointer_that_is_stopped_ends_its_fold_at_once (void **state)
{
    (void) state;
    troupe_error_t error;
    fold_half ();
    assert_int_equal (checkpointer_stop (checkpointer, &error), TROUPE_OK);
    is_folded ();
}

/*  Twice what begins a fold leaves no time for it. */
static void
checkpointer_under_pressure_does_not_wait (void **state)
{
    (void) state;
    fold_half ();
    assert_int_equal (checkpoint_counts (store->checkpoint).folds, 0);
    write_frame (CHANGES);
    wait_for_fold ();
}

/*  The next one would be due in a day. */
static void
checkpointer_on_a_disk_with_little_room_folds_soon (void **state)
{
    (void) state;
    write_frame (1);
    wait_for_fold ();
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (checkpointer_that_is_asked_ends_its_fold_at_once),
        TEST (checkpointer_that_is_stopped_ends_its_fold_at_once),
        TEST (checkpointer_under_pressure_does_not_wait),
        cmocka_unit_test_prestate_setup_teardown (checkpointer_on_a_disk_with_little_room_folds_soon, start, stop,
                                                  &is_short),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
