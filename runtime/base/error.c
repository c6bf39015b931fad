/*  error.c - filling a troupe_error_t, and the end of a programmer's error.
 *
 *  DESIGN
 *  The text is cut to fit, never allocated: an error about memory must not need
 *  any. Names and values from strangers get into these texts, and the texts get
 *  into terminals and replies: control characters, what is no UTF-8, and a
 *  character that the cut went through become '?'. Any thread.
 */
#include "runtime/base/error.h"

#include "runtime/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
tame (char *text)
{
    size_t left = strlen (text);
    for (uint8_t *at = (uint8_t *) text; left; ) {
        size_t length = utf8_step (at, left);
        if (length == 0 || *at < 0x20 || *at == 0x7f) {
            *at = '?';
            length = 1;
        }
        at += length;
        left -= length;
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
