/*  test_store_check.c - what a check of a store finds, and that it changes nothing.
 */
#include "storage/lock.h"
#include "tests/unit/store_help.h"

#include <signal.h>
#include <sys/wait.h>

static void
store_checked_whole_is_counted (void **state)
{
    (void) state;
    open_store (PLACE);
    submit (0);
    submit (1);
    commit ();
    fold ();
    submit (0);
    commit ();
    close_store ();
    is_whole (PLACE);
    assert_non_null (strstr (told, "3 shards"));
    assert_non_null (strstr (told, "table s: 6 records"));
    assert_non_null (strstr (told, "journal: 1 frames"));
    assert_non_null (strstr (told, "3 changes"));
    open_store (PLACE);
    assert_int_equal (frames_count, 1);
}

static void
store_checked_finds_damage_in_the_state (void **state)
{
    (void) state;
    open_store (PLACE);
    submit (0);
    commit ();
    fold ();
    close_store ();
    troupe_error_t error;
    off_t at = find_in ("store/state.mdb", "snewest", 7);
    flip ("store/state.mdb", at + 9);
    assert_int_equal (check (PLACE, &error), TROUPE_CORRUPT);
    flip ("store/state.mdb", at + 9);
    is_whole (PLACE);
    flip ("store/state.mdb", 4096 + 16);
    assert_int_equal (check (PLACE, &error), TROUPE_CORRUPT);
    flip ("store/state.mdb", 4096 + 16);
    assert_int_equal (truncate ("store/state.mdb", 8192), 0);
    assert_int_equal (check (PLACE, &error), TROUPE_CORRUPT);
}

static void
store_checked_finds_damage_in_the_journal (void **state)
{
    (void) state;
    open_store (PLACE);
    for (int i = 0; i < 10; i++) {
        submit (0);
        commit ();
    }
    close_store ();
    is_whole (PLACE);
    troupe_error_t error;
    off_t at = find_in ("store/journal/0000000001.seg", "snewest", 7);
    flip ("store/journal/0000000001.seg", at);
    assert_int_equal (check (PLACE, &error), TROUPE_CORRUPT);
    assert_non_null (strstr (error.text, "0000000001.seg"));
    flip ("store/journal/0000000001.seg", at);
    is_whole (PLACE);
}

static void
store_checked_finds_keys_of_no_table (void **state)
{
    (void) state;
    open_store (PLACE);
    submit_as (0, "?");
    commit ();
    close_store ();
    troupe_error_t error;
    assert_int_equal (check (PLACE, &error), TROUPE_CORRUPT);
    assert_non_null (strstr (error.text, "0x3f"));
    open_store (PLACE);
    fold ();
    close_store ();
    assert_int_equal (check (PLACE, &error), TROUPE_CORRUPT);
    assert_non_null (strstr (error.text, "0x3f"));
    assert_int_equal (store_check (PLACE, NULL, NULL, NULL, &error), TROUPE_OK);
}

/* ------------------------------------------------------------------ *
 *  What was folded against what was written
 * ------------------------------------------------------------------ */

static state_port_t whole_port;
static size_t skipped;  /* of the changes, which the fold leaves out; SIZE_MAX: it writes an older value */
static int folds_left;

/*  A page of the tree that never came to the disk. */
static troupe_status_t
fold_badly (void *self, const state_change_t *changes, size_t count, const state_mark_t *marks, troupe_error_t *error)
{
    static state_change_t some[64];
    static uint8_t zeros[100];
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < 64; i++)
        if (i != skipped)
            some[kept++] = changes[i];
    if (skipped == SIZE_MAX)
        some[0].op.value = zeros;
    return whole_port.fold (self, some, kept, marks, error);
}

/*  Folds what was committed, but badly, and closes. */
static void
fold_without (size_t change)
{
    skipped = change;
    whole_port = *store->state;
    store->state->fold = fold_badly;
    fold ();
    *store->state = whole_port;
    close_store ();
}

static void
is_damaged (const char *text)
{
    troupe_error_t error = { 0 };
    assert_int_equal (check (PLACE, &error), TROUPE_CORRUPT);
    if (!strstr (error.text, text))
        fail_msg ("\"%s\" is not in \"%s\"", text, error.text);
}

static void
store_checked_finds_a_change_that_was_not_folded (void **state)
{
    (void) state;
    open_store (PLACE);
    submit (0);
    submit (1);
    submit (1);
    commit ();
    fold_without (5);
    is_damaged ("shard 1: frame 2, which is folded, puts the key snewest, but the state does not hold it");
}

static void
store_checked_finds_an_older_value (void **state)
{
    (void) state;
    open_store (PLACE);
    submit (0);
    commit ();
    fold ();
    submit (0);
    commit ();
    fold_without (2);
    is_damaged ("shard 0: frame 2, which is folded, puts the key snewest, but the state holds another value");
    stop (NULL);
    start (NULL);
    open_store (PLACE);
    submit (2);
    commit ();
    fold_without (SIZE_MAX);
    is_damaged ("shard 2: frame 1, which is folded, puts the key sa, but the state holds another value");
}

