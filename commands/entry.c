/*  entry.c - troupe_main: a whole program, its subcommands and its help.
 *
 *  DESIGN
 *  The binary `troupe` and a program of one's own that calls troupe_main differ
 *  in nothing but the kinds that are compiled in. Answers go to stdout, all else
 *  to stderr, and the exit code says which kind of end it was, so that scripts
 *  need not read texts. Nothing is opened and no thread is started here: serve
 *  forks first.
 */
#include "commands/command.h"
#include "commands/nearest.h"
#include "runtime/registry.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const command_t *const commands[] = {
    &command_serve,   &command_call,       &command_cast,        &command_watch,   &command_inspect, &command_feed,
    &command_kinds,   &command_links,      &command_top,         &command_trace,   &command_dead,    &command_revive,
    &command_checkpoint, &command_backup,  &command_restore,     &command_check,   &command_acknowledge,
    &command_stop,    &command_token,      &command_certificate, &command_settings, &command_bench,
    &command_completion, &command_new,     NULL
};

static void
help (const char *program, FILE *to)
{
    fprintf (to, "%s - durable actors\n\n", program);
    for (const command_t *const *command = commands; *command; command++)
        fprintf (to, "  %-12s %s\n", (*command)->name, (*command)->summary);
    fprintf (to,
             "\n%s COMMAND --help says more. Exit codes: 0 done, 1 the answer was an error, 2 wrong usage,\n"
             "3 no node answers, 70 internal error, 74 I/O error, 78 cannot start before something is changed.\n",
             program);
}

static const command_t *
find (const char *name)
{
    for (const command_t *const *command = commands; *command; command++)
        if (strcmp ((*command)->name, name) == 0)
            return *command;
    return NULL;
}

static int
unknown_command (const char *program, const char *name)
{
    nearest_t nearest = { .wanted = name };
    char hint[80];
    for (const command_t *const *command = commands; *command; command++)
        nearest_offer (&nearest, (*command)->name);
    fprintf (stderr, "%s: no such command \"%s\"%s\n%s --help lists them.\n", program, name,
             nearest_hint (&nearest, hint, sizeof hint), program);
    return EXIT_USAGE;
}

static int
run (invocation_t *invocation, int argc, char **argv)
{
    bool wants_help;
    int code = invocation_read (invocation, argc, argv, &wants_help);
    if (wants_help)
        command_help (invocation, stdout);
    else if (code == EXIT_OK)
        code = invocation->command->run (invocation);
    else if (code == EXIT_USAGE)
        fprintf (stderr, "%s %s --help says more.\n", invocation->program, invocation->command->name);
    invocation_clear (invocation);
    if (fflush (stdout) != 0 && code == EXIT_OK)
        code = EXIT_DISK;
    return code;
}

static bool
is_one_of (const char *word, const char *one, const char *two, const char *three)
{
    return strcmp (word, one) == 0 || strcmp (word, two) == 0 || strcmp (word, three) == 0;
}

static int
start (int argc, char **argv, const troupe_kind_t *const *kinds)
{
    const char *slash = argc > 0 ? strrchr (argv[0], '/') : NULL;
    invocation_t invocation = { .program = slash ? slash + 1 : argc > 0 ? argv[0] : "troupe", .kinds = kinds };
    if (argc < 2) {
        help (invocation.program, stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    if (is_one_of (word, "--version", "-V", "version")) {
        printf ("troupe %d.%d.%d\n", TROUPE_VERSION_MAJOR, TROUPE_VERSION_MINOR, TROUPE_VERSION_PATCH);
        return EXIT_OK;
    }
    bool asks_for_help = is_one_of (word, "--help", "-h", "help");
    if (asks_for_help && argc < 3) {
        help (invocation.program, stdout);
        return EXIT_OK;
    }
    invocation.command = find (asks_for_help ? argv[2] : word);
    if (!invocation.command)
        return unknown_command (invocation.program, asks_for_help ? argv[2] : word);
    if (asks_for_help) {
        command_help (&invocation, stdout);
        return EXIT_OK;
    }
    return run (&invocation, argc - 2, argv + 2);
}

int
troupe_main (int argc, char **argv, ...)
{
    const troupe_kind_t *kinds[REGISTRY_KINDS_MAX + 1] = { NULL };
    va_list arguments;
    va_start (arguments, argv);
    for (unsigned count = 0;; count++) {
        const troupe_kind_t *kind = va_arg (arguments, const troupe_kind_t *);
        if (!kind)
            break;
        if (count == REGISTRY_KINDS_MAX) {
            va_end (arguments);
            fprintf (stderr, "more than %d kinds, or no NULL behind the last one\n", REGISTRY_KINDS_MAX);
            return EXIT_CONFIG;
        }
        kinds[count] = kind;
    }
    va_end (arguments);
    return start (argc, argv, kinds);
}
