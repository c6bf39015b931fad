/*  problem.c - errors as HTTP says them.
 *
 *  DESIGN
 *  The code tells proxies and libraries what to do; which of the protocol's
 *  statuses it was stands in `type`. Any thread.
 */
#include "transports/edge/problem.h"

#include "transports/edge/document.h"
#include "transports/edge/message.h"

static const problem_t problems[] = {
    { "refused", 409, "The actor said no" },
    { "invalid", 400, "A member, body, address or name does not fit" },
    { "not_found", 404, "No such kind, verb or channel" },
    { "forbidden", 403, "This subject may not" },
    { "too_large", 413, "Over a limit" },
    { "overloaded", 503, "Not accepted, send again later" },
    { "timeout", 504, "No answer in time" },
    { "unknown", 500, "It may have happened or not" },
    { "stopping", 503, "Not accepted, the node goes down" },
    { "parked", 503, "Not accepted, the actor waits for an operator" },
    { "failed", 500, "The handler failed" },
    /* those of HTTP alone */
    { "forbidden", 401, "Sign in" },
    { "overloaded", 429, "Too much of this client, send again later" },
    { "invalid", 405, "This method is not for it" },
    { "invalid", 408, "The request did not come in time" },
    { "invalid", 411, "A body must tell its length" },
    { "invalid", 415, "A body of another type is wanted" },
    { "too_large", 431, "A header is too large" },
};

#define PROBLEMS (sizeof problems / sizeof *problems)

static const problem_t ok = { "ok", 200, "Done" };

const problem_t *
problem_at (unsigned index)
{
    return index < PROBLEMS ? &problems[index] : NULL;
}

const problem_t *
problem_of (troupe_status_t status, bool is_signed_in)
{
    const char *name = message_status (status);
    if (status == TROUPE_FORBIDDEN && !is_signed_in)
        return problem_of_code (401);
    for (size_t index = 0; index < PROBLEMS; index++)
        if (strcmp (problems[index].status, name) == 0)
            return &problems[index];
    return &ok;
}

const problem_t *
problem_of_code (unsigned code)
{
    for (size_t index = 0; index < PROBLEMS; index++)
        if (problems[index].code == code)
            return &problems[index];
    return &ok;
}

void
problem_write (buffer_t *to, const problem_t *problem, const char *text, uint32_t retry_after_ms)
{
    size_t start = to->size;
    document_begin (to);
    document_format (to, "type", "urn:troupe:%s", problem->status);
    document_text (to, "title", problem->title);
    document_number (to, "status", problem->code);
    if (*text)
        document_text (to, "detail", text);
    if (retry_after_ms)
        document_number (to, "retry_after_ms", retry_after_ms);
    document_close (to, '}');
    if (to->failed)
        to->size = start;
}
