/*  top_view.h - what two samples of a node's figures say of the time between them. */
#ifndef COMMANDS_TOP_VIEW_H
#define COMMANDS_TOP_VIEW_H

#include <jansson.h>

/*  {interval_ms, uptime_ms, shards, workers, door, rates: {name: per second},
 *   levels: {name: now}, latency: {turn_ns, call_ns, durable_ns: {count, p50, p99, p999}},
 *   storage: {syncs, written_bytes: per second; journal_bytes, unfolded_bytes: now},
 *   kinds: [{name, turns, reads, refused, failed: per second; awake, p50, p99}],
 *   hot: [{address, turns, mail}], suspects: [...]}
 *  Of the time since the start when `before` is NULL or of another process. The
 *  samples are answers of "metrics", `hot` one of "hot". NULL when they are none;
 *  the caller decrefs. */
json_t *top_view (const json_t *before, const json_t *now, const json_t *hot);

#endif
