/*  backends.c - the door of a served node for backends, put together from settings. */
#include "commands/backends.h"

#include "commands/log.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/auth/tokens.h"

#include <stdio.h>

#define LOOK_MS 1000  /* how often it is seen whether the keys are others now */

struct backends_s {
    bus_t *bus;
    host_port_t host;
    char keys_path[SETTINGS_TEXT_MAX + 32];
    /* owner: the bus' thread, once it runs */
    tokens_t *tokens;
    uint64_t look_at_ms;
};

static void
write_log (bool is_error, const char *line)
{
    if (is_error)
        log_error ("%s", line);
    else
        log_info ("%s", line);
}

static void
audit (void *arg, const char *line)
{
    (void) arg;
    log_info ("audit: %s", line);
}

static troupe_status_t
identify (void *arg, const char *token, identity_t *who, troupe_error_t *error)
{
    backends_t *self = arg;
    claims_t claims;
    uint64_t now_ms = clock_wall_ms ();
    if (now_ms >= self->look_at_ms) {
        self->look_at_ms = now_ms + LOOK_MS;
        if (tokens_look (self->tokens, error) != TROUPE_OK)
            log_error ("tokens: %s; what was good before is so still", error->text);
    }
    troupe_status_t status = tokens_verify (self->tokens, token, now_ms, &claims, error);
    if (status != TROUPE_OK)
        return status;
    snprintf (who->subject, sizeof who->subject, "%s", claims.subject);
    who->is_operator = (claims.roles & ROLE_OPERATOR) != 0;
    who->until_ms = self->host.now_ms (self->host.self) + (claims.expires_ms > now_ms ? claims.expires_ms - now_ms : 0);
    return TROUPE_OK;
}

backends_t *
backends_new (const settings_t *settings, troupe_error_t *error)
{
    backends_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for ZeroMQ");
        return NULL;
    }
    settings_token_keys (settings, self->keys_path, sizeof self->keys_path);
    bus_options_t options = {
        .listen = settings->zmq_listen,
        .feeds = settings->zmq_feeds,
        .certificate = settings->zmq_certificate,
        .certificates = settings->zmq_certificates,
        .connections = (uint32_t) settings->zmq_connections,
        .idle_ms = (uint32_t) settings->zmq_idle_ms,
        .log = write_log,
        .edge.identify = identify,
        .edge.identify_arg = self,
        .edge.audit = audit,
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
    if (!self->bus)
        backends_destroy (&self);
    return self;
}

bus_t *
backends_bus (backends_t *self)
{
    return self->bus;
}

troupe_status_t
backends_start (backends_t *self, const host_port_t *host, troupe_error_t *error)
{
    self->host = *host;
    troupe_status_t status = tokens_open (self->keys_path, &self->tokens, error);
    return status == TROUPE_OK ? bus_start (self->bus, host, error) : status;
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
    tokens_destroy (&self->tokens);
    memory_free (self);
    *self_p = NULL;
}
