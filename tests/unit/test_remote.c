/*  test_remote.c - turns that workers outside of the process make. */

#include "runtime/remote.h"
#include "runtime/body/packed.h"
#include "tests/unit/hand.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OFFERS_MAX 64

/* ---- a port that a test plays the worker of ---- */

typedef struct {
    char address[64], verb[32], sender[64], caller[TROUPE_CALLER_MAX];
    remote_what_t what;
    remote_token_t token;
    uint32_t attempt, kind_version, state_version;
    uint64_t version, id, asked;
    bool has_state;
    uint8_t state[4096], body[256];
    size_t state_size, size;
} offered_t;

static struct {
    hand_t hand;
    remote_port_t port;
    remote_table_t *tables[8];
    uint32_t table_count;
    offered_t offers[OFFERS_MAX];
    uint32_t count, room, withdrawn, kept, dropped;
    uint64_t held;      /* version that the worker has */
    uint64_t settled;   /* the newest version that the port was told */
    bool was_begun;     /* what withdraw says */
} test;

static bool
holds (void *self, const char *kind, const char *address, uint64_t version)
{
    (void) self;
    assert_string_equal (kind, "wallet");
    assert_non_null (address);
    return test.held == version;
}

static bool
offer (void *self, const remote_offer_t *offer, remote_token_t *token)
{
    (void) self;
    if (test.room == 0)
        return false;
    test.room -= 1;
    assert_true (test.count < OFFERS_MAX);
    offered_t *to = &test.offers[test.count++];
    memset (token, 0, sizeof *token);
    memcpy (token->bytes, &test.count, sizeof test.count);
    snprintf (to->address, sizeof to->address, "%s", offer->address);
    snprintf (to->verb, sizeof to->verb, "%s", offer->verb);
    snprintf (to->sender, sizeof to->sender, "%s", offer->sender);
    snprintf (to->caller, sizeof to->caller, "%s", offer->caller);
    to->what = offer->what;
    to->token = *token;
    to->attempt = offer->attempt;
    to->kind_version = offer->kind_version;
    to->state_version = offer->state_version;
    to->version = offer->version;
    to->id = offer->id;
    to->asked = offer->asked;
    to->has_state = offer->has_state;
    to->state_size = offer->state_size;
    to->size = offer->size;
    if (offer->state_size)
        memcpy (to->state, offer->state, offer->state_size);
    if (offer->size)
        memcpy (to->body, offer->body, offer->size);
    return true;
}

static bool
withdraw (void *self, const char *address, const remote_token_t *token)
{
    (void) self;
    (void) address;
    (void) token;
    test.withdrawn += 1;
    return test.was_begun;
}

static void
settled (void *self, const char *address, const remote_token_t *token, bool is_kept, uint64_t version)
{
    (void) self;
    (void) address;
    (void) token;
    test.settled = version;
    test.kept += is_kept;
    test.dropped += !is_kept;
}

/* ---- the kinds ---- */

static const char table_of_wallet[] =
    "{\"kind\": \"wallet\", \"version\": %u, \"attempt_ms\": 5000, \"verbs\": [{\"name\": \"add\"}, "
    "{\"name\": \"see\", \"reads\": true}, {\"name\": \"heard\"}%s], "
    "\"channels\": [{\"name\": \"moves\", \"keep\": 10}, {\"name\": \"guarded\", \"allow\": \"decides\", "
    "\"permit\": \"see\", \"presence\": \"list\"}]}";

static remote_table_t *
read_table (const char *text, troupe_error_t *error)
{
    size_t size;
    void *packed = troupe_pack_json (text, strlen (text), &size, NULL);
    assert_non_null (packed);
    remote_table_t *table = remote_table_read (packed, size, error);
    free (packed);
    return table;
}

static void
add_table (registry_t *registry, uint32_t version, const char *more)
{
    char text[1000];
    troupe_error_t error = { TROUPE_OK, "" };
    snprintf (text, sizeof text, table_of_wallet, version, more);
    remote_table_t *table = read_table (text, &error);
    assert_non_null (table);
    test.tables[test.table_count++] = table;
    assert_int_equal (registry_add_remote (registry, &table->kind, table->attempt_ms, &error), TROUPE_OK);
}

static int told;

static troupe_status_t
on_hear (troupe_turn_t *turn)
{
    told += 1;
    return troupe_reply (turn, "{s:s}", "from", troupe_sender (turn));
}

