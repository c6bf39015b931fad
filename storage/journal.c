/*  journal.c - takes frames from all shards, makes them durable in one order, tells.
 *
 *  DESIGN
 *  Shards push into a list by compare-and-swap; the journal's thread takes all of it
 *  at once and turns it round, so that nobody waits and nothing is lost between
 *  looking and sleeping. A batch is what fits into the current segment, and
 *  no more than one buffer, so that the first frame of a long queue does not wait for
 *  the last. It stays in hand, with its LSNs, until it is durable: a full disk
 *  leaves it there, and the next call writes the same bytes to the same place.
 *  Frames become visible to the checkpoint after the shards were told, since a
 *  folded frame may be freed.
 *  A batch is durable when one sync after its last byte returned OK: it never
 *  spans two files. The first failed sync ends the journal for good: what it
 *  covered may read back and yet be lost.
 */
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/journal_parts.h"

/* ------------------------------------------------------------------ *
 *  Life
 * ------------------------------------------------------------------ */

static bool
allocate (journal_t *self)
{
    uint32_t shards = self->identity.shards;
    self->newest = memory_zalloc (shards * sizeof *self->newest);
    self->is_touched = memory_zalloc (shards * sizeof *self->is_touched);
    self->touched = memory_zalloc (shards * sizeof *self->touched);
    return self->newest && self->is_touched && self->touched;
}

static bool
are_valid (const state_identity_t *identity, const journal_options_t *options, troupe_error_t *error)
{
    if (identity->shards < 1 || identity->shards > STATE_SHARDS_MAX) {
        error_set (error, TROUPE_INVALID, "a store has 1 to %d shards, not %u", STATE_SHARDS_MAX, identity->shards);
        return false;
    }
    if (options->segment_size % JOURNAL_PAGE || options->segment_size < 2 * JOURNAL_PAGE) {
        error_set (error, TROUPE_INVALID, "the size of a journal segment must be a multiple of %u and at least %u",
                   JOURNAL_PAGE, 2 * JOURNAL_PAGE);
        return false;
    }
    return true;
}

journal_t *
journal_new (disk_t *disk, const state_identity_t *identity, const journal_options_t *options, troupe_error_t *error)
{
    if (!are_valid (identity, options, error))
        return NULL;
    journal_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "cannot open the journal: out of memory");
        return NULL;
    }
    self->disk = disk;
    self->identity = *identity;
    self->options = *options;
    self->seed = journal_seed (identity);
    pthread_mutex_init (&self->lock, NULL);
    pthread_mutex_init (&self->making, NULL);
    bool is_open = true;
    if (!allocate (self)) {
        error_set (error, TROUPE_NO_MEMORY, "cannot open the journal: out of memory");
        is_open = false;
    } else if (journal_find_segments (self, error) != TROUPE_OK) {
        is_open = false;
    }
    if (!is_open)
        journal_destroy (&self);
    return self;
}

static void
close_list (journal_t *self, segment_list_t *list)
{
    for (segment_t *segment; (segment = segment_list_take (list)) != NULL;)
        journal_close_segment (self, &segment);
}

void
journal_destroy (journal_t **self_p)
{
    CHECK (self_p);
    journal_t *self = *self_p;
    if (!self)
        return;
    if (self->is_new)
        journal_close_segment (self, &self->current);
    close_list (self, &self->live);
    close_list (self, &self->ready);
    pthread_mutex_destroy (&self->lock);
    pthread_mutex_destroy (&self->making);
    memory_free (self->newest);
    memory_free (self->is_touched);
    memory_free (self->touched);
    memory_free (self->buffer_block);
    memory_free (self);
    *self_p = NULL;
}

/* ------------------------------------------------------------------ *
 *  Failure
 * ------------------------------------------------------------------ */

troupe_status_t
journal_fail (journal_t *self, troupe_error_t *error)
{
    if (error)
        error->status = TROUPE_IO;
    pthread_mutex_lock (&self->lock);
    if (self->failure.status == TROUPE_OK)
        error_set (&self->failure, TROUPE_IO, "the journal has ended: %s", error ? error->text : "I/O error");
    pthread_mutex_unlock (&self->lock);
    atomic_store_explicit (&self->has_failed, true, memory_order_release);
    return TROUPE_IO;
}

