/*  cast.c - `troupe cast user/42 lap '{"a": 1}'`: a message that nobody hears back of, over ZeroMQ. */
#include "commands/node_kind.h"
#include "commands/read_body.h"
#include "commands/remote.h"

static const option_t options[] = {
    { "timeout", "TIME", "how long to try to reach the node (30s)" },
    { "trace", "TEXT", "a W3C traceparent, which goes with all that follows from it" },
    { NULL }
};

/*  Nothing is told of a cast, but of a call behind it: of a verb that no node has, whose denial says that the node
 *  heard both. */
static int
send (const invocation_t *invocation, troupe_client_t *client, const troupe_client_call_t *cast)
{
    troupe_error_t error;
    troupe_answer_t answer;
    if (troupe_client_submit (client, cast, &error) != TROUPE_OK)
        return command_fail (invocation, EXIT_USAGE, "%s", error.text);
    troupe_status_t status = troupe_client_call (client, NODE_ADDRESS, "greet", &answer, NULL);
    int code = status == TROUPE_NOT_FOUND ? EXIT_OK
               : command_fail (invocation, status == TROUPE_TIMEOUT ? EXIT_UNREACHED : EXIT_ANSWER, "%s", answer.text);
    troupe_answer_clear (&answer);
    return code;
}

static int
run (invocation_t *invocation)
{
    buffer_t body = { 0 };
    troupe_client_t *client = NULL;
    uint64_t timeout_ms = REMOTE_PATIENCE_MS;
    if (!option_duration (invocation, "timeout", &timeout_ms))
        return EXIT_USAGE;
    int code = read_body (invocation, 2, &body);
    if (code != EXIT_OK)
        return code;
    troupe_client_call_t cast = { .to = invocation->words[0], .verb = invocation->words[1], .body = body.data,
                                  .size = body.size, .trace = option_text (invocation, "trace") };
    code = remote_open_far (invocation, timeout_ms, &client);
    if (code == EXIT_OK)
        code = send (invocation, client, &cast);
    troupe_client_destroy (&client);
    buffer_clear (&body);
    return code;
}

const command_t command_cast = {
    .name = "cast",
    .words = "KIND/ID VERB [BODY]",
    .least = 2,
    .most = 3,
    .summary = "run a verb at most once and wait for nothing, over ZeroMQ",
    .help = "On the node of --at, or of --store. BODY is JSON; - reads it from stdin.\n",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