static troupe_status_t
on_poke (troupe_turn_t *turn)
{
    return troupe_tell (turn, "wallet/a", "add", "{s:i}", "n", 1);
}

static const troupe_verb_t local_verbs[] = { { "hear", on_hear }, { "poke", on_poke }, { NULL } };
static const troupe_kind_t local = { "local", .version = 1, .verbs = local_verbs };
static const troupe_kind_t *const kinds[] = { &local, NULL };

static int
setup (void **state)
{
    (void) state;
    memset (&test, 0, sizeof test);
    told = 0;
    test.port = (remote_port_t) { NULL, holds, offer, withdraw, settled };
    test.room = OFFERS_MAX;
    test.was_begun = true;
    test.hand.remote = &test.port;
    hand_start (&test.hand, kinds);
    add_table (test.hand.registry, 1, "");
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    hand_stop (&test.hand);
    while (test.table_count)
        remote_table_destroy (&test.tables[--test.table_count]);
    return 0;
}

/* ---- the worker ---- */

static void
hand_in (const offered_t *offered, remote_end_t end, troupe_status_t status, const char *text, const buffer_t *effects)
{
    remote_outcome_t outcome = { end, status, text, effects ? effects->data : NULL, effects ? effects->size : 0 };
    remote_letter_t *letter = remote_letter_new (offered->address, &offered->token, &outcome);
    assert_non_null (letter);
    shard_post (hand_shard_of (&test.hand, offered->address), &letter->letter);
    hand_run (&test.hand);
}

/*  Effects by the format of a body. */
static void
finish (const offered_t *offered, const char *format, ...)
{
    buffer_t effects = { 0 };
    va_list arguments;
    va_start (arguments, format);
    assert_int_equal (pack_append (&effects, NULL, format, arguments), TROUPE_OK);
    va_end (arguments);
    hand_in (offered, REMOTE_DONE, TROUPE_OK, "", &effects);
    buffer_clear (&effects);
}

static const offered_t *
newest (void)
{
    assert_true (test.count > 0);
    return &test.offers[test.count - 1];
}

/*  A value of the offered state; "" when absent. */
static const char *
state_of (const offered_t *offered, const char *key)
{
    static char text[64];
    packed_reader_t found;
    packed_value_t value;
    text[0] = 0;
    assert_true (offered->has_state);
    if (packed_find (offered->state, offered->state_size, key, &found)) {
        assert_true (packed_next (&found, &value));
        assert_int_equal (value.type, PACKED_BYTES);
        snprintf (text, sizeof text, "%.*s", (int) value.string.size, (const char *) value.string.bytes);
    }
    return text;
}

static uint64_t
stale (void)
{
    uint64_t count = 0;
    for (int i = 0; i < HAND_SHARDS; i++)
        count += counter_get (&shard_metrics (test.hand.shards[i])->stale);
    return count;
}

/* ---- tests ---- */

static void
remote_call_is_answered_when_its_turn_is_durable (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&test.hand, &answer, "wallet/a", "add", "{s:i}", "n", 7);
    assert_int_equal (test.count, 1);
    assert_int_equal (newest ()->what, REMOTE_CALL);
    assert_int_equal (newest ()->state_version, 0);
    assert_true (newest ()->has_state);
    finish (newest (), "[[s,s,r#],[s,{s:i}]]", "store", "n", "seven", (size_t) 5, "reply", "n", 7);
    assert_int_equal (answer.status, TROUPE_STATUSES);
    hand_commit (&test.hand);
    int n = 0;
    assert_int_equal (answer.status, TROUPE_OK);
    assert_true (hand_read (&answer, "{s:i}", "n", &n));
    assert_int_equal (n, 7);
    assert_int_equal (test.kept, 1);
    hand_call (&test.hand, NULL, "wallet/a", "see", NULL);
    assert_string_equal (state_of (newest (), "n"), "seven");
    assert_int_equal (newest ()->version, test.settled);
    assert_int_equal (newest ()->state_version, 1);
}

