/*  test_recorder.c - deaths in handlers, and what the next start knows of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/deaths.h"

/* ---- each way to die in a handler ---- */

static void
recorder_segfault_in_handler_is_a_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (segfault), -SIGSEGV);
    assert_one_strike (SIGSEGV);
}

static void
die_abort (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    abort ();
}

static void
recorder_abort_in_handler_is_a_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_abort), -SIGABRT);
    assert_one_strike (SIGABRT);
}

/*  A page behind the end of its file: to write there is a SIGBUS. */
static char *
page_without_file (void)
{
    int fd = open ("short", O_RDWR | O_CREAT, 0600);
    char *place = mmap (NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close (fd);
    return place;
}

static void
die_bus (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    char *place = page_without_file ();
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    write_to (place);
}

static void
die_illegal (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    raise (SIGILL);
}

static void
die_number (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    raise (SIGFPE);
}

static void
die_trap (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    raise (SIGTRAP);
}

static void
recorder_every_fault_in_handler_is_a_strike (void **state)
{
    (void) state;
    static const struct { death_t *death; int signal; } ways[] = {
        { die_bus, SIGBUS }, { die_illegal, SIGILL }, { die_number, SIGFPE }, { die_trap, SIGTRAP }
    };
    for (size_t at = 0; at < sizeof ways / sizeof ways[0]; at++) {
        unlink (PATH);
        assert_int_equal (die_by (ways[at].death), -ways[at].signal);
        assert_one_strike (ways[at].signal);
    }
}

static __attribute__ ((noinline)) int
deeper (volatile int *depth)
{
    volatile char room[4096];
    room[0] = (char) *depth;
    *depth += 1;
    int below = *depth ? deeper (depth) : 0;
    return below + room[0];
}

static void
die_overflow (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    volatile int depth = 1;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    deeper (&depth);
}

static void
recorder_stack_overflow_is_a_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_overflow), -SIGSEGV);
    assert_one_strike (SIGSEGV);
}

static void
die_in_second (recorder_t *recorder, recorder_slot_t *slot)
{
    recorder_enter (slot, 5, "runner/5", "other", 0);
    recorder_leave (slot);
    segfault (recorder, slot);
}

static void
recorder_only_the_last_message_gets_the_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_in_second), -SIGSEGV);
    assert_one_strike (SIGSEGV);
}

/* ---- whom it does not concern ---- */

static void
end_well (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    recorder_leave (slot);
}

static void
recorder_good_end_leaves_nothing (void **state)
{
    (void) state;
    assert_int_equal (die_by (end_well), 0);
    assert_no_strike (0);
}

static void
die_between (recorder_t *recorder, recorder_slot_t *slot)
{
    end_well (recorder, slot);
    write_to (forbidden_page ());
}

static void
recorder_fault_outside_of_handlers_is_no_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_between), -SIGSEGV);
    assert_no_strike (0);
}

/*  Signals from outside: the child is in a handler and waits for them. */
static int
kill_in_handler (int signal)
{
    int ready[2];
    char byte;
    assert_int_equal (pipe (ready), 0);
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        close (ready[0]);
        dup2 (ready[1], 100);
        void wait_in_handler (recorder_t *recorder, recorder_slot_t *slot);
        run_child (wait_in_handler);
    }
    close (ready[1]);
    assert_int_equal (read (ready[0], &byte, 1), 1);
    close (ready[0]);
    kill (child, signal);
    return child_end (child);
}

void wait_in_handler (recorder_t *recorder, recorder_slot_t *slot);
void
wait_in_handler (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    if (write (100, "!", 1) == 1)
        for (;;)
            pause ();
}

static void
recorder_kill_from_outside_is_no_strike (void **state)
{
    (void) state;
    static const int signals[] = { SIGKILL, SIGABRT, SIGSEGV, SIGBUS, SIGTERM };
    for (size_t at = 0; at < sizeof signals / sizeof signals[0]; at++) {
        unlink (PATH);
        assert_int_equal (kill_in_handler (signals[at]), -signals[at]);
        assert_no_strike (1);
    }
}

