/*  members.h - the members of messages that are objects, in both forms: doc/protocol.md. */
#ifndef TRANSPORTS_EDGE_MEMBERS_H
#define TRANSPORTS_EDGE_MEMBERS_H

#include "transports/edge/message.h"

/*  Reads a message out of a packed object that was found good. Its body points into it, its token into `token`. */
troupe_status_t members_read (const void *packed, size_t size, client_message_t *message, buffer_t *token,
                              troupe_error_t *error) TROUPE_CHECKED;

/*  Nothing of a message is there, but its type. */
void members_reset (client_message_t *message, client_type_t type);

/*  Takes the bytes over into a text of at most `most` bytes with a NUL behind it; why they are none, or NULL. */
const char *members_text (const void *bytes, size_t size, char *to, size_t most);

/*  The value is the message's body, unless it is null. */
void members_body (client_message_t *message, const void *value, size_t size);

/*  Appends the packed object of a welcome. */
void members_welcome (buffer_t *to, const welcome_t *welcome);

/*  Appends the string; each byte of it that is no UTF-8 as U+FFFD. */
void members_mend (buffer_t *to, const char *string, size_t size);

#endif
