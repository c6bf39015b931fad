/*  node_kind.c - the node itself at an address, node/self: what its operators see and do from afar.
 *
 *  DESIGN
 *  Two ways. What any thread may read is answered at once, on the gateway's thread. All else is a request of
 *  requests.h: it goes to the control thread as a note with a copy of its body, is worked on there as if it had
 *  come over the socket, and comes back by the call's `done`. So nothing blocks the gateway.
 *
 *  The beat of `figures` is a note that the control thread keeps for the next second. It begins when the edge says that
 *  the feed is watched, and ends at the first beat that finds nobody; `is_beating` is given up before the last look, so
 *  that a watcher who came in between is seen here or begins anew.
 */
#include "commands/node_kind.h"

#include "commands/figures.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"
#include "transports/edge/census.h"

#define BEAT_MS 1000
#define LIST_DEFAULT 100
#define FIGURES "figures"

struct node_kind_s {
    /* fixed after start */
    troupe_t *node;
    edge_t *edge;
    requests_t *requests;
    control_t *control;
    host_port_t host;

    note_t beat;               /* owner: who set is_beating, then the control thread */
    _Atomic bool is_beating;   /* seq_cst, pairs with the edge's count of watchers */
};

/* ---- the table ---- */

static const troupe_verb_t verbs[] = {
    { "overview", .reads = true, .allow = TROUPE_OPERATOR, .args = "",
      .gives = "version:string store:string store_id:string epoch:string boot:string pid:int started_ms:int shards:int "
               "workers:int zmq:string door:string kinds:array",
      .doc = "What this node is." },
    { "kinds", .reads = true, .allow = TROUPE_OPERATOR, .args = "", .doc = "All kinds with verbs and channels." },
    { "figures", .reads = true, .allow = TROUPE_OPERATOR, .args = "", .gives = "node:object gateway:object",
      .doc = "Counters, levels and histograms: of the node, its kinds, its shards; of the gateway." },
    { "hot", .reads = true, .allow = TROUPE_OPERATOR, .args = "most?:int by?:string",
      .doc = "Actors that are awake: of each shard those with most turns lately, or by \"mail\" with most mail." },
    { "turns", .allow = TROUPE_OPERATOR, .args = "follower:int of?:string",
      .doc = "Turns that ran since this follower asked last: of an actor, a kind, a trace (its 32 digits), or all." },
    { "inspect", .reads = true, .allow = TROUPE_OPERATOR, .args = "to:string most?:int",
      .doc = "One actor, without waking it: state, mailbox, timers, questions, feeds." },
    { "feed", .reads = true, .allow = TROUPE_OPERATOR, .args = "feed:string from?:int most?:int",
      .gives = "head:int first:int events:array", .doc = "What is kept of the feed kind/id/channel." },
    { "feeds", .reads = true, .allow = TROUPE_OPERATOR, .args = "of?:string most?:int",
      .doc = "Feeds that clients watch, those with most watchers first; of one actor alone." },
    { "watchers", .reads = true, .allow = TROUPE_OPERATOR, .args = "feed:string most?:int",
      .doc = "Who watches the feed kind/id/channel." },
    { "dead-list", .reads = true, .allow = TROUPE_OPERATOR, .args = "shard?:int from?:int most?:int",
      .doc = "Dead letters, the oldest of each shard first, from the number `from` on." },
    { "dead-retry", .allow = TROUPE_OPERATOR, .args = "shard:int number:int",
      .doc = "Delivers a dead letter once more, as a new message." },
    { "dead-drop", .allow = TROUPE_OPERATOR, .args = "shard:int number:int", .doc = "Forgets a dead letter." },
    { "revive", .allow = TROUPE_OPERATOR, .args = "to:string", .doc = "Lets a parked actor go on, or a parked kind." },
    { "links", .reads = true, .allow = TROUPE_OPERATOR, .args = "", .doc = "How it stands with the other nodes." },
    { "links-accept", .allow = TROUPE_OPERATOR, .args = "node:string",
      .doc = "Goes on with a node whose store was restored." },
    { NULL }
};

static const troupe_channel_t channels[] = {
    { FIGURES, .is_volatile = true, .allow = TROUPE_OPERATOR, .doc = "What the verb `figures` says, each second." },
    { NULL }
};

const troupe_kind_t node_kind = {
    NODE_KIND, .version = 1, .verbs = verbs, .channels = channels,
    .doc = "The node itself, at the one address node/self. No actor: calls are not recorded, so one that is sent again "
           "is run again."
};

static bool
is_ours (const char *address)
{
    return strncmp (address, NODE_KIND "/", sizeof NODE_KIND) == 0;
}

static bool
check_address (const char *address, troupe_error_t *error)
{
    if (strcmp (address, NODE_ADDRESS) == 0)
        return true;
    error_set (error, TROUPE_NOT_FOUND, "%.200s: of this kind there is " NODE_ADDRESS " alone", address);
    return false;
}

