/*  test_store.c - a store as a whole: opened, refused, folded, backed up and restored.
 */
#include "runtime/base/memory.h"
#include "tests/unit/store_help.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ------------------------------------------------------------------ *
 *  Opening
 * ------------------------------------------------------------------ */

static void
store_opened_new_is_its_owners_alone (void **state)
{
    (void) state;
    open_store (PLACE);
    static const char *const names[] = { "store", "store/journal", "store/state.mdb", "store/lock" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct stat info;
        assert_int_equal (stat (names[i], &info), 0);
        assert_int_equal (info.st_mode & 077, 0);
    }
    assert_int_equal (store->state->identity (store->state->self)->shards, SHARDS);
}

static void
store_missing_without_create_is_not_found (void **state)
{
    (void) state;
    options.create = false;
    is_refused (PLACE, TROUPE_NOT_FOUND, "no store");
    assert_int_equal (access (PLACE, F_OK), -1);
}

static void
store_reopened_hands_out_what_is_not_folded (void **state)
{
    (void) state;
    open_store (PLACE);
    submit (0);
    submit (1);
    commit ();
    fold ();
    submit (1);
    submit (2);
    commit ();
    close_store ();
    open_store (PLACE);
    assert_int_equal (frames_count, 2);
    assert_true (newest[0] == 1 && newest[1] == 2 && newest[2] == 1);
    assert_true (number_in_state (1) == 1);
    fold ();
    assert_true (number_in_state (1) == 2);
    assert_true (number_in_state (2) == 1);
    submit (2);
    commit ();
    close_store ();
    is_whole (PLACE);
}

static void
store_opened_twice_is_locked (void **state)
{
    (void) state;
    open_store (PLACE);
    is_refused (PLACE, TROUPE_LOCKED, "this process");
    troupe_error_t error;
    assert_int_equal (check (PLACE, &error), TROUPE_LOCKED);
}

static void
store_held_by_another_process_is_locked (void **state)
{
    (void) state;
    int ready[2];
    char byte, pid[32];
    assert_int_equal (pipe (ready), 0);
    pid_t child = fork ();
    if (child == 0) {
        if (store_open (&options, NULL) && write (ready[1], "r", 1) == 1)
            pause ();
        _exit (1);
    }
    assert_int_equal (read (ready[0], &byte, 1), 1);
    snprintf (pid, sizeof pid, "process %ld ", (long) child);
    is_refused (PLACE, TROUPE_LOCKED, pid);
    kill (child, SIGKILL);
    waitpid (child, NULL, 0);
    close (ready[0]);
    close (ready[1]);
    open_store (PLACE);
}

static void
store_with_the_journal_of_another_is_mismatch (void **state)
{
    (void) state;
    open_store (PLACE);
    submit (0);
    commit ();
    close_store ();
    open_store ("other");
    submit (0);
    commit ();
    close_store ();
    assert_int_equal (system ("rm -r store/journal; cp -r other/journal store/journal"), 0);
    is_refused (PLACE, TROUPE_MISMATCH, "");
}

static void
store_without_a_part_is_refused (void **state)
{
    (void) state;
    open_store (PLACE);
    submit (0);
    commit ();
    close_store ();
    assert_int_equal (rename ("store/journal", "store/elsewhere"), 0);
    is_refused (PLACE, TROUPE_INVALID, "no journal");
    assert_int_equal (rename ("store/elsewhere", "store/journal"), 0);
    assert_int_equal (rename ("store/state.mdb", "store/elsewhere"), 0);
    is_refused (PLACE, TROUPE_CORRUPT, "no state.mdb");
    options.create = false;
    is_refused (PLACE, TROUPE_CORRUPT, "no state.mdb");
}

static void
store_marked_broken_is_refused_until_acknowledged (void **state)
{
    (void) state;
    open_store (PLACE);
    store_mark_broken (store, "cannot sync 0000000001.seg");
    close_store ();
    is_refused (PLACE, TROUPE_IO, "0000000001.seg");
    troupe_error_t error;
    assert_int_equal (store_acknowledge (PLACE, &error), TROUPE_OK);
    assert_int_equal (store_acknowledge (PLACE, &error), TROUPE_OK);
    open_store (PLACE);
}

static int sync_error;  /* an errno; 0: syncs work */

/*  In place of the system's, for LMDB too. */
TROUPE_EXPORT int
fdatasync (int fd)
{
    if (sync_error == 0)
        return (int) syscall (SYS_fdatasync, fd);
    errno = sync_error;
    return -1;
}

