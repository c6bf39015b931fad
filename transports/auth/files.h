/*  files.h - small files that others may change while they are in use. Used by one thread at a time. */
#ifndef TRANSPORTS_AUTH_FILES_H
#define TRANSPORTS_AUTH_FILES_H

#include "runtime/base/buffer.h"
#include <troupe.h>

#define FILE_PATH_SIZE 2200
#define FILES_MAX 10

/*  What tells that a file is another one. */
typedef struct {
    uint64_t device, inode, size, changed_ns;
} file_stamp_t;

/*  Files that are looked at; zeroed it has none. */
typedef struct {
    uint32_t count;
    file_stamp_t stamps[FILES_MAX];
    char paths[FILES_MAX][FILE_PATH_SIZE];
} files_t;

/*  Add it before it is read: a change meanwhile is then seen the next time. TROUPE_INVALID: the path is too long. */
troupe_status_t files_add (files_t *self, const char *path, troupe_error_t *error) TROUPE_CHECKED;
bool files_changed (const files_t *self);

/*  Appends what is in it. TROUPE_IO; TROUPE_TOO_LARGE beyond `most`; TROUPE_NO_MEMORY. */
troupe_status_t file_read (const char *path, size_t most, buffer_t *to, troupe_error_t *error) TROUPE_CHECKED;

#endif
