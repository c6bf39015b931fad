/*  shard.h - a single-threaded world: its actors, mailboxes, timers, feeds.
 *
 *  One thread at a time runs a shard, by shard_step; nothing inside it is
 *  locked or atomic but its inbox and the two watermarks. Everything crosses
 *  its border as a letter in the inbox or as a watermark. The simulator and
 *  most tests run shards by hand, a step at a time.
 *
 *  Life: shard_new, shard_replay for each frame that is not folded yet,
 *  shard_start, shard_step ..., shard_destroy.
 */
#ifndef RUNTIME_SHARD_H
#define RUNTIME_SHARD_H

#include "runtime/letter.h"
#include "runtime/metrics.h"
#include "runtime/port/state.h"
#include "runtime/recorder.h"
#include "runtime/registry.h"

typedef struct shard_s shard_t;

/*  What a shard asks of the world around it; called on the shard's thread,
 *  never blocking. */
typedef struct {
    void *self;
    /* Hands a sealed frame to the journal. */
    void (*submit) (void *self, frame_t *frame);
    /* Takes a letter to another shard (of this node or another). */
    void (*carry) (void *self, uint16_t to, letter_t *letter);
    /* Whether events of this feed are listened to; asked as they are made. NULL: all are. */
    bool (*is_watched) (void *self, const char *address, const char *channel);
    /* An event of a feed is durable (or volatile): for gateways. May be NULL. Or HOST_PERMIT_CHANGED is its offset. */
    void (*published) (void *self, uint16_t shard, const char *address, const char *channel, uint64_t offset,
                       const char *key, const void *body, size_t size);
    /* A line for the log of the node, of this level and from there up. NULL: nobody reads one. The trace may be "". */
    void (*log) (void *self, troupe_level_t level, const char *address, const char *verb, const char *trace,
                 const char *text);
    troupe_level_t log_from;
    /* How time passes within a step. NULL: clock_monotonic_ns. */
    uint64_t (*clock_ns) (void *self);
    /* Actors of this kind (its index) send without end: all shards should shard_park_kind. NULL: this one does. */
    void (*runaway) (void *self, uint16_t kind);
} shard_world_t;

/*  Bounds; 0 takes the default. */
typedef struct {
    uint32_t mailbox_messages;     /* of one actor in memory; more spill to disk */
    uint32_t mailbox_door;         /* of one actor in all; from there calls from outside are refused */
    uint32_t awake_actors;         /* in memory; beyond it idle ones sleep */
    uint64_t undurable_bytes;      /* sealed and open frames; beyond it no turns, at twice it no calls but reads */
    uint64_t unfolded_bytes;       /* frames in memory; beyond it the door closes, at twice it no turns */
    uint32_t link_window_bytes;    /* unacknowledged bytes of a link in memory */
    uint32_t slice_turns;          /* turns of one step, which slow ones end earlier */
    uint32_t attempts;             /* tries of a failing message */
    uint32_t retry_first_ms;       /* delay before the second try; doubles */
    uint32_t retry_most_ms;
    uint32_t wake_attempts;        /* of a failing wake or upgrade, before the actor is parked */
    uint32_t call_keep_ms;         /* longest not-after of a call from now */
    uint32_t calls_kept;           /* records of calls; beyond it the door closes */
    uint64_t dead_bytes;           /* of dead letters; beyond it the oldest go */
    uint64_t actor_bytes;          /* of state and mail of one actor; beyond it no calls but reads, no timers */
    uint64_t mail_bytes;           /* of waiting mail; beyond it a runaway kind is parked, at twice it as above */
    uint32_t idle_ms;              /* an actor unused for so long may sleep; 0: only by memory */
} shard_limits_t;

typedef struct {
    uint16_t number;
    const registry_t *registry;
    state_port_t *state;
    shard_world_t world;
    shard_limits_t limits;
    uint64_t boot;                 /* random, one a start of the node; the simulator fixes it */
    const recorder_t *recorder;    /* strikes; may be NULL */
    const remote_port_t *remote;   /* those who serve remote kinds; NULL: there are no such kinds */
} shard_options_t;

/*  NULL and an error. Everything in the options is borrowed. */
shard_t *shard_new (const shard_options_t *options, troupe_error_t *error);
void shard_destroy (shard_t **self_p);

/*  Recovery: frames above the state's mark, in order; the shard owns them.
 *  TROUPE_CORRUPT when the number is not the next one. */
troupe_status_t shard_replay (shard_t *self, frame_t *frame, troupe_error_t *error) TROUPE_CHECKED;

/*  Builds timers, waiting mail, links and records from what is stored, and
 *  asks the other shards where the links stand. */
troupe_status_t shard_start (shard_t *self, uint64_t wall_ms, troupe_error_t *error) TROUPE_CHECKED;

/*  Any thread. True when the shard was idle and must be scheduled. */
bool shard_post (shard_t *self, letter_t *letter);

/*  Any thread (the journal's, the checkpoint's): raise a watermark. The shard
 *  must then be scheduled. */
