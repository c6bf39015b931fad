/*  completion.c - `troupe completion bash`: what a shell needs to complete command lines, from the tables.
 *
 *  DESIGN
 *  Commands and their options, with the settings as options of all of them, stand in the script itself: to press a
 *  key starts no program. Words are files, as far as the shell is concerned, but those of `dead` and of this command.
 */
#include "commands/command.h"

#include <string.h>

static const struct {
    const char *command, *words;
} fixed[] = {
    { "dead", "list show retry drop" },
    { "links", "accept" },
    { "completion", "bash zsh fish" },
};

static const char *
words_of (const command_t *command)
{
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp (fixed[i].command, command->name) == 0)
            return fixed[i].words;
    return "";
}

/*  Settings, as the command line has them. */
static bool
put_setting (void *arg, unsigned row, const setting_t *setting)
{
    const char *before = arg;
    (void) row;
    fputs (before, stdout);
    for (const char *at = setting->name; *at; at++)
        putchar (*at == '_' ? '-' : *at);
    return true;
}

static void
put_commands (const char *before)
{
    for (const command_t *const *command = commands; *command; command++)
        printf ("%s%s", before, (*command)->name);
}

/* ---- bash ---- */

static void
write_bash (const char *program)
{
    printf ("_%s ()\n{\n    local word=${COMP_WORDS[COMP_CWORD]} words=\n    if [ \"$COMP_CWORD\" = 1 ]; then\n"
            "        words='--help --version", program);
    put_commands (" ");
    printf ("'\n    else\n        case ${COMP_WORDS[1]} in\n");
    for (const command_t *const *command = commands; *command; command++) {
        printf ("            %s) words='%s", (*command)->name, words_of (*command));
        for (const option_t *option = (*command)->options; option && option->name; option++)
            printf (" --%s", option->name);
        printf ("' ;;\n");
    }
    printf ("        esac\n        [ \"${word#-}\" = \"$word\" ] || words=\"$words --help --config");
    settings_each (put_setting, (void *) " --");
    printf ("\"\n    fi\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
            "    [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n}\n"
            "complete -o filenames -F _%s %s\n", program, program);
}

/* ---- zsh ---- */

/*  For between quotes inside of brackets. */
static void
put_quoted (const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs ("'\\'", stdout);
        else if (strchr ("[]:\\", *text))
            putchar ('\\');
        putchar (*text);
    }
}

static void
put_zsh_option (const char *name, const char *value, const char *doc)
{
    printf (" \\\n                '--%s%s[", name, value ? "=" : "");
    put_quoted (doc);
    printf ("]%s'", value ? ":value:_files" : "");
}

static void
write_zsh (const char *program)
{
    printf ("#compdef %s\n\n_%s ()\n{\n    local -a commands settings\n    commands=(\n", program, program);
    for (const command_t *const *command = commands; *command; command++) {
        printf ("        '%s:", (*command)->name);
        put_quoted ((*command)->summary);
        printf ("'\n");
    }
    printf ("    )\n    settings=(--config= ");
    settings_each (put_setting, (void *) " --");
    printf (")\n    if (( CURRENT == 2 )); then\n        _describe command commands\n"
            "        [[ $PREFIX != -* ]] || compadd -- --help --version\n        return\n    fi\n"
            "    case $words[2] in\n");
    for (const command_t *const *command = commands; *command; command++) {
        const char *words = words_of (*command);
        printf ("        %s)\n            _arguments -S", (*command)->name);
        for (const option_t *option = (*command)->options; option && option->name; option++)
            put_zsh_option (option->name, option->value, option->doc);
        put_zsh_option ("help", NULL, "what it does");
        if (*words)
            printf (" \\\n                '*:word:(%s)'", words);
        else
            printf (" \\\n                '*:file:_files'");
        printf ("\n            ;;\n");
    }
    printf ("    esac\n    [[ $PREFIX != -* ]] || compadd -- $settings\n}\n\n_%s \"$@\"\n", program);
}

/* ---- fish ---- */

static void
put_fish_text (const char *text)
{
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar ('\\');
        putchar (*text);
    }
}

static bool
put_fish_setting (void *arg, unsigned row, const setting_t *setting)
{
    printf ("complete -c %s -n 'not __fish_use_subcommand' -r", (const char *) arg);
    (void) put_setting ((void *) " -l ", row, setting);
    putchar ('\n');
    return true;
}

static void
write_fish (char *program)
{
    printf ("complete -c %s -l help -d 'what it does'\ncomplete -c %s -n __fish_use_subcommand -l version\n"
            "complete -c %s -n 'not __fish_use_subcommand' -r -l config\n", program, program, program);
    for (const command_t *const *command = commands; *command; command++) {
        printf ("complete -c %s -n __fish_use_subcommand -f -a %s -d '", program, (*command)->name);
        put_fish_text ((*command)->summary);
        printf ("'\n");
        if (*words_of (*command))
            printf ("complete -c %s -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", program, (*command)->name,
                    words_of (*command));
        for (const option_t *option = (*command)->options; option && option->name; option++) {
            printf ("complete -c %s -n '__fish_seen_subcommand_from %s' -l %s%s -d '", program, (*command)->name,
                    option->name, option->value ? " -r" : "");
            put_fish_text (option->doc);
            printf ("'\n");
        }
    }
    settings_each (put_fish_setting, program);
}

/* ---- the subcommand ---- */

static int
run (invocation_t *invocation)
{
    char program[64];
    const char *shell = invocation->words[0];
    snprintf (program, sizeof program, "%s", invocation->program);
    if (strspn (program, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen (program))
        return command_fail (invocation, EXIT_USAGE, "a program of this name cannot be completed");
    if (strcmp (shell, "bash") == 0)
        write_bash (program);
    else if (strcmp (shell, "zsh") == 0)
        write_zsh (program);
    else if (strcmp (shell, "fish") == 0)
        write_fish (program);
    else
        return command_fail (invocation, EXIT_USAGE, "bash, zsh or fish is wanted, not \"%.40s\"", shell);
    return EXIT_OK;
}

const command_t command_completion = {
    .name = "completion",
    .words = "bash | zsh | fish",
    .least = 1,
    .most = 1,
    .summary = "print what a shell needs to complete command lines",
    .help = "For bash: source <(troupe completion bash)\n",
    .reach = REACH_NONE,
    .run = run
};
