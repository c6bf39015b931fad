/*  inbox.h - what any thread puts in and one takes out: a lock-free stack.
 *
 *  Its owner takes it whole and turns it round, so that items of one sender keep
 *  their order. Items live inside of what they stand for, as its first member.
 */
#ifndef RUNTIME_BASE_INBOX_H
#define RUNTIME_BASE_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct inbox_item_s {
    struct inbox_item_s *next;
    uint32_t type;  /* whatever the owner makes of it */
} inbox_item_t;

typedef struct {
    _Atomic (inbox_item_t *) top;  /* shared: atomic; push releases, take acquires */
} inbox_t;

/*  True when it was empty before: its owner must be woken. */
static inline bool
inbox_push (inbox_t *self, inbox_item_t *item)
{
    inbox_item_t *top = atomic_load_explicit (&self->top, memory_order_relaxed);
    do
        item->next = top;
    while (!atomic_compare_exchange_weak_explicit (&self->top, &top, item, memory_order_release,
                                                   memory_order_relaxed));
    return top == NULL;
}

static inline bool
inbox_is_empty (const inbox_t *self)
{
    return atomic_load_explicit (&self->top, memory_order_relaxed) == NULL;
}

/*  All items, oldest first. */
static inline inbox_item_t *
inbox_take (inbox_t *self)
{
    inbox_item_t *stack = atomic_exchange_explicit (&self->top, NULL, memory_order_acquire);
    inbox_item_t *row = NULL;
    while (stack) {
        inbox_item_t *next = stack->next;
        stack->next = row;
        row = stack;
        stack = next;
    }
    return row;
}

#endif
