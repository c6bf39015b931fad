/*  plugin.h - kinds from shared objects: `troupe serve ./my_kinds.so`. Main thread.
 *
 *  The object is never unloaded: its tables and handlers live as long as the
 *  process.
 */
#ifndef COMMANDS_PLUGIN_H
#define COMMANDS_PLUGIN_H

#include "runtime/base/error.h"

/*  The kinds of a file that says TROUPE_KINDS (...); ends with NULL. NULL and an
 *  error: TROUPE_NOT_FOUND, TROUPE_INVALID. */
const troupe_kind_t *const *plugin_load (const char *path, troupe_error_t *error);

#endif
