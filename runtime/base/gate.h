/*  gate.h - where one thread sleeps until another opens: a token over a futex.
 *
 *  Opening an open gate changes nothing; passing closes it again. So what was
 *  made ready before gate_open is seen by whoever passes after it, and an open
 *  that comes too early is not lost. A system call is made only when somebody
 *  sleeps. Any number of threads open; one at a time waits.
 *
 *  Zero-initialised is closed. A gate may live on the waiter's stack: an opener
 *  touches it for the last time before the waiter can pass (a late wake of the
 *  bare address harms nobody: all who sleep here look again).
 */
#ifndef RUNTIME_BASE_GATE_H
#define RUNTIME_BASE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GATE_FOREVER UINT64_MAX

typedef struct {
    _Atomic uint32_t state;  /* shared: open releases, wait acquires */
} gate_t;

void gate_open (gate_t *self);

/*  Sleeps until it is open, then closes it. False: the time is over, in which the machine did not sleep. */
bool gate_wait (gate_t *self, uint64_t timeout_ns);

#endif
