/*  store_cluster.h - which node of which cluster a store is: a line of text in the file "cluster". */
#ifndef STORAGE_STORE_CLUSTER_H
#define STORAGE_STORE_CLUSTER_H

#include <troupe.h>

/*  Before the state is opened or made. `wanted` NULL: a node of its own. TROUPE_MISMATCH says who the store is. Notes
 *  it, durably, where there is no state yet. */
troupe_status_t store_check_cluster (const char *directory, const char *wanted, troupe_error_t *error) TROUPE_CHECKED;

/*  For backups and restores: what one says the other says, too. */
troupe_status_t store_copy_cluster (const char *from, const char *to, troupe_error_t *error) TROUPE_CHECKED;

#endif
