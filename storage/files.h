/*  files.h - the few things that a store does to its directory beside LMDB and
 *  the journal. All return TROUPE_OK or a status with a text. Any thread.
 */
#ifndef STORAGE_FILES_H
#define STORAGE_FILES_H

#include <limits.h>
#include <troupe.h>

/*  What an errno means here: no space (TROUPE_FULL), no memory, not there, not allowed or mounted for reading
 *  (TROUPE_FORBIDDEN), a path that cannot be one (TROUPE_INVALID), or an I/O error. Sets "cannot <doing> <path>:
 *  <why>", with what to do where somebody can. */
troupe_status_t files_error (troupe_error_t *error, int code, const char *doing, const char *path);

/*  Of a sync: TROUPE_IO whatever the errno says, since the kernel forgets what it could not write, and the next
 *  sync would not tell. */
troupe_status_t files_error_sync (troupe_error_t *error, int code, const char *doing, const char *path);

/*  directory/name; TROUPE_INVALID when it is too long. */
troupe_status_t files_path (char path[PATH_MAX], const char *directory, const char *name, troupe_error_t *error)
    TROUPE_CHECKED;

bool files_exists (const char *directory, const char *name);

/*  Makes a directory for its owner alone. One that is there stays as it is; its name is durable either way. */
troupe_status_t files_make_directory (const char *path, troupe_error_t *error) TROUPE_CHECKED;

/*  Names that appeared or went in it are durable afterwards. */
troupe_status_t files_sync_directory (const char *path, troupe_error_t *error) TROUPE_CHECKED;

/*  A small file with this text, durable; replaces an older one, which is there until the new one is. */
troupe_status_t files_write_text (const char *directory, const char *name, const char *text, troupe_error_t *error)
    TROUPE_CHECKED;

/*  The text of a small file, with a NUL, as long as there is room; empty when there is no file. */
troupe_status_t files_read_text (const char *directory, const char *name, char *text, size_t size,
                                 troupe_error_t *error) TROUPE_CHECKED;

/*  Removes it durably; OK when it is not there. */
troupe_status_t files_remove (const char *directory, const char *name, troupe_error_t *error) TROUPE_CHECKED;

/*  Gives a file its final name durably. */
troupe_status_t files_rename (const char *directory, const char *from, const char *to, troupe_error_t *error)
    TROUPE_CHECKED;

/*  Bytes that a process without privileges may still write there; false when
 *  the system does not say. */
bool files_room (const char *directory, uint64_t *bytes);

#endif
