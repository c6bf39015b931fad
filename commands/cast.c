/*  cast.c - `troupe cast user/42 lap '{"a": 1}'`: a message that nobody hears back of, over ZeroMQ. */
#include "commands/far.h"
#include "commands/read_body.h"
#include "commands/remote.h"
#include "runtime/base/clock.h"

static const option_t options[] = {
    { "timeout", "TIME", "how long to try to reach the node (30s)" },
    { "trace", "TEXT", "a W3C traceparent, which goes with all that follows from it" },
    { NULL }
};

/*  Until it was sent. */
static int
send (const invocation_t *invocation, troupe_client_t *client, const troupe_client_call_t *cast, uint64_t timeout_ms)
{
    troupe_error_t error;
    uint64_t end_ms = clock_wall_ms () + timeout_ms;
    if (troupe_client_submit (client, cast, &error) != TROUPE_OK)
        return command_fail (invocation, EXIT_USAGE, "%s", error.text);
    while (troupe_client_calls (client) > 0)
        troupe_client_wait (client, UINT32_MAX);
    return clock_wall_ms () < end_ms ? EXIT_OK : command_fail (invocation, EXIT_UNREACHED, "no connection in time");
}

static int
run (invocation_t *invocation)
{
    buffer_t body = { 0 };
    troupe_error_t error;
    uint64_t timeout_ms = REMOTE_PATIENCE_MS;
    if (!option_duration (invocation, "timeout", &timeout_ms))
        return EXIT_USAGE;
    int code = read_body (invocation, 2, &body);
    if (code != EXIT_OK)
        return code;
    troupe_client_call_t cast = { .to = invocation->words[0], .verb = invocation->words[1], .body = body.data,
                                  .size = body.size, .trace = option_text (invocation, "trace") };
    troupe_client_t *client = far_client (&invocation->settings, timeout_ms, &error);
    code = client ? send (invocation, client, &cast, timeout_ms)
                  : command_fail (invocation, EXIT_USAGE, "%s", error.text);
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
    .help = "On the node of --at, or of this machine. BODY is JSON; - reads it from stdin.\n",
    .options = options,
    .run = run
};