bool
journal_has_failed (journal_t *self, troupe_error_t *error)
{
    if (!atomic_load_explicit (&self->has_failed, memory_order_acquire))
        return false;
    pthread_mutex_lock (&self->lock);
    if (error)
        *error = self->failure;
    pthread_mutex_unlock (&self->lock);
    return true;
}

troupe_status_t
journal_sync_file (journal_t *self, disk_file_t *file, troupe_error_t *error)
{
    if (self->disk->sync (self->disk->self, file, error) != TROUPE_OK)
        return journal_fail (self, error);
    atomic_fetch_add_explicit (&self->syncs, 1, memory_order_relaxed);
    return TROUPE_OK;
}

troupe_status_t
journal_sync_names (journal_t *self, troupe_error_t *error)
{
    if (self->disk->sync_names (self->disk->self, error) != TROUPE_OK)
        return journal_fail (self, error);
    atomic_fetch_add_explicit (&self->syncs, 1, memory_order_relaxed);
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Submitted
 * ------------------------------------------------------------------ */

bool
journal_submit (journal_t *self, frame_t *frame)
{
    frame_t *head = atomic_load_explicit (&self->submitted, memory_order_relaxed);
    do
        frame->next = head;
    while (!atomic_compare_exchange_weak_explicit (&self->submitted, &head, frame, memory_order_release,
                                                   memory_order_relaxed));
    return head == NULL;
}

static void
gather (journal_t *self)
{
    frame_t *frame = atomic_exchange_explicit (&self->submitted, NULL, memory_order_acquire);
    frame_t *turned = NULL;
    while (frame) {
        frame_t *next = frame->next;
        frame->next = turned;
        turned = frame;
        frame = next;
    }
    while (turned) {
        frame = turned;
        turned = turned->next;
        frame_list_append (&self->pending, frame);
    }
}

/* ------------------------------------------------------------------ *
 *  A batch
 * ------------------------------------------------------------------ */

static troupe_status_t
use_next_segment (journal_t *self, uint64_t record, troupe_error_t *error)
{
    uint64_t need = JOURNAL_PAGE + page_up (record);
    uint64_t whole = need > self->options.segment_size ? need : self->options.segment_size;
    segment_t *segment;
    troupe_status_t status = journal_next_segment (self, need, whole, self->next_lsn, &segment, error);
    if (status != TROUPE_OK)
        return status;
    self->current = segment;
    self->is_new = true;
    self->at = JOURNAL_PAGE;
    self->previous = segment->salt;
    return TROUPE_OK;
}

/*  Numbers are checked here, before a hole gets into the journal that the next
 *  start would have to refuse. */
static void
add_to_batch (journal_t *self, frame_t *frame)
{
    CHECK (frame->shard < self->identity.shards && frame->number == self->newest[frame->shard] + 1);
    self->newest[frame->shard] = frame->number;
    if (!self->is_touched[frame->shard]) {
        self->is_touched[frame->shard] = true;
        self->touched[self->touched_count++] = frame->shard;
    }
    frame->lsn = self->next_lsn++;
    frame_list_append (&self->batch, frame);
}

static void
tell (const journal_t *self, void (*told) (void *arg, uint16_t shard, uint64_t frame))
{
    if (!told)
        return;
    for (uint32_t i = 0; i < self->touched_count; i++)
        told (self->options.arg, self->touched[i], self->newest[self->touched[i]]);
}

static troupe_status_t
make_batch (journal_t *self, troupe_error_t *error)
{
    uint64_t size = record_size (self->pending.first->body.size);
    if (self->at + size > self->current->size) {
        troupe_status_t status = use_next_segment (self, size, error);
        if (status != TROUPE_OK)
            return status;
    }
    uint64_t room = self->current->size - self->at;
    if (room > JOURNAL_BUFFER_SIZE - JOURNAL_PAGE)
        room = JOURNAL_BUFFER_SIZE - JOURNAL_PAGE;
    uint64_t used = 0;
    do {
        used += size;
        add_to_batch (self, frame_list_take (&self->pending));
        size = self->pending.first ? record_size (self->pending.first->body.size) : 0;
    } while (self->pending.first && used + size <= room);
    tell (self, self->options.on_taken);
    return TROUPE_OK;
}

/*  Remembers where a batch ends; of too many ends every second is forgotten,
 *  never the newest. Under `lock`. */
static void
note_progress (journal_t *self, uint64_t lsn)
{
    if (self->progress_count == JOURNAL_PROGRESS_MAX) {
        for (uint32_t i = 0; i < JOURNAL_PROGRESS_MAX / 2; i++)
            self->progress[i] = self->progress[2 * i + 1];
        self->progress_count = JOURNAL_PROGRESS_MAX / 2;
    }
    self->progress[self->progress_count++] = (progress_t) { lsn, self->body_bytes };
}

void
journal_add_durable (journal_t *self, frame_list_t frames)
{
    if (!frames.first)
        return;
    uint64_t bytes = 0;
    for (const frame_t *frame = frames.first; frame; frame = frame->next)
        bytes += frame->body.size;
    if (self->durable.last)
        self->durable.last->next = frames.first;
    else
        self->durable.first = frames.first;
    self->durable.last = frames.last;
    self->body_bytes += bytes;
    atomic_fetch_add_explicit (&self->unfolded_bytes, bytes, memory_order_relaxed);
    note_progress (self, frames.last->lsn);
}

static void
finish_batch (journal_t *self, uint32_t *frames)
{
    for (const frame_t *frame = self->batch.first; frame; frame = frame->next)
        *frames += 1;
    atomic_store_explicit (&self->lsn, self->next_lsn - 1, memory_order_release);
    tell (self, self->options.on_durable);
    pthread_mutex_lock (&self->lock);
    if (self->is_new) {
        segment_list_append (&self->live, self->current);
        atomic_fetch_add_explicit (&self->live_bytes, self->current->size, memory_order_relaxed);
    }
    journal_add_durable (self, self->batch);
    pthread_mutex_unlock (&self->lock);
    self->batch = (frame_list_t) { NULL, NULL };
    self->is_new = false;
    while (self->touched_count)
        self->is_touched[self->touched[--self->touched_count]] = false;
}

static troupe_status_t
write_batch (journal_t *self, uint32_t *frames, troupe_error_t *error)
{
    uint64_t previous = self->previous, end;
    troupe_status_t status = journal_write_batch (self, self->current, self->is_new, self->at, self->batch.first,
                                                  &previous, &end, error);
    if (status == TROUPE_OK)
        status = journal_sync_file (self, self->current->file, error);
    if (status != TROUPE_OK)
        return status;
    self->at = end;
    self->previous = previous;
    finish_batch (self, frames);
    return TROUPE_OK;
}

/*  Takes from the queue once, so that it ends however much comes meanwhile; and
 *  leaves nothing of that behind, since nobody else was told to look for it. */
troupe_status_t
journal_commit (journal_t *self, uint32_t *frames, troupe_error_t *error)
{
    CHECK (self->is_recovered);
    *frames = 0;
    if (journal_has_failed (self, error))
        return TROUPE_IO;
    gather (self);
    while (self->batch.first || self->pending.first) {
        troupe_status_t status = self->batch.first ? TROUPE_OK : make_batch (self, error);
        if (status == TROUPE_OK)
            status = write_batch (self, frames, error);
        if (status != TROUPE_OK)
            return status;
    }
    return TROUPE_OK;
}

frame_t *
journal_take_durable (journal_t *self)
{
    pthread_mutex_lock (&self->lock);
    frame_t *frames = self->durable.first;
    self->durable = (frame_list_t) { NULL, NULL };
    pthread_mutex_unlock (&self->lock);
    return frames;
}

journal_counts_t
journal_counts (const journal_t *self)
{
    return (journal_counts_t) {
        .lsn = atomic_load_explicit (&self->lsn, memory_order_acquire),
        .trimmed_lsn = atomic_load_explicit (&self->trimmed_lsn, memory_order_relaxed),
        .bytes = atomic_load_explicit (&self->live_bytes, memory_order_relaxed),
        .written_bytes = atomic_load_explicit (&self->written_bytes, memory_order_relaxed),
        .syncs = atomic_load_explicit (&self->syncs, memory_order_relaxed),
        .unfolded_bytes = atomic_load_explicit (&self->unfolded_bytes, memory_order_relaxed),
    };
}
