/*  crew_port.c - what shards ask of workers: offers, and who holds which state.
 *
 *  DESIGN
 *  An offer becomes bytes before the lock is taken. Which state a worker holds is what it was told, no more: it may
 *  have dropped it, and says so. Between `holds` and `offer` the worker may go away or fill up; then an offer without
 *  a state is refused, and the shard asks again.
 */
#include "transports/zmq/crew_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"

#include <stdio.h>

/* ---- kinds and workers ---- */

served_t *
crew_kind (crew_t *self, const char *name)
{
    for (uint32_t i = 0; i < self->kind_count; i++)
        if (strcmp (self->kinds[i].name, name) == 0)
            return &self->kinds[i];
    if (self->kind_count == REMOTE_KINDS_MAX)
        return NULL;
    served_t *kind = &self->kinds[self->kind_count++];
    snprintf (kind->name, sizeof kind->name, "%s", name);
    return kind;
}

bool
mate_has_room (const mate_t *self, uint32_t kind, uint32_t version)
{
    return self->versions[kind] == version && !self->is_leaving && self->in_hand < self->capacity
           && self->waiting < CREW_WAITING_MOST;
}

/*  With the most room, by what each can do. */
static mate_t *
choose (const crew_t *self, uint32_t kind, uint32_t version)
{
    mate_t *best = NULL;
    for (uint32_t i = 0; i < CREW_MOST; i++) {
        mate_t *worker = self->mates[i];
        if (worker && mate_has_room (worker, kind, version)
            && (!best || (uint64_t) worker->in_hand * best->capacity < (uint64_t) best->in_hand * worker->capacity))
            best = worker;
    }
    return best;
}

/* ---- states ---- */

static uint32_t
hash_address (const char *address)
{
    return (uint32_t) hash_bytes (address, strlen (address), 0);
}

static held_t *
held_find (crew_t *self, const char *address)
{
    uint32_t hash = hash_address (address);
    for (table_node_t *node = table_chain (&self->held, hash); node; node = node->next)
        if (node->hash == hash && strcmp (((held_t *) node)->address, address) == 0)
            return (held_t *) node;
    return NULL;
}

static void
held_unlink (held_t *self)
{
    *(self->newer ? &self->newer->older : &self->worker->newest) = self->older;
    *(self->older ? &self->older->newer : &self->worker->oldest) = self->newer;
    self->worker->states -= 1;
}

static void
held_link (held_t *self, mate_t *worker)
{
    self->worker = worker;
    self->newer = NULL;
    self->older = worker->newest;
    *(self->older ? &self->older->newer : &worker->oldest) = self;
    worker->newest = self;
    worker->states += 1;
}

void
held_drop (held_t *self)
{
    crew_t *pool = self->worker->pool;
    held_unlink (self);
    table_remove (&pool->held, &self->node);
    memory_free (self);
}

void
held_forget (crew_t *self, const char *address)
{
    held_t *held = held_find (self, address);
    if (held)
        held_drop (held);
}

static held_t *
held_new (crew_t *self, const char *address)
{
    size_t size = strlen (address) + 1;
    held_t *held = memory_zalloc (sizeof *held + size);
    if (!held)
        return NULL;
    memcpy (held->address, address, size);
    if (table_insert (&self->held, &held->node, hash_address (address)))
        return held;
    memory_free (held);
    return NULL;
}

/*  The worker has this state now, or soon. Without memory it will be sent again. */
static void
hold (mate_t *worker, const char *address, uint64_t number, uint64_t version)
{
    crew_t *pool = worker->pool;
    held_t *held = held_find (pool, address);
    if (held)
        held_unlink (held);
    else if (pool->held.count < CREW_STATES_MOST || worker->oldest) {
        if (pool->held.count >= CREW_STATES_MOST)
            held_drop (worker->oldest);
        held = held_new (pool, address);
    }
    if (!held)
        return;
    held->number = number;
    held->version = version;
    held_link (held, worker);
    if (worker->states > worker->states_most)
        held_drop (worker->oldest);
}

static bool
holds (void *self_, const char *kind, const char *address, uint64_t version)
{
    crew_t *self = self_;
    pthread_mutex_lock (&self->lock);
    const held_t *held = held_find (self, address);
    const served_t *served = crew_kind (self, kind);
    bool is_held = held && served && held->version == version
                   && mate_has_room (held->worker, (uint32_t) (served - self->kinds), served->version);
    pthread_mutex_unlock (&self->lock);
    return is_held;
}

/* ---- offers ---- */

offer_t *
offer_find (crew_t *self, uint64_t number)
{
    uint32_t hash = (uint32_t) hash_mix (number, 0);
    for (table_node_t *node = table_chain (&self->offers, hash); node; node = node->next)
        if (((offer_t *) node)->number == number)
            return (offer_t *) node;
    return NULL;
}

