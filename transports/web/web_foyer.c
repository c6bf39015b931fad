/*  web_foyer.c - where sockets wait until they say something.
 *
 *  DESIGN
 *  What strangers begin with is the dearest thing that they can ask for: a handshake costs as much as many messages.
 *  So who comes new waits in an epoll of its own, inside that of the loop, until the head of a request is there (of TLS
 *  the first bytes), and then one is let in a round, and one more for some messages of others that a round has: however
 *  many they are, who is in already waits little longer than without them. Who never speaks costs nothing else, and
 *  who leaves without a word is none of anybody's business. The epoll tells of what has come since: a head that drips
 *  is looked at once a drop.
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

#define MOST_MS 10000    /* until the head is there */
#define ROUND_LOOKS 32   /* at strangers, in a round */
#define SERVED_FOR_ONE 8 /* messages of others, for one more that is let in */

struct web_stranger_s {
    web_due_t due;               /* it does not say enough; first */
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
    (void) epoll_ctl (web->foyer, EPOLL_CTL_DEL, self->descriptor, NULL);  /* a child may have a copy */
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
    int descriptor = self->descriptor;
    leave (self);
    close (descriptor);
}

static void
let_in (web_stranger_t *self)
{
    web_t *web = self->web;
    int descriptor = self->descriptor;
    struct in6_addr from = self->from;
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

typedef enum { SAID_TOO_LITTLE, SAID_ENOUGH, SAID_BAD } said_t;

/*  Of a proxy's header, with which it is none any more. */
static said_t
hear_proxy (web_stranger_t *self)
{
    struct in6_addr from;
    size_t whole, size = self->header_size;
    ssize_t count = recv (self->descriptor, self->header + size, PROXY_HEADER_MOST - size, MSG_PEEK);
    if (count <= 0)
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? SAID_TOO_LITTLE : SAID_BAD;
    proxy_header_t header = proxy_header (self->header, size + (size_t) count, &whole, &from);
    if (header == PROXY_BAD
        || recv (self->descriptor, self->header + size, whole - size, 0) != (ssize_t) (whole - size)) {
        say_bad (self);
        return SAID_BAD;
    }
    self->header_size = whole;
    if (header == PROXY_MORE)
        return SAID_TOO_LITTLE;
    self->web->is_bad_told = false;
    self->is_proxy = false;
    self->from = from;
    return SAID_ENOUGH;
}

/*  Of what is no request of HTTP, whatever it is; libwebsockets sees what is wrong with it. */
static said_t
hear_head (const web_stranger_t *self)
{
    char bytes[WEB_HEAD_BYTES];
    ssize_t count = recv (self->descriptor, bytes, sizeof bytes, MSG_PEEK);
    if (count <= 0)
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? SAID_TOO_LITTLE : SAID_BAD;
    bool is_request = !*self->web->certificate && bytes[0] >= 'A' && bytes[0] <= 'Z';
    bool is_whole = count == (ssize_t) sizeof bytes || memmem (bytes, (size_t) count, "\r\n\r\n", 4)
                    || memmem (bytes, (size_t) count, "\n\n", 2);
    return is_request && !is_whole ? SAID_TOO_LITTLE : SAID_ENOUGH;
}

static said_t
hear (web_stranger_t *self)
{
    said_t said = self->is_proxy ? hear_proxy (self) : SAID_ENOUGH;
    return said == SAID_ENOUGH ? hear_head (self) : said;
}

/*  It may have waited for others all the time. */
static void
not_in_time (web_t *web, web_due_t *due)
{
    web_stranger_t *self = (web_stranger_t *) due;
    (void) web;
    if (hear (self) == SAID_ENOUGH)
        let_in (self);
    else
        break_off (self);
}

/*  Of those that are left the next round tells. */
static void
on_words (uv_poll_t *poll, int status, int events)
{
    (void) status;
    (void) events;
    web_t *web = poll->data;
    struct epoll_event heard;
    uint32_t room = 1 + web->served / SERVED_FOR_ONE;
    for (int i = 0; i < ROUND_LOOKS && room > 0 && epoll_wait (web->foyer, &heard, 1, 0) == 1; i++) {
        web_stranger_t *stranger = heard.data.ptr;
        said_t said = hear (stranger);
        if (said == SAID_ENOUGH) {
            let_in (stranger);
            room -= 1;
        } else if (said == SAID_BAD || heard.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            break_off (stranger);
    }
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
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = self };
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
    if (uv_poll_init (&web->loop, &web->words, web->foyer) != 0) {
        close (web->foyer);
        web->foyer = -1;
        return error_set (error, TROUPE_INVALID, "the gateway's loop does not take an epoll");
    }
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
