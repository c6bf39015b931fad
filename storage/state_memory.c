/*  state_memory.c - the folded state in memory, for the simulator and tests.
 *
 *  DESIGN
 *  A shard's map is a sorted array of records that never changes: a fold makes a
 *  new array of old and new records and swaps it in, a view holds the array that
 *  was newest when it was renewed. So a view sees exactly what an LMDB snapshot
 *  would, and a value borrowed for too long is caught by ASan as soon as the
 *  array goes. Arrays and records count their users. Costs grow with the size of
 *  the shard at each fold: fine for the small worlds of a simulator.
 *
 *  One mutex guards all counts and the newest arrays; what a view holds is read
 *  without it. A "crash" frees all views, which the dead process cannot do.
 */
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/state.h"

#include <pthread.h>

typedef struct {
    uint32_t users;
    uint16_t key_size;
    uint32_t value_size;
    uint8_t bytes[];  /* key, value */
} record_t;

typedef struct {
    uint32_t users;
    size_t count;
    record_t *records[];
} map_t;

typedef struct {
    state_port_t port;
    state_identity_t identity;

    /* shared: under the mutex */
    pthread_mutex_t mutex;
    map_t **maps;         /* the newest of each shard */
    state_mark_t marks[STATE_SHARDS_MAX];
    state_view_t *views;
    uint64_t folds_left;  /* until it is dead; counts when can_die */
    bool can_die;
} state_memory_t;

struct state_view_s {
    state_memory_t *state;
    uint16_t shard;
    map_t *map;           /* held while live, else NULL */
    state_view_t *next, **link;
};

/* ------------------------------------------------------------------ *
 *  Records and maps. With the mutex, or before anybody else knows them.
 * ------------------------------------------------------------------ */

static record_t *
record_new (const frame_op_t *op)
{
    record_t *self = memory_alloc (sizeof *self + op->key_size + (size_t) op->value_size);
    if (!self)
        return NULL;
    self->users = 1;
    self->key_size = op->key_size;
    self->value_size = op->value_size;
    memcpy (self->bytes, op->key, op->key_size);
    if (op->value_size)
        memcpy (self->bytes + op->key_size, op->value, op->value_size);
    return self;
}

static map_t *
map_new (size_t most)
{
    map_t *self = memory_zalloc (sizeof *self + most * sizeof (record_t *));
    if (self)
        self->users = 1;
    return self;
}

static void
map_drop (map_t **self_p)
{
    map_t *self = *self_p;
    *self_p = NULL;
    if (!self || --self->users)
        return;
    for (size_t i = 0; i < self->count; i++) {
        if (--self->records[i]->users == 0)
            memory_free (self->records[i]);
    }
    memory_free (self);
}

static int
compare (const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    size_t least = a_size < b_size ? a_size : b_size;
    int order = least ? memcmp (a, b, least) : 0;
    return order ? order : a_size < b_size ? -1 : a_size > b_size;
}

