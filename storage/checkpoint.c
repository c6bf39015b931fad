/*  checkpoint.c - folds durable frames into the state and trims the journal.
 *
 *  DESIGN
 *  What was taken from the journal stays in `pending` until a fold of it is
 *  durable: a full disk or no memory leaves it there, and the next run folds it
 *  together with what came since. Only then are the shards told, who may free
 *  the frames at once: everything wanted of them is noted before. The journal is
 *  trimmed last, so that whatever dies in between, state and journal overlap
 *  rather than part. Folding frames again that are folded already is harmless,
 *  since their changes are absolute, but it never happens here: a frame that
 *  is not its shard's next one is a broken promise of the journal and asserts.
 *
 *  One thread's. It looks at frames and at the port of the state, never at a shard.
 */
#include "storage/checkpoint.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/changes.h"

#include <stdatomic.h>
#include <string.h>

struct checkpoint_s {
    /* fixed after start */
    journal_t *journal;
    state_port_t *state;
    uint32_t shards;
    void (*on_folded) (void *arg, uint16_t shard, uint64_t frame);
    void *arg;

    /* owner: the checkpoint's thread */
    frame_t *pending, *pending_last;  /* taken and not folded, in LSN order */
    uint64_t folded_lsn;              /* the state is durable up to it */
    uint64_t trimmed_lsn;             /* the journal was trimmed up to it */
    state_mark_t *marks;              /* of the state */
    state_mark_t *next_marks;         /* with `pending` folded */

    /* shared: atomic, counts only, pairs with nothing */
    atomic_uint_fast64_t folds, frames, ops, keys;
};

checkpoint_t *
checkpoint_new (journal_t *journal, state_port_t *state,
                void (*on_folded) (void *arg, uint16_t shard, uint64_t frame), void *arg)
{
    checkpoint_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->journal = journal;
    self->state = state;
    self->shards = state->identity (state->self)->shards;
    self->on_folded = on_folded;
    self->arg = arg;
    self->marks = memory_zalloc (self->shards * sizeof *self->marks);
    self->next_marks = memory_zalloc (self->shards * sizeof *self->next_marks);
    if (!self->marks || !self->next_marks)
        checkpoint_destroy (&self);
    else
        state->marks (state->self, self->marks);
    if (self)
        memcpy (self->next_marks, self->marks, self->shards * sizeof *self->marks);
    return self;
}

/*  The frames that it holds are the shards'. */
void
checkpoint_destroy (checkpoint_t **self_p)
{
    CHECK (self_p);
    checkpoint_t *self = *self_p;
    if (!self)
        return;
    memory_free (self->marks);
    memory_free (self->next_marks);
    memory_free (self);
    *self_p = NULL;
}

/*  Takes over what became durable. */
static void
take_frames (checkpoint_t *self)
{
    frame_t *taken = journal_take_durable (self->journal);
    if (!taken)
        return;
    if (self->pending)
        self->pending_last->next = taken;
    else
        self->pending = taken;
    for (frame_t *frame = taken; frame; frame = frame->next) {
        CHECK (frame->shard < self->shards);
        CHECK (frame->number == self->next_marks[frame->shard].frame + 1);
        self->next_marks[frame->shard] = (state_mark_t) { frame->number, frame->time_ms };
        self->pending_last = frame;
    }
}

static troupe_status_t
fold_pending (checkpoint_t *self, troupe_error_t *error)
{
    changes_t changes = { 0 };
    if (!changes_gather (&changes, self->pending))
        return error_set (error, TROUPE_NO_MEMORY, "no memory to sort the changes of a checkpoint");
    troupe_status_t status = self->state->fold (self->state->self, changes.items, changes.count, self->next_marks,
                                                error);
    if (status == TROUPE_OK) {
        atomic_fetch_add_explicit (&self->folds, 1, memory_order_relaxed);
        atomic_fetch_add_explicit (&self->frames, changes.frames, memory_order_relaxed);
        atomic_fetch_add_explicit (&self->ops, changes.ops, memory_order_relaxed);
        atomic_fetch_add_explicit (&self->keys, changes.count, memory_order_relaxed);
    }
    changes_clear (&changes);
    return status;
}

/*  From the first call on, the shards may free the frames. */
static void
tell_shards (checkpoint_t *self)
{
    self->folded_lsn = self->pending_last->lsn;
    self->pending = self->pending_last = NULL;
    for (uint32_t i = 0; i < self->shards; i++) {
        if (self->next_marks[i].frame == self->marks[i].frame)
            continue;
        self->marks[i] = self->next_marks[i];
        if (self->on_folded)
            self->on_folded (self->arg, (uint16_t) i, self->marks[i].frame);
    }
}

/*  A run that could not trim leaves that to the next one. */
static troupe_status_t
trim (checkpoint_t *self, troupe_error_t *error)
{
    if (self->trimmed_lsn == self->folded_lsn)
        return TROUPE_OK;
    troupe_status_t status = journal_trim (self->journal, self->folded_lsn, error);
    if (status == TROUPE_OK)
        self->trimmed_lsn = self->folded_lsn;
    return status;
}

/*  Room for the journal is looked after, but never keeps the fold from making
 *  some: only a failure that ends the node counts before it. */
troupe_status_t
checkpoint_run (checkpoint_t *self, troupe_error_t *error)
{
    troupe_status_t prepared = journal_prepare (self->journal, error);
    if (prepared != TROUPE_OK && prepared != TROUPE_FULL && prepared != TROUPE_NO_MEMORY)
        return prepared;
    take_frames (self);
    if (self->pending) {
        troupe_status_t status = fold_pending (self, error);
        if (status != TROUPE_OK)
            return status;
        tell_shards (self);
    }
    return trim (self, error);
}

checkpoint_counts_t
checkpoint_counts (const checkpoint_t *self)
{
    return (checkpoint_counts_t) {
        .folds = atomic_load_explicit (&self->folds, memory_order_relaxed),
        .frames = atomic_load_explicit (&self->frames, memory_order_relaxed),
        .ops = atomic_load_explicit (&self->ops, memory_order_relaxed),
        .keys = atomic_load_explicit (&self->keys, memory_order_relaxed),
    };
}
