/*  test_node.c - a node inside of a program: start, calls, stop, restart, and what ends it. */
#include "commands/exit.h"
#include "commands/node.h"
#include "runtime/base/gate.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000000ull
#define PATIENCE_NS (60000 * MS)

/* ------------------------------------------------------------------ *
 *  A kind that counts
 * ------------------------------------------------------------------ */

static troupe_status_t
add (troupe_turn_t *turn)
{
    int64_t count = 0, more = 1;
    troupe_status_t status = troupe_unpack (turn, "{s?:I}", "more", &more);
    if (status != TROUPE_OK)
        return status;
    troupe_load (turn, "count", &count, sizeof count);
    if (more < 0)
        return troupe_refuse (turn, "never down");
    count += more;
    troupe_store (turn, "count", &count, sizeof count);
    return troupe_reply (turn, "{s:I}", "count", (json_int_t) count);
}

static troupe_status_t
look (troupe_turn_t *turn)
{
    int64_t count = 0;
    troupe_load (turn, "count", &count, sizeof count);
    return troupe_reply (turn, "{s:I}", "count", (json_int_t) count);
}

/*  Sends itself on through other actors, and adds one at each. */
static troupe_status_t
pass (troupe_turn_t *turn)
{
    int64_t left = 0, count = 0;
    if (troupe_unpack (turn, "{s:I}", "left", &left) != TROUPE_OK)
        return TROUPE_INVALID;
    troupe_load (turn, "count", &count, sizeof count);
    count++;
    troupe_store (turn, "count", &count, sizeof count);
    if (left > 0) {
        char to[64];
        snprintf (to, sizeof to, "counter/pass-%lld", (long long) left % 40);
        troupe_tell (turn, to, "pass", "{s:I}", "left", (json_int_t) left - 1);
    }
    return TROUPE_OK;
}

static troupe_status_t
later (troupe_turn_t *turn)
{
    const char *caller = troupe_reply_later (turn);
    uint64_t due_ms = troupe_now (turn) + 60;
    troupe_store (turn, "caller", caller, strlen (caller) + 1);
    troupe_store (turn, "due", &due_ms, sizeof due_ms);
    return troupe_timer_at (turn, "later", "now", due_ms, NULL);
}

static troupe_status_t
now (troupe_turn_t *turn)
{
    char caller[TROUPE_CALLER_MAX] = "";
    troupe_load (turn, "caller", caller, sizeof caller);
    uint64_t due_ms = UINT64_MAX;
    (void) !troupe_load (turn, "due", &due_ms, sizeof due_ms);
    return troupe_answer (turn, caller, TROUPE_OK, "{s:s}", "said", troupe_now (turn) < due_ms ? "early" : "later");
}

/*  Holds the worker for as long as the test wants. */
static gate_t slow_entered, slow_hold;

static troupe_status_t
slow (troupe_turn_t *turn)
{
    (void) turn;
    gate_open (&slow_entered);
    gate_wait (&slow_hold, PATIENCE_NS);
    return TROUPE_OK;
}

static const troupe_verb_t verbs[] = {
    { "add", add, .args = "more?:int" },
    { "look", look, .reads = true },
    { "pass", pass, .args = "left:int" },
    { "later", later },
    { "now", now },
    { "slow", slow },
    { NULL }
};
static const troupe_kind_t counter = { "counter", .version = 1, .verbs = verbs };
static const troupe_kind_t *const kinds[] = { &counter, NULL };

/* ------------------------------------------------------------------ *
 *  Helpers
 * ------------------------------------------------------------------ */

static troupe_t *
node_new (const char *store, const char *workers)
{
    troupe_error_t error;
    troupe_t *node = troupe_new (kinds, &error);
    assert_non_null (node);
    assert_int_equal (troupe_set (node, "store", store, &error), TROUPE_OK);
    assert_int_equal (troupe_set (node, "workers", workers, &error), TROUPE_OK);
    assert_int_equal (troupe_set (node, "soft_room_bytes", "0", &error), TROUPE_OK);
    assert_int_equal (troupe_set (node, "ballast_bytes", "0", &error), TROUPE_OK);
    assert_int_equal (troupe_set (node, "segment_bytes", "1M", &error), TROUPE_OK);
    return node;
}

static troupe_t *
node_started (const char *store)
{
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_t *node = node_new (store, "2");
    troupe_status_t status = troupe_start (node, &error);
    assert_string_equal (status == TROUPE_OK ? "" : error.text, "");
    return node;
}

