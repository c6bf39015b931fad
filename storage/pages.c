/*  pages.c - looks at an LMDB file as bytes, before anything maps it.
 *
 *  DESIGN
 *  LMDB has no checksums and trusts what it maps, so that a tool which is to
 *  tell an operator "this store is damaged" may not be the one that dies of it.
 *  Here the trees are walked with pread into one buffer a level: every number
 *  read from the file is bounded before it is used. What is tested is the shape
 *  of the trees; the checksum of each record (state_lmdb.c) tests the values.
 *  The layout is that of LMDB 0.9 (data version 1), which has not changed since 2011.
 *  It never writes and keeps nothing; any thread.
 */
#include "storage/pages.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "storage/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1
#define PAGE_BRANCH 0x01
#define PAGE_LEAF 0x02
#define PAGE_OVERFLOW 0x04
#define PAGE_META 0x08
#define NODE_OVERFLOW 0x01      /* the value stands on pages of its own */
#define PAGE_HEAD 16            /* number(8) pad(2) flags(2) lower(2) upper(2), or pages(4) */
#define NODE_HEAD 8             /* low(2) high(2) flags(2) key size(2) */
#define META_TREES (PAGE_HEAD + 24)
#define META_TREE_SIZE 48       /* pad(4) flags(2) depth(2) branches leaves overflows entries root(8) */
#define META_LAST (META_TREES + 2 * META_TREE_SIZE)
#define META_END (META_LAST + 16)
#define TREE_FLAGS 0x7f         /* those that change how LMDB reads a tree */
#define TREE_INTEGER_KEYS 0x08
#define NO_PAGE UINT64_MAX
#define LEVELS_MAX 32
#define KEY_MAX 511
#define FIRST_PAGE 2            /* behind the two meta pages */

typedef struct {
    uint64_t branches, leaves, overflows, entries;
} totals_t;

typedef struct {
    uint64_t root;
    uint32_t flags, depth;
    totals_t totals;
} tree_t;

typedef struct {
    size_t page_size;
    uint64_t last;   /* newest page in use or free */
    uint64_t txn;
    tree_t free, main;
} meta_t;

typedef struct {
    const char *path;
    int fd;
    troupe_error_t *error;
    meta_t meta;
    uint8_t *taken;                  /* a bit a page: used, or in the free list */
    uint8_t *levels[LEVELS_MAX];     /* a page buffer each, made when first needed */
    const tree_t *tree;              /* the one that is walked */
    totals_t seen;                   /* of it */
    uint64_t used, free;
    uint8_t key[KEY_MAX];            /* the last key or separator passed */
    size_t key_size;
    bool key_is_separator;           /* the next key may equal it */
    bool has_key;
} walk_t;

static troupe_status_t
read_at (walk_t *self, uint64_t at, void *bytes, size_t size)
{
    uint8_t *to = bytes;
    while (size) {
        ssize_t some = pread (self->fd, to, size, (off_t) at);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return files_error (self->error, errno, "read", self->path);
        if (some == 0)
            return error_set (self->error, TROUPE_CORRUPT, "%s ends at byte %llu, in the middle of its pages",
                              self->path, (unsigned long long) at);
        to += some;
        at += (uint64_t) some;
        size -= (size_t) some;
    }
    return TROUPE_OK;
}

static troupe_status_t
bad_page (walk_t *self, uint64_t page, const char *what)
{
    unsigned long long at = page * self->meta.page_size;
    return error_set (self->error, TROUPE_CORRUPT, "%s: page %llu (byte %llu): %s", self->path,
                      (unsigned long long) page, at, what);
}

/* ------------------------------------------------------------------ *
 *  Meta pages
 * ------------------------------------------------------------------ */

static void
read_tree (const uint8_t *bytes, tree_t *tree)
{
    tree->flags = get_le16 (bytes + 4) & TREE_FLAGS;
    tree->depth = get_le16 (bytes + 6);
    tree->totals.branches = get_le64 (bytes + 8);
    tree->totals.leaves = get_le64 (bytes + 16);
    tree->totals.overflows = get_le64 (bytes + 24);
    tree->totals.entries = get_le64 (bytes + 32);
    tree->root = get_le64 (bytes + 40);
}

