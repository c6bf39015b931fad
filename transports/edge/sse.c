/*  sse.c - server-sent events: the messages about one feed as text/event-stream.
 *
 *  DESIGN
 *  The data of each is the message of the text form, and its id the resume token behind it, which a browser sends
 *  back by itself. `watching` has one too, so that what is published before the first event is not missed by a client
 *  that is cut off until then; with a gap it has none, since the snapshot may still be on its way.
 */
#include "transports/edge/message.h"

static void
put_id (buffer_t *to, const char *epoch, uint64_t at)
{
    char token[RESUME_MAX + 1];
    message_resume (epoch, at, token);
    buffer_printf (to, "id: %s\n", token);
}

static void
open_data (buffer_t *to)
{
    buffer_append (to, "data: ", 6);
}

/*  Takes back what did not fit as a whole. */
static void
finish (buffer_t *to, size_t start)
{
    buffer_append (to, "\n\n", 2);
    if (to->failed)
        to->size = start;
}

static void
write_watching (buffer_t *to, const char *epoch, uint64_t id, uint32_t feed, uint64_t next, bool is_gap)
{
    size_t start = to->size;
    buffer_printf (to, "event: %s\n", is_gap ? "gap" : "watching");
    if (next > 0 && !is_gap)
        put_id (to, epoch, next - 1);
    open_data (to);
    text_codec.watching (to, epoch, id, feed, next, is_gap);
    finish (to, start);
}

static void
write_snapshot (buffer_t *to, const char *epoch, uint32_t feed, uint64_t at, const void *body, size_t size)
{
    size_t start = to->size;
    buffer_printf (to, "event: snapshot\n");
    put_id (to, epoch, at);
    open_data (to);
    text_codec.snapshot (to, epoch, feed, at, body, size);
    finish (to, start);
}

static void
write_event (buffer_t *to, const char *epoch, uint32_t feed, uint64_t at, const char *key, const void *body,
             size_t size)
{
    size_t start = to->size;
    if (at > 0)
        put_id (to, epoch, at);
    open_data (to);
    text_codec.event (to, epoch, feed, at, key, body, size);
    finish (to, start);
}

static void
write_cut (buffer_t *to, uint32_t feed, const char *why, const char *token)
{
    size_t start = to->size;
    buffer_printf (to, "event: cut\ndata: ");
    text_codec.cut (to, feed, why, token);
    finish (to, start);
}

static void
write_presence (buffer_t *to, uint32_t feed, uint64_t count, const void *subjects, size_t size)
{
    size_t start = to->size;
    buffer_printf (to, "event: presence\ndata: ");
    text_codec.presence (to, feed, count, subjects, size);
    finish (to, start);
}

static void
write_drain (buffer_t *to, uint64_t after_ms)
{
    buffer_printf (to, "retry: %llu\n\n", (unsigned long long) after_ms);
}

const codec_t sse_codec = {
    .form = FORM_SSE,
    .watching = write_watching,
    .snapshot = write_snapshot,
    .event = write_event,
    .cut = write_cut,
    .presence = write_presence,
    .drain = write_drain,
};
