/*  peer_end.c - conversations that the server ends: a token is over, an account says so, or the node goes down. */
#include "transports/edge/edge_inside.h"

#include "runtime/base/error.h"

#include <string.h>

#define TOKENS_MS 1000  /* how often at most all clients are looked at for a token that ended */
#define AWAY 1001       /* the close code of a server that goes down */

uint64_t
peer_end_tokens (edge_t *edge, uint64_t now_ms)
{
    if (now_ms < edge->look_at_ms)
        return edge->look_at_ms - now_ms;
    uint64_t first_ms = EDGE_NEVER;
    for (peer_t *peer = edge->peers, *next; peer; peer = next) {
        uint64_t until_ms = peer->state == PEER_OPEN ? peer_identity (peer)->until_ms : 0;
        next = peer->after;
        if (until_ms && until_ms <= now_ms) {
            troupe_error_t error;
            error_set (&error, TROUPE_FORBIDDEN, "the token has ended: come again with a new one");
            peer_fail_token (peer, &error);
        } else if (until_ms && until_ms < first_ms)
            first_ms = until_ms;
    }
    if (first_ms != EDGE_NEVER && first_ms < now_ms + TOKENS_MS)
        first_ms = now_ms + TOKENS_MS;
    edge->look_at_ms = first_ms;
    return first_ms == EDGE_NEVER ? EDGE_NEVER : first_ms - now_ms;
}

void
peer_end_all (edge_t *edge, const account_end_t *end)
{
    troupe_error_t error;
    error_set (&error, TROUPE_FORBIDDEN, "%s", end->why);
    for (peer_t *peer = edge->peers, *next; peer; peer = next) {
        const identity_t *who = peer_identity (peer);
        bool is_meant = (*end->subject && strcmp (who->subject, end->subject) == 0)
                        || (end->key && who->key == end->key) || (end->account && who->account == end->account);
        bool is_changed = *end->changed && strcmp (who->subject, end->changed) == 0 && !who->account;
        next = peer->after;
        if (peer->state == PEER_OPEN && is_meant)
            peer_fail_token (peer, &error);
        else if (peer->state == PEER_OPEN && is_changed) {
            accounts_update (edge->accounts, peer->who);
            watch_check_all (peer);
        }
    }
}

bool
edge_send_away (edge_t *self, bool all)
{
    bool are_left = false;
    for (peer_t *peer = self->peers, *next; peer; peer = next) {
        next = peer->after;
        if (all || peer->in_flight == 0)
            peer_close (peer, AWAY, "the node goes down");
        else
            are_left = true;
    }
    return are_left;
}
