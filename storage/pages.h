/*  pages.h - looks at an LMDB file as bytes, before anything maps it.
 *
 *  LMDB trusts its file: a damaged page makes it read outside of the page, a
 *  file that was cut ends the process by SIGBUS. These functions read the file
 *  with pread and trust nothing. The file must be at rest. Any thread.
 */
#ifndef STORAGE_PAGES_H
#define STORAGE_PAGES_H

#include <troupe.h>

/*  Both meta pages are sound and the file is as long as the newer one says:
 *  what opening it needs. TROUPE_NOT_FOUND, TROUPE_CORRUPT, TROUPE_MISMATCH, TROUPE_IO. */
troupe_status_t pages_check_size (const char *path, troupe_error_t *error) TROUPE_CHECKED;

typedef struct {
    uint64_t pages;    /* of the file, by the newer meta page */
    uint64_t used;     /* by meta pages and trees */
    uint64_t free;     /* in the list of free pages */
    uint64_t entries;  /* of the main tree */
} pages_counts_t;

/*  Every page: shape, place, order of keys, each used once or free, totals. */
troupe_status_t pages_check (const char *path, pages_counts_t *counts, troupe_error_t *error) TROUPE_CHECKED;

#endif
