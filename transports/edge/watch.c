/*  watch.c - one client's watch of one feed, from the wish to the end.
 *
 *  DESIGN
 *  A watch joins its feed first and looks into the history after that: what is published in
 *  between is heard, and `next`, the one offset that it takes, makes a whole of both (rule 24).
 *
 *      PERMIT --> READING <--> BEHIND      LIVE falls back to BEHIND when the ring no longer
 *                   |  \         |         holds what it lacks; LIVE and BEHIND to
 *                   v   v        v         PERMIT and back when the token is another
 *              SNAPSHOT -----> LIVE        any state --> ENDED
 *
 *  The actor is also asked again when it says that its answer may be another (HOST_PERMIT_CHANGED); what was asked for
 *  before that is not used.
 *
 *  A watch that began outlives a node that is away or has no room now (TROUPE_OVERLOADED): it asks again after a while.
 *  So does one that is to begin, some times.
 *
 *  It asks the node for one thing at a time. What was told comes back through the inbox in the
 *  watch itself; a watch that ended meanwhile is freed then.
 */
#include "transports/edge/edge_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"

#define FROM_NOW UINT64_MAX
#define AGAIN_MS 500  /* after the node turned it away */
#define TRIES_MOST 4  /* before one that did not begin is refused */

/* ---- what it says ---- */

static void
say_watching (watch_t *self)
{
    peer_t *peer = self->peer;
    bool is_volatile = self->feed->channel->is_volatile;
    size_t place = peer_open_frame (peer);
    peer->codec->watching (&peer->out, peer->edge->host.epoch, self->id, self->feed->number,
                           is_volatile ? 0 : self->next, self->has_gap);
    peer_close_frame (peer, place);
    self->is_told = true;
    presence_changed (self->feed);
}

static void
say_cut (watch_t *self, const char *why)
{
    peer_t *peer = self->peer;
    char token[RESUME_MAX + 1] = "";
    if (!self->feed->channel->is_volatile)
        message_resume (peer->edge->host.epoch, self->next - 1, token);
    size_t place = peer_open_frame (peer);
    peer->codec->cut (&peer->out, self->feed->number, why, token);
    peer_close_frame (peer, place);
    count_up (&peer->edge->counts.cuts, 1);
}

/*  It never began. */
static void
refuse (watch_t *self, const troupe_error_t *error)
{
    peer_say_error (self->peer, ERROR_WATCH, self->id, error, 0);
    watch_end (self);
}

/* ---- its end ---- */

static void
watch_free (watch_t *self)
{
    buffer_clear (&self->told);
    memory_free (self);
}

void
watch_end (watch_t *self)
{
    peer_t *peer = self->peer;
    CHECK (self->state != WATCH_ENDED);
    self->state = WATCH_ENDED;
    if (self->is_told)
        presence_changed (self->feed);
    feed_leave (self->feed, self);
    *self->place_in_peer = self->next_of_peer;
    if (self->next_of_peer)
        self->next_of_peer->place_in_peer = self->place_in_peer;
    peer->watch_count -= 1;
    count_up (&peer->edge->counts.watches, (uint64_t) -1);
    if (!self->is_asking)
        watch_free (self);
}

void
watch_cut (watch_t *self, const char *why)
{
    peer_t *peer = self->peer;
    say_cut (self, why);
    watch_end (self);
    peer_watch_ended (peer);
}

watch_t *
watch_find (peer_t *peer, uint64_t feed_number)
{
    watch_t *watch = peer->watches;
    while (watch && watch->feed->number != feed_number)
        watch = watch->next_of_peer;
    return watch;
}

/* ---- asking the node ---- */

/*  What it read may lack events that were not heard of either. */
static bool
has_to_look (const watch_t *self)
{
    return !self->feed->channel->is_volatile && self->looks != self->feed->looks;
}