static int64_t
count_in (const troupe_answer_t *answer)
{
    troupe_error_t error;
    json_int_t count = -1;
    if (answer->status != TROUPE_OK)
        return -1;
    return troupe_answer_unpack (answer, &error, "{s:I}", "count", &count) == TROUPE_OK ? count : -1;
}

static int64_t
ask (troupe_t *node, const char *to, const char *verb)
{
    troupe_answer_t answer;
    (void) !troupe_call_wait (node, to, verb, &answer, NULL);
    int64_t count = count_in (&answer);
    troupe_answer_clear (&answer);
    return count;
}

/*  Completions of many calls. */
typedef struct {
    _Atomic uint32_t waiting;
    _Atomic uint32_t by_status[TROUPE_STATUSES];
    _Atomic int64_t newest;
    gate_t done;
} tally_t;

static void
tally (void *arg, const troupe_answer_t *answer)
{
    tally_t *self = arg;
    atomic_fetch_add (&self->by_status[answer->status], 1);
    atomic_store (&self->newest, count_in (answer));
    if (atomic_fetch_sub (&self->waiting, 1) == 1)
        gate_open (&self->done);
}

/* ------------------------------------------------------------------ *
 *  Life
 * ------------------------------------------------------------------ */

static void
node_restarted_keeps_state (void **state)
{
    (void) state;
    for (int round = 0; round < 3; round++) {
        troupe_t *node = node_started ("kept");
        for (int i = 1; i <= 20; i++) {
            char to[32];
            snprintf (to, sizeof to, "counter/%d", i);
            assert_int_equal (ask (node, to, "add"), round * 2 + 1);
            assert_int_equal (ask (node, to, "add"), round * 2 + 2);
        }
        assert_int_equal (ask (node, "counter/3", "look"), round * 2 + 2);
        assert_int_equal (ask (node, "counter/never", "look"), 0);
        troupe_destroy (&node);
        assert_null (node);
    }
}

static void
node_in_wrong_order_says_so (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_answer_t answer;
    troupe_t *node = node_new ("order", "1");
    assert_int_equal (troupe_set (node, "sotre", "x", &error), TROUPE_NOT_FOUND);
    assert_int_equal (troupe_call_wait (node, "counter/1", "add", &answer, NULL), TROUPE_STOPPING);
    assert_true (strlen (answer.text) > 0);
    troupe_answer_clear (&answer);
    troupe_stop (node);  /* not started: nothing */
    assert_int_equal (troupe_start (node, &error), TROUPE_OK);
    assert_int_equal (troupe_start (node, &error), TROUPE_INVALID);
    assert_int_equal (troupe_set (node, "workers", "3", &error), TROUPE_INVALID);
    troupe_stop (node);
    troupe_stop (node);
    assert_int_equal (troupe_call_wait (node, "counter/1", "add", NULL, NULL), TROUPE_STOPPING);
    assert_int_equal (troupe_start (node, &error), TROUPE_INVALID);
    troupe_destroy (&node);
    troupe_destroy (&node);
}

static void
node_second_on_a_store_is_refused (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_t *first = node_started ("locked"), *second = node_new ("locked", "1");
    assert_int_equal (troupe_start (second, &error), TROUPE_LOCKED);
    assert_int_equal (ask (first, "counter/1", "add"), 1);
    troupe_destroy (&second);
    troupe_stop (first);
    second = node_started ("locked");  /* free as soon as the first one stopped */
    assert_int_equal (ask (second, "counter/1", "add"), 2);
    troupe_destroy (&second);
    troupe_destroy (&first);
}

static void
node_without_a_store_is_not_made_when_told_so (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_t *node = node_new ("nowhere", "1");
    assert_int_equal (troupe_set (node, "create", "no", &error), TROUPE_OK);
    assert_int_equal (troupe_start (node, &error), TROUPE_NOT_FOUND);
    troupe_destroy (&node);
    assert_int_equal (access ("nowhere", F_OK), -1);
}

static void
node_twin_kinds_are_refused (void **state)
{
    (void) state;
    troupe_error_t error = { TROUPE_OK, "" };
    const troupe_kind_t *const twins[] = { &counter, &counter, NULL };
    assert_null (troupe_new (twins, &error));
    assert_int_equal (error.status, TROUPE_INVALID);
}

