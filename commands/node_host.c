/*  node_host.c - a node as gateways see it.
 *
 *  DESIGN
 *  Names are looked up in the registry on the caller's thread. History is read on the shard's.
 */
#include "commands/node_host.h"

#include "commands/node_parts.h"
#include "commands/page.h"
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

troupe_status_t
node_read_feed_here (troupe_t *node, const char *address, const char *channel, uint64_t from, uint32_t most,
                     host_told_t *told, void *arg, troupe_error_t *error)
{
    uint16_t shard;
    troupe_status_t status = node_is_running (node) ? node_shard_of (node, address, &shard, error)
                                                    : error_set (error, TROUPE_STOPPING, "the node does not run");
    if (status != TROUPE_OK)
        return status;
    letter_t *letter = page_letter_new (address, channel, from, most, told, arg);
    if (!letter)
        return error_set (error, TROUPE_OVERLOADED, "no memory to read a feed");
    if (node_post (node, shard, letter))
        return TROUPE_OK;
    memory_free (letter);
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
