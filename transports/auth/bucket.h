/*  bucket.h - how often somebody may do something: token buckets, for as many keys as there is room.
 *
 *  A key is what is limited, as bytes: an address (of IPv6 its /64, the first 8 bytes: one household has all of it), a
 *  subject, a subject and a class of verbs. One table for each of them, or kinds of keys with a byte in front. When
 *  there are more keys than room, the one that was used longest ago is full again. Used by one thread at a time.
 */
#ifndef TRANSPORTS_AUTH_BUCKET_H
#define TRANSPORTS_AUTH_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_INTERVAL_MAX_NS (86400ull * 1000000000u)
#define BUCKET_BURST_MAX 65536u
#define BUCKET_NEVER UINT64_MAX

/*  A bucket holds at most `burst` tokens, and gets one in each interval. */
typedef struct {
    uint64_t interval_ns;
    uint32_t burst;
} bucket_rate_t;

typedef struct recent_s buckets_t;

buckets_t *buckets_new (uint32_t keys);  /* NULL when there is no memory */
void buckets_destroy (buckets_t **self_p);

/*  Takes so many tokens from the key's bucket. False: they are not there, and nothing was taken; they will be in
 *  `wait_ns` (BUCKET_NEVER: it does not hold so many). `now_ns` by a monotonic clock. */
bool buckets_take (buckets_t *self, const void *key, size_t size, const bucket_rate_t *rate, uint32_t tokens,
                   uint64_t now_ns, uint64_t *wait_ns);

/*  Whether they are there; nothing is taken. */
bool buckets_have (buckets_t *self, const void *key, size_t size, const bucket_rate_t *rate, uint32_t tokens,
                   uint64_t now_ns, uint64_t *wait_ns);

#endif
