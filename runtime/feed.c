/*  feed.c - events of channels and their bounded history.
 *
 *  DESIGN. Each event of a durable channel is a key under the next offset of
 *  its feed; the feed's head and first offset are a key of their own and stay
 *  when the history is empty, so that an offset is never given twice. What
 *  falls out of the history, be it that newer code keeps less, goes in the frame of an event that came
 *  in: nothing is deleted by a clock alone. A volatile event is not recorded; it
 *  leaves with its frame all the same.
 */

#include "runtime/inside.h"
#include "runtime/body/packed.h"
#include "runtime/port/host.h"
#include <string.h>

#define KEEP_DEFAULT 1000
#define EVENT_HEAD 9      /* time, key size */
#define READ_BYTES_MOST (1u << 20)  /* of events from which on a reader gets no more at once */
#define TRIM_MOST 64      /* events that one event pushes out */
#define TRIM_BYTES_MOST (1u << 20)  /* of an open frame: then it pushes out one alone */

static void
feed_key (const char *address, size_t size, const char *channel, store_key_t *key)
{
    key_start (key, KEY_FEED);
    key_add_name (key, address, size);
    key_add (key, channel, strlen (channel));
}

static void
event_key (const char *address, size_t size, const char *channel, uint64_t offset, store_key_t *key)
{
    key_start (key, KEY_EVENT);
    key_add_name (key, address, size);
    key_add_name (key, channel, strlen (channel));
    key_add_be64 (key, offset);
}

/*  Head and first offset; of a feed without events 0 and 1. */
static bool
read_bounds (shard_t *self, const char *address, size_t size, const char *channel, uint64_t *head, uint64_t *first)
{
    store_key_t key;
    const uint8_t *value;
    size_t value_size;
    *head = 0;
    *first = 1;
    feed_key (address, size, channel, &key);
    if (!shard_get (self, &key, &value, &value_size, NULL))
        return self->failure.status == TROUPE_OK;
    if (value_size != 16) {
        shard_fail (self, TROUPE_CORRUPT, "the bounds of feed %s/%s are malformed", address, channel);
        return false;
    }
    *head = get_le64 (value);
    *first = get_le64 (value + 8);
    return true;
}

/*  One event of the history; false when it is not there. */
static bool
read_event (shard_t *self, const char *address, size_t size, const char *channel, uint64_t offset,
            const uint8_t **value, size_t *value_size)
{
    store_key_t key;
    event_key (address, size, channel, offset, &key);
    if (!shard_get (self, &key, value, value_size, NULL))
        return false;
    if (*value_size >= EVENT_HEAD && *value_size >= EVENT_HEAD + (size_t) (*value)[8])
        return true;
    shard_fail (self, TROUPE_CORRUPT, "event %llu of feed %s/%s is malformed", (unsigned long long) offset, address,
                channel);
    return false;
}

static feed_t *
feed_of (shard_t *self, actor_t *actor, const channel_t *channel)
{
    actor_more_t *more = actor_more (self, actor);
    feed_t *feed = more ? more->feeds : NULL;
    while (feed && feed->channel != channel)
        feed = feed->next;
    if (feed || !more)
        return feed;
    feed = pool_alloc (&self->pool, sizeof *feed);
    if (!feed)
        return NULL;
    *feed = (feed_t) { .next = more->feeds, .channel = channel };
    more->feeds = feed;
    if (!read_bounds (self, actor->address, actor->address_size, channel->name, &feed->head, &feed->first))
        return feed;
    const uint8_t *value;
    size_t size;
    if (feed->first <= feed->head
        && read_event (self, actor->address, actor->address_size, channel->name, feed->first, &value, &size))
        feed->first_ms = get_le64 (value);
    return feed;
}

static void
drop_first (shard_t *self, const actor_t *actor, feed_t *feed)
{
    store_key_t key;
    const uint8_t *value;
    size_t size;
    event_key (actor->address, actor->address_size, feed->channel->name, feed->first, &key);
    shard_delete (self, &key);
    feed->first += 1;
    if (feed->channel->table->keep_ms && feed->first <= feed->head
        && read_event (self, actor->address, actor->address_size, feed->channel->name, feed->first, &value, &size))
        feed->first_ms = get_le64 (value);
}

static bool
has_surplus (const shard_t *self, const feed_t *feed)
{
    const troupe_channel_t *table = feed->channel->table;
    uint32_t keep = table->keep || table->keep_ms ? table->keep : KEEP_DEFAULT;
    uint64_t count = feed->head - feed->first + 1;
    if (keep && count > keep)
        return true;
    return table->keep_ms && count > 1 && self->now_ms > feed->first_ms
           && self->now_ms - feed->first_ms > table->keep_ms;
}

/*  Many events may have grown old, and newer code may keep fewer: some go with each event, one always, so that a
 *  turn of many events stays within what a frame holds. */
static void
trim (shard_t *self, const actor_t *actor, feed_t *feed)
{
    for (int i = 0; i < TRIM_MOST && has_surplus (self, feed); i++) {
        if (i > 0 && self->open->body.size > TRIM_BYTES_MOST)
            return;
        drop_first (self, actor, feed);
    }
}