static void *
stand_in_handler (void *arg)
{
    recorder_t *recorder = arg;
    recorder_slot_t *slot = recorder_slot (recorder, 0);
    recorder_thread_begin (recorder, slot);
    recorder_enter (slot, 5, "runner/5", "rest", 0);
    for (;;)
        pause ();
    return NULL;
}

static void
die_beside_another (recorder_t *recorder, recorder_slot_t *slot)
{
    pthread_t other;
    pthread_create (&other, NULL, stand_in_handler, recorder);
    while (recorder_slot (recorder, 0)->message == 0)
        sched_yield ();
    segfault (recorder, slot);
}

static void
recorder_neighbour_gets_no_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_beside_another), -SIGSEGV);
    assert_one_strike (SIGSEGV);
}

static void *
fault_without_slot (void *arg)
{
    write_to (forbidden_page ());
    return arg;
}

static void
die_on_foreign_thread (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    pthread_t other;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    pthread_create (&other, NULL, fault_without_slot, NULL);
    for (;;)
        pause ();
}

static void
recorder_fault_of_a_foreign_thread_is_no_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_on_foreign_thread), -SIGSEGV);
    assert_no_strike (1);
}

static void
die_in_fork (recorder_t *recorder, recorder_slot_t *slot)
{
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    pid_t child = fork ();
    if (child == 0)
        segfault (recorder, slot);
    int status;
    waitpid (child, &status, 0);
    recorder_leave (slot);
    if (!WIFSIGNALED (status))
        _exit (1);
}

static void
recorder_fault_of_a_forked_child_is_no_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (die_in_fork), 0);
    assert_no_strike (0);
}

/* ---- the program's own handlers ---- */

static void
exit_41 (int signal)
{
    (void) signal;
    _exit (41);
}

static void
exit_42 (int signal, siginfo_t *info, void *context)
{
    (void) signal;
    (void) context;
    _exit (info->si_code > 0 ? 42 : 43);
}

/*  As a program that embeds a node would have it. */
static void
with_own_handlers (recorder_t *recorder, recorder_slot_t *slot, death_t *death)
{
    recorder_thread_end ();
    recorder_uninstall (recorder);
    struct sigaction action = { .sa_sigaction = exit_42, .sa_flags = SA_SIGINFO };
    sigaction (SIGBUS, &action, NULL);
    signal (SIGABRT, exit_41);
    signal (SIGFPE, SIG_IGN);
    recorder_install (recorder);
    recorder_thread_begin (recorder, slot);
    death (recorder, slot);
}

static void
bus_between (recorder_t *recorder, recorder_slot_t *slot)
{
    end_well (recorder, slot);
    write_to (page_without_file ());
}

static void
bus_between_with_own (recorder_t *recorder, recorder_slot_t *slot)
{
    with_own_handlers (recorder, slot, bus_between);
}

static void
abort_between (recorder_t *recorder, recorder_slot_t *slot)
{
    end_well (recorder, slot);
    abort ();
}

static void
abort_between_with_own (recorder_t *recorder, recorder_slot_t *slot)
{
    with_own_handlers (recorder, slot, abort_between);
}

static void
die_bus_with_own (recorder_t *recorder, recorder_slot_t *slot)
{
    with_own_handlers (recorder, slot, die_bus);
}

static void
ignore_number (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    (void) slot;
    raise (SIGFPE);
}

static void
ignore_number_with_own (recorder_t *recorder, recorder_slot_t *slot)
{
    with_own_handlers (recorder, slot, ignore_number);
}

static void
recorder_fault_outside_of_handlers_is_the_programs (void **state)
{
    (void) state;
    assert_int_equal (die_by (bus_between_with_own), 42);
    assert_int_equal (die_by (abort_between_with_own), 41);
    assert_int_equal (die_by (ignore_number_with_own), 0);
    assert_no_strike (0);
    assert_int_equal (die_by (die_bus_with_own), -SIGBUS);
    assert_one_strike (SIGBUS);
}

