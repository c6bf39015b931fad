/*  journal_recover.c - what the journal says after a start.
 *
 *  DESIGN
 *  First it reads and changes nothing: all segments in order, record by record,
 *  until the first one that is invalid. Then it asks whether anybody says that the bad
 *  record had been durable: the header of a later segment (all before it was), a
 *  valid head further on (it names the durable LSN of its time), or the state (it
 *  holds a frame from behind the bad place, or has begun to fold it). If so, acknowledged frames are
 *  damaged, and it refuses; if not, it is the torn end of a batch that nobody was
 *  told of. What is said can be believed whatever else was lost with the power:
 *  it was written after the sync that it speaks of. Old bytes in a recycled file
 *  say true things as well, but only of durable LSNs: they may name frames that
 *  were later given other LSNs, so the state is held against heads of the
 *  last segment alone, by its salt.
 *  Then the last batch, of which nobody says that it was durable, is written
 *  again into a fresh segment, since it may stand in the page cache only. The
 *  fresh header supersedes the old copy and is therefore written and synced after
 *  it; until then a crash finds all as it was.
 *  The thread that starts the node, alone.
 */
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/journal_parts.h"

#define WINDOW_SIZE (256u << 10)  /* bytes of one read */
#define SMALL_SEGMENT (64u << 10) /* room in a fresh segment when the disk is full */

typedef struct {
    journal_t *journal;
    const state_mark_t *marks;
    uint32_t shards;
    uint64_t *seen;            /* per shard: its newest frame in the journal; 0: none */

    segment_t *segment;        /* being read */
    uint8_t *window;           /* WINDOW_SIZE bytes of it */
    uint64_t window_at;
    size_t window_size;

    uint64_t lsn;              /* of the last valid record */
    uint64_t batch_durable;    /* durable LSN as the batch in hand names it */
    uint64_t end_at;           /* where the valid records of the last segment end */
    segment_t *end_segment;    /* NULL: there is none */
    uint64_t previous;         /* body checksum of the last valid record, or the salt */

    frame_list_t wanted;       /* frames above their marks, of earlier batches */
    frame_list_t batch;        /* all frames of the newest batch */
    journal_folded_t *folded;  /* as in journal_check */
    void *folded_arg;
} recovery_t;

/*  Where a record may stand. */
typedef struct {
    uint64_t at;
    bool starts_batch;
} place_t;

static troupe_status_t
no_memory (troupe_error_t *error)
{
    return error_set (error, TROUPE_NO_MEMORY, "cannot read the journal: out of memory");
}

static void
destroy_frames (frame_list_t *list)
{
    for (frame_t *frame; (frame = frame_list_take (list)) != NULL;)
        frame_destroy (&frame);
}

static troupe_status_t
open_recovery (recovery_t *self, journal_t *journal, const state_mark_t *marks, uint32_t shards,
               troupe_error_t *error)
{
    *self = (recovery_t) { .journal = journal, .marks = marks, .shards = shards };
    self->seen = memory_zalloc (shards * sizeof *self->seen);
    self->window = memory_alloc (WINDOW_SIZE);
    return self->seen && self->window ? TROUPE_OK : no_memory (error);
}

static void
close_recovery (recovery_t *self)
{
    destroy_frames (&self->wanted);
    destroy_frames (&self->batch);
    memory_free (self->seen);
    memory_free (self->window);
}

/* ------------------------------------------------------------------ *
 *  Reading a segment
 * ------------------------------------------------------------------ */

static void
look_at (recovery_t *self, segment_t *segment)
{
    self->segment = segment;
    self->window_size = 0;
}

/*  `size` bytes of the segment, borrowed until the next peek. */
static troupe_status_t
peek (recovery_t *self, uint64_t at, size_t size, const uint8_t **bytes, troupe_error_t *error)
{
    CHECK (size <= WINDOW_SIZE && at + size <= self->segment->size);
    if (at < self->window_at || at + size > self->window_at + self->window_size) {
        uint64_t left = self->segment->size - at;
        disk_t *disk = self->journal->disk;
        self->window_at = at;
        self->window_size = left < WINDOW_SIZE ? (size_t) left : WINDOW_SIZE;
        troupe_status_t status = disk->read (disk->self, self->segment->file, at, self->window, self->window_size,
                                             error);
        if (status != TROUPE_OK) {
            self->window_size = 0;
            return status;
        }
    }
    *bytes = self->window + (at - self->window_at);
    return TROUPE_OK;
}

