/*  host.c - a node with its control socket, from the start to a graceful end.
 *
 *  DESIGN
 *  The main thread sleeps in one poll: signals come as a descriptor, the parent's
 *  end as a pipe that closes, `stop` as an eventfd. Signals are blocked before
 *  any thread starts, so that no thread of the node is ever interrupted by one.
 *
 *  The end goes from outside to inside: clients are told to go; the control socket takes nothing more
 *  and sends what is finished; a backup in hand is waited for; the node finishes
 *  its turns and folds; only then are the connections closed, which tells
 *  `troupe stop` that all is over.
 */
#include "commands/host.h"

#include "actors/login.h"
#include "commands/control.h"
#include "commands/gateway.h"
#include "commands/log.h"
#include "commands/node_links.h"
#include "commands/notify.h"
#include "commands/plugin.h"
#include "commands/requests.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "storage/store.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define QUIET_MS 5000    /* for requests in hand when the node stops */
#define CLIENTS_MS 1000  /* for clients that were told to go */

typedef struct {
    const invocation_t *invocation;
    int parent, signals, stop;  /* descriptors */
    troupe_t *node;
    requests_t *requests;
    control_t *control;
    gateway_t *gateway;
    node_links_t *links;  /* NULL: it is in no cluster */
    char control_path[SETTINGS_TEXT_MAX + 16];
} host_t;

/*  What a failed start means for whoever would start it again. Not every failed system call is the store's: what
 *  left no marker there needs no acknowledgement either. */
static int
code_of (const host_t *self, troupe_status_t status)
{
    switch (status) {
    case TROUPE_IO:
        return store_is_broken (self->invocation->settings.store) ? EXIT_DISK : EXIT_CONFIG;
    case TROUPE_NO_MEMORY:
    case TROUPE_FULL:
        return EXIT_INTERNAL;
    default:
        return EXIT_CONFIG;
    }
}

static int
fail (const host_t *self, const troupe_error_t *error)
{
    log_error ("cannot start: %s", error->text);
    return code_of (self, error->status);
}

/* ---- start ---- */

void
host_raise_descriptors (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit (RLIMIT_NOFILE, &limit);
}

static troupe_status_t
open_descriptors (host_t *self, troupe_error_t *error)
{
    sigset_t ends;
    sigemptyset (&ends);
    sigaddset (&ends, SIGTERM);
    sigaddset (&ends, SIGINT);
    sigaddset (&ends, SIGHUP);
    signal (SIGPIPE, SIG_IGN);
    sigprocmask (SIG_SETMASK, &ends, NULL);
    host_raise_descriptors ();
    self->signals = signalfd (-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    self->stop = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->signals < 0 || self->stop < 0)
        return error_set (error, TROUPE_NO_MEMORY, "no descriptors: %s", strerror (errno));
    return TROUPE_OK;
}

static troupe_status_t
add_plugins (host_t *self, troupe_error_t *error)
{
    const invocation_t *invocation = self->invocation;
    for (unsigned i = 0; i < invocation->word_count; i++) {
        const troupe_kind_t *const *kinds = plugin_load (invocation->words[i], error);
        if (!kinds)
            return error->status;
        for (; *kinds; kinds++)
            if (node_add_kind (self->node, *kinds, error) != TROUPE_OK)
                return error->status;
    }
    bool has_own = invocation->kinds[0] || invocation->word_count > 0;
    if (!has_own && !*invocation->settings.zmq_listen)
        return error_set (error, TROUPE_INVALID, "no kinds to serve: give a shared object, `%s serve ./my_kinds.so`",
                          invocation->program);
    if (!has_own)
        log_info ("no kinds but those that workers will announce over ZeroMQ (zmq_listen)");
    return TROUPE_OK;
}

