/*  exposition.c - the figures of a node as Prometheus reads them.
 *
 *  DESIGN
 *  Names come from the tables of the figures. A histogram shows every second power of two of its buckets' edges
 *  and always the same ones, so that a monitor can compare samples; its count is the sum of the
 *  buckets as they were read.
 */
#include "commands/exposition.h"

#include "commands/figures.h"

#define LEAST_BUCKET 39    /* about 2 us */
#define MOST_BUCKET 151    /* about 550 s */
#define BUCKET_STEP 8

static void
put_head (buffer_t *to, const char *name, const char *type, const char *doc)
{
    buffer_printf (to, "# HELP troupe_%s %s\n# TYPE troupe_%s %s\n", name, doc, name, type);
}

static void
put_counter (buffer_t *to, const char *name, const char *doc, uint64_t value)
{
    buffer_printf (to, "# HELP troupe_%s_total %s\n# TYPE troupe_%s_total counter\ntroupe_%s_total %llu\n", name, doc,
                   name, name, (unsigned long long) value);
}

static void
put_gauge (buffer_t *to, const char *name, const char *doc, uint64_t value)
{
    put_head (to, name, "gauge", doc);
    buffer_printf (to, "troupe_%s %llu\n", name, (unsigned long long) value);
}

static void
put_figures (troupe_t *node, buffer_t *to)
{
    for (const figure_t *figure = figures; figure->name; figure++)
        (figure->is_level ? put_gauge : put_counter) (to, figure->name, figure->doc, figures_sum (node, figure));
}

/* ---- histograms ---- */

/*  `label` is empty or ends with a comma. */
static void
put_buckets (buffer_t *to, const char *name, const char *label, const histogram_t *histogram)
{
    uint64_t below = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += counter_get (&histogram->buckets[i]);
        if (i >= LEAST_BUCKET && i <= MOST_BUCKET && (i - LEAST_BUCKET) % BUCKET_STEP == 0)
            buffer_printf (to, "troupe_%s_bucket{%sle=\"%.9g\"} %llu\n", name, label,
                           (double) (histogram_edge (i) + 1) / 1e9, (unsigned long long) below);
    }
    int size = *label ? (int) strlen (label) - 1 : 0;
    const char *open = size ? "{" : "", *close = size ? "}" : "";
    buffer_printf (to, "troupe_%s_bucket{%sle=\"+Inf\"} %llu\n", name, label, (unsigned long long) below);
    buffer_printf (to, "troupe_%s_sum%s%.*s%s %.9f\n", name, open, size, label, close,
                   (double) counter_get (&histogram->sum) / 1e9);
    buffer_printf (to, "troupe_%s_count%s%.*s%s %llu\n", name, open, size, label, close, (unsigned long long) below);
}

static void
put_histogram (troupe_t *node, buffer_t *to, const char *name, const char *doc, size_t offset)
{
    histogram_t all = { 0 };
    for (uint32_t i = 0; i < node_shard_count (node); i++) {
        const metrics_t *metrics = shard_metrics (node_shard (node, (uint16_t) i));
        histogram_merge (&all, (const histogram_t *) ((const char *) metrics + offset));
    }
    put_head (to, name, "histogram", doc);
    put_buckets (to, name, "", &all);
}

/* ---- kinds ---- */

static const struct {
    const char *name;
    size_t offset;
    bool is_level;
    const char *doc;
} of_kinds[] = {
    { "kind_turns_total", offsetof (kind_metrics_t, turns), false, "Turns run of a kind." },
    { "kind_reads_total", offsetof (kind_metrics_t, reads), false, "Reads run of a kind." },
    { "kind_refused_total", offsetof (kind_metrics_t, refused), false, "Turns of a kind that refused." },
    { "kind_failed_total", offsetof (kind_metrics_t, failed), false, "Turns of a kind that failed." },
    { "kind_awake", offsetof (kind_metrics_t, awake), true, "Actors of a kind in memory." },
    { "kind_parked", offsetof (kind_metrics_t, parked), true, "Shards on which the whole kind is parked." },
};