static troupe_status_t
read_body (recovery_t *self, uint64_t at, size_t size, frame_t *frame, troupe_error_t *error)
{
    uint8_t *body = size ? buffer_reserve (&frame->body, size) : NULL;
    if (!size)
        return TROUPE_OK;
    if (!body)
        return no_memory (error);
    frame->body.size = size;
    disk_t *disk = self->journal->disk;
    if (size > WINDOW_SIZE)
        return disk->read (disk->self, self->segment->file, at, body, size, error);
    const uint8_t *bytes;
    troupe_status_t status = peek (self, at, size, &bytes, error);
    if (status == TROUPE_OK)
        memcpy (body, bytes, size);
    return status;
}

/*  Whether a head with a good checksum is the one that must stand here. */
static bool
is_next (const recovery_t *self, const record_head_t *head, place_t place)
{
    uint64_t room = self->segment->size - place.at - RECORD_HEAD;
    uint64_t durable_lsn = place.starts_batch ? self->lsn : self->batch_durable;
    return head->salt == self->segment->salt && head->lsn == self->lsn + 1 && head->body_size <= room
           && head->durable_lsn == durable_lsn;
}

/*  The record at a place; `*frame` is NULL when there is no valid one. */
static troupe_status_t
read_record (recovery_t *self, place_t place, record_head_t *head, frame_t **frame, troupe_error_t *error)
{
    const uint8_t *bytes;
    *frame = NULL;
    if (place.at + RECORD_HEAD > self->segment->size)
        return TROUPE_OK;
    troupe_status_t status = peek (self, place.at, RECORD_HEAD, &bytes, error);
    if (status != TROUPE_OK)
        return status;
    if (!record_head_decode (bytes, self->journal->seed, head) || !is_next (self, head, place))
        return TROUPE_OK;
    frame_t *made = frame_new (head->shard, head->number);
    if (!made)
        return no_memory (error);
    made->time_ms = head->time_ms;
    made->lsn = head->lsn;
    status = read_body (self, place.at + RECORD_HEAD, head->body_size, made, error);
    uint64_t checksum = record_body_checksum (made->body.data, made->body.size, self->journal->seed, self->previous);
    if (status != TROUPE_OK || checksum != head->body_checksum)
        frame_destroy (&made);
    *frame = made;
    return status;
}

/*  A valid record must also make sense: frames of a shard follow each other. */
static troupe_status_t
check_record (recovery_t *self, uint64_t at, const frame_t *frame, troupe_error_t *error)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name (name, self->segment->number);
    if (frame->shard >= self->shards)
        return error_set (error, TROUPE_CORRUPT, "journal %s, byte %llu: a frame of shard %u, the store has %u shards",
                          name, (unsigned long long) at, frame->shard, self->shards);
    uint64_t seen = self->seen[frame->shard], mark = self->marks[frame->shard].frame;
    if (seen ? frame->number != seen + 1 : frame->number > mark + 1)
        return error_set (error, TROUPE_CORRUPT, "journal %s, byte %llu: frame %llu of shard %u, but frame %llu is "
                          "missing: a segment file is gone, or state and journal are of different times", name,
                          (unsigned long long) at, (unsigned long long) frame->number, frame->shard,
                          (unsigned long long) (seen ? seen : mark) + 1);
    if (!frame_body_is_valid (frame->body.data, frame->body.size))
        return error_set (error, TROUPE_CORRUPT, "journal %s, byte %llu: frame %llu of shard %u holds no effects, "
                          "though its checksum is right", name, (unsigned long long) at,
                          (unsigned long long) frame->number, frame->shard);
    return TROUPE_OK;
}

