/*  test_state.c - the folded state: one suite for both makers.
 */
#include "tests/unit/state_help.h"

#include "runtime/base/memory.h"

#include <pthread.h>
#include <stdatomic.h>

/* ------------------------------------------------------------------ *
 *  Both makers
 * ------------------------------------------------------------------ */

static void
state_new_has_identity_and_zero_marks (void **state)
{
    (void) state;
    static const uint8_t zeros[16];
    const state_identity_t *identity = port->identity (port->self);
    assert_int_equal (identity->format, STATE_FORMAT);
    assert_int_equal (identity->shards, SHARDS);
    assert_memory_not_equal (identity->store_id, zeros, 16);
    assert_memory_not_equal (identity->epoch, zeros, 16);
    state_mark_t found[SHARDS];
    port->marks (port->self, found);
    for (size_t i = 0; i < SHARDS; i++)
        assert_true (found[i].frame == 0 && found[i].time_ms == 0);
}

static void
state_folded_puts_are_read_back (void **state)
{
    (void) state;
    put (1, "a", "one");
    put (1, "ab", "");
    put (1, "b", "two");
    fold (1);
    state_view_t *view = port->view_new (port->self, 1);
    assert_string_equal (get (view, "a"), "one");
    assert_string_equal (get (view, "ab"), "");
    assert_string_equal (get (view, "b"), "two");
    assert_null (get (view, "aa"));
    assert_null (get (view, "c"));
    state_mark_t found[SHARDS];
    port->marks (port->self, found);
    assert_memory_equal (found, marks, sizeof found);
    port->view_destroy (&view);
    assert_null (view);
    port->view_destroy (&view);
}

static void
state_later_folds_replace_and_delete (void **state)
{
    (void) state;
    put (0, "a", "1");
    put (0, "b", "1");
    put (0, "c", "1");
    fold (0);
    put (0, "a", "longer than before");
    erase (0, "b");
    erase (0, "bb");
    put (0, "c", "2");
    put (0, "d", "2");
    erase (0, "e");
    put (0, "f", "2");
    fold (0);
    state_view_t *view = port->view_new (port->self, 0);
    assert_string_equal (list (view, "", "", 99), "a=longer than before c=2 d=2 f=2 ");
    port->view_destroy (&view);
}

static void
state_shards_do_not_see_each_other (void **state)
{
    (void) state;
    put (0, "k", "0");
    put (1, "k", "1");
    put (3, "k", "3");
    fold (0);
    for (uint16_t shard = 0; shard < SHARDS; shard++) {
        state_view_t *view = port->view_new (port->self, shard);
        char wanted[8] = "";
        if (shard != 2)
            snprintf (wanted, sizeof wanted, "k=%u ", shard);
        assert_string_equal (list (view, "", "", 99), wanted);
        port->view_destroy (&view);
    }
}

static void
state_scan_gives_prefix_from_a_key_in_order (void **state)
{
    (void) state;
    put (2, "m", "0");
    put (2, "ma", "1");
    put (2, "mab", "2");
    put (2, "mb", "3");
    put (2, "n", "4");
    put (3, "ma", "other");
    fold (2);
    state_view_t *view = port->view_new (port->self, 2);
    assert_string_equal (list (view, "m", "", 99), "m=0 ma=1 mab=2 mb=3 ");
    assert_string_equal (list (view, "ma", "", 99), "ma=1 mab=2 ");
    assert_string_equal (list (view, "ma", "maa", 99), "mab=2 ");
    assert_string_equal (list (view, "m", "mab", 99), "mab=2 mb=3 ");
    assert_string_equal (list (view, "m", "mab", 1), "mab=2 ");
    assert_string_equal (list (view, "m", "a", 99), "m=0 ma=1 mab=2 mb=3 ");
    assert_string_equal (list (view, "m", "z", 99), "");
    assert_string_equal (list (view, "n", "", 99), "n=4 ");
    assert_string_equal (list (view, "o", "", 99), "");
    port->view_destroy (&view);
}