/*  On a thread of the node. */
static void
told (watch_t *self, troupe_status_t status, const char *text, const void *packed, size_t size)
{
    self->told_status = status;
    buffer_reset (&self->told);
    if (status == TROUPE_OK)
        buffer_append (&self->told, packed, size);
    else
        buffer_append (&self->told, text, strlen (text) + 1);
    if (self->told.failed)
        self->told_status = TROUPE_NO_MEMORY;
    self->item.type = ITEM_WATCH;
    edge_tell (self->peer->edge, &self->item);
}

static void
told_history (void *arg, troupe_status_t status, const char *text, const void *packed, size_t size)
{
    told (arg, status, text, packed, size);
}

static void
told_answer (void *arg, const troupe_answer_t *answer)
{
    watch_t *self = arg;
    self->told_head = answer->head;
    told (self, answer->status, answer->text, answer->body, answer->size);
}

static void
begin_asking (watch_t *self, bool is_looking)
{
    CHECK (!self->is_asking);
    self->is_asking = true;
    self->is_looking = is_looking;
    self->peer->told_later += 1;
    self->peer->looks += is_looking;
}

static void
end_asking (watch_t *self)
{
    self->is_asking = false;
    self->peer->told_later -= 1;
    self->peer->looks -= self->is_looking;
}

/*  False: the watch ended. */
static bool
asked (watch_t *self, watch_state_t state, troupe_status_t status, const troupe_error_t *error)
{
    if (status == TROUPE_OK) {
        self->state = state;
        return true;
    }
    end_asking (self);
    if (self->is_told)
        watch_cut (self, "stopping");
    else
        refuse (self, error);
    return false;
}

static void
ask_actor (watch_t *self, watch_state_t state, const char *verb)
{
    const host_port_t *host = &self->peer->edge->host;
    troupe_error_t error;
    troupe_call_t call = {
        .to = self->feed->name,
        .verb = verb,
        .subject = peer_identity (self->peer)->subject,
        .channel = state == WATCH_SNAPSHOT ? feed_channel (self->feed) : NULL,
        .done = told_answer,
        .arg = self
    };
    begin_asking (self, state == WATCH_SNAPSHOT);
    (void) asked (self, state, host->submit (host->self, &call, &error), &error);
}

static void
read_history (watch_t *self)
{
    const host_port_t *host = &self->peer->edge->host;
    troupe_error_t error;
    begin_asking (self, self->next != FROM_NOW);
    self->looks = self->feed->looks;
    troupe_status_t status = host->read_feed (host->self, self->feed->name, feed_channel (self->feed), self->next,
                                              self->next == FROM_NOW ? 0 : HISTORY_EVENTS, told_history, self, &error);
    (void) asked (self, WATCH_READING, status, &error);
}

/*  Into the history, when there is room for what it brings. */
static void
look (watch_t *self)
{
    peer_t *peer = self->peer;
    self->state = WATCH_BEHIND;
    if (self->next == FROM_NOW || (!peer_is_full (peer) && peer->looks < LOOKS_MOST))
        read_history (self);
    else
        peer->has_waiting = true;
}

/*  Asks the actor whether it may be watched. */
static void
ask_permit (watch_t *self)
{
    self->wants_permit = false;
    ask_actor (self, WATCH_PERMIT, self->feed->channel->permit);
}

/* ---- its begin ---- */

static void
start (watch_t *self)
{
    if (!self->feed->channel->is_volatile) {
        look (self);
        return;
    }
    self->next = 1;
    self->wants_latest = true;
    self->state = WATCH_LIVE;
    say_watching (self);
    watch_go_on (self);
}

static void
begin (watch_t *self)
{
    if (self->feed->channel->allow == TROUPE_DECIDES)
        ask_permit (self);
    else
        start (self);
}

/*  Where it begins, from what the client has seen. */
static troupe_status_t
read_from (watch_t *self, const char *from, troupe_error_t *error)
{
    uint64_t offset;
    self->next = FROM_NOW;
    if (!*from)
        return TROUPE_OK;
    self->next = 0;
    if (strcmp (from, "start") == 0)
        return TROUPE_OK;
    switch (message_read_resume (from, self->peer->edge->host.epoch, &offset)) {
    case RESUME_OK:
        self->next = offset + 1;
        return TROUPE_OK;
    case RESUME_OTHER_EPOCH:
        self->has_gap = true;
        return TROUPE_OK;
    case RESUME_BAD:
        break;
    }
    return error_set (error, TROUPE_INVALID, "from: \"start\" or EPOCH-OFFSET is wanted");
}