/* ------------------------------------------------------------------ *
 *  Calls
 * ------------------------------------------------------------------ */

static troupe_status_t
submit_wrong (troupe_t *node, troupe_call_t call)
{
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_status_t status = troupe_submit (node, &call, &error);
    assert_true (status == TROUPE_OK || strlen (error.text) > 0);
    return status;
}

static void
node_wrong_call_is_refused_at_once (void **state)
{
    (void) state;
    troupe_t *node = node_started ("wrong");
    static char large[TROUPE_BODY_MAX + 1], subject[TROUPE_ADDRESS_MAX + 2];
    memset (subject, 'x', sizeof subject - 1);
    const troupe_call_t good = { .to = "counter/1", .verb = "add" };
    troupe_call_t call = good;
    assert_int_equal ((call.to = NULL, submit_wrong (node, call)), TROUPE_INVALID);
    assert_int_equal ((call.to = "counter", submit_wrong (node, call)), TROUPE_INVALID);
    assert_int_equal ((call.to = "nobody/1", submit_wrong (node, call)), TROUPE_NOT_FOUND);
    call = good;
    assert_int_equal ((call.verb = "nothing", submit_wrong (node, call)), TROUPE_NOT_FOUND);
    assert_int_equal ((call.verb = "$parked", submit_wrong (node, call)), TROUPE_FORBIDDEN);
    call = good;
    call.body = large;
    assert_int_equal ((call.size = sizeof large, submit_wrong (node, call)), TROUPE_TOO_LARGE);
    assert_int_equal ((call.size = 2, submit_wrong (node, call)), TROUPE_INVALID);  /* two values */
    call = good;
    assert_int_equal ((call.size = 3, submit_wrong (node, call)), TROUPE_INVALID);
    call = good;
    assert_int_equal ((call.subject = subject, submit_wrong (node, call)), TROUPE_TOO_LARGE);
    call = good;
    assert_int_equal ((call.ordered = true, submit_wrong (node, call)), TROUPE_INVALID);
    call = good;
    call.session[0] = 1;
    assert_int_equal (submit_wrong (node, call), TROUPE_INVALID);
    call.seq = 1;
    assert_int_equal (submit_wrong (node, call), TROUPE_INVALID);  /* until when? */
    assert_int_equal (troupe_call_wait (node, "counter/1", "add", NULL, "{s:s}", "more", "many"), TROUPE_INVALID);
    assert_int_equal (troupe_call_wait (node, "counter/1", "add", NULL, "{s:i}", "less", 1), TROUPE_INVALID);
    assert_int_equal (troupe_call_wait (node, "counter/1", "add", NULL, "{s:q}", "more", 1), TROUPE_INVALID);
    assert_int_equal (ask (node, "counter/1", "look"), 0);
    troupe_destroy (&node);
}

static void
node_refusal_of_a_handler_reaches_the_caller (void **state)
{
    (void) state;
    troupe_t *node = node_started ("refusal");
    troupe_answer_t answer;
    assert_int_equal (troupe_call_wait (node, "counter/1", "add", &answer, "{s:i}", "more", -1), TROUPE_REFUSED);
    assert_string_equal (answer.text, "never down");
    assert_null (answer.body);
    troupe_answer_clear (&answer);
    troupe_destroy (&node);
}

static void
node_answer_may_come_from_a_timer (void **state)
{
    (void) state;
    troupe_t *node = node_started ("later");
    troupe_answer_t answer;
    troupe_error_t error;
    const char *said = "";
    assert_int_equal (troupe_call_wait (node, "counter/1", "later", &answer, NULL), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&answer, &error, "{s:s}", "said", &said), TROUPE_OK);
    assert_string_equal (said, "later");
    troupe_answer_clear (&answer);
    troupe_destroy (&node);
}

/*  The time of all frames of this store is that much ahead of the machine's. */
static void
move_time_of_store (const char *directory, int64_t ahead_ms)
{
    troupe_error_t error;
    state_mark_t marks[STATE_SHARDS_MAX];
    store_options_t options = { .directory = directory, .segment_size = 1u << 20 };
    store_t *store = store_open (&options, &error);
    assert_non_null (store);
    store->state->marks (store->state->self, marks);
    for (uint32_t i = 0; i < store->state->identity (store->state->self)->shards; i++)
        marks[i].time_ms = clock_wall_ms () + (uint64_t) ahead_ms;
    assert_int_equal (store->state->fold (store->state->self, NULL, 0, marks, &error), TROUPE_OK);
    store_close (&store);
}

