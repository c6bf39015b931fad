/*  nearest.c - the name that somebody who misspelt one may have meant.
 *
 *  DESIGN
 *  The distance counts insertions, removals, replacements and swaps of
 *  neighbours, for those are the slips of a keyboard. A name is near when less
 *  than a third of it is wrong, or when what was written is its beginning: a
 *  far-fetched hint is worse than none. Names are short; longer ones are
 *  compared by nothing at all, so that the table stays on the stack.
 */
#include "commands/nearest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_MOST 48

static unsigned
least (unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned
distance (const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][NAME_MOST + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = (unsigned) j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i - 1) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = (unsigned) i;
        for (size_t j = 1; j <= b_size; j++) {
            now[j] = least (before[j] + 1, now[j - 1] + 1);
            now[j] = least (now[j], before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least (now[j], earlier[j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

void
nearest_offer (nearest_t *self, const char *name)
{
    size_t wanted_size = strlen (self->wanted), size = strlen (name);
    if (wanted_size == 0 || wanted_size > NAME_MOST || size > NAME_MOST)
        return;
    unsigned edits = distance (self->wanted, wanted_size, name, size);
    bool is_beginning = wanted_size >= 3 && wanted_size < size && memcmp (self->wanted, name, wanted_size) == 0;
    bool is_near = edits <= 1 + size / 4 && edits < size;
    if ((is_near || is_beginning) && (!self->name || edits < self->distance)) {
        self->name = name;
        self->distance = edits;
    }
}

const char *
nearest_hint (const nearest_t *self, char *text, size_t size)
{
    if (self->name)
        snprintf (text, size, ": did you mean %s?", self->name);
    else
        text[0] = '\0';
    return text;
}
