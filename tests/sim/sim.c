/*  sim.c - the simulator: many seeds, each a run of a whole node, or of several, with faults.
 *
 *      sim [--seed N] [--seeds N] [--first N] [--jobs N] [--verbose]
 *
 *  Runs seeds first .. first + seeds - 1 (default 1 .. 200) and ends with the
 *  figures, or with the first failure: its seed, the last events, what is wrong.
 *  --seed N runs that one; with --verbose every event is printed. The same seed is
 *  the same run, also in another process; that is tried with the first one.
 */
#include "tests/sim/sim.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define SEED_SECONDS 60  /* a seed that takes longer hangs */

typedef struct {
    uint64_t first, seeds;
    uint32_t jobs;
    bool verbose;
} settings_line_t;

static void
add_figures (figures_t *sum, const figures_t *more)
{
    uint64_t *to = (uint64_t *) sum;
    const uint64_t *from = (const uint64_t *) more;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static uint64_t
run_one (uint64_t seed, bool verbose, figures_t *sum)
{
    static sim_t sim;
    alarm (SEED_SECONDS);
    sim_run (&sim, seed, verbose);
    add_figures (sum, &sim.figures);
    alarm (0);
    uint64_t hash = sim.hash;
    sim_clear (&sim);
    return hash;
}

/*  The same seed must be the same run. */
static void
check_determinism (uint64_t seed)
{
    figures_t figures = { 0 };
    uint64_t one = run_one (seed, false, &figures), other = run_one (seed, false, &figures);
    if (one != other) {
        printf ("not ok - seed %llu ran in two ways\n", (unsigned long long) seed);
        exit (1);
    }
    printf ("ok - the same seed is the same run\n");
    fflush (stdout);
}

static void
run_share (const settings_line_t *line, uint32_t job, int to)
{
    figures_t sum = { 0 };
    for (uint64_t i = job; i < line->seeds; i += line->jobs)
        run_one (line->first + i, line->verbose, &sum);
    if (write (to, &sum, sizeof sum) != sizeof sum)
        _exit (2);
}

/*  Each job is a process of its own; the first that fails ends the run. */
static bool
run_jobs (const settings_line_t *line, figures_t *sum)
{
    int ends[2], status;
    pid_t jobs[JOBS_MAX];
    if (pipe (ends) != 0)
        return false;
    for (uint32_t i = 0; i < line->jobs; i++) {
        fflush (stdout);
        jobs[i] = fork ();
        if (jobs[i] == 0) {
            run_share (line, i, ends[1]);
            exit (0);
        }
    }
    bool all_well = true;
    for (uint32_t ended = 0; ended < line->jobs; ended++) {
        figures_t figures;
        pid_t job = wait (&status);
        bool is_well = job > 0 && WIFEXITED (status) && WEXITSTATUS (status) == 0;
        if (is_well && read (ends[0], &figures, sizeof figures) == sizeof figures)
            add_figures (sum, &figures);
        for (uint32_t i = 0; i < line->jobs && !is_well && all_well; i++)
            if (jobs[i] > 0 && jobs[i] != job)
                kill (jobs[i], SIGKILL);
        all_well = all_well && is_well;
    }
    close (ends[0]);
    close (ends[1]);
    return all_well;
}

static void
print_figures (const figures_t *sum, double seconds)
{
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {
        { "seeds", sum->seeds }, { "steps", sum->steps }, { "turns", sum->turns }, { "frames", sum->frames },
        { "calls", sum->calls }, { "of them repeated", sum->resends }, { "answers", sum->answers },
        { "events", sum->events }, { "parcels", sum->parcels }, { "outputs held against the disk", sum->released },
        { "ends of the process", sum->halts }, { "of them with the power", sum->powers },
        { "boots that died", sum->deaths_in_boot }, { "deaths in a handler", sum->handler_deaths },
        { "kinds that sent too much", sum->runaways },
        { "full disks", sum->full }, { "failed syncs", sum->sync_failures }, { "broken roads", sum->cuts },
        { "packets between nodes", sum->packets }, { "nodes that did not hear of each other", sum->splits },
        { "roads between nodes opened", sum->roads_opened }, { "of them broken", sum->roads_broken },
        { "calls of actors of other nodes", sum->forwarded }, { "events of their feeds", sum->heard },
        { "stores restored", sum->restores },
        { "folds", sum->folds }, { "states compared", sum->compared }
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        printf ("%-32s %12llu\n", lines[i].name, (unsigned long long) lines[i].value);
    printf ("%-32s %12.1f\n", "seconds", seconds);
}

static void
read_line (int argc, char **argv, settings_line_t *line)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' },  { "seeds", required_argument, NULL, 'n' },
        { "first", required_argument, NULL, 'f' }, { "jobs", required_argument, NULL, 'j' },
        { "verbose", no_argument, NULL, 'v' },     { NULL, 0, NULL, 0 }
    };
    bool is_one = false;
    for (int option; (option = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        uint64_t value = optarg ? strtoull (optarg, NULL, 10) : 0;
        if (option == 's') {
            line->first = value;
            is_one = true;
        } else if (option == 'n')
            line->seeds = value;
        else if (option == 'f')
            line->first = value;
        else if (option == 'j')
            line->jobs = (uint32_t) (value < 1 ? 1 : value > JOBS_MAX ? JOBS_MAX : value);
        else if (option == 'v')
            line->verbose = true;
        else {
            fprintf (stderr, "sim [--seed N] [--seeds N] [--first N] [--jobs N] [--verbose]\n");
            exit (2);
        }
    }
    if (is_one)
        line->seeds = 1;
}

int
main (int argc, char **argv)
{
    settings_line_t line = { .first = 1, .seeds = 200, .jobs = 1 };
    figures_t sum = { 0 };
    struct timespec began, ended;
    read_line (argc, argv, &line);
    sim_catch_signals ();
    clock_gettime (CLOCK_MONOTONIC, &began);
    if (line.seeds > 1)
        check_determinism (line.first);
    bool is_well = true;
    if (line.jobs == 1)
        for (uint64_t i = 0; i < line.seeds; i++)
            run_one (line.first + i, line.verbose, &sum);
    else
        is_well = run_jobs (&line, &sum);
    clock_gettime (CLOCK_MONOTONIC, &ended);
    if (!is_well)
        return 1;
    print_figures (&sum, (double) (ended.tv_sec - began.tv_sec) + (double) (ended.tv_nsec - began.tv_nsec) / 1e9);
    printf ("ok - %llu seeds\n", (unsigned long long) sum.seeds);
    return 0;
}
