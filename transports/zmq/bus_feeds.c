/*  bus_feeds.c - all events of durable feeds, for whoever subscribes to a prefix of their names.
 *
 *  DESIGN
 *  An XPUB socket tells who subscribes, so that nothing is encoded that nobody wants: in JSON for topics
 *  below "json/", in MessagePack below "pack/". A subscriber that does not read loses events, as ZeroMQ has it;
 *  it sees so by the offsets and fetches them through the ROUTER. Without certificates only what anybody may watch
 *  is sent.
 */
#include "transports/zmq/bus_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "runtime/body/json.h"

#include <stdio.h>

#define TOPICS_MOST 65536
#define WAITING_MOST (64u << 20)  /* bytes that wait here; beyond it they are lost as a slow subscriber's are */

typedef struct {
    inbox_item_t item;
    uint64_t offset;
    size_t bytes_taken;
    uint32_t address_size, channel_size, key_size, body_size;
    char bytes[];  /* address NUL channel NUL key NUL body */
} feeds_event_t;

/*  What somebody subscribes to. */
typedef struct {
    table_node_t node;
    uint64_t hash;
} topic_t;

static const char *const prefixes[FEEDS_FORMS] = { "json/", "pack/" };

/* ---- any thread ---- */

static bool
has_subscribers (bus_t *self, feeds_form_t form)
{
    return atomic_load_explicit (&self->subscriptions[form], memory_order_relaxed) > 0;
}

bool
bus_is_watched (bus_t *self, const char *address, const char *channel)
{
    return has_subscribers (self, FEEDS_JSON) || has_subscribers (self, FEEDS_PACK)
           || edge_is_watched (self->edge, address, channel);
}

static void
hand_over (bus_t *self, const char *address, const char *channel, uint64_t offset, const char *key, const void *body,
           size_t size)
{
    size_t address_size = strlen (address) + 1, channel_size = strlen (channel) + 1;
    size_t key_size = (key ? strlen (key) : 0) + 1;
    size_t bytes = sizeof (feeds_event_t) + address_size + channel_size + key_size + size;
    if (atomic_load_explicit (&self->events_bytes, memory_order_relaxed) > WAITING_MOST)
        return;
    feeds_event_t *event = memory_alloc (bytes);
    if (!event)
        return;
    atomic_fetch_add_explicit (&self->events_bytes, bytes, memory_order_relaxed);
    *event = (feeds_event_t) { .offset = offset, .bytes_taken = bytes, .address_size = (uint32_t) address_size,
                               .channel_size = (uint32_t) channel_size, .key_size = (uint32_t) key_size,
                               .body_size = (uint32_t) size };
    char *at = event->bytes;
    memcpy (at, address, address_size);
    memcpy (at += address_size, channel, channel_size);
    memcpy (at += channel_size, key ? key : "", key_size);
    if (size)
        memcpy (at + key_size, body, size);
    if (inbox_push (&self->events, &event->item))
        bus_wake (self);
}

void
bus_published (bus_t *self, const char *address, const char *channel, uint64_t offset, const char *key,
               const void *body, size_t size)
{
    bool is_event = offset != HOST_PERMIT_CHANGED;
    if (is_event && (has_subscribers (self, FEEDS_JSON) || has_subscribers (self, FEEDS_PACK)))
        hand_over (self, address, channel, offset, key, body, size);
    if (edge_is_watched (self->edge, address, channel))
        edge_published (self->edge, address, channel, offset, key, body, size);
}

/* ---- the bus' thread ---- */

static bool
may_all_see (bus_t *self, const char *address, const char *channel)
{
    troupe_error_t error;
    const troupe_channel_t *table = self->host.channel (self->host.self, address, channel, &error);
    return table && (table->allow == TROUPE_ANYONE);
}

static bool
put_part (bus_t *self, const void *bytes, size_t size, int flags)
{
    return zmq_send (self->feeds, bytes, size, ZMQ_DONTWAIT | flags) >= 0;
}

