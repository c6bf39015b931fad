/*  journal_parts.h - what the files of the journal share: its struct, and the
 *  calls between them. For storage/journal*.c and their tests alone.
 *
 *  Locks. `making` is held while a segment is made, recycled or removed, I/O
 *  included; the journal's thread takes it only when it needs a segment and none
 *  is ready. `lock` guards lists and is never held over I/O; it is the inner one.
 */
#ifndef STORAGE_JOURNAL_PARTS_H
#define STORAGE_JOURNAL_PARTS_H

#include "storage/frame_list.h"
#include "storage/journal.h"
#include "storage/journal_format.h"

#include <pthread.h>
#include <stdatomic.h>

#define JOURNAL_BUFFER_SIZE (4u << 20)  /* bytes of one write; a batch is larger only when one frame is */
#define JOURNAL_PROGRESS_MAX 1024       /* remembered ends of batches; more are thinned out */

typedef struct segment_s {
    struct segment_s *next;
    disk_file_t *file;
    uint64_t number;     /* in its file's name */
    uint64_t size;       /* of the file; multiple of JOURNAL_PAGE */
    uint64_t salt;       /* these two: while it is live */
    uint64_t first_lsn;
    bool has_header;     /* as found at the start */
} segment_t;

typedef struct {
    segment_t *first, *last;
} segment_list_t;

typedef struct {
    uint64_t lsn;        /* of the last frame of a batch */
    uint64_t bytes;      /* of all bodies up to it, since the start */
} progress_t;

struct journal_s {
    /* fixed after journal_recover */
    disk_t *disk;
    state_identity_t identity;
    journal_options_t options;
    uint64_t seed;                  /* of all checksums */
    uint64_t boot;                  /* makes salts from a fixed seed differ from those of earlier runs */
    bool is_recovered;

    /* owner: the journal's thread */
    frame_list_t pending;           /* taken from the queue, not yet in a batch */
    frame_list_t batch;             /* being written; stays until it is durable */
    segment_t *current;             /* also the last of `live`, unless is_new */
    bool is_new;                    /* the header of `current` goes with this batch */
    uint64_t at;                    /* where the batch begins in it */
    uint64_t previous;              /* body checksum of the record before, or the salt */
    uint64_t next_lsn;
    uint64_t *newest;               /* per shard: number of its newest frame in a batch */
    bool *is_touched;               /* per shard: it has frames in this batch */
    uint16_t *touched;              /* those shards */
    uint32_t touched_count;
    uint8_t *buffer;                /* JOURNAL_BUFFER_SIZE bytes, aligned to a page */
    void *buffer_block;             /* what to free */

    /* shared: atomic */
    _Atomic (frame_t *) submitted;  /* newest first; journal_submit's release pairs with gather's acquire */
    atomic_bool is_held_back;       /* a hint, pairs with nothing */
    atomic_bool has_failed;         /* release after `failure` is set, pairs with journal_failed */
    atomic_uint_fast64_t lsn, trimmed_lsn, live_bytes, written_bytes, syncs, unfolded_bytes;  /* counts only */

    /* shared: under `lock` */
    pthread_mutex_t lock;
    segment_list_t live;            /* in order; the last one is written to */
    segment_list_t ready;           /* in order; to be used next */
    uint32_t ready_count;
    frame_list_t durable;           /* for journal_take_durable */
    progress_t progress[JOURNAL_PROGRESS_MAX];
    uint32_t progress_count;
    uint64_t body_bytes;            /* of all frames that became durable since the start */
    troupe_error_t failure;         /* the first one; status TROUPE_OK: none */

    /* shared: under `making` */
    pthread_mutex_t making;
    uint64_t highest;               /* number of any segment file there ever was in this run */
};

/* ------------------------------------------------------------------ *
 *  journal.c
 * ------------------------------------------------------------------ */

/*  Ends the journal with this error, whatever its status; returns TROUPE_IO. Any thread. */
troupe_status_t journal_fail (journal_t *self, troupe_error_t *error);

/*  True, with the first failure's text, once the journal has ended. Any thread. */
bool journal_has_failed (journal_t *self, troupe_error_t *error);

/*  Puts frames that are durable into the list for the checkpoint. Under `lock`. */
void journal_add_durable (journal_t *self, frame_list_t frames);

/*  A sync that is counted and whose failure ends the journal. */
troupe_status_t journal_sync_file (journal_t *self, disk_file_t *file, troupe_error_t *error) TROUPE_CHECKED;
troupe_status_t journal_sync_names (journal_t *self, troupe_error_t *error) TROUPE_CHECKED;

/* ------------------------------------------------------------------ *
 *  journal_write.c
 * ------------------------------------------------------------------ */

/*  Writes the frames, which follow each other in LSN order, as one batch from
 *  `at` on, before it the segment's header if `with_header`. On TROUPE_OK `*previous` and
 *  `*end` say where the next batch goes on. Nothing is synced. */
troupe_status_t journal_write_batch (journal_t *self, const segment_t *segment, bool with_header, uint64_t at,
                                     const frame_t *frames, uint64_t *previous, uint64_t *end,
                                     troupe_error_t *error) TROUPE_CHECKED;
troupe_status_t journal_write_header (journal_t *self, const segment_t *segment, troupe_error_t *error) TROUPE_CHECKED;

/* ------------------------------------------------------------------ *
 *  journal_segments.c
 * ------------------------------------------------------------------ */

void segment_list_append (segment_list_t *list, segment_t *segment);
segment_t *segment_list_take (segment_list_t *list);
void journal_close_segment (journal_t *self, segment_t **segment_p);

/*  Finds the files of the disk: all into `live`, in the order of their numbers. */
troupe_status_t journal_find_segments (journal_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Closes the segment and removes its file. */
troupe_status_t journal_remove_segment (journal_t *self, segment_t **segment_p, troupe_error_t *error) TROUPE_CHECKED;

/*  A segment of at least `size` bytes for the journal's thread: a ready one, or a
 *  new one, which has `new_size`. Salt and first LSN are set. TROUPE_FULL leaves no partial file. */
troupe_status_t journal_next_segment (journal_t *self, uint64_t size, uint64_t new_size, uint64_t first_lsn,
                                      segment_t **segment, troupe_error_t *error) TROUPE_CHECKED;

#endif
