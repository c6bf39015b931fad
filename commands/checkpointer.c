/*  checkpointer.c - the thread that folds the journal into the state.
 *
 *  DESIGN
 *  `since_ns` is the time at which something became unfolded, 0 when nothing
 *  is. It is cleared before a fold takes the durable frames, so that a commit
 *  beside the fold sets it again; the worst that comes of it is one fold with nothing in it.
 *
 *  Whoever asks for a fold waits for a run that began after he asked: runs are
 *  counted, an asker wants the next number.
 *
 *  A fold is spread over half of the time between folds, so that its commits and
 *  the processor that it takes are never felt: between its transactions it waits
 *  until its share of the time is over. The more is unfolded, the shorter that time; it
 *  is none when memory gets short, when a shard urges, and when somebody waits.
 *
 *  A fold that finds no space loses nothing: it is tried again each second, and
 *  the bounds of the shards close their doors meanwhile. While the disk has little
 *  room folds are as frequent, since only they give back what the journal takes.
 */
#include "commands/checkpointer.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/gate.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"

#define MS_NS 1000000ull
#define RETRY_NS (1000 * MS_NS)
#define SPREAD_SHARE 2          /* a fold takes one of so many parts of the time between folds */
#define IDLE_NS (3600 * 1000 * MS_NS)  /* room and clock are looked at although nothing happens */

struct checkpointer_s {
    /* fixed after start */
    store_t *store;
    checkpointer_options_t options;
    pthread_t thread;
    bool has_thread;

    gate_t gate;                    /* opened: look at what there is to do */
    _Atomic uint64_t since_ns;      /* committers set it from 0; the thread clears it */
    _Atomic bool is_urgent;         /* somebody wants a fold soon */
    _Atomic uint64_t prepared_at;   /* written bytes when segments were last looked after */

    /* owner: the thread */
    uint64_t began_ns;              /* the fold that runs */
    uint64_t wanted;                /* runs that this one serves */
    bool is_hurried;                /* it does not wait */
    bool is_full;                   /* the last fold found no space */
    bool is_short;                  /* has_room said no */

    pthread_mutex_t lock;
    pthread_cond_t done;            /* runs_done moved, or the end */
    /* under the lock */
    uint64_t runs_wanted, runs_done;
    bool is_stopping, has_ended;
    troupe_error_t last;            /* how the newest run ended */
};

/*  How long the thread may sleep. */
static uint64_t
sleep_ns (checkpointer_t *self)
{
    if (self->is_full || self->is_short)
        return RETRY_NS;
    uint64_t since_ns = atomic_load_explicit (&self->since_ns, memory_order_relaxed);
    if (since_ns == 0)
        return IDLE_NS;
    uint64_t due_ns = since_ns + self->options.every_ms * MS_NS, now_ns = clock_monotonic_ns ();
    return due_ns > now_ns ? due_ns - now_ns : 0;
}

static bool
is_due (checkpointer_t *self)
{
    uint64_t since_ns = atomic_load_explicit (&self->since_ns, memory_order_relaxed);
    if (since_ns == 0)
        return self->is_full;
    if (self->is_short)
        return true;
    uint64_t bytes = journal_counts (self->store->journal).unfolded_bytes;
    bool is_urgent = atomic_load_explicit (&self->is_urgent, memory_order_relaxed);
    return self->is_full || bytes >= self->options.most_bytes || (is_urgent && bytes >= self->options.urgent_bytes)
           || clock_monotonic_ns () >= since_ns + self->options.every_ms * MS_NS;
}

static void
check_status (checkpointer_t *self, troupe_status_t status, const troupe_error_t *error)
{
    if (status == TROUPE_OK || status == TROUPE_FULL || status == TROUPE_NO_MEMORY)
        return;
    self->options.broken (self->options.arg, error);
    check_failed ("a broken state stops the node", __FILE__, __LINE__);
}

static bool
wants_preparing (checkpointer_t *self, uint64_t written_bytes)
{
    return written_bytes - atomic_load_explicit (&self->prepared_at, memory_order_relaxed)
           >= self->options.prepare_bytes;
}

static void
prepare (checkpointer_t *self)
{
    troupe_error_t error;
    uint64_t written_bytes = journal_counts (self->store->journal).written_bytes;
    atomic_store_explicit (&self->prepared_at, written_bytes, memory_order_relaxed);
    check_status (self, journal_prepare (self->store->journal, &error), &error);
    self->is_short = !self->options.has_room (self->options.arg);
}

/*  Whether the fold that runs should end soon. */
static bool
is_hurried (checkpointer_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool is_awaited = self->runs_wanted > self->wanted || self->is_stopping;
    pthread_mutex_unlock (&self->lock);
    return self->is_hurried || is_awaited || atomic_load_explicit (&self->is_urgent, memory_order_relaxed);
}

/*  The time after the fold's begin at which so much of it should be done: none
 *  when twice the bytes are unfolded from which a fold begins by itself. */
static uint64_t
spread_ns (const checkpointer_t *self, uint64_t done, uint64_t all)
{
    double unfolded = (double) journal_counts (self->store->journal).unfolded_bytes;
    double calm = 1 - unfolded / (2.0 * (double) self->options.most_bytes);
    double whole_ns = (double) (self->options.every_ms * MS_NS / SPREAD_SHARE) * (calm > 0 ? calm : 0);
    return (uint64_t) (whole_ns * (double) done / (double) all);
}

/*  The journal goes on meanwhile: it needs its segments. */
static void
pause_fold (void *arg, uint64_t done, uint64_t all)
{
    checkpointer_t *self = arg;
    for (bool is_over = false; !is_over;) {
        if (wants_preparing (self, journal_counts (self->store->journal).written_bytes))
            prepare (self);
        uint64_t until_ns = self->began_ns + spread_ns (self, done, all), now_ns = clock_monotonic_ns ();
        is_over = now_ns >= until_ns || is_hurried (self) || !gate_wait (&self->gate, until_ns - now_ns);
    }
}

