/*  overlay.c - what the frames that are not folded yet say, key by key.
 *
 *  DESIGN. Reads look here first and then at the tree. An entry holds a frame
 *  and an offset, not a pointer into the body, since the body of the open
 *  frame moves as it grows. An entry leaves when the frame that it points at
 *  is evicted, which happens only after the tree holds that frame; if a newer
 *  frame spoke meanwhile the entry points there and stays.
 *
 *  Each look at a large table is a row of cache misses, one after the other:
 *  bucket, entry, key. So ops are noted and evicted by batches, each miss of all
 *  of them begun before the first is waited for.
 */

#include "runtime/overlay.h"
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/keys.h"

typedef struct {
    table_node_t node;
    overlay_entry_t *entries;  /* first of the chain by group_next */
    uint16_t size;
    uint8_t name[];            /* table letter, address, NUL */
} overlay_group_t;

struct overlay_entry_s {
    table_node_t node;
    const frame_t *frame;
    overlay_group_t *group;       /* NULL: not a state value; chained by the letter of its table */
    overlay_entry_t *group_next;
    overlay_entry_t **group_place;  /* what points at this entry in its group, or among those of its table */
    uint32_t offset;
};

#define BATCH 32

typedef struct {
    frame_op_t op;
    size_t offset;
    uint32_t hash;
} batched_t;

static frame_op_t
entry_op (const overlay_entry_t *entry)
{
    size_t at = entry->offset;
    frame_op_t op;
    bool read = frame_next_op (entry->frame->body.data, entry->frame->body.size, &at, &op);
    CHECK (read);
    return op;
}

static uint32_t
key_hash (const void *key, size_t key_size)
{
    return (uint32_t) hash_bytes (key, key_size, 0);
}

static overlay_entry_t *
find (overlay_t *self, const void *key, size_t key_size, uint32_t hash)
{
    for (table_node_t *node = table_chain (&self->entries, hash); node; node = node->next) {
        if (node->hash != hash)
            continue;
        overlay_entry_t *entry = (overlay_entry_t *) node;
        const uint8_t *at = entry->frame->body.data + entry->offset;
        if (get_le16 (at + 1) == key_size && memcmp (at + FRAME_OP_HEAD, key, key_size) == 0)
            return entry;
    }
    return NULL;
}

/*  The part of a state key that names its actor: up to and with the NUL; 0 for other tables. */
static size_t
group_size (const uint8_t *key, size_t key_size)
{
    if (key_size == 0 || key[0] != KEY_STATE)
        return 0;
    const uint8_t *nul = memchr (key, 0, key_size);
    return nul ? (size_t) (nul - key) + 1 : 0;
}

static overlay_group_t *
group_find (overlay_t *self, const uint8_t *name, size_t size, uint32_t hash)
{
    for (table_node_t *node = table_chain (&self->groups, hash); node; node = node->next) {
        overlay_group_t *group = (overlay_group_t *) node;
        if (node->hash == hash && group->size == size && memcmp (group->name, name, size) == 0)
            return group;
    }
    return NULL;
}

static void
chain (overlay_entry_t **first, overlay_entry_t *entry)
{
    entry->group_next = *first;
    if (entry->group_next)
        entry->group_next->group_place = &entry->group_next;
    entry->group_place = first;
    *first = entry;
}

static bool
group_join (overlay_t *self, overlay_entry_t *entry, const uint8_t *key, size_t key_size)
{
    size_t size = group_size (key, key_size);
    if (size == 0) {
        chain (&self->tables[key[0]], entry);
        return true;
    }
    uint32_t hash = key_hash (key, size);
    overlay_group_t *group = group_find (self, key, size, hash);
    if (!group) {
        group = pool_alloc (&self->pool, sizeof *group + size);
        if (!group)
            return false;
        *group = (overlay_group_t) { .size = (uint16_t) size };
        memcpy (group->name, key, size);
        if (!table_insert (&self->groups, &group->node, hash)) {
            pool_free (&self->pool, group, sizeof *group + size);
            return false;
        }
    }
    entry->group = group;
    chain (&group->entries, entry);
    return true;
}

static void
group_leave (overlay_t *self, overlay_entry_t *entry)
{
    overlay_group_t *group = entry->group;
    if (!entry->group_place)
        return;
    *entry->group_place = entry->group_next;
    if (entry->group_next)
        entry->group_next->group_place = entry->group_place;
    if (group && !group->entries) {
        table_remove (&self->groups, &group->node);
        pool_free (&self->pool, group, sizeof *group + group->size);
    }
}

