/*  test_journal_damage.c - damaged, missing and foreign files: refused when somebody knows better, never believed. */
#include "tests/unit/journal_help.h"

#define BATCH_FIRST_BODY (FRAME_OP_HEAD + 16 + 50)
#define BATCH_SECOND_BODY (FRAME_OP_HEAD + 16 + 60)

/*  Three batches in the first segment; the last one is named durable by nobody. */
static void
write_three_batches (uint64_t *last_from, uint64_t *last_to)
{
    open_ok ();
    for (int batch = 0; batch < 3; batch++) {
        rig_submit (&rig, 0, 50, 1);
        rig_submit (&rig, 1, 60, 1);
        commit_ok ();
    }
    rig_crash (&rig, 1, false);
    uint64_t batch = record_size (BATCH_FIRST_BODY) + record_size (BATCH_SECOND_BODY);
    assert_true (batch < JOURNAL_PAGE);
    *last_from = 3 * JOURNAL_PAGE;
    *last_to = *last_from + batch;
}

/*  In a batch, but in no record: the bytes up to the next multiple of eight. */
static bool
is_padding (uint64_t at_in_batch)
{
    uint64_t first = record_size (BATCH_FIRST_BODY);
    return at_in_batch < first ? at_in_batch >= RECORD_HEAD + BATCH_FIRST_BODY
                               : at_in_batch >= first + RECORD_HEAD + BATCH_SECOND_BODY;
}

/*  A bit of each byte of the file, one by one: damage to what had been durable is refused
 *  whenever something valid says so, and never hands out other bytes. */
static void
journal_flipped_bit_is_refused_or_a_torn_last_batch (void **state)
{
    (void) state;
    uint64_t last_from, last_to, refused = 0, torn = 0, harmless = 0;
    write_three_batches (&last_from, &last_to);
    const char *name = "0000000001.seg";
    for (uint64_t at = 0; at < last_to + 64; at++) {
        checked_t checked;
        assert_int_equal (disk_memory_damage (rig.disk, name, at, (uint8_t) (1u << at % 8)), TROUPE_OK);
        troupe_status_t status = check (&checked);
        assert_false (checked.is_wrong);
        bool in_last = at >= last_from && at < last_to && !is_padding (at - last_from);
        if (status == TROUPE_CORRUPT) {
            assert_false (in_last);
            assert_non_null (strstr (rig.error.text, name));
            refused += 1;
        } else if (in_last) {
            assert_int_equal (status, TROUPE_OK);
            assert_in_range (checked.frames, 4, 5);
            torn += 1;
        } else {
            assert_int_equal (status, TROUPE_OK);
            assert_int_equal (checked.frames, 6);
            harmless += 1;
        }
        assert_int_equal (disk_memory_damage (rig.disk, name, at, (uint8_t) (1u << at % 8)), TROUPE_OK);
    }
    uint64_t batch = last_to - last_from;
    assert_in_range (refused, 2 * (batch - 16) + 88, 2 * batch + 88);
    assert_in_range (torn, batch - 16, batch);
    assert_int_equal (refused + torn + harmless, last_to + 64);
}

static void
journal_damage_behind_the_states_mark_is_refused (void **state)
{
    (void) state;
    uint64_t last_from, last_to;
    write_three_batches (&last_from, &last_to);
    checked_t checked;
    assert_int_equal (disk_memory_damage (rig.disk, "0000000001.seg", last_from + 100, 1), TROUPE_OK);
    rig.marks[1].frame = 2;
    assert_int_equal (check (&checked), TROUPE_OK);
    rig.marks[1].frame = 3;
    assert_int_equal (check (&checked), TROUPE_CORRUPT);
    assert_non_null (strstr (rig.error.text, "bytes 12288 to"));
    rig.marks[1].frame = 2;
    rig.marks[0].frame = 3;
    assert_int_equal (check (&checked), TROUPE_CORRUPT);
    assert_int_equal (rig_open (&rig), TROUPE_CORRUPT);
}

/*  Three batches; nothing valid is left of the last. */
static void
write_without_last_heads (void)
{
    uint64_t last_from, last_to;
    write_three_batches (&last_from, &last_to);
    const char *name = "0000000001.seg";
    assert_int_equal (disk_memory_damage (rig.disk, name, last_from + 3, 1), TROUPE_OK);
    assert_int_equal (disk_memory_damage (rig.disk, name, last_from + record_size (BATCH_FIRST_BODY), 1), TROUPE_OK);
}

