/*  committer.c - whoever runs the journal's commits: its thread, or a worker.
 *
 *  DESIGN
 *  journal_commit is for one thread at a time: `lock` says whose turn it is. A
 *  worker only tries the lock; when somebody else is at it, the thread is
 *  woken and waits for it, and takes with its round all that came meanwhile. So
 *  a worker never waits for another one's sync.
 *
 *  journal_submit tells one submitter, the first after a round, that a commit
 *  is owed. That debt is paid exactly once: by a round that begins after it,
 *  or by an opened gate. A debt of a worker stands in a variable of its thread until
 *  committer_pay, which the worker calls before it does anything else.
 *
 *  A full disk is the thread's business: it tries again until there is room.
 */
#include "commands/committer.h"

#include "runtime/base/error.h"
#include "runtime/base/gate.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"

#define FULL_RETRY_NS (100u * 1000000u)

struct committer_s {
    /* fixed after start */
    journal_t *journal;
    committer_watch_t watch;
    pthread_t thread;
    bool has_thread;

    gate_t gate;                /* opened: somebody owes a commit, or the end is near */
    _Atomic bool is_stopping;   /* set before the gate is opened */

    pthread_mutex_t lock;       /* whose turn it is to commit */
    /* under the lock */
    bool is_full;

    /* shared: atomic, counts only; written under the lock */
    _Atomic uint64_t by_thread, by_worker;
};

static _Thread_local bool owes;  /* this thread, to the committer of its node */

/*  One round, with the lock held. False: no room. */
static bool
commit (committer_t *self, uint32_t *frames)
{
    troupe_error_t error;
    *frames = 0;
    troupe_status_t status = journal_commit (self->journal, frames, &error);
    if (status != TROUPE_OK && status != TROUPE_FULL) {
        self->watch.broken (self->watch.arg, &error);
        check_failed ("a broken journal stops the node", __FILE__, __LINE__);
    }
    bool is_full = status == TROUPE_FULL;
    if (is_full != self->is_full) {
        self->is_full = is_full;
        self->watch.full (self->watch.arg, is_full, is_full ? error.text : "");
    }
    if (*frames > 0)
        self->watch.committed (self->watch.arg);
    return !is_full;
}

static void
count (_Atomic uint64_t *commits)
{
    atomic_store_explicit (commits, atomic_load_explicit (commits, memory_order_relaxed) + 1, memory_order_relaxed);
}

/*  Until nothing is submitted. False: no room. */
static bool
commit_all (committer_t *self)
{
    uint32_t frames = 0;
    bool has_room;
    pthread_mutex_lock (&self->lock);
    do {
        has_room = commit (self, &frames);
        if (frames > 0)
            count (&self->by_thread);
    } while (has_room && frames > 0);
    pthread_mutex_unlock (&self->lock);
    return has_room;
}

static void *
run (void *arg)
{
    committer_t *self = arg;
    bool has_room = true, is_last = false;
    while (!is_last) {
        gate_wait (&self->gate, has_room ? GATE_FOREVER : FULL_RETRY_NS);
        is_last = atomic_load_explicit (&self->is_stopping, memory_order_acquire);
        has_room = commit_all (self);
    }
    return NULL;
}

committer_t *
committer_new (journal_t *journal, const committer_watch_t *watch, troupe_error_t *error)
{
    committer_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for the journal's thread");
        return NULL;
    }
    self->journal = journal;
    self->watch = *watch;
    CHECK (pthread_mutex_init (&self->lock, NULL) == 0);
    return self;
}

troupe_status_t
committer_start (committer_t *self, troupe_error_t *error)
{
    CHECK (!self->has_thread);
    troupe_status_t status = thread_start (&self->thread, "troupe-journal", run, self, error);
    self->has_thread = status == TROUPE_OK;
    return status;
}

void
committer_submit (committer_t *self, frame_t *frame, bool later)
{
    if (!journal_submit (self->journal, frame))
        return;
    if (later)
        owes = true;
    else
        gate_open (&self->gate);
}

bool
committer_owes (void)
{
    return owes;
}

void
committer_pay (committer_t *self, bool is_busy)
{
    if (!owes)
        return;
    owes = false;
    if (is_busy || pthread_mutex_trylock (&self->lock) != 0) {
        gate_open (&self->gate);
        return;
    }
    uint32_t frames;
    bool has_room = commit (self, &frames);
    if (frames > 0)
        count (&self->by_worker);
    pthread_mutex_unlock (&self->lock);
    if (!has_room)
        gate_open (&self->gate);
}

void
committer_stop (committer_t *self)
{
    if (!self->has_thread)
        return;
    atomic_store_explicit (&self->is_stopping, true, memory_order_release);
    gate_open (&self->gate);
    pthread_join (self->thread, NULL);
    self->has_thread = false;
}

void
committer_destroy (committer_t **self_p)
{
    committer_t *self = *self_p;
    if (!self)
        return;
    committer_stop (self);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    *self_p = NULL;
}

committer_counts_t
committer_counts (const committer_t *self)
{
    return (committer_counts_t) { .by_thread = atomic_load_explicit (&self->by_thread, memory_order_relaxed),
                                  .by_worker = atomic_load_explicit (&self->by_worker, memory_order_relaxed) };
}
