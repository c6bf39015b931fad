/*  plugin.c - kinds from shared objects.
 *
 *  DESIGN
 *  The object calls troupe_* functions; they must be those of this process. An
 *  object that brings a second copy of the library would run its turns against
 *  that copy, so it is refused. Symbols are bound at once: a missing one is an
 *  error of the start, not of the first turn that needs it. A name without a
 *  slash is a file here, not one of the system's libraries.
 */
#include "commands/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const troupe_kind_t *const *
check (void *object, const char *path, troupe_error_t *error)
{
    const troupe_kind_t *const *kinds = dlsym (object, "troupe_kinds");
    void *reply = dlsym (object, "troupe_reply");
    if (!kinds)
        error_set (error, TROUPE_INVALID, "%s has no kinds: it wants TROUPE_KINDS (&one, &other) once", path);
    else if (reply && reply != (void *) troupe_reply) {
        error_set (error, TROUPE_INVALID, "%s brings a libtroupe of its own: link it without", path);
        kinds = NULL;
    } else if (!kinds[0]) {
        error_set (error, TROUPE_INVALID, "%s lists no kinds in TROUPE_KINDS ()", path);
        kinds = NULL;
    }
    return kinds;
}

const troupe_kind_t *const *
plugin_load (const char *path, troupe_error_t *error)
{
    size_t size = strlen (path) + 3;
    char *here = malloc (size);
    if (!here) {
        error_set (error, TROUPE_NO_MEMORY, "out of memory");
        return NULL;
    }
    snprintf (here, size, "%s%s", strchr (path, '/') ? "" : "./", path);
    const troupe_kind_t *const *kinds = NULL;
    if (access (here, R_OK) != 0)
        error_set (error, TROUPE_NOT_FOUND, "%s: there is no such file, or it may not be read", path);
    else {
        void *object = dlopen (here, RTLD_NOW | RTLD_LOCAL);
        if (object)
            kinds = check (object, path, error);
        else
            error_set (error, TROUPE_INVALID, "cannot load kinds: %s", dlerror ());
    }
    free (here);
    return kinds;
}