static void
node_with_its_clock_set_back_goes_on (void **state)
{
    (void) state;
    troupe_t *node = node_started ("set-back");
    assert_int_equal (ask (node, "counter/1", "add"), 1);
    troupe_destroy (&node);
    move_time_of_store ("set-back", 3600 * 1000);
    node = node_started ("set-back");
    troupe_error_t error;
    tally_t tallied = { .waiting = 1 };
    troupe_call_t call = { .to = "counter/1", .verb = "later", .done = tally, .arg = &tallied };
    assert_int_equal (troupe_submit (node, &call, &error), TROUPE_OK);
    assert_true (gate_wait (&tallied.done, 10000 * MS));
    troupe_destroy (&node);
}

static void
node_with_its_clock_far_ahead_must_be_told (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_t *node = NULL;
    for (int i = 0; i < 2; i++) {
        node = node_started ("far-ahead");
        troupe_destroy (&node);
        move_time_of_store ("far-ahead", -40ll * 24 * 3600 * 1000);
    }
    assert_int_equal (unlink ("far-ahead/recorder"), 0);  /* which knows of a later use than the frames */
    node = node_new ("far-ahead", "1");
    assert_true (troupe_start (node, &error) == TROUPE_INVALID && strstr (error.text, "40 days after"));
    troupe_destroy (&node);
}

static void
submit_session (troupe_t *node, uint64_t seq, uint64_t not_after_ms, tally_t *tallied)
{
    troupe_error_t error;
    troupe_call_t call = { .to = "counter/once", .verb = "add", .seq = seq, .not_after_ms = not_after_ms,
                           .done = tally, .arg = tallied };
    memcpy (call.session, "a session of one", 16);
    assert_int_equal (troupe_submit (node, &call, &error), TROUPE_OK);
}

static void
node_session_call_runs_once_over_a_restart (void **state)
{
    (void) state;
    uint64_t not_after_ms = clock_wall_ms () + 60000;
    for (int round = 0; round < 2; round++) {
        troupe_t *node = node_started ("once");
        for (uint64_t seq = 1; seq <= 10; seq++) {
            tally_t tallied = { .waiting = 5 };
            for (int i = 0; i < 5; i++)
                submit_session (node, seq, not_after_ms, &tallied);
            assert_true (gate_wait (&tallied.done, PATIENCE_NS));
            assert_int_equal (tallied.by_status[TROUPE_OK], 5);
            assert_int_equal (tallied.newest, (int64_t) seq);
        }
        assert_int_equal (ask (node, "counter/once", "look"), 10);
        troupe_destroy (&node);
    }
}

typedef struct {
    troupe_t *node;
    tally_t *tallied;
    uint32_t number, accepted;
} caller_t;

#define CALLERS 3
#define CALLS_EACH 400

static void *
call_many (void *arg)
{
    caller_t *self = arg;
    for (uint32_t i = 0; i < CALLS_EACH; i++) {
        char to[32];
        snprintf (to, sizeof to, "counter/%u", (i * 7 + self->number) % 50);
        self->accepted += troupe_call (self->node, to, "add", tally, self->tallied, NULL) == TROUPE_OK;
    }
    return NULL;
}

static int64_t
sum (troupe_t *node)
{
    int64_t total = 0;
    for (int i = 0; i < 50; i++) {
        char to[32];
        snprintf (to, sizeof to, "counter/%d", i);
        total += ask (node, to, "look");
    }
    return total;
}

static void
node_called_from_many_threads_counts_each_once (void **state)
{
    (void) state;
    troupe_t *node = node_started ("many");
    tally_t tallied = { .waiting = CALLERS * CALLS_EACH };
    pthread_t threads[CALLERS];
    caller_t callers[CALLERS];
    for (uint32_t i = 0; i < CALLERS; i++) {
        callers[i] = (caller_t) { .node = node, .tallied = &tallied, .number = i };
        assert_int_equal (pthread_create (&threads[i], NULL, call_many, &callers[i]), 0);
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        pthread_join (threads[i], NULL);
        assert_int_equal (callers[i].accepted, CALLS_EACH);
    }
    assert_true (gate_wait (&tallied.done, PATIENCE_NS));
    assert_int_equal (tallied.by_status[TROUPE_OK], CALLERS * CALLS_EACH);
    assert_int_equal (sum (node), CALLERS * CALLS_EACH);
    troupe_destroy (&node);
    node = node_started ("many");
    assert_int_equal (sum (node), CALLERS * CALLS_EACH);
    troupe_destroy (&node);
}

