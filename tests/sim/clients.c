/*  clients.c - callers from outside: they call, hear, repeat, and compare.
 *
 *  DESIGN
 *  A client with a session repeats a call until its outcome is known, whatever
 *  happened to the process meanwhile: that is what sessions are for. It also
 *  repeats calls that were answered long ago, and sends the same call twice at
 *  once. However often, there is one outcome: the first answer, byte for byte.
 *  After its not-after time a call may also be told "unknown", never before.
 *
 *  A client without a session calls once; when the process dies, nobody will
 *  ever know.
 *
 *  Of several nodes a client calls one, whoever has the actor, and another one when that has died.
 */
#include "tests/sim/sim.h"

#include "runtime/base/memory.h"
#include "runtime/body/pack.h"

#include <stdarg.h>
#include <stdlib.h>

#define SHORT_CALL_MS 200
#define LATE_GRACE_MS 1
#define HEARD_MOST_MS 30  /* a refusal takes so long to its caller, who calls on meanwhile */

static uint32_t
any_gateway (sim_t *sim)
{
    return sim->profile.nodes > 1 ? (uint32_t) dice_roll (&sim->network.dice, sim->profile.nodes) : 0;
}

void
clients_begin (sim_t *sim)
{
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        for (uint32_t j = 0; j < 2; j++)
            put_le64 (sim->sessions[i] + 8 * j, dice_next (&sim->dice) | 1);
        sim->next_seq[i] = 1;
        sim->gateways[i] = any_gateway (sim);
    }
}

/* ------------------------------------------------------------------ *
 *  Where it calls
 * ------------------------------------------------------------------ */

static world_t *
home_of (sim_t *sim, const request_t *request)
{
    uint16_t shard = 0;
    CHECK (world_shard_of (sim->world, request->to, &shard, NULL) == TROUPE_OK);
    return sim_world_of (sim, shard);
}

static world_t *
gateway_of (sim_t *sim, const request_t *request)
{
    return sim->nodes[request->client < SIM_NO_SESSION ? sim->gateways[request->client] : request->gateway].world;
}

static uint64_t
broken_between (sim_t *sim, const request_t *request)
{
    const world_t *home = home_of (sim, request);
    for (uint16_t i = 0; i < sim->profile.nodes; i++)
        if (sim->nodes[i].world == home)
            return world_broken (gateway_of (sim, request), i);
    return 0;
}

/* ------------------------------------------------------------------ *
 *  Answers
 * ------------------------------------------------------------------ */

static void
check_shown (sim_t *sim, const request_t *request, const troupe_answer_t *answer)
{
    uint64_t stamp;
    if (!checks_stamp_of_body (answer->body, answer->size, &stamp) && !checks_stamp_of_text (answer->text, &stamp))
        return;
    checks_seen (sim, request->to, stamp, "an answer");
    if (stamp < request->floor)
        sim_fail ("%s of %s shows stamp %llu, but %llu was seen before it was called", request->verb, request->to,
                  (unsigned long long) stamp, (unsigned long long) request->floor);
}

static void
keep_answer (request_t *request, const troupe_answer_t *answer)
{
    request->status = answer->status;
    request->answer_size = answer->size;
    request->answer = malloc (answer->size + 1);
    CHECK (request->answer);
    if (answer->size)
        memcpy (request->answer, answer->body, answer->size);
    size_t size = strnlen (answer->text, sizeof request->text - 1);
    memcpy (request->text, answer->text, size);
    request->text[size] = 0;
}

static void
compare_answer (const request_t *request, const troupe_answer_t *answer)
{
    if (request->status != answer->status || request->answer_size != answer->size
        || (answer->size && memcmp (request->answer, answer->body, answer->size) != 0)
        || strncmp (request->text, answer->text, sizeof request->text - 1) != 0)
        sim_fail ("client %u, call %llu, %s of %s: answered %s \"%s\" first and %s \"%s\" later", request->client,
                  (unsigned long long) request->seq, request->verb, request->to, troupe_status_name (request->status),
                  request->text, troupe_status_name (answer->status), answer->text);
}

/*  Nobody knows its outcome: right after its time, or without a session. */
static void
lose (sim_t *sim, request_t *request)
{
    if (request->is_final || request->is_unknown)
        return;
    request->is_unknown = true;
    sim->waiting -= 1;
    if (request->workload->answered)
        request->workload->answered (sim, request);
}