/*  Nothing valid is left behind the end: the state alone knows. */
static void
journal_that_ends_before_the_states_mark_is_refused (void **state)
{
    (void) state;
    checked_t checked;
    write_without_last_heads ();
    rig.marks[0].frame = rig.marks[1].frame = 2;
    assert_int_equal (check (&checked), TROUPE_OK);
    rig.marks[1].frame = 3;
    assert_int_equal (check (&checked), TROUPE_CORRUPT);
    assert_non_null (strstr (rig.error.text, "by the state"));
}

/*  A fold had begun; its marks are at frame 1 yet. */
static void
journal_that_ends_before_the_reach_of_a_fold_is_refused (void **state)
{
    (void) state;
    checked_t checked;
    write_without_last_heads ();
    rig.marks[0].frame = rig.marks[1].frame = 1;
    rig.marks[0].reached = rig.marks[1].reached = 2;
    assert_int_equal (check (&checked), TROUPE_OK);
    assert_int_equal (checked.frames, 2);
    rig.marks[1].reached = 3;
    assert_int_equal (check (&checked), TROUPE_CORRUPT);
    assert_non_null (strstr (rig.error.text, "bytes 12288 to"));
    assert_non_null (strstr (rig.error.text, "by the state"));
    rig.marks[1].reached = 2;
    rig.marks[2].reached = 1;  /* of this shard there is no frame at all */
    assert_int_equal (check (&checked), TROUPE_CORRUPT);
    assert_int_equal (rig_open (&rig), TROUPE_CORRUPT);
}

static void
journal_without_any_segment_in_the_middle_of_a_fold_is_refused (void **state)
{
    (void) state;
    checked_t checked;
    open_ok ();
    rig_submit (&rig, 0, 50, 1);
    commit_ok ();
    rig_crash (&rig, 1, false);
    assert_int_equal (disk_memory_damage (rig.disk, "0000000001.seg", 0, 1), TROUPE_OK);
    assert_int_equal (check (&checked), TROUPE_OK);
    rig.marks[0].reached = 1;
    assert_int_equal (check (&checked), TROUPE_CORRUPT);
    assert_non_null (strstr (rig.error.text, "holds no frame"));
    assert_int_equal (rig_open (&rig), TROUPE_CORRUPT);
}

/*  Only the head behind the damage is of a shard that the state is ahead of. */
static void
journal_folded_head_behind_the_damage_is_a_witness (void **state)
{
    (void) state;
    open_ok ();
    rig_submit (&rig, 0, 50, 1);
    commit_ok ();
    rig_submit (&rig, 0, 50, 1);
    rig_submit (&rig, 2, 50, 1);
    commit_ok ();
    rig_crash (&rig, 1, false);
    assert_int_equal (disk_memory_damage (rig.disk, "0000000001.seg", 2 * JOURNAL_PAGE + 3, 1), TROUPE_OK);
    checked_t checked;
    assert_int_equal (check (&checked), TROUPE_OK);
    rig.marks[2].frame = 1;
    assert_int_equal (check (&checked), TROUPE_CORRUPT);
}

static void
journal_damage_in_an_earlier_segment_is_refused (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 20; i++) {
        rig_submit (&rig, 0, 9000, 1);
        commit_ok ();
    }
    rig_crash (&rig, 1, false);
    checked_t checked;
    assert_int_equal (check (&checked), TROUPE_OK);
    assert_int_equal (checked.frames, 20);
    uint32_t files = count_files ();
    for (uint64_t number = 1; number < files; number++) {
        char name[SEGMENT_NAME_SIZE];
        segment_name (name, number);
        uint64_t places[] = { 0, 60, JOURNAL_PAGE + 10, JOURNAL_PAGE + 5000, 4 * JOURNAL_PAGE + 80 };
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            assert_int_equal (disk_memory_damage (rig.disk, name, places[i], 0x10), TROUPE_OK);
            assert_int_equal (check (&checked), TROUPE_CORRUPT);
            assert_int_equal (disk_memory_damage (rig.disk, name, places[i], 0x10), TROUPE_OK);
        }
    }
}

static void
journal_missing_segment_is_refused (void **state)
{
    (void) state;
    checked_t checked;
    for (int gone = 1; gone <= 3; gone++) {
        rig_stop (&rig);
        rig_start (&rig);
        open_ok ();
        for (int i = 0; i < 20; i++) {
            rig_submit (&rig, 0, 9000, 1);
            commit_ok ();
        }
        rig_crash (&rig, 1, false);
        char name[SEGMENT_NAME_SIZE];
        segment_name (name, (uint64_t) gone);
        assert_int_equal (rig.disk->remove (rig.disk->self, name, NULL), TROUPE_OK);
        assert_int_equal (check (&checked), gone < 4 ? TROUPE_CORRUPT : TROUPE_OK);
        assert_int_equal (rig_open (&rig), TROUPE_CORRUPT);
    }
}