static void
node_stopped_under_load_answers_each_accepted_call_once (void **state)
{
    (void) state;
    troupe_t *node = node_started ("stopped");
    tally_t tallied = { .waiting = UINT32_MAX / 2 };
    pthread_t threads[CALLERS];
    caller_t callers[CALLERS];
    for (uint32_t i = 0; i < CALLERS; i++) {
        callers[i] = (caller_t) { .node = node, .tallied = &tallied, .number = i };
        assert_int_equal (pthread_create (&threads[i], NULL, call_many, &callers[i]), 0);
    }
    while (atomic_load (&tallied.by_status[TROUPE_OK]) < CALLS_EACH / 4)
        sched_yield ();
    troupe_stop (node);
    uint32_t accepted = 0, answered = 0;
    for (uint32_t i = 0; i < CALLERS; i++) {
        pthread_join (threads[i], NULL);
        accepted += callers[i].accepted;
    }
    for (int i = 0; i < TROUPE_STATUSES; i++)
        answered += tallied.by_status[i];
    assert_int_equal (answered, accepted);
    assert_int_equal (tallied.by_status[TROUPE_OK] + tallied.by_status[TROUPE_STOPPING]
                      + tallied.by_status[TROUPE_UNKNOWN], accepted);
    troupe_destroy (&node);
    node = node_started ("stopped");
    int64_t counted = sum (node);
    assert_in_range (counted, tallied.by_status[TROUPE_OK],
                     tallied.by_status[TROUPE_OK] + tallied.by_status[TROUPE_UNKNOWN]);
    troupe_destroy (&node);
}

static void
submit_again (void *arg, const troupe_answer_t *answer)
{
    caller_t *self = arg;
    if (answer->status != TROUPE_OK || --self->number == 0)
        gate_open (&self->tallied->done);
    else if (troupe_call (self->node, "counter/chain", "add", submit_again, self, NULL) != TROUPE_OK)
        gate_open (&self->tallied->done);
}

static void
node_completion_may_submit (void **state)
{
    (void) state;
    troupe_t *node = node_started ("chain");
    tally_t tallied = { 0 };
    caller_t caller = { .node = node, .tallied = &tallied, .number = 100 };
    assert_int_equal (troupe_call (node, "counter/chain", "add", submit_again, &caller, NULL), TROUPE_OK);
    assert_true (gate_wait (&tallied.done, PATIENCE_NS));
    assert_int_equal (caller.number, 0);
    assert_int_equal (ask (node, "counter/chain", "look"), 100);
    troupe_destroy (&node);
}

static int64_t
passed (troupe_t *node)
{
    int64_t total = 0;
    for (int i = 0; i < 40; i++) {
        char to[32];
        snprintf (to, sizeof to, "counter/pass-%d", i);
        total += ask (node, to, "look");
    }
    return total;
}

/*  Between shards, and over a stop that finds them on their way. */
static void
node_messages_between_shards_arrive_once (void **state)
{
    (void) state;
    enum { CHAINS = 8, HOPS = 100 };
    int64_t total = 0;
    for (int round = 0; total < CHAINS * (HOPS + 1); round++) {
        assert_in_range (round, 0, 200);
        troupe_t *node = node_started ("hops");
        for (int i = 0; round == 0 && i < CHAINS; i++)
            assert_int_equal (troupe_call_wait (node, "counter/pass-0", "pass", NULL, "{s:i}", "left", HOPS),
                              TROUPE_OK);
        uint64_t end_ns = clock_monotonic_ns () + 2 * MS;
        do
            total = passed (node);
        while (total < CHAINS * (HOPS + 1) && clock_monotonic_ns () < end_ns);
        troupe_destroy (&node);
    }
    assert_int_equal (total, CHAINS * (HOPS + 1));
}

