/*  census.c - which feeds are watched, and by whom.
 *
 *  DESIGN
 *  Asked for by operators, some of them at a time: a walk over all feeds keeps the few that are shown, so
 *  what it costs is bounded by the number of feeds and it takes no memory.
 */
#include "transports/edge/census.h"

#include "runtime/base/error.h"
#include "runtime/body/packed.h"
#include "transports/edge/edge_inside.h"

/* ---- feeds ---- */

typedef struct {
    const feed_t *feeds[CENSUS_MOST];
    uint32_t count, most;
    const char *address;  /* of the actor whose feeds are wanted; "": any */
} chosen_t;

static bool
choose (void *arg, table_node_t *node)
{
    chosen_t *chosen = arg;
    const feed_t *feed = (const feed_t *) node;
    if (feed->watch_count == 0 || (*chosen->address && strcmp (chosen->address, feed->name) != 0))
        return true;
    uint32_t at = chosen->count;
    while (at > 0 && chosen->feeds[at - 1]->watch_count < feed->watch_count)
        at -= 1;
    if (at == chosen->most)
        return true;
    if (chosen->count < chosen->most)
        chosen->count += 1;
    memmove (chosen->feeds + at + 1, chosen->feeds + at, (chosen->count - at - 1) * sizeof *chosen->feeds);
    chosen->feeds[at] = feed;
    return true;
}

static void
put_feed (const feed_t *feed, buffer_t *to)
{
    packed_put_object (to, 7);
    packed_put_text (to, "address", feed->name);
    packed_put_text (to, "channel", feed_channel (feed));
    packed_put_name (to, "volatile");
    packed_put_bool (to, feed->channel->is_volatile);
    packed_put_number (to, "watchers", feed->watch_count);
    packed_put_number (to, "head", feed->channel->is_volatile ? 0 : feed->head);
    packed_put_number (to, "ring", feed->count);
    packed_put_number (to, "keys", feed->keys);
}

void
census_feeds (edge_t *edge, const char *address, uint32_t most, buffer_t *to)
{
    chosen_t chosen = { .most = most < CENSUS_MOST ? most : CENSUS_MOST, .address = address };
    if (chosen.most > 0)
        table_each (&edge->feeds, choose, &chosen);
    packed_put_array (to, chosen.count);
    for (uint32_t i = 0; i < chosen.count; i++)
        put_feed (chosen.feeds[i], to);
}

/* ---- watchers ---- */

static void
put_watch (const watch_t *watch, buffer_t *to)
{
    static const char *const states[] = {
        [WATCH_PERMIT] = "asks the actor",   [WATCH_READING] = "reads history", [WATCH_SNAPSHOT] = "reads the snapshot",
        [WATCH_BEHIND] = "is behind",        [WATCH_LIVE] = "live",             [WATCH_ENDED] = "ended"
    };
    const peer_t *peer = watch->peer;
    packed_put_object (to, 5);
    packed_put_text (to, "subject", peer_identity (peer)->subject);
    packed_put_text (to, "state", states[watch->state]);
    packed_put_name (to, "binary");
    packed_put_bool (to, form_is_binary (peer->codec->form));
    packed_put_number (to, "lacks", watch->state == WATCH_LIVE && watch->next <= watch->feed->head
                                 ? watch->feed->head + 1 - watch->next : 0);
    packed_put_number (to, "unread_bytes", peer->out.size);
}

troupe_status_t
census_watchers (edge_t *edge, const char *address, const char *channel, uint32_t most, buffer_t *to,
                 troupe_error_t *error)
{
    const feed_t *feed = feed_find (edge, address, channel);
    if (!feed)
        return error_set (error, TROUPE_NOT_FOUND, "nobody watches %.200s/%.60s", address, channel);
    uint32_t count = feed->watch_count < most ? feed->watch_count : most;
    packed_put_array (to, count);
    for (const watch_t *watch = feed->watches; count > 0; watch = watch->next_of_feed, count--)
        put_watch (watch, to);
    return TROUPE_OK;
}