/*  A state that is older than what was trimmed. */
static void
journal_frame_missing_behind_the_mark_is_refused (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 40; i++) {
        rig_submit (&rig, 0, 9000, 1);
        commit_ok ();
        if (i == 20)
            assert_int_equal (journal_trim (rig.journal, rig_fold (&rig), &rig.error), TROUPE_OK);
    }
    rig_crash (&rig, 1, false);
    uint64_t mark = rig.marks[0].frame;
    rig.marks[0].frame = 5;
    assert_int_equal (rig_open (&rig), TROUPE_CORRUPT);
    assert_non_null (strstr (rig.error.text, "frame 6 is missing"));
    rig.marks[0].frame = mark;
    open_ok ();
    assert_true (rig_replayed (&rig, 0, mark + 1, 40));
}

static void
journal_frame_of_an_unknown_shard_is_refused (void **state)
{
    (void) state;
    open_ok ();
    rig_submit (&rig, 3, 10, 1);
    commit_ok ();
    rig_crash (&rig, 1, false);
    rig.identity.shards = 3;
    journal_t *journal = journal_new (rig.disk, &rig.identity, &rig.options, &rig.error);
    assert_non_null (journal);
    assert_int_equal (journal_recover (journal, rig.marks, 3, check_frame, NULL, &rig.error), TROUPE_CORRUPT);
    journal_destroy (&journal);
}

static void
journal_of_another_store_epoch_or_format_is_refused (void **state)
{
    (void) state;
    open_ok ();
    rig_close (&rig);
    rig.identity.epoch[3] ^= 1;
    assert_int_equal (rig_open (&rig), TROUPE_MISMATCH);
    assert_non_null (strstr (rig.error.text, "restored"));
    rig.identity.store_id[3] ^= 1;
    assert_int_equal (rig_open (&rig), TROUPE_MISMATCH);
    rig.identity.epoch[3] ^= 1;
    assert_int_equal (rig_open (&rig), TROUPE_MISMATCH);
    rig.identity.store_id[3] ^= 1;
    open_ok ();
    rig_close (&rig);

    uint8_t page[88];
    disk_file_t *file;
    assert_int_equal (rig.disk->open (rig.disk->self, "0000000001.seg", false, &file, NULL), TROUPE_OK);
    assert_int_equal (rig.disk->read (rig.disk->self, file, 0, page, sizeof page, NULL), TROUPE_OK);
    put_le32 (page + 8, JOURNAL_FORMAT + 1);
    put_le64 (page + 80, hash_bytes (page, 80, 0));
    assert_int_equal (rig.disk->write (rig.disk->self, file, 0, page, sizeof page, NULL), TROUPE_OK);
    rig.disk->close (rig.disk->self, &file);
    assert_int_equal (rig_open (&rig), TROUPE_MISMATCH);
    assert_non_null (strstr (rig.error.text, "format 2"));
}

static void
journal_check_changes_nothing (void **state)
{
    (void) state;
    open_ok ();
    for (int i = 0; i < 20; i++)
        rig_submit (&rig, 1, 9000, 1);
    commit_ok ();
    rig_crash (&rig, 1, true);
    disk_memory_counts_t before = disk_memory_counts (rig.disk);
    uint32_t files = count_files ();
    for (int i = 0; i < 3; i++) {
        checked_t checked;
        assert_int_equal (check (&checked), TROUPE_OK);
        assert_int_equal (checked.frames, 20);
        assert_false (checked.is_wrong);
    }
    disk_memory_counts_t after = disk_memory_counts (rig.disk);
    assert_int_equal (before.writes, after.writes);
    assert_int_equal (before.syncs, after.syncs);
    assert_int_equal (files, count_files ());
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (journal_flipped_bit_is_refused_or_a_torn_last_batch),
        TEST (journal_damage_behind_the_states_mark_is_refused),
        TEST (journal_that_ends_before_the_states_mark_is_refused),
        TEST (journal_that_ends_before_the_reach_of_a_fold_is_refused),
        TEST (journal_without_any_segment_in_the_middle_of_a_fold_is_refused),
        TEST (journal_folded_head_behind_the_damage_is_a_witness),
        TEST (journal_damage_in_an_earlier_segment_is_refused),
        TEST (journal_missing_segment_is_refused),
        TEST (journal_frame_missing_behind_the_mark_is_refused),
        TEST (journal_frame_of_an_unknown_shard_is_refused),
        TEST (journal_of_another_store_epoch_or_format_is_refused),
        TEST (journal_check_changes_nothing),
    };
    return cmocka_run_group_tests_name ("journal_damage", tests, NULL, NULL);
}
