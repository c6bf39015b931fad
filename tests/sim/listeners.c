/*  listeners.c - watchers at nodes that do not have the actor.
 *
 *  DESIGN
 *  One for each feed of workload_feed.c, at another node than its radio. It does what a gateway does: it says that it
 *  watches, reads up to the head, then takes what it hears, and reads again when it is told to look again. In between
 *  each event must be the next one: nothing is missed without being told. In the end all stand at the head.
 */
#include "tests/sim/workload.h"

#include "runtime/body/json.h"

#include <stdlib.h>

#define LISTENERS 6
#define PAGE_MOST 1000
#define ACTS_ONCE_IN 10
#define AGAIN_MS 100     /* after a read that was refused */
#define ROUNDS_LEAST 2   /* an operator's, after which roads are open and all was read */

static const struct {
    const char *address, *channel;
} feeds[LISTENERS] = {
    { "radio/0", "live" }, { "radio/0", "log" }, { "radio/1", "live" }, { "radio/1", "log" }, { "radio/2", "live" },
    { "radio/2", "log" }
};

typedef struct {
    uint16_t node;
    bool is_on, is_reading;
    bool must_read;          /* it may have missed something, and knows */
    uint64_t again_ms;       /* not before */
    uint64_t next;           /* offset that it waits for */
    uint64_t newest;         /* that it heard of */
    uint64_t reading;        /* counts: the page of an earlier one tells nothing */
    uint32_t rounds;         /* since a node started */
} listener_t;

static listener_t listeners[LISTENERS];

typedef struct {
    uint32_t which;
    uint64_t reading;
} page_t;

static uint16_t
home_of (sim_t *sim, const char *address)
{
    uint16_t shard = 0;
    CHECK (world_shard_of (sim->world, address, &shard, NULL) == TROUPE_OK);
    return sim->node->cluster.owners[shard];
}

void
listeners_begin (sim_t *sim)
{
    memset (listeners, 0, sizeof listeners);
    for (uint32_t i = 0; i < LISTENERS && sim->profile.nodes > 1; i++) {
        uint16_t away = (uint16_t) (1 + dice_roll (&sim->network.dice, sim->profile.nodes - 1));
        listeners[i].node = (uint16_t) ((home_of (sim, feeds[i].address) + away) % sim->profile.nodes);
        listeners[i].next = 1;
    }
}

/* ---- what it takes ---- */

static void
take (uint32_t which, uint64_t offset, uint64_t number)
{
    listener_t *self = &listeners[which];
    if (number != offset)
        sim_fail ("at node %u event %llu of %s/%s stands at offset %llu (I5)", self->node, (unsigned long long) number,
                  feeds[which].address, feeds[which].channel, (unsigned long long) offset);
    if (offset < self->next)
        return;
    if (offset > self->next)
        sim_fail ("at node %u a watcher of %s/%s waits for %llu, gets %llu and was not told to look again (rule 24)",
                  self->node, feeds[which].address, feeds[which].channel, (unsigned long long) self->next,
                  (unsigned long long) offset);
    self->next += 1;
}

static void
take_page (uint32_t which, const json_t *page)
{
    listener_t *self = &listeners[which];
    uint64_t first = (uint64_t) json_integer_value (json_object_get (page, "first"));
    uint64_t head = (uint64_t) json_integer_value (json_object_get (page, "head"));
    const json_t *events = json_object_get (page, "events"), *event;
    size_t i;
    if (head + 1 < self->next)
        sim_fail ("%s/%s has its head at %llu, a watcher at node %u has seen %llu", feeds[which].address,
                  feeds[which].channel, (unsigned long long) head, self->node, (unsigned long long) self->next - 1);
    if (first > self->next && strcmp (feeds[which].channel, "live") == 0)
        self->next = first;
    json_array_foreach (events, i, event)
        take (which, (uint64_t) json_integer_value (json_object_get (event, "offset")),
              (uint64_t) json_integer_value (json_object_get (json_object_get (event, "body"), "n")));
    if (i < PAGE_MOST && self->next != head + 1)
        sim_fail ("a page of %s/%s ends at %llu and its head is %llu", feeds[which].address, feeds[which].channel,
                  (unsigned long long) self->next - 1, (unsigned long long) head);
}

static void
told (void *arg, troupe_status_t status, const char *text, const void *packed, size_t size)
{
    page_t page = *(page_t *) arg;
    listener_t *self = &listeners[page.which];
    sim_t *sim = sim_now;
    free (arg);
    if (page.reading != self->reading)
        return;
    sim_note (sim, "page", page.which, self->next, status, text);
    self->is_reading = false;
    if (status == TROUPE_OK) {
        json_t *read = json_tree_from_packed (packed, size, NULL);
        if (!read)
            sim_fail ("a page of %s is malformed", feeds[page.which].address);
        take_page (page.which, read);
        json_decref (read);
    } else if (status == TROUPE_NOT_FOUND && self->next > 1)
        sim_fail ("%s/%s is gone: %s", feeds[page.which].address, feeds[page.which].channel, text);
    bool is_there = status == TROUPE_OK || status == TROUPE_NOT_FOUND;
    self->must_read = self->must_read || !is_there || self->newest >= self->next;
    self->again_ms = is_there ? 0 : sim->clock_ms + AGAIN_MS;
}

