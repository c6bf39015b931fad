/*  test_journal_full.c - the journal on a full disk, on a broken one, and without memory. */
#include "tests/unit/journal_help.h"

static void
journal_full_disk_is_told_and_left_behind (void **state)
{
    (void) state;
    open_ok ();
    disk_memory_set_space (rig.disk, RIG_SEGMENT + RIG_SEGMENT / 2);
    assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_FULL);
    assert_int_equal (count_files (), 1);
    for (int i = 0; i < 5; i++) {
        rig_submit (&rig, 0, 9000, 1);
        commit_ok ();
    }
    for (int i = 0; i < 5; i++)
        rig_submit (&rig, 0, 9000, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal (rig_commit (&rig), TROUPE_FULL);
    assert_int_equal (count_files (), 1);
    assert_int_equal (rig.durable[0], 5);
    disk_memory_set_space (rig.disk, 0);
    commit_ok ();
    assert_int_equal (rig.durable[0], 10);
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 1, 10));
}

/*  Trimming is what makes room: it must work while the disk is full. */
static void
journal_full_disk_is_freed_by_a_trim (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 10; i++) {
        rig_submit (&rig, 0, 9000, 1);
        commit_ok ();
    }
    disk_memory_set_space (rig.disk, count_files () * (uint64_t) RIG_SEGMENT);
    for (int i = 0; i < 10; i++)
        rig_submit (&rig, 0, 9000, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal (rig_commit (&rig), TROUPE_FULL);
        assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
    }
    commit_ok ();
    assert_int_equal (rig.durable[0], 20);
}

/*  The failed write left something of the batch behind. */
static void
journal_write_that_found_no_space_is_repeated_in_place (void **state)
{
    (void) state;
    open_ok ();
    rig_submit (&rig, 0, 5000, 1);
    commit_ok ();
    rig_submit (&rig, 0, 9000, 1);
    rig_submit (&rig, 1, 9000, 1);
    disk_memory_set_space (rig.disk, 1);
    uint64_t syncs = journal_counts (rig.journal).syncs;
    for (int i = 0; i < 3; i++)
        assert_int_equal (rig_commit (&rig), TROUPE_FULL);
    assert_int_equal (rig.calls, 4);
    assert_int_equal (journal_counts (rig.journal).syncs, syncs);
    rig_submit (&rig, 0, 100, 1);
    disk_memory_set_space (rig.disk, 0);
    uint32_t frames;
    assert_int_equal (journal_commit (rig.journal, &frames, &rig.error), TROUPE_OK);
    assert_int_equal (frames, 3);
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 1, 3));
    assert_true (rig_replayed (&rig, 1, 1, 1));
}

static void
journal_starts_on_a_full_disk_with_a_small_segment (void **state)
{
    (void) state;
    rig.options.segment_size = 1 << 20;
    open_ok ();
    for (int i = 0; i < 3; i++) {
        rig_submit (&rig, 0, 5000, 1);
        commit_ok ();
    }
    rig_crash (&rig, 1, false);
    disk_memory_set_space (rig.disk, (1 << 20) + (200 << 10));
    open_ok ();
    assert_true (rig_replayed (&rig, 0, 1, 3));
    for (int i = 0; i < 20; i++)
        rig_submit (&rig, 0, 9000, 1);
    assert_int_equal (rig_commit (&rig), TROUPE_FULL);
    assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
    commit_ok ();
    rig_crash (&rig, 2, false);
    disk_memory_set_space (rig.disk, 1);
    assert_int_equal (rig_open (&rig), TROUPE_FULL);
    disk_memory_set_space (rig.disk, 0);
    open_ok ();
    assert_true (rig_replayed (&rig, 0, rig.marks[0].frame + 1, 23));
}

/*  With a segment that was ready, and one behind the end. */
static void
journal_that_had_no_room_to_start_tries_again (void **state)
{
    (void) state;
    rig.options.spare_segments = 2;
    for (uint64_t first = 1; first <= 9; first += 3) {
        open_ok ();
        for (uint64_t i = 0; i < 3; i++) {
            rig_submit (&rig, 0, RIG_SEGMENT / 2, 1);
            commit_ok ();
        }
        assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_OK);
        uint64_t bytes = journal_counts (rig.journal).bytes;
        rig_crash (&rig, first, false);
        disk_memory_set_space (rig.disk, 1);
        rig.grows = true;
        open_ok ();
        assert_true (rig_replayed (&rig, 0, 1, first + 2));
        assert_true (journal_counts (rig.journal).bytes >= bytes);
        assert_true (journal_counts (rig.journal).bytes <= disk_memory_used (rig.disk));
        rig_crash (&rig, first, false);
    }
}

static void
journal_that_is_held_back_starts_with_a_small_segment (void **state)
{
    (void) state;
    rig.options.segment_size = 1 << 20;
    open_ok ();
    rig_submit (&rig, 0, 5000, 1);
    commit_ok ();
    rig_crash (&rig, 1, false);
    uint64_t used = disk_memory_used (rig.disk);
    disk_memory_set_space (rig.disk, used);
    rig.grows = true;
    open_ok ();
    assert_true (rig_replayed (&rig, 0, 1, 1));
    assert_true (disk_memory_used (rig.disk) > used && disk_memory_used (rig.disk) <= used + (100 << 10));
    assert_true (journal_counts (rig.journal).unfolded_bytes > 0);
    assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_FULL);
}

