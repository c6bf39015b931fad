/*  fetch.c - gets the text that is at a URL. */
#include "transports/auth/fetch.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"

#include <curl/curl.h>
#include <stdatomic.h>

#define CONNECT_MS 5000l
#define TRANSFER_MS 20000l
#define REDIRECTS 3l

struct fetch_s {
    CURL *curl;
    const _Atomic bool *is_over;
    buffer_t *to;                  /* while something is under way */
};

fetch_t *
fetch_new (const _Atomic bool *is_over)
{
    fetch_t *self = memory_zalloc (sizeof *self);
    if (!self || curl_global_init (CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        memory_free (self);
        return NULL;
    }
    self->is_over = is_over;
    self->curl = curl_easy_init ();
    if (!self->curl)
        fetch_destroy (&self);
    return self;
}

void
fetch_destroy (fetch_t **self_p)
{
    fetch_t *self = *self_p;
    if (!self)
        return;
    if (self->curl)
        curl_easy_cleanup (self->curl);
    curl_global_cleanup ();
    memory_free (self);
    *self_p = NULL;
}

static size_t
take (char *bytes, size_t one, size_t count, void *arg)
{
    fetch_t *self = arg;
    buffer_append (self->to, bytes, one * count);
    return self->to->failed ? 0 : one * count;
}

static int
see_to_end (void *arg, curl_off_t all, curl_off_t now, curl_off_t all_up, curl_off_t now_up)
{
    const fetch_t *self = arg;
    (void) all, (void) now, (void) all_up, (void) now_up;
    return atomic_load (self->is_over);
}

troupe_status_t
fetch_text (fetch_t *self, const char *url, buffer_t *to, troupe_error_t *error)
{
    char why[CURL_ERROR_SIZE] = "";
    CURL *curl = self->curl;
    self->to = to;
    curl_easy_reset (curl);
    curl_easy_setopt (curl, CURLOPT_URL, url);
    curl_easy_setopt (curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt (curl, CURLOPT_WRITEDATA, self);
    curl_easy_setopt (curl, CURLOPT_XFERINFOFUNCTION, see_to_end);
    curl_easy_setopt (curl, CURLOPT_XFERINFODATA, self);
    curl_easy_setopt (curl, CURLOPT_NOPROGRESS, 0l);
    curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1l);
    curl_easy_setopt (curl, CURLOPT_FAILONERROR, 1l);
    curl_easy_setopt (curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt (curl, CURLOPT_TIMEOUT_MS, TRANSFER_MS);
    curl_easy_setopt (curl, CURLOPT_FOLLOWLOCATION, 1l);
    curl_easy_setopt (curl, CURLOPT_MAXREDIRS, REDIRECTS);
    curl_easy_setopt (curl, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt (curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt (curl, CURLOPT_USERAGENT, "troupe");
    CURLcode code = curl_easy_perform (curl);
    if (code == CURLE_OK)
        return TROUPE_OK;
    return error_set (error, TROUPE_UNKNOWN, "%.120s", *why ? why : curl_easy_strerror (code));
}
