/*  crew.c - those who serve remote kinds: their life, what they say and are told.
 *
 *  DESIGN
 *  A number names an offer, for the node and for its worker. It grows, so that "was sent" is one number of a worker. An
 *  outcome counts only from the worker that was sent the offer, and once: all else breaks the protocol, and ends
 *  the conversation. An offer that its shard gave up stays in hand until its worker says something of it, since that
 *  long the worker is busy with it.
 */
#include "transports/zmq/crew_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/packed.h"

#include <stdio.h>

#define GATHER_MOST (256u << 10)  /* bytes of one message; one offer may be larger */

/* ---- all of them ---- */

crew_t *
crew_new (void (*wake) (void *arg), void *arg)
{
    crew_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->wake = wake;
    self->wake_arg = arg;
    pthread_mutex_init (&self->lock, NULL);
    crew_make_port (self);
    return self;
}

void
crew_destroy (crew_t **self_p)
{
    crew_t *self = *self_p;
    if (!self)
        return;
    CHECK (self->counts.workers == 0);
    table_clear (&self->offers);
    table_clear (&self->held);
    pthread_mutex_destroy (&self->lock);
    memory_free (self);
    *self_p = NULL;
}

const remote_port_t *
crew_port (const crew_t *self)
{
    return &self->port;
}

void
crew_attach (crew_t *self, const remote_host_t *host)
{
    self->host = *host;
}

void
crew_close (crew_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->is_closed = true;
    pthread_mutex_unlock (&self->lock);
}

/*  The name of the first kind that was refused and has room now. */
static bool
take_owed (crew_t *self, char name[TROUPE_KIND_MAX + 1])
{
    bool is_found = false;
    pthread_mutex_lock (&self->lock);
    for (uint32_t kind = 0; kind < self->kind_count && !is_found; kind++) {
        served_t *served = &self->kinds[kind];
        bool is_wanted = served->is_owed && served->version;  /* 0: known from the disk, and nobody serves it yet */
        for (uint32_t i = 0; i < CREW_MOST && is_wanted && !is_found; i++)
            is_found = self->mates[i] && mate_has_room (self->mates[i], kind, served->version);
        if (!is_found)
            continue;
        served->is_owed = false;
        snprintf (name, TROUPE_KIND_MAX + 1, "%s", served->name);
    }
    pthread_mutex_unlock (&self->lock);
    return is_found;
}

void
crew_make_room (crew_t *self)
{
    char name[TROUPE_KIND_MAX + 1];
    atomic_store_explicit (&self->is_awake, false, memory_order_release);
    while (take_owed (self, name))
        self->host.ready (self->host.self, name);
}

void *
crew_connection (crew_t *self, uint32_t *place)
{
    while (*place < CREW_MOST && !self->mates[*place])
        *place += 1;
    return *place < CREW_MOST ? self->mates[(*place)++]->connection : NULL;
}

crew_counts_t
crew_counts (crew_t *self)
{
    pthread_mutex_lock (&self->lock);
    crew_counts_t counts = self->counts;
    counts.states = self->held.count;
    pthread_mutex_unlock (&self->lock);
    return counts;
}

bool
crew_of_kind (crew_t *self, uint32_t number, char name[TROUPE_KIND_MAX + 1], uint64_t *count)
{
    pthread_mutex_lock (&self->lock);
    bool is_there = number < self->kind_count;
    *count = 0;
    if (is_there)
        snprintf (name, TROUPE_KIND_MAX + 1, "%s", self->kinds[number].name);
    for (uint32_t i = 0; i < CREW_MOST && is_there; i++) {
        const mate_t *worker = self->mates[i];
        *count += worker && worker->versions[number] && worker->versions[number] == self->kinds[number].version;
    }
    pthread_mutex_unlock (&self->lock);
    return is_there;
}

/* ---- one ---- */

