/*  recorder.c - the flight recorder's file: strikes against messages that killed the process.
 *
 *  DESIGN
 *  The file must be readable after any death, so nothing in it is ever half
 *  right: a mark counts once its message id stands, a record is struck only
 *  at a start and carries its checksum, and to forgive is one store of eight
 *  bytes. What does not fit together is dropped with a warning, since a node that
 *  does not start for the sake of its strikes would turn the safeguard into the
 *  fault.
 *
 *  A start counts marks into records, syncs, and only then wipes the marks. If
 *  it dies in between, the stamp of the mark tells that it was counted.
 *
 *  The live slots stand in the file too, because their message ids must outlive a
 *  SIGKILL. They are never synced: they are for the next process, not for the next
 *  boot.
 *
 *  Records are found by an array of ids in memory, so that a look at each message
 *  while there are suspects touches a few cache lines. A full table lets its
 *  oldest record go. Opening is one thread's, before the node serves; recorder_find
 *  and recorder_forgive are any thread's.
 */
#include "runtime/recorder_file.h"

#include "runtime/base/bytes.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "TroupeFR"
#define HASH_SEED 0x7265636f72646572u

_Static_assert (sizeof (recorder_head_t) <= RECORDER_HEAD_SIZE, "the head fits its page");
_Static_assert (sizeof (recorder_head_t) == offsetof (recorder_head_t, check) + sizeof (uint64_t)
                && offsetof (recorder_head_t, check) == 8 + 6 * sizeof (uint32_t), "the head has no padding");
_Static_assert (offsetof (struct recorder_s, has_suspects) == 0, "recorder_has_suspects reads the first field");

/* ---- the file ---- */

static recorder_head_t
right_head (void)
{
    recorder_head_t head;
    memset (&head, 0, sizeof head);
    memcpy (head.magic, MAGIC, sizeof head.magic);
    head.format = RECORDER_FORMAT;
    head.slots = RECORDER_SLOTS_MAX;
    head.suspects = RECORDER_SUSPECTS_MAX;
    head.slot_size = sizeof (recorder_slot_t);
    head.mark_size = sizeof (recorder_mark_t);
    head.record_size = sizeof (recorder_record_t);
    head.check = hash_bytes (&head, offsetof (recorder_head_t, check), HASH_SEED);
    return head;
}

static troupe_status_t
file_error (troupe_error_t *error, const char *what, const char *path, int code)
{
    troupe_status_t status = code == ENOSPC || code == EDQUOT                     ? TROUPE_FULL
                             : code == EACCES || code == EPERM || code == EROFS ? TROUPE_FORBIDDEN
                             : code == EISDIR                                   ? TROUPE_INVALID
                                                                                : TROUPE_IO;
    return error_set (error, status, "cannot %s the flight recorder's file %.120s: %s",
                      what, path, strerror (code));
}

/*  Makes a file's name durable. */
static int
sync_folder (const char *path)
{
    const char *slash = strrchr (path, '/');
    char *folder = slash ? memory_strdup (path) : memory_strdup (".");
    if (!folder)
        return ENOMEM;
    if (slash)
        folder[slash == path ? 1 : slash - path] = '\0';
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    memory_free (folder);
    int code = fd < 0 || fsync (fd) < 0 ? errno : 0;
    if (fd >= 0)
        close (fd);
    return code;
}

/*  Wipes all and writes a new head. */
static void
start_anew (recorder_t *self)
{
    memset (self->file, 0, sizeof *self->file);
    self->file->head = right_head ();
}

/*  Opens it and gives it its size, all of it allocated: a store into a hole of a full disk would be a
 *  SIGBUS in the signal handler. */
