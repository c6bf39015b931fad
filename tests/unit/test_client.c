/*  test_client.c - a client without a socket, against the node's own reader and writers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/zmq/client_core.h"

#define EPOCH "5f3a09c1"
#define AHEAD_MS 1000000  /* the node's clock */

static core_t core;
static buffer_t node;            /* what the node says */
static binary_routes_t routes;
static binary_reader_t reader;
static client_message_t said[32];
static unsigned said_count;
static uint64_t now_ms;
static troupe_error_t error;

/* ---- what was told ---- */

typedef struct {
    unsigned count;
    troupe_status_t status;
    char text[128];
} outcome_t;

/*  They outlive a test that ends before its calls do. */
static outcome_t outcomes[4], outcome;

static void
note_outcome (void *arg, const troupe_answer_t *answer)
{
    outcome_t *self = arg;
    self->count += 1;
    self->status = answer->status;
    snprintf (self->text, sizeof self->text, "%s%.*s", answer->text, (int) answer->size,
              answer->size ? (const char *) answer->body : "");
}

typedef struct {
    unsigned count;
    troupe_heard_type_t type;
    troupe_status_t status;
    char token[64], key[64];
} heard_t;

static void
note_event (void *arg, const troupe_heard_event_t *event)
{
    heard_t *self = arg;
    self->count += 1;
    self->type = event->type;
    self->status = event->answer->status;
    snprintf (self->token, sizeof self->token, "%s", event->token);
    snprintf (self->key, sizeof self->key, "%s", event->key);
}

/* ---- both sides ---- */

static int
set_up (void **state)
{
    (void) state;
    troupe_client_options_t options = { .token = "", .name = "test", .timeout_ms = 30000 };
    assert_true (core_init (&core, &options));
    now_ms = 5000;
    memset (outcomes, 0, sizeof outcomes);
    outcome = (outcome_t) { 0 };
    core_connected (&core, now_ms);
    return 0;
}

static int
tear_down (void **state)
{
    (void) state;
    core_clear (&core);
    buffer_clear (&node);
    binary_routes_clear (&routes);
    binary_close (&reader);
    return 0;
}

/*  Reads all that the client has to say. Returns how many messages they are. */
static unsigned
listen (void)
{
    troupe_status_t status;
    core_fill (&core, now_ms);
    said_count = 0;
    if (core.out.size == 0)
        return 0;
    binary_open (&reader, &routes, core.out.data, core.out.size);
    while ((status = binary_next (&reader, &said[said_count], &error)) == TROUPE_OK)
        said_count += 1;
    assert_int_equal (status, TROUPE_NOT_FOUND);
    buffer_reset (&core.out);
    return said_count;
}

static void
deliver (void)
{
    core_received (&core, node.data, node.size, now_ms);
    buffer_reset (&node);
}

static void
welcome_as (session_state_t session)
{
    welcome_t welcome = { .epoch = EPOCH, .subject = "", .now_ms = now_ms + AHEAD_MS, .session = session,
                          .limits = { .message_bytes = 4096, .in_flight = 3, .watches = 8, .keep_ms = 60000 } };
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].type, CLIENT_HELLO);
    records_codec.welcome (&node, &welcome);
    deliver ();
}

static void
call (const char *to, const char *verb, outcome_t *told)
{
    troupe_client_call_t call = { .to = to, .verb = verb, .body = "\x07", .size = 1,
                                  .done = told ? note_outcome : NULL, .arg = told };
    assert_int_equal (core_submit (&core, &call, now_ms, &error), TROUPE_OK);
}

static void
refuse (uint64_t seq, troupe_status_t status, uint32_t retry_after_ms)
{
    records_codec.error (&node, ERROR_CALL, seq, status, "why", retry_after_ms);
    deliver ();
}

static void
reconnect (void)
{
    core_lost (&core, "test");
    assert_true (core.wants_connection);
    now_ms += 100;
    core_connected (&core, now_ms);
    binary_routes_clear (&routes);
}

/* ---- calls ---- */

