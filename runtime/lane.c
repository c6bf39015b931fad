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
 *  refusal, the call is refused for good, or the order would be forgotten;
 *  without memory for it a shard fails. Shards have lanes, and the forwarding of calls to other nodes, which outlives
 *  theirs.
 */
#include "runtime/lane.h"

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"

#include <string.h>

#define LANES_MOST 65536       /* sessions with refusals */
#define WAITING_MOST 262144    /* refused calls */

typedef struct refused_s {
    struct refused_s *next;
    uint64_t seq;
    uint64_t not_after_ms;
} refused_t;

/*  A session: its refused calls by number. */
typedef struct {
    table_node_t node;
    uint8_t session[16];
    refused_t *first;       /* never NULL between two calls */
} lane_t;

static bool
is_ordered (const troupe_call_t *asked)
{
    static const uint8_t none[sizeof asked->session];
    return asked->ordered && memcmp (asked->session, none, sizeof none) != 0;
}

static uint32_t
lane_hash (const uint8_t session[16])
{
    return (uint32_t) hash_bytes (session, 16, 0);
}

static void
forget_first (lanes_t *self, lane_t *lane)
{
    refused_t *first = lane->first;
    lane->first = first->next;
    self->calls -= 1;
    pool_free (self->pool, first, sizeof *first);
}

/*  Forgets what is too late; a lane without calls goes. True: it went. */
static bool
prune (lanes_t *self, lane_t *lane, uint64_t now_ms)
{
    while (lane->first && lane->first->not_after_ms < now_ms)
        forget_first (self, lane);
    if (lane->first)
        return false;
    table_remove (&self->sessions, &lane->node);
    pool_free (self->pool, lane, sizeof *lane);
    return true;
}

static lane_t *
find (lanes_t *self, const uint8_t session[16], uint64_t now_ms)
{
    uint32_t hash = lane_hash (session);
    for (table_node_t *node = table_chain (&self->sessions, hash); node; node = node->next) {
        lane_t *lane = (lane_t *) node;
        if (node->hash == hash && memcmp (lane->session, session, 16) == 0)
            return prune (self, lane, now_ms) ? NULL : lane;
    }
    return NULL;
}

static lane_t *
add (lanes_t *self, const uint8_t session[16])
{
    lane_t *lane = pool_alloc (self->pool, sizeof *lane);
    if (!lane)
        return NULL;
    *lane = (lane_t) { .first = NULL };
    memcpy (lane->session, session, 16);
    if (table_insert (&self->sessions, &lane->node, lane_hash (session)))
        return lane;
    pool_free (self->pool, lane, sizeof *lane);
    return NULL;
}

typedef struct {
    lanes_t *lanes;
    uint64_t now_ms;
} pruning_t;

static bool
prune_one (void *arg, table_node_t *node)
{
    const pruning_t *pruning = arg;
    (void) prune (pruning->lanes, (lane_t *) node, pruning->now_ms);
    return true;
}

static bool
has_room (lanes_t *self, uint64_t now_ms)
{
    if (self->sessions.count < LANES_MOST && self->calls < WAITING_MOST)
        return true;
    table_each (&self->sessions, prune_one, &(pruning_t) { self, now_ms });
    return self->sessions.count < LANES_MOST && self->calls < WAITING_MOST;
}

/*  Puts the call into its place, once. False: no memory. */
static bool
insert (lanes_t *self, lane_t *lane, const troupe_call_t *asked)
{
    refused_t **place = &lane->first;
    while (*place && (*place)->seq < asked->seq)
        place = &(*place)->next;
    if (*place && (*place)->seq == asked->seq)
        return true;
    refused_t *call = pool_alloc (self->pool, sizeof *call);
    if (!call)
        return false;
    *call = (refused_t) { .next = *place, .seq = asked->seq, .not_after_ms = asked->not_after_ms };
    *place = call;
    self->calls += 1;
    return true;
}

bool
lanes_refuse (lanes_t *self, const troupe_call_t *asked, uint64_t now_ms)
{
    lane_t *lane = is_ordered (asked) ? find (self, asked->session, now_ms) : NULL;
    return lane && lane->first->seq < asked->seq;
}

troupe_status_t
lanes_remember (lanes_t *self, const troupe_call_t *asked, uint64_t now_ms)
{
    if (!is_ordered (asked))
        return TROUPE_OK;
    if (!has_room (self, now_ms))
        return TROUPE_TOO_LARGE;
    lane_t *lane = find (self, asked->session, now_ms);
    if (!lane)
        lane = add (self, asked->session);
    bool is_in = lane && insert (self, lane, asked);
    if (lane)
        (void) prune (self, lane, now_ms);  /* a lane always has a call */
    return is_in ? TROUPE_OK : TROUPE_NO_MEMORY;
}

void
lanes_forget (lanes_t *self, const troupe_call_t *asked, uint64_t now_ms)
{
    lane_t *lane = is_ordered (asked) ? find (self, asked->session, now_ms) : NULL;
    if (!lane)
        return;
    refused_t **place = &lane->first;
    while (*place && (*place)->seq < asked->seq)
        place = &(*place)->next;
    if (*place && (*place)->seq == asked->seq) {
        refused_t *call = *place;
        *place = call->next;
        self->calls -= 1;
        pool_free (self->pool, call, sizeof *call);
    }
    (void) prune (self, lane, now_ms);
}

void
lanes_clear (lanes_t *self)
{
    table_each (&self->sessions, prune_one, &(pruning_t) { self, UINT64_MAX });
    table_clear (&self->sessions);
}
