/*  backends.c - the door of a served node for backends, put together from settings. */
#include "commands/backends.h"

#include "commands/keyring.h"
#include "commands/log.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"

struct backends_s {
    bus_t *bus;
    troupe_t *node;
    keyring_t keyring;  /* owner: the bus' thread, once it runs */
};

backends_t *
backends_new (troupe_t *node, const settings_t *settings, troupe_error_t *error)
{
    backends_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for ZeroMQ");
        return NULL;
    }
    self->node = node;
    bus_options_t options = {
        .listen = settings->zmq_listen,
        .feeds = settings->zmq_feeds,
        .certificate = settings->zmq_certificate,
        .certificates = settings->zmq_certificates,
        .connections = (uint32_t) settings->zmq_connections,
        .idle_ms = (uint32_t) settings->zmq_idle_ms,
        .heartbeat_ms = (uint32_t) settings->zmq_heartbeat_ms,
        .linger_ms = (uint32_t) settings->zmq_linger_ms,
        .in_messages = (uint32_t) settings->zmq_in_messages,
        .feeds_events = (uint32_t) settings->zmq_feeds_events,
        .log = log_line,
        .edge.identify = keyring_identify,
        .edge.identify_arg = &self->keyring,
        .edge.audit = keyring_audit,
        .edge.roles = self->keyring.roles,
        .edge.key_ms = settings->auth_access_ms,
        .edge.rates = {
            [RATE_READ] = (uint32_t) settings->rate_reads,
            [RATE_COMMAND] = (uint32_t) settings->rate_commands,
            [RATE_SIGN_IN] = (uint32_t) settings->rate_sign_ins
        },
        .edge.limits = {
            .message_bytes = (uint32_t) settings->web_message_bytes,
            .in_flight = (uint32_t) settings->web_in_flight,
            .watches = (uint32_t) settings->web_watches,
            .keep_ms = 2 * settings->call_keep_ms
        }
    };
    self->bus = bus_new (&options, error);
    if (self->bus)
        node_serve_remote (node, crew_port (bus_crew (self->bus)));
    else
        backends_destroy (&self);
    return self;
}

bus_t *
backends_bus (backends_t *self)
{
    return self->bus;
}

troupe_status_t
backends_start (backends_t *self, const host_port_t *host, providers_t *providers, troupe_error_t *error)
{
    self->keyring.providers = providers;
    troupe_status_t status = keyring_open (&self->keyring, self->node, host, error);
    remote_host_t remote = node_remote_host (self->node);
    return status == TROUPE_OK ? bus_start (self->bus, host, &remote, error) : status;
}

void
backends_quiet (backends_t *self, uint64_t most_ms)
{
    bus_quiet (self->bus, most_ms);
}

void
backends_destroy (backends_t **self_p)
{
    backends_t *self = *self_p;
    if (!self)
        return;
    bus_destroy (&self->bus);
    keyring_close (&self->keyring);
    memory_free (self);
    *self_p = NULL;
}
