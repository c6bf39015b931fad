/*  providers.c - fetches the keys that outside identity providers publish, for who verifies their tokens.
 *
 *  DESIGN
 *  One thread asks each URL when it starts, from time to time, and soon when a token comes whose key nobody knows,
 *  which is how a provider shows that it has new ones; but not more often than each HURRY_MS, since strangers make such
 *  tokens. What came whole and is a set of keys becomes a file in the store, and doors read it as any other
 *  (tokens_look), also when the node starts and the provider is away. Whatever goes wrong is logged, and what was good
 *  before stays.
 */
#include "commands/providers.h"

#include "commands/log.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread.h"
#include "storage/files.h"
#include "transports/auth/fetch.h"
#include "transports/auth/issuers.h"
#include "transports/auth/jwks.h"

#include <pthread.h>
#include <stdio.h>

#define HURRY_MS 10000

struct providers_s {
    char issuers[FILE_PATH_SIZE], directory[FILE_PATH_SIZE];
    uint64_t every_ms;
    pthread_t thread;
    bool has_thread;
    pthread_cond_t news;         /* by CLOCK_MONOTONIC */
    pthread_mutex_t lock;
    bool is_hurried;             /* under the lock */
    _Atomic bool is_stopping;    /* written under it */
    /* owner: the thread */
    fetch_t *fetch;
    buffer_t came;
};

/* ---- one provider ---- */

/*  What is there already is not written again: doors would read it anew. */
static bool
is_there (const providers_t *self, const char *path)
{
    buffer_t text = { 0 };
    troupe_error_t error;
    bool is_same = file_read (path, JWKS_TEXT_MAX, &text, &error) == TROUPE_OK && text.size == self->came.size
                   && memcmp (text.data, self->came.data, text.size) == 0;
    buffer_clear (&text);
    return is_same;
}

static troupe_status_t
keep (providers_t *self, const char *url, troupe_error_t *error)
{
    char path[FILE_PATH_SIZE];
    key_set_t *keys = NULL;
    troupe_status_t status = jwks_read ((const char *) self->came.data, self->came.size, &keys, error);
    jwks_destroy (&keys);
    if (status != TROUPE_OK)
        return status;
    issuers_fetched (self->directory, url, path, sizeof path);
    if (is_there (self, path))
        return TROUPE_OK;
    buffer_byte (&self->came, '\0');
    if (self->came.failed)
        return error_set (error, TROUPE_NO_MEMORY, "no memory for its keys");
    status = files_write_text (self->directory, strrchr (path, '/') + 1, (const char *) self->came.data, error);
    if (status == TROUPE_OK)
        log_info ("tokens: new keys from %s", url);
    return status;
}

static void
fetch_all (providers_t *self)
{
    char urls[ISSUERS_MAX][ISSUERS_TEXT_SIZE];
    size_t count = 0;
    troupe_error_t error;
    if (issuers_urls (self->issuers, urls, &count, &error) != TROUPE_OK)
        return;  /* who reads it for tokens says so */
    for (size_t i = 0; i < count && !atomic_load (&self->is_stopping); i++) {
        buffer_reset (&self->came);
        troupe_status_t status = fetch_text (self->fetch, urls[i], &self->came, &error);
        if (status == TROUPE_OK)
            status = keep (self, urls[i], &error);
        if (status != TROUPE_OK && !atomic_load (&self->is_stopping))
            log_error ("tokens: no keys from %s: %s; what was good before is so still", urls[i], error.text);
    }
}

/* ---- the thread ---- */

static struct timespec
in_ms (uint64_t ms)
{
    uint64_t due_ns = clock_monotonic_ns () + ms * 1000000u;
    return (struct timespec) { .tv_sec = (time_t) (due_ns / 1000000000u), .tv_nsec = (long) (due_ns % 1000000000u) };
}

/*  So long, and no shorter than HURRY_MS when somebody hurries. False: it is over. */
static bool
wait_for_time (providers_t *self)
{
    struct timespec due = in_ms (self->every_ms);
    struct timespec soon = in_ms (self->every_ms < HURRY_MS ? self->every_ms : HURRY_MS);
    int code = 0;
    pthread_mutex_lock (&self->lock);
    self->is_hurried = false;
    while (code == 0 && !self->is_stopping && !self->is_hurried)
        code = pthread_cond_timedwait (&self->news, &self->lock, &due);
    for (code = 0; code == 0 && !self->is_stopping && self->is_hurried;)
        code = pthread_cond_timedwait (&self->news, &self->lock, &soon);
    bool goes_on = !self->is_stopping;
    pthread_mutex_unlock (&self->lock);
    return goes_on;
}

static void *
run (void *arg)
{
    providers_t *self = arg;
    do
        fetch_all (self);
    while (wait_for_time (self));
    return NULL;
}

/* ---- life ---- */

providers_t *
providers_new (const char *issuers, const char *directory, uint64_t every_ms, troupe_error_t *error)
{
    providers_t *self = memory_zalloc (sizeof *self);
    pthread_condattr_t attributes;
    if (!self) {
        error_set (error, TROUPE_NO_MEMORY, "no memory to fetch the keys of providers");
        return NULL;
    }
    snprintf (self->issuers, sizeof self->issuers, "%s", issuers);
    snprintf (self->directory, sizeof self->directory, "%s", directory);
    self->every_ms = every_ms;
    self->came.limit = JWKS_TEXT_MAX + 1;
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->news, &attributes);
    pthread_condattr_destroy (&attributes);
    self->fetch = fetch_new (&self->is_stopping);
    troupe_status_t status = self->fetch ? thread_start (&self->thread, "troupe-keys", run, self, error)
                                         : error_set (error, TROUPE_NO_MEMORY, "no memory to fetch keys");
    self->has_thread = status == TROUPE_OK;
    if (!self->has_thread)
        providers_destroy (&self);
    return self;
}

void
providers_hurry (providers_t *self)
{
    pthread_mutex_lock (&self->lock);
    if (!self->is_hurried)
        pthread_cond_signal (&self->news);  /* once, however many such tokens come */
    self->is_hurried = true;
    pthread_mutex_unlock (&self->lock);
}

void
providers_destroy (providers_t **self_p)
{
    providers_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    atomic_store (&self->is_stopping, true);
    pthread_cond_signal (&self->news);
    pthread_mutex_unlock (&self->lock);
    if (self->has_thread)
        pthread_join (self->thread, NULL);
    fetch_destroy (&self->fetch);
    pthread_cond_destroy (&self->news);
    pthread_mutex_destroy (&self->lock);
    buffer_clear (&self->came);
    memory_free (self);
    *self_p = NULL;
}