/*  The place of the first record that is not before the key. */
static size_t
map_find (const map_t *self, const uint8_t *key, size_t size)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const record_t *record = self->records[middle];
        if (compare (record->bytes, record->key_size, key, size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
map_keep (map_t *self, record_t *record)
{
    record->users++;
    self->records[self->count++] = record;
}

/*  The old map with these changes of one shard; NULL when out of memory. */
static map_t *
map_merge (const map_t *old, const state_change_t *changes, size_t count)
{
    map_t *self = map_new (old->count + count);
    size_t at = 0;
    for (size_t i = 0; self && i < count; i++) {
        const frame_op_t *op = &changes[i].op;
        int order = 1;
        while (at < old->count) {
            order = compare (old->records[at]->bytes, old->records[at]->key_size, op->key, op->key_size);
            if (order >= 0)
                break;
            map_keep (self, old->records[at++]);
        }
        if (order == 0 && at < old->count)
            at++;
        if (op->kind != FRAME_PUT)
            continue;
        self->records[self->count] = record_new (op);
        if (self->records[self->count])
            self->count++;
        else
            map_drop (&self);
    }
    while (self && at < old->count)
        map_keep (self, old->records[at++]);
    return self;
}

/* ------------------------------------------------------------------ *
 *  Its life
 * ------------------------------------------------------------------ */

static const state_port_t port_functions;

static void
set_epoch (state_identity_t *identity, uint64_t seed)
{
    for (uint64_t i = 0; i < 2; i++)
        put_le64 (identity->epoch + 8 * i, hash_mix (seed, 4 + i));
}

static void
set_identity (state_identity_t *identity, uint32_t shards, uint64_t seed)
{
    identity->format = STATE_FORMAT;
    identity->shards = shards;
    identity->hash_seed = hash_mix (seed, 1);
    for (uint64_t i = 0; i < 2; i++)
        put_le64 (identity->store_id + 8 * i, hash_mix (seed, 2 + i));
    set_epoch (identity, seed);
}

state_port_t *
state_memory_new (uint32_t shards, uint64_t seed)
{
    CHECK (shards >= 1 && shards <= STATE_SHARDS_MAX);
    state_memory_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    pthread_mutex_init (&self->mutex, NULL);
    set_identity (&self->identity, shards, seed);
    self->port = port_functions;
    self->port.self = self;
    state_port_t *port = &self->port;
    self->maps = memory_zalloc (shards * sizeof (map_t *));
    for (uint32_t i = 0; self->maps && i < shards; i++) {
        self->maps[i] = map_new (0);
        if (!self->maps[i]) {
            state_memory_destroy (&port);
            return NULL;
        }
    }
    if (!self->maps)
        state_memory_destroy (&port);
    return port;
}

static void
drop_view (state_view_t *view)
{
    map_drop (&view->map);
    *view->link = view->next;
    if (view->next)
        view->next->link = view->link;
    memory_free (view);
}

void
state_memory_destroy (state_port_t **self_p)
{
    CHECK (self_p);
    if (!*self_p)
        return;
    state_memory_t *self = (*self_p)->self;
    CHECK (!self->views);
    for (uint32_t i = 0; self->maps && i < self->identity.shards; i++)
        map_drop (&self->maps[i]);
    memory_free (self->maps);
    pthread_mutex_destroy (&self->mutex);
    memory_free (self);
    *self_p = NULL;
}

void
state_memory_die_after (state_port_t *port, uint64_t folds)
{
    state_memory_t *self = port->self;
    pthread_mutex_lock (&self->mutex);
    self->can_die = folds > 0;
    self->folds_left = folds;
    pthread_mutex_unlock (&self->mutex);
}

void
state_memory_revive (state_port_t *port)
{
    state_memory_t *self = port->self;
    pthread_mutex_lock (&self->mutex);
    while (self->views)
        drop_view (self->views);
    self->can_die = false;
    pthread_mutex_unlock (&self->mutex);
}

void
state_memory_place_by (state_port_t *port, uint64_t hash_seed)
{
    ((state_memory_t *) port->self)->identity.hash_seed = hash_seed;
}

void
state_memory_new_epoch (state_port_t *port, uint64_t seed)
{
    set_epoch (&((state_memory_t *) port->self)->identity, seed);
}

uint64_t
state_memory_bytes (state_port_t *port)
{
    state_memory_t *self = port->self;
    uint64_t bytes = 0;
    pthread_mutex_lock (&self->mutex);
    for (uint32_t i = 0; i < self->identity.shards; i++)
        for (size_t j = 0; j < self->maps[i]->count; j++)
            bytes += self->maps[i]->records[j]->key_size + self->maps[i]->records[j]->value_size;
    pthread_mutex_unlock (&self->mutex);
    return bytes;
}

static const state_identity_t *
memory_identity (void *port_self)
{
    return &((state_memory_t *) port_self)->identity;
}

static void
memory_marks (void *port_self, state_mark_t *marks)
{
    state_memory_t *self = port_self;
    pthread_mutex_lock (&self->mutex);
    memcpy (marks, self->marks, self->identity.shards * sizeof *marks);
    pthread_mutex_unlock (&self->mutex);
}

/* ------------------------------------------------------------------ *
 *  Views
 * ------------------------------------------------------------------ */

static state_view_t *
memory_view_new (void *port_self, uint16_t shard)
{
    state_memory_t *self = port_self;
    CHECK (shard < self->identity.shards);
    state_view_t *view = memory_zalloc (sizeof *view);
    if (!view)
        return NULL;
    view->state = self;
    view->shard = shard;
    pthread_mutex_lock (&self->mutex);
    view->next = self->views;
    view->link = &self->views;
    if (view->next)
        view->next->link = &view->next;
    self->views = view;
    pthread_mutex_unlock (&self->mutex);
    return view;
}

static void
memory_view_destroy (state_view_t **view_p)
{
    CHECK (view_p);
    state_view_t *view = *view_p;
    if (!view)
        return;
    state_memory_t *self = view->state;
    pthread_mutex_lock (&self->mutex);
    drop_view (view);
    pthread_mutex_unlock (&self->mutex);
    *view_p = NULL;
}

static void
memory_view_release (state_view_t *view)
{
    pthread_mutex_lock (&view->state->mutex);
    map_drop (&view->map);
    pthread_mutex_unlock (&view->state->mutex);
}

static uint64_t
memory_view_renew (state_view_t *view)
{
    state_memory_t *self = view->state;
    pthread_mutex_lock (&self->mutex);
    map_drop (&view->map);
    view->map = self->maps[view->shard];
    view->map->users++;
    uint64_t frame = self->marks[view->shard].frame;
    pthread_mutex_unlock (&self->mutex);
    return frame;
}

static const map_t *
live_map (state_view_t *view)
{
    if (!view->map)
        memory_view_renew (view);
    return view->map;
}

static troupe_status_t
memory_get (state_view_t *view, const uint8_t *key, size_t key_size, const uint8_t **value, size_t *value_size)
{
    const map_t *map = live_map (view);
    size_t at = map_find (map, key, key_size);
    if (at == map->count || compare (map->records[at]->bytes, map->records[at]->key_size, key, key_size) != 0)
        return TROUPE_NOT_FOUND;
    *value = map->records[at]->bytes + key_size;
    *value_size = map->records[at]->value_size;
    return TROUPE_OK;
}

static troupe_status_t
memory_scan (state_view_t *view, const uint8_t *prefix, size_t prefix_size, const uint8_t *from, size_t from_size,
             state_each_t *each, void *arg)
{
    const map_t *map = live_map (view);
    bool from_is_later = from_size && compare (from, from_size, prefix, prefix_size) > 0;
    size_t at = from_is_later ? map_find (map, from, from_size) : map_find (map, prefix, prefix_size);
    for (; at < map->count; at++) {
        const record_t *record = map->records[at];
        if (record->key_size < prefix_size || (prefix_size && memcmp (record->bytes, prefix, prefix_size) != 0))
            break;
        if (!each (arg, record->bytes, record->key_size, record->bytes + record->key_size, record->value_size))
            break;
    }
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Folding
 * ------------------------------------------------------------------ */

static void
check_order (const state_memory_t *self, const state_change_t *changes, size_t count, const state_mark_t *marks)
{
    for (uint32_t i = 0; i < self->identity.shards; i++)
        CHECK (marks[i].frame >= self->marks[i].frame
               && state_mark_newest (&marks[i]) >= state_mark_newest (&self->marks[i]));
    for (size_t i = 0; i < count; i++) {
        const state_change_t *b = &changes[i], *a = i ? b - 1 : NULL;
        CHECK (b->shard < self->identity.shards && b->op.key_size >= 1 && b->op.key_size <= FRAME_KEY_MAX);
        CHECK (!a || a->shard < b->shard
               || (a->shard == b->shard
                   && compare (a->op.key, a->op.key_size, b->op.key, b->op.key_size) < 0));
    }
}

/*  The maps after the fold, those without a change as they are; false when out of memory. */
static bool
merge_all (const state_memory_t *self, const state_change_t *changes, size_t count, map_t **maps)
{
    size_t at = 0;
    for (uint32_t i = 0; i < self->identity.shards; i++) {
        size_t end = at;
        while (end < count && changes[end].shard == i)
            end++;
        if (end > at) {
            maps[i] = map_merge (self->maps[i], changes + at, end - at);
        } else {
            maps[i] = self->maps[i];
            maps[i]->users++;
        }
        if (!maps[i])
            return false;
        at = end;
    }
    return true;
}

/*  With the mutex. */
static troupe_status_t
fold_all (state_memory_t *self, const state_change_t *changes, size_t count, const state_mark_t *marks,
          troupe_error_t *error)
{
    if (self->can_die && self->folds_left <= 1)
        return error_set (error, TROUPE_IO, "the state in memory was told to die");
    map_t **maps = memory_zalloc (self->identity.shards * sizeof (map_t *));
    if (!maps || !merge_all (self, changes, count, maps)) {
        for (uint32_t i = 0; maps && i < self->identity.shards; i++)
            map_drop (&maps[i]);
        memory_free (maps);
        return error_set (error, TROUPE_NO_MEMORY, "no memory to fold");
    }
    for (uint32_t i = 0; i < self->identity.shards; i++)
        map_drop (&self->maps[i]);
    memory_free (self->maps);
    self->maps = maps;
    memcpy (self->marks, marks, self->identity.shards * sizeof *marks);
    self->folds_left -= self->can_die;
    return TROUPE_OK;
}

static troupe_status_t
memory_fold (void *port_self, const state_change_t *changes, size_t count, const state_mark_t *marks,
             troupe_error_t *error)
{
    state_memory_t *self = port_self;
    pthread_mutex_lock (&self->mutex);
    check_order (self, changes, count, marks);
    troupe_status_t status = fold_all (self, changes, count, marks, error);
    pthread_mutex_unlock (&self->mutex);
    return status;
}

static const state_port_t port_functions = {
    .identity = memory_identity,
    .marks = memory_marks,
    .view_new = memory_view_new,
    .view_destroy = memory_view_destroy,
    .view_renew = memory_view_renew,
    .view_release = memory_view_release,
    .get = memory_get,
    .scan = memory_scan,
    .fold = memory_fold,
};
