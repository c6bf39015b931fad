/*  page.c - a page of a feed's history, read on the shard of its actor and told when it is durable (rule 4).
 */
#include "commands/page.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/shard.h"

typedef struct {
    errand_t errand;
    host_told_t *told;
    void *arg;
    uint64_t from;
    uint32_t most;
    buffer_t packed;
    troupe_error_t error;
    const char *channel;
    char address[];  /* NUL channel NUL */
} page_t;

static void
tell (void *arg, bool is_durable)
{
    page_t *self = arg;
    if (!is_durable)
        error_set (&self->error, TROUPE_STOPPING, "the node stops");
    bool is_good = self->error.status == TROUPE_OK;
    self->told (self->arg, self->error.status, is_good ? "" : self->error.text, self->packed.data, self->packed.size);
    buffer_clear (&self->packed);
    memory_free (self);
}

static void
read_on_shard (shard_t *shard, errand_t *errand)
{
    page_t *self = (page_t *) errand;
    if (!shard) {
        tell (self, false);
        return;
    }
    self->error.status = shard_read_feed (shard, self->address, self->channel, self->from, self->most, &self->packed,
                                          &self->error);
    if (shard_release_after (shard, tell, self) != TROUPE_OK)
        tell (self, false);
}

letter_t *
page_letter_new (const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *told, void *arg)
{
    size_t address_size = strlen (address) + 1, channel_size = strlen (channel) + 1;
    page_t *self = memory_zalloc (sizeof *self + address_size + channel_size);
    if (!self)
        return NULL;
    self->errand = (errand_t) { .letter.type = LETTER_ERRAND, .run = read_on_shard };
    self->told = told;
    self->arg = arg;
    self->from = from;
    self->most = most;
    memcpy (self->address, address, address_size);
    self->channel = memcpy (self->address + address_size, channel, channel_size);
    return &self->errand.letter;
}
