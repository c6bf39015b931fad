/*  nearest.h - the name that somebody who misspelt one may have meant. Any thread. */
#ifndef COMMANDS_NEAREST_H
#define COMMANDS_NEAREST_H

#include <stddef.h>

/*  Keeps the best of the names that it is shown; zero-initialise but `wanted`. */
typedef struct {
    const char *wanted;
    const char *name;   /* the nearest so far, or NULL: nothing is near */
    unsigned distance;  /* its edits */
} nearest_t;

void nearest_offer (nearest_t *self, const char *name);

/*  ": did you mean NAME?" in `text`, or "" when nothing is near. Returns `text`. */
const char *nearest_hint (const nearest_t *self, char *text, size_t size);

#endif
