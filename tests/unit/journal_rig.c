/*  journal_rig.c - a journal on a disk in memory, with frames whose content is known. */
#include "tests/unit/journal_rig.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"

#include <stdlib.h>
#include <string.h>

static void
on_taken (void *arg, uint16_t shard, uint64_t frame)
{
    rig_t *rig = arg;
    CHECK (frame > rig->taken[shard] && rig->taken[shard] == rig->durable[shard]);
    rig->taken[shard] = frame;
    rig->calls += 1;
}

static void
on_durable (void *arg, uint16_t shard, uint64_t frame)
{
    rig_t *rig = arg;
    CHECK (frame == rig->taken[shard]);
    rig->durable[shard] = frame;
    rig->calls += 1;
}

void
rig_start (rig_t *rig)
{
    memset (rig, 0, sizeof *rig);
    rig->disk = disk_memory_new ();
    CHECK (rig->disk);
    rig->identity = (state_identity_t) { .store_id = { 1 }, .epoch = { 2 }, .format = 1, .shards = RIG_SHARDS,
                                         .hash_seed = 3 };
    rig->options = (journal_options_t) { .segment_size = RIG_SEGMENT, .spare_segments = 2, .salt_seed = 4,
                                         .on_taken = on_taken, .on_durable = on_durable, .arg = rig };
}

static void
keep (rig_t *rig, frame_t *frame)
{
    rig_frame_t *entry = malloc (sizeof *entry);
    CHECK (entry);
    *entry = (rig_frame_t) { rig->frames, frame };
    rig->frames = entry;
}

static void
free_frames (rig_t *rig)
{
    for (rig_frame_t *entry; (entry = rig->frames) != NULL;) {
        rig->frames = entry->next;
        frame_destroy (&entry->frame);
        free (entry);
    }
}

void
rig_close (rig_t *rig)
{
    journal_destroy (&rig->journal);
}

void
rig_stop (rig_t *rig)
{
    rig_close (rig);
    free_frames (rig);
    disk_memory_destroy (&rig->disk);
}

/*  One op: key = life and number, value = bytes that follow from both. */
void
rig_fill_frame (frame_t *frame, size_t size, uint64_t life)
{
    uint8_t key[16];
    put_le64 (key, life);
    put_le64 (key + 8, frame->number);
    uint8_t *value = frame_put (frame, key, sizeof key, size);
    CHECK (value);
    uint64_t dice = hash_mix (hash_mix (life, frame->number), frame->shard);
    for (size_t i = 0; i < size; i++) {
        if (i % 8 == 0)
            dice = hash_mix (dice, i) + 1;
        value[i] = (uint8_t) (dice >> (i % 8 * 8));
    }
    frame->time_ms = life * 1000 + frame->number;
}

uint64_t
rig_frame_life (const frame_t *frame)
{
    CHECK (frame->body.size >= FRAME_OP_HEAD + 16);
    return get_le64 (frame->body.data + FRAME_OP_HEAD);
}

bool
rig_frame_is (const frame_t *frame, uint64_t life)
{
    if (frame->body.size < FRAME_OP_HEAD + 16)
        return false;
    frame_t *twin = frame_new (frame->shard, frame->number);
    CHECK (twin);
    rig_fill_frame (twin, frame->body.size - FRAME_OP_HEAD - 16, life);
    bool same = twin->body.size == frame->body.size && twin->time_ms == frame->time_ms
                && memcmp (twin->body.data, frame->body.data, frame->body.size) == 0;
    frame_destroy (&twin);
    return same;
}

static troupe_status_t
take_over (void *arg, frame_t *frame)
{
    rig_t *rig = arg;
    keep (rig, frame);
    CHECK (rig->replayed_count < sizeof rig->replayed / sizeof *rig->replayed);
    rig->replayed[rig->replayed_count++] = frame;
    rig->submitted[frame->shard] = rig->taken[frame->shard] = rig->durable[frame->shard] = frame->number;
    return TROUPE_OK;
}

troupe_status_t
rig_open (rig_t *rig)
{
    rig->replayed_count = 0;
    rig->journal = journal_new (rig->disk, &rig->identity, &rig->options, &rig->error);
    if (!rig->journal)
        return rig->error.status;
    for (int shard = 0; shard < RIG_SHARDS; shard++)
        rig->submitted[shard] = rig->taken[shard] = rig->durable[shard] = rig->marks[shard].frame;
    troupe_status_t status = journal_recover (rig->journal, rig->marks, RIG_SHARDS, take_over, rig, &rig->error);
    if (status == TROUPE_FULL && rig->grows) {
        disk_memory_set_space (rig->disk, 0);
        journal_hold_back (rig->journal, true);
        status = journal_recover (rig->journal, rig->marks, RIG_SHARDS, take_over, rig, &rig->error);
    }
    if (status != TROUPE_OK)
        rig_close (rig);
    return status;
}

void
rig_crash (rig_t *rig, uint64_t seed, bool keep_cache)
{
    disk_memory_crash (rig->disk, seed, keep_cache);
    rig_close (rig);
    free_frames (rig);
}

frame_t *
rig_submit (rig_t *rig, uint16_t shard, size_t size, uint64_t life)
{
    frame_t *frame = frame_new (shard, ++rig->submitted[shard]);
    CHECK (frame);
    keep (rig, frame);
    rig_fill_frame (frame, size, life);
    journal_submit (rig->journal, frame);
    return frame;
}

troupe_status_t
rig_commit (rig_t *rig)
{
    for (;;) {
        uint32_t frames;
        troupe_status_t status = journal_commit (rig->journal, &frames, &rig->error);
        if (status != TROUPE_OK || frames == 0)
            return status;
    }
}

uint64_t
rig_fold (rig_t *rig)
{
    uint64_t lsn = 0;
    for (frame_t *frame = journal_take_durable (rig->journal); frame; frame = frame->next) {
        CHECK (lsn == 0 || frame->lsn == lsn + 1);
        CHECK (frame->number == rig->marks[frame->shard].frame + 1);
        lsn = frame->lsn;
        rig->marks[frame->shard] = (state_mark_t) { frame->number, frame->time_ms };
    }
    return lsn;
}

bool
rig_replayed (const rig_t *rig, uint16_t shard, uint64_t first, uint64_t last)
{
    uint64_t next = first;
    for (uint32_t i = 0; i < rig->replayed_count; i++) {
        const frame_t *frame = rig->replayed[i];
        if (i && frame->lsn != rig->replayed[i - 1]->lsn + 1)
            return false;
        if (frame->shard == shard && frame->number != next++)
            return false;
    }
    return next == last + 1;
}