static void
state_view_sees_one_cut_until_renewed (void **state)
{
    (void) state;
    put (0, "k", "old");
    fold (0);
    state_view_t *view = port->view_new (port->self, 0);
    assert_true (port->view_renew (view) == 1);
    const uint8_t *value;
    size_t size;
    assert_int_equal (port->get (view, (const uint8_t *) "k", 1, &value, &size), TROUPE_OK);
    for (int i = 0; i < 5; i++) {
        put (0, "k", "new");
        put (0, "l", "new");
        fold (0);
    }
    assert_memory_equal (value, "old", 3);
    assert_string_equal (list (view, "", "", 99), "k=old ");
    assert_true (port->view_renew (view) == 6);
    assert_string_equal (list (view, "", "", 99), "k=new l=new ");
    port->view_release (view);
    port->view_release (view);
    put (0, "k", "newer");
    fold (0);
    assert_string_equal (get (view, "k"), "newer");
    port->view_destroy (&view);
}

static void
state_longest_keys_and_large_values_are_kept (void **state)
{
    (void) state;
    static uint8_t key[FRAME_KEY_MAX], large[3000000];
    memset (key, 'k', sizeof key);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t) (i * 31 >> 3);
    add (FRAME_PUT, 0, key, sizeof key, large, sizeof large);
    fold (0);
    add (FRAME_PUT, 0, key, sizeof key, large, sizeof large - 1);
    fold (0);
    state_view_t *view = port->view_new (port->self, 0);
    const uint8_t *value;
    size_t size;
    assert_int_equal (port->get (view, key, sizeof key, &value, &size), TROUPE_OK);
    assert_int_equal (size, sizeof large - 1);
    assert_memory_equal (value, large, size);
    assert_int_equal (port->get (view, key, sizeof key - 1, &value, &size), TROUPE_NOT_FOUND);
    port->view_destroy (&view);
}

/*  A model: which value each of these keys has, 0 for none. */
#define MODEL_KEYS 400
static uint32_t model[SHARDS][MODEL_KEYS];

typedef struct {
    const uint32_t *model;
    uint32_t next;
    bool agrees;
} comparison_t;

static bool
compare_one (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    comparison_t *self = arg;
    while (self->next < MODEL_KEYS && !self->model[self->next])
        self->next++;
    self->agrees = self->next < MODEL_KEYS && key_size == 3 && get_be16 (key + 1) == self->next
                   && value_size == 4 + self->model[self->next] % 700
                   && get_le32 (value) == self->model[self->next];
    self->next++;
    return self->agrees;
}

static void
compare_with_model (void)
{
    for (uint16_t shard = 0; shard < SHARDS; shard++) {
        state_view_t *view = port->view_new (port->self, shard);
        comparison_t comparison = { model[shard], 0, true };
        assert_int_equal (port->scan (view, (const uint8_t *) "m", 1, NULL, 0, compare_one, &comparison), TROUPE_OK);
        assert_true (comparison.agrees);
        while (comparison.next < MODEL_KEYS)
            assert_int_equal (model[shard][comparison.next++], 0);
        port->view_destroy (&view);
    }
}

static void
state_random_folds_agree_with_a_model (void **state)
{
    (void) state;
    static uint8_t keys[SHARDS][MODEL_KEYS][3], values[SHARDS][MODEL_KEYS][704];
    memset (model, 0, sizeof model);
    uint64_t dice = 7;
    for (int round = 0; round < 40; round++) {
        for (uint16_t shard = 0; shard < SHARDS; shard++) {
            for (uint32_t i = 0; i < MODEL_KEYS; i++) {
                dice = hash_mix (dice, i);
                if (dice % 8 > 2)
                    continue;
                uint32_t word = dice % 8 == 0 ? 0 : (uint32_t) (dice >> 32) | 1;
                model[shard][i] = word;
                keys[shard][i][0] = 'm';
                put_be16 (keys[shard][i] + 1, (uint16_t) i);
                put_le32 (values[shard][i], word);
                add (word ? FRAME_PUT : FRAME_DELETE, shard, keys[shard][i], 3, values[shard][i],
                     word ? 4 + word % 700 : 0);
            }
        }
        fold (0);
        compare_with_model ();
    }
}

