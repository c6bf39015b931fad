/*  accounts.h - what happens to accounts, as far as it touches who is here now. Of the gateway's thread.
 *
 *  The gateway hears the audit of every account. Who is disabled is cut at once, and no token of his is taken until he
 *  is enabled. Roles that an account is given are at once those of its subject, whatever its tokens say that were made
 *  before. Both are kept of the 4096 subjects that were heard of last, until the node starts again. Who came by an API
 *  key is cut when it is removed, or when the roles of its account change.
 */
#ifndef TRANSPORTS_EDGE_ACCOUNTS_H
#define TRANSPORTS_EDGE_ACCOUNTS_H

#include "runtime/body/packed.h"
#include "transports/edge/edge.h"

typedef struct accounts_s accounts_t;

/*  `roles` as in edge_options_t. NULL: no memory. */
accounts_t *accounts_new (const char *const *roles);
void accounts_destroy (accounts_t **self_p);

/*  Any thread: whether this feed is the audit of an account. */
bool accounts_want (const char *address, const char *channel);

/*  Whose connections end: of a subject, unless it is empty; that came by an API key, or by any of an account, when
 *  these are not 0. Who stays may have other roles now. */
typedef struct {
    char subject[TROUPE_ID_MAX + 1];
    uint64_t key, account;
    const char *why;
    char changed[TROUPE_ID_MAX + 1];  /* the subject whose roles are others; "": nobody's */
} account_end_t;

/*  An event of it. False: it touches nobody. */
bool accounts_heard (accounts_t *self, const char *address, packed_reader_t event, account_end_t *end);

/*  No token of his is good. */
bool accounts_is_out (const accounts_t *self, const char *subject);

/*  Gives somebody with a token the roles that his account has got since. */
void accounts_update (const accounts_t *self, identity_t *who);

/*  Reads the member "roles" of what an account says. False: it is no good. */
bool accounts_read_roles (const char *const *roles, packed_reader_t object, identity_t *who);

#endif
