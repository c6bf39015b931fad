/*  test_state_lmdb.c - what only the state on LMDB does: files, locks, bounds, copies, damage.
 */
#include "tests/unit/state_help.h"

#include "storage/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void
state_lmdb_reopened_holds_all (void **state)
{
    (void) state;
    state_identity_t before = *port->identity (port->self);
    put (3, "a", "1");
    fold (3);
    state_lmdb_destroy (&port);
    open_lmdb ();
    assert_memory_equal (&before, port->identity (port->self), sizeof before);
    state_mark_t found[SHARDS];
    port->marks (port->self, found);
    assert_memory_equal (found, marks, sizeof found);
    state_view_t *view = port->view_new (port->self, 3);
    assert_true (port->view_renew (view) == 1);
    assert_string_equal (get (view, "a"), "1");
    port->view_destroy (&view);
    struct stat info;
    assert_int_equal (stat (PLACE, &info), 0);
    assert_int_equal (info.st_mode & 0777, 0700);
    assert_int_equal (stat (PLACE "/state.mdb", &info), 0);
    assert_int_equal (info.st_mode & 0777, 0600);
}

static void
reopened_has_these_marks (void)
{
    state_lmdb_destroy (&port);
    open_lmdb ();
    state_mark_t found[SHARDS];
    port->marks (port->self, found);
    assert_memory_equal (found, marks, sizeof found);
    state_view_t *view = port->view_new (port->self, 1);
    assert_true (port->view_renew (view) == marks[1].frame);
    assert_string_equal (get (view, "a"), "1");
    port->view_destroy (&view);
}

static void
state_lmdb_reopened_in_the_middle_of_a_fold_knows_its_reach (void **state)
{
    (void) state;
    put (1, "a", "1");
    fold (1);
    marks[1].reached = 3;
    fold (2);
    reopened_has_these_marks ();
    marks[1].frame = 3;
    marks[1].reached = 0;
    fold (2);
    reopened_has_these_marks ();
}

static void
state_lmdb_opened_twice_in_a_process_is_refused (void **state)
{
    (void) state;
    troupe_error_t error;
    assert_null (state_lmdb_new (PLACE, true, SHARDS, 0, 0, &error));
    assert_int_equal (error.status, TROUPE_LOCKED);
    assert_non_null (strstr (error.text, "this process"));
    assert_int_equal (symlink (PLACE, "other-name"), 0);
    assert_null (state_lmdb_new ("other-name", true, SHARDS, 0, 0, &error));
    assert_int_equal (error.status, TROUPE_LOCKED);
    unlink ("other-name");
}

static void
state_lmdb_missing_without_create_is_not_found (void **state)
{
    (void) state;
    troupe_error_t error;
    assert_null (state_lmdb_new ("nowhere", false, SHARDS, 0, 0, &error));
    assert_int_equal (error.status, TROUPE_NOT_FOUND);
    assert_int_equal (access ("nowhere", F_OK), -1);
    assert_int_equal (mkdir ("empty", 0700), 0);
    assert_null (state_lmdb_new ("empty", false, SHARDS, 0, 0, NULL));
    assert_int_equal (rmdir ("empty"), 0);
    assert_null (state_lmdb_new ("nowhere", true, STATE_SHARDS_MAX + 1, 0, 0, &error));
    assert_int_equal (error.status, TROUPE_INVALID);
}

