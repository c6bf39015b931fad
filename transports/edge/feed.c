/*  feed.c - feeds that somebody watches: their events on the way to the watchers.
 *
 *  DESIGN
 *  A shard hands over an event only when somebody watches the feed, which it
 *  sees in a table of counts by hash. The count is raised before the feed's history
 *  is asked for, so what the history does not hold yet comes here (rule 24).
 *
 *  An event is encoded once for each form in use, as a whole frame. At the flush what
 *  watchers lack is put together, once for all who are as far, and each gets it in one
 *  send: one event in the frame that it has, several in frames for many (batches),
 *  which cost a client less. The ring keeps events for those that lag, and is empty
 *  when nobody does. Who lags more than it holds reads the history again, or, if the
 *  channel allows it, gets the latest of each key.
 *
 *  A feed of another node may have events that were never heard of here: then its watchers are told to look into the
 *  history (HOST_LOOK_AGAIN), each from where it is.
 *
 *  Offsets of a durable feed are the feed's own. If one is missing the ring begins
 *  anew with the event that came, and whoever lacks the others reads them. Events of a
 *  volatile feed are counted here, and clients never see the count.
 */
#include "transports/edge/edge_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/edge/envelope.h"

uint32_t
feed_hash (const char *address, size_t address_size, const char *channel, size_t channel_size)
{
    return (uint32_t) hash_bytes (channel, channel_size, hash_bytes (address, address_size, 0));
}

bool
edge_is_watched (void *self_, const char *address, const char *channel)
{
    edge_t *self = self_;
    uint32_t hash = feed_hash (address, strlen (address), channel, strlen (channel));
    return accounts_want (address, channel)
           || atomic_load_explicit (&self->watched[hash % WATCHED_SLOTS], memory_order_acquire) > 0;
}

/* ---- events ---- */

void
edge_published (void *self_, const char *address, const char *channel, uint64_t offset, const char *key,
                const void *body, size_t size)
{
    edge_t *self = self_;
    size_t address_size = strlen (address), channel_size = strlen (channel), key_size = key ? strlen (key) : 0;
    event_t *event = memory_alloc (sizeof *event + address_size + channel_size + key_size + 3 + size);
    if (!event)
        return;  /* of a durable feed the next event shows that one is missing, and it is read */
    *event = (event_t) {
        .item.type = ITEM_EVENT,
        .hash = feed_hash (address, address_size, channel, channel_size),
        .offset = offset,
        .address_size = (uint32_t) address_size,
        .channel_size = (uint32_t) channel_size,
        .key_size = (uint32_t) key_size,
        .body_size = (uint32_t) size,
        .has_key = key != NULL
    };
    char *place = event->bytes;
    memcpy (place, address, address_size + 1);
    memcpy (place + address_size + 1, channel, channel_size + 1);
    place += address_size + channel_size + 2;
    memcpy (place, key ? key : "", key_size + 1);
    if (size)
        memcpy (place + key_size + 1, body, size);
    edge_tell (self, &event->item);
}

static const char *
event_key (const event_t *event)
{
    return event->bytes + event->address_size + event->channel_size + 2;
}

static void
event_drop (event_t *event)
{
    if (--event->references > 0)
        return;
    for (codec_form_t form = 0; form < FORMS; form++)
        memory_free (event->forms[form].bytes);
    memory_free (event);
}

static const codec_t *const codecs[FORMS] = { &text_codec, &binary_codec, &sse_codec, &lines_codec, &records_codec };

static const encoded_t *
event_encoded (const feed_t *feed, event_t *event, codec_form_t form)
{
    encoded_t *encoded = &event->forms[form];
    if (encoded->bytes)
        return encoded;
    buffer_t frame = { 0 };
    const char *key = event_key (event);
    size_t place = envelope_open (&frame);
    codecs[form]->event (&frame, feed->edge->host.epoch, feed->number, feed->channel->is_volatile ? 0 : event->offset,
                         event->has_key ? key : NULL, key + event->key_size + 1, event->body_size);
    envelope_close (&frame, place, envelopes[form]);
    if (frame.failed)
        buffer_clear (&frame);
    *encoded = (encoded_t) { frame.data, frame.size };
    return encoded;
}

