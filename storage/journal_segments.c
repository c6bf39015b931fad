/*  journal_segments.c - the files of the journal: found, made, used, recycled.
 *
 *  DESIGN
 *  A segment is ready (filled, its name durable, no header), then current, then
 *  live, then free. A freed one becomes ready again by a rename to the next
 *  number: its old header names the old number, so that nothing of it counts. The
 *  rename is synced before anybody writes into the file, or after a crash the
 *  old name could lead to new bytes. Names appear and go in the order of their
 *  numbers, so that a crash leaves no hole in the row.
 *  A segment that cannot be made for want of room is removed again at once: the
 *  rest of the disk belongs to the checkpoint, whose fold is what frees segments.
 *  Here the checkpoint's thread (prepare, trim) and the journal's (next_segment)
 *  meet: see journal_parts.h for the locks. The journal's thread must not wait
 *  here as long as a segment is ready.
 */
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/journal_parts.h"

#include <errno.h>
#include <sys/random.h>

void
segment_list_append (segment_list_t *list, segment_t *segment)
{
    segment->next = NULL;
    if (list->last)
        list->last->next = segment;
    else
        list->first = segment;
    list->last = segment;
}

segment_t *
segment_list_take (segment_list_t *list)
{
    segment_t *segment = list->first;
    if (segment) {
        list->first = segment->next;
        segment->next = NULL;
        if (!list->first)
            list->last = NULL;
    }
    return segment;
}

void
journal_close_segment (journal_t *self, segment_t **segment_p)
{
    if (!*segment_p)
        return;
    self->disk->close (self->disk->self, &(*segment_p)->file);
    memory_free (*segment_p);
    *segment_p = NULL;
}

/* ------------------------------------------------------------------ *
 *  Found at the start
 * ------------------------------------------------------------------ */

typedef struct {
    journal_t *journal;
    troupe_status_t status;
    troupe_error_t *error;
} finding_t;

static troupe_status_t
read_header (journal_t *self, segment_t *segment, troupe_error_t *error)
{
    uint8_t page[JOURNAL_PAGE];
    if (segment->size < JOURNAL_PAGE)
        return TROUPE_OK;
    troupe_status_t status = self->disk->read (self->disk->self, segment->file, 0, page, sizeof page, error);
    if (status != TROUPE_OK)
        return status;
    segment_header_t header;
    status = segment_header_decode (page, segment->number, &self->identity, &header, error);
    if (status == TROUPE_NOT_FOUND)
        return TROUPE_OK;
    segment->has_header = status == TROUPE_OK;
    segment->salt = header.salt;
    segment->first_lsn = header.first_lsn;
    return status;
}

static void
insert_by_number (segment_list_t *list, segment_t *segment)
{
    segment_t **link = &list->first;
    while (*link && (*link)->number < segment->number)
        link = &(*link)->next;
    segment->next = *link;
    *link = segment;
    if (!segment->next)
        list->last = segment;
}

static troupe_status_t
add_found (journal_t *self, const char *name, uint64_t number, troupe_error_t *error)
{
    segment_t *segment = memory_zalloc (sizeof *segment);
    if (!segment)
        return error_set (error, TROUPE_NO_MEMORY, "cannot open the journal: out of memory");
    segment->number = number;
    troupe_status_t status = self->disk->open (self->disk->self, name, false, &segment->file, error);
    if (status == TROUPE_OK)
        status = self->disk->size (self->disk->self, segment->file, &segment->size, error);
    segment->size -= segment->size % JOURNAL_PAGE;
    if (status == TROUPE_OK)
        status = read_header (self, segment, error);
    if (status != TROUPE_OK) {
        journal_close_segment (self, &segment);
        return status;
    }
    insert_by_number (&self->live, segment);
    if (number > self->highest)
        self->highest = number;
    return TROUPE_OK;
}

static bool
find_one (void *arg, const char *name)
{
    finding_t *finding = arg;
    uint64_t number;
    if (segment_name_number (name, &number))
        finding->status = add_found (finding->journal, name, number, finding->error);
    return finding->status == TROUPE_OK;
}

