/*  sim.h - the simulator: one seed, one run of a world with faults and a model that watches it.
 *
 *  What each file does:
 *      sim.c         the program: seeds, jobs, figures
 *      profile.c     what a seed decides beforehand
 *      drive.c       one run: what happens next, faults, the end
 *      nodes.c       the nodes of a run, one or several, and the network between them
 *      restore.c     a node of several gets a restored store
 *      listeners.c   watchers at nodes that do not have the actor
 *      clients.c     callers with sessions: call, repeat, forget, compare answers
 *      checks.c      what holds at any moment: releases, links, frames, recovery (I1 to I6)
 *      fold.c        a fold of frames of its own, to compare the state with
 *      trace.c       what happened, its hash, and how a failure is told
 *      operator.c    errands of an operator: dead letters, inspection, feeds
 *      workload_*.c  kinds, each with a model of what must come out
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "commands/world.h"
#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/keys.h"
#include "tests/sim/fold.h"

#define SIM_CLIENTS_MAX 8
#define SIM_KIND_VERSIONS 3
#define SIM_TEXT_MAX 96
#define SIM_SHORT_BOOTS 2        /* without a fold between them, for which there is room */

typedef struct sim_s sim_t;
typedef struct request_s request_t;

/* ---- what a seed decides ---- */

typedef struct {
    uint32_t shards, clients, steps;
    uint32_t nodes;
    uint32_t lose_in, double_in, reorder_in, refuse_in, split_in;  /* the network: of the packets; of the steps */
    uint32_t workloads;          /* a bit each */
    uint32_t act_in;             /* of the steps, one in so many is a client's act; so below */
    uint32_t power_in, kill_in, disk_death_in, fold_death_in, boot_death_in;
    uint32_t full_in, sync_failure_in, clock_jump_in, upgrade_in, operator_in, door_in;
    uint32_t meanwhile_most;
    uint32_t fold_changes;
    world_faults_t faults;
    uint32_t wake_death_in;      /* of the wakes and upgrades */
    uint32_t handler_death_in;   /* of the turns that may */
    uint32_t sessionless_in;     /* of the calls */
    uint32_t think_ms;           /* most that passes when nothing happens */
    bool is_ordered;             /* sessions are ordered lanes */
    shard_limits_t limits;
    uint64_t segment_size;
    uint32_t spare_segments;
    uint64_t volume_bytes, soft_room_bytes, ballast_bytes;  /* 0: the disk has no bound */
    uint32_t crowd_in;           /* others take room on it */
    uint32_t weights[WORLD_ACTIONS];
} profile_t;

/* ---- a workload: kinds and a model ---- */

typedef struct {
    const char *name;
    const troupe_kind_t *kinds[SIM_KIND_VERSIONS];  /* by version, newest last; NULL: the one before stays */
    const troupe_kind_t *other;                     /* a second kind; may be NULL */
    const troupe_kind_t *remote;                    /* one that the world has of itself; may be NULL */
    bool may_be_missing;                            /* some boots have the second kind alone */
    void (*begin) (sim_t *sim);                     /* resets the model; may be NULL */
    void (*act) (sim_t *sim, uint32_t client);      /* a client does something */
    void (*answered) (sim_t *sim, const request_t *request);  /* its outcome is final; may be NULL */
    void (*published) (sim_t *sim, const char *address, const char *channel, uint64_t offset, const void *body,
                       size_t size);                /* may be NULL */
    void (*booting) (sim_t *sim);                   /* the process is down; may be NULL */
    void (*booted) (sim_t *sim);                    /* the process is up again; may be NULL */
    void (*ending) (sim_t *sim);                    /* faults are over; now and then; may be NULL */
    void (*works) (sim_t *sim);                     /* each step: those outside of the process go on; may be NULL */
    bool (*rests) (sim_t *sim);                     /* faults are over: they end what they have in hand; false: nothing;
                                                     * may be NULL */
    void (*quiet) (sim_t *sim);                     /* faults are over, nothing can happen now; may be NULL */
    void (*last) (sim_t *sim);                      /* all is quiet: calls that must be answered; may be NULL */
    void (*check) (sim_t *sim);                     /* all is quiet at the end */
} workload_t;

