/*  test_journal_threads.c - shards, journal and checkpoint on threads of their
 *  own, over the real disk: for ThreadSanitizer, and to see that frames can be
 *  freed as soon as they are folded. Collects in the threads, asserts in the test's.
 */
#include "storage/journal.h"
#include "tests/unit/journal_rig.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SHARDS 3
#define FRAMES 400
#define IN_FLIGHT 16

typedef struct {
    disk_t *disk;
    journal_t *journal;
    state_mark_t marks[SHARDS];           /* owner: checkpoint */
    atomic_uint_fast64_t durable[SHARDS]; /* pairs: journal's release, shard's acquire */
    atomic_uint_fast64_t folded[SHARDS];  /* pairs: checkpoint's release, shard's acquire */
    sem_t work;
    atomic_bool stops;
    atomic_uint failures;
    troupe_error_t error;
} node_t;

typedef struct {
    node_t *node;
    uint16_t shard;
} shard_t;

static const state_identity_t identity = { .store_id = { 7 }, .epoch = { 8 }, .format = 1, .shards = SHARDS };

static void
on_durable (void *arg, uint16_t shard, uint64_t frame)
{
    node_t *node = arg;
    if (frame <= atomic_load_explicit (&node->durable[shard], memory_order_relaxed))
        node->failures += 1;
    atomic_store_explicit (&node->durable[shard], frame, memory_order_release);
}

static troupe_status_t
replay (void *arg, frame_t *frame)
{
    node_t *node = arg;
    if (!rig_frame_is (frame, 1) || frame->number != node->durable[frame->shard] + 1)
        node->failures += 1;
    node->durable[frame->shard] = frame->number;
    return TROUPE_OK;
}

static bool
open_journal (node_t *node)
{
    journal_options_t options = { .segment_size = 128u << 10, .spare_segments = 2, .on_durable = on_durable,
                                  .arg = node };
    node->disk = disk_posix_new ("journal", &node->error);
    node->journal = node->disk ? journal_new (node->disk, &identity, &options, &node->error) : NULL;
    for (int shard = 0; shard < SHARDS; shard++)
        node->durable[shard] = node->folded[shard] = node->marks[shard].frame;
    return node->journal
           && journal_recover (node->journal, node->marks, SHARDS, replay, node, &node->error) == TROUPE_OK;
}

static void *
run_journal (void *arg)
{
    node_t *node = arg;
    while (!node->stops) {
        uint32_t frames;
        troupe_error_t error;
        sem_wait (&node->work);
        do
            if (journal_commit (node->journal, &frames, &error) != TROUPE_OK) {
                node->failures += 1;
                return NULL;
            }
        while (frames);
    }
    return NULL;
}

static void *
run_checkpoint (void *arg)
{
    node_t *node = arg;
    uint64_t lsn = 0;
    while (!node->stops) {
        troupe_error_t error;
        for (const frame_t *frame = journal_take_durable (node->journal), *next; frame; frame = next) {
            next = frame->next;
            if (frame->lsn != lsn + 1 || frame->number != node->marks[frame->shard].frame + 1)
                node->failures += 1;
            lsn = frame->lsn;
            node->marks[frame->shard].frame = frame->number;
        }
        if (journal_trim (node->journal, lsn, &error) != TROUPE_OK
            || journal_prepare (node->journal, &error) != TROUPE_OK)
            node->failures += 1;
        for (int shard = 0; shard < SHARDS; shard++)
            atomic_store_explicit (&node->folded[shard], node->marks[shard].frame, memory_order_release);
        sched_yield ();
    }
    return NULL;
}

/*  Frames are freed in a ring, once they are durable and folded. */
static void *
run_shard (void *arg)
{
    shard_t *self = arg;
    node_t *node = self->node;
    frame_t *ring[IN_FLIGHT] = { NULL };
    for (uint64_t number = 1; number <= FRAMES + IN_FLIGHT && !node->failures; number++) {
        frame_t **place = &ring[number % IN_FLIGHT];
        while (*place && !node->failures
               && (atomic_load_explicit (&node->folded[self->shard], memory_order_acquire) < (*place)->number
                   || atomic_load_explicit (&node->durable[self->shard], memory_order_acquire) < (*place)->number))
            sched_yield ();
        frame_destroy (place);
        if (number > FRAMES)
            continue;
        *place = frame_new (self->shard, number);
        rig_fill_frame (*place, (size_t) (number * 37 % 3000), 1);
        if (journal_submit (node->journal, *place))
            sem_post (&node->work);
    }
    return NULL;
}

static void
journal_threads_make_all_frames_durable_and_fold_them (void **state)
{
    (void) state;
    static node_t node;
    assert_int_equal (mkdir ("journal", 0700), 0);
    assert_true (open_journal (&node));
    sem_init (&node.work, 0, 0);
    pthread_t journal, checkpoint, shards[SHARDS];
    shard_t args[SHARDS];
    assert_int_equal (pthread_create (&journal, NULL, run_journal, &node), 0);
    assert_int_equal (pthread_create (&checkpoint, NULL, run_checkpoint, &node), 0);
    for (uint16_t i = 0; i < SHARDS; i++) {
        args[i] = (shard_t) { &node, i };
        assert_int_equal (pthread_create (&shards[i], NULL, run_shard, &args[i]), 0);
    }
    for (int i = 0; i < SHARDS; i++)
        pthread_join (shards[i], NULL);
    node.stops = true;
    sem_post (&node.work);
    pthread_join (journal, NULL);
    pthread_join (checkpoint, NULL);
    sem_destroy (&node.work);
    assert_int_equal (node.failures, 0);
    journal_counts_t counts = journal_counts (node.journal);
    assert_int_equal (counts.lsn, SHARDS * FRAMES);
    assert_int_equal (counts.unfolded_bytes, 0);
    journal_destroy (&node.journal);
    disk_posix_destroy (&node.disk);

    assert_true (open_journal (&node));
    assert_int_equal (node.failures, 0);
    for (int i = 0; i < SHARDS; i++)
        assert_int_equal (node.durable[i], FRAMES);
    assert_int_equal (journal_counts (node.journal).lsn, SHARDS * FRAMES);
    journal_destroy (&node.journal);
    disk_posix_destroy (&node.disk);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (journal_threads_make_all_frames_durable_and_fold_them),
    };
    return cmocka_run_group_tests_name ("journal_threads", tests, NULL, NULL);
}
