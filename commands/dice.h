/*  dice.h - numbers that look random and are the same for the same seed. One thread. */
#ifndef COMMANDS_DICE_H
#define COMMANDS_DICE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t state;
} dice_t;

static inline dice_t
dice_of (uint64_t seed)
{
    return (dice_t) { seed * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u };
}

static inline uint64_t
dice_next (dice_t *self)
{
    uint64_t mixed = self->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

/*  0 to below - 1; 0 for 0. */
static inline uint64_t
dice_roll (dice_t *self, uint64_t below)
{
    uint64_t fallen = dice_next (self);
    return below ? fallen % below : 0;
}

/*  True once in `in` times; never for 0. */
static inline bool
dice_once_in (dice_t *self, uint64_t in)
{
    return in && dice_roll (self, in) == 0;
}

#endif
