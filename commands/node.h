/*  node.h - a node from inside the program: for the control socket, the bench, serve.
 *
 *  troupe_t is the public name of the same thing. Unless said otherwise a
 *  function may be called by any thread while the node runs.
 *
 *  What ends the process. A node whose storage broke, or whose shard cannot go
 *  on, must stop at once: nothing in memory may be believed any more, and every
 *  promise is kept by the next start. It prints the reason and leaves with
 *  EXIT_DISK (I/O error; the store keeps a marker that an operator must
 *  acknowledge) or EXIT_INTERNAL, also inside of a program that embeds it.
 */
#ifndef COMMANDS_NODE_H
#define COMMANDS_NODE_H

#include "commands/committer.h"
#include "commands/settings.h"
#include "runtime/cluster.h"
#include "runtime/forward.h"
#include "runtime/registry.h"
#include "runtime/shard.h"
#include "runtime/worker.h"
#include "storage/store.h"

/*  Before the start. Adds a kind that troupe_new was not given (one loaded from a shared object). */
troupe_status_t node_add_kind (troupe_t *self, const troupe_kind_t *kind, troupe_error_t *error) TROUPE_CHECKED;

/*  Before the start: to be changed. Later: to be read. */
settings_t *node_settings (troupe_t *self);

/*  All that follows: from troupe_start to troupe_destroy. */

uint32_t node_shard_count (const troupe_t *self);

/*  Borrowed until troupe_stop begins. */
shard_t *node_shard (const troupe_t *self, uint16_t number);
store_t *node_store (const troupe_t *self);
const registry_t *node_registry (const troupe_t *self);
const recorder_t *node_recorder (const troupe_t *self);
uint64_t node_boot (const troupe_t *self);
uint64_t node_started_ms (const troupe_t *self);  /* wall clock */

/*  Where its backends connect; "": nowhere. Set before the control socket is there. */
void node_set_backends_address (troupe_t *self, const char *address);
const char *node_backends_address (const troupe_t *self);
uint32_t node_worker_count (const troupe_t *self);
bool node_is_running (const troupe_t *self);

/*  The shard of "kind/id"; TROUPE_INVALID; TROUPE_NOT_FOUND when another node has it. */
troupe_status_t node_shard_of (const troupe_t *self, const char *address, uint16_t *shard,
                               troupe_error_t *error) TROUPE_CHECKED;

/*  The node that has the actor, by its place in the map; TROUPE_INVALID. */
troupe_status_t node_home_of (const troupe_t *self, const char *address, uint16_t *home,
                              troupe_error_t *error) TROUPE_CHECKED;

/*  As troupe_submit, of actors of this node alone; else TROUPE_NOT_FOUND. */
troupe_status_t node_submit_here (troupe_t *self, const troupe_call_t *call, troupe_error_t *error) TROUPE_CHECKED;

/*  As host_port_t.read_feed, of any actor, and of those of this node alone. */
troupe_status_t node_read_feed (troupe_t *self, const char *address, const char *channel, uint64_t from, uint32_t most,
                                host_told_t *told, void *arg, troupe_error_t *error) TROUPE_CHECKED;
troupe_status_t node_read_feed_here (troupe_t *self, const char *address, const char *channel, uint64_t from,
                                     uint32_t most, host_told_t *told, void *arg,
                                     troupe_error_t *error) TROUPE_CHECKED;

/*  In ms since 1970, as shards see it. */
uint64_t node_now_ms (const troupe_t *self);

/*  Posts the letter and has the shard scheduled. False: the node stops, the letter stays the caller's. */
bool node_post (troupe_t *self, uint16_t shard, letter_t *letter) TROUPE_CHECKED;

/*  Between these two what this thread posts may wait for the second. */
void node_hold (const troupe_t *self);
void node_release (troupe_t *self);

/*  Folds all that is durable now and waits for it. Not from a thread of the node. */
troupe_status_t node_checkpoint_now (troupe_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  A restorable, checked copy of the store into `directory`, which must not hold one. Takes
 *  as long as it takes; the node goes on. Not from a thread of the node. `tell` may be NULL. */
troupe_status_t node_backup (troupe_t *self, const char *directory, store_tell_t *tell, void *arg,
                             troupe_error_t *error) TROUPE_CHECKED;

/*  Why calls from outside are refused now; TROUPE_OK when they are not. */
troupe_status_t node_door (troupe_t *self);

typedef struct {
    workers_counts_t workers;
    committer_counts_t commits;
} node_counts_t;
node_counts_t node_counts (troupe_t *self);

/*  Who listens to what shards publish; before the start. Called as in shard_world_t, on threads of the node. */
typedef struct {
    void *arg;
    bool (*is_watched) (void *arg, const char *address, const char *channel);
    void (*published) (void *arg, const char *address, const char *channel, uint64_t offset, const char *key,
                       const void *body, size_t size);
} node_listener_t;
void node_listen (troupe_t *self, const node_listener_t *listener);

/*  Likewise to what other nodes publish; `published` is called on a thread of the node's links. */
void node_listen_away (troupe_t *self, const node_listener_t *listener);
const node_listener_t *node_listener_away (const troupe_t *self);

/*  Before the start: reads the map of the cluster, if there is one (settings node and nodes). */
troupe_status_t node_load_cluster (troupe_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  NULL: a node of its own. */
const cluster_t *node_cluster (const troupe_t *self);

typedef struct {
    uint64_t linked, opened, broken, refused, sent, received, dropped, bytes_sent, bytes_received;
    forward_counts_t forward;
} node_away_counts_t;

/*  Who takes letters to the shards of other nodes, on any thread of the node; before the start. It takes the letter,
 *  which says in `to` whom it is for. */
typedef struct {
    void *arg;
    void (*carry) (void *arg, letter_t *letter);
    /* Any thread. */
    void (*count) (void *arg, node_away_counts_t *counts);
    /* Any thread: a packed array of the other nodes, and how it stands with each. */
    void (*describe) (void *arg, buffer_t *packed);
    /* The node of this place in the map was refused, and may be linked with from now on. */
    troupe_status_t (*accept) (void *arg, uint16_t node, troupe_error_t *error);
    bool (*asks) (void *arg, uint16_t node);
    forward_t *forward;  /* who asks other nodes; borrowed until troupe_stop returns */
} node_away_t;
void node_join (troupe_t *self, const node_away_t *away);

/*  NULL: it is in no cluster. */
const node_away_t *node_away (const troupe_t *self);

/*  False: it is in no cluster. */
bool node_away_counts (const troupe_t *self, node_away_counts_t *counts);

/*  Who serves remote kinds; before the start, borrowed until troupe_stop returns. Without one the node has none. */
void node_serve_remote (troupe_t *self, const remote_port_t *port);

/*  What that one calls, from troupe_start to troupe_stop. */
remote_host_t node_remote_host (troupe_t *self);

#endif
