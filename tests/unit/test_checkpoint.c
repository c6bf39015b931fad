/*  test_checkpoint.c - frames are folded as their last changes, once, in the right order, whatever fails.
 *
 *  A journal on a disk in memory and a state in memory. What a frame does
 *  follows from its shard and number alone, so that what a state must hold after
 *  any number of frames can be worked out anew. Frames are freed as soon as the
 *  checkpoint says that they are folded: ASan then sees who looks at them later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "storage/changes.h"
#include "storage/checkpoint.h"
#include "storage/disk_memory.h"
#include "storage/journal_parts.h"
#include "storage/state.h"

#include <stdlib.h>

#define SHARDS 3
#define FRAMES_MAX 400     /* of a shard */
#define KEYS 24            /* of a shard */
#define OPS_OF_FRAME 9

typedef struct {
    disk_t *disk;
    state_port_t *state;
    journal_t *journal;
    checkpoint_t *checkpoint;
    frame_t *frames[SHARDS][FRAMES_MAX];  /* by number; NULL when folded and freed */
    uint64_t newest[SHARDS];              /* submitted, or found by recovery */
    uint64_t durable[SHARDS], folded[SHARDS];
    uint32_t folded_calls;
} rig_t;

static rig_t rig;
static uint64_t transactions, pauses, paused_at;  /* of one run, as rig.state->fold and the pauses count them */

static void
on_durable (void *arg, uint16_t shard, uint64_t frame)
{
    (void) arg;
    rig.durable[shard] = frame;
}

static void
on_folded (void *arg, uint16_t shard, uint64_t frame)
{
    (void) arg;
    state_mark_t marks[SHARDS];
    rig.state->marks (rig.state->self, marks);
    assert_true (marks[shard].frame >= frame);
    assert_true (frame > rig.folded[shard]);
    while (rig.folded[shard] < frame)
        frame_destroy (&rig.frames[shard][++rig.folded[shard]]);
    rig.folded_calls++;
}

static troupe_status_t
on_replay (void *arg, frame_t *frame)
{
    (void) arg;
    assert_true (frame->number == rig.newest[frame->shard] + 1);
    rig.newest[frame->shard] = rig.durable[frame->shard] = frame->number;
    rig.frames[frame->shard][frame->number] = frame;
    return TROUPE_OK;
}

/*  Opens the journal on what disk and state hold. */
static troupe_status_t
open_journal (troupe_error_t *error)
{
    journal_options_t options = { .segment_size = 32768, .spare_segments = 1, .salt_seed = 5,
                                  .on_durable = on_durable };
    state_mark_t marks[SHARDS];
    rig.state->marks (rig.state->self, marks);
    for (int i = 0; i < SHARDS; i++)
        rig.newest[i] = rig.durable[i] = rig.folded[i] = marks[i].frame;
    rig.journal = journal_new (rig.disk, rig.state->identity (rig.state->self), &options, error);
    return rig.journal ? journal_recover (rig.journal, marks, SHARDS, on_replay, NULL, error) : error->status;
}

static void
open_all (void)
{
    troupe_error_t error = { 0 };
    if (open_journal (&error) != TROUPE_OK)
        fail_msg ("%s", error.text);
    rig.checkpoint = checkpoint_new (rig.journal, rig.state, on_folded, NULL);
    assert_non_null (rig.checkpoint);
}

static void
close_all (void)
{
    checkpoint_destroy (&rig.checkpoint);
    checkpoint_destroy (&rig.checkpoint);
    journal_destroy (&rig.journal);
    for (int shard = 0; shard < SHARDS; shard++) {
        for (int i = 0; i < FRAMES_MAX; i++)
            frame_destroy (&rig.frames[shard][i]);
    }
}

static int
start (void **state)
{
    (void) state;
    memset (&rig, 0, sizeof rig);
    rig.disk = disk_memory_new ();
    rig.state = state_memory_new (SHARDS, 9);
    open_all ();
    return 0;
}

static int
stop (void **state)
{
    (void) state;
    close_all ();
    state_memory_destroy (&rig.state);
    disk_memory_destroy (&rig.disk);
    return 0;
}

/* ------------------------------------------------------------------ *
 *  Frames whose content follows from shard and number
 * ------------------------------------------------------------------ */

/*  The n-th op of a frame: which key, and its value, 0 for a delete. */
static uint32_t
op_of (uint16_t shard, uint64_t number, uint32_t nth, uint32_t *key)
{
    uint64_t dice = hash_mix (shard * 1000003u + number, nth + 1);
    *key = (uint32_t) dice % KEYS;
    return (dice >> 32) % 4 == 0 ? 0 : (uint32_t) (dice >> 20) | 1;
}