static void
remote_state_is_left_out_when_the_worker_has_it (void **state)
{
    (void) state;
    hand_call (&test.hand, NULL, "wallet/a", "add", NULL);
    finish (newest (), "[[s,s,s]]", "store", "n", "one");
    test.held = test.settled;
    hand_commit (&test.hand);
    hand_call (&test.hand, NULL, "wallet/a", "see", NULL);
    assert_false (newest ()->has_state);
    hand_in (newest (), REMOTE_STATELESS, TROUPE_OK, "", NULL);
    assert_int_equal (test.count, 3);
    assert_int_equal (newest ()->attempt, 1);
    assert_string_equal (state_of (newest (), "n"), "one");
}

static void
remote_message_is_offered_when_all_it_shows_is_durable (void **state)
{
    (void) state;
    hand_call (&test.hand, NULL, "wallet/a", "add", NULL);
    finish (newest (), "[[s,s,s]]", "store", "n", "one");
    hand_call (&test.hand, NULL, "wallet/a", "see", NULL);
    assert_int_equal (test.count, 1);  /* the state that it would see may be lost */
    hand_commit (&test.hand);
    assert_int_equal (test.count, 2);
    hand_crash (&test.hand);
    hand_call (&test.hand, NULL, "local/x", "poke", NULL);
    hand_run (&test.hand);
    assert_int_equal (test.count, 2);  /* the message itself may be lost */
    hand_commit (&test.hand);
    assert_int_equal (test.count, 3);
    assert_string_equal (newest ()->sender, "local/x");
}

static void
remote_token_is_good_for_one_outcome (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&test.hand, &answer, "wallet/a", "add", NULL);
    offered_t first = *newest (), wrong = first;
    wrong.token.bytes[15] = 1;
    finish (&wrong, "[[s,s]]", "reply", "no");
    assert_int_equal (stale (), 1);
    finish (&first, "[[s,s,s]]", "append", "n", "x");
    finish (&first, "[[s,s,s]]", "append", "n", "x");
    assert_int_equal (stale (), 2);
    hand_commit (&test.hand);
    assert_int_equal (answer.answers, 1);
    hand_call (&test.hand, NULL, "wallet/a", "see", NULL);
    finish (&first, "[[s,s,s]]", "append", "n", "x");  /* the next message is away, with another token */
    assert_string_equal (state_of (newest (), "n"), "x");
    assert_int_equal (stale (), 3);
}

static void
remote_mail_queues_in_order_while_one_is_away (void **state)
{
    (void) state;
    hand_answer_t answers[3];
    for (int i = 0; i < 3; i++)
        hand_call (&test.hand, &answers[i], "wallet/a", "add", "{s:i}", "n", i);
    assert_int_equal (test.count, 1);
    for (int i = 0; i < 3; i++) {
        int n = -1;
        assert_int_equal (test.count, i + 1);
        hand_answer_t body = { .size = newest ()->size };
        memcpy (body.body, newest ()->body, body.size);
        assert_true (hand_read (&body, "{s:i}", "n", &n));
        assert_int_equal (n, i);
        finish (newest (), "[[s,s,s]]", "append", "n", "x");
        hand_commit (&test.hand);
        assert_int_equal (answers[i].status, TROUPE_OK);
    }
}

static void
remote_lost_message_is_tried_again_and_given_up_in_the_end (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_session_call (&test.hand, &answer, 5, 1, "wallet/a", "add", NULL);
    uint64_t id = newest ()->id;
    test.held = newest ()->version;
    for (uint32_t i = 1; i <= 8; i++) {
        assert_int_equal (test.count, i);
        assert_int_equal (newest ()->attempt, i);
        assert_int_equal (newest ()->id, id);
        assert_true (newest ()->has_state);  /* after a loss it goes along, whatever the port has */
        hand_in (newest (), REMOTE_LOST, TROUPE_OK, "", NULL);
        hand_commit (&test.hand);
        hand_advance (&test.hand, 7000);
    }
    hand_commit (&test.hand);
    assert_int_equal (answer.status, TROUPE_FAILED);
    assert_string_equal (answer.text, "its worker was lost");
    buffer_t dead = { 0 };
    packed_value_t list;
    troupe_error_t error;
    assert_int_equal (shard_dead_list (hand_shard_of (&test.hand, "wallet/a"), 0, 10, &dead, &error), TROUPE_OK);
    packed_reader_t reader = { dead.data, dead.data + dead.size };
    assert_true (packed_next (&reader, &list));
    assert_int_equal (list.count, 1);
    buffer_clear (&dead);
}