/*  Changes a byte of the identity's record behind the state's back. */
static void
change_identity (size_t at, uint8_t byte)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    uint8_t zero = 0, copy[4096];
    MDB_val key = { 1, &zero }, data;
    assert_int_equal (mdb_env_create (&env), 0);
    assert_int_equal (mdb_env_set_mapsize (env, 1 << 20), 0);  /* the file's own is more than TSan leaves */
    assert_int_equal (mdb_env_open (env, PLACE "/state.mdb", MDB_NOSUBDIR, 0600), 0);
    assert_int_equal (mdb_txn_begin (env, NULL, 0, &txn), 0);
    assert_int_equal (mdb_dbi_open (txn, NULL, 0, &dbi), 0);
    assert_int_equal (mdb_get (txn, dbi, &key, &data), 0);
    assert_true (data.mv_size < sizeof copy);
    memcpy (copy, data.mv_data, data.mv_size);
    copy[at] = byte;
    data.mv_data = copy;
    assert_int_equal (mdb_put (txn, dbi, &key, &data, 0), 0);
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);
}

static void
state_lmdb_of_other_format_is_refused (void **state)
{
    (void) state;
    troupe_error_t error;
    state_lmdb_destroy (&port);
    change_identity (8, STATE_FORMAT + 1);
    assert_null (state_lmdb_new (PLACE, true, SHARDS, 0, 0, &error));
    assert_int_equal (error.status, TROUPE_MISMATCH);
    change_identity (8, STATE_FORMAT);
    change_identity (20, 0x55);
    assert_null (state_lmdb_new (PLACE, true, SHARDS, 0, 0, &error));
    assert_int_equal (error.status, TROUPE_CORRUPT);
}

static void
state_lmdb_over_its_bound_is_full_and_unchanged (void **state)
{
    (void) state;
    state_lmdb_destroy (&port);
    remove_all (PLACE);
    port = state_lmdb_new (PLACE, true, SHARDS, 0, 1 << 20, NULL);
    assert_non_null (port);
    static uint8_t large[2 << 20];
    put (0, "a", "1");
    fold (0);
    troupe_error_t error;
    state_mark_t moved[SHARDS] = { { 9, 9 } };
    add (FRAME_PUT, 0, "b", 1, large, sizeof large);
    assert_int_equal (port->fold (port->self, changes, 1, moved, &error), TROUPE_FULL);
    assert_non_null (strstr (error.text, "map_bytes"));
    changes_count = 0;
    state_view_t *view = port->view_new (port->self, 0);
    assert_true (port->view_renew (view) == 1);
    assert_string_equal (list (view, "", "", 99), "a=1 ");
    put (0, "c", "2");
    fold (0);
    port->view_renew (view);
    assert_string_equal (list (view, "", "", 99), "a=1 c=2 ");
    port->view_destroy (&view);
}

static void
state_lmdb_on_a_full_disk_is_full_and_goes_on_with_room (void **state)
{
    (void) state;
    static uint8_t large[40 << 20];
    struct rlimit before, small = { 20 << 20, RLIM_INFINITY };
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal (SIGXFSZ, SIG_IGN);
    put (0, "a", "1");
    fold (0);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &small), 0);
    add (FRAME_PUT, 0, "b", 1, large, sizeof large);
    troupe_status_t status = try_fold (0);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &before), 0);
    assert_int_equal (status, TROUPE_FULL);
    state_view_t *view = port->view_new (port->self, 0);
    assert_string_equal (list (view, "", "", 99), "a=1 ");
    add (FRAME_PUT, 0, "b", 1, large, sizeof large);
    fold (0);
    port->view_renew (view);
    const uint8_t *value;
    size_t size;
    assert_int_equal (port->get (view, (const uint8_t *) "b", 1, &value, &size), TROUPE_OK);
    assert_int_equal (size, sizeof large);
    port->view_destroy (&view);
}

static void
state_lmdb_copied_is_the_same_store (void **state)
{
    (void) state;
    troupe_error_t error = { 0 };
    put (0, "a", "1");
    put (2, "b", "2");
    fold (0);
    assert_int_equal (state_lmdb_copy (port, "copy", &error), TROUPE_OK);
    put (0, "a", "later");
    fold (0);
    assert_int_equal (state_lmdb_copy (port, "copy", &error), TROUPE_INVALID);
    assert_int_equal (access ("copy/state.mdb.new", F_OK), -1);
    state_port_t *origin = port;
    port = state_lmdb_new ("copy", false, 0, 0, 0, &error);
    assert_non_null (port);
    assert_memory_equal (port->identity (port->self), origin->identity (origin->self), sizeof (state_identity_t));
    state_view_t *view = port->view_new (port->self, 0);
    assert_true (port->view_renew (view) == 1);
    assert_string_equal (list (view, "", "", 99), "a=1 ");
    port->view_destroy (&view);
    state_lmdb_destroy (&port);
    port = origin;
}

