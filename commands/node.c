/*  node.c - the floor where a node is put together: store, shards, threads.
 *
 *  DESIGN
 *  The parts know each other only through callbacks (node_wiring.c):
 *
 *      shard  -- submit -->  committer  -- taken, durable -->  shard, and a wake
 *      shard  -- carry  -->  another shard's inbox, and a wake
 *      committer -- committed --> checkpointer -- folded --> shard, and a wake
 *
 *  Start: the store is opened and made trustworthy before anything serves
 *  (the flight recorder counts strikes, the state is synced, the journal's tail
 *  is written anew); the frames above the state's marks go to their shards; all
 *  shards are started; then the threads.
 *
 *  Stop: callers are turned away, shards run until they have nothing in hand (for
 *  a bounded time: two actors may talk to each other forever, and what they do
 *  not finish now they finish after the next start), then workers, journal and
 *  checkpoint end in this order, each after it did its last.
 *
 *  Callers are counted while they are inside of node_post, so that the stop
 *  can wait until nobody touches a shard any more; that wait is short, for nobody
 *  blocks in there.
 */
#include "commands/node_parts.h"

#include "commands/log.h"
#include "commands/node_kind.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "runtime/keys.h"

#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define RECORDER_FILE "recorder"
#define STOP_PATIENCE_NS (10ull * 1000 * 1000 * 1000)
#define STARTERS_MOST 15         /* threads that help at the start */
#define DAY_MS (24ull * 60 * 60 * 1000)
#define TOTAL_UNFOLDED_FACTOR 4  /* all shards together, in bounds of one */

/*  The status of a part that could not be made. */
static troupe_status_t
failed (const troupe_error_t *error)
{
    return error->status == TROUPE_OK ? TROUPE_FAILED : error->status;
}

/* ------------------------------------------------------------------ *
 *  New
 * ------------------------------------------------------------------ */

troupe_t *
troupe_new (const troupe_kind_t *const *kinds, troupe_error_t *error)
{
    troupe_t *self = memory_zalloc (sizeof *self);
    registry_t *registry = registry_new ();
    if (!self || !registry) {
        registry_destroy (&registry);
        memory_free (self);
        error_set (error, TROUPE_NO_MEMORY, "no memory for a node");
        return NULL;
    }
    self->registry = registry;
    CHECK (pthread_mutex_init (&self->lock, NULL) == 0);
    CHECK (pthread_mutex_init (&self->announcing, NULL) == 0);
    settings_init (&self->settings);
    for (; kinds && *kinds; kinds++)
        if (node_add_kind (self, *kinds, error) != TROUPE_OK) {
            troupe_destroy (&self);
            return NULL;
        }
    return self;
}

troupe_status_t
node_add_kind (troupe_t *self, const troupe_kind_t *kind, troupe_error_t *error)
{
    CHECK (node_state (self) == NODE_NEW);
    if (kind->name && strcmp (kind->name, NODE_KIND) == 0)
        return error_set (error, TROUPE_INVALID, "the kind " NODE_KIND " is the node itself: take another name");
    return registry_add (self->registry, kind, error);
}

troupe_status_t
troupe_set (troupe_t *self, const char *name, const char *value, troupe_error_t *error)
{
    if (node_state (self) != NODE_NEW)
        return error_set (error, TROUPE_INVALID, "%s: settings are for before the start", name);
    return settings_set (&self->settings, name, value, error);
}

settings_t *
node_settings (troupe_t *self)
{
    return &self->settings;
}

void
node_listen (troupe_t *self, const node_listener_t *listener)
{
    CHECK (node_state (self) == NODE_NEW);
    self->listener = *listener;
}

void
node_listen_away (troupe_t *self, const node_listener_t *listener)
{
    CHECK (node_state (self) == NODE_NEW);
    self->away_listener = *listener;
}

const node_listener_t *
node_listener_away (const troupe_t *self)
{
    return &self->away_listener;
}