static troupe_status_t
watch_new (peer_t *peer, const client_message_t *message, watch_t **self_p, troupe_error_t *error)
{
    char address[TROUPE_ADDRESS_MAX + 1], channel[TROUPE_NAME_MAX + 1];
    const host_port_t *host = &peer->edge->host;
    if (!message_split_feed (message->to, address, channel))
        return error_set (error, TROUPE_INVALID, "a feed is named kind/id/channel");
    const troupe_channel_t *table = host->channel (host->self, address, channel, error);
    if (!table)
        return error->status;
    permit_t permit = { table->allow, table->role, channel };
    troupe_status_t status = edge_permit (peer->edge, &permit, peer_identity (peer), address, error);
    if (status != TROUPE_OK)
        return status;
    if (peer->watch_count >= peer->edge->options.limits.watches)
        return error_set (error, TROUPE_TOO_LARGE, "a connection watches at most %u feeds",
                          peer->edge->options.limits.watches);
    watch_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return error_set (error, TROUPE_OVERLOADED, "no memory for one more watch");
    self->peer = peer;
    self->id = message->number;
    status = read_from (self, message->from, error);
    if (status == TROUPE_OK && !feed_join (peer->edge, address, channel, table, self))
        status = error_set (error, TROUPE_OVERLOADED, "no memory for one more feed");
    if (status != TROUPE_OK) {
        memory_free (self);
        return status;
    }
    *self_p = self;
    return TROUPE_OK;
}

static void
join_peer (watch_t *self)
{
    peer_t *peer = self->peer;
    self->next_of_peer = peer->watches;
    self->place_in_peer = &peer->watches;
    if (peer->watches)
        peer->watches->place_in_peer = &self->next_of_peer;
    peer->watches = self;
    peer->watch_count += 1;
    count_up (&peer->edge->counts.watches, 1);
}

void
watch_begin (peer_t *peer, const client_message_t *message)
{
    watch_t *self = NULL;
    troupe_error_t error;
    troupe_status_t status = watch_new (peer, message, &self, &error);
    if (status == TROUPE_OK && watch_find (peer, self->feed->number)) {
        feed_leave (self->feed, self);
        memory_free (self);
        status = error_set (&error, TROUPE_INVALID, "this connection watches the feed already");
    }
    if (status != TROUPE_OK) {
        peer_say_error (peer, ERROR_WATCH, message->number, &error, 0);
        return;
    }
    join_peer (self);
    begin (self);
}

/* ---- what was told ---- */

/*  Events may be on their way that the node told before this: they are the feed's, and come. */
static void
settle (watch_t *self)
{
    bool is_at_hand = !has_to_look (self)
                      && (self->next > self->feed->head || self->next >= feed_first (self->feed));
    self->state = is_at_hand ? WATCH_LIVE : WATCH_BEHIND;
    watch_go_on (self);
}

static uint64_t
number_of (const buffer_t *packed, const char *name)
{
    packed_reader_t reader;
    packed_value_t value;
    bool is_there = packed_find (packed->data, packed->size, name, &reader) && packed_next (&reader, &value)
                    && value.type == PACKED_INT;
    CHECK (is_there);
    return (uint64_t) value.integer;
}