/*  The next ops of a frame, with what finding them will touch on its way. */
static size_t
next_batch (overlay_t *self, const frame_t *frame, size_t *at, batched_t batch[BATCH])
{
    size_t count = 0, offset = *at;
    for (; count < BATCH && frame_next_op (frame->body.data, frame->body.size, at, &batch[count].op); count++) {
        batch[count].offset = offset;
        batch[count].hash = key_hash (batch[count].op.key, batch[count].op.key_size);
        table_expect (&self->entries, batch[count].hash);
        offset = *at;
    }
    for (size_t i = 0; i < count; i++)
        __builtin_prefetch (table_chain (&self->entries, batch[i].hash));
    for (size_t i = 0; i < count; i++) {
        const overlay_entry_t *entry = (const overlay_entry_t *) table_chain (&self->entries, batch[i].hash);
        if (entry && entry->node.hash == batch[i].hash)
            __builtin_prefetch (entry->frame->body.data + entry->offset);
    }
    return count;
}

static overlay_entry_t *
add (overlay_t *self, const batched_t *one)
{
    overlay_entry_t *entry = pool_alloc (&self->pool, sizeof *entry);
    if (!entry)
        return NULL;
    *entry = (overlay_entry_t) { 0 };
    if (group_join (self, entry, one->op.key, one->op.key_size)
        && table_insert (&self->entries, &entry->node, one->hash))
        return entry;
    group_leave (self, entry);
    pool_free (&self->pool, entry, sizeof *entry);
    return NULL;
}

bool
overlay_note (overlay_t *self, const frame_t *frame, size_t *offset)
{
    batched_t batch[BATCH];
    for (size_t at = *offset, count; (count = next_batch (self, frame, &at, batch)) > 0; *offset = at) {
        for (size_t i = 0; i < count; i++) {
            overlay_entry_t *entry = find (self, batch[i].op.key, batch[i].op.key_size, batch[i].hash);
            if (!entry)
                entry = add (self, &batch[i]);
            if (!entry)
                return false;
            entry->frame = frame;
            entry->offset = (uint32_t) batch[i].offset;
        }
    }
    return true;
}

overlay_answer_t
overlay_get (overlay_t *self, const void *key, size_t key_size, const uint8_t **value, size_t *value_size,
             uint64_t *frame)
{
    if (self->entries.count == 0)
        return OVERLAY_SILENT;
    overlay_entry_t *entry = find (self, key, key_size, key_hash (key, key_size));
    if (!entry)
        return OVERLAY_SILENT;
    frame_op_t op = entry_op (entry);
    if (frame)
        *frame = entry->frame->number;
    if (op.kind == FRAME_DELETE)
        return OVERLAY_DELETED;
    *value = op.value;
    *value_size = op.value_size;
    return OVERLAY_PUT;
}

void
overlay_evict (overlay_t *self, const frame_t *frame)
{
    batched_t batch[BATCH];
    for (size_t at = 0, count; (count = next_batch (self, frame, &at, batch)) > 0;) {
        for (size_t i = 0; i < count; i++) {
            overlay_entry_t *entry = find (self, batch[i].op.key, batch[i].op.key_size, batch[i].hash);
            if (!entry || entry->frame != frame)
                continue;
            group_leave (self, entry);
            table_remove (&self->entries, &entry->node);
            pool_free (&self->pool, entry, sizeof *entry);
        }
    }
}

typedef struct {
    const uint8_t *prefix;
    size_t prefix_size;
    overlay_each_t *each;
    void *arg;
} walk_t;

static bool
walk_entry (void *arg, table_node_t *node)
{
    walk_t *walk = arg;
    frame_op_t op = entry_op ((overlay_entry_t *) node);
    if (op.key_size < walk->prefix_size || memcmp (op.key, walk->prefix, walk->prefix_size) != 0)
        return true;
    return walk->each (walk->arg, &op);
}

void
overlay_each (overlay_t *self, const void *prefix, size_t prefix_size, overlay_each_t *each, void *arg)
{
    walk_t walk = { prefix, prefix_size, each, arg };
    size_t size = group_size (prefix, prefix_size);
    uint8_t letter = prefix_size ? *(const uint8_t *) prefix : KEY_STATE;
    if (size == 0 && letter == KEY_STATE) {
        table_each (&self->entries, walk_entry, &walk);
        return;
    }
    overlay_group_t *group = size ? group_find (self, prefix, size, key_hash (prefix, size)) : NULL;
    overlay_entry_t *first = group ? group->entries : size ? NULL : self->tables[letter];
    for (overlay_entry_t *entry = first; entry; entry = entry->group_next) {
        if (!walk_entry (&walk, &entry->node))
            return;
    }
}

static bool
free_entry (void *arg, table_node_t *node)
{
    overlay_t *self = arg;
    overlay_entry_t *entry = (overlay_entry_t *) node;
    group_leave (self, entry);
    pool_free (&self->pool, entry, sizeof *entry);
    return true;
}

void
overlay_clear (overlay_t *self)
{
    table_each (&self->entries, free_entry, self);
    table_clear (&self->entries);
    table_clear (&self->groups);
    pool_clear (&self->pool);
}
