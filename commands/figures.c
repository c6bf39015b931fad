/*  figures.c - the counters of a whole node, for people and for monitors.
 *
 *  DESIGN
 *  Shards count for themselves; here, and only when somebody asks, they are
 *  added up. Histograms go out as their buckets, not as quantiles: from two
 *  samples a reader can then tell the quantiles of the time between them, and
 *  those of several nodes can be added. Nothing here makes a shard wait.
 */
#include "commands/figures.h"

#include "commands/wire.h"
#include "runtime/base/clock.h"
#include "runtime/base/utf8.h"
#include "runtime/body/packed.h"

#include <stdio.h>

#define FIGURE(name, is_level, doc) { #name, offsetof (metrics_t, name), is_level, doc }

const figure_t figures[] = {
    FIGURE (turns, false, "Turns run, whatever their outcome."),
    FIGURE (refused, false, "Turns that refused: a final error for the caller."),
    FIGURE (failed, false, "Turns that failed and are tried again."),
    FIGURE (retried, false, "Turns that were tries after a failure."),
    FIGURE (dead, false, "Messages that became dead letters."),
    FIGURE (calls, false, "Calls from outside that were taken."),
    FIGURE (overloaded, false, "Calls from outside that were refused at the door."),
    FIGURE (told, false, "Messages to actors of the same shard."),
    FIGURE (told_away, false, "Messages to actors of other shards."),
    FIGURE (casts, false, "Messages that may be lost."),
    FIGURE (links_taken, false, "Messages taken from other shards."),
    FIGURE (links_resent, false, "Messages sent once more to other shards."),
    FIGURE (links_dropped, false, "Messages from other shards that had been seen before."),
    FIGURE (spilled, false, "Messages that went to disk because a mailbox was full."),
    FIGURE (unspilled, false, "Messages that came back from there."),
    FIGURE (timers_fired, false, "Timers that fired."),
    FIGURE (events, false, "Events published."),
    FIGURE (woken, false, "Actors that woke."),
    FIGURE (slept, false, "Actors that went to sleep."),
    FIGURE (frames, false, "Frames sealed."),
    FIGURE (frame_bytes, false, "Bytes of frames."),
    FIGURE (offered, false, "Messages offered to workers of remote kinds."),
    FIGURE (lost, false, "Offers whose worker was lost or too slow."),
    FIGURE (stale, false, "Outcomes from workers that came too late or twice."),
    FIGURE (awake, true, "Actors in memory."),
    FIGURE (mail, true, "Messages that wait on disk."),
    FIGURE (mail_bytes, true, "Bytes of them."),
    FIGURE (timers, true, "Timers that are set."),
    FIGURE (asks, true, "Questions without an answer yet."),
    FIGURE (undurable_bytes, true, "Bytes of frames that are not on disk yet."),
    FIGURE (unfolded_bytes, true, "Bytes of frames that are not in the state yet."),
    FIGURE (parked, true, "Actors set aside: they could not wake, or their kind is parked."),
    FIGURE (away, true, "Actors whose message is with a worker or waits for one."),
    FIGURE (dead_letters, true, "Dead letters that wait for an operator."),
    { NULL, 0, false, NULL }
};

/* ---- adding up ---- */

static const metrics_t *
of_shard (troupe_t *node, uint32_t number)
{
    return shard_metrics (node_shard (node, (uint16_t) number));
}

static uint64_t
value_of (const metrics_t *metrics, const figure_t *figure)
{
    return counter_get ((const counter_t *) ((const char *) metrics + figure->offset));
}

uint64_t
figures_sum (troupe_t *node, const figure_t *figure)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < node_shard_count (node); i++)
        sum += value_of (of_shard (node, i), figure);
    return sum;
}

static void
put_histogram (buffer_t *to, const char *name, const histogram_t *histogram)
{
    uint32_t used = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        used += counter_get (&histogram->buckets[i]) != 0;
    packed_put_name (to, name);
    packed_put_object (to, 3);
    packed_put_number (to, "count", counter_get (&histogram->count));
    packed_put_number (to, "sum", counter_get (&histogram->sum));
    packed_put_name (to, "buckets");
    packed_put_array (to, used);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = counter_get (&histogram->buckets[i]);
        if (count == 0)
            continue;
        packed_put_array (to, 2);
        packed_put_int (to, i);
        packed_put_int (to, (int64_t) count);
    }
}