/* ------------------------------------------------------------------ *
 *  Start
 * ------------------------------------------------------------------ */

static uint32_t
workers_of (const settings_t *settings)
{
    long cores = sysconf (_SC_NPROCESSORS_ONLN);
    uint64_t wanted = settings->workers ? settings->workers : cores > 1 ? (uint64_t) cores : 1;
    return wanted < WORKERS_MAX ? (uint32_t) wanted : WORKERS_MAX;
}

static troupe_status_t
open_store (troupe_t *self, troupe_error_t *error)
{
    store_options_t options = {
        .directory = self->settings.store,
        .create = self->settings.create,
        .shards = self->cluster ? self->cluster->shards : (uint32_t) self->settings.shards,
        .hash_seed = self->cluster ? cluster_hash_seed (self->cluster) : 0,
        .cluster = self->cluster_line,
        .map_bytes = self->settings.map_bytes,
        .segment_size = self->settings.segment_bytes,
        .soft_room_bytes = self->settings.soft_room_bytes,
        .ballast_bytes = self->settings.ballast_bytes,
        .tables = KEY_TABLES
    };
    node_wire_store (self, &options);
    self->store = store_open (&options, error);
    if (!self->store)
        return failed (error);
    const state_identity_t *identity = self->store->state->identity (self->store->state->self);
    self->shards = identity->shards;
    self->hash_seed = identity->hash_seed;
    if (self->cluster
        && (self->shards != self->cluster->shards || self->hash_seed != cluster_hash_seed (self->cluster)))
        return error_set (error, TROUPE_MISMATCH, "the store in %.100s is of another cluster than %s",
                          self->settings.store, self->cluster->name);
    return TROUPE_OK;
}

/*  Who ran last, and who watches those that will run. */
static troupe_status_t
open_recorder (troupe_t *self, troupe_error_t *error)
{
    char path[PATH_MAX];
    if (snprintf (path, sizeof path, "%s/" RECORDER_FILE, self->settings.store) >= (int) sizeof path)
        return error_set (error, TROUPE_INVALID, "the path of the store is too long");
    self->recorder = recorder_new (path, self->worker_count, error);
    if (!self->recorder)
        return failed (error);
    if (*recorder_warning (self->recorder))
        log_warning ("%s", recorder_warning (self->recorder));
    if (recorder_in_hand (self->recorder))
        log_info ("%u handlers ran when the process was killed: each of their messages will run alone",
                  recorder_in_hand (self->recorder));
    recorder_install (self->recorder);
    watchdog_options_t options = {
        .budget_ms = (uint32_t) self->settings.budget_ms,
        .stuck_ms = (uint32_t) self->settings.stuck_ms
    };
    node_wire_watchdog (self, &options);
    self->watchdog = watchdog_new (self->recorder, self->worker_count, &options, error);
    return self->watchdog ? TROUPE_OK : failed (error);
}

static troupe_status_t
make_shards (troupe_t *self, troupe_error_t *error)
{
    self->places = memory_zalloc (self->shards * sizeof *self->places);
    if (!self->places)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for %u shards", self->shards);
    for (uint32_t i = 0; i < self->shards; i++) {
        place_t *place = &self->places[i];
        *place = (place_t) { .node = self, .number = i };
        shard_options_t options = {
            .number = i,
            .registry = self->registry,
            .state = self->store->state,
            .limits = settings_limits (&self->settings),
            .boot = self->boot,
            .recorder = self->recorder,
            .remote = self->remote
        };
        node_wire_shard (place, &options.world);
        place->shard = shard_new (&options, error);
        if (!place->shard)
            return failed (error);
    }
    return TROUPE_OK;
}

/* ------------------------------------------------------------------ *
 *  The shards begin: each for itself, so on all cores
 * ------------------------------------------------------------------ */

typedef troupe_status_t (each_shard_t) (place_t *place, troupe_error_t *error);

