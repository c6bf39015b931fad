/*  test_journal_powercut.c - the power goes at any moment, also while recovering.
 *
 *  Many lives of one store: random frames, commits, folds, trims, full disks and
 *  failed syncs on a disk that dies in its n-th operation; then a legal image,
 *  and a recovery that may die as well. After each recovery every frame that was
 *  reported durable must be there, in order, with its bytes; and none that was
 *  never submitted, or was given up for lost before. The last cases leave out one
 *  kind of sync at a time: the same test must see that.
 *
 *      test_journal_powercut [SEEDS [FIRST]]
 */
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "tests/unit/journal_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIVES 8
#define STEPS 60
#define NUMBERS_MAX 4000

typedef enum {
    NO_FAULT,
    NO_SYNC,           /* no sync at all */
    NO_NAMES_SYNC,     /* names */
    NO_BATCH_SYNC,     /* of a batch in journal_commit */
    NO_TAIL_SYNC,      /* of the records that recovery writes again */
    NO_HEADER_SYNC     /* of the header of the fresh segment */
} fault_t;

/*  What was submitted last under a number. */
typedef struct {
    uint64_t life;
    size_t size;
} sent_t;

typedef struct {
    rig_t rig;
    uint64_t seed, dice, life;
    uint64_t told[RIG_SHARDS];       /* newest number that was reported durable */
    uint64_t told_lsn;
    uint64_t folded_lsn;
    sent_t sent[RIG_SHARDS][NUMBERS_MAX];
    char wrong[512];
} cut_t;

static struct {
    uint64_t recoveries, deaths_in_recovery, lost, kept, replayed, full;
} seen;

static uint64_t seeds = 700, first_seed = 1;

static uint64_t
roll (cut_t *cut, uint64_t sides)
{
    cut->dice = hash_mix (cut->dice, 0xd1ce) + 1;
    return cut->dice % sides;
}

/* ------------------------------------------------------------------ *
 *  A disk that leaves out some syncs
 * ------------------------------------------------------------------ */

static disk_t honest;        /* the functions as they were */
static fault_t fault;
static bool is_recovering;
static uint64_t last_at;     /* where the last write was, or FILLED */
#define FILLED UINT64_MAX

static troupe_status_t
write_and_remember (void *self, disk_file_t *file, uint64_t at, const void *bytes, size_t size, troupe_error_t *error)
{
    last_at = at;
    return honest.write (self, file, at, bytes, size, error);
}

static troupe_status_t
fill_and_remember (void *self, disk_file_t *file, uint64_t size, troupe_error_t *error)
{
    last_at = FILLED;
    return honest.fill (self, file, size, error);
}

static troupe_status_t
sync_or_not (void *self, disk_file_t *file, troupe_error_t *error)
{
    bool is_batch = !is_recovering && last_at != FILLED;
    bool is_header = is_recovering && last_at == 0;
    bool is_tail = is_recovering && last_at != 0 && last_at != FILLED;
    if ((fault == NO_BATCH_SYNC && is_batch) || (fault == NO_HEADER_SYNC && is_header)
        || (fault == NO_TAIL_SYNC && is_tail))
        return TROUPE_OK;
    return honest.sync (self, file, error);
}

static troupe_status_t
sync_names_or_not (void *self, troupe_error_t *error)
{
    return fault == NO_NAMES_SYNC ? TROUPE_OK : honest.sync_names (self, error);
}

static void
bend_disk (disk_t *disk)
{
    honest = *disk;
    disk->write = write_and_remember;
    disk->fill = fill_and_remember;
    disk->sync = sync_or_not;
    disk->sync_names = sync_names_or_not;
    disk_memory_ignore_syncs (disk, fault == NO_SYNC);
}

/* ------------------------------------------------------------------ *
 *  What must hold after a recovery
 * ------------------------------------------------------------------ */

static bool
blame (cut_t *cut, const char *text, unsigned shard, uint64_t number)
{
    snprintf (cut->wrong, sizeof cut->wrong, "seed %llu, life %llu: %s (shard %u, frame %llu)",
              (unsigned long long) cut->seed, (unsigned long long) cut->life, text, shard,
              (unsigned long long) number);
    return false;
}

static bool
check_frame (cut_t *cut, const frame_t *frame, uint64_t expected)
{
    if (frame->number != expected)
        return blame (cut, "out of order", frame->shard, frame->number);
    if (frame->number >= NUMBERS_MAX || !cut->sent[frame->shard][frame->number].life)
        return blame (cut, "never submitted", frame->shard, frame->number);
    const sent_t *sent = &cut->sent[frame->shard][frame->number];
    if (frame->body.size != FRAME_OP_HEAD + 16 + sent->size || !rig_frame_is (frame, sent->life))
        return blame (cut, "other bytes", frame->shard, frame->number);
    return true;
}

