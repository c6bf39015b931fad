/*  watchdog.h - a thread that sees turns that take too long.
 *
 *  A turn over its budget is reported, once. A stuck one can be ended: its
 *  thread gets SIGABRT, the flight recorder marks the message, and the process
 *  dies with it, to be started again. A turn's time is counted by the looks at it,
 *  at a quarter of the shortest budget; a long gap between two looks (a stopped
 *  process, a sleeping machine) is not held against it.
 *
 *  While no worker is awake the thread sleeps and nothing polls.
 */
#ifndef RUNTIME_WATCHDOG_H
#define RUNTIME_WATCHDOG_H

#include "runtime/recorder.h"
#include <troupe.h>

#define WATCHDOG_BUDGET_MS 1000  /* the default */

/*  Texts are borrowed until the callback returns. */
typedef struct {
    uint32_t slot;
    uint64_t message;
    const char *address;
    const char *verb;
    uint64_t ran_ms;     /* so far; a look's distance less than in truth at most */
    uint32_t budget_ms;
    bool is_stuck;       /* it is ended now, and the process with it */
} watchdog_report_t;

typedef struct {
    uint32_t budget_ms;  /* of turns whose verb names none; 0: the default */
    uint32_t stuck_ms;   /* from then on a turn is ended; 0: never */
    /* Called on the watchdog's thread: once when a turn is over its budget, once before it is ended. May be NULL. */
    void (*report) (void *arg, const watchdog_report_t *report);
    void *arg;
} watchdog_options_t;

typedef struct watchdog_s watchdog_t;

/*  Watches the first `slots` slots of the recorder, which it borrows. Starts the
 *  thread. NULL and an error. */
watchdog_t *watchdog_new (recorder_t *recorder, uint32_t slots, const watchdog_options_t *options,
                          troupe_error_t *error);

/*  Joins the thread. No worker may call the two below any more. */
void watchdog_destroy (watchdog_t **self_p);

/*  The worker of this slot is awake, or going to sleep. Its own thread, not from
 *  a handler; saying it twice changes nothing. Costs an atomic addition, and a
 *  wake when all workers slept. */
void watchdog_busy (watchdog_t *self, uint32_t slot);
void watchdog_idle (watchdog_t *self, uint32_t slot);

/*  How often it looked at the slots so far, and whether it sleeps until a worker wakes. Any thread. */
uint64_t watchdog_looks (const watchdog_t *self);
bool watchdog_is_asleep (const watchdog_t *self);

#endif
