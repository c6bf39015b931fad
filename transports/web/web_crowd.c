/*  web_crowd.c - how many connections there are of one address: one stranger does not take the room of all.
 *
 *  DESIGN
 *  Sockets are counted by whom they come from, from the moment they are accepted (web_foyer.c), so that those count
 *  that say nothing.
 *  A proxy that is trusted has as many as it likes: behind it clients are counted by the address that it tells, from
 *  the head of their request on. Of IPv6 a /64 is one address (web_address.h).
 */
#include "transports/web/web_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/memory.h"

#include <string.h>

struct web_crowd_s {
    table_node_t node;
    uint32_t count;
    web_address_t address;
};

static uint32_t
hash_of (const web_address_t *address)
{
    return (uint32_t) hash_bytes (address->key, address->key_size, 0);
}

static web_crowd_t *
find (web_t *web, const web_address_t *address)
{
    for (table_node_t *node = table_chain (&web->crowds, hash_of (address)); node; node = node->next) {
        web_crowd_t *crowd = (web_crowd_t *) node;
        if (crowd->address.key_size == address->key_size
            && memcmp (crowd->address.key, address->key, address->key_size) == 0)
            return crowd;
    }
    return NULL;
}

bool
web_crowd_has_room (web_t *web, const web_address_t *address)
{
    uint32_t most = web->options.limits.address_connections;
    const web_crowd_t *crowd = most && address->key_size ? find (web, address) : NULL;
    return !crowd || crowd->count < most;
}

web_crowd_t *
web_crowd_join (web_t *web, const web_address_t *address)
{
    if (!address->key_size)
        return NULL;
    web_crowd_t *crowd = find (web, address);
    if (!crowd) {
        crowd = memory_zalloc (sizeof *crowd);
        if (!crowd || !table_insert (&web->crowds, &crowd->node, hash_of (address))) {
            memory_free (crowd);
            return NULL;
        }
        crowd->address = *address;
    }
    crowd->count += 1;
    return crowd;
}

void
web_crowd_leave (web_t *web, web_crowd_t **crowd_p)
{
    web_crowd_t *crowd = *crowd_p;
    *crowd_p = NULL;
    if (!crowd || --crowd->count > 0)
        return;
    table_remove (&web->crowds, &crowd->node);
    memory_free (crowd);
}