static void
state_lmdb_new_epoch_changes_nothing_else (void **state)
{
    (void) state;
    put (0, "a", "1");
    fold (0);
    state_identity_t before = *port->identity (port->self);
    assert_int_equal (state_lmdb_new_epoch (PLACE, NULL), TROUPE_LOCKED);
    state_lmdb_destroy (&port);
    assert_int_equal (state_lmdb_new_epoch (PLACE, NULL), TROUPE_OK);
    open_lmdb ();
    state_identity_t after = *port->identity (port->self);
    assert_memory_not_equal (before.epoch, after.epoch, sizeof before.epoch);
    memcpy (after.epoch, before.epoch, sizeof after.epoch);
    assert_memory_equal (&before, &after, sizeof before);
    state_mark_t found[SHARDS];
    port->marks (port->self, found);
    assert_memory_equal (found, marks, sizeof found);
}

/* ------------------------------------------------------------------ *
 *  Other processes and damage
 * ------------------------------------------------------------------ */

static void
state_lmdb_held_by_another_process_names_its_pid (void **state)
{
    (void) state;
    state_lmdb_destroy (&port);
    int ready[2];
    char byte = 'x';
    assert_int_equal (pipe (ready), 0);
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        state_port_t *held = state_lmdb_new (PLACE, false, 0, 0, 0, NULL);
        if (held && write (ready[1], "r", 1) == 1)
            pause ();
        _exit (1);
    }
    assert_int_equal (read (ready[0], &byte, 1), 1);
    troupe_error_t error;
    char pid[32];
    snprintf (pid, sizeof pid, "process %ld ", (long) child);
    assert_null (state_lmdb_new (PLACE, true, SHARDS, 0, 0, &error));
    assert_int_equal (error.status, TROUPE_LOCKED);
    assert_non_null (strstr (error.text, pid));
    kill (child, SIGKILL);
    waitpid (child, NULL, 0);
    close (ready[0]);
    close (ready[1]);
    open_lmdb ();
}

/*  Folds until it is killed; says so after the first. */
static _Noreturn void
fold_for_ever (int ready)
{
    port = state_lmdb_new (PLACE, false, 0, 0, 0, NULL);
    if (port)
        fold_cut ();
    for (ssize_t said = write (ready, "r", 1); port && said == 1;)
        fold_cut ();
    _exit (1);
}

static void
state_lmdb_killed_while_folding_is_one_whole_fold (void **state)
{
    (void) state;
    int ready[2];
    char byte;
    assert_int_equal (pipe (ready), 0);
    for (int round = 0; round < 12; round++) {
        state_lmdb_destroy (&port);
        pid_t child = fork ();
        assert_true (child >= 0);
        if (child == 0)
            fold_for_ever (ready[1]);
        assert_int_equal (read (ready[0], &byte, 1), 1);
        usleep ((unsigned) round * 2711);
        kill (child, SIGKILL);
        waitpid (child, NULL, 0);
        open_lmdb ();
        port->marks (port->self, marks);
        assert_int_equal (state_lmdb_sync (port, NULL), TROUPE_OK);
        for (uint16_t shard = 0; shard < SHARDS; shard++) {
            assert_true (marks[shard].frame == marks[0].frame);
            state_view_t *view = port->view_new (port->self, shard);
            assert_true (view_is_one_cut (view));
            port->view_destroy (&view);
        }
    }
    assert_true (marks[0].frame > 0);
    close (ready[0]);
    close (ready[1]);
}

