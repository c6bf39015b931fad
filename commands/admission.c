/*  admission.c - what can be said about a call without its actor. */
#include "commands/admission.h"

#include "runtime/base/error.h"
#include "runtime/body/packed.h"

#define SUBJECT_MAX TROUPE_ADDRESS_MAX

bool
admission_has_session (const troupe_call_t *call)
{
    static const uint8_t none[sizeof call->session];
    return memcmp (call->session, none, sizeof none) != 0;
}

static troupe_status_t
check_session (const troupe_call_t *call, troupe_error_t *error)
{
    bool has_session = admission_has_session (call);
    if (!has_session && call->ordered)
        return error_set (error, TROUPE_INVALID, "an ordered call needs a session");
    if (has_session && call->seq == 0)
        return error_set (error, TROUPE_INVALID, "the calls of a session are numbered from 1");
    if (has_session && call->not_after_ms == 0)
        return error_set (error, TROUPE_INVALID, "a call with a session needs its not_after_ms");
    return TROUPE_OK;
}

static troupe_status_t
check_body (const verb_t *verb, const troupe_call_t *call, troupe_error_t *error)
{
    if (call->size > TROUPE_BODY_MAX)
        return error_set (error, TROUPE_TOO_LARGE, "the body has %zu bytes; %u are allowed", call->size,
                          TROUPE_BODY_MAX);
    if (call->size > 0 && !call->body)
        return error_set (error, TROUPE_INVALID, "a body of %zu bytes at no place", call->size);
    if (!packed_is_valid (call->body, call->size))
        return error_set (error, TROUPE_INVALID, "the body is not one packed value");
    return verb->args ? schema_check (verb->args, call->body, call->size, error) : TROUPE_OK;
}

/*  The verb that is meant, when there is one that may be called. */
static troupe_status_t
find_verb (const registry_t *registry, const address_t *address, const troupe_call_t *call, const verb_t **verb,
           troupe_error_t *error)
{
    const kind_t *kind = registry_find (registry, address->kind, address->kind_size);
    if (!kind)
        return error_set (error, TROUPE_NOT_FOUND, "%s: there is no such kind", call->to);
    if (call->verb[0] == '$')
        return error_set (error, TROUPE_FORBIDDEN, "%s is not for callers from outside", call->verb);
    *verb = kind_verb (kind, call->verb, strlen (call->verb));
    if (!*verb)
        return error_set (error, TROUPE_NOT_FOUND, "%s has no verb %s", kind->name, call->verb);
    return TROUPE_OK;
}

static troupe_status_t
check_channel (const verb_t *verb, const troupe_call_t *call, troupe_error_t *error)
{
    if (!verb->reads)
        return error_set (error, TROUPE_INVALID, "only the answer to a read tells of a channel");
    if (!kind_channel (verb->kind, call->channel))
        return error_set (error, TROUPE_NOT_FOUND, "%s has no channel %.60s", verb->kind->name, call->channel);
    return TROUPE_OK;
}

troupe_status_t
admission_check (const registry_t *registry, const troupe_call_t *call, address_t *address, troupe_error_t *error)
{
    const verb_t *verb;
    if (!call->to || !call->verb)
        return error_set (error, TROUPE_INVALID, "a call needs an address and a verb");
    if (call->subject && strlen (call->subject) > SUBJECT_MAX)
        return error_set (error, TROUPE_TOO_LARGE, "a subject has at most %u bytes", SUBJECT_MAX);
    troupe_status_t status = address_parse (call->to, strlen (call->to), address, error);
    if (status == TROUPE_OK)
        status = find_verb (registry, address, call, &verb, error);
    if (status == TROUPE_OK)
        status = check_body (verb, call, error);
    if (status == TROUPE_OK && call->channel)
        status = check_channel (verb, call, error);
    return status == TROUPE_OK ? check_session (call, error) : status;
}
