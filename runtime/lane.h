/*  lane.h - the order of ordered sessions, over refusals: which refused calls are still to come.
 *
 *  Of one thread at a time. Its owner sets the pool, and clears it before the pool.
 */
#ifndef RUNTIME_LANE_H
#define RUNTIME_LANE_H

#include "runtime/base/pool.h"
#include "runtime/base/table.h"

#include <troupe.h>

typedef struct {
    pool_t *pool;
    table_t sessions;
    uint32_t calls;   /* refused ones, of all sessions */
} lanes_t;

/*  Whether an earlier call of an ordered session was refused and is still to come. */
bool lanes_refuse (lanes_t *self, const troupe_call_t *asked, uint64_t now_ms);

/*  The call was refused for now. TROUPE_TOO_LARGE: no room to remember that, so that it must be refused for good;
 *  TROUPE_NO_MEMORY: the order is lost. */
troupe_status_t lanes_remember (lanes_t *self, const troupe_call_t *asked, uint64_t now_ms);

/*  The call was accepted, or refused for good. */
void lanes_forget (lanes_t *self, const troupe_call_t *asked, uint64_t now_ms);

void lanes_clear (lanes_t *self);

#endif
