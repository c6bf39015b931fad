/*  node_known.c - with whose stores a node's own is linked. */
#include "commands/node_known.h"

#include "runtime/base/error.h"
#include "runtime/base/hex.h"
#include "storage/files.h"
#include "storage/store.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE (CLUSTER_NAME_MAX + 8)
#define HALF (2 * ROAD_IDENTITY_SIZE)  /* characters of one identity */

static const char *
file_name (char text[NAME_SIZE], const char *what, const node_known_t *self)
{
    snprintf (text, NAME_SIZE, "%s-%s", what, self->other);
    return text;
}

static troupe_status_t
refuse (const node_known_t *self, const char *known, const char *shown, troupe_error_t *error)
{
    char file[NAME_SIZE], asked[2 * HALF + 1];
    bool is_other = *known && strncmp (known, shown, HALF) != 0;
    troupe_status_t status = files_read_text (self->store, file_name (file, "asks", self), asked, sizeof asked, error);
    if (status == TROUPE_OK && strcmp (asked, shown) != 0)  /* it comes again every few seconds */
        status = files_write_text (self->store, file, shown, error);
    if (status != TROUPE_OK)
        return status;
    return error_set (error, TROUPE_MISMATCH, "the store of node %s is not the one that node %s is linked with: it was "
                      "restored or replaced (troupe links)", is_other ? self->other : self->self,
                      is_other ? self->self : self->other);
}

bool
node_known_check (const node_known_t *self, const uint8_t *identity, troupe_error_t *error)
{
    char file[NAME_SIZE], known[2 * HALF + 1], shown[2 * HALF + 1];
    hex_write (shown, identity, ROAD_IDENTITY_SIZE);
    hex_write (shown + HALF, self->own, ROAD_IDENTITY_SIZE);
    if (files_read_text (self->store, file_name (file, "known", self), known, sizeof known, error) != TROUPE_OK)
        return false;
    if (!*known && !files_exists (self->store, STORE_RESTORED))
        return files_write_text (self->store, file, shown, error) == TROUPE_OK;
    if (strcmp (known, shown) != 0)
        return refuse (self, known, shown, error) == TROUPE_OK;
    return !node_known_asks (self)
           || files_remove (self->store, file_name (file, "asks", self), error) == TROUPE_OK;
}

bool
node_known_asks (const node_known_t *self)
{
    char file[NAME_SIZE];
    return files_exists (self->store, file_name (file, "asks", self));
}

troupe_status_t
node_known_accept (const node_known_t *self, troupe_error_t *error)
{
    char from[NAME_SIZE], to[NAME_SIZE];
    return files_rename (self->store, file_name (from, "asks", self), file_name (to, "known", self), error);
}
