/*  worker.h - the threads that run the shards, and who runs which when.
 *
 *  A task is a shard (in tests: anything with a step). It is idle, ready,
 *  running, or running with more to come; one worker at a time runs it. It goes
 *  back to the worker that ran it last; a worker with nothing to do takes one
 *  from the longest queue. Nobody polls: when no task is ready and no timer is
 *  due, all workers sleep.
 *
 *  Life: workers_new, workers_start, workers_schedule ..., workers_stop,
 *  workers_destroy. After workers_stop the tasks may be stepped by hand.
 */
#ifndef RUNTIME_WORKER_H
#define RUNTIME_WORKER_H

#include "runtime/base/clock.h"
#include "runtime/recorder.h"
#include "runtime/watchdog.h"

#define WORKERS_MAX RECORDER_SLOTS_MAX

typedef struct workers_s workers_t;

/*  One worker at a time calls these, never two; memory of one call is seen by the next. */
typedef struct {
    /* One slice of work. True: there is more to do at once. */
    bool (*step) (void *self, uint64_t now_ms, recorder_slot_t *slot);
    /* When to step it though nobody scheduled it; UINT64_MAX: never. Asked after each step. */
    uint64_t (*next_due) (void *self);
    void *self;
} task_t;

typedef struct {
    uint32_t workers;                  /* threads; 1 to WORKERS_MAX */
    uint32_t tasks;
    const task_t *table;               /* copied */
    const steady_clock_t *clock;       /* of now_ms and next_due */
    recorder_t *recorder;              /* slot by worker; may be NULL */
    watchdog_t *watchdog;              /* of that recorder; may be NULL */
    /* A slice may leave its worker with something to do: `owes` asks for it (at
     * once; this thread's), `pay` does it between two slices. With `is_busy` tasks wait
     * that no other worker will take: then it must be short. Both may be NULL. */
    bool (*owes) (void *arg);
    void (*pay) (void *arg, bool is_busy);
    void *arg;
} workers_options_t;

/*  NULL and an error. What the options point to is borrowed. */
workers_t *workers_new (const workers_options_t *options, troupe_error_t *error);

/*  TROUPE_NO_MEMORY when the system gives no more threads; those that ran are joined. */
troupe_status_t workers_start (workers_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Any thread. The task will be stepped after this call began, and sees what
 *  was written before it. */
void workers_schedule (workers_t *self, uint32_t task);

/*  The same, but wakes nobody: for news that is worth a look, not a wake. The
 *  task is stepped when a worker is awake anyway, or scheduled later. */
void workers_nudge (workers_t *self, uint32_t task);

/*  Between these two what this thread schedules, which is no worker, wakes nobody before a number of tasks came
 *  or it is over: who brings many calls at once pays for few wakes. Nothing is held back by NULL. */
void workers_hold (const workers_t *self);
void workers_release (workers_t *self);

/*  Whether the calling thread is one of these workers. */
bool workers_has_me (const workers_t *self);

/*  Ends the slices in hand and joins the threads; not from a worker. What was
 *  ready stays undone. Idempotent. */
void workers_stop (workers_t *self);
void workers_destroy (workers_t **self_p);

typedef struct {
    uint64_t slices;
    uint64_t moves;  /* slices on another worker than the one before */
    uint64_t wakes;  /* of sleeping workers */
    uint32_t asleep; /* workers that sleep now */
} workers_counts_t;
workers_counts_t workers_counts (workers_t *self);  /* any thread */

#endif
