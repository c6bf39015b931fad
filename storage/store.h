/*  store.h - a store: a directory, and what is done to it as a whole.
 *
 *      lock            whoever has it open (lock.h)
 *      state.mdb       the folded state (state.h), with LMDB's lock file beside it
 *      journal/        the segments (journal.h)
 *      ballast         space that is given back when the disk is full
 *      cluster         which node of which cluster it is, if it is of one
 *      io-error        a node stopped on an I/O error; it says which
 *      restoring       a restore into this directory has not finished
 *      restored        it was made by a restore; it says of which backup
 *  The directory is its owner's alone when it is made here. Other files in it
 *  are others': the flight recorder, the control socket.
 *
 *  A backup is a directory with a state.mdb and no journal. It is not opened:
 *  it is restored into a store with an epoch of its own.
 *
 *  Threads. open, close, check, restore, acknowledge: while nobody else is here.
 *  fold and the room: the checkpoint's. The rest: any.
 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "storage/room.h"
#include "storage/state.h"

#define STORE_JOURNAL "journal"
#define STORE_RESTORED "restored"    /* a file that says of which backup it was made */
#define STORE_RESTORING "restoring"
#define STORE_SEGMENT_BYTES (64ull << 20)    /* default of segment_size */
#define STORE_SPARE_SEGMENTS 4
#define STORE_SOFT_ROOM_BYTES (64ull << 20)  /* what soft_room_bytes should be at least on a disk of its own */
#define STORE_BALLAST_BYTES (64ull << 20)    /* likewise ballast_bytes */

typedef struct {
    const char *directory;
    bool create;                 /* make the store when there is none */
    uint32_t shards;             /* counts when it is made; 0: STATE_SHARDS_DEFAULT */
    uint64_t hash_seed;          /* likewise; 0: a random one */
    const char *cluster;         /* who the node is, in one line (store_cluster.h); NULL: a node of its own */
    bool of_any_node;            /* `cluster` does not count: it is opened to be copied, no node runs on it */
    uint64_t map_bytes;          /* bound of the state; 0: STATE_MAP_BYTES */
    uint64_t segment_size;       /* of the journal; 0: STORE_SEGMENT_BYTES */
    uint64_t soft_room_bytes;    /* as in room.h; 0: no bound */
    uint64_t ballast_bytes;      /* 0: none */
    const char *tables;          /* first bytes that keys may have, for the check of a backup; NULL: any */
    void (*on_taken) (void *arg, uint16_t shard, uint64_t frame);    /* as in journal.h */
    void (*on_durable) (void *arg, uint16_t shard, uint64_t frame);  /* as in journal.h */
    void (*on_folded) (void *arg, uint16_t shard, uint64_t frame);   /* as in checkpoint.h */
    void *arg;
} store_options_t;

/*  Fixed after store_open; the parts are used directly. */
typedef struct {
    store_options_t options;
    char *directory;
    state_port_t *state;
    disk_t *disk;
    journal_t *journal;
    checkpoint_t *checkpoint;
    room_t room;
} store_t;

/*  One line for people. */
typedef void (store_tell_t) (void *arg, const char *line);

/*  Opens it, or makes it; borrows `tables`. NULL and an error, besides those of state_lmdb_new and
 *  journal_new: TROUPE_MISMATCH for that of another node; TROUPE_IO after an I/O error that nobody acknowledged;
 *  TROUPE_CORRUPT when
 *  a part is missing; TROUPE_INVALID for a backup; TROUPE_FORBIDDEN for files of another user, or a disk that is
 *  mounted for reading. Nothing is recovered yet. This, store_recover and store_fold leave the marker when they give
 *  TROUPE_IO. */
store_t *store_open (const store_options_t *options, troupe_error_t *error);
void store_close (store_t **self_p);

/*  Syncs the names and the state, then room_recover with its marks. */
troupe_status_t store_recover (store_t *self, journal_replay_t *replay, void *arg, troupe_error_t *error)
    TROUPE_CHECKED;

/*  room_fold. */
troupe_status_t store_fold (store_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  What state and journal take on the disk. Pages that a deletion left free do not count. Any thread. */
uint64_t store_used_bytes (const store_t *self);

/*  The node stops on an I/O error: leaves the marker, unless there is one. Best effort, any thread. */
void store_mark_broken (const store_t *self, const char *text);

/*  Whether the marker is there. */
bool store_is_broken (const char *directory);

/*  The operator has seen it: removes the marker. OK when there is none. */
troupe_status_t store_acknowledge (const char *directory, troupe_error_t *error) TROUPE_CHECKED;

/*  Offline. Tells what it counts, and stops at the first thing that is not
 *  as it must be: identity, every page and record of the state, keys (`tables` as
 *  above), the journal, and that its frames continue the state. A backup may be
 *  checked too. TROUPE_LOCKED while somebody has it open. */
troupe_status_t store_check (const char *directory, const char *tables, store_tell_t *tell, void *arg,
                             troupe_error_t *error) TROUPE_CHECKED;

/*  Beside the running node; any thread that the node may wait for. `fold` brings the
 *  state up to date, on the checkpoint's thread (NULL: store_fold, here). The copy
 *  goes to `target`, which is made and may hold no store, and is then checked. */
typedef troupe_status_t (store_fold_t) (void *arg, troupe_error_t *error);
troupe_status_t store_backup (store_t *self, const char *target, store_fold_t *fold, void *fold_arg,
                              store_tell_t *tell, void *arg, troupe_error_t *error) TROUPE_CHECKED;

/*  Offline. Makes a store with a new epoch out of a backup, checked. TROUPE_INVALID
 *  when `target` holds a store. One that died half-way may be done again. */
troupe_status_t store_restore (const char *backup, const char *target, const char *tables, store_tell_t *tell,
                               void *arg, troupe_error_t *error) TROUPE_CHECKED;

#endif
