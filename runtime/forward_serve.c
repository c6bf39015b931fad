/*  forward_serve.c - what clients of other nodes ask of actors of this one.
 *
 *  DESIGN
 *  Who comes over the road is a node of the cluster, and whether its client may call was looked at there. What is
 *  called is looked at here again. The answer goes back on the road that the asking came on, or not at all: on another
 *  one it is asked again, and a call with a session then meets its record.
 */
#include "runtime/forward_inside.h"

/* ---- answers ---- */

void
said_free (said_t *said)
{
    if (!said)
        return;
    buffer_clear (&said->bytes);
    memory_free (said);
}

static void
answer_now (forward_t *self, uint16_t peer, uint64_t id, const troupe_error_t *error)
{
    (void) forward_say (self, peer, &(relay_message_t) {
        .type = RELAY_ANSWER, .status = error->status, .id = id, .text = error->text,
        .count = error->status == TROUPE_OVERLOADED ? RETRY_AFTER_MS : 0
    });
}

/*  Any thread. */
static void
answer (said_t *said, relay_message_t *message)
{
    message->type = RELAY_ANSWER;
    message->id = said->id;
    relay_write (&said->bytes, message);
    if (!forward_leave (said->forward, &said->item))
        said_free (said);
}

static void
call_done (void *arg, const troupe_answer_t *done)
{
    answer (arg, &(relay_message_t) {
        .status = done->status, .text = done->text, .body = done->body, .size = done->size,
        .count = done->retry_after_ms, .number = done->head
    });
}

static void
page_told (void *arg, troupe_status_t status, const char *text, const void *packed, size_t size)
{
    bool is_good = status == TROUPE_OK;
    answer (arg, &(relay_message_t) { .status = status, .text = text, .body = is_good ? packed : NULL,
                                      .size = is_good ? size : 0 });
}

/*  Of those that it is for, to the ones whose road is that which it was made for. */
static void
say_to (forward_t *self, const said_t *said, uint16_t peer)
{
    peer_way_t *way = &self->ways[peer];
    bool is_answer = said->item.type == ITEM_SERVED;
    way->serving -= is_answer;
    if (!way->is_open || (is_answer && said->road != way->road))
        return;
    if (said->bytes.failed) {
        answer_now (self, peer, said->id, &(troupe_error_t) { TROUPE_UNKNOWN, "no memory for the answer" });
        return;
    }
    if (is_answer)
        feeds_said (self, peer, charge_of (said->bytes.size));
    (void) self->port.send (self->port.self, peer, said->bytes.data, said->bytes.size);
    count_one (is_answer ? &self->counts.served : &self->counts.events_sent);
}

void
serve_said (forward_t *self, said_t *said)
{
    for (uint16_t peer = 0; peer < self->cluster->nodes; peer++)
        if (said->peers & 1ull << peer)
            say_to (self, said, peer);
    said_free (said);
}

/* ---- what is asked ---- */

/*  NULL: the other node was told why not. */
static said_t *
begin (forward_t *self, uint16_t peer, const relay_message_t *message)
{
    troupe_error_t error;
    peer_way_t *way = &self->ways[peer];
    bool has_room = way->serving < ASKED_MOST && feeds_untaken (self, peer) < UNTAKEN_MOST;
    said_t *said = has_room ? memory_zalloc (sizeof *said) : NULL;
    if (!said) {
        error_set (&error, TROUPE_OVERLOADED, "too much is on its way to node %s", forward_name (self, peer));
        answer_now (self, peer, message->id, &error);
        return NULL;
    }
    way->serving += 1;
    *said = (said_t) { .item.type = ITEM_SERVED, .forward = self, .peers = 1ull << peer, .id = message->id,
                       .road = way->road };
    return said;
}

static void
end_at_once (said_t *said, uint16_t peer, const troupe_error_t *error)
{
    said->forward->ways[peer].serving -= 1;
    answer_now (said->forward, peer, said->id, error);
    said_free (said);
}

static const char *
or_none (const char *text)
{
    return *text ? text : NULL;
}

void
serve_call (forward_t *self, uint16_t peer, const relay_message_t *message)
{
    troupe_error_t error;
    said_t *said = begin (self, peer, message);
    if (!said)
        return;
    troupe_call_t call = {
        .to = message->to,
        .verb = message->name,
        .body = message->body,
        .size = message->size,
        .subject = or_none (message->who),
        .seq = message->number,
        .ordered = message->is_ordered,
        .not_after_ms = message->until_ms,
        .channel = or_none (message->channel),
        .trace = or_none (message->text),
        .done = call_done,
        .arg = said
    };
    memcpy (call.session, message->session, sizeof call.session);
    if (self->port.submit (self->port.self, &call, &error) != TROUPE_OK)
        end_at_once (said, peer, &error);
}

void
serve_read (forward_t *self, uint16_t peer, const relay_message_t *message)
{
    troupe_error_t error;
    said_t *said = begin (self, peer, message);
    if (said && self->port.read_feed (self->port.self, message->to, message->name, message->number, message->count,
                                      page_told, said, &error) != TROUPE_OK)
        end_at_once (said, peer, &error);
}