static void
remote_attempt_over_its_time_is_lost (void **state)
{
    (void) state;
    hand_call (&test.hand, NULL, "wallet/a", "add", NULL);
    hand_advance (&test.hand, 4000);
    assert_int_equal (test.withdrawn, 0);
    hand_advance (&test.hand, 1100);
    assert_int_equal (test.withdrawn, 1);
    finish (&test.offers[0], "[[s,s,s]]", "store", "n", "late");
    assert_int_equal (stale (), 1);
    hand_advance (&test.hand, 100);
    hand_commit (&test.hand);
    assert_int_equal (test.count, 2);
    assert_int_equal (newest ()->attempt, 2);
    test.was_begun = false;  /* nobody is to blame when it only waited for a worker */
    hand_advance (&test.hand, 6000);
    assert_int_equal (test.count, 3);
    assert_int_equal (newest ()->attempt, 2);
}

static void
remote_waits_for_room_until_the_port_is_ready (void **state)
{
    (void) state;
    test.room = 0;
    hand_call (&test.hand, NULL, "wallet/{k}1", "add", NULL);
    hand_call (&test.hand, NULL, "wallet/{k}2", "add", NULL);
    hand_call (&test.hand, NULL, "wallet/{k}3", "add", NULL);
    hand_advance (&test.hand, 100000);
    hand_commit (&test.hand);
    assert_int_equal (test.count, 0);
    assert_true (shard_is_quiet (hand_shard_of (&test.hand, "wallet/{k}1")));
    buffer_t packed = { 0 };
    troupe_error_t error;
    assert_int_equal (shard_inspect (hand_shard_of (&test.hand, "wallet/{k}1"), "wallet/{k}1", 10, &packed, &error),
                      TROUPE_OK);
    assert_non_null (memmem (packed.data, packed.size, "waits for a worker", 18));
    buffer_clear (&packed);
    test.room = 2;
    shard_remote_ready (hand_shard_of (&test.hand, "wallet/{k}1"), "wallet");
    hand_run (&test.hand);
    assert_int_equal (test.count, 2);
    assert_string_equal (test.offers[0].address, "wallet/{k}1");
    assert_string_equal (test.offers[1].address, "wallet/{k}2");
    test.room = 1;
    hand_in (&test.offers[0], REMOTE_UNTAKEN, TROUPE_OK, "", NULL);
    assert_int_equal (test.count, 3);
    assert_int_equal (newest ()->attempt, 1);
}

static void
remote_permit_is_asked_about_when_it_changed (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&test.hand, &answer, "wallet/a", "add", NULL);
    finish (newest (), "[[s,s]]", "permit", "guarded");
    hand_commit (&test.hand);
    assert_int_equal (answer.status, TROUPE_OK);
    hand_call (&test.hand, NULL, "wallet/a", "add", NULL);
    finish (newest (), "[[s,s]]", "permit", "moves");
    hand_advance (&test.hand, 60);
    hand_commit (&test.hand);
    assert_int_equal (newest ()->attempt, 2);  /* it failed: that channel has none */
}

static void
remote_refusal_and_failure_drop_all (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&test.hand, &answer, "wallet/a", "add", NULL);
    hand_in (newest (), REMOTE_DONE, TROUPE_REFUSED, "no funds", NULL);
    hand_commit (&test.hand);
    assert_int_equal (answer.status, TROUPE_REFUSED);
    assert_string_equal (answer.text, "no funds");
    hand_call (&test.hand, &answer, "wallet/a", "add", NULL);
    hand_in (newest (), REMOTE_DONE, TROUPE_IO, "its disk is full", NULL);
    hand_advance (&test.hand, 60);
    hand_commit (&test.hand);
    assert_int_equal (newest ()->attempt, 2);
    finish (newest (), "[]");
    hand_commit (&test.hand);
    assert_int_equal (answer.status, TROUPE_OK);
    assert_int_equal (test.dropped, 2);
}

