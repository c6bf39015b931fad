/*  bench.c - `troupe bench`: measures what this machine makes of the runtime.
 *
 *  DESIGN
 *  Every figure is measured when it is printed; nothing is known beforehand. Each bench is
 *  a process of its own, forked by this one, which only waits: so no bench feels
 *  what another left in memory, a bench that fails takes nothing else with it,
 *  and whatever ends it, the directory of the run is removed here.
 *
 *  The directory is always a fresh one. Stores that exist are never touched, and
 *  the setting `store` is not looked at: a bench in a troupe.conf's store would be a
 *  catastrophe. It is not made in /tmp, since that may be memory, where a sync
 *  costs nothing and says nothing.
 */
#include "commands/bench.h"

#include "commands/command.h"
#include "commands/log.h"
#include "commands/nearest.h"
#include "commands/node.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES_OPEN_MOST 16
#define SCALE_MOST 1000
#define SECONDS_MOST 3600

static const bench_case_t *const cases[] = {
    &bench_floor, &bench_pingpong, &bench_fanin, &bench_ring,  &bench_ring100, &bench_skynet,  &bench_ask,
    &bench_idle,  &bench_wake,     &bench_turns, &bench_turn1, &bench_paced,   &bench_recover, &bench_edge, &bench_mix,
    &bench_zmq,   &bench_links, NULL
};

/* ------------------------------------------------------------------ *
 *  Figures
 * ------------------------------------------------------------------ */

void
bench_fail (const bench_t *self, const char *format, ...)
{
    va_list arguments;
    fflush (stdout);
    fprintf (stderr, "bench %s: ", self->name);
    va_start (arguments, format);
    vfprintf (stderr, format, arguments);
    va_end (arguments);
    fputc ('\n', stderr);
    _exit (EXIT_ANSWER);
}

void
bench_figure (const bench_t *self, const char *detail, double value, const char *unit)
{
    int decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
    const char *dot = detail ? "." : "";
    detail = detail ? detail : "";
    if (self->is_json)
        printf ("{\"bench\": \"%s\", \"name\": \"%s%s%s\", \"value\": %.6g, \"unit\": \"%s\"}\n", self->name,
                self->name, dot, detail, value, unit);
    else
        printf ("%s%s%s %.*f %s\n", self->name, dot, detail, decimals, value, unit);
    fflush (stdout);
}

uint64_t
bench_count (const bench_t *self, double count, uint64_t least)
{
    uint64_t scaled = (uint64_t) (count * self->scale);
    return scaled > least ? scaled : least;
}

static int
compare_samples (const void *left_, const void *right_)
{
    uint64_t left, right;
    memcpy (&left, left_, sizeof left);
    memcpy (&right, right_, sizeof right);
    return left < right ? -1 : left > right;
}

void
bench_sort (uint64_t *samples, size_t count)
{
    qsort (samples, count, sizeof *samples, compare_samples);
}

uint64_t
bench_quantile (const uint64_t *samples, size_t count, double quantile)
{
    size_t place = (size_t) (quantile * (double) count);
    return count == 0 ? 0 : samples[place < count ? place : count - 1];
}

static int
compare_values (const void *left_, const void *right_)
{
    double left, right;
    memcpy (&left, left_, sizeof left);
    memcpy (&right, right_, sizeof right);
    return left < right ? -1 : left > right;
}

double
bench_median (double *values, size_t count)
{
    qsort (values, count, sizeof *values, compare_values);
    return values[count / 2];
}

/*  splitmix64 */
uint64_t
bench_random (bench_dice_t *self, uint64_t below)
{
    uint64_t mixed = self->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return (mixed ^ mixed >> 31) % below;
}

/* ------------------------------------------------------------------ *
 *  Directories and processes
 * ------------------------------------------------------------------ */

static int
remove_one (const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void) status;
    (void) type;
    (void) place;
    return remove (path);
}

bool
bench_remove (const char *path)
{
    return nftw (path, remove_one, FILES_OPEN_MOST, FTW_DEPTH | FTW_PHYS) == 0;
}

