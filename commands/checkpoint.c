/*  checkpoint.c - `troupe checkpoint`: folds the journal into the state now.
 *
 *  DESIGN
 *  The node does so by itself; this is for those who want the next start to be
 *  as short as it can be, or to see how long a fold takes.
 */
#include "commands/remote.h"

static int
run (invocation_t *invocation)
{
    client_t *client;
    client_answer_t answer;
    int code = remote_open (invocation, &client);
    if (code != EXIT_OK)
        return code;
    code = remote_ask_simply (invocation, client, "checkpoint", &answer);
    client_destroy (&client);
    return code;
}

const command_t command_checkpoint = {
    .name = "checkpoint",
    .words = "",
    .summary = "fold the journal into the state now",
    .run = run
};
