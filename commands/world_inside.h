/*  world_inside.h - the inside of a world, for the files that are the world:
 *      world.c       the machine, the process, calls from outside
 *      world_step.c  what happens next
 *      world_road.c  roads to other nodes
 *      world_forward.c  what is asked over them of actors of other nodes
 *      world_volume.c  the room on its disk
 */
#ifndef COMMANDS_WORLD_INSIDE_H
#define COMMANDS_WORLD_INSIDE_H

#include "commands/world.h"
#include "runtime/forward.h"
#include "runtime/road.h"

#define WORLD_SUSPECTS_MAX 16

typedef struct {
    letter_t *first, *last;
} path_t;

/*  The way to another node. */
typedef struct {
    world_t *world;
    uint16_t peer;
    road_t *road;                          /* of the process; NULL: it is this node, or off */
    bool is_known;                         /* of the machine: links were made with this store */
    uint8_t identity[ROAD_IDENTITY_SIZE];
    bool asks;                             /* of the machine: another store came, or this one is another */
    uint8_t asked[ROAD_IDENTITY_SIZE];
    char why[ROAD_REASON_MAX];             /* of the process: why it is not open */
} way_t;

/*  The disk as a whole: journal, tree and ballast share it with others. */
typedef struct {
    room_t room;
    uint64_t bytes;              /* 0: no bound */
    uint64_t others, tree, ballast;
} volume_t;

/*  Why the door is closed; 0: it is open. */
enum { DOOR_ASKED = 1, DOOR_FULL = 2, DOOR_SHORT = 4 };

struct world_s {
    /* fixed */
    world_options_t options;
    uint32_t shard_count;

    /* the machine: outlives the process */
    disk_t *disk;
    state_port_t *state;
    state_port_t port;           /* the state as the process sees it: folds take a while, and may find no room */
    recorder_t *recorder;
    volume_t volume;
    uint64_t own_clock_ms, *clock;
    uint64_t slices_ns, slice_looks;  /* how time passes within steps of shards, for these alone */
    uint64_t salt;               /* the seed, another one for each node */
    way_t ways[WORLD_NODES_MAX];
    dice_t dice;
    world_counts_t counts;

    /* the process */
    bool is_up;
    registry_t *registry;
    journal_t *journal;
    checkpoint_t *checkpoint;
    shard_t *shards[WORLD_SHARDS_MAX];
    bool is_ready[WORLD_SHARDS_MAX];
    path_t paths[WORLD_SHARDS_MAX * WORLD_SHARDS_MAX];
    uint32_t letters;            /* on all roads */
    forward_t *forward;          /* NULL: there are no other nodes, or it is off */
    bool must_forward;           /* something was left there */
    uint64_t forward_ms;         /* when it wants to look at the clock */
    uint64_t submitted, durable; /* frames of all shards, since the boot */
    uint64_t durable_frame[WORLD_SHARDS_MAX];  /* newest of each shard */
    uint64_t folded_frame[WORLD_SHARDS_MAX];
    uint32_t within;             /* a commit or a fold is under way: WITHIN_* */
    unsigned door;               /* DOOR_* */
    bool is_full;
    uint64_t retry_ms;           /* of a full disk */
    uint64_t call_ids;
    troupe_error_t failure;
    uint32_t suspect_count;
    recorder_suspect_t suspects[WORLD_SUSPECTS_MAX];  /* when a handler killed the process */
};

enum { WITHIN_COMMIT = 1, WITHIN_FOLD = 2 };

/*  The other threads of the node go on while this one is in the middle of something. */
void world_meanwhile (world_t *self);

/*  Whether durable frames wait to be folded. */
bool world_has_unfolded (const world_t *self);

/*  Puts a letter into a shard's inbox, and the shard among those to be stepped. */
void world_post (world_t *self, uint16_t to, letter_t *letter);

/*  The process cannot go on, for this reason. */
void world_fail (world_t *self, const troupe_error_t *error);

/*  A call of one of its own shards. */
troupe_status_t world_call (world_t *self, const troupe_call_t *call, uint16_t shard, troupe_error_t *error);

/*  A call of a shard of another node; what is to be said and ended of such calls now. */
troupe_status_t world_open_forward (world_t *self, troupe_error_t *error);
void world_close_forward (world_t *self);
troupe_status_t world_forward_call (world_t *self, const troupe_call_t *call, uint16_t shard, troupe_error_t *error);
uint64_t world_forward_due (const world_t *self);
void world_forward (world_t *self);

/*  Roads to the other nodes: at a boot, at the end of the process. */
troupe_status_t world_open_roads (world_t *self, troupe_error_t *error);
void world_close_roads (world_t *self);
void world_send_away (world_t *self, uint16_t to, letter_t *letter);
uint64_t world_roads_due (const world_t *self);
void world_tick_roads (world_t *self);

/*  The door of all shards closes for this reason, or no longer for it. */
void world_set_door (world_t *self, unsigned reason, bool is_closed);

/*  The room on its disk. */
void world_make_volume (world_t *self);
void world_look_at_room (world_t *self);

/*  What a fold of these changes takes of the volume; TROUPE_FULL when it has not got it. */
troupe_status_t world_take_room (world_t *self, const state_change_t *changes, size_t count, troupe_error_t *error);

void world_clear_path (world_t *self, uint16_t from, uint16_t to);

#endif
