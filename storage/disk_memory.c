/*  disk_memory.c - a faulty disk in memory.
 *
 *  DESIGN
 *  A file is kept twice: as the process reads it (the page cache) and as it would
 *  be found after the power went, with the list of writes between the two. The
 *  names are kept the same way. A sync plays the list into the durable copy; a
 *  crash plays a part of it, chosen by dice, sector by sector: that is all that a
 *  real disk promises. Names are kept to a prefix, since the file systems that
 *  we run on commit changes of one directory in order.
 *  Nothing here is random but by a seed: the same calls give the same disk. One
 *  thread. It must never be kinder than a real disk, or tests prove nothing; and
 *  never crueller, or they prove what nobody can keep.
 */
#include "storage/disk_memory.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <stdlib.h>

/*  A write, or a growth with zeros, that no sync has covered yet. */
typedef struct change_s {
    struct change_s *next;
    uint64_t at;
    size_t size;
    uint8_t *bytes;  /* NULL: zeros */
} change_t;

typedef struct node_s {
    struct node_s *next;
    uint8_t *cached;    /* as the process reads it */
    uint8_t *durable;   /* as it is on the plate; `capacity` bytes, zeros behind durable_size */
    size_t size, durable_size, capacity;
    change_t *changes, **changes_end;
    uint32_t handles;
    bool reached;       /* while looking for nodes that nothing names any more */
} node_t;

typedef struct {
    char *name;
    node_t *node;
} entry_t;

typedef struct {
    entry_t *entries;
    size_t count, capacity;
} names_t;

/*  A creation (from NULL), a rename or a removal (to NULL) not yet synced. */
typedef struct name_change_s {
    struct name_change_s *next;
    char *from, *to;
    node_t *node;
} name_change_t;

struct disk_file_s {
    struct disk_file_s *next;
    node_t *node;
};

typedef struct {
    disk_t port;
    node_t *nodes;
    disk_file_t *handles;
    names_t cached, durable;
    name_change_t *changes, **changes_end;
    uint64_t dice;
    uint64_t die_after, fail_sync_after, space;
    bool is_dead, ignores_syncs;
    disk_memory_counts_t counts;
} memory_disk_t;

/* ------------------------------------------------------------------ *
 *  Small helpers. Running out of memory ends the test.
 * ------------------------------------------------------------------ */

static void *
must (void *block)
{
    CHECK (block);
    return block;
}

static char *
copy_text (const char *text)
{
    return text ? must (strdup (text)) : NULL;
}

static memory_disk_t *
disk_of (disk_t *self)
{
    CHECK (self);
    return self->self;
}

static uint64_t
roll (memory_disk_t *disk, uint64_t sides)
{
    disk->dice = hash_mix (disk->dice, 0x5eed) + 1;
    return disk->dice % sides;
}

static troupe_status_t
dead (troupe_error_t *error)
{
    return error_set (error, TROUPE_IO, "the disk is dead");
}

static size_t
smaller (size_t a, size_t b)
{
    return a < b ? a : b;
}

/*  Counts an operation; true when the disk dies in it. */
static bool
dies_now (memory_disk_t *disk)
{
    if (!disk->die_after || --disk->die_after)
        return false;
    disk->is_dead = true;
    return true;
}

/* ------------------------------------------------------------------ *
 *  Names
 * ------------------------------------------------------------------ */

static entry_t *
names_find (const names_t *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp (names->entries[i].name, name) == 0)
            return &names->entries[i];
    return NULL;
}

static void
names_remove (names_t *names, const char *name)
{
    entry_t *entry = names_find (names, name);
    if (!entry)
        return;
    free (entry->name);
    *entry = names->entries[--names->count];
}

static void
names_add (names_t *names, const char *name, node_t *node)
{
    names_remove (names, name);
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? names->capacity * 2 : 16;
        names->entries = must (realloc (names->entries, names->capacity * sizeof *names->entries));
    }
    names->entries[names->count++] = (entry_t) { copy_text (name), node };
}

static void
names_clear (names_t *names)
{
    for (size_t i = 0; i < names->count; i++)
        free (names->entries[i].name);
    free (names->entries);
    *names = (names_t) { 0 };
}

static void
names_copy (names_t *to, const names_t *from)
{
    names_clear (to);
    for (size_t i = 0; i < from->count; i++)
        names_add (to, from->entries[i].name, from->entries[i].node);
}