typedef struct {
    troupe_t *node;
    each_shard_t *each;
    _Atomic uint32_t next;   /* shard that nobody has taken; no order but the threads' ends */
    pthread_mutex_t lock;
    troupe_error_t error;    /* the first one; under the lock */
} round_t;

static void *
take_shards (void *arg)
{
    round_t *round = arg;
    uint32_t shard;
    while ((shard = atomic_fetch_add_explicit (&round->next, 1, memory_order_relaxed)) < round->node->shards) {
        troupe_error_t error = { TROUPE_OK, "" };
        if (round->each (&round->node->places[shard], &error) == TROUPE_OK)
            continue;
        pthread_mutex_lock (&round->lock);
        if (round->error.status == TROUPE_OK)
            round->error = error;
        pthread_mutex_unlock (&round->lock);
    }
    return NULL;
}

/*  By the caller and as many threads as make the workers' number; without those that cannot be had. */
static troupe_status_t
each_shard (troupe_t *self, each_shard_t *each, troupe_error_t *error)
{
    round_t round = { .node = self, .each = each, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[STARTERS_MOST];
    uint32_t count = 0;
    while (count < STARTERS_MOST && count + 1 < self->worker_count && count + 1 < self->shards
           && thread_start (&threads[count], "troupe-start", take_shards, &round, NULL) == TROUPE_OK)
        count++;
    take_shards (&round);
    while (count > 0)
        pthread_join (threads[--count], NULL);
    return round.error.status == TROUPE_OK ? TROUPE_OK : error_set (error, round.error.status, "%s", round.error.text);
}

static troupe_status_t
collect (void *arg, frame_t *frame)
{
    place_t *place = &((troupe_t *) arg)->places[frame->shard];
    if (place->replayed)
        place->replayed_last->next_in_shard = frame;
    else
        place->replayed = frame;
    place->replayed_last = frame;
    return TROUPE_OK;
}

static frame_t *
take_replayed (place_t *place)
{
    frame_t *frame = place->replayed;
    if (frame) {
        place->replayed = frame->next_in_shard;
        frame->next_in_shard = NULL;
    }
    return frame;
}

static troupe_status_t
replay (place_t *place, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    for (frame_t *frame; status == TROUPE_OK && (frame = take_replayed (place)) != NULL;) {
        status = shard_replay (place->shard, frame, error);
        if (status != TROUPE_OK)
            frame_destroy (&frame);
    }
    return status;
}

static troupe_status_t
start_shard (place_t *place, troupe_error_t *error)
{
    return shard_start (place->shard, steady_clock_ms (&place->node->clock), error);
}

static troupe_status_t
make_workers (troupe_t *self, troupe_error_t *error)
{
    task_t *table = memory_alloc (self->shards * sizeof *table);
    if (!table)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for the workers");
    for (uint32_t i = 0; i < self->shards; i++)
        table[i] = (task_t) { node_step, node_next_due, &self->places[i] };
    workers_options_t options = {
        .workers = self->worker_count,
        .tasks = self->shards,
        .table = table,
        .clock = &self->clock,
        .recorder = self->recorder,
        .watchdog = self->watchdog
    };
    node_wire_workers (self, &options);
    self->workers = workers_new (&options, error);
    memory_free (table);
    return self->workers ? TROUPE_OK : failed (error);
}

static troupe_status_t
make_storage_threads (troupe_t *self, troupe_error_t *error)
{
    committer_watch_t watch;
    checkpointer_options_t options = {
        .every_ms = self->settings.checkpoint_ms,
        .most_bytes = self->settings.unfolded_bytes * TOTAL_UNFOLDED_FACTOR,
        .urgent_bytes = self->settings.unfolded_bytes / 2,
        .prepare_bytes = self->settings.segment_bytes / 4
    };
    node_wire_committer (self, &watch);
    node_wire_checkpointer (self, &options);
    self->committer = committer_new (self->store->journal, &watch, error);
    if (!self->committer)
        return failed (error);
    self->checkpointer = checkpointer_new (self->store, &options, error);
    return self->checkpointer ? TROUPE_OK : failed (error);
}

static troupe_status_t
start_shards (troupe_t *self, troupe_error_t *error)
{
    troupe_status_t status = each_shard (self, start_shard, error);
    for (uint32_t i = 0; status == TROUPE_OK && i < self->shards; i++)
        workers_schedule (self->workers, i);
    return status;
}

static const char *
day_and_time (uint64_t ms, char text[32])
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm parts;
    strftime (text, 32, "%Y-%m-%d %H:%M", gmtime_r (&seconds, &parts));
    return text;
}

