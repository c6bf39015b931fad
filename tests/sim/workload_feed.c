/*  workload_feed.c - feeds: consecutive offsets, nothing missed, history by count.
 *
 *  A radio numbers its events itself, so that an event's offset must be its
 *  number. A watcher for each feed takes what is pushed, and catches up from
 *  history after a restart, as a gateway does: register, read up to the head,
 *  then live. It may miss events only where the history no longer reaches back.
 */
#include "tests/sim/workload.h"

#include "runtime/base/memory.h"
#include "runtime/body/json.h"

#define RADIOS 3
#define KEPT 6

enum { LIVE, LOG, FEEDS };
static const char *const channels_of[FEEDS] = { "live", "log" };

typedef struct {
    uint64_t next;           /* offset that the watcher waits for */
    bool is_reading;         /* history was asked for: live events are left for it */
    uint64_t pushed;         /* newest offset that was pushed since the boot */
    uint64_t events, gaps;
} watcher_t;

static struct {
    watcher_t watchers[RADIOS][FEEDS];
} model;

static void
radio_address (char address[16], uint32_t radio)
{
    snprintf (address, 16, "radio/%u", radio);
}

static troupe_status_t
on_say (troupe_turn_t *turn)
{
    json_int_t count, which;
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I}", "count", &count, "which", &which);
    if (status != TROUPE_OK)
        return status;
    const char *channel = channels_of[which];
    json_int_t stamp = stamp_next (turn);
    uint64_t number = load_number (turn, channel);
    for (; count > 0; count--) {
        number += 1;
        if (troupe_random (turn) % 2)
            troupe_publish (turn, channel, "{s:I, s:I}", "n", (json_int_t) number, "stamp", stamp);
        else
            troupe_publish_key (turn, channel, "k", "{s:I, s:I}", "n", (json_int_t) number, "stamp", stamp);
    }
    store_number (turn, channel, number);
    troupe_publish (turn, "pulse", "{s:I}", "stamp", stamp);
    if (fails_now (turn, 10))
        return troupe_fail (turn, "static");
    if (troupe_random (turn) % 10 == 0)
        return troupe_refuse (turn, "off the air #%lld", (long long) stamp - 1);
    return troupe_reply (turn, "{s:I}", "stamp", stamp);
}

/*  Forgets all but the numbers: offsets go on where they were. */
static troupe_status_t
on_clear (troupe_turn_t *turn)
{
    json_int_t stamp = stamp_next (turn);
    stamp_t kept = { (uint64_t) stamp, troupe_now (turn) };
    uint64_t numbers[FEEDS] = { load_number (turn, "live"), load_number (turn, "log") };
    troupe_erase_all (turn);
    troupe_store (turn, "stamp", &kept, sizeof kept);
    store_number (turn, "live", numbers[LIVE]);
    store_number (turn, "log", numbers[LOG]);
    return troupe_reply (turn, "{s:I}", "stamp", stamp);
}

static const troupe_verb_t verbs[] = {
    { "say", on_say },
    { "clear", on_clear },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "live", .keep = KEPT },
    { "log", .keep = 100000 },
    { "pulse", .is_volatile = true },
    { NULL }
};
static const troupe_kind_t radio = { "radio", .version = 1, .verbs = verbs, .channels = channels };

/* ------------------------------------------------------------------ *
 *  The watchers
 * ------------------------------------------------------------------ */

static void
take (watcher_t *watcher, const char *address, const char *channel, uint64_t offset, uint64_t number)
{
    if (number != offset)
        sim_fail ("event %llu of %s/%s stands at offset %llu (I5)", (unsigned long long) number, address, channel,
                  (unsigned long long) offset);
    if (offset < watcher->next)
        return;
    if (offset > watcher->next)
        sim_fail ("a watcher of %s/%s waits for %llu and gets %llu", address, channel,
                  (unsigned long long) watcher->next, (unsigned long long) offset);
    watcher->next += 1;
    watcher->events += 1;
}

static void
published (sim_t *sim, const char *address, const char *channel, uint64_t offset, const void *body, size_t size)
{
    (void) sim;
    uint32_t which = strcmp (channel, "live") == 0 ? LIVE : strcmp (channel, "log") == 0 ? LOG : FEEDS;
    if (strncmp (address, "radio/", 6) != 0 || which == FEEDS)
        return;
    watcher_t *watcher = &model.watchers[address[6] - '0'][which];
    int64_t number = 0;
    if (!sim_number_of (body, size, "n", &number))
        sim_fail ("an event of %s/%s is malformed", address, channel);
    if (watcher->pushed && offset != watcher->pushed + 1)
        sim_fail ("%s/%s pushes event %llu after %llu (I5)", address, channel, (unsigned long long) offset,
                  (unsigned long long) watcher->pushed);
    watcher->pushed = offset;
    if (!watcher->is_reading)
        take (watcher, address, channel, offset, (uint64_t) number);
}

typedef struct {
    uint32_t radio, which;
    troupe_status_t status;
    buffer_t packed;
    shard_t *shard;
    uint64_t boot;
} reading_t;

static uint64_t boots;  /* of this run: an errand of an earlier one tells nothing */

