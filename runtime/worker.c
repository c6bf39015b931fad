/*  worker.c - the threads that run the shards, and who runs which when.
 *
 *  DESIGN
 *  One small lock for all of the scheduling: it is taken twice a slice, never
 *  for a message, and held for some tens of nanoseconds. Each worker has a queue of ready
 *  tasks, first in, first out; a task is put into that of the worker that ran
 *  it last (its home), whose caches know it.
 *
 *  Waking costs more than anything else here (some 10 us until the other core
 *  runs), so at most as many sleepers are woken as tasks wait, a woken worker
 *  wakes the next when there is still more, and a worker that is about to look
 *  for work itself (in `pay`) is not helped with the first task. A worker that
 *  owes leaves the tasks that wait to those who sleep. A thread that brings many calls holds the wake back (`held`): on
 *  one core each would else run at once, and the caller wait, call by call.
 *
 *  Timers: every task that is idle has a due time, `earliest` is not above any
 *  of them. One sleeping worker, the keeper, sleeps no longer than that; the others
 *  sleep until they are woken. Among several sleepers the keeper is woken
 *  last, so that a long turn does not take the clock away from the rest; when
 *  it must go, another sleeper takes over.
 *
 *  Invariants, under the lock: a task is in one queue when ready, in none
 *  otherwise; `ready` counts them; a worker that sleeps was promised nothing.
 *  No callback runs and no gate is opened with the lock held.
 */
#include "runtime/worker.h"

#include "runtime/base/error.h"
#include "runtime/base/gate.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"

#include <pthread.h>
#include <stdio.h>

#define NEVER UINT64_MAX
#define HELD_MOST 16

typedef enum {
    TASK_IDLE,     /* -> READY */
    TASK_READY,    /* -> RUNNING */
    TASK_RUNNING,  /* -> IDLE, AGAIN, READY */
    TASK_AGAIN     /* running, and scheduled meanwhile; -> READY */
} task_state_t;

typedef struct worker_s worker_t;

typedef struct entry_s {
    /* fixed after new */
    task_t task;

    /* under the lock */
    task_state_t state;
    worker_t *home;
    uint64_t due;          /* while idle; NEVER otherwise */
    struct entry_s *next;  /* in its queue */
} entry_t;

typedef enum {
    WORKER_AWAKE,
    WORKER_ASLEEP,
    WORKER_WOKEN  /* its gate is open or about to be; it has not looked yet */
} worker_state_t;

struct worker_s {
    /* fixed after start */
    workers_t *all;
    uint32_t index;
    recorder_slot_t *slot;
    pthread_t thread;

    gate_t gate;

    /* owner: this worker's thread */
    bool is_paying;

    /* under the lock */
    worker_state_t state;
    entry_t *first, *last;
    uint32_t length;
};

struct workers_s {
    /* fixed after start */
    workers_options_t options;
    uint32_t started;
    entry_t *entries;
    worker_t *workers;

    pthread_mutex_t lock;
    /* under the lock */
    uint32_t ready;         /* tasks in queues */
    uint32_t asleep, woken; /* workers */
    uint64_t earliest;      /* no idle task is due before */
    worker_t *keeper;       /* the sleeper that watches the clock, or NULL */
    uint64_t keeper_due;    /* until when it sleeps; NEVER without a keeper */
    bool stopping;
    workers_counts_t counts;
};

static _Thread_local worker_t *current;  /* of this thread, or NULL */
static _Thread_local struct {
    const workers_t *by;                 /* NULL: nothing is held back */
    uint32_t count;                      /* of what was scheduled since */
} held;

/* ------------------------------------------------------------------ *
 *  Under the lock
 * ------------------------------------------------------------------ */

static void
push (workers_t *self, worker_t *worker, entry_t *entry)
{
    CHECK (entry->state != TASK_READY);
    entry->state = TASK_READY;
    entry->due = NEVER;
    entry->next = NULL;
    if (worker->last)
        worker->last->next = entry;
    else
        worker->first = entry;
    worker->last = entry;
    worker->length += 1;
    self->ready += 1;
}

