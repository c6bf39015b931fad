/*  work.c - what a worker of remote kinds and the node say to each other, as bytes. */
#include "transports/zmq/work.h"

#include "runtime/base/bytes.h"
#include "runtime/base/hex.h"
#include "transports/edge/binary_fields.h"

#define NAME_MOST 15  /* bytes of a status */

enum { TYPE_ANNOUNCED = 0x90, TYPE_OFFER, TYPE_SETTLED, TYPE_LEFT = 0x94 };

/* ---- what a worker says ---- */

static troupe_status_t
take_status (binary_reader_t *self, troupe_status_t *status, troupe_error_t *error)
{
    char name[NAME_MOST + 1];
    troupe_status_t read = take_text (self, "status", name, NAME_MOST, error);
    if (read != TROUPE_OK)
        return read;
    for (*status = TROUPE_OK; *status <= TROUPE_TOO_LARGE; *status += 1)
        if (strcmp (name, message_status (*status)) == 0)
            return TROUPE_OK;
    *status = TROUPE_FAILED;
    return strcmp (name, "failed") == 0 ? TROUPE_OK
                                        : wrong (self, "status", "ok, a refusal or failed is wanted", error);
}

static troupe_status_t
take_bytes (binary_reader_t *self, const char *field, work_t *work, troupe_error_t *error)
{
    span_t span = { 0 };
    troupe_status_t status = take_span (self, field, &span, error);
    work->body = span.bytes;
    work->size = span.size;
    return status;
}

static troupe_status_t
read_announce (binary_reader_t *self, work_t *work, troupe_error_t *error)
{
    troupe_status_t status = take_number (self, "capacity", &work->capacity, error);
    if (status == TROUPE_OK && work->capacity == 0)
        status = wrong (self, "capacity", "at least 1 is wanted", error);
    if (status == TROUPE_OK)
        status = take_number (self, "states", &work->states, error);
    return status == TROUPE_OK ? take_bytes (self, "table", work, error) : status;
}

static troupe_status_t
read_done (binary_reader_t *self, work_t *work, troupe_error_t *error)
{
    troupe_status_t status = take_number (self, "offer", &work->number, error);
    if (status == TROUPE_OK)
        status = take_status (self, &work->status, error);
    if (status == TROUPE_OK)
        status = take_text (self, "text", work->text, WORK_TEXT_MAX, error);
    return status == TROUPE_OK ? take_bytes (self, "effects", work, error) : status;
}

static troupe_status_t
read_one (binary_reader_t *self, work_t *work, troupe_error_t *error)
{
    uint8_t type = *self->at;
    *work = (work_t) { .type = type };
    if (type < WORK_ANNOUNCE || type >= WORK_END)
        return error_set (error, TROUPE_INVALID, "byte %zu: there is no type %02x of messages of workers",
                          (size_t) (self->at - self->begin), type);
    self->at += 1;
    switch (work->type) {
    case WORK_ANNOUNCE: return read_announce (self, work, error);
    case WORK_DONE: return read_done (self, work, error);
    case WORK_STATELESS:
    case WORK_UNTAKEN: return take_number (self, "offer", &work->number, error);
    case WORK_LEAVE:
    case WORK_END: break;
    }
    return TROUPE_OK;
}

troupe_status_t
work_next (binary_reader_t *reader, work_t *work, troupe_error_t *error)
{
    if (reader->at == reader->end)
        return TROUPE_NOT_FOUND;
    troupe_status_t status = read_one (reader, work, error);
    if (status != TROUPE_OK)
        reader->at = reader->end;
    return status;
}

/* ---- what it is told ---- */

static const char *const whats[] = { [REMOTE_TELL] = "tell",         [REMOTE_CAST] = "cast",
                                     [REMOTE_CALL] = "call",         [REMOTE_QUESTION] = "question",
                                     [REMOTE_ANSWER] = "answer",     [REMOTE_TICK] = "tick" };

static void
put_name (buffer_t *to, const char *name, uint32_t *count)
{
    packed_put_name (to, name);
    *count += 1;
}

/*  What is no UTF-8 goes as bytes. */
static void
put_string (buffer_t *to, const char *name, const char *text, uint32_t *count)
{
    size_t size = strlen (text);
    if (size == 0)
        return;
    put_name (to, name, count);
    if (utf8_is_valid (text, size))
        packed_put_string (to, text, size);
    else
        packed_put_bytes (to, text, size);
}

static void
put_int (buffer_t *to, const char *name, uint64_t number, uint32_t *count)
{
    put_name (to, name, count);
    packed_put_int (to, (int64_t) number);
}

/*  A number of all 64 bits, which not every language has. */
static void
put_digits (buffer_t *to, const char *name, uint64_t number, uint32_t *count)
{
    uint8_t bytes[8];
    char digits[17];
    put_be64 (bytes, number);
    hex_write (digits, bytes, sizeof bytes);
    put_string (to, name, digits, count);
}

static void
put_packed (buffer_t *to, const char *name, const void *bytes, size_t size, uint32_t *count)
{
    put_name (to, name, count);
    buffer_append (to, bytes, size);
}

void
work_put_offer (buffer_t *to, const remote_offer_t *offer)
{
    uint32_t count = 0;
    size_t place = packed_open (to);
    put_string (to, "kind", offer->kind, &count);
    put_int (to, "version", offer->kind_version, &count);
    put_string (to, "to", offer->address, &count);
    put_string (to, "verb", offer->verb, &count);
    put_string (to, "what", whats[offer->what], &count);
    put_digits (to, "id", offer->id, &count);
    put_int (to, "attempt", offer->attempt, &count);
    put_int (to, "now", offer->now_ms, &count);
    put_int (to, "budget_ms", offer->budget_ms, &count);
    if (offer->reads) {
        put_name (to, "reads", &count);
        packed_put_bool (to, true);
    }
    put_string (to, "sender", offer->sender, &count);
    put_string (to, "subject", offer->subject, &count);
    put_string (to, "trace", offer->trace, &count);
    put_string (to, "caller", offer->caller, &count);
    if (offer->what == REMOTE_ANSWER) {
        put_digits (to, "asked", offer->asked, &count);
        put_string (to, "outcome", message_status (offer->outcome), &count);
    }
    if (offer->size)
        put_packed (to, "body", offer->body, offer->size, &count);
    put_int (to, "state_number", offer->version, &count);
    put_int (to, "state_version", offer->state_version, &count);
    if (offer->has_state)
        put_packed (to, "state", offer->state, offer->state_size, &count);
    packed_close (to, place, PACKED_OBJECT, count);
}

void
work_put_offer_head (buffer_t *to, uint64_t number, size_t size)
{
    buffer_byte (to, TYPE_OFFER);
    put_number (to, number);
    put_number (to, size);
}

void
work_put_announced (buffer_t *to, troupe_status_t status, const char *text)
{
    buffer_byte (to, TYPE_ANNOUNCED);
    put_text (to, status == TROUPE_MISMATCH ? "mismatch" : message_status (status));
    put_text (to, text);
}

void
work_put_settled (buffer_t *to, uint64_t number, bool is_kept, uint64_t version)
{
    buffer_byte (to, TYPE_SETTLED);
    put_number (to, number);
    put_number (to, is_kept);
    put_number (to, version);
}

void
work_put_left (buffer_t *to)
{
    buffer_byte (to, TYPE_LEFT);
}
