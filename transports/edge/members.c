/*  members.c - the members of messages that are objects, in both forms.
 *
 *  DESIGN
 *  A table per type of message: its first row is the member that names it. Members mostly come in the order in which
 *  they are written down, so the search for each begins behind the one before. Texts go to their place in the
 *  message, bodies are not looked at. The caller's thread.
 */
#include "transports/edge/members.h"

#include "runtime/base/error.h"
#include "runtime/base/utf8.h"
#include "runtime/body/packed.h"

#include <stdio.h>

#define MEMBERS_MOST 8  /* of one type */
#define SESSION_TEXT 22
#define NAME_SHOWN 32   /* bytes of a stranger's name in an error */
#define NULL_HEAD 0xc0

typedef enum { NUMBER, TEXT, SESSION, TOKEN, BODY } form_t;

typedef struct {
    const char *name;
    uint8_t size;      /* bytes of the name */
    uint8_t form;
    bool is_wanted;
    uint16_t place;    /* in a client_message_t */
    uint16_t most;     /* bytes of a text */
} member_t;

#define MEMBER(name, form, is_wanted, place, most)                                                                     \
    { name, sizeof name - 1, form, is_wanted, offsetof (client_message_t, place), most }
#define NUMBER_MEMBER(name, is_wanted, place) MEMBER (name, NUMBER, is_wanted, place, 0)
#define ADDRESS_MEMBER(name) MEMBER (name, TEXT, true, to, TROUPE_ADDRESS_MAX)
#define VERB_MEMBER MEMBER ("verb", TEXT, true, verb, TROUPE_NAME_MAX)
#define BODY_MEMBER MEMBER ("body", BODY, false, body, 0)
#define TRACE_MEMBER MEMBER ("trace", TEXT, false, trace, TRACE_MAX)

static const struct {
    member_t members[MEMBERS_MOST];
} types[CLIENT_TYPES] = {
    [CLIENT_HELLO] = { { NUMBER_MEMBER ("hello", true, number), MEMBER ("token", TOKEN, false, token, TOKEN_MAX),
                         MEMBER ("session", SESSION, false, session, SESSION_TEXT),
                         MEMBER ("epoch", TEXT, false, epoch, RESUME_MAX),
                         MEMBER ("client", TEXT, false, client, CLIENT_NAME_MAX),
                         NUMBER_MEMBER ("credit", false, credit) } },
    [CLIENT_TOKEN] = { { MEMBER ("token", TOKEN, true, token, TOKEN_MAX) } },
    [CLIENT_CALL] = { { ADDRESS_MEMBER ("call"), VERB_MEMBER, NUMBER_MEMBER ("seq", true, number),
                        NUMBER_MEMBER ("until", false, until_ms), BODY_MEMBER, TRACE_MEMBER } },
    [CLIENT_CAST] = { { ADDRESS_MEMBER ("cast"), VERB_MEMBER, BODY_MEMBER, TRACE_MEMBER } },
    [CLIENT_WATCH] = { { MEMBER ("watch", TEXT, true, to, FEED_MAX), NUMBER_MEMBER ("id", true, number),
                         MEMBER ("from", TEXT, false, from, RESUME_MAX) } },
    [CLIENT_UNWATCH] = { { NUMBER_MEMBER ("unwatch", true, number) } },
    [CLIENT_PING] = { { NUMBER_MEMBER ("ping", true, number) } },
    [CLIENT_CREDIT] = { { NUMBER_MEMBER ("credit", true, number) } },
    [CLIENT_GOODBYE] = { { NUMBER_MEMBER ("goodbye", true, number) } },
};

/*  The reading of one message. */
typedef struct {
    const member_t *members;
    client_message_t *message;
    buffer_t *token;
    troupe_error_t *error;
} walk_t;

static troupe_status_t
wrong (const walk_t *self, const member_t *member, const char *what)
{
    const char *type = self->members->name, *name = member == self->members ? "" : member->name;
    return error_set (self->error, TROUPE_INVALID, "%s%s%s: %s", type, *name ? ": " : "", name, what);
}

