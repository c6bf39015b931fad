/*  real.c - real numbers as JSON writes them, whatever the locale.
 *
 *  DESIGN
 *  The C library reads and writes with the decimal point of the program's
 *  locale, which is an integrator's to choose; here it is changed to and from a
 *  point. Any thread, as long as no other one changes the locale meanwhile.
 */
#include "runtime/body/real.h"

#include "runtime/base/error.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 1100       /* more say nothing about a double: the longest exact one has 1,075 */
#define INTEGRAL_MAX 1e15     /* below it an integral double is printed as an integer */

/*  Replaces the locale's point, which may be several bytes. */
static size_t
with_point (char *text, size_t length)
{
    const char *point = localeconv ()->decimal_point;
    char *found = strstr (text, point);
    size_t size = strlen (point);
    if (!found || size == 0)
        return length;
    *found = '.';
    memmove (found + 1, found + size, length - (size_t) (found - text) - size + 1);
    return length - size + 1;
}

static int
print_shortest (double real, char *text)
{
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf (text, REAL_TEXT_MAX, "%.*g", digits, real);
        if (strtod (text, NULL) == real)
            break;
    }
    return length;
}

size_t
real_print (double real, char text[REAL_TEXT_MAX])
{
    CHECK (isfinite (real));
    if (fabs (real) < INTEGRAL_MAX && real == trunc (real))
        return with_point (text, (size_t) snprintf (text, REAL_TEXT_MAX, "%.1f", real));
    size_t length = with_point (text, (size_t) print_shortest (real, text));
    if (!memchr (text, '.', length) && !memchr (text, 'e', length)) {
        memcpy (text + length, ".0", 3);
        length += 2;
    }
    return length;
}

bool
real_parse (const char *text, size_t length, double *real)
{
    char copy[DIGITS_MAX + 16];
    const char *point = localeconv ()->decimal_point;
    size_t size = strlen (point);
    const char *found = memchr (text, '.', length);
    if (length > DIGITS_MAX || size == 0 || size > 8)
        return false;
    size_t before = found ? (size_t) (found - text) : length;
    memcpy (copy, text, before);
    if (found) {
        memcpy (copy + before, point, size);
        memcpy (copy + before + size, found + 1, length - before - 1);
        length += size - 1;
    }
    copy[length] = '\0';
    *real = strtod (copy, NULL);
    return isfinite (*real);
}