static troupe_status_t
open_file (recorder_t *self, const char *path, bool *is_new, troupe_error_t *error)
{
    self->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat info;
    if (self->fd < 0 || fstat (self->fd, &info) < 0)
        return file_error (error, "open", path, errno);
    if (!S_ISREG (info.st_mode))
        return error_set (error, TROUPE_INVALID, "the flight recorder's file %.120s is not a plain file: move it away",
                          path);
    *is_new = info.st_size == 0;
    if (info.st_size != (off_t) sizeof *self->file) {
        if (!*is_new)
            snprintf (self->warning, sizeof self->warning, "the flight recorder's file had %lld bytes instead of %zu: "
                      "strikes are counted anew", (long long) info.st_size, sizeof *self->file);
        if (ftruncate (self->fd, 0) < 0)
            return file_error (error, "empty", path, errno);
    }
    int code = posix_fallocate (self->fd, 0, sizeof *self->file);
    return code ? file_error (error, "allocate", path, code) : TROUPE_OK;
}

static troupe_status_t
sync_file (recorder_t *self, const char *path, bool is_new, troupe_error_t *error)
{
    if (msync (self->file, sizeof *self->file, MS_SYNC) < 0 || fsync (self->fd) < 0)
        return file_error (error, "sync", path, errno);
    int code = is_new ? sync_folder (path) : 0;
    return code ? file_error (error, "sync the folder of", path, code) : TROUPE_OK;
}

static troupe_status_t
map (recorder_t *self, const char *path, troupe_error_t *error)
{
    int flags = self->fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    void *place = mmap (NULL, sizeof *self->file, PROT_READ | PROT_WRITE, flags, self->fd, 0);
    if (place == MAP_FAILED)
        return file_error (error, "map", path ? path : "(in memory)", errno);
    self->file = place;
    return TROUPE_OK;
}

/* ---- strikes ---- */

static uint64_t
record_check (const recorder_record_t *record)
{
    return hash_bytes (&record->stamp_ns, sizeof *record - offsetof (recorder_record_t, stamp_ns), HASH_SEED);
}

/*  The index of a message's record, or RECORDER_SUSPECTS_MAX. */
static uint32_t
find (const recorder_t *self, uint64_t message)
{
    uint32_t used = atomic_load_explicit (&self->used, memory_order_acquire);
    for (uint32_t at = 0; at < used; at++)
        if (atomic_load_explicit (&self->ids[at], memory_order_acquire) == message)
            return at;
    return RECORDER_SUSPECTS_MAX;
}

/*  A free place, made by letting the oldest go when there is none. */
static uint32_t
free_place (const recorder_t *self)
{
    uint32_t used = atomic_load_explicit (&self->used, memory_order_relaxed);
    uint32_t oldest = 0;
    for (uint32_t at = 0; at < used; at++) {
        if (atomic_load_explicit (&self->ids[at], memory_order_relaxed) == 0)
            return at;
        if (self->file->records[at].stamp_ns < self->file->records[oldest].stamp_ns)
            oldest = at;
    }
    return used < RECORDER_SUSPECTS_MAX ? used : oldest;
}

/*  Makes a record, whose contents stand, one that is found. */
static void
adopt (recorder_t *self, uint32_t at)
{
    atomic_store_explicit (&self->ids[at], self->file->records[at].suspect.message, memory_order_release);
    if (at >= atomic_load_explicit (&self->used, memory_order_relaxed))
        atomic_store_explicit (&self->used, at + 1, memory_order_release);
    atomic_store_explicit (&self->has_suspects, true, memory_order_relaxed);
}

/*  Ends a text within its field and makes it fit for a terminal, but for one byte that may stay. */
static void
tame (char *text, size_t room, char stays)
{
    text[room - 1] = '\0';
    for (; *text; text++)
        if (((unsigned char) *text < 0x20 || (unsigned char) *text > 0x7e) && *text != stays)
            *text = '?';
}

