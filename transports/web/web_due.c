/*  web_due.c - what connections have to do later: a timer wheel.
 *
 *  DESIGN
 *  libwebsockets keeps all timers in one sorted list, from the head of which each new one is placed, so a connection
 *  would cost by the number of all others: with some thousands of them a handshake took a millisecond, and
 *  those that came at once waited longer than they had time for. So only requests that are on their way
 *  in or out have a timer there.
 */
#include "transports/web/web_inside.h"

void
web_due_in (web_t *web, web_due_t *due, uint64_t after_ms)
{
    wheel_add (&web->wheel, &due->node, uv_now (&web->loop) + after_ms);
}

void
web_due_never (web_t *web, web_due_t *due)
{
    wheel_remove (&web->wheel, &due->node);
}

void
web_due_run (web_t *web)
{
    wheel_advance (&web->wheel, uv_now (&web->loop));
    for (wheel_node_t *node; (node = wheel_pop_due (&web->wheel));)
        ((web_due_t *) node)->act (web, (web_due_t *) node);
}

uint64_t
web_due_wait_ms (const web_t *web)
{
    uint64_t due_ms = wheel_next_due (&web->wheel), now_ms = uv_now (&web->loop);
    return due_ms == UINT64_MAX ? EDGE_NEVER : due_ms > now_ms ? due_ms - now_ms : 0;
}