static entry_t *
pop (workers_t *self, worker_t *worker)
{
    entry_t *entry = worker->first;
    if (!entry)
        return NULL;
    CHECK (entry->state == TASK_READY);
    worker->first = entry->next;
    if (!worker->first)
        worker->last = NULL;
    worker->length -= 1;
    self->ready -= 1;
    return entry;
}

/*  The worker leaves its sleep, or is being taken out of it. */
static void
leave_sleep (workers_t *self, worker_t *worker)
{
    self->asleep -= 1;
    if (self->keeper == worker) {
        self->keeper = NULL;
        self->keeper_due = NEVER;
    }
}

/*  A sleeper, best the preferred one, the keeper only when there is no other. */
static worker_t *
choose_sleeper (workers_t *self, worker_t *preferred)
{
    if (self->asleep == 0)
        return NULL;
    if (preferred && preferred->state == WORKER_ASLEEP && preferred != self->keeper)
        return preferred;
    for (uint32_t i = 0; i < self->started; i++) {
        worker_t *worker = &self->workers[i];
        if (worker->state == WORKER_ASLEEP && worker != self->keeper)
            return worker;
    }
    return self->keeper;
}

/*  Takes a sleeper out of its sleep; the caller opens its gate after unlocking. */
static worker_t *
rouse (workers_t *self, worker_t *preferred)
{
    worker_t *worker = choose_sleeper (self, preferred);
    if (!worker)
        return NULL;
    CHECK (worker->state == WORKER_ASLEEP);
    leave_sleep (self, worker);
    worker->state = WORKER_WOKEN;
    self->woken += 1;
    self->counts.wakes += 1;
    return worker;
}

/*  Where a task that becomes ready waits. A worker in `pay` looks at its own
 *  queue next: no need to wake the home for that. */
static worker_t *
place_for (workers_t *self, const entry_t *entry)
{
    if (current && current->all == self && current->is_paying && entry->home->state != WORKER_AWAKE)
        return current;
    return entry->home;
}

static void
make_ready (workers_t *self, entry_t *entry)
{
    if (entry->state == TASK_IDLE)
        push (self, place_for (self, entry), entry);
    else if (entry->state == TASK_RUNNING)
        entry->state = TASK_AGAIN;
}

/*  A worker to wake for what is ready, or NULL. */
static worker_t *
help (workers_t *self, worker_t *preferred)
{
    uint32_t looking = self->woken + (current && current->all == self && current->is_paying);
    return self->ready > looking ? rouse (self, preferred) : NULL;
}

/*  Makes ready what is due. */
static void
look_at_clock (workers_t *self, uint64_t now_ms)
{
    if (now_ms < self->earliest)
        return;
    self->earliest = NEVER;
    for (uint32_t i = 0; i < self->options.tasks; i++) {
        entry_t *entry = &self->entries[i];
        if (entry->due <= now_ms)
            push (self, entry->home, entry);
        else if (entry->due < self->earliest)
            self->earliest = entry->due;
    }
}

/*  After a slice. */
static void
settle (workers_t *self, worker_t *me, entry_t *entry, bool more, uint64_t due)
{
    CHECK (entry->state == TASK_RUNNING || entry->state == TASK_AGAIN);
    if (more || entry->state == TASK_AGAIN) {
        push (self, me, entry);
        return;
    }
    entry->state = TASK_IDLE;
    entry->due = due;
    if (due < self->earliest)
        self->earliest = due;
}

/*  The next task for this worker: its own, or one of the longest queue, or NULL. */
static entry_t *
take (workers_t *self, worker_t *me)
{
    worker_t *from = me;
    for (uint32_t i = 0; !me->first && i < self->started; i++)
        if (self->workers[i].length > from->length)
            from = &self->workers[i];
    entry_t *entry = pop (self, from);
    if (!entry)
        return NULL;
    self->counts.slices += 1;
    self->counts.moves += entry->home != me;
    entry->home = me;
    entry->state = TASK_RUNNING;
    return entry;
}

/* ------------------------------------------------------------------ *
 *  A worker's thread
 * ------------------------------------------------------------------ */