static void
read_events (const char *address, watcher_t *watcher, const char *channel, const json_t *read)
{
    uint64_t first = (uint64_t) json_integer_value (json_object_get (read, "first"));
    uint64_t head = (uint64_t) json_integer_value (json_object_get (read, "head"));
    const json_t *events = json_object_get (read, "events"), *event;
    size_t i;
    if (head + 1 < watcher->next)
        sim_fail ("%s/%s has its head at %llu, a watcher has seen %llu", address, channel, (unsigned long long) head,
                  (unsigned long long) watcher->next - 1);
    if (first > watcher->next) {
        if (strcmp (channel, "live") != 0 || first + KEPT != head + 1)
            sim_fail ("%s/%s keeps events %llu to %llu, a watcher waits for %llu", address, channel,
                      (unsigned long long) first, (unsigned long long) head, (unsigned long long) watcher->next);
        watcher->next = first;
        watcher->gaps += 1;
    }
    json_array_foreach (events, i, event)
        take (watcher, address, channel, (uint64_t) json_integer_value (json_object_get (event, "offset")),
              (uint64_t) json_integer_value (json_object_get (json_object_get (event, "body"), "n")));
    if (watcher->next != head + 1)
        sim_fail ("%s/%s has its head at %llu, its history ends at %llu", address, channel,
                  (unsigned long long) head, (unsigned long long) watcher->next - 1);
}

static void
on_durable (void *arg, bool is_durable)
{
    reading_t *reading = arg;
    memory_fail_after (0);
    if (is_durable && reading->boot == boots && reading->status == TROUPE_OK) {
        char address[16];
        radio_address (address, reading->radio);
        watcher_t *watcher = &model.watchers[reading->radio][reading->which];
        json_t *read = json_tree_from_packed (reading->packed.data, reading->packed.size, NULL);
        if (!read)
            sim_fail ("what is read of %s is malformed", address);
        read_events (address, watcher, channels_of[reading->which], read);
        watcher->is_reading = false;
        json_decref (read);
    }
    buffer_clear (&reading->packed);
    free (reading);
}

static void
read_feed (void *arg, shard_t *shard)
{
    reading_t *reading = arg;
    char address[16];
    troupe_error_t error;
    if (!shard) {
        on_durable (reading, false);
        return;
    }
    memory_fail_after (0);  /* a reader's memory is not what is tested */
    radio_address (address, reading->radio);
    reading->status = shard_read_feed (shard, address, channels_of[reading->which],
                                       model.watchers[reading->radio][reading->which].next, 100000, &reading->packed,
                                       &error);
    if (reading->status != TROUPE_OK && reading->status != TROUPE_NOT_FOUND && !sim_is_failing (sim_now))
        sim_fail ("%s cannot be read: %s", address, error.text);
    if (reading->status == TROUPE_NOT_FOUND && reading->boot == boots) {
        if (model.watchers[reading->radio][reading->which].next > 1)
            sim_fail ("%s/%s is gone", address, channels_of[reading->which]);
        model.watchers[reading->radio][reading->which].is_reading = false;
    }
    if (shard_release_after (shard, on_durable, reading) != TROUPE_OK)
        on_durable (reading, false);
}

static void
ask_history (sim_t *sim, uint32_t which_radio, uint32_t which)
{
    char address[16];
    uint16_t shard = 0;
    reading_t *reading = calloc (1, sizeof *reading);
    CHECK (reading);
    *reading = (reading_t) { .radio = which_radio, .which = which, .boot = boots };
    radio_address (address, which_radio);
    CHECK (world_shard_of (sim->world, address, &shard, NULL) == TROUPE_OK);
    model.watchers[which_radio][which].is_reading = true;
    world_errand (sim_world_of (sim, shard), shard, read_feed, reading);
}

static void
booted (sim_t *sim)
{
    boots += 1;
    for (uint32_t i = 0; i < RADIOS; i++)
        for (uint32_t j = 0; j < FEEDS; j++) {
            model.watchers[i][j].pushed = 0;
            ask_history (sim, i, j);
        }
    listeners_booted (sim);
}

/* ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    memset (&model, 0, sizeof model);
    boots = 0;
    for (uint32_t i = 0; i < RADIOS; i++)
        for (uint32_t j = 0; j < FEEDS; j++)
            model.watchers[i][j].next = 1;
    listeners_begin (sim);
}

extern const workload_t workload_feed;

static void
act (sim_t *sim, uint32_t client)
{
    char address[16];
    radio_address (address, (uint32_t) roll (sim, RADIOS));
    listeners_act (sim);
    if (roll (sim, 15) == 0)
        sim_call (sim, &workload_feed, client, address, "clear", 0, 0, NULL);
    else
        sim_call (sim, &workload_feed, client, address, "say", 0, 0, "{s:I, s:I}", "count",
                  (json_int_t) roll (sim, 5), "which", (json_int_t) roll (sim, FEEDS));
}

static void
check (sim_t *sim)
{
    for (uint32_t i = 0; i < RADIOS; i++)
        for (uint32_t j = 0; j < FEEDS; j++) {
            const watcher_t *watcher = &model.watchers[i][j];
            char address[16];
            radio_address (address, i);
            uint64_t number = sim_state_number (sim, address, channels_of[j]);
            if (watcher->is_reading || watcher->next != number + 1)
                sim_fail ("a watcher of %s/%s %s at %llu, published were %llu", address, channels_of[j],
                          watcher->is_reading ? "still reads" : "stands", (unsigned long long) watcher->next - 1,
                          (unsigned long long) number);
        }
    listeners_check (sim);
}

static void
works (sim_t *sim)
{
    listeners_read (sim);
}

const workload_t workload_feed = {
    "feed", .kinds = { &radio }, .begin = begin, .act = act, .published = published, .booted = booted,
    .ending = listeners_ending, .works = works, .rests = listeners_read, .check = check
};