static size_t
key_bytes (uint32_t key, uint8_t bytes[16])
{
    memcpy (bytes, "suser/4\0", 8);
    put_be16 (bytes + 8, (uint16_t) key);
    return 10 + key % 3;
}

static void
submit (uint16_t shard)
{
    uint64_t number = ++rig.newest[shard];
    assert_true (number < FRAMES_MAX);
    frame_t *frame = frame_new (shard, number);
    frame->time_ms = 1000 + number;
    for (uint32_t i = 0; i < OPS_OF_FRAME; i++) {
        uint32_t key, value = op_of (shard, number, i, &key);
        uint8_t bytes[16] = { 0 };
        size_t size = key_bytes (key, bytes);
        if (value)
            put_le32 (frame_put (frame, bytes, size, 4), value);
        else
            frame_delete (frame, bytes, size);
    }
    rig.frames[shard][number] = frame;
    journal_submit (rig.journal, frame);
}

static troupe_status_t
commit (void)
{
    troupe_error_t error;
    troupe_status_t status;
    uint32_t frames;
    do
        status = journal_commit (rig.journal, &frames, &error);
    while (status == TROUPE_OK && frames > 0);
    return status;
}

static troupe_status_t
run (void)
{
    troupe_error_t error = { 0 };
    paused_at = 0;
    troupe_status_t status = checkpoint_run (rig.checkpoint, &error);
    assert_true (status == TROUPE_OK || error.status == status);
    return status;
}

typedef struct {
    uint32_t values[KEYS];
    uint32_t left;         /* values not met yet */
} model_t;

static bool
meet (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    model_t *model = arg;
    uint32_t number = key_size >= 10 ? get_be16 (key + 8) : KEYS;
    uint8_t bytes[16] = { 0 };
    if (number >= KEYS || key_size != key_bytes (number, bytes) || memcmp (key, bytes, key_size) != 0)
        return false;
    if (value_size != 4 || get_le32 (value) != model->values[number])
        return false;
    model->left--;
    return true;
}

/*  The shard's state is what frames 1..number add up to, no more and no less. */
static void
state_is_at (uint16_t shard, uint64_t number)
{
    model_t model = { { 0 }, 0 };
    for (uint64_t i = 1; i <= number; i++) {
        for (uint32_t nth = 0; nth < OPS_OF_FRAME; nth++) {
            uint32_t key, value = op_of (shard, i, nth, &key);
            model.values[key] = value;
        }
    }
    for (int i = 0; i < KEYS; i++)
        model.left += model.values[i] != 0;
    state_view_t *view = rig.state->view_new (rig.state->self, shard);
    assert_true (rig.state->view_renew (view) == number);
    assert_int_equal (rig.state->scan (view, NULL, 0, NULL, 0, meet, &model), TROUPE_OK);
    assert_int_equal (model.left, 0);
    rig.state->view_destroy (&view);
    state_mark_t marks[SHARDS];
    rig.state->marks (rig.state->self, marks);
    assert_true (marks[shard].time_ms == (number ? 1000 + number : 0));
}

/* ------------------------------------------------------------------ *
 *  Runs
 * ------------------------------------------------------------------ */

static void
checkpoint_with_nothing_durable_does_nothing (void **state)
{
    (void) state;
    assert_int_equal (run (), TROUPE_OK);
    submit (0);
    assert_int_equal (run (), TROUPE_OK);
    assert_int_equal (checkpoint_counts (rig.checkpoint).folds, 0);
    assert_int_equal (rig.folded_calls, 0);
}

static void
checkpoint_folds_what_is_durable_and_trims (void **state)
{
    (void) state;
    for (int i = 0; i < 40; i++)
        submit ((uint16_t) (i % 2));
    assert_int_equal (commit (), TROUPE_OK);
    submit (1);
    assert_int_equal (run (), TROUPE_OK);
    state_is_at (0, 20);
    state_is_at (1, 20);
    state_is_at (2, 0);
    assert_int_equal (rig.folded_calls, 2);
    checkpoint_counts_t counts = checkpoint_counts (rig.checkpoint);
    assert_int_equal (counts.folds, 1);
    assert_int_equal (counts.frames, 40);
    assert_int_equal (counts.ops, 40 * OPS_OF_FRAME);
    assert_true (counts.keys > KEYS && counts.keys <= 2 * KEYS);
    journal_counts_t journal = journal_counts (rig.journal);
    assert_true (journal.trimmed_lsn == journal.lsn);
    assert_true (journal.unfolded_bytes == 0);
    assert_int_equal (run (), TROUPE_OK);
    assert_int_equal (checkpoint_counts (rig.checkpoint).folds, 1);
}

