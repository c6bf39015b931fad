/*  test_journal.c - frames in and out, torn ends, trims: one situation at a time. */
#include "tests/unit/journal_help.h"

/* ------------------------------------------------------------------ *
 *  Written and recovered
 * ------------------------------------------------------------------ */

static void
journal_new_store_has_nothing_to_replay (void **state)
{
    (void) state;
    open_ok ();
    assert_int_equal (rig.replayed_count, 0);
    assert_int_equal (journal_counts (rig.journal).lsn, 0);
    commit_ok ();
    assert_null (journal_take_durable (rig.journal));
    reopen (1);
    assert_int_equal (rig.replayed_count, 0);
}

static void
journal_frames_come_back_with_their_bytes_and_in_order (void **state)
{
    (void) state;
    open_ok ();
    for (int batch = 0; batch < 5; batch++) {
        for (uint16_t shard = 0; shard < RIG_SHARDS; shard++)
            for (int i = 0; i <= shard; i++)
                rig_submit (&rig, shard, (size_t) (batch * 100 + i), 1);
        commit_ok ();
    }
    assert_int_equal (journal_counts (rig.journal).lsn, 50);
    reopen (1);
    assert_int_equal (rig.replayed_count, 50);
    for (uint16_t shard = 0; shard < RIG_SHARDS; shard++)
        assert_true (rig_replayed (&rig, shard, 1, 5u * (shard + 1u)));
    for (uint32_t i = 0; i < rig.replayed_count; i++) {
        assert_true (rig_frame_is (rig.replayed[i], 1));
        assert_int_equal (rig.replayed[i]->lsn, i + 1);
    }
    rig_submit (&rig, 2, 10, 2);
    commit_ok ();
    assert_int_equal (journal_counts (rig.journal).lsn, 51);
    reopen (2);
    assert_true (rig_replayed (&rig, 2, 1, 16));
    assert_true (rig_frame_is (rig.replayed[50], 2));
}

static void
journal_empty_and_odd_bodies_come_back (void **state)
{
    (void) state;
    open_ok ();
    frame_t *empty = frame_new (0, 1);
    assert_non_null (empty);
    journal_submit (rig.journal, empty);
    rig.submitted[0] = 1;
    for (size_t size = 0; size < 20; size++)
        rig_submit (&rig, 0, size, 1);
    commit_ok ();
    reopen (1);
    frame_destroy (&empty);
    assert_true (rig_replayed (&rig, 0, 1, 21));
    assert_int_equal (rig.replayed[0]->body.size, 0);
    for (uint32_t i = 1; i < 21; i++)
        assert_true (rig_frame_is (rig.replayed[i], 1));
}

static void
journal_hands_out_only_frames_above_the_marks (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 10; i++) {
        rig_submit (&rig, 0, 10, 1);
        rig_submit (&rig, 1, 10, 1);
        commit_ok ();
    }
    rig.marks[0].frame = 8;
    rig.marks[1].frame = 7;
    reopen (1);
    assert_int_equal (rig.replayed_count, 5);
    assert_true (rig_replayed (&rig, 0, 9, 10));
    assert_true (rig_replayed (&rig, 1, 8, 10));
    assert_int_equal (rig.replayed[0]->lsn, 16);
}

static void
journal_tells_once_a_batch_and_shard (void **state)
{
    (void) state;
    open_ok ();
    frame_t *first = frame_new (0, 1), *second = frame_new (0, 2);
    rig.submitted[0] = 2;
    assert_true (journal_submit (rig.journal, first));
    assert_false (journal_submit (rig.journal, second));
    for (int i = 0; i < 10; i++)
        rig_submit (&rig, (uint16_t) (i % 2), 10, 1);
    uint64_t syncs = journal_counts (rig.journal).syncs;
    uint32_t frames;
    assert_int_equal (journal_commit (rig.journal, &frames, &rig.error), TROUPE_OK);
    assert_int_equal (frames, 12);
    assert_int_equal (rig.calls, 4);
    assert_int_equal (rig.durable[0], 7);
    assert_int_equal (rig.durable[1], 5);
    assert_int_equal (journal_counts (rig.journal).syncs, syncs + 1);
    assert_int_equal (journal_commit (rig.journal, &frames, &rig.error), TROUPE_OK);
    assert_int_equal (frames, 0);
    assert_int_equal (rig.calls, 4);
    assert_int_equal (journal_counts (rig.journal).syncs, syncs + 1);
    rig_close (&rig);
    frame_destroy (&first);
    frame_destroy (&second);
}

