/*  bench_server.c - a node with a gateway in a process of its own, for benches that come from outside. */
#include "commands/bench_server.h"

#include "commands/gateway.h"
#include "commands/host.h"
#include "commands/log.h"
#include "commands/node.h"
#include "commands/node_links.h"
#include "runtime/base/clock.h"
#include "transports/auth/tokens.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE "edge"
#define TOKEN_MS (60 * 60 * 1000)
#define CALLS_KEPT (1u << 23)  /* how fast commands go is measured, not when the door closes behind their answers */

static void
stay_on (int core)
{
    cpu_set_t set;
    CPU_ZERO (&set);
    CPU_SET (core, &set);
    (void) sched_setaffinity (0, sizeof set, &set);
}

static troupe_t *
new_node (const bench_server_t *self, const troupe_kind_t *const *kinds, bool is_zmq, const bench_place_t *place)
{
    troupe_t *node = bench_new (self->bench, self->store, kinds, NULL);
    settings_t *settings = node_settings (node);
    snprintf (settings->listen, sizeof settings->listen, "%s", is_zmq ? "" : "127.0.0.1:0");
    snprintf (settings->zmq_listen, sizeof settings->zmq_listen, "%s", is_zmq ? "127.0.0.1:0" : "");
    snprintf (settings->node, sizeof settings->node, "%s", place->node ? place->node : "");
    snprintf (settings->nodes, sizeof settings->nodes, "%s", place->nodes ? place->nodes : "");
    settings->web_connections = 100000;
    settings->web_address_connections = 0;
    settings->web_in_flight = 4096;
    settings->calls_kept = CALLS_KEPT;
    return node;
}

_Noreturn static void
serve (const bench_server_t *self, const troupe_kind_t *const *kinds, bool is_zmq, const bench_place_t *place,
       int told, int stop)
{
    troupe_error_t error = { TROUPE_OK, "" };
    char byte;
    if (!is_zmq && !place->shares_cores)
        stay_on (0);
    log_configure (TROUPE_LOG_ERROR, LOG_FORMAT_HUMAN);
    troupe_t *node = new_node (self, kinds, is_zmq, place);
    node_links_t *links = node_links_new (node, &error);
    gateway_t *gateway = error.status == TROUPE_OK ? gateway_new (node, node_settings (node), &error) : NULL;
    if (!gateway || troupe_start (node, &error) != TROUPE_OK || node_links_start (links, &error) != TROUPE_OK
        || gateway_start (gateway, NULL, NULL, &error) != TROUPE_OK)
        bench_fail (self->bench, "the server does not start: %s", error.text);
    const char *address = is_zmq ? gateway_backends_address (gateway) : gateway_address (gateway);
    uint16_t port = (uint16_t) atoi (strrchr (address, ':') + 1);
    if (write (told, &port, sizeof port) != sizeof port)
        _exit (1);
    (void) !read (stop, &byte, 1);  /* also when whoever started it is no more */
    gateway_quiet (gateway, 1, 1);
    if (links)
        node_links_quiet (links);
    troupe_stop (node);
    gateway_destroy (&gateway);
    node_links_destroy (&links);
    troupe_destroy (&node);
    _exit (0);
}

/*  Without kinds: the bare one. */
static void
start (bench_server_t *self, bench_t *bench, const troupe_kind_t *const *kinds, bool is_zmq,
       const bench_place_t *place)
{
    const char *store = place->store ? place->store : STORE;
    *self = (bench_server_t) { .bench = bench, .store = kinds ? store : NULL };
    int told[2], stop[2];
    host_raise_descriptors ();
    if (pipe (told) != 0 || pipe (stop) != 0)
        bench_fail (self->bench, "no pipes");
    self->pid = fork ();
    if (self->pid < 0)
        bench_fail (self->bench, "cannot fork");
    if (self->pid == 0) {
        close (told[0]);
        close (stop[1]);
        if (!kinds) {
            stay_on (0);
            bench_bare_serve (bench, told[1], stop[0]);
        }
        serve (self, kinds, is_zmq, place, told[1], stop[0]);
    }
    close (told[1]);
    close (stop[0]);
    self->told = told[0];
    self->stop = stop[1];
    if (!is_zmq && !place->shares_cores)
        stay_on (1);
    if (read (self->told, &self->port, sizeof self->port) != sizeof self->port)
        bench_fail (self->bench, "the server left before it was ready");
}

void
bench_server_start (bench_server_t *self, bench_t *bench, const troupe_kind_t *const *kinds,
                    const bench_place_t *place)
{
    start (self, bench, kinds, false, place);
}

void
bench_server_start_bare (bench_server_t *self, bench_t *bench)
{
    start (self, bench, NULL, false, &(bench_place_t) { 0 });
}

void
bench_server_start_zmq (bench_server_t *self, bench_t *bench, const troupe_kind_t *const *kinds,
                        const bench_place_t *place)
{
    start (self, bench, kinds, true, place);
}

void
bench_server_stop (bench_server_t *self)
{
    int status;
    char path[PATH_MAX];
    (void) !write (self->stop, "", 1);  /* another server, forked later, may have this end, too */
    close (self->stop);
    close (self->told);
    waitpid (self->pid, &status, 0);
    if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
        bench_fail (self->bench, "the server ended badly");
    if (!self->store)
        return;
    snprintf (path, sizeof path, "%s/%s", self->bench->directory, self->store);
    if (!bench_remove (path))
        bench_fail (self->bench, "cannot remove %s", path);
}

void
bench_server_token (const bench_server_t *self, const char *subject, buffer_t *text)
{
    char keys[PATH_MAX];
    const char *no_roles[] = { NULL };
    troupe_error_t error;
    tokens_t *tokens = NULL;
    tokens_options_t from = { .keys = keys, .issuer = self->bench->settings->token_issuer,
                              .audience = self->bench->settings->token_audience, .issuers = "" };
    snprintf (keys, sizeof keys, "%s/%s/token.keys", self->bench->directory, self->store);
    if (tokens_open (&from, &tokens, &error) != TROUPE_OK
        || tokens_make (tokens, subject, false, no_roles, clock_wall_ms (), TOKEN_MS, text, &error) != TROUPE_OK)
        bench_fail (self->bench, "no token: %s", error.text);
    buffer_byte (text, '\0');
    tokens_destroy (&tokens);
}

/*  A number of /proc: processor time in ticks, or memory in pages. */
static uint64_t
of_server (const bench_server_t *self, const char *file, unsigned field)
{
    char path[64], text[1024] = "";
    snprintf (path, sizeof path, "/proc/%ld/%s", (long) self->pid, file);
    FILE *stream = fopen (path, "re");
    if (!stream || !fgets (text, sizeof text, stream))
        bench_fail (self->bench, "cannot read %s", path);
    fclose (stream);
    char *at = strrchr (text, ')');
    at = at ? at + 2 : text;
    for (; field > 0 && (at = strchr (at, ' ')); field--)
        at += 1;
    return at ? strtoull (at, NULL, 10) : 0;
}

uint64_t
bench_server_pages (const bench_server_t *self)
{
    return of_server (self, "statm", 1);
}

double
bench_server_seconds (const bench_server_t *self)
{
    uint64_t ticks = of_server (self, "stat", 11) + of_server (self, "stat", 12);
    return (double) ticks / (double) sysconf (_SC_CLK_TCK);
}
