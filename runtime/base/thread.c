/*  thread.c - starting a thread of the node.
 *
 *  DESIGN
 *  The mask is set before the thread is made and put back after, so that the
 *  new one never runs a moment with the program's mask: a program that embeds
 *  a node has handlers of its own, which expect their own threads.
 */
#include "runtime/base/thread.h"

#include "runtime/base/error.h"

#include <signal.h>
#include <string.h>

troupe_status_t
thread_start (pthread_t *thread, const char *name, void *(*run) (void *), void *arg, troupe_error_t *error)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    sigset_t blocked, before;
    sigfillset (&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset (&blocked, faults[i]);
    CHECK (pthread_sigmask (SIG_BLOCK, &blocked, &before) == 0);
    int rc = pthread_create (thread, NULL, run, arg);
    CHECK (pthread_sigmask (SIG_SETMASK, &before, NULL) == 0);
    if (rc)
        return error_set (error, TROUPE_NO_MEMORY, "cannot start the thread %s: %s", name, strerror (rc));
    pthread_setname_np (*thread, name);
    return TROUPE_OK;
}
