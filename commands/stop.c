/*  stop.c - `troupe stop`: asks the node to stop, and waits until it has.
 *
 *  DESIGN
 *  The node answers at once and closes the connection at the very end, when its
 *  store is closed too: so the end of this command is the end of the node.
 */
#include "commands/remote.h"

#define PATIENCE_MS 60000

static const option_t options[] = {
    { "timeout", "TIME", "how long to wait for the end (60s)" },
    { NULL }
};

static int
run (invocation_t *invocation)
{
    client_t *client;
    client_answer_t answer;
    uint64_t timeout_ms = PATIENCE_MS;
    if (!option_duration (invocation, "timeout", &timeout_ms))
        return EXIT_USAGE;
    int code = remote_open (invocation, &client);
    if (code == EXIT_OK)
        code = remote_ask_simply (invocation, client, "stop", &answer);
    if (code == EXIT_OK && !client_wait_closed (client, timeout_ms))
        code = command_fail (invocation, EXIT_ANSWER, "the node is still busy with its end; it goes on stopping");
    client_destroy (&client);
    return code;
}

const command_t command_stop = {
    .name = "stop",
    .words = "",
    .summary = "stop the node and wait for its end",
    .options = options,
    .run = run
};