static void
state_fold_without_memory_changes_nothing (void **state)
{
    (void) state;
    put (0, "a", "1");
    put (1, "b", "1");
    fold (0);
    for (uint64_t nth = 1; nth < 20; nth++) {
        put (0, "a", "2");
        put (0, "c", "2");
        put (1, "b", "2");
        memory_fail_after (nth);
        troupe_status_t status = try_fold (0);
        memory_fail_after (0);
        if (status == TROUPE_OK)
            break;
        assert_int_equal (status, TROUPE_NO_MEMORY);
        state_view_t *view = port->view_new (port->self, 0);
        assert_string_equal (list (view, "", "", 99), "a=1 ");
        port->view_destroy (&view);
    }
    state_view_t *view = port->view_new (port->self, 0);
    assert_string_equal (list (view, "", "", 99), "a=2 c=2 ");
    port->view_destroy (&view);
}

static atomic_bool readers_stop;
static atomic_uint readers_bad, readers_looks;

static void *
read_cuts (void *arg)
{
    state_view_t *view = port->view_new (port->self, *(uint16_t *) arg);
    while (!atomic_load (&readers_stop)) {
        if (!view || !view_is_one_cut (view))
            atomic_fetch_add (&readers_bad, 1);
        atomic_fetch_add (&readers_looks, 1);
    }
    port->view_destroy (&view);
    return NULL;
}

static void
state_readers_beside_folds_see_whole_cuts (void **state)
{
    (void) state;
    pthread_t threads[SHARDS];
    uint16_t numbers[SHARDS];
    atomic_store (&readers_stop, false);
    atomic_store (&readers_bad, 0);
    atomic_store (&readers_looks, 0);
    for (uint16_t i = 0; i < SHARDS; i++) {
        numbers[i] = i;
        assert_int_equal (pthread_create (&threads[i], NULL, read_cuts, &numbers[i]), 0);
    }
    for (int i = 0; i < 100; i++)
        fold_cut ();
    while (atomic_load (&readers_looks) < 50)
        usleep (1000);
    atomic_store (&readers_stop, true);
    for (int i = 0; i < SHARDS; i++)
        pthread_join (threads[i], NULL);
    assert_int_equal (atomic_load (&readers_bad), 0);
}

/* ------------------------------------------------------------------ *
 *  Memory alone
 * ------------------------------------------------------------------ */

static void
memory_state_told_to_die_keeps_what_was_folded (void **state)
{
    (void) state;
    state_memory_die_after (port, 2);
    put (0, "a", "1");
    fold (0);
    put (0, "a", "2");
    assert_int_equal (try_fold (0), TROUPE_IO);
    put (0, "a", "3");
    assert_int_equal (try_fold (0), TROUPE_IO);
    state_view_t *lost = port->view_new (port->self, 0);
    assert_string_equal (get (lost, "a"), "1");
    state_memory_revive (port);
    state_view_t *view = port->view_new (port->self, 0);
    assert_true (port->view_renew (view) == 1);
    assert_string_equal (get (view, "a"), "1");
    put (0, "a", "4");
    fold (0);
    port->view_renew (view);
    assert_string_equal (get (view, "a"), "4");
    port->view_destroy (&view);
}

int
main (void)
{
    const struct CMUnitTest both[] = {
        STATE_TEST (state_new_has_identity_and_zero_marks),
        STATE_TEST (state_folded_puts_are_read_back),
        STATE_TEST (state_later_folds_replace_and_delete),
        STATE_TEST (state_shards_do_not_see_each_other),
        STATE_TEST (state_scan_gives_prefix_from_a_key_in_order),
        STATE_TEST (state_view_sees_one_cut_until_renewed),
        STATE_TEST (state_longest_keys_and_large_values_are_kept),
        STATE_TEST (state_random_folds_agree_with_a_model),
        STATE_TEST (state_fold_without_memory_changes_nothing),
        STATE_TEST (state_readers_beside_folds_see_whole_cuts),
    };
    const struct CMUnitTest memory[] = {
        STATE_TEST (memory_state_told_to_die_keeps_what_was_folded),
    };
    int failed = cmocka_run_group_tests_name ("state in memory", both, NULL, NULL);
    failed += cmocka_run_group_tests_name ("in memory alone", memory, NULL, NULL);
    on_lmdb = true;
    failed += cmocka_run_group_tests_name ("state on LMDB", both, NULL, NULL);
    return failed;
}