/*  Sleeps until it is woken or, as the keeper, until the earliest timer. */
static void
park (workers_t *self, worker_t *me)
{
    uint64_t timeout_ns = GATE_FOREVER;
    pthread_mutex_lock (&self->lock);
    if (self->ready > 0 || self->stopping) {
        pthread_mutex_unlock (&self->lock);
        return;
    }
    me->state = WORKER_ASLEEP;
    self->asleep += 1;
    if (self->earliest < self->keeper_due) {
        self->keeper = me;
        self->keeper_due = self->earliest;
        timeout_ns = steady_clock_until_ns (self->options.clock, self->earliest);
    }
    pthread_mutex_unlock (&self->lock);

    if (self->options.watchdog)
        watchdog_idle (self->options.watchdog, me->index);
    gate_wait (&me->gate, timeout_ns);
    if (self->options.watchdog)
        watchdog_busy (self->options.watchdog, me->index);

    pthread_mutex_lock (&self->lock);
    if (me->state == WORKER_ASLEEP)
        leave_sleep (self, me);
    else
        self->woken -= 1;
    me->state = WORKER_AWAKE;
    pthread_mutex_unlock (&self->lock);
}

static void
pay (workers_t *self, worker_t *me, bool is_busy)
{
    me->is_paying = true;
    self->options.pay (self->options.arg, is_busy);
    me->is_paying = false;
}

/*  The worker goes on with a task, and somebody must see to what it leaves:
 *  tasks that wait, and a timer that no sleeper watches. */
static worker_t *
help_before_slice (workers_t *self)
{
    worker_t *helper = help (self, NULL);
    if (!helper && self->asleep > 0 && self->earliest < self->keeper_due)
        helper = rouse (self, self->keeper);
    return helper;
}

/*  What to run next, or NULL; and whom to wake for what is left to others. */
static entry_t *
decide (workers_t *self, worker_t *me, bool owes, worker_t **helper)
{
    bool others_can = self->ready == 0 || self->asleep + self->woken > 0;
    entry_t *entry = owes && others_can ? NULL : take (self, me);
    *helper = entry ? help_before_slice (self) : help (self, NULL);
    return entry;
}

static void
serve (workers_t *self, worker_t *me)
{
    entry_t *entry = NULL;
    bool more = false, is_over = false;
    uint64_t due = NEVER;
    while (!is_over) {
        worker_t *helper = NULL;
        uint64_t now_ms = steady_clock_ms (self->options.clock);
        bool owes = self->options.owes && self->options.owes (self->options.arg);
        pthread_mutex_lock (&self->lock);
        if (entry)
            settle (self, me, entry, more, due);
        look_at_clock (self, now_ms);
        is_over = self->stopping;
        entry = is_over ? NULL : decide (self, me, owes, &helper);
        pthread_mutex_unlock (&self->lock);
        if (helper)
            gate_open (&helper->gate);
        if (owes)
            pay (self, me, entry != NULL);
        if (entry) {
            more = entry->task.step (entry->task.self, now_ms, me->slot);
            due = entry->task.next_due (entry->task.self);
        } else if (!owes && !is_over)
            park (self, me);
    }
}

static void *
run (void *arg)
{
    worker_t *me = arg;
    current = me;
    if (me->slot)
        recorder_thread_begin (me->all->options.recorder, me->slot);
    if (me->all->options.watchdog)
        watchdog_busy (me->all->options.watchdog, me->index);
    serve (me->all, me);
    if (me->all->options.watchdog)
        watchdog_idle (me->all->options.watchdog, me->index);
    if (me->slot)
        recorder_thread_end ();
    current = NULL;
    return NULL;
}

/* ------------------------------------------------------------------ *
 *  For others
 * ------------------------------------------------------------------ */

