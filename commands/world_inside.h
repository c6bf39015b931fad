/*  world_inside.h - the inside of a world, for the files that are the world:
 *      world.c       the machine, the process, calls from outside
 *      world_step.c  what happens next
 */
#ifndef COMMANDS_WORLD_INSIDE_H
#define COMMANDS_WORLD_INSIDE_H

#include "commands/world.h"

#define WORLD_SUSPECTS_MAX 16

typedef struct {
    letter_t *first, *last;
} road_t;

struct world_s {
    /* fixed */
    world_options_t options;
    uint32_t shard_count;

    /* the machine: outlives the process */
    disk_t *disk;
    state_port_t *state;
    state_port_t port;           /* the state as the process sees it: folds take a while, and may find no room */
    recorder_t *recorder;
    uint64_t wall_ms;
    dice_t dice;
    world_counts_t counts;

    /* the process */
    bool is_up;
    registry_t *registry;
    journal_t *journal;
    checkpoint_t *checkpoint;
    shard_t *shards[WORLD_SHARDS_MAX];
    bool is_ready[WORLD_SHARDS_MAX];
    road_t roads[WORLD_SHARDS_MAX * WORLD_SHARDS_MAX];
    uint32_t letters;            /* on all roads */
    uint64_t submitted, durable; /* frames of all shards, since the boot */
    uint64_t durable_frame[WORLD_SHARDS_MAX];  /* newest of each shard */
    uint64_t folded_frame[WORLD_SHARDS_MAX];
    uint32_t within;             /* a commit or a fold is under way: WITHIN_* */
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

void world_clear_road (world_t *self, uint16_t from, uint16_t to);

#endif