static void
note_suspect (recorder_t *self, const recorder_suspect_t *suspect, uint32_t more, uint64_t stamp_ns)
{
    uint32_t at = find (self, suspect->message);
    bool is_known = at < RECORDER_SUSPECTS_MAX;
    if (!is_known)
        at = free_place (self);
    recorder_record_t *record = self->file->records + at;
    if (is_known && record->stamp_ns == stamp_ns)
        return;
    uint32_t strikes = is_known ? record->suspect.strikes : 0;
    memcpy (&record->suspect, suspect, sizeof *suspect);
    record->suspect.strikes = strikes < UINT32_MAX ? strikes + more : strikes;
    tame (record->suspect.address, sizeof record->suspect.address, ' ');
    tame (record->suspect.verb, sizeof record->suspect.verb, ' ');
    tame (record->suspect.backtrace, sizeof record->suspect.backtrace, '\n');
    record->stamp_ns = stamp_ns;
    record->check = record_check (record);
    adopt (self, at);
}

/* ---- a start ---- */

static uint32_t
drop_damaged_records (recorder_t *self)
{
    uint32_t damaged = 0;
    for (uint32_t at = 0; at < RECORDER_SUSPECTS_MAX; at++) {
        recorder_record_t *record = self->file->records + at;
        if (record->suspect.message == 0)
            continue;
        if (record->check == record_check (record) && find (self, record->suspect.message) == RECORDER_SUSPECTS_MAX) {
            adopt (self, at);
            continue;
        }
        record->suspect.message = 0;
        damaged++;
    }
    if (damaged)
        snprintf (self->warning, sizeof self->warning,
                  "%u records of the flight recorder were damaged: their strikes are counted anew", damaged);
    return damaged;
}

static uint32_t
count_marks (recorder_t *self)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < RECORDER_SLOTS_MAX; at++) {
        recorder_mark_t *mark = self->file->marks + at;
        if (mark->message == 0)
            continue;
        mark->suspect.message = mark->message;
        note_suspect (self, &mark->suspect, 1, mark->stamp_ns);
        count++;
    }
    return count;
}

/*  Killed from outside, or by the system for want of memory: any of those that ran may be the cause, or
 *  none. One that was a suspect before, and ran alone, is to blame. */
static void
suspect_in_hand (recorder_t *self)
{
    const recorder_slot_t *slots = self->file->slots;
    for (uint32_t at = 0; at < RECORDER_SLOTS_MAX; at++)
        self->in_hand += slots[at].message != 0;
    for (uint32_t at = 0; at < RECORDER_SLOTS_MAX; at++) {
        uint32_t known = slots[at].message ? find (self, slots[at].message) : RECORDER_SUSPECTS_MAX;
        recorder_suspect_t suspect = { .message = slots[at].message, .signal = SIGKILL };
        if (suspect.message == 0 || (known < RECORDER_SUSPECTS_MAX && !(slots[at].is_alone && self->in_hand == 1)))
            continue;
        if (known < RECORDER_SUSPECTS_MAX) {
            suspect = self->file->records[known].suspect;
            suspect.signal = SIGKILL;
            snprintf (suspect.backtrace, sizeof suspect.backtrace, "killed from outside while it ran alone\n");
        }
        uint64_t stamp_ns = known < RECORDER_SUSPECTS_MAX ? self->file->records[known].stamp_ns + 1 : 1;
        note_suspect (self, &suspect, known < RECORDER_SUSPECTS_MAX, stamp_ns);
    }
}

/*  What the last process left in the file. */
static troupe_status_t
take_over (recorder_t *self, const char *path, bool is_new, troupe_error_t *error)
{
    recorder_head_t head = right_head ();
    bool is_changed = true;
    if (memcmp (&self->file->head, &head, sizeof head) != 0) {
        if (!is_new && !self->warning[0])
            snprintf (self->warning, sizeof self->warning,
                      "the flight recorder's file had another format: strikes are counted anew");
        start_anew (self);
    }
    else {
        uint32_t damaged = drop_damaged_records (self);
        uint32_t marks = count_marks (self);
        if (marks == 0)
            suspect_in_hand (self);
        is_changed = damaged || marks || self->in_hand;
    }
    troupe_status_t status = is_changed ? sync_file (self, path, is_new, error) : TROUPE_OK;
    if (status == TROUPE_OK) {
        memset (self->file->marks, 0, sizeof self->file->marks);
        memset (self->file->slots, 0, sizeof self->file->slots);
    }
    return status;
}