void shard_taken (shard_t *self, uint64_t frame);
void shard_durable (shard_t *self, uint64_t frame);
void shard_folded (shard_t *self, uint64_t frame);

/*  One slice of work at this time. `slot` is the recorder's of the running
 *  worker; may be NULL. True: there is more to do at once. Must be stepped again
 *  after each shard_post that returned true, after each watermark, and at
 *  shard_next_due. */
bool shard_step (shard_t *self, uint64_t wall_ms, recorder_slot_t *slot);

/*  Wall time of the earliest timer; UINT64_MAX: none. Shard's thread. */
uint64_t shard_next_due (const shard_t *self);

/*  Whether anything is left that a graceful stop must wait for: turns to run, frames to seal
 *  or undurable. Shard's thread. */
bool shard_is_quiet (const shard_t *self);

/*  From now on every call from outside is refused with `why` (TROUPE_STOPPING,
 *  TROUPE_OVERLOADED: then timers are held, too) and a literal text; TROUPE_OK opens
 *  the door again. One thread at a time, any. */
void shard_close_door (shard_t *self, troupe_status_t why, const char *text);

/*  The first error that means that the node must stop (storage failed, no
 *  memory to seal a frame); TROUPE_OK while all is well. Shard's thread. */
troupe_status_t shard_failure (const shard_t *self, const char **text);

/*  For tests of failing memory: it keeps none at hand, so that memory_fail_after reaches all that
 *  it makes next. Shard's thread. */
void shard_starve (shard_t *self);

/*  Its time now; after the replay that of the newest frame. Shard's thread. */
uint64_t shard_time_ms (const shard_t *self);

uint16_t shard_number (const shard_t *self);
const metrics_t *shard_metrics (const shard_t *self);  /* any thread */

/* ---- for errands: shard's thread ---- */

/*  Runs `release (arg, true)` when everything that this shard did so far is
 *  durable: at once when it is. When the shard is destroyed before, with
 *  false: then free, and tell nobody. */
troupe_status_t shard_release_after (shard_t *self, void (*release) (void *arg, bool is_durable), void *arg);

/*  Appends packed values (an object) that describe the actor: state, mailbox,
 *  timers, asks, feeds. Does not wake it. TROUPE_NOT_FOUND: nothing is known of it. */
troupe_status_t shard_inspect (shard_t *self, const char *address, uint32_t most, buffer_t *packed,
                               troupe_error_t *error);

/*  Appends {head: n, first: n, events: [{offset, time_ms, key?, body} ...]}, the events from `from` on, at most
 *  `most` of them and about a megabyte. */
troupe_status_t shard_read_feed (shard_t *self, const char *address, const char *channel, uint64_t from,
                                 uint32_t most, buffer_t *packed, troupe_error_t *error);

/*  Dead letters: an array of objects {shard, number, to, verb, from, reason, time_ms, attempts, body}. */
troupe_status_t shard_dead_list (shard_t *self, uint64_t from, uint32_t most, buffer_t *packed, troupe_error_t *error);
troupe_status_t shard_dead_retry (shard_t *self, uint64_t number, troupe_error_t *error);
troupe_status_t shard_dead_drop (shard_t *self, uint64_t number, troupe_error_t *error);

/*  Revives a parked actor. */
troupe_status_t shard_revive (shard_t *self, const char *address, troupe_error_t *error);

/*  What the sending shard `from` says next of its numbers is believed, whatever was taken before: its store or this
 *  one was restored. Only while there is no road to it. */
void shard_link_adopt (shard_t *self, uint16_t from);

/*  Actors of this kind run no more turns until it is revived; that revives all its parked actors,
 *  whatever parked them. */
void shard_park_kind (shard_t *self, uint16_t kind);
troupe_status_t shard_revive_kind (shard_t *self, const char *name, troupe_error_t *error);

/*  The port has room for offers of this kind again: those that wait are offered until it refuses one. */
void shard_remote_ready (shard_t *self, const char *kind);

/*  A remote kind is new in the registry, or has a newer table. */
void shard_renew_kind (shard_t *self, const char *name);

/*  For who follows turns as they run: appends an array of those since it asked last, [{shard, time_ms, began_ns,
 *  took_ns, address, verb, by, from, id, trace, tried, size, status, text, told: [{to, verb, id}], changed: [key],
 *  timers: [name], events: [channel], more}], and when there was no room for all at the end {shard, lost}. `id` names
 *  who follows; `of` is "kind/id", "kind", the 32 digits of a trace, or "": all turns. Turns are kept from the first
 *  time on, until nobody has asked for some seconds. TROUPE_OVERLOADED: too many follow already. */
troupe_status_t shard_follow (shard_t *self, uint64_t id, const char *of, buffer_t *packed, troupe_error_t *error);

/*  The awake actors that ran most turns lately, or for which most mail waits, [{address, turns, mail}]; at most
 *  `most`. */
typedef enum { HOT_BY_TURNS, HOT_BY_MAIL } shard_hot_t;
troupe_status_t shard_hot (shard_t *self, shard_hot_t by, uint32_t most, buffer_t *packed, troupe_error_t *error);

#endif
