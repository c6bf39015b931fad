/*  remote.h - tables of remote kinds, as workers announce them.
 *
 *  A table comes from a stranger: it is copied, bounded in all its sizes, and checked as any other when it joins the
 *  registry. It lives as long as its owner says, which for a table in a registry is the registry's life.
 */
#ifndef RUNTIME_REMOTE_H
#define RUNTIME_REMOTE_H

#include "runtime/base/arena.h"
#include "runtime/port/remote.h"

typedef struct remote_table_s {
    troupe_kind_t kind;   /* first: a kind of the registry leads back to its table */
    uint32_t attempt_ms;
    struct remote_table_s *next;  /* the owner's */
    bool is_saved;                /* likewise */
    arena_t arena;        /* of all texts and lists */
} remote_table_t;

/*  Reads a packed table (runtime/port/remote.h). NULL and an error: TROUPE_INVALID, TROUPE_TOO_LARGE, TROUPE_NO_MEMORY.
 *  Any thread. */
remote_table_t *remote_table_read (const void *packed, size_t size, troupe_error_t *error);
void remote_table_destroy (remote_table_t **self_p);

/*  Whether both say the same, texts for readers aside. */
bool remote_table_is_same (const troupe_kind_t *one, uint32_t one_attempt_ms, const troupe_kind_t *other,
                           uint32_t other_attempt_ms);

/*  What the verbs of remote kinds run: the outcome that a worker handed in. */
troupe_status_t remote_turn (troupe_turn_t *turn);

#endif
