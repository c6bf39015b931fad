/*  web.c - the thread of the gateway: libwebsockets on a loop of our own.
 *
 *  DESIGN
 *  The loop is libuv's: libwebsockets' own poll() walks all connections for each event. It is
 *  ours (a "foreign" one), so that three things can be hung on it: an eventfd by which the
 *  node's threads wake it, a timer, and a check after each round of reading, in which all
 *  that came in since the last one is answered in as few writes as can be.
 *
 *  The eventfd outlives loop and thread: a node that stops still tells its last answers.
 *
 *  The end: clients are told to go, and the loop runs until they have or the time is over. Those that stay are sent
 *  away by a close frame, when they have no calls in hand any more or after some more time; then the contexts close
 *  what is left, and the loop runs until nothing is open.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COME_BACK_MS 1000         /* a client that was told to go */
#define CLOSE_MS 500              /* for a client's close frame, at the end */

/* ---- the loop ---- */

static void
wake (void *arg)
{
    web_t *self = arg;
    uint64_t one = 1;
    while (write (self->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void
on_due (uv_timer_t *timer)
{
    (void) timer;  /* the check does the rest */
}

static void
drain (web_t *self)
{
    web_due_run (self);
    uint64_t wait_ms = edge_drain (self->edge), due_ms = web_due_wait_ms (self);
    if (due_ms < wait_ms)
        wait_ms = due_ms;
    if (wait_ms != EDGE_NEVER)
        uv_timer_start (&self->due, on_due, wait_ms, 0);
}

static void
end_all (web_t *self)
{
    if (self->is_ending)
        return;
    self->is_ending = true;
    web_accept_close (self);
    web_foyer_close (self);
    web_rooms_close (self);
    uv_close ((uv_handle_t *) &self->woken, NULL);
    uv_close ((uv_handle_t *) &self->before, NULL);
    uv_close ((uv_handle_t *) &self->check, NULL);
    uv_close ((uv_handle_t *) &self->due, NULL);
    uv_close ((uv_handle_t *) &self->end, NULL);
}

static void
on_end (uv_timer_t *timer)
{
    end_all (timer->data);
}

static void
send_all_away (web_t *self)
{
    self->is_last = true;
    (void) edge_send_away (self->edge, true);
    uv_timer_start (&self->end, on_end, CLOSE_MS, 0);
}

static void
on_late (uv_timer_t *timer)
{
    send_all_away (timer->data);
}

/*  Those with calls in hand have some more time. */
static void
on_impatient (uv_timer_t *timer)
{
    web_t *self = timer->data;
    self->is_sending_away = true;
    uv_timer_start (&self->end, on_late, self->calls_ms, 0);
}

static void
see_to_end (web_t *self)
{
    if (self->connections == 0 && self->requests == 0)
        end_all (self);
    else if (self->is_sending_away && !self->is_last && !edge_send_away (self->edge, false) && self->requests == 0)
        send_all_away (self);
}

static void
on_before (uv_prepare_t *before)
{
    web_t *self = before->data;
    if (self->is_behind)
        web_rooms_look_behind (self);
    if (self->is_late)
        drain (self);
    self->is_reading = true;
    edge_hold (self->edge);
}

static void
on_check (uv_check_t *check)
{
    web_t *self = check->data;
    self->is_reading = self->is_late = false;
    self->served = self->serving;
    self->serving = 0;
    edge_release (self->edge);
    drain (self);
    if (self->is_stopping)
        see_to_end (self);
}

static void
reload (web_t *self)
{
    troupe_error_t error;
    char line[sizeof error.text + 64];
    troupe_status_t status = web_tls_read (self, &error);
    snprintf (line, sizeof line, "%s%s", status == TROUPE_OK ? "the certificate was read again" : error.text,
              status == TROUPE_OK ? "" : "; the old certificate stays in use");
    if (self->options.log)
        self->options.log (status != TROUPE_OK, line);
}

static void
on_wake (uv_poll_t *poll, int status, int events)
{
    (void) status;
    (void) events;
    web_t *self = poll->data;
    uint64_t count;
    while (read (self->wake, &count, sizeof count) < 0 && errno == EINTR)
        ;
    atomic_store_explicit (&self->is_asked, false, memory_order_relaxed);
    if (atomic_exchange_explicit (&self->must_reload, false, memory_order_acquire))
        reload (self);
    uint64_t quiet_ms = atomic_load_explicit (&self->quiet_ms, memory_order_acquire);
    if (!quiet_ms || self->is_stopping)
        return;
    self->is_stopping = true;
    edge_say_drain (self->edge, COME_BACK_MS);
    uv_timer_start (&self->end, on_impatient, quiet_ms, 0);
}

static void *
run (void *arg)
{
    web_t *self = arg;
    uv_run (&self->loop, UV_RUN_DEFAULT);
    return NULL;
}

/*  As in web_rooms_look_behind: it would wait for somebody else's. */
void
web_read_on (struct lws *wsi)
{
    lws_rx_flow_control (wsi, 1);
    lws_cancel_service (lws_get_context (wsi));
}

void
web_break_off (struct lws *wsi)
{
    lws_set_timeout (wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    lws_cancel_service (lws_get_context (wsi));  /* from outside of its callbacks it would sleep over it */
}

/* ---- new ---- */

static troupe_status_t
open_loop (web_t *self, troupe_error_t *error)
{
    self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake < 0 || uv_loop_init (&self->loop) != 0)
        return error_set (error, TROUPE_NO_MEMORY, "no descriptors for the gateway: %s", strerror (errno));
    self->has_loop = true;
    wheel_init (&self->wheel, uv_now (&self->loop));
    self->woken.data = self->before.data = self->check.data = self->due.data = self->end.data = self;
    uv_poll_init (&self->loop, &self->woken, self->wake);
    uv_poll_start (&self->woken, UV_READABLE, on_wake);
    uv_prepare_init (&self->loop, &self->before);
    uv_prepare_start (&self->before, on_before);
    uv_check_init (&self->loop, &self->check);
    uv_check_start (&self->check, on_check);
    uv_timer_init (&self->loop, &self->due);
    uv_timer_init (&self->loop, &self->end);
    return TROUPE_OK;
}

web_t *
web_new (const web_options_t *options, troupe_error_t *error)
{
    web_t *self = memory_zalloc (sizeof *self);
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory for the gateway");
        return NULL;
    }
    self->options = *options;
    snprintf (self->host, sizeof self->host, "%s", options->host);
    snprintf (self->files, sizeof self->files, "%s", options->files ? options->files : "");
    snprintf (self->files_policy, sizeof self->files_policy, "%s", options->files_policy ? options->files_policy : "");
    snprintf (self->proxies, sizeof self->proxies, "%s", options->proxies ? options->proxies : "");
    snprintf (self->tcp_proxies, sizeof self->tcp_proxies, "%s", options->tcp_proxies ? options->tcp_proxies : "");
    snprintf (self->hooks, sizeof self->hooks, "%s", options->hooks ? options->hooks : "");
    snprintf (self->hook_headers, sizeof self->hook_headers, "%s", options->hook_headers ? options->hook_headers : "");
    snprintf (self->origins, sizeof self->origins, "%s", options->origins ? options->origins : "");
    snprintf (self->certificate, sizeof self->certificate, "%s", options->certificate ? options->certificate : "");
    snprintf (self->key, sizeof self->key, "%s", options->key ? options->key : "");
    self->wake = self->foyer = self->listening = -1;
    edge_options_t edge = options->edge;
    edge.wake = wake;
    edge.wake_arg = self;
    self->edge = edge_new (&edge);
    troupe_status_t status = self->edge ? open_loop (self, error)
                                        : error_set (error, TROUPE_NO_MEMORY, "no memory for the gateway");
    if (status == TROUPE_OK)
        status = web_words_check (self, error);
    if (status == TROUPE_OK && !*self->certificate != !*self->key)
        status = error_set (error, TROUPE_INVALID, "web_certificate and web_key go together");
    if (status == TROUPE_OK && *self->certificate)
        status = web_tls_read (self, error);
    if (status == TROUPE_OK)
        status = web_rooms_open (self, error);
    if (status == TROUPE_OK)
        status = web_foyer_open (self, error);
    if (status == TROUPE_OK)
        status = web_accept_open (self, error);
    if (status != TROUPE_OK)
        web_destroy (&self);
    return self;
}

edge_t *
web_edge (web_t *self)
{
    return self->edge;
}

troupe_status_t
web_start (web_t *self, const host_port_t *host, troupe_error_t *error)
{
    edge_attach (self->edge, host);
    troupe_status_t status = thread_start (&self->thread, "troupe-web", run, self, error);
    self->has_thread = status == TROUPE_OK;
    return status;
}

bool
web_reload (web_t *self)
{
    if (!*self->certificate)
        return false;
    atomic_store_explicit (&self->must_reload, true, memory_order_release);
    wake (self);
    return true;
}

bool
web_came_round (web_t *self)
{
    bool was_asked = atomic_exchange_explicit (&self->is_asked, true, memory_order_relaxed);
    wake (self);
    return !was_asked;
}

/* ---- end ---- */

void
web_quiet (web_t *self, uint64_t most_ms, uint64_t calls_ms)
{
    if (!self->has_thread)
        return;
    self->calls_ms = calls_ms;
    atomic_store_explicit (&self->quiet_ms, most_ms ? most_ms : 1, memory_order_release);
    wake (self);
    pthread_join (self->thread, NULL);
    self->has_thread = false;
}

void
web_destroy (web_t **self_p)
{
    web_t *self = *self_p;
    if (!self)
        return;
    web_quiet (self, 0, 0);
    if (self->has_loop && !self->is_ending) {
        end_all (self);
        uv_run (&self->loop, UV_RUN_DEFAULT);
    }
    web_rooms_close (self);
    if (self->has_loop)
        (void) uv_loop_close (&self->loop);
    if (self->wake >= 0)
        close (self->wake);
    web_tls_end (self);
    table_clear (&self->crowds);
    table_clear (&self->sockets);
    edge_destroy (&self->edge);
    memory_free (self);
    *self_p = NULL;
}