extern const workload_t *const sim_workloads[];     /* NULL-ended */
extern const workload_t workload_hoard;             /* the last of them: of runs with little room alone */
extern const remote_port_t sim_remote_port;         /* workload_remote.c */
extern const troupe_kind_t *const sim_remote_kinds[];

/* ---- a call of a client, until its answer is known ---- */

struct request_s {
    request_t *next;
    const workload_t *workload;
    uint32_t client;             /* SIM_CLIENTS_MAX and more: without a session */
    uint64_t seq;
    char to[64];
    const char *verb;
    uint64_t a, b;               /* the workload's */
    uint64_t not_after_ms;
    uint64_t floor;              /* stamp of the actor that was seen before this call was first made */
    uint64_t heard_ms;           /* when the caller hears that it was not accepted */
    uint32_t out;                /* submissions that this process has not answered yet */
    uint32_t gateway;            /* without a session: the node that is called */
    bool is_final;               /* the answer is known, and the same for good */
    bool is_unknown;             /* nobody will ever know */
    bool is_read;                /* not recorded: each submission is answered for itself */
    bool has_place;              /* it was told that the actor is parked, and waits there all the same */
    bool was_out;                /* a read has lost its place, what came after it has not: when a process or a road
                                  * ended, or the actor went on from being parked while it was on its way again */
    uint64_t broken;             /* how often the road to the actor's node had broken before */
    troupe_status_t status;
    uint8_t *answer;             /* packed, malloced */
    size_t answer_size;
    char text[SIM_TEXT_MAX];
    size_t size;
    uint8_t body[];
};

#define SIM_NO_SESSION SIM_CLIENTS_MAX

/* ---- the run ---- */

#define TRACE_KEPT 400

typedef struct {
    const char *what;            /* a literal */
    uint64_t step, now_ms, a, b, c;
    char text[SIM_TEXT_MAX];
} trace_entry_t;

typedef struct pending_frame_s {
    struct pending_frame_s *next;
    uint64_t number;
    bool is_applied;
    uint64_t hash;
    size_t size;
    uint8_t bytes[];
} pending_frame_t;

/*  What is known of the frames of one shard. */
typedef struct {
    pending_frame_t *pending, *pending_last;  /* above the folded mark */
    uint64_t submitted, durable, folded;
    uint64_t recovered;          /* newest frame that this boot found */
    uint64_t time_ms;            /* of the newest submitted frame */
} shard_record_t;

typedef struct {
    uint64_t seeds, steps, turns, frames, calls, resends, halts, powers, deaths_in_boot, full, sync_failures, cuts,
        folds, handler_deaths, runaways, upgrades, compared, released, answers, events, parcels, packets, splits,
        roads_opened, roads_broken, forwarded, heard, restores;
} figures_t;

typedef struct {
    world_t *world;
    cluster_t cluster;           /* as this node knows it, when there are several */
    uint32_t version;            /* of the kinds that the process runs; 1 .. SIM_KIND_VERSIONS */
    const troupe_kind_t *kinds[32];
    bool lacks_kinds;            /* it runs without some of them */
    bool may_fail;               /* a fault is under way that may end the process with an I/O error */
    bool is_crowded;             /* others have room on its disk */
    bool was_crowded;            /* and its ballast is not back */
    uint32_t boots;              /* since its last fold: each takes a segment, one after a power cut several */
} node_t;

typedef struct packet_s {
    struct packet_s *next;
    size_t size;
    uint8_t bytes[];
} packet_t;

/*  What is on its way between two nodes. */
typedef struct {
    packet_t *first, *last;
    uint32_t count;
    uint64_t split_until_ms;     /* nothing passes until then */
} wire_t;