/* ---- the latest of each key ---- */

static latest_t *
latest_find (feed_t *self, const event_t *event, uint32_t hash)
{
    for (table_node_t *node = table_chain (&self->edge->latest, hash); node; node = node->next) {
        latest_t *latest = (latest_t *) node;
        if (node->hash == hash && latest->feed == self && latest->event->key_size == event->key_size
            && memcmp (event_key (latest->event), event_key (event), event->key_size) == 0)
            return latest;
    }
    return NULL;
}

static void
latest_unlink (latest_t *latest)
{
    feed_t *feed = latest->feed;
    *(latest->before ? &latest->before->after : &feed->oldest) = latest->after;
    *(latest->after ? &latest->after->before : &feed->newest) = latest->before;
}

static size_t
cost_of (const event_t *event)
{
    return event->body_size + sizeof *event;
}

static void
latest_forget (latest_t *latest)
{
    latest_unlink (latest);
    latest->feed->keys -= 1;
    latest->feed->latest_bytes -= cost_of (latest->event);
    table_remove (&latest->feed->edge->latest, &latest->node);
    event_drop (latest->event);
    memory_free (latest);
}

/*  The event is now the newest of its key; without a key that of the key "". */
static void
latest_note (feed_t *self, event_t *event)
{
    uint32_t hash = (uint32_t) hash_bytes (event_key (event), event->key_size, self->number);
    latest_t *latest = latest_find (self, event, hash);
    if (latest) {
        latest_unlink (latest);
        self->latest_bytes -= cost_of (latest->event);
        event_drop (latest->event);
    } else {
        latest = memory_zalloc (sizeof *latest);
        if (!latest || !table_insert (&self->edge->latest, &latest->node, hash)) {
            memory_free (latest);
            return;
        }
        latest->feed = self;
        self->keys += 1;
    }
    event->references += 1;
    self->latest_bytes += cost_of (event);
    latest->event = event;
    latest->before = self->newest;
    latest->after = NULL;
    *(latest->before ? &latest->before->after : &self->oldest) = latest;
    self->newest = latest;
    while (self->keys > LATEST_MOST || (self->keys > 1 && self->latest_bytes > LATEST_BYTES_MOST))
        latest_forget (self->oldest);
}

/* ---- the ring ---- */

static void
ring_drop_first (feed_t *self)
{
    event_t *event = self->ring[self->first];
    self->ring_bytes -= cost_of (event);
    self->first = (self->first + 1) & (self->places - 1);
    self->count -= 1;
    event_drop (event);
}

static void
ring_clear (feed_t *self)
{
    while (self->count > 0)
        ring_drop_first (self);
}

static bool
ring_grow (feed_t *self)
{
    uint32_t places = self->places ? self->places * 2 : 8;
    event_t **ring = memory_alloc (places * sizeof (event_t *));
    if (!ring)
        return false;
    for (uint32_t i = 0; i < self->count; i++)
        ring[i] = self->ring[(self->first + i) & (self->places - 1)];
    memory_free (self->ring);
    self->ring = ring;
    self->places = places;
    self->first = 0;
    return true;
}

static void
ring_add (feed_t *self, event_t *event)
{
    while (self->count >= RING_EVENTS_MOST || (self->count > 0 && self->ring_bytes >= RING_BYTES_MOST))
        ring_drop_first (self);
    self->head = event->offset;
    if (self->count == self->places && !ring_grow (self)) {
        ring_clear (self);  /* whoever lacks it reads the history */
        return;
    }
    event->references += 1;
    self->ring[(self->first + self->count++) & (self->places - 1)] = event;
    self->ring_bytes += cost_of (event);
}

/*  What all have, or will not get from here, is not kept. */
static void
ring_trim (feed_t *self)
{
    uint64_t least = self->head + 1;
    for (watch_t *watch = self->watches; watch && self->count > 0; watch = watch->next_of_feed)
        if (watch->next < least && watch->state != WATCH_ENDED)
            least = watch->next;
    while (self->count > 0 && feed_first (self) < least)
        ring_drop_first (self);
}