static void
put_merged (troupe_t *node, buffer_t *to, const char *name, size_t offset)
{
    histogram_t all = { 0 };
    for (uint32_t i = 0; i < node_shard_count (node); i++)
        histogram_merge (&all, (const histogram_t *) ((const char *) of_shard (node, i) + offset));
    put_histogram (to, name, &all);
}

/* ---- the parts ---- */

static void
put_figures (troupe_t *node, buffer_t *to, const char *name, bool levels)
{
    uint32_t count = 0;
    for (const figure_t *figure = figures; figure->name; figure++)
        count += figure->is_level == levels;
    packed_put_name (to, name);
    packed_put_object (to, count);
    for (const figure_t *figure = figures; figure->name; figure++)
        if (figure->is_level == levels)
            packed_put_number (to, figure->name, figures_sum (node, figure));
}

static void
put_kind (troupe_t *node, buffer_t *to, uint32_t kind)
{
    uint64_t turns = 0, reads = 0, refused = 0, failed = 0, awake = 0, parked = 0;
    histogram_t turn_ns = { 0 };
    for (uint32_t i = 0; i < node_shard_count (node); i++) {
        const kind_metrics_t *metrics = &of_shard (node, i)->kinds[kind];
        turns += counter_get (&metrics->turns);
        reads += counter_get (&metrics->reads);
        refused += counter_get (&metrics->refused);
        failed += counter_get (&metrics->failed);
        awake += counter_get (&metrics->awake);
        parked += counter_get (&metrics->parked);
        histogram_merge (&turn_ns, &metrics->turn_ns);
    }
    packed_put_object (to, 8);
    packed_put_text (to, "name", registry_at (node_registry (node), kind)->name);
    packed_put_number (to, "turns", turns);
    packed_put_number (to, "reads", reads);
    packed_put_number (to, "refused", refused);
    packed_put_number (to, "failed", failed);
    packed_put_number (to, "awake", awake);
    packed_put_number (to, "parked", parked);
    put_histogram (to, "turn_ns", &turn_ns);
}

static void
put_shards (troupe_t *node, buffer_t *to)
{
    packed_put_name (to, "by_shard");
    packed_put_array (to, node_shard_count (node));
    for (uint32_t i = 0; i < node_shard_count (node); i++) {
        const metrics_t *metrics = of_shard (node, i);
        packed_put_object (to, 7);
        packed_put_number (to, "number", i);
        packed_put_number (to, "turns", counter_get (&metrics->turns));
        packed_put_number (to, "awake", counter_get (&metrics->awake));
        packed_put_number (to, "mail", counter_get (&metrics->mail));
        packed_put_number (to, "mail_bytes", counter_get (&metrics->mail_bytes));
        packed_put_number (to, "undurable_bytes", counter_get (&metrics->undurable_bytes));
        packed_put_number (to, "unfolded_bytes", counter_get (&metrics->unfolded_bytes));
    }
}

static void
put_storage (const troupe_t *node, buffer_t *to)
{
    const store_t *store = node_store (node);
    journal_counts_t journal = journal_counts (store->journal);
    checkpoint_counts_t folds = checkpoint_counts (store->checkpoint);
    packed_put_name (to, "storage");
    packed_put_object (to, 11);
    packed_put_number (to, "used_bytes", store_used_bytes (store));
    packed_put_number (to, "lsn", journal.lsn);
    packed_put_number (to, "trimmed_lsn", journal.trimmed_lsn);
    packed_put_number (to, "journal_bytes", journal.bytes);
    packed_put_number (to, "written_bytes", journal.written_bytes);
    packed_put_number (to, "syncs", journal.syncs);
    packed_put_number (to, "unfolded_bytes", journal.unfolded_bytes);
    packed_put_number (to, "folds", folds.folds);
    packed_put_number (to, "folded_frames", folds.frames);
    packed_put_number (to, "folded_ops", folds.ops);
    packed_put_number (to, "folded_keys", folds.keys);
}

