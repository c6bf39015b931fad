/*  gate.c - where one thread sleeps until another opens: a token over a futex.
 *
 *  DESIGN
 *  Three values: closed, open, and closed with a sleeper, so that the opener
 *  knows whether the wake is worth a system call. A condition variable would do
 *  the same with a mutex around it, which the woken thread must take first; on
 *  the way of a call from its caller to its worker and back that is felt.
 *  It never spins: on few cores a spinning thread takes the core away from the
 *  one that it waits for.
 */
#include "runtime/base/gate.h"

#include "runtime/base/error.h"
#include "runtime/base/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CLOSED = 0, OPEN = 1, WAITED = 2 };

void
gate_open (gate_t *self)
{
    if (atomic_exchange_explicit (&self->state, OPEN, memory_order_acq_rel) == WAITED)
        syscall (SYS_futex, &self->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*  Until the state may have changed. False: the time is over. */
static bool
sleep_until (gate_t *self, const struct timespec *until)
{
    long rc = syscall (SYS_futex, &self->state, FUTEX_WAIT_BITSET_PRIVATE, WAITED, until, NULL,
                       FUTEX_BITSET_MATCH_ANY);
    CHECK (rc == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
    return rc == 0 || errno != ETIMEDOUT;
}

bool
gate_wait (gate_t *self, uint64_t timeout_ns)
{
    struct timespec until;
    bool forever = timeout_ns > (uint64_t) INT64_MAX / 2;
    if (!forever) {
        uint64_t at = clock_monotonic_ns () + timeout_ns;
        until = (struct timespec) { .tv_sec = (time_t) (at / 1000000000u), .tv_nsec = (long) (at % 1000000000u) };
    }
    for (;;) {
        uint32_t state = OPEN;
        if (atomic_compare_exchange_strong_explicit (&self->state, &state, CLOSED, memory_order_acquire,
                                                     memory_order_relaxed))
            return true;
        if (state == CLOSED && !atomic_compare_exchange_strong_explicit (&self->state, &state, WAITED,
                                                                         memory_order_relaxed, memory_order_relaxed))
            continue;
        if (!sleep_until (self, forever ? NULL : &until))
            return atomic_exchange_explicit (&self->state, CLOSED, memory_order_acquire) == OPEN;
    }
}
