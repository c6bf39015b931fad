/*  workload_remote.c - money moves between purses, which a worker outside of the process keeps.
 *
 *  The worker outlives the process, as it would. It answers late, twice, with tokens that are used or were never
 *  made, or with garbage; it dies, forgets what it has cached, or has no room. What it is shown must be durable, what
 *  comes from one purse must come in order, and the sum stays. Some of the money goes through tills, which are a
 *  local kind.
 */
#include "runtime/body/pack.h"
#include "runtime/body/packed.h"
#include "runtime/remote.h"
#include "tests/sim/workload.h"

#define PURSES 5
#define ROOM 4
#define WORK_MAX 64

static const char *const purses[PURSES] = { "purse/0", "purse/1", "purse/{2}a", "purse/{2}b", "purse/x{4}" };

/*  The state of a purse: the worker keeps it as these bytes. */
typedef struct {
    int64_t balance;
    uint64_t in[PURSES], out[PURSES];
    stamp_t stamp;
} purse_t;

typedef struct {
    uint64_t boot, version;  /* 0: nothing is cached */
    purse_t purse;
} cached_t;

typedef struct {
    char address[32], verb[16], sender[32], caller[TROUPE_CALLER_MAX];
    remote_token_t token;
    uint32_t attempt;
    uint64_t boot, version, due_ms;
    bool is_handed_in;        /* what comes now is a second one */
    bool is_known;            /* `before` is the state */
    purse_t before, after;
    uint8_t body[128];
    size_t size;
} work_t;

static struct {
    uint64_t deposited, maybe, tokens;
    cached_t cached[PURSES];
    work_t work[WORK_MAX];
    uint32_t count;
    bool was_refused;
} model;

static uint32_t
number_of (const char *address)
{
    uint32_t at = 0;
    while (at < PURSES && strcmp (purses[at], address) != 0)
        at += 1;
    return at;
}

/* ---- the port ---- */

static bool
holds (void *self, const char *kind, const char *address, uint64_t version)
{
    (void) self;
    (void) kind;
    return model.cached[number_of (address)].version == version;
}

static void
take_state (work_t *work, const remote_offer_t *offer)
{
    packed_reader_t found;
    packed_value_t value;
    const cached_t *cached = &model.cached[number_of (offer->address)];
    work->is_known = true;
    if (!offer->has_state) {
        work->is_known = cached->version == offer->version && cached->boot == offer->boot;
        work->before = cached->purse;
        return;
    }
    if (packed_find (offer->state, offer->state_size, "purse", &found) && packed_next (&found, &value)
        && value.string.size == sizeof work->before)
        memcpy (&work->before, value.string.bytes, sizeof work->before);
    if (packed_find (offer->state, offer->state_size, "stamp", &found) && packed_next (&found, &value)
        && value.string.size == sizeof work->before.stamp)
        memcpy (&work->before.stamp, value.string.bytes, sizeof work->before.stamp);
}

static bool
offer (void *self, const remote_offer_t *offer, remote_token_t *token)
{
    sim_t *sim = sim_now;
    (void) self;
    uint32_t most = sim->is_ending ? WORK_MAX : ROOM;
    if (model.count >= most || (!sim->is_ending && roll (sim, 8) == 0)) {
        model.was_refused = true;
        return false;
    }
    work_t *work = &model.work[model.count++];
    *work = (work_t) { .attempt = offer->attempt, .boot = offer->boot, .version = offer->version, .size = offer->size };
    snprintf (work->address, sizeof work->address, "%s", offer->address);
    snprintf (work->verb, sizeof work->verb, "%s", offer->verb);
    snprintf (work->sender, sizeof work->sender, "%s", offer->sender);
    if (offer->size > sizeof work->body)
        sim_fail ("an offer has a body of %zu bytes", offer->size);
    if (offer->size)
        memcpy (work->body, offer->body, offer->size);
    take_state (work, offer);
    if (work->is_known)
        checks_seen (sim, offer->address, work->before.stamp.stamp, "an offer");
    model.tokens += 1;
    memset (token, 0, sizeof *token);
    put_le64 (token->bytes, model.tokens);
    work->token = *token;
    work->due_ms = world_now (sim->world) + roll (sim, 300);
    return true;
}

