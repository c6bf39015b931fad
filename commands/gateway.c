/*  gateway.c - the doors of a served node for clients, put together from settings. */
#include "commands/gateway.h"

#include "commands/backends.h"
#include "commands/exposition.h"
#include "commands/hooks.h"
#include "commands/keyring.h"
#include "commands/log.h"
#include "commands/node_host.h"
#include "commands/node_kind.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/edge/asyncapi.h"
#include "transports/edge/openapi.h"
#include "transports/edge/sign_in.h"
#include "transports/web/web.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TROUPE_DATA_DIRECTORY
#define TROUPE_DATA_DIRECTORY "/usr/local/share/troupe"
#endif

#define DOORS 2
#define CONSOLE_DIRECTORY TROUPE_DATA_DIRECTORY "/console"
#define CONSOLE " /console=" CONSOLE_DIRECTORY

struct gateway_s {
    troupe_t *node;
    web_t *web;  /* NULL: none is wanted */
    backends_t *backends;  /* the same */
    node_kind_t *kind, *backends_kind;  /* the node itself, as each of its doors shows it */
    char epoch[NODE_EPOCH_SIZE];
    host_port_t node_port;
    char host[SETTINGS_TEXT_MAX + 1];
    char address[SETTINGS_TEXT_MAX + 16];
    /* owner: the gateway's thread, once it runs */
    providers_t *providers;
    keyring_t keyring;
    sign_in_t *sign_in;
};

static void
write_log (bool is_error, const char *line)
{
    if (is_error)
        log_error ("%s", line);
    else
        log_warning ("%s", line);
}

/* ---- what the node says of itself ---- */

static void
write_document (const gateway_t *self, web_page_t page, const char *host, buffer_t *to)
{
    char version[32];
    snprintf (version, sizeof version, "%d.%d.%d", TROUPE_VERSION_MAJOR, TROUPE_VERSION_MINOR, TROUPE_VERSION_PATCH);
    document_info_t info = {
        .title = "Troupe",
        .version = version,
        .host = page == WEB_ASYNCAPI && *host ? host : NULL,  /* OpenAPI means where it is found, when it names none */
        .is_secure = *node_settings (self->node)->web_certificate,
        .has_sign_in = self->sign_in != NULL
    };
    const registry_t *registry = node_registry (self->node);
    uint32_t count = registry_count (registry);
    const troupe_kind_t **kinds = memory_zalloc ((count + 2) * sizeof *kinds);
    for (uint32_t i = 0; kinds && i < count; i++)
        kinds[i] = registry_at (registry, i)->table;
    if (!kinds) {
        to->failed = true;
        return;
    }
    kinds[count] = &node_kind;
    if (page == WEB_OPENAPI)
        openapi_write (to, &info, kinds);
    else
        asyncapi_write (to, &info, kinds);
    memory_free (kinds);
}

static void
write_page (void *arg, web_page_t page, const char *host, buffer_t *to)
{
    gateway_t *self = arg;
    edge_counts_t counts = edge_counts (web_edge (self->web)), others = { 0 };
    if (self->backends)
        others = edge_counts (bus_edge (backends_bus (self->backends)));
    edge_counts_add (&counts, &others);
    if (page == WEB_METRICS) {
        exposition_write (self->node, &counts, to);
        if (self->backends)
            exposition_write_crew (bus_crew (backends_bus (self->backends)), to);
    } else
        write_document (self, page, host, to);
}

static bool
is_ready (void *arg)
{
    gateway_t *self = arg;
    return node_is_running (self->node) && node_door (self->node) == TROUPE_OK;
}

/* ---- who somebody is ---- */

static troupe_status_t
open_sign_in (gateway_t *self, troupe_error_t *error)
{
    const settings_t *settings = node_settings (self->node);
    troupe_status_t status = keyring_open (&self->keyring, self->node, &self->node_port, error);
    if (status != TROUPE_OK)
        return status;
    sign_in_options_t options = {
        .tokens = self->keyring.tokens,
        .may_register = settings->auth_register,
        .access_ms = settings->auth_access_ms,
        .refresh_ms = settings->auth_refresh_ms,
        .audit = keyring_audit
    };
    self->sign_in = sign_in_new (web_edge (self->web), &options, error);
    return self->sign_in ? TROUPE_OK : error->status;
}

/* ---- its life ---- */

/*  "HOST:PORT". */
static troupe_status_t
split (gateway_t *self, const char *listen, uint16_t *port, troupe_error_t *error)
{
    const char *colon = strrchr (listen, ':');
    char *end = NULL;
    unsigned long number = colon ? strtoul (colon + 1, &end, 10) : 0;
    if (!colon || colon == listen || end == colon + 1 || *end || number > UINT16_MAX)
        return error_set (error, TROUPE_INVALID, "listen: ADDRESS:PORT is wanted, not \"%.60s\"", listen);
    snprintf (self->host, sizeof self->host, "%.*s", (int) (colon - listen), listen);
    *port = (uint16_t) number;
    return TROUPE_OK;
}

