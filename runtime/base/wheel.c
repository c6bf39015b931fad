/*  wheel.c - timers by due time: a hierarchical timer wheel of intrusive nodes.
 *
 *  DESIGN
 *  The wheel never ticks. A node that differs from the wheel's time first in digit
 *  L (base 64, counted from the lowest) stands in level L, in the slot of its own
 *  digit there. So its higher digits are those of the wheel, its slot lies ahead, and
 *  the lowest slot in use of the lowest level in use holds the earliest node: two
 *  bit scans. To advance is to step to that slot's beginning while that is not
 *  after now, and to place its nodes anew: each falls at least one level, or is
 *  due. Other nodes stand right as they are, however far the step was.
 *
 *  Nodes with one due time stay in the order in which they were added: the levels
 *  below a slot are empty of its times until it is opened, and rings are kept in order.
 *
 *  A head's due_ms bounds its ring from below and is not mended when a node leaves: a
 *  ring may be long, and of the deadlines that leave, most are the earliest of
 *  their ring. The price is one step that finds nothing when that time comes.
 *
 *  Runs on the thread of the wheel's owner; allocates nothing.
 */
#include "runtime/base/wheel.h"

#include "runtime/base/error.h"

#define DIGIT_MASK (WHEEL_SLOTS - 1)

static void
ring_init (wheel_node_t *head)
{
    head->prev = head->next = head;
    head->due_ms = UINT64_MAX;
}

static void
ring_append (wheel_node_t *head, wheel_node_t *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

void
wheel_init (wheel_t *self, uint64_t now_ms)
{
    self->now_ms = now_ms;
    self->count = 0;
    self->levels_used = 0;
    ring_init (&self->due);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        self->slots_used[level] = 0;
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            ring_init (&self->slots[level][slot]);
    }
}

/*  Puts a node that is in no ring where its due time belongs. */
static void
place (wheel_t *self, wheel_node_t *node)
{
    if (node->due_ms <= self->now_ms) {
        ring_append (&self->due, node);
        return;
    }
    unsigned highest_bit = 63 - (unsigned) __builtin_clzll (node->due_ms ^ self->now_ms);
    unsigned level = highest_bit / WHEEL_DIGIT_BITS;
    unsigned slot = (unsigned) (node->due_ms >> (level * WHEEL_DIGIT_BITS)) & DIGIT_MASK;
    wheel_node_t *head = &self->slots[level][slot];
    ring_append (head, node);
    if (node->due_ms < head->due_ms)
        head->due_ms = node->due_ms;
    self->slots_used[level] |= 1ull << slot;
    self->levels_used |= (uint16_t) (1u << level);
}

static void
mark_empty (wheel_t *self, unsigned level, unsigned slot)
{
    self->slots[level][slot].due_ms = UINT64_MAX;
    self->slots_used[level] &= ~(1ull << slot);
    if (self->slots_used[level] == 0)
        self->levels_used &= (uint16_t) ~(1u << level);
}

void
wheel_add (wheel_t *self, wheel_node_t *node, uint64_t due_ms)
{
    wheel_remove (self, node);
    node->due_ms = due_ms;
    place (self, node);
    self->count++;
}

void
wheel_remove (wheel_t *self, wheel_node_t *node)
{
    if (!wheel_has (node))
        return;
    CHECK (self->count > 0);
    wheel_node_t *before = node->prev, *after = node->next;
    before->next = after;
    after->prev = before;
    node->prev = node->next = NULL;
    self->count--;
    if (before == after && before != &self->due) {  /* only the head is left */
        size_t index = (size_t) (before - &self->slots[0][0]);
        CHECK (index < WHEEL_LEVELS * WHEEL_SLOTS);
        mark_empty (self, (unsigned) (index / WHEEL_SLOTS), (unsigned) (index % WHEEL_SLOTS));
    }
}

/*  The slot of the earliest nodes; false when all slots are empty. */
static bool
first_slot (const wheel_t *self, unsigned *level, unsigned *slot)
{
    if (self->levels_used == 0)
        return false;
    *level = (unsigned) __builtin_ctz (self->levels_used);
    *slot = (unsigned) __builtin_ctzll (self->slots_used[*level]);
    return true;
}

/*  The first time of a slot that lies ahead. */
static uint64_t
slot_begin (const wheel_t *self, unsigned level, unsigned slot)
{
    unsigned shift = level * WHEEL_DIGIT_BITS;
    uint64_t digit_and_below = level + 1 < WHEEL_LEVELS ? (1ull << (shift + WHEEL_DIGIT_BITS)) - 1 : UINT64_MAX;
    return (self->now_ms & ~digit_and_below) | (uint64_t) slot << shift;
}

/*  Empties a slot; its nodes are placed by the wheel's new time. */
static void
open_slot (wheel_t *self, unsigned level, unsigned slot)
{
    wheel_node_t *head = &self->slots[level][slot];
    wheel_node_t *node = head->next;
    ring_init (head);
    mark_empty (self, level, slot);
    while (node != head) {
        wheel_node_t *next = node->next;
        place (self, node);
        node = next;
    }
}

void
wheel_advance (wheel_t *self, uint64_t now_ms)
{
    unsigned level, slot;
    while (first_slot (self, &level, &slot)) {
        uint64_t begin = slot_begin (self, level, slot);
        CHECK (begin > self->now_ms);
        if (begin > now_ms)
            break;
        self->now_ms = begin;
        open_slot (self, level, slot);
    }
    if (now_ms > self->now_ms)
        self->now_ms = now_ms;
}

wheel_node_t *
wheel_pop_due (wheel_t *self)
{
    wheel_node_t *node = self->due.next;
    if (node == &self->due)
        return NULL;
    wheel_remove (self, node);
    return node;
}

uint64_t
wheel_next_due (const wheel_t *self)
{
    if (self->due.next != &self->due)
        return self->due.next->due_ms;
    unsigned level, slot;
    return first_slot (self, &level, &slot) ? self->slots[level][slot].due_ms : UINT64_MAX;
}