/*  Tries that it can be blamed for are few, so that none is given up. */
static bool
may_go_wrong (const work_t *work)
{
    return !sim_now->is_ending && work->attempt <= TRIES_FAILED_MOST;
}

static work_t *
find_work (const remote_token_t *token)
{
    for (uint32_t i = 0; i < model.count; i++)
        if (memcmp (&model.work[i].token, token, sizeof *token) == 0)
            return &model.work[i];
    return NULL;
}

/*  It goes on with it all the same, and hands in what nobody wants any more. */
static bool
withdraw (void *self, const char *address, const remote_token_t *token)
{
    (void) self;
    (void) address;
    const work_t *work = find_work (token);
    return work && may_go_wrong (work);
}

static void
settled (void *self, const char *address, const remote_token_t *token, bool is_kept, uint64_t version)
{
    (void) self;
    const work_t *work = find_work (token);
    cached_t *cached = &model.cached[number_of (address)];
    if (work && work->is_known)
        *cached = (cached_t) { work->boot, version, is_kept ? work->after : work->before };
    else
        cached->version = 0;
}

const remote_port_t sim_remote_port = { NULL, holds, offer, withdraw, settled };

/* ---- what the worker makes of a message ---- */

static void
put (buffer_t *effects, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    if (pack_append (effects, NULL, format, arguments) != TROUPE_OK)
        sim_fail ("no memory for the effects of a worker");
    va_end (arguments);
}

static int64_t
field (const work_t *work, const char *name)
{
    int64_t number = 0;
    if (work->size)
        sim_number_of (work->body, work->size, name, &number);
    return number;
}

static void
keep_and_reply (buffer_t *effects, const work_t *work)
{
    const purse_t *purse = &work->after;
    put (effects, "[s, s, r#]", "store", "purse", purse, sizeof *purse);
    put (effects, "[s, s, r#]", "store", "stamp", &purse->stamp, sizeof purse->stamp);
    put (effects, "[s, s, r#]", "store", "balance", &purse->balance, sizeof purse->balance);
    put (effects, "[s, {s:I, s:I}]", "reply", "balance", (json_int_t) purse->balance, "stamp",
         (json_int_t) purse->stamp.stamp);
}

static void
take_credit (work_t *work)
{
    purse_t *purse = &work->after;
    uint32_t from = number_of (work->sender);
    uint64_t number = (uint64_t) field (work, "number");
    if (from < PURSES && number != purse->in[from] + 1)
        sim_fail ("%s: message %llu of %s comes after %llu (I5)", work->address, (unsigned long long) number,
                  work->sender, (unsigned long long) purse->in[from]);
    if (from < PURSES)
        purse->in[from] = number;
    purse->balance += field (work, "amount");
}

/*  TROUPE_OK, or a refusal with its text. */
static troupe_status_t
handle (work_t *work, buffer_t *effects, char text[64])
{
    int64_t amount = field (work, "amount"), to = field (work, "to"), till = field (work, "till");
    purse_t *purse = &work->after;
    *purse = work->before;
    if (strcmp (work->verb, "see") == 0) {
        put (effects, "[s, {s:I, s:I}]", "reply", "balance", (json_int_t) purse->balance, "stamp",
             (json_int_t) purse->stamp.stamp);
        return TROUPE_OK;
    }
    purse->stamp.stamp += 1;
    if (strcmp (work->verb, "deposit") == 0)
        purse->balance += amount;
    else if (strcmp (work->verb, "credit") == 0)
        take_credit (work);
    else if (purse->balance < amount) {
        snprintf (text, 64, "no funds #%llu", (unsigned long long) work->before.stamp.stamp);
        return TROUPE_REFUSED;
    } else {
        purse->balance -= amount;
        purse->out[to] += !till;
        put (effects, "[s, s, s, {s:I, s:I, s:I}]", "tell", till ? "till/1" : purses[to], "credit", "amount",
             (json_int_t) amount, "to", (json_int_t) to, "number", (json_int_t) (till ? 0 : purse->out[to]));
    }
    keep_and_reply (effects, work);
    return TROUPE_OK;
}

