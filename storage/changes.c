/*  changes.c - the last change of every key in a list of frames, in order.
 *
 *  DESIGN
 *  Shard by shard, so that what is sorted together is small and no shard number
 *  is compared. Keys of one shard begin alike ("suser/..."), so comparing them from
 *  the start again and again would mostly wait for memory: each item carries the
 *  next eight bytes of its key as a number, items are sorted by that, and runs
 *  that agree in it are sorted by the eight bytes behind. Each byte of a key is
 *  so loaded once. The sort is a stable merge, so that of one key the last in
 *  the run is the newest change; a run that is in order already (all heads equal is
 *  the common case) is only looked at.
 */
#include "storage/changes.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#define HEAD_BYTES 8
#define HEAD_AND_MORE (HEAD_BYTES + 1)
#define INSERTION_MOST 12  /* shorter runs are sorted by insertion */

typedef struct {
    uint64_t head;        /* the eight bytes at the current depth, padded by zeros */
    const uint8_t *key;   /* in the frame's body, behind the head of its op */
    uint16_t key_size;
    uint16_t rest;        /* bytes of the key from that depth on, at most HEAD_AND_MORE */
} item_t;

/* ------------------------------------------------------------------ *
 *  Sorting
 * ------------------------------------------------------------------ */

/*  Equal heads: the shorter key is a prefix of the other, padding aside. */
static inline bool
is_before (const item_t *a, const item_t *b)
{
    return a->head < b->head || (a->head == b->head && a->rest < b->rest);
}

static inline bool
is_same_head (const item_t *a, const item_t *b)
{
    return a->head == b->head && a->rest == b->rest;
}

static void
load_head (item_t *item, size_t depth)
{
    size_t left = item->key_size - depth;
    uint8_t bytes[HEAD_BYTES] = { 0 };
    memcpy (bytes, item->key + depth, left < HEAD_BYTES ? left : HEAD_BYTES);
    item->head = get_be64 (bytes);
    item->rest = (uint16_t) (left < HEAD_AND_MORE ? left : HEAD_AND_MORE);
}

