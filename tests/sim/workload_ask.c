/*  workload_ask.c - every question gets one outcome: the reply, the refusal, or the deadline.
 *
 *  An asker remembers its open questions in its state, so that an outcome that
 *  comes twice, or of a question that it never asked, is found at once. Oracles
 *  reply, refuse, fail for good, reply later from a timer, or never. Calls from
 *  outside are replied to later as well.
 */
#include "tests/sim/workload.h"

#define ASKERS 3
#define ORACLES 3
#define WITHIN_MOST_MS 4000
#define THINKING_MOST_MS 3000

typedef struct {
    uint64_t question, due_ms;
    uint64_t how;
} open_t;

enum { HOW_NOW, HOW_LATER, HOW_NEVER, HOW_REFUSE, HOW_BREAK, HOWS };
static const char *const verb_of[HOWS] = { "now", "later", "never", "refuse", "break" };

static json_int_t
truth (json_int_t question)
{
    return question * 3 + 1;
}

/* ---- the asker ---- */

static void
question_key (char key[32], uint64_t id)
{
    snprintf (key, 32, "q%016llx", (unsigned long long) id);
}

static troupe_status_t
on_ask (troupe_turn_t *turn)
{
    json_int_t how, within, which;
    char key[32], to[16];
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I, s:I}", "how", &how, "within", &within, "which", &which);
    if (status != TROUPE_OK)
        return status;
    json_int_t stamp = stamp_next (turn);
    open_t open = { (uint64_t) stamp, troupe_now (turn) + (uint64_t) within, (uint64_t) how };
    snprintf (to, sizeof to, "oracle/%u", (unsigned) which);
    uint64_t id = troupe_ask (turn, to, verb_of[how], "heard", (uint64_t) within, "{s:I}", "question", stamp);
    question_key (key, id);
    if (load_number (turn, key))
        wrong ("%s: the id of a question is not new", troupe_self (turn));
    troupe_store (turn, key, &open, sizeof open);
    return fails_now (turn, 8) ? troupe_fail (turn, "speechless") : troupe_reply (turn, "{s:I}", "stamp", stamp);
}

static bool
fits (const troupe_turn_t *turn, const open_t *open, troupe_status_t outcome)
{
    switch (outcome) {
    case TROUPE_OK:
        return open->how == HOW_NOW || open->how == HOW_LATER;
    case TROUPE_REFUSED:
        return open->how == HOW_REFUSE;
    case TROUPE_FAILED:
        return open->how == HOW_BREAK;
    case TROUPE_TIMEOUT:
        return troupe_now (turn) >= open->due_ms;
    default:
        return false;
    }
}

static troupe_status_t
on_heard (troupe_turn_t *turn)
{
    char key[32];
    open_t open = { 0, 0, 0 };
    question_key (key, troupe_asked (turn));
    troupe_status_t outcome = troupe_outcome (turn);
    if (load (turn, key, &open, sizeof open) != TROUPE_OK)
        wrong ("%s: hears %s of a question that is not open", troupe_self (turn), troupe_status_name (outcome));
    if (!fits (turn, &open, outcome))
        wrong ("%s: hears %s of a question for \"%s\"", troupe_self (turn), troupe_status_name (outcome),
               verb_of[open.how]);
    json_int_t answer = 0;
    if (outcome == TROUPE_OK && (troupe_unpack (turn, "{s:I}", "answer", &answer) != TROUPE_OK
                                 || answer != truth ((json_int_t) open.question)))
        wrong ("%s: hears %lld to question %llu", troupe_self (turn), (long long) answer,
               (unsigned long long) open.question);
    troupe_erase (turn, key);
    stamp_next (turn);
    return fails_now (turn, 8) ? troupe_fail (turn, "deaf") : TROUPE_OK;
}

static const troupe_verb_t asker_verbs[] = { { "ask", on_ask }, { "heard", on_heard }, { NULL } };
static const troupe_kind_t asker = { "asker", .version = 1, .verbs = asker_verbs };

/* ---- the oracle ---- */

static troupe_status_t
on_now (troupe_turn_t *turn)
{
    json_int_t question;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "question", &question);
    if (status != TROUPE_OK)
        return status;
    if (fails_now (turn, 8))
        return troupe_fail (turn, "hm");
    bool is_told = troupe_random (turn) % 2;
    return troupe_reply (turn, "{s:I, s:I}", "answer", truth (question), "stamp",
                         is_told ? stamp_next (turn) : stamp_now (turn));
}

