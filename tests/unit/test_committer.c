/*  test_committer.c - who commits: the journal's thread, or the worker that owes. */
#include "commands/committer.h"

#include "runtime/base/clock.h"
#include "runtime/base/gate.h"
#include "runtime/base/memory.h"
#include "tests/unit/journal_rig.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE_NS 20000000000ull
#define BODY 400

typedef struct {
    rig_t rig;
    committer_t *committer;
    gate_t committed;          /* opened after each commit */
    gate_t hold;               /* a commit waits here, once */
    gate_t holding;            /* and says so */
    _Atomic bool wants_hold;
    _Atomic uint32_t commits, fulls, rooms;
    _Atomic uint64_t durable;  /* newest frame of shard 0 */
} bed_t;

static void
on_committed (void *arg)
{
    bed_t *bed = arg;
    atomic_fetch_add (&bed->commits, 1);
    atomic_store (&bed->durable, bed->rig.durable[0]);
    if (atomic_exchange (&bed->wants_hold, false)) {
        gate_open (&bed->holding);
        gate_wait (&bed->hold, PATIENCE_NS);
    }
    gate_open (&bed->committed);
}

/*  Space comes back as soon as somebody noticed that there is none. */
static void
on_full (void *arg, bool is_full, const char *text)
{
    bed_t *bed = arg;
    atomic_fetch_add (is_full ? &bed->fulls : &bed->rooms, 1);
    if (is_full && *text)
        disk_memory_set_space (bed->rig.disk, 0);
}

static void
on_broken (void *arg, const troupe_error_t *error)
{
    (void) arg;
    (void) error;
}

static void
bed_start (bed_t *bed)
{
    memset (bed, 0, sizeof *bed);
    rig_start (&bed->rig);
    assert_int_equal (rig_open (&bed->rig), TROUPE_OK);
    committer_watch_t watch = { bed, on_committed, on_full, on_broken };
    troupe_error_t error;
    bed->committer = committer_new (bed->rig.journal, &watch, &error);
    assert_non_null (bed->committer);
    assert_int_equal (committer_start (bed->committer, &error), TROUPE_OK);
}

static void
bed_stop (bed_t *bed)
{
    committer_destroy (&bed->committer);
    rig_stop (&bed->rig);
}

/*  The next frame of shard 0; not submitted. */
static frame_t *
frame_next (bed_t *bed)
{
    rig_frame_t *kept = memory_zalloc (sizeof *kept);
    frame_t *frame = frame_new (0, ++bed->rig.submitted[0]);
    assert_true (kept && frame);
    rig_fill_frame (frame, BODY, 1);
    *kept = (rig_frame_t) { bed->rig.frames, frame };
    bed->rig.frames = kept;
    return frame;
}

static void
committer_awaited_frame_is_committed_by_the_thread (void **state)
{
    (void) state;
    bed_t bed;
    bed_start (&bed);
    for (uint64_t i = 1; i <= 20; i++) {
        committer_submit (bed.committer, frame_next (&bed), false);
        assert_true (gate_wait (&bed.committed, PATIENCE_NS));
        assert_int_equal (bed.durable, i);
    }
    assert_false (committer_owes ());
    committer_stop (bed.committer);  /* counted when the round is over */
    assert_int_equal (committer_counts (bed.committer).by_thread, 20);
    bed_stop (&bed);
}

static void
committer_debt_is_paid_by_who_owes (void **state)
{
    (void) state;
    bed_t bed;
    bed_start (&bed);
    for (uint64_t i = 1; i <= 5; i++) {
        committer_submit (bed.committer, frame_next (&bed), true);
        committer_submit (bed.committer, frame_next (&bed), true);  /* one debt for both */
        assert_true (committer_owes ());
        assert_int_equal (bed.durable, 2 * i - 2);
        committer_pay (bed.committer, false);
        assert_false (committer_owes ());
        assert_int_equal (bed.durable, 2 * i);
        committer_pay (bed.committer, false);  /* owes nothing */
    }
    assert_int_equal (committer_counts (bed.committer).by_worker, 5);
    assert_int_equal (committer_counts (bed.committer).by_thread, 0);
    bed_stop (&bed);
}

