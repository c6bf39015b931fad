/*  error.h - filling a troupe_error_t. Any thread; a NULL error is fine.
 *
 *  Returns the status, so that a function can end with
 *      return error_set (error, TROUPE_IO, "cannot open %s: %s", ...);
 */
#ifndef RUNTIME_BASE_ERROR_H
#define RUNTIME_BASE_ERROR_H

#include <troupe.h>

troupe_status_t error_set (troupe_error_t *error, troupe_status_t status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/*  Programmer errors: on in release too. Prints place and text, then aborts. */
_Noreturn void check_failed (const char *what, const char *file, int line);
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (__builtin_expect (!(condition), 0))                                \
            check_failed (#condition, __FILE__, __LINE__);                     \
    } while (0)

#endif
