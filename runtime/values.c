/*  values.c - load, store and walk: the state as a turn sees it.
 *
 *  DESIGN. Values are loaded lazily, at their first use, and changed in place
 *  in the actor; the bytes before the turn's first change of a value are kept
 *  in the turn's arena, so that a turn can be undone. When the turn is done
 *  they stand in the list of values changed since the last frame, once
 *  however often they change, and are written when the frame closes.
 *
 *  The version of an actor's state is looked at with the first use of its
 *  state, not when it wakes: an actor that never touches any costs no read.
 */

#include "runtime/inside.h"
#include "runtime/body/pack.h"
#include <stdarg.h>
#include <stdlib.h>

/* ---- version ---- */

static void
actor_key (const actor_t *actor, store_key_t *key)
{
    key_start (key, KEY_ACTOR);
    key_add_name (key, actor->address, actor->address_size);
}

bool
values_version (shard_t *self, actor_t *actor, uint32_t *version)
{
    store_key_t key;
    const uint8_t *bytes;
    size_t size;
    actor_key (actor, &key);
    *version = actor->kind->table->version;
    if (!shard_get (self, &key, &bytes, &size, NULL))
        return self->failure.status == TROUPE_OK;
    if (size != 4 && size != 8) {
        shard_fail (self, TROUPE_CORRUPT, "the record of %s is malformed", actor->address);
        return false;
    }
    *version = get_le32 (bytes);
    actor->state_steps = size == 8 ? get_le32 (bytes + 4) : 0;
    actor->flags |= ACTOR_HAS_STATE;
    return true;
}

void
values_write_version (shard_t *self, const actor_t *actor)
{
    store_key_t key;
    uint8_t bytes[8];
    actor_key (actor, &key);
    put_le32 (bytes, actor->kind->table->version);
    put_le32 (bytes + 4, actor->state_steps);
    shard_put (self, &key, bytes, actor->state_steps ? 8 : 4);
}

static bool
open_state (troupe_turn_t *turn)
{
    actor_t *actor = turn->actor;
    uint32_t version;
    if (__builtin_expect ((actor->flags & ACTOR_VERSION_KNOWN) != 0, 1))
        return true;
    if (!values_version (turn->shard, actor, &version)) {
        turn_poison (turn, turn->shard->failure.status, "%s", turn->shard->failure.text);
        return false;
    }
    if (version == actor->kind->table->version) {
        actor->flags |= ACTOR_VERSION_KNOWN;
        return true;
    }
    turn->needs_upgrade = true;
    turn_poison (turn, TROUPE_FAILED, "the state is of another version");
    return false;
}

/* ---- one value ---- */

static void
state_key (const actor_t *actor, const char *name, size_t size, store_key_t *key)
{
    key_start (key, KEY_STATE);
    key_add_name (key, actor->address, actor->address_size);
    key_add (key, name, size);
}

static value_t *
fetch_value (troupe_turn_t *turn, const char *name, size_t size)
{
    shard_t *self = turn->shard;
    store_key_t key;
    const uint8_t *bytes;
    size_t found;
    value_t *value = value_add (&self->pool, turn->actor, name, size);
    if (!value) {
        turn_poison (turn, TROUPE_NO_MEMORY, "no memory for the value of \"%s\"", name);
        return NULL;
    }
    state_key (turn->actor, name, size, &key);
    if (shard_get (self, &key, &bytes, &found, NULL)) {
        value->stored = (uint32_t) (found + size);
        if (!value_set (value, bytes, found))
            shard_fail (self, TROUPE_NO_MEMORY, "no memory for a value of %zu bytes", found);
    }
    if (__builtin_expect (self->failure.status == TROUPE_OK, 1))
        return value;
    turn_poison (turn, self->failure.status, "%s", self->failure.text);  /* or the handler would see no value */
    return NULL;
}

/*  The value of a key, maybe an absent one; NULL: the turn is poisoned. */
static value_t *
value_of (troupe_turn_t *turn, const char *name)
{
    size_t size = name ? strnlen (name, TROUPE_KEY_MAX + 1) : 0;
    if (size == 0 || size > TROUPE_KEY_MAX) {
        turn_poison (turn, TROUPE_INVALID, "a key has 1 to %d bytes, not %zu", TROUPE_KEY_MAX, size);
        return NULL;
    }
    if (!open_state (turn))
        return NULL;
    value_t *value = value_find (turn->actor, name, size);
    return value ? value : fetch_value (turn, name, size);
}

