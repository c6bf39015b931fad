/*  recorder.h - the flight recorder: what was running when the process died.
 *
 *  A memory-mapped file, one slot a worker. Before a handler runs, its message
 *  id stands in the slot (a plain store); the texts are filled in by the
 *  signal handler, from the pointers beside it, when the process dies in a
 *  handler (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, or ended by
 *  the watchdog): it marks the slot of its own thread, and the next start counts a
 *  strike against that message. Neighbours, an operator's kill (of any signal) and
 *  the OOM killer leave no mark and cost no strike. A message with
 *  RECORDER_STRIKES becomes a dead letter instead of running.
 *
 *  After an unmarked death the messages that were in hand are suspects, without a
 *  strike: the next time each runs alone, no other handler beside it. If the
 *  process dies unmarked again while one runs alone, that is a strike; when it is handled
 *  it is no suspect any more. Those that do not come back are let go (recorder_let_go).
 *
 *  Strikes are kept in the same file, synced before the node serves, and
 *  dropped when their message was handled or set aside. A damaged file or record
 *  costs the strikes in it and never a start: recorder_warning says so.
 *
 *  A fault of a thread that runs no handler goes to the action that the program
 *  had for it before; in a handler the process always dies of the signal.
 */
#ifndef RUNTIME_RECORDER_H
#define RUNTIME_RECORDER_H

#include <stdatomic.h>
#include <troupe.h>

#define RECORDER_STRIKES 3
#define RECORDER_ALONE_MS 3000
#define RECORDER_SLOTS_MAX 256
#define RECORDER_SUSPECTS_MAX 1024

/*  owner: one worker's thread; read by the watchdog (atomics) and, after a death, by the next start */
typedef struct recorder_slot_s {
    _Alignas (64)
    _Atomic uint64_t message;        /* id of the message in hand; 0: no handler runs */
    _Atomic uint64_t turns;          /* grows with each handler; the watchdog sees a stuck one by it */
    _Atomic (const char *) address;  /* borrowed texts; only for this process */
    _Atomic (const char *) verb;
    _Atomic uint32_t budget_ms;      /* of the running verb; 0: the default */
    _Atomic uint32_t is_alone;       /* no other handler ran when this one began */
} recorder_slot_t;

typedef struct recorder_s recorder_t;

/*  What a strike knows of its message. */
typedef struct {
    uint64_t message;
    uint32_t strikes;
    int signal;       /* of the last one */
    char address[TROUPE_ADDRESS_MAX + 1];
    char verb[TROUPE_NAME_MAX + 1];
    char backtrace[1024];
} recorder_suspect_t;

/*  Opens or makes the file `path` (fully allocated), counts strikes of marked slots, syncs.
 *  A NULL path keeps it in memory (the simulator). NULL and an error: the file
 *  cannot be opened, allocated or synced. Before any worker starts. */
recorder_t *recorder_new (const char *path, uint32_t slots, troupe_error_t *error);

/*  After the last worker ended. Puts the program's signal actions back. */
void recorder_destroy (recorder_t **self_p);
recorder_slot_t *recorder_slot (recorder_t *self, uint32_t index);

/*  What was damaged and is lost; "" when nothing was. */
const char *recorder_warning (const recorder_t *self);

/*  How many handlers ran when the process was killed from outside and nothing was marked. */
uint32_t recorder_in_hand (const recorder_t *self);

/*  Those of them that have not come back, and have no strike, are no suspects any more. Any thread. */
void recorder_let_go (recorder_t *self);

/*  When the file's store was last in use, as far as somebody noted it; 0: unknown. Kept over a kill, not
 *  always over a power cut. Any thread. */
uint64_t recorder_last_alive (const recorder_t *self);
void recorder_note_alive (recorder_t *self, uint64_t now_ms);

/*  Installs the signal handlers of this process (own stack a thread:
 *  recorder_thread_begin). After all shared objects with kinds were loaded: the
 *  backtraces name places in what is loaded now, "file+0xoffset" for addr2line. */
void recorder_install (recorder_t *self);
void recorder_thread_begin (recorder_t *self, recorder_slot_t *slot);  /* on the worker's thread */
void recorder_thread_end (void);

/*  What a slot has in hand, copied. Any thread. False: no handler runs, or it
 *  changed while looking. */
typedef struct {
    uint64_t message;
    uint64_t turn;
    uint32_t budget_ms;
    char address[TROUPE_ADDRESS_MAX + 1];
    char verb[TROUPE_NAME_MAX + 1];
} recorder_view_t;
bool recorder_look (recorder_t *self, uint32_t slot, recorder_view_t *view);

/*  Ends this turn of the slot, and the process with it: its thread gets SIGABRT
 *  and marks itself. Nothing happens when the turn is over by the time the signal arrives.
 *  Any thread. */
void recorder_abort_turn (recorder_t *self, uint32_t slot, uint64_t turn);

/*  Marks a slot as ended by the watchdog from outside, when its thread does not
 *  hear the signal; the caller then ends the process. */
void recorder_mark_stuck (recorder_t *self, uint32_t slot);

/*  Whether any message is under suspicion: one load, for the hot path. */
static inline bool
recorder_has_suspects (const recorder_t *self)
{
    return self && *(const _Atomic bool *) self;  /* the first field */
}

/*  The suspect of that id, or NULL. Any thread; borrowed until recorder_forgive. */
const recorder_suspect_t *recorder_find (const recorder_t *self, uint64_t message);
void recorder_forgive (const recorder_t *self, uint64_t message);  /* handled, or now a dead letter */
void recorder_strike (recorder_t *self, const recorder_suspect_t *suspect);  /* adds one; the simulator's way */

/*  For `dead`, `top` and the log of a start. Any thread; `each` may not call back. */
void recorder_each (const recorder_t *self, void (*each) (void *arg, const recorder_suspect_t *suspect), void *arg);

static inline void
recorder_enter (recorder_slot_t *slot, uint64_t message, const char *address, const char *verb, uint32_t budget_ms)
{
    atomic_store_explicit (&slot->address, address, memory_order_relaxed);
    atomic_store_explicit (&slot->verb, verb, memory_order_relaxed);
    atomic_store_explicit (&slot->budget_ms, budget_ms, memory_order_relaxed);
    atomic_store_explicit (&slot->turns, atomic_load_explicit (&slot->turns, memory_order_relaxed) + 1,
                           memory_order_relaxed);
    atomic_signal_fence (memory_order_seq_cst);
    atomic_store_explicit (&slot->message, message, memory_order_relaxed);
    atomic_signal_fence (memory_order_seq_cst);
}

/*  After recorder_enter, while there are suspects: one of them waits until no other handler runs, others
 *  wait for a suspect that runs alone; both for RECORDER_ALONE_MS at most, so that a handler without an end
 *  stops nobody else. */
void recorder_make_way (const recorder_t *self, recorder_slot_t *slot);
void recorder_end_alone (const recorder_t *self, recorder_slot_t *slot);  /* after recorder_leave */

static inline void
recorder_leave (recorder_slot_t *slot)
{
    atomic_signal_fence (memory_order_seq_cst);
    atomic_store_explicit (&slot->message, 0, memory_order_relaxed);
}

#endif