/*  The kernel tells it once: the next sync would succeed. */
static void
store_whose_sync_fails_at_the_start_is_refused_until_acknowledged (void **state)
{
    (void) state;
    static const int errors[] = { EIO, ENOSPC };
    troupe_error_t error = { 0 };
    open_store (PLACE);
    submit (0);
    commit ();
    for (int i = 0; i < 2; i++) {
        close_store ();
        store = store_open (&options, &error);
        assert_non_null (store);
        sync_error = errors[i];
        assert_int_equal (store_recover (store, on_replay, NULL, &error), TROUPE_IO);
        sync_error = 0;
        close_store ();
        is_refused (PLACE, TROUPE_IO, "state.mdb");
        assert_int_equal (store_acknowledge (PLACE, &error), TROUPE_OK);
        open_store (PLACE);
    }
    assert_int_equal (frames_count, 1);
}

static void
store_opened_without_memory_is_refused_and_unharmed (void **state)
{
    (void) state;
    uint64_t nth = 0;
    while (!store) {
        troupe_error_t error = { 0 };
        memory_fail_after (++nth);
        store = store_open (&options, &error);
        memory_fail_after (0);
        assert_true (store || error.status == TROUPE_NO_MEMORY);
        assert_true (nth < 200);
    }
    assert_true (nth > 8);
    close_store ();
    open_store (PLACE);
}

/* ------------------------------------------------------------------ *
 *  Room
 * ------------------------------------------------------------------ */

static void
store_room_is_bounded_by_the_soft_limit (void **state)
{
    (void) state;
    open_store (PLACE);
    uint64_t room = 0;
    assert_true (room_is_enough (&store->room, store->journal, &room));
    assert_true (room > 0);
    store->room.soft_bytes = room / 2;
    assert_true (room_is_enough (&store->room, store->journal, NULL));
    store->room.soft_bytes = room * 2;
    assert_false (room_is_enough (&store->room, store->journal, NULL));
}

static state_port_t whole_port;

/*  No room as long as the ballast is there. */
static troupe_status_t
fold_beside_ballast (void *self, const state_change_t *changes, size_t count, const state_mark_t *marks,
                     troupe_error_t *error)
{
    if (access ("store/ballast", F_OK) != 0)
        return whole_port.fold (self, changes, count, marks, error);
    error->status = TROUPE_FULL;
    return TROUPE_FULL;
}

static void
store_fold_on_a_full_disk_takes_the_ballast (void **state)
{
    (void) state;
    options.ballast_bytes = 100000;
    open_store (PLACE);
    struct stat info;
    assert_int_equal (stat ("store/ballast", &info), 0);
    assert_int_equal (info.st_size, 100000);
    assert_true (info.st_blocks * 512 >= 100000);
    submit (0);
    commit ();
    whole_port = *store->state;
    store->state->fold = fold_beside_ballast;
    fold ();
    *store->state = whole_port;
    assert_true (number_in_state (0) == 1);
    assert_int_equal (stat ("store/ballast", &info), 0);
    assert_int_equal (info.st_size, 100000);
    store->room.port.free_ballast (store->room.port.self);
    assert_int_equal (access ("store/ballast", F_OK), -1);
}

static void
store_ballast_never_takes_the_last_room (void **state)
{
    (void) state;
    options.ballast_bytes = 1ull << 60;
    open_store (PLACE);
    assert_int_equal (access ("store/ballast", F_OK), -1);
}

/* ------------------------------------------------------------------ *
 *  Backup and restore
 * ------------------------------------------------------------------ */

static troupe_status_t
backup (const char *target, troupe_error_t *error)
{
    told[0] = '\0';
    return store_backup (store, target, NULL, NULL, note_line, NULL, error);
}

static troupe_status_t
restore (const char *from, const char *target, troupe_error_t *error)
{
    told[0] = '\0';
    return store_restore (from, target, TABLES, note_line, NULL, error);
}

