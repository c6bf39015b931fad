/*  changes.h - the last change of every key in a list of frames, in order.
 *
 *  What a fold wants, portion by portion: the changes of some shards at a time,
 *  so that what is sorted at once and held in memory is small however much is
 *  folded. The changes point into the frames' bodies. One thread's.
 */
#ifndef STORAGE_CHANGES_H
#define STORAGE_CHANGES_H

#include "runtime/port/state.h"

typedef struct {
    /* the portion in hand */
    state_change_t *items;     /* sorted by (shard, key), one per key */
    size_t count;
    uint64_t bytes;            /* of the bodies of their frames */

    uint64_t bytes_before;     /* of portions before */
    uint64_t bytes_all;
    uint64_t ops, frames;      /* that all portions up to this one came from */
    const frame_t **sorted;    /* by shard, in each as in the list */
    size_t starts[STATE_SHARDS_MAX + 1];
    uint32_t shard;            /* the next portion begins with it */
} changes_t;

/*  Of the frames of a list by `next`, those of a shard in the order of their
 *  numbers. False when out of memory. Close it before the frames go. */
bool changes_open (changes_t *self, const frame_t *frames);

/*  The next portion: whole shards, until they have `least` changes. False when out
 *  of memory: there is none then. */
bool changes_next (changes_t *self, size_t least);

/*  Whether the portion in hand is the last. */
bool changes_at_end (const changes_t *self);

void changes_close (changes_t *self);

#endif
