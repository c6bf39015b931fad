/*  lock.h - one opener of a store at a time, in all processes and within one.
 *
 *  The file "lock" in the directory, held by flock and close-on-exec; it says
 *  the holder's pid. It is never removed. Any thread.
 */
#ifndef STORAGE_LOCK_H
#define STORAGE_LOCK_H

#include <troupe.h>

typedef struct store_lock_s store_lock_t;

/*  NULL and an error: TROUPE_LOCKED names the holder's pid. */
store_lock_t *store_lock_take (const char *directory, troupe_error_t *error);

/*  To look at a store at rest: nothing is written, others may look as well, and nobody opens it. TROUPE_OK and NULL
 *  where there is no lock file, so that nobody can have it open. */
troupe_status_t store_lock_share (const char *directory, store_lock_t **lock, troupe_error_t *error) TROUPE_CHECKED;
void store_lock_release (store_lock_t **self_p);

#endif
