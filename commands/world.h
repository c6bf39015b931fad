/*  world.h - a whole node on one thread, in simulated time: for tests.
 *
 *  The shards, links, journal and checkpoint are the real ones; the disk, the
 *  folded state and the flight recorder are their twins in memory and outlive
 *  the "process", which can be killed at any moment and booted again. Nothing
 *  happens by itself: each world_step picks, by the dice of the seed, one of
 *  the things that could happen next (a shard runs a slice, the journal
 *  commits, the checkpoint folds, a letter arrives, the clock moves), so that the
 *  same seed gives the same run. A shard is stepped only when its contract says
 *  that it must be: a forgotten wake is a world that stands still.
 *
 *  One thread; nothing is durable but in memory.
 */
#ifndef COMMANDS_WORLD_H
#define COMMANDS_WORLD_H

#include "commands/dice.h"
#include "runtime/cluster.h"
#include "runtime/port/host.h"
#include "runtime/recorder.h"
#include "runtime/shard.h"
#include "storage/checkpoint.h"
#include "storage/disk_memory.h"
#include "storage/journal.h"
#include "storage/room.h"
#include "storage/state.h"

#define WORLD_SHARDS_MAX 16
#define WORLD_NODES_MAX 4

typedef enum {
    WORLD_SHARD,       /* a shard runs a slice */
    WORLD_COMMIT,      /* the journal commits what was submitted */
    WORLD_CHECKPOINT,  /* what is durable is folded */
    WORLD_DELIVER,     /* a letter arrives at a shard */
    WORLD_CLOCK,       /* time passes */
    WORLD_TICK,        /* roads to other nodes, and what is asked over them */
    WORLD_ACTIONS
} world_action_t;

/*  What a watching test is told; each may be NULL. */
typedef struct {
    void *self;
    void (*acted) (void *self, world_action_t action, uint32_t which, uint64_t detail);
    void (*submitted) (void *self, const frame_t *frame);
    void (*replayed) (void *self, const frame_t *frame);  /* a boot found it in the journal */
    void (*durable) (void *self, uint16_t shard, uint64_t frame);
    void (*folded) (void *self, uint16_t shard, uint64_t frame);
    void (*lacked_room) (void *self, bool had_ballast);  /* the disk was full for a fold */
    void (*carried) (void *self, uint16_t from, uint16_t to, const letter_t *letter);
    void (*published) (void *self, uint16_t shard, const char *address, const char *channel, uint64_t offset,
                       const char *key, const void *body, size_t size);
} world_watch_t;

/*  Each happens once in so many; 0: never. */
typedef struct {
    uint32_t cut_in;       /* letters that arrive: the road between the two shards is broken */
    uint32_t no_room_in;   /* folds: there is no room for them */
    uint32_t no_memory_in; /* slices: at some place in it memory runs out */
} world_faults_t;

typedef struct {
    uint64_t seed;
    uint32_t shards;
    shard_limits_t limits;
    uint64_t segment_size;
    uint32_t spare_segments;
    uint32_t weights[WORLD_ACTIONS];  /* how eagerly each is chosen when it can be; 0: 1 */
    uint32_t fold_changes;            /* of one transaction of a fold, at most; 0: CHECKPOINT_CHANGES */
    uint32_t meanwhile_most;          /* things that happen in the middle of a commit or fold, at most */
    world_faults_t faults;
    world_watch_t watch;
    /* One node of several, with the shards that are its own; NULL: it has all. */
    const cluster_t *cluster;
    uint64_t *clock;                          /* of all nodes; set by the caller; NULL: one of its own */
    /* What it says to another one, whose world_received it may or may not reach. False: nothing goes there now. */
    bool (*send) (void *network, uint16_t from, uint16_t to, const void *bytes, size_t size);
    /* Feeds of actors of other nodes: whether somebody watches one here, what is heard of it. NULL: nobody does. */
    bool (*is_watched) (void *network, uint16_t self, const char *address, const char *channel);
    void (*heard) (void *network, uint16_t self, const char *address, const char *channel, uint64_t offset,
                   const void *body, size_t size);
    void *network;
    /* The volume that journal, state and ballast share; 0: none has a bound. */
    uint64_t volume_bytes;
    uint64_t soft_room_bytes, ballast_bytes;  /* as in room.h */
    const remote_port_t *remote;              /* NULL: no kind is remote */
    const troupe_kind_t *const *remote_kinds; /* NULL-ended; known at each boot */
} world_options_t;

typedef struct world_s world_t;

/*  A machine that is switched off, with an empty disk. NULL and an error. */
world_t *world_new (const world_options_t *options, troupe_error_t *error);
void world_destroy (world_t **self_p);

/*  Starts the process: opens, recovers, starts all shards. A failure leaves it
 *  switched off. The NULL-ended array is borrowed until the process ends. */
troupe_status_t world_boot (world_t *self, const troupe_kind_t *const *kinds, troupe_error_t *error) TROUPE_CHECKED;

/*  The process ends here and now; calls in hand are never answered. With
 *  `power` the machine goes down too, and of what was not synced only a part
 *  survives. */
