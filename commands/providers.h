/*  providers.h - fetches the keys that outside identity providers publish, for who verifies their tokens. */
#ifndef COMMANDS_PROVIDERS_H
#define COMMANDS_PROVIDERS_H

#include <stdint.h>
#include <troupe.h>

typedef struct providers_s providers_t;

/*  Starts a thread that fetches what the file of providers names by URL (issuers.h), into the directory, now and
 *  each `every_ms`. Texts are copied. NULL and an error. */
providers_t *providers_new (const char *issuers, const char *directory, uint64_t every_ms, troupe_error_t *error);

/*  Any thread: a token is signed with a key that is not known; there may be a new one. */
void providers_hurry (providers_t *self);

/*  Waits for the thread. */
void providers_destroy (providers_t **self_p);

#endif
