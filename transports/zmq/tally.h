/*  tally.h - for the benches: a worker of a remote kind, as small as one in C can be.
 *
 *  It serves the kind `tally`, whose verb `add` loads and stores 200 bytes and replies {"n": how often}. It keeps no
 *  states, so that each offer brings one.
 */
#ifndef TRANSPORTS_ZMQ_TALLY_H
#define TRANSPORTS_ZMQ_TALLY_H

#include <troupe.h>

typedef struct tally_s tally_t;

/*  At "HOST:PORT", with a token of the role `worker`. It serves when this returns, on a thread of its own. NULL and an
 *  error. */
tally_t *tally_start (const char *at, const char *token, troupe_error_t *error);
void tally_stop (tally_t **self_p);

#endif
