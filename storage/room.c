/*  room.c - the room on the disk that folding needs. */
#include "storage/room.h"

bool
room_is_enough (const room_t *self, const journal_t *journal, uint64_t *free_bytes)
{
    uint64_t room = 0;
    bool is_known = self->port.get_free (self->port.self, &room);
    if (free_bytes)
        *free_bytes = room;
    if (self->soft_bytes == 0 || !is_known)
        return true;
    return room >= self->soft_bytes + 2 * journal_counts (journal).unfolded_bytes;
}

void
room_make_ballast (const room_t *self)
{
    uint64_t room;
    if (self->ballast_bytes == 0)
        return;
    if (!self->port.has_ballast (self->port.self)
        && (!self->port.get_free (self->port.self, &room) || room / 2 < self->ballast_bytes))
        return;
    self->port.make_ballast (self->port.self, self->ballast_bytes);
}

/*  Whether there was any. */
static bool
give_ballast (const room_t *self)
{
    if (!self->port.has_ballast (self->port.self))
        return false;
    self->port.free_ballast (self->port.self);
    return true;
}

troupe_status_t
room_fold (const room_t *self, journal_t *journal, checkpoint_t *checkpoint, troupe_error_t *error)
{
    troupe_status_t status = checkpoint_run (checkpoint, error);
    if (status == TROUPE_FULL) {
        journal_hold_back (journal, true);
        if (give_ballast (self))
            status = checkpoint_run (checkpoint, error);
    }
    if (status == TROUPE_OK) {
        journal_hold_back (journal, false);
        room_make_ballast (self);
    }
    return status;
}

troupe_status_t
room_recover (const room_t *self, journal_t *journal, const state_mark_t *marks, uint32_t shards,
              journal_replay_t *replay, void *arg, troupe_error_t *error)
{
    troupe_status_t status = journal_recover (journal, marks, shards, replay, arg, error);
    if (status == TROUPE_FULL && give_ballast (self)) {
        journal_hold_back (journal, true);
        status = journal_recover (journal, marks, shards, replay, arg, error);
    }
    return status;
}
