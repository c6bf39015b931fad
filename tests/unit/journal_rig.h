/*  journal_rig.h - a journal on a disk in memory, with frames whose content is
 *  known, for the tests of the journal.
 *
 *  The rig owns the disk and every frame: those that it made and submitted, and
 *  those that recovery handed out.
 */
#ifndef TESTS_UNIT_JOURNAL_RIG_H
#define TESTS_UNIT_JOURNAL_RIG_H

#include "storage/disk_memory.h"
#include "storage/journal.h"

#define RIG_SHARDS 4
#define RIG_SEGMENT (64u << 10)

typedef struct rig_frame_s {
    struct rig_frame_s *next;
    frame_t *frame;
} rig_frame_t;

typedef struct {
    disk_t *disk;
    state_identity_t identity;
    journal_options_t options;
    state_mark_t marks[RIG_SHARDS];
    journal_t *journal;                /* NULL before rig_open and after rig_close */
    troupe_error_t error;              /* of the last call */
    bool grows;                        /* a disk that is full at a start gets larger; it tries again, held back */

    uint64_t submitted[RIG_SHARDS];    /* newest number */
    uint64_t taken[RIG_SHARDS];        /* as on_taken said */
    uint64_t durable[RIG_SHARDS];      /* as on_durable said, or recovery */
    uint32_t calls;                    /* of both */

    rig_frame_t *frames;               /* all that were made, newest first */
    frame_t *replayed[4096];           /* by the last recovery */
    uint32_t replayed_count;
} rig_t;

void rig_start (rig_t *rig);
void rig_stop (rig_t *rig);

/*  A body of ops, of about `size` bytes, that tells (shard, number, life) and
 *  follows from them. */
void rig_fill_frame (frame_t *frame, size_t size, uint64_t life);
bool rig_frame_is (const frame_t *frame, uint64_t life);
uint64_t rig_frame_life (const frame_t *frame);

/*  journal_new and journal_recover; on a failure the journal is closed again. */
troupe_status_t rig_open (rig_t *rig);
void rig_close (rig_t *rig);
void rig_crash (rig_t *rig, uint64_t seed, bool keep_cache);

/*  The next frame of the shard. */
frame_t *rig_submit (rig_t *rig, uint16_t shard, size_t size, uint64_t life);
troupe_status_t rig_commit (rig_t *rig);  /* until nothing is left */

/*  Folds all that is durable: moves the marks, frees nothing. Returns the LSN. */
uint64_t rig_fold (rig_t *rig);

/*  Whether the last recovery handed out shard's frames first..last and no more. */
bool rig_replayed (const rig_t *rig, uint16_t shard, uint64_t first, uint64_t last);

#endif
