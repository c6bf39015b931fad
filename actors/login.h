/*  login.h - the built-in kind `login`: who may sign in, and what with.
 *
 *  The id is the login name in lower case (a-z 0-9 . _ @ + -, at most 64). Passwords, refresh tokens and API keys come
 *  here as hashes, made and compared by the gateway; the actor decides what follows from them. `subject` is
 *  whom tokens name: the login name, or what `create` said.
 *
 *  A FAMILY is one sign-in on one client: a row of refresh tokens, each good for one `rotate`. A token that was
 *  rotated before and comes again was copied by somebody: then the whole family ends, and `rotate` replies with
 *  `reused`. Sent again with the same `new_hash`, because an answer was lost, it is the same rotation. The id of a
 *  family is known from its tokens alone, so a hash that does not fit is taken for an old one.
 *
 *  At most 32 families (the one that was used longest ago makes room) and 64 keys (the next is refused). What happened
 *  stands in the channel `audit`: {"event", "what", "by", "at"}, with no secrets and no hashes in it. The gateway hears
 *  it: "disabled" and "enabled" name the subject.
 *
 *  Verbs that DECIDE are for the owner: calls whose subject is the account's, and other actors.
 */
#ifndef ACTORS_LOGIN_H
#define ACTORS_LOGIN_H

#include <troupe.h>

#define LOGIN_FAMILIES_MAX 32
#define LOGIN_KEYS_MAX 64

extern const troupe_kind_t login_kind;

#endif