static void
put_threads (troupe_t *node, buffer_t *to)
{
    node_counts_t counts = node_counts (node);
    packed_put_name (to, "threads");
    packed_put_object (to, 5);
    packed_put_number (to, "slices", counts.workers.slices);
    packed_put_number (to, "moves", counts.workers.moves);
    packed_put_number (to, "wakes", counts.workers.wakes);
    packed_put_number (to, "commits_by_thread", counts.commits.by_thread);
    packed_put_number (to, "commits_by_worker", counts.commits.by_worker);
}

/* ---- messages under suspicion ---- */

typedef struct {
    buffer_t packed;
    uint32_t count;
} suspects_t;

static void
put_bytes_text (buffer_t *to, const char *name, const char *text)
{
    packed_put_text (to, name, utf8_is_valid (text, strlen (text)) ? text : "?");
}

static void
put_suspect (void *arg, const recorder_suspect_t *suspect)
{
    suspects_t *suspects = arg;
    suspects->count++;
    packed_put_object (&suspects->packed, 5);
    put_bytes_text (&suspects->packed, "address", suspect->address);
    put_bytes_text (&suspects->packed, "verb", suspect->verb);
    packed_put_number (&suspects->packed, "strikes", suspect->strikes);
    packed_put_number (&suspects->packed, "signal", (uint64_t) suspect->signal);
    put_bytes_text (&suspects->packed, "backtrace", suspect->backtrace);
}

static void
put_suspects (const troupe_t *node, buffer_t *to)
{
    suspects_t suspects = { 0 };
    recorder_each (node_recorder (node), put_suspect, &suspects);
    packed_put_name (to, "suspects");
    packed_put_array (to, suspects.count);
    buffer_append (to, suspects.packed.data, suspects.packed.size);
    to->failed |= suspects.packed.failed;
    buffer_clear (&suspects.packed);
}

void
figures_put (troupe_t *node, buffer_t *to)
{
    char boot[17];
    snprintf (boot, sizeof boot, "%016llx", (unsigned long long) node_boot (node));
    packed_put_object (to, 15);
    packed_put_number (to, "time_ms", clock_wall_ms ());
    packed_put_number (to, "steady_ns", clock_monotonic_ns ());
    packed_put_text (to, "boot", boot);
    packed_put_number (to, "started_ms", node_started_ms (node));
    packed_put_number (to, "shards", node_shard_count (node));
    packed_put_number (to, "workers", node_worker_count (node));
    packed_put_text (to, "door", troupe_status_name (node_door (node)));
    put_figures (node, to, "counters", false);
    put_figures (node, to, "levels", true);
    packed_put_name (to, "histograms");
    packed_put_object (to, 3);
    put_merged (node, to, "turn_ns", offsetof (metrics_t, turn_ns));
    put_merged (node, to, "call_ns", offsetof (metrics_t, call_ns));
    put_merged (node, to, "durable_ns", offsetof (metrics_t, durable_ns));
    packed_put_name (to, "kinds");
    uint32_t kinds = registry_count (node_registry (node));
    packed_put_array (to, kinds);
    for (uint32_t i = 0; i < kinds; i++)
        put_kind (node, to, i);
    put_shards (node, to);
    put_storage (node, to);
    put_threads (node, to);
    put_suspects (node, to);
}

bool
figures_read_histogram (const json_t *value, histogram_t *histogram)
{
    *histogram = (histogram_t) { 0 };
    const json_t *buckets = json_object_get (value, "buckets");
    if (!json_is_array (buckets))
        return false;
    counter_set (&histogram->count, (uint64_t) json_integer_value (json_object_get (value, "count")));
    counter_set (&histogram->sum, (uint64_t) json_integer_value (json_object_get (value, "sum")));
    for (size_t i = 0; i < json_array_size (buckets); i++) {
        const json_t *pair = json_array_get (buckets, i);
        json_int_t number = json_integer_value (json_array_get (pair, 0));
        if (number < 0 || number >= HISTOGRAM_BUCKETS)
            return false;
        counter_set (&histogram->buckets[number], (uint64_t) json_integer_value (json_array_get (pair, 1)));
    }
    return true;
}