mate_t *
crew_join (crew_t *self, void *connection)
{
    mate_t *worker = memory_zalloc (sizeof *worker);
    if (!worker)
        return NULL;
    worker->pool = self;
    worker->connection = connection;
    pthread_mutex_lock (&self->lock);
    while (worker->place < CREW_MOST && self->mates[worker->place])
        worker->place += 1;
    bool has_place = worker->place < CREW_MOST;
    if (has_place) {
        self->mates[worker->place] = worker;
        self->counts.workers += 1;
    }
    pthread_mutex_unlock (&self->lock);
    if (has_place)
        return worker;
    memory_free (worker);
    return NULL;
}

static void
tell (crew_t *self, const offer_t *offer, const remote_outcome_t *outcome)
{
    remote_token_t token = { { 0 } };
    put_le64 (token.bytes, offer->number);
    if (!offer->is_withdrawn)
        self->host.outcome (self->host.self, offer->address, &token, outcome);
}

/*  Of a list of offers that are nobody's any more. */
static void
give_back (crew_t *self, offer_t *list, uint64_t sent)
{
    for (offer_t *next; list; list = next) {
        next = list->after;
        tell (self, list, &(remote_outcome_t) { .end = list->number <= sent ? REMOTE_LOST : REMOTE_UNTAKEN,
                                                .text = "" });
        offer_free (list);
    }
}

/*  With the lock: takes from `from` on all offers out; they stay linked by `after`. */
static offer_t *
take_all (offer_t *from)
{
    for (offer_t *offer = from, *next; offer; offer = next) {
        next = offer->after;
        held_forget (offer->worker->pool, offer->address);
        offer_remove (offer);
    }
    return from;
}

void
mate_leave (mate_t **self_p)
{
    mate_t *self = *self_p;
    if (!self)
        return;
    crew_t *pool = self->pool;
    pthread_mutex_lock (&pool->lock);
    pool->mates[self->place] = NULL;
    pool->counts.workers -= 1;
    for (const offer_t *offer = self->first; offer && offer->number <= self->sent; offer = offer->after)
        pool->counts.lost += !offer->is_withdrawn;
    offer_t *list = take_all (self->first);
    while (self->oldest)
        held_drop (self->oldest);
    pthread_mutex_unlock (&pool->lock);
    give_back (pool, list, self->sent);
    buffer_clear (&self->out);
    memory_free (self);
    *self_p = NULL;
}

/* ---- what it says ---- */

/*  Kind and version of a table that the node found good. */
static bool
read_name (const work_t *work, char name[TROUPE_KIND_MAX + 1], uint32_t *version)
{
    packed_reader_t found;
    packed_value_t value;
    if (!packed_find (work->body, work->size, "kind", &found) || !packed_next (&found, &value)
        || value.type != PACKED_STRING || value.string.size > TROUPE_KIND_MAX)
        return false;
    memcpy (name, value.string.bytes, value.string.size);
    name[value.string.size] = '\0';
    if (!packed_find (work->body, work->size, "version", &found) || !packed_next (&found, &value)
        || value.type != PACKED_INT)
        return false;
    *version = (uint32_t) value.integer;
    return true;
}

static troupe_status_t
serve (mate_t *self, const work_t *work, troupe_error_t *error)
{
    crew_t *pool = self->pool;
    char name[TROUPE_KIND_MAX + 1];
    uint32_t version;
    if (work->size == 0 || !packed_is_valid (work->body, work->size) || !read_name (work, name, &version))
        return error_set (error, TROUPE_INVALID, "a table is an object with kind and version");
    troupe_status_t status = pool->host.announce (pool->host.self, work->body, work->size, error);
    if (status != TROUPE_OK)
        return status;
    pthread_mutex_lock (&pool->lock);
    served_t *kind = crew_kind (pool, name);
    if (kind) {
        self->versions[kind - pool->kinds] = version;
        kind->version = version;
        self->capacity = (uint32_t) (work->capacity < CREW_CAPACITY_MOST ? work->capacity : CREW_CAPACITY_MOST);
        self->states_most = work->states;
    }
    pthread_mutex_unlock (&pool->lock);
    return kind ? TROUPE_OK : error_set (error, TROUPE_OVERLOADED, "too many kinds came and went");
}

