/*  journal.h - the durable, ordered log of frames, in segment files.
 *
 *  Shards submit sealed frames from any thread; journal_commit, run by one
 *  thread (or by the simulator's hand), gathers all that were submitted,
 *  writes them one after the other in one batch, syncs once, and tells. What
 *  came during the sync is the next batch: no timer, no tuned size. (Several
 *  batches, each with its sync, where a segment ends or 4 MB are full.)
 *
 *  Files. "NNNNNNNNNN.seg", numbered from 1, each `segment_size` long, filled
 *  with zeros before use and reused after trimming, so that a sync flushes
 *  data and no metadata. The next segment is made before it is needed.
 *      segment header (4096 bytes): magic, format, store id, epoch, segment
 *          number, salt, first LSN, durable LSN at its making, checksum
 *      records, each at a multiple of 8, a batch starting at a multiple of
 *          4096 so that a sync never rewrites a page that holds durable frames:
 *          head: magic, body size, shard, whether it is the last of its batch,
 *                salt, LSN, frame number, time, durable LSN at its writing,
 *                body checksum, head checksum
 *          body: as in frame.h
 *      The head's checksum is seeded by store, epoch and salt, so that bytes of
 *      an earlier use of the file are no records; the body's is seeded by the
 *      previous record's (the first: the salt).
 *  A batch never crosses into the next segment, so that all records before a
 *  segment were durable when its header was written. A segment whose header is
 *  bad, or names another number than the file, does not exist. When a later segment
 *  begins at LSN n, records >= n of earlier ones are superseded. A frame that
 *  needs more room than `segment_size` gets a segment of its own size.
 *
 *  Recovery reads until the first invalid record. If anything valid behind it
 *  says that the bad record had been durable, it refuses to start and says
 *  which bytes are bad. It never trusts the page cache: records past the last
 *  recorded durable LSN are written again into a fresh segment and synced, then
 *  its header, before the first frame is handed out as durable.
 *
 *  Threads. submit and counts: any. commit: one at a time, called the journal's
 *  thread here. prepare, trim and take_durable: the checkpoint's. new, recover
 *  and destroy: while no other thread is here. The first I/O error of any of
 *  them ends the journal: every commit, prepare and trim after it says TROUPE_IO.
 */
#ifndef STORAGE_JOURNAL_H
#define STORAGE_JOURNAL_H

#include "runtime/frame.h"
#include "runtime/port/state.h"
#include "storage/disk.h"

typedef struct journal_s journal_t;

typedef struct {
    uint64_t segment_size;     /* bytes of a segment file; multiple of 4096, at least 8192 */
    uint32_t spare_segments;   /* trimmed ones kept for reuse; others are removed */
    uint64_t salt_seed;        /* of the salts; the simulator fixes it, else random */
    /* Told on the journal's thread, once a batch and shard with its newest
     * frame number: the frame has left the queue and is being written (the
     * shard may seal the next one); it is durable. */
    void (*on_taken) (void *arg, uint16_t shard, uint64_t frame);
    void (*on_durable) (void *arg, uint16_t shard, uint64_t frame);
    void *arg;
} journal_options_t;

/*  Opens the files of `disk` for a store. NULL and an error: TROUPE_MISMATCH
 *  for files of another store, epoch or format. Borrows the disk; copies the rest. */
journal_t *journal_new (disk_t *disk, const state_identity_t *identity, const journal_options_t *options,
                        troupe_error_t *error);
void journal_destroy (journal_t **self_p);

/*  Before anything is submitted. Hands out, in LSN order, a new frame
 *  (owned by the callee; lsn set) for each record whose number is above its
 *  shard's mark. TROUPE_CORRUPT: rot, or a frame missing between the mark and the
 *  journal: the text says file and byte. Frames handed out count as durable
 *  and are in the list of journal_take_durable. TROUPE_FULL: there is no room for
 *  even a small fresh segment; nothing is lost, and it may be called again. When `replay` refuses, so does
 *  this, and destroys what was not handed out. The state must have been synced
 *  before: nothing here looks at it again. */
typedef troupe_status_t (journal_replay_t) (void *arg, frame_t *frame);
troupe_status_t journal_recover (journal_t *self, const state_mark_t *marks, uint32_t shards,
                                 journal_replay_t *replay, void *arg, troupe_error_t *error) TROUPE_CHECKED;

/*  Any thread; never blocks, never fails. The frame stays the shard's; it
 *  may not be changed and not be freed before it is folded. Returns true
 *  when the queue was empty, that is when the journal's thread must be woken. */
bool journal_submit (journal_t *self, frame_t *frame);

/*  One round; by one thread at a time. TROUPE_OK: all that was submitted before
 *  the call is durable, `*frames` of them by this call (0: there was nothing). TROUPE_FULL:
 *  no space, or no memory; `*frames` are durable, nothing is lost, the next call
 *  writes the others, from the same place on. TROUPE_IO: the node must stop at
 *  once; every later call says the same. */
troupe_status_t journal_commit (journal_t *self, uint32_t *frames, troupe_error_t *error) TROUPE_CHECKED;

/*  The checkpoint's thread, now and then: makes the next segment when none is
 *  ready, so that no commit has to wait for that. TROUPE_FULL is no harm while the
 *  current segment has room. */
troupe_status_t journal_prepare (journal_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  The checkpoint's thread, or before journal_recover: while it is held back and anything waits to be folded it
 *  takes no new segments, and gives TROUPE_FULL where it would; a start takes a small one. */
void journal_hold_back (journal_t *self, bool holds);

/*  The checkpoint's thread: the list (by frame->next, LSN order) of frames that became
 *  durable since the last call; NULL when none. */
frame_t *journal_take_durable (journal_t *self);

/*  The checkpoint's thread, after the state is synced up to this LSN: segments
 *  that hold nothing newer are free. */
troupe_status_t journal_trim (journal_t *self, uint64_t lsn, troupe_error_t *error) TROUPE_CHECKED;

typedef struct {
    uint64_t lsn;             /* newest durable */
    uint64_t trimmed_lsn;
    uint64_t bytes;           /* of live segments */
    uint64_t written_bytes;   /* since the start */
    uint64_t syncs;
    uint64_t unfolded_bytes;  /* bodies of durable frames above the trimmed LSN; a little more
                                 when that is within a batch */
} journal_counts_t;
journal_counts_t journal_counts (const journal_t *self);  /* any thread */

/*  Reads all of it without changing anything, for `troupe check`, and says what
 *  journal_recover would. The callee may destroy each frame at once. `folded` is given the frames that the state
 *  has already and that are still there, each shard's in their order and before its others, also when the journal
 *  turns out to be damaged later; NULL: nobody wants them. */
typedef void (journal_folded_t) (void *arg, frame_t *frame);
troupe_status_t journal_check (disk_t *disk, const state_identity_t *identity, const state_mark_t *marks,
                               uint32_t shards, journal_replay_t *replay, journal_folded_t *folded, void *arg,
                               troupe_error_t *error) TROUPE_CHECKED;

#endif
