/*  requests.h - what a node can be asked over the control socket.
 *
 *      do           fields, those with ? may be missing           answer's body
 *      hello                                                      describe_node
 *      kinds                                                      describe_kinds
 *      metrics                                                    figures_put
 *      call         to verb body? session? seq? ordered?          the reply
 *                   not_after_ms? subject?
 *      inspect      to most?                                      shard_inspect
 *      feed         feed ("kind/id/channel") from? most?          shard_read_feed
 *      hot          most? by?                                     shard_hot of all shards, one after the other
 *      turns        follower of?                                  shard_follow of one or all shards
 *      dead-list    shard? from? most?                            shard_dead_list of one or all shards
 *      dead-retry   shard number
 *      dead-drop    shard number
 *      revive       to
 *      checkpoint                                                 (when it is done)
 *      backup       directory                                     (when it is done)
 *      stop                                                       (at once; the connection closes at the very end)
 *
 *  Every request has "do", and "tag", a number that its answer carries back.
 *  An answer is {tag, status, text?, retry_after_ms?, body?}; bodies, as the
 *  body of a call, are packed values carried as bytes; a session is 16 bytes.
 */
#ifndef COMMANDS_REQUESTS_H
#define COMMANDS_REQUESTS_H

#include "commands/control.h"
#include "commands/node.h"

typedef struct requests_s requests_t;

/*  `stop` is called on the control thread, once or more. Borrows the node. NULL: out of memory. */
requests_t *requests_new (troupe_t *node, void (*stop) (void *arg), void *arg);

/*  The handler for control_new; its arg is the requests_t. */
control_handle_t requests_handle;

/*  The same of the request of this name, whatever "do" the message has. On the control thread. */
void requests_run (requests_t *self, const char *name, request_t *request, const wire_message_t *message);

/*  After control_quiet, before troupe_stop: waits for a backup or checkpoint in hand. */
void requests_quiet (requests_t *self);

/*  After control_destroy. */
void requests_destroy (requests_t **self_p);

#endif
