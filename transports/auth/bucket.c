/*  bucket.c - how often somebody may do something.
 *
 *  DESIGN. A bucket is one number, the time at which it will be full. Taking a token moves it one interval on, and it
 *  may be at most `burst` intervals ahead. So nothing is added up while time passes, and nothing rounds.
 */
#include "transports/auth/bucket.h"

#include "runtime/base/error.h"
#include "transports/auth/recent.h"

buckets_t *
buckets_new (uint32_t keys)
{
    return recent_new (keys);
}

void
buckets_destroy (buckets_t **self_p)
{
    recent_destroy (self_p);
}

/*  When the bucket is full once so many are taken, after `now_ns`. False: they are not there. */
static bool
look (const uint64_t *full_ns, const bucket_rate_t *rate, uint32_t tokens, uint64_t now_ns, uint64_t *then_ns,
      uint64_t *wait_ns)
{
    CHECK (rate->interval_ns <= BUCKET_INTERVAL_MAX_NS && rate->burst <= BUCKET_BURST_MAX);
    uint64_t ahead_ns = *full_ns > now_ns ? *full_ns - now_ns : 0;
    uint64_t room_ns = rate->interval_ns * rate->burst;
    *wait_ns = 0;
    if (tokens > rate->burst) {
        *wait_ns = BUCKET_NEVER;
        return false;
    }
    *then_ns = ahead_ns + rate->interval_ns * tokens;
    if (*then_ns > room_ns)
        *wait_ns = *then_ns - room_ns;
    return *then_ns <= room_ns;
}

bool
buckets_take (buckets_t *self, const void *key, size_t size, const bucket_rate_t *rate, uint32_t tokens,
              uint64_t now_ns, uint64_t *wait_ns)
{
    uint64_t then_ns, *full_ns = recent_use (self, key, size);
    if (!look (full_ns, rate, tokens, now_ns, &then_ns, wait_ns))
        return false;
    *full_ns = now_ns + then_ns;
    return true;
}

bool
buckets_have (buckets_t *self, const void *key, size_t size, const bucket_rate_t *rate, uint32_t tokens,
              uint64_t now_ns, uint64_t *wait_ns)
{
    uint64_t then_ns;
    return look (recent_use (self, key, size), rate, tokens, now_ns, &then_ns, wait_ns);
}
