/*  names.h - whether the keys of an object differ.
 *
 *  A stack of hashes for whoever walks through nested objects: note the stack's
 *  size when an object begins, push each of its keys, pop at its end. Not shared
 *  between threads.
 */
#ifndef RUNTIME_BODY_NAMES_H
#define RUNTIME_BODY_NAMES_H

#include "runtime/base/buffer.h"

/*  False when out of memory (the stack's `failed`). */
bool names_push (buffer_t *stack, const void *name, size_t size);

/*  Takes off what was pushed since the stack had the size `base`; whether all of it differs. */
bool names_pop (buffer_t *stack, size_t base);

#endif
