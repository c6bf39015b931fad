/*  carrier.h - bytes between the nodes of a cluster, over ZeroMQ: each as a whole or not at all.
 *
 *  One thread, a PULL socket for all that comes and a PUSH socket to each other node. What cannot leave now is refused.
 *  Whoever is not on this machine must have a certificate (CURVE) with the role `node`, whose subject is its name.
 */
#ifndef TRANSPORTS_ZMQ_CARRIER_H
#define TRANSPORTS_ZMQ_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <troupe.h>

#define CARRIER_NODES_MAX 64
#define CARRIER_MESSAGE_MAX (128ll << 20)  /* bytes; above a window (64M at most) and a message behind it */

typedef struct {
    const char *name;
    const char *address;         /* HOST:PORT */
    const char *key;             /* public, as Z85; "": none */
} carrier_node_t;

/*  Texts are borrowed for its life. */
typedef struct {
    const char *listen;          /* "ADDRESS:PORT"; the port may be 0 */
    const char *certificate;     /* the node's own, with its secret; "": NULL, for loopback addresses alone */
    const char *certificates;    /* a directory with those who may come */
    carrier_node_t nodes[CARRIER_NODES_MAX];
    uint32_t count, self;
    uint32_t waiting_most;       /* messages to one node that wait to leave */
    void *arg;
    /* On its thread. Bytes of another node, borrowed. */
    void (*received) (void *arg, uint32_t from, const void *bytes, size_t size);
    /* Likewise: what there is to do now. Returns for how many ms there is nothing more. */
    uint64_t (*round) (void *arg);
    void (*log) (bool is_error, const char *line);
} carrier_options_t;

typedef struct carrier_s carrier_t;

/*  Listens, but hears nobody before carrier_start. NULL and an error. */
carrier_t *carrier_new (const carrier_options_t *options, troupe_error_t *error);
const char *carrier_address (const carrier_t *self);

troupe_status_t carrier_start (carrier_t *self, troupe_error_t *error) TROUPE_CHECKED;

/*  On its thread. False: the node is not there, or takes no more. */
bool carrier_send (carrier_t *self, uint32_t to, const void *bytes, size_t size);

/*  Any thread: has `round` called soon. */
void carrier_wake (carrier_t *self);

/*  Waits for the thread; nothing is called any more. */
void carrier_stop (carrier_t *self);
void carrier_destroy (carrier_t **self_p);

#endif
