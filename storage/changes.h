/*  changes.h - the last change of every key in a list of frames, in order.
 *
 *  What a fold wants. The changes point into the frames' bodies. One thread's.
 */
#ifndef STORAGE_CHANGES_H
#define STORAGE_CHANGES_H

#include "runtime/port/state.h"

/*  Zero-initialised is empty. */
typedef struct {
    state_change_t *items;  /* sorted by (shard, key), one per key */
    size_t count;
    uint64_t frames, ops;   /* what they came from */
} changes_t;

/*  From the frames of a list by `next`, those of a shard in the order of their
 *  numbers. False when out of memory: then it is empty. Clear it before the frames go. */
bool changes_gather (changes_t *self, const frame_t *frames);
void changes_clear (changes_t *self);

#endif
