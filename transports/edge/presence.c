/*  presence.c - what the watchers of a feed are told of each other.
 *
 *  DESIGN
 *  Always the whole of it, never who came or left: so whoever reads slowly may miss some and is right
 *  again with the next, and clients see the difference themselves. It is told at most once a period, and the
 *  list is left out when it is long: a crowd that comes and goes costs each watcher some dozens of bytes a second.
 *  Only who may watch, and was told so, is counted.
 */
#include "transports/edge/edge_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "transports/edge/envelope.h"

#define PERIOD_MS 1000
#define SUBJECTS_MOST 100
#define SLOTS 256  /* a power of two, more than twice as many */

typedef struct {
    uint64_t count;
    buffer_t subjects;  /* packed; empty: no list */
    buffer_t frames[FORMS];
} presence_t;

void
presence_changed (feed_t *feed)
{
    if (feed->channel->presence == TROUPE_PRESENCE_NONE)
        return;
    feed->presence_version += 1;
    feed->presence_is_due = true;
    feed_touch (feed);
}

/* ---- who is there ---- */

/*  False: it is there already. */
static bool
add_subject (const char *subjects[SLOTS], const char *subject)
{
    uint32_t at = (uint32_t) hash_bytes (subject, strlen (subject), 0) % SLOTS;
    while (subjects[at] && strcmp (subjects[at], subject) != 0)
        at = (at + 1) % SLOTS;
    bool is_new = !subjects[at];
    subjects[at] = subject;
    return is_new;
}

static void
list_subjects (const feed_t *feed, buffer_t *to)
{
    const char *subjects[SLOTS] = { NULL };
    uint32_t count = 0;
    size_t place = packed_open (to);
    for (const watch_t *watch = feed->watches; watch && count <= SUBJECTS_MOST; watch = watch->next_of_feed) {
        const char *subject = peer_identity (watch->peer)->subject;
        if (!watch->is_told || !*subject || !add_subject (subjects, subject))
            continue;
        packed_put_string (to, subject, strlen (subject));
        count += 1;
    }
    packed_close (to, place, PACKED_ARRAY, count);
    if (count > SUBJECTS_MOST)
        buffer_clear (to);
}

static void
look (const feed_t *feed, presence_t *presence)
{
    for (const watch_t *watch = feed->watches; watch; watch = watch->next_of_feed)
        presence->count += watch->is_told;
    if (feed->channel->presence == TROUPE_PRESENCE_LIST)
        list_subjects (feed, &presence->subjects);
}

/* ---- the flush ---- */

/*  False: no memory. */
static bool
encode (const feed_t *feed, const codec_t *codec, presence_t *presence)
{
    buffer_t *frame = &presence->frames[codec->form];
    if (frame->size > 0)
        return true;
    size_t place = envelope_open (frame);
    codec->presence (frame, feed->number, presence->count, presence->subjects.data, presence->subjects.size);
    envelope_close (frame, place, envelopes[codec->form]);
    return !frame->failed && !presence->subjects.failed;
}

/*  False: it cannot be told now. */
static bool
tell (watch_t *watch, presence_t *presence)
{
    const feed_t *feed = watch->feed;
    bool may_hear = watch->state != WATCH_PERMIT && !watch->wants_permit;
    if (!may_hear || peer_is_full (watch->peer) || !encode (feed, watch->peer->codec, presence))
        return false;
    const buffer_t *frame = &presence->frames[watch->peer->codec->form];
    peer_send_shared (watch->peer, frame->data, frame->size);
    watch->presence_told = feed->presence_version;
    return true;
}

uint64_t
presence_flush (feed_t *feed, uint64_t now_ms)
{
    if (!feed->presence_is_due)
        return EDGE_NEVER;
    if (feed->presence_at_ms > now_ms)
        return feed->presence_at_ms;
    presence_t presence = { 0 };
    look (feed, &presence);
    feed->presence_is_due = false;
    for (watch_t *watch = feed->watches; watch; watch = watch->next_of_feed)
        if (watch->is_told && watch->presence_told != feed->presence_version && !tell (watch, &presence))
            feed->presence_is_due = true;
    feed->presence_at_ms = now_ms + PERIOD_MS;
    buffer_clear (&presence.subjects);
    for (codec_form_t form = 0; form < FORMS; form++)
        buffer_clear (&presence.frames[form]);
    return feed->presence_is_due ? feed->presence_at_ms : EDGE_NEVER;
}
