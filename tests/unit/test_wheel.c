/*  test_wheel.c - the timer wheel, by itself and against a model that knows nothing of digits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "runtime/base/bytes.h"
#include "runtime/base/wheel.h"

#define HOUR_MS 3600000ull
#define YEAR_MS (365 * 24 * HOUR_MS)

static void
wheel_empty_has_nothing_due (void **state)
{
    (void) state;
    wheel_t wheel;
    wheel_init (&wheel, 1000);
    assert_true (wheel_next_due (&wheel) == UINT64_MAX);
    wheel_advance (&wheel, 1000 * YEAR_MS);
    assert_null (wheel_pop_due (&wheel));
    assert_true (wheel.now_ms == 1000 * YEAR_MS);
    wheel_advance (&wheel, UINT64_MAX);
    assert_true (wheel_next_due (&wheel) == UINT64_MAX);
}

static void
wheel_node_is_due_at_its_millisecond_and_not_before (void **state)
{
    (void) state;
    static const uint64_t delays[] = { 1, 2, 63, 64, 65, 4095, 4096, 4097, HOUR_MS, YEAR_MS, 1000 * YEAR_MS,
                                       1ull << 62 };
    for (size_t at = 0; at < sizeof delays / sizeof delays[0]; at++) {
        uint64_t start = 1700000000123ull, due = start + delays[at];
        wheel_t wheel;
        wheel_init (&wheel, start);
        wheel_node_t node = { 0 };
        wheel_add (&wheel, &node, due);
        assert_true (wheel_next_due (&wheel) == due);
        wheel_advance (&wheel, due - 1);
        assert_null (wheel_pop_due (&wheel));
        assert_true (wheel_next_due (&wheel) == due);
        wheel_advance (&wheel, due);
        assert_true (wheel_next_due (&wheel) == due);
        assert_ptr_equal (wheel_pop_due (&wheel), &node);
        assert_false (wheel_has (&node));
        assert_null (wheel_pop_due (&wheel));
        assert_true (wheel_next_due (&wheel) == UINT64_MAX);
    }
}

static void
wheel_past_is_due_at_once (void **state)
{
    (void) state;
    wheel_t wheel;
    wheel_node_t now = { 0 }, past = { 0 };
    wheel_init (&wheel, 5000);
    wheel_add (&wheel, &now, 5000);
    wheel_add (&wheel, &past, 0);
    assert_int_equal (wheel.count, 2);
    assert_true (wheel_next_due (&wheel) <= 5000);
    assert_ptr_equal (wheel_pop_due (&wheel), &now);
    assert_ptr_equal (wheel_pop_due (&wheel), &past);
    assert_null (wheel_pop_due (&wheel));
}

static void
wheel_time_never_goes_back (void **state)
{
    (void) state;
    wheel_t wheel;
    wheel_node_t node = { 0 };
    wheel_init (&wheel, 5000);
    wheel_add (&wheel, &node, 5100);
    wheel_advance (&wheel, 10);
    assert_true (wheel.now_ms == 5000);
    assert_true (wheel_next_due (&wheel) == 5100);
    wheel_advance (&wheel, 5100);
    assert_ptr_equal (wheel_pop_due (&wheel), &node);
}

static void
wheel_removed_node_is_not_popped (void **state)
{
    (void) state;
    wheel_t wheel;
    wheel_node_t waiting = { 0 }, due = { 0 }, other = { 0 };
    wheel_init (&wheel, 0);
    wheel_remove (&wheel, &waiting);
    wheel_add (&wheel, &due, 10);
    wheel_add (&wheel, &other, 10);
    wheel_add (&wheel, &waiting, 100);
    wheel_advance (&wheel, 50);
    wheel_remove (&wheel, &due);
    wheel_remove (&wheel, &due);
    wheel_remove (&wheel, &waiting);
    wheel_remove (&wheel, &waiting);
    assert_int_equal (wheel.count, 1);
    assert_ptr_equal (wheel_pop_due (&wheel), &other);
    assert_true (wheel_next_due (&wheel) == UINT64_MAX);
    wheel_advance (&wheel, 1000);
    assert_null (wheel_pop_due (&wheel));
    assert_int_equal (wheel.count, 0);
}

static void
wheel_added_again_moves (void **state)
{
    (void) state;
    wheel_t wheel;
    wheel_node_t node = { 0 };
    wheel_init (&wheel, 0);
    wheel_add (&wheel, &node, 100);
    wheel_add (&wheel, &node, YEAR_MS);
    assert_int_equal (wheel.count, 1);
    assert_true (wheel_next_due (&wheel) == YEAR_MS);
    wheel_add (&wheel, &node, 7);
    assert_true (wheel_next_due (&wheel) == 7);
    wheel_advance (&wheel, 7);
    wheel_add (&wheel, &node, 20);
    assert_null (wheel_pop_due (&wheel));
    wheel_advance (&wheel, YEAR_MS);
    assert_ptr_equal (wheel_pop_due (&wheel), &node);
    assert_null (wheel_pop_due (&wheel));
}

/*  One is added a year before, one an hour, one a moment before they are due. */
static void
wheel_equal_times_keep_their_order (void **state)
{
    (void) state;
    wheel_t wheel;
    wheel_node_t nodes[4] = { { 0 } };
    uint64_t due = YEAR_MS + 12345;
    wheel_init (&wheel, 12345);
    wheel_add (&wheel, &nodes[0], due);
    wheel_advance (&wheel, due - HOUR_MS);
    wheel_add (&wheel, &nodes[1], due);
    wheel_advance (&wheel, due - 3);
    wheel_add (&wheel, &nodes[2], due);
    wheel_add (&wheel, &nodes[3], due);
    wheel_advance (&wheel, due + YEAR_MS);
    for (int at = 0; at < 4; at++)
        assert_ptr_equal (wheel_pop_due (&wheel), &nodes[at]);
}

