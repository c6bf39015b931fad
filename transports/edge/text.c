/*  text.c - troupe.v1: JSON text.
 *
 *  DESIGN
 *  One pass over the text packs a message as a whole; its members are then found in the packed bytes, which is cheap,
 *  and its body is a span of them. A batch is walked here, so that only one message is in memory at a time. What is
 *  written goes straight to its place. Neither allocates once its buffers have grown. The caller's thread.
 */
#include "transports/edge/text.h"

#include "runtime/body/packed.h"
#include "transports/edge/members.h"

void
text_open (text_reader_t *self, const void *text, size_t size)
{
    json_open (&self->json, text, size);
    self->place = TEXT_BEGIN;
}

void
text_close (text_reader_t *self)
{
    json_close (&self->json);
    buffer_clear (&self->packed);
    buffer_clear (&self->token);
}

static troupe_status_t
pass_end (text_reader_t *self, troupe_error_t *error)
{
    self->place = TEXT_END;
    json_peek (&self->json);
    return self->json.at == self->json.end ? TROUPE_OK
                                           : json_wrong (&self->json, "nothing may stand behind a message", error);
}

/*  From behind a message to the next one of a batch, or the end of the frame. */
static troupe_status_t
pass_message (text_reader_t *self, troupe_error_t *error)
{
    if (self->place == TEXT_BEGIN)
        return pass_end (self, error);
    char next = json_peek (&self->json);
    if (next != ',' && next != ']')
        return json_wrong (&self->json, "a comma or ] is wanted", error);
    self->json.at += 1;
    self->place = TEXT_LATER;
    return next == ',' ? TROUPE_OK : pass_end (self, error);
}

static troupe_status_t
read_message (text_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    buffer_reset (&self->packed);
    troupe_status_t status = json_next (&self->json, PACKED_DEPTH_MAX + 1, &self->packed, error);
    if (status == TROUPE_OK)
        status = pass_message (self, error);
    if (status == TROUPE_OK)
        status = members_read (self->packed.data, self->packed.size, message, &self->token, error);
    return status;
}

troupe_status_t
text_next (text_reader_t *self, client_message_t *message, troupe_error_t *error)
{
    if (self->place == TEXT_BEGIN && json_peek (&self->json) == '[') {
        self->json.at += 1;
        self->place = TEXT_BATCH;
    }
    if (self->place == TEXT_BATCH && json_peek (&self->json) == ']') {
        self->json.at += 1;
        troupe_status_t status = pass_end (self, error);
        return status == TROUPE_OK ? TROUPE_NOT_FOUND : status;
    }
    if (self->place == TEXT_END)
        return TROUPE_NOT_FOUND;
    troupe_status_t status = read_message (self, message, error);
    if (status != TROUPE_OK)
        self->place = TEXT_END;
    return status;
}

/* ------------------------------------------------------------------ *
 *  Writers
 * ------------------------------------------------------------------ */

#define PUT(to, literal) buffer_append (to, literal, sizeof literal - 1)

static void
put_number (buffer_t *to, uint64_t number)
{
    json_put_int (to, (int64_t) number);
}

static void
put_string (buffer_t *to, const char *string)
{
    json_put_string (to, string, strlen (string));
}

/*  Bad bytes count as what does not fit. */
static void
put_body (buffer_t *to, const void *body, size_t size)
{
    if (to->failed)
        return;
    troupe_status_t status = json_from_packed (body, size, to, NULL);
    to->failed = status != TROUPE_OK;
    to->over_limit = status == TROUPE_TOO_LARGE;
}

/*  The last brace. Takes back what did not fit as a whole. */
static void
finish (buffer_t *to, size_t start)
{
    buffer_byte (to, '}');
    if (to->failed)
        to->size = start;
}

static void
write_welcome (buffer_t *to, const welcome_t *welcome)
{
    buffer_t packed = { 0 };
    size_t start = to->size;
    members_welcome (&packed, welcome);
    if (packed.failed)
        to->failed = true;
    put_body (to, packed.data, packed.size);
    if (to->failed)
        to->size = start;
    buffer_clear (&packed);
}

static void
write_reply (buffer_t *to, uint64_t seq, const void *body, size_t size)
{
    size_t start = to->size;
    PUT (to, "{\"reply\":");
    put_number (to, seq);
    PUT (to, ",\"body\":");
    put_body (to, body, size);
    finish (to, start);
}

