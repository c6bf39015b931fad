/*  web_files.c - files of an application, as pages: `web_files`, PREFIX=DIRECTORY words.
 *
 *  DESIGN
 *  For the pages of a demonstration or of a small application, so a file is read whole for
 *  each request; a large site has a server of its own in front. What leaves is a regular file
 *  below its directory, whatever the path says: the real path of both is compared, so that
 *  neither "..", in any spelling, nor a symbolic link leads out.
 */
#include "transports/web/web_inside.h"

#include "runtime/base/bytes.h"
#include "runtime/base/error.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST (8u << 20)
#define INDEX_FILE "index.html"

/*  Opens it when it is a regular file below the directory; -1. */
static int
open_below (const char *directory, const char *rest, char real[PATH_MAX], struct stat *status)
{
    char root[PATH_MAX], wanted[PATH_MAX];
    size_t size = strlen (rest);
    const char *index = size == 0 || rest[size - 1] == '/' ? "/" INDEX_FILE : "";
    if (snprintf (wanted, sizeof wanted, "%s/%s%s", directory, rest, index) >= (int) sizeof wanted
        || !realpath (directory, root) || !realpath (wanted, real))
        return -1;
    size_t root_size = strlen (root);
    if (strncmp (real, root, root_size) != 0 || (real[root_size] != '/' && root_size > 1))
        return -1;
    int file = open (real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file >= 0 && fstat (file, status) == 0 && S_ISREG (status->st_mode))
        return file;
    if (file >= 0)
        close (file);
    return -1;
}

static const char *
type_of (const char *path)
{
    static const char *const types[][2] = {
        { ".html", "text/html; charset=utf-8" },      { ".js", "text/javascript; charset=utf-8" },
        { ".mjs", "text/javascript; charset=utf-8" }, { ".css", "text/css; charset=utf-8" },
        { ".json", "application/json" },              { ".svg", "image/svg+xml" },
        { ".png", "image/png" },                      { ".jpg", "image/jpeg" },
        { ".ico", "image/x-icon" },                   { ".woff2", "font/woff2" },
        { ".wasm", "application/wasm" },              { ".txt", "text/plain; charset=utf-8" },
        { ".map", "application/json" },               { ".webmanifest", "application/manifest+json" }
    };
    const char *dot = strrchr (path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcmp (dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static bool
read_file (web_request_t *self, int file, size_t size)
{
    uint8_t *place = size ? buffer_reserve (&self->content, size) : self->content.data;
    size_t got = 0;
    for (ssize_t one = 1; place && got < size && one > 0; got += one > 0 ? (size_t) one : 0)
        one = read (file, place + got, size - got);
    self->content.size = got;
    return got == size;
}

bool
web_file_begin (web_request_t *self, const char *path)
{
    char directory[PATH_MAX], real[PATH_MAX], known[WEB_ETAG_SIZE];
    const char *rest;
    struct stat status;
    if (!web_find_prefix (self->web->files, path, directory, sizeof directory, &rest))
        return false;
    int file = open_below (directory, rest, real, &status);
    if (file < 0)
        return false;
    troupe_error_t error;
    bool has_room = web_has_room (self->web, &error) == TROUPE_OK;
    bool is_read = has_room && status.st_size <= FILE_MOST && read_file (self, file, (size_t) status.st_size);
    close (file);
    if (!has_room)
        web_answer_error (self, &error, 0);
    else if (self->method != WEB_GET && self->method != WEB_HEAD)
        web_answer_method (self, "GET, HEAD");
    else if (!is_read) {
        buffer_reset (&self->content);
        error_set (&error, TROUPE_TOO_LARGE, "the file is larger than %u bytes, or cannot be read", FILE_MOST);
        web_answer_error (self, &error, 0);
    } else {
        snprintf (self->etag, sizeof self->etag, "\"%016llx\"",
                  (unsigned long long) hash_bytes (self->content.data, self->content.size, 0));
        bool is_known = web_header (self->wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, known, sizeof known)
                        && strstr (known, self->etag);
        self->is_page = true;
        web_answer (self, is_known ? HTTP_STATUS_NOT_MODIFIED : HTTP_STATUS_OK, type_of (real));
    }
    return true;
}
