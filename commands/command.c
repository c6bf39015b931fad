/*  command.c - the command line of a subcommand, taken apart by its table.
 *
 *  DESIGN
 *  Options are long: --name value, --name=value, --flag; "--" ends them. They
 *  may stand before, between and behind the words. What the command's table does
 *  not know is looked up among the settings, dashes for underscores. Settings of
 *  the command line are applied last, when file and environment have been read,
 *  wherever --config stands. A wrong option names the nearest right one: nobody
 *  should need the manual for a slip.
 */
#include "commands/command.h"

#include "commands/nearest.h"
#include "runtime/base/error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 26

/*  A setting on the command line. */
typedef struct {
    const char *name;
    const char *text;
} override_t;

typedef struct {
    invocation_t *invocation;
    char **next, **end;    /* of argv */
    const char *config;
    override_t *overrides;
    unsigned override_count;
} parse_t;

int
command_fail (const invocation_t *self, int code, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    fprintf (stderr, "%s %s: ", self->program, self->command->name);
    vfprintf (stderr, format, arguments);
    va_end (arguments);
    fputc ('\n', stderr);
    return code;
}

int
command_fail_error (const invocation_t *self, const troupe_error_t *error)
{
    int code = EXIT_ANSWER;
    switch (error->status) {
    case TROUPE_IO:
        code = EXIT_DISK;
        break;
    case TROUPE_NO_MEMORY:
        code = EXIT_INTERNAL;
        break;
    default:
        break;
    }
    return command_fail (self, code, "%s", error->text);
}

/* ---- options ---- */

static unsigned
place_of (const invocation_t *self, const char *name)
{
    const option_t *options = self->command->options;
    for (unsigned i = 0; options && options[i].name; i++)
        if (strcmp (options[i].name, name) == 0)
            return i;
    CHECK (!"an option of the command's table");
    return 0;
}

bool
option_given (const invocation_t *self, const char *name)
{
    return self->values[place_of (self, name)] != NULL;
}

const char *
option_text (const invocation_t *self, const char *name)
{
    return self->values[place_of (self, name)];
}

bool
option_number (const invocation_t *self, const char *name, uint64_t *number)
{
    const char *text = option_text (self, name);
    if (!text || settings_read_number (text, SETTING_INTEGER, number))
        return true;
    command_fail (self, EXIT_USAGE, "--%s: a whole number is wanted, not \"%s\"", name, text);
    return false;
}

bool
option_duration (const invocation_t *self, const char *name, uint64_t *ms)
{
    const char *text = option_text (self, name);
    if (!text || (settings_read_number (text, SETTING_DURATION, ms) && *ms <= TROUPE_TIME_MAX))
        return true;
    command_fail (self, EXIT_USAGE, "--%s: a time such as 500ms or 10s is wanted, not \"%s\"", name, text);
    return false;
}

/* ---- reading the command line ---- */

static bool
offer_setting (void *arg, unsigned row, const setting_t *setting)
{
    (void) row;
    nearest_offer (arg, setting->name);
    return true;
}

static int
unknown_option (const parse_t *parse, const char *name)
{
    const option_t *options = parse->invocation->command->options;
    nearest_t nearest = { .wanted = name };
    for (unsigned i = 0; options && options[i].name; i++)
        nearest_offer (&nearest, options[i].name);
    nearest_offer (&nearest, "config");
    nearest_offer (&nearest, "help");
    settings_each (offer_setting, &nearest);
    char hint[96] = "";
    if (nearest.name)
        snprintf (hint, sizeof hint, ": did you mean --%s?", nearest.name);
    return command_fail (parse->invocation, EXIT_USAGE, "no such option --%s%s", name, hint);
}

/*  The value behind = or in the next word. */
static int
take_value (parse_t *parse, const char *name, const char *behind_equals, const char **value)
{
    *value = behind_equals;
    if (!*value && parse->next < parse->end)
        *value = *parse->next++;
    return *value ? EXIT_OK : command_fail (parse->invocation, EXIT_USAGE, "--%s wants a value", name);
}

static int
take_own (parse_t *parse, unsigned place, const char *behind_equals)
{
    const option_t *option = &parse->invocation->command->options[place];
    if (option->value)
        return take_value (parse, option->name, behind_equals, &parse->invocation->values[place]);
    if (behind_equals)
        return command_fail (parse->invocation, EXIT_USAGE, "--%s takes no value", option->name);
    parse->invocation->values[place] = "";
    return EXIT_OK;
}

static int
take_setting (parse_t *parse, const char *name, const char *behind_equals)
{
    char underscored[64];
    size_t size = strlen (name);
    if (size >= sizeof underscored)
        return unknown_option (parse, name);
    for (size_t i = 0; i <= size; i++)
        underscored[i] = (char) (name[i] == '-' ? '_' : name[i]);
    const setting_t *setting = settings_find (underscored, NULL);
    if (!setting)
        return unknown_option (parse, underscored);
    override_t *override = &parse->overrides[parse->override_count++];
    override->name = setting->name;
    return take_value (parse, name, behind_equals, &override->text);
}