static void
send_in (bus_t *self, const feeds_event_t *event, feeds_form_t form)
{
    char topic[8 + FEED_MAX + 1], token[RESUME_MAX + 1] = "";
    const char *channel = event->bytes + event->address_size, *key = channel + event->channel_size;
    const void *body = key + event->key_size;
    size_t size = event->body_size;
    if (form == FEEDS_JSON) {
        buffer_reset (&self->scratch);
        if (json_from_packed (body, size, &self->scratch, NULL) != TROUPE_OK)
            return;
        body = self->scratch.data;
        size = self->scratch.size;
    }
    int topic_size = snprintf (topic, sizeof topic, "%s%s/%s", prefixes[form], event->bytes, channel);
    if (event->offset)
        message_resume (self->host.epoch, event->offset, token);
    if (put_part (self, topic, (size_t) topic_size, ZMQ_SNDMORE) && put_part (self, token, strlen (token), ZMQ_SNDMORE)
        && put_part (self, key, event->key_size - 1, ZMQ_SNDMORE))
        (void) put_part (self, body, size, 0);
}

void
feeds_send (bus_t *self)
{
    for (inbox_item_t *item = inbox_take (&self->events), *next; item; item = next) {
        feeds_event_t *event = (feeds_event_t *) item;
        const char *channel = event->bytes + event->address_size;
        bool is_seen = self->feeds && (self->certificates || may_all_see (self, event->bytes, channel));
        next = item->next;
        for (feeds_form_t form = 0; form < FEEDS_FORMS && is_seen; form++)
            if (has_subscribers (self, form))
                send_in (self, event, form);
        atomic_fetch_sub_explicit (&self->events_bytes, event->bytes_taken, memory_order_relaxed);
        memory_free (event);
    }
}

static topic_t *
find_topic (bus_t *self, uint64_t hash)
{
    for (table_node_t *node = table_chain (&self->topics, (uint32_t) hash); node; node = node->next)
        if (((topic_t *) node)->hash == hash)
            return (topic_t *) node;
    return NULL;
}

static void
count_subscription (bus_t *self, const uint8_t *topic, size_t size, uint32_t by)
{
    for (feeds_form_t form = 0; form < FEEDS_FORMS; form++) {
        size_t common = size < strlen (prefixes[form]) ? size : strlen (prefixes[form]);
        if (memcmp (topic, prefixes[form], common) == 0)
            atomic_fetch_add_explicit (&self->subscriptions[form], by, memory_order_relaxed);
    }
}

static void
subscribed (bus_t *self, const uint8_t *bytes, size_t size, uint64_t hash)
{
    topic_t *topic = self->topics.count < TOPICS_MOST ? memory_alloc (sizeof *topic) : NULL;
    count_subscription (self, bytes, size, 1);  /* for ever, when its end cannot be told from others */
    if (topic && table_insert (&self->topics, &topic->node, (uint32_t) hash))
        topic->hash = hash;
    else
        memory_free (topic);
}

/*  ZeroMQ tells the first subscription to a topic and the end of the last, but also the end of one that never was. */
static void
take_subscription (bus_t *self, const uint8_t *bytes, size_t size)
{
    uint64_t hash = hash_bytes (bytes + 1, size - 1, self->topics_seed);
    topic_t *topic = find_topic (self, hash);
    if (bytes[0] && !topic)
        subscribed (self, bytes + 1, size - 1, hash);
    if (bytes[0] || !topic)
        return;
    count_subscription (self, bytes + 1, size - 1, (uint32_t) -1);
    table_remove (&self->topics, &topic->node);
    memory_free (topic);
}

void
feeds_receive (bus_t *self)
{
    uint8_t bytes[BUS_SUBSCRIPTION_MAX];  /* ZeroMQ lets no larger one in */
    int size;
    while ((size = zmq_recv (self->feeds, bytes, sizeof bytes, ZMQ_DONTWAIT)) >= 0)
        if (size > 0 && bytes[0] <= 1)
            take_subscription (self, bytes, (size_t) size);
}

static bool
free_topic (void *arg, table_node_t *node)
{
    bus_t *self = arg;
    table_remove (&self->topics, node);
    memory_free (node);
    return true;
}

void
feeds_forget (bus_t *self)
{
    table_each (&self->topics, free_topic, self);
    table_clear (&self->topics);
}
