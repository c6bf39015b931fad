/*  hooks.c - whether the verbs that `web_hooks` names are there: better said at the start than to who posts. */
#include "commands/hooks.h"

#include "commands/nearest.h"
#include "runtime/base/error.h"
#include "transports/edge/message.h"

#include <stdio.h>
#include <string.h>

static troupe_status_t
no_kind (const registry_t *registry, const address_t *parts, troupe_error_t *error)
{
    char name[TROUPE_KIND_MAX + 1], hint[128];
    nearest_t nearest = { .wanted = name };
    snprintf (name, sizeof name, "%.*s", (int) parts->kind_size, parts->kind);
    for (uint32_t i = 0; i < registry_count (registry); i++)
        nearest_offer (&nearest, registry_at (registry, i)->name);
    return error_set (error, TROUPE_INVALID, "web_hooks: there is no kind \"%s\"%s", name,
                      nearest_hint (&nearest, hint, sizeof hint));
}

static troupe_status_t
no_verb (const kind_t *kind, const char *verb, troupe_error_t *error)
{
    char hint[128];
    nearest_t nearest = { .wanted = verb };
    for (unsigned i = 0; i < kind->verb_count; i++)
        if (kind->verbs[i].table)
            nearest_offer (&nearest, kind->verbs[i].table->name);
    return error_set (error, TROUPE_INVALID, "web_hooks: %s has no verb \"%s\"%s", kind->name, verb,
                      nearest_hint (&nearest, hint, sizeof hint));
}

/*  "/PREFIX=KIND/ID/VERB". */
static troupe_status_t
check (const char *word, const registry_t *registry, troupe_error_t *error)
{
    char address[TROUPE_ADDRESS_MAX + 1], name[TROUPE_NAME_MAX + 1];
    troupe_error_t ignored;
    address_t parts;
    const char *target = strchr (word, '=');
    if (*word != '/' || !target || !message_split_feed (target + 1, address, name)
        || address_parse (address, strlen (address), &parts, &ignored) != TROUPE_OK)
        return error_set (error, TROUPE_INVALID, "web_hooks: /PREFIX=KIND/ID/VERB is wanted, not \"%.100s\"", word);
    const kind_t *kind = registry_find (registry, parts.kind, parts.kind_size);
    if (!kind)
        return no_kind (registry, &parts, error);
    const verb_t *verb = kind_verb (kind, name, strlen (name));
    return verb && verb->table ? TROUPE_OK : no_verb (kind, name, error);
}

troupe_status_t
hooks_check (const char *hooks, const registry_t *registry, troupe_error_t *error)
{
    char word[FEED_MAX + 512];
    troupe_status_t status = TROUPE_OK;
    for (const char *at = hooks + strspn (hooks, " "); status == TROUPE_OK && *at; at += strspn (at, " ")) {
        size_t size = strcspn (at, " ");
        if (snprintf (word, sizeof word, "%.*s", (int) size, at) >= (int) sizeof word)
            return error_set (error, TROUPE_TOO_LARGE, "web_hooks: \"%.60s...\" is too long", word);
        status = check (word, registry, error);
        at += size;
    }
    return status;
}