static const troupe_verb_t *
find_verb (void *self_, const char *address, const char *name, troupe_error_t *error)
{
    node_kind_t *self = self_;
    if (!is_ours (address))
        return self->host.verb (self->host.self, address, name, error);
    if (!check_address (address, error))
        return NULL;
    for (const troupe_verb_t *verb = verbs; verb->name; verb++)
        if (strcmp (verb->name, name) == 0)
            return verb;
    error_set (error, TROUPE_NOT_FOUND, NODE_KIND " has no verb %.63s", name);
    return NULL;
}

static const troupe_channel_t *
find_channel (void *self_, const char *address, const char *name, troupe_error_t *error)
{
    node_kind_t *self = self_;
    if (!is_ours (address))
        return self->host.channel (self->host.self, address, name, error);
    if (!check_address (address, error))
        return NULL;
    if (strcmp (name, FIGURES) == 0)
        return channels;
    error_set (error, TROUPE_NOT_FOUND, NODE_KIND " has no channel %.63s", name);
    return NULL;
}

static uint64_t
now_ms (void *self_)
{
    node_kind_t *self = self_;
    return self->host.now_ms (self->host.self);
}

static troupe_status_t
read_feed (void *self_, const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *told,
           void *arg, troupe_error_t *error)
{
    node_kind_t *self = self_;
    return self->host.read_feed (self->host.self, address, channel, from, most, told, arg, error);
}

/* ---- answered at once ---- */

typedef troupe_status_t (look_t) (node_kind_t *self, const wire_message_t *body, buffer_t *to, troupe_error_t *error);

static troupe_status_t
read_most (const wire_message_t *body, uint32_t *most, troupe_error_t *error)
{
    uint64_t wanted = LIST_DEFAULT;
    if (wire_number (body, "most", &wanted, error) == TROUPE_INVALID)
        return TROUPE_INVALID;
    *most = (uint32_t) (wanted < CENSUS_MOST ? wanted : CENSUS_MOST);
    return TROUPE_OK;
}

static void
put_gateway (const edge_t *edge, buffer_t *to)
{
    edge_counts_t counts = edge_counts (edge);
    packed_put_object (to, 9);
    packed_put_number (to, "clients", counts.clients);
    packed_put_number (to, "watches", counts.watches);
    packed_put_number (to, "feeds", counts.feeds);
    packed_put_number (to, "messages", counts.messages);
    packed_put_number (to, "calls", counts.calls);
    packed_put_number (to, "events", counts.events);
    packed_put_number (to, "deliveries", counts.deliveries);
    packed_put_number (to, "errors", counts.errors);
    packed_put_number (to, "cuts", counts.cuts);
}

static void
put_figures (const node_kind_t *self, buffer_t *to)
{
    packed_put_object (to, 2);
    packed_put_name (to, "node");
    figures_put (self->node, to);
    packed_put_name (to, "gateway");
    put_gateway (self->edge, to);
}

static troupe_status_t
look_figures (node_kind_t *self, const wire_message_t *body, buffer_t *to, troupe_error_t *error)
{
    (void) body;
    (void) error;
    put_figures (self, to);
    return TROUPE_OK;
}

static troupe_status_t
look_feeds (node_kind_t *self, const wire_message_t *body, buffer_t *to, troupe_error_t *error)
{
    char address[TROUPE_ADDRESS_MAX + 1] = "";
    uint32_t most = 0;
    troupe_status_t status = read_most (body, &most, error);
    if (status != TROUPE_OK || wire_text (body, "of", address, sizeof address, error) == TROUPE_INVALID)
        return TROUPE_INVALID;
    census_feeds (self->edge, address, most, to);
    return TROUPE_OK;
}

static troupe_status_t
look_watchers (node_kind_t *self, const wire_message_t *body, buffer_t *to, troupe_error_t *error)
{
    char feed[FEED_MAX + 1], address[TROUPE_ADDRESS_MAX + 1], channel[TROUPE_NAME_MAX + 1];
    uint32_t most = 0;
    troupe_status_t status = read_most (body, &most, error);
    if (status != TROUPE_OK || wire_text (body, "feed", feed, sizeof feed, error) != TROUPE_OK)
        return TROUPE_INVALID;
    if (!message_split_feed (feed, address, channel))
        return error_set (error, TROUPE_INVALID, "a feed is named kind/id/channel");
    return census_watchers (self->edge, address, channel, most, to, error);
}

static troupe_status_t
answer_at_once (node_kind_t *self, look_t *look, const troupe_call_t *call, troupe_error_t *error)
{
    buffer_t body = { .limit = WIRE_MESSAGE_MAX };
    wire_message_t message = { call->body, call->size };
    troupe_status_t status = look (self, &message, &body, error);
    if (status == TROUPE_OK && body.failed)
        status = error_set (error, TROUPE_OVERLOADED, "no memory for the answer");
    if (status == TROUPE_OK) {
        troupe_answer_t answer = { .body = body.data, .size = body.size, .text = "" };
        call->done (call->arg, &answer);
    }
    buffer_clear (&body);
    return status;
}

