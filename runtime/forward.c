/*  forward.c - what clients of this node ask of actors of other nodes.
 *
 *  DESIGN
 *  Any thread leaves what it asks in an inbox; the thread of the roads says it and keeps it until it is answered, in
 *  the order that it came in. On a road nothing is lost or overtaken unseen, so nothing is said twice on one. When it
 *  breaks nobody knows what came of what is on its way:
 *
 *      a call with a session   is said again on the next road, in its old place: it runs once (rule 6)
 *      another read            ends as "overloaded": nothing happened, whoever asked comes again
 *      any other call          ends as "unknown"
 *
 *  Without a road all are refused as "overloaded". An ordered session that was refused is remembered here as shards do
 *  (lane.h), whoever refused: the other node forgets it when it dies, and the client's connection lives on (rule 7).
 *  All have an end by the clock of this node: a call is "unknown" then, a page comes again.
 */
#include "runtime/forward_inside.h"

#include "runtime/body/answer.h"

#define GRACE_MS 1000       /* beyond the end of a call: the other node says itself that it came too late */
#define LOOK_EVERY_MS 250   /* at those whose end has come */

/* ---- any thread ---- */

bool
forward_leave (forward_t *self, inbox_item_t *item)
{
    pthread_mutex_lock (&self->lock);
    bool is_open = !self->is_closed, is_first = is_open && inbox_push (&self->inbox, item);
    pthread_mutex_unlock (&self->lock);
    if (is_first)
        self->port.wake (self->port.self);
    return is_open;
}

static void
asked_free (asked_t *asked)
{
    buffer_clear (&asked->bytes);
    memory_free (asked);
}

/*  Leaves it for the thread of the roads, which says all that there is to say about it. */
static troupe_status_t
leave (forward_t *self, uint16_t peer, asked_t *asked, relay_message_t *message, troupe_error_t *error)
{
    peer_way_t *way = &self->ways[peer];
    asked->item.type = ITEM_ASKED;
    asked->peer = peer;
    message->id = asked->id = atomic_fetch_add_explicit (&self->ids, 1, memory_order_relaxed) + 1;
    relay_write (&asked->bytes, message);
    if (asked->bytes.failed) {
        asked_free (asked);
        return error_set (error, TROUPE_OVERLOADED, "no memory for one more call");
    }
    uint64_t size = asked->bytes.size;
    asked->is_beyond = atomic_fetch_add_explicit (&way->asked, 1, memory_order_relaxed) >= ASKED_MOST
                       || atomic_load_explicit (&way->asked_bytes, memory_order_relaxed) + size > ASKED_BYTES_MOST;
    atomic_fetch_add_explicit (&way->asked_bytes, size, memory_order_relaxed);
    if (forward_leave (self, &asked->item))
        return TROUPE_OK;
    asked_free (asked);
    return error_set (error, TROUPE_STOPPING, "the node is going down");
}

static bool
has_session (const troupe_call_t *call)
{
    static const uint8_t none[sizeof call->session];
    return memcmp (call->session, none, sizeof none) != 0;
}

troupe_status_t
forward_call (forward_t *self, uint16_t shard, const troupe_call_t *call, bool reads, troupe_error_t *error)
{
    asked_t *asked = memory_zalloc (sizeof *asked);
    if (!asked)
        return error_set (error, TROUPE_OVERLOADED, "no memory for one more call");
    relay_message_t message = {
        .type = RELAY_CALL,
        .is_ordered = call->ordered,
        .number = call->seq,
        .until_ms = call->not_after_ms,
        .to = call->to,
        .name = call->verb,
        .who = call->subject,
        .channel = call->channel,
        .text = call->trace,
        .body = call->body,
        .size = call->size
    };
    memcpy (message.session, call->session, sizeof message.session);
    asked->reads = reads;
    asked->end_ms = (call->not_after_ms ? call->not_after_ms : forward_now (self) + self->keep_ms) + GRACE_MS;
    asked->call = *call;
    asked->call.to = asked->call.verb = asked->call.subject = asked->call.channel = asked->call.trace = NULL;
    asked->call.body = NULL;
    asked->call.seq = has_session (call) ? call->seq : 0;
    asked->call.session[0] ^= (uint8_t) shard;  /* a session has its order in each shard for itself */
    asked->call.session[1] ^= (uint8_t) (shard >> 8);
    return leave (self, self->cluster->owners[shard], asked, &message, error);
}

