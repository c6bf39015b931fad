/*  web_preface.c - connections that a proxy begins by saying whom they are from (the PROXY protocol).
 *
 *  DESIGN
 *  What is no part of the header is left in the socket, for libwebsockets or TLS: bytes are looked at first, and those
 *  are taken that surely belong to it. So nothing is waited for with bytes lying there.
 *  What a proxy opens and closes without a word (to see whether the node is there) is none of anybody's business.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/memory.h"
#include "transports/web/web_proxy.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_MS 10000

struct web_preface_s {
    web_due_t due;               /* it did not come; first */
    uv_poll_t poll;
    web_t *web;
    web_preface_t *next, **previous_next;
    struct in6_addr proxy;
    size_t size;
    uint8_t bytes[PROXY_HEADER_MOST];
};

static void
on_closed (uv_handle_t *handle)
{
    memory_free (handle->data);
}

/*  The descriptor goes on without it, or was closed. */
static void
end (web_preface_t *self)
{
    web_due_never (self->web, &self->due);
    *self->previous_next = self->next;
    if (self->next)
        self->next->previous_next = self->previous_next;
    self->web->prefaces_count -= 1;
    uv_close ((uv_handle_t *) &self->poll, on_closed);
}

static void
break_off (web_preface_t *self)
{
    int descriptor;
    uv_fileno ((uv_handle_t *) &self->poll, &descriptor);
    end (self);
    close (descriptor);
}

static void
not_in_time (web_t *web, web_due_t *due)
{
    (void) web;
    break_off ((web_preface_t *) due);
}

static void
say_bad (web_preface_t *self)
{
    char line[160];
    web_address_t address;
    web_address_write (&self->proxy, &address);
    snprintf (line, sizeof line, "web: %s is in web_proxy_protocol, but began a connection without a header",
              address.text);
    if (self->web->options.log && !self->web->is_bad_told)
        self->web->options.log (true, line);
    self->web->is_bad_told = true;
}

static void
on_bytes (uv_poll_t *poll, int status, int events)
{
    (void) events;
    web_preface_t *self = poll->data;
    web_t *web = self->web;
    struct in6_addr from;
    size_t whole;
    int descriptor;
    uv_fileno ((uv_handle_t *) poll, &descriptor);
    ssize_t count = status == 0 ? recv (descriptor, self->bytes + self->size, sizeof self->bytes - self->size, MSG_PEEK)
                                : 0;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        break_off (self);
        return;
    }
    proxy_header_t header = proxy_header (self->bytes, self->size + (size_t) count, &whole, &from);
    if (header == PROXY_BAD || recv (descriptor, self->bytes + self->size, whole - self->size, 0)
                                   != (ssize_t) (whole - self->size)) {
        say_bad (self);
        break_off (self);
        return;
    }
    self->size = whole;
    if (header == PROXY_MORE)
        return;
    web->is_bad_told = false;
    end (self);
    web_take_in (web, descriptor, &from);
}

bool
web_preface_await (web_t *web, int descriptor, const struct in6_addr *proxy)
{
    web_preface_t *self = memory_zalloc (sizeof *self);
    if (!self || uv_poll_init (&web->loop, &self->poll, descriptor) != 0) {
        memory_free (self);
        return false;
    }
    self->due.act = not_in_time;
    self->poll.data = self;
    self->web = web;
    self->proxy = *proxy;
    self->next = web->prefaces;
    self->previous_next = &web->prefaces;
    if (self->next)
        self->next->previous_next = &self->next;
    web->prefaces = self;
    web->prefaces_count += 1;
    uv_poll_start (&self->poll, UV_READABLE, on_bytes);
    web_due_in (web, &self->due, MOST_MS);
    return true;
}

void
web_preface_end_all (web_t *web)
{
    while (web->prefaces)
        break_off (web->prefaces);
}