static void
hear (sim_t *sim, request_t *request, const troupe_answer_t *answer)
{
    check_shown (sim, request, answer);
    if (request->is_final && request->is_read)
        return;
    if (request->is_final) {
        compare_answer (request, answer);
        return;
    }
    bool was_lost = request->is_unknown;
    if (gateway_of (sim, request) != home_of (sim, request))
        request->was_out = request->was_out || request->has_place || request->broken != broken_between (sim, request);
    request->is_final = true;
    request->is_unknown = false;
    keep_answer (request, answer);
    if (was_lost)
        sim_fail ("client %u, call %llu: its outcome was unknown, and now there is an answer", request->client,
                  (unsigned long long) request->seq);
    sim->waiting -= 1;
    sim->figures.answers += 1;
    if (request->workload->answered)
        request->workload->answered (sim, request);
}

static bool
is_late (const sim_t *sim, const request_t *request)
{
    return sim->newest_ms + LATE_GRACE_MS >= request->not_after_ms;
}

/*  What was answered first is heard first. */
static uint64_t
hears_at (sim_t *sim, uint32_t client)
{
    uint64_t at = sim->newest_ms + dice_roll (&sim->dice, HEARD_MOST_MS);
    uint64_t *last = &sim->hears_ms[client < SIM_CLIENTS_MAX ? client : 0];
    return *last = at > *last ? at : *last;
}

static void
on_answer (void *arg, const troupe_answer_t *answer)
{
    request_t *request = arg;
    sim_t *sim = sim_now;
    sim_note (sim, "answer", request->client, request->seq, answer->status, answer->text);
    sim_note_time (sim);
    CHECK (request->out > 0);
    request->out -= 1;
    bool lacks_memory = answer->status == TROUPE_INVALID && sim->profile.faults.no_memory_in;
    switch (lacks_memory ? TROUPE_OVERLOADED : answer->status) {
    case TROUPE_OVERLOADED:
    case TROUPE_STOPPING:
    case TROUPE_PARKED:
    case TROUPE_NOT_FOUND:
        check_shown (sim, request, answer);
        request->heard_ms = hears_at (sim, request->client);
        request->has_place = request->has_place || answer->status == TROUPE_PARKED;
        if (request->client >= SIM_NO_SESSION)
            lose (sim, request);
        return;
    case TROUPE_UNKNOWN:
        if (request->client < SIM_NO_SESSION && !is_late (sim, request) && !sim->profile.faults.no_memory_in)
            sim_fail ("client %u, call %llu of %s is told \"unknown\" (%s) %llu ms before its time", request->client,
                      (unsigned long long) request->seq, request->to, answer->text,
                      (unsigned long long) (request->not_after_ms - sim->newest_ms));
        if (request->out == 0)
            lose (sim, request);  /* else the twin that is still out may hear more */
        return;
    default:
        hear (sim, request, answer);
    }
}

/* ------------------------------------------------------------------ *
 *  Calls
 * ------------------------------------------------------------------ */

static void
submit (sim_t *sim, request_t *request)
{
    bool has_session = request->client < SIM_NO_SESSION;
    if (!world_is_up (gateway_of (sim, request)))
        return;
    troupe_call_t call = {
        .to = request->to,
        .verb = request->verb,
        .body = request->size ? request->body : NULL,
        .size = request->size,
        .subject = request->client % 2 ? "tester" : NULL,
        .seq = has_session ? request->seq : 0,
        .ordered = has_session && sim->profile.is_ordered,
        .not_after_ms = has_session ? request->not_after_ms : 0,
        .done = on_answer,
        .arg = request
    };
    if (has_session)
        memcpy (call.session, sim->sessions[request->client], sizeof call.session);
    sim_note (sim, "call", request->client, request->seq, request->out, request->to);
    request->out += 1;
    sim->figures.calls += 1;
    troupe_error_t error;
    if (world_submit (gateway_of (sim, request), &call, &error) != TROUPE_OK)
        sim_fail ("a call of %s is not taken: %s", request->to, error.text);
}

/*  Makes its calls again that have no answer and are not out. In an ordered session all
 *  later ones follow, whatever the caller has heard of them: the order is the caller's to keep. */
static void
push_client (sim_t *sim, uint32_t client)
{
    bool goes_back = false;
    for (request_t *request = sim->requests; request; request = request->next) {
        if (request->client != client || request->is_final || request->is_unknown)
            continue;
        if (request->out == 0 && request->heard_ms <= sim->newest_ms)
            goes_back = true;
        else if (!goes_back || !sim->profile.is_ordered)
            continue;
        request->heard_ms = 0;
        submit (sim, request);
    }
}

static request_t *
request_new (sim_t *sim, const buffer_t *body, const char *to)
{
    request_t *request = calloc (1, sizeof *request + body->size);
    CHECK (request && strlen (to) < sizeof request->to);
    if (body->size)
        memcpy (request->body, body->data, body->size);
    request->size = body->size;
    memcpy (request->to, to, strlen (to) + 1);
    if (sim->requests_last)
        sim->requests_last->next = request;
    else
        sim->requests = request;
    sim->requests_last = request;
    return request;
}

