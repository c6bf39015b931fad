/*  api_key.h - who an API key stands for, when it is shown where a token could be.
 *
 *  Its account is asked each time: a key that was removed is worth nothing from then on, and roles are those of now.
 *  Of the gateway's thread.
 */
#ifndef TRANSPORTS_EDGE_API_KEY_H
#define TRANSPORTS_EDGE_API_KEY_H

#include "runtime/base/buffer.h"
#include "transports/auth/secret.h"
#include "transports/edge/edge.h"

typedef struct api_key_s api_key_t;

/*  Who it is, or NULL and why not. */
typedef void (api_key_done_t) (void *arg, const identity_t *who, const troupe_error_t *error);

/*  TROUPE_FORBIDDEN: it is none. */
troupe_status_t api_key_read (const char *text, secret_t *key, troupe_error_t *error) TROUPE_CHECKED;

/*  TROUPE_OK: `done` is called once, from edge_drain, unless it is left before, and it is gone then.
 *  TROUPE_OVERLOADED: this address showed too many that are no good, and may come again in so long. */
troupe_status_t api_key_ask (edge_t *edge, const secret_t *key, const void *address, size_t size, api_key_done_t *done,
                             void *arg, api_key_t **self_p, uint32_t *retry_after_ms,
                             troupe_error_t *error) TROUPE_CHECKED;

/*  Nobody waits for it any more. */
void api_key_leave (api_key_t **self_p);

/*  Whether this is the key of which an account told; in constant time. */
bool api_key_fits (const secret_t *secret, const buffer_t *told);

/*  What identity_t.key and .account are made of. */
uint64_t api_key_hash (const char *text);

#endif