/*  For those who asked for it; for none of them: because it was due. */
static void
fold (checkpointer_t *self, bool is_awaited)
{
    troupe_error_t error = { TROUPE_OK, "" };
    self->began_ns = clock_monotonic_ns ();
    atomic_store_explicit (&self->since_ns, 0, memory_order_relaxed);
    self->is_hurried = atomic_exchange_explicit (&self->is_urgent, false, memory_order_relaxed) || is_awaited;
    troupe_status_t status = store_fold (self->store, &error);
    check_status (self, status, &error);
    bool is_full = status != TROUPE_OK;
    if (is_full != self->is_full) {
        self->is_full = is_full;
        self->options.full (self->options.arg, is_full, is_full ? error.text : "");
    }
    if (status == TROUPE_OK)
        error.status = TROUPE_OK;
    pthread_mutex_lock (&self->lock);
    self->last = error;
    pthread_mutex_unlock (&self->lock);
    gate_open (&self->gate);  /* what opened it during the fold is looked at now */
}

/*  Those who asked before the fold are told after it. */
static void
finish_runs (checkpointer_t *self, uint64_t wanted, bool is_end)
{
    pthread_mutex_lock (&self->lock);
    self->runs_done = wanted;
    self->has_ended = is_end;
    pthread_cond_broadcast (&self->done);
    pthread_mutex_unlock (&self->lock);
}

static void *
run (void *arg)
{
    checkpointer_t *self = arg;
    for (bool is_last = false; !is_last;) {
        gate_wait (&self->gate, sleep_ns (self));
        pthread_mutex_lock (&self->lock);
        uint64_t wanted = self->wanted = self->runs_wanted;
        bool is_asked = wanted > self->runs_done;
        is_last = self->is_stopping;
        pthread_mutex_unlock (&self->lock);
        prepare (self);
        if (is_asked || is_last || is_due (self))
            fold (self, is_asked || is_last);
        finish_runs (self, wanted, is_last);
    }
    return NULL;
}

checkpointer_t *
checkpointer_new (store_t *store, const checkpointer_options_t *options, troupe_error_t *error)
{
    checkpointer_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for the checkpoint's thread");
        return NULL;
    }
    self->store = store;
    self->options = *options;
    CHECK (pthread_mutex_init (&self->lock, NULL) == 0);
    CHECK (pthread_cond_init (&self->done, NULL) == 0);
    return self;
}

troupe_status_t
checkpointer_start (checkpointer_t *self, troupe_error_t *error)
{
    CHECK (!self->has_thread);
    if (journal_counts (self->store->journal).unfolded_bytes > 0)
        atomic_store_explicit (&self->since_ns, clock_monotonic_ns (), memory_order_relaxed);
    checkpoint_pace_t pace = { CHECKPOINT_CHANGES, pause_fold, self };
    checkpoint_set_pace (self->store->checkpoint, &pace);
    gate_open (&self->gate);  /* a first look at segments and room */
    troupe_status_t status = thread_start (&self->thread, "troupe-fold", run, self, error);
    self->has_thread = status == TROUPE_OK;
    return status;
}

void
checkpointer_committed (checkpointer_t *self)
{
    journal_counts_t counts = journal_counts (self->store->journal);
    bool is_first = atomic_load_explicit (&self->since_ns, memory_order_relaxed) == 0;
    if (is_first)
        atomic_store_explicit (&self->since_ns, clock_monotonic_ns (), memory_order_relaxed);
    if (is_first || counts.unfolded_bytes >= self->options.most_bytes
        || wants_preparing (self, counts.written_bytes))
        gate_open (&self->gate);
}

void
checkpointer_urge (checkpointer_t *self)
{
    if (journal_counts (self->store->journal).unfolded_bytes < self->options.urgent_bytes)
        return;  /* folded a moment ago; the one who urges has not seen it yet */
    atomic_store_explicit (&self->is_urgent, true, memory_order_relaxed);
    gate_open (&self->gate);
}

troupe_status_t
checkpointer_run_now (checkpointer_t *self, troupe_error_t *error)
{
    pthread_mutex_lock (&self->lock);
    uint64_t wanted = ++self->runs_wanted;
    gate_open (&self->gate);
    while (self->runs_done < wanted && !self->has_ended)
        pthread_cond_wait (&self->done, &self->lock);
    troupe_error_t last = self->last;
    if (self->runs_done < wanted)
        last = (troupe_error_t) { TROUPE_STOPPING, "the node is going down" };
    pthread_mutex_unlock (&self->lock);
    return last.status == TROUPE_OK ? TROUPE_OK : error_set (error, last.status, "%s", last.text);
}

troupe_status_t
checkpointer_stop (checkpointer_t *self, troupe_error_t *error)
{
    if (!self->has_thread)
        return TROUPE_OK;
    pthread_mutex_lock (&self->lock);
    self->is_stopping = true;
    pthread_mutex_unlock (&self->lock);
    gate_open (&self->gate);
    pthread_join (self->thread, NULL);
    self->has_thread = false;
    return self->last.status == TROUPE_OK ? TROUPE_OK : error_set (error, self->last.status, "%s", self->last.text);
}

void
checkpointer_destroy (checkpointer_t **self_p)
{
    checkpointer_t *self = *self_p;
    if (!self)
        return;
    troupe_error_t error;
    (void) !checkpointer_stop (self, &error);
    pthread_cond_destroy (&self->done);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    *self_p = NULL;
}