static troupe_status_t
open_or_make (recorder_t *self, const char *path, troupe_error_t *error)
{
    bool is_new = false;
    troupe_status_t status = path ? open_file (self, path, &is_new, error) : TROUPE_OK;
    if (status == TROUPE_OK)
        status = map (self, path, error);
    if (status == TROUPE_OK && path)
        status = take_over (self, path, is_new, error);
    return status;
}

recorder_t *
recorder_new (const char *path, uint32_t slots, troupe_error_t *error)
{
    CHECK (slots <= RECORDER_SLOTS_MAX);
    recorder_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "the flight recorder: out of memory");
        return NULL;
    }
    self->fd = -1;
    self->slots = slots;
    CHECK (pthread_mutex_init (&self->lock, NULL) == 0);
    if (open_or_make (self, path, error) != TROUPE_OK)
        recorder_destroy (&self);
    return self;
}

void
recorder_destroy (recorder_t **self_p)
{
    CHECK (self_p);
    recorder_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t at = 0; at < self->slots; at++)
        CHECK (!self->threads[at].is_there);
    recorder_uninstall (self);
    if (self->file)
        munmap (self->file, sizeof *self->file);
    if (self->fd >= 0)
        close (self->fd);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    *self_p = NULL;
}

/* ---- what others ask ---- */

recorder_slot_t *
recorder_slot (recorder_t *self, uint32_t index)
{
    CHECK (index < self->slots);
    return self->file->slots + index;
}

const char *
recorder_warning (const recorder_t *self)
{
    return self->warning;
}

uint64_t
recorder_last_alive (const recorder_t *self)
{
    return atomic_load_explicit (&self->file->alive_ms, memory_order_relaxed);
}

void
recorder_note_alive (recorder_t *self, uint64_t now_ms)
{
    atomic_store_explicit (&self->file->alive_ms, now_ms, memory_order_relaxed);
}

uint32_t
recorder_in_hand (const recorder_t *self)
{
    return self->in_hand;
}

const recorder_suspect_t *
recorder_find (const recorder_t *self, uint64_t message)
{
    uint32_t at = message ? find (self, message) : RECORDER_SUSPECTS_MAX;
    return at < RECORDER_SUSPECTS_MAX ? &self->file->records[at].suspect : NULL;
}

/*  Those who only read strikes hold it const; that a message is cleared is no harm to them. */
static recorder_t *
writable (const recorder_t *self)
{
    return (recorder_t *) self;
}

/*  Under the lock. */
static void
drop (recorder_t *self, uint32_t at)
{
    __atomic_store_n (&self->file->records[at].suspect.message, 0, __ATOMIC_RELAXED);
    atomic_store_explicit (&self->ids[at], 0, memory_order_release);
    bool is_any_left = false;
    for (at = 0; at < atomic_load_explicit (&self->used, memory_order_relaxed); at++)
        is_any_left = is_any_left || atomic_load_explicit (&self->ids[at], memory_order_relaxed);
    atomic_store_explicit (&self->has_suspects, is_any_left, memory_order_relaxed);
}

void
recorder_forgive (const recorder_t *suspected, uint64_t message)
{
    if (!recorder_find (suspected, message))
        return;
    recorder_t *self = writable (suspected);
    pthread_mutex_lock (&self->lock);
    uint32_t at = find (self, message);
    if (at < RECORDER_SUSPECTS_MAX)
        drop (self, at);
    pthread_mutex_unlock (&self->lock);
}

void
recorder_let_go (recorder_t *self)
{
    pthread_mutex_lock (&self->lock);
    for (uint32_t at = 0; at < atomic_load_explicit (&self->used, memory_order_relaxed); at++)
        if (atomic_load_explicit (&self->ids[at], memory_order_relaxed)
            && self->file->records[at].suspect.strikes == 0)
            drop (self, at);
    pthread_mutex_unlock (&self->lock);
}