static void
names_apply (names_t *names, const name_change_t *change)
{
    if (change->from)
        names_remove (names, change->from);
    if (change->to)
        names_add (names, change->to, change->node);
}

static void
change_name (memory_disk_t *disk, const char *from, const char *to, node_t *node)
{
    name_change_t *change = must (calloc (1, sizeof *change));
    *change = (name_change_t) { NULL, copy_text (from), copy_text (to), node };
    *disk->changes_end = change;
    disk->changes_end = &change->next;
    names_apply (&disk->cached, change);
}

/*  The first `count` changes become durable, the others are forgotten. */
static void
settle_names (memory_disk_t *disk, uint64_t count)
{
    for (name_change_t *change; (change = disk->changes) != NULL;) {
        if (count) {
            names_apply (&disk->durable, change);
            count -= 1;
        }
        disk->changes = change->next;
        free (change->from);
        free (change->to);
        free (change);
    }
    disk->changes_end = &disk->changes;
}

/* ------------------------------------------------------------------ *
 *  Bytes of a file
 * ------------------------------------------------------------------ */

static node_t *
node_new (memory_disk_t *disk)
{
    node_t *node = must (calloc (1, sizeof *node));
    node->changes_end = &node->changes;
    node->next = disk->nodes;
    disk->nodes = node;
    return node;
}

static void
drop_changes (node_t *node)
{
    for (change_t *change; (change = node->changes) != NULL;) {
        node->changes = change->next;
        free (change->bytes);
        free (change);
    }
    node->changes_end = &node->changes;
}

static void
node_free (node_t *node)
{
    drop_changes (node);
    free (node->cached);
    free (node->durable);
    free (node);
}

static void
node_grow (node_t *node, size_t size)
{
    if (size <= node->capacity)
        return;
    size_t capacity = (size + 65535) & ~(size_t) 65535;
    node->cached = must (realloc (node->cached, capacity));
    node->durable = must (realloc (node->durable, capacity));
    memset (node->cached + node->capacity, 0, capacity - node->capacity);
    memset (node->durable + node->capacity, 0, capacity - node->capacity);
    node->capacity = capacity;
}

static void
put_bytes (uint8_t *to, const uint8_t *bytes, size_t size)
{
    if (bytes)
        memcpy (to, bytes, size);
    else
        memset (to, 0, size);
}

static void
change_bytes (node_t *node, uint64_t at, const uint8_t *bytes, size_t size)
{
    if (!size)
        return;
    node_grow (node, at + size);
    put_bytes (node->cached + at, bytes, size);
    if (at + size > node->size)
        node->size = at + size;
    change_t *change = must (calloc (1, sizeof *change));
    change->at = at;
    change->size = size;
    if (bytes) {
        change->bytes = must (malloc (size));
        memcpy (change->bytes, bytes, size);
    }
    *node->changes_end = change;
    node->changes_end = &change->next;
}

/*  Plays `size` bytes of a change from `offset` on into the durable copy. */
static void
settle_piece (node_t *node, const change_t *change, size_t offset, size_t size)
{
    put_bytes (node->durable + change->at + offset, change->bytes ? change->bytes + offset : NULL, size);
}

static void
settle_all (node_t *node)
{
    for (const change_t *change = node->changes; change; change = change->next)
        settle_piece (node, change, 0, change->size);
    node->durable_size = node->size;
    drop_changes (node);
}

/*  The part of a change that ends at the next border of a sector. */
static size_t
piece_size (const change_t *change, size_t offset)
{
    size_t to_border = DISK_MEMORY_SECTOR - (size_t) ((change->at + offset) % DISK_MEMORY_SECTOR);
    return smaller (to_border, change->size - offset);
}

/*  Each piece is there or not. A sector written twice can keep the older of
 *  the two: as if the younger was still on its way. How many survive differs
 *  from crash to crash, so that nearly all and nearly none occur as well. */