/*  The events of a look into the history, as far as they are the next ones and there is room. */
static void
send_events (watch_t *self)
{
    peer_t *peer = self->peer;
    packed_reader_t events;
    packed_value_t value;
    bool is_there = packed_find (self->told.data, self->told.size, "events", &events) && packed_next (&events, &value)
                    && value.type == PACKED_ARRAY;
    CHECK (is_there);
    for (uint32_t count = value.count; count > 0 && peer->out.size < LOOK_OUT_MOST; count--) {
        const uint8_t *begin = events.at;
        char key[256] = "";
        packed_reader_t body, field;
        is_there = packed_skip (&events);
        size_t size = (size_t) (events.at - begin);
        buffer_t one = { .data = (uint8_t *) begin, .size = size };
        is_there = is_there && packed_find (begin, size, "body", &body);
        CHECK (is_there);
        bool has_key = packed_find (begin, size, "key", &field) && packed_next (&field, &value);
        if (has_key)
            memcpy (key, value.string.bytes, value.string.size < sizeof key ? value.string.size : sizeof key - 1);
        uint64_t offset = number_of (&one, "offset");
        if (offset != self->next)
            continue;
        size_t place = peer_open_frame (peer);
        peer->codec->event (&peer->out, peer->edge->host.epoch, self->feed->number, offset, has_key ? key : NULL,
                            body.at, (size_t) (body.end - body.at));
        peer_close_frame (peer, place);
        count_up (&peer->edge->counts.deliveries, 1);
        self->next = offset + 1;
    }
}

/*  The first look says where the watch begins. False: not yet, the snapshot is asked for. */
static bool
find_begin (watch_t *self, uint64_t head, uint64_t first)
{
    if (self->next == FROM_NOW)
        self->next = head + 1;
    else if (self->next == 0)
        self->next = first;
    else if (self->next < first || self->next > head + 1)
        self->has_gap = true;
    if (self->has_gap && self->feed->channel->snapshot) {
        ask_actor (self, WATCH_SNAPSHOT, self->feed->channel->snapshot);
        return false;
    }
    if (self->has_gap)
        self->next = first;
    say_watching (self);
    return true;
}

static void
told_of_history (watch_t *self)
{
    uint64_t head = number_of (&self->told, "head"), first = number_of (&self->told, "first");
    if (!self->is_told && !find_begin (self, head, first))
        return;
    if (self->next < first) {
        watch_cut (self, "gone");
        return;
    }
    send_events (self);
    self->state = WATCH_BEHIND;
    if (self->next > head)
        settle (self);
    else
        watch_go_on (self);
}

static void
told_of_snapshot (watch_t *self)
{
    peer_t *peer = self->peer;
    self->next = self->told_head + 1;
    say_watching (self);
    size_t place = peer_open_frame (peer);
    peer->codec->snapshot (&peer->out, peer->edge->host.epoch, self->feed->number, self->told_head, self->told.data,
                           self->told.size);
    peer_close_frame (peer, place);
    settle (self);
}

/*  The node has no room now, or the one that has the actor is away. */
static void
put_off (watch_t *self)
{
    const host_port_t *host = &self->peer->edge->host;
    if (self->is_told) {
        self->wants_permit |= self->state == WATCH_PERMIT;
        self->state = WATCH_BEHIND;
    } else
        self->tries += 1;
    if (self->feed->again_ms == 0)
        self->feed->again_ms = host->now_ms (host->self) + AGAIN_MS;
    feed_touch (self->feed);
}

void
watch_try_again (watch_t *self)
{
    if (self->is_asking)
        return;
    if (self->is_told)
        watch_go_on (self);
    else
        begin (self);
}

static bool
is_refusal (troupe_status_t status)
{
    return status >= TROUPE_REFUSED && status <= TROUPE_TOO_LARGE;
}

/*  The refusal of an actor, or a node that stops. */
static void
told_no (watch_t *self)
{
    troupe_error_t error = { self->told_status, "no memory" };
    if (!self->told.failed && self->told.size > 0)
        error_set (&error, self->told_status, "%.*s", (int) self->told.size, (const char *) self->told.data);
    if (self->state == WATCH_PERMIT && is_refusal (self->told_status))
        edge_audit_denied (self->peer->edge, peer_identity (self->peer), self->feed->channel->name, self->feed->name);
    if (self->told_status == TROUPE_OVERLOADED && (self->is_told || self->tries < TRIES_MOST))
        put_off (self);
    else if (self->is_told)
        watch_cut (self, self->told_status == TROUPE_STOPPING ? "stopping"
                         : self->state == WATCH_PERMIT && is_refusal (self->told_status) ? "forbidden"
                                                                                         : "gone");
    else
        refuse (self, &error);
}