/*  Keeps what was there before this turn's first change of it. */
static bool
save (troupe_turn_t *turn, value_t *value)
{
    if (value->is_changed)
        return true;
    value->saved = NULL;
    if (!value->is_absent && value->size) {
        value->saved = arena_alloc (&turn->arena, value->size);
        if (!value->saved)
            return false;
        memcpy (value->saved, value->data, value->size);
    }
    value->saved_size = value->size;
    value->was_absent = value->is_absent;
    value->is_changed = true;
    value->changed_next = turn->changed;
    turn->changed = value;
    return true;
}

/*  The value of a key that this turn may change; NULL: the turn is poisoned. */
static value_t *
value_to_change (troupe_turn_t *turn, const char *name, size_t more)
{
    if (turn->read_only) {
        turn_poison (turn, TROUPE_INVALID, "a read may not store");
        return NULL;
    }
    turn->bytes += more + TROUPE_KEY_MAX;
    if (turn->bytes > TROUPE_TURN_MAX) {
        turn_poison (turn, TROUPE_TOO_LARGE, "the effects of one turn are over %u bytes", TROUPE_TURN_MAX);
        return NULL;
    }
    value_t *value = value_of (turn, name);
    if (value && !save (turn, value)) {
        turn_poison (turn, TROUPE_NO_MEMORY, "no memory to store \"%s\"", name);
        return NULL;
    }
    return value;
}

void
values_undo (troupe_turn_t *turn)
{
    for (value_t *value = turn->changed; value; value = value->changed_next) {
        if (value->saved)
            memcpy (value->data, value->saved, value->saved_size);
        value->size = value->saved_size;
        value->is_absent = value->was_absent;
        value->is_changed = false;
    }
    turn->changed = NULL;
}

void
values_commit (troupe_turn_t *turn)
{
    shard_t *self = turn->shard;
    for (value_t *value = turn->changed; value; value = value->changed_next) {
        value->is_changed = false;
        if (value->is_dirty) {
            self->dirty_bytes += value->size > value->saved_size ? value->size - value->saved_size : 0;
            continue;
        }
        value->is_dirty = true;
        value->dirty_next = self->dirty;
        self->dirty = value;
        self->dirty_bytes += value->size + value->key_size + turn->actor->address_size;
    }
    if (!(turn->actor->flags & ACTOR_HAS_STATE)) {
        turn->actor->flags |= ACTOR_HAS_STATE;
        values_write_version (self, turn->actor);
    }
    turn->changed = NULL;
}

void
values_seal (shard_t *self)
{
    for (value_t *value = self->dirty; value; value = value->dirty_next) {
        store_key_t key;
        state_key (value->actor, value->key, value->key_size, &key);
        if (value->is_absent)
            shard_delete (self, &key);
        else
            shard_put (self, &key, value->data, value->size);
        quota_value (self, value);
        value->is_dirty = false;
    }
    self->dirty = NULL;
}

/* ---- what a handler calls ---- */

const void *
troupe_value (troupe_turn_t *turn, const char *key, size_t *size)
{
    static const uint8_t empty[1];
    value_t *value = value_of (turn, key);
    if (!value || value->is_absent)
        return NULL;
    *size = value->size;
    return value->size ? value->data : empty;
}

troupe_status_t
troupe_load (troupe_turn_t *turn, const char *key, void *buffer, size_t size)
{
    value_t *value = value_of (turn, key);
    if (!value)
        return turn->error.status;
    if (value->is_absent)
        return TROUPE_NOT_FOUND;
    if (value->size > size)
        return TROUPE_TOO_LARGE;
    if (value->size)
        memcpy (buffer, value->data, value->size);
    return TROUPE_OK;
}

troupe_status_t
troupe_store (troupe_turn_t *turn, const char *key, const void *bytes, size_t size)
{
    if (size > TROUPE_VALUE_MAX)
        return turn_poison (turn, TROUPE_TOO_LARGE, "a value has at most %u bytes, not %zu", TROUPE_VALUE_MAX, size);
    value_t *value = value_to_change (turn, key, size);
    if (!value)
        return turn->error.status;
    if (!value_set (value, bytes, size))
        return turn_poison (turn, TROUPE_NO_MEMORY, "no memory to store \"%s\"", key);
    return TROUPE_OK;
}

troupe_status_t
troupe_append (troupe_turn_t *turn, const char *key, const void *bytes, size_t size)
{
    value_t *value = value_to_change (turn, key, size);
    if (!value)
        return turn->error.status;
    size_t before = value->is_absent ? 0 : value->size;
    if (size > TROUPE_VALUE_MAX - before)
        return turn_poison (turn, TROUPE_TOO_LARGE, "a value has at most %u bytes, not %zu", TROUPE_VALUE_MAX,
                            before + size);
    buffer_t whole = { 0 };
    buffer_append (&whole, value->data, before);
    buffer_append (&whole, bytes, size);
    bool set = !whole.failed && value_set (value, whole.data, whole.size);
    buffer_clear (&whole);
    return set ? TROUPE_OK : turn_poison (turn, TROUPE_NO_MEMORY, "no memory to append to \"%s\"", key);
}

