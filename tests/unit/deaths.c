/*  deaths.c - children that die in handlers, for the tests of the flight recorder.
 *
 *  DESIGN
 *  Each death is a child's that really dies; the parent then opens the file as
 *  the next start would. In the current directory, which tests/run made for it.
 */
#include "tests/unit/deaths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

char *
forbidden_page (void)
{
    return mmap (NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

__attribute__ ((noinline)) void
write_to (volatile char *place)
{
    *place = 1;
}

/*  So short that a sanitizer has nothing to add to it. */
__attribute__ ((noinline)) void
spin_forever (void)
{
    for (;;)
        __asm__ volatile ("");
}

void
segfault (recorder_t *recorder, recorder_slot_t *slot)
{
    (void) recorder;
    recorder_enter (slot, 77, "runner/7", "lap", 0);
    write_to (forbidden_page ());
    recorder_leave (slot);  /* the call above is not its last */
}

void
run_child (death_t *death)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    for (size_t at = 0; at < sizeof faults / sizeof faults[0]; at++)
        signal (faults[at], SIG_DFL);  /* cmocka and the sanitizers have some */
    setrlimit (RLIMIT_CORE, &(struct rlimit) { 0, 0 });
    recorder_t *recorder = recorder_new (PATH, SLOTS, NULL);
    if (!recorder)
        _exit (99);
    recorder_install (recorder);
    recorder_thread_begin (recorder, recorder_slot (recorder, 1));
    death (recorder, recorder_slot (recorder, 1));
    recorder_thread_end ();
    recorder_destroy (&recorder);
    _exit (0);
}

/*  How the child ended: an exit status, or minus the signal. */
int
child_end (pid_t child)
{
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    return WIFSIGNALED (status) ? -WTERMSIG (status) : WEXITSTATUS (status);
}

int
die_by (death_t *death)
{
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0)
        run_child (death);
    return child_end (child);
}

recorder_t *
open_again (void)
{
    troupe_error_t error = { 0 };
    recorder_t *recorder = recorder_new (PATH, SLOTS, &error);
    if (!recorder)
        fail_msg ("%s", error.text);
    return recorder;
}

static void
count_one (void *arg, const recorder_suspect_t *suspect)
{
    assert_true (suspect->message != 0);
    *(unsigned *) arg += 1;
}

unsigned
suspects (const recorder_t *recorder)
{
    unsigned count = 0;
    recorder_each (recorder, count_one, &count);
    assert_true (recorder_has_suspects (recorder) || count == 0);
    return count;
}

/*  The next start finds this strike of runner/7 and no other. */
void
assert_one_strike (int signal)
{
    recorder_t *recorder = open_again ();
    assert_string_equal (recorder_warning (recorder), "");
    assert_int_equal (suspects (recorder), 1);
    const recorder_suspect_t *suspect = recorder_find (recorder, 77);
    assert_non_null (suspect);
    assert_int_equal (suspect->message, 77);
    assert_int_equal (suspect->strikes, 1);
    assert_int_equal (suspect->signal, signal);
    assert_string_equal (suspect->address, "runner/7");
    assert_string_equal (suspect->verb, "lap");
    assert_int_equal (recorder_in_hand (recorder), 0);
    recorder_destroy (&recorder);
}

void
assert_no_strike (unsigned in_hand)
{
    recorder_t *recorder = open_again ();
    assert_int_equal (suspects (recorder), 0);
    assert_int_equal (recorder_in_hand (recorder), in_hand);
    const recorder_suspect_t *suspect = recorder_find (recorder, 77);
    assert_int_equal (suspect != NULL, in_hand > 0);
    if (suspect)
        assert_int_equal (suspect->strikes, 0);
    recorder_destroy (&recorder);
}

int
remove_file (void **state)
{
    (void) state;
    unlink (PATH);
    return 0;
}

static int
first_bias (struct dl_phdr_info *info, size_t size, void *arg)
{
    (void) size;
    *(uintptr_t *) arg = info->dlpi_addr;
    return 1;
}

/*  Whether one of the first `lines` lines lies in this function. A forked child has its parent's addresses. */
bool
trace_has (const char *trace, unsigned lines, void (*function) (void))
{
    uintptr_t bias;
    dl_iterate_phdr (first_bias, &bias);
    for (; lines && *trace; lines--) {
        const char *plus = strchr (trace, '+');
        uintptr_t offset = plus ? strtoul (plus + 1, NULL, 16) : 0;
        if (bias + offset - (uintptr_t) function < 400)
            return true;
        trace = strchr (trace, '\n') + 1;
    }
    return false;
}
