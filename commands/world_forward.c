/*  world_forward.c - what is asked at one world of actors that another one has.
 *
 *  DESIGN. The forwarding is the real one; its inbox and its clock are looked at when the roads are.
 */
#include "commands/page.h"
#include "commands/world_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"

static bool
relay (void *self_, uint16_t peer, const void *bytes, size_t size)
{
    const world_t *self = self_;
    return road_relay (self->ways[peer].road, bytes, size);
}

/*  No network makes bytes that no node has said. */
static void
complain (void *self_, uint16_t peer, const char *text)
{
    troupe_error_t error;
    error_set (&error, TROUPE_CORRUPT, "node %u: %s", peer, text);
    world_fail (self_, &error);
}

static void
wake (void *self_)
{
    ((world_t *) self_)->must_forward = true;
}

static uint64_t
now_ms (void *self_)
{
    return *((const world_t *) self_)->clock;
}

static troupe_status_t
submit (void *self, const troupe_call_t *call, troupe_error_t *error)
{
    uint16_t shard;
    troupe_status_t status = world_shard_of (self, call->to, &shard, error);
    return status == TROUPE_OK ? world_call (self, call, shard, error) : status;
}

static troupe_status_t
read_feed (void *self, const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *told,
           void *arg, troupe_error_t *error)
{
    uint16_t shard;
    troupe_status_t status = world_shard_of (self, address, &shard, error);
    if (status != TROUPE_OK)
        return status;
    letter_t *letter = page_letter_new (address, channel, from, most, told, arg);
    if (!letter)
        return error_set (error, TROUPE_OVERLOADED, "no memory to read a feed");
    world_post (self, shard, letter);
    return TROUPE_OK;
}

static bool
is_watched (void *self_, const char *address, const char *channel)
{
    const world_options_t *options = &((const world_t *) self_)->options;
    return options->is_watched && options->is_watched (options->network, options->cluster->self, address, channel);
}

static void
heard (void *self_, const char *address, const char *channel, uint64_t offset, const char *key, const void *body,
       size_t size)
{
    const world_t *self = self_;
    const world_options_t *options = &self->options;
    (void) key;
    if (self->is_up && options->heard)
        options->heard (options->network, options->cluster->self, address, channel, offset, body, size);
}

troupe_status_t
world_open_forward (world_t *self, troupe_error_t *error)
{
    uint64_t keep_ms = self->options.limits.call_keep_ms;
    forward_port_t port = { self, relay, complain, wake, now_ms, submit, read_feed, is_watched, heard };
    self->must_forward = false;
    self->forward_ms = UINT64_MAX;
    self->forward = forward_new (self->options.cluster, keep_ms, &port);
    return self->forward ? TROUPE_OK : error_set (error, TROUPE_NO_MEMORY, "no memory for the forwarding");
}

void
world_close_forward (world_t *self)
{
    if (self->forward) {
        forward_counts_t counts = forward_counts (self->forward);
        self->counts.forwarded += counts.forwarded;
        self->counts.heard += counts.events_received;
    }
    forward_destroy (&self->forward);
    self->must_forward = false;
}

troupe_status_t
world_forward_call (world_t *self, const troupe_call_t *call, uint16_t shard, troupe_error_t *error)
{
    const kind_t *kind = registry_find (self->registry, call->to, strcspn (call->to, "/"));
    const verb_t *verb = kind ? kind_verb (kind, call->verb, strlen (call->verb)) : NULL;
    return forward_call (self->forward, shard, call, verb && verb->reads, error);
}

static uint16_t
peer_of (const world_t *self, const char *address)
{
    uint16_t shard;
    CHECK (world_shard_of (self, address, &shard, NULL) == TROUPE_OK);
    return self->options.cluster->owners[shard];
}

void
world_listen (world_t *self, const char *address, const char *channel)
{
    forward_watch (self->forward, peer_of (self, address), address, channel);
}

troupe_status_t
world_read_feed (world_t *self, const char *address, const char *channel, uint64_t from, uint32_t most,
                 host_told_t *told, void *arg, troupe_error_t *error)
{
    return forward_read (self->forward, peer_of (self, address), address, channel, from, most, told, arg, error);
}

uint64_t
world_forward_due (const world_t *self)
{
    return !self->forward ? UINT64_MAX : self->must_forward ? 0 : self->forward_ms;
}

void
world_forward (world_t *self)
{
    self->must_forward = false;
    uint64_t wait_ms = forward_round (self->forward);
    self->forward_ms = wait_ms == UINT64_MAX ? UINT64_MAX : *self->clock + wait_ms;
}
