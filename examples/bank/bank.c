/*  bank.c - money that moves between accounts on different shards, and never gets lost.
 *
 *  A transfer is two turns: the first takes the money from one account and
 *  tells the other, in one transaction; the second puts it there. A crash at
 *  any moment leaves the message durable between them. If the receiver
 *  refuses, its answer brings the money back.
 */

#include "bank.h"

#include <stdio.h>

static json_int_t
balance_of (troupe_turn_t *turn)
{
    json_int_t balance = 0;
    troupe_load (turn, "balance", &balance, sizeof balance);
    return balance;
}

static troupe_status_t
deposit (troupe_turn_t *turn)
{
    json_int_t amount;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "amount", &amount);
    if (status != TROUPE_OK)
        return status;
    if (amount <= 0)
        return troupe_refuse (turn, "an amount is positive");
    json_int_t balance = balance_of (turn);
    if (amount > INT64_MAX - balance)
        return troupe_refuse (turn, "the account is full");
    balance += amount;
    troupe_store (turn, "balance", &balance, sizeof balance);
    return troupe_reply (turn, "{s:I}", "balance", balance);
}

static troupe_status_t
transfer (troupe_turn_t *turn)
{
    const char *to;
    json_int_t amount;
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:I}", "to", &to, "amount", &amount);
    if (status != TROUPE_OK)
        return status;
    json_int_t balance = balance_of (turn);
    if (amount <= 0 || amount > balance)
        return troupe_refuse (turn, "insufficient funds: %lld of %lld", (long long) balance, (long long) amount);
    balance -= amount;
    troupe_store (turn, "balance", &balance, sizeof balance);
    uint64_t id = troupe_ask (turn, to, "deposit", "arrived", 0, "{s:I}", "amount", amount);
    if (id == 0)  /* the sender wrote it: no reason to try again */
        return troupe_refuse (turn, "there is no account %s", to);
    char key[32];
    snprintf (key, sizeof key, "way/%016llx", (unsigned long long) id);
    troupe_store (turn, key, &amount, sizeof amount);
    return troupe_reply (turn, "{s:I}", "balance", balance);
}

/*  The other account said yes or no. Without an answer in time nobody knows:
 *  the money stays on its way, under its key, for a person to look at. */
static troupe_status_t
arrived (troupe_turn_t *turn)
{
    char key[32];
    json_int_t amount = 0, balance = balance_of (turn);
    snprintf (key, sizeof key, "way/%016llx", (unsigned long long) troupe_asked (turn));
    if (troupe_outcome (turn) == TROUPE_TIMEOUT)
        return TROUPE_OK;
    troupe_load (turn, key, &amount, sizeof amount);
    troupe_erase (turn, key);
    if (troupe_outcome (turn) != TROUPE_OK) {
        balance += amount;
        troupe_store (turn, "balance", &balance, sizeof balance);
    }
    return TROUPE_OK;
}

static troupe_status_t
balance (troupe_turn_t *turn)
{
    return troupe_reply (turn, "{s:I}", "balance", balance_of (turn));
}

static const troupe_verb_t verbs[] = {
    { "deposit", deposit, .args = "amount:int", .gives = "balance:int", .doc = "Put money in." },
    { "transfer", transfer, .allow = TROUPE_OWNER, .args = "to:string amount:int", .gives = "balance:int",
      .doc = "Send money to another account." },
    { "arrived", arrived, .doc = "The other account answered." },
    { "balance", balance, .reads = true, .allow = TROUPE_OWNER, .args = "", .gives = "balance:int",
      .doc = "How much there is." },
    { NULL }
};
const troupe_kind_t account = { "account", .version = 1, .verbs = verbs, .doc = "A bank account." };
