/*  fuzz_config.c - troupe.conf from anybody: read, or refused with a text, and never half read.
 */
#include "commands/settings.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  What was read can be written out and set again. */
static bool
set_again (void *arg, unsigned row, const setting_t *setting)
{
    settings_t *settings = arg;
    char text[SETTINGS_TEXT_MAX + 1];
    settings_text (settings, setting, text, sizeof text);
    if (settings_set (settings, setting->name, text, NULL) != TROUPE_OK || settings->sources[row] != SETTING_COMMAND)
        abort ();
    return true;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    settings_t settings, before;
    settings_init (&settings);
    before = settings;
    troupe_error_t error = { TROUPE_OK, "" };
    troupe_status_t status = settings_read_text (&settings, (const char *) data, size, "fuzz.conf", &error);
    if (status == TROUPE_OK) {
        settings_each (set_again, &settings);
        return 0;
    }
    if (error.status != status || strncmp (error.text, "fuzz.conf:", 10) != 0
        || memcmp (&settings, &before, sizeof settings) != 0)
        abort ();
    return 0;
}
