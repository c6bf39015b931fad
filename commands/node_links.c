/*  node_links.c - the links of a node to the others of its cluster.
 *
 *  DESIGN
 *  Shards put letters into one inbox, the carrier's thread takes them out and owns the roads. What waits in it are
 *  letters within the windows of their links, and casts, which beyond a bound are dropped. What the carrier refuses
 *  breaks the road.
 *
 *  With whose store links were made is kept in the node's own, and looked at before the first letter (node_known.h).
 */
#include "commands/node_links.h"

#include "commands/log.h"
#include "commands/node_known.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "runtime/road.h"
#include "transports/zmq/carrier.h"

#include <pthread.h>
#include <stdio.h>

#define CASTS_MOST (16u << 20)  /* bytes that wait, beyond which casts are dropped */
#define FRAMES_MOST 4096        /* of a shard, each with a letter for each link, that wait for one answer */
#define WAITING_MOST (1u << 20)

typedef struct {
    node_links_t *links;
    uint16_t peer;
    road_t *road;
    /* under the lock */
    char why[ROAD_REASON_MAX + 1];   /* they are not linked; "": they are */
} way_t;

struct node_links_s {
    /* fixed after start */
    troupe_t *node;
    const cluster_t *cluster;
    carrier_t *carrier;
    forward_t *forward;
    way_t ways[CLUSTER_NODES_MAX];
    /* shared: atomic */
    inbox_t inbox;
    _Atomic uint64_t waiting_bytes;  /* relaxed: a bound, not a count that anybody relies on */
    pthread_mutex_t lock;
    /* under the lock */
    node_away_counts_t counts;       /* as of the newest round */
};

/* ---- from the shards ---- */

static uint64_t
bytes_of (const letter_t *letter)
{
    return letter->type == LETTER_PARCEL ? ((const parcel_t *) letter)->size : 0;
}

static void
carry (void *arg, letter_t *letter)
{
    node_links_t *self = arg;
    bool is_cast = letter->type == LETTER_PARCEL && ((const parcel_t *) letter)->count == 0;
    if (is_cast && atomic_load_explicit (&self->waiting_bytes, memory_order_relaxed) > CASTS_MOST) {
        memory_free (letter);
        return;
    }
    atomic_fetch_add_explicit (&self->waiting_bytes, bytes_of (letter), memory_order_relaxed);
    if (inbox_push (&self->inbox, letter))
        carrier_wake (self->carrier);
}

static void
send_all (node_links_t *self)
{
    for (letter_t *letter = inbox_take (&self->inbox), *next; letter; letter = next) {
        next = letter->next;
        uint16_t to = letter->type == LETTER_PARCEL ? ((const parcel_t *) letter)->to
                                                    : ((const link_note_t *) letter)->to;
        atomic_fetch_sub_explicit (&self->waiting_bytes, bytes_of (letter), memory_order_relaxed);
        road_carry (self->ways[self->cluster->owners[to]].road, to, letter);
    }
}

/* ---- of the roads ---- */

static bool
send (void *way_, const void *bytes, size_t size)
{
    way_t *way = way_;
    return carrier_send (way->links->carrier, way->peer, bytes, size);
}

static void
deliver (void *way_, uint16_t to, letter_t *letter)
{
    way_t *way = way_;
    if (!node_post (way->links->node, to, letter))
        memory_free (letter);
}

static node_known_t
known_of (const node_links_t *self, uint16_t peer)
{
    const store_t *store = node_store (self->node);
    const state_identity_t *identity = store->state->identity (store->state->self);
    node_known_t known = {
        .store = store->directory,
        .self = self->cluster->node[self->cluster->self].name,
        .other = self->cluster->node[peer].name
    };
    memcpy (known.own, identity->store_id, 16);
    memcpy (known.own + 16, identity->epoch, 16);
    return known;
}

static bool
knows (void *way_, const uint8_t *identity, troupe_error_t *error)
{
    const way_t *way = way_;
    node_known_t known = known_of (way->links, way->peer);
    return node_known_check (&known, identity, error);
}

static void
changed (void *way_, bool is_open, const char *why)
{
    way_t *way = way_;
    const char *name = way->links->cluster->node[way->peer].name;
    pthread_mutex_lock (&way->links->lock);
    snprintf (way->why, sizeof way->why, "%s", is_open ? "" : why);
    pthread_mutex_unlock (&way->links->lock);
    if (is_open) {
        log_info ("linked with node %s", name);
        forward_opened (way->links->forward, way->peer);
    } else {
        log_warning ("not linked with node %s: %s", name, why);
        forward_broken (way->links->forward, way->peer);
    }
}

