/*  revive.c - `troupe revive user/42`: lets a parked actor try to wake again.
 *
 *  DESIGN
 *  An actor that cannot wake is set aside with all of its mail; nothing but a
 *  person who has seen why brings it back.
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
    wire_put_text (client_begin (client, "revive", 1, &tag), "to", invocation->words[0]);
    code = remote_ask (invocation, client, &answer);
    client_destroy (&client);
    return code;
}

const command_t command_revive = {
    .name = "revive",
    .words = "KIND/ID",
    .least = 1,
    .most = 1,
    .summary = "let a parked actor try again",
    .run = run
};