/*  Reads meta page 0 or 1; the first one says how large pages are. */
static troupe_status_t
read_meta (walk_t *self, uint64_t number, meta_t *meta)
{
    uint8_t bytes[META_END];
    troupe_status_t status = read_at (self, number * self->meta.page_size, bytes, sizeof bytes);
    if (status != TROUPE_OK)
        return status;
    if (!(get_le16 (bytes + 10) & PAGE_META) || get_le32 (bytes + PAGE_HEAD) != META_MAGIC)
        return bad_page (self, number, "this is no LMDB file, or its head is damaged");
    uint32_t version = get_le32 (bytes + PAGE_HEAD + 4);
    if (version != META_VERSION)
        return error_set (self->error, TROUPE_MISMATCH, "%s is of LMDB data version %u, this program reads %u",
                          self->path, version, META_VERSION);
    meta->page_size = get_le32 (bytes + META_TREES);
    if (meta->page_size < 512 || meta->page_size > 32768 || (meta->page_size & (meta->page_size - 1)))
        return bad_page (self, number, "the page size is none");
    read_tree (bytes + META_TREES, &meta->free);
    read_tree (bytes + META_TREES + META_TREE_SIZE, &meta->main);
    meta->last = get_le64 (bytes + META_LAST);
    meta->txn = get_le64 (bytes + META_LAST + 8);
    return TROUPE_OK;
}

static troupe_status_t
read_metas (walk_t *self)
{
    meta_t first = { 0 }, second = { 0 };
    troupe_status_t status = read_meta (self, 0, &first);
    if (status != TROUPE_OK)
        return status;
    self->meta.page_size = first.page_size;
    status = read_meta (self, 1, &second);
    if (status != TROUPE_OK)
        return status;
    if (first.page_size != second.page_size)
        return bad_page (self, 1, "the two heads disagree about the page size");
    self->meta = first.txn >= second.txn ? first : second;
    if (self->meta.free.flags != TREE_INTEGER_KEYS || self->meta.main.flags != 0)
        return bad_page (self, self->meta.txn & 1, "a tree is of a kind that stores do not have");
    struct stat info;
    if (fstat (self->fd, &info) != 0)
        return files_error (self->error, errno, "look at", self->path);
    uint64_t pages = (uint64_t) info.st_size / self->meta.page_size;
    if (self->meta.last < 1 || self->meta.last >= pages)
        return error_set (self->error, TROUPE_CORRUPT, "%s was cut: it holds %llu pages and should hold %llu",
                          self->path, (unsigned long long) pages, (unsigned long long) self->meta.last + 1);
    return TROUPE_OK;
}

static troupe_status_t
open_file (walk_t *self, const char *path, troupe_error_t *error)
{
    memset (self, 0, sizeof *self);
    self->path = path;
    self->error = error;
    self->fd = open (path, O_RDONLY | O_CLOEXEC);
    if (self->fd < 0)
        return files_error (error, errno, "open", path);
    return read_metas (self);
}

troupe_status_t
pages_check_size (const char *path, troupe_error_t *error)
{
    walk_t self;
    troupe_status_t status = open_file (&self, path, error);
    if (self.fd >= 0)
        close (self.fd);
    return status;
}

/* ------------------------------------------------------------------ *
 *  Trees
 * ------------------------------------------------------------------ */

/*  Each page has one use. */
static troupe_status_t
take_pages (walk_t *self, uint64_t first, uint64_t count, uint64_t from)
{
    if (first < FIRST_PAGE || first > self->meta.last || count > self->meta.last - first + 1)
        return bad_page (self, from, "it points outside of the file");
    CHECK (self->taken);
    for (uint64_t page = first; page < first + count; page++) {
        uint8_t bit = (uint8_t) (1u << (page & 7));
        if (self->taken[page >> 3] & bit)
            return bad_page (self, page, "it is used twice, or used and free");
        self->taken[page >> 3] |= bit;
    }
    return TROUPE_OK;
}

static int
compare_keys (const walk_t *self, const uint8_t *key, size_t size)
{
    if (self->tree == &self->meta.free && size == 8 && self->key_size == 8) {
        uint64_t a = get_le64 (key), b = get_le64 (self->key);
        return a < b ? -1 : a > b;
    }
    int order = memcmp (key, self->key, size < self->key_size ? size : self->key_size);
    return order ? order : size < self->key_size ? -1 : size > self->key_size;
}