static void
journal_durable_list_is_handed_over_in_order (void **state)
{
    (void) state;
    open_ok ();
    assert_null (journal_take_durable (rig.journal));
    rig_submit (&rig, 0, 10, 1);
    assert_null (journal_take_durable (rig.journal));
    commit_ok ();
    rig_submit (&rig, 3, 10, 1);
    commit_ok ();
    assert_int_equal (rig_fold (&rig), 2);
    assert_null (journal_take_durable (rig.journal));
    rig_submit (&rig, 3, 10, 1);
    commit_ok ();
    reopen (1);
    assert_int_equal (rig.replayed_count, 1);
    frame_t *frames = journal_take_durable (rig.journal);
    assert_ptr_equal (frames, rig.replayed[0]);
    assert_null (frames->next);
}

static void
journal_uses_segment_after_segment (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 100; i++) {
        rig_submit (&rig, 0, 9000, 1);
        commit_ok ();
    }
    assert_true (count_files () > 14);
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 1, 100));
    for (uint32_t i = 0; i < 100; i++)
        assert_true (rig_frame_is (rig.replayed[i], 1));
}

/*  Whoever submitted them was told that somebody else is at it. */
static void
journal_one_commit_leaves_nothing_in_the_queue (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 50; i++)
        rig_submit (&rig, (uint16_t) (i % 2), 9000, 1);
    uint32_t frames;
    assert_int_equal (journal_commit (rig.journal, &frames, &rig.error), TROUPE_OK);
    assert_int_equal (frames, 50);
    assert_int_equal (rig.durable[0], 25);
    assert_int_equal (rig.durable[1], 25);
    assert_true (count_files () > 5);
}

static void
journal_batch_fills_a_segment_to_its_last_page (void **state)
{
    (void) state;
    open_ok ();
    size_t head = RECORD_HEAD + FRAME_OP_HEAD + 16;
    rig_submit (&rig, 0, RIG_SEGMENT - JOURNAL_PAGE - head, 1);
    commit_ok ();
    assert_int_equal (count_files (), 1);
    rig_submit (&rig, 0, 0, 1);
    commit_ok ();
    assert_int_equal (count_files (), 2);
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 1, 2));
}

static void
journal_frame_larger_than_a_segment_gets_its_own (void **state)
{
    (void) state;
    open_ok ();
    assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_OK);
    rig_submit (&rig, 0, 10, 1);
    rig_submit (&rig, 0, 200000, 1);
    rig_submit (&rig, 0, 10, 1);
    rig_submit (&rig, 0, 9000000, 1);
    rig_submit (&rig, 0, 10, 1);
    commit_ok ();
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 1, 5));
    for (uint32_t i = 0; i < 5; i++)
        assert_true (rig_frame_is (rig.replayed[i], 1));
    assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
    reopen (2);
    assert_int_equal (rig.replayed_count, 0);
    assert_true (journal_counts (rig.journal).bytes <= 3 * RIG_SEGMENT);
}

/*  The last batch, which nobody calls durable, is larger than a segment when it
 *  is written again. */
static void
journal_recovery_rewrites_a_frame_larger_than_a_segment (void **state)
{
    (void) state;
    open_ok ();
    rig_submit (&rig, 0, 300000, 1);
    commit_ok ();
    rig_crash (&rig, 1, true);
    open_ok ();
    reopen (3);
    assert_true (rig_replayed (&rig, 0, 1, 1));
    assert_true (rig_frame_is (rig.replayed[0], 1));
}

/* ------------------------------------------------------------------ *
 *  Torn ends
 * ------------------------------------------------------------------ */

static void
journal_torn_batch_is_dropped_and_its_numbers_given_again (void **state)
{
    (void) state;
    uint32_t torn = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        open_ok ();
        uint64_t first = rig.submitted[0];
        rig_submit (&rig, 0, 700, seed);
        commit_ok ();
        for (int i = 0; i < 20; i++)
            rig_submit (&rig, 0, 700, seed);
        disk_memory_die_after (rig.disk, 1 + seed % 2);
        assert_int_equal (rig_commit (&rig), TROUPE_IO);
        assert_int_equal (rig.durable[0], first + 1);
        rig_crash (&rig, seed, false);
        open_ok ();
        uint64_t last = rig.submitted[0];
        assert_in_range (last, first + 1, first + 21);
        assert_true (rig_replayed (&rig, 0, 1, last));
        torn += last < first + 21;
        for (uint32_t i = 0; i < rig.replayed_count; i++)
            assert_true (rig_frame_is (rig.replayed[i], rig_frame_life (rig.replayed[i])));
        rig_close (&rig);
    }
    assert_true (torn > 20);
}

