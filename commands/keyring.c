/*  keyring.c - whose tokens a door of the node takes, and which roles the kinds know. */
#include "commands/keyring.h"

#include "commands/log.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 1000  /* how often it is seen whether the keys are others now */

static troupe_status_t
add_role (keyring_t *self, const char *role, troupe_error_t *error)
{
    unsigned count = 0;
    while (self->roles[count] && role && strcmp (self->roles[count], role) != 0)
        count++;
    if (!role || self->roles[count])
        return TROUPE_OK;
    if (count == ROLES_MAX - 1)
        return error_set (error, TROUPE_INVALID, "the kinds ask for more than %d roles", ROLES_MAX - 2);
    self->roles[count] = role;
    return TROUPE_OK;
}

static troupe_status_t
gather_roles (keyring_t *self, const registry_t *registry, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    for (uint32_t i = 0; i < registry_count (registry); i++) {
        const troupe_kind_t *kind = registry_at (registry, i)->table;
        for (const troupe_verb_t *verb = kind->verbs; status == TROUPE_OK && verb && verb->name; verb++)
            status = add_role (self, verb->role, error);
        for (const troupe_channel_t *one = kind->channels; status == TROUPE_OK && one && one->name; one++)
            status = add_role (self, one->role, error);
    }
    return status == TROUPE_OK ? add_role (self, EDGE_WORKER_ROLE, error) : status;
}

troupe_status_t
keyring_open (keyring_t *self, troupe_t *node, const host_port_t *host, troupe_error_t *error)
{
    const settings_t *settings = node_settings (node);
    char path[SETTINGS_TEXT_MAX + 32];
    settings_token_keys (settings, path, sizeof path);
    tokens_options_t from = {
        .keys = path,
        .issuer = settings->token_issuer,
        .audience = settings->token_audience,
        .issuers = settings->token_issuers,
        .fetched = settings->store,
        .roles = self->roles
    };
    self->host = *host;
    troupe_status_t status = gather_roles (self, node_registry (node), error);
    return status == TROUPE_OK ? tokens_open (&from, &self->tokens, error) : status;
}

void
keyring_close (keyring_t *self)
{
    tokens_destroy (&self->tokens);
}

static void
look_at_keys (keyring_t *self, uint64_t now_ms)
{
    troupe_error_t error;
    if (now_ms < self->look_at_ms && now_ms + LOOK_MS >= self->look_at_ms)
        return;
    self->look_at_ms = now_ms + LOOK_MS;
    if (tokens_look (self->tokens, &error) != TROUPE_OK)
        log_error ("tokens: %s; what was good before is so still", error.text);
}

troupe_status_t
keyring_identify (void *arg, const char *token, identity_t *who, troupe_error_t *error)
{
    keyring_t *self = arg;
    claims_t claims;
    uint64_t now_ms = clock_wall_ms ();
    look_at_keys (self, now_ms);
    troupe_status_t status = tokens_verify (self->tokens, token, now_ms, &claims, error);
    if (status == TROUPE_NOT_FOUND && self->providers)
        providers_hurry (self->providers);
    if (status == TROUPE_NOT_FOUND)
        status = error->status = TROUPE_FORBIDDEN;
    if (status != TROUPE_OK)
        return status;
    snprintf (who->subject, sizeof who->subject, "%s", claims.subject);
    who->is_operator = (claims.roles & ROLE_OPERATOR) != 0;
    who->roles = claims.roles >> 1;
    who->issued_ms = claims.issued_ms;
    who->until_ms = self->host.now_ms (self->host.self) + (claims.expires_ms > now_ms ? claims.expires_ms - now_ms : 0);
    return TROUPE_OK;
}

void
keyring_audit (void *arg, const char *line)
{
    (void) arg;
    log_audit (line);
}