static troupe_status_t
open_web (gateway_t *self, const settings_t *settings, troupe_error_t *error)
{
    uint16_t port = 0;
    troupe_status_t status = split (self, settings->listen, &port, error);
    if (status != TROUPE_OK)
        return status;
    char files[SETTINGS_TEXT_MAX + sizeof CONSOLE + 1];
    bool has_console = settings->web_console && access (CONSOLE_DIRECTORY, X_OK) == 0;  /* it is installed */
    if (settings->web_console && !has_console && !strstr (settings->web_files, "/console="))
        log_info ("no console: %s is not there", CONSOLE_DIRECTORY);
    snprintf (files, sizeof files, "%s%s", settings->web_files, has_console ? CONSOLE : "");
    web_options_t options = {
        .host = self->host,
        .port = port,
        .log = write_log,
        .certificate = settings->web_certificate,
        .key = settings->web_key,
        .files = files,
        .files_policy = settings->web_files_policy,
        .proxies = settings->web_proxies,
        .tcp_proxies = settings->web_proxy_protocol,
        .hooks = settings->web_hooks,
        .hook_headers = settings->web_hook_headers,
        .origins = settings->web_origins,
        .write_page = write_page,
        .is_ready = is_ready,
        .arg = self,
        .other_descriptors = (uint32_t) settings->zmq_connections,
        .limits = {
            .connections = (uint32_t) settings->web_connections,
            .address_connections = (uint32_t) settings->web_address_connections,
            .hello_ms = (uint32_t) settings->web_hello_ms,
            .idle_ms = (uint32_t) settings->web_idle_ms
        },
        .edge.identify = keyring_identify,
        .edge.identify_arg = &self->keyring,
        .edge.audit = keyring_audit,
        .edge.roles = self->keyring.roles,
        .edge.key_ms = settings->auth_access_ms,
        .edge.rates = {
            [RATE_READ] = (uint32_t) settings->rate_reads,
            [RATE_COMMAND] = (uint32_t) settings->rate_commands,
            [RATE_SIGN_IN] = (uint32_t) settings->rate_sign_ins,
            [RATE_ADDRESS] = (uint32_t) settings->rate_address
        },
        .edge.limits = {
            .message_bytes = (uint32_t) settings->web_message_bytes,
            .in_flight = (uint32_t) settings->web_in_flight,
            .watches = (uint32_t) settings->web_watches,
            .keep_ms = 2 * settings->call_keep_ms
        }
    };
    self->web = web_new (&options, error);
    if (!self->web)
        return error->status;
    snprintf (self->address, sizeof self->address, "%s:%u", self->host, web_port (self->web));
    return TROUPE_OK;
}

/* ---- events, for both doors; any thread ---- */

static bool
is_watched (void *arg, const char *address, const char *channel)
{
    gateway_t *self = arg;
    return (self->web && edge_is_watched (web_edge (self->web), address, channel))
           || (self->backends && bus_is_watched (backends_bus (self->backends), address, channel));
}

static void
published (void *arg, const char *address, const char *channel, uint64_t offset, const char *key, const void *body,
           size_t size)
{
    gateway_t *self = arg;
    if (self->web && edge_is_watched (web_edge (self->web), address, channel))
        edge_published (web_edge (self->web), address, channel, offset, key, body, size);
    if (self->backends)
        bus_published (backends_bus (self->backends), address, channel, offset, key, body, size);
}

static void
edges_of (gateway_t *self, edge_t *edges[DOORS])
{
    edges[0] = self->web ? web_edge (self->web) : NULL;
    edges[1] = self->backends ? bus_edge (backends_bus (self->backends)) : NULL;
}

/*  Of other nodes: those that subscribe to all events are told of this node's alone. */
static bool
is_watched_away (void *arg, const char *address, const char *channel)
{
    edge_t *edges[DOORS];
    edges_of (arg, edges);
    return (edges[0] && edge_is_watched (edges[0], address, channel))
           || (edges[1] && edge_is_watched (edges[1], address, channel));
}

static void
heard_away (void *arg, const char *address, const char *channel, uint64_t offset, const char *key, const void *body,
            size_t size)
{
    edge_t *edges[DOORS];
    edges_of (arg, edges);
    for (unsigned i = 0; i < DOORS; i++)
        if (edges[i] && edge_is_watched (edges[i], address, channel))
            edge_published (edges[i], address, channel, offset, key, body, size);
}

