/*  remote.h - a subcommand asks the running node. Main thread.
 *
 *  All of these say what is wrong on stderr and give the exit code that belongs
 *  to it; EXIT_OK: go on.
 */
#ifndef COMMANDS_REMOTE_H
#define COMMANDS_REMOTE_H

#include "commands/client.h"
#include "commands/command.h"

#include <troupe_client.h>

#define REMOTE_PATIENCE_MS 30000

/*  Connects to the node of --store or --control, or of --at. */
int remote_open (const invocation_t *invocation, client_t **client);

/*  The connection broke: waits for the node to come back, until this time of the monotonic clock. False: it is over,
 *  and there is no client. */
bool remote_join_again (const invocation_t *invocation, client_t **client, uint64_t until_ms);

/*  A client over ZeroMQ, of the node of --at, or else of that of --store or --control, which says where. */
int remote_open_far (const invocation_t *invocation, uint64_t timeout_ms, troupe_client_t **client);

/*  Sends the begun request and waits; an answer that is an error is EXIT_ANSWER. */
int remote_ask (const invocation_t *invocation, client_t *client, client_answer_t *answer);

/*  A request without fields. */
int remote_ask_simply (const invocation_t *invocation, client_t *client, const char *what, client_answer_t *answer);

/*  The same, with the answer as a tree, which the caller decrefs. */
int remote_ask_tree (const invocation_t *invocation, client_t *client, json_t **tree);
int remote_read_tree (const invocation_t *invocation, const client_answer_t *answer, json_t **tree);

/*  Says why there is no answer, or what the answer's error is. */
int remote_fail (const invocation_t *invocation, const troupe_error_t *error);
int remote_fail_answer (const invocation_t *invocation, const client_answer_t *answer);

/*  One line of JSON on stdout. */
int remote_print (const invocation_t *invocation, const void *body, size_t size);
int remote_print_tree (const invocation_t *invocation, const json_t *tree);

/*  Fields of a tree; "" and 0 when they are missing. */
const char *tree_text (const json_t *tree, const char *name);
uint64_t tree_number (const json_t *tree, const char *name);

#endif
