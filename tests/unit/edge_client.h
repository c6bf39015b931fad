/*  edge_client.h - the other side of the protocol, whatever the form.
 *
 *  A client's message that was read, written in either form, and read again is the same.
 */
#ifndef TESTS_UNIT_EDGE_CLIENT_H
#define TESTS_UNIT_EDGE_CLIENT_H

#include "transports/edge/message.h"

/*  Appends the message; with a call's route and end in the binary form. */
void client_write_text (buffer_t *to, const client_message_t *message);
void client_write_binary (buffer_t *to, const client_message_t *message);

/*  Whether they say the same; bodies byte for byte. */
bool client_messages_equal (const client_message_t *left, const client_message_t *right);

/*  Writes, reads again with another reader, compares. `is_binary` is of what is written; aborts when they differ. */
void client_check_again (const client_message_t *message, bool is_binary);

/*  Every message of the server into every room that is too small, and without memory: nothing of it is written. */
void server_check_rooms (const codec_t *codec);

#endif