void world_halt (world_t *self, bool power);

/*  For a handler that crashes: as from here nothing leaves the process, and
 *  the flight recorder has a strike against the running message. The caller of
 *  world_step then sees world_is_up say no, and halts it. */
void world_die_in_handler (world_t *self, int signal);

/*  The process runs and nothing has gone wrong with it. */
bool world_is_up (const world_t *self);

/*  Why it is not up any more though nobody halted it; TROUPE_OK otherwise. */
troupe_status_t world_failure (const world_t *self, const char **text);

/*  One thing happens. False: nothing is left to happen before world_next_due,
 *  or the process is not up. */
bool world_step (world_t *self);

/*  Steps until nothing is left to happen at this time; false when it is not up
 *  any more or `most` steps were not enough. */
bool world_settle (world_t *self, uint64_t most);

/*  The clock moves on and nothing else; when the earliest timer is due, UINT64_MAX: none. */
void world_pass (world_t *self, uint64_t ms);
uint64_t world_next_due (const world_t *self);
uint64_t world_now (const world_t *self);

/*  Sets the wall clock, forward or back, while the process is down. A boot goes on from the
 *  newest frame when the clock is behind that. */
void world_set_clock (world_t *self, uint64_t wall_ms);

/*  As troupe_submit, also of an actor of another node. `done` is called in a step, or never when the process ended
 *  before. */
troupe_status_t world_submit (world_t *self, const troupe_call_t *call, troupe_error_t *error) TROUPE_CHECKED;

/*  The shard of an address; TROUPE_INVALID when it is none. */
troupe_status_t world_shard_of (const world_t *self, const char *address, uint16_t *shard, troupe_error_t *error);

/*  Runs `run` on a shard between its turns. `shard` is NULL when the process ended first. */
typedef void (world_errand_t) (void *arg, shard_t *shard);
void world_errand (world_t *self, uint16_t shard, world_errand_t *run, void *arg);

/*  A feed of an actor of another node is watched here: it is heard until options.is_watched says no. */
void world_listen (world_t *self, const char *address, const char *channel);

/*  As host_port_t.read_feed, of an actor of another node; `told` also when the process ends. */
troupe_status_t world_read_feed (world_t *self, const char *address, const char *channel, uint64_t from, uint32_t most,
                                 host_told_t *told, void *arg, troupe_error_t *error) TROUPE_CHECKED;

/*  Another node says something. */
void world_received (world_t *self, uint16_t from, const void *bytes, size_t size);

/*  Whether the shard is one of this node. */
bool world_has (const world_t *self, uint16_t shard);

/*  A worker of a remote kind hands something in. */
void world_remote_outcome (world_t *self, const char *address, const remote_token_t *token,
                           const remote_outcome_t *outcome);

/*  While it is off: its store becomes one that was restored from a backup of what is folded, with an epoch of its
 *  own and no journal; it knows no other node any more. */
troupe_status_t world_restore (world_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  Whether the road to another node is open; why not. */
bool world_is_linked (const world_t *self, uint16_t peer, const char **why);

/*  How often it broke, of this process. */
uint64_t world_broken (const world_t *self, uint16_t peer);

/*  As an operator does when the other store, or this one, is not that which links were made with: first the shards
 *  here are to believe those there; when they have heard that, the node does. False: nobody was refused. */
bool world_adopt (world_t *self, uint16_t peer);
void world_accept (world_t *self, uint16_t peer);

/*  Closes the door of all shards, or opens it unless the disk lacks room. */
void world_close_door (world_t *self, bool closes);

/*  Others take so much of the volume, as far as it is there; or it has no bound any more (0). */
void world_crowd (world_t *self, uint64_t bytes);
void world_set_volume (world_t *self, uint64_t bytes);
uint64_t world_volume (const world_t *self);
uint64_t world_room (const world_t *self);  /* what is free of it */
bool world_has_ballast (const world_t *self);

/*  All roads between two shards of this node break: what is on them is lost, both are told. */
void world_cut (world_t *self, uint16_t one, uint16_t other);

void world_set_faults (world_t *self, const world_faults_t *faults);

/*  Whether all shards are quiet and nothing is on its way. */
bool world_is_quiet (const world_t *self);

/*  Whether the disk was full at the last commit. */
bool world_is_full (const world_t *self);

const registry_t *world_registry (const world_t *self);  /* NULL when it is off */
uint32_t world_shards (const world_t *self);
shard_t *world_shard (world_t *self, uint16_t number);  /* NULL when it is off */
disk_t *world_disk (world_t *self);
state_port_t *world_state (world_t *self);
recorder_t *world_recorder (world_t *self);
dice_t *world_dice (world_t *self);

typedef struct {
    uint64_t roads_opened, roads_broken;  /* to other nodes, of the processes that have ended */
    uint64_t forwarded, heard;            /* calls of their actors, events of their feeds; likewise */
    uint64_t steps, boots, halts, turns, frames, folds, letters, cuts, deaths_in_handlers, runaways;
} world_counts_t;
world_counts_t world_counts (const world_t *self);

#endif