static troupe_status_t
pass_key (walk_t *self, uint64_t page, const uint8_t *key, size_t size, bool is_separator)
{
    if (size < 1 || size > KEY_MAX)
        return bad_page (self, page, "a key has a size that keys cannot have");
    if (self->has_key) {
        int order = compare_keys (self, key, size);
        if (order < 0 || (order == 0 && !self->key_is_separator))
            return bad_page (self, page, "its keys are out of order");
    }
    memcpy (self->key, key, size);
    self->key_size = size;
    self->key_is_separator = is_separator;
    self->has_key = true;
    return TROUPE_OK;
}

/*  A record of the free list: a count and page numbers. */
static troupe_status_t
take_free_pages (walk_t *self, uint64_t page, const uint8_t *list, size_t size)
{
    uint64_t count = size >= 8 ? get_le64 (list) : 0;
    if (size < 8 || count > size / 8 - 1)
        return bad_page (self, page, "a list of free pages is damaged");
    for (uint64_t i = 1; i <= count; i++) {
        troupe_status_t status = take_pages (self, get_le64 (list + 8 * i), 1, page);
        if (status != TROUPE_OK)
            return status;
    }
    self->free += count;
    return TROUPE_OK;
}

static troupe_status_t
check_overflow (walk_t *self, uint64_t page, uint64_t first, uint32_t value_size)
{
    uint64_t count = ((uint64_t) PAGE_HEAD - 1 + value_size) / self->meta.page_size + 1;
    troupe_status_t status = take_pages (self, first, count, page);
    uint8_t head[PAGE_HEAD];
    if (status == TROUPE_OK)
        status = read_at (self, first * self->meta.page_size, head, sizeof head);
    if (status != TROUPE_OK)
        return status;
    if (get_le64 (head) != first || !(get_le16 (head + 10) & PAGE_OVERFLOW) || get_le32 (head + 12) != count)
        return bad_page (self, first, "the head of a long value is damaged");
    self->seen.overflows += count;
    if (self->tree != &self->meta.free)
        return TROUPE_OK;
    uint8_t *list = memory_alloc (value_size);
    if (!list)
        return error_set (self->error, TROUPE_NO_MEMORY, "no memory to check %s", self->path);
    status = read_at (self, first * self->meta.page_size + PAGE_HEAD, list, value_size);
    if (status == TROUPE_OK)
        status = take_free_pages (self, page, list, value_size);
    memory_free (list);
    return status;
}

/*  `node` has `room` bytes to the end of its page. */
static troupe_status_t
check_leaf_node (walk_t *self, uint64_t page, const uint8_t *node, size_t room)
{
    uint32_t value_size = get_le16 (node) | (uint32_t) get_le16 (node + 2) << 16;
    uint16_t flags = get_le16 (node + 4);
    size_t key_size = get_le16 (node + 6);
    size_t here = flags & NODE_OVERFLOW ? 8 : value_size;
    if (flags & ~NODE_OVERFLOW)
        return bad_page (self, page, "a record is of a kind that stores do not have");
    if (room < NODE_HEAD + key_size || room - NODE_HEAD - key_size < here)
        return bad_page (self, page, "a record reaches over the end");
    troupe_status_t status = pass_key (self, page, node + NODE_HEAD, key_size, false);
    if (status != TROUPE_OK)
        return status;
    self->seen.entries++;
    const uint8_t *value = node + NODE_HEAD + key_size;
    if (flags & NODE_OVERFLOW)
        return check_overflow (self, page, get_le64 (value), value_size);
    return self->tree == &self->meta.free ? take_free_pages (self, page, value, value_size) : TROUPE_OK;
}

static troupe_status_t check_page (walk_t *self, uint64_t page, uint64_t from, uint32_t level);

/*  The first node of a branch has no separator. */
static troupe_status_t
check_branch_node (walk_t *self, uint64_t page, const uint8_t *node, size_t room, uint32_t level, bool is_first)
{
    uint64_t child = get_le16 (node) | (uint64_t) get_le16 (node + 2) << 16 | (uint64_t) get_le16 (node + 4) << 32;
    size_t key_size = get_le16 (node + 6);
    if (room < NODE_HEAD + key_size)
        return bad_page (self, page, "a separator reaches over the end");
    if (!is_first) {
        troupe_status_t status = pass_key (self, page, node + NODE_HEAD, key_size, true);
        if (status != TROUPE_OK)
            return status;
    }
    return check_page (self, child, page, level + 1);
}

