/*  recent.h - two numbers for each of the keys that were used last, in memory of a fixed size.
 *
 *  Keys are bytes of strangers: they are hashed with a secret of the table, 128 bits wide, and the hash alone is
 *  kept, so that nobody can choose keys that meet or fill memory. Used by one thread at a time.
 */
#ifndef TRANSPORTS_AUTH_RECENT_H
#define TRANSPORTS_AUTH_RECENT_H

#include <stddef.h>
#include <stdint.h>

typedef struct recent_s recent_t;

/*  1 to 2^24 keys; allocates all that it will ever need. NULL when there is no memory. */
recent_t *recent_new (uint32_t keys);
void recent_destroy (recent_t **self_p);

/*  The two numbers of the key, 0 when it is new; a new one takes the place of the one that was used longest
 *  ago. Valid until the next call. */
uint64_t *recent_use (recent_t *self, const void *key, size_t size);

/*  As they are, and it is not used by this; NULL: there is no such key. */
const uint64_t *recent_find (const recent_t *self, const void *key, size_t size);

#endif
