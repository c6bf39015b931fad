/*  far.h - a node from afar: what tools ask, over ZeroMQ. One thread.
 *
 *  Requests of requests.h go to node/self there, which answers operators, and calls to their actors.
 */
#ifndef COMMANDS_FAR_H
#define COMMANDS_FAR_H

#include "commands/client.h"
#include "commands/settings.h"

#include <troupe_client.h>

typedef struct far_s far_t;

/*  A client of the node at HOST:PORT, with what the settings say of whom it meets and who it is. */
troupe_client_t *far_client (const settings_t *settings, const char *at, uint64_t timeout_ms, troupe_error_t *error);

far_t *far_new (const settings_t *settings, uint64_t timeout_ms, troupe_error_t *error);
void far_destroy (far_t **self_p);

/*  A whole request, as it is said on the control socket. */
troupe_status_t far_submit (far_t *self, const wire_message_t *request, troupe_error_t *error) TROUPE_CHECKED;

/*  As client_receive. */
troupe_status_t far_receive (far_t *self, client_answer_t *answer, uint64_t timeout_ms,
                             troupe_error_t *error) TROUPE_CHECKED;

#endif