static void
settle_by_dice (memory_disk_t *disk, node_t *node)
{
    static const uint64_t odds[] = { 0, 1, 32, 63, 64 };
    uint64_t chance = odds[roll (disk, sizeof odds / sizeof *odds)];
    for (const change_t *change = node->changes; change; change = change->next)
        for (size_t offset = 0; offset < change->size; offset += piece_size (change, offset))
            if (roll (disk, 64) < chance)
                settle_piece (node, change, offset, piece_size (change, offset));
    size_t grown = node->size - node->durable_size;
    size_t kept = roll (disk, 2) ? grown : roll (disk, grown / DISK_MEMORY_SECTOR + 1) * DISK_MEMORY_SECTOR;
    node->durable_size += smaller (grown, kept);
    if (node->capacity)
        memset (node->durable + node->durable_size, 0, node->capacity - node->durable_size);
    drop_changes (node);
}

/*  Frees what neither a name nor a handle leads to. */
static void
sweep (memory_disk_t *disk)
{
    for (node_t *node = disk->nodes; node; node = node->next)
        node->reached = node->handles > 0;
    for (size_t i = 0; i < disk->cached.count; i++)
        disk->cached.entries[i].node->reached = true;
    for (size_t i = 0; i < disk->durable.count; i++)
        disk->durable.entries[i].node->reached = true;
    for (const name_change_t *change = disk->changes; change; change = change->next)
        if (change->node)
            change->node->reached = true;
    for (node_t **link = &disk->nodes, *node; (node = *link) != NULL;) {
        if (node->reached) {
            link = &node->next;
        } else {
            *link = node->next;
            node_free (node);
        }
    }
}

/* ------------------------------------------------------------------ *
 *  The port
 * ------------------------------------------------------------------ */

static troupe_status_t
open_file (void *self, const char *name, bool create, disk_file_t **file, troupe_error_t *error)
{
    memory_disk_t *disk = self;
    CHECK (!strchr (name, '/'));
    if (disk->is_dead)
        return dead (error);
    *file = memory_zalloc (sizeof **file);
    if (!*file)
        return error_set (error, TROUPE_NO_MEMORY, "cannot open %s: out of memory", name);
    entry_t *entry = names_find (&disk->cached, name);
    if (!entry && !create) {
        memory_free (*file);
        *file = NULL;
        return error_set (error, TROUPE_NOT_FOUND, "cannot open %s: there is no such file", name);
    }
    node_t *node = entry ? entry->node : node_new (disk);
    if (!entry)
        change_name (disk, NULL, name, node);
    node->handles += 1;
    **file = (disk_file_t) { disk->handles, node };
    disk->handles = *file;
    return TROUPE_OK;
}

static void
close_file (void *self, disk_file_t **file_p)
{
    memory_disk_t *disk = self;
    CHECK (file_p);
    disk_file_t *file = *file_p;
    if (!file)
        return;
    for (disk_file_t **link = &disk->handles; *link; link = &(*link)->next)
        if (*link == file) {
            *link = file->next;
            break;
        }
    if (file->node)
        file->node->handles -= 1;
    memory_free (file);
    *file_p = NULL;
}

/*  NULL after a crash: the process that had opened it is gone. */
static node_t *
node_of (const memory_disk_t *disk, const disk_file_t *file)
{
    return disk->is_dead ? NULL : file->node;
}

static troupe_status_t
size_of_file (void *self, disk_file_t *file, uint64_t *size, troupe_error_t *error)
{
    node_t *node = node_of (self, file);
    if (!node)
        return dead (error);
    *size = node->size;
    return TROUPE_OK;
}

static troupe_status_t
read_file (void *self, disk_file_t *file, uint64_t at, void *bytes, size_t size, troupe_error_t *error)
{
    node_t *node = node_of (self, file);
    if (!node)
        return dead (error);
    if (at > node->size || size > node->size - at)
        return error_set (error, TROUPE_IO, "the file ends at byte %zu, more was expected", node->size);
    if (size)
        memcpy (bytes, node->cached + at, size);
    return TROUPE_OK;
}

/*  What a name or a handle leads to. A removed file takes no space, though a
 *  crash may still bring it back. */
static uint64_t
used_space (const memory_disk_t *disk)
{
    uint64_t used = 0;
    for (const node_t *node = disk->nodes; node; node = node->next) {
        bool counts = node->handles > 0;
        for (size_t i = 0; i < disk->cached.count && !counts; i++)
            counts = disk->cached.entries[i].node == node;
        if (counts)
            used += node->size;
    }
    return used;
}

/*  How many of these bytes the disk takes. When it is over its bound already,
 *  even a write in place fails, as on a file system that copies on write. */
