/*  literals.h - which texts can never change: those in the read-only memory of a program.
 *
 *  A format, a verb's name, a field's name is nearly always a literal, so that the same
 *  pointer means the same text each time, and what was found out about it once holds. That
 *  is so only as long as the program or shared object stays loaded: add none that
 *  may go. Made before threads start, then read by all.
 */
#ifndef RUNTIME_BASE_LITERALS_H
#define RUNTIME_BASE_LITERALS_H

#include <stdbool.h>
#include <stdint.h>

#define LITERALS_RANGES 32

typedef struct {
    uint32_t count;
    struct {
        uintptr_t from, to;
    } ranges[LITERALS_RANGES];
} literals_t;

/*  Adds the read-only memory of the program or shared object that this address is in. More
 *  than there is room for is left out, and only slower. */
void literals_add (literals_t *self, const void *place);

bool literals_have (const literals_t *self, const void *text);

#endif