static bool
check_recovered (cut_t *cut)
{
    rig_t *rig = &cut->rig;
    uint64_t newest[RIG_SHARDS];
    for (int shard = 0; shard < RIG_SHARDS; shard++)
        newest[shard] = rig->marks[shard].frame;
    for (uint32_t i = 0; i < rig->replayed_count; i++) {
        const frame_t *frame = rig->replayed[i];
        if (!check_frame (cut, frame, newest[frame->shard] + 1))
            return false;
        if (i && frame->lsn != rig->replayed[i - 1]->lsn + 1)
            return blame (cut, "LSN out of order", frame->shard, frame->number);
        newest[frame->shard] = frame->number;
    }
    seen.replayed += rig->replayed_count;
    for (unsigned shard = 0; shard < RIG_SHARDS; shard++) {
        if (newest[shard] < cut->told[shard])
            return blame (cut, "a durable frame is lost", shard, newest[shard] + 1);
        seen.kept += newest[shard] - cut->told[shard];
        cut->told[shard] = newest[shard];
        for (uint64_t number = newest[shard] + 1; number < NUMBERS_MAX && cut->sent[shard][number].life; number++) {
            cut->sent[shard][number].life = 0;
            seen.lost += 1;
        }
    }
    uint64_t lsn = journal_counts (rig->journal).lsn;
    if (lsn < cut->told_lsn)
        return blame (cut, "the LSN went back", 0, lsn);
    cut->told_lsn = lsn;
    return true;
}

/* ------------------------------------------------------------------ *
 *  A life
 * ------------------------------------------------------------------ */

static size_t
roll_size (cut_t *cut)
{
    switch (roll (cut, 40)) {
    case 0:
        return roll (cut, 70000);
    case 1:
    case 2:
    case 3:
        return roll (cut, 9000);
    default:
        return roll (cut, 400);
    }
}

static void
submit_some (cut_t *cut)
{
    for (uint64_t left = 1 + roll (cut, 8); left; left--) {
        uint16_t shard = (uint16_t) roll (cut, RIG_SHARDS);
        if (cut->rig.submitted[shard] + 2 >= NUMBERS_MAX)
            return;
        size_t size = roll_size (cut);
        const frame_t *frame = rig_submit (&cut->rig, shard, size, cut->life);
        cut->sent[shard][frame->number] = (sent_t) { cut->life, size };
    }
}

static void
note_told (cut_t *cut)
{
    for (int shard = 0; shard < RIG_SHARDS; shard++)
        if (cut->rig.durable[shard] > cut->told[shard])
            cut->told[shard] = cut->rig.durable[shard];
    uint64_t lsn = journal_counts (cut->rig.journal).lsn;
    if (lsn > cut->told_lsn)
        cut->told_lsn = lsn;
}

static troupe_status_t
fold_and_trim (cut_t *cut)
{
    uint64_t lsn = rig_fold (&cut->rig);
    if (lsn)
        cut->folded_lsn = lsn;
    if (roll (cut, 3) == 0)
        return TROUPE_OK;
    lsn = roll (cut, 3) ? cut->folded_lsn : roll (cut, cut->folded_lsn + 1);
    return journal_trim (cut->rig.journal, lsn, &cut->rig.error);
}

static troupe_status_t
step (cut_t *cut)
{
    uint32_t frames;
    switch (roll (cut, 20)) {
    case 0:
        return fold_and_trim (cut);
    case 1:
        return journal_prepare (cut->rig.journal, &cut->rig.error);
    case 2:
        disk_memory_set_space (cut->rig.disk, roll (cut, 3) ? 0 : roll (cut, 2) ? 1 : 100000 + roll (cut, 400000));
        return TROUPE_OK;
    case 3: case 4: case 5: case 6: case 7: case 8: case 9: case 10: {
        troupe_status_t status = journal_commit (cut->rig.journal, &frames, &cut->rig.error);
        note_told (cut);
        return status;
    }
    default:
        submit_some (cut);
        return TROUPE_OK;
    }
}

static void
live (cut_t *cut)
{
    disk_memory_die_after (cut->rig.disk, roll (cut, 5) ? 1 + roll (cut, 100) : 0);
    disk_memory_fail_sync_after (cut->rig.disk, roll (cut, 15) ? 0 : 1 + roll (cut, 20));
    for (int i = 0; i < STEPS; i++) {
        troupe_status_t status = step (cut);
        seen.full += status == TROUPE_FULL;
        if (status != TROUPE_OK && status != TROUPE_FULL)
            return;
    }
}

static void
crash (cut_t *cut)
{
    disk_memory_set_space (cut->rig.disk, 0);
    rig_crash (&cut->rig, roll (cut, UINT64_MAX), roll (cut, 3) == 0);
}

