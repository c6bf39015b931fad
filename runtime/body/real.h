/*  real.h - real numbers as JSON writes them, whatever the locale. Any thread. */
#ifndef RUNTIME_BODY_REAL_H
#define RUNTIME_BODY_REAL_H

#include <stdbool.h>
#include <stddef.h>

#define REAL_TEXT_MAX 32

/*  The shortest text that reads back as the same number, always with a point or
 *  an exponent, so that it stays a real; no NUL behind it. Returns its length. */
size_t real_print (double real, char text[REAL_TEXT_MAX]);

/*  Of text that is a JSON number. False when it is beyond what a double holds or
 *  has more characters than anyone needs. */
bool real_parse (const char *text, size_t length, double *real);

#endif
