/*  fuzz_relay.c - what another node may ask and tell on the road.
 *
 *  The node has asked that one for a call (id 1) and a page (id 2), watches one of its feeds and is watched. Whatever
 *  comes, both are told once at most, a page is one, and what is asked and heard has the form that the port wants.
 */
#include "runtime/base/error.h"
#include "runtime/body/packed.h"
#include "runtime/forward.h"
#include "runtime/relay.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

static unsigned answers, pages;

static bool
send (void *self, uint16_t peer, const void *bytes, size_t size)
{
    relay_message_t message;
    (void) self;
    HOLDS (peer == 1 && relay_read (&message, bytes, size));
    return true;
}

static void
complain (void *self, uint16_t peer, const char *text)
{
    (void) self;
    HOLDS (peer == 1 && *text);
}

static void
wake (void *self)
{
    (void) self;
}

static uint64_t
now_ms (void *self)
{
    (void) self;
    return 1000;
}

static troupe_status_t
submit (void *self, const troupe_call_t *call, troupe_error_t *error)
{
    (void) self;
    HOLDS (strlen (call->to) <= TROUPE_ADDRESS_MAX && strlen (call->verb) <= TROUPE_NAME_MAX
           && packed_is_valid (call->body, call->size));
    if (call->ordered)
        return error_set (error, TROUPE_OVERLOADED, "not now");
    call->done (call->arg, &(troupe_answer_t) { .status = TROUPE_OK, .body = call->body, .size = call->size,
                                                .text = "" });
    return TROUPE_OK;
}

static troupe_status_t
read_feed (void *self, const char *address, const char *channel, uint64_t from, uint32_t most, host_told_t *told,
           void *arg, troupe_error_t *error)
{
    (void) self;
    (void) from;
    (void) most;
    (void) error;
    HOLDS (strlen (address) <= TROUPE_ADDRESS_MAX && strlen (channel) <= TROUPE_NAME_MAX);
    told (arg, TROUPE_NOT_FOUND, "there is none", NULL, 0);
    return TROUPE_OK;
}

static bool
is_watched (void *self, const char *address, const char *channel)
{
    (void) self;
    return address && channel;
}

static void
heard (void *self, const char *address, const char *channel, uint64_t offset, const char *key, const void *body,
       size_t size)
{
    (void) self;
    (void) offset;
    HOLDS (strlen (address) <= TROUPE_ADDRESS_MAX && strlen (channel) <= TROUPE_NAME_MAX
           && (!key || strlen (key) <= TROUPE_ADDRESS_MAX) && packed_is_valid (body, size));
}

static void
done (void *arg, const troupe_answer_t *answer)
{
    (void) arg;
    HOLDS (packed_is_valid (answer->body, answer->size));
    answers += 1;
}

static void
told (void *arg, troupe_status_t status, const char *text, const void *packed, size_t size)
{
    (void) arg;
    HOLDS (status == TROUPE_OK ? relay_is_page (packed, size) : text != NULL);
    pages += 1;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const char map[] = "cluster c\nshards 4\nnode a 0-1 h:1\nnode b 2-3 h:2\n";
    static cluster_t cluster;
    troupe_error_t error;
    HOLDS (cluster_read (&cluster, map, "a", &error) == TROUPE_OK);
    forward_port_t port = { NULL, send, complain, wake, now_ms, submit, read_feed, is_watched, heard };
    forward_t *self = forward_new (&cluster, 1000, &port);
    HOLDS (self);
    answers = pages = 0;
    troupe_call_t call = { .to = "thing/1", .verb = "do", .done = done };
    forward_opened (self, 1);
    HOLDS (forward_call (self, 2, &call, false, &error) == TROUPE_OK);
    HOLDS (forward_read (self, 1, "thing/1", "live", 1, 10, told, NULL, &error) == TROUPE_OK);
    forward_watch (self, 1, "thing/1", "live");
    forward_round (self);
    forward_received (self, 1, data, size);
    forward_published (self, "thing/1", "live", 1, NULL, NULL, 0);
    forward_round (self);
    HOLDS (answers <= 1 && pages <= 1);
    forward_broken (self, 1);
    HOLDS (answers == 1 && pages == 1);
    forward_destroy (&self);
    return 0;
}