static void
put_label (buffer_t *to, const char *name, const char *value)
{
    buffer_printf (to, "%s=\"", name);
    for (; *value; value++)
        if (*value == '\n')
            buffer_append (to, "\\n", 2);
        else {
            if (*value == '"' || *value == '\\')
                buffer_byte (to, '\\');
            buffer_byte (to, (uint8_t) *value);
        }
    buffer_byte (to, '"');
}

static const kind_metrics_t *
of_kind (troupe_t *node, uint32_t shard, uint32_t kind)
{
    return &shard_metrics (node_shard (node, (uint16_t) shard))->kinds[kind];
}

static void
put_kind_figure (troupe_t *node, buffer_t *to, size_t row, uint32_t kind)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < node_shard_count (node); i++)
        sum += counter_get ((const counter_t *) ((const char *) of_kind (node, i, kind) + of_kinds[row].offset));
    buffer_printf (to, "troupe_%s{", of_kinds[row].name);
    put_label (to, "kind", registry_at (node_registry (node), kind)->name);
    buffer_printf (to, "} %llu\n", (unsigned long long) sum);
}

static void
put_kind_turns (troupe_t *node, buffer_t *to, uint32_t kind)
{
    histogram_t all = { 0 };
    buffer_t label = { 0 };
    for (uint32_t i = 0; i < node_shard_count (node); i++)
        histogram_merge (&all, &of_kind (node, i, kind)->turn_ns);
    put_label (&label, "kind", registry_at (node_registry (node), kind)->name);
    buffer_append (&label, ",", 2);
    if (label.failed)
        to->failed = true;
    else
        put_buckets (to, "kind_turn_seconds", (const char *) label.data, &all);
    buffer_clear (&label);
}

static void
put_kinds (troupe_t *node, buffer_t *to)
{
    uint32_t count = registry_count (node_registry (node));
    for (size_t row = 0; row < sizeof of_kinds / sizeof *of_kinds; row++) {
        put_head (to, of_kinds[row].name, of_kinds[row].is_level ? "gauge" : "counter", of_kinds[row].doc);
        for (uint32_t kind = 0; kind < count; kind++)
            put_kind_figure (node, to, row, kind);
    }
    put_head (to, "kind_turn_seconds", "histogram", "Time of a turn of a kind, of a sample of them.");
    for (uint32_t kind = 0; kind < count; kind++)
        put_kind_turns (node, to, kind);
}

/* ---- storage, the gateway ---- */

static void
put_storage (troupe_t *node, buffer_t *to)
{
    const store_t *store = node_store (node);
    journal_counts_t journal = journal_counts (store->journal);
    checkpoint_counts_t folds = checkpoint_counts (store->checkpoint);
    put_gauge (to, "state_used_bytes", "Bytes of the state that are in use.", store_used_bytes (store));
    put_gauge (to, "journal_bytes", "Bytes of the journal that are kept.", journal.bytes);
    put_counter (to, "journal_written_bytes", "Bytes written to the journal.", journal.written_bytes);
    put_counter (to, "journal_syncs", "Syncs of the journal.", journal.syncs);
    put_counter (to, "checkpoints", "Checkpoints made.", folds.folds);
    put_counter (to, "checkpoint_frames", "Frames folded into the state.", folds.frames);
}

static void
put_edge (const edge_counts_t *counts, buffer_t *to)
{
    put_gauge (to, "gateway_clients", "Clients that are connected.", counts->clients);
    put_gauge (to, "gateway_watches", "Watches of clients.", counts->watches);
    put_gauge (to, "gateway_feeds", "Feeds that somebody watches.", counts->feeds);
    put_counter (to, "gateway_messages", "Messages of clients.", counts->messages);
    put_counter (to, "gateway_calls", "Calls of clients that were submitted.", counts->calls);
    put_counter (to, "gateway_events", "Events that were heard of watched feeds.", counts->events);
    put_counter (to, "gateway_deliveries", "Events that were sent to watchers.", counts->deliveries);
    put_counter (to, "gateway_errors", "Errors that clients were told.", counts->errors);
    put_counter (to, "gateway_cuts", "Watches that the gateway ended.", counts->cuts);
}