troupe_status_t
troupe_erase (troupe_turn_t *turn, const char *key)
{
    value_t *value = value_to_change (turn, key, 0);
    if (!value)
        return turn->error.status;
    value->is_absent = true;
    value->size = 0;
    return TROUPE_OK;
}

troupe_status_t
troupe_save (troupe_turn_t *turn, const char *key, const char *format, ...)
{
    if (!TURN_PACK (turn, &turn->scratch, TROUPE_VALUE_MAX, format))
        return turn->error.status;
    return troupe_store (turn, key, turn->scratch.data, turn->scratch.size);
}

troupe_status_t
troupe_fetch (troupe_turn_t *turn, const char *key, const char *format, ...)
{
    value_t *value = value_of (turn, key);
    if (!value)
        return turn->error.status;
    if (value->is_absent)
        return TROUPE_NOT_FOUND;
    return TURN_READ (turn, value->data, value->size, format);
}

/* ---- walks ---- */

typedef struct {
    const char *key;
    const uint8_t *bytes;
    size_t size;
} seen_t;

typedef struct {
    troupe_turn_t *turn;
    const char *prefix;
    size_t prefix_size;
    buffer_t seen;
    bool failed;
} walk_t;

static void
see (walk_t *walk, const char *key, size_t key_size, const uint8_t *bytes, size_t size)
{
    seen_t seen = { arena_string (&walk->turn->arena, key, key_size), arena_alloc (&walk->turn->arena, size), size };
    if (seen.key && (seen.bytes || size == 0)) {
        if (size)
            memcpy ((uint8_t *) seen.bytes, bytes, size);
        buffer_append (&walk->seen, &seen, sizeof seen);
    } else
        walk->failed = true;
}

/*  A stored value; what the actor has in memory is newer. */
static bool
see_stored (void *arg, const uint8_t *key, size_t key_size, const uint8_t *bytes, size_t size)
{
    walk_t *walk = arg;
    size_t skip = 1 + (size_t) walk->turn->actor->address_size + 1;
    const char *name = (const char *) key + skip;
    if (!value_find (walk->turn->actor, name, key_size - skip))
        see (walk, name, key_size - skip, bytes, size);
    return !walk->failed;
}

static void
see_cached (void *arg, value_t *value)
{
    walk_t *walk = arg;
    if (!value->is_absent && value->key_size >= walk->prefix_size
        && memcmp (value->key, walk->prefix, walk->prefix_size) == 0)
        see (walk, value->key, value->key_size, value->data, value->size);
}

static int
compare_seen (const void *left, const void *right)
{
    return strcmp (((const seen_t *) left)->key, ((const seen_t *) right)->key);
}

troupe_status_t
troupe_each (troupe_turn_t *turn, const char *prefix, troupe_each_t *each, void *arg)
{
    store_key_t key;
    walk_t walk = { .turn = turn, .prefix = prefix, .prefix_size = strnlen (prefix, TROUPE_KEY_MAX + 1) };
    if (walk.prefix_size > TROUPE_KEY_MAX)
        return turn_poison (turn, TROUPE_INVALID, "a prefix has at most %d bytes", TROUPE_KEY_MAX);
    if (!open_state (turn))
        return turn->error.status;
    state_key (turn->actor, prefix, walk.prefix_size, &key);
    walk.failed = !shard_scan (turn->shard, key.bytes, key.size, see_stored, &walk) || walk.failed;
    value_each (turn->actor, see_cached, &walk);
    bool failed = walk.failed || walk.seen.failed;
    seen_t *seen = (seen_t *) walk.seen.data;
    size_t count = walk.seen.size / sizeof *seen;
    if (count && !failed)
        qsort (seen, count, sizeof *seen, compare_seen);
    for (size_t i = 0; i < count && !failed; i++) {
        if (!each (arg, seen[i].key, seen[i].size ? seen[i].bytes : (const uint8_t *) "", seen[i].size))
            break;
    }
    buffer_clear (&walk.seen);
    return failed ? turn_poison (turn, TROUPE_NO_MEMORY, "no memory to walk the keys") : TROUPE_OK;
}

static bool
erase_seen (void *arg, const char *key, const void *value, size_t size)
{
    (void) value;
    (void) size;
    return troupe_erase (arg, key) == TROUPE_OK;
}

troupe_status_t
troupe_erase_all (troupe_turn_t *turn)
{
    troupe_status_t status = troupe_each (turn, "", erase_seen, turn);
    return turn->poisoned ? turn->error.status : status;
}
