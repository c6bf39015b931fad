/*  problem.h - errors as HTTP says them: a code, and application/problem+json (RFC 9457). Any thread. */
#ifndef TRANSPORTS_EDGE_PROBLEM_H
#define TRANSPORTS_EDGE_PROBLEM_H

#include "runtime/base/buffer.h"

#include <troupe.h>

#define PROBLEM_TYPE "application/problem+json"

typedef struct {
    const char *status;  /* as the protocol calls it */
    unsigned code;       /* of HTTP */
    const char *title;
} problem_t;

/*  Never NULL. Who is not signed in and may not is asked to sign in. */
const problem_t *problem_of (troupe_status_t status, bool is_signed_in);

/*  The first with this code of HTTP; never NULL. */
const problem_t *problem_of_code (unsigned code);

/*  Each status of the protocol once, TROUPE_OK not, then those of HTTP alone; NULL at the end. */
const problem_t *problem_at (unsigned index);

/*  Appends the body. A write that does not fit makes the buffer `failed` and leaves in it what was there. */
void problem_write (buffer_t *to, const problem_t *problem, const char *text, uint32_t retry_after_ms);

#endif