static void
hello_has_credit_session_and_name (void **state)
{
    (void) state;
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].type, CLIENT_HELLO);
    assert_int_equal (said[0].number, 1);
    assert_int_equal (said[0].credit, CORE_CREDIT);
    assert_true (said[0].has_session);
    assert_memory_equal (said[0].session, core.session, SESSION_SIZE);
    assert_string_equal (said[0].client, "test");
    assert_string_equal (said[0].epoch, "");
    assert_int_equal (listen (), 0);
}

static void
calls_wait_for_the_welcome_and_for_room (void **state)
{
    (void) state;
    for (int i = 0; i < 4; i++)
        call ("runner/anna", "lap", &outcomes[i]);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal (said[i].type, CLIENT_CALL);
        assert_string_equal (said[i].to, "runner/anna");
        assert_string_equal (said[i].verb, "lap");
        assert_int_equal (said[i].number, i + 1);
        assert_int_equal (said[i].until_ms, now_ms + AHEAD_MS + 30000);
    }
    records_codec.reply (&node, 2, "\x2a", 1);
    deliver ();
    assert_int_equal (outcomes[1].count, 1);
    assert_int_equal (outcomes[1].status, TROUPE_OK);
    assert_string_equal (outcomes[1].text, "*");
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].number, 4);
}

static void
another_connection_says_unanswered_calls_as_they_were (void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++)
        call ("runner/anna", "lap", &outcomes[i]);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 3);
    uint64_t until_ms = said[0].until_ms;
    records_codec.reply (&node, 2, NULL, 0);
    deliver ();
    reconnect ();
    welcome_as (SESSION_OK);
    assert_string_equal (said[0].epoch, EPOCH);
    assert_int_equal (listen (), 2);
    assert_int_equal (said[0].number, 1);
    assert_int_equal (said[1].number, 3);
    assert_int_equal (said[0].until_ms, until_ms);
    records_codec.reply (&node, 1, NULL, 0);
    records_codec.reply (&node, 1, NULL, 0);  /* its twin's */
    deliver ();
    assert_int_equal (outcomes[0].count, 1);
}

static void
a_call_that_is_not_accepted_waits_and_none_overtakes_it (void **state)
{
    (void) state;
    for (int i = 0; i < 3; i++)
        call ("runner/anna", "lap", &outcomes[i]);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 3);
    refuse (1, TROUPE_OVERLOADED, 500);
    refuse (2, TROUPE_OVERLOADED, 0);
    now_ms += 400;
    assert_int_equal (listen (), 0);
    assert_int_equal (core_wait_ms (&core, now_ms), 100);
    now_ms += 100;
    assert_int_equal (listen (), 2);
    assert_int_equal (said[0].number, 1);
    assert_int_equal (said[1].number, 2);
    refuse (1, TROUPE_OVERLOADED, 100);
    refuse (2, TROUPE_OVERLOADED, 300);
    now_ms += 100;
    assert_int_equal (listen (), 1);
    assert_int_equal (core_wait_ms (&core, now_ms), 200);
    refuse (3, TROUPE_REFUSED, 0);
    assert_int_equal (outcomes[2].status, TROUPE_REFUSED);
    assert_string_equal (outcomes[2].text, "why");
    assert_int_equal (outcomes[0].count, 0);
}

static void
another_epoch_ends_what_was_sent_and_renumbers_the_rest (void **state)
{
    (void) state;
    outcome_t *sent = &outcomes[0], *fresh = &outcomes[1];
    call ("runner/anna", "lap", sent);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    reconnect ();
    call ("runner/anna", "lap", fresh);
    welcome_as (SESSION_NEW);
    assert_int_equal (sent->status, TROUPE_UNKNOWN);
    assert_int_equal (fresh->count, 0);
    assert_true (core.wants_connection);
    core_connected (&core, now_ms);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].number, 1);
    records_codec.reply (&node, 1, NULL, 0);
    deliver ();
    assert_int_equal (fresh->count, 1);
}

static void
call_again (void *arg, const troupe_answer_t *answer)
{
    note_outcome (arg, answer);
    call ("runner/anna", "again", &outcomes[3]);
}