/*  A clock that is far ahead of when the store was last in use is wrong, or the node was down for
 *  that long: only an operator knows. Started with a wrong one, all timers up to then would fire at
 *  once, and no later start could take that time back. */
static troupe_status_t
check_clock (const troupe_t *self, uint64_t newest_ms, troupe_error_t *error)
{
    uint64_t used_ms = recorder_last_alive (self->recorder);
    uint64_t most_ms = self->settings.clock_ahead_ms, wall_ms = self->started_ms;
    char wall[32], used[32];
    if (used_ms < newest_ms || used_ms > wall_ms)
        used_ms = newest_ms;
    if (most_ms == 0 || newest_ms == 0 || wall_ms <= used_ms || wall_ms - used_ms <= most_ms)
        return TROUPE_OK;
    return error_set (error, TROUPE_INVALID, "the clock says %s, %llu days after this store was last in use (%s). "
                      "Wrong? Set it: else timers up to then fire at once, and time does not go back. "
                      "Right? Start once with `serve --accept-clock` (setting clock_ahead_ms)",
                      day_and_time (wall_ms, wall), (unsigned long long) ((wall_ms - used_ms) / DAY_MS),
                      day_and_time (used_ms, used));
}

/*  Time goes on from the newest frame when the machine's clock is behind that: back it may
 *  not go, and standing still until the clock has caught up would stop all timers and retries. */
static troupe_status_t
take_up_time (troupe_t *self, troupe_error_t *error)
{
    uint64_t newest_ms = 0;
    for (uint32_t i = 0; i < self->shards; i++) {
        uint64_t time_ms = shard_time_ms (self->places[i].shard);
        newest_ms = time_ms > newest_ms ? time_ms : newest_ms;
    }
    if (newest_ms > self->started_ms + NODE_CLOCK_JUMP_MS) {
        self->has_told_clock = true;
        log_warning ("the clock is %llu s behind the newest frame of the store: the node's own time goes on from there",
                     (unsigned long long) (newest_ms - self->started_ms) / 1000);
    }
    steady_clock_raise (&self->clock, newest_ms);
    return check_clock (self, newest_ms, error);
}

/*  All that comes before the threads. */
static troupe_status_t
prepare (troupe_t *self, troupe_error_t *error)
{
    self->clock = steady_clock_start ();
    self->started_ms = self->clock.wall_ms;
    self->worker_count = workers_of (&self->settings);
    if (getrandom (&self->boot, sizeof self->boot, 0) != sizeof self->boot)
        return error_set (error, TROUPE_IO, "the system gives no random numbers");
    troupe_status_t status = node_load_cluster (self, error);
    if (status == TROUPE_OK && self->cluster && self->cluster->nodes > 1 && !self->away.carry)
        status = error_set (error, TROUPE_INVALID, "nodes: only `serve` joins a cluster");
    if (status == TROUPE_OK)
        status = open_store (self, error);
    if (status == TROUPE_OK)
        status = open_recorder (self, error);
    if (status == TROUPE_OK)
        status = node_load_tables (self, error);
    if (status == TROUPE_OK)
        status = make_shards (self, error);
    if (status == TROUPE_OK)
        status = store_recover (self->store, collect, self, error);
    if (status == TROUPE_OK)
        status = each_shard (self, replay, error);
    if (status == TROUPE_OK)
        status = make_storage_threads (self, error);
    if (status == TROUPE_OK)
        status = make_workers (self, error);
    if (status == TROUPE_OK)
        status = take_up_time (self, error);
    return status == TROUPE_OK ? start_shards (self, error) : status;
}

