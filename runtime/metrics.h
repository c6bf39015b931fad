/*  metrics.h - counters and latency histograms of one shard and its kinds.
 *
 *  Written by the shard's thread with relaxed stores (a plain mov), read by
 *  any thread; no reader slows a writer. Figures that belong together may be
 *  a moment apart.
 */
#ifndef RUNTIME_METRICS_H
#define RUNTIME_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint64_t counter_t;

static inline void
counter_add (counter_t *counter, uint64_t more)
{
    atomic_store_explicit (counter, atomic_load_explicit (counter, memory_order_relaxed) + more, memory_order_relaxed);
}

static inline void
counter_set (counter_t *counter, uint64_t value)
{
    atomic_store_explicit (counter, value, memory_order_relaxed);
}

static inline uint64_t
counter_get (const counter_t *counter)
{
    return atomic_load_explicit (counter, memory_order_relaxed);
}

/*  Logarithmic buckets, four a power of two: relative error below 25 %. */
#define HISTOGRAM_BUCKETS 160

typedef struct {
    counter_t buckets[HISTOGRAM_BUCKETS];
    counter_t count, sum;
} histogram_t;

void histogram_add (histogram_t *self, uint64_t value_ns);
uint64_t histogram_quantile (const histogram_t *self, double quantile);  /* upper edge of the bucket; 0 when empty */
uint64_t histogram_edge (unsigned bucket);  /* the largest value of it */
void histogram_merge (histogram_t *into, const histogram_t *from);

typedef struct {
    counter_t turns, reads, refused, failed;
    counter_t awake;
    counter_t parked;     /* 1: the whole kind */
    histogram_t turn_ns;  /* sampled */
} kind_metrics_t;

typedef struct {
    counter_t turns;          /* handlers run, whatever their outcome */
    counter_t refused, failed, dead, retried;
    counter_t calls, overloaded;
    counter_t told, told_away, casts;     /* messages to actors of this shard, of others, casts to any */
    counter_t links_taken, links_resent, links_dropped;  /* dropped: seen before */
    counter_t spilled, unspilled;
    counter_t timers_fired, events;
    counter_t woken, slept;
    counter_t frames, frame_bytes;
    counter_t offered, lost, stale;       /* to workers of remote kinds; their outcomes that came too late or twice */
    /* levels */
    counter_t awake, mail, mail_bytes, timers, asks, undurable_bytes, unfolded_bytes, parked, dead_letters, away;
    histogram_t turn_ns;      /* sampled */
    histogram_t call_ns;      /* submit to answer, sampled */
    histogram_t durable_ns;   /* seal to durable */
    uint32_t kind_count;
    kind_metrics_t *kinds;    /* by index in the registry */
} metrics_t;

#endif