static void
node_long_turn_holds_its_shard_alone (void **state)
{
    (void) state;
    troupe_t *node = node_started ("slow");
    tally_t tallied = { .waiting = 1 };
    assert_int_equal (troupe_call (node, "counter/{slow}1", "slow", tally, &tallied, NULL), TROUPE_OK);
    assert_true (gate_wait (&slow_entered, PATIENCE_NS));
    uint16_t busy, shard;
    assert_int_equal (node_shard_of (node, "counter/{slow}1", &busy, NULL), TROUPE_OK);
    for (int i = 0; i < 40; i++) {
        char to[32];
        snprintf (to, sizeof to, "counter/%d", i);
        assert_int_equal (node_shard_of (node, to, &shard, NULL), TROUPE_OK);
        if (shard != busy)
            assert_int_equal (ask (node, to, "add"), 1);
    }
    assert_int_equal (tallied.waiting, 1);
    gate_open (&slow_hold);
    assert_true (gate_wait (&tallied.done, PATIENCE_NS));
    assert_int_equal (tallied.by_status[TROUPE_OK], 1);
    troupe_destroy (&node);
}

/* ------------------------------------------------------------------ *
 *  The store under it
 * ------------------------------------------------------------------ */

static void
node_checkpoint_leaves_nothing_unfolded (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_t *node = node_started ("folded");
    for (int i = 0; i < 20; i++)
        assert_int_equal (ask (node, "counter/1", "add"), i + 1);
    assert_true (journal_counts (node_store (node)->journal).unfolded_bytes > 0);
    assert_int_equal (node_checkpoint_now (node, &error), TROUPE_OK);
    assert_int_equal (journal_counts (node_store (node)->journal).unfolded_bytes, 0);
    assert_int_equal (ask (node, "counter/1", "add"), 21);
    troupe_destroy (&node);
}

static void
node_checkpoint_comes_by_itself (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_t *node = node_new ("soon", "2");
    assert_int_equal (troupe_set (node, "checkpoint_ms", "30", &error), TROUPE_OK);
    assert_int_equal (troupe_start (node, &error), TROUPE_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal (ask (node, "counter/1", "add"), round + 1);
        struct timespec while_ = { .tv_nsec = 10 * (long) MS };
        int waits = 0;
        while (journal_counts (node_store (node)->journal).unfolded_bytes > 0 && waits++ < 2000)
            nanosleep (&while_, NULL);
        assert_int_equal (journal_counts (node_store (node)->journal).unfolded_bytes, 0);
    }
    troupe_destroy (&node);
}

static void
node_backup_is_restored_as_it_was (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_t *node = node_started ("copied");
    for (int i = 0; i < 50; i++)
        assert_int_equal (ask (node, "counter/1", "add"), i + 1);
    assert_int_equal (node_backup (node, "copy", NULL, NULL, &error), TROUPE_OK);
    assert_int_equal (ask (node, "counter/1", "add"), 51);
    troupe_destroy (&node);
    assert_int_equal (store_restore ("copy", "restored", NULL, NULL, NULL, &error), TROUPE_OK);
    node = node_started ("restored");
    assert_int_equal (ask (node, "counter/1", "look"), 50);
    troupe_destroy (&node);
}

static void
node_with_little_room_refuses_calls_as_overloaded (void **state)
{
    (void) state;
    troupe_error_t error;
    troupe_t *node = node_new ("short", "1");
    assert_int_equal (troupe_set (node, "soft_room_bytes", "1T", &error), TROUPE_OK);
    assert_int_equal (troupe_start (node, &error), TROUPE_OK);
    troupe_answer_t answer = { .status = TROUPE_OK };
    uint64_t end_ns = clock_monotonic_ns () + PATIENCE_NS;
    while (answer.status == TROUPE_OK && clock_monotonic_ns () < end_ns) {
        (void) !troupe_call_wait (node, "counter/1", "add", &answer, NULL);
        if (answer.status == TROUPE_OK)
            troupe_answer_clear (&answer);
    }
    assert_int_equal (answer.status, TROUPE_OVERLOADED);
    assert_true (answer.retry_after_ms > 0);
    troupe_answer_clear (&answer);
    assert_int_equal (node_door (node), TROUPE_OVERLOADED);
    troupe_destroy (&node);
}

/* ------------------------------------------------------------------ *
 *  Deaths: in a child, so that they are real
 * ------------------------------------------------------------------ */

/*  In a child: what fails ends it, for its parent's test to see. */
static troupe_t *
node_in_child (const char *store)
{
    troupe_error_t error;
    troupe_t *node = troupe_new (kinds, &error);
    if (!node || troupe_set (node, "store", store, &error) != TROUPE_OK
        || troupe_set (node, "soft_room_bytes", "0", &error) != TROUPE_OK
        || troupe_start (node, &error) != TROUPE_OK)
        _exit (96);
    return node;
}