static void
a_call_made_while_another_epoch_is_told_comes_behind_the_rest (void **state)
{
    (void) state;
    troupe_client_call_t first = { .to = "runner/anna", .verb = "lap", .done = call_again, .arg = &outcomes[0] };
    assert_int_equal (core_submit (&core, &first, now_ms, &error), TROUPE_OK);
    call ("runner/anna", "lap", &outcomes[1]);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 2);
    reconnect ();
    call ("runner/anna", "fresh", &outcomes[2]);
    welcome_as (SESSION_NEW);
    assert_int_equal (outcomes[0].status, TROUPE_UNKNOWN);
    assert_int_equal (outcomes[1].status, TROUPE_UNKNOWN);
    core_connected (&core, now_ms);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 2);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        assert_int_equal (said[seq - 1].number, seq);
        records_codec.reply (&node, seq, NULL, 0);
        deliver ();
        assert_int_equal (outcomes[1 + seq].count, 1);
    }
    for (int i = 0; i < 200; i++)  /* the table grows: each call stands in it once */
        call ("runner/anna", "lap", NULL);
    records_codec.reply (&node, 2, NULL, 0);
    deliver ();
    assert_int_equal (outcomes[3].count, 1);
}

static void
a_call_ends_when_its_time_is_over (void **state)
{
    (void) state;
    call ("runner/anna", "lap", &outcome);
    core_lost (&core, "nobody answers there");
    now_ms += 29999;
    core_tick (&core, now_ms);
    assert_int_equal (outcome.count, 0);
    now_ms += 1;
    core_tick (&core, now_ms);
    assert_int_equal (outcome.status, TROUPE_TIMEOUT);
    assert_string_equal (outcome.text, "no connection in time: nobody answers there");
}

static void
casts_keep_their_place_and_are_said_once (void **state)
{
    (void) state;
    call ("runner/anna", "lap", &outcome);
    call ("runner/anna", "note", NULL);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 2);
    assert_int_equal (said[0].type, CLIENT_CALL);
    assert_int_equal (said[1].type, CLIENT_CAST);
    assert_string_equal (said[1].verb, "note");
    reconnect ();
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].type, CLIENT_CALL);
}

static void
what_the_node_would_not_take_is_not_said (void **state)
{
    (void) state;
    static char large[5000] = { (char) 0xc5, 0x13, (char) 0x80 };
    troupe_client_call_t call = { .to = "runner/anna", .verb = "lap", .body = large, .size = sizeof large,
                                  .done = note_outcome, .arg = &outcome };
    assert_int_equal (core_submit (&core, &call, now_ms, &error), TROUPE_OK);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 0);
    assert_int_equal (outcome.status, TROUPE_TOO_LARGE);
    call.to = "runner";
    assert_int_equal (core_submit (&core, &call, now_ms, &error), TROUPE_INVALID);
}

static void
routes_that_share_a_place_are_said_anew (void **state)
{
    (void) state;
    char to[32];
    welcome_as (SESSION_OK);
    for (uint64_t seq = 1; seq <= 3000; seq++) {
        snprintf (to, sizeof to, "runner/%llu", (unsigned long long) seq % 1500);
        call (to, "lap", &outcome);
        assert_int_equal (listen (), 1);
        assert_string_equal (said[0].to, to);
        records_codec.reply (&node, seq, NULL, 0);
        deliver ();
    }
    assert_int_equal (outcome.count, 3000);
}

/* ---- the connection ---- */

static void
credit_is_given_back (void **state)
{
    (void) state;
    welcome_as (SESSION_OK);
    uint64_t count = 0;
    for (; count < 10000 && listen () == 0; count++) {
        records_codec.pong (&node, 1, 0);
        deliver ();
    }
    assert_int_equal (said[0].type, CLIENT_CREDIT);
    assert_true (said[0].number >= CORE_CREDIT / 2 && said[0].number < CORE_CREDIT);
}

