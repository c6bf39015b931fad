/*  client_keys.h - the keys of a client: CURVE in files as czmq writes them. */
#ifndef TRANSPORTS_ZMQ_CLIENT_KEYS_H
#define TRANSPORTS_ZMQ_CLIENT_KEYS_H

#include "transports/zmq/certificates.h"

typedef struct {
    bool are_there;
    char public[CERTIFICATE_KEY_TEXT + 1], secret[CERTIFICATE_KEY_TEXT + 1], server[CERTIFICATE_KEY_TEXT + 1];
} client_keys_t;

/*  `certificate` is a file with its secret beside it, `server` a public key or a file that has it; both NULL: no keys.
 *  Wiped with sodium_memzero by whoever holds them. */
troupe_status_t client_keys_read (client_keys_t *self, const char *certificate, const char *server,
                                  troupe_error_t *error) TROUPE_CHECKED;

#endif
