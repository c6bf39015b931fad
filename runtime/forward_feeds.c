/*  forward_feeds.c - feeds of other nodes that are watched here, and of this node that are watched there.
 *
 *  DESIGN
 *  A node tells another of each event of a feed that is watched there, once, however many watch it. What it says on one
 *  road comes in order and whole, as from a shard; the gateways there take it as they take their own. Whatever is
 *  missing, because there was no road or because the other node does not take what it is sent, is not kept here: the
 *  gateways are told to look into the history (HOST_LOOK_AGAIN), which they do from where each watcher is.
 *
 *  A wish is told before the history is asked for, on the same road, so nothing falls between the two (rule 24). Where
 *  many have to wait until the other node takes more, those who watch look again behind it. A wish ends when nobody
 *  watches any more, which is looked at now and then.
 */
#include "runtime/forward_inside.h"

#include "runtime/registry.h"

#define SWEEP_MS 5000
#define BIT(peer) (1ull << (peer))

/* ---- names ---- */

static uint32_t
hash_of (const char *address, const char *channel)
{
    return (uint32_t) hash_bytes (channel, strlen (channel), hash_bytes (address, strlen (address), 0));
}

static feed_name_t *
feed_of (table_node_t *node)
{
    return (feed_name_t *) ((char *) node - offsetof (feed_name_t, node));
}

static const char *
channel_of (const feed_name_t *self)
{
    return self->name + self->address_size + 1;
}

static feed_name_t *
find (table_t *table, const char *address, const char *channel)
{
    uint32_t hash = hash_of (address, channel);
    for (table_node_t *node = table_chain (table, hash); node; node = node->next) {
        feed_name_t *feed = feed_of (node);
        if (node->hash == hash && strcmp (feed->name, address) == 0 && strcmp (channel_of (feed), channel) == 0)
            return feed;
    }
    return NULL;
}

static feed_name_t *
name_new (const char *address, const char *channel)
{
    size_t address_size = strlen (address), channel_size = strlen (channel);
    feed_name_t *self = memory_zalloc (sizeof *self + address_size + channel_size + 2);
    if (!self)
        return NULL;
    self->item.type = ITEM_WANTED;
    self->address_size = (uint32_t) address_size;
    memcpy (self->name, address, address_size);
    memcpy (self->name + address_size + 1, channel, channel_size);
    return self;
}

static bool
say_of (forward_t *self, uint16_t peer, relay_type_t type, const feed_name_t *feed)
{
    return forward_say (self, peer, &(relay_message_t) { .type = type, .to = feed->name, .name = channel_of (feed) });
}

/* ---- feeds of others ---- */

/*  Without memory for it the watcher hears no event, only the history when it looks. */
void
forward_watch (forward_t *self, uint16_t peer, const char *address, const char *channel)
{
    feed_name_t *feed = name_new (address, channel);
    if (!feed)
        return;
    feed->peer = peer;
    if (!forward_leave (self, &feed->item))
        memory_free (feed);
}

/*  False: not now, for the other node takes no more, or is away. */
static bool
wish (forward_t *self, feed_name_t *feed)
{
    uint16_t peer = feed->peer;
    if (!self->ways[peer].is_open || feeds_untaken (self, peer) > EVENTS_MOST)
        return false;
    feeds_said (self, peer, charge_of (RELAY_HEAD + strlen (feed->name) + strlen (channel_of (feed))));
    bool is_said = say_of (self, peer, RELAY_WATCH, feed);
    feed->road = is_said ? self->ways[peer].road : 0;
    return is_said;
}

void
feeds_want (forward_t *self, feed_name_t *feed)
{
    if (find (&self->wanted, feed->name, channel_of (feed))
        || !table_insert (&self->wanted, &feed->node, hash_of (feed->name, channel_of (feed)))) {
        memory_free (feed);
        return;
    }
    peer_way_t *way = &self->ways[feed->peer];
    if (way->is_open && !way->has_wishes)
        way->has_wishes = !wish (self, feed);
}

typedef struct {
    forward_t *forward;
    uint16_t peer;
    bool is_whole;
} visit_t;

/*  The wish comes first: what the gateways then read ends where the events begin. */
static bool
want_again (void *arg, table_node_t *node)
{
    visit_t *visit = arg;
    forward_t *self = visit->forward;
    feed_name_t *feed = feed_of (node);
    if (feed->peer != visit->peer || feed->road == self->ways[feed->peer].road)
        return true;
    visit->is_whole = wish (self, feed);
    if (visit->is_whole)
        self->port.heard (self->port.self, feed->name, channel_of (feed), HOST_LOOK_AGAIN, NULL, NULL, 0);
    return visit->is_whole;
}

static void
tell_wishes (forward_t *self, uint16_t peer)
{
    visit_t visit = { self, peer, .is_whole = true };
    table_each (&self->wanted, want_again, &visit);
    self->ways[peer].has_wishes = !visit.is_whole;
}

void
feeds_opened (forward_t *self, uint16_t peer)
{
    tell_wishes (self, peer);
}

