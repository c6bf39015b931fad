/*  files.c - small files that others may change while they are in use. */
#include "transports/auth/files.h"

#include "runtime/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static file_stamp_t
stamp_of (const char *path)
{
    struct stat info;
    if (stat (path, &info) != 0)
        return (file_stamp_t) { 0 };
    return (file_stamp_t) {
        .device = (uint64_t) info.st_dev,
        .inode = (uint64_t) info.st_ino,
        .size = (uint64_t) info.st_size,
        .changed_ns = (uint64_t) info.st_ctim.tv_sec * 1000000000u + (uint64_t) info.st_ctim.tv_nsec
    };
}

troupe_status_t
files_add (files_t *self, const char *path, troupe_error_t *error)
{
    CHECK (self->count < FILES_MAX);
    char *to = self->paths[self->count];
    if (snprintf (to, FILE_PATH_SIZE, "%s", path) >= FILE_PATH_SIZE)
        return error_set (error, TROUPE_INVALID, "the path %.60s... is too long", path);
    self->stamps[self->count++] = stamp_of (to);
    return TROUPE_OK;
}

bool
files_changed (const files_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        file_stamp_t stamp = stamp_of (self->paths[i]);
        if (memcmp (&stamp, &self->stamps[i], sizeof stamp) != 0)
            return true;
    }
    return false;
}

troupe_status_t
file_read (const char *path, size_t most, buffer_t *to, troupe_error_t *error)
{
    char block[4096];
    size_t start = to->size, size;
    FILE *file = fopen (path, "re");
    if (!file)
        return error_set (error, TROUPE_IO, "cannot read %.100s: %s", path, strerror (errno));
    while (to->size - start <= most && (size = fread (block, 1, sizeof block, file)) > 0)
        buffer_append (to, block, size);
    troupe_status_t status = TROUPE_OK;
    if (ferror (file))
        status = error_set (error, TROUPE_IO, "cannot read %.100s: %s", path, strerror (errno));
    else if (to->size - start > most)
        status = error_set (error, TROUPE_TOO_LARGE, "%.100s is larger than %zu bytes", path, most);
    else if (to->failed)
        status = error_set (error, TROUPE_NO_MEMORY, "no memory to read %.100s", path);
    fclose (file);
    return status;
}
