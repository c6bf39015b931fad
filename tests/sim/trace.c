/*  trace.c - what happened in a run, and how a failure is told.
 *
 *  DESIGN
 *  Every event goes into a running hash, so that two runs of one seed can be
 *  compared, and into a ring of the last ones, which is all that is printed
 *  when something is wrong: by a check, or by the runtime's own assertions, which
 *  end in a signal.
 */
#include "tests/sim/sim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

sim_t *sim_now;

static void
print_entry (FILE *to, const sim_t *sim, const trace_entry_t *entry)
{
    (void) sim;
    fprintf (to, "  %6llu %13llu  %-10s %llu %llu %llu %s\n", (unsigned long long) entry->step,
             (unsigned long long) entry->now_ms, entry->what, (unsigned long long) entry->a,
             (unsigned long long) entry->b, (unsigned long long) entry->c, entry->text);
}

void
sim_note (sim_t *sim, const char *what, uint64_t a, uint64_t b, uint64_t c, const char *text)
{
    trace_entry_t *entry = &sim->trace[sim->traced++ % TRACE_KEPT];
    entry->what = what;
    entry->step = sim->step;
    entry->now_ms = sim->world ? world_now (sim->world) : 0;
    entry->a = a;
    entry->b = b;
    entry->c = c;
    size_t size = text ? strnlen (text, sizeof entry->text - 1) : 0;
    if (size)
        memcpy (entry->text, text, size);
    entry->text[size] = 0;
    uint64_t mixed = hash_mix (sim->hash, hash_mix (a, b) ^ c);
    sim->hash = hash_mix (mixed, hash_bytes (entry->text, size, hash_bytes (what, strlen (what), entry->now_ms)));
    if (sim->is_verbose)
        print_entry (stdout, sim, entry);
}

static void
tell_place (FILE *to)
{
    sim_t *sim = sim_now;
    if (!sim || !sim->trace)
        return;
    uint64_t from = sim->traced > TRACE_KEPT ? sim->traced - TRACE_KEPT : 0;
    if (!sim->is_verbose) {
        fprintf (to, "the last events (step, time, what):\n");
        if (sim->traced - from > 60)
            from = sim->traced - 60;
        for (uint64_t i = from; i < sim->traced; i++)
            print_entry (to, sim, &sim->trace[i % TRACE_KEPT]);
    }
    fprintf (to, "not ok - seed %llu at step %llu: again with `sim --seed %llu --verbose`\n",
             (unsigned long long) sim->seed, (unsigned long long) sim->step, (unsigned long long) sim->seed);
}

_Noreturn void
sim_fail (const char *format, ...)
{
    va_list arguments;
    tell_place (stdout);
    printf ("    ");
    va_start (arguments, format);
    vprintf (format, arguments);
    va_end (arguments);
    printf ("\n");
    fflush (stdout);
    if (getenv ("SIM_ABORT")) {
        signal (SIGABRT, SIG_DFL);
        abort ();
    }
    _exit (1);
}

static void
on_signal (int number)
{
    tell_place (stdout);
    printf ("    ended by signal %d\n", number);
    fflush (stdout);
    signal (number, SIG_DFL);
    raise (number);
}

void
sim_catch_signals (void)
{
    signal (SIGABRT, on_signal);
    signal (SIGSEGV, on_signal);
    signal (SIGBUS, on_signal);
    signal (SIGFPE, on_signal);
    signal (SIGALRM, on_signal);
}