/*  Frames that the state holds already are kept no longer than they may have to be written again, but by a check. */
static void
settle_batch (recovery_t *self)
{
    for (frame_t *frame; (frame = frame_list_take (&self->batch)) != NULL;) {
        if (frame->number > self->marks[frame->shard].frame)
            frame_list_append (&self->wanted, frame);
        else if (self->folded)
            self->folded (self->folded_arg, frame);
        else
            frame_destroy (&frame);
    }
}

static void
accept_record (recovery_t *self, place_t *place, const record_head_t *head, frame_t *frame)
{
    if (place->starts_batch)
        settle_batch (self);
    frame_list_append (&self->batch, frame);
    self->lsn = head->lsn;
    self->batch_durable = head->durable_lsn;
    self->previous = head->body_checksum;
    self->seen[head->shard] = head->number;
    place->at += record_size (head->body_size);
    place->starts_batch = head->is_last;
    if (head->is_last)
        place->at = page_up (place->at);
}

/*  Reads records up to `end_lsn`, or to the first that is invalid. */
static troupe_status_t
read_segment (recovery_t *self, segment_t *segment, uint64_t end_lsn, troupe_error_t *error)
{
    place_t place = { JOURNAL_PAGE, true };
    look_at (self, segment);
    settle_batch (self);
    self->previous = segment->salt;
    self->batch_durable = self->lsn;
    while (self->lsn < end_lsn) {
        record_head_t head;
        frame_t *frame;
        troupe_status_t status = read_record (self, place, &head, &frame, error);
        if (status != TROUPE_OK)
            return status;
        if (!frame)
            break;
        status = check_record (self, place.at, frame, error);
        if (status != TROUPE_OK) {
            frame_destroy (&frame);
            return status;
        }
        accept_record (self, &place, &head, frame);
    }
    self->end_at = place.at;
    self->end_segment = segment;
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Torn or damaged
 * ------------------------------------------------------------------ */

/*  The damage lies before `to`; a file that was cut off ends before it. */
static troupe_status_t
damaged (const recovery_t *self, uint64_t to, const char *witness, uint64_t number, troupe_error_t *error)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name (name, self->end_segment->number);
    if (to <= self->end_at)
        to = self->end_at + RECORD_HEAD;
    return error_set (error, TROUPE_CORRUPT, "journal %s is damaged within bytes %llu to %llu: LSN %llu should be "
                      "there and was durable, by %s %llu. Restore a backup", name,
                      (unsigned long long) self->end_at, (unsigned long long) to - 1,
                      (unsigned long long) self->lsn + 1, witness, (unsigned long long) number);
}

static troupe_status_t
read_segments (recovery_t *self, troupe_error_t *error)
{
    segment_t *segment = self->journal->live.first;
    for (; segment; segment = segment->next) {
        segment_t *next = segment->next;
        while (next && !next->has_header)
            next = next->next;
        if (!segment->has_header)
            continue;
        if (!self->end_segment)
            self->lsn = segment->first_lsn - 1;
        if (next && next->first_lsn < segment->first_lsn)
            return error_set (error, TROUPE_CORRUPT, "journal segments %llu and %llu contradict each other: their "
                              "first LSNs are %llu and %llu", (unsigned long long) segment->number,
                              (unsigned long long) next->number, (unsigned long long) segment->first_lsn,
                              (unsigned long long) next->first_lsn);
        troupe_status_t status = read_segment (self, segment, next ? next->first_lsn - 1 : UINT64_MAX - 1, error);
        if (status != TROUPE_OK)
            return status;
        if (next && self->lsn < next->first_lsn - 1)
            return damaged (self, segment->size, "the header of segment", next->number, error);
    }
    return TROUPE_OK;
}

/*  Whether a head behind the end says that more had been durable. */
static bool
contradicts (const recovery_t *self, const record_head_t *head)
{
    if (head->durable_lsn > self->lsn && (!self->segment->has_header || head->salt == self->segment->salt))
        return true;
    return self->segment->has_header && head->salt == self->segment->salt && head->lsn > self->lsn
           && head->shard < self->shards && head->number <= state_mark_newest (&self->marks[head->shard]);
}

