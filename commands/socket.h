/*  socket.h - the control socket's two ends.
 *
 *  A path may be longer than a socket address holds (107 bytes): then it is
 *  reached by its directory's descriptor. Sockets are non-blocking and
 *  close-on-exec. Any thread.
 */
#ifndef COMMANDS_SOCKET_H
#define COMMANDS_SOCKET_H

#include "runtime/base/error.h"

/*  Listens with mode 0600. A socket that nobody answers on any more is
 *  replaced; TROUPE_LOCKED when somebody does, TROUPE_INVALID when something else
 *  stands there, TROUPE_IO. -1 and an error. */
int socket_listen (const char *path, troupe_error_t *error);

/*  Takes the name away again; nothing happens when it is no socket. */
void socket_remove (const char *path);

/*  -1 and an error: TROUPE_NOT_FOUND when no node is there, TROUPE_FORBIDDEN, TROUPE_IO. */
int socket_connect (const char *path, troupe_error_t *error);

/*  Whether the process at the other end is this user's or root's. */
bool socket_peer_is_ours (int fd);

#endif
