/*  lines.h - an input of a fuzzer that is several texts, a line each. */
#ifndef TESTS_FUZZ_LINES_H
#define TESTS_FUZZ_LINES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*  The texts, in a block that is to be freed; those that are missing are empty. */
static inline char *
lines_split (const uint8_t *data, size_t size, char **texts, unsigned count)
{
    char *text = malloc (size + 1), *at = text;
    if (!text)
        abort ();
    if (size)
        memcpy (text, data, size);
    text[size] = '\0';
    for (unsigned i = 0; i < count; i++) {
        texts[i] = at;
        at += strcspn (at, "\n");
        if (*at)
            *at++ = '\0';
    }
    return text;
}

#endif