static void
silence_is_asked_and_then_ends_the_connection (void **state)
{
    (void) state;
    welcome_as (SESSION_OK);
    assert_int_equal (core_wait_ms (&core, now_ms), CORE_PING_MS);
    now_ms += CORE_PING_MS - 1;
    records_codec.pong (&node, 1, 0);  /* who only hears must speak, too */
    deliver ();
    now_ms += 1;
    core_tick (&core, now_ms);
    assert_int_equal (core_wait_ms (&core, now_ms), CORE_PATIENCE_MS);
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].type, CLIENT_PING);
    now_ms += CORE_PATIENCE_MS - 1;
    core_tick (&core, now_ms);
    assert_false (core.wants_connection);
    now_ms += 1;
    core_tick (&core, now_ms);
    assert_true (core.wants_connection);
}

static void
a_bad_token_ends_everything_until_there_is_another (void **state)
{
    (void) state;
    heard_t heard = { 0 };
    call ("runner/anna", "lap", &outcome);
    troupe_watch_t *watch = core_watch (&core, "runner/anna/live", NULL, note_event, &heard, &error);
    assert_int_equal (listen (), 1);
    records_codec.error (&node, ERROR_PROTOCOL, 0, TROUPE_FORBIDDEN, "token", 0);
    deliver ();
    assert_int_equal (outcome.status, TROUPE_FORBIDDEN);  /* it was not sent */
    assert_int_equal (heard.type, TROUPE_HEARD_END);
    assert_int_equal (heard.status, TROUPE_FORBIDDEN);
    core_unwatch (&core, watch);
    assert_int_equal (core_submit (&core, &(troupe_client_call_t) { .to = "a/b", .verb = "c" }, now_ms, &error),
                      TROUPE_FORBIDDEN);
    assert_int_equal (core_token (&core, "better", &error), TROUPE_OK);
    assert_true (core.wants_connection);
    core_connected (&core, now_ms);
    assert_int_equal (listen (), 1);
    assert_string_equal (said[0].token, "better");
}

static void
say_that_the_token_has_ended (void)
{
    records_codec.error (&node, ERROR_PROTOCOL, 0, TROUPE_FORBIDDEN, "token", 0);
    deliver ();
}

static void
what_was_sent_before_a_token_ended_may_have_run (void **state)
{
    (void) state;
    welcome_as (SESSION_OK);
    call ("runner/anna", "lap", &outcome);
    assert_true (listen () > 0);
    say_that_the_token_has_ended ();
    assert_int_equal (outcome.status, TROUPE_UNKNOWN);
}

static void
an_api_key_comes_again_after_each_end (void **state)
{
    (void) state;
    assert_int_equal (core_token (&core, "trp_key_x", &error), TROUPE_OK);
    core_connected (&core, now_ms);
    welcome_as (SESSION_OK);
    call ("runner/anna", "lap", &outcome);
    (void) listen ();
    say_that_the_token_has_ended ();
    assert_int_equal (outcome.count, 0);
    assert_true (core.wants_connection);
    core_connected (&core, now_ms);
    assert_int_equal (listen (), 1);
    assert_string_equal (said[0].token, "trp_key_x");
    say_that_the_token_has_ended ();  /* it was removed */
    assert_int_equal (outcome.status, TROUPE_UNKNOWN);
    assert_false (core.wants_connection);
}

static void
a_token_given_before_the_welcome_is_told_behind_it (void **state)
{
    (void) state;
    assert_int_equal (core_token (&core, "better", &error), TROUPE_OK);
    welcome_as (SESSION_OK);
    assert_string_equal (said[0].token, "");
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].type, CLIENT_TOKEN);
    assert_string_equal (said[0].token, "better");
    assert_int_equal (listen (), 0);
    assert_int_equal (core_token (&core, "best", &error), TROUPE_OK);
    say_that_the_token_has_ended ();  /* the one before; both were on their way */
    assert_true (core.wants_connection);
}

