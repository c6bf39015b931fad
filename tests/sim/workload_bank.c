/*  workload_bank.c - money moves between accounts on several shards; its sum stays.
 *
 *  Deposits make money, by calls that run once. Transfers take it from an account
 *  and tell another to add it; some coins travel through several accounts first.
 *  When all is quiet the balances are what was deposited.
 */
#include "tests/sim/workload.h"

#define ACCOUNTS 8
#define HOPS_MOST 5

static struct {
    uint64_t deposited, maybe;  /* by calls that were answered; by calls that nobody knows of */
} model;

static const char *const accounts[ACCOUNTS] = {
    "account/0", "account/1", "account/2", "account/3", "account/{4}a", "account/{4}b", "account/x{5}", "account/7",
};

static int64_t
balance_of (troupe_turn_t *turn)
{
    int64_t balance = 0;
    load (turn, "balance", &balance, sizeof balance);
    if (balance < 0)
        wrong ("%s has %lld", troupe_self (turn), (long long) balance);
    return balance;
}

static void
add (troupe_turn_t *turn, int64_t amount)
{
    int64_t balance = balance_of (turn) + amount;
    troupe_store (turn, "balance", &balance, sizeof balance);
}

static troupe_status_t
show (troupe_turn_t *turn, json_int_t stamp)
{
    return troupe_reply (turn, "{s:I, s:I}", "balance", (json_int_t) balance_of (turn), "stamp", stamp);
}

static troupe_status_t
on_deposit (troupe_turn_t *turn)
{
    json_int_t amount;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "amount", &amount);
    if (status != TROUPE_OK)
        return status;
    add (turn, amount);
    return show (turn, stamp_next (turn));
}

/*  Does all of it, then refuses: nothing of it may stay. */
static troupe_status_t
on_regret (troupe_turn_t *turn)
{
    json_int_t shown = stamp_now (turn);
    add (turn, 1000);
    stamp_next (turn);
    troupe_tell (turn, accounts[troupe_random (turn) % ACCOUNTS], "credit", "{s:I, s:I}", "amount", (json_int_t) 1000,
                 "hops", (json_int_t) 0);
    return troupe_refuse (turn, "on second thoughts #%lld", (long long) shown);
}

static troupe_status_t
on_pay (troupe_turn_t *turn)
{
    json_int_t amount, hops;
    const char *to;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:I, s:I}", "to", &to, "amount", &amount, "hops", &hops);
    if (status != TROUPE_OK)
        return status;
    if (balance_of (turn) < amount)
        return troupe_refuse (turn, "no funds #%lld", (long long) stamp_now (turn));
    if (fails_now (turn, 10))
        return troupe_fail (turn, "the teller is out");
    add (turn, -amount);
    troupe_tell (turn, to, "credit", "{s:I, s:I}", "amount", amount, "hops", hops);
    return show (turn, stamp_next (turn));
}

static troupe_status_t
on_credit (troupe_turn_t *turn)
{
    json_int_t amount, hops;
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I}", "amount", &amount, "hops", &hops);
    if (status != TROUPE_OK)
        return status;
    if (fails_now (turn, 20))
        return troupe_fail (turn, "counting");
    if (hops > 0)
        return troupe_tell (turn, accounts[troupe_random (turn) % ACCOUNTS], "credit", "{s:I, s:I}", "amount", amount,
                            "hops", hops - 1);
    add (turn, amount);
    stamp_next (turn);
    return TROUPE_OK;
}

static troupe_status_t
on_balance (troupe_turn_t *turn)
{
    return show (turn, stamp_now (turn));
}

static const troupe_verb_t verbs[] = {
    { "deposit", on_deposit, .args = "amount:int" },
    { "pay", on_pay },
    { "regret", on_regret },
    { "credit", on_credit },
    { "balance", on_balance, .reads = true },
    { NULL }
};
static const troupe_kind_t account = { "account", .version = 1, .verbs = verbs };

/* ------------------------------------------------------------------ */

static void
begin (sim_t *sim)
{
    (void) sim;
    memset (&model, 0, sizeof model);
}

extern const workload_t workload_bank;

static void
act (sim_t *sim, uint32_t client)
{
    const char *from = accounts[roll (sim, ACCOUNTS)], *to = accounts[roll (sim, ACCOUNTS)];
    uint64_t amount = 1 + roll (sim, 50);
    switch (roll (sim, 4)) {
    case 0:
        sim_call (sim, &workload_bank, client, from, "deposit", amount, 0, "{s:I}", "amount", (json_int_t) amount);
        break;
    case 1:
        sim_call (sim, &workload_bank, client, from, roll (sim, 4) ? "balance" : "regret", 0, 0, NULL);
        break;
    default:
        sim_call (sim, &workload_bank, client, from, "pay", 0, 0, "{s:s, s:I, s:I}", "to", to, "amount",
                  (json_int_t) amount, "hops", (json_int_t) roll (sim, HOPS_MOST));
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
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        sum += sim_state_number (sim, accounts[i], "balance");
    if (sum < model.deposited || sum > model.deposited + model.maybe)
        sim_fail ("the accounts hold %llu, deposited were %llu and maybe %llu more", (unsigned long long) sum,
                  (unsigned long long) model.deposited, (unsigned long long) model.maybe);
}

const workload_t workload_bank = {
    "bank", .kinds = { &account }, .begin = begin, .act = act, .answered = answered, .check = check
};