/* ---- answered by way of the control thread ---- */

typedef struct {
    request_t request;
    node_kind_t *kind;
    const char *name;
    troupe_done_t *done;
    void *arg;
    size_t size;
    uint8_t body[];
} asked_t;

/*  The request is finished. */
static void
tell (note_t *note)
{
    asked_t *self = (asked_t *) note;
    request_t *request = &self->request;
    troupe_error_t *error = &request->error;
    if (error->status == TROUPE_OK && request->body.failed)
        error_set (error, TROUPE_OVERLOADED, "no memory for the answer");
    else if (error->status == TROUPE_OK && request->body.size > WIRE_MESSAGE_MAX)
        error_set (error, TROUPE_TOO_LARGE, "the answer is larger than %u bytes: ask for less", WIRE_MESSAGE_MAX);
    bool is_good = error->status == TROUPE_OK;
    troupe_answer_t answer = {
        .status = error->status,
        .body = is_good ? request->body.data : NULL,
        .size = is_good ? request->body.size : 0,
        .text = is_good ? "" : error->text,
        .retry_after_ms = request->retry_after_ms
    };
    self->done (self->arg, &answer);
    buffer_clear (&request->body);
    memory_free (self);
}

/*  On the control thread. */
static void
run (note_t *note)
{
    asked_t *self = (asked_t *) note;
    wire_message_t message = { self->body, self->size };
    note->arrived = tell;
    requests_run (self->kind->requests, self->name, &self->request, &message);
}

static troupe_status_t
ask (node_kind_t *self, const char *name, const troupe_call_t *call, troupe_error_t *error)
{
    asked_t *asked = memory_zalloc (sizeof *asked + call->size);
    if (!asked)
        return error_set (error, TROUPE_OVERLOADED, "no memory for one more call");
    asked->request.note.arrived = run;
    asked->request.control = self->control;
    asked->kind = self;
    asked->name = name;
    asked->done = call->done;
    asked->arg = call->arg;
    asked->size = call->size;
    if (call->size)
        memcpy (asked->body, call->body, call->size);
    control_post (self->control, &asked->request.note);
    return TROUPE_OK;
}

static troupe_status_t
submit (void *self_, const troupe_call_t *call, troupe_error_t *error)
{
    static const struct {
        const char *verb;
        look_t *look;
    } looks[] = { { "figures", look_figures }, { "feeds", look_feeds }, { "watchers", look_watchers } };
    node_kind_t *self = self_;
    if (!is_ours (call->to))
        return self->host.submit (self->host.self, call, error);
    const troupe_verb_t *verb = find_verb (self, call->to, call->verb, error);
    if (!verb)
        return error->status;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (strcmp (looks[i].verb, verb->name) == 0)
            return answer_at_once (self, looks[i].look, call, error);
    return ask (self, strcmp (verb->name, "overview") == 0 ? "hello" : verb->name, call, error);
}

/* ---- the beat of the figures ---- */

static void
beat (note_t *note)
{
    node_kind_t *self = (node_kind_t *) ((char *) note - offsetof (node_kind_t, beat));
    if (!edge_is_watched (self->edge, NODE_ADDRESS, FIGURES)) {
        self->is_beating = false;
        if (!edge_is_watched (self->edge, NODE_ADDRESS, FIGURES) || atomic_exchange (&self->is_beating, true))
            return;
    }
    buffer_t body = { 0 };
    put_figures (self, &body);
    if (!body.failed)
        edge_published (self->edge, NODE_ADDRESS, FIGURES, 0, NULL, body.data, body.size);
    buffer_clear (&body);
    control_post_later (self->control, note, BEAT_MS);
}

static void
watched (void *self_, const char *address, const char *channel)
{
    node_kind_t *self = self_;
    if (!is_ours (address))
        self->host.watched (self->host.self, address, channel);
    else if (!atomic_exchange (&self->is_beating, true))
        control_post (self->control, &self->beat);
}

/* ---- life ---- */

node_kind_t *
node_kind_new (troupe_t *node, edge_t *edge, requests_t *requests, control_t *control, const host_port_t *host)
{
    node_kind_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->node = node;
    self->edge = edge;
    self->requests = requests;
    self->control = control;
    self->host = *host;
    self->beat.arrived = beat;
    return self;
}

static void
hold (void *arg)
{
    const node_kind_t *self = arg;
    self->host.hold (self->host.self);
}

static void
release (void *arg)
{
    const node_kind_t *self = arg;
    self->host.release (self->host.self);
}

host_port_t
node_kind_host (node_kind_t *self)
{
    return (host_port_t) {
        .self = self,
        .epoch = self->host.epoch,
        .now_ms = now_ms,
        .verb = find_verb,
        .channel = find_channel,
        .submit = submit,
        .read_feed = read_feed,
        .hold = hold,
        .release = release,
        .watched = watched
    };
}

void
node_kind_destroy (node_kind_t **self_p)
{
    memory_free (*self_p);
    *self_p = NULL;
}
