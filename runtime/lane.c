/*  lane.c - the order of an ordered session, over refusals.
 *
 *  DESIGN. A client that sends calls 5, 6, 7 without waiting means that order.
 *  When 5 is refused as "overloaded" or "parked", 6 and 7 must not run before it is sent
 *  again: so they are refused as well, and each refused call is remembered
 *  until it is accepted, finally refused, or too late to be accepted ever. A
 *  call goes in when no earlier one is remembered.
 *
 *  A lane is memory, not a promise on disk: a crash breaks the connection, and
 *  a client sends anew in order. Where there is no room to remember one more
 *  refusal, the call is refused for good, or the shard would forget the order;
 *  without memory for it the shard fails.
 */

#include "runtime/inside.h"
#include "runtime/base/memory.h"

#define LANES_MOST 65536       /* sessions with refusals, in a shard */
#define WAITING_MOST 262144    /* refused calls, in a shard */

static bool
is_ordered (const troupe_call_t *asked)
{
    return asked->ordered && !call_is_sessionless (asked->session);
}

static uint32_t
lane_hash (const uint8_t session[16])
{
    return (uint32_t) hash_bytes (session, 16, HASH_SEED_MEMORY);
}

static void
forget_first (shard_t *self, lane_t *lane)
{
    refused_t *first = lane->first;
    lane->first = first->next;
    self->lane_calls -= 1;
    pool_free (&self->pool, first, sizeof *first);
}

/*  Forgets what is too late; a lane without calls goes. True: it went. */
static bool
prune (shard_t *self, lane_t *lane)
{
    while (lane->first && lane->first->not_after_ms < self->now_ms)
        forget_first (self, lane);
    if (lane->first)
        return false;
    table_remove (&self->lanes, &lane->node);
    pool_free (&self->pool, lane, sizeof *lane);
    return true;
}

static lane_t *
find (shard_t *self, const uint8_t session[16])
{
    uint32_t hash = lane_hash (session);
    for (table_node_t *node = table_chain (&self->lanes, hash); node; node = node->next) {
        lane_t *lane = (lane_t *) node;
        if (node->hash == hash && memcmp (lane->session, session, 16) == 0)
            return prune (self, lane) ? NULL : lane;
    }
    return NULL;
}

static bool
prune_one (void *arg, table_node_t *node)
{
    (void) prune (arg, (lane_t *) node);
    return true;
}

static lane_t *
add (shard_t *self, const uint8_t session[16])
{
    lane_t *lane = pool_alloc (&self->pool, sizeof *lane);
    if (!lane)
        return NULL;
    *lane = (lane_t) { .first = NULL };
    memcpy (lane->session, session, 16);
    if (table_insert (&self->lanes, &lane->node, lane_hash (session)))
        return lane;
    pool_free (&self->pool, lane, sizeof *lane);
    return NULL;
}

static bool
has_room (shard_t *self)
{
    if (self->lanes.count < LANES_MOST && self->lane_calls < WAITING_MOST)
        return true;
    table_each (&self->lanes, prune_one, self);
    return self->lanes.count < LANES_MOST && self->lane_calls < WAITING_MOST;
}

/*  Puts the call into its place, once. False: no memory. */
static bool
insert (shard_t *self, lane_t *lane, const troupe_call_t *asked)
{
    refused_t **place = &lane->first;
    while (*place && (*place)->seq < asked->seq)
        place = &(*place)->next;
    if (*place && (*place)->seq == asked->seq)
        return true;
    refused_t *call = pool_alloc (&self->pool, sizeof *call);
    if (!call)
        return false;
    *call = (refused_t) { .next = *place, .seq = asked->seq, .not_after_ms = asked->not_after_ms };
    *place = call;
    self->lane_calls += 1;
    return true;
}

bool
lane_refuses (shard_t *self, const troupe_call_t *asked)
{
    lane_t *lane = is_ordered (asked) ? find (self, asked->session) : NULL;
    return lane && lane->first->seq < asked->seq;
}

bool
lane_remember (shard_t *self, const troupe_call_t *asked)
{
    if (!is_ordered (asked))
        return true;
    if (!has_room (self))
        return false;
    lane_t *lane = find (self, asked->session);
    if (!lane)
        lane = add (self, asked->session);
    if (!lane || !insert (self, lane, asked))
        shard_fail (self, TROUPE_NO_MEMORY, "no memory to remember that a call was refused");
    if (lane)
        (void) prune (self, lane);  /* a lane always has a call */
    return true;
}

void
lane_forget (shard_t *self, const troupe_call_t *asked)
{
    lane_t *lane = is_ordered (asked) ? find (self, asked->session) : NULL;
    if (!lane)
        return;
    refused_t **place = &lane->first;
    while (*place && (*place)->seq < asked->seq)
        place = &(*place)->next;
    if (*place && (*place)->seq == asked->seq) {
        refused_t *call = *place;
        *place = call->next;
        self->lane_calls -= 1;
        pool_free (&self->pool, call, sizeof *call);
    }
    (void) prune (self, lane);
}

static bool
drop_one (void *arg, table_node_t *node)
{
    shard_t *self = arg;
    lane_t *lane = (lane_t *) node;
    while (lane->first)
        forget_first (self, lane);
    (void) prune (self, lane);
    return true;
}

void
lane_drop_all (shard_t *self)
{
    table_each (&self->lanes, drop_one, self);
    table_clear (&self->lanes);
}
