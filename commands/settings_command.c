/*  settings_command.c - `troupe settings`: all settings, their values and where these came from.
 *
 *  DESIGN
 *  Walks the table that everything else goes by; what it prints, less the
 *  comments, is a troupe.conf.
 */
#include "commands/command.h"

#include <jansson.h>

static const option_t options[] = {
    { "json", NULL, "JSON: name, value, source, type, default, doc" },
    { NULL }
};

typedef struct {
    const settings_t *settings;
    json_t *tree;  /* NULL: lines for people */
} listing_t;

static bool
list_one (void *arg, unsigned row, const setting_t *setting)
{
    listing_t *listing = arg;
    char text[SETTINGS_TEXT_MAX + 1];
    setting_source_t source = (setting_source_t) listing->settings->sources[row];
    settings_text (listing->settings, setting, text, sizeof text);
    if (listing->tree) {
        json_t *one = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", setting->name, "value", text, "source",
                                 setting_source_name (source), "type", setting_type_name (setting->type), "default",
                                 setting->standard, "doc", setting->doc);
        return json_array_append_new (listing->tree, one) == 0;
    }
    printf ("%-18s = %-20s # %s\n", setting->name, *text ? text : "\"\"", setting_source_name (source));
    if (source != SETTING_DEFAULT)
        printf ("# default: %s\n", *setting->standard ? setting->standard : "\"\"");
    printf ("#   %s\n", setting->doc);
    return true;
}

static int
run (invocation_t *invocation)
{
    listing_t listing = { .settings = &invocation->settings };
    if (option_given (invocation, "json"))
        listing.tree = json_array ();
    settings_each (list_one, &listing);
    int failed = listing.tree ? json_dumpf (listing.tree, stdout, JSON_COMPACT) : 0;
    if (listing.tree)
        putchar ('\n');
    json_decref (listing.tree);
    return failed ? command_fail (invocation, EXIT_INTERNAL, "the settings cannot be printed as JSON") : EXIT_OK;
}

const command_t command_settings = {
    .name = "settings",
    .words = "",
    .summary = "show all settings, their values and where these came from",
    .help = "The same are in troupe.conf(5).\n",
    .reach = REACH_NONE,
    .options = options,
    .run = run
};
