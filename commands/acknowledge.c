/*  acknowledge.c - `troupe acknowledge`: lets a node start again after an I/O error.
 *
 *  DESIGN
 *  After a failed sync nobody knows what is on the disk; the node stops and
 *  leaves a mark, and only a person who has looked at the disk takes it away.
 *  The next start then believes what it reads back, and checks it.
 */
#include "commands/command.h"
#include "storage/files.h"
#include "storage/store.h"

static int
run (invocation_t *invocation)
{
    troupe_error_t error;
    const char *directory = invocation->settings.store;
    if (!store_is_broken (directory)) {
        if (!files_exists (directory, STATE_FILE))
            return command_fail (invocation, EXIT_ANSWER, "there is no store in %s", directory);
        printf ("there was nothing to acknowledge\n");
        return EXIT_OK;
    }
    if (store_acknowledge (directory, &error) != TROUPE_OK)
        return command_fail_error (invocation, &error);
    return EXIT_OK;
}

const command_t command_acknowledge = {
    .name = "acknowledge",
    .words = "",
    .summary = "let the node start again after an I/O error",
    .help = "Look at the disk first (dmesg, smartctl), and run `check`.\n",
    .run = run
};
