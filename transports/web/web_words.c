/*  web_words.c - settings that are lists of words: one that means nothing is better told at the start than missed. */
#include "transports/web/web_inside.h"
#include "transports/web/web_proxy.h"

#include "runtime/base/error.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEADERS_MOST 32

typedef troupe_status_t (check_word_t) (const char *word, troupe_error_t *error);

static troupe_status_t
each_word (const char *words, check_word_t *check, unsigned most, const char *setting, troupe_error_t *error)
{
    char word[PATH_MAX];
    unsigned count = 0;
    troupe_status_t status = TROUPE_OK;
    for (const char *at = words + strspn (words, " "); status == TROUPE_OK && *at; at += strspn (at, " ")) {
        size_t size = strcspn (at, " ");
        snprintf (word, sizeof word, "%.*s", (int) size, at);
        status = ++count > most ? error_set (error, TROUPE_INVALID, "%s: at most %u words", setting, most)
                                : check (word, error);
        at += size;
    }
    return status;
}

static troupe_status_t
check_proxies (const char *setting, const char *proxies, troupe_error_t *error)
{
    const char *bad = proxy_bad_word (proxies);
    return bad ? error_set (error, TROUPE_INVALID, "%s: an address or a prefix like 10.0.0.0/8 is wanted, not \"%.*s\"",
                            setting, (int) strcspn (bad, " "), bad) : TROUPE_OK;
}

/*  "/PREFIX=DIRECTORY". */
static troupe_status_t
check_files (const char *word, troupe_error_t *error)
{
    struct stat status;
    const char *directory = strchr (word, '=');
    if (*word != '/' || !directory || !directory[1])
        return error_set (error, TROUPE_INVALID, "web_files: /PREFIX=DIRECTORY is wanted, not \"%.100s\"", word);
    if (stat (directory + 1, &status) != 0 || !S_ISDIR (status.st_mode))
        return error_set (error, TROUPE_INVALID, "web_files: there is no directory \"%.100s\"", directory + 1);
    return TROUPE_OK;
}

/*  "*", or as a browser says it: SCHEME://HOST or SCHEME://HOST:PORT. */
static troupe_status_t
check_origin (const char *word, troupe_error_t *error)
{
    size_t scheme = strspn (word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    bool has_scheme = scheme > 0 && strncmp (word + scheme, "://", 3) == 0 && word[scheme + 3];
    if (strcmp (word, "*") == 0 || (has_scheme && !strpbrk (word + scheme + 3, "/?#@")))
        return TROUPE_OK;
    return error_set (error, TROUPE_INVALID, "web_origins: SCHEME://HOST without a path is wanted, not \"%.100s\"",
                      word);
}

static troupe_status_t
check_header (const char *word, troupe_error_t *error)
{
    size_t size = strlen (word);
    if (size <= WEB_HEADER_NAME_MAX && strspn (word, "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") == size)
        return TROUPE_OK;
    return error_set (error, TROUPE_INVALID, "web_hook_headers: the name of a header is wanted, of at most %d bytes, "
                                             "not \"%.100s\"", WEB_HEADER_NAME_MAX, word);
}

/*  Each would be twice in what the actor gets, which then were no good object. */
static troupe_status_t
check_twice (char *words, troupe_error_t *error)
{
    char copy[sizeof ((web_t *) NULL)->hook_headers], *seen[HEADERS_MOST], *rest;
    unsigned count = 0;
    snprintf (copy, sizeof copy, "%s", words);
    for (char *word = strtok_r (copy, " ", &rest); word; word = strtok_r (NULL, " ", &rest)) {
        bool is_twice = strcmp (word, "content-type") == 0;  /* it is always there */
        for (unsigned i = 0; i < count && !is_twice; i++)
            is_twice = strcmp (seen[i], word) == 0;
        if (is_twice)
            return error_set (error, TROUPE_INVALID, "web_hook_headers: \"%s\" is there twice, or anyway", word);
        seen[count++] = word;
    }
    return TROUPE_OK;
}

/*  A header of one line. */
static troupe_status_t
check_policy (const char *policy, troupe_error_t *error)
{
    for (const char *at = policy; *at; at++)
        if (*at < ' ' || *at > '~')
            return error_set (error, TROUPE_INVALID, "web_files_policy: a byte that no header may have");
    return TROUPE_OK;
}

troupe_status_t
web_words_check (web_t *web, troupe_error_t *error)
{
    for (char *at = web->hook_headers; *at; at++)
        *at = (char) tolower ((unsigned char) *at);
    troupe_status_t status = check_proxies ("web_proxies", web->proxies, error);
    if (status == TROUPE_OK)
        status = check_proxies ("web_proxy_protocol", web->tcp_proxies, error);
    if (status == TROUPE_OK)
        status = each_word (web->files, check_files, UINT_MAX, "web_files", error);
    if (status == TROUPE_OK)
        status = check_policy (web->files_policy, error);
    if (status == TROUPE_OK)
        status = each_word (web->origins, check_origin, UINT_MAX, "web_origins", error);
    if (status == TROUPE_OK)
        status = each_word (web->hook_headers, check_header, HEADERS_MOST, "web_hook_headers", error);
    return status == TROUPE_OK ? check_twice (web->hook_headers, error) : status;
}
