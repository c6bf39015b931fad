/*  troupe_test.h - tests of your own kinds, in a node that lives in simulated time.
 *
 *  A test node is a whole Troupe on one thread: the real shards, mailboxes,
 *  timers, feeds, journal and recovery, over a disk and a clock in memory.
 *  Nothing happens by itself: your test calls actors, lets time pass, and pulls
 *  the plug. What could happen in several orders happens in an order that the
 *  seed decides, and the same seed gives the same run, so that a failure can be
 *  looked at again. A node of a thousand turns and crashes takes milliseconds.
 *
 *      troupe_test_t *node = troupe_test_new (kinds, seed, &error);
 *      troupe_test_crash_often (node, 10);
 *      troupe_test_call (node, "runner/ben", "lap", &answer, NULL);
 *      troupe_test_settle (node);
 *      assert (strcmp (troupe_test_state (node, "runner/ben"), "{\"laps\":1}") == 0);
 *      troupe_test_destroy (&node);
 *
 *  A program that uses it is built as every other: it needs libtroupe alone.
 *
 *  Rules
 *    - Use a node on the thread that made it; a program may have many nodes.
 *    - A handler may not call these functions, nor may a completion.
 *    - Handlers run in your process: one that crashes takes the test along, and
 *      what it keeps in variables outside of its turn outlives a simulated crash.
 *      A turn that was lost with the process is run again.
 *    - Texts that are returned are borrowed until the node runs again (any
 *      function from troupe_test_call to troupe_test_restart) or is destroyed.
 *    - A mistake in the test itself (an address that is none, an unknown channel),
 *      actors that never come to rest, and no memory end the program with
 *      a line on standard error and abort ().
 *
 *  Who may call what (`allow` in the tables) is the gateways' business and is not
 *  looked at here; arguments (`args`) are checked as by troupe_submit.
 */
#ifndef TROUPE_TEST_H_INCLUDED
#define TROUPE_TEST_H_INCLUDED

#include <troupe.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct troupe_test_s troupe_test_t;

/*  A running node with an empty store, for the kinds of a NULL-ended array; the
 *  kinds themselves live as long as the node. NULL and an error when a kind's
 *  table is wrong. Destroy it with troupe_test_destroy. */
TROUPE_EXPORT troupe_test_t *troupe_test_new (const troupe_kind_t *const *kinds, uint64_t seed,
                                              troupe_error_t *error);

/*  Frees all and sets the pointer to NULL; calls in hand are never completed. */
TROUPE_EXPORT void troupe_test_destroy (troupe_test_t **node_p);

/* ------------------------------------------------------------------ *
 *  Calls from outside
 * ------------------------------------------------------------------ */

/*  Calls and runs the node until there is an answer, as troupe_call_wait does; the
 *  body is packed by the format. The caller is one that outlives crashes: the call has a
 *  session of its own and is sent again after each, so that it happens exactly once.
 *  When nothing else can happen time passes, for at most 60 s: then there is
 *  TROUPE_UNKNOWN. What the turn sent to other actors may still be on its way.
 *  The answer (NULL: not wanted) is the caller's until troupe_answer_clear. */
TROUPE_EXPORT troupe_status_t troupe_test_call (troupe_test_t *node, const char *to, const char *verb,
                                                troupe_answer_t *answer, const char *format, ...);

/*  Who the following troupe_test_call come from, as troupe_subject gives it; copied;
 *  NULL, as at first: nobody. */
TROUPE_EXPORT void troupe_test_subject (troupe_test_t *node, const char *subject);

/*  As troupe_submit, for several calls at once or a session of the test's own. Nothing runs yet;
 *  `done` is called while the node runs, once, or never when a crash comes first. */
TROUPE_EXPORT troupe_status_t troupe_test_submit (troupe_test_t *node, const troupe_call_t *call,
                                                  troupe_error_t *error) TROUPE_CHECKED;

/* ------------------------------------------------------------------ *
 *  Time
 * ------------------------------------------------------------------ */

/*  Runs until all messages are handled and everything is durable. What waits for
 *  its time (timers, deadlines, messages that failed and are to be tried again) waits on. */
TROUPE_EXPORT void troupe_test_settle (troupe_test_t *node);

/*  Lets so many milliseconds pass, and all happen that is due in them, each at its
 *  time; then settles. An hour is an instant, unless timers fill it. */
TROUPE_EXPORT void troupe_test_pass (troupe_test_t *node, uint64_t ms);

/*  Milliseconds since 1970 by the simulated clock. Work takes time too: some
 *  milliseconds in each function that runs the node. */
TROUPE_EXPORT uint64_t troupe_test_now (const troupe_test_t *node);

/* ------------------------------------------------------------------ *
 *  Crashes
 * ------------------------------------------------------------------ */

/*  The process dies here and now, sometimes with the power, so that what was written and
 *  not synced is lost in part; and starts again. Calls in hand are forgotten. */
TROUPE_EXPORT void troupe_test_crash (troupe_test_t *node);

/*  From now on, whenever the node runs, it crashes before one step in so many:
 *  also in the middle of a write, of a fold, and of its own recovery; 0: no more. A step is
 *  a slice of a shard's work, a commit or a message between shards; a call takes about
 *  ten. One function of this header sees at most 100 crashes, so that each comes to its end. */
TROUPE_EXPORT void troupe_test_crash_often (troupe_test_t *node, uint32_t once_in);

/*  How often it crashed so far: a test that saw none has shown nothing. */
TROUPE_EXPORT uint64_t troupe_test_crashes (const troupe_test_t *node);

/*  Settles, stops, and starts again with these kinds, as after an upgrade; NULL: the same ones. With a wrong
 *  table an error, and the node goes on with the kinds that it had. */
TROUPE_EXPORT troupe_status_t troupe_test_restart (troupe_test_t *node, const troupe_kind_t *const *kinds,
                                                   troupe_error_t *error) TROUPE_CHECKED;

/* ------------------------------------------------------------------ *
 *  Looking: as an operator does. Wakes no actor; shows what is there
 *  at this moment, durable or not. JSON texts are compact.
 * ------------------------------------------------------------------ */

/*  An actor's state as one object, keys in order: {"by":"anna","laps":3}. A value is shown as
 *  what it looks like: text, an integer of 4 or 8 bytes, a packed value (troupe_save), an
 *  integer of one byte, else hex, "0x01ff". "{}": it has none. */
TROUPE_EXPORT const char *troupe_test_state (troupe_test_t *node, const char *address);

/*  One value of it, as troupe_load copies it. */
TROUPE_EXPORT troupe_status_t troupe_test_load (troupe_test_t *node, const char *address, const char *key,
                                                void *buffer, size_t size);

/*  All that is known of an actor, as `troupe inspect --json` shows it: {"address", "shard", "condition", "reason",
 *  "mail", "next_mail", "state", "timers", "asks", "feeds"}; values of state in base64. */
TROUPE_EXPORT const char *troupe_test_inspect (troupe_test_t *node, const char *address);

/*  The bodies of a feed's events that are kept, from this offset on (the first is 1), as an array. */
TROUPE_EXPORT const char *troupe_test_events (troupe_test_t *node, const char *address, const char *channel,
                                              uint64_t from);

/*  All dead letters: [{"shard", "number", "to", "verb", "from", "reason", "time_ms", "attempts", "body"}]. */
TROUPE_EXPORT const char *troupe_test_dead (troupe_test_t *node);

#ifdef __cplusplus
}
#endif
#endif
