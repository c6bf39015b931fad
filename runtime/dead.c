/*  dead.c - dead letters: messages that were given up, with the reason.
 *
 *  DESIGN. A dead letter is a key of its shard under the next number, made in
 *  the frame that consumed the message. It is kept until an operator drops or
 *  retries it (as a new message, behind whatever came since), or until the
 *  bound on their bytes pushes the oldest out.
 */

#include "runtime/inside.h"
#include "runtime/body/packed.h"
#include <stdlib.h>
#include <string.h>

#define RECORD_HEAD 15  /* time, attempts, reason size, address size */

static void
dead_key (uint64_t number, store_key_t *key)
{
    key_start (key, KEY_DEAD);
    key_add_be64 (key, number);
}

static void
level (shard_t *self)
{
    counter_set (&self->metrics.dead_letters, self->dead_count);
}

/*  Erases one; its size is known to whoever read it. */
static void
erase (shard_t *self, uint64_t number, size_t size)
{
    store_key_t key;
    dead_key (number, &key);
    shard_delete (self, &key);
    shard_want_soon (self);
    self->dead_bytes -= size;
    self->dead_count -= 1;
    level (self);
}

static void
push_out_oldest (shard_t *self)
{
    while (self->dead_bytes > self->limits.dead_bytes && self->dead_first < self->dead_next) {
        store_key_t key;
        const uint8_t *value;
        size_t size;
        dead_key (self->dead_first, &key);
        if (shard_get (self, &key, &value, &size, NULL))
            erase (self, self->dead_first, size);
        self->dead_first += 1;
    }
}

void
dead_record (shard_t *self, const message_fields_t *fields, const char *to, size_t to_size, const char *reason,
             uint32_t attempts)
{
    store_key_t key;
    message_fields_t record = *fields;
    record.to_size = 0;
    size_t reason_size = strlen (reason);
    size_t size = RECORD_HEAD + reason_size + to_size + message_record_size (&record);
    dead_key (self->dead_next, &key);
    uint8_t *place = shard_put_place (self, &key, size);
    if (!place)
        return;
    put_le64 (place, self->now_ms);
    put_le32 (place + 8, attempts);
    put_le16 (place + 12, (uint16_t) reason_size);
    place[14] = (uint8_t) to_size;
    memcpy (place + RECORD_HEAD, reason, reason_size);
    memcpy (place + RECORD_HEAD + reason_size, to, to_size);
    message_record_write (&record, place + RECORD_HEAD + reason_size + to_size);
    self->dead_next += 1;
    self->dead_bytes += size;
    self->dead_count += 1;
    shard_want_soon (self);
    counter_add (&self->metrics.dead, 1);
    level (self);
    push_out_oldest (self);
}

void
dead_letter (shard_t *self, const actor_t *actor, const message_t *message, const char *reason)
{
    message_fields_t fields;
    message_fields (message, &fields);
    dead_record (self, &fields, actor->address, actor->address_size, reason, message->attempts);
}

/* ---- for the operator ---- */

typedef struct {
    uint64_t time_ms;
    uint32_t attempts;
    const char *reason, *to;
    size_t reason_size, to_size;
    message_fields_t fields;
} dead_t;

static bool
parse (const uint8_t *value, size_t size, dead_t *dead)
{
    if (size < RECORD_HEAD)
        return false;
    dead->time_ms = get_le64 (value);
    dead->attempts = get_le32 (value + 8);
    dead->reason_size = get_le16 (value + 12);
    dead->to_size = value[14];
    size_t texts = RECORD_HEAD + dead->reason_size + dead->to_size;
    if (size < texts)
        return false;
    dead->reason = (const char *) value + RECORD_HEAD;
    dead->to = dead->reason + dead->reason_size;
    return message_record_read (value + texts, size - texts, &dead->fields) > 0;
}

static void
put_text (buffer_t *packed, const char *name, const char *text, size_t size)
{
    packed_put_name (packed, name);
    packed_put_string (packed, text, size);
}

static void
pack_dead (const shard_t *self, uint64_t number, const dead_t *dead, buffer_t *packed)
{
    char trace[TRACE_TEXT_SIZE] = "";
    if (dead->fields.trace)
        trace_write (dead->fields.trace, trace);
    packed_put_object (packed, 10);
    packed_put_number (packed, "shard", self->number);
    packed_put_number (packed, "number", number);
    put_text (packed, "to", dead->to, dead->to_size);
    put_text (packed, "verb", dead->fields.verb, dead->fields.verb_size);
    put_text (packed, "from", dead->fields.from, dead->fields.from_size);
    put_text (packed, "reason", dead->reason, dead->reason_size);
    packed_put_number (packed, "time_ms", dead->time_ms);
    packed_put_number (packed, "attempts", dead->attempts);
    put_text (packed, "trace", trace, strlen (trace));
    packed_put_name (packed, "body");
    if (dead->fields.body_size)
        buffer_append (packed, dead->fields.body, dead->fields.body_size);
    else
        packed_put_null (packed);
}