/* ---- feeds ---- */

static feed_t *
find (edge_t *edge, uint32_t hash, const char *address, size_t address_size, const char *channel)
{
    for (table_node_t *node = table_chain (&edge->feeds, hash); node; node = node->next) {
        feed_t *feed = (feed_t *) node;
        if (node->hash == hash && feed->address_size == address_size
            && memcmp (feed->name, address, address_size) == 0 && strcmp (feed_channel (feed), channel) == 0)
            return feed;
    }
    return NULL;
}

feed_t *
feed_find (edge_t *edge, const char *address, const char *channel)
{
    size_t address_size = strlen (address);
    return find (edge, feed_hash (address, address_size, channel, strlen (channel)), address, address_size, channel);
}

static feed_t *
feed_make (edge_t *edge, const char *address, const char *channel, const troupe_channel_t *table)
{
    size_t address_size = strlen (address), channel_size = strlen (channel);
    uint32_t hash = feed_hash (address, address_size, channel, channel_size);
    feed_t *self = memory_zalloc (sizeof *self + address_size + channel_size + 2);
    if (!self || !table_insert (&edge->feeds, &self->node, hash)) {
        memory_free (self);
        return NULL;
    }
    self->edge = edge;
    self->channel = table;
    self->number = ++edge->feed_numbers;
    self->address_size = (uint32_t) address_size;
    memcpy (self->name, address, address_size + 1);
    memcpy (self->name + address_size + 1, channel, channel_size + 1);
    atomic_fetch_add_explicit (&edge->watched[hash % WATCHED_SLOTS], 1, memory_order_release);
    count_up (&edge->counts.feeds, 1);
    if (edge->host.watched)
        edge->host.watched (edge->host.self, address, channel);
    return self;
}

/*  Its kind has another table now, as workers announced another version. */
static bool
is_stale (const feed_t *self)
{
    troupe_error_t error;
    const host_port_t *host = &self->edge->host;
    return host->channel (host->self, self->name, feed_channel (self), &error) != self->channel;
}

/*  Nobody watches by what the old table said: who does is to ask anew. May free it. */
static void
send_off (feed_t *self)
{
    for (watch_t *watch = self->watches, *next; watch; watch = next) {
        next = watch->next_of_feed;
        watch_send_off (watch);
    }
}

/*  One without watchers, that is still there for what it had to tell. */
static void
renew (feed_t *self, const troupe_channel_t *table)
{
    self->channel = table;
    self->head = 0;
    ring_clear (self);
    while (self->oldest)
        latest_forget (self->oldest);
    if (self->edge->gathered_feed == self)
        self->edge->gathered_feed = NULL;
}

feed_t *
feed_join (edge_t *edge, const char *address, const char *channel, const troupe_channel_t *table, watch_t *watch)
{
    feed_t *self = feed_find (edge, address, channel);
    if (self && self->channel != table) {
        send_off (self);
        self = feed_find (edge, address, channel);
        if (self)
            renew (self, table);
    }
    if (!self)
        self = feed_make (edge, address, channel, table);
    if (!self)
        return NULL;
    watch->feed = self;
    watch->next_of_feed = self->watches;
    watch->place_in_feed = &self->watches;
    if (self->watches)
        self->watches->place_in_feed = &watch->next_of_feed;
    self->watches = watch;
    self->watch_count += 1;
    return self;
}

static void
feed_free (feed_t *self)
{
    edge_t *edge = self->edge;
    CHECK (!self->is_dirty);
    ring_clear (self);
    while (self->oldest)
        latest_forget (self->oldest);
    if (edge->gathered_feed == self)
        edge->gathered_feed = NULL;
    atomic_fetch_sub_explicit (&edge->watched[self->node.hash % WATCHED_SLOTS], 1, memory_order_release);
    table_remove (&edge->feeds, &self->node);
    count_up (&edge->counts.feeds, (uint64_t) -1);
    memory_free (self->ring);
    memory_free (self);
}

