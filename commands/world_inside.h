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
    uint64_t submitted, durable; /* frames */
    uint64_t unfolded;           /* durable frames that the checkpoint has not folded */
    bool is_full;
    uint64_t retry_ms;           /* of a full disk */
    uint64_t call_ids;
    troupe_error_t failure;
    uint32_t suspect_count;
    recorder_suspect_t suspects[WORLD_SUSPECTS_MAX];  /* when a handler killed the process */
};

/*  Puts a letter into a shard's inbox, and the shard among those to be stepped. */
void world_post (world_t *self, uint16_t to, letter_t *letter);

/*  The process cannot go on, for this reason. */
void world_fail (world_t *self, const troupe_error_t *error);

void world_clear_road (world_t *self, uint16_t from, uint16_t to);

#endif
