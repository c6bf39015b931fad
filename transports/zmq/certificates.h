/*  certificates.h - who may come over ZeroMQ: CURVE keys in files as czmq writes them. */
#ifndef TRANSPORTS_ZMQ_CERTIFICATES_H
#define TRANSPORTS_ZMQ_CERTIFICATES_H

#include <troupe.h>

#define CERTIFICATE_KEY_TEXT 40  /* characters of a public key in Z85 */

typedef struct certificates_s certificates_t;

/*  Makes `path` and, for its owner alone, `path`_secret; neither may be there. `subject` and `roles` may be NULL. */
troupe_status_t certificates_make (const char *path, const char *subject, const char *roles,
                                   char key[CERTIFICATE_KEY_TEXT + 1], troupe_error_t *error) TROUPE_CHECKED;

/*  NULL and an error: the directory cannot be read. */
certificates_t *certificates_open (const char *path, void (*log) (bool is_error, const char *line),
                                   troupe_error_t *error);
void certificates_close (certificates_t **self_p);

/*  Whether a word is among `roles`, parted by spaces or commas. */
bool certificates_has_role (const char *roles, const char *role);

/*  Makes a socket a server's with the certificate of this file. Before it is bound. */
troupe_status_t certificates_guard (void *socket, const char *path, const char *domain,
                                    troupe_error_t *error) TROUPE_CHECKED;

/*  Makes a socket a client's with that certificate, of the server with this public key. Before it connects. */
troupe_status_t certificates_approach (void *socket, const char *path, const char *server_key,
                                       troupe_error_t *error) TROUPE_CHECKED;

/*  Answers one who knocks, if there is one. */
bool certificates_answer (certificates_t *self, void *zap);

#endif