static void
insertion_sort (item_t *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        item_t item = items[i];
        size_t at = i;
        for (; at > 0 && is_before (&item, &items[at - 1]); at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/*  Stable. `spare` has room for half of them. */
static void
merge_sort (item_t *items, size_t count, item_t *spare)
{
    if (count <= INSERTION_MOST) {
        insertion_sort (items, count);
        return;
    }
    size_t half = count / 2;
    merge_sort (items, half, spare);
    merge_sort (items + half, count - half, spare);
    if (!is_before (&items[half], &items[half - 1]))
        return;
    memcpy (spare, items, half * sizeof *items);
    size_t left = 0, right = half, to = 0;
    while (left < half && right < count)
        items[to++] = is_before (&items[right], &spare[left]) ? items[right++] : spare[left++];
    memcpy (items + to, spare + left, (half - left) * sizeof *items);
}

static bool
is_in_order (const item_t *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (is_before (&items[i], &items[i - 1]))
            return false;
    }
    return true;
}

/*  Items that agree in the first `depth` bytes. Goes as deep as the longest
 *  common part of keys, eight bytes a level. */
static void
sort_from (item_t *items, size_t count, size_t depth, item_t *spare)
{
    for (size_t i = 0; i < count; i++)
        load_head (&items[i], depth);
    if (!is_in_order (items, count))
        merge_sort (items, count, spare);
    size_t end;
    for (size_t start = 0; start < count; start = end) {
        end = start + 1;
        while (end < count && is_same_head (&items[start], &items[end]))
            end++;
        if (end - start > 1 && items[start].rest == HEAD_AND_MORE)
            sort_from (items + start, end - start, depth + HEAD_BYTES, spare);
    }
}

/* ------------------------------------------------------------------ *
 *  One shard
 * ------------------------------------------------------------------ */

typedef struct {
    buffer_t items;  /* of item_t */
    buffer_t found;  /* of state_change_t, all shards */
    item_t *spare;
    size_t spare_count;
    uint64_t ops;
} gather_t;

static bool
add_items (gather_t *self, const frame_t *frame)
{
    size_t at = 0;
    frame_op_t op;
    while (frame_next_op (frame->body.data, frame->body.size, &at, &op)) {
        item_t item = { .key = op.key, .key_size = op.key_size };
        buffer_append (&self->items, &item, sizeof item);
        self->ops++;
    }
    CHECK (at == frame->body.size);
    return !self->items.failed;
}

static bool
make_spare (gather_t *self, size_t count)
{
    if (self->spare_count >= count)
        return true;
    memory_free (self->spare);
    self->spare = memory_alloc (count * sizeof *self->spare);
    self->spare_count = self->spare ? count : 0;
    return self->spare;
}

static bool
is_same_key (const item_t *a, const item_t *b)
{
    return a->key_size == b->key_size && memcmp (a->key, b->key, a->key_size) == 0;
}

static void
add_change (gather_t *self, uint16_t shard, const item_t *item)
{
    state_change_t change = { .shard = shard };
    size_t at = 0;
    CHECK (frame_next_op (item->key - FRAME_OP_HEAD, SIZE_MAX, &at, &change.op));
    buffer_append (&self->found, &change, sizeof change);
}

/*  `frames` are of one shard. */
static bool
gather_shard (gather_t *self, const frame_t *const *frames, size_t count)
{
    buffer_reset (&self->items);
    for (size_t i = 0; i < count; i++) {
        CHECK (i == 0 || frames[i]->number > frames[i - 1]->number);
        if (!add_items (self, frames[i]))
            return false;
    }
    item_t *items = (item_t *) self->items.data;
    size_t all = self->items.size / sizeof *items;
    if (all == 0)
        return true;
    if (!make_spare (self, all / 2 + 1))
        return false;
    sort_from (items, all, 0, self->spare);
    for (size_t i = 0; i < all; i++) {
        if (i + 1 == all || !is_same_key (&items[i], &items[i + 1]))
            add_change (self, frames[0]->shard, &items[i]);
    }
    return !self->found.failed;
}

/* ------------------------------------------------------------------ *
 *  All shards
 * ------------------------------------------------------------------ */

/*  A counting sort. */
static void
sort_frames (changes_t *self, const frame_t *frames)
{
    size_t ends[STATE_SHARDS_MAX] = { 0 }, at = 0;
    for (const frame_t *frame = frames; frame; frame = frame->next) {
        self->bytes_all += frame->body.size;
        ends[frame->shard]++;
    }
    for (size_t shard = 0; shard < STATE_SHARDS_MAX; shard++) {
        self->starts[shard] = at;
        at += ends[shard];
        ends[shard] = self->starts[shard];
    }
    self->starts[STATE_SHARDS_MAX] = at;
    for (const frame_t *frame = frames; frame; frame = frame->next)
        self->sorted[ends[frame->shard]++] = frame;
}

static size_t
count_frames (const frame_t *frames)
{
    size_t count = 0;
    for (; frames; frames = frames->next) {
        CHECK (frames->shard < STATE_SHARDS_MAX);
        count++;
    }
    return count;
}

bool
changes_open (changes_t *self, const frame_t *frames)
{
    *self = (changes_t) { 0 };
    self->sorted = memory_alloc ((count_frames (frames) + 1) * sizeof (const frame_t *));
    if (self->sorted)
        sort_frames (self, frames);
    return self->sorted;
}

bool
changes_next (changes_t *self, size_t least)
{
    gather_t gather = { 0 };
    bool is_done = true;
    memory_free (self->items);
    self->bytes_before += self->bytes;
    self->bytes = 0;
    while (is_done && !changes_at_end (self) && gather.found.size / sizeof *self->items < least) {
        const frame_t *const *frames = self->sorted + self->starts[self->shard];
        size_t count = self->starts[self->shard + 1] - self->starts[self->shard];
        is_done = count == 0 || gather_shard (&gather, frames, count);
        for (size_t i = 0; i < count; i++)
            self->bytes += frames[i]->body.size;
        self->frames += count;
        self->shard++;
    }
    memory_free (gather.spare);
    buffer_clear (&gather.items);
    if (!is_done)
        buffer_clear (&gather.found);
    self->items = (state_change_t *) gather.found.data;
    self->count = gather.found.size / sizeof *self->items;
    self->ops += gather.ops;
    return is_done;
}

bool
changes_at_end (const changes_t *self)
{
    return self->starts[self->shard] == self->starts[STATE_SHARDS_MAX];
}

void
changes_close (changes_t *self)
{
    memory_free (self->items);
    memory_free (self->sorted);
    memset (self, 0, sizeof *self);
}