static bool
sweep_one (void *arg, table_node_t *node)
{
    forward_t *self = arg;
    feed_name_t *feed = feed_of (node);
    if (self->port.is_watched (self->port.self, feed->name, channel_of (feed)))
        return true;
    if (self->ways[feed->peer].is_open)
        (void) say_of (self, feed->peer, RELAY_UNWATCH, feed);
    table_remove (&self->wanted, node);
    memory_free (feed);
    return true;
}

/*  Whether that node has the actor. */
static bool
is_of (const forward_t *self, uint16_t peer, const char *text)
{
    address_t address;
    return address_parse (text, strlen (text), &address, NULL) == TROUPE_OK
           && self->cluster->owners[address_shard (&address, self->hash_seed, self->cluster->shards)] == peer;
}

void
feeds_heard (forward_t *self, uint16_t peer, const relay_message_t *message)
{
    if (!is_of (self, peer, message->to))
        return;
    count_one (&self->counts.events_received);
    self->port.heard (self->port.self, message->to, message->name, message->number,
                      message->has_key ? message->who : NULL, message->body, message->size);
}

/* ---- feeds of this node ---- */

static _Atomic uint32_t *
slot_of (forward_t *self, uint32_t hash)
{
    return &self->told_by_hash[hash % TOLD_SLOTS];
}

bool
forward_is_watched (void *self_, const char *address, const char *channel)
{
    forward_t *self = self_;
    return atomic_load_explicit (slot_of (self, hash_of (address, channel)), memory_order_acquire) > 0;
}

/*  Under the lock. */
static void
forget (forward_t *self, feed_name_t *feed, uint16_t peer)
{
    feed->peers &= ~BIT (peer);
    feed->missed &= ~BIT (peer);
    if (feed->peers)
        return;
    atomic_fetch_sub_explicit (slot_of (self, feed->node.hash), 1, memory_order_release);
    table_remove (&self->told, &feed->node);
    memory_free (feed);
}

/*  Under the lock. NULL: no memory. */
static feed_name_t *
remember (forward_t *self, const char *address, const char *channel)
{
    feed_name_t *feed = find (&self->told, address, channel);
    if (feed)
        return feed;
    feed = name_new (address, channel);
    uint32_t hash = hash_of (address, channel);
    if (!feed || !table_insert (&self->told, &feed->node, hash)) {
        memory_free (feed);
        return NULL;
    }
    atomic_fetch_add_explicit (slot_of (self, hash), 1, memory_order_release);
    return feed;
}

void
feeds_watch (forward_t *self, uint16_t peer, const relay_message_t *message)
{
    bool is_wish = message->type == RELAY_WATCH;
    if (is_wish && !is_of (self, self->cluster->self, message->to))
        return;
    pthread_mutex_lock (&self->lock);
    feed_name_t *feed = is_wish ? remember (self, message->to, message->name)
                                : find (&self->told, message->to, message->name);
    if (feed && is_wish)
        feed->peers |= BIT (peer);
    else if (feed)
        forget (self, feed, peer);
    pthread_mutex_unlock (&self->lock);
}

static bool
forget_one (void *arg, table_node_t *node)
{
    const visit_t *visit = arg;
    feed_name_t *feed = feed_of (node);
    if (feed->peers & BIT (visit->peer))
        forget (visit->forward, feed, visit->peer);
    return true;
}

void
feeds_broken (forward_t *self, uint16_t peer)
{
    pthread_mutex_lock (&self->lock);
    table_each (&self->told, forget_one, &(visit_t) { self, peer });
    self->ways[peer].untaken = 0;
    self->ways[peer].has_missed = false;
    pthread_mutex_unlock (&self->lock);
}

/*  Under the lock: those that hear of an event of `bytes`; the others miss it, and all behind it. */
static uint64_t
who_hears (forward_t *self, feed_name_t *feed, uint64_t bytes)
{
    uint64_t hearing = feed->peers & ~feed->missed;
    for (uint16_t peer = 0; peer < self->cluster->nodes; peer++) {
        peer_way_t *way = &self->ways[peer];
        if (!(hearing & BIT (peer)))
            continue;
        if (way->untaken < EVENTS_MOST) {
            way->untaken += bytes;
            continue;
        }
        hearing &= ~BIT (peer);
        feed->missed |= BIT (peer);
        way->has_missed = true;
    }
    if (feed->missed)
        count_one (&self->counts.events_missed);
    return hearing;
}

/*  There was no memory to say it to these. */
static void
miss (forward_t *self, const char *address, const char *channel, uint64_t peers, uint64_t bytes)
{
    pthread_mutex_lock (&self->lock);
    feed_name_t *feed = find (&self->told, address, channel);
    for (uint16_t peer = 0; peer < self->cluster->nodes; peer++) {
        peer_way_t *way = &self->ways[peer];
        if (!(peers & BIT (peer)))
            continue;
        way->untaken -= bytes < way->untaken ? bytes : way->untaken;
        if (!feed || !(feed->peers & BIT (peer)))
            continue;
        feed->missed |= BIT (peer);
        way->has_missed = true;
    }
    pthread_mutex_unlock (&self->lock);
    count_one (&self->counts.events_missed);
    self->port.wake (self->port.self);
}

