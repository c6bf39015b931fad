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
 *  What a commit of the tree writes stands in the way of the journal's syncs,
 *  so a transaction is small. They go through the keys from first to last, once: a
 *  page of the tree is written by one of them, rarely by two, as often as if
 *  they were one. A fold that ends on the way is begun anew by the next run. The
 *  first of them says how far the fold reaches, so that a journal that has lost
 *  some of these frames is not taken for one that never had them.
 *
 *  One thread's. It looks at frames and at the port of the state, never at a shard.
 */
#include "storage/checkpoint.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/changes.h"

#include <stdatomic.h>
#include <string.h>

#define TRANSACTION_BYTES (1u << 20)  /* of values, from which a transaction is closed */

struct checkpoint_s {
    /* fixed after start */
    journal_t *journal;
    state_port_t *state;
    uint32_t shards;
    void (*on_folded) (void *arg, uint16_t shard, uint64_t frame);
    void *arg;
    checkpoint_pace_t pace;

    /* owner: the checkpoint's thread */
    frame_t *pending, *pending_last;  /* taken and not folded, in LSN order */
    uint64_t folded_lsn;              /* the state is durable up to it */
    uint64_t trimmed_lsn;             /* the journal was trimmed up to it */
    state_mark_t *marks;              /* of the state, with how far the fold in hand reaches */
    state_mark_t *next_marks;         /* with `pending` folded */

    /* shared: atomic; while not 0 folds are one transaction; begin_copy's release pairs with fold_pending */
    atomic_uint copies;

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
    self->pace.most_changes = CHECKPOINT_CHANGES;
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

void
checkpoint_set_pace (checkpoint_t *self, const checkpoint_pace_t *pace)
{
    CHECK (pace->most_changes > 0);
    self->pace = *pace;
}

void
checkpoint_begin_copy (checkpoint_t *self)
{
    atomic_fetch_add_explicit (&self->copies, 1, memory_order_release);
}

void
checkpoint_end_copy (checkpoint_t *self)
{
    CHECK (atomic_fetch_sub_explicit (&self->copies, 1, memory_order_release) > 0);
}

/*  Before its first transaction: all but the last have these marks. */
static void
note_reach (checkpoint_t *self)
{
    for (uint32_t i = 0; i < self->shards; i++) {
        uint64_t frame = self->next_marks[i].frame;
        self->marks[i].reached = frame > self->marks[i].frame ? frame : 0;
    }
}

/*  How many of the changes one transaction takes. */
static size_t
transaction_size (const state_change_t *changes, size_t count, size_t most)
{
    size_t size = 0;
    for (uint64_t bytes = 0; size < count && size < most && bytes < TRANSACTION_BYTES; size++)
        bytes += changes[size].op.kind == FRAME_PUT ? changes[size].op.value_size : 0;
    return size;
}

/*  So many changes of the portion are in the tree. */
static void
rest (const checkpoint_t *self, const changes_t *changes, size_t done)
{
    if (self->pace.pause)
        self->pace.pause (self->pace.arg, changes->bytes_before + changes->bytes * done / changes->count,
                          changes->bytes_all);
}

static troupe_status_t
fold_portion (checkpoint_t *self, const changes_t *changes, bool is_whole, uint64_t *keys, troupe_error_t *error)
{
    troupe_status_t status;
    size_t at = 0;
    do {
        const state_change_t *items = changes->items ? changes->items + at : NULL;
        size_t left = changes->count - at;
        size_t count = is_whole ? left : transaction_size (items, left, self->pace.most_changes);
        bool is_last = count == left && changes_at_end (changes);
        status = self->state->fold (self->state->self, items, count, is_last ? self->next_marks : self->marks, error);
        at += count;
        if (status == TROUPE_OK && !is_last)
            rest (self, changes, at);
    } while (status == TROUPE_OK && at < changes->count);
    *keys += changes->count;
    return status;
}

static troupe_status_t
fold_pending (checkpoint_t *self, troupe_error_t *error)
{
    bool is_whole = atomic_load_explicit (&self->copies, memory_order_acquire) > 0;
    changes_t changes;
    uint64_t keys = 0;
    note_reach (self);
    bool has_memory = changes_open (&changes, self->pending);
    troupe_status_t status = TROUPE_OK;
    do {
        has_memory = has_memory && changes_next (&changes, is_whole ? SIZE_MAX : self->pace.most_changes);
        if (has_memory)
            status = fold_portion (self, &changes, is_whole, &keys, error);
        else
            status = error_set (error, TROUPE_NO_MEMORY, "no memory to sort the changes of a checkpoint");
    } while (status == TROUPE_OK && !changes_at_end (&changes));
    if (status == TROUPE_OK) {
        atomic_fetch_add_explicit (&self->folds, 1, memory_order_relaxed);
        atomic_fetch_add_explicit (&self->frames, changes.frames, memory_order_relaxed);
        atomic_fetch_add_explicit (&self->ops, changes.ops, memory_order_relaxed);
        atomic_fetch_add_explicit (&self->keys, keys, memory_order_relaxed);
    }
    changes_close (&changes);
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