static troupe_status_t
scan (recovery_t *self, segment_t *segment, uint64_t from, troupe_error_t *error)
{
    look_at (self, segment);
    for (uint64_t at = from; at + RECORD_HEAD <= segment->size; at += JOURNAL_ALIGN) {
        const uint8_t *bytes;
        record_head_t head;
        troupe_status_t status = peek (self, at, RECORD_HEAD, &bytes, error);
        if (status != TROUPE_OK)
            return status;
        if (!record_head_decode (bytes, self->journal->seed, &head) || !contradicts (self, &head))
            continue;
        if (segment == self->end_segment)
            return damaged (self, at, "the record of LSN", head.lsn, error);
        char name[SEGMENT_NAME_SIZE];
        segment_name (name, segment->number);
        return error_set (error, TROUPE_CORRUPT, "the journal ends with LSN %llu, but journal %s, byte %llu, says that "
                          "LSN %llu was durable: the header of that file (bytes 0 to %u) is damaged, or a segment is "
                          "gone. Restore a backup", (unsigned long long) self->lsn, name, (unsigned long long) at,
                          (unsigned long long) head.durable_lsn, JOURNAL_PAGE - 1);
    }
    return TROUPE_OK;
}

/*  Frames up to the mark may be trimmed, those behind it that a fold has reached may not. */
static troupe_status_t
ask_state (const recovery_t *self, troupe_error_t *error)
{
    for (uint32_t shard = 0; shard < self->shards; shard++) {
        uint64_t seen = self->seen[shard], newest = state_mark_newest (&self->marks[shard]);
        bool must_be_seen = seen || newest > self->marks[shard].frame;
        if (!must_be_seen || seen >= newest)
            continue;
        if (self->end_segment)
            return damaged (self, self->end_segment->size, "the state, which holds changes of a later frame than the "
                            "journal: number", newest, error);
        return error_set (error, TROUPE_CORRUPT, "the journal holds no frame, but the state holds changes of frames "
                          "up to %llu of shard %u, which a fold had begun to take from it: its segments are damaged or "
                          "gone. Restore a backup", (unsigned long long) newest, shard);
    }
    return TROUPE_OK;
}

static troupe_status_t
check_end (recovery_t *self, troupe_error_t *error)
{
    for (segment_t *segment = self->journal->live.first; segment; segment = segment->next) {
        troupe_status_t status = TROUPE_OK;
        if (!segment->has_header)
            status = scan (self, segment, 0, error);
        else if (segment == self->end_segment)
            status = scan (self, segment, self->end_at, error);
        if (status != TROUPE_OK)
            return status;
    }
    return ask_state (self, error);
}

static troupe_status_t
read_all (recovery_t *self, troupe_error_t *error)
{
    troupe_status_t status = read_segments (self, error);
    return status == TROUPE_OK ? check_end (self, error) : status;
}

/* ------------------------------------------------------------------ *
 *  The fresh segment
 * ------------------------------------------------------------------ */

/*  One without header holds nothing: the next one begins where it does. */
static void
count_live (journal_t *journal)
{
    for (segment_t *segment = journal->live.first; segment; segment = segment->next) {
        const segment_t *next = segment;
        while (!next->has_header)
            next = next->next;
        segment->first_lsn = next->first_lsn;
        atomic_fetch_add_explicit (&journal->live_bytes, segment->size, memory_order_relaxed);
    }
}

/*  Splits what was found: a file without header behind the last that has one can
 *  be used next; before it, it goes with the next trim. */