static void
wheel_removed_earliest_costs_an_empty_step_at_most (void **state)
{
    (void) state;
    wheel_t wheel;
    wheel_node_t first = { 0 }, second = { 0 };
    wheel_init (&wheel, 0);
    wheel_add (&wheel, &first, 5000);
    wheel_add (&wheel, &second, 5001);
    wheel_remove (&wheel, &first);
    assert_true (wheel_next_due (&wheel) <= 5001);
    wheel_advance (&wheel, wheel_next_due (&wheel));
    assert_null (wheel_pop_due (&wheel));
    assert_true (wheel_next_due (&wheel) == 5001);
}

/*  A step a millisecond would not end within the test's time limit. */
static void
wheel_jump_of_ages_is_cheap (void **state)
{
    (void) state;
    wheel_t wheel;
    wheel_node_t nodes[64] = { { 0 } };
    wheel_init (&wheel, 0);
    for (unsigned at = 0; at < 64; at++)
        wheel_add (&wheel, &nodes[at], 1ull << at);
    wheel_advance (&wheel, UINT64_MAX);
    for (unsigned at = 0; at < 64; at++)
        assert_ptr_equal (wheel_pop_due (&wheel), &nodes[at]);
    assert_int_equal (wheel.count, 0);
}

/* ---- against a model ---- */

#define NODES 200

typedef struct {
    wheel_node_t node;
    bool is_in;
    uint64_t due_ms;
    uint64_t added;   /* order of adding */
    uint64_t popped;  /* order in which it will be popped; 0: not due */
} model_node_t;

typedef struct {
    wheel_t wheel;
    model_node_t nodes[NODES];
    uint64_t now_ms, dice, adds, dues;
    bool removed;  /* since when next_due may be early */
} model_t;

static uint64_t
roll (model_t *self)
{
    self->dice += 0x9e3779b97f4a7c15u;
    return hash_mix (self->dice, 7);
}

/*  Mostly near, sometimes very far. */
static uint64_t
roll_span (model_t *self)
{
    static const unsigned bits[] = { 1, 3, 6, 7, 10, 13, 19, 25, 33, 45 };
    return roll (self) & ((1ull << bits[roll (self) % 10]) - 1);
}

static model_node_t *
model_earliest (model_t *self)
{
    model_node_t *earliest = NULL;
    for (size_t at = 0; at < NODES; at++) {
        model_node_t *node = self->nodes + at;
        if (!node->is_in || node->popped)
            continue;
        if (!earliest || node->due_ms < earliest->due_ms
            || (node->due_ms == earliest->due_ms && node->added < earliest->added))
            earliest = node;
    }
    return earliest;
}

