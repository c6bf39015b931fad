/*  error.c - filling a troupe_error_t, and the end of a programmer's error.
 *
 *  DESIGN
 *  The text is cut to fit, never allocated: an error about memory must not need
 *  any. Control characters become '?', since names and values from strangers
 *  get into these texts and the texts get into logs and terminals. Any thread.
 */
#include "runtime/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
tame (char *text)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char) *text;
        if (byte < 0x20 || byte == 0x7f)
            *text = '?';
    }
}

troupe_status_t
error_set (troupe_error_t *error, troupe_status_t status, const char *format, ...)
{
    if (!error)
        return status;
    char text[sizeof error->text];  /* the arguments may point into the error itself */
    va_list arguments;
    va_start (arguments, format);
    if (vsnprintf (text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    va_end (arguments);
    tame (text);
    error->status = status;
    memcpy (error->text, text, sizeof text);
    return status;
}

void
check_failed (const char *what, const char *file, int line)
{
    fprintf (stderr, "%s:%d: this must hold and does not: %s\n", file, line, what);
    fflush (stderr);
    abort ();
}