static volatile sig_atomic_t child;    /* to be ended with us */
static volatile sig_atomic_t ended_by; /* a signal that came to us */

static void
on_signal (int number)
{
    ended_by = number;
    if (child > 0)
        kill ((pid_t) child, SIGKILL);
}

bool
bench_in_child (bench_t *self, void (*run) (bench_t *bench), int *signal)
{
    int status;
    fflush (stdout);
    pid_t pid = fork ();
    if (pid < 0)
        bench_fail (self, "cannot fork: %s", strerror (errno));
    if (pid == 0) {
        child = 0;
        prctl (PR_SET_PDEATHSIG, SIGKILL);
        run (self);
        fflush (stdout);
        _exit (EXIT_OK);
    }
    child = pid;
    while (waitpid (pid, &status, 0) < 0 && errno == EINTR)
        continue;
    child = 0;
    if (signal)
        *signal = WIFSIGNALED (status) ? WTERMSIG (status) : 0;
    return WIFEXITED (status) && WEXITSTATUS (status) == EXIT_OK;
}

/* ------------------------------------------------------------------ *
 *  Nodes
 * ------------------------------------------------------------------ */

static void
choose (bench_t *self, settings_t *settings, const char *name, const char *value)
{
    unsigned row;
    troupe_error_t error;
    if (settings_find (name, &row) && settings->sources[row] != SETTING_DEFAULT)
        return;
    if (settings_set (settings, name, value, &error) != TROUPE_OK)
        bench_fail (self, "%s", error.text);
}

troupe_t *
bench_new (bench_t *self, const char *store, const troupe_kind_t *const *kinds, const bench_setting_t *chosen)
{
    troupe_error_t error;
    troupe_t *node = troupe_new (kinds, &error);
    if (!node)
        bench_fail (self, "%s", error.text);
    settings_t *settings = node_settings (node);
    *settings = *self->settings;
    for (; chosen && chosen->name; chosen++)
        choose (self, settings, chosen->name, chosen->value);
    choose (self, settings, "ballast_bytes", "0");
    int size = snprintf (settings->store, sizeof settings->store, "%s/%s", self->directory, store);
    if (size >= (int) sizeof settings->store)
        bench_fail (self, "the path of the directory is too long");
    return node;
}

troupe_t *
bench_start (bench_t *self, const char *store, const troupe_kind_t *const *kinds, const bench_setting_t *chosen)
{
    troupe_error_t error;
    troupe_t *node = bench_new (self, store, kinds, chosen);
    if (troupe_start (node, &error) != TROUPE_OK)
        bench_fail (self, "%s", error.text);
    return node;
}

void
bench_end (bench_t *self, troupe_t **node, const char *store)
{
    char path[PATH_MAX];
    troupe_destroy (node);
    snprintf (path, sizeof path, "%s/%s", self->directory, store);
    bench_remove (path);
}

void
bench_check (const bench_t *self, troupe_status_t status, const troupe_answer_t *answer, const char *what)
{
    if (status != TROUPE_OK)
        bench_fail (self, "%s: %s: %s", what, troupe_status_name (status), answer && answer->text ? answer->text : "");
}

/* ------------------------------------------------------------------ *
 *  The subcommand
 * ------------------------------------------------------------------ */

static const option_t options[] = {
    { "store", "DIR", "work in a fresh directory below this one (default: the current one)" },
    { "scale", "PERCENT", "sizes, of those in the manual (default 100)" },
    { "seconds", "N", "how long turns and paced run (default 5 and 30)" },
    { "json", NULL, "one JSON object a line: bench, name, value, unit" },
    { NULL }
};

static void
list (void)
{
    for (const bench_case_t *const *one = cases; *one; one++)
        printf ("%-10s %s\n", (*one)->name, (*one)->what);
}

static const bench_case_t *
find (const char *name)
{
    for (const bench_case_t *const *one = cases; *one; one++)
        if (strcmp ((*one)->name, name) == 0)
            return *one;
    return NULL;
}