static size_t
room_for (memory_disk_t *disk, const node_t *node, uint64_t at, size_t size, bool *is_full)
{
    *is_full = false;
    if (!disk->space)
        return size;
    uint64_t used = used_space (disk), end = at + size;
    uint64_t grown = end > node->size ? end - node->size : 0;
    if (used + grown <= disk->space)
        return size;
    *is_full = true;
    if (used > disk->space)
        return smaller (size, (size_t) roll (disk, size / DISK_MEMORY_SECTOR + 1) * DISK_MEMORY_SECTOR);
    uint64_t last = node->size + (disk->space - used);
    return last > at ? (size_t) (last - at) : 0;
}

/*  What the process did not hear an OK for may be there in part. */
static troupe_status_t
change_file (memory_disk_t *disk, disk_file_t *file, uint64_t at, const void *bytes, size_t size,
             troupe_error_t *error)
{
    node_t *node = node_of (disk, file);
    if (!node)
        return dead (error);
    if (dies_now (disk)) {
        size_t torn = (size_t) roll (disk, size / DISK_MEMORY_SECTOR + 1) * DISK_MEMORY_SECTOR;
        change_bytes (node, at, bytes, smaller (torn, size));
        return dead (error);
    }
    bool is_full;
    size_t some = room_for (disk, node, at, size, &is_full);
    change_bytes (node, at, bytes, some);
    disk->counts.writes += 1;
    disk->counts.written_bytes += some;
    return is_full ? error_set (error, TROUPE_FULL, "no space left on the disk in memory") : TROUPE_OK;
}

static troupe_status_t
write_file (void *self, disk_file_t *file, uint64_t at, const void *bytes, size_t size, troupe_error_t *error)
{
    return change_file (self, file, at, bytes, size, error);
}

static troupe_status_t
fill_file (void *self, disk_file_t *file, uint64_t size, troupe_error_t *error)
{
    node_t *node = node_of (self, file);
    if (!node)
        return dead (error);
    if (node->size >= size)
        return TROUPE_OK;
    return change_file (self, file, node->size, NULL, size - node->size, error);
}

/*  True when this sync is one that shall go wrong. */
static bool
sync_fails (memory_disk_t *disk)
{
    return disk->fail_sync_after && --disk->fail_sync_after == 0;
}

static troupe_status_t
sync_file (void *self, disk_file_t *file, troupe_error_t *error)
{
    memory_disk_t *disk = self;
    node_t *node = node_of (disk, file);
    if (!node)
        return dead (error);
    if (dies_now (disk)) {
        if (roll (disk, 2) && !disk->ignores_syncs)
            settle_all (node);
        return dead (error);
    }
    disk->counts.syncs += 1;
    if (sync_fails (disk)) {
        settle_by_dice (disk, node);
        return error_set (error, TROUPE_IO, "the sync failed");
    }
    if (!disk->ignores_syncs)
        settle_all (node);
    return TROUPE_OK;
}

static troupe_status_t
sync_names (void *self, troupe_error_t *error)
{
    memory_disk_t *disk = self;
    if (disk->is_dead)
        return dead (error);
    bool dies = dies_now (disk);
    bool fails = !dies && sync_fails (disk);
    disk->counts.syncs += !dies;
    if (!disk->ignores_syncs && !fails && !(dies && roll (disk, 2)))
        settle_names (disk, UINT64_MAX);
    if (dies)
        return dead (error);
    return fails ? error_set (error, TROUPE_IO, "the sync of the names failed") : TROUPE_OK;
}

static troupe_status_t
rename_file (void *self, const char *from, const char *to, troupe_error_t *error)
{
    memory_disk_t *disk = self;
    if (disk->is_dead)
        return dead (error);
    entry_t *entry = names_find (&disk->cached, from);
    if (!entry)
        return error_set (error, TROUPE_NOT_FOUND, "cannot rename %s: there is no such file", from);
    bool dies = dies_now (disk);
    if (!dies || roll (disk, 2))
        change_name (disk, from, to, entry->node);
    return dies ? dead (error) : TROUPE_OK;
}

