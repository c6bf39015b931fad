/*  world_volume.c - the room on a world's disk: journal, tree, ballast and others share a volume.
 *
 *  DESIGN
 *  The tree is as one that copies on write: a fold needs room for what it
 *  changes beside what is there, before and behind; pages that it leaves are used
 *  again, but the file never shrinks. What is in none of the four is the room
 *  that is free.
 */
#include "commands/world_inside.h"

#include "runtime/base/error.h"

#define RECORD_BYTES 16   /* of a record in the tree, besides key and value */
#define FOLD_COPIES 2

static uint64_t
taken (const volume_t *volume)
{
    return volume->others + volume->tree + volume->ballast;
}

uint64_t
world_room (const world_t *self)
{
    uint64_t used = taken (&self->volume) + disk_memory_used (self->disk);
    return self->volume.bytes > used ? self->volume.bytes - used : 0;
}

/*  The journal has what the rest leaves. */
static void
bound_journal (world_t *self)
{
    const volume_t *volume = &self->volume;
    uint64_t left = volume->bytes > taken (volume) ? volume->bytes - taken (volume) : 1;
    disk_memory_set_space (self->disk, volume->bytes ? left : 0);
}

static bool
get_free (void *self, uint64_t *bytes)
{
    *bytes = world_room (self);
    return ((const world_t *) self)->volume.bytes > 0;
}

static bool
has_ballast (void *self)
{
    return world_has_ballast (self);
}

static void
free_ballast (void *self_)
{
    world_t *self = self_;
    self->volume.ballast = 0;
    bound_journal (self);
}

static void
make_ballast (void *self_, uint64_t bytes)
{
    world_t *self = self_;
    self->volume.ballast = bytes;
    bound_journal (self);
}

bool
world_has_ballast (const world_t *self)
{
    return self->volume.ballast > 0;
}

void
world_make_volume (world_t *self)
{
    const world_options_t *options = &self->options;
    self->volume.room = (room_t) { { self, get_free, has_ballast, free_ballast, make_ballast },
                                   options->soft_room_bytes, options->ballast_bytes };
    self->volume.bytes = options->volume_bytes;
    if (self->volume.bytes)
        room_make_ballast (&self->volume.room);
}

void
world_look_at_room (world_t *self)
{
    if (self->is_up && self->volume.bytes)
        world_set_door (self, DOOR_SHORT, !room_is_enough (&self->volume.room, self->journal, NULL));
}

uint64_t
world_volume (const world_t *self)
{
    return self->volume.bytes;
}

void
world_crowd (world_t *self, uint64_t bytes)
{
    uint64_t most = self->volume.others + world_room (self);
    self->volume.others = bytes < most ? bytes : most;
    bound_journal (self);
    world_look_at_room (self);
}

void
world_set_volume (world_t *self, uint64_t bytes)
{
    self->volume.bytes = bytes;
    self->volume.others = 0;
    bound_journal (self);
    world_set_door (self, DOOR_SHORT, false);
    world_look_at_room (self);
}

troupe_status_t
world_take_room (world_t *self, const state_change_t *changes, size_t count, troupe_error_t *error)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += RECORD_BYTES + changes[i].op.key_size + changes[i].op.value_size;
    uint64_t needs = state_memory_bytes (self->state) + FOLD_COPIES * bytes;
    if (!self->volume.bytes || needs <= self->volume.tree)
        return TROUPE_OK;
    if (needs - self->volume.tree > world_room (self))
        return error_set (error, TROUPE_FULL, "no room for the tree");
    self->volume.tree = needs;
    bound_journal (self);
    return TROUPE_OK;
}
