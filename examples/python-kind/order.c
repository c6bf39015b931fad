/*  order.c - an order, which does not know what things cost: actors that a Python program serves do.
 *
 *  `place` asks price/ITEM and answers its caller when it knows. Later that actor tells `repriced`.
 */
#include "order.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    json_int_t count, each;
} line_t;

static troupe_status_t
place (troupe_turn_t *turn)
{
    const char *item;
    line_t line = { 0 };
    char to[TROUPE_ADDRESS_MAX + 1];
    troupe_status_t status = troupe_unpack (turn, "{s:s, s:I}", "item", &item, "count", &line.count);
    if (status != TROUPE_OK)
        return status;
    if (line.count <= 0 || snprintf (to, sizeof to, "price/%s", item) >= (int) sizeof to)
        return troupe_refuse (turn, "an order is for something, and for at least one of it");
    const char *caller = troupe_reply_later (turn);
    troupe_store (turn, "line", &line, sizeof line);
    troupe_store (turn, "caller", caller, strlen (caller) + 1);
    if (troupe_ask (turn, to, "quote", "quoted", 10000, "{s:I}", "count", line.count) == 0)
        return troupe_refuse (turn, "nobody can say what %s costs", item);
    return TROUPE_OK;
}

static troupe_status_t
quoted (troupe_turn_t *turn)
{
    char caller[TROUPE_CALLER_MAX] = "";
    line_t line = { 0 };
    troupe_load (turn, "caller", caller, sizeof caller);
    troupe_load (turn, "line", &line, sizeof line);
    troupe_erase (turn, "caller");
    if (troupe_outcome (turn) != TROUPE_OK)
        return troupe_answer (turn, caller, TROUPE_REFUSED, "{s:s}", "error", "there is no price");
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "each", &line.each);
    if (status != TROUPE_OK)
        return status;
    troupe_store (turn, "line", &line, sizeof line);
    return troupe_answer (turn, caller, TROUPE_OK, "{s:I}", "total", line.count * line.each);
}

static troupe_status_t
repriced (troupe_turn_t *turn)
{
    line_t line = { 0 };
    troupe_load (turn, "line", &line, sizeof line);
    troupe_status_t status = troupe_unpack (turn, "{s:I}", "each", &line.each);
    if (status != TROUPE_OK)
        return status;
    troupe_store (turn, "line", &line, sizeof line);
    return troupe_publish (turn, "live", "{s:I}", "total", line.count * line.each);
}

static troupe_status_t
total (troupe_turn_t *turn)
{
    line_t line = { 0 };
    troupe_load (turn, "line", &line, sizeof line);
    return troupe_reply (turn, "{s:I}", "total", line.count * line.each);
}

static const troupe_verb_t verbs[] = {
    { "place", place, .allow = TROUPE_ANYONE, .args = "item:string count:int", .gives = "total:int",
      .doc = "Orders something." },
    { "quoted", quoted, .doc = "The price answered." },
    { "repriced", repriced, .args = "each:int", .doc = "The price is another one now." },
    { "total", total, .reads = true, .allow = TROUPE_ANYONE, .gives = "total:int", .doc = "What it costs now." },
    { NULL }
};
static const troupe_channel_t channels[] = {
    { "live", .allow = TROUPE_ANYONE },
    { NULL }
};
const troupe_kind_t order = { "order", .version = 1, .verbs = verbs, .channels = channels, .doc = "An order." };