void
members_reset (client_message_t *message, client_type_t type)
{
    message->type = type;
    message->to[0] = message->verb[0] = message->trace[0] = message->from[0] = '\0';
    message->epoch[0] = message->client[0] = '\0';
    message->number = message->until_ms = message->credit = 0;
    message->body = NULL;
    message->size = 0;
    message->has_session = false;
    memset (message->session, 0, sizeof message->session);
    message->token = "";
}

const char *
members_text (const void *bytes, size_t size, char *to, size_t most)
{
    if (size > most)
        return "too long";
    if (memchr (bytes, '\0', size))
        return "a NUL in it";
    memcpy (to, bytes, size);
    to[size] = '\0';
    return NULL;
}

void
members_body (client_message_t *message, const void *value, size_t size)
{
    bool is_null = size == 0 || (size == 1 && *(const uint8_t *) value == NULL_HEAD);
    message->body = is_null ? NULL : value;
    message->size = is_null ? 0 : size;
}

static troupe_status_t
take_number (const walk_t *self, const member_t *member, const packed_value_t *value)
{
    if (value->type != PACKED_INT)
        return wrong (self, member, "an integer is wanted");
    if (value->integer < 0 || (uint64_t) value->integer >= NUMBER_LIMIT)
        return wrong (self, member, "an integer from 0 to 2^53 - 1 is wanted");
    uint64_t number = (uint64_t) value->integer;
    memcpy ((char *) self->message + member->place, &number, sizeof number);
    return TROUPE_OK;
}

static troupe_status_t
too_long (const walk_t *self, const member_t *member)
{
    char what[64];
    snprintf (what, sizeof what, "longer than %u bytes", member->most);
    return wrong (self, member, what);
}

static troupe_status_t
take_token (const walk_t *self, const member_t *member, const packed_value_t *value)
{
    buffer_t *token = self->token;
    buffer_reset (token);
    char *place = (char *) buffer_reserve (token, value->string.size + 1);
    if (!place)
        return packed_status (token, self->error);
    const char *why = members_text (value->string.bytes, value->string.size, place, TOKEN_MAX);
    self->message->token = place;
    return why ? wrong (self, member, why) : TROUPE_OK;
}

static int
digit_of (uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '-' ? 62 : byte == '_' ? 63 : -1;
}

/*  The last of the digits has four bits too many, which are 0, so that no session has two texts. All zero is the
 *  runtime's word for none. */
static bool
read_session (const uint8_t *text, uint8_t session[SESSION_SIZE])
{
    uint32_t bits = 0, any = 0;
    unsigned count = 0, size = 0;
    for (unsigned index = 0; index < SESSION_TEXT; index++) {
        int digit = digit_of (text[index]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t) digit;
        any |= bits;
        count += 6;
        if (count >= 8) {
            count -= 8;
            session[size++] = (uint8_t) (bits >> count);
        }
    }
    return any && !(bits & 15);
}

static troupe_status_t
take_session (const walk_t *self, const member_t *member, const packed_value_t *value)
{
    if (value->string.size != SESSION_TEXT || !read_session (value->string.bytes, self->message->session))
        return wrong (self, member, "16 bytes, not all of them 0, in 22 characters of base64url are wanted");
    self->message->has_session = true;
    return TROUPE_OK;
}

static troupe_status_t
take_string (const walk_t *self, const member_t *member, const packed_value_t *value)
{
    if (value->type != PACKED_STRING)
        return wrong (self, member, "a string is wanted");
    if (member->form == SESSION)
        return take_session (self, member, value);
    if (value->string.size > member->most)
        return too_long (self, member);
    if (member->form == TOKEN)
        return take_token (self, member, value);
    char *place = (char *) self->message + member->place;
    const char *why = members_text (value->string.bytes, value->string.size, place, member->most);
    return why ? wrong (self, member, why) : TROUPE_OK;
}

/*  An optional member that is null is absent. */
static troupe_status_t
take_value (const walk_t *self, const member_t *member, packed_reader_t *reader)
{
    const uint8_t *begin = reader->at;
    packed_value_t value = { .type = PACKED_NULL };
    if (member->form == BODY) {
        packed_skip (reader);
        members_body (self->message, begin, (size_t) (reader->at - begin));
        return TROUPE_OK;
    }
    packed_next (reader, &value);
    if (value.type == PACKED_NULL && !member->is_wanted)
        return TROUPE_OK;
    return member->form == NUMBER ? take_number (self, member, &value) : take_string (self, member, &value);
}

