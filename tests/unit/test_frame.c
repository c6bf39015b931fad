/*  test_frame.c - the ops of a frame, written and read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/frame.h"

static frame_t *
small_frame (void)
{
    frame_t *frame = frame_new (7, 42);
    assert_non_null (frame);
    memcpy (frame_put (frame, "laps", 4, 2), "10", 2);
    frame_delete (frame, "old", 3);
    assert_non_null (frame_put (frame, "empty", 5, 0));
    return frame;
}

static void
frame_new_is_empty_and_good (void **state)
{
    (void) state;
    frame_t *frame = frame_new (7, 42);
    assert_int_equal (frame->shard, 7);
    assert_int_equal (frame->number, 42);
    assert_int_equal (frame->body.size, 0);
    assert_true (frame_body_is_valid (frame->body.data, frame->body.size));
    frame_destroy (&frame);
    assert_null (frame);
    frame_destroy (&frame);
}

static void
frame_ops_are_read_as_written (void **state)
{
    (void) state;
    frame_t *frame = small_frame ();
    size_t at = 0;
    frame_op_t op;
    assert_true (frame_next_op (frame->body.data, frame->body.size, &at, &op));
    assert_int_equal (op.kind, FRAME_PUT);
    assert_int_equal (op.key_size, 4);
    assert_memory_equal (op.key, "laps", 4);
    assert_int_equal (op.value_size, 2);
    assert_memory_equal (op.value, "10", 2);
    assert_true (frame_next_op (frame->body.data, frame->body.size, &at, &op));
    assert_int_equal (op.kind, FRAME_DELETE);
    assert_memory_equal (op.key, "old", 3);
    assert_int_equal (op.value_size, 0);
    assert_true (frame_next_op (frame->body.data, frame->body.size, &at, &op));
    assert_int_equal (op.kind, FRAME_PUT);
    assert_memory_equal (op.key, "empty", 5);
    assert_int_equal (op.value_size, 0);
    assert_false (frame_next_op (frame->body.data, frame->body.size, &at, &op));
    assert_int_equal (at, frame->body.size);
    assert_true (frame_body_is_valid (frame->body.data, frame->body.size));
    frame_destroy (&frame);
}

static void
frame_body_is_laid_out_as_documented (void **state)
{
    (void) state;
    frame_t *frame = frame_new (0, 1);
    memcpy (frame_put (frame, "k", 1, 3), "abc", 3);
    assert_int_equal (frame->body.size, 11);
    assert_memory_equal (frame->body.data, "\x01\x01\x00\x03\x00\x00\x00kabc", 11);
    frame_destroy (&frame);
}

static void
frame_body_cut_anywhere_is_torn (void **state)
{
    (void) state;
    frame_t *frame = small_frame ();
    size_t ends[3], count = 0, at = 0;
    frame_op_t op;
    while (frame_next_op (frame->body.data, frame->body.size, &at, &op))
        ends[count++] = at;
    for (size_t size = 1; size < frame->body.size; size++) {
        bool whole = size == ends[0] || size == ends[1];
        assert_int_equal (frame_body_is_valid (frame->body.data, size), whole);
    }
    frame_destroy (&frame);
}

static void
frame_op_that_is_none_is_refused (void **state)
{
    (void) state;
    static const struct {
        uint8_t bytes[9];
        size_t size;
    } bad[] = {
        { { 0, 1, 0, 0, 0, 0, 0, 'k' }, 8 },                     /* no such op */
        { { 3, 1, 0, 0, 0, 0, 0, 'k' }, 8 },
        { { 1, 0, 0, 1, 0, 0, 0, 'v' }, 8 },                     /* no key */
        { { 2, 1, 0, 1, 0, 0, 0, 'k', 'v' }, 9 },                /* a delete with a value */
        { { 1, 1, 0, 0xff, 0xff, 0xff, 0xff, 'k' }, 8 },         /* longer than the rest */
        { { 1, 0xff, 0xff, 0, 0, 0, 0, 'k' }, 8 },
    };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        size_t at = 0;
        frame_op_t op;
        assert_false (frame_next_op (bad[index].bytes, bad[index].size, &at, &op));
        assert_int_equal (at, 0);
        assert_false (frame_body_is_valid (bad[index].bytes, bad[index].size));
    }
}

static void
frame_longest_key_is_taken_and_a_longer_one_not_read (void **state)
{
    (void) state;
    uint8_t key[FRAME_KEY_MAX + 1] = { 0 };
    frame_t *frame = frame_new (0, 1);
    assert_non_null (frame_put (frame, key, FRAME_KEY_MAX, 0));
    assert_true (frame_body_is_valid (frame->body.data, frame->body.size));
    buffer_byte (&frame->body, 0);
    frame->body.data[1] += 1;
    assert_false (frame_body_is_valid (frame->body.data, frame->body.size));
    frame_destroy (&frame);
}

static void
frame_over_its_limit_fails_and_stays_failed (void **state)
{
    (void) state;
    frame_t *frame = small_frame ();
    size_t size = frame->body.size;
    assert_null (frame_put (frame, "k", 1, FRAME_BODY_MAX));
    assert_true (frame->body.failed);
    assert_null (frame_put (frame, "k", 1, 1));
    frame_delete (frame, "k", 1);
    assert_int_equal (frame->body.size, size);
    assert_true (frame_body_is_valid (frame->body.data, size));
    assert_null (frame_put (frame, "k", 1, SIZE_MAX));
    frame_destroy (&frame);
}

static void
frame_nth_allocation_fails_leaves_whole_ops (void **state)
{
    (void) state;
    for (uint64_t nth = 1; nth < 10; nth++) {
        memory_fail_after (nth);
        frame_t *frame = frame_new (0, 1);
        for (size_t index = 0; frame && index < 40; index++) {
            uint8_t *place = frame_put (frame, "key", 3, 100);
            assert_true ((place == NULL) == frame->body.failed);
            if (place)
                memset (place, 1, 100);
        }
        memory_fail_after (0);
        assert_int_equal (frame == NULL, nth == 1);
        if (frame)
            assert_true (frame_body_is_valid (frame->body.data, frame->body.size));
        frame_destroy (&frame);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (frame_new_is_empty_and_good),
        cmocka_unit_test (frame_ops_are_read_as_written),
        cmocka_unit_test (frame_body_is_laid_out_as_documented),
        cmocka_unit_test (frame_body_cut_anywhere_is_torn),
        cmocka_unit_test (frame_op_that_is_none_is_refused),
        cmocka_unit_test (frame_longest_key_is_taken_and_a_longer_one_not_read),
        cmocka_unit_test (frame_over_its_limit_fails_and_stays_failed),
        cmocka_unit_test (frame_nth_allocation_fails_leaves_whole_ops),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