static troupe_status_t
open_doors (gateway_t *self, const settings_t *settings, troupe_error_t *error)
{
    node_listener_t listener = { self, is_watched, published }, away = { self, is_watched_away, heard_away };
    troupe_status_t status = TROUPE_OK;
    if (*settings->zmq_feeds && !*settings->zmq_listen)
        return error_set (error, TROUPE_INVALID, "zmq_feeds goes with zmq_listen, where what was missed is fetched");
    if (*settings->listen)
        status = hooks_check (settings->web_hooks, node_registry (self->node), error);
    if (*settings->listen && status == TROUPE_OK)
        status = open_web (self, settings, error);
    if (status == TROUPE_OK && *settings->zmq_listen && !(self->backends = backends_new (self->node, settings, error)))
        status = error->status;
    if (self->backends)
        node_set_backends_address (self->node, bus_address (backends_bus (self->backends)));
    if (self->web || self->backends) {
        node_listen (self->node, &listener);
        node_listen_away (self->node, &away);
    }
    return status;
}

gateway_t *
gateway_new (troupe_t *node, const settings_t *settings, troupe_error_t *error)
{
    gateway_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for the gateway");
        return NULL;
    }
    self->node = node;
    if (sodium_init () < 0) {
        error_set (error, TROUPE_NO_MEMORY, "libsodium does not start");
        gateway_destroy (&self);
    } else if (open_doors (self, settings, error) != TROUPE_OK)
        gateway_destroy (&self);
    return self;
}

const char *
gateway_address (const gateway_t *self)
{
    return self->address;
}

const char *
gateway_backends_address (const gateway_t *self)
{
    return self->backends ? bus_address (backends_bus (self->backends)) : "";
}

const char *
gateway_feeds_address (const gateway_t *self)
{
    return self->backends ? bus_feeds_address (backends_bus (self->backends)) : "";
}

/*  Puts the node itself in front of the host. */
static troupe_status_t
show_node (gateway_t *self, edge_t *edge, requests_t *requests, control_t *control, node_kind_t **kind,
           host_port_t *host, troupe_error_t *error)
{
    if (!requests)
        return TROUPE_OK;
    *kind = node_kind_new (self->node, edge, requests, control, &self->node_port);
    if (!*kind)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for the gateway");
    *host = node_kind_host (*kind);
    return TROUPE_OK;
}

static troupe_status_t
start_backends (gateway_t *self, requests_t *requests, control_t *control, troupe_error_t *error)
{
    host_port_t host = self->node_port;
    edge_t *edge = bus_edge (backends_bus (self->backends));
    troupe_status_t status = show_node (self, edge, requests, control, &self->backends_kind, &host, error);
    return status == TROUPE_OK ? backends_start (self->backends, &host, self->providers, error) : status;
}

static troupe_status_t
start_web (gateway_t *self, requests_t *requests, control_t *control, troupe_error_t *error)
{
    host_port_t host = self->node_port;
    edge_t *edge = web_edge (self->web);
    troupe_status_t status = show_node (self, edge, requests, control, &self->kind, &host, error);
    if (status != TROUPE_OK)
        return status;
    edge_attach (edge, &host);
    status = open_sign_in (self, error);
    return status == TROUPE_OK ? web_start (self->web, &host, error) : status;
}

troupe_status_t
gateway_start (gateway_t *self, requests_t *requests, control_t *control, troupe_error_t *error)
{
    const settings_t *settings = node_settings (self->node);
    troupe_status_t status = TROUPE_OK;
    self->node_port = node_host (self->node, self->epoch);
    if (*settings->token_issuers) {
        self->providers = providers_new (settings->token_issuers, settings->store, settings->token_fetch_ms, error);
        self->keyring.providers = self->providers;
        status = self->providers ? TROUPE_OK : error->status;
    }
    if (status == TROUPE_OK && self->backends)
        status = start_backends (self, requests, control, error);
    return status == TROUPE_OK && self->web ? start_web (self, requests, control, error) : status;
}

bool
gateway_reload (gateway_t *self)
{
    return self->web && web_reload (self->web);
}

bool
gateway_came_round (gateway_t *self)
{
    return !self->web || web_came_round (self->web);
}

void
gateway_quiet (gateway_t *self, uint64_t most_ms, uint64_t calls_ms)
{
    if (self->web)
        web_quiet (self->web, most_ms, calls_ms);
    if (self->backends)
        backends_quiet (self->backends, most_ms);
}

void
gateway_destroy (gateway_t **self_p)
{
    gateway_t *self = *self_p;
    if (!self)
        return;
    if (self->web)
        web_quiet (self->web, 0, 0);
    backends_destroy (&self->backends);
    sign_in_destroy (&self->sign_in);
    web_destroy (&self->web);
    keyring_close (&self->keyring);
    providers_destroy (&self->providers);
    node_kind_destroy (&self->kind);
    node_kind_destroy (&self->backends_kind);
    memory_free (self);
    *self_p = NULL;
}
