/*  sockets.h - what the threads that own sockets of ZeroMQ do alike: options, where to listen, the end. */
#ifndef TRANSPORTS_ZMQ_SOCKETS_H
#define TRANSPORTS_ZMQ_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <troupe.h>

#define SOCKETS_WAIT_MOST 8  /* sockets */

void sockets_set (void *socket, int option, int value);

/*  Whether "ADDRESS:PORT" can be reached from this machine alone. */
bool sockets_is_loopback (const char *where);

/*  Listens at "ADDRESS:PORT", and writes to `bound` where that is; errors name the setting. */
troupe_status_t sockets_bind (void *socket, const char *where, const char *setting, char *bound, size_t size,
                              troupe_error_t *error) TROUPE_CHECKED;

/*  Where ZeroMQ asks who may come: before anything is bound. NULL and an error. */
void *sockets_open_zap (void *context, troupe_error_t *error);

/*  Waits for so many ms until one of the sockets (NULL: none) has something to read, or the descriptor has. Returns
 *  whether the descriptor has. In place of zmq_poll, which asks everybody twice. */
bool sockets_wait (void *const *sockets, unsigned count, int fd, uint64_t wait_ms);

void sockets_close (void **socket_p);

#endif
