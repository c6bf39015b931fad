/*  fuzz_client.c - what a node says to a client, from a stranger that took its place. */
#include "runtime/base/error.h"
#include "transports/zmq/client_core.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static unsigned outcomes;

static void
note_outcome (void *arg, const troupe_answer_t *answer)
{
    (void) arg;
    CHECK (answer->status < TROUPE_STATUSES && answer->text);
    outcomes += 1;
}

static void
note_event (void *arg, const troupe_heard_event_t *event)
{
    (void) arg;
    CHECK (event->type <= TROUPE_HEARD_END && event->key && strlen (event->token) <= RESUME_MAX);
}

/*  It is welcome before it hears them, or not, as the first byte says. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    core_t core;
    troupe_error_t error;
    troupe_client_call_t call = { .to = "runner/anna", .verb = "lap", .done = note_outcome };
    if (size == 0 || !core_init (&core, &(troupe_client_options_t) { .token = "", .name = "", .timeout_ms = 1000 }))
        return 0;
    outcomes = 0;
    core_connected (&core, 1);
    CHECK (core_submit (&core, &call, 1, &error) == TROUPE_OK && core_submit (&core, &call, 1, &error) == TROUPE_OK);
    CHECK (core_watch (&core, "runner/anna/live", "start", note_event, NULL, &error));
    if (data[0] & 1) {
        buffer_t node = { 0 };
        records_codec.welcome (&node, &(welcome_t) { .epoch = "e", .subject = "", .limits = { 4096, 8, 8, 1000 } });
        core_received (&core, node.data, node.size, 1);
        buffer_clear (&node);
        core_fill (&core, 1);
    }
    core_received (&core, data + 1, size - 1, 2);
    core_fill (&core, 60);
    core_tick (&core, 2000);
    core_connected (&core, 2000);
    core_clear (&core);
    CHECK (outcomes == 2);
    return 0;
}
