/*  relay.c - what the gateways of one node ask of another and are told, as bytes.
 *
 *  DESIGN
 *  One layout for all, so that one function reads what another machine says:
 *
 *      u8 type | u8 flags | u8 status | u32 count | u64 id | u64 number | u64 until | 16 session
 *      5 texts: u16 size, bytes, NUL | body, up to the end
 *
 *  What is read was looked at: whoever uses it may trust its form as if this node had made it.
 */
#include "runtime/relay.h"

#include "runtime/base/bytes.h"
#include "runtime/body/packed.h"

#define TEXTS 5
#define HEAD_SIZE (RELAY_HEAD - TEXTS * 3)
#define ORDERED 1
#define HAS_KEY 2
#define TEXT_MAX 1023
#define PAGE_MAX (2u * TROUPE_BODY_MAX)

static const uint16_t text_limits[TEXTS] = { TROUPE_ADDRESS_MAX, TROUPE_NAME_MAX, TROUPE_ADDRESS_MAX, TROUPE_NAME_MAX,
                                             TEXT_MAX };

static void
write_text (buffer_t *to, const char *text, uint16_t limit)
{
    uint8_t bytes[2];
    size_t size = text ? strnlen (text, limit) : 0;
    put_le16 (bytes, (uint16_t) size);
    buffer_append (to, bytes, sizeof bytes);
    buffer_append (to, text, size);
    buffer_byte (to, 0);
}

void
relay_write (buffer_t *to, const relay_message_t *message)
{
    const char *const texts[TEXTS] = { message->to, message->name, message->who, message->channel, message->text };
    uint8_t head[HEAD_SIZE] = { (uint8_t) message->type,
                                (uint8_t) ((message->is_ordered ? ORDERED : 0) | (message->has_key ? HAS_KEY : 0)),
                                (uint8_t) message->status };
    put_le32 (head + 3, message->count);
    put_le64 (head + 7, message->id);
    put_le64 (head + 15, message->number);
    put_le64 (head + 23, message->until_ms);
    memcpy (head + 31, message->session, sizeof message->session);
    buffer_append (to, head, sizeof head);
    for (unsigned i = 0; i < TEXTS; i++)
        write_text (to, texts[i], text_limits[i]);
    buffer_append (to, message->body, message->size);
}

/*  The bytes that it takes; 0: it is none. */
static size_t
read_text (const char **text, const uint8_t *bytes, size_t size, uint16_t limit)
{
    size_t length = size >= 3 ? get_le16 (bytes) : limit + 1u;
    if (length > limit || length + 3 > size || bytes[2 + length] != 0 || memchr (bytes + 2, 0, length))
        return 0;
    *text = (const char *) bytes + 2;
    return length + 3;
}

bool
relay_read (relay_message_t *message, const void *bytes_, size_t size)
{
    const uint8_t *bytes = bytes_;
    if (size < HEAD_SIZE || bytes[0] < RELAY_CALL || bytes[0] > RELAY_TAKEN || bytes[1] > (ORDERED | HAS_KEY)
        || bytes[2] >= TROUPE_STATUSES)
        return false;
    *message = (relay_message_t) {
        .type = (relay_type_t) bytes[0],
        .is_ordered = bytes[1] & ORDERED,
        .has_key = bytes[1] & HAS_KEY,
        .status = (troupe_status_t) bytes[2],
        .count = get_le32 (bytes + 3),
        .id = get_le64 (bytes + 7),
        .number = get_le64 (bytes + 15),
        .until_ms = get_le64 (bytes + 23)
    };
    memcpy (message->session, bytes + 31, sizeof message->session);
    const char **const texts[TEXTS] = { &message->to, &message->name, &message->who, &message->channel,
                                        &message->text };
    size_t at = HEAD_SIZE;
    for (unsigned i = 0; i < TEXTS; i++) {
        size_t used = read_text (texts[i], bytes + at, size - at, text_limits[i]);
        if (used == 0)
            return false;
        at += used;
    }
    message->size = size - at;
    message->body = message->size ? bytes + at : NULL;
    return message->size <= (message->type == RELAY_ANSWER ? PAGE_MAX : TROUPE_BODY_MAX)
           && packed_is_valid (message->body, message->size);
}

static bool
has_number (const uint8_t *packed, size_t size, const char *name)
{
    packed_reader_t reader;
    packed_value_t value;
    return packed_find (packed, size, name, &reader) && packed_next (&reader, &value) && value.type == PACKED_INT
           && value.integer >= 0;
}

static bool
is_event (const uint8_t *packed, size_t size)
{
    packed_reader_t reader;
    packed_value_t value;
    bool has_bad_key = packed_find (packed, size, "key", &reader) && packed_next (&reader, &value)
                       && (value.type != PACKED_STRING || value.string.size > TROUPE_KEY_MAX
                           || memchr (value.string.bytes, 0, value.string.size));
    return !has_bad_key && has_number (packed, size, "offset") && has_number (packed, size, "time_ms")
           && packed_find (packed, size, "body", &reader);
}

bool
relay_is_page (const void *packed, size_t size)
{
    packed_reader_t events;
    packed_value_t value;
    if (!has_number (packed, size, "head") || !has_number (packed, size, "first")
        || !packed_find (packed, size, "events", &events) || !packed_next (&events, &value)
        || value.type != PACKED_ARRAY)
        return false;
    for (uint32_t count = value.count; count > 0; count--) {
        const uint8_t *begin = events.at;
        if (!packed_skip (&events) || !is_event (begin, (size_t) (events.at - begin)))
            return false;
    }
    return true;
}