static void
put_back (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) slot;
    recorder_thread_end ();
    recorder_uninstall (recorder);
    signal (SIGSEGV, exit_41);
    recorder_install (recorder);
    recorder_install (recorder);
    recorder_t *other = recorder_new (NULL, 1, NULL);
    recorder_install (other);
    recorder_destroy (&other);
    struct sigaction now;
    sigaction (SIGSEGV, NULL, &now);
    if (!(now.sa_flags & SA_SIGINFO))
        _exit (1);
    recorder_destroy (&recorder);
    sigaction (SIGSEGV, NULL, &now);
    _exit (now.sa_handler == exit_41 ? 0 : 2);
}

static void
recorder_last_one_puts_the_programs_handlers_back (void **state)
{
    (void) state;
    assert_int_equal (die_by (put_back), 0);
}

/* ---- the watchdog's ways ---- */

static void *
loop_in_handler (void *arg)
{
    recorder_t *recorder = arg;
    recorder_slot_t *slot = recorder_slot (recorder, 0);
    recorder_thread_begin (recorder, slot);
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    spin_forever ();
    return NULL;
}

static void *
loop_deaf (void *arg)
{
    sigset_t all;
    sigfillset (&all);
    pthread_sigmask (SIG_BLOCK, &all, NULL);
    return loop_in_handler (arg);
}

static uint64_t
start_loop (recorder_t *recorder, void *(*loop) (void *))
{
    pthread_t thread;
    pthread_create (&thread, NULL, loop, recorder);
    recorder_slot_t *slot = recorder_slot (recorder, 0);
    while (slot->message == 0)
        sched_yield ();
    return slot->turns;
}

static void
end_loop (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) slot;
    recorder_abort_turn (recorder, 0, start_loop (recorder, loop_in_handler));
    for (;;)
        pause ();
}

static void
recorder_aborted_turn_is_a_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (end_loop), -SIGABRT);
    assert_one_strike (SIGABRT);
    recorder_t *recorder = open_again ();
    assert_true (trace_has (recorder_find (recorder, 77)->backtrace, 1, spin_forever));
    recorder_destroy (&recorder);
}

static void
end_deaf_loop (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) slot;
    recorder_abort_turn (recorder, 0, start_loop (recorder, loop_deaf));
    recorder_mark_stuck (recorder, 0);
    recorder_mark_stuck (recorder, 2);  /* runs nothing */
    abort ();
}

static void
recorder_mark_from_outside_is_a_strike (void **state)
{
    (void) state;
    assert_int_equal (die_by (end_deaf_loop), -SIGABRT);
    assert_one_strike (SIGABRT);
}

static void
abort_wrong_turns (recorder_t *recorder, recorder_slot_t *slot)
{
    recorder_abort_turn (recorder, 1, slot->turns);  /* no handler runs */
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    recorder_abort_turn (recorder, 1, slot->turns - 1);
    recorder_abort_turn (recorder, 1, slot->turns + 1);
    recorder_abort_turn (recorder, 3, 1);  /* no thread there */
    recorder_leave (slot);
}

static void
recorder_abort_of_a_turn_that_is_over_changes_nothing (void **state)
{
    (void) state;
    assert_int_equal (die_by (abort_wrong_turns), 0);
    assert_no_strike (0);
}

static void
recorder_look_copies_what_is_in_hand (void **state)
{
    (void) state;
    recorder_t *recorder = recorder_new (NULL, 2, NULL);
    recorder_slot_t *slot = recorder_slot (recorder, 1);
    recorder_view_t view;
    assert_false (recorder_look (recorder, 1, &view));
    recorder_enter (slot, 77, "runner/7", "lap", 250);
    assert_true (recorder_look (recorder, 1, &view));
    assert_int_equal (view.message, 77);
    assert_int_equal (view.turn, 1);
    assert_int_equal (view.budget_ms, 250);
    assert_string_equal (view.address, "runner/7");
    assert_string_equal (view.verb, "lap");
    assert_false (recorder_look (recorder, 0, &view));
    recorder_enter (slot, 78, forbidden_page (), NULL, 0);
    assert_true (recorder_look (recorder, 1, &view));
    assert_int_equal (view.turn, 2);
    assert_string_equal (view.address, "");
    assert_string_equal (view.verb, "");
    recorder_leave (slot);
    assert_false (recorder_look (recorder, 1, &view));
    recorder_destroy (&recorder);
}