/*  The journal first: a shard may seal as soon as it is stepped. */
static troupe_status_t
start_threads (troupe_t *self, troupe_error_t *error)
{
    troupe_status_t status = committer_start (self->committer, error);
    if (status == TROUPE_OK)
        status = checkpointer_start (self->checkpointer, error);
    if (status == TROUPE_OK)
        status = workers_start (self->workers, error);
    return status;
}

/*  The reverse of the start, from wherever it came to. */
static void
tear_down (troupe_t *self)
{
    workers_t *workers = self->workers;
    if (workers)
        workers_stop (workers);
    watchdog_destroy (&self->watchdog);
    committer_destroy (&self->committer);
    checkpointer_destroy (&self->checkpointer);
    workers_destroy (&self->workers);
    for (uint32_t i = 0; self->places && i < self->shards; i++) {
        for (frame_t *frame; (frame = take_replayed (&self->places[i])) != NULL;)
            frame_destroy (&frame);
        if (self->places[i].shard)
            shard_destroy (&self->places[i].shard);
    }
    memory_free (self->places);
    self->places = NULL;
    recorder_destroy (&self->recorder);
    store_close (&self->store);
}

troupe_status_t
troupe_start (troupe_t *self, troupe_error_t *error)
{
    troupe_error_t own;
    error = error ? error : &own;
    int expected = NODE_NEW;
    if (!atomic_compare_exchange_strong (&self->state, &expected, NODE_STARTING))
        return error_set (error, TROUPE_INVALID, "a node is started once");
    error->status = TROUPE_FAILED;
    troupe_status_t status = prepare (self, error);
    if (status == TROUPE_OK)
        status = start_threads (self, error);
    if (status == TROUPE_OK) {
        atomic_store (&self->state, NODE_RUNNING);
        return TROUPE_OK;
    }
    if (status == TROUPE_IO && self->store)
        store_mark_broken (self->store, error->text);
    tear_down (self);
    atomic_store (&self->state, NODE_STOPPED);
    return status;
}

/* ------------------------------------------------------------------ *
 *  Stop
 * ------------------------------------------------------------------ */

/*  Nobody is inside of node_post any more, and nobody comes in. */
static void
close_to_callers (troupe_t *self)
{
    while (atomic_load (&self->callers) > 0)
        gate_wait (&self->callers_gone, GATE_FOREVER);
}

/*  Until no shard has anything in hand, or patience is over. */
static void
wait_until_quiet (troupe_t *self)
{
    for (uint32_t i = 0; i < self->shards; i++)
        workers_schedule (self->workers, i);
    uint64_t end_ns = clock_monotonic_ns () + STOP_PATIENCE_NS;
    for (;;) {
        pthread_mutex_lock (&self->lock);
        bool is_quiet = self->unquiet == 0;
        pthread_mutex_unlock (&self->lock);
        uint64_t now_ns = clock_monotonic_ns ();
        if (is_quiet)
            return;
        if (now_ns >= end_ns) {
            log_warning ("shards are still busy: what they have in hand goes on after the next start");
            return;
        }
        gate_wait (&self->quiet, end_ns - now_ns);
    }
}

void
troupe_stop (troupe_t *self)
{
    if (node_state (self) != NODE_RUNNING)
        return;
    CHECK (!workers_has_me (self->workers));
    pthread_mutex_lock (&self->lock);
    self->unquiet = self->shards;
    pthread_mutex_unlock (&self->lock);
    atomic_store (&self->state, NODE_STOPPING);
    close_to_callers (self);
    node_set_door (self, DOOR_STOPPING, true);
    wait_until_quiet (self);
    workers_stop (self->workers);
    committer_stop (self->committer);
    troupe_error_t error;
    if (checkpointer_stop (self->checkpointer, &error) != TROUPE_OK)
        log_warning ("the last checkpoint is left to the next start: %s", error.text);
    tear_down (self);
    atomic_store (&self->state, NODE_STOPPED);
}

