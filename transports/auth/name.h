/*  name.h - which texts may name somebody. Any thread. */
#ifndef TRANSPORTS_AUTH_NAME_H
#define TRANSPORTS_AUTH_NAME_H

#include <troupe.h>

/*  A subject may own actors, whose ids it is compared with: so it is 1 to TROUPE_ID_MAX bytes of what an id may be
 *  made of, without the braces of an affinity key. */
bool name_is_subject (const char *text);

#define LOGIN_MAX 64

/*  What a person typed, as the id of the account: A-Z in lower case, blanks around it gone. False when
 *  something else is in it than a-z 0-9 . _ @ + -, or it is too long or empty. */
bool name_login (const char *typed, char login[LOGIN_MAX + 1]);

#endif
