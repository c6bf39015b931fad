/*  inspect.c - looking at an actor, and at which actors are busy.
 *
 *  DESIGN. Inspecting wakes nobody and runs no handler: it reads the map, the
 *  open frame included, and the mailbox in memory. What it shows waits, like
 *  every output, for its frame (shard_release_after, by the caller).
 */

#include "runtime/inside.h"
#include "runtime/body/packed.h"
#include <stdlib.h>
#include <string.h>

#define MAIL_SHOWN 100

/* ---- lists of what the map holds of one actor ---- */

typedef struct {
    shard_t *shard;
    actor_t *actor;      /* in memory, or NULL */
    size_t skip;         /* bytes of the key before the name */
    uint32_t most, count;
    buffer_t packed;
} list_t;

static void
pack_value (list_t *list, const char *name, size_t name_size, const uint8_t *value, size_t size)
{
    list->count += 1;
    packed_put_object (&list->packed, 3);
    packed_put_name (&list->packed, "key");
    packed_put_string (&list->packed, name, name_size);
    packed_put_number (&list->packed, "size", size);
    packed_put_name (&list->packed, "value");
    packed_put_bytes (&list->packed, value, size);
}

static bool
list_state (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    list_t *list = arg;
    const char *name = (const char *) key + list->skip;
    size_t name_size = key_size - list->skip;
    const value_t *cached = list->actor ? value_find (list->actor, name, name_size) : NULL;
    if (!cached || !cached->is_dirty)
        pack_value (list, name, name_size, value, size);
    return list->count < list->most;
}

static void
list_dirty (void *arg, value_t *value)
{
    list_t *list = arg;
    if (value->is_dirty && !value->is_absent && list->count < list->most)
        pack_value (list, value->key, value->key_size, value->data, value->size);
}

static bool
list_timer (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    list_t *list = arg;
    if (size < 26 || size < 26u + value[25])
        return true;
    list->count += 1;
    packed_put_object (&list->packed, 4);
    packed_put_name (&list->packed, "name");
    packed_put_string (&list->packed, (const char *) key + list->skip, key_size - list->skip);
    packed_put_name (&list->packed, "verb");
    packed_put_string (&list->packed, (const char *) value + 26, value[25]);
    packed_put_number (&list->packed, "due_ms", get_le64 (value));
    packed_put_number (&list->packed, "every_ms", get_le64 (value + 8));
    return list->count < list->most;
}

static bool
list_ask (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    list_t *list = arg;
    (void) key;
    (void) key_size;
    if (size < 8)
        return true;
    list->count += 1;
    packed_put_object (&list->packed, 2);
    packed_put_name (&list->packed, "then");
    packed_put_string (&list->packed, (const char *) value + 8, size - 8);
    packed_put_number (&list->packed, "due_ms", get_le64 (value));
    return list->count < list->most;
}

static bool
list_feed (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    list_t *list = arg;
    if (size < 16)
        return true;
    list->count += 1;
    packed_put_object (&list->packed, 3);
    packed_put_name (&list->packed, "channel");
    packed_put_string (&list->packed, (const char *) key + list->skip, key_size - list->skip);
    packed_put_number (&list->packed, "head", get_le64 (value));
    packed_put_number (&list->packed, "first", get_le64 (value + 8));
    return list->count < list->most;
}

static void
add_list (list_t *list, const char *name, const char *address, char table, shard_each_t *each, buffer_t *packed)
{
    store_key_t key;
    key_start (&key, table);
    key_add_name (&key, address, strlen (address));
    list->skip = key.size;
    shard_scan (list->shard, key.bytes, key.size, each, list);
    if (table == KEY_STATE && list->actor)
        value_each (list->actor, list_dirty, list);
    packed_put_name (packed, name);
    packed_put_array (packed, list->count);
    buffer_append (packed, list->packed.data, list->packed.size);
    packed->failed |= list->packed.failed;
    buffer_reset (&list->packed);
    list->count = 0;
}

/* ---- the mailbox ---- */

static void
add_mail (const actor_t *actor, buffer_t *packed)
{
    uint32_t count = actor ? actor->mail < MAIL_SHOWN ? actor->mail : MAIL_SHOWN : 0;
    const message_t *message = actor ? actor->first : NULL;
    packed_put_name (packed, "next_mail");
    packed_put_array (packed, count);
    for (uint32_t i = 0; i < count; i++, message = message->next) {
        packed_put_object (packed, 4);
        packed_put_text (packed, "verb", message_verb_name (message));
        packed_put_text (packed, "from", message_from (message));
        packed_put_number (packed, "size", message->body_size);
        packed_put_number (packed, "attempts", message->attempts);
    }
}

static const char *
condition (const actor_t *actor, bool has_kind)
{
    if (!has_kind)
        return "of a kind that is not here";
    if (!actor)
        return "asleep";
    if (actor->flags & ACTOR_PARKED)
        return "parked";
    if (actor->flags & ACTOR_HELD)
        return "waits to try again";
    if (actor->flags & ACTOR_AWAY)
        return actor->more->remote->place == REMOTE_AT_DOOR ? "waits for a worker" : "away";
    return "awake";
}