static void
what_is_no_message_ends_the_connection (void **state)
{
    (void) state;
    static const char *const bad[] = { "\x05", "\x82", "\x82\x01\x05\x01", "\x83\x05\x01", "\xff" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        welcome_as (SESSION_OK);
        core_received (&core, bad[i], strlen (bad[i]), now_ms);
        assert_true (core.wants_connection);
        core_connected (&core, now_ms);
    }
}

/* ---- watches ---- */

static void
watches_go_on_where_they_were (void **state)
{
    (void) state;
    heard_t heard = { 0 };
    assert_non_null (core_watch (&core, "runner/anna/live", "start", note_event, &heard, &error));
    assert_null (core_watch (&core, "runner/anna/live", NULL, note_event, &heard, &error));
    assert_null (core_watch (&core, "runner", NULL, note_event, &heard, &error));
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].type, CLIENT_WATCH);
    assert_string_equal (said[0].from, "start");
    records_codec.watching (&node, EPOCH, said[0].number, 17, 1, false);
    records_codec.event (&node, EPOCH, 17, 1, NULL, "\x01", 1);
    records_codec.event (&node, EPOCH, 17, 2, "key", "\x02", 1);
    records_codec.event (&node, EPOCH, 18, 9, NULL, "\x02", 1);  /* of nobody's */
    deliver ();
    assert_int_equal (heard.count, 2);
    assert_string_equal (heard.token, EPOCH "-2");
    assert_string_equal (heard.key, "key");
    records_codec.cut (&node, 17, "slow", EPOCH "-2");
    deliver ();
    assert_int_equal (listen (), 1);
    assert_string_equal (said[0].from, EPOCH "-2");
    reconnect ();
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    assert_string_equal (said[0].from, EPOCH "-2");
    records_codec.watching (&node, EPOCH, said[0].number, 3, 9, true);
    deliver ();
    assert_int_equal (heard.type, TROUPE_HEARD_GAP);
    records_codec.snapshot (&node, EPOCH, 3, 8, "\x08", 1);
    deliver ();
    assert_int_equal (heard.type, TROUPE_HEARD_SNAPSHOT);
    assert_string_equal (heard.token, EPOCH "-8");
    records_codec.cut (&node, 3, "forbidden", EPOCH "-8");
    deliver ();
    assert_int_equal (heard.type, TROUPE_HEARD_END);
    assert_int_equal (heard.status, TROUPE_FORBIDDEN);
}

static void
a_watch_of_what_comes_begins_where_it_stood (void **state)
{
    (void) state;
    heard_t heard = { 0 };
    assert_non_null (core_watch (&core, "runner/anna/live", NULL, note_event, &heard, &error));
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    assert_string_equal (said[0].from, "");
    records_codec.watching (&node, EPOCH, said[0].number, 17, 5, false);
    deliver ();
    reconnect ();
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    assert_string_equal (said[0].from, EPOCH "-4");
}

static void
who_leaves_hears_nothing_more_and_may_come_again (void **state)
{
    (void) state;
    heard_t first = { 0 }, second = { 0 };
    troupe_watch_t *watch = core_watch (&core, "runner/anna/live", NULL, note_event, &first, &error);
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    uint64_t id = said[0].number;
    core_unwatch (&core, watch);  /* before it stands */
    assert_non_null (core_watch (&core, "runner/anna/live", NULL, note_event, &second, &error));
    assert_int_equal (listen (), 0);
    records_codec.watching (&node, EPOCH, id, 17, 5, false);
    records_codec.event (&node, EPOCH, 17, 5, NULL, "\x01", 1);
    deliver ();
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].type, CLIENT_UNWATCH);
    assert_int_equal (said[0].number, 17);
    records_codec.unwatched (&node, 17);
    deliver ();
    assert_int_equal (listen (), 1);
    assert_int_equal (said[0].type, CLIENT_WATCH);
    records_codec.watching (&node, EPOCH, said[0].number, 18, 6, false);
    records_codec.event (&node, EPOCH, 18, 6, NULL, "\x01", 1);
    deliver ();
    assert_int_equal (first.count, 0);
    assert_int_equal (second.count, 1);
}

