/*  rates.c - how much one client may ask for. */
#include "transports/edge/rates.h"

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/auth/bucket.h"

#include <string.h>

#define KEYS 65536               /* of clients that came last; others begin with a full bucket */
#define AT_ONCE 10
#define ADDRESS_MOST 16

struct rates_s {
    buckets_t *buckets;
    bucket_rate_t rates[RATE_CLASSES];
};

rates_t *
rates_new (const uint32_t a_second[RATE_CLASSES])
{
    rates_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    for (int i = 0; i < RATE_CLASSES; i++)
        if (a_second[i]) {
            uint64_t burst = (uint64_t) a_second[i] * AT_ONCE;
            self->rates[i].interval_ns = 1000000000u / a_second[i];
            self->rates[i].burst = burst < BUCKET_BURST_MAX ? (uint32_t) burst : BUCKET_BURST_MAX;
        }
    self->buckets = buckets_new (KEYS);
    if (!self->buckets)
        rates_destroy (&self);
    return self;
}

void
rates_destroy (rates_t **self_p)
{
    rates_t *self = *self_p;
    if (!self)
        return;
    buckets_destroy (&self->buckets);
    memory_free (self);
    *self_p = NULL;
}

typedef bool (bucket_use_t) (buckets_t *self, const void *key, size_t size, const bucket_rate_t *rate,
                             uint32_t tokens, uint64_t now_ns, uint64_t *wait_ns);

static troupe_status_t
use_one (rates_t *self, bucket_use_t *bucket_use, rate_class_t class, const identity_t *who, const void *address,
         size_t address_size, uint32_t *retry_after_ms, troupe_error_t *error)
{
    uint64_t wait_ns;
    char key[2 + TROUPE_ADDRESS_MAX + 1];
    const bucket_rate_t *rate = &self->rates[class];
    bool is_somebody = *who->subject != '\0' && class != RATE_SIGN_IN && class != RATE_ADDRESS;
    size_t size = is_somebody ? strlen (who->subject) : address_size < ADDRESS_MOST ? address_size : ADDRESS_MOST;
    if (rate->burst == 0 || (class == RATE_ADDRESS && size == 0))
        return TROUPE_OK;
    key[0] = (char) class;
    key[1] = is_somebody ? 's' : 'a';
    memcpy (key + 2, is_somebody ? who->subject : address, size);
    if (bucket_use (self->buckets, key, 2 + size, rate, 1, clock_monotonic_ns (), &wait_ns))
        return TROUPE_OK;
    *retry_after_ms = (uint32_t) (wait_ns / 1000000 + 1);
    return error_set (error, TROUPE_OVERLOADED, "this %s asks for too much",
                      class == RATE_ADDRESS ? "address" : "client");
}

static troupe_status_t
use (rates_t *self, bucket_use_t *bucket_use, rate_class_t class, const identity_t *who, const void *address,
     size_t address_size, uint32_t *retry_after_ms, troupe_error_t *error)
{
    troupe_status_t status = use_one (self, bucket_use, class, who, address, address_size, retry_after_ms, error);
    return status == TROUPE_OK && class != RATE_ADDRESS
               ? use_one (self, bucket_use, RATE_ADDRESS, who, address, address_size, retry_after_ms, error)
               : status;
}

troupe_status_t
rates_take (rates_t *self, rate_class_t class, const identity_t *who, const void *address, size_t address_size,
            uint32_t *retry_after_ms, troupe_error_t *error)
{
    troupe_status_t status = TROUPE_OK;
    if (class != RATE_ADDRESS)  /* what others at its address spent is not taken from who asks */
        status = use_one (self, buckets_have, RATE_ADDRESS, who, address, address_size, retry_after_ms, error);
    return status == TROUPE_OK ? use (self, buckets_take, class, who, address, address_size, retry_after_ms, error)
                               : status;
}

troupe_status_t
rates_look (rates_t *self, rate_class_t class, const identity_t *who, const void *address, size_t address_size,
            uint32_t *retry_after_ms, troupe_error_t *error)
{
    return use (self, buckets_have, class, who, address, address_size, retry_after_ms, error);
}
