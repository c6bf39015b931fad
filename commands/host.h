/*  host.h - a node with its control socket, from the start to a graceful end. Main thread. */
#ifndef COMMANDS_HOST_H
#define COMMANDS_HOST_H

#include "commands/command.h"

/*  Loads the kinds of the words (shared objects), starts the node, says "ready" on
 *  stdout, and serves until a signal, a `stop` over the control socket, or the
 *  end of `parent` (a descriptor that is closed at its other end; -1: none).
 *  Returns the exit code. */
int host_run (const invocation_t *invocation, int parent);

/*  Lets the process have as many descriptors as the system grants: each connection needs one, and what a shell begins
 *  with is 1,024. */
void host_raise_descriptors (void);

#endif
