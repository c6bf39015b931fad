/*  slowdown.c - whoever guesses passwords waits, longer each time. */
#include "transports/auth/slowdown.h"

#include "runtime/base/memory.h"
#include "transports/auth/recent.h"

/*  What is remembered of a key, as recent.h keeps it. */
enum {
    FAILURES,
    LAST_NS
};

struct slowdown_s {
    recent_t *names, *addresses;
    slowdown_rule_t name_rule, address_rule;
};

slowdown_t *
slowdown_new (uint32_t keys, const slowdown_rule_t *names, const slowdown_rule_t *addresses)
{
    slowdown_t *self = memory_zalloc (sizeof *self);
    if (!self)
        return NULL;
    self->names = recent_new (keys);
    self->addresses = recent_new (keys);
    self->name_rule = *names;
    self->address_rule = *addresses;
    if (!self->names || !self->addresses)
        slowdown_destroy (&self);
    return self;
}

void
slowdown_destroy (slowdown_t **self_p)
{
    slowdown_t *self = *self_p;
    if (!self)
        return;
    recent_destroy (&self->names);
    recent_destroy (&self->addresses);
    memory_free (self);
    *self_p = NULL;
}

static uint64_t
delay_ns (const slowdown_rule_t *rule, uint64_t failures)
{
    if (failures < rule->free || failures == 0)
        return 0;
    uint64_t doublings = failures - rule->free;
    if (doublings > 63 || rule->first_ns > rule->most_ns >> doublings)
        return rule->most_ns;
    return rule->first_ns << doublings;
}

static uint64_t
wait_ns (const slowdown_rule_t *rule, uint64_t *of, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns > of[LAST_NS] ? now_ns - of[LAST_NS] : 0;
    if (passed_ns >= rule->forget_ns)
        of[FAILURES] = 0;
    uint64_t delay = delay_ns (rule, of[FAILURES]);
    return delay > passed_ns ? delay - passed_ns : 0;
}

static void
count (uint64_t *of, uint64_t now_ns)
{
    of[FAILURES] += 1;
    of[LAST_NS] = now_ns;
}

uint64_t
slowdown_try (slowdown_t *self, const attempt_t *attempt, uint64_t now_ns)
{
    uint64_t *name = recent_use (self->names, attempt->name, attempt->name_size);
    uint64_t *address = recent_use (self->addresses, attempt->address, attempt->address_size);
    uint64_t by_name = wait_ns (&self->name_rule, name, now_ns);
    uint64_t by_address = wait_ns (&self->address_rule, address, now_ns);
    if (by_name > 0 || by_address > 0)
        return by_name > by_address ? by_name : by_address;
    count (name, now_ns);
    count (address, now_ns);
    return 0;
}

void
slowdown_passed (slowdown_t *self, const attempt_t *attempt)
{
    recent_use (self->names, attempt->name, attempt->name_size)[FAILURES] = 0;
    uint64_t *address = recent_use (self->addresses, attempt->address, attempt->address_size);
    if (address[FAILURES] > 0)
        address[FAILURES] -= 1;
}
