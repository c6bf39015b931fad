/*  node_host.c - a node as gateways see it.
 *
 *  DESIGN
 *  Names are looked up in the registry on the caller's thread. History is read on the shard's
 *  thread by an errand, and told when all that it shows is durable (rule 4).
 */
#include "commands/node_host.h"

#include "commands/node_parts.h"
#include "runtime/base/error.h"
#include "runtime/base/hex.h"
#include "runtime/base/memory.h"

#include <stdio.h>

static uint64_t
now_ms (void *self)
{
    return node_now_ms (self);
}

/*  The kind of an address; NULL and an error. */
static const kind_t *
kind_of (const troupe_t *node, const char *address, troupe_error_t *error)
{
    address_t parts;
    if (address_parse (address, strlen (address), &parts, error) != TROUPE_OK)
        return NULL;
    const kind_t *kind = registry_find (node->registry, parts.kind, parts.kind_size);
    if (!kind)
        error_set (error, TROUPE_NOT_FOUND, "%s: there is no such kind", address);
    return kind;
}

static const troupe_verb_t *
find_verb (void *self, const char *address, const char *name, troupe_error_t *error)
{
    const kind_t *kind = kind_of (self, address, error);
    const verb_t *verb = kind ? kind_verb (kind, name, strlen (name)) : NULL;
    if (kind && (!verb || !verb->table))
        error_set (error, TROUPE_NOT_FOUND, "%s has no verb %.63s", kind->name, name);
    return verb ? verb->table : NULL;
}

static const troupe_channel_t *
find_channel (void *self, const char *address, const char *name, troupe_error_t *error)
{
    const kind_t *kind = kind_of (self, address, error);
    const channel_t *channel = kind ? kind_channel (kind, name) : NULL;
    if (kind && !channel)
        error_set (error, TROUPE_NOT_FOUND, "%s has no channel %.63s", kind->name, name);
    return channel ? channel->table : NULL;
}

static troupe_status_t
submit (void *self, const troupe_call_t *call, troupe_error_t *error)
{
    return troupe_submit (self, call, error);
}

/* ---- history ---- */

typedef struct {
    errand_t errand;
    host_told_t *told;
    void *arg;
    uint64_t from;
    uint32_t most;
    buffer_t packed;
    troupe_error_t error;
    const char *channel;
    char address[];  /* NUL channel NUL */
} reading_t;

static void
tell (void *arg, bool is_durable)
{
    reading_t *self = arg;
    if (!is_durable)
        error_set (&self->error, TROUPE_STOPPING, "the node stops");
    bool is_good = self->error.status == TROUPE_OK;
    self->told (self->arg, self->error.status, is_good ? "" : self->error.text, self->packed.data, self->packed.size);
    buffer_clear (&self->packed);
    memory_free (self);
}

static void
read_on_shard (shard_t *shard, errand_t *errand)
{
    reading_t *self = (reading_t *) errand;
    if (!shard) {
        tell (self, false);
        return;
    }
    self->error.status = shard_read_feed (shard, self->address, self->channel, self->from, self->most, &self->packed,
                                          &self->error);
    if (shard_release_after (shard, tell, self) != TROUPE_OK)
        tell (self, false);
}

troupe_status_t
node_read_feed_here (troupe_t *node, const char *address, const char *channel, uint64_t from, uint32_t most,
                     host_told_t *told, void *arg, troupe_error_t *error)
{
    uint16_t shard;
    size_t address_size = strlen (address) + 1, channel_size = strlen (channel) + 1;
    troupe_status_t status = node_is_running (node) ? node_shard_of (node, address, &shard, error)
                                                    : error_set (error, TROUPE_STOPPING, "the node does not run");
    if (status != TROUPE_OK)
        return status;
    reading_t *reading = memory_zalloc (sizeof *reading + address_size + channel_size);
    if (!reading)
        return error_set (error, TROUPE_OVERLOADED, "no memory to read a feed");
    reading->errand = (errand_t) { .letter.type = LETTER_ERRAND, .run = read_on_shard };
    reading->told = told;
    reading->arg = arg;
    reading->from = from;
    reading->most = most;
    memcpy (reading->address, address, address_size);
    reading->channel = memcpy (reading->address + address_size, channel, channel_size);
    if (node_post (node, shard, &reading->errand.letter))
        return TROUPE_OK;
    memory_free (reading);
    return error_set (error, TROUPE_STOPPING, "the node is going down");
}

troupe_status_t
node_read_feed (troupe_t *node, const char *address, const char *channel, uint64_t from, uint32_t most,
                host_told_t *told, void *arg, troupe_error_t *error)
{
    uint16_t home;
    troupe_status_t status = node_home_of (node, address, &home, error);
    if (status != TROUPE_OK)
        return status;
    if (node->cluster && home != node->cluster->self)
        return forward_read (node->away.forward, home, address, channel, from, most, told, arg, error);
    return node_read_feed_here (node, address, channel, from, most, told, arg, error);
}

static troupe_status_t
read_feed (void *self, const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *told,
           void *arg, troupe_error_t *error)
{
    return node_read_feed (self, address, channel, from, most, told, arg, error);
}

static void
hold (void *self)
{
    node_hold (self);
}

static void
release (void *self)
{
    node_release (self);
}

/*  Another node is to tell of its feeds. */
static void
watched (void *self, const char *address, const char *channel)
{
    const troupe_t *node = self;
    uint16_t home;
    if (node->cluster && node_home_of (node, address, &home, NULL) == TROUPE_OK && home != node->cluster->self)
        forward_watch (node->away.forward, home, address, channel);
}

host_port_t
node_host (troupe_t *node, char epoch[NODE_EPOCH_SIZE])
{
    const state_identity_t *identity = node->store->state->identity (node->store->state->self);
    hex_write (epoch, identity->epoch, (NODE_EPOCH_SIZE - 1) / 2);
    return (host_port_t) {
        .self = node,
        .epoch = epoch,
        .now_ms = now_ms,
        .verb = find_verb,
        .channel = find_channel,
        .submit = submit,
        .read_feed = read_feed,
        .hold = hold,
        .release = release,
        .watched = watched
    };
}
