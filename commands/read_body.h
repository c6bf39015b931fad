/*  read_body.h - a body from the command line. */
#ifndef COMMANDS_READ_BODY_H
#define COMMANDS_READ_BODY_H

#include "commands/command.h"
#include "runtime/base/buffer.h"

/*  The word at this place, if there is one, is JSON, or - for stdin. Says what is wrong with it; EXIT_OK. */
int read_body (const invocation_t *invocation, unsigned word, buffer_t *body);

#endif