/*  A state that has no room, for as often as `no_room` says. */
static int no_room;
static state_port_t roomy;

static troupe_status_t
fold_without_room (void *self, const state_change_t *changes, size_t count, const state_mark_t *marks,
                   troupe_error_t *error)
{
    if (no_room-- > 0) {
        error->status = TROUPE_FULL;
        return TROUPE_FULL;
    }
    return roomy.fold (self, changes, count, marks, error);
}

static void
checkpoint_without_room_keeps_all_for_the_next_run (void **state)
{
    (void) state;
    roomy = *rig.state;
    rig.state->fold = fold_without_room;
    no_room = 3;
    for (int i = 0; i < 3; i++) {
        submit (0);
        submit (2);
        assert_int_equal (commit (), TROUPE_OK);
        assert_int_equal (run (), TROUPE_FULL);
        state_is_at (0, 0);
        assert_true (journal_counts (rig.journal).trimmed_lsn == 0);
    }
    submit (0);
    assert_int_equal (commit (), TROUPE_OK);
    assert_int_equal (run (), TROUPE_OK);
    state_is_at (0, 4);
    state_is_at (2, 3);
    assert_int_equal (checkpoint_counts (rig.checkpoint).folds, 1);
    assert_int_equal (checkpoint_counts (rig.checkpoint).frames, 7);
    *rig.state = roomy;
}

static void
checkpoint_without_memory_keeps_all_for_the_next_run (void **state)
{
    (void) state;
    uint64_t failures = 0;
    for (uint64_t nth = 1; nth < 200; nth++) {
        submit (0);
        submit (1);
        assert_int_equal (commit (), TROUPE_OK);
        memory_fail_after (nth);
        troupe_status_t status = run ();
        memory_fail_after (0);
        if (status == TROUPE_OK)
            break;
        assert_int_equal (status, TROUPE_NO_MEMORY);
        failures++;
        state_is_at (0, 0);
    }
    assert_true (failures > 5);
    assert_int_equal (run (), TROUPE_OK);
    state_is_at (0, rig.newest[0]);
    state_is_at (1, rig.newest[1]);
}

static void
checkpoint_on_a_failed_state_says_so (void **state)
{
    (void) state;
    state_memory_die_after (rig.state, 1);
    submit (0);
    assert_int_equal (commit (), TROUPE_OK);
    assert_int_equal (run (), TROUPE_IO);
    assert_int_equal (rig.folded_calls, 0);
    assert_true (journal_counts (rig.journal).trimmed_lsn == 0);
}

static void
checkpoint_new_without_memory_is_null (void **state)
{
    (void) state;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        memory_fail_after (nth);
        checkpoint_t *none = checkpoint_new (rig.journal, rig.state, NULL, NULL);
        memory_fail_after (0);
        assert_null (none);
    }
}

/* ------------------------------------------------------------------ *
 *  Several transactions
 * ------------------------------------------------------------------ */

static troupe_status_t
fold_counted (void *self, const state_change_t *changes, size_t count, const state_mark_t *marks,
              troupe_error_t *error)
{
    transactions++;
    return roomy.fold (self, changes, count, marks, error);
}

/*  The marks have not moved, but say where they will; nobody was told. */
static void
on_pause (void *arg, uint64_t done, uint64_t all)
{
    (void) arg;
    state_mark_t marks[SHARDS];
    rig.state->marks (rig.state->self, marks);
    for (uint16_t shard = 0; shard < SHARDS; shard++)
        assert_true (marks[shard].frame == rig.folded[shard]
                     && state_mark_newest (&marks[shard]) == rig.durable[shard]);
    assert_true (done > paused_at && done <= all);
    paused_at = done;
    pauses++;
}

static void
set_pace (uint32_t most_changes)
{
    checkpoint_pace_t pace = { most_changes, on_pause, NULL };
    checkpoint_set_pace (rig.checkpoint, &pace);
}