static bool
is_at (uint32_t which, uint16_t node, const char *address, const char *channel)
{
    const listener_t *self = &listeners[which];
    return self->is_on && self->node == node && strcmp (feeds[which].address, address) == 0
           && strcmp (feeds[which].channel, channel) == 0;
}

void
listeners_heard (void *sim_, uint16_t node, const char *address, const char *channel, uint64_t offset,
                 const void *body, size_t size)
{
    sim_t *sim = sim_;
    for (uint32_t i = 0; i < LISTENERS; i++) {
        listener_t *self = &listeners[i];
        if (!is_at (i, node, address, channel))
            continue;
        sim_note (sim, "hears", i, self->next, offset, NULL);
        int64_t number = 0;
        uint64_t stamp;
        if (offset == HOST_LOOK_AGAIN) {
            self->must_read = true;
            continue;
        }
        if (!sim_number_of (body, size, "n", &number) || !checks_stamp_of_body (body, size, &stamp))
            sim_fail ("an event of %s/%s is malformed at node %u", address, channel, node);
        checks_seen (sim, address, stamp, "an event at another node");
        self->newest = offset > self->newest ? offset : self->newest;
        if (!self->is_reading && !self->must_read)
            take (i, offset, (uint64_t) number);
    }
}

/* ---- what it does ---- */

bool
listeners_are_at (void *sim, uint16_t node, const char *address, const char *channel)
{
    bool any = false;
    (void) sim;
    for (uint32_t i = 0; i < LISTENERS; i++)
        any = any || is_at (i, node, address, channel);
    return any;
}

static void
listen (sim_t *sim, uint32_t which)
{
    listener_t *self = &listeners[which];
    self->reading += 1;
    self->is_reading = false;
    self->must_read = true;
    self->again_ms = 0;
    if (world_is_up (sim->nodes[self->node].world))
        world_listen (sim->nodes[self->node].world, feeds[which].address, feeds[which].channel);
}

static bool
read_one (sim_t *sim, uint32_t which)
{
    listener_t *self = &listeners[which];
    world_t *world = sim->nodes[self->node].world;
    troupe_error_t error;
    if (!self->is_on || !self->must_read || self->is_reading || self->again_ms > sim->clock_ms || !world_is_up (world))
        return false;
    page_t *page = malloc (sizeof *page);
    CHECK (page);
    *page = (page_t) { which, ++self->reading };
    self->is_reading = true;
    self->must_read = false;
    if (world_read_feed (world, feeds[which].address, feeds[which].channel, self->next, PAGE_MOST, told, page, &error)
        != TROUPE_OK)
        sim_fail ("no page can be asked for: %s", error.text);
    return true;
}

bool
listeners_read (sim_t *sim)
{
    bool any = false;
    for (uint32_t i = 0; i < LISTENERS && sim->profile.nodes > 1; i++)
        any = read_one (sim, i) || any;
    return any;
}

static void
toggle (sim_t *sim, uint32_t which)
{
    sim_note (sim, "listener", which, listeners[which].node, !listeners[which].is_on, NULL);
    listeners[which].is_on = !listeners[which].is_on;
    if (listeners[which].is_on)
        listen (sim, which);
}

void
listeners_act (sim_t *sim)
{
    if (sim->profile.nodes > 1 && dice_once_in (&sim->network.dice, ACTS_ONCE_IN))
        toggle (sim, (uint32_t) dice_roll (&sim->network.dice, LISTENERS));
}

void
listeners_booted (sim_t *sim)
{
    for (uint32_t i = 0; i < LISTENERS && sim->profile.nodes > 1; i++) {
        listeners[i].rounds = 0;
        if (listeners[i].is_on && listeners[i].node == sim_node_number (sim))
            listen (sim, i);
    }
}

void
listeners_ending (sim_t *sim)
{
    for (uint32_t i = 0; i < LISTENERS && sim->profile.nodes > 1; i++) {
        if (!listeners[i].is_on)
            toggle (sim, i);
        listeners[i].rounds += 1;
    }
}

void
listeners_check (sim_t *sim)
{
    for (uint32_t i = 0; i < LISTENERS && sim->profile.nodes > 1; i++) {
        const listener_t *self = &listeners[i];
        uint64_t head = sim_state_number (sim, feeds[i].address, feeds[i].channel);
        if (self->rounds >= ROUNDS_LEAST && (self->is_reading || self->must_read || self->next != head + 1))
            sim_fail ("at node %u a watcher of %s/%s %s at %llu, published were %llu", self->node, feeds[i].address,
                      feeds[i].channel, self->is_reading ? "reads" : self->must_read ? "has to read" : "stands",
                      (unsigned long long) self->next - 1, (unsigned long long) head);
    }
}
