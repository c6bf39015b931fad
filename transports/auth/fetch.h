/*  fetch.h - gets the text that is at a URL. Of one thread. */
#ifndef TRANSPORTS_AUTH_FETCH_H
#define TRANSPORTS_AUTH_FETCH_H

#include "runtime/base/buffer.h"

#include <troupe.h>

typedef struct fetch_s fetch_t;

/*  NULL: no memory. What is under way is given up once `is_over` is true, which may be written by any thread. */
fetch_t *fetch_new (const _Atomic bool *is_over);
void fetch_destroy (fetch_t **self_p);

/*  Puts what it is into `to`, as far as its limit allows. Takes 20 seconds at most. TROUPE_UNKNOWN: why not. */
troupe_status_t fetch_text (fetch_t *self, const char *url, buffer_t *to, troupe_error_t *error) TROUPE_CHECKED;

#endif