static void
checkpoint_in_several_transactions_moves_the_marks_last (void **state)
{
    (void) state;
    roomy = *rig.state;
    rig.state->fold = fold_counted;
    transactions = pauses = 0;
    set_pace (10);
    for (int i = 0; i < 60; i++)
        submit ((uint16_t) (i % SHARDS));
    assert_int_equal (commit (), TROUPE_OK);
    assert_int_equal (run (), TROUPE_OK);
    for (uint16_t shard = 0; shard < SHARDS; shard++)
        state_is_at (shard, 20);
    assert_true (transactions >= 6 && transactions <= 9);
    assert_true (pauses == transactions - 1);
    assert_int_equal (checkpoint_counts (rig.checkpoint).folds, 1);
    assert_int_equal (checkpoint_counts (rig.checkpoint).frames, 60);
    *rig.state = roomy;
}

/*  What a fold without room left half done is done by the first one beside a copy, at once. */
static void
checkpoint_beside_a_copy_is_one_transaction (void **state)
{
    (void) state;
    roomy = *rig.state;
    set_pace (10);
    for (int i = 0; i < 60; i++)
        submit ((uint16_t) (i % SHARDS));
    assert_int_equal (commit (), TROUPE_OK);
    state_memory_die_after (rig.state, 4);
    assert_int_equal (run (), TROUPE_IO);
    state_memory_die_after (rig.state, 0);
    rig.state->fold = fold_counted;
    transactions = 0;
    checkpoint_begin_copy (rig.checkpoint);
    assert_int_equal (run (), TROUPE_OK);
    assert_int_equal (transactions, 1);
    for (uint16_t shard = 0; shard < SHARDS; shard++)
        state_is_at (shard, 20);
    checkpoint_end_copy (rig.checkpoint);
    submit (0);
    submit (1);
    submit (1);
    assert_int_equal (commit (), TROUPE_OK);
    set_pace (10);
    assert_int_equal (run (), TROUPE_OK);
    assert_true (transactions > 2);
    *rig.state = roomy;
}

/*  30 frames in a batch, one in the next, which only a fold calls durable. Returns where that one stands. */
static uint64_t
write_two_batches (void)
{
    uint64_t size = 0;
    for (int i = 0; i < 30; i++)
        submit ((uint16_t) (i % SHARDS));
    for (uint16_t shard = 0; shard < SHARDS; shard++)
        for (uint64_t number = 1; number <= 10; number++)
            size += record_size (rig.frames[shard][number]->body.size);
    assert_int_equal (commit (), TROUPE_OK);
    submit (1);
    assert_int_equal (commit (), TROUPE_OK);
    return JOURNAL_PAGE + page_up (size);
}

static void
checkpoint_half_done_needs_all_frames_that_it_reached (void **state)
{
    (void) state;
    const char *name = "0000000001.seg";
    troupe_error_t error = { 0 };
    uint64_t at = write_two_batches ();
    set_pace (10);
    state_memory_die_after (rig.state, 2);
    assert_int_equal (run (), TROUPE_IO);
    close_all ();
    disk_memory_crash (rig.disk, 1, false);
    state_memory_revive (rig.state);
    assert_int_equal (disk_memory_damage (rig.disk, name, at + 3, 1), TROUPE_OK);
    assert_int_equal (open_journal (&error), TROUPE_CORRUPT);
    assert_non_null (strstr (error.text, "by the state"));
    close_all ();
    assert_int_equal (disk_memory_damage (rig.disk, name, at + 3, 1), TROUPE_OK);
    open_all ();
    assert_true (rig.newest[0] == 10 && rig.newest[1] == 11 && rig.newest[2] == 10);
    set_pace (10);
    assert_int_equal (run (), TROUPE_OK);
    for (uint16_t shard = 0; shard < SHARDS; shard++)
        state_is_at (shard, rig.newest[shard]);
}

/*  A batch that no fold has reached counts as torn, as before. */
static void
checkpoint_half_done_needs_no_frames_behind_its_reach (void **state)
{
    (void) state;
    uint64_t at = write_two_batches ();
    set_pace (10);
    assert_int_equal (run (), TROUPE_OK);
    submit (2);
    assert_int_equal (commit (), TROUPE_OK);
    close_all ();
    disk_memory_crash (rig.disk, 1, false);
    assert_int_equal (disk_memory_damage (rig.disk, "0000000001.seg", at + JOURNAL_PAGE + 3, 1), TROUPE_OK);
    open_all ();
    assert_int_equal (rig.newest[2], 10);
    for (uint16_t shard = 0; shard < SHARDS; shard++)
        state_is_at (shard, rig.newest[shard]);
}

