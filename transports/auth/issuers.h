/*  issuers.h - outside providers whose tokens are taken, from a file of the operator's:
 *
 *      {"issuers":[{"issuer":"https://id.example.org/","audience":"shop","jwks":"example.jwks",
 *                   "prefix":"ex:","roles":["coach"],"claim":"groups"}]}
 *
 *  `issuer` and `audience` are what `iss` and `aud` of a token must be. `jwks` is a file with the keys that the
 *  provider publishes, from the directory of this one, or its URL: then somebody fetches it into another
 *  directory (issuers_fetched), and until it came no token of the provider is good. `prefix` goes before its subjects;
 *  "" trusts it with all names. `roles` are those that its tokens may give, none when absent; they stand in the member
 *  `claim`, or in `role` and `roles`.
 *
 *  Never changed once read: any thread.
 */
#ifndef TRANSPORTS_AUTH_ISSUERS_H
#define TRANSPORTS_AUTH_ISSUERS_H

#include "transports/auth/files.h"
#include "transports/auth/jwt.h"

#define ISSUERS_MAX 8
#define ISSUERS_FILE_MAX (64u << 10)
#define ISSUERS_TEXT_SIZE 256

typedef struct issuers_s issuers_t;

/*  The files that were read, or were to be, are added to `files`, also when it fails. `fetched` is where those are
 *  that are named by URL. `roles` are names of the bits after ROLE_OPERATOR and live longer. TROUPE_INVALID: what is
 *  wrong with which file; errors of file_read. */
troupe_status_t issuers_open (const char *path, const char *fetched, const char *const *roles, files_t *files,
                              issuers_t **self_p, troupe_error_t *error) TROUPE_CHECKED;
void issuers_destroy (issuers_t **self_p);

/*  What is to be fetched. */
troupe_status_t issuers_urls (const char *path, char urls[ISSUERS_MAX][ISSUERS_TEXT_SIZE], size_t *count,
                              troupe_error_t *error) TROUPE_CHECKED;

/*  The file for what came from this URL. */
void issuers_fetched (const char *directory, const char *url, char *path, size_t size);

/*  For jwt_verify. */
const jwt_issuer_t *issuers_rules (const issuers_t *self, size_t *count);

#endif
