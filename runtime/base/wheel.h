/*  wheel.h - timers by due time: a hierarchical timer wheel of intrusive nodes.
 *
 *  Eleven levels of 64 slots cover all of a 64-bit time in milliseconds. A
 *  node's level is that of the highest digit (base 64) in which its due time
 *  differs from the wheel's, so that all of a lower level is due before all of
 *  a higher one, and a slot of the lowest level holds one millisecond.
 *
 *  Adding and removing are O(1). Advancing costs by the nodes that are moved,
 *  never by the time that passed. Nodes are popped in the order of their due
 *  times, those with one due time in the order in which they were added.
 *
 *  The wheel allocates and frees nothing; nodes are the caller's and must stay
 *  where they are while they are in it, as must the wheel. Owner: one thread.
 */
#ifndef RUNTIME_BASE_WHEEL_H
#define RUNTIME_BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_DIGIT_BITS 6
#define WHEEL_SLOTS (1u << WHEEL_DIGIT_BITS)
#define WHEEL_LEVELS ((64 + WHEEL_DIGIT_BITS - 1) / WHEEL_DIGIT_BITS)

/*  Zero-initialised is in no wheel. */
typedef struct wheel_node_s {
    struct wheel_node_s *prev, *next;  /* NULL: in no wheel */
    uint64_t due_ms;
} wheel_node_t;

typedef struct {
    uint64_t now_ms;
    size_t count;                      /* nodes in it, due ones included */
    wheel_node_t due;                  /* head of the ring of those to be popped */
    uint16_t levels_used;              /* a bit a level */
    uint64_t slots_used[WHEEL_LEVELS]; /* a bit a slot */
    wheel_node_t slots[WHEEL_LEVELS][WHEEL_SLOTS];  /* heads of rings; due_ms: no node in it is due before */
} wheel_t;

void wheel_init (wheel_t *self, uint64_t now_ms);

/*  A node that is in the wheel already is moved. What is due by now can be popped at once,
 *  behind what was due before. */
void wheel_add (wheel_t *self, wheel_node_t *node, uint64_t due_ms);

/*  Takes the node out, also when it is due and not popped yet; nothing when it is in no wheel. */
void wheel_remove (wheel_t *self, wheel_node_t *node);

/*  Moves on to this time. An earlier one than the wheel's changes nothing. */
void wheel_advance (wheel_t *self, uint64_t now_ms);

/*  The next due node, no longer in the wheel; NULL: none is due. */
wheel_node_t *wheel_pop_due (wheel_t *self);

/*  When to advance next: the earliest due time; UINT64_MAX when the wheel is
 *  empty. Never late. It is early only after the earliest node of its slot was
 *  removed (or moved): to advance then pops nothing and puts it right. O(1). */
uint64_t wheel_next_due (const wheel_t *self);

static inline bool
wheel_has (const wheel_node_t *node)
{
    return node->next != NULL;
}

#endif
