/*  call.c - `troupe call user/42 lap '{"a": 1}'`: one call from the command line.
 *
 *  DESIGN
 *  With a session and a sequence number a call may be sent as often as one
 *  likes and runs once. So --retry without a session makes a random one: a script that
 *  says --retry gets "exactly once" through a restart of the node, without
 *  knowing how. The end of the call (not_after) is fixed before the first try,
 *  since every try must say the same.
 */
#include "commands/read_body.h"
#include "commands/remote.h"
#include "runtime/base/clock.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define PAUSE_FIRST_MS 50
#define PAUSE_MOST_MS 2000

static const option_t options[] = {
    { "session", "HEX", "16 bytes that name a session; with --seq the call runs exactly once" },
    { "seq", "N", "its number in the session, 1 or more" },
    { "not-after", "MS", "milliseconds since 1970, later than which it may not run" },
    { "retry", NULL, "try again until it is answered; makes a session when none is given" },
    { "timeout", "TIME", "how long to wait for the answer, retries included (30s)" },
    { "subject", "NAME", "who calls, as troupe_subject shows it" },
    { "trace", "TEXT", "a W3C traceparent, which goes with all that follows from the call" },
    { NULL }
};

typedef struct {
    const invocation_t *invocation;
    troupe_call_t call;
    buffer_t body;
    bool retries;
    uint64_t until_ms;  /* wall clock */
} calling_t;

/*  32 hexadecimal digits, dashes between them as in a UUID. */
static bool
read_session (const char *text, uint8_t session[16])
{
    unsigned digits = 0;
    for (; *text; text++) {
        if (*text == '-')
            continue;
        if (!isxdigit ((unsigned char) *text) || digits == 32)
            return false;
        unsigned value = (unsigned) (isdigit ((unsigned char) *text) ? *text - '0' : (*text | 32) - 'a' + 10);
        session[digits / 2] = (uint8_t) (session[digits / 2] << 4 | value);
        digits++;
    }
    return digits == 32;
}

static int
read_options (calling_t *self)
{
    const invocation_t *invocation = self->invocation;
    const char *session = option_text (invocation, "session");
    uint64_t timeout_ms = REMOTE_PATIENCE_MS;
    if (!option_number (invocation, "seq", &self->call.seq) || !option_duration (invocation, "timeout", &timeout_ms)
        || !option_number (invocation, "not-after", &self->call.not_after_ms))
        return EXIT_USAGE;
    if (session && !read_session (session, self->call.session))
        return command_fail (invocation, EXIT_USAGE, "--session: 32 hexadecimal digits are wanted, not \"%s\"",
                             session);
    if (!session != !self->call.seq)
        return command_fail (invocation, EXIT_USAGE, "--session and --seq (1 or more) belong together");
    bool is_far = *invocation->settings.at != '\0';
    if (is_far && (session || option_given (invocation, "subject") || option_given (invocation, "not-after")))
        return command_fail (invocation, EXIT_USAGE, "--session, --not-after and --subject are for the node of this "
                                                     "machine: over ZeroMQ each call has a session of its own");
    self->retries = option_given (invocation, "retry") && !is_far;
    if (self->retries && !session) {
        if (getrandom (self->call.session, sizeof self->call.session, 0) != sizeof self->call.session)
            return command_fail (invocation, EXIT_INTERNAL, "the system has no random bytes");
        self->call.seq = 1;
    }
    self->until_ms = clock_wall_ms () + timeout_ms;
    if (self->call.seq && !self->call.not_after_ms)
        self->call.not_after_ms = self->until_ms;
    self->call.to = invocation->words[0];
    self->call.verb = invocation->words[1];
    self->call.subject = option_text (invocation, "subject");
    self->call.trace = option_text (invocation, "trace");
    return EXIT_OK;
}

/*  One try. TROUPE_OK: there is an answer. */
static troupe_status_t
try_once (calling_t *self, client_t **client, client_answer_t *answer, troupe_error_t *error)
{
    uint64_t tag, now_ms = clock_wall_ms ();
    uint64_t left_ms = self->until_ms > now_ms ? self->until_ms - now_ms : 0;
    if (!*client)
        *client = client_open (&self->invocation->settings, left_ms, error);
    if (!*client)
        return error->status;
    troupe_status_t status = client_call (*client, &self->call, &tag, error);
    do {
        if (status == TROUPE_OK)
            status = client_receive (*client, answer, left_ms, error);
    } while (status == TROUPE_OK && answer->tag != tag && answer->tag != 0);
    if (status != TROUPE_OK)
        client_destroy (client);
    return status;
}

static bool
is_passing (troupe_status_t status)
{
    return status == TROUPE_OVERLOADED || status == TROUPE_STOPPING;
}

static int
end (const calling_t *self, troupe_status_t status, const client_answer_t *answer, const troupe_error_t *error)
{
    if (status != TROUPE_OK)
        return remote_fail (self->invocation, error);
    if (answer->status != TROUPE_OK)
        return remote_fail_answer (self->invocation, answer);
    return remote_print (self->invocation, answer->body, answer->size);
}

static int
call_until_answered (calling_t *self)
{
    client_t *client = NULL;
    uint64_t pause_ms = PAUSE_FIRST_MS;
    for (;;) {
        client_answer_t answer = { 0 };
        troupe_error_t error;
        troupe_status_t status = try_once (self, &client, &answer, &error);
        bool is_over = !self->retries || (status == TROUPE_OK && !is_passing (answer.status))
                       || status == TROUPE_FORBIDDEN || status == TROUPE_NO_MEMORY || status == TROUPE_TOO_LARGE;
        uint64_t wait_ms = answer.retry_after_ms > pause_ms ? answer.retry_after_ms : pause_ms;
        if (is_over || clock_wall_ms () + wait_ms >= self->until_ms) {
            int code = end (self, status, &answer, &error);
            client_destroy (&client);
            return code;
        }
        usleep ((useconds_t) (wait_ms * 1000));
        pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
    }
}

static int
run (invocation_t *invocation)
{
    calling_t self = { .invocation = invocation };
    int code = read_options (&self);
    if (code == EXIT_OK)
        code = read_body (invocation, 2, &self.body);
    self.call.body = self.body.data;
    self.call.size = self.body.size;
    if (code == EXIT_OK)
        code = call_until_answered (&self);
    buffer_clear (&self.body);
    return code;
}

const command_t command_call = {
    .name = "call",
    .words = "KIND/ID VERB [BODY]",
    .least = 2,
    .most = 3,
    .summary = "call an actor and print its reply as JSON",
    .help = "BODY is JSON; - reads it from stdin. Without --retry the call is sent once: when the connection\n"
            "breaks before the answer, it may have run or not. With --at it runs once in any case.\n",
    .reach = REACH_NODE,
    .options = options,
    .run = run
};
