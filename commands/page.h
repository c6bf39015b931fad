/*  page.h - a page of a feed's history, read on the shard of its actor and told when it is durable (rule 4).
 */
#ifndef COMMANDS_PAGE_H
#define COMMANDS_PAGE_H

#include "runtime/letter.h"
#include "runtime/port/host.h"

/*  An errand for that shard, as host_port_t.read_feed; `told` is called on its thread. NULL: no memory. A letter that
 *  is not posted is freed with memory_free, and tells nothing. */
letter_t *page_letter_new (const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *told,
                           void *arg);

#endif
