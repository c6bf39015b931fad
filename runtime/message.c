/*  message.c - a message in a mailbox, and its bytes on disk and on links.
 *
 *  DESIGN. One block holds the head and all texts, from a pool, because a
 *  message lives for some nanoseconds in the common case. The record is the
 *  same for a waiting message (where the address stands in the key and is left
 *  out), for the outbox of a link, and for what travels the link.
 */

#include "runtime/message.h"
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"

#define RECORD_HEAD 25  /* flags, outcome, id, ask, three name sizes, body size */
#define RECORD_CALL 33  /* session, seq, not after, subject size */
#define FLAGS_KEPT ((uint8_t) ~MESSAGE_RECORDED)

message_t *
message_new (pool_t *pool, const message_fields_t *fields, const verb_t *verb)
{
    bool is_named = !verb || (fields->flags & MESSAGE_TICK);
    size_t names = (size_t) fields->from_size + 1 + (is_named ? (size_t) fields->verb_size + 1 : 0);
    size_t call = fields->flags & MESSAGE_CALL ? sizeof (message_call_t) + fields->subject_size + 1u : 0;
    size_t texts = names + fields->body_size + COPY_SLACK;
    size_t call_at = (sizeof (message_t) + texts + 7) & ~(size_t) 7;
    size_t trace = fields->flags & MESSAGE_TRACED ? TRACE_SIZE : 0;
    size_t size = trace + (call ? call_at + call : sizeof (message_t) + texts);
    message_t *self = pool_alloc (pool, size);
    if (!self)
        return NULL;
    self->next = NULL;
    self->to = NULL;
    self->id = fields->id;
    self->verb = verb;
    self->ask = fields->ask;
    self->number = 0;
    self->call = NULL;
    self->size = (uint32_t) size;
    self->body_size = fields->body_size;
    self->body_at = (uint16_t) names;
    self->flags = fields->flags;
    self->outcome = fields->outcome;
    self->attempts = 0;
    self->from_size = fields->from_size;
    if (fields->from_size)
        memcpy (self->data, fields->from, fields->from_size);
    self->data[fields->from_size] = 0;
    if (is_named) {
        memcpy (self->data + fields->from_size + 1, fields->verb, fields->verb_size);
        self->data[names - 1] = 0;
    }
    if (fields->body_size)
        memcpy (self->data + names, fields->body, fields->body_size);
    if (call) {
        self->call = (message_call_t *) ((uint8_t *) self + call_at);
        memcpy (self->call->session, fields->session, 16);
        self->call->seq = fields->seq;
        self->call->not_after_ms = fields->not_after_ms;
        if (fields->subject_size)
            memcpy (self->call->subject, fields->subject, fields->subject_size);
        self->call->subject[fields->subject_size] = 0;
    }
    if (trace)
        memcpy ((uint8_t *) self + size - TRACE_SIZE, fields->trace, TRACE_SIZE);
    return self;
}

const char *
message_verb_name (const message_t *self)
{
    return self->verb ? self->verb->name : self->data + self->from_size + 1;
}

void
message_fields (const message_t *self, message_fields_t *fields)
{
    const char *verb = message_verb_name (self);
    *fields = (message_fields_t) {
        .id = self->id,
        .ask = self->ask,
        .flags = self->flags,
        .outcome = self->outcome,
        .from = message_from (self),
        .from_size = self->from_size,
        .verb = verb,
        .verb_size = (uint8_t) strlen (verb),
        .trace = message_trace (self),
        .body = message_body (self),
        .body_size = self->body_size,
    };
    if (self->call) {
        fields->session = self->call->session;
        fields->seq = self->call->seq;
        fields->not_after_ms = self->call->not_after_ms;
        fields->subject = self->call->subject;
        fields->subject_size = (uint8_t) strlen (self->call->subject);
    }
}

size_t
message_record_size (const message_fields_t *fields)
{
    size_t call = fields->flags & MESSAGE_CALL ? RECORD_CALL + (size_t) fields->subject_size : 0;
    size_t trace = fields->flags & MESSAGE_TRACED ? TRACE_SIZE : 0;
    return RECORD_HEAD + call + trace + fields->to_size + fields->from_size + fields->verb_size + fields->body_size;
}

static uint8_t *
write_bytes (uint8_t *to, const void *bytes, size_t size)
{
    if (size)
        memcpy (to, bytes, size);
    return to + size;
}

void
message_record_write (const message_fields_t *fields, uint8_t *to)
{
    to[0] = fields->flags & FLAGS_KEPT;
    to[1] = fields->outcome;
    put_le64 (to + 2, fields->id);
    put_le64 (to + 10, fields->ask);
    to[18] = fields->to_size;
    to[19] = fields->from_size;
    to[20] = fields->verb_size;
    put_le32 (to + 21, fields->body_size);
    to += RECORD_HEAD;
    if (fields->flags & MESSAGE_CALL) {
        memcpy (to, fields->session, 16);
        put_le64 (to + 16, fields->seq);
        put_le64 (to + 24, fields->not_after_ms);
        to[32] = fields->subject_size;
        to = write_bytes (to + RECORD_CALL, fields->subject, fields->subject_size);
    }
    if (fields->flags & MESSAGE_TRACED)
        to = write_bytes (to, fields->trace, TRACE_SIZE);
    to = write_bytes (to, fields->to, fields->to_size);
    to = write_bytes (to, fields->from, fields->from_size);
    to = write_bytes (to, fields->verb, fields->verb_size);
    write_bytes (to, fields->body, fields->body_size);
}

size_t
message_record_read (const uint8_t *bytes, size_t size, message_fields_t *fields)
{
    if (size < RECORD_HEAD)
        return 0;
    const uint8_t *at = bytes + RECORD_HEAD;
    *fields = (message_fields_t) {
        .flags = bytes[0],
        .outcome = bytes[1],
        .id = get_le64 (bytes + 2),
        .ask = get_le64 (bytes + 10),
        .to_size = bytes[18],
        .from_size = bytes[19],
        .verb_size = bytes[20],
        .body_size = get_le32 (bytes + 21),
    };
    if (fields->flags & MESSAGE_CALL) {
        if (size < RECORD_HEAD + RECORD_CALL)
            return 0;
        fields->session = at;
        fields->seq = get_le64 (at + 16);
        fields->not_after_ms = get_le64 (at + 24);
        fields->subject_size = at[32];
        fields->subject = (const char *) at + RECORD_CALL;
        at += RECORD_CALL + (size_t) fields->subject_size;
    }
    if (fields->flags & MESSAGE_TRACED) {
        fields->trace = at;
        at += TRACE_SIZE;
    }
    size_t whole = message_record_size (fields);
    if (fields->body_size > TROUPE_BODY_MAX || fields->to_size > TROUPE_ADDRESS_MAX
        || fields->from_size > TROUPE_ADDRESS_MAX || fields->verb_size > TROUPE_NAME_MAX
        || fields->subject_size > TROUPE_ADDRESS_MAX || whole > size)
        return 0;
    fields->to = (const char *) at;
    fields->from = fields->to + fields->to_size;
    fields->verb = fields->from + fields->from_size;
    fields->body = fields->verb + fields->verb_size;
    return whole;
}