/*  What is there it uses, it takes nothing more. */
static void
journal_that_is_held_back_takes_no_room (void **state)
{
    (void) state;
    open_ok ();
    journal_hold_back (rig.journal, true);
    rig_submit (&rig, 0, RIG_SEGMENT / 2, 1);
    commit_ok ();
    assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_FULL);
    rig_submit (&rig, 0, RIG_SEGMENT / 2, 1);
    assert_int_equal (rig_commit (&rig), TROUPE_FULL);
    assert_int_equal (rig.error.status, TROUPE_FULL);
    assert_non_null (strstr (rig.error.text, "belongs to the checkpoint"));
    assert_int_equal (count_files (), 1);
    journal_hold_back (rig.journal, false);
    commit_ok ();
    assert_int_equal (rig.durable[0], 2);
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 1, 2));
}

static void
journal_that_is_held_back_for_no_fold_goes_on (void **state)
{
    (void) state;
    open_ok ();
    journal_hold_back (rig.journal, true);
    rig_submit (&rig, 0, 2 * RIG_SEGMENT, 1);
    commit_ok ();
    assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
    rig_submit (&rig, 0, 2 * RIG_SEGMENT, 1);
    commit_ok ();
    assert_int_equal (rig.durable[0], 2);
}

static void
journal_failed_sync_ends_it_for_good (void **state)
{
    (void) state;
    open_ok ();
    rig_submit (&rig, 0, 10, 1);
    disk_memory_fail_sync_after (rig.disk, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (rig_commit (&rig), TROUPE_IO);
        assert_int_equal (rig.error.status, TROUPE_IO);
        assert_non_null (strstr (rig.error.text, "the sync failed"));
    }
    assert_int_equal (rig.durable[0], 0);
    assert_null (journal_take_durable (rig.journal));
    assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_IO);
    assert_int_equal (journal_trim (rig.journal, 0, &rig.error), TROUPE_IO);
}

static void
journal_failed_sync_of_the_checkpoints_thread_ends_it_too (void **state)
{
    (void) state;
    for (uint64_t sync = 1; sync <= 2; sync++) {
        open_ok ();
        rig_submit (&rig, 0, 10, 1);
        disk_memory_fail_sync_after (rig.disk, sync);
        assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_IO);
        assert_int_equal (rig_commit (&rig), TROUPE_IO);
        rig_crash (&rig, sync, false);
    }
}

static void
journal_out_of_memory_never_loses_a_frame (void **state)
{
    (void) state;
    uint64_t n = 1;
    troupe_status_t status;
    do {
        memory_fail_after (n++);
        status = rig_open (&rig);
        memory_fail_after (0);
        assert_true (status == TROUPE_OK || status == TROUPE_NO_MEMORY || status == TROUPE_FULL);
    } while (status != TROUPE_OK);
    assert_true (n > 8);
    for (int i = 0; i < 30; i++) {
        rig_submit (&rig, 0, 9000, 1);
        memory_fail_after (1 + (uint64_t) i % 3);
        status = rig_commit (&rig);
        memory_fail_after (0);
        assert_true (status == TROUPE_OK || status == TROUPE_FULL);
    }
    commit_ok ();
    rig_crash (&rig, 1, true);
    for (n = 1; n < 100; n++) {
        memory_fail_after (n);
        status = rig_open (&rig);
        memory_fail_after (0);
        if (status == TROUPE_OK)
            break;
        assert_true (status == TROUPE_NO_MEMORY || status == TROUPE_FULL);
    }
    assert_true (rig_replayed (&rig, 0, 1, 30));
}

typedef struct {
    frame_t *frames[3];
    uint32_t count;
} refused_t;

static troupe_status_t
refuse_the_third (void *arg, frame_t *frame)
{
    refused_t *refused = arg;
    refused->frames[refused->count++] = frame;
    return refused->count < 3 ? TROUPE_OK : TROUPE_NO_MEMORY;
}

static void
journal_replay_that_refuses_ends_the_recovery (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 5; i++)
        rig_submit (&rig, 0, 10, 1);
    commit_ok ();
    rig_crash (&rig, 1, false);
    refused_t refused = { .count = 0 };
    journal_t *journal = journal_new (rig.disk, &rig.identity, &rig.options, &rig.error);
    assert_int_equal (journal_recover (journal, rig.marks, RIG_SHARDS, refuse_the_third, &refused, &rig.error),
                      TROUPE_NO_MEMORY);
    assert_int_equal (rig.error.status, TROUPE_NO_MEMORY);
    journal_destroy (&journal);
    while (refused.count)
        frame_destroy (&refused.frames[--refused.count]);
    open_ok ();
    assert_true (rig_replayed (&rig, 0, 1, 5));
}

static void
journal_size_of_segments_is_checked (void **state)
{
    (void) state;
    uint64_t bad[] = { 0, 4096, 8191, 10000 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rig.options.segment_size = bad[i];
        assert_int_equal (rig_open (&rig), TROUPE_INVALID);
    }
    rig.options.segment_size = 8192;
    open_ok ();
    rig_submit (&rig, 0, 10, 1);
    commit_ok ();
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (journal_full_disk_is_told_and_left_behind),
        TEST (journal_full_disk_is_freed_by_a_trim),
        TEST (journal_write_that_found_no_space_is_repeated_in_place),
        TEST (journal_starts_on_a_full_disk_with_a_small_segment),
        TEST (journal_that_had_no_room_to_start_tries_again),
        TEST (journal_that_is_held_back_starts_with_a_small_segment),
        TEST (journal_that_is_held_back_takes_no_room),
        TEST (journal_that_is_held_back_for_no_fold_goes_on),
        TEST (journal_failed_sync_ends_it_for_good),
        TEST (journal_failed_sync_of_the_checkpoints_thread_ends_it_too),
        TEST (journal_out_of_memory_never_loses_a_frame),
        TEST (journal_replay_that_refuses_ends_the_recovery),
        TEST (journal_size_of_segments_is_checked),
    };
    return cmocka_run_group_tests_name ("journal_full", tests, NULL, NULL);
}