static void
store_checked_finds_a_key_that_was_deleted (void **state)
{
    (void) state;
    open_store (PLACE);
    submit (0);
    commit ();
    fold ();
    frame_t *frame = frame_new (0, ++newest[0]);
    frame_delete (frame, "sb", 2);
    frames[frames_count++] = frame;
    journal_submit (store->journal, frame);
    commit ();
    fold_without (0);
    is_damaged ("shard 0: frame 2, which is folded, deletes the key sb, but the state holds it");
}

/*  The disk gets full after some transactions. */
static troupe_status_t
fold_until_full (void *self, const state_change_t *changes, size_t count, const state_mark_t *marks,
                 troupe_error_t *error)
{
    if (folds_left-- > 0)
        return whole_port.fold (self, changes, count, marks, error);
    error->status = TROUPE_FULL;
    return TROUPE_FULL;
}

/*  What the tree has, wherever the mark is. */
static uint64_t
number_in_tree (uint16_t shard)
{
    state_view_t *view = store->state->view_new (store->state->self, shard);
    const uint8_t *value;
    size_t size;
    assert_int_equal (store->state->get (view, (const uint8_t *) "snewest", 7, &value, &size), TROUPE_OK);
    uint64_t number = get_le64 (value);
    store->state->view_destroy (&view);
    return number;
}

static void
store_checked_knows_what_comes_after_the_fold (void **state)
{
    (void) state;
    troupe_error_t error = { 0 };
    open_store (PLACE);
    submit (0);
    submit (1);
    commit ();
    fold ();
    submit (0);
    submit (1);
    commit ();
    checkpoint_pace_t pace = { .most_changes = 1 };
    checkpoint_set_pace (store->checkpoint, &pace);
    whole_port = *store->state;
    store->state->fold = fold_until_full;
    folds_left = 3;  /* each with one change */
    assert_int_equal (store_fold (store, &error), TROUPE_FULL);
    *store->state = whole_port;
    assert_true (number_in_tree (0) == 2 && number_in_tree (1) == 1);
    close_store ();
    is_whole (PLACE);
    assert_non_null (strstr (told, "agree about the 0 keys"));
}

/* ------------------------------------------------------------------ *
 *  Looking on
 * ------------------------------------------------------------------ */

static void
note_files (const char *place, const char *to)
{
    char command[200];
    snprintf (command, sizeof command, "(cd %s && find . -printf '%%p %%s %%T@ %%i\\n' | sort; "
              "cat lock 2> /dev/null) > %s", place, to);
    (void) !system (command);
}

static void
store_checked_is_not_changed (void **state)
{
    (void) state;
    troupe_error_t error = { 0 };
    open_store (PLACE);
    submit (0);
    commit ();
    fold ();
    submit (0);
    commit ();
    assert_int_equal (store_backup (store, "copy", NULL, NULL, NULL, NULL, &error), TROUPE_OK);
    close_store ();
    assert_int_equal (access ("copy/lock", F_OK), -1);
    assert_int_equal (unlink ("store/state.mdb-lock"), 0);
    static const char *const places[] = { "store", "copy" };
    for (int i = 0; i < 2; i++) {
        note_files (places[i], "before");
        is_whole (places[i]);
        note_files (places[i], "after");
        assert_int_equal (system ("cmp before after"), 0);
    }
}

static void
store_checked_by_two_is_opened_by_none (void **state)
{
    (void) state;
    int ready[2];
    char byte;
    open_store (PLACE);
    close_store ();
    assert_int_equal (pipe (ready), 0);
    pid_t child = fork ();
    if (child == 0) {
        store_lock_t *lock;
        if (store_lock_share (PLACE, &lock, NULL) == TROUPE_OK && write (ready[1], "r", 1) == 1)
            pause ();
        _exit (1);
    }
    assert_int_equal (read (ready[0], &byte, 1), 1);
    is_whole (PLACE);
    is_refused (PLACE, TROUPE_LOCKED, "is being checked");
    kill (child, SIGKILL);
    waitpid (child, NULL, 0);
    close (ready[0]);
    close (ready[1]);
    open_store (PLACE);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (store_checked_whole_is_counted),
        TEST (store_checked_finds_damage_in_the_state),
        TEST (store_checked_finds_damage_in_the_journal),
        TEST (store_checked_finds_keys_of_no_table),
        TEST (store_checked_finds_a_change_that_was_not_folded),
        TEST (store_checked_finds_an_older_value),
        TEST (store_checked_finds_a_key_that_was_deleted),
        TEST (store_checked_knows_what_comes_after_the_fold),
        TEST (store_checked_is_not_changed),
        TEST (store_checked_by_two_is_opened_by_none),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