static bool
is_read (const workload_t *workload, const char *to, const char *verb)
{
    const troupe_kind_t *kind = workload->kinds[0];
    if (strncmp (to, kind->name, strlen (kind->name)) != 0)
        kind = workload->remote ? workload->remote : workload->other;
    for (const troupe_verb_t *each = kind->verbs; each->name; each++)
        if (strcmp (each->name, verb) == 0)
            return each->reads;
    sim_fail ("%s has no verb %s", to, verb);
}

void
sim_call (sim_t *sim, const workload_t *workload, uint32_t client, const char *to, const char *verb, uint64_t a,
          uint64_t b, const char *format, ...)
{
    buffer_t body = { 0 };
    troupe_error_t error;
    va_list arguments;
    va_start (arguments, format);
    troupe_status_t status = pack_append (&body, &error, format, arguments);
    va_end (arguments);
    if (status != TROUPE_OK)
        sim_fail ("a body cannot be packed: %s", error.text);
    request_t *request = request_new (sim, &body, to);
    buffer_clear (&body);
    bool is_short = dice_once_in (&sim->dice, 10);
    uint64_t life = is_short ? dice_roll (&sim->dice, SHORT_CALL_MS) : sim->profile.limits.call_keep_ms - 1;
    request->workload = workload;
    request->client = client;
    request->seq = client < SIM_NO_SESSION ? sim->next_seq[client]++ : 0;
    request->gateway = any_gateway (sim);
    request->broken = broken_between (sim, request);
    request->verb = verb;
    request->a = a;
    request->b = b;
    request->not_after_ms = world_now (sim->world) + life;
    request->is_read = is_read (workload, to, verb);
    request->floor = checks_newest_seen (sim, to);
    sim->waiting += 1;
    if (sim->profile.is_ordered && client < SIM_NO_SESSION)
        push_client (sim, client);
    if (request->out == 0)
        submit (sim, request);
    if (client >= SIM_NO_SESSION && !request->out)
        lose (sim, request);
}

static bool
may_repeat (const sim_t *sim, const request_t *request)
{
    return request->client < SIM_NO_SESSION && request->out < 3 && !request->is_unknown
           && (!request->is_final || !is_late (sim, request));
}

/*  One of the newest calls, as often one that waits as one that was answered. */
void
clients_repeat (sim_t *sim)
{
    request_t *chosen = NULL;
    uint64_t seen = 0;
    bool waiting = dice_once_in (&sim->dice, 2);
    for (request_t *request = sim->requests; request; request = request->next) {
        if (may_repeat (sim, request) && waiting == !request->is_final && dice_once_in (&sim->dice, ++seen))
            chosen = request;
    }
    if (!chosen)
        return;
    sim->figures.resends += 1;
    bool was_refused = !chosen->is_final && chosen->out == 0;
    if (sim->profile.is_ordered && was_refused) {
        for (request_t *request = sim->requests; request != chosen; request = request->next)
            request->heard_ms = request->client == chosen->client ? 0 : request->heard_ms;
        chosen->heard_ms = 0;
        push_client (sim, chosen->client);
    } else
        submit (sim, chosen);
}

void
clients_push (sim_t *sim)
{
    for (uint32_t client = 0; client < SIM_NO_SESSION; client++)
        push_client (sim, client);
}

/*  Those of the process that ended call another one. */
static void
change_gateways (sim_t *sim)
{
    bool changed[SIM_CLIENTS_MAX];
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        changed[i] = sim->nodes[sim->gateways[i]].world == sim->world;
        sim->gateways[i] = changed[i] ? any_gateway (sim) : sim->gateways[i];
    }
    for (request_t *request = sim->requests; request; request = request->next)
        if (request->client < SIM_NO_SESSION && changed[request->client])
            request->broken = broken_between (sim, request);
}

void
clients_forget (sim_t *sim)
{
    for (request_t *request = sim->requests; request; request = request->next) {
        bool was_called = gateway_of (sim, request) == sim->world;
        if (was_called || home_of (sim, request) == sim->world)
            request->was_out = request->was_out || request->out > 0 || request->has_place;
        if (!was_called)
            continue;
        request->out = 0;
        request->heard_ms = 0;
        if (request->client >= SIM_NO_SESSION)
            lose (sim, request);
    }
    change_gateways (sim);
}

void
clients_clear (sim_t *sim)
{
    for (request_t *request = sim->requests, *next; request; request = next) {
        next = request->next;
        free (request->answer);
        free (request);
    }
    sim->requests = sim->requests_last = NULL;
    sim->waiting = 0;
}