/*  Works until disk or state die, or the work is done. */
static void
work_until_death (uint64_t seed)
{
    for (uint64_t step = 0; step < 60; step++) {
        uint64_t dice = hash_mix (seed, step + 17);
        for (uint64_t i = dice % 4; i > 0; i--)
            submit ((uint16_t) ((dice >> (4 * i)) % SHARDS));
        if (dice % 3 != 0 && commit () != TROUPE_OK)
            return;
        if (dice % 5 == 0 && run () != TROUPE_OK)
            return;
    }
}

/*  I6: however often it dies, state = fold of the frames, and no durable one is lost. */
static void
checkpoint_dying_anywhere_loses_and_doubles_nothing (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        uint64_t dice = hash_mix (seed, 99);
        disk_memory_die_after (rig.disk, dice % 3 ? 1 + (dice >> 8) % 120 : 0);
        state_memory_die_after (rig.state, dice % 3 == 1 ? 0 : 1 + (dice >> 16) % 24);
        set_pace (dice >> 24 & 1 ? 1 + (dice >> 28) % 20 : CHECKPOINT_CHANGES);
        work_until_death (seed);
        uint64_t durable[SHARDS];
        memcpy (durable, rig.durable, sizeof durable);
        close_all ();
        disk_memory_die_after (rig.disk, 0);
        disk_memory_crash (rig.disk, seed, seed % 2);
        state_memory_revive (rig.state);
        open_all ();
        for (uint16_t shard = 0; shard < SHARDS; shard++)
            assert_true (rig.newest[shard] >= durable[shard]);
        assert_int_equal (run (), TROUPE_OK);
        for (uint16_t shard = 0; shard < SHARDS; shard++)
            state_is_at (shard, rig.newest[shard]);
        if (rig.newest[0] > FRAMES_MAX - 100 || rig.newest[1] > FRAMES_MAX - 100 || rig.newest[2] > FRAMES_MAX - 100) {
            stop (NULL);
            start (NULL);
        }
    }
}

/* ------------------------------------------------------------------ *
 *  Sorting
 * ------------------------------------------------------------------ */

static int
compare_changes (const state_change_t *a, const state_change_t *b)
{
    if (a->shard != b->shard)
        return a->shard < b->shard ? -1 : 1;
    size_t least = a->op.key_size < b->op.key_size ? a->op.key_size : b->op.key_size;
    int order = memcmp (a->op.key, b->op.key, least);
    return order ? order : (int) a->op.key_size - (int) b->op.key_size;
}

/*  Keys that make trouble: long common parts, zeros, one the beginning of another. */
static size_t
awkward_key (uint64_t dice, uint8_t key[64])
{
    static const uint8_t letters[] = { 0, 0, 0, 1, 'a', 255 };
    memset (key, dice & 1 ? 's' : 0, 64);
    size_t size = 1 + dice % 40;
    for (int i = 0; i < 3; i++)
        key[(dice >> (8 + 6 * i)) % 40] = letters[(dice >> (32 + 3 * i)) % 6];
    return size;
}

static frame_t *
awkward_frames (uint64_t count, uint64_t ops)
{
    frame_t *first = NULL, **link = &first;
    uint64_t numbers[4] = { 0 };
    for (uint64_t i = 0; i < count; i++) {
        uint16_t shard = (uint16_t) (hash_mix (i, 3) % 4);
        frame_t *frame = frame_new (shard, ++numbers[shard]);
        for (uint64_t n = 0; n < ops; n++) {
            uint8_t key[64];
            uint64_t dice = hash_mix (i, n + 4);
            size_t size = awkward_key (dice, key);
            if (dice >> 60)
                put_le64 (frame_put (frame, key, size, 8), i << 32 | n);
            else
                frame_delete (frame, key, size);
        }
        *link = frame;
        link = &frame->next;
    }
    return first;
}

static void
free_frames (frame_t *frames)
{
    while (frames) {
        frame_t *frame = frames;
        frames = frame->next;
        frame_destroy (&frame);
    }
}

/*  The newest op of that key, by looking at all. */
static frame_op_t
newest_op (const frame_t *frames, const state_change_t *change)
{
    frame_op_t op, found = { 0 };
    for (const frame_t *frame = frames; frame; frame = frame->next) {
        size_t at = 0;
        while (frame->shard == change->shard && frame_next_op (frame->body.data, frame->body.size, &at, &op)) {
            if (op.key_size == change->op.key_size && memcmp (op.key, change->op.key, op.key_size) == 0)
                found = op;
        }
    }
    return found;
}