static void
write_error (buffer_t *to, error_of_t of, uint64_t number, troupe_status_t status, const char *text,
             uint32_t retry_after_ms)
{
    static const char *const begins[] = {
        [ERROR_PROTOCOL] = "{\"error\":\"protocol\"",
        [ERROR_CALL] = "{\"error\":\"call\",\"seq\":",
        [ERROR_WATCH] = "{\"error\":\"watch\",\"id\":",
    };
    size_t start = to->size;
    buffer_append (to, begins[of], strlen (begins[of]));
    if (of != ERROR_PROTOCOL)
        put_number (to, number);
    PUT (to, ",\"status\":");
    put_string (to, message_status (status));
    PUT (to, ",\"text\":");
    put_string (to, text);
    if (retry_after_ms) {
        PUT (to, ",\"retry_after_ms\":");
        put_number (to, retry_after_ms);
    }
    finish (to, start);
}

static void
write_watching (buffer_t *to, const char *epoch, uint64_t id, uint32_t feed, uint64_t next, bool is_gap)
{
    (void) epoch;
    size_t start = to->size;
    PUT (to, "{\"watching\":");
    put_number (to, id);
    PUT (to, ",\"feed\":");
    put_number (to, feed);
    PUT (to, ",\"next\":");
    put_number (to, next);
    if (is_gap)
        PUT (to, ",\"gap\":true");
    finish (to, start);
}

/*  From behind the name of the type: a feed, an offset, perhaps a key, and a body. */
static void
put_happening (buffer_t *to, size_t start, uint32_t feed, uint64_t at, const char *key, const void *body, size_t size)
{
    put_number (to, feed);
    PUT (to, ",\"at\":");
    put_number (to, at);
    if (key && *key) {
        PUT (to, ",\"key\":");
        put_string (to, key);
    }
    PUT (to, ",\"body\":");
    put_body (to, body, size);
    finish (to, start);
}

static void
write_snapshot (buffer_t *to, const char *epoch, uint32_t feed, uint64_t at, const void *body, size_t size)
{
    (void) epoch;
    size_t start = to->size;
    PUT (to, "{\"snapshot\":");
    put_happening (to, start, feed, at, NULL, body, size);
}

static void
write_event (buffer_t *to, const char *epoch, uint32_t feed, uint64_t at, const char *key, const void *body,
             size_t size)
{
    (void) epoch;
    size_t start = to->size;
    PUT (to, "{\"event\":");
    put_happening (to, start, feed, at, key, body, size);
}

static void
write_cut (buffer_t *to, uint32_t feed, const char *why, const char *token)
{
    size_t start = to->size;
    PUT (to, "{\"cut\":");
    put_number (to, feed);
    PUT (to, ",\"why\":");
    put_string (to, why);
    PUT (to, ",\"token\":");
    put_string (to, token);
    finish (to, start);
}

static void
write_unwatched (buffer_t *to, uint32_t feed)
{
    size_t start = to->size;
    PUT (to, "{\"unwatched\":");
    put_number (to, feed);
    finish (to, start);
}

static void
write_presence (buffer_t *to, uint32_t feed, uint64_t count, const void *subjects, size_t size)
{
    size_t start = to->size;
    PUT (to, "{\"presence\":");
    put_number (to, feed);
    PUT (to, ",\"count\":");
    put_number (to, count);
    if (size) {
        PUT (to, ",\"subjects\":");
        put_body (to, subjects, size);
    }
    finish (to, start);
}

static void
write_pong (buffer_t *to, uint64_t number, uint64_t now_ms)
{
    size_t start = to->size;
    PUT (to, "{\"pong\":");
    put_number (to, number);
    PUT (to, ",\"now\":");
    put_number (to, now_ms);
    finish (to, start);
}

static void
write_drain (buffer_t *to, uint64_t after_ms)
{
    size_t start = to->size;
    PUT (to, "{\"drain\":");
    put_number (to, after_ms);
    finish (to, start);
}

static void
write_goodbye (buffer_t *to, uint16_t code, const char *text)
{
    size_t start = to->size;
    PUT (to, "{\"goodbye\":");
    put_number (to, code);
    PUT (to, ",\"text\":");
    put_string (to, text);
    finish (to, start);
}

static void
write_begin (buffer_t *to)
{
    buffer_byte (to, '[');
}

static void
write_next (buffer_t *to)
{
    buffer_byte (to, ',');
}

static void
write_end (buffer_t *to)
{
    buffer_byte (to, ']');
}

#define WRITERS                                                                                                        \
    .welcome = write_welcome, .reply = write_reply, .error = write_error, .watching = write_watching,                  \
    .snapshot = write_snapshot, .event = write_event, .cut = write_cut, .unwatched = write_unwatched,                  \
    .presence = write_presence, .pong = write_pong, .drain = write_drain, .goodbye = write_goodbye,                    \
    .begin = write_begin, .next = write_next, .end = write_end

const codec_t text_codec = { .subprotocol = "troupe.v1", .form = FORM_TEXT, WRITERS };
const codec_t lines_codec = { .form = FORM_LINES, WRITERS };