/*  NULL: not known. */
static const member_t *
find (const member_t *members, const packed_value_t *key, unsigned hint)
{
    for (unsigned step = 0; step < MEMBERS_MOST; step++) {
        const member_t *member = &members[(hint + step) % MEMBERS_MOST];
        if (member->size == key->string.size && member->size
            && memcmp (member->name, key->string.bytes, member->size) == 0)
            return member;
    }
    return NULL;
}

static troupe_status_t
walk_members (const walk_t *self, packed_reader_t *reader, uint32_t count)
{
    packed_value_t key;
    unsigned seen = 0, hint = 1;
    troupe_status_t status = take_value (self, self->members, reader);
    while (--count && status == TROUPE_OK) {
        packed_next (reader, &key);
        const member_t *member = find (self->members, &key, hint);
        if (!member) {
            packed_skip (reader);
            continue;
        }
        hint = (unsigned) (member - self->members);
        seen |= 1u << hint++;
        status = take_value (self, member, reader);
    }
    for (unsigned index = 1; index < MEMBERS_MOST && status == TROUPE_OK; index++)
        if (self->members[index].is_wanted && !(seen >> index & 1))
            status = wrong (self, &self->members[index], "is missing");
    return status;
}

static bool
find_type (const packed_value_t *key, client_type_t *type)
{
    for (unsigned index = 0; index < CLIENT_TYPES; index++) {
        const member_t *first = types[index].members;
        if (first->size == key->string.size && memcmp (first->name, key->string.bytes, first->size) == 0) {
            *type = (client_type_t) index;
            return true;
        }
    }
    return false;
}

troupe_status_t
members_read (const void *packed, size_t size, client_message_t *message, buffer_t *token, troupe_error_t *error)
{
    packed_reader_t reader = { packed, (const uint8_t *) packed + size };
    packed_value_t object, key;
    client_type_t type;
    CHECK (packed_next (&reader, &object));
    if (object.type != PACKED_OBJECT)
        return error_set (error, TROUPE_INVALID, "a message is an object, not %s", packed_type_name (object.type));
    if (object.count == 0)
        return error_set (error, TROUPE_INVALID, "a message begins with the member that names its type, not }");
    packed_next (&reader, &key);
    if (!find_type (&key, &type))
        return error_set (error, TROUPE_INVALID, "a message begins with the member that names its type, not %.*s",
                          (int) (key.string.size < NAME_SHOWN ? key.string.size : NAME_SHOWN),
                          (const char *) key.string.bytes);
    members_reset (message, type);
    walk_t walk = { types[type].members, message, token, error };
    return walk_members (&walk, &reader, object.count);
}

void
members_mend (buffer_t *to, const char *string, size_t size)
{
    while (size) {
        size_t good = utf8_prefix (string, size);
        buffer_append (to, string, good);
        string += good;
        size -= good;
        if (size) {
            buffer_append (to, "\xef\xbf\xbd", 3);
            string += 1;
            size -= 1;
        }
    }
}

static void
put_text (buffer_t *to, const char *name, const char *text)
{
    buffer_t mended = { 0 };
    members_mend (&mended, text, strlen (text));
    to->failed = to->failed || mended.failed;
    packed_put_name (to, name);
    packed_put_string (to, (const char *) mended.data, mended.size);
    buffer_clear (&mended);
}

void
members_welcome (buffer_t *to, const welcome_t *welcome)
{
    static const char *const states[] = { [SESSION_NONE] = "none", [SESSION_OK] = "ok", [SESSION_NEW] = "new" };
    packed_put_object (to, 6);
    packed_put_number (to, "welcome", 1);
    put_text (to, "epoch", welcome->epoch);
    packed_put_number (to, "now", welcome->now_ms);
    put_text (to, "subject", welcome->subject);
    put_text (to, "session", states[welcome->session]);
    packed_put_name (to, "limits");
    packed_put_object (to, 4);
    packed_put_number (to, "message_bytes", welcome->limits.message_bytes);
    packed_put_number (to, "in_flight", welcome->limits.in_flight);
    packed_put_number (to, "watches", welcome->limits.watches);
    packed_put_number (to, "keep_ms", welcome->limits.keep_ms);
}