void
recorder_strike (recorder_t *self, const recorder_suspect_t *suspect)
{
    CHECK (suspect->message);
    pthread_mutex_lock (&self->lock);
    uint32_t at = find (self, suspect->message);
    uint64_t stamp_ns = at < RECORDER_SUSPECTS_MAX ? self->file->records[at].stamp_ns + 1 : 1;
    note_suspect (self, suspect, 1, stamp_ns);
    pthread_mutex_unlock (&self->lock);
}

/*  Those with strikes. */
void
recorder_each (const recorder_t *suspected, void (*each) (void *arg, const recorder_suspect_t *suspect), void *arg)
{
    recorder_t *self = writable (suspected);
    pthread_mutex_lock (&self->lock);
    for (uint32_t at = 0; at < atomic_load_explicit (&self->used, memory_order_relaxed); at++)
        if (atomic_load_explicit (&self->ids[at], memory_order_relaxed) && self->file->records[at].suspect.strikes)
            each (arg, &self->file->records[at].suspect);
    pthread_mutex_unlock (&self->lock);
}

/* ---- a suspect runs alone ---- */

static bool
is_anybody_else_in (const recorder_t *self, const recorder_slot_t *slot)
{
    for (uint32_t at = 0; at < self->slots; at++)
        if (self->file->slots + at != slot && atomic_load (&self->file->slots[at].message))
            return true;
    return false;
}

static void
wait_a_little (void)
{
    nanosleep (&(struct timespec) { .tv_nsec = 50000 }, NULL);
}

/*  Not in hand while it waits: whoever runs alone looks for those that are. */
static void
let_the_lone_one_run (const recorder_t *self, recorder_slot_t *slot, uint64_t message)
{
    while (atomic_load (&self->alone) && clock_monotonic_ns () < atomic_load (&self->alone_until_ns)) {
        atomic_store (&slot->message, 0);
        wait_a_little ();
        atomic_store (&slot->message, message);
    }
}

/*  What a start could not know: the texts of the last process are gone. Only one without strikes has none,
 *  and nobody else reads those. */
static void
name_suspect (recorder_t *self, uint32_t at, const recorder_slot_t *slot)
{
    recorder_record_t *record = self->file->records + at;
    recorder_suspect_t *suspect = &record->suspect;
    if (suspect->address[0])
        return;
    snprintf (suspect->address, sizeof suspect->address, "%s",
              atomic_load_explicit (&slot->address, memory_order_relaxed));
    snprintf (suspect->verb, sizeof suspect->verb, "%s", atomic_load_explicit (&slot->verb, memory_order_relaxed));
    record->check = record_check (record);
}

void
recorder_make_way (const recorder_t *suspected, recorder_slot_t *slot)
{
    recorder_t *self = writable (suspected);
    uint64_t message = atomic_load_explicit (&slot->message, memory_order_relaxed);
    recorder_slot_t *nobody = NULL;
    atomic_store (&slot->message, message);  /* seq_cst: the lone one sees it, or is seen here */
    let_the_lone_one_run (self, slot, message);
    uint32_t at = find (self, message);
    if (at == RECORDER_SUSPECTS_MAX || !atomic_compare_exchange_strong (&self->alone, &nobody, slot))
        return;
    uint64_t until_ns = clock_monotonic_ns () + RECORDER_ALONE_MS * 1000000ull;
    atomic_store (&self->alone_until_ns, until_ns);
    while (is_anybody_else_in (self, slot)) {
        if (clock_monotonic_ns () >= until_ns)
            return;
        wait_a_little ();
    }
    name_suspect (self, at, slot);
    atomic_store_explicit (&slot->is_alone, 1, memory_order_relaxed);
}

void
recorder_end_alone (const recorder_t *suspected, recorder_slot_t *slot)
{
    recorder_t *self = writable (suspected);
    if (atomic_load_explicit (&self->alone, memory_order_relaxed) != slot)
        return;
    atomic_store_explicit (&slot->is_alone, 0, memory_order_relaxed);
    atomic_store (&self->alone, NULL);
}