typedef struct {
    const shard_t *shard;
    uint64_t from;
    uint32_t most, count;
    buffer_t packed;
} list_t;

static bool
list_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    list_t *list = arg;
    dead_t dead;
    uint64_t number = key_size == 9 ? get_be64 (key + 1) : 0;
    if (number >= list->from && parse (value, size, &dead)) {
        pack_dead (list->shard, number, &dead, &list->packed);
        list->count += 1;
    }
    return list->count < list->most;
}

troupe_status_t
shard_dead_list (shard_t *self, uint64_t from, uint32_t most, buffer_t *packed, troupe_error_t *error)
{
    char table = KEY_DEAD;
    list_t list = { .shard = self, .from = from, .most = most };
    if (most && !shard_scan (self, &table, 1, list_one, &list))
        return error_set (error, self->failure.status, "%s", self->failure.text);
    packed_put_array (packed, list.count);
    buffer_append (packed, list.packed.data, list.packed.size);
    bool failed = packed->failed || list.packed.failed;
    buffer_clear (&list.packed);
    return failed ? error_set (error, TROUPE_NO_MEMORY, "no memory for the list") : TROUPE_OK;
}

static troupe_status_t
find (shard_t *self, uint64_t number, dead_t *dead, size_t *size, troupe_error_t *error)
{
    store_key_t key;
    const uint8_t *value;
    dead_key (number, &key);
    if (!shard_get (self, &key, &value, size, NULL))
        return error_set (error, TROUPE_NOT_FOUND, "shard %u has no dead letter %llu", self->number,
                          (unsigned long long) number);
    if (!parse (value, *size, dead))
        return error_set (error, TROUPE_CORRUPT, "dead letter %llu is malformed", (unsigned long long) number);
    return TROUPE_OK;
}

troupe_status_t
shard_dead_drop (shard_t *self, uint64_t number, troupe_error_t *error)
{
    dead_t dead;
    size_t size;
    troupe_status_t status = find (self, number, &dead, &size, error);
    if (status == TROUPE_OK)
        erase (self, number, size);
    return status;
}

troupe_status_t
shard_dead_retry (shard_t *self, uint64_t number, troupe_error_t *error)
{
    dead_t dead;
    size_t size;
    address_t address;
    troupe_status_t status = find (self, number, &dead, &size, error);
    if (status != TROUPE_OK)
        return status;
    if (address_parse (dead.to, dead.to_size, &address, error) != TROUPE_OK
        || address_shard (&address, self->hash_seed, self->shards) != self->number)
        return error_set (error, TROUPE_INVALID, "dead letter %llu is for no address of this shard; drop it",
                          (unsigned long long) number);
    actor_t *actor = shard_actor (self, dead.to, dead.to_size);
    const verb_t *verb =
        actor && actor->kind ? kind_verb (actor->kind, dead.fields.verb, dead.fields.verb_size) : NULL;
    if (!verb)
        return error_set (error, TROUPE_NOT_FOUND, "this node has no kind or verb for dead letter %llu",
                          (unsigned long long) number);
    message_fields_t fields = dead.fields;
    static const uint8_t nobody[16];
    /* A new message: whoever asked or called was told long ago. Who called, and what was asked, it still says. */
    fields.flags = (uint8_t) (MESSAGE_DURABLE | (fields.flags & (MESSAGE_ANSWER | MESSAGE_CALL | MESSAGE_TRACED)));
    fields.id = hash_mix (fields.id, self->now_ms);
    fields.session = nobody;
    fields.seq = fields.id;
    message_t *message = message_new (&self->pool, &fields, verb);
    if (!message)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for the message");
    erase (self, number, size);
    mailbox_deliver (self, actor, message);
    return TROUPE_OK;
}

/* ---- start ---- */

static bool
start_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    shard_t *self = arg;
    (void) value;
    if (key_size != 9) {
        shard_fail (self, TROUPE_CORRUPT, "the key of a dead letter is malformed");
        return false;
    }
    uint64_t number = get_be64 (key + 1);
    if (self->dead_count == 0)
        self->dead_first = number;
    self->dead_next = number + 1;
    self->dead_bytes += size;
    self->dead_count += 1;
    return true;
}

bool
dead_start (shard_t *self)
{
    char table = KEY_DEAD;
    self->dead_first = self->dead_next = 1;
    bool done = shard_scan (self, &table, 1, start_one, self);
    level (self);
    return done;
}