static void
a_watch_that_is_not_accepted_is_asked_for_later (void **state)
{
    (void) state;
    heard_t heard = { 0 };
    assert_non_null (core_watch (&core, "runner/anna/live", "start", note_event, &heard, &error));
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 1);
    records_codec.error (&node, ERROR_WATCH, said[0].number, TROUPE_OVERLOADED, "", 0);
    deliver ();
    assert_int_equal (listen (), 0);
    assert_int_equal (core_wait_ms (&core, now_ms), 1000);
    assert_non_null (core_watch (&core, "runner/bert/live", "start", note_event, &heard, &error));
    assert_int_equal (listen (), 1);  /* another does not wait for it */
    assert_string_equal (said[0].to, "runner/bert/live");
    now_ms += 1000;
    assert_int_equal (core_wait_ms (&core, now_ms), 0);
    assert_int_equal (listen (), 1);
    assert_string_equal (said[0].to, "runner/anna/live");
    assert_int_equal (core_wait_ms (&core, now_ms), CORE_PING_MS - 1000);
    records_codec.error (&node, ERROR_WATCH, said[0].number, TROUPE_OVERLOADED, "", 2000);
    deliver ();
    assert_int_equal (listen (), 0);
    now_ms += 1999;
    assert_int_equal (listen (), 0);
    assert_int_equal (heard.count, 0);
    reconnect ();
    welcome_as (SESSION_OK);
    assert_int_equal (listen (), 2);  /* another node is asked at once */
    records_codec.error (&node, ERROR_WATCH, said[0].number, TROUPE_NOT_FOUND, "no such channel", 0);
    deliver ();
    assert_int_equal (heard.type, TROUPE_HEARD_END);
    assert_int_equal (heard.status, TROUPE_NOT_FOUND);
}

static void
without_memory_nothing_is_lost (void **state)
{
    (void) state;
    troupe_client_call_t one = { .to = "runner/anna", .verb = "lap", .done = note_outcome, .arg = &outcome };
    welcome_as (SESSION_OK);
    for (uint64_t allocations = 1; core.calls.count == 0; allocations++) {
        memory_fail_after (allocations);
        (void) !core_submit (&core, &one, now_ms, &error);
        memory_fail_after (0);
    }
    buffer_clear (&core.out);
    memory_fail_after (1);
    core_fill (&core, now_ms);
    memory_fail_after (0);
    if (core.wants_connection) {
        core_connected (&core, now_ms);
        binary_routes_clear (&routes);
        welcome_as (SESSION_OK);
    }
    assert_int_equal (listen (), 1);
    records_codec.reply (&node, 1, NULL, 0);
    deliver ();
    assert_int_equal (outcome.count, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (hello_has_credit_session_and_name),
        CASE (calls_wait_for_the_welcome_and_for_room),
        CASE (another_connection_says_unanswered_calls_as_they_were),
        CASE (a_call_that_is_not_accepted_waits_and_none_overtakes_it),
        CASE (another_epoch_ends_what_was_sent_and_renumbers_the_rest),
        CASE (a_call_made_while_another_epoch_is_told_comes_behind_the_rest),
        CASE (a_call_ends_when_its_time_is_over),
        CASE (casts_keep_their_place_and_are_said_once),
        CASE (what_the_node_would_not_take_is_not_said),
        CASE (routes_that_share_a_place_are_said_anew),
        CASE (credit_is_given_back),
        CASE (silence_is_asked_and_then_ends_the_connection),
        CASE (a_bad_token_ends_everything_until_there_is_another),
        CASE (what_was_sent_before_a_token_ended_may_have_run),
        CASE (an_api_key_comes_again_after_each_end),
        CASE (a_token_given_before_the_welcome_is_told_behind_it),
        CASE (what_is_no_message_ends_the_connection),
        CASE (watches_go_on_where_they_were),
        CASE (a_watch_of_what_comes_begins_where_it_stood),
        CASE (a_watch_that_is_not_accepted_is_asked_for_later),
        CASE (who_leaves_hears_nothing_more_and_may_come_again),
        CASE (without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