typedef struct {
    dice_t dice;
    wire_t wires[WORLD_NODES_MAX][WORLD_NODES_MAX];
    uint32_t count;              /* packets on all of them */
} network_t;

struct sim_s {
    uint64_t seed;
    bool is_verbose;
    dice_t dice;
    profile_t profile;
    node_t nodes[WORLD_NODES_MAX];
    node_t *node;                /* the one that something happens to */
    world_t *world;              /* its world */
    uint64_t clock_ms;           /* of all nodes, when there are several */
    network_t network;
    uint64_t step;
    uint64_t used;               /* bytes on the disk, while they are counted */
    uint64_t newest_ms;          /* latest time of any shard, at most */
    uint64_t noted_ms;           /* of the clock, when that was last seen to */
    uint64_t quiet_since_ms;     /* the backlog of this boot was done; 0: not yet */
    bool is_ending;              /* no more faults, no more new calls */
    bool is_excused;             /* memory ran out in this slice: see workload.h */

    /* clients */
    uint8_t sessions[SIM_CLIENTS_MAX][16];
    uint64_t next_seq[SIM_CLIENTS_MAX];
    uint64_t hears_ms[SIM_CLIENTS_MAX];  /* of the newest refusal */
    uint32_t gateways[SIM_CLIENTS_MAX];  /* the node that it calls, until that dies */
    request_t *requests, *requests_last;
    uint32_t waiting;            /* requests that are neither final nor unknown */

    /* checks */
    fold_t fold;                 /* of the durable frames */
    shard_record_t shards[WORLD_SHARDS_MAX];
    fold_t seen;                 /* "address" -> newest stamp that was seen outside */
    bool is_folded;              /* a fold ended well in this step */

    /* trace */
    trace_entry_t *trace;
    uint64_t traced;
    uint64_t hash;
    figures_t figures;
};

/* ---- trace.c ---- */

extern sim_t *sim_now;  /* the run of this process, for handlers and signals */

void sim_note (sim_t *sim, const char *what, uint64_t a, uint64_t b, uint64_t c, const char *text);