void
troupe_destroy (troupe_t **self_p)
{
    troupe_t *self = *self_p;
    if (!self)
        return;
    troupe_stop (self);
    registry_destroy (&self->registry);
    node_drop_tables (self);
    memory_free (self->cluster);
    memory_free (self->cluster_line);
    pthread_mutex_destroy (&self->announcing);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    *self_p = NULL;
}

/* ------------------------------------------------------------------ *
 *  For those who work with it
 * ------------------------------------------------------------------ */

bool
node_post (troupe_t *self, uint16_t shard, letter_t *letter)
{
    atomic_fetch_add (&self->callers, 1);
    bool is_open = node_state (self) == NODE_RUNNING;
    if (is_open && shard_post (self->places[shard].shard, letter))
        workers_schedule (self->workers, shard);
    if (atomic_fetch_sub (&self->callers, 1) == 1 && node_state (self) == NODE_STOPPING)
        gate_open (&self->callers_gone);
    return is_open;
}

void
node_hold (const troupe_t *self)
{
    workers_hold (self->workers);
}

/*  Who stops a node wakes all. */
void
node_release (troupe_t *self)
{
    atomic_fetch_add (&self->callers, 1);
    if (node_state (self) == NODE_RUNNING)
        workers_release (self->workers);
    else
        workers_hold (NULL);
    if (atomic_fetch_sub (&self->callers, 1) == 1 && node_state (self) == NODE_STOPPING)
        gate_open (&self->callers_gone);
}

troupe_status_t
node_shard_of (const troupe_t *self, const char *text, uint16_t *shard, troupe_error_t *error)
{
    address_t address;
    troupe_status_t status = address_parse (text, strlen (text), &address, error);
    if (status == TROUPE_OK)
        *shard = address_shard (&address, self->hash_seed, self->shards);
    return status == TROUPE_OK ? node_check_home (self, *shard, error) : status;
}

troupe_status_t
node_checkpoint_now (troupe_t *self, troupe_error_t *error)
{
    return checkpointer_run_now (self->checkpointer, error);
}

static troupe_status_t
fold_for_backup (void *arg, troupe_error_t *error)
{
    return node_checkpoint_now (arg, error);
}

troupe_status_t
node_backup (troupe_t *self, const char *directory, store_tell_t *tell, void *arg, troupe_error_t *error)
{
    return store_backup (self->store, directory, fold_for_backup, self, tell, arg, error);
}

node_counts_t
node_counts (troupe_t *self)
{
    return (node_counts_t) { workers_counts (self->workers), committer_counts (self->committer) };
}

uint32_t
node_shard_count (const troupe_t *self)
{
    return self->shards;
}

shard_t *
node_shard (const troupe_t *self, uint16_t number)
{
    CHECK (number < self->shards);
    return self->places[number].shard;
}

store_t *
node_store (const troupe_t *self)
{
    return self->store;
}

const registry_t *
node_registry (const troupe_t *self)
{
    return self->registry;
}

const recorder_t *
node_recorder (const troupe_t *self)
{
    return self->recorder;
}

uint64_t
node_boot (const troupe_t *self)
{
    return self->boot;
}

uint64_t
node_now_ms (const troupe_t *self)
{
    return steady_clock_ms (&self->clock);
}

void
node_set_backends_address (troupe_t *self, const char *address)
{
    snprintf (self->backends_address, sizeof self->backends_address, "%s", address);
}

const char *
node_backends_address (const troupe_t *self)
{
    return self->backends_address;
}

uint64_t
node_started_ms (const troupe_t *self)
{
    return self->started_ms;
}

uint32_t
node_worker_count (const troupe_t *self)
{
    return self->worker_count;
}

bool
node_is_running (const troupe_t *self)
{
    return node_state (self) == NODE_RUNNING;
}
