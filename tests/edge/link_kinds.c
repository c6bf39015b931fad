/*  link_kinds.c - a kind for the test of links between nodes: money, questions, and an eye on order. */
#include <stdio.h>
#include <troupe.h>

static int64_t
number (troupe_turn_t *turn, const char *key)
{
    int64_t value = 0;
    troupe_load (turn, key, &value, sizeof value);
    return value;
}

static int64_t
add (troupe_turn_t *turn, const char *key, int64_t more)
{
    int64_t value = number (turn, key) + more;
    troupe_store (turn, key, &value, sizeof value);
    return value;
}

/*  The messages from one account to another are numbered by their sender. */
static troupe_status_t
pay (troupe_turn_t *turn)
{
    const char *to;
    json_int_t amount;
    char key[160];
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:I}", "to", &to, "amount", &amount);
    if (status != TROUPE_OK)
        return status;
    snprintf (key, sizeof key, "out:%.100s", to);
    add (turn, "balance", -amount);
    add (turn, "sent", 1);
    troupe_tell (turn, to, "credit", "{s:I, s:I}", "amount", amount, "number", (json_int_t) add (turn, key, 1));
    troupe_ask (turn, to, "quote", "heard", 3600000, "{s:I}", "amount", amount);
    return troupe_reply (turn, "{s:I}", "paid", (json_int_t) add (turn, "paid", 1));
}

static troupe_status_t
credit (troupe_turn_t *turn)
{
    json_int_t amount, which;
    char key[160];
    troupe_status_t status = troupe_unpack (turn, "{s:I, s:I}", "amount", &amount, "number", &which);
    if (status != TROUPE_OK)
        return status;
    snprintf (key, sizeof key, "in:%.100s", troupe_sender (turn));
    if (add (turn, key, 1) != which)
        add (turn, "bad", 1);
    add (turn, "taken", 1);
    add (turn, "balance", amount);
    return TROUPE_OK;
}

static troupe_status_t
quote (troupe_turn_t *turn)
{
    json_int_t amount;
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "amount", &amount);
    return status == TROUPE_OK ? troupe_reply (turn, "{s:I}", "double", 2 * amount) : status;
}

static troupe_status_t
heard (troupe_turn_t *turn)
{
    add (turn, troupe_outcome (turn) == TROUPE_OK ? "heard" : "bad", 1);
    return TROUPE_OK;
}

static troupe_status_t
show (troupe_turn_t *turn)
{
    return troupe_reply (turn, "{s:I, s:I, s:I, s:I, s:I}", "balance", (json_int_t) number (turn, "balance"), "sent",
                         (json_int_t) number (turn, "sent"), "taken", (json_int_t) number (turn, "taken"), "heard",
                         (json_int_t) number (turn, "heard"), "bad", (json_int_t) number (turn, "bad"));
}

static const troupe_verb_t verbs[] = {
    { "pay", pay, .allow = TROUPE_ANYONE, .args = "to:string amount:int" },
    { "credit", credit },
    { "quote", quote },
    { "heard", heard },
    { "show", show, .reads = true, .allow = TROUPE_ANYONE },
    { NULL }
};

static const troupe_kind_t account = { "account", .version = 1, .verbs = verbs };

TROUPE_KINDS (&account)
