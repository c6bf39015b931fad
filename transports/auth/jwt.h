/*  jwt.h - access tokens: who somebody is, for a short while, signed. Any thread, as jws.h.
 *
 *  Ours are JWTs with EdDSA: {"iss","sub","aud"?,"roles"?,"iat","exp","jti"}. Those of outside providers
 *  are read by the same rules, with their keys (jwks.h). A token is good when its signature is, when `exp` is
 *  there and not over, `nbf` and `iat` are not ahead, and `iss` and `aud` are what the rules say.
 */
#ifndef TRANSPORTS_AUTH_JWT_H
#define TRANSPORTS_AUTH_JWT_H

#include "transports/auth/jws.h"

#define ROLE_OPERATOR (1u << 0)
#define ROLES_MAX 32
#define TOKEN_ID_MAX 127
#define LEEWAY_MAX_MS 300000     /* how far clocks may differ */

/*  Whose tokens are taken, and what for. Texts live as long as the rules. */
typedef struct {
    const char *issuer;          /* `iss` must be this; NULL: not looked at */
    const char *audience;        /* `aud` must be or have this; NULL: not looked at */
    const char *prefix;          /* put before `sub`, so that no provider can name another's people; NULL: none */
    const char *const *roles;    /* names of the bits after ROLE_OPERATOR, ended by NULL; NULL: none */
    const char *claim;           /* the member with the roles; NULL: `role` and `roles` */
    uint32_t grants;             /* the roles that tokens of this issuer may give; others in them count for nothing */
    uint64_t leeway_ms;
    const key_set_t *keys;
    recent_t *good;              /* of jws_open */
} jwt_issuer_t;

typedef struct {
    char subject[TROUPE_ID_MAX + 1];  /* with the prefix */
    uint32_t roles;
    uint64_t issued_ms;               /* 0: not said */
    uint64_t expires_ms;
    char id[TOKEN_ID_MAX + 1];        /* `jti`; "": not said */
    const jwt_issuer_t *issuer;
} claims_t;

/*  The first issuer for whom the token is good. Anything but TOKEN_OK: the claims are empty. */
token_result_t jwt_verify (const jwt_issuer_t *issuers, size_t count, const char *token, size_t size,
                           uint64_t now_ms, claims_t *claims);

typedef struct {
    const char *issuer, *subject;
    const char *audience;        /* NULL: none */
    const char *const *roles;    /* names of the bits after ROLE_OPERATOR, as above */
    uint32_t has_roles;
    uint64_t now_ms, life_ms;
} jwt_new_t;

/*  Appends a token that is signed with the node's key. TROUPE_INVALID: the subject is none, or it would live
 *  for no whole second; TROUPE_TOO_LARGE. */
troupe_status_t jwt_make (const keys_t *keys, const jwt_new_t *what, buffer_t *to, troupe_error_t *error)
    TROUPE_CHECKED;

#endif
