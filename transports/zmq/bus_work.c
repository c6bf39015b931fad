/*  bus_work.c - workers of remote kinds, on connections of the ROUTER.
 *
 *  DESIGN
 *  A worker is a client that has the role for it, and says more. When its connection is gone (bus_leave.c), what it
 *  had in hand goes to others. Credit holds for offers as for all else: what it is answered waits with other answers.
 */
#include "transports/zmq/bus_inside.h"

#include "runtime/base/error.h"

#define SCRATCH_KEPT (1u << 20)  /* bytes; one large state must not stay for ever */

static bool
may_work (const connection_t *self)
{
    const identity_t *who = peer_identity (self->peer);
    const char *const *roles = self->bus->options.edge.roles;
    for (unsigned i = 0; roles && roles[i]; i++)
        if (strcmp (roles[i], EDGE_WORKER_ROLE) == 0 && (who->roles >> i & 1))
            return true;
    return who->is_operator;
}

static troupe_status_t
join (connection_t *self, troupe_error_t *error)
{
    if (!may_work (self))
        return error_set (error, TROUPE_FORBIDDEN, "only who has the role \"" EDGE_WORKER_ROLE "\" may serve kinds");
    if (self->bus->is_stopping)
        return error_set (error, TROUPE_STOPPING, "the node is going down");
    self->worker = crew_join (self->bus->crew, self);
    return self->worker ? TROUPE_OK : error_set (error, TROUPE_OVERLOADED, "no room for another worker");
}

/*  Only one that announces a kind is a worker, and what others say of offers is nothing that they could know. */
static troupe_status_t
take (connection_t *self, const work_t *work, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    if (!self->worker && work->type != WORK_ANNOUNCE)
        return error_set (error, TROUPE_INVALID, "an announcement comes first");
    if (!self->worker)
        status = join (self, error);
    if (status == TROUPE_OK)
        return mate_take (self->worker, work, &self->bus->scratch, error);
    work_put_announced (&self->bus->scratch, status, error->text);
    return TROUPE_OK;
}

void
bus_work_received (connection_t *self, const void *bytes, size_t size)
{
    bus_t *bus = self->bus;
    work_t work;
    troupe_error_t error;
    troupe_status_t status;
    buffer_reset (&bus->scratch);
    binary_open (&bus->work, NULL, bytes, size);
    while ((status = work_next (&bus->work, &work, &error)) == TROUPE_OK
           && (status = take (self, &work, &error)) == TROUPE_OK)
        ;
    if (bus->scratch.size)
        peer_say (self->peer, bus->scratch.data, bus->scratch.size);
    if (status != TROUPE_NOT_FOUND)
        peer_fail (self->peer, &error);
}

/*  Not what it was not sent: whoever ends has given that back. */
static void
send_offers (connection_t *self)
{
    bus_t *bus = self->bus;
    while (self->credit > 0 && !self->is_ending) {
        buffer_reset (&bus->scratch);
        bool has_more = mate_gather (self->worker, &bus->scratch);
        if (bus->scratch.failed)
            bus_lose (self);
        else if (bus->scratch.size)
            bus_send (self, bus->scratch.data, bus->scratch.size);
        if (has_more)
            mate_sent (self->worker, !self->is_gone);
        if (!has_more)
            return;
    }
}

void
bus_work_round (bus_t *self)
{
    crew_make_room (self->crew);
    uint32_t place = 0;
    for (connection_t *connection; (connection = crew_connection (self->crew, &place));)
        send_offers (connection);
    if (self->scratch.capacity > SCRATCH_KEPT)
        buffer_clear (&self->scratch);
    if (place > 0)
        crew_make_room (self->crew);
}
