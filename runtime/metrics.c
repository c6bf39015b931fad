/*  metrics.c - latency histograms.
 *
 *  DESIGN
 *  Adding is two loads and three stores by the one thread that owns the
 *  histogram; any thread reads. A reader that comes in between sees counters of
 *  two moments, so a quantile counts the buckets that it reads and does not trust
 *  `count` to be their sum. Values above the last bucket are counted in it.
 */
#include "runtime/metrics.h"

/*  Values below four have buckets of their own. */
static unsigned
bucket_of (uint64_t value)
{
    if (value < 4)
        return (unsigned) value;
    unsigned power = 63 - (unsigned) __builtin_clzll (value);
    unsigned bucket = (power - 1) * 4 + (unsigned) (value >> (power - 2) & 3);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t
histogram_edge (unsigned bucket)
{
    if (bucket < 4)
        return bucket;
    unsigned power = bucket / 4 + 1;
    return ((uint64_t) (5 + bucket % 4) << (power - 2)) - 1;
}

void
histogram_add (histogram_t *self, uint64_t value_ns)
{
    counter_add (&self->buckets[bucket_of (value_ns)], 1);
    counter_add (&self->count, 1);
    counter_add (&self->sum, value_ns);
}

uint64_t
histogram_quantile (const histogram_t *self, double quantile)
{
    uint64_t total = 0;
    for (unsigned at = 0; at < HISTOGRAM_BUCKETS; at++)
        total += counter_get (&self->buckets[at]);
    if (total == 0)
        return 0;
    double wanted = quantile * (double) total;
    uint64_t rank = 1;  /* also for what is no number */
    if (wanted >= (double) total)
        rank = total;
    else if (wanted > 1)
        rank = (uint64_t) wanted + ((double) (uint64_t) wanted < wanted);
    uint64_t seen = 0;
    for (unsigned at = 0; at < HISTOGRAM_BUCKETS; at++) {
        seen += counter_get (&self->buckets[at]);
        if (seen >= rank)
            return histogram_edge (at);
    }
    return histogram_edge (HISTOGRAM_BUCKETS - 1);
}

void
histogram_merge (histogram_t *into, const histogram_t *from)
{
    for (unsigned at = 0; at < HISTOGRAM_BUCKETS; at++)
        counter_add (&into->buckets[at], counter_get (&from->buckets[at]));
    counter_add (&into->count, counter_get (&from->count));
    counter_add (&into->sum, counter_get (&from->sum));
}