static void
relayed (void *way_, const void *bytes, size_t size)
{
    const way_t *way = way_;
    forward_received (way->links->forward, way->peer, bytes, size);
}

/* ---- on the carrier's thread ---- */

static uint64_t
now_ms (void)
{
    return clock_monotonic_ns () / 1000000;
}

static void
received (void *arg, uint32_t from, const void *bytes, size_t size)
{
    node_links_t *self = arg;
    road_received (self->ways[from].road, bytes, size, now_ms ());
}

static void
note_counts (node_links_t *self)
{
    node_away_counts_t sum = { 0 };
    for (uint32_t i = 0; i < self->cluster->nodes; i++) {
        if (!self->ways[i].road)
            continue;
        const road_counts_t *counts = road_counts (self->ways[i].road);
        sum.linked += road_is_open (self->ways[i].road);
        sum.opened += counts->opened;
        sum.broken += counts->broken;
        sum.refused += counts->refused;
        sum.sent += counts->sent;
        sum.received += counts->received;
        sum.dropped += counts->dropped;
        sum.bytes_sent += counts->bytes_sent;
        sum.bytes_received += counts->bytes_received;
    }
    pthread_mutex_lock (&self->lock);
    self->counts = sum;
    pthread_mutex_unlock (&self->lock);
}

static void
count (void *arg, node_away_counts_t *counts)
{
    node_links_t *self = arg;
    pthread_mutex_lock (&self->lock);
    *counts = self->counts;
    pthread_mutex_unlock (&self->lock);
    counts->forward = forward_counts (self->forward);
}

static uint64_t
go_round (void *arg)
{
    node_links_t *self = arg;
    uint64_t now = now_ms (), earliest = UINT64_MAX;
    send_all (self);
    uint64_t wait_ms = forward_round (self->forward);
    note_counts (self);
    for (uint32_t i = 0; i < self->cluster->nodes; i++) {
        uint64_t due = self->ways[i].road ? road_tick (self->ways[i].road, now) : UINT64_MAX;
        earliest = due < earliest ? due : earliest;
    }
    uint64_t road_ms = earliest > now ? earliest - now : 0;
    return road_ms < wait_ms ? road_ms : wait_ms;
}

/* ---- what gateways ask of other nodes ---- */

static bool
relay (void *self_, uint16_t peer, const void *bytes, size_t size)
{
    const node_links_t *self = self_;
    return road_relay (self->ways[peer].road, bytes, size);
}

static void
complain (void *self_, uint16_t peer, const char *text)
{
    const node_links_t *self = self_;
    log_warning ("node %s: %s", self->cluster->node[peer].name, text);
}

static void
wake (void *self_)
{
    carrier_wake (((node_links_t *) self_)->carrier);
}

static uint64_t
node_ms (void *self_)
{
    return node_now_ms (((node_links_t *) self_)->node);
}

static troupe_status_t
submit (void *self_, const troupe_call_t *call, troupe_error_t *error)
{
    return node_submit_here (((node_links_t *) self_)->node, call, error);
}

static troupe_status_t
read_feed (void *self_, const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *told,
           void *arg, troupe_error_t *error)
{
    return node_read_feed_here (((node_links_t *) self_)->node, address, channel, from, most, told, arg, error);
}

static bool
is_watched (void *self_, const char *address, const char *channel)
{
    const node_listener_t *listener = node_listener_away (((node_links_t *) self_)->node);
    return listener->is_watched && listener->is_watched (listener->arg, address, channel);
}

static void
heard (void *self_, const char *address, const char *channel, uint64_t offset, const char *key, const void *body,
       size_t size)
{
    const node_listener_t *listener = node_listener_away (((node_links_t *) self_)->node);
    if (listener->published)
        listener->published (listener->arg, address, channel, offset, key, body, size);
}

static forward_t *
new_forward (node_links_t *self, troupe_error_t *error)
{
    forward_port_t port = { self, relay, complain, wake, node_ms, submit, read_feed, is_watched, heard };
    forward_t *forward = forward_new (self->cluster, node_settings (self->node)->call_keep_ms, &port);
    if (!forward)
        error_set (error, TROUPE_NO_MEMORY, "no memory for the links between nodes");
    return forward;
}

/* ---- what operators ask ---- */

static bool
asks (void *arg, uint16_t node)
{
    node_known_t known = known_of (arg, node);
    return node_known_asks (&known);
}

