/*  figures.h - the counters of a whole node, for people and for monitors.
 *
 *  One table names the figures of metrics_t and says what they mean; whoever
 *  shows them walks it.
 */
#ifndef COMMANDS_FIGURES_H
#define COMMANDS_FIGURES_H

#include "commands/node.h"

typedef struct {
    const char *name;
    size_t offset;   /* of a counter_t in metrics_t */
    bool is_level;   /* goes up and down; else it only grows */
    const char *doc;
} figure_t;

/*  Ends with a NULL name. */
extern const figure_t figures[];

/*  Of all shards. Any thread. */
uint64_t figures_sum (troupe_t *node, const figure_t *figure);

/*  {time_ms, steady_ns, boot, started_ms, shards, workers, door,
 *   counters: {name: sum}, levels: {name: sum},
 *   histograms: {turn_ns, call_ns, durable_ns: histogram},
 *   kinds: [{name, turns, reads, refused, failed, awake, turn_ns: histogram}],
 *   by_shard: [{number, turns, awake, mail, undurable_bytes, unfolded_bytes}],
 *   storage: {...}, threads: {...}, suspects: [{address, verb, strikes, signal, backtrace}]}
 *  where a histogram is {count, sum, buckets: [[number, count]]}, the empty ones
 *  left out. Any thread. */
void figures_put (troupe_t *node, buffer_t *to);

/*  The histogram that such a value describes. False when it is none. */
bool figures_read_histogram (const json_t *value, histogram_t *histogram);

#endif
