/*  host.h - what a gateway asks of the node behind it. A port: commands makes it, transports use it.
 *
 *  All functions may be called by any thread and do not block. What is told later is
 *  told once, on a thread of the node: hand over and return.
 */
#ifndef RUNTIME_PORT_HOST_H
#define RUNTIME_PORT_HOST_H

#include "runtime/base/buffer.h"

#include <troupe.h>

/*  Told as the offset of an event without a body: whoever watches the feed is to be asked about again. */
#define HOST_PERMIT_CHANGED UINT64_MAX

/*  Likewise: events may have been missed, and the feed's history is to be looked into again. */
#define HOST_LOOK_AGAIN (UINT64_MAX - 1)

/*  `packed` is borrowed until it returns; `text` is of an error, else "". */
typedef void (host_told_t) (void *arg, troupe_status_t status, const char *text, const void *packed, size_t size);

typedef struct {
    void *self;
    const char *epoch;  /* of the store; lives as long as the node */

    /* In ms since 1970, as shards see it. */
    uint64_t (*now_ms) (void *self);

    /* What an address and a name mean; NULL and an error (TROUPE_INVALID, TROUPE_NOT_FOUND). They live as the node
     * does. */
    const troupe_verb_t *(*verb) (void *self, const char *address, const char *name, troupe_error_t *error);
    const troupe_channel_t *(*channel) (void *self, const char *address, const char *name, troupe_error_t *error);

    /* As troupe_submit. */
    troupe_status_t (*submit) (void *self, const troupe_call_t *call, troupe_error_t *error);

    /* The events from offset `from` on, at most so many: {head, first, events: [{offset, time_ms, key?, body}]}.
     * Anything but TROUPE_OK: nothing will be told. */
    troupe_status_t (*read_feed) (void *self, const char *address, const char *channel, uint64_t from, uint32_t most,
                                  host_told_t *told, void *arg, troupe_error_t *error);

    /* Between these two what this thread submits may wait for the second: for who has many calls. Neither, or both. */
    void (*hold) (void *self);
    void (*release) (void *self);

    /* Somebody watches this feed, as nobody did before; NULL: who publishes need not know. */
    void (*watched) (void *self, const char *address, const char *channel);
} host_port_t;

#endif
