/*  check.c - `troupe check [DIR]`: whether a store at rest, or a backup, is whole.
 *
 *  DESIGN
 *  Nothing is changed. A store that a node has open is refused: what is being
 *  written cannot be judged from outside.
 */
#include "commands/command.h"
#include "runtime/keys.h"
#include "storage/store.h"

static const option_t options[] = {
    { "quiet", NULL, "say nothing when all is well" },
    { NULL }
};

static void
tell (void *arg, const char *line)
{
    const invocation_t *invocation = arg;
    if (!option_given (invocation, "quiet"))
        printf ("%s\n", line);
}

static int
run (invocation_t *invocation)
{
    troupe_error_t error;
    const char *directory = invocation->word_count ? invocation->words[0] : invocation->settings.store;
    if (store_check (directory, KEY_TABLES, tell, invocation, &error) != TROUPE_OK)
        return command_fail_error (invocation, &error);
    return EXIT_OK;
}

const command_t command_check = {
    .name = "check",
    .words = "[DIR]",
    .most = 1,
    .summary = "verify a store at rest, or a backup",
    .help = "Reads all of the state and of the journal. Without DIR it is the store.\n",
    .options = options,
    .run = run
};
