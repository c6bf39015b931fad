/*  serve.c - `troupe serve`: a small parent that keeps the node running.
 *
 *  DESIGN
 *  A handler that crashes takes the process with it, and so does the watchdog;
 *  the flight recorder makes the next start safe, so somebody must start it:
 *  the parent. It forks before any thread exists and opens nothing, so that each
 *  child begins from the same clean process (rule 21). It forwards the signals
 *  that mean "stop", and it holds one end of a pipe: when the parent is killed,
 *  the pipe closes and the child leaves by itself.
 *
 *  It does not start again what would only fail again: an end without error, wrong
 *  usage, a configuration or a store that somebody must change first, an I/O
 *  error that an operator must look at. All else is tried with a growing pause,
 *  which falls back once a child has lived for a while.
 */
#include "commands/host.h"
#include "commands/log.h"
#include "commands/text.h"
#include "runtime/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS 10000
#define GOOD_LIFE_MS 60000

static const option_t options[] = {
    { "accept-clock", NULL, "start although the clock is far ahead of the store's last use: it is right" },
    { "once", NULL, "without the parent: when the node dies, it stays dead" },
    { NULL }
};

typedef struct {
    const invocation_t *invocation;
    sigset_t watched;  /* signals; blocked in a child until it hears them in its own way */
    pid_t child;
    int pipe;          /* closes with the parent */
    bool is_stopping;
} parent_t;

/*  In the child this is the whole life. */
static troupe_status_t
start_child (parent_t *self, troupe_error_t *error)
{
    int ends[2];
    if (pipe2 (ends, O_CLOEXEC) != 0)
        return error_set (error, TROUPE_NO_MEMORY, "no descriptors: %s", strerror (errno));
    fflush (NULL);
    self->child = fork ();
    if (self->child == 0) {
        close (ends[1]);
        int code = host_run (self->invocation, ends[0]);
        fflush (NULL);
        exit (code);
    }
    close (ends[0]);
    if (self->child < 0) {
        close (ends[1]);
        return error_set (error, TROUPE_NO_MEMORY, "cannot fork: %s", strerror (errno));
    }
    self->pipe = ends[1];
    return TROUPE_OK;
}

/*  Of the watched signals. A hangup is for the node, which reads its certificate again. */
static bool
is_end (int signal_number)
{
    return signal_number > 0 && signal_number != SIGCHLD && signal_number != SIGHUP;
}

/*  Returns the status of waitpid. */
static int
wait_for_child (parent_t *self)
{
    for (;;) {
        int status;
        pid_t gone = waitpid (self->child, &status, WNOHANG);
        if (gone == self->child) {
            close (self->pipe);
            return status;
        }
        int signal_number = sigwaitinfo (&self->watched, NULL);
        if (is_end (signal_number)) {
            self->is_stopping = true;
            kill (self->child, SIGTERM);
        } else if (signal_number == SIGHUP)
            kill (self->child, SIGHUP);
    }
}

/*  False: a signal says that the parent shall end. */
static bool
pause_for (const parent_t *self, uint64_t pause_ms)
{
    uint64_t until_ns = clock_monotonic_ns () + pause_ms * 1000000;
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns ();
        if (now_ns >= until_ns)
            return true;
        uint64_t left_ns = until_ns - now_ns;
        struct timespec left = { (time_t) (left_ns / 1000000000), (long) (left_ns % 1000000000) };
        int signal_number = sigtimedwait (&self->watched, NULL, &left);
        if (is_end (signal_number))
            return false;
    }
}

static bool
is_final (int status)
{
    if (!WIFEXITED (status))
        return false;
    switch (WEXITSTATUS (status)) {
    case EXIT_OK:
    case EXIT_USAGE:
    case EXIT_DISK:
    case EXIT_CONFIG:
        return true;
    default:
        return false;
    }
}

static void
say_death (int status, uint64_t lived_ms, uint64_t pause_ms)
{
    char lived[TEXT_FIGURE], pause[TEXT_FIGURE];
    text_duration (lived_ms, lived);
    text_duration (pause_ms, pause);
    if (WIFSIGNALED (status))
        log_error ("the node died by signal %d (%s) after %s; it is started again in %s", WTERMSIG (status),
                   strsignal (WTERMSIG (status)), lived, pause);
    else
        log_error ("the node ended with code %d after %s; it is started again in %s", WEXITSTATUS (status), lived,
                   pause);
}

static int
keep_running (parent_t *self)
{
    uint64_t pause_ms = PAUSE_FIRST_MS;
    for (;;) {
        troupe_error_t error;
        uint64_t start_ns = clock_monotonic_ns ();
        if (start_child (self, &error) != TROUPE_OK) {
            log_error ("%s", error.text);
            return EXIT_INTERNAL;
        }
        int status = wait_for_child (self);
        uint64_t lived_ms = (clock_monotonic_ns () - start_ns) / 1000000;
        if (self->is_stopping || is_final (status))
            return WIFEXITED (status) ? WEXITSTATUS (status) : EXIT_INTERNAL;
        if (lived_ms >= GOOD_LIFE_MS)
            pause_ms = PAUSE_FIRST_MS;
        say_death (status, lived_ms, pause_ms);
        if (!pause_for (self, pause_ms))
            return EXIT_OK;
        pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
    }
}

static int
run (invocation_t *invocation)
{
    settings_t *settings = &invocation->settings;
    if (option_given (invocation, "accept-clock"))
        settings->clock_ahead_ms = 0;
    log_configure ((troupe_level_t) settings->log_level, (log_format_t) settings->log_format);
    if (option_given (invocation, "once"))
        return host_run (invocation, -1);
    parent_t self = { .invocation = invocation };
    sigemptyset (&self.watched);
    sigaddset (&self.watched, SIGTERM);
    sigaddset (&self.watched, SIGINT);
    sigaddset (&self.watched, SIGHUP);
    sigaddset (&self.watched, SIGCHLD);
    signal (SIGCHLD, SIG_DFL);  /* ignored, the children's ends would be lost */
    sigprocmask (SIG_BLOCK, &self.watched, NULL);
    return keep_running (&self);
}

const command_t command_serve = {
    .name = "serve",
    .words = "[FILE.so ...]",
    .most = REGISTRY_KINDS_MAX,
    .summary = "run a node",
    .help = "Kinds come from shared objects that say TROUPE_KINDS (&one, &other), and from this program,\n"
            "and while it runs from workers that come over ZeroMQ.\n"
            "When the node is up it prints a line that begins with \"ready\".\n"
            "SIGTERM and SIGINT stop it gracefully, SIGHUP has the certificate (web_certificate) read again.\n",
    .reach = REACH_NONE,
    .options = options,
    .run = run
};
