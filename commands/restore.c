/*  restore.c - `troupe restore BACKUP`: makes a store out of a backup.
 *
 *  DESIGN
 *  The new store has a new epoch: clients that saw the old one are told that
 *  the past they know may be gone. A directory that holds a store is never
 *  written over.
 */
#include "commands/command.h"
#include "runtime/keys.h"
#include "storage/store.h"

static void
tell (void *arg, const char *line)
{
    (void) arg;
    printf ("%s\n", line);
}

static int
run (invocation_t *invocation)
{
    troupe_error_t error;
    const char *target = invocation->settings.store;
    if (store_restore (invocation->words[0], target, KEY_TABLES, tell, NULL, &error) != TROUPE_OK)
        return command_fail_error (invocation, &error);
    return EXIT_OK;
}

const command_t command_restore = {
    .name = "restore",
    .words = "BACKUP",
    .least = 1,
    .most = 1,
    .summary = "make a store (--store DIR) out of a backup",
    .run = run
};