static void
put_links (const troupe_t *node, buffer_t *to)
{
    node_away_counts_t counts;
    if (!node_away_counts (node, &counts))
        return;
    put_gauge (to, "nodes", "Nodes of the cluster.", node_cluster (node)->nodes);
    put_gauge (to, "nodes_linked", "Other nodes that this one is linked with now.", counts.linked);
    put_counter (to, "node_links_opened", "Links with other nodes that were made.", counts.opened);
    put_counter (to, "node_links_broken", "Of these, such as broke.", counts.broken);
    put_counter (to, "node_links_refused", "Links that were refused, by either side.", counts.refused);
    put_counter (to, "node_letters_sent", "Letters to shards of other nodes.", counts.sent);
    put_counter (to, "node_letters_received", "Letters of shards of other nodes.", counts.received);
    put_counter (to, "node_letters_dropped", "Letters for a node that was not linked; they are sent again.",
                 counts.dropped);
    put_counter (to, "node_bytes_sent", "Bytes to other nodes.", counts.bytes_sent);
    put_counter (to, "node_bytes_received", "Bytes of other nodes.", counts.bytes_received);
    const forward_counts_t *forward = &counts.forward;
    put_counter (to, "forwarded", "Calls and pages of feeds that other nodes were asked for.", forward->forwarded);
    put_counter (to, "forwarded_answered", "Of these, such as they answered.", forward->answered);
    put_counter (to, "forwarded_refused", "Such as were refused here: the other node is away, or too much is asked.",
                 forward->refused);
    put_counter (to, "forwarded_lost", "Such as had no answer when the link broke or their time was over.",
                 forward->lost);
    put_counter (to, "forwarded_served", "Calls and pages that other nodes were given.", forward->served);
    put_counter (to, "forwarded_events_sent", "Events for watchers at other nodes.", forward->events_sent);
    put_counter (to, "forwarded_events_received", "Events of other nodes for watchers here.",
                 forward->events_received);
    put_counter (to, "forwarded_events_missed", "Events that another node had no room for; it reads them later.",
                 forward->events_missed);
}

void
exposition_write (troupe_t *node, const edge_counts_t *edge, buffer_t *to)
{
    put_gauge (to, "start_time_seconds", "When the node started, since 1970.", node_started_ms (node) / 1000);
    put_gauge (to, "shards", "Shards of the node.", node_shard_count (node));
    put_gauge (to, "workers", "Threads that run them.", node_worker_count (node));
    put_gauge (to, "door_open", "1: calls from outside are taken.", node_door (node) == TROUPE_OK);
    put_figures (node, to);
    put_histogram (node, to, "turn_seconds", "Time of a turn, of a sample of them.", offsetof (metrics_t, turn_ns));
    put_histogram (node, to, "call_seconds", "From a call's submission to its answer, of a sample of them.",
                   offsetof (metrics_t, call_ns));
    put_histogram (node, to, "durable_seconds", "From the sealing of a frame until it is on disk.",
                   offsetof (metrics_t, durable_ns));
    put_kinds (node, to);
    put_storage (node, to);
    put_links (node, to);
    put_edge (edge, to);
}

void
exposition_write_crew (crew_t *crew, buffer_t *to)
{
    crew_counts_t counts = crew_counts (crew);
    char kind[TROUPE_KIND_MAX + 1];
    uint64_t count;
    put_head (to, "remote_workers", "gauge", "Workers that serve a remote kind in its newest version.");
    for (uint32_t i = 0; crew_of_kind (crew, i, kind, &count); i++) {
        buffer_printf (to, "troupe_remote_workers{");
        put_label (to, "kind", kind);
        buffer_printf (to, "} %llu\n", (unsigned long long) count);
    }
    put_gauge (to, "remote_in_hand", "Offers that workers have in hand.", counts.in_hand);
    put_gauge (to, "remote_states", "Actors whose state a worker holds.", counts.states);
    put_counter (to, "remote_done", "Offers that workers handled.", counts.done);
    put_counter (to, "remote_undone", "Those of them that failed or were refused.", counts.undone);
    put_counter (to, "remote_stateless", "Offers that came back because the worker had dropped the state.",
                 counts.stateless);
    put_counter (to, "remote_untaken", "Offers that came back from workers that leave.", counts.untaken);
    put_counter (to, "remote_lost", "Offers whose worker went away with them.", counts.lost);
    put_counter (to, "remote_broken", "Messages of workers that could not be true.", counts.broken);
}