static troupe_status_t
load_page (walk_t *self, uint64_t page, uint64_t from, uint32_t level, bool is_leaf)
{
    troupe_status_t status = take_pages (self, page, 1, from);
    if (status != TROUPE_OK)
        return status;
    if (!self->levels[level])
        self->levels[level] = memory_alloc (self->meta.page_size);
    uint8_t *bytes = self->levels[level];
    if (!bytes)
        return error_set (self->error, TROUPE_NO_MEMORY, "no memory to check %s", self->path);
    status = read_at (self, page * self->meta.page_size, bytes, self->meta.page_size);
    if (status != TROUPE_OK)
        return status;
    uint32_t kind = get_le16 (bytes + 10) & (PAGE_BRANCH | PAGE_LEAF | PAGE_OVERFLOW | PAGE_META);
    size_t lower = get_le16 (bytes + 12), upper = get_le16 (bytes + 14);
    if (get_le64 (bytes) != page || kind != (is_leaf ? PAGE_LEAF : PAGE_BRANCH))
        return bad_page (self, page, "its head is damaged");
    if (lower <= PAGE_HEAD || lower % 2 || lower > upper || upper > self->meta.page_size)
        return bad_page (self, page, "its table of records is damaged");
    return TROUPE_OK;
}

static troupe_status_t
check_page (walk_t *self, uint64_t page, uint64_t from, uint32_t level)
{
    bool is_leaf = level + 1 == self->tree->depth;
    troupe_status_t status = load_page (self, page, from, level, is_leaf);
    if (status != TROUPE_OK)
        return status;
    *(is_leaf ? &self->seen.leaves : &self->seen.branches) += 1;
    const uint8_t *bytes = self->levels[level];
    size_t count = (get_le16 (bytes + 12) - (size_t) PAGE_HEAD) / 2, upper = get_le16 (bytes + 14);
    for (size_t i = 0; i < count && status == TROUPE_OK; i++) {
        size_t at = get_le16 (bytes + PAGE_HEAD + 2 * i);
        if (at < upper || at + NODE_HEAD > self->meta.page_size)
            return bad_page (self, page, "a record lies outside");
        size_t room = self->meta.page_size - at;
        status = is_leaf ? check_leaf_node (self, page, bytes + at, room)
                         : check_branch_node (self, page, bytes + at, room, level, i == 0);
    }
    return status;
}

static troupe_status_t
check_tree (walk_t *self, const tree_t *tree)
{
    self->tree = tree;
    self->has_key = false;
    memset (&self->seen, 0, sizeof self->seen);
    troupe_status_t status = TROUPE_OK;
    if (tree->depth > LEVELS_MAX || (tree->root == NO_PAGE) != (tree->depth == 0))
        return bad_page (self, self->meta.txn & 1, "the depth of a tree is none");
    if (tree->root != NO_PAGE)
        status = check_page (self, tree->root, self->meta.txn & 1, 0);
    if (status == TROUPE_OK && memcmp (&self->seen, &tree->totals, sizeof self->seen) != 0)
        status = bad_page (self, self->meta.txn & 1, "the trees do not hold as much as their heads say");
    self->used += self->seen.branches + self->seen.leaves + self->seen.overflows;
    return status;
}

troupe_status_t
pages_check (const char *path, pages_counts_t *counts, troupe_error_t *error)
{
    walk_t self;
    memset (counts, 0, sizeof *counts);
    troupe_status_t status = open_file (&self, path, error);
    if (status == TROUPE_OK) {
        self.taken = memory_zalloc (self.meta.last / 8 + 1);
        if (!self.taken)
            status = error_set (error, TROUPE_NO_MEMORY, "no memory to check %s", path);
    }
    if (status == TROUPE_OK)
        status = check_tree (&self, &self.meta.main);
    if (status == TROUPE_OK) {
        counts->entries = self.seen.entries;
        status = check_tree (&self, &self.meta.free);
    }
    counts->pages = self.meta.last + 1;
    counts->used = self.used + FIRST_PAGE;
    counts->free = self.free;
    for (size_t i = 0; i < LEVELS_MAX; i++)
        memory_free (self.levels[i]);
    memory_free (self.taken);
    if (self.fd >= 0)
        close (self.fd);
    return status;
}