static void
journal_unsynced_frames_read_from_the_cache_are_made_durable (void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        open_ok ();
        uint64_t before = rig.submitted[0];
        for (int i = 0; i < 10; i++)
            rig_submit (&rig, 0, 700, seed);
        disk_memory_die_after (rig.disk, 2);
        assert_int_equal (rig_commit (&rig), TROUPE_IO);
        rig_crash (&rig, seed, true);
        open_ok ();
        uint64_t last = rig.submitted[0];
        assert_int_equal (last, before + 10);
        rig_crash (&rig, seed, false);
        open_ok ();
        assert_true (rig_replayed (&rig, 0, 1, last));
        rig_close (&rig);
    }
}

/*  Records of the segment's former life stand where the torn batch ends. */
static void
journal_old_bytes_of_a_recycled_segment_are_no_frames (void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        open_ok ();
        for (int i = 0; i < 30; i++) {
            rig_submit (&rig, 0, 3900, seed);
            commit_ok ();
            if (i % 10 == 9)
                assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
        }
        uint64_t sure = rig.durable[0];
        rig_submit (&rig, 0, 12000, seed);
        disk_memory_die_after (rig.disk, 1 + seed % 2);
        assert_int_equal (rig_commit (&rig), TROUPE_IO);
        rig_crash (&rig, seed, false);
        open_ok ();
        assert_in_range (rig.submitted[0], sure, sure + 1);
        for (uint32_t i = 0; i < rig.replayed_count; i++)
            assert_true (rig_frame_is (rig.replayed[i], seed));
        rig_close (&rig);
    }
}

/*  The header of a new segment is torn, the batch behind it is not. The next
 *  run uses the file for its fresh segment, and has nothing to write over that
 *  batch: it must not take it for its own. */
static void
journal_batch_without_its_header_never_comes_back (void **state)
{
    (void) state;
    rig.options.segment_size = 2 * JOURNAL_PAGE;
    open_ok ();
    rig_submit (&rig, 0, JOURNAL_PAGE, 1);
    commit_ok ();
    rig_crash (&rig, 1, false);
    assert_int_equal (disk_memory_damage (rig.disk, "0000000002.seg", 0, 1), TROUPE_OK);
    open_ok ();
    assert_int_equal (rig.replayed_count, 0);
    reopen (2);
    assert_int_equal (rig.replayed_count, 0);
}

/* ------------------------------------------------------------------ *
 *  Trimmed
 * ------------------------------------------------------------------ */

static void
journal_trim_recycles_some_segments_and_removes_the_rest (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 50; i++) {
        rig_submit (&rig, 0, 9000, 1);
        commit_ok ();
    }
    uint32_t files = count_files ();
    assert_int_equal (journal_counts (rig.journal).bytes, files * (uint64_t) RIG_SEGMENT);
    assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
    assert_int_equal (count_files (), 3);
    assert_int_equal (journal_counts (rig.journal).bytes, RIG_SEGMENT);
    assert_true (has_file (files) && has_file (files + 1) && has_file (files + 2));
    disk_memory_set_space (rig.disk, 3 * RIG_SEGMENT);
    for (int i = 0; i < 50; i++) {
        rig_submit (&rig, 0, 9000, 2);
        commit_ok ();
        assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
    }
    assert_int_equal (count_files (), 3);
    rig_submit (&rig, 0, 10, 3);
    commit_ok ();
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 101, 101));
}

static void
journal_trim_keeps_what_is_not_folded (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 50; i++) {
        rig_submit (&rig, 0, 9000, 1);
        commit_ok ();
        if (i == 29)
            rig_fold (&rig);
    }
    assert_int_equal (rig.marks[0].frame, 30);
    assert_int_equal (journal_trim (rig.journal, 30, &rig.error), TROUPE_OK);
    assert_int_equal (journal_trim (rig.journal, 10, &rig.error), TROUPE_OK);
    assert_int_equal (journal_counts (rig.journal).trimmed_lsn, 30);
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 31, 50));
    assert_int_equal (journal_counts (rig.journal).trimmed_lsn, 30);
}