void
offer_free (offer_t *self)
{
    buffer_clear (&self->bytes);
    memory_free (self);
}

void
offer_remove (offer_t *self)
{
    mate_t *worker = self->worker;
    *(self->before ? &self->before->after : &worker->first) = self->after;
    *(self->after ? &self->after->before : &worker->last) = self->before;
    if (worker->unsent == self)
        worker->unsent = self->after;
    worker->waiting -= self->bytes.size;
    worker->in_hand -= 1;
    worker->pool->counts.in_hand -= 1;
    table_remove (&worker->pool->offers, &self->node);
}

static bool
give (offer_t *self, mate_t *worker, uint64_t version)
{
    crew_t *pool = worker->pool;
    self->number = pool->numbers + 1;
    if (!table_insert (&pool->offers, &self->node, (uint32_t) hash_mix (self->number, 0)))
        return false;
    pool->numbers += 1;
    self->worker = worker;
    self->before = worker->last;
    *(self->before ? &self->before->after : &worker->first) = self;
    worker->last = self;
    if (!worker->unsent)
        worker->unsent = self;
    worker->waiting += self->bytes.size;
    worker->in_hand += 1;
    pool->counts.in_hand += 1;
    hold (worker, self->address, self->number, version);
    return true;
}

/*  The worker that holds the state is as good as any other with room, and needs no state. */
static mate_t *
find_worker (crew_t *self, const remote_offer_t *offer, uint32_t kind)
{
    const held_t *held = held_find (self, offer->address);
    mate_t *worker = held && mate_has_room (held->worker, kind, offer->kind_version) ? held->worker : NULL;
    if (offer->has_state)
        return worker ? worker : choose (self, kind, offer->kind_version);
    return worker && held->version == offer->version ? worker : NULL;
}

/*  With the lock. What is refused although there may be room is told at once to come again: by the bus' thread. */
static bool
place (crew_t *self, offer_t *made, const remote_offer_t *offer, bool *wants_wake)
{
    served_t *served = self->is_closed ? NULL : crew_kind (self, offer->kind);
    if (!served)
        return false;
    mate_t *worker = made ? find_worker (self, offer, (uint32_t) (served - self->kinds)) : NULL;
    *wants_wake = true;
    if (worker && give (made, worker, offer->version))
        return true;
    *wants_wake = worker || !made || !offer->has_state;
    served->is_owed = true;
    return false;
}

static bool
offer (void *self_, const remote_offer_t *offer, remote_token_t *token)
{
    crew_t *self = self_;
    bool wants_wake = false;
    offer_t *made = memory_zalloc (sizeof *made);
    if (made) {
        made->has_state = offer->has_state;
        snprintf (made->address, sizeof made->address, "%s", offer->address);
        work_put_offer (&made->bytes, offer);
    }
    bool is_made = made && !made->bytes.failed;
    pthread_mutex_lock (&self->lock);
    bool is_placed = place (self, is_made ? made : NULL, offer, &wants_wake);
    memset (token, 0, sizeof *token);
    put_le64 (token->bytes, self->numbers);
    pthread_mutex_unlock (&self->lock);
    if (made && !is_placed)
        offer_free (made);
    if (wants_wake && !atomic_exchange_explicit (&self->is_awake, true, memory_order_acq_rel))
        self->wake (self->wake_arg);
    return is_placed;
}

static bool
withdraw (void *self_, const char *address, const remote_token_t *token)
{
    crew_t *self = self_;
    pthread_mutex_lock (&self->lock);
    offer_t *offer = offer_find (self, get_le64 (token->bytes));
    bool is_unsent = offer && offer->number > offer->worker->sent;
    if (is_unsent) {
        offer_remove (offer);
        held_forget (self, address);
    } else if (offer)
        offer->is_withdrawn = true;
    pthread_mutex_unlock (&self->lock);
    if (is_unsent)
        offer_free (offer);
    return !is_unsent;
}

/*  It is told along with the next offer: before that it makes no difference. */
static void
settled (void *self_, const char *address, const remote_token_t *token, bool is_kept, uint64_t version)
{
    crew_t *self = self_;
    uint64_t number = get_le64 (token->bytes);
    pthread_mutex_lock (&self->lock);
    held_t *held = held_find (self, address);
    self->counts.undone += !is_kept;
    if (held && held->number == number) {
        held->version = version;
        work_put_settled (&held->worker->out, number, is_kept, version);
        if (held->worker->out.failed)
            held_drop (held);
    }
    pthread_mutex_unlock (&self->lock);
}

void
crew_make_port (crew_t *self)
{
    self->port = (remote_port_t) { .self = self, .holds = holds, .offer = offer, .withdraw = withdraw,
                                   .settled = settled };
}