static int
unknown (const invocation_t *invocation, const char *name)
{
    nearest_t nearest = { .wanted = name };
    char hint[80];
    for (const bench_case_t *const *one = cases; *one; one++)
        nearest_offer (&nearest, (*one)->name);
    nearest_offer (&nearest, "all");
    return command_fail (invocation, EXIT_USAGE, "there is no bench \"%s\"%s", name,
                         nearest_hint (&nearest, hint, sizeof hint));
}

/*  The name of the fresh directory in `path`, and of one above it that was made too, or "". */
static int
make_directory (const invocation_t *invocation, char *path, size_t size, char *above)
{
    const char *given = option_text (invocation, "store");
    *above = '\0';
    if (snprintf (path, size, "%s/troupe-bench.XXXXXX", given ? given : ".") >= (int) size)
        return command_fail (invocation, EXIT_USAGE, "--store: the path is too long");
    if (given && mkdir (given, 0700) == 0)
        snprintf (above, size, "%s", given);
    if (!mkdtemp (path))
        return command_fail (invocation, EXIT_DISK, "cannot make %s: %s", path, strerror (errno));
    return EXIT_OK;
}

static int
run_one (bench_t *bench, const bench_case_t *one)
{
    int signal;
    bench->name = one->name;
    if (bench_in_child (bench, one->run, &signal))
        return EXIT_OK;
    if (signal && !ended_by)
        fprintf (stderr, "bench %s: ended by signal %d\n", one->name, signal);
    return EXIT_ANSWER;
}

/*  All that were asked for, each in its order. */
static int
run_all (const invocation_t *invocation, bench_t *bench)
{
    int code = EXIT_OK;
    for (unsigned i = 0; i < invocation->word_count && !ended_by; i++) {
        const bench_case_t *wanted = find (invocation->words[i]);
        for (const bench_case_t *const *one = cases; *one && !ended_by; one++)
            if ((!wanted || wanted == *one) && run_one (bench, *one) != EXIT_OK)
                code = EXIT_ANSWER;
    }
    return code;
}

static int
read_options (const invocation_t *invocation, bench_t *bench)
{
    uint64_t percent = 100, seconds = 0;
    if (!option_number (invocation, "scale", &percent) || !option_number (invocation, "seconds", &seconds))
        return EXIT_USAGE;
    if (percent < 1 || percent > SCALE_MOST)
        return command_fail (invocation, EXIT_USAGE, "--scale: 1 to %d per cent are wanted", SCALE_MOST);
    if (seconds > SECONDS_MOST)
        return command_fail (invocation, EXIT_USAGE, "--seconds: at most %d are wanted", SECONDS_MOST);
    for (unsigned i = 0; i < invocation->word_count; i++)
        if (!find (invocation->words[i]) && strcmp (invocation->words[i], "all") != 0)
            return unknown (invocation, invocation->words[i]);
    bench->scale = (double) percent / 100;
    bench->seconds = (double) seconds;
    bench->is_json = option_given (invocation, "json");
    return EXIT_OK;
}

static int
run (invocation_t *invocation)
{
    char path[SETTINGS_TEXT_MAX - 64], above[SETTINGS_TEXT_MAX - 64];
    bench_t bench = { .settings = &invocation->settings, .directory = path };
    struct sigaction action = { .sa_handler = on_signal };
    int code = read_options (invocation, &bench);
    if (code != EXIT_OK)
        return code;
    if (invocation->word_count == 0) {
        list ();
        return EXIT_OK;
    }
    code = make_directory (invocation, path, sizeof path, above);
    if (code != EXIT_OK)
        return code;
    log_configure (TROUPE_LOG_WARNING, LOG_FORMAT_HUMAN);  /* that a killed node had a handler in hand is no news */
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    sigaction (SIGHUP, &action, NULL);
    code = run_all (invocation, &bench);
    bench_remove (path);
    if (*above)
        (void) !rmdir (above);
    return ended_by ? 128 + ended_by : code;
}

const command_t command_bench = {
    .name = "bench",
    .words = "[NAME... | all]",
    .most = UINT_MAX,
    .summary = "measure this machine and this runtime",
    .help = "Without a name it lists the benches. A line is `name value unit`.\n",
    .reach = REACH_NONE,
    .options = options,
    .run = run
};