troupe_status_t
journal_find_segments (journal_t *self, troupe_error_t *error)
{
    finding_t finding = { self, TROUPE_OK, error };
    troupe_status_t status = self->disk->each_name (self->disk->self, find_one, &finding, error);
    return status == TROUPE_OK ? finding.status : status;
}

/* ------------------------------------------------------------------ *
 *  Made and removed; under `making`
 * ------------------------------------------------------------------ */

/*  What may be tried again later stays what it is; the rest ends the journal. */
static troupe_status_t
judge (journal_t *self, troupe_status_t status, troupe_error_t *error)
{
    if (status == TROUPE_OK || status == TROUPE_FULL)
        return status;
    if (status != TROUPE_NO_MEMORY)
        return journal_fail (self, error);
    if (error)
        error->status = TROUPE_FULL;
    return TROUPE_FULL;
}

troupe_status_t
journal_remove_segment (journal_t *self, segment_t **segment_p, troupe_error_t *error)
{
    char name[SEGMENT_NAME_SIZE];
    segment_name (name, (*segment_p)->number);
    troupe_status_t status = self->disk->remove (self->disk->self, name, error);
    if (status == TROUPE_OK)
        journal_close_segment (self, segment_p);
    return judge (self, status, error);
}

/*  After a failed making: gives the space back and keeps the first error. */
static troupe_status_t
give_back (journal_t *self, segment_t **segment_p, troupe_status_t status, troupe_error_t *error)
{
    troupe_error_t other = { 0 };
    status = judge (self, status, error);
    if (status == TROUPE_FULL && journal_remove_segment (self, segment_p, &other) == TROUPE_IO) {
        if (error)
            *error = other;
        status = TROUPE_IO;
    }
    journal_close_segment (self, segment_p);
    return status;
}

static troupe_status_t
fill (journal_t *self, segment_t *segment, uint64_t size, troupe_error_t *error)
{
    troupe_status_t status = self->disk->fill (self->disk->self, segment->file, size, error);
    if (status != TROUPE_OK)
        return status;
    segment->size = size;
    return journal_sync_file (self, segment->file, error);
}

void
journal_hold_back (journal_t *self, bool holds)
{
    atomic_store_explicit (&self->is_held_back, holds, memory_order_relaxed);
}

/*  Without anything to fold it would stand for good. */
static troupe_status_t
check_held_back (const journal_t *self, troupe_error_t *error)
{
    bool has_unfolded = atomic_load_explicit (&self->unfolded_bytes, memory_order_relaxed) > 0;
    if (!has_unfolded || !atomic_load_explicit (&self->is_held_back, memory_order_relaxed))
        return TROUPE_OK;
    return error_set (error, TROUPE_FULL, "the disk is full, and what room there is belongs to the checkpoint");
}

