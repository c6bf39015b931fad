/*  audit.c - lines for the audit log: who signed in, who could not, and what was denied.
 *
 *  DESIGN
 *  A stranger can cause as many lines as he likes, so each class has so many a second and no more, and how many were
 *  left out is said when the second is over: nobody's noise hides a line of another class, or goes unseen.
 */
#include "transports/edge/edge_inside.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define LINES_MOST 10  /* of a class in a second */
#define SECOND_MS 1000

static void
say (edge_t *self, const char *line)
{
    if (self->options.audit)
        self->options.audit (self->options.audit_arg, line);
}

static void
end_second (edge_t *self, audit_class_t class)
{
    static const char *const what[AUDIT_CLASSES] = { "denied", "sign-in failed", "signed in" };
    audit_second_t *second = &self->audits[class];
    char line[96];
    if (second->lines > LINES_MOST) {
        snprintf (line, sizeof line, "%s: %u more lines left out", what[class], second->lines - LINES_MOST);
        say (self, line);
    }
    second->lines = 0;
}

bool
edge_audit (edge_t *self, audit_class_t class, const char *line)
{
    uint64_t now_ms = self->host.now_ms (self->host.self);
    audit_second_t *second = &self->audits[class];
    if (now_ms - second->since_ms >= SECOND_MS) {
        end_second (self, class);
        second->since_ms = now_ms;
    }
    second->lines += 1;
    if (second->lines > LINES_MOST) {
        self->audit_is_due = true;
        return false;
    }
    say (self, line);
    return true;
}

uint64_t
edge_audit_left_out (edge_t *self, uint64_t now_ms)
{
    uint64_t wait_ms = EDGE_NEVER;
    for (audit_class_t class = 0; class < AUDIT_CLASSES; class++) {
        audit_second_t *second = &self->audits[class];
        uint64_t past_ms = now_ms - second->since_ms;
        if (second->lines <= LINES_MOST)
            continue;
        if (past_ms >= SECOND_MS)
            end_second (self, class);
        else if (SECOND_MS - past_ms < wait_ms)
            wait_ms = SECOND_MS - past_ms;
    }
    self->audit_is_due = wait_ms != EDGE_NEVER;
    return wait_ms;
}

const char *
edge_audit_from (const void *address, size_t size, char text[AUDIT_FROM_SIZE])
{
    uint8_t bytes[16] = { 0 };
    snprintf (text, AUDIT_FROM_SIZE, "?");
    memcpy (bytes, address, size < sizeof bytes ? size : sizeof bytes);
    if (size)
        (void) inet_ntop (size == 4 ? AF_INET : AF_INET6, bytes, text, AUDIT_FROM_SIZE);
    return text;
}

void
edge_audit_denied (edge_t *self, const identity_t *who, const char *name, const char *address)
{
    char line[512];
    snprintf (line, sizeof line, "denied: %s wanted %s of %s", *who->subject ? who->subject : "nobody", name, address);
    (void) edge_audit (self, AUDIT_DENIED, line);
}