/*  Until a recovery comes through; the first ones may die or fail. */
static bool
revive (cut_t *cut)
{
    for (int attempt = 0;; attempt++) {
        bool harmed = attempt < 6 && roll (cut, 2);
        disk_memory_die_after (cut->rig.disk, harmed && roll (cut, 5) ? 1 + roll (cut, 9) : 0);
        disk_memory_fail_sync_after (cut->rig.disk, harmed && roll (cut, 5) == 0 ? 1 + roll (cut, 4) : 0);
        is_recovering = true;
        troupe_status_t status = rig_open (&cut->rig);
        is_recovering = false;
        if (status == TROUPE_OK)
            break;
        if (status != TROUPE_IO)
            return blame (cut, cut->rig.error.text, 0, 0);
        seen.deaths_in_recovery += 1;
        crash (cut);
    }
    seen.recoveries += 1;
    disk_memory_die_after (cut->rig.disk, 0);
    cut->folded_lsn = journal_counts (cut->rig.journal).trimmed_lsn;
    return check_recovered (cut);
}

/*  True when all went well; else `wrong` says what did not. */
static bool
run_seed (cut_t *cut, uint64_t seed)
{
    memset (cut, 0, sizeof *cut);
    cut->seed = cut->dice = seed;
    rig_start (&cut->rig);
    cut->rig.options.segment_size = 8192u << roll (cut, 4);
    cut->rig.options.spare_segments = (uint32_t) roll (cut, 4);
    bend_disk (cut->rig.disk);
    bool fine = true;
    for (cut->life = 1; fine && cut->life <= LIVES; cut->life++) {
        fine = revive (cut);
        if (fine) {
            live (cut);
            crash (cut);
        }
    }
    rig_stop (&cut->rig);
    return fine;
}

/* ------------------------------------------------------------------ *
 *  Cases
 * ------------------------------------------------------------------ */

static void
powercut_nothing_durable_is_lost_and_nothing_lost_comes_back (void **state)
{
    cut_t *cut = *state;
    fault = NO_FAULT;
    uint64_t failed = 0;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++)
        if (!run_seed (cut, seed) && failed++ < 5)
            print_error ("%s\n", cut->wrong);
    print_message ("%llu recoveries, %llu died; frames: %llu replayed, %llu kept, %llu lost; %llu times full\n",
                   (unsigned long long) seen.recoveries, (unsigned long long) seen.deaths_in_recovery,
                   (unsigned long long) seen.replayed, (unsigned long long) seen.kept, (unsigned long long) seen.lost,
                   (unsigned long long) seen.full);
    assert_int_equal (failed, 0);
    assert_true (seen.deaths_in_recovery && seen.replayed && seen.kept && seen.lost && seen.full);
}

/*  Runs on until the fault was seen. */
static void
must_be_seen (cut_t *cut, fault_t left_out)
{
    fault = left_out;
    uint64_t seed = 1;
    while (seed < 5000 && run_seed (cut, seed))
        seed += 1;
    fault = NO_FAULT;
    print_message ("%s\n", cut->wrong);
    assert_true (cut->wrong[0]);
}

static void
powercut_disk_without_syncs_is_seen (void **state)
{
    must_be_seen (*state, NO_SYNC);
}

static void
powercut_names_without_sync_are_seen (void **state)
{
    must_be_seen (*state, NO_NAMES_SYNC);
}

static void
powercut_batch_without_sync_is_seen (void **state)
{
    must_be_seen (*state, NO_BATCH_SYNC);
}

static void
powercut_rewritten_tail_without_sync_is_seen (void **state)
{
    must_be_seen (*state, NO_TAIL_SYNC);
}

static void
powercut_fresh_header_without_sync_is_seen (void **state)
{
    must_be_seen (*state, NO_HEADER_SYNC);
}

static int
make_cut (void **state)
{
    *state = calloc (1, sizeof (cut_t));
    return *state ? 0 : -1;
}

static int
free_cut (void **state)
{
    free (*state);
    return 0;
}

int
main (int argc, char **argv)
{
    if (argc > 1)
        seeds = strtoull (argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoull (argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (powercut_nothing_durable_is_lost_and_nothing_lost_comes_back),
        cmocka_unit_test (powercut_disk_without_syncs_is_seen),
        cmocka_unit_test (powercut_names_without_sync_are_seen),
        cmocka_unit_test (powercut_batch_without_sync_is_seen),
        cmocka_unit_test (powercut_rewritten_tail_without_sync_is_seen),
        cmocka_unit_test (powercut_fresh_header_without_sync_is_seen),
    };
    return cmocka_run_group_tests_name ("journal_powercut", tests, make_cut, free_cut);
}
