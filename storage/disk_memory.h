/*  disk_memory.h - a faulty disk in memory.
 *
 *  It keeps for every file what is durable and which writes came since the
 *  last sync, and the same for names. A crash makes, by a seed, one of the
 *  legal images: every unsynced write of a 512-byte sector is there or not,
 *  whichever order they came in; unsynced creations, renames and removals are
 *  there or not (a prefix of them). Not for several threads.
 */
#ifndef STORAGE_DISK_MEMORY_H
#define STORAGE_DISK_MEMORY_H

#include "storage/disk.h"

#define DISK_MEMORY_SECTOR 512

disk_t *disk_memory_new (void);
void disk_memory_destroy (disk_t **self_p);

/*  Power goes: unsynced sectors survive by the dice of `seed`, open files are
 *  gone. With `keep_cache` the process died but the machine did not: all
 *  writes are still read back, yet stay unsynced. */
void disk_memory_crash (disk_t *self, uint64_t seed, bool keep_cache);

/*  In the n-th following write, fill, sync, rename or removal the disk dies:
 *  that one may be done, not done, or (a write) torn at a sector; from then on
 *  everything fails with TROUPE_IO and changes nothing, until the next crash.
 *  0: never. */
void disk_memory_die_after (disk_t *self, uint64_t operations);
bool disk_memory_is_dead (const disk_t *self);

/*  The n-th following sync fails with an I/O error, and what it should have
 *  made durable may be lost at a crash although it reads back. 0: never. */
void disk_memory_fail_sync_after (disk_t *self, uint64_t syncs);

/*  Bytes that files may take in all; writes beyond are TROUPE_FULL, and leave
 *  what fitted. A bound below what is taken already makes writes in place fail
 *  too, as on a file system that copies on write. 0: no bound. */
void disk_memory_set_space (disk_t *self, uint64_t bytes);

/*  Bytes that files take now. */
uint64_t disk_memory_used (const disk_t *self);

/*  Flips bits of what is durable, as bit rot does. */
troupe_status_t disk_memory_damage (disk_t *self, const char *name, uint64_t at, uint8_t mask);

/*  Counts, for the figures of a run. */
typedef struct {
    uint64_t writes, written_bytes, syncs, crashes;
} disk_memory_counts_t;
disk_memory_counts_t disk_memory_counts (const disk_t *self);

/*  A mutation for the tests: syncs say OK and do nothing. */
void disk_memory_ignore_syncs (disk_t *self, bool ignore);

#endif