workers_t *
workers_new (const workers_options_t *options, troupe_error_t *error)
{
    CHECK (options->workers >= 1 && options->workers <= WORKERS_MAX && options->tasks >= 1);
    workers_t *self = memory_zalloc (sizeof *self);
    if (self) {
        self->entries = memory_zalloc (options->tasks * sizeof *self->entries);
        self->workers = memory_zalloc (options->workers * sizeof *self->workers);
    }
    if (!self || !self->entries || !self->workers) {
        if (self) {
            memory_free (self->entries);
            memory_free (self->workers);
        }
        memory_free (self);
        error_set (error, TROUPE_NO_MEMORY, "no memory for %u workers", options->workers);
        return NULL;
    }
    pthread_mutexattr_t attributes;
    CHECK (pthread_mutexattr_init (&attributes) == 0);
    CHECK (pthread_mutexattr_settype (&attributes, PTHREAD_MUTEX_ADAPTIVE_NP) == 0);
    CHECK (pthread_mutex_init (&self->lock, &attributes) == 0);
    pthread_mutexattr_destroy (&attributes);
    self->options = *options;
    self->earliest = self->keeper_due = NEVER;
    for (uint32_t i = 0; i < options->workers; i++) {
        self->workers[i].all = self;
        self->workers[i].index = i;
        if (options->recorder)
            self->workers[i].slot = recorder_slot (options->recorder, i);
    }
    for (uint32_t i = 0; i < options->tasks; i++)
        self->entries[i] = (entry_t) {
            .task = options->table[i], .home = &self->workers[i % options->workers], .due = NEVER
        };
    return self;
}

troupe_status_t
workers_start (workers_t *self, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    for (uint32_t i = 0; i < self->options.workers && status == TROUPE_OK; i++) {
        char name[16];
        snprintf (name, sizeof name, "troupe-w%u", i % 1000);
        pthread_mutex_lock (&self->lock);  /* a worker that runs already looks at the others */
        status = thread_start (&self->workers[i].thread, name, run, &self->workers[i], error);
        self->started += status == TROUPE_OK;
        pthread_mutex_unlock (&self->lock);
    }
    if (status != TROUPE_OK)
        workers_stop (self);
    return status;
}

static bool
is_held (const workers_t *self)
{
    return held.by == self && ++held.count % HELD_MOST != 0;
}

void
workers_schedule (workers_t *self, uint32_t task)
{
    CHECK (task < self->options.tasks);
    entry_t *entry = &self->entries[task];
    bool wakes = !is_held (self);
    pthread_mutex_lock (&self->lock);
    make_ready (self, entry);
    worker_t *helper = wakes && entry->state == TASK_READY ? help (self, entry->home) : NULL;
    pthread_mutex_unlock (&self->lock);
    if (helper)
        gate_open (&helper->gate);
}

void
workers_nudge (workers_t *self, uint32_t task)
{
    CHECK (task < self->options.tasks);
    pthread_mutex_lock (&self->lock);
    make_ready (self, &self->entries[task]);
    pthread_mutex_unlock (&self->lock);
}

void
workers_hold (const workers_t *self)
{
    CHECK (!workers_has_me (self));
    held.by = self;
    held.count = 0;
}

void
workers_release (workers_t *self)
{
    held.by = NULL;
    if (held.count == 0)
        return;
    pthread_mutex_lock (&self->lock);
    worker_t *helper = help (self, NULL);
    pthread_mutex_unlock (&self->lock);
    if (helper)
        gate_open (&helper->gate);
}

bool
workers_has_me (const workers_t *self)
{
    return current && current->all == self;
}

void
workers_stop (workers_t *self)
{
    CHECK (!workers_has_me (self));
    pthread_mutex_lock (&self->lock);
    self->stopping = true;
    uint32_t started = self->started;
    pthread_mutex_unlock (&self->lock);
    for (uint32_t i = 0; i < started; i++)
        gate_open (&self->workers[i].gate);
    for (uint32_t i = 0; i < started; i++)
        pthread_join (self->workers[i].thread, NULL);
    pthread_mutex_lock (&self->lock);
    self->started = 0;
    pthread_mutex_unlock (&self->lock);
}

void
workers_destroy (workers_t **self_p)
{
    workers_t *self = *self_p;
    if (!self)
        return;
    workers_stop (self);
    pthread_mutex_destroy (&self->lock);
    memory_free (self->entries);
    memory_free (self->workers);
    memory_free (self);
    *self_p = NULL;
}

workers_counts_t
workers_counts (workers_t *self)
{
    pthread_mutex_lock (&self->lock);
    workers_counts_t counts = self->counts;
    counts.asleep = self->asleep;
    pthread_mutex_unlock (&self->lock);
    return counts;
}