static void
record (shard_t *self, const actor_t *actor, feed_t *feed, const effect_t *effect)
{
    store_key_t key;
    size_t key_size = effect->event.key ? strlen (effect->event.key) : 0;
    feed->head += 1;
    if (feed->head == feed->first)
        feed->first_ms = self->now_ms;
    event_key (actor->address, actor->address_size, feed->channel->name, feed->head, &key);
    uint8_t *place = shard_put_place (self, &key, EVENT_HEAD + key_size + effect->size);
    if (!place)
        return;
    put_le64 (place, self->now_ms);
    place[8] = (uint8_t) key_size;
    if (key_size)
        memcpy (place + EVENT_HEAD, effect->event.key, key_size);
    if (effect->size)
        memcpy (place + EVENT_HEAD + key_size, effect->body, effect->size);
    trim (self, actor, feed);
    uint8_t bounds[16];
    put_le64 (bounds, feed->head);
    put_le64 (bounds + 8, feed->first);
    feed_key (actor->address, actor->address_size, feed->channel->name, &key);
    shard_put (self, &key, bounds, sizeof bounds);
}

static void
push (shard_t *self, const actor_t *actor, const effect_t *effect, uint64_t offset)
{
    const char *key = effect->event.key ? effect->event.key : "";
    size_t key_size = strlen (key);
    output_t *output =
        output_new (self, OUTPUT_EVENT, (size_t) actor->address_size + 1 + key_size + 1 + effect->size);
    if (!output)
        return;
    output->event.channel = effect->event.channel;
    output->event.offset = offset;
    output->event.address_size = actor->address_size;
    output->event.key_size = (uint32_t) key_size;
    output->event.body_size = (uint32_t) effect->size;
    output->event.has_key = effect->event.key != NULL;
    memcpy (output->bytes, actor->address, actor->address_size + 1u);
    memcpy (output->bytes + actor->address_size + 1, key, key_size + 1);
    if (effect->size)
        memcpy (output->bytes + actor->address_size + 1 + key_size + 1, effect->body, effect->size);
    release_after (self, output, self->open->number);
}

/*  Whether anybody outside is to be told. Who begins to listen later reads what is recorded: it is there already. */
static bool
is_heard (const shard_t *self, const actor_t *actor, const channel_t *channel)
{
    const shard_world_t *world = &self->world;
    return world->published && (!world->is_watched || world->is_watched (world->self, actor->address, channel->name));
}

void
feed_publish (shard_t *self, actor_t *actor, const effect_t *effect)
{
    uint64_t offset = effect->event.is_permit ? HOST_PERMIT_CHANGED : 0;
    if (!effect->event.is_permit)
        counter_add (&self->metrics.events, 1);
    if (!effect->event.is_permit && !effect->event.channel->table->is_volatile) {
        feed_t *feed = feed_of (self, actor, effect->event.channel);
        if (!feed) {
            shard_fail (self, TROUPE_NO_MEMORY, "no memory for a feed");
            return;
        }
        record (self, actor, feed, effect);
        offset = feed->head;
    }
    if (is_heard (self, actor, effect->event.channel))
        push (self, actor, effect, offset);
}

/* ---- reading ---- */

uint64_t
feed_head (shard_t *self, const char *address, const char *channel)
{
    uint64_t head, first;
    return read_bounds (self, address, strlen (address), channel, &head, &first) ? head : 0;
}

static void
pack_event (buffer_t *packed, uint64_t offset, const uint8_t *value, size_t size)
{
    size_t key_size = value[8];
    packed_put_object (packed, key_size ? 4 : 3);
    packed_put_number (packed, "offset", offset);
    packed_put_number (packed, "time_ms", get_le64 (value));
    if (key_size) {
        packed_put_name (packed, "key");
        packed_put_string (packed, (const char *) value + EVENT_HEAD, key_size);
    }
    packed_put_name (packed, "body");
    if (size == EVENT_HEAD + key_size)
        packed_put_null (packed);
    else
        buffer_append (packed, value + EVENT_HEAD + key_size, size - EVENT_HEAD - key_size);
}

troupe_status_t
shard_read_feed (shard_t *self, const char *address, const char *channel, uint64_t from, uint32_t most,
                 buffer_t *packed, troupe_error_t *error)
{
    size_t size = strlen (address);
    uint64_t head, first;
    address_t parts;
    troupe_status_t status = address_parse (address, size, &parts, error);
    if (status != TROUPE_OK)
        return status;
    const kind_t *kind = registry_find (self->registry, parts.kind, parts.kind_size);
    if (!kind || !kind_channel (kind, channel))
        return error_set (error, TROUPE_NOT_FOUND, "no channel \"%.60s\" of %.100s", channel, address);
    if (!read_bounds (self, address, size, channel, &head, &first))
        return error_set (error, TROUPE_CORRUPT, "%s", self->failure.text);
    uint64_t at = from < first ? first : from;
    uint64_t count = at > head ? 0 : head - at + 1 < most ? head - at + 1 : most;
    packed_put_object (packed, 3);
    packed_put_number (packed, "head", head);
    packed_put_number (packed, "first", first);
    packed_put_name (packed, "events");
    size_t begin = packed->size, place = packed_open (packed);
    uint64_t done = 0;
    for (; done < count && packed->size - begin < READ_BYTES_MOST; done++) {
        const uint8_t *value;
        size_t value_size;
        if (!read_event (self, address, size, channel, at + done, &value, &value_size))
            return error_set (error, TROUPE_CORRUPT, "event %llu of %s/%s is gone", (unsigned long long) (at + done),
                              address, channel);
        pack_event (packed, at + done, value, value_size);
    }
    packed_close (packed, place, PACKED_ARRAY, (uint32_t) done);
    return packed->failed ? error_set (error, TROUPE_NO_MEMORY, "no memory for the events") : TROUPE_OK;
}