static void
fails_with (const char *text, const char *format, ...)
{
    hand_answer_t answer;
    buffer_t effects = { 0 }, packed = { 0 };
    troupe_error_t error;
    va_list arguments;
    char address[64];
    static int number;
    snprintf (address, sizeof address, "wallet/bad-%d", ++number);
    hand_call (&test.hand, &answer, address, "add", NULL);
    va_start (arguments, format);
    assert_int_equal (pack_append (&effects, NULL, format, arguments), TROUPE_OK);
    va_end (arguments);
    hand_in (newest (), REMOTE_DONE, TROUPE_OK, "", &effects);
    assert_int_equal (shard_inspect (hand_shard_of (&test.hand, address), address, 10, &packed, &error), TROUPE_OK);
    if (!memmem (packed.data, packed.size, text, strlen (text)))
        fail_msg ("%s is not told", text);
    hand_advance (&test.hand, 60);
    hand_commit (&test.hand);
    assert_int_equal (newest ()->attempt, 2);
    assert_string_equal (state_of (newest (), "n"), "");
    finish (newest (), "[]");
    hand_commit (&test.hand);
    assert_int_equal (answer.status, TROUPE_OK);
    buffer_clear (&effects);
    buffer_clear (&packed);
}

#define FIRST "store", "n", "x"

static void
remote_bad_effects_fail_the_turn_and_say_why (void **state)
{
    (void) state;
    fails_with ("no array", "{s:i}", "store", 1);
    fails_with ("effect 2 is no array", "[[s,s,s],i]", FIRST, 5);
    fails_with ("effect 2: there is no such effect", "[[s,s,s],[s]]", FIRST, "explode");
    fails_with ("it has 2 arguments, not 1", "[[s,s,s],[s,s]]", FIRST, "store", "k");
    fails_with ("its argument 1 must be a text without NUL", "[[s,s,s],[s,i,s]]", FIRST, "store", 5, "v");
    fails_with ("its argument 2 must be bytes", "[[s,s,s],[s,s,i]]", FIRST, "store", "k", 5);
    fails_with ("must be a whole number", "[[s,s,s],[s,s,s,i,n]]", FIRST, "timer", "t", "add", -5);
    fails_with ("local has no verb", "[[s,s,s],[s,s,s,n]]", FIRST, "tell", "local/x", "nix");
    fails_with ("a turn replies once", "[[s,s,s],[s,n],[s,n]]", FIRST, "reply", "reply");
    fails_with ("an answer is ok or a refusal", "[[s,s,s],[s,s,s,n]]", FIRST, "answer", "call:x", "failed");
    fails_with ("once", "[[s,s,s],[s,s,s,i,s,n]]", FIRST, "every", "t", "add", 5, "never");
    fails_with ("no channel", "[[s,s,s],[s,s,n,n]]", FIRST, "publish", "nix");
    fails_with ("1 to 191 bytes", "[[s,s,s],[s,s,s]]", FIRST, "store", "", "v");
}

static void
remote_read_may_not_store (void **state)
{
    (void) state;
    hand_call (&test.hand, NULL, "wallet/a", "see", NULL);
    finish (newest (), "[[s,s,s]]", FIRST);
    hand_advance (&test.hand, 60);
    assert_int_equal (newest ()->attempt, 2);
    assert_int_equal (test.dropped, 1);
}

static void
remote_effects_are_those_of_a_local_turn (void **state)
{
    (void) state;
    hand_answer_t later;
    hand_call (&test.hand, &later, "wallet/a", "add", NULL);
    char caller[TROUPE_CALLER_MAX];
    snprintf (caller, sizeof caller, "%s", newest ()->caller);
    finish (newest (), "[[s],[s,s,s,n],[s,s,s,s,i,n],[s,s,s,i,n],[s,s,s,i]]", "later", "tell", "local/x", "hear", "ask",
            "local/y", "hear", "heard", 0, "timer", "t", "add", 1002000, "publish", "moves", "key", 5);
    hand_commit (&test.hand);
    assert_int_equal (told, 2);
    assert_int_equal (later.status, TROUPE_STATUSES);
    assert_int_equal (newest ()->what, REMOTE_ANSWER);
    assert_true (newest ()->asked);
    finish (newest (), "[[s,s,s,{s:s}]]", "answer", caller, "refused", "error", "not today");
    hand_commit (&test.hand);
    assert_int_equal (later.status, TROUPE_REFUSED);
    assert_string_equal (later.text, "not today");
    hand_advance (&test.hand, 2000);
    hand_commit (&test.hand);
    assert_int_equal (newest ()->what, REMOTE_TICK);
    finish (newest (), "[[s,s]]", "cancel", "t");
    hand_commit (&test.hand);
    hand_advance (&test.hand, 100000);
    uint32_t count = test.count;
    hand_call (&test.hand, NULL, "wallet/a", "see", NULL);
    assert_int_equal (test.count, count + 1);
}