/*  A dirty one is freed by the flush. */
void
feed_leave (feed_t *self, watch_t *watch)
{
    *watch->place_in_feed = watch->next_of_feed;
    if (watch->next_of_feed)
        watch->next_of_feed->place_in_feed = watch->place_in_feed;
    watch->feed = NULL;
    self->watch_count -= 1;
    if (self->watch_count == 0 && !self->is_dirty)
        feed_free (self);
}

static void
see_account (edge_t *edge, const event_t *event)
{
    account_end_t end;
    const uint8_t *body = (const uint8_t *) event_key (event) + event->key_size + 1;
    packed_reader_t object = { body, body + event->body_size };
    if (accounts_want (event->bytes, event->bytes + event->address_size + 1)
        && accounts_heard (edge->accounts, event->bytes, object, &end))
        peer_end_all (edge, &end);
}

void
feed_touch (feed_t *self)
{
    if (self->is_dirty)
        return;
    self->is_dirty = true;
    self->next_dirty = self->edge->dirty;
    self->edge->dirty = self;
}

/*  What was told before this is told to those alone who may still watch. */
static void
ask_about_all (feed_t *self)
{
    feed_touch (self);  /* so it outlives the last watch */
    for (watch_t *watch = self->watches, *next; watch; watch = next) {
        next = watch->next_of_feed;
        watch->wants_permit = self->channel->allow == TROUPE_DECIDES;
        watch_go_on (watch);
    }
}

void
feed_heard (edge_t *edge, inbox_item_t *item)
{
    event_t *event = (event_t *) item;
    see_account (edge, event);
    feed_t *self = find (edge, event->hash, event->bytes, event->address_size, event->bytes + event->address_size + 1);
    event->references = 1;
    if (self && is_stale (self)) {
        send_off (self);
        self = NULL;
    }
    bool is_look = event->offset == HOST_LOOK_AGAIN, is_note = is_look || event->offset == HOST_PERMIT_CHANGED;
    bool is_old = self && !self->channel->is_volatile && event->offset <= self->head;
    if (self && is_look)
        self->looks += 1;
    if (self && is_note)
        ask_about_all (self);
    else if (self && !is_old) {
        count_up (&edge->counts.events, 1);
        if (self->channel->is_volatile)
            event->offset = self->head + 1;
        else if (event->offset != self->head + 1)
            ring_clear (self);
        ring_add (self, event);
        if (feed_conflates (self))
            latest_note (self, event);
        feed_touch (self);
    }
    event_drop (event);
}

/* ---- the flush ---- */

/*  Frames for several events, at the end of what is gathered. */
typedef struct {
    buffer_t *to;
    codec_form_t form;
    size_t place;                  /* of the frame that is open */
    uint32_t count;                /* of its events; 0: none is open */
    const encoded_t *only;         /* the first of them */
} batch_t;

static void
batch_close (batch_t *self)
{
    if (self->count == 1 && !self->to->failed) {
        self->to->size = self->place;
        buffer_append (self->to, self->only->bytes, self->only->size);
    } else if (self->count > 0) {
        codecs[self->form]->end (self->to);
        envelope_close (self->to, self->place, envelopes[self->form]);
    }
    self->count = 0;
}

static void
batch_add (batch_t *self, const encoded_t *encoded)
{
    size_t head = envelope_head (encoded->bytes);
    if (self->count > 0 && self->to->size - self->place + encoded->size > BATCH_MOST)
        batch_close (self);
    if (self->count++ > 0)
        codecs[self->form]->next (self->to);
    else {
        self->only = encoded;
        self->place = envelope_open (self->to);
        codecs[self->form]->begin (self->to);
    }
    buffer_append (self->to, encoded->bytes + head, encoded->size - head);
}

static void
gather_one (feed_t *self, event_t *event, batch_t *batch)
{
    const encoded_t *encoded = event_encoded (self, event, batch->form);
    if (!encoded->bytes)
        batch->to->failed = true;  /* no memory: none of them leaves, and all are tried again */
    else if (envelope_is_frame (envelopes[batch->form]))
        batch_add (batch, encoded);
    else
        buffer_append (batch->to, encoded->bytes, encoded->size);
}