static troupe_status_t
make (journal_t *self, uint64_t size, segment_t **segment_p, troupe_error_t *error)
{
    char name[SEGMENT_NAME_SIZE];
    *segment_p = NULL;
    if (check_held_back (self, error) != TROUPE_OK)
        return TROUPE_FULL;
    if (self->highest >= SEGMENT_NUMBER_MAX) {
        error_set (error, TROUPE_IO, "the journal has used up its segment numbers");
        return journal_fail (self, error);
    }
    segment_t *segment = memory_zalloc (sizeof *segment);
    if (!segment)
        return error_set (error, TROUPE_FULL, "cannot make a journal segment: out of memory");
    segment->number = self->highest + 1;
    segment_name (name, segment->number);
    troupe_status_t status = self->disk->open (self->disk->self, name, true, &segment->file, error);
    if (status != TROUPE_OK) {
        memory_free (segment);
        return judge (self, status, error);
    }
    status = fill (self, segment, size, error);
    if (status != TROUPE_OK)
        return give_back (self, &segment, status, error);
    status = journal_sync_names (self, error);
    if (status != TROUPE_OK) {
        journal_close_segment (self, &segment);
        return status;
    }
    self->highest += 1;
    *segment_p = segment;
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Ready
 * ------------------------------------------------------------------ */

static void
add_ready (journal_t *self, segment_t *segment)
{
    pthread_mutex_lock (&self->lock);
    segment_list_append (&self->ready, segment);
    self->ready_count += 1;
    pthread_mutex_unlock (&self->lock);
}

static segment_t *
take_ready (journal_t *self)
{
    pthread_mutex_lock (&self->lock);
    segment_t *segment = segment_list_take (&self->ready);
    if (segment)
        self->ready_count -= 1;
    pthread_mutex_unlock (&self->lock);
    return segment;
}

static uint32_t
count_ready (journal_t *self)
{
    pthread_mutex_lock (&self->lock);
    uint32_t count = self->ready_count;
    pthread_mutex_unlock (&self->lock);
    return count;
}

troupe_status_t
journal_prepare (journal_t *self, troupe_error_t *error)
{
    CHECK (self->is_recovered);
    if (journal_has_failed (self, error))
        return TROUPE_IO;
    if (count_ready (self) > 0)
        return TROUPE_OK;
    segment_t *segment;
    pthread_mutex_lock (&self->making);
    troupe_status_t status = make (self, self->options.segment_size, &segment, error);
    if (status == TROUPE_OK)
        add_ready (self, segment);
    pthread_mutex_unlock (&self->making);
    return status;
}

/*  With a fixed seed the salts of a run depend on what the run before left, or
 *  records of both could look alike. */
static troupe_status_t
new_salt (journal_t *self, uint64_t number, uint64_t *salt, troupe_error_t *error)
{
    if (self->options.salt_seed) {
        *salt = hash_mix (hash_mix (self->options.salt_seed, self->boot), number);
        return TROUPE_OK;
    }
    if (getrandom (salt, sizeof *salt, 0) == sizeof *salt)
        return TROUPE_OK;
    error_set (error, TROUPE_IO, "the system gives no random numbers (errno %d)", errno);
    return journal_fail (self, error);
}

/*  A ready one that is too small for a very large frame grows. */
static troupe_status_t
grow (journal_t *self, segment_t **segment_p, uint64_t size, troupe_error_t *error)
{
    troupe_status_t status = check_held_back (self, error);
    if (status == TROUPE_OK)
        status = fill (self, *segment_p, size, error);
    if (status == TROUPE_OK)
        return status;
    pthread_mutex_lock (&self->making);
    status = give_back (self, segment_p, status, error);
    pthread_mutex_unlock (&self->making);
    return status;
}

troupe_status_t
journal_next_segment (journal_t *self, uint64_t size, uint64_t new_size, uint64_t first_lsn, segment_t **segment_p,
                      troupe_error_t *error)
{
    CHECK (size % JOURNAL_PAGE == 0 && new_size % JOURNAL_PAGE == 0 && new_size >= size);
    troupe_status_t status = TROUPE_OK;
    segment_t *segment = take_ready (self);
    if (!segment) {
        pthread_mutex_lock (&self->making);
        segment = take_ready (self);
        if (!segment)
            status = make (self, new_size, &segment, error);
        pthread_mutex_unlock (&self->making);
    }
    if (status == TROUPE_OK && segment->size < size)
        status = grow (self, &segment, size, error);
    if (status == TROUPE_OK)
        status = new_salt (self, segment->number, &segment->salt, error);
    if (status != TROUPE_OK) {
        journal_close_segment (self, &segment);
        return status;
    }
    segment->first_lsn = first_lsn;
    *segment_p = segment;
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Trimmed
 * ------------------------------------------------------------------ */

/*  Counts what is folded; exact at the end of a batch, until the remembered
 *  ends are thinned out. Under `lock`. */
static void
note_trimmed (journal_t *self, uint64_t lsn)
{
    uint32_t passed = 0;
    while (passed < self->progress_count && self->progress[passed].lsn <= lsn)
        passed += 1;
    if (passed) {
        atomic_store_explicit (&self->unfolded_bytes, self->body_bytes - self->progress[passed - 1].bytes,
                               memory_order_relaxed);
        self->progress_count -= passed;
        memmove (self->progress, self->progress + passed, self->progress_count * sizeof *self->progress);
    }
    if (lsn > atomic_load_explicit (&self->trimmed_lsn, memory_order_relaxed))
        atomic_store_explicit (&self->trimmed_lsn, lsn, memory_order_relaxed);
}

/*  The last of `live` stays: its header says where the journal stands. */
static segment_list_t
take_free (journal_t *self, uint64_t lsn)
{
    segment_list_t freed = { NULL, NULL };
    pthread_mutex_lock (&self->lock);
    note_trimmed (self, lsn);
    while (self->live.first && self->live.first->next && self->live.first->next->first_lsn - 1 <= lsn) {
        segment_t *segment = segment_list_take (&self->live);
        atomic_fetch_sub_explicit (&self->live_bytes, segment->size, memory_order_relaxed);
        segment_list_append (&freed, segment);
    }
    pthread_mutex_unlock (&self->lock);
    return freed;
}

static void
put_back (journal_t *self, segment_list_t freed)
{
    pthread_mutex_lock (&self->lock);
    for (segment_t *segment = freed.first; segment; segment = segment->next)
        atomic_fetch_add_explicit (&self->live_bytes, segment->size, memory_order_relaxed);
    if (freed.first) {
        freed.last->next = self->live.first;
        self->live.first = freed.first;
    }
    pthread_mutex_unlock (&self->lock);
}

static troupe_status_t
recycle (journal_t *self, segment_t *segment, troupe_error_t *error)
{
    char from[SEGMENT_NAME_SIZE], to[SEGMENT_NAME_SIZE];
    segment_name (from, segment->number);
    segment_name (to, self->highest + 1);
    troupe_status_t status = self->disk->rename (self->disk->self, from, to, error);
    if (status != TROUPE_OK)
        return judge (self, status, error);
    self->highest += 1;
    segment->number = self->highest;
    return TROUPE_OK;
}

/*  Oldest first, so that what a crash leaves begins somewhere and has no hole. */
static troupe_status_t
release (journal_t *self, segment_list_t *freed, segment_list_t *recycled, troupe_error_t *error)
{
    uint32_t ready = count_ready (self);
    while (freed->first) {
        segment_t *segment = freed->first, *next = segment->next;
        bool keep = ready < self->options.spare_segments && segment->size == self->options.segment_size
                    && self->highest < SEGMENT_NUMBER_MAX;
        troupe_status_t status = keep ? recycle (self, segment, error)
                                      : journal_remove_segment (self, &segment, error);
        if (status != TROUPE_OK)
            return status;
        freed->first = next;
        if (keep) {
            segment_list_append (recycled, segment);
            ready += 1;
        }
    }
    return TROUPE_OK;
}

troupe_status_t
journal_trim (journal_t *self, uint64_t lsn, troupe_error_t *error)
{
    CHECK (self->is_recovered);
    CHECK (lsn <= atomic_load_explicit (&self->lsn, memory_order_acquire));
    if (journal_has_failed (self, error))
        return TROUPE_IO;
    segment_list_t freed = take_free (self, lsn), recycled = { NULL, NULL };
    if (!freed.first)
        return TROUPE_OK;
    pthread_mutex_lock (&self->making);
    troupe_status_t status = release (self, &freed, &recycled, error);
    put_back (self, freed);
    troupe_status_t synced = recycled.first ? journal_sync_names (self, error) : TROUPE_OK;
    for (segment_t *segment; (segment = segment_list_take (&recycled)) != NULL;) {
        if (synced == TROUPE_OK)
            add_ready (self, segment);
        else
            journal_close_segment (self, &segment);
    }
    pthread_mutex_unlock (&self->making);
    return status == TROUPE_OK ? synced : status;
}