/*  Tells what is wrong, the seed and the last events, and ends the process. */
_Noreturn void sim_fail (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
void sim_catch_signals (void);

/* ---- profile.c ---- */

void profile_roll (profile_t *profile, dice_t *dice);

/*  Some runs have little room on the disk: they hoard. */
void profile_roll_volume (sim_t *sim);

/* ---- drive.c ---- */

void sim_run (sim_t *sim, uint64_t seed, bool verbose);
void sim_clear (sim_t *sim);

/*  A shard is failing: it stops at the end of its slice. */
bool sim_is_failing (sim_t *sim);

/*  Takes note of the clock: sim->newest_ms. */
void sim_note_time (sim_t *sim);

/*  Where it stands in sim_workloads. */
uint32_t sim_place (const workload_t *workload);

/*  Whether this workload is part of the run. */
bool sim_has (const sim_t *sim, const workload_t *workload);

/*  The process ends, and starts again. */
void sim_halt (sim_t *sim, bool power);
void sim_boot (sim_t *sim);

/*  Until nothing can happen now. */
void sim_settle (sim_t *sim);

/*  A client does something. */
void sim_act (sim_t *sim);

/* ---- restore.c ---- */

/*  In some runs of several nodes, while all is quiet and nothing is on its way: the store of one is restored. Links
 *  with it stand until an operator accepts them, then they go on. False: not in this run. */
bool restore_one (sim_t *sim);

/* ---- nodes.c ---- */

/*  Decides how many there are, and makes their worlds. */
void nodes_roll (sim_t *sim);
void nodes_begin (sim_t *sim, const world_options_t *options);
void nodes_clear (sim_t *sim);
void nodes_count (sim_t *sim);          /* adds to the figures */

/*  From now on it is this one that things happen to. */
void sim_enter (sim_t *sim, uint32_t node);

static inline uint32_t
sim_node_number (const sim_t *sim)
{
    return (uint32_t) (sim->node - sim->nodes);
}

/*  Whether its disk has room for a fold, and for a start. */
static inline bool
sim_must_have_room (const sim_t *sim)
{
    return !sim->node->was_crowded && sim->node->boots <= SIM_SHORT_BOOTS;
}

/*  The world that has this shard. */
world_t *sim_world_of (sim_t *sim, uint16_t shard);

/*  One thing happens, somewhere. False: nothing is left to happen now. */
bool nodes_step (sim_t *sim);

/*  Until nothing is left to happen anywhere. False: the node that is entered is not up, or did not come to rest. */
bool nodes_settle (sim_t *sim, uint64_t most);

uint64_t nodes_next_due (const sim_t *sim);
bool nodes_are_quiet (const sim_t *sim);
bool nodes_are_full (const sim_t *sim);  /* the disk of one */

/*  Now and then: two nodes do not hear of each other for a while. */
void network_bother (sim_t *sim);
void network_heal (sim_t *sim);         /* no more faults */

/* ---- listeners.c ---- */

/*  Of the feeds of workload_feed.c, in runs of several nodes. */
void listeners_begin (sim_t *sim);
void listeners_act (sim_t *sim);        /* now and then one goes, or comes and goes on where it was */
void listeners_booted (sim_t *sim);     /* the node that is entered did */
bool listeners_read (sim_t *sim);       /* what they have to; false: nothing now */
void listeners_ending (sim_t *sim);     /* faults are over: all come, and must soon be at the head */
void listeners_check (sim_t *sim);
bool listeners_are_at (void *sim, uint16_t node, const char *address, const char *channel);
void listeners_heard (void *sim, uint16_t node, const char *address, const char *channel, uint64_t offset,
                      const void *body, size_t size);

/* ---- clients.c ---- */

void clients_begin (sim_t *sim);

/*  Makes a call; `a` and `b` come back with the answer. Client SIM_NO_SESSION has no session. */
void sim_call (sim_t *sim, const workload_t *workload, uint32_t client, const char *to, const char *verb, uint64_t a,
               uint64_t b, const char *format, ...);
void clients_repeat (sim_t *sim);       /* some call again: a twin, an answered one, one that was refused */
void clients_forget (sim_t *sim);       /* the process ended: nobody answers there any more */
void clients_push (sim_t *sim);         /* all that wait and are not out */
void clients_clear (sim_t *sim);

/* ---- checks.c ---- */

void checks_begin (sim_t *sim);
void checks_watch (sim_t *sim, world_watch_t *watch);
void checks_boot_begins (sim_t *sim);
void checks_booted (sim_t *sim);
void checks_stepped (sim_t *sim);       /* after each step of the world */
void checks_quiet (sim_t *sim);         /* all is folded: compares everything */
void checks_left (sim_t *sim);          /* all is quiet and every shard closed a frame: nothing is left over */
void checks_clear (sim_t *sim);

/*  Something of this actor was seen outside that a turn with this stamp made. */
void checks_seen (sim_t *sim, const char *address, uint64_t stamp, const char *where);
uint64_t checks_newest_seen (sim_t *sim, const char *address);

/*  The stamp in a body or in the text of an error; false when there is none. */
bool checks_stamp_of_body (const void *body, size_t size, uint64_t *stamp);
bool checks_stamp_of_text (const char *text, uint64_t *stamp);

/*  A whole number of a packed object; false when there is none. */
bool sim_number_of (const void *body, size_t size, const char *name, int64_t *number);

/*  A value of an actor's durable state; false when absent. */
bool sim_state (sim_t *sim, const char *address, const char *key, const uint8_t **value, size_t *size);
uint64_t sim_state_number (sim_t *sim, const char *address, const char *key);  /* 0 when absent */

/* ---- operator.c ---- */

void operator_act (sim_t *sim);
void operator_flush (sim_t *sim);       /* every shard closes its open frame */
void operator_end (sim_t *sim, bool retries);  /* revives, and retries, all that is set aside */

#endif