static bool
hash_record (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    uint64_t *hash = arg;
    *hash = hash_bytes (value, value_size, hash_bytes (key, key_size, *hash + 1));
    return true;
}

/*  What a check does: the pages first, and only then a walk through the map. */
static troupe_status_t
look_at_all (uint64_t *content)
{
    pages_counts_t counts;
    troupe_status_t status = pages_check (PLACE "/state.mdb", &counts, NULL);
    if (status != TROUPE_OK)
        return status;
    troupe_error_t error;
    state_port_t *found = state_lmdb_new (PLACE, false, 0, 0, 0, &error);
    if (!found)
        return error.status;
    *content = 0;
    status = state_lmdb_walk (found, hash_record, content, NULL);
    state_lmdb_destroy (&found);
    return status;
}

/*  A tree of three levels with long values, deletions and free pages. */
static void
fill_store (void)
{
    static uint8_t keys[3000][FRAME_KEY_MAX], value[9000];
    memset (value, 'v', sizeof value);
    for (int round = 0; round < 3; round++) {
        for (uint16_t i = 0; i < 3000; i++) {
            memset (keys[i], 'k', sizeof keys[i]);
            put_be16 (keys[i] + 1, i);
            size_t key_size = 3 + i * 7919u % 400;
            if (round == 2 && i % 3)
                add (FRAME_DELETE, 1, keys[i], key_size, NULL, 0);
            else
                add (FRAME_PUT, 1, keys[i], key_size, value, i % 50 ? i % 100 : sizeof value - i);
        }
        fold (1);
    }
}

static void
flip (uint64_t at, uint8_t mask)
{
    int fd = open (PLACE "/state.mdb", O_RDWR);
    uint8_t byte;
    assert_true (fd >= 0);
    assert_int_equal (pread (fd, &byte, 1, (off_t) at), 1);
    byte ^= mask;
    assert_int_equal (pwrite (fd, &byte, 1, (off_t) at), 1);
    close (fd);
}

static void
state_lmdb_whole_passes_the_check_of_pages (void **state)
{
    (void) state;
    fill_store ();
    assert_int_equal (state_lmdb_copy (port, "copy", NULL), TROUPE_OK);
    state_lmdb_destroy (&port);
    uint64_t content;
    assert_int_equal (look_at_all (&content), TROUPE_OK);
    pages_counts_t counts;
    assert_int_equal (pages_check (PLACE "/state.mdb", &counts, NULL), TROUPE_OK);
    assert_true (counts.free > 0);
    assert_true (counts.used + counts.free == counts.pages);
    assert_int_equal (counts.entries, 1001);
    assert_int_equal (pages_check ("copy/state.mdb", &counts, NULL), TROUPE_OK);
    assert_int_equal (counts.free, 0);
    assert_int_equal (counts.entries, 1001);
}

/*  Rot anywhere must not end the process, and is found or changes nothing. */
static void
state_lmdb_with_rot_is_found_or_unchanged (void **state)
{
    (void) state;
    fill_store ();
    assert_int_equal (state_lmdb_copy (port, "copy", NULL), TROUPE_OK);
    state_lmdb_destroy (&port);
    assert_int_equal (rename ("copy/state.mdb", PLACE "/state.mdb"), 0);
    struct stat info;
    assert_int_equal (stat (PLACE "/state.mdb", &info), 0);
    uint64_t content, changed, dice = 3, found = 0;
    assert_int_equal (look_at_all (&content), TROUPE_OK);
    for (int i = 0; i < 800; i++) {
        dice = hash_mix (dice, 11);
        uint64_t at = dice % (uint64_t) info.st_size;
        if (i % 4 == 1)
            at = at / 4096 * 4096 + dice % 32;  /* the heads of pages */
        if (i % 4 == 2)
            at = dice % 200;                    /* the heads of the file */
        uint8_t mask = (uint8_t) (1u << (dice >> 40 & 7));
        flip (at, mask);
        if (look_at_all (&changed) != TROUPE_OK)
            found++;
        else
            assert_true (content == changed);
        flip (at, mask);
    }
    assert_int_equal (look_at_all (&changed), TROUPE_OK);
    assert_true (content == changed);
    print_message ("found %d of 800 flipped bits, the others changed nothing\n", (int) found);
    assert_true (found > 250);
}