static troupe_status_t
on_later (troupe_turn_t *turn)
{
    json_int_t question;
    char key[32];
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "question", &question);
    if (status != TROUPE_OK)
        return status;
    uint64_t number = load_number (turn, "later") + 1;
    store_number (turn, "later", number);
    snprintf (key, sizeof key, "l%llu", (unsigned long long) number);
    troupe_save (turn, key, "{s:s, s:I}", "caller", troupe_reply_later (turn), "question", question);
    troupe_timer_at (turn, key, "say", troupe_now (turn) + troupe_random (turn) % THINKING_MOST_MS, "{s:s}", "key",
                     key);
    stamp_next (turn);
    return fails_now (turn, 8) ? troupe_fail (turn, "hm") : TROUPE_OK;
}

static troupe_status_t
on_say (troupe_turn_t *turn)
{
    const char *key, *caller;
    json_int_t question;
    troupe_status_t status = troupe_unpack (turn, "{s:s}", "key", &key);
    if (status == TROUPE_OK)
        status = troupe_fetch (turn, key, "{s:s, s:I}", "caller", &caller, "question", &question);
    if (status >= TROUPE_FAILED)
        return status;
    if (status != TROUPE_OK)
        wrong ("%s: has nothing to say: %s", troupe_self (turn), troupe_status_name (status));
    json_int_t stamp = stamp_next (turn);
    troupe_answer (turn, caller, TROUPE_OK, "{s:I, s:I}", "answer", truth (question), "stamp", stamp);
    troupe_erase (turn, key);
    return fails_now (turn, 8) ? troupe_fail (turn, "hm") : TROUPE_OK;
}

static troupe_status_t
on_never (troupe_turn_t *turn)
{
    stamp_next (turn);
    return troupe_reply_later (turn) ? TROUPE_OK : TROUPE_FAILED;
}

static troupe_status_t
on_refuse (troupe_turn_t *turn)
{
    json_int_t shown = stamp_now (turn);
    stamp_next (turn);
    return troupe_refuse (turn, "ask another #%lld", (long long) shown);
}

static troupe_status_t
on_break (troupe_turn_t *turn)
{
    json_int_t shown = stamp_now (turn);
    stamp_next (turn);
    return troupe_fail (turn, "broken #%lld", (long long) shown);
}

static const troupe_verb_t oracle_verbs[] = {
    { "now", on_now },
    { "later", on_later },
    { "never", on_never },
    { "refuse", on_refuse },
    { "break", on_break },
    { "say", on_say },
    { NULL }
};
static const troupe_kind_t oracle = { "oracle", .version = 1, .verbs = oracle_verbs };

/* ------------------------------------------------------------------ */

extern const workload_t workload_ask;

static void
act (sim_t *sim, uint32_t client)
{
    char to[16];
    uint64_t fallen = roll (sim, 20), how = fallen < 9 ? HOW_NOW : fallen < 14 ? HOW_LATER : fallen - 12;
    how = how >= HOWS ? HOW_REFUSE : how;
    if (roll (sim, 5) == 0) {
        bool is_later = roll (sim, 2);
        snprintf (to, sizeof to, "oracle/%u", (unsigned) roll (sim, ORACLES));
        sim_call (sim, &workload_ask, client, to, verb_of[is_later ? HOW_LATER : HOW_NOW], 7, 0, "{s:I}", "question",
                  (json_int_t) 7);
        return;
    }
    snprintf (to, sizeof to, "asker/%u", (unsigned) roll (sim, ASKERS));
    sim_call (sim, &workload_ask, client, to, "ask", 0, 0, "{s:I, s:I, s:I}", "how", (json_int_t) how, "within",
              (json_int_t) (1 + roll (sim, WITHIN_MOST_MS)), "which", (json_int_t) roll (sim, ORACLES));
}

static void
answered (sim_t *sim, const request_t *request)
{
    (void) sim;
    int64_t answer = 0;
    if (!request->is_unknown && request->status == TROUPE_OK && request->a
        && (!sim_number_of (request->answer, request->answer_size, "answer", &answer)
            || answer != truth ((json_int_t) request->a)))
        sim_fail ("an oracle answers %lld", (long long) answer);
}

static void
find_open (void *arg, uint16_t shard, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    (void) value;
    (void) value_size;
    (void) shard;
    uint32_t *open = arg;
    const uint8_t *name = memchr (key, 0, key_size);
    if (key_size > 10 && memcmp (key, "sasker/", 7) == 0 && name && name[1] == 'q')
        *open += 1;
    if (key[0] == KEY_ASK)
        *open += 1;
}

static void
check (sim_t *sim)
{
    uint32_t open = 0;
    fold_each (&sim->fold, find_open, &open);
    if (open)
        sim_fail ("%u questions have no outcome", open);
}

const workload_t workload_ask = {
    "ask", .kinds = { &asker }, .other = &oracle, .act = act, .answered = answered, .check = check
};
