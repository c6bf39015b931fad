/*  checkpointer.h - the thread that folds the journal into the state.
 *
 *  It folds when the oldest unfolded frame is old enough, when there is much to
 *  fold, when it is asked to, and at the end; with nothing to fold it sleeps.
 *  A fold takes its time, unless somebody waits for it or much is unfolded.
 *  Meanwhile and between folds it keeps a segment of the journal ready and looks
 *  at the free space of the disk.
 */
#ifndef COMMANDS_CHECKPOINTER_H
#define COMMANDS_CHECKPOINTER_H

#include "storage/store.h"

typedef struct checkpointer_s checkpointer_t;

typedef struct {
    uint64_t every_ms;       /* age of the oldest unfolded frame */
    uint64_t most_bytes;     /* unfolded ones from which it folds at once */
    uint64_t urgent_bytes;   /* unfolded ones from which checkpointer_urge is heard */
    uint64_t prepare_bytes;  /* written ones after which it looks after segments and room */
    void *arg;
    /* On its thread. */
    bool (*has_room) (void *arg);  /* looked at now and then; while it says false, each second */
    void (*full) (void *arg, bool is_full, const char *text);  /* a fold found no space; found it again */
    void (*broken) (void *arg, const troupe_error_t *error);   /* must not return */
} checkpointer_options_t;

/*  Borrows the store. NULL and an error. */
checkpointer_t *checkpointer_new (store_t *store, const checkpointer_options_t *options, troupe_error_t *error);
troupe_status_t checkpointer_start (checkpointer_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Any thread, after each commit. */
void checkpointer_committed (checkpointer_t *self);

/*  Any thread: fold at once when it is worth it, without waiting for it. */
void checkpointer_urge (checkpointer_t *self);

/*  Folds all that is durable now and waits for it; any thread but a node's.
 *  TROUPE_FULL: no space. TROUPE_STOPPING: it ends. */
troupe_status_t checkpointer_run_now (checkpointer_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Folds what is durable and joins the thread. Nobody commits any more. Idempotent: TROUPE_OK then. */
troupe_status_t checkpointer_stop (checkpointer_t *self, troupe_error_t *error) TROUPE_CHECKED;
void checkpointer_destroy (checkpointer_t **self_p);

#endif
