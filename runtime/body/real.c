/*  real.c - real numbers as JSON writes them, whatever the locale.
 *
 *  DESIGN
 *  The C library reads and writes with the decimal point of the program's
 *  locale, which is an integrator's to choose; here it is changed to and from a
 *  point. It is slow too. Numbers as people use them have up to 15 digits, which a
 *  double tells apart, and an integer below 2^53 divided by a power of ten below
 *  10^22 is the double that is nearest to the quotient: these need no library.
 *  Any thread, as long as no other one changes the locale meanwhile.
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

#define PLACES 7              /* behind the point, of numbers that are printed here */
#define SCALE 1e7
#define SHORT_LEAST 1e-4      /* below it %g prints an exponent */
#define SHORT_LIMIT 1e8       /* 15 digits, with the places */

/*  False: it is not as short. */
static bool
print_short (double real, char *text, size_t *length)
{
    double size = fabs (real);
    if (size < SHORT_LEAST || size >= SHORT_LIMIT)
        return false;
    uint64_t scaled = (uint64_t) (size * SCALE + 0.5);
    if ((double) scaled / SCALE != size)
        return false;
    char digits[24];
    char *at = digits + sizeof digits, *end = at;
    for (unsigned place = 0; place < PLACES || scaled; place++, scaled /= 10) {
        if (place == PLACES)
            *--at = '.';
        *--at = (char) ('0' + scaled % 10);
    }
    if (end - at == PLACES) {
        *--at = '.';
        *--at = '0';
    }
    while (end[-1] == '0' && end[-2] != '.')
        end -= 1;
    if (real < 0)
        *--at = '-';
    *length = (size_t) (end - at);
    memcpy (text, at, *length);
    return true;
}

/*  Of text that is a JSON number; false: it has an exponent or too many digits. */
static bool
parse_short (const char *text, size_t length, double *real)
{
    static const double powers[] = { 1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    bool is_negative = *text == '-', is_behind = false;
    uint64_t digits = 0;
    unsigned places = 0;
    if (length > 16u + is_negative)  /* 15 digits and a point */
        return false;
    for (size_t index = is_negative; index < length; index++) {
        if (text[index] == '.' && !is_behind)
            is_behind = true;
        else if (text[index] >= '0' && text[index] <= '9') {
            digits = digits * 10 + (uint64_t) (text[index] - '0');
            places += is_behind;
        } else
            return false;
    }
    if (!is_behind)
        return false;
    *real = (double) digits / powers[places];
    if (is_negative)
        *real = -*real;
    return true;
}

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
    size_t length;
    CHECK (isfinite (real));
    if (print_short (real, text, &length))
        return length;
    if (fabs (real) < INTEGRAL_MAX && real == trunc (real))
        return with_point (text, (size_t) snprintf (text, REAL_TEXT_MAX, "%.1f", real));
    length = with_point (text, (size_t) print_shortest (real, text));
    if (!memchr (text, '.', length) && !memchr (text, 'e', length)) {
        memcpy (text + length, ".0", 3);
        length += 2;
    }
    return length;
}

bool
real_parse (const char *text, size_t length, double *real)
{
    if (parse_short (text, length, real))
        return true;
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
