/*  revive.c - `troupe revive user/42`, or a kind: lets what is parked go on.
 *
 *  DESIGN
 *  An actor that cannot wake is set aside with all of its mail, and so are all actors of a kind
 *  that sends without end; nothing but a person who has seen why brings them back.
 */
#include "commands/remote.h"

static int
run (invocation_t *invocation)
{
    client_t *client;
    client_answer_t answer;
    uint64_t tag;
    int code = remote_open (invocation, &client);
    if (code != EXIT_OK)
        return code;
    packed_put_text (client_begin (client, "revive", 1, &tag), "to", invocation->words[0]);
    code = remote_ask (invocation, client, &answer);
    client_destroy (&client);
    return code;
}

const command_t command_revive = {
    .name = "revive",
    .words = "KIND/ID | KIND",
    .least = 1,
    .most = 1,
    .summary = "let a parked actor, or a whole kind, try again",
    .reach = REACH_NODE,
    .run = run
};