static uint64_t
gather_latest (feed_t *self, batch_t *batch, uint64_t from)
{
    latest_t *latest = self->newest;
    while (latest && latest->before && latest->before->event->offset >= from)
        latest = latest->before;
    for (; latest; latest = latest->after) {
        uint64_t offset = latest->event->offset;
        if (offset >= from && batch->to->size >= GATHER_MOST)
            return offset;
        if (offset >= from)
            gather_one (self, latest->event, batch);
    }
    return self->head + 1;
}

static uint64_t
gather_ring (feed_t *self, batch_t *batch, uint64_t from)
{
    uint64_t first = feed_first (self), offset = from;
    for (; offset <= self->head && batch->to->size < GATHER_MOST; offset++)
        gather_one (self, self->ring[(self->first + (uint32_t) (offset - first)) & (self->places - 1)], batch);
    return offset;
}

uint64_t
feed_gather (feed_t *self, codec_form_t form, uint64_t from, bool latest)
{
    edge_t *edge = self->edge;
    if (edge->gathered_feed == self && edge->gathered_form == form && edge->gathered_from == from
        && edge->gathered_latest == latest)
        return edge->gathered_next;
    buffer_reset (&edge->gathered);
    batch_t batch = { .to = &edge->gathered, .form = form };
    edge->gathered_next = latest ? gather_latest (self, &batch, from) : gather_ring (self, &batch, from);
    batch_close (&batch);
    edge->gathered_feed = edge->gathered.failed ? NULL : self;
    edge->gathered_form = form;
    edge->gathered_from = from;
    edge->gathered_latest = latest;
    return edge->gathered.failed ? from : edge->gathered_next;
}

static void
flush (feed_t *self)
{
    self->edge->gathered_feed = NULL;
    for (watch_t *watch = self->watches, *next; watch; watch = next) {
        next = watch->next_of_feed;
        if (watch->state == WATCH_LIVE)
            watch_go_on (watch);
    }
    self->edge->gathered_feed = NULL;
    ring_trim (self);
}

/*  When it is to be tried again, or EDGE_NEVER. */
static uint64_t
try_again (feed_t *self, uint64_t now_ms)
{
    if (self->again_ms == 0 || self->again_ms > now_ms)
        return self->again_ms ? self->again_ms : EDGE_NEVER;
    self->again_ms = 0;
    for (watch_t *watch = self->watches, *next; watch; watch = next) {
        next = watch->next_of_feed;
        watch_try_again (watch);
    }
    return EDGE_NEVER;
}

/*  What may leave now; when it is to be looked at again, or EDGE_NEVER. */
static uint64_t
flush_due (feed_t *self, uint64_t now_ms)
{
    bool is_early = self->not_before_ms > now_ms;
    if (!is_early)
        flush (self);
    if (!is_early && self->channel->rate)
        self->not_before_ms = now_ms + (1000 + self->channel->rate - 1) / self->channel->rate;
    uint64_t again_ms = presence_flush (self, now_ms), try_ms = try_again (self, now_ms);
    again_ms = try_ms < again_ms ? try_ms : again_ms;
    return is_early && self->not_before_ms < again_ms ? self->not_before_ms : again_ms;
}

uint64_t
feed_flush_all (edge_t *edge, uint64_t now_ms)
{
    uint64_t next_ms = EDGE_NEVER;
    feed_t *row = edge->dirty;
    edge->dirty = NULL;
    for (feed_t *feed = row, *next; feed; feed = next) {
        next = feed->next_dirty;
        uint64_t again_ms = feed->watch_count > 0 ? flush_due (feed, now_ms) : EDGE_NEVER;
        feed->is_dirty = false;
        if (again_ms != EDGE_NEVER)
            feed_touch (feed);
        else if (feed->watch_count == 0)
            feed_free (feed);
        next_ms = again_ms < next_ms ? again_ms : next_ms;
    }
    return next_ms == EDGE_NEVER ? EDGE_NEVER : next_ms - now_ms;
}
