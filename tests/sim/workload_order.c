/*  workload_order.c - messages between two actors are handled in the order sent, each once.
 *
 *  Every sender numbers its messages for every receiver, in its state; a
 *  receiver takes only the next number. Messages breed more messages for some
 *  hops, so that links, mailboxes and spills are full of them. Some fail at first
 *  and must hold up what is behind them. Casts may be lost, never doubled, and show
 *  nothing that is not durable. An ordered session's calls of one actor are handled in the order of
 *  their numbers, reads among them, whichever were refused at first.
 */
#include "tests/sim/workload.h"

#define NODES 6
#define START_MOST 6

static const char *const nodes[NODES] = { "node/a", "node/b", "node/c", "node/{d}1", "node/{d}2", "node/f" };

static void
pass_on (troupe_turn_t *turn, json_int_t hops)
{
    const char *to = nodes[troupe_random (turn) % NODES];
    char key[80];
    snprintf (key, sizeof key, "out:%s", to);
    uint64_t number = load_number (turn, key) + 1;
    store_number (turn, key, number);
    troupe_tell (turn, to, "pass", "{s:I, s:I}", "number", (json_int_t) number, "hops", hops);
}

static troupe_status_t
on_start (troupe_turn_t *turn)
{
    json_int_t count, hops;
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I}", "count", &count, "hops", &hops);
    for (; status == TROUPE_OK && count > 0; count--)
        pass_on (turn, hops);
    json_int_t stamp = stamp_next (turn);
    troupe_cast (turn, nodes[troupe_random (turn) % NODES], "hint", "{s:I}", "stamp", stamp);
    return status == TROUPE_OK ? troupe_reply (turn, "{s:I}", "stamp", stamp) : status;
}

static troupe_status_t
on_pass (troupe_turn_t *turn)
{
    json_int_t number, hops;
    char key[80];
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I}", "number", &number, "hops", &hops);
    if (status != TROUPE_OK)
        return status;
    snprintf (key, sizeof key, "in:%.64s", troupe_sender (turn));
    uint64_t taken = load_number (turn, key);
    if ((uint64_t) number != taken + 1)
        wrong ("%s: message %lld of %s comes after %llu (I5)", troupe_self (turn), (long long) number,
               troupe_sender (turn), (unsigned long long) taken);
    store_number (turn, key, (uint64_t) number);
    stamp_next (turn);
    for (uint64_t more = hops > 0 ? troupe_random (turn) % 3 : 0; more > 0; more--)
        pass_on (turn, hops - 1);
    return fails_now (turn, 12) ? troupe_fail (turn, "stumbled") : TROUPE_OK;
}

static troupe_status_t
on_hint (troupe_turn_t *turn)
{
    char key[80];
    json_int_t stamp;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "stamp", &stamp);
    snprintf (key, sizeof key, "hint:%.64s", troupe_sender (turn));
    if (status == TROUPE_OK && (uint64_t) stamp <= load_number (turn, key))
        wrong ("%s: the cast %lld of %s comes twice or late", troupe_self (turn), (long long) stamp,
               troupe_sender (turn));
    store_number (turn, key, (uint64_t) stamp);
    stamp_next (turn);
    return status;
}

/*  Where a client's newest call stands, and the number of this one. */
static troupe_status_t
read_place (troupe_turn_t *turn, json_int_t *client, json_int_t *number, char key[32])
{
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I}", "client", client, "number", number);
    if (status == TROUPE_OK)
        snprintf (key, 32, "client:%lld", (long long) *client);
    return status;
}

/*  Calls of one session in its own order. */
static troupe_status_t
on_note (troupe_turn_t *turn)
{
    json_int_t client, number;
    char key[32];
    troupe_status_t status = read_place (turn, &client, &number, key);
    if (status != TROUPE_OK)
        return status;
    if ((uint64_t) number <= load_number (turn, key))
        wrong ("%s: call %lld of client %lld comes after a later one", troupe_self (turn), (long long) number,
               (long long) client);
    store_number (turn, key, (uint64_t) number);
    return troupe_reply (turn, "{s:I}", "stamp", stamp_next (turn));
}

/*  The newest call of the client that has run here. */
static troupe_status_t
on_peek (troupe_turn_t *turn)
{
    json_int_t client, number;
    char key[32];
    troupe_status_t status = read_place (turn, &client, &number, key);
    return status == TROUPE_OK ? troupe_reply (turn, "{s:I}", "noted", (json_int_t) load_number (turn, key)) : status;
}

static const troupe_verb_t verbs[] = {
    { "peek", on_peek, .reads = true },
    { "start", on_start },
    { "pass", on_pass },
    { "hint", on_hint },
    { "note", on_note },
    { NULL }
};
static const troupe_kind_t node = { "node", .version = 1, .verbs = verbs };

/* ------------------------------------------------------------------ */

extern const workload_t workload_order;

static void
act (sim_t *sim, uint32_t client)
{
    if (sim->profile.is_ordered && client < SIM_NO_SESSION && roll (sim, 2))
        sim_call (sim, &workload_order, client, nodes[client % NODES], roll (sim, 3) ? "note" : "peek", 0, 0,
                  "{s:I, s:I}", "client", (json_int_t) client, "number", (json_int_t) sim->next_seq[client]);
    else
        sim_call (sim, &workload_order, client, nodes[roll (sim, NODES)], "start", 0, 0, "{s:I, s:I}", "count",
                  (json_int_t) (1 + roll (sim, START_MOST)), "hops", (json_int_t) roll (sim, 5));
}

/*  A read may be made again, and then sees more; its first answer is of its place in the session. */
static void
answered (sim_t *sim, const request_t *request)
{
    int64_t noted;
    (void) sim;
    if (request->is_read && request->is_final && !request->was_out && request->status == TROUPE_OK
        && sim_number_of (request->answer, request->answer_size, "noted", &noted) && (uint64_t) noted > request->seq)
        sim_fail ("client %u: read %llu of %s was made after call %llu", request->client,
                  (unsigned long long) request->seq, request->to, (unsigned long long) noted);
}

static void
check_pair (sim_t *sim, const char *from, const char *to)
{
    char out[80], in[80];
    snprintf (out, sizeof out, "out:%s", to);
    snprintf (in, sizeof in, "in:%s", from);
    uint64_t sent = sim_state_number (sim, from, out), taken = sim_state_number (sim, to, in);
    if (sent != taken)
        sim_fail ("%s sent %llu messages to %s, which handled %llu", from, (unsigned long long) sent, to,
                  (unsigned long long) taken);
}

static void
check (sim_t *sim)
{
    for (uint32_t from = 0; from < NODES; from++)
        for (uint32_t to = 0; to < NODES; to++)
            check_pair (sim, nodes[from], nodes[to]);
}

/*  Whatever became of a session's earlier calls, it goes on. */
static void
last (sim_t *sim)
{
    for (uint32_t client = 0; client < sim->profile.clients; client++)
        sim_call (sim, &workload_order, client, nodes[client % NODES], "note", 0, 1, "{s:I, s:I}", "client",
                  (json_int_t) client, "number", (json_int_t) sim->next_seq[client]);
}

const workload_t workload_order = {
    "order", .kinds = { &node }, .act = act, .answered = answered, .last = last, .check = check
};