/* ---- strikes ---- */

static void
recorder_strikes_add_up_to_three (void **state)
{
    (void) state;
    for (unsigned strikes = 1; strikes <= RECORDER_STRIKES; strikes++) {
        assert_int_equal (die_by (strikes == 2 ? die_abort : segfault), strikes == 2 ? -SIGABRT : -SIGSEGV);
        recorder_t *recorder = open_again ();
        assert_int_equal (suspects (recorder), 1);
        assert_int_equal (recorder_find (recorder, 77)->strikes, strikes);
        assert_int_equal (recorder_find (recorder, 77)->signal, strikes == 2 ? SIGABRT : SIGSEGV);
        recorder_destroy (&recorder);
    }
    recorder_t *recorder = open_again ();
    assert_int_equal (recorder_find (recorder, 77)->strikes, RECORDER_STRIKES);
    recorder_destroy (&recorder);
}

static void
recorder_forgiven_message_starts_again (void **state)
{
    (void) state;
    assert_int_equal (die_by (segfault), -SIGSEGV);
    recorder_t *recorder = open_again ();
    recorder_forgive (recorder, 78);
    assert_int_equal (suspects (recorder), 1);
    recorder_forgive (recorder, 77);
    recorder_forgive (recorder, 77);
    assert_int_equal (suspects (recorder), 0);
    assert_null (recorder_find (recorder, 77));
    recorder_destroy (&recorder);
    assert_no_strike (0);
    assert_int_equal (die_by (segfault), -SIGSEGV);
    assert_one_strike (SIGSEGV);
}

/*  A start that counted a mark, synced, and died before the mark was wiped. */
static void
recorder_mark_is_counted_once (void **state)
{
    (void) state;
    assert_int_equal (die_by (segfault), -SIGSEGV);
    static uint8_t marks[sizeof (recorder_mark_t) * RECORDER_SLOTS_MAX];
    int fd = open (PATH, O_RDWR);
    assert_int_equal (pread (fd, marks, sizeof marks, offsetof (recorder_file_t, marks)), sizeof marks);
    close (fd);
    assert_one_strike (SIGSEGV);
    fd = open (PATH, O_RDWR);
    assert_int_equal (pwrite (fd, marks, sizeof marks, offsetof (recorder_file_t, marks)), sizeof marks);
    close (fd);
    assert_one_strike (SIGSEGV);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, remove_file, remove_file)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (recorder_segfault_in_handler_is_a_strike),
        TEST (recorder_abort_in_handler_is_a_strike),
        TEST (recorder_every_fault_in_handler_is_a_strike),
        TEST (recorder_stack_overflow_is_a_strike),
        TEST (recorder_only_the_last_message_gets_the_strike),
        TEST (recorder_good_end_leaves_nothing),
        TEST (recorder_fault_outside_of_handlers_is_no_strike),
        TEST (recorder_kill_from_outside_is_no_strike),
        TEST (recorder_neighbour_gets_no_strike),
        TEST (recorder_fault_of_a_foreign_thread_is_no_strike),
        TEST (recorder_fault_of_a_forked_child_is_no_strike),
        TEST (recorder_fault_outside_of_handlers_is_the_programs),
        TEST (recorder_last_one_puts_the_programs_handlers_back),
        TEST (recorder_aborted_turn_is_a_strike),
        TEST (recorder_mark_from_outside_is_a_strike),
        TEST (recorder_abort_of_a_turn_that_is_over_changes_nothing),
        TEST (recorder_look_copies_what_is_in_hand),
        TEST (recorder_strikes_add_up_to_three),
        TEST (recorder_forgiven_message_starts_again),
        TEST (recorder_mark_is_counted_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