static int
take_option (parse_t *parse, const char *text)
{
    char name[64];
    const char *equals = strchr (text, '=');
    size_t size = equals ? (size_t) (equals - text) : strlen (text);
    if (size == 0 || size >= sizeof name)
        return command_fail (parse->invocation, EXIT_USAGE, "no such option --%.*s", (int) size, text);
    memcpy (name, text, size);
    name[size] = '\0';
    const char *behind_equals = equals ? equals + 1 : NULL;
    if (strcmp (name, "config") == 0)
        return take_value (parse, name, behind_equals, &parse->config);
    const option_t *options = parse->invocation->command->options;
    for (unsigned i = 0; options && options[i].name; i++)
        if (strcmp (options[i].name, name) == 0)
            return take_own (parse, i, behind_equals);
    return take_setting (parse, name, behind_equals);
}

static int
take_all (parse_t *parse, bool *help)
{
    bool only_words = false;
    invocation_t *invocation = parse->invocation;
    while (parse->next < parse->end) {
        char *word = *parse->next++;
        int code = EXIT_OK;
        if (only_words || word[0] != '-' || strcmp (word, "-") == 0)
            invocation->words[invocation->word_count++] = word;
        else if (strcmp (word, "--") == 0)
            only_words = true;
        else if (strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0)
            *help = true;
        else if (word[1] != '-')
            code = command_fail (invocation, EXIT_USAGE, "no such option %s: options begin with two dashes", word);
        else
            code = take_option (parse, word + 2);
        if (code != EXIT_OK || *help)
            return code;
    }
    return EXIT_OK;
}

static int
check_words (const invocation_t *self)
{
    const command_t *command = self->command;
    if (self->word_count < command->least)
        return command_fail (self, EXIT_USAGE, "something is missing: %s %s %s", self->program, command->name,
                             command->words);
    if (self->word_count > command->most)
        return command_fail (self, EXIT_USAGE, "one word too many, \"%s\": %s %s %s", self->words[command->most],
                             self->program, command->name, command->words);
    return EXIT_OK;
}

static int
apply_settings (const parse_t *parse)
{
    troupe_error_t error;
    settings_t *settings = &parse->invocation->settings;
    if (settings_load (settings, parse->config, &error) != TROUPE_OK)
        return command_fail (parse->invocation, EXIT_CONFIG, "%s", error.text);
    for (unsigned i = 0; i < parse->override_count; i++)
        if (settings_set (settings, parse->overrides[i].name, parse->overrides[i].text, &error) != TROUPE_OK)
            return command_fail (parse->invocation, EXIT_USAGE, "%s", error.text);
    return EXIT_OK;
}

/*  What is asked of another node must not be done here. */
static int
check_at (const invocation_t *self)
{
    static const char *const names[] = {
        [SETTING_FILE] = "the setting at of the file",
        [SETTING_ENVIRONMENT] = "TROUPE_AT",
        [SETTING_COMMAND] = "--at"
    };
    unsigned row = 0;
    reach_t reach = self->command->reach;
    settings_find ("at", &row);
    uint8_t source = self->settings.sources[row];
    if (!*self->settings.at || reach == REACH_NODE || (reach == REACH_NONE && source != SETTING_COMMAND))
        return EXIT_OK;
    return command_fail (self, EXIT_USAGE, "%s works on this machine, not with %s", self->command->name,
                         names[source]);
}

int
invocation_read (invocation_t *self, int argc, char **argv, bool *help)
{
    parse_t parse = { .invocation = self, .next = argv, .end = argv + argc };
    *help = false;
    self->words = calloc ((size_t) argc + 1, sizeof *self->words);
    parse.overrides = calloc ((size_t) argc + 1, sizeof *parse.overrides);
    if (!self->words || !parse.overrides) {
        free (parse.overrides);
        return command_fail (self, EXIT_INTERNAL, "out of memory");
    }
    int code = take_all (&parse, help);
    if (code == EXIT_OK && !*help)
        code = check_words (self);
    if (code == EXIT_OK && !*help)
        code = apply_settings (&parse);
    if (code == EXIT_OK && !*help)
        code = check_at (self);
    free (parse.overrides);
    return code;
}

void
invocation_clear (invocation_t *self)
{
    free (self->words);
    self->words = NULL;
    self->word_count = 0;
}

/* ---- help ---- */

static void
put_option (FILE *to, const char *name, const char *value, const char *doc)
{
    char left[64];
    snprintf (left, sizeof left, "  --%s%s%s", name, value ? " " : "", value ? value : "");
    fprintf (to, "%-*s %s\n", HELP_COLUMN, left, doc);
}

void
command_help (const invocation_t *self, FILE *to)
{
    const command_t *command = self->command;
    fprintf (to, "%s %s%s%s - %s\n", self->program, command->name, *command->words ? " " : "", command->words,
             command->summary);
    if (command->help)
        fprintf (to, "\n%s", command->help);
    fprintf (to, "\nOptions\n");
    for (const option_t *option = command->options; option && option->name; option++)
        put_option (to, option->name, option->value, option->doc);
    put_option (to, "store", "DIR", "the store, and with it the node (default ./data)");
    put_option (to, "control", "PATH", "the control socket of the node (default STORE/control.sock)");
    if (command->reach == REACH_NODE)
        put_option (to, "at", "HOST:PORT", "or a node from afar, over ZeroMQ; see at_certificate, at_token");
    put_option (to, "config", "FILE", "settings, see troupe.conf(5)");
    fprintf (to, "  --NAME VALUE             any other setting; `%s settings` lists them\n", self->program);
}