static void
store_restored_is_the_same_with_a_new_epoch (void **state)
{
    (void) state;
    troupe_error_t error = { 0 };
    open_store (PLACE);
    for (int i = 0; i < 30; i++)
        submit ((uint16_t) (i % 2));
    commit ();
    assert_int_equal (backup ("copy", &error), TROUPE_OK);
    assert_non_null (strstr (told, "backup"));
    submit (0);
    commit ();
    fold ();
    state_identity_t before = *store->state->identity (store->state->self);
    close_store ();
    is_refused ("copy", TROUPE_INVALID, "restore");
    is_whole ("copy");
    assert_int_equal (restore ("copy", "again", &error), TROUPE_OK);
    open_store ("again");
    state_identity_t after = *store->state->identity (store->state->self);
    assert_memory_equal (before.store_id, after.store_id, 16);
    assert_memory_not_equal (before.epoch, after.epoch, 16);
    assert_true (number_in_state (0) == 15 && number_in_state (1) == 15 && number_in_state (2) == 0);
    submit (0);
    commit ();
    close_store ();
    open_store ("again");
    assert_true (newest[0] == 16);
    close_store ();
    is_whole ("again");
}

static atomic_bool writer_stops;
static atomic_uint writer_rounds;

/*  What a node's threads do: frames of two shards, one after the other. */
static void *
write_frames (void *arg)
{
    (void) arg;
    while (!atomic_load (&writer_stops) && frames_count + 2 < FRAMES_MAX) {
        uint32_t count;
        submit (0);
        if (journal_commit (store->journal, &count, NULL) != TROUPE_OK)
            break;
        submit (1);
        if (journal_commit (store->journal, &count, NULL) != TROUPE_OK)
            break;
        atomic_fetch_add (&writer_rounds, 1);
    }
    return NULL;
}

static void
store_backed_up_beside_writers_is_one_cut (void **state)
{
    (void) state;
    troupe_error_t error = { 0 };
    pthread_t writer;
    open_store (PLACE);
    atomic_store (&writer_stops, false);
    atomic_store (&writer_rounds, 0);
    assert_int_equal (pthread_create (&writer, NULL, write_frames, NULL), 0);
    troupe_status_t status = TROUPE_OK;
    for (int i = 0; i < 5 && status == TROUPE_OK; i++) {
        while (atomic_load (&writer_rounds) < 10u * (unsigned) (i + 1))
            usleep (500);
        assert_int_equal (system ("rm -rf copy"), 0);
        status = backup ("copy", &error);
    }
    atomic_store (&writer_stops, true);
    pthread_join (writer, NULL);
    if (status != TROUPE_OK)
        fail_msg ("%s", error.text);
    close_store ();
    assert_int_equal (restore ("copy", "again", &error), TROUPE_OK);
    open_store ("again");
    uint64_t first = number_in_state (0), second = number_in_state (1);
    assert_true (second >= 10);
    assert_true (first == second || first == second + 1);
}

static int folds_left;

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

/*  The checkpoint folds, and goes on beside the copy, as far as it gets. */
static troupe_status_t
fold_and_go_on (void *arg, troupe_error_t *error)
{
    (void) arg;
    troupe_status_t status = store_fold (store, error);
    for (uint16_t i = 0; i < 20; i++)
        submit (i % 2);
    commit ();
    troupe_error_t later;
    folds_left = 2;
    (void) !store_fold (store, &later);
    return status;
}

/*  It is whole with its journal, and nothing without. */
static void
half_folded_is_no_backup (void)
{
    troupe_error_t error = { 0 };
    assert_int_equal (system ("mkdir other && cp -r " PLACE "/state.mdb " PLACE "/journal other"), 0);
    is_whole ("other");
    assert_int_equal (system ("rm -r other/journal"), 0);
    assert_int_equal (store_check ("other", TABLES, NULL, NULL, &error), TROUPE_CORRUPT);
    assert_non_null (strstr (error.text, "no backup"));
    assert_int_equal (restore ("other", "again", &error), TROUPE_CORRUPT);
    assert_int_equal (system ("rm -r again"), 0);
}

static void
store_backed_up_beside_a_fold_is_one_cut (void **state)
{
    (void) state;
    troupe_error_t error = { 0 };
    open_store (PLACE);
    checkpoint_pace_t pace = { .most_changes = 1 };
    checkpoint_set_pace (store->checkpoint, &pace);
    whole_port = *store->state;
    store->state->fold = fold_until_full;
    submit (0);
    submit (1);
    commit ();
    folds_left = 3;
    assert_int_equal (store_fold (store, &error), TROUPE_FULL);  /* half of it is in the tree */
    half_folded_is_no_backup ();
    folds_left = 1;
    assert_int_equal (store_backup (store, "copy", fold_and_go_on, NULL, NULL, NULL, &error), TROUPE_OK);
    *store->state = whole_port;
    close_store ();
    assert_int_equal (restore ("copy", "again", &error), TROUPE_OK);
    open_store ("again");
    assert_true (number_in_state (0) == 11 && number_in_state (1) == 11);
}

