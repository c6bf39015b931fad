/*  accounts.h - what happens to accounts, as far as it touches who is here now. Of the gateway's thread.
 *
 *  The gateway hears the audit of every account. Who is disabled is cut at once, and no token of his is taken any more:
 *  of the 4096 that were disabled last, until they are enabled or the node starts again. Who came by an API key is cut
 *  when it is removed, or when the roles of its account change.
 */
#ifndef TRANSPORTS_EDGE_ACCOUNTS_H
#define TRANSPORTS_EDGE_ACCOUNTS_H

#include "transports/edge/edge.h"

typedef struct accounts_s accounts_t;

/*  NULL: no memory. */
accounts_t *accounts_new (void);
void accounts_destroy (accounts_t **self_p);

/*  Any thread: whether this feed is the audit of an account. */
bool accounts_want (const char *address, const char *channel);

/*  Whose connections end: of a subject, unless it is empty; that came by an API key, or by any of an account, when
 *  these are not 0. */
typedef struct {
    char subject[TROUPE_ID_MAX + 1];
    uint64_t key, account;
    const char *why;
} account_end_t;

/*  An event of it. False: nobody's. */
bool accounts_heard (accounts_t *self, const char *address, const void *body, size_t size, account_end_t *end);

/*  No token of his is good. */
bool accounts_is_out (const accounts_t *self, const char *subject);

#endif
