/*  test_arena.c - memory that is freed all at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/arena.h"
#include "runtime/base/memory.h"

#define BLOCKS 2000

static void
arena_blocks_are_aligned_and_keep_apart (void **state)
{
    (void) state;
    arena_t arena = { 0 };
    uint8_t *blocks[BLOCKS];
    for (size_t index = 0; index < BLOCKS; index++) {
        size_t size = index * 7 % 300;
        blocks[index] = arena_alloc (&arena, size);
        assert_non_null (blocks[index]);
        assert_int_equal ((uintptr_t) blocks[index] % 16, 0);
        memset (blocks[index], (int) (index & 255), size);
    }
    for (size_t index = 0; index < BLOCKS; index++)
        for (size_t at = 0; at < index * 7 % 300; at++)
            assert_int_equal (blocks[index][at], index & 255);
    arena_clear (&arena);
    arena_clear (&arena);
}

static void
arena_large_block_leaves_the_chunk_in_use (void **state)
{
    (void) state;
    arena_t arena = { 0 };
    uint8_t *first = arena_alloc (&arena, 16);
    uint8_t *large = arena_alloc (&arena, 1 << 20);
    uint8_t *second = arena_alloc (&arena, 16);
    assert_non_null (large);
    memset (large, 1, 1 << 20);
    assert_ptr_equal (second, first + 16);
    arena_clear (&arena);
}

static void
arena_reset_allocates_nothing_for_the_same_again (void **state)
{
    (void) state;
    arena_t arena = { 0 };
    for (int turn = 0; turn < 10; turn++) {
        if (turn == 5)  /* large enough by then for all of a turn */
            memory_fail_after (1);
        for (size_t index = 0; index < 200; index++)
            assert_non_null (arena_alloc (&arena, 64));
        arena_reset (&arena);
    }
    memory_fail_after (0);
    arena_clear (&arena);
}

static void
arena_reset_after_a_huge_block_gives_it_back (void **state)
{
    (void) state;
    arena_t arena = { 0 };
    assert_non_null (arena_alloc (&arena, 1 << 22));
    arena_reset (&arena);
    assert_null (arena.chunks);
    assert_non_null (arena_alloc (&arena, 8));
    arena_reset (&arena);
    assert_non_null (arena.chunks);
    assert_true (arena.left < 1 << 20);
    arena_clear (&arena);
}

static void
arena_sizes_that_wrap_are_refused (void **state)
{
    (void) state;
    arena_t arena = { 0 };
    assert_non_null (arena_alloc (&arena, 0));
    for (size_t less = 0; less < 40; less++)
        assert_null (arena_alloc (&arena, SIZE_MAX - less));
    assert_null (arena_string (&arena, "", SIZE_MAX));
    arena_clear (&arena);
}

static void
arena_string_ends_with_a_nul (void **state)
{
    (void) state;
    arena_t arena = { 0 };
    assert_string_equal (arena_string (&arena, "laps and more", 4), "laps");
    assert_string_equal (arena_string (&arena, NULL, 0), "");
    assert_memory_equal (arena_string (&arena, "a\0b", 3), "a\0b\0", 4);
    arena_clear (&arena);
}

static void
arena_nth_allocation_fails_returns_null_and_goes_on (void **state)
{
    (void) state;
    for (uint64_t nth = 1; nth < 12; nth++) {
        arena_t arena = { 0 };
        size_t failed = 0;
        memory_fail_after (nth);
        for (size_t index = 0; index < 100; index++)
            failed += arena_alloc (&arena, 500 + 97 * index) == NULL;
        memory_fail_after (0);
        assert_true (failed > 0);
        assert_non_null (arena_alloc (&arena, 500));
        arena_clear (&arena);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (arena_blocks_are_aligned_and_keep_apart),
        cmocka_unit_test (arena_large_block_leaves_the_chunk_in_use),
        cmocka_unit_test (arena_reset_allocates_nothing_for_the_same_again),
        cmocka_unit_test (arena_reset_after_a_huge_block_gives_it_back),
        cmocka_unit_test (arena_sizes_that_wrap_are_refused),
        cmocka_unit_test (arena_string_ends_with_a_nul),
        cmocka_unit_test (arena_nth_allocation_fails_returns_null_and_goes_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