static void
remote_turn_that_was_away_is_offered_again_after_a_crash (void **state)
{
    (void) state;
    hand_call (&test.hand, NULL, "local/x", "poke", NULL);
    hand_commit (&test.hand);
    assert_int_equal (test.count, 1);
    hand_fold (&test.hand);
    offered_t before = *newest ();
    hand_crash (&test.hand);
    hand_commit (&test.hand);
    assert_int_equal (test.count, 2);
    assert_int_equal (newest ()->id, before.id);
    finish (newest (), "[[s,s,s]]", "append", "n", "x");
    hand_commit (&test.hand);
    hand_call (&test.hand, NULL, "wallet/a", "see", NULL);
    assert_string_equal (state_of (newest (), "n"), "x");
}

static void
remote_twins_of_a_call_get_one_turn (void **state)
{
    (void) state;
    hand_answer_t first, twin, late;
    hand_session_call (&test.hand, &first, 9, 1, "wallet/a", "add", NULL);
    hand_session_call (&test.hand, &twin, 9, 1, "wallet/a", "add", NULL);
    finish (newest (), "[[s,s,s],[s,i]]", "append", "n", "x", "reply", 5);
    hand_commit (&test.hand);
    hand_session_call (&test.hand, &late, 9, 1, "wallet/a", "add", NULL);
    assert_int_equal (test.count, 1);
    assert_int_equal (first.status, TROUPE_OK);
    assert_int_equal (twin.status, TROUPE_OK);
    assert_int_equal (late.status, TROUPE_OK);
}

static void
remote_newer_table_takes_over_while_the_node_runs (void **state)
{
    (void) state;
    hand_answer_t answer;
    hand_call (&test.hand, NULL, "wallet/a", "add", NULL);
    finish (newest (), "[[s,s,s]]", "store", "n", "old");
    hand_commit (&test.hand);
    hand_call (&test.hand, &answer, "wallet/a", "add", NULL);
    offered_t old = *newest ();
    add_table (test.hand.registry, 3, ", {\"name\": \"more\"}");
    for (int i = 0; i < HAND_SHARDS; i++)
        shard_renew_kind (test.hand.shards[i], "wallet");
    finish (&old, "[[s,s,s]]", "store", "n", "by version 1");
    hand_commit (&test.hand);
    assert_int_equal (newest ()->kind_version, 3);  /* what the older code made of it is not kept */
    assert_int_equal (newest ()->state_version, 1);
    assert_string_equal (state_of (newest (), "n"), "old");
    finish (newest (), "[[s,s,s]]", "store", "n", "new");
    hand_commit (&test.hand);
    assert_int_equal (answer.status, TROUPE_OK);
    hand_call (&test.hand, NULL, "wallet/a", "more", NULL);
    assert_int_equal (newest ()->state_version, 3);
    finish (newest (), "[]");
    hand_commit (&test.hand);
    hand_crash (&test.hand);
    hand_call (&test.hand, NULL, "wallet/a", "more", NULL);
    assert_int_equal (newest ()->state_version, 3);
    troupe_error_t error;
    assert_int_equal (registry_add_remote (test.hand.registry, &test.tables[0]->kind, 5, &error), TROUPE_MISMATCH);
}

static void
remote_kind_that_comes_late_gets_its_mail_and_timers (void **state)
{
    (void) state;
    hand_call (&test.hand, NULL, "wallet/a", "add", NULL);
    finish (newest (), "[[s,s,s,i,n],[s,s,s,n]]", "timer", "t", "heard", 1001000, "tell", "wallet/a", "see");
    hand_commit (&test.hand);
    assert_int_equal (test.count, 2);
    hand_crash_into (&test.hand, kinds);  /* its table is gone */
    hand_advance (&test.hand, 2000);
    assert_int_equal (test.count, 2);
    add_table (test.hand.registry, 1, "");
    for (int i = 0; i < HAND_SHARDS; i++)
        shard_renew_kind (test.hand.shards[i], "wallet");
    hand_commit (&test.hand);
    assert_int_equal (test.count, 3);
    assert_string_equal (newest ()->verb, "see");
    finish (newest (), "[]");
    hand_commit (&test.hand);
    assert_string_equal (newest ()->verb, "heard");
}