static void
store_backup_over_something_is_refused (void **state)
{
    (void) state;
    troupe_error_t error;
    open_store (PLACE);
    assert_int_equal (backup ("copy", &error), TROUPE_OK);
    assert_int_equal (backup ("copy", &error), TROUPE_INVALID);
    assert_int_equal (backup (PLACE, &error), TROUPE_INVALID);
    assert_int_equal (backup ("not/there", &error), TROUPE_NOT_FOUND);
}

static troupe_status_t
refuse_to_fold (void *arg, troupe_error_t *error)
{
    (void) arg;
    error->status = TROUPE_STOPPING;
    return TROUPE_STOPPING;
}

static void
store_backup_without_a_fold_is_none (void **state)
{
    (void) state;
    troupe_error_t error;
    open_store (PLACE);
    assert_int_equal (store_backup (store, "copy", refuse_to_fold, NULL, NULL, NULL, &error), TROUPE_STOPPING);
    assert_int_equal (access ("copy", F_OK), -1);
}

static void
store_backup_that_fails_its_check_is_no_backup (void **state)
{
    (void) state;
    troupe_error_t error;
    open_store (PLACE);
    submit_as (0, "?");
    commit ();
    assert_int_equal (backup ("copy", &error), TROUPE_CORRUPT);
    assert_int_equal (access ("copy/state.mdb", F_OK), -1);
    assert_int_equal (restore ("copy", "again", &error), TROUPE_NOT_FOUND);
}

static void
store_restore_of_or_over_a_store_is_refused (void **state)
{
    (void) state;
    troupe_error_t error;
    open_store (PLACE);
    assert_int_equal (backup ("copy", &error), TROUPE_OK);
    assert_int_equal (restore ("copy", PLACE, &error), TROUPE_INVALID);
    close_store ();
    assert_int_equal (restore ("copy", PLACE, &error), TROUPE_INVALID);
    assert_int_equal (restore (PLACE, "again", &error), TROUPE_INVALID);
    assert_int_equal (restore ("nowhere", "again", &error), TROUPE_NOT_FOUND);
    assert_int_equal (access ("again", F_OK), -1);
    open_store (PLACE);
}

static void
store_restore_of_a_damaged_backup_never_opens (void **state)
{
    (void) state;
    troupe_error_t error;
    open_store (PLACE);
    submit (0);
    commit ();
    assert_int_equal (backup ("copy", &error), TROUPE_OK);
    off_t at = find_in ("copy/state.mdb", "snewest", 7) + 20;
    flip ("copy/state.mdb", at);
    assert_int_equal (restore ("copy", "again", &error), TROUPE_CORRUPT);
    is_refused ("again", TROUPE_CORRUPT, "did not finish");
    flip ("copy/state.mdb", at);
    assert_int_equal (restore ("copy", "again", &error), TROUPE_OK);
    close_store ();
    open_store ("again");
    assert_true (number_in_state (0) == 1);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (store_opened_new_is_its_owners_alone),
        TEST (store_missing_without_create_is_not_found),
        TEST (store_reopened_hands_out_what_is_not_folded),
        TEST (store_opened_twice_is_locked),
        TEST (store_held_by_another_process_is_locked),
        TEST (store_with_the_journal_of_another_is_mismatch),
        TEST (store_without_a_part_is_refused),
        TEST (store_marked_broken_is_refused_until_acknowledged),
        TEST (store_whose_sync_fails_at_the_start_is_refused_until_acknowledged),
        TEST (store_opened_without_memory_is_refused_and_unharmed),
        TEST (store_room_is_bounded_by_the_soft_limit),
        TEST (store_fold_on_a_full_disk_takes_the_ballast),
        TEST (store_ballast_never_takes_the_last_room),
        TEST (store_restored_is_the_same_with_a_new_epoch),
        TEST (store_backed_up_beside_writers_is_one_cut),
        TEST (store_backed_up_beside_a_fold_is_one_cut),
        TEST (store_backup_over_something_is_refused),
        TEST (store_backup_without_a_fold_is_none),
        TEST (store_backup_that_fails_its_check_is_no_backup),
        TEST (store_restore_of_or_over_a_store_is_refused),
        TEST (store_restore_of_a_damaged_backup_never_opens),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