/*  What the node answers, in the order of the announcements. Nothing is wrong with the conversation. */
static void
announce (mate_t *self, const work_t *work, buffer_t *answer)
{
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_status_t status = serve (self, work, &error);
    work_put_announced (answer, status, error.text);
}

/*  Out of its hand; NULL and an error: it does not have this one. */
static offer_t *
take_offer (mate_t *self, const work_t *work, troupe_error_t *error)
{
    offer_t *offer = offer_find (self->pool, work->number);
    const char *why = !offer || offer->worker != self || offer->number > self->sent ? "you do not have it"
                      : work->type == WORK_STATELESS && offer->has_state            ? "its state came along"
                      : work->type == WORK_UNTAKEN && !self->is_leaving             ? "you did not say that you leave"
                                                                                    : NULL;
    if (why) {
        self->pool->counts.broken += 1;
        error_set (error, TROUPE_INVALID, "offer %llu: %s", (unsigned long long) work->number, why);
        return NULL;
    }
    offer_remove (offer);
    if (work->type != WORK_DONE)
        held_forget (self->pool, offer->address);
    self->pool->counts.done += work->type == WORK_DONE;
    self->pool->counts.stateless += work->type == WORK_STATELESS;
    self->pool->counts.untaken += work->type == WORK_UNTAKEN;
    return offer;
}

static troupe_status_t
hand_in (mate_t *self, const work_t *work, troupe_error_t *error)
{
    remote_outcome_t outcome = {
        .end = work->type == WORK_DONE        ? REMOTE_DONE
               : work->type == WORK_STATELESS ? REMOTE_STATELESS
                                              : REMOTE_UNTAKEN,
        .status = work->status,
        .text = work->text,
        .effects = work->body,
        .size = work->size
    };
    pthread_mutex_lock (&self->pool->lock);
    offer_t *offer = take_offer (self, work, error);
    pthread_mutex_unlock (&self->pool->lock);
    if (!offer)
        return TROUPE_INVALID;
    tell (self->pool, offer, &outcome);
    offer_free (offer);
    return TROUPE_OK;
}

/*  It takes no more; what was not sent goes to others. What was is on its way before the answer. */
static void
let_leave (mate_t *self, buffer_t *answer)
{
    crew_t *pool = self->pool;
    pthread_mutex_lock (&pool->lock);
    self->is_leaving = true;
    offer_t *list = take_all (self->unsent);
    pthread_mutex_unlock (&pool->lock);
    give_back (pool, list, 0);
    work_put_left (answer);
}

troupe_status_t
mate_take (mate_t *self, const work_t *work, buffer_t *answer, troupe_error_t *error)
{
    switch (work->type) {
    case WORK_ANNOUNCE: announce (self, work, answer); break;
    case WORK_DONE:
    case WORK_STATELESS:
    case WORK_UNTAKEN: return hand_in (self, work, error);
    case WORK_LEAVE: let_leave (self, answer); break;
    case WORK_END: CHECK (false);
    }
    return TROUPE_OK;
}

/* ---- what it is sent ---- */

static void
gather_one (mate_t *self, buffer_t *to)
{
    offer_t *offer = self->unsent;
    work_put_offer_head (to, offer->number, offer->bytes.size);
    buffer_append (to, offer->bytes.data, offer->bytes.size);
    self->waiting -= offer->bytes.size;
    buffer_clear (&offer->bytes);
    self->sent = offer->number;
    self->unsent = offer->after;
}

bool
mate_gather (mate_t *self, buffer_t *to)
{
    size_t start = to->size;
    pthread_mutex_lock (&self->pool->lock);
    self->sent_before = self->sent;
    if (self->unsent) {
        buffer_append (to, self->out.data, self->out.size);
        buffer_clear (&self->out);
    }
    while (self->unsent && to->size - start < GATHER_MOST)
        gather_one (self, to);
    pthread_mutex_unlock (&self->pool->lock);
    return to->size > start || to->failed;
}

void
mate_sent (mate_t *self, bool is_sent)
{
    pthread_mutex_lock (&self->pool->lock);
    if (!is_sent)
        self->sent = self->sent_before;
    pthread_mutex_unlock (&self->pool->lock);
}
