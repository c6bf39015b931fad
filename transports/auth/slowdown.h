/*  slowdown.h - whoever guesses passwords waits, longer each time: by the name that is tried, and by the address.
 *
 *  An attempt counts as failed from its beginning, so that many at once are no way around; one that passed is
 *  taken back. A success forgives the failures of its name, but of its address only itself: who has an
 *  account of his own could else go on with those of others. Used by one thread at a time.
 */
#ifndef TRANSPORTS_AUTH_SLOWDOWN_H
#define TRANSPORTS_AUTH_SLOWDOWN_H

#include <stddef.h>
#include <stdint.h>

/*  After `free` failures the next attempt waits `first_ns`, then twice that, at most `most_ns`. After `forget_ns`
 *  without an attempt all is forgotten. Let `most_ns` of names be short: anybody may make somebody else's
 *  name wait. */
typedef struct {
    uint32_t free;
    uint64_t first_ns, most_ns, forget_ns;
} slowdown_rule_t;

typedef struct slowdown_s slowdown_t;

/*  Remembers so many names, and as many addresses. NULL when there is no memory. */
slowdown_t *slowdown_new (uint32_t keys, const slowdown_rule_t *names, const slowdown_rule_t *addresses);
void slowdown_destroy (slowdown_t **self_p);

typedef struct {
    const void *name, *address;
    size_t name_size, address_size;
} attempt_t;

/*  0: go on, and say slowdown_passed if it passes. Else so long to wait; then nothing was counted. */
uint64_t slowdown_try (slowdown_t *self, const attempt_t *attempt, uint64_t now_ns);
void slowdown_passed (slowdown_t *self, const attempt_t *attempt);

#endif