static void
changes_of_awkward_keys_are_sorted_and_the_newest (void **state)
{
    (void) state;
    frame_t *frames = awkward_frames (60, 80);
    changes_t changes;
    assert_true (changes_open (&changes, frames));
    assert_true (changes_next (&changes, SIZE_MAX));
    assert_true (changes_at_end (&changes));
    assert_int_equal (changes.frames, 60);
    assert_int_equal (changes.ops, 60 * 80);
    assert_true (changes.bytes == changes.bytes_all && changes.bytes > 0);
    assert_true (changes.count > 1000 && changes.count < changes.ops);
    for (size_t i = 0; i < changes.count; i++) {
        if (i > 0)
            assert_true (compare_changes (&changes.items[i - 1], &changes.items[i]) < 0);
        frame_op_t newest = newest_op (frames, &changes.items[i]);
        assert_ptr_equal (newest.key, changes.items[i].op.key);
        assert_int_equal (newest.kind, changes.items[i].op.kind);
        assert_int_equal (newest.value_size, changes.items[i].op.value_size);
    }
    size_t distinct = 0;  /* every key is there: each op's key is found by bisection */
    for (const frame_t *frame = frames; frame; frame = frame->next) {
        state_change_t wanted = { .shard = frame->shard };
        size_t at = 0;
        while (frame_next_op (frame->body.data, frame->body.size, &at, &wanted.op)) {
            distinct++;
            assert_non_null (bsearch (&wanted, changes.items, changes.count, sizeof wanted,
                                      (int (*) (const void *, const void *)) compare_changes));
        }
    }
    assert_int_equal (distinct, changes.ops);
    changes_close (&changes);
    changes_close (&changes);
    free_frames (frames);
}

/*  Portions hold whole shards, one after the other, and together what one portion would. */
static void
changes_by_portions_are_the_same (void **state)
{
    (void) state;
    frame_t *frames = awkward_frames (60, 80);
    changes_t all, some;
    assert_true (changes_open (&all, frames) && changes_next (&all, SIZE_MAX));
    assert_true (changes_open (&some, frames));
    size_t at = 0, portions = 0;
    uint64_t bytes = 0;
    while (!changes_at_end (&some)) {
        assert_true (changes_next (&some, portions == 1 ? all.count / 3 : 1));
        assert_true (some.count > 0 && some.bytes_before == bytes);
        bytes += some.bytes;
        for (size_t i = 0; i < some.count; i++)
            assert_ptr_equal (some.items[i].op.key, all.items[at++].op.key);
        portions++;
    }
    assert_int_equal (at, all.count);
    assert_int_equal (portions, 3);
    assert_true (bytes == all.bytes_all && some.ops == all.ops && some.frames == all.frames);
    assert_true (changes_next (&some, 1));
    assert_int_equal (some.count, 0);
    changes_close (&all);
    changes_close (&some);
    free_frames (frames);
}

static void
changes_without_memory_are_none (void **state)
{
    (void) state;
    frame_t *frames = awkward_frames (20, 30);
    changes_t changes;
    uint64_t nth = 1;
    for (bool is_done = false; !is_done && nth < 100; nth++) {
        memory_fail_after (nth);
        is_done = changes_open (&changes, frames) && changes_next (&changes, SIZE_MAX);
        memory_fail_after (0);
        assert_true (is_done == (changes.count > 0));
        changes_close (&changes);
    }
    assert_true (nth > 3 && nth < 100);
    assert_true (changes_open (&changes, NULL));
    assert_true (changes_at_end (&changes));
    changes_close (&changes);
    free_frames (frames);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, start, stop)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (checkpoint_with_nothing_durable_does_nothing),
        TEST (checkpoint_folds_what_is_durable_and_trims),
        TEST (checkpoint_without_room_keeps_all_for_the_next_run),
        TEST (checkpoint_without_memory_keeps_all_for_the_next_run),
        TEST (checkpoint_on_a_failed_state_says_so),
        TEST (checkpoint_new_without_memory_is_null),
        TEST (checkpoint_in_several_transactions_moves_the_marks_last),
        TEST (checkpoint_beside_a_copy_is_one_transaction),
        TEST (checkpoint_half_done_needs_all_frames_that_it_reached),
        TEST (checkpoint_half_done_needs_no_frames_behind_its_reach),
        TEST (checkpoint_dying_anywhere_loses_and_doubles_nothing),
        cmocka_unit_test (changes_of_awkward_keys_are_sorted_and_the_newest),
        cmocka_unit_test (changes_by_portions_are_the_same),
        cmocka_unit_test (changes_without_memory_are_none),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
