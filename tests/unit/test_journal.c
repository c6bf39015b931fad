/*  test_journal.c - what the journal promises, one situation at a time. */
#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "storage/journal_parts.h"
#include "tests/unit/journal_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static rig_t rig;

static int
start (void **state)
{
    (void) state;
    rig_start (&rig);
    return 0;
}

static int
stop (void **state)
{
    (void) state;
    memory_fail_after (0);
    rig_stop (&rig);
    return 0;
}

static void
open_ok (void)
{
    troupe_status_t status = rig_open (&rig);
    if (status != TROUPE_OK)
        print_error ("%s\n", rig.error.text);
    assert_int_equal (status, TROUPE_OK);
}

static void
commit_ok (void)
{
    assert_int_equal (rig_commit (&rig), TROUPE_OK);
}

/*  Power goes; the journal is opened again. */
static void
reopen (uint64_t seed)
{
    rig_crash (&rig, seed, false);
    open_ok ();
}

static bool
count_name (void *arg, const char *name)
{
    uint64_t number;
    if (segment_name_number (name, &number))
        *(uint32_t *) arg += 1;
    return true;
}

static uint32_t
count_files (void)
{
    uint32_t count = 0;
    assert_int_equal (rig.disk->each_name (rig.disk->self, count_name, &count, NULL), TROUPE_OK);
    return count;
}

static bool
has_file (uint64_t number)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name (name, number);
    disk_file_t *file = NULL;
    bool there = rig.disk->open (rig.disk->self, name, false, &file, NULL) == TROUPE_OK;
    rig.disk->close (rig.disk->self, &file);
    return there;
}

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
 *  Damage
 * ------------------------------------------------------------------ */

typedef struct {
    uint64_t frames;
    uint64_t newest[RIG_SHARDS];
    bool is_wrong;
} checked_t;

static troupe_status_t
check_frame (void *arg, frame_t *frame)
{
    checked_t *checked = arg;
    checked->frames += 1;
    if (!rig_frame_is (frame, 1) || frame->number != checked->newest[frame->shard] + 1)
        checked->is_wrong = true;
    checked->newest[frame->shard] = frame->number;
    frame_destroy (&frame);
    return TROUPE_OK;
}

static troupe_status_t
check (checked_t *checked)
{
    *checked = (checked_t) { 0 };
    for (int shard = 0; shard < RIG_SHARDS; shard++)
        checked->newest[shard] = rig.marks[shard].frame;
    return journal_check (rig.disk, &rig.identity, rig.marks, RIG_SHARDS, check_frame, checked, &rig.error);
}

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

/*  Nothing valid is left behind the end: the state alone knows. */
static void
journal_that_ends_before_the_states_mark_is_refused (void **state)
{
    (void) state;
    uint64_t last_from, last_to;
    write_three_batches (&last_from, &last_to);
    const char *name = "0000000001.seg";
    checked_t checked;
    assert_int_equal (disk_memory_damage (rig.disk, name, last_from + 3, 1), TROUPE_OK);
    assert_int_equal (disk_memory_damage (rig.disk, name, last_from + record_size (BATCH_FIRST_BODY), 1), TROUPE_OK);
    rig.marks[0].frame = rig.marks[1].frame = 2;
    assert_int_equal (check (&checked), TROUPE_OK);
    rig.marks[1].frame = 3;
    assert_int_equal (check (&checked), TROUPE_CORRUPT);
    assert_non_null (strstr (rig.error.text, "by the state"));
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

/* ------------------------------------------------------------------ *
 *  Full, broken, out of memory
 * ------------------------------------------------------------------ */

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
    assert_int_equal (frames, 2);
    commit_ok ();
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

#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)

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
        TEST (journal_batch_fills_a_segment_to_its_last_page),
        TEST (journal_frame_larger_than_a_segment_gets_its_own),
        TEST (journal_recovery_rewrites_a_frame_larger_than_a_segment),
        TEST (journal_torn_batch_is_dropped_and_its_numbers_given_again),
        TEST (journal_unsynced_frames_read_from_the_cache_are_made_durable),
        TEST (journal_old_bytes_of_a_recycled_segment_are_no_frames),
        TEST (journal_batch_without_its_header_never_comes_back),
        TEST (journal_flipped_bit_is_refused_or_a_torn_last_batch),
        TEST (journal_damage_behind_the_states_mark_is_refused),
        TEST (journal_that_ends_before_the_states_mark_is_refused),
        TEST (journal_folded_head_behind_the_damage_is_a_witness),
        TEST (journal_damage_in_an_earlier_segment_is_refused),
        TEST (journal_missing_segment_is_refused),
        TEST (journal_frame_missing_behind_the_mark_is_refused),
        TEST (journal_frame_of_an_unknown_shard_is_refused),
        TEST (journal_of_another_store_epoch_or_format_is_refused),
        TEST (journal_check_changes_nothing),
        TEST (journal_full_disk_is_told_and_left_behind),
        TEST (journal_full_disk_is_freed_by_a_trim),
        TEST (journal_write_that_found_no_space_is_repeated_in_place),
        TEST (journal_starts_on_a_full_disk_with_a_small_segment),
        TEST (journal_failed_sync_ends_it_for_good),
        TEST (journal_failed_sync_of_the_checkpoints_thread_ends_it_too),
        TEST (journal_out_of_memory_never_loses_a_frame),
        TEST (journal_replay_that_refuses_ends_the_recovery),
        TEST (journal_size_of_segments_is_checked),
        TEST (journal_trim_recycles_some_segments_and_removes_the_rest),
        TEST (journal_trim_keeps_what_is_not_folded),
        TEST (journal_trim_at_every_lsn_keeps_the_rest),
        TEST (journal_unfolded_bytes_are_counted),
        TEST (journal_prepared_segment_is_used_without_another_sync),
        TEST (journal_restarts_without_work_do_not_pile_up_files),
    };
    return cmocka_run_group_tests_name ("journal", tests, NULL, NULL);
}