static void
remote_table_is_bounded_and_checked (void **state)
{
    (void) state;
    static const char *const bad[][2] = {
        { "[]", "an object is wanted" },
        { "{\"version\": 1}", "it is missing" },
        { "{\"kind\": \"k\", \"wheels\": 4}", "there is no such field" },
        { "{\"kind\": 4}", "a text without NUL is wanted" },
        { "{\"kind\": \"k\", \"version\": -1}", "whole number" },
        { "{\"kind\": \"k\", \"version\": 4294967296}", "whole number" },
        { "{\"kind\": \"k\", \"attempt_ms\": 3600001}", "an hour" },
        { "{\"kind\": \"k\", \"verbs\": [{\"allow\": \"actors\"}]}", "one has no name" },
        { "{\"kind\": \"k\", \"verbs\": [{\"name\": \"a\", \"allow\": \"me\"}]}", "none of actors" },
        { "{\"kind\": \"k\", \"verbs\": [{\"name\": \"a\", \"reads\": 1}]}", "true or false" },
        { "{\"kind\": \"k\", \"verbs\": 4}", "an array is wanted" },
        { "{\"kind\": \"k\", \"channels\": [{\"name\": \"a\", \"presence\": \"all\"}]}", "none, count, list" },
    };
    troupe_error_t error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null (read_table (bad[i][0], &error));
        assert_non_null (strstr (error.text, bad[i][1]));
    }
    remote_table_t *table = read_table ("{\"kind\": \"local\", \"version\": 2, "
                                        "\"verbs\": [{\"name\": \"a\"}]}", &error);
    assert_non_null (table);
    assert_int_equal (registry_add_remote (test.hand.registry, &table->kind, 5, &error), TROUPE_INVALID);
    assert_non_null (strstr (error.text, "the node itself serves it"));
    remote_table_t *twin = read_table ("{\"verbs\": [{\"doc\": \"!\", \"name\": \"a\", \"allow\": \"actors\"}], "
                                       "\"version\": 2, \"kind\": \"local\", \"channels\": []}", &error);
    assert_true (remote_table_is_same (&table->kind, table->attempt_ms, &twin->kind, twin->attempt_ms));
    assert_false (remote_table_is_same (&table->kind, 1, &twin->kind, 2));
    remote_table_destroy (&twin);
    twin = read_table ("{\"kind\": \"local\", \"version\": 2, "
                       "\"verbs\": [{\"name\": \"a\", \"reads\": true}]}", &error);
    assert_false (remote_table_is_same (&table->kind, 1, &twin->kind, 1));
    remote_table_destroy (&twin);
    remote_table_destroy (&table);
    table = read_table ("{\"kind\": \"k\", \"channels\": [{\"name\": \"a\", \"presence\": \"count\"}]}", &error);
    twin = read_table ("{\"kind\": \"k\", \"channels\": [{\"name\": \"a\"}]}", &error);
    assert_int_equal (table->kind.channels[0].presence, TROUPE_PRESENCE_COUNT);
    assert_false (remote_table_is_same (&table->kind, 1, &twin->kind, 1));
    remote_table_destroy (&twin);
    remote_table_destroy (&table);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST (remote_call_is_answered_when_its_turn_is_durable),
        TEST (remote_state_is_left_out_when_the_worker_has_it),
        TEST (remote_message_is_offered_when_all_it_shows_is_durable),
        TEST (remote_token_is_good_for_one_outcome),
        TEST (remote_mail_queues_in_order_while_one_is_away),
        TEST (remote_lost_message_is_tried_again_and_given_up_in_the_end),
        TEST (remote_attempt_over_its_time_is_lost),
        TEST (remote_waits_for_room_until_the_port_is_ready),
        TEST (remote_permit_is_asked_about_when_it_changed),
        TEST (remote_refusal_and_failure_drop_all),
        TEST (remote_bad_effects_fail_the_turn_and_say_why),
        TEST (remote_read_may_not_store),
        TEST (remote_effects_are_those_of_a_local_turn),
        TEST (remote_turn_that_was_away_is_offered_again_after_a_crash),
        TEST (remote_twins_of_a_call_get_one_turn),
        TEST (remote_newer_table_takes_over_while_the_node_runs),
        TEST (remote_kind_that_comes_late_gets_its_mail_and_timers),
        TEST (remote_table_is_bounded_and_checked),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