static void
state_lmdb_with_rot_in_a_value_is_not_served (void **state)
{
    (void) state;
    put (0, "kkkkkkkk", "a value that nobody else has");
    fold (0);
    state_lmdb_destroy (&port);
    int fd = open (PLACE "/state.mdb", O_RDONLY);
    static uint8_t bytes[1 << 20];
    ssize_t size = read (fd, bytes, sizeof bytes);
    close (fd);
    const uint8_t *place = memmem (bytes, (size_t) size, "nobody else", 11);
    assert_non_null (place);
    flip ((uint64_t) (place - bytes), 4);
    uint64_t none = 0;
    assert_int_equal (look_at_all (&none), TROUPE_CORRUPT);
    none = 0;
    open_lmdb ();
    state_view_t *view = port->view_new (port->self, 0);
    const uint8_t *value;
    size_t value_size;
    assert_int_equal (port->get (view, (const uint8_t *) "kkkkkkkk", 8, &value, &value_size), TROUPE_CORRUPT);
    assert_int_equal (port->scan (view, (const uint8_t *) "k", 1, NULL, 0, hash_record, &none), TROUPE_CORRUPT);
    assert_int_equal (none, 0);
    port->view_destroy (&view);
}

static void
state_lmdb_cut_short_is_refused (void **state)
{
    (void) state;
    fill_store ();
    state_lmdb_destroy (&port);
    struct stat info;
    assert_int_equal (stat (PLACE "/state.mdb", &info), 0);
    static const off_t cuts[] = { 1, 100, 4096, 5000, 8192, 12288 };
    for (size_t i = 0; i <= sizeof cuts / sizeof cuts[0]; i++) {
        off_t size = i < sizeof cuts / sizeof cuts[0] ? cuts[sizeof cuts / sizeof cuts[0] - 1 - i] : 0;
        assert_int_equal (truncate (PLACE "/state.mdb", size), 0);
        troupe_error_t error;
        assert_null (state_lmdb_new (PLACE, true, SHARDS, 0, 0, &error));
        assert_int_equal (error.status, TROUPE_CORRUPT);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        STATE_TEST (state_lmdb_reopened_holds_all),
        STATE_TEST (state_lmdb_reopened_in_the_middle_of_a_fold_knows_its_reach),
        STATE_TEST (state_lmdb_opened_twice_in_a_process_is_refused),
        STATE_TEST (state_lmdb_missing_without_create_is_not_found),
        STATE_TEST (state_lmdb_of_other_format_is_refused),
        STATE_TEST (state_lmdb_over_its_bound_is_full_and_unchanged),
        STATE_TEST (state_lmdb_on_a_full_disk_is_full_and_goes_on_with_room),
        STATE_TEST (state_lmdb_copied_is_the_same_store),
        STATE_TEST (state_lmdb_new_epoch_changes_nothing_else),
        STATE_TEST (state_lmdb_held_by_another_process_names_its_pid),
        STATE_TEST (state_lmdb_killed_while_folding_is_one_whole_fold),
        STATE_TEST (state_lmdb_whole_passes_the_check_of_pages),
        STATE_TEST (state_lmdb_with_rot_is_found_or_unchanged),
        STATE_TEST (state_lmdb_with_rot_in_a_value_is_not_served),
        STATE_TEST (state_lmdb_cut_short_is_refused),
    };
    on_lmdb = true;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