static void
hand_in (sim_t *sim, const work_t *work, remote_end_t end, troupe_status_t status, const char *text,
         const buffer_t *effects)
{
    remote_outcome_t outcome = { end, status, text, effects ? effects->data : NULL, effects ? effects->size : 0 };
    sim_note (sim, "worker", end, status, get_le64 (work->token.bytes), work->address);
    world_remote_outcome (sim->world, work->address, &work->token, &outcome);
}

static void
hand_in_done (sim_t *sim, work_t *work)
{
    buffer_t list = { 0 }, effects = { 0 };
    char text[64] = "";
    troupe_status_t status = handle (work, &effects, text);
    uint32_t count = 0;
    for (packed_reader_t reader = { effects.data, effects.data + effects.size }; reader.at < reader.end; count++)
        packed_skip (&reader);
    packed_put_array (&list, count);
    buffer_append (&list, effects.data, effects.size);
    if (may_go_wrong (work) && roll (sim, 10) == 0)  /* the good ones must go with the bad one */
        list.data[0] += 1, buffer_byte (&list, 0xc0);
    hand_in (sim, work, REMOTE_DONE, status, text, &list);
    buffer_clear (&list);
    buffer_clear (&effects);
}

/* ---- when it does something ---- */

/*  The newest one takes the place. */
static void
forget (uint32_t at)
{
    model.work[at] = model.work[--model.count];
}

static void
guess_token (sim_t *sim, const work_t *work)
{
    work_t guess = *work;
    put_le64 (guess.token.bytes + 8, 1 + roll (sim, 1000));
    hand_in_done (sim, &guess);
}

static void
work_on (sim_t *sim, uint32_t at)
{
    work_t *work = &model.work[at];
    uint64_t fallen = sim->is_ending ? 99 : roll (sim, 20);
    if (!work->is_known || fallen == 0) {
        model.cached[number_of (work->address)].version = 0;
        hand_in (sim, work, REMOTE_STATELESS, TROUPE_OK, "", NULL);
    } else if (fallen == 1)
        hand_in (sim, work, REMOTE_UNTAKEN, TROUPE_OK, "", NULL);
    else if (fallen == 2 && may_go_wrong (work))
        hand_in (sim, work, REMOTE_LOST, TROUPE_OK, "", NULL);
    else if (fallen == 3 && may_go_wrong (work))
        hand_in (sim, work, REMOTE_DONE, TROUPE_FAILED, "stumbled", NULL);
    else {
        if (fallen == 4)
            guess_token (sim, work);
        hand_in_done (sim, work);
        if (!work->is_handed_in) {  /* it stays a while: `settled` looks at it, and it may come twice */
            work->is_handed_in = true;
            work->due_ms = world_now (sim->world) + 1 + roll (sim, 2000);
            return;
        }
    }
    forget (at);
}

static void
be_ready (void *arg, shard_t *shard)
{
    (void) arg;
    if (shard)
        shard_remote_ready (shard, "purse");
}

static void
have_room (sim_t *sim)
{
    model.was_refused = false;
    for (uint16_t i = 0; i < sim->profile.shards; i++)
        world_errand (sim->world, i, be_ready, NULL);
}

static void
works (sim_t *sim)
{
    if (!world_is_up (sim->world))
        return;
    if (model.was_refused && model.count < ROOM && roll (sim, 4) == 0)
        have_room (sim);
    uint32_t at = model.count ? (uint32_t) roll (sim, model.count) : 0;
    if (model.count && model.work[at].due_ms <= world_now (sim->world) && roll (sim, 2))
        work_on (sim, at);
}