static troupe_status_t
sort_segments (recovery_t *self, troupe_error_t *error)
{
    journal_t *journal = self->journal;
    uint32_t keep = journal->options.spare_segments > 0 ? journal->options.spare_segments + 1 : 1;
    segment_list_t found = journal->live;
    journal->live = (segment_list_t) { NULL, NULL };
    troupe_status_t status = TROUPE_OK;
    uint64_t last = self->end_segment ? self->end_segment->number : 0;
    for (segment_t *segment; (segment = segment_list_take (&found)) != NULL;) {
        if (segment->number <= last) {
            segment_list_append (&journal->live, segment);
        } else if (status == TROUPE_OK
                   && (segment->size < journal->options.segment_size || journal->ready_count == keep)) {
            status = journal_remove_segment (journal, &segment, error);
            journal_close_segment (journal, &segment);
        } else {
            segment_list_append (&journal->ready, segment);
            journal->ready_count += 1;
        }
    }
    count_live (journal);
    return status;
}

/*  There was no room: all are found again by the next try. */
static void
unsort_segments (journal_t *journal)
{
    for (const segment_t *segment = journal->live.first; segment; segment = segment->next)
        atomic_fetch_sub_explicit (&journal->live_bytes, segment->size, memory_order_relaxed);
    for (segment_t *segment; (segment = segment_list_take (&journal->ready)) != NULL;)
        segment_list_append (&journal->live, segment);
    journal->ready_count = 0;
}

static uint64_t
batch_bytes (const frame_list_t *batch)
{
    uint64_t size = 0;
    for (const frame_t *frame = batch->first; frame; frame = frame->next)
        size += record_size (frame->body.size);
    return page_up (size);
}

/*  When there is no room for a whole segment a small one will do: the node must
 *  start in order to fold, and fold in order to free. */
static troupe_status_t
take_fresh (recovery_t *self, uint64_t first_lsn, segment_t **fresh, troupe_error_t *error)
{
    journal_t *journal = self->journal;
    uint64_t need = JOURNAL_PAGE + batch_bytes (&self->batch), small = need + SMALL_SEGMENT;
    uint64_t whole = need > journal->options.segment_size ? need : journal->options.segment_size;
    if (atomic_load_explicit (&journal->is_held_back, memory_order_relaxed) && small < whole)
        whole = small;
    troupe_status_t status = journal_next_segment (journal, need, whole, first_lsn, fresh, error);
    if (status == TROUPE_FULL && small < whole)
        status = journal_next_segment (journal, need, small, first_lsn, fresh, error);
    return status;
}

/*  What only a journal that is written to needs. */
static troupe_status_t
allocate_buffer (journal_t *journal, troupe_error_t *error)
{
    memory_free (journal->buffer_block);  /* of a try before */
    journal->buffer_block = memory_alloc (JOURNAL_BUFFER_SIZE + JOURNAL_PAGE);
    if (!journal->buffer_block)
        return no_memory (error);
    journal->buffer = (uint8_t *) page_up ((uintptr_t) journal->buffer_block);
    return TROUPE_OK;
}

/*  Records first, then the header that supersedes their old copies. */
static troupe_status_t
write_fresh (recovery_t *self, segment_t *fresh, troupe_error_t *error)
{
    journal_t *journal = self->journal;
    journal->at = JOURNAL_PAGE;
    journal->previous = fresh->salt;
    troupe_status_t status = journal_sync_names (journal, error);
    if (status == TROUPE_OK && self->batch.first) {
        status = journal_write_batch (journal, fresh, false, JOURNAL_PAGE, self->batch.first, &journal->previous,
                                      &journal->at, error);
        if (status == TROUPE_OK)
            status = journal_sync_file (journal, fresh->file, error);
    }
    if (status == TROUPE_OK)
        status = journal_write_header (journal, fresh, error);
    return status == TROUPE_OK ? journal_sync_file (journal, fresh->file, error) : status;
}

static uint64_t
boot_of (const recovery_t *self)
{
    uint64_t boot = hash_mix (self->lsn + 1, self->previous + 1);
    for (const segment_t *segment = self->journal->live.first; segment; segment = segment->next)
        if (segment->has_header)
            boot = hash_mix (boot, segment->salt);
    return boot;
}

