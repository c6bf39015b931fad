/*  client_watch.c - the feeds that a client hears, over any number of connections.
 *
 *  DESIGN
 *  A watch has the place behind what was heard of it last, and asks from there on each connection. Its feed has a
 *  number on a connection alone; one that nobody hears any more is kept until the node has let it go, since till then
 *  the number is taken.
 */
#include "transports/zmq/client_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/answer.h"

typedef enum {
    WATCH_ASK,     /* to be asked for */
    WATCH_ASKED,
    WATCH_LIVE,
    WATCH_LEAVE,   /* to be left; nobody hears it any more */
    WATCH_LEFT,
    WATCH_OVER     /* its end was told */
} watch_state_t;

struct troupe_watch_s {
    table_node_t node;           /* while LIVE, LEAVE or LEFT */
    troupe_watch_t *after;
    watch_state_t state;
    uint64_t id, number;
    uint64_t again_ms;           /* it was not accepted: not before */
    troupe_heard_t *heard;       /* NULL: it is to be left */
    void *arg;
    char from[RESUME_MAX + 1];
    char feed[];
};

static troupe_watch_t **
place_of (core_t *self, const troupe_watch_t *watch)
{
    troupe_watch_t **place = &self->watches;
    while (*place != watch)
        place = &(*place)->after;
    return place;
}

static troupe_watch_t *
find_feed (core_t *self, uint64_t number)
{
    uint32_t hash = (uint32_t) hash_mix (number, 0);
    for (table_node_t *node = table_chain (&self->feeds, hash); node; node = node->next)
        if (((troupe_watch_t *) node)->number == number)
            return (troupe_watch_t *) node;
    return NULL;
}

static troupe_watch_t *
find_id (core_t *self, uint64_t id)
{
    troupe_watch_t *watch = self->watches;
    while (watch && watch->id != id)
        watch = watch->after;
    return watch;
}

static bool
has_number (const troupe_watch_t *watch)
{
    return watch->state == WATCH_LIVE || watch->state == WATCH_LEAVE || watch->state == WATCH_LEFT;
}

/*  Its number means nothing any more: it is asked for again, or forgotten if nobody hears it. */
static void
come_off (core_t *self, troupe_watch_t *watch)
{
    if (has_number (watch))
        table_remove (&self->feeds, &watch->node);
    if (watch->heard) {
        watch->state = WATCH_ASK;
        watch->again_ms = 0;
        self->watches_wait = true;
        return;
    }
    *place_of (self, watch) = watch->after;
    memory_free (watch);
}

/*  As an answer, so that its strings can be read. */
typedef struct {
    const troupe_watch_t *watch;
    troupe_heard_event_t event;
} telling_t;

static void
hand_over (void *arg, const troupe_answer_t *answer)
{
    telling_t *self = arg;
    self->event.answer = answer;
    self->watch->heard (self->watch->arg, &self->event);
}

static void
tell (core_t *self, const troupe_watch_t *watch, troupe_heard_type_t type, const troupe_answer_t *answer,
      const char *key, const char *token)
{
    telling_t telling = { watch, { .type = type, .key = key, .token = token } };
    if (!watch->heard)
        return;
    self->told += 1;
    answer_deliver (hand_over, &telling, answer);
}

static void
end_watch (core_t *self, troupe_watch_t *watch, troupe_status_t status, const char *text)
{
    if (!watch->heard) {
        come_off (self, watch);
        return;
    }
    if (has_number (watch))
        table_remove (&self->feeds, &watch->node);
    watch->state = WATCH_OVER;
    char from[RESUME_MAX + 1];
    snprintf (from, sizeof from, "%s", watch->from);  /* whoever hears that it ends may let it go, and read on */
    tell (self, watch, TROUPE_HEARD_END, &(troupe_answer_t) { .status = status, .text = text }, "", from);
}

troupe_watch_t *
core_watch (core_t *self, const char *feed, const char *from, troupe_heard_t *heard, void *arg, troupe_error_t *error)
{
    char address[TROUPE_ADDRESS_MAX + 1], channel[TROUPE_NAME_MAX + 1];
    size_t size = strlen (feed) + 1;
    from = from ? from : "";
    if (self->fatal.status != TROUPE_OK)
        error_set (error, self->fatal.status, "%s", self->fatal.text);
    else if (!message_split_feed (feed, address, channel))
        error_set (error, TROUPE_INVALID, "kind/id/channel is wanted, not \"%.60s\"", feed);
    else if (!fits (from, 0, RESUME_MAX))
        error_set (error, TROUPE_INVALID, "a place in a feed has at most %d bytes", RESUME_MAX);
    else {
        for (troupe_watch_t *other = self->watches; other; other = other->after)
            if (other->heard && other->state != WATCH_OVER && strcmp (other->feed, feed) == 0) {
                error_set (error, TROUPE_INVALID, "%.200s is watched by this client already", feed);
                return NULL;
            }
        troupe_watch_t *watch = memory_zalloc (sizeof *watch + size);
        if (!watch) {
            error_set (error, TROUPE_NO_MEMORY, "no memory for a watch");
            return NULL;
        }
        watch->id = ++self->watch_ids;
        watch->heard = heard;
        watch->arg = arg;
        memcpy (watch->from, from, strlen (from) + 1);
        memcpy (watch->feed, feed, size);
        troupe_watch_t **end = place_of (self, NULL);
        *end = watch;
        self->watches_wait = true;
        return watch;
    }
    return NULL;
}

void
core_unwatch (core_t *self, troupe_watch_t *watch)
{
    watch->heard = NULL;
    if (watch->state == WATCH_LIVE) {
        watch->state = WATCH_LEAVE;
        self->watches_wait = true;
    } else if (watch->state != WATCH_ASKED)
        come_off (self, watch);
}

