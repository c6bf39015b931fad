/*  web_foyer.c - where sockets wait until they say something.
 *
 *  DESIGN
 *  What strangers begin with is the dearest thing that they can ask for: a handshake costs as much as many messages. So
 *  who comes new waits in an epoll of its own, inside that of the loop, and of those that have spoken one is let in a
 *  round: however many they are, who is in already waits for no more than one. Who never speaks costs nothing else, and
 *  who leaves without a word is none of anybody's business.
 *
 *  A proxy begins by saying whom a connection is from (the PROXY protocol). What is no part of that header is left in
 *  the socket, for libwebsockets or TLS: bytes are looked at first, and those are taken that surely belong to it. So
 *  nothing is waited for with bytes lying there.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "transports/web/web_proxy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_MS 10000  /* without a word */

struct web_stranger_s {
    web_due_t due;               /* it says nothing; first */
    web_t *web;
    web_stranger_t *next, **previous_next;
    struct in6_addr from;
    web_crowd_t *crowd;          /* NULL: it is not counted, or a proxy */
    int descriptor;
    bool is_proxy;
    size_t header_size;          /* of what a proxy said so far */
    uint8_t header[];            /* PROXY_HEADER_MOST of a proxy */
};

/*  The descriptor goes on without it, or is closed. */
static void
leave (web_stranger_t *self)
{
    web_t *web = self->web;
    web_due_never (web, &self->due);
    *self->previous_next = self->next;
    if (self->next)
        self->next->previous_next = self->previous_next;
    web->strangers_count -= 1;
    web_crowd_leave (web, &self->crowd);
    memory_free (self);
}

static void
break_off (web_stranger_t *self)
{
    close (self->descriptor);
    leave (self);
}

static void
not_in_time (web_t *web, web_due_t *due)
{
    (void) web;
    break_off ((web_stranger_t *) due);
}

static void
let_in (web_stranger_t *self, struct in6_addr from)
{
    web_t *web = self->web;
    int descriptor = self->descriptor;
    epoll_ctl (web->foyer, EPOLL_CTL_DEL, descriptor, NULL);
    leave (self);
    web_take_in (web, descriptor, &from);
}

static void
say_bad (const web_stranger_t *self)
{
    char line[160];
    web_address_t address;
    web_address_write (&self->from, &address);
    snprintf (line, sizeof line, "web: %s is in web_proxy_protocol, but began a connection without a header",
              address.text);
    if (self->web->options.log && !self->web->is_bad_told)
        self->web->options.log (true, line);
    self->web->is_bad_told = true;
}

static void
hear_proxy (web_stranger_t *self)
{
    struct in6_addr from;
    size_t whole, size = self->header_size;
    ssize_t count = recv (self->descriptor, self->header + size, PROXY_HEADER_MOST - size, MSG_PEEK);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        break_off (self);
        return;
    }
    proxy_header_t header = proxy_header (self->header, size + (size_t) count, &whole, &from);
    if (header == PROXY_BAD
        || recv (self->descriptor, self->header + size, whole - size, 0) != (ssize_t) (whole - size)) {
        say_bad (self);
        break_off (self);
        return;
    }
    self->header_size = whole;
    if (header == PROXY_MORE)
        return;
    self->web->is_bad_told = false;
    let_in (self, from);
}

static bool
left_without_a_word (const web_stranger_t *self, uint32_t events)
{
    char byte;
    return events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) && recv (self->descriptor, &byte, 1, MSG_PEEK) <= 0;
}

/*  Of the others the next round tells. */
static void
on_words (uv_poll_t *poll, int status, int events)
{
    (void) status;
    (void) events;
    web_t *web = poll->data;
    struct epoll_event heard;
    if (epoll_wait (web->foyer, &heard, 1, 0) != 1)
        return;
    web_stranger_t *stranger = heard.data.ptr;
    if (left_without_a_word (stranger, heard.events))
        break_off (stranger);
    else if (stranger->is_proxy)
        hear_proxy (stranger);
    else
        let_in (stranger, stranger->from);
}

/* ---- all ---- */

void
web_foyer_enter (web_t *web, int descriptor, const struct in6_addr *from)
{
    web_address_t address = { .key_size = 0 };
    bool is_proxy = *web->tcp_proxies && proxy_is_trusted (web->tcp_proxies, from);
    if (!is_proxy)
        web_address_of_other (web, from, &address);
    web_stranger_t *self = web_may_come (web, &address)
                               ? memory_zalloc (sizeof *self + (is_proxy ? PROXY_HEADER_MOST : 0)) : NULL;
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = self };
    if (!self || epoll_ctl (web->foyer, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        memory_free (self);
        close (descriptor);
        return;
    }
    self->due.act = not_in_time;
    self->web = web;
    self->descriptor = descriptor;
    self->from = *from;
    self->is_proxy = is_proxy;
    self->crowd = web_crowd_join (web, &address);
    self->next = web->strangers;
    self->previous_next = &web->strangers;
    if (self->next)
        self->next->previous_next = &self->next;
    web->strangers = self;
    web->strangers_count += 1;
    web_due_in (web, &self->due, MOST_MS);
}

troupe_status_t
web_foyer_open (web_t *web, troupe_error_t *error)
{
    web->foyer = epoll_create1 (EPOLL_CLOEXEC);
    if (web->foyer < 0)
        return error_set (error, TROUPE_NO_MEMORY, "no descriptors for the gateway: %s", strerror (errno));
    uv_poll_init (&web->loop, &web->words, web->foyer);
    web->words.data = web;
    uv_poll_start (&web->words, UV_READABLE, on_words);
    return TROUPE_OK;
}

void
web_foyer_close (web_t *web)
{
    if (web->foyer < 0)
        return;
    while (web->strangers)
        break_off (web->strangers);
    uv_close ((uv_handle_t *) &web->words, NULL);
    close (web->foyer);
    web->foyer = -1;
}