troupe_status_t
forward_read (forward_t *self, uint16_t peer, const char *address, const char *channel, uint64_t from, uint32_t most,
              host_told_t *told, void *arg, troupe_error_t *error)
{
    asked_t *asked = memory_zalloc (sizeof *asked);
    if (!asked)
        return error_set (error, TROUPE_OVERLOADED, "no memory to read a feed");
    relay_message_t message = { .type = RELAY_READ, .number = from, .count = most, .to = address, .name = channel };
    asked->reads = true;
    asked->end_ms = forward_now (self) + self->keep_ms;
    asked->told = told;
    asked->call.arg = arg;
    return leave (self, peer, asked, &message, error);
}

/* ---- the end of what was asked ---- */

/*  Whoever asked is told, and the order of its session kept. */
static void
tell (forward_t *self, asked_t *asked, const troupe_answer_t *answer)
{
    troupe_answer_t last = *answer;
    lanes_t *lanes = &self->ways[asked->peer].lanes;
    bool comes_again = last.status == TROUPE_OVERLOADED || last.status == TROUPE_PARKED;
    if (comes_again && lanes_remember (lanes, &asked->call, forward_now (self)) != TROUPE_OK)
        last = (troupe_answer_t) { .status = TROUPE_INVALID,
                                   .text = "too many refused calls of ordered sessions are to come" };
    if (!comes_again)
        lanes_forget (lanes, &asked->call, forward_now (self));
    if (asked->told)
        asked->told (asked->call.arg, last.status, last.text, last.body, last.size);
    else
        answer_deliver (asked->call.done, asked->call.arg, &last);
    atomic_fetch_sub_explicit (&self->ways[asked->peer].asked, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit (&self->ways[asked->peer].asked_bytes, asked->bytes.size, memory_order_relaxed);
    asked_free (asked);
}

static void
refuse (forward_t *self, asked_t *asked, const char *format)
{
    char text[160];
    snprintf (text, sizeof text, format, forward_name (self, asked->peer));
    count_one (&self->counts.refused);
    tell (self, asked, &(troupe_answer_t) { .status = TROUPE_OVERLOADED, .text = text,
                                            .retry_after_ms = RETRY_AFTER_MS });
}

static void
take_out (forward_t *self, asked_t *asked)
{
    peer_way_t *way = &self->ways[asked->peer];
    *(asked->before ? &asked->before->after : &way->first) = asked->after;
    *(asked->after ? &asked->after->before : &way->last) = asked->before;
    table_remove (&self->asked, &asked->node);
}

/*  Nobody knows what came of it. Who reads may come again, or has waited for as long as it would. */
static void
lose (forward_t *self, asked_t *asked, bool again, const char *format)
{
    char text[160];
    snprintf (text, sizeof text, format, forward_name (self, asked->peer));
    count_one (&self->counts.lost);
    take_out (self, asked);
    tell (self, asked, &(troupe_answer_t) { .status = again ? TROUPE_OVERLOADED : TROUPE_UNKNOWN, .text = text,
                                            .retry_after_ms = again ? RETRY_AFTER_MS : 0 });
}

/* ---- on its way ---- */

static bool
put_in (forward_t *self, asked_t *asked)
{
    peer_way_t *way = &self->ways[asked->peer];
    if (!table_insert (&self->asked, &asked->node, (uint32_t) hash_mix (asked->id, 0)))
        return false;
    asked->before = way->last;
    *(way->last ? &way->last->after : &way->first) = asked;
    way->last = asked;
    return true;
}

static bool
is_behind (forward_t *self, asked_t *asked)
{
    return lanes_refuse (&self->ways[asked->peer].lanes, &asked->call, forward_now (self));
}

/*  If the road breaks over it, what comes of it is told by forward_broken. */
static void
send (forward_t *self, asked_t *asked)
{
    lanes_forget (&self->ways[asked->peer].lanes, &asked->call, forward_now (self));
    (void) self->port.send (self->port.self, asked->peer, asked->bytes.data, asked->bytes.size);
}

static void
take_asked (forward_t *self, asked_t *asked)
{
    if (asked->is_beyond)
        refuse (self, asked, "too much is asked of node %s already");
    else if (!self->ways[asked->peer].is_open)
        refuse (self, asked, "it lives on node %s, which is away");
    else if (is_behind (self, asked))
        refuse (self, asked, "an earlier call of this session to node %s was refused");
    else if (!put_in (self, asked))
        refuse (self, asked, "no memory for one more call to node %s");
    else {
        count_one (&self->counts.forwarded);
        send (self, asked);
    }
}

static asked_t *
find_asked (forward_t *self, uint16_t peer, uint64_t id)
{
    for (table_node_t *node = table_chain (&self->asked, (uint32_t) hash_mix (id, 0)); node; node = node->next) {
        asked_t *asked = (asked_t *) ((char *) node - offsetof (asked_t, node));
        if (asked->id == id && asked->peer == peer)
            return asked;
    }
    return NULL;
}

/*  What was refused because the other node stops comes again, when that is back. */
void
forward_answered (forward_t *self, uint16_t peer, const relay_message_t *message)
{
    asked_t *asked = find_asked (self, peer, message->id);
    if (!asked)
        return;
    bool is_stopping = message->status == TROUPE_STOPPING;
    troupe_answer_t answer = {
        .status = is_stopping ? TROUPE_OVERLOADED : message->status,
        .body = message->body,
        .size = message->size,
        .text = message->text,
        .retry_after_ms = is_stopping ? RETRY_AFTER_MS : message->count,
        .head = message->number
    };
    if (asked->told && answer.status == TROUPE_OK && !relay_is_page (message->body, message->size))
        answer = (troupe_answer_t) { .status = TROUPE_FAILED, .text = "the other node's answer is malformed" };
    count_one (&self->counts.answered);
    take_out (self, asked);
    tell (self, asked, &answer);
}

bool
forward_say (forward_t *self, uint16_t peer, const relay_message_t *message)
{
    buffer_reset (&self->out);
    relay_write (&self->out, message);
    return !self->out.failed && self->port.send (self->port.self, peer, self->out.data, self->out.size);
}

/* ---- the road ---- */

void
forward_opened (forward_t *self, uint16_t peer)
{
    peer_way_t *way = &self->ways[peer];
    way->is_open = true;
    way->has_complained = false;
    way->taken = 0;
    way->road += 1;
    feeds_opened (self, peer);
    for (asked_t *asked = way->first, *next; asked && way->is_open; asked = next) {
        next = asked->after;
        if (!is_behind (self, asked)) {
            send (self, asked);
            continue;
        }
        take_out (self, asked);
        refuse (self, asked, "an earlier call of this session to node %s was refused");
    }
}

void
forward_broken (forward_t *self, uint16_t peer)
{
    peer_way_t *way = &self->ways[peer];
    way->is_open = false;
    for (asked_t *asked = way->first, *next; asked; asked = next) {
        next = asked->after;
        if (asked->call.seq == 0)
            lose (self, asked, asked->reads, "the road to node %s broke");
    }
    feeds_broken (self, peer);
}

static void
complain (forward_t *self, uint16_t peer)
{
    if (!self->ways[peer].has_complained)
        self->port.complain (self->port.self, peer, "what it asks or tells is malformed, and not heard");
    self->ways[peer].has_complained = true;
}

void
forward_received (forward_t *self, uint16_t peer, const void *bytes, size_t size)
{
    relay_message_t message;
    if (!relay_read (&message, bytes, size)) {
        complain (self, peer);
        return;
    }
    if (message.type == RELAY_ANSWER || message.type == RELAY_EVENT || message.type == RELAY_WATCH)
        self->ways[peer].taken += charge_of (size);
    switch (message.type) {
    case RELAY_CALL:
        serve_call (self, peer, &message);
        break;
    case RELAY_READ:
        serve_read (self, peer, &message);
        break;
    case RELAY_ANSWER:
        forward_answered (self, peer, &message);
        break;
    case RELAY_WATCH:
    case RELAY_UNWATCH:
        feeds_watch (self, peer, &message);
        break;
    case RELAY_EVENT:
        feeds_heard (self, peer, &message);
        break;
    case RELAY_TAKEN:
        feeds_taken (self, peer, message.number);
        break;
    }
}

/* ---- the round ---- */

static void
take_items (forward_t *self)
{
    for (inbox_item_t *item = inbox_take (&self->inbox), *next; item; item = next) {
        next = item->next;
        if (item->type == ITEM_ASKED)
            take_asked (self, (asked_t *) item);
        else if (item->type == ITEM_WANTED)
            feeds_want (self, (feed_name_t *) item);
        else
            serve_said (self, (said_t *) item);
    }
}

/*  True: there are some still. */
static bool
end_late (forward_t *self, peer_way_t *way, uint64_t now_ms)
{
    for (asked_t *asked = way->first, *next; asked; asked = next) {
        next = asked->after;
        if (asked->end_ms < now_ms)
            lose (self, asked, asked->told != NULL, "node %s did not answer in time");
    }
    return way->first != NULL;
}

uint64_t
forward_round (forward_t *self)
{
    bool has_asked = false;
    uint64_t now_ms = forward_now (self);
    take_items (self);
    bool is_due = now_ms >= self->look_ms;
    for (uint32_t i = 0; i < self->cluster->nodes; i++) {
        peer_way_t *way = &self->ways[i];
        has_asked |= is_due ? end_late (self, way, now_ms) : way->first != NULL;
        if (way->taken > 0 && way->is_open)
            (void) forward_say (self, (uint16_t) i, &(relay_message_t) { .type = RELAY_TAKEN, .number = way->taken });
        way->taken = 0;
    }
    if (is_due)
        self->look_ms = now_ms + LOOK_EVERY_MS;
    uint64_t wait_ms = feeds_round (self);
    return has_asked && wait_ms > LOOK_EVERY_MS ? LOOK_EVERY_MS : wait_ms;
}

/* ---- its life ---- */

forward_t *
forward_new (const cluster_t *cluster, uint64_t keep_ms, const forward_port_t *port)
{
    forward_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    CHECK (pthread_mutex_init (&self->lock, NULL) == 0);
    self->cluster = cluster;
    self->keep_ms = keep_ms;
    self->hash_seed = cluster_hash_seed (cluster);
    self->port = *port;
    for (uint32_t i = 0; i < CLUSTER_NODES_MAX; i++)
        self->ways[i].lanes.pool = &self->pool;
    return self;
}

static void
stop (forward_t *self, asked_t *asked, bool is_said)
{
    troupe_status_t status = is_said && !asked->reads ? TROUPE_UNKNOWN : TROUPE_STOPPING;
    tell (self, asked, &(troupe_answer_t) { .status = status, .text = "the node is going down" });
}

void
forward_close (forward_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->is_closed = true;
    pthread_mutex_unlock (&self->lock);
    for (inbox_item_t *item = inbox_take (&self->inbox), *next; item; item = next) {
        next = item->next;
        if (item->type == ITEM_ASKED)
            stop (self, (asked_t *) item, false);
        else if (item->type == ITEM_WANTED)
            memory_free (item);
        else
            said_free ((said_t *) item);
    }
    for (uint32_t i = 0; i < self->cluster->nodes; i++)
        while (self->ways[i].first) {
            asked_t *asked = self->ways[i].first;
            take_out (self, asked);
            stop (self, asked, true);
        }
}

void
forward_destroy (forward_t **self_p)
{
    forward_t *self = *self_p;
    if (!self)
        return;
    forward_close (self);
    feeds_clear (self);
    for (uint32_t i = 0; i < CLUSTER_NODES_MAX; i++)
        lanes_clear (&self->ways[i].lanes);
    pool_clear (&self->pool);
    table_clear (&self->asked);
    buffer_clear (&self->out);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    *self_p = NULL;
}

forward_counts_t
forward_counts (const forward_t *self)
{
#define READ(name) .name = atomic_load_explicit (&self->counts.name, memory_order_relaxed)
    return (forward_counts_t) { READ (forwarded), READ (answered), READ (refused), READ (lost), READ (served),
                                READ (events_sent), READ (events_received), READ (events_missed) };
#undef READ
}