static void
committer_busy_debtor_wakes_the_thread (void **state)
{
    (void) state;
    bed_t bed;
    bed_start (&bed);
    committer_submit (bed.committer, frame_next (&bed), true);
    committer_pay (bed.committer, true);
    assert_true (gate_wait (&bed.committed, PATIENCE_NS));
    committer_stop (bed.committer);
    assert_int_equal (committer_counts (bed.committer).by_thread, 1);
    bed_stop (&bed);
}

static void
committer_debtor_never_waits_for_another_commit (void **state)
{
    (void) state;
    bed_t bed;
    bed_start (&bed);
    atomic_store (&bed.wants_hold, true);
    committer_submit (bed.committer, frame_next (&bed), false);
    assert_true (gate_wait (&bed.holding, PATIENCE_NS));
    committer_submit (bed.committer, frame_next (&bed), true);  /* while the thread is in its commit */
    committer_pay (bed.committer, false);
    assert_int_equal (bed.durable, 1);
    gate_open (&bed.hold);
    for (uint64_t end_ns = clock_monotonic_ns () + PATIENCE_NS; bed.durable < 2 && clock_monotonic_ns () < end_ns;)
        gate_wait (&bed.committed, PATIENCE_NS);
    assert_int_equal (bed.durable, 2);
    assert_int_equal (committer_counts (bed.committer).by_worker, 0);
    bed_stop (&bed);
}

static void
committer_full_disk_is_told_and_tried_again (void **state)
{
    (void) state;
    for (int by_debtor = 0; by_debtor < 2; by_debtor++) {
        bed_t bed;
        bed_start (&bed);
        disk_memory_set_space (bed.rig.disk, 1);
        committer_submit (bed.committer, frame_next (&bed), by_debtor);
        committer_pay (bed.committer, false);
        assert_true (gate_wait (&bed.committed, PATIENCE_NS));
        committer_stop (bed.committer);
        assert_int_equal (bed.durable, 1);
        assert_int_equal (bed.fulls, 1);
        assert_int_equal (bed.rooms, 1);
        bed_stop (&bed);
    }
}

static void
committer_stop_commits_what_is_owed (void **state)
{
    (void) state;
    bed_t bed;
    bed_start (&bed);
    committer_submit (bed.committer, frame_next (&bed), true);
    committer_stop (bed.committer);
    assert_int_equal (bed.durable, 1);
    committer_stop (bed.committer);
    committer_pay (bed.committer, false);  /* late, and nothing is left */
    bed_stop (&bed);
}

static void
committer_without_memory_is_not_made (void **state)
{
    (void) state;
    rig_t rig;
    rig_start (&rig);
    assert_int_equal (rig_open (&rig), TROUPE_OK);
    committer_watch_t watch = { NULL, on_committed, on_full, on_broken };
    troupe_error_t error;
    memory_fail_after (1);
    committer_t *committer = committer_new (rig.journal, &watch, &error);
    memory_fail_after (0);
    assert_null (committer);
    assert_int_equal (error.status, TROUPE_NO_MEMORY);
    committer_destroy (&committer);
    rig_stop (&rig);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (committer_awaited_frame_is_committed_by_the_thread),
        cmocka_unit_test (committer_debt_is_paid_by_who_owes),
        cmocka_unit_test (committer_busy_debtor_wakes_the_thread),
        cmocka_unit_test (committer_debtor_never_waits_for_another_commit),
        cmocka_unit_test (committer_full_disk_is_told_and_tried_again),
        cmocka_unit_test (committer_stop_commits_what_is_owed),
        cmocka_unit_test (committer_without_memory_is_not_made)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