/*  The actor was asked again, and agrees. What was being read meanwhile is read again. */
static void
go_back (watch_t *self)
{
    const feed_t *feed = self->feed;
    bool is_at_hand = feed->channel->is_volatile || (feed->head > 0 && self->next >= feed_first (feed));
    self->state = is_at_hand ? WATCH_LIVE : WATCH_BEHIND;
    watch_go_on (self);
}

void
watch_told (inbox_item_t *item)
{
    watch_t *self = (watch_t *) item;
    peer_t *peer = self->peer;
    end_asking (self);
    if (self->state == WATCH_ENDED)
        watch_free (self);
    else if (self->told_status != TROUPE_OK)
        told_no (self);
    else if (self->wants_permit)
        ask_permit (self);  /* what it told may be of after the change */
    else if (self->state == WATCH_PERMIT && self->is_told)
        go_back (self);
    else if (self->state == WATCH_PERMIT)
        start (self);
    else if (self->state == WATCH_SNAPSHOT)
        told_of_snapshot (self);
    else
        told_of_history (self);
    if (peer->has_waiting)
        peer_want_flush (peer);  /* another one may have its turn */
    peer_let_go (peer);
}

/* ---- going on ---- */

static void
deliver (watch_t *self)
{
    feed_t *feed = self->feed;
    if (has_to_look (self)) {
        look (self);
        return;
    }
    while (self->next <= feed->head) {
        if (peer_is_full (self->peer)) {
            self->peer->has_waiting = true;
            return;
        }
        bool lags = self->next < feed_first (feed);
        bool latest = feed_conflates (feed) && (lags || self->wants_latest || feed->channel->rate);
        if (lags && !latest) {
            look (self);
            return;
        }
        uint64_t next = feed_gather (feed, self->peer->codec->form, self->next, latest);
        if (next == self->next)
            return;  /* no memory: with the next event again */
        const buffer_t *frames = &self->peer->edge->gathered;
        peer_send_shared (self->peer, frames->data, frames->size);
        count_up (&self->peer->edge->counts.deliveries, next - self->next);
        self->next = next;
        self->wants_latest = latest && next <= feed->head;
    }
}

static void
forbid (watch_t *self, const troupe_error_t *error)
{
    if (self->is_told)
        watch_cut (self, "forbidden");
    else
        refuse (self, error);
}

void
watch_send_off (watch_t *self)
{
    troupe_error_t error;
    if (self->is_told) {
        watch_cut (self, "gone");
        return;
    }
    error_set (&error, TROUPE_OVERLOADED, "its kind has another table now: watch again");
    refuse (self, &error);
}

void
watch_forbid_all (peer_t *peer, const troupe_error_t *error)
{
    for (watch_t *watch = peer->watches, *next; watch; watch = next) {
        next = watch->next_of_peer;
        forbid (watch, error);
    }
}

void
watch_check_all (peer_t *peer)
{
    troupe_error_t error;
    for (watch_t *watch = peer->watches, *next; watch; watch = next) {
        const troupe_channel_t *channel = watch->feed->channel;
        next = watch->next_of_peer;
        permit_t permit = { channel->allow, channel->role, channel->name };
        troupe_status_t status = edge_permit (peer->edge, &permit, peer_identity (peer), watch->feed->name, &error);
        watch->wants_permit = status == TROUPE_OK && channel->allow == TROUPE_DECIDES;
        if (status == TROUPE_OK)
            watch_go_on (watch);
        else
            forbid (watch, &error);
    }
}

void
watch_go_on (watch_t *self)
{
    if (self->wants_permit && !self->is_asking && self->is_told)
        ask_permit (self);
    else if (self->state == WATCH_LIVE)
        deliver (self);
    else if (self->state == WATCH_BEHIND)
        look (self);
}