troupe_status_t
shard_inspect (shard_t *self, const char *address, uint32_t most, buffer_t *packed, troupe_error_t *error)
{
    address_t parts;
    troupe_status_t status = address_parse (address, strlen (address), &parts, error);
    if (status != TROUPE_OK)
        return status;
    actor_t *actor = shard_find_actor (self, address, strlen (address));
    bool has_kind = registry_find (self->registry, parts.kind, parts.kind_size) != NULL;
    list_t list = { .shard = self, .actor = actor, .most = most };
    const char *held = actor ? quota_refuses (self, actor) : NULL;
    packed_put_object (packed, 12);
    packed_put_text (packed, "address", address);
    packed_put_number (packed, "shard", self->number);
    packed_put_text (packed, "condition", condition (actor, has_kind));
    packed_put_text (packed, "reason", actor && actor->more && actor->more->reason ? actor->more->reason : "");
    packed_put_number (packed, "mail", actor ? mailbox_count (actor) : 0);
    packed_put_number (packed, "bytes", actor ? quota_bytes (actor) : 0);
    packed_put_text (packed, "held", held ? held : "");
    add_mail (actor, packed);
    add_list (&list, "state", address, KEY_STATE, list_state, packed);
    add_list (&list, "timers", address, KEY_TIMER, list_timer, packed);
    add_list (&list, "asks", address, KEY_ASK, list_ask, packed);
    add_list (&list, "feeds", address, KEY_FEED, list_feed, packed);
    buffer_clear (&list.packed);
    if (self->failure.status != TROUPE_OK)
        return error_set (error, self->failure.status, "%s", self->failure.text);
    return packed->failed ? error_set (error, TROUPE_NO_MEMORY, "no memory to inspect") : TROUPE_OK;
}

void
actor_revive (shard_t *self, actor_t *actor)
{
    actor->flags &= (uint16_t) ~ACTOR_PARKED;
    actor->more->wake_failures = 0;
    if (recorder_has_suspects (self->recorder)) {
        recorder_forgive (self->recorder, turn_id_of_actor (self, actor, TURN_WAKE));
        recorder_forgive (self->recorder, turn_id_of_actor (self, actor, TURN_UPGRADE));
    }
    counter_set (&self->metrics.parked, counter_get (&self->metrics.parked) - 1);
    if (actor->first)
        mailbox_make_runnable (self, actor);
}

troupe_status_t
shard_revive (shard_t *self, const char *address, troupe_error_t *error)
{
    actor_t *actor = shard_find_actor (self, address, strlen (address));
    if (!actor || !(actor->flags & ACTOR_PARKED))
        return error_set (error, TROUPE_NOT_FOUND, "%.200s is not parked", address);
    if (!actor->kind)
        return error_set (error, TROUPE_INVALID, "this node does not have the kind of %.200s", address);
    if (self->parked_kinds[actor->kind->index])
        return error_set (error, TROUPE_INVALID, "all of its kind is parked: revive %s", actor->kind->name);
    actor_revive (self, actor);
    return TROUPE_OK;
}

/* ---- busy ones ---- */

typedef struct {
    const actor_t **actors;
    uint32_t count, most;
    shard_hot_t by;
} hot_t;

static uint64_t
heat (const hot_t *hot, const actor_t *actor)
{
    return hot->by == HOT_BY_MAIL ? mailbox_count (actor) : actor->turns;
}

static bool
keep_hot (void *arg, table_node_t *node)
{
    hot_t *hot = arg;
    const actor_t *actor = (const actor_t *) node;
    if (actor->turns == 0 && actor->mail == 0)
        return true;
    uint32_t at = hot->count;
    while (at > 0 && heat (hot, hot->actors[at - 1]) < heat (hot, actor))
        at -= 1;
    if (at == hot->most)
        return true;
    if (hot->count < hot->most)
        hot->count += 1;
    memmove (hot->actors + at + 1, hot->actors + at, (hot->count - at - 1) * sizeof *hot->actors);
    hot->actors[at] = actor;
    return true;
}

troupe_status_t
shard_hot (shard_t *self, shard_hot_t by, uint32_t most, buffer_t *packed, troupe_error_t *error)
{
    const actor_t *found[100];
    hot_t hot = { .actors = found, .most = most < 100 ? most : 100, .by = by };
    if (hot.most)
        table_each (&self->actors, keep_hot, &hot);
    packed_put_array (packed, hot.count);
    for (uint32_t i = 0; i < hot.count; i++) {
        packed_put_object (packed, 3);
        packed_put_text (packed, "address", found[i]->address);
        packed_put_number (packed, "turns", found[i]->turns);
        packed_put_number (packed, "mail", mailbox_count (found[i]));
    }
    return packed->failed ? error_set (error, TROUPE_NO_MEMORY, "no memory for the list") : TROUPE_OK;
}