static void
describe (void *arg, buffer_t *packed)
{
    node_links_t *self = arg;
    const cluster_t *cluster = self->cluster;
    packed_put_array (packed, cluster->nodes - 1);
    for (uint16_t i = 0; i < cluster->nodes; i++) {
        if (i == cluster->self)
            continue;
        packed_put_object (packed, 5);
        packed_put_text (packed, "node", cluster->node[i].name);
        packed_put_text (packed, "address", cluster->node[i].address);
        pthread_mutex_lock (&self->lock);
        packed_put_name (packed, "linked");
        packed_put_bool (packed, !*self->ways[i].why);
        packed_put_text (packed, "why", self->ways[i].why);
        pthread_mutex_unlock (&self->lock);
        packed_put_name (packed, "asks");
        packed_put_bool (packed, asks (self, i));
    }
}

static troupe_status_t
accept_node (void *arg, uint16_t node, troupe_error_t *error)
{
    node_known_t known = known_of (arg, node);
    return node_known_accept (&known, error);
}

/* ---- its life ---- */

/*  What may wait to leave to one node. The bytes of letters are bounded by the windows of its links, and by what a road
 *  takes of casts, all else by the forwarding; this is a bound on their number. */
static uint32_t
waiting_most (const cluster_t *cluster)
{
    uint32_t mine = 0;
    for (uint32_t i = 0; i < cluster->shards; i++)
        mine += cluster_is_mine (cluster, i);
    uint64_t most = (uint64_t) mine * (cluster->shards - mine) * FRAMES_MOST + FORWARD_MESSAGES_MOST;
    return most < WAITING_MOST ? (uint32_t) most : WAITING_MOST;
}

static carrier_t *
new_carrier (node_links_t *self, troupe_error_t *error)
{
    const settings_t *settings = node_settings (self->node);
    const cluster_t *cluster = self->cluster;
    carrier_options_t options = {
        .listen = *settings->node_listen ? settings->node_listen : cluster->node[cluster->self].address,
        .certificate = settings->zmq_certificate,
        .certificates = settings->zmq_certificates,
        .count = cluster->nodes,
        .self = cluster->self,
        .waiting_most = waiting_most (cluster),
        .arg = self,
        .received = received,
        .round = go_round,
        .log = log_line
    };
    for (uint32_t i = 0; i < cluster->nodes; i++)
        options.nodes[i] = (carrier_node_t) { cluster->node[i].name, cluster->node[i].address, cluster->node[i].key };
    return carrier_new (&options, error);
}

node_links_t *
node_links_new (troupe_t *node, troupe_error_t *error)
{
    error->status = node_load_cluster (node, error);
    if (error->status != TROUPE_OK || !node_cluster (node))
        return NULL;
    node_links_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for the links between nodes");
        return NULL;
    }
    CHECK (pthread_mutex_init (&self->lock, NULL) == 0);
    self->node = node;
    self->cluster = node_cluster (node);
    self->carrier = new_carrier (self, error);
    self->forward = self->carrier ? new_forward (self, error) : NULL;
    if (self->forward)
        node_join (node, &(node_away_t) { self, carry, count, describe, accept_node, asks, self->forward });
    else
        node_links_destroy (&self);
    return self;
}

const char *
node_links_address (const node_links_t *self)
{
    return self ? carrier_address (self->carrier) : "";
}

static road_t *
new_road (way_t *way)
{
    const troupe_t *node = way->links->node;
    node_known_t known = known_of (way->links, way->peer);
    road_options_t options = {
        .cluster = way->links->cluster, .peer = way->peer, .seed = node_boot (node),
        .port = { way, send, deliver, knows, changed, relayed }
    };
    memcpy (options.identity, known.own, sizeof options.identity);
    return road_new (&options);
}

troupe_status_t
node_links_start (node_links_t *self, troupe_error_t *error)
{
    for (uint16_t i = 0; self && i < self->cluster->nodes; i++) {
        way_t *way = &self->ways[i];
        *way = (way_t) { .links = self, .peer = i, .why = "nothing was heard of it yet" };
        if (i != self->cluster->self && !(way->road = new_road (way)))
            return error_set (error, TROUPE_NO_MEMORY, "no memory for the links between nodes");
    }
    return self ? carrier_start (self->carrier, error) : TROUPE_OK;
}

void
node_links_quiet (node_links_t *self)
{
    carrier_stop (self->carrier);
    forward_close (self->forward);
}

void
node_links_destroy (node_links_t **self_p)
{
    node_links_t *self = *self_p;
    if (!self)
        return;
    carrier_destroy (&self->carrier);
    forward_destroy (&self->forward);
    for (letter_t *letter = inbox_take (&self->inbox), *next; letter; letter = next) {
        next = letter->next;
        memory_free (letter);
    }
    for (uint32_t i = 0; i < CLUSTER_NODES_MAX; i++)
        road_destroy (&self->ways[i].road);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    *self_p = NULL;
}
