/*  disk.h - the few file operations that the journal needs.
 *
 *  Two makers: the real one (disk_posix.c) and a faulty one in memory for the
 *  simulator and the power-cut tests (disk_memory.h). Names are relative to
 *  one directory and without slash. All return TROUPE_OK or, with an error
 *  text, TROUPE_IO, TROUPE_FULL (no space), TROUPE_NOT_FOUND.
 *
 *  Durability: bytes written are durable after `sync` of that file returned
 *  OK; a name that appeared or went after `sync_names` did. After a failed
 *  sync nothing may be believed of the file: never sync again and go on.
 */
#ifndef STORAGE_DISK_H
#define STORAGE_DISK_H

#include <troupe.h>

typedef struct disk_file_s disk_file_t;

typedef bool (disk_each_name_t) (void *arg, const char *name);

typedef struct disk_s {
    void *self;
    troupe_status_t (*open) (void *self, const char *name, bool create, disk_file_t **file, troupe_error_t *error);
    void (*close) (void *self, disk_file_t **file_p);
    troupe_status_t (*size) (void *self, disk_file_t *file, uint64_t *size, troupe_error_t *error);
    /* All or an error; reading past the end is TROUPE_IO. */
    troupe_status_t (*read) (void *self, disk_file_t *file, uint64_t at, void *bytes, size_t size,
                             troupe_error_t *error);
    /* All or an error; a short write is retried at the same place inside. */
    troupe_status_t (*write) (void *self, disk_file_t *file, uint64_t at, const void *bytes, size_t size,
                              troupe_error_t *error);
    /* Really writes zeros up to `size`, so that later writes change no metadata. */
    troupe_status_t (*fill) (void *self, disk_file_t *file, uint64_t size, troupe_error_t *error);
    troupe_status_t (*sync) (void *self, disk_file_t *file, troupe_error_t *error);
    troupe_status_t (*rename) (void *self, const char *from, const char *to, troupe_error_t *error);
    troupe_status_t (*remove) (void *self, const char *name, troupe_error_t *error);
    troupe_status_t (*sync_names) (void *self, troupe_error_t *error);
    troupe_status_t (*each_name) (void *self, disk_each_name_t *each, void *arg, troupe_error_t *error);
} disk_t;

/*  The real one, below `directory`, which must exist. NULL and an error. */
disk_t *disk_posix_new (const char *directory, troupe_error_t *error);
void disk_posix_destroy (disk_t **self_p);

#endif
