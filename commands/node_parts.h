/*  node_parts.h - what the files of the node share: its struct, and how it is wired.
 *  For commands/node*.c alone.
 *
 *      node.c         its life: new, start, stop
 *      node_wiring.c  the callbacks between its parts, and the door
 *      node_cluster.c the map of its cluster
 *      node_remote.c  kinds that workers outside of the process serve
 */
#ifndef COMMANDS_NODE_PARTS_H
#define COMMANDS_NODE_PARTS_H

#include "commands/checkpointer.h"
#include "commands/node.h"
#include "runtime/base/gate.h"
#include "runtime/remote.h"

#include <pthread.h>

#define NODE_CLOCK_JUMP_MS (60u * 1000)  /* a difference worth a word */

typedef enum { NODE_NEW, NODE_STARTING, NODE_RUNNING, NODE_STOPPING, NODE_STOPPED } node_state_t;

enum { DOOR_STOPPING = 1, DOOR_FULL = 2, DOOR_SHORT = 4, DOOR_QUOTA = 8 };

typedef struct {
    /* fixed after start */
    troupe_t *node;
    shard_t *shard;
    uint16_t number;

    /* owner: the start */
    frame_t *replayed, *replayed_last;  /* what the journal gave, by next_in_shard, until the shard takes it */

    /* owner: whoever steps the shard */
    uint64_t turns_before;  /* this step */

    /* under the node's lock, while it stops */
    bool is_quiet;
} place_t;

struct troupe_s {
    /* fixed after start */
    settings_t settings;
    registry_t *registry;
    store_t *store;
    recorder_t *recorder;
    watchdog_t *watchdog;
    uint32_t shards;
    uint32_t worker_count;
    uint64_t hash_seed;
    uint64_t boot;
    steady_clock_t clock;
    uint64_t started_ms;  /* by the wall */
    char backends_address[SETTINGS_TEXT_MAX + 1];
    place_t *places;
    workers_t *workers;
    committer_t *committer;
    checkpointer_t *checkpointer;
    node_listener_t listener, away_listener;
    const remote_port_t *remote;  /* NULL: no remote kinds */
    cluster_t *cluster;           /* NULL: a node of its own */
    char *cluster_line;           /* the same in words, for its store */
    node_away_t away;

    /* owner: the checkpoint's thread */
    bool has_told_clock;

    /* shared: atomic */
    char line_before[64];        /* callers write, all others read: not on one cache line */
    _Atomic uint64_t callers;    /* inside of node_post, node_release; seq_cst, with `state` in close_to_callers */
    _Atomic uint64_t calls;      /* numbers those without a session */
    char line_behind[64];
    _Atomic int state;           /* node_state_t */
    _Atomic bool is_ending;      /* the process: somebody is about to end it */
    gate_t callers_gone;
    gate_t quiet;

    pthread_mutex_t announcing;
    /* under it */
    remote_table_t *tables;      /* of remote kinds, replaced ones too */
    uint32_t table_count;

    pthread_mutex_t lock;
    /* under the lock */
    unsigned doors;      /* bits that keep the door closed */
    uint32_t unquiet;    /* shards that have something in hand, while it stops */
};

static inline node_state_t
node_state (const troupe_t *self)
{
    return (node_state_t) atomic_load (&self->state);
}

/* ---- node_cluster.c ---- */

#define NODE_CLUSTER_LINE 8192

/*  TROUPE_NOT_FOUND says which other node has the shard. */
troupe_status_t node_check_home (const troupe_t *self, uint16_t shard, troupe_error_t *error);

static inline bool
node_has (const troupe_t *self, uint16_t shard)
{
    return !self->cluster || cluster_is_mine (self->cluster, shard);
}

/* ---- node_remote.c ---- */

/*  The kinds that were announced before; the store is open, no shard is made. */
troupe_status_t node_load_tables (troupe_t *self, troupe_error_t *error);
void node_drop_tables (troupe_t *self);

/* ---- node_wiring.c ---- */

/*  What the parts are told to call. */
void node_wire_store (troupe_t *self, store_options_t *options);
void node_wire_shard (place_t *place, shard_world_t *world);
void node_wire_workers (troupe_t *self, workers_options_t *options);
void node_wire_committer (troupe_t *self, committer_watch_t *watch);
void node_wire_checkpointer (troupe_t *self, checkpointer_options_t *options);
void node_wire_watchdog (troupe_t *self, watchdog_options_t *options);

/*  What the workers run. */
bool node_step (void *place, uint64_t now_ms, recorder_slot_t *slot);
uint64_t node_next_due (void *place);

/*  Closes or opens one of the door's locks (DOOR_...). True when that changed anything. */
bool node_set_door (troupe_t *self, unsigned bit, bool is_closed);

#endif
