/*  test_recorder_texts.c - what a strike says: address, verb, backtrace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>

#include "tests/unit/deaths.h"

static void
die_with_bad_texts (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, forbidden_page (), (const char *) 3, 0);
    abort ();
}

static void
recorder_bad_pointers_cost_the_texts_alone (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_with_bad_texts), -SIGABRT);
    recorder_t *recorder = open_again ();
    const recorder_suspect_t *suspect = recorder_find (recorder, 77);
    assert_non_null (suspect);
    assert_int_equal (suspect->strikes, 1);
    assert_string_equal (suspect->address, "");
    assert_string_equal (suspect->verb, "");
    recorder_destroy (&recorder);
}

/*  One text ends at the end of what may be read, the other has no end. */
static void
die_with_edge_texts (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    char *pages = mmap (NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect (pages + 2 * 4096, 4096, PROT_NONE);
    memset (pages, 'a', 2 * 4096);
    memcpy (pages + 4096 - 5, "user/\033b\0secret", 15);
    char *edge = pages + 2 * 4096 - 3;
    memcpy (edge, "lap", 3);
    recorder_enter (slot, 77, pages + 4096 - 5, edge, 0);
    abort ();
}

static void
recorder_texts_are_cut_and_tamed (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_with_edge_texts), -SIGABRT);
    recorder_t *recorder = open_again ();
    const recorder_suspect_t *suspect = recorder_find (recorder, 77);
    assert_string_equal (suspect->address, "user/?b");
    assert_null (memmem (suspect->address, sizeof suspect->address, "secret", 6));
    assert_string_equal (suspect->verb, "lap");
    recorder_destroy (&recorder);
}

static void
die_with_endless_texts (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    char *page = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset (page, 'a', 4096);
    recorder_enter (slot, 77, page, page, 0);
    abort ();
}

static void
recorder_endless_texts_end (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_with_endless_texts), -SIGABRT);
    recorder_t *recorder = open_again ();
    const recorder_suspect_t *suspect = recorder_find (recorder, 77);
    assert_int_equal (strlen (suspect->address), TROUPE_ADDRESS_MAX);
    assert_int_equal (strlen (suspect->verb), TROUPE_NAME_MAX);
    recorder_destroy (&recorder);
}

/* ---- backtraces ---- */

static void
recorder_backtrace_begins_where_it_faulted (void **state)
{
    (void) state;
    assert_int_equal (die_by (segfault), -SIGSEGV);
    recorder_t *recorder = open_again ();
    const char *trace = recorder_find (recorder, 77)->backtrace;
    assert_true (trace_has (trace, 1, (void (*) (void)) write_to));
    assert_true (trace_has (trace, 3, (void (*) (void)) segfault));
    recorder_destroy (&recorder);
}

static void (*volatile nowhere) (void);

static __attribute__ ((noinline)) void
call_nowhere (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    nowhere ();
    recorder_leave (slot);
}

static void
recorder_backtrace_of_a_call_to_nowhere_names_the_caller (void **state)
{
    (void) state;
    assert_int_equal (die_by (call_nowhere), -SIGSEGV);
    recorder_t *recorder = open_again ();
    const char *trace = recorder_find (recorder, 77)->backtrace;
    assert_memory_equal (trace, "0x0\n", 4);
#if defined(__x86_64__)
    assert_true (trace_has (trace, 2, (void (*) (void)) call_nowhere));
#endif
    recorder_destroy (&recorder);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, remove_file, remove_file)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (recorder_bad_pointers_cost_the_texts_alone),
        TEST (recorder_texts_are_cut_and_tamed),
        TEST (recorder_endless_texts_end),
        TEST (recorder_backtrace_begins_where_it_faulted),
        TEST (recorder_backtrace_of_a_call_to_nowhere_names_the_caller),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
