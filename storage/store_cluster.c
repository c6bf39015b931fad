/*  store_cluster.c - which node of which cluster a store is.
 *
 *  DESIGN
 *  Under another name, or with its shards given to others, a node would answer for actors that live elsewhere, and
 *  messages would be taken twice. So the line is compared byte for byte, and written before the state that it is about.
 */
#include "storage/store_cluster.h"

#include "runtime/base/error.h"
#include "storage/files.h"
#include "storage/state.h"

#include <string.h>

#define CLUSTER "cluster"
#define LINE_MOST (16u << 10)

troupe_status_t
store_check_cluster (const char *directory, const char *wanted, troupe_error_t *error)
{
    char line[LINE_MOST];
    bool has_state = files_exists (directory, STATE_FILE);
    troupe_status_t status = files_read_text (directory, CLUSTER, line, sizeof line, error);
    if (status != TROUPE_OK)
        return status;
    if (!wanted)
        return has_state && *line ? error_set (error, TROUPE_MISMATCH, "the store in %.80s is that of %.80s: it is "
                                               "opened with the settings node and nodes", directory, line)
                                  : TROUPE_OK;
    if (!has_state)
        return files_write_text (directory, CLUSTER, wanted, error);
    if (!*line)
        return error_set (error, TROUPE_MISMATCH, "the store in %.80s was made without a map of a cluster, and cannot "
                          "join one", directory);
    return strcmp (line, wanted) == 0
               ? TROUPE_OK
               : error_set (error, TROUPE_MISMATCH, "the store in %.60s is that of %.80s; the map says %.80s",
                            directory, line, wanted);
}

troupe_status_t
store_copy_cluster (const char *from, const char *to, troupe_error_t *error)
{
    char line[LINE_MOST];
    troupe_status_t status = files_read_text (from, CLUSTER, line, sizeof line, error);
    return status == TROUPE_OK && *line ? files_write_text (to, CLUSTER, line, error) : status;
}