static troupe_status_t
remove_file (void *self, const char *name, troupe_error_t *error)
{
    memory_disk_t *disk = self;
    if (disk->is_dead)
        return dead (error);
    if (!names_find (&disk->cached, name))
        return error_set (error, TROUPE_NOT_FOUND, "cannot remove %s: there is no such file", name);
    bool dies = dies_now (disk);
    if (!dies || roll (disk, 2))
        change_name (disk, name, NULL, NULL);
    return dies ? dead (error) : TROUPE_OK;
}

/*  Over a copy: the callee may change names. */
static troupe_status_t
each_name (void *self, disk_each_name_t *each, void *arg, troupe_error_t *error)
{
    memory_disk_t *disk = self;
    if (disk->is_dead)
        return dead (error);
    names_t names = { 0 };
    names_copy (&names, &disk->cached);
    for (size_t i = 0; i < names.count; i++)
        if (!each (arg, names.entries[i].name))
            break;
    names_clear (&names);
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  Made, broken, destroyed
 * ------------------------------------------------------------------ */

disk_t *
disk_memory_new (void)
{
    memory_disk_t *disk = memory_zalloc (sizeof *disk);
    if (!disk)
        return NULL;
    disk->changes_end = &disk->changes;
    disk->port = (disk_t) {
        .self = disk, .open = open_file, .close = close_file, .size = size_of_file, .read = read_file,
        .write = write_file, .fill = fill_file, .sync = sync_file, .rename = rename_file, .remove = remove_file,
        .sync_names = sync_names, .each_name = each_name,
    };
    return &disk->port;
}

void
disk_memory_destroy (disk_t **self_p)
{
    CHECK (self_p);
    if (!*self_p)
        return;
    memory_disk_t *disk = disk_of (*self_p);
    settle_names (disk, 0);
    names_clear (&disk->cached);
    names_clear (&disk->durable);
    for (disk_file_t *file = disk->handles; file; file = file->next)
        file->node = NULL;
    for (node_t *node; (node = disk->nodes) != NULL;) {
        disk->nodes = node->next;
        node_free (node);
    }
    memory_free (disk);
    *self_p = NULL;
}

void
disk_memory_crash (disk_t *self, uint64_t seed, bool keep_cache)
{
    memory_disk_t *disk = disk_of (self);
    disk->dice = hash_mix (seed, disk->counts.crashes);
    disk->counts.crashes += 1;
    disk->is_dead = false;
    disk->die_after = disk->fail_sync_after = 0;
    for (disk_file_t *file = disk->handles; file; file = file->next) {
        if (file->node)
            file->node->handles -= 1;
        file->node = NULL;
    }
    if (keep_cache)
        return;
    uint64_t waiting = 0;
    for (const name_change_t *change = disk->changes; change; change = change->next)
        waiting += 1;
    settle_names (disk, roll (disk, waiting + 1));
    names_copy (&disk->cached, &disk->durable);
    sweep (disk);
    for (node_t *node = disk->nodes; node; node = node->next) {
        settle_by_dice (disk, node);
        if (node->capacity)
            memcpy (node->cached, node->durable, node->capacity);
        node->size = node->durable_size;
    }
}

void
disk_memory_die_after (disk_t *self, uint64_t operations)
{
    memory_disk_t *disk = disk_of (self);
    disk->die_after = operations;
    disk->dice = hash_mix (disk->dice, operations);
}

bool
disk_memory_is_dead (const disk_t *self)
{
    return ((const memory_disk_t *) self->self)->is_dead;
}

void
disk_memory_fail_sync_after (disk_t *self, uint64_t syncs)
{
    disk_of (self)->fail_sync_after = syncs;
}

void
disk_memory_set_space (disk_t *self, uint64_t bytes)
{
    disk_of (self)->space = bytes;
}

uint64_t
disk_memory_used (const disk_t *self)
{
    return used_space (self->self);
}

troupe_status_t
disk_memory_damage (disk_t *self, const char *name, uint64_t at, uint8_t mask)
{
    entry_t *entry = names_find (&disk_of (self)->cached, name);
    if (!entry || at >= entry->node->size)
        return TROUPE_NOT_FOUND;
    entry->node->cached[at] ^= mask;
    entry->node->durable[at] ^= mask;
    return TROUPE_OK;
}

disk_memory_counts_t
disk_memory_counts (const disk_t *self)
{
    return ((const memory_disk_t *) self->self)->counts;
}

void
disk_memory_ignore_syncs (disk_t *self, bool ignore)
{
    disk_of (self)->ignores_syncs = ignore;
}