/*  `stop` over the control socket, on its thread. */
static void
ask_to_stop (void *arg)
{
    uint64_t one = 1;
    host_t *self = arg;
    while (write (self->stop, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static troupe_status_t
start_node (host_t *self, troupe_error_t *error)
{
    uint64_t start_ns = clock_monotonic_ns ();
    self->node = troupe_new (self->invocation->kinds, error);
    if (!self->node || add_plugins (self, error) != TROUPE_OK
        || node_add_kind (self->node, &login_kind, error) != TROUPE_OK)
        return error->status;
    *node_settings (self->node) = self->invocation->settings;
    self->links = node_links_new (self->node, error);
    if (!self->links && error->status != TROUPE_OK)
        return error->status;
    self->gateway = gateway_new (self->node, &self->invocation->settings, error);
    troupe_status_t status = self->gateway ? troupe_start (self->node, error) : error->status;
    if (status == TROUPE_OK)
        log_info ("the node started in %llu ms", (unsigned long long) ((clock_monotonic_ns () - start_ns) / 1000000));
    return status;
}

static troupe_status_t
start_control (host_t *self, troupe_error_t *error)
{
    settings_control (&self->invocation->settings, self->control_path, sizeof self->control_path);
    self->requests = requests_new (self->node, ask_to_stop, self);
    if (!self->requests)
        return error_set (error, TROUPE_NO_MEMORY, "out of memory");
    self->control = control_new (self->control_path, requests_handle, self->requests, error);
    return self->control ? TROUPE_OK : error->status;
}

/* ---- serve ---- */

static void
say_ready (const host_t *self)
{
    const registry_t *registry = node_registry (self->node);
    const settings_t *settings = &self->invocation->settings;
    bool json = settings->log_format == LOG_FORMAT_JSON;
    const char *listen = gateway_address (self->gateway);
    const char *zmq = gateway_backends_address (self->gateway);
    const char *feeds = gateway_feeds_address (self->gateway);
    const char *links = node_links_address (self->links);
    int shards = (int) node_shard_count (self->node), workers = (int) node_worker_count (self->node);
    if (json) {
        json_t *kinds = json_array ();
        for (uint32_t i = 0; i < registry_count (registry); i++)
            json_array_append_new (kinds, json_string (registry_at (registry, i)->name));
        json_t *ready = json_pack ("{s:b, s:s, s:o, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:i}", "ready", 1, "store",
                                   settings->store, "kinds", kinds, "shards", shards, "workers", workers, "control",
                                   self->control_path, "listen", listen, "zmq", zmq, "zmq_feeds", feeds,
                                   "links", links, "pid", (int) getpid ());
        json_dumpf (ready, stdout, JSON_COMPACT);
        json_decref (ready);
        putchar ('\n');
    } else {
        printf ("ready store=%s kinds=", settings->store);
        for (uint32_t i = 0; i < registry_count (registry); i++)
            printf ("%s%s", i ? "," : "", registry_at (registry, i)->name);
        printf (" shards=%d workers=%d control=%s listen=%s zmq=%s zmq_feeds=%s links=%s pid=%ld\n", shards,
                workers, self->control_path, listen, zmq, feeds, links, (long) getpid ());
    }
    fflush (stdout);
}

/*  Returns why. A service manager that wants to hear that all is well does not when the gateway's thread is stuck;
 *  stuck handlers end the process by themselves. */
static const char *
wait_for_the_end (const host_t *self)
{
    uint64_t beat_ms = notify_watchdog_ms () / 3;
    int patience_ms = beat_ms == 0 ? -1 : beat_ms < INT_MAX ? (int) beat_ms : INT_MAX;
    struct pollfd fds[] = {
        { .fd = self->signals, .events = POLLIN },
        { .fd = self->stop, .events = POLLIN },
        { .fd = self->parent, .events = POLLIN }
    };
    for (;;) {
        struct signalfd_siginfo info;
        int count = poll (fds, sizeof fds / sizeof *fds, patience_ms);
        if (count == 0 && gateway_came_round (self->gateway))
            notify_say ("WATCHDOG=1");
        if (count <= 0)
            continue;
        if (fds[1].revents)
            return "asked to over the control socket";
        if (fds[2].revents)
            return "the parent process ended";
        if (!fds[0].revents || read (self->signals, &info, sizeof info) != sizeof info)
            continue;
        if (info.ssi_signo != SIGHUP)
            return info.ssi_signo == SIGINT ? "interrupted" : "terminated";
        if (!gateway_reload (self->gateway))
            log_warning ("SIGHUP is in vain: there is no web_certificate that could be read again");
    }
}

/* ---- end ---- */

static void
end (host_t *self)
{
    if (self->gateway)
        gateway_quiet (self->gateway, CLIENTS_MS, QUIET_MS);
    if (self->control)
        control_quiet (self->control, QUIET_MS);
    if (self->requests)
        requests_quiet (self->requests);
    if (self->links)
        node_links_quiet (self->links);
    if (self->node) {
        troupe_stop (self->node);
        if (self->control)
            control_settle (self->control);
        gateway_destroy (&self->gateway);
        node_links_destroy (&self->links);
        troupe_destroy (&self->node);
    }
    control_destroy (&self->control);
    requests_destroy (&self->requests);
    if (self->signals >= 0)
        close (self->signals);
    if (self->stop >= 0)
        close (self->stop);
}

int
host_run (const invocation_t *invocation, int parent)
{
    host_t self = { .invocation = invocation, .parent = parent, .signals = -1, .stop = -1 };
    troupe_error_t error;
    troupe_status_t status = open_descriptors (&self, &error);
    if (status == TROUPE_OK)
        status = start_node (&self, &error);
    if (status == TROUPE_OK)
        status = start_control (&self, &error);
    if (status == TROUPE_OK)
        status = node_links_start (self.links, &error);
    if (status == TROUPE_OK)
        status = gateway_start (self.gateway, self.requests, self.control, &error);
    if (status != TROUPE_OK) {
        int code = fail (&self, &error);
        end (&self);
        return code;
    }
    say_ready (&self);
    notify_say ("READY=1");
    log_info ("the node stops: %s", wait_for_the_end (&self));
    notify_say ("STOPPING=1");
    end (&self);
    log_info ("the node stopped");
    return EXIT_OK;
}
