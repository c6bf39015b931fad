/*  thread.h - starting a thread of the node.
 *
 *  All signals that come from outside are blocked in it, so that they reach
 *  the program's own threads; those that a faulty instruction raises are not.
 */
#ifndef RUNTIME_BASE_THREAD_H
#define RUNTIME_BASE_THREAD_H

#include <pthread.h>
#include <troupe.h>

/*  `name` is what top(1) and gdb show; at most 15 bytes. TROUPE_NO_MEMORY when
 *  the system gives no more threads. */
troupe_status_t thread_start (pthread_t *thread, const char *name, void *(*run) (void *), void *arg,
                              troupe_error_t *error) TROUPE_CHECKED;

#endif
