/*  top_view.c - what two samples of a node's figures say of the time between them.
 *
 *  DESIGN
 *  Counters only grow, so that the difference of two samples is what happened
 *  between them; the same holds for each bucket of a histogram, and so the
 *  quantiles shown are those of the last interval, not of the whole life. A sample of
 *  another boot is no sample of before.
 */
#include "commands/top_view.h"

#include "commands/figures.h"
#include "commands/remote.h"

#include <stdlib.h>

#define HOT_SHOWN 20

typedef struct {
    const json_t *before, *now;  /* `before` may be NULL */
    double seconds;
} span_t;

static double
rate_of (const span_t *span, const json_t *before, const json_t *now, const char *name)
{
    uint64_t was = tree_number (before, name), is = tree_number (now, name);
    return is > was && span->seconds > 0 ? (double) (is - was) / span->seconds : 0;
}

static json_t *
rates (const span_t *span)
{
    json_t *tree = json_object ();
    const json_t *before = json_object_get (span->before, "counters"), *now = json_object_get (span->now, "counters");
    for (const figure_t *figure = figures; figure->name; figure++)
        if (!figure->is_level)
            json_object_set_new (tree, figure->name, json_real (rate_of (span, before, now, figure->name)));
    return tree;
}

/*  What came into the histogram between the samples. */
static bool
read_difference (const json_t *before, const json_t *now, histogram_t *histogram)
{
    histogram_t was = { 0 };
    if (!figures_read_histogram (now, histogram))
        return false;
    if (before && !figures_read_histogram (before, &was))
        return false;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t is = counter_get (&histogram->buckets[i]), less = counter_get (&was.buckets[i]);
        counter_set (&histogram->buckets[i], is > less ? is - less : 0);
    }
    uint64_t is = counter_get (&histogram->count), less = counter_get (&was.count);
    counter_set (&histogram->count, is > less ? is - less : 0);
    return true;
}

static void
add_quantiles (json_t *tree, const json_t *before, const json_t *now)
{
    histogram_t histogram;
    if (!read_difference (before, now, &histogram))
        return;
    json_object_set_new (tree, "count", json_integer ((json_int_t) counter_get (&histogram.count)));
    json_object_set_new (tree, "p50", json_integer ((json_int_t) histogram_quantile (&histogram, 0.5)));
    json_object_set_new (tree, "p99", json_integer ((json_int_t) histogram_quantile (&histogram, 0.99)));
    json_object_set_new (tree, "p999", json_integer ((json_int_t) histogram_quantile (&histogram, 0.999)));
}

static json_t *
latency (const span_t *span)
{
    static const char *const names[] = { "turn_ns", "call_ns", "durable_ns" };
    const json_t *before = json_object_get (span->before, "histograms");
    const json_t *now = json_object_get (span->now, "histograms");
    json_t *tree = json_object ();
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *quantiles = json_object ();
        add_quantiles (quantiles, json_object_get (before, names[i]), json_object_get (now, names[i]));
        json_object_set_new (tree, names[i], quantiles);
    }
    return tree;
}

static json_t *
storage (const span_t *span)
{
    const json_t *before = json_object_get (span->before, "storage"), *now = json_object_get (span->now, "storage");
    return json_pack ("{s:f, s:f, s:f, s:I, s:I, s:I}", "syncs", rate_of (span, before, now, "syncs"), "written_bytes",
                      rate_of (span, before, now, "written_bytes"), "folds", rate_of (span, before, now, "folds"),
                      "journal_bytes", (json_int_t) tree_number (now, "journal_bytes"), "unfolded_bytes",
                      (json_int_t) tree_number (now, "unfolded_bytes"), "used_bytes",
                      (json_int_t) tree_number (now, "used_bytes"));
}

static json_t *
kinds (const span_t *span)
{
    static const char *const rated[] = { "turns", "reads", "refused", "failed" };
    const json_t *before = json_object_get (span->before, "kinds"), *now = json_object_get (span->now, "kinds");
    json_t *tree = json_array ();
    for (size_t i = 0; i < json_array_size (now); i++) {
        /* the same process: the same order */
        const json_t *was = json_array_get (before, i), *is = json_array_get (now, i);
        json_t *kind = json_object ();
        json_object_set_new (kind, "name", json_string (tree_text (is, "name")));
        for (unsigned j = 0; j < sizeof rated / sizeof *rated; j++)
            json_object_set_new (kind, rated[j], json_real (rate_of (span, was, is, rated[j])));
        json_object_set_new (kind, "awake", json_integer ((json_int_t) tree_number (is, "awake")));
        json_object_set_new (kind, "parked", json_integer ((json_int_t) tree_number (is, "parked")));
        add_quantiles (kind, json_object_get (was, "turn_ns"), json_object_get (is, "turn_ns"));
        json_array_append_new (tree, kind);
    }
    return tree;
}

static int
compare_hot (const void *left, const void *right)
{
    const json_t *const *a = left, *const *b = right;
    uint64_t turns_a = tree_number (*a, "turns"), turns_b = tree_number (*b, "turns");
    if (turns_a != turns_b)
        return turns_a < turns_b ? 1 : -1;
    return strcmp (tree_text (*a, "address"), tree_text (*b, "address"));
}

/*  The busiest of all shards. */
static json_t *
hottest (const json_t *hot)
{
    size_t count = json_array_size (hot);
    json_t **row = calloc (count + 1, sizeof (void *));
    json_t *tree = json_array ();
    if (!row)
        return tree;
    for (size_t i = 0; i < count; i++)
        row[i] = json_array_get (hot, i);
    qsort (row, count, sizeof (void *), compare_hot);
    for (size_t i = 0; i < count && i < HOT_SHOWN; i++)
        json_array_append (tree, row[i]);
    free (row);
    return tree;
}

json_t *
top_view (const json_t *before, const json_t *now, const json_t *hot)
{
    if (!json_is_object (json_object_get (now, "counters")))
        return NULL;
    if (before && strcmp (tree_text (before, "boot"), tree_text (now, "boot")) != 0)
        before = NULL;
    uint64_t uptime_ms = tree_number (now, "time_ms") - tree_number (now, "started_ms");
    span_t span = { .before = before, .now = now, .seconds = (double) uptime_ms / 1000 };
    if (before)
        span.seconds = (double) (tree_number (now, "steady_ns") - tree_number (before, "steady_ns")) / 1e9;
    json_t *view = json_object ();
    json_object_set_new (view, "interval_ms", json_integer ((json_int_t) (span.seconds * 1000)));
    json_object_set_new (view, "uptime_ms", json_integer ((json_int_t) uptime_ms));
    json_object_set (view, "shards", json_object_get (now, "shards"));
    json_object_set (view, "workers", json_object_get (now, "workers"));
    json_object_set (view, "door", json_object_get (now, "door"));
    json_object_set_new (view, "rates", rates (&span));
    json_object_set (view, "levels", json_object_get (now, "levels"));
    json_object_set_new (view, "latency", latency (&span));
    json_object_set_new (view, "storage", storage (&span));
    json_object_set_new (view, "kinds", kinds (&span));
    json_object_set_new (view, "hot", hottest (hot));
    json_object_set (view, "suspects", json_object_get (now, "suspects"));
    return view;
}