/*  NULL: no memory. */
static said_t *
event_new (uint64_t peers, const relay_message_t *message)
{
    said_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->item.type = ITEM_EVENT;
    self->peers = peers;
    relay_write (&self->bytes, message);
    if (!self->bytes.failed)
        return self;
    said_free (self);
    return NULL;
}

void
forward_published (void *self_, const char *address, const char *channel, uint64_t offset, const char *key,
                   const void *body, size_t size)
{
    forward_t *self = self_;
    pthread_mutex_lock (&self->lock);
    feed_name_t *feed = find (&self->told, address, channel);
    uint64_t charge = charge_of (RELAY_HEAD + strlen (address) + strlen (channel) + (key ? strlen (key) : 0) + size);
    uint64_t peers = feed ? who_hears (self, feed, charge) : 0;
    pthread_mutex_unlock (&self->lock);
    if (!peers)
        return;
    said_t *said = event_new (peers, &(relay_message_t) { .type = RELAY_EVENT, .number = offset, .to = address,
                                                          .name = channel, .has_key = key != NULL, .who = key,
                                                          .body = body, .size = size });
    if (!said)
        miss (self, address, channel, peers, charge);
    else if (!forward_leave (self, &said->item))
        said_free (said);
}

/* ---- what was said and taken ---- */

void
feeds_said (forward_t *self, uint16_t peer, uint64_t bytes)
{
    pthread_mutex_lock (&self->lock);
    self->ways[peer].untaken += bytes;
    pthread_mutex_unlock (&self->lock);
}

void
feeds_taken (forward_t *self, uint16_t peer, uint64_t bytes)
{
    peer_way_t *way = &self->ways[peer];
    pthread_mutex_lock (&self->lock);
    way->untaken -= bytes < way->untaken ? bytes : way->untaken;
    pthread_mutex_unlock (&self->lock);
}

uint64_t
feeds_untaken (forward_t *self, uint16_t peer)
{
    pthread_mutex_lock (&self->lock);
    uint64_t untaken = self->ways[peer].untaken;
    pthread_mutex_unlock (&self->lock);
    return untaken;
}

typedef struct {
    peer_way_t *way;
    uint64_t peers;
    said_t *first;
} missing_t;

/*  Under the lock: makes what is said when it is given up. False: no more now. */
static bool
note_missed (void *arg, table_node_t *node)
{
    missing_t *missing = arg;
    feed_name_t *feed = feed_of (node);
    if (!(feed->missed & missing->peers))
        return true;
    relay_message_t message = { .type = RELAY_EVENT, .number = HOST_LOOK_AGAIN, .to = feed->name,
                                .name = channel_of (feed) };
    said_t *said = missing->way->untaken < EVENTS_MOST ? event_new (missing->peers, &message) : NULL;
    if (!said) {
        missing->way->has_missed = true;
        return false;
    }
    said->item.next = missing->first ? &missing->first->item : NULL;
    missing->first = said;
    missing->way->untaken += charge_of (said->bytes.size);
    feed->missed &= ~missing->peers;
    return true;
}

/*  Who missed events looks again: what is published from here on is said behind this. */
static void
tell_missed (forward_t *self, uint16_t peer)
{
    peer_way_t *way = &self->ways[peer];
    missing_t missing = { way, BIT (peer), NULL };
    pthread_mutex_lock (&self->lock);
    if (way->has_missed && way->untaken < EVENTS_MOST / 2) {
        way->has_missed = false;
        table_each (&self->told, note_missed, &missing);
    }
    pthread_mutex_unlock (&self->lock);
    for (said_t *said = missing.first, *next; said; said = next) {
        next = (said_t *) said->item.next;
        serve_said (self, said);
    }
}

/* ---- the round, the end ---- */

uint64_t
feeds_round (forward_t *self)
{
    uint64_t now_ms = forward_now (self);
    for (uint16_t peer = 0; peer < self->cluster->nodes; peer++) {
        tell_missed (self, peer);
        if (self->ways[peer].is_open && self->ways[peer].has_wishes)
            tell_wishes (self, peer);
    }
    if (self->wanted.count == 0)
        return UINT64_MAX;
    if (now_ms >= self->sweep_ms) {
        table_each (&self->wanted, sweep_one, self);
        self->sweep_ms = now_ms + SWEEP_MS;
    }
    return self->sweep_ms - now_ms;
}

static bool
free_one (void *arg, table_node_t *node)
{
    table_remove (arg, node);
    memory_free (feed_of (node));
    return true;
}

void
feeds_clear (forward_t *self)
{
    table_each (&self->wanted, free_one, &self->wanted);
    table_clear (&self->wanted);
    table_each (&self->told, free_one, &self->told);
    table_clear (&self->told);
}