static bool
rests (sim_t *sim)
{
    uint32_t before = model.count;
    bool was_refused = model.was_refused;
    if (!sim->is_ending || !world_is_up (sim->world))
        return false;
    if (was_refused)
        have_room (sim);
    bool is_busy = false;
    for (uint32_t at = before; at > 0; at--) {
        if (model.work[at - 1].is_handed_in)
            forget (at - 1);
        else {
            work_on (sim, at - 1);
            is_busy = true;
        }
    }
    return is_busy || was_refused;
}

/* ---- kinds ---- */

/*  Local: hands on what it gets. */
static troupe_status_t
on_credit (troupe_turn_t *turn)
{
    json_int_t amount, to, number;
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I, s:I}", "amount", &amount, "to", &to, "number", &number);
    if (status != TROUPE_OK)
        return status;
    stamp_next (turn);
    return troupe_tell (turn, purses[to], "credit", "{s:I, s:I}", "amount", amount, "number", number);
}

static const troupe_verb_t till_verbs[] = { { "credit", on_credit }, { NULL } };
static const troupe_kind_t till = { "till", .version = 1, .verbs = till_verbs };

static const troupe_verb_t purse_verbs[] = {
    { "deposit", remote_turn }, { "pay", remote_turn }, { "credit", remote_turn },
    { "see", remote_turn, .reads = true },
    { NULL }
};
static const troupe_kind_t purse = { "purse", .version = 1, .verbs = purse_verbs };
const troupe_kind_t *const sim_remote_kinds[] = { &purse, NULL };

/* ------------------------------------------------------------------ */

extern const workload_t workload_remote;

static void
begin (sim_t *sim)
{
    (void) sim;
    memset (&model, 0, sizeof model);
}

static void
act (sim_t *sim, uint32_t client)
{
    const char *of = purses[roll (sim, PURSES)];
    uint64_t amount = 1 + roll (sim, 50);
    switch (roll (sim, 4)) {
    case 0:
        sim_call (sim, &workload_remote, client, of, "deposit", amount, 0, "{s:I}", "amount", (json_int_t) amount);
        break;
    case 1:
        sim_call (sim, &workload_remote, client, of, "see", 0, 0, NULL);
        break;
    default:
        sim_call (sim, &workload_remote, client, of, "pay", 0, 0, "{s:I, s:I, s:I}", "to",
                  (json_int_t) roll (sim, PURSES), "amount", (json_int_t) amount, "till", (json_int_t) roll (sim, 2));
    }
}

static void
answered (sim_t *sim, const request_t *request)
{
    (void) sim;
    if (request->is_unknown)
        model.maybe += request->a;
    else if (request->status == TROUPE_OK)
        model.deposited += request->a;
    else if (request->a)
        sim_fail ("a deposit was answered %s", troupe_status_name (request->status));
}

static void
check (sim_t *sim)
{
    uint64_t sum = 0;
    purse_t found[PURSES] = { 0 };
    for (uint32_t i = 0; i < PURSES; i++) {
        const uint8_t *value;
        size_t size;
        if (sim_state (sim, purses[i], "purse", &value, &size) && size == sizeof found[i])
            memcpy (&found[i], value, size);
        sum += (uint64_t) found[i].balance;
    }
    if (sum < model.deposited || sum > model.deposited + model.maybe)
        sim_fail ("the purses hold %llu, deposited were %llu and maybe %llu more", (unsigned long long) sum,
                  (unsigned long long) model.deposited, (unsigned long long) model.maybe);
    for (uint32_t from = 0; from < PURSES; from++)
        for (uint32_t to = 0; to < PURSES; to++)
            if (found[from].out[to] != found[to].in[from])
                sim_fail ("%s sent %llu messages to %s, which handled %llu", purses[from],
                          (unsigned long long) found[from].out[to], purses[to],
                          (unsigned long long) found[to].in[from]);
}

const workload_t workload_remote = {
    "remote", .kinds = { &till }, .remote = &purse, .begin = begin, .act = act, .answered = answered,
    .works = works, .rests = rests, .check = check
};