/*  One of the same feed has to be left before. */
static bool
must_wait (const core_t *self, const troupe_watch_t *watch)
{
    for (const troupe_watch_t *other = self->watches; other != watch; other = other->after)
        if (!other->heard && strcmp (other->feed, watch->feed) == 0)
            return true;
    return false;
}

void
watches_say (core_t *self, uint64_t now_ms)
{
    self->watches_wait = false;
    self->watches_ms = CORE_NEVER;
    for (troupe_watch_t *watch = self->watches; watch; watch = watch->after) {
        bool is_asked_for = watch->state == WATCH_ASK && watch->again_ms <= now_ms && !must_wait (self, watch);
        if (watch->state == WATCH_ASK && watch->again_ms > now_ms && watch->again_ms < self->watches_ms)
            self->watches_ms = watch->again_ms;
        if (!is_asked_for && watch->state != WATCH_LEAVE)
            continue;
        if (self->out.size + FEED_MAX + RESUME_MAX + ITEM_OVERHEAD > self->limits.message_bytes) {
            self->watches_wait = true;
            return;
        }
        if (is_asked_for)
            say_watch (&self->out, watch->id, watch->feed, watch->from);
        else
            say_unwatch (&self->out, watch->number);
        watch->state = is_asked_for ? WATCH_ASKED : WATCH_LEFT;
    }
}

void
watches_begin_again (core_t *self)
{
    for (troupe_watch_t *watch = self->watches, *after; watch; watch = after) {
        after = watch->after;
        if (watch->state != WATCH_OVER)
            come_off (self, watch);
    }
}

/* ---- what is heard ---- */

static void
heard_watching (core_t *self, const server_message_t *message)
{
    troupe_watch_t *watch = find_id (self, message->number);
    if (!watch || watch->state != WATCH_ASKED)
        return;
    watch->number = message->feed;
    if (!table_insert (&self->feeds, &watch->node, (uint32_t) hash_mix (watch->number, 0))) {
        core_lost (self, "no memory");
        return;
    }
    watch->state = watch->heard ? WATCH_LIVE : WATCH_LEAVE;
    self->watches_wait = self->watches_wait || !watch->heard;
    if (!*watch->from && message->at > 0)
        message_resume (self->epoch, message->at - 1, watch->from);
    if (message->is_gap)
        tell (self, watch, TROUPE_HEARD_GAP, &(troupe_answer_t) { .text = "" }, "", watch->from);
}

static void
heard_event (core_t *self, const server_message_t *message)
{
    char key[TROUPE_KEY_MAX + 1] = "";
    troupe_watch_t *watch = find_feed (self, message->number);
    if (!watch)
        return;
    if (message->at)
        message_resume (self->epoch, message->at, watch->from);
    if (message->text.size <= TROUPE_KEY_MAX)
        memcpy (key, message->text.bytes ? message->text.bytes : "", message->text.size);
    tell (self, watch, message->type == SERVER_EVENT ? TROUPE_HEARD_EVENT : TROUPE_HEARD_SNAPSHOT,
          &(troupe_answer_t) { .body = message->body, .size = message->size, .text = "" }, key,
          message->at ? watch->from : "");
}

static bool
is_text (const heard_text_t *text, const char *wanted)
{
    return text->size == strlen (wanted) && memcmp (text->bytes, wanted, text->size) == 0;
}

static void
heard_cut (core_t *self, const server_message_t *message)
{
    troupe_watch_t *watch = find_feed (self, message->number);
    if (!watch)
        return;
    if (message->more.size > 0 && message->more.size <= RESUME_MAX) {
        memcpy (watch->from, message->more.bytes, message->more.size);
        watch->from[message->more.size] = '\0';
    }
    if (is_text (&message->text, "forbidden"))
        end_watch (self, watch, TROUPE_FORBIDDEN, "this may not be watched any more");
    else
        come_off (self, watch);
}

static void
heard_unwatched (core_t *self, const server_message_t *message)
{
    troupe_watch_t *watch = find_feed (self, message->number);
    if (watch && watch->state == WATCH_LEFT) {
        come_off (self, watch);
        self->watches_wait = true;  /* another of the same feed may wait */
    }
}

void
watches_heard (core_t *self, const server_message_t *message)
{
    switch (message->type) {
    case SERVER_WATCHING:
        heard_watching (self, message);
        break;
    case SERVER_CUT:
        heard_cut (self, message);
        break;
    case SERVER_UNWATCHED:
        heard_unwatched (self, message);
        break;
    default:
        heard_event (self, message);
    }
}

/*  A node that has no room is asked again later, one that goes down when it is back. */
void
watches_refused (core_t *self, uint64_t id, const troupe_error_t *error, uint64_t again_ms)
{
    troupe_watch_t *watch = find_id (self, id);
    if (!watch || watch->state != WATCH_ASKED || error->status == TROUPE_STOPPING)
        return;
    if (error->status != TROUPE_OVERLOADED || !watch->heard) {
        end_watch (self, watch, error->status, error->text);
        return;
    }
    come_off (self, watch);
    watch->again_ms = again_ms;
}

/* ---- end ---- */

/*  Whoever hears that one ends may let go another. */
void
watches_end (core_t *self, const troupe_error_t *error)
{
    for (troupe_watch_t *watch = self->watches; watch;)
        if (watch->state == WATCH_OVER)
            watch = watch->after;
        else {
            end_watch (self, watch, error->status, error->text);
            watch = self->watches;
        }
}

void
watches_clear (core_t *self)
{
    while (self->watches) {
        troupe_watch_t *watch = self->watches;
        self->watches = watch->after;
        memory_free (watch);
    }
    table_clear (&self->feeds);
}