static int
wait_for (pid_t child)
{
    int status = 0;
    assert_int_equal (waitpid (child, &status, 0), child);
    return status;
}

static void
node_that_dies_without_a_stop_loses_nothing_acknowledged (void **state)
{
    (void) state;
    int64_t expected = 0;
    for (int round = 0; round < 3; round++) {
        pid_t child = fork ();
        if (child == 0) {
            troupe_t *node = node_in_child ("died");
            for (int i = 0; i < 100; i++)
                (void) ask (node, "counter/1", "add");
            _exit (ask (node, "counter/1", "look") == expected + 100 ? 0 : 1);
        }
        assert_int_equal (wait_for (child), 0);
        expected += 100;
        troupe_t *node = node_started ("died");
        assert_int_equal (ask (node, "counter/1", "look"), expected);
        troupe_destroy (&node);
    }
}

/*  Takes the journal's files away from under the node: what it holds is a file that cannot be written. Their numbers
 *  stay taken, or another thread would get one of them for a file of its own. */
static void
break_segments (void)
{
    DIR *directory = opendir ("/proc/self/fd");
    int unwritable = open ("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!directory || unwritable < 0)
        _exit (99);
    for (struct dirent *entry; (entry = readdir (directory));) {
        char path[64], target[PATH_MAX];
        snprintf (path, sizeof path, "/proc/self/fd/%.16s", entry->d_name);
        ssize_t size = readlink (path, target, sizeof target - 1);
        if (size > 4 && memcmp (target + size - 4, ".seg", 4) == 0)
            /* unseen by ThreadSanitizer, which is right to mind */
            syscall (SYS_dup3, unwritable, atoi (entry->d_name), O_CLOEXEC);
    }
    closedir (directory);
}

static void
node_with_a_broken_disk_ends_and_stays_down_until_acknowledged (void **state)
{
    (void) state;
    pid_t child = fork ();
    if (child == 0) {
        troupe_t *node = node_in_child ("broken");
        if (ask (node, "counter/1", "add") != 1)
            _exit (98);
        break_segments ();
        (void) ask (node, "counter/1", "add");
        _exit (97);
    }
    int status = wait_for (child);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), EXIT_DISK);
    troupe_error_t error;
    troupe_t *node = node_new ("broken", "1");
    assert_int_equal (troupe_start (node, &error), TROUPE_IO);
    troupe_destroy (&node);
    assert_int_equal (store_acknowledge ("broken", &error), TROUPE_OK);
    node = node_started ("broken");
    assert_int_equal (ask (node, "counter/1", "look"), 1);
    troupe_destroy (&node);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (node_restarted_keeps_state),
        cmocka_unit_test (node_in_wrong_order_says_so),
        cmocka_unit_test (node_second_on_a_store_is_refused),
        cmocka_unit_test (node_without_a_store_is_not_made_when_told_so),
        cmocka_unit_test (node_twin_kinds_are_refused),
        cmocka_unit_test (node_wrong_call_is_refused_at_once),
        cmocka_unit_test (node_refusal_of_a_handler_reaches_the_caller),
        cmocka_unit_test (node_answer_may_come_from_a_timer),
        cmocka_unit_test (node_with_its_clock_set_back_goes_on),
        cmocka_unit_test (node_with_its_clock_far_ahead_must_be_told),
        cmocka_unit_test (node_session_call_runs_once_over_a_restart),
        cmocka_unit_test (node_called_from_many_threads_counts_each_once),
        cmocka_unit_test (node_stopped_under_load_answers_each_accepted_call_once),
        cmocka_unit_test (node_completion_may_submit),
        cmocka_unit_test (node_messages_between_shards_arrive_once),
        cmocka_unit_test (node_long_turn_holds_its_shard_alone),
        cmocka_unit_test (node_checkpoint_leaves_nothing_unfolded),
        cmocka_unit_test (node_checkpoint_comes_by_itself),
        cmocka_unit_test (node_backup_is_restored_as_it_was),
        cmocka_unit_test (node_with_little_room_refuses_calls_as_overloaded),
        cmocka_unit_test (node_that_dies_without_a_stop_loses_nothing_acknowledged),
        cmocka_unit_test (node_with_a_broken_disk_ends_and_stays_down_until_acknowledged)
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