static troupe_status_t
begin_fresh (recovery_t *self, troupe_error_t *error)
{
    journal_t *journal = self->journal;
    troupe_status_t status = sort_segments (self, error);
    if (status != TROUPE_OK)
        return status;
    journal->boot = boot_of (self);
    segment_t *fresh;
    uint64_t first_lsn = self->batch.first ? self->batch.first->lsn : self->lsn + 1;
    status = take_fresh (self, first_lsn, &fresh, error);
    if (status != TROUPE_OK)
        return status;
    status = write_fresh (self, fresh, error);
    if (status != TROUPE_OK) {
        journal_close_segment (journal, &fresh);
        return status;
    }
    segment_list_append (&journal->live, fresh);
    atomic_fetch_add_explicit (&journal->live_bytes, fresh->size, memory_order_relaxed);
    journal->current = fresh;
    journal->next_lsn = self->lsn + 1;
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Handing out
 * ------------------------------------------------------------------ */

/*  `given` collects them; NULL when the callee may free them at once. */
static troupe_status_t
hand_out (frame_list_t *wanted, frame_list_t *given, journal_replay_t *replay, void *arg, troupe_error_t *error)
{
    for (frame_t *frame; (frame = frame_list_take (wanted)) != NULL;) {
        uint64_t number = frame->number;
        uint16_t shard = frame->shard;
        if (given)
            frame_list_append (given, frame);
        troupe_status_t status = replay (arg, frame);
        if (status != TROUPE_OK)
            return error_set (error, status, "frame %llu of shard %u in the journal could not be taken over",
                              (unsigned long long) number, shard);
    }
    return TROUPE_OK;
}

static void
set_counts (recovery_t *self)
{
    journal_t *journal = self->journal;
    uint64_t trimmed = self->wanted.first ? self->wanted.first->lsn - 1 : self->lsn;
    atomic_store_explicit (&journal->lsn, self->lsn, memory_order_release);
    atomic_store_explicit (&journal->trimmed_lsn, trimmed, memory_order_relaxed);
    for (uint32_t shard = 0; shard < self->shards; shard++) {
        uint64_t mark = self->marks[shard].frame;
        journal->newest[shard] = self->seen[shard] > mark ? self->seen[shard] : mark;
    }
}

troupe_status_t
journal_recover (journal_t *self, const state_mark_t *marks, uint32_t shards, journal_replay_t *replay, void *arg,
                 troupe_error_t *error)
{
    CHECK (!self->is_recovered && shards == self->identity.shards);
    if (journal_has_failed (self, error))
        return TROUPE_IO;
    recovery_t recovery;
    frame_list_t given = { NULL, NULL };
    troupe_status_t status = open_recovery (&recovery, self, marks, shards, error);
    if (status == TROUPE_OK)
        status = read_all (&recovery, error);
    if (status == TROUPE_OK)
        status = allocate_buffer (self, error);
    if (status == TROUPE_OK)
        status = begin_fresh (&recovery, error);
    if (status == TROUPE_FULL)
        unsort_segments (self);
    if (status == TROUPE_OK) {
        settle_batch (&recovery);
        set_counts (&recovery);
        status = hand_out (&recovery.wanted, &given, replay, arg, error);
    }
    if (status == TROUPE_OK) {
        journal_add_durable (self, given);
        self->is_recovered = true;
    }
    close_recovery (&recovery);
    return status;
}

troupe_status_t
journal_check (disk_t *disk, const state_identity_t *identity, const state_mark_t *marks, uint32_t shards,
               journal_replay_t *replay, journal_folded_t *folded, void *arg, troupe_error_t *error)
{
    journal_options_t options = { .segment_size = 2 * JOURNAL_PAGE };
    journal_t *journal = journal_new (disk, identity, &options, error);
    if (!journal)
        return error ? error->status : TROUPE_IO;
    recovery_t recovery;
    troupe_status_t status = open_recovery (&recovery, journal, marks, shards, error);
    recovery.folded = folded;
    recovery.folded_arg = arg;
    if (status == TROUPE_OK)
        status = read_all (&recovery, error);
    settle_batch (&recovery);
    if (status == TROUPE_OK)
        status = hand_out (&recovery.wanted, NULL, replay, arg, error);
    close_recovery (&recovery);
    journal_destroy (&journal);
    return status;
}
