/*  room.h - the room on the disk that folding needs: when the door must close, and what is kept for the worst.
 *
 *  Handling mail needs the journal, trimming the journal needs folding, and
 *  folding needs pages. So the door closes while there is still room for a whole
 *  checkpoint, and if others fill the disk all the same, the ballast goes. The
 *  disk stands behind a port: a directory, or the simulator's volume.
 */
#ifndef STORAGE_ROOM_H
#define STORAGE_ROOM_H

#include "storage/checkpoint.h"

typedef struct {
    void *self;
    /* What is free on the disk. False: it is not known. */
    bool (*get_free) (void *self, uint64_t *bytes);
    bool (*has_ballast) (void *self);
    void (*free_ballast) (void *self);
    void (*make_ballast) (void *self, uint64_t bytes);  /* as large as this, or none */
} room_port_t;

typedef struct {
    room_port_t port;
    uint64_t soft_bytes;     /* 0: the door has no bound */
    uint64_t ballast_bytes;  /* 0: none */
} room_t;

/*  Whether the door may be open: soft_bytes and twice the unfolded bytes are
 *  free, so that a whole checkpoint has room. `free_bytes` may be NULL. */
bool room_is_enough (const room_t *self, const journal_t *journal, uint64_t *free_bytes);

/*  checkpoint_run. When the disk is full it gives the ballast back and tries again;
 *  after a success it makes the ballast anew. Until then the journal is held back: the room is the fold's. */
troupe_status_t room_fold (const room_t *self, journal_t *journal, checkpoint_t *checkpoint, troupe_error_t *error)
    TROUPE_CHECKED;

/*  journal_recover, which gives the ballast back as well: a node must start in order to fold. What is left of it is
 *  the fold's. */
troupe_status_t room_recover (const room_t *self, journal_t *journal, const state_mark_t *marks, uint32_t shards,
                              journal_replay_t *replay, void *arg, troupe_error_t *error) TROUPE_CHECKED;

/*  Never out of the last room that there is. Best effort. */
void room_make_ballast (const room_t *self);

#endif