static void
model_add (model_t *self, model_node_t *node)
{
    self->removed = self->removed || node->is_in;
    bool back = roll (self) % 8 == 0;
    uint64_t span = roll_span (self);
    node->due_ms = !back ? self->now_ms + span : self->now_ms > span ? self->now_ms - span : 0;
    node->is_in = true;
    node->added = ++self->adds;
    node->popped = node->due_ms <= self->now_ms ? ++self->dues : 0;
    wheel_add (&self->wheel, &node->node, node->due_ms);
}

static void
model_remove (model_t *self, model_node_t *node)
{
    self->removed = true;
    node->is_in = false;
    wheel_remove (&self->wheel, &node->node);
}

static void
model_advance (model_t *self, uint64_t now_ms)
{
    self->now_ms = now_ms;
    for (model_node_t *node; (node = model_earliest (self)) && node->due_ms <= now_ms;)
        node->popped = ++self->dues;
    wheel_advance (&self->wheel, now_ms);
}

static void
model_pop (model_t *self)
{
    model_node_t *first = NULL;
    for (size_t at = 0; at < NODES; at++) {
        model_node_t *node = self->nodes + at;
        if (node->is_in && node->popped && (!first || node->popped < first->popped))
            first = node;
    }
    assert_ptr_equal (wheel_pop_due (&self->wheel), first ? &first->node : NULL);
    if (first)
        first->is_in = false;
}

static void
model_check (model_t *self)
{
    size_t count = 0;
    bool is_due = false;
    for (size_t at = 0; at < NODES; at++) {
        count += self->nodes[at].is_in;
        is_due = is_due || (self->nodes[at].is_in && self->nodes[at].popped);
        assert_int_equal (wheel_has (&self->nodes[at].node), self->nodes[at].is_in);
    }
    assert_int_equal (self->wheel.count, count);
    model_node_t *earliest = model_earliest (self);
    uint64_t next = wheel_next_due (&self->wheel);
    if (is_due)
        assert_true (next <= self->now_ms);
    else if (!earliest)
        assert_true (next == UINT64_MAX);
    else if (self->removed)
        assert_true (next > self->now_ms && next <= earliest->due_ms);
    else
        assert_true (next == earliest->due_ms);
}

/*  To go where next_due says finds the earliest node after a few steps. */
static void
model_follow (model_t *self)
{
    while (self->wheel.due.next != &self->wheel.due)
        model_pop (self);
    model_node_t *earliest = model_earliest (self);
    for (unsigned steps = 0; earliest && !earliest->popped; steps++) {
        assert_true (steps <= WHEEL_LEVELS);
        model_advance (self, wheel_next_due (&self->wheel));
    }
    assert_true (!earliest || self->now_ms == earliest->due_ms);
}

static void
model_run (uint64_t seed, unsigned steps, bool with_removals)
{
    model_t *self = test_calloc (1, sizeof *self);
    self->dice = seed;
    self->now_ms = seed % 3 == 0 ? 0 : roll (self) >> 12;
    wheel_init (&self->wheel, self->now_ms);
    for (unsigned step = 0; step < steps; step++) {
        model_node_t *node = self->nodes + roll (self) % NODES;
        unsigned what = (unsigned) (roll (self) % 16);
        if (what < 7 && (with_removals || !node->is_in))
            model_add (self, node);
        else if (what < 9 && with_removals)
            model_remove (self, node);
        else if (what < 11)
            model_advance (self, self->now_ms + roll_span (self));
        else if (what < 15)
            model_pop (self);
        else
            model_follow (self);
        model_check (self);
    }
    test_free (self);
}

static void
wheel_random_operations_equal_the_model (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        model_run (seed, 1500, true);
}

static void
wheel_without_removals_next_due_is_exact (void **state)
{
    (void) state;
    for (uint64_t seed = 100; seed <= 160; seed++)
        model_run (seed, 1500, false);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (wheel_empty_has_nothing_due),
        cmocka_unit_test (wheel_node_is_due_at_its_millisecond_and_not_before),
        cmocka_unit_test (wheel_past_is_due_at_once),
        cmocka_unit_test (wheel_time_never_goes_back),
        cmocka_unit_test (wheel_removed_node_is_not_popped),
        cmocka_unit_test (wheel_added_again_moves),
        cmocka_unit_test (wheel_equal_times_keep_their_order),
        cmocka_unit_test (wheel_removed_earliest_costs_an_empty_step_at_most),
        cmocka_unit_test (wheel_jump_of_ages_is_cheap),
        cmocka_unit_test (wheel_random_operations_equal_the_model),
        cmocka_unit_test (wheel_without_removals_next_due_is_exact),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
