/*  committer.h - whoever runs the journal's commits: its thread, or a worker.
 *
 *  A frame that is submitted must be committed soon, by somebody. Under load
 *  that is the journal's thread, beside the turns. When nothing else is to do,
 *  the worker that sealed the frame commits it itself: on its way from the
 *  caller to the disk and back a call then saves two hand-overs between threads,
 *  each of which costs about a tenth of the sync.
 *
 *  A worker owes: committer_submit notes it, committer_pay (between two slices)
 *  commits at once when there is nothing more urgent, or wakes the thread.
 */
#ifndef COMMANDS_COMMITTER_H
#define COMMANDS_COMMITTER_H

#include "storage/journal.h"

typedef struct committer_s committer_t;

/*  Called on the thread that commits, with nothing locked that others need. */
typedef struct {
    void *arg;
    void (*committed) (void *arg);               /* some frames are durable now */
    void (*full) (void *arg, bool is_full, const char *text);  /* no space; there is space again */
    void (*broken) (void *arg, const troupe_error_t *error);   /* must not return */
} committer_watch_t;

/*  Borrows the journal. NULL and an error. */
committer_t *committer_new (journal_t *journal, const committer_watch_t *watch, troupe_error_t *error);
troupe_status_t committer_start (committer_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Any thread. With `later` the calling thread promises a committer_pay soon. */
void committer_submit (committer_t *self, frame_t *frame, bool later);

/*  Whether the calling thread owes a commit; and pays it. When it is busy, or
 *  somebody else is at it, the journal's thread is woken for it. */
bool committer_owes (void);
void committer_pay (committer_t *self, bool is_busy);

/*  Commits until nothing is submitted (or the disk is full), then joins the
 *  thread. Nobody submits any more. Idempotent. */
void committer_stop (committer_t *self);
void committer_destroy (committer_t **self_p);

typedef struct {
    uint64_t by_thread, by_worker;  /* commits */
} committer_counts_t;
committer_counts_t committer_counts (const committer_t *self);  /* any thread */

#endif