/*  Not one frame less, wherever the cut falls in a segment. */
static void
journal_trim_at_every_lsn_keeps_the_rest (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 40; i++) {
        rig_submit (&rig, 0, 9000, 1);
        commit_ok ();
    }
    for (uint64_t lsn = 1; lsn <= 40; lsn++) {
        checked_t checked;
        rig.marks[0].frame = lsn;
        assert_int_equal (journal_trim (rig.journal, lsn, &rig.error), TROUPE_OK);
        assert_int_equal (check (&checked), TROUPE_OK);
        assert_int_equal (checked.frames, 40 - lsn);
        assert_false (checked.is_wrong);
    }
}

static void
journal_unfolded_bytes_are_counted (void **state)
{
    (void) state;
    open_ok ();
    uint64_t body = FRAME_OP_HEAD + 16 + 100;
    for (int i = 0; i < 5000; i++) {
        rig_submit (&rig, 0, 100, 1);
        commit_ok ();
    }
    assert_int_equal (journal_counts (rig.journal).unfolded_bytes, 5000 * body);
    assert_int_equal (journal_trim (rig.journal, 2500, &rig.error), TROUPE_OK);
    uint64_t left = journal_counts (rig.journal).unfolded_bytes;
    assert_in_range (left, 2500 * body, 2600 * body);
    rig_fold (&rig);
    rig_submit (&rig, 0, 100, 1);
    commit_ok ();
    assert_int_equal (journal_trim (rig.journal, 5000, &rig.error), TROUPE_OK);
    assert_int_equal (journal_counts (rig.journal).unfolded_bytes, body);
    reopen (1);
    assert_int_equal (journal_counts (rig.journal).unfolded_bytes, body);
    assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
    assert_int_equal (journal_counts (rig.journal).unfolded_bytes, 0);
}

static void
journal_prepared_segment_is_used_without_another_sync (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 5; i++)
        rig_submit (&rig, 0, 9000, 1);
    commit_ok ();
    assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_OK);
    uint32_t files = count_files ();
    assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_OK);
    assert_int_equal (count_files (), files);
    rig_submit (&rig, 0, 30000, 1);
    uint64_t syncs = journal_counts (rig.journal).syncs;
    commit_ok ();
    assert_int_equal (journal_counts (rig.journal).syncs, syncs + 1);
    assert_int_equal (count_files (), files);
    reopen (1);
    assert_true (rig_replayed (&rig, 0, 1, 6));
}

static void
journal_restarts_without_work_do_not_pile_up_files (void **state)
{
    (void) state;
    open_ok ();
    rig_submit (&rig, 0, 10, 1);
    commit_ok ();
    for (uint64_t seed = 0; seed < 20; seed++) {
        reopen (seed);
        assert_int_equal (rig.submitted[0], 1);
        assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
        assert_int_equal (journal_prepare (rig.journal, &rig.error), TROUPE_OK);
        assert_true (count_files () <= 4);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (journal_new_store_has_nothing_to_replay),
        TEST (journal_frames_come_back_with_their_bytes_and_in_order),
        TEST (journal_empty_and_odd_bodies_come_back),
        TEST (journal_hands_out_only_frames_above_the_marks),
        TEST (journal_tells_once_a_batch_and_shard),
        TEST (journal_durable_list_is_handed_over_in_order),
        TEST (journal_uses_segment_after_segment),
        TEST (journal_one_commit_leaves_nothing_in_the_queue),
        TEST (journal_batch_fills_a_segment_to_its_last_page),
        TEST (journal_frame_larger_than_a_segment_gets_its_own),
        TEST (journal_recovery_rewrites_a_frame_larger_than_a_segment),
        TEST (journal_torn_batch_is_dropped_and_its_numbers_given_again),
        TEST (journal_unsynced_frames_read_from_the_cache_are_made_durable),
        TEST (journal_old_bytes_of_a_recycled_segment_are_no_frames),
        TEST (journal_batch_without_its_header_never_comes_back),
        TEST (journal_trim_recycles_some_segments_and_removes_the_rest),
        TEST (journal_trim_keeps_what_is_not_folded),
        TEST (journal_trim_at_every_lsn_keeps_the_rest),
        TEST (journal_unfolded_bytes_are_counted),
        TEST (journal_prepared_segment_is_used_without_another_sync),
        TEST (journal_restarts_without_work_do_not_pile_up_files),
    };
    return cmocka_run_group_tests_name ("journal", tests, NULL, NULL);
}
