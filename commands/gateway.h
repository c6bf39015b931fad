/*  gateway.h - the doors of a served node for clients: WebSocket and HTTP. */
#ifndef COMMANDS_GATEWAY_H
#define COMMANDS_GATEWAY_H

#include "commands/requests.h"

typedef struct gateway_s gateway_t;

/*  Before the node starts: takes the address that the settings say, and listens to the node's
 *  events. NULL and an error. */
gateway_t *gateway_new (troupe_t *node, const settings_t *settings, troupe_error_t *error);

/*  "127.0.0.1:7317"; "" when there is none. Borrowed. */
const char *gateway_address (const gateway_t *self);

/*  The same for ZeroMQ; empty: it does not. */
const char *gateway_backends_address (const gateway_t *self);
const char *gateway_feeds_address (const gateway_t *self);

/*  After the node started. What operators ask of it goes to the requests, on the control's thread; NULL: of none. */
troupe_status_t gateway_start (gateway_t *self, requests_t *requests, control_t *control,
                               troupe_error_t *error) TROUPE_CHECKED;

/*  Reads the files of TLS again. False: there are none. */
bool gateway_reload (gateway_t *self);

/*  As web_came_round. */
bool gateway_came_round (gateway_t *self);

/*  Tells clients to go and waits until they have, at most so long, and so much longer for those with calls in hand.
 *  While the node runs. */
void gateway_quiet (gateway_t *self, uint64_t most_ms, uint64_t calls_ms);

/*  After the node stopped and control_settle, before the node is destroyed. */
void gateway_destroy (gateway_t **self_p);

#endif
