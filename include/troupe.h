/*  troupe.h - durable actors in C: all that an integrator sees.
 *
 *  An actor is a small stateful thing with a name, "user/42". It always
 *  exists, sleeps on disk, and wakes when a message comes. You write a KIND:
 *  a table of verbs, each a C function that handles one message. One run of
 *  such a function is a TURN, and a turn is a transaction: the state that it
 *  stored, the messages that it sent, the timers that it set, the events that
 *  it published, the reply, and the consumption of the message itself happen
 *  together, exactly once, or not at all; and nothing of it is seen by anybody
 *  before it is on disk.
 *
 *  Rules of a turn
 *    - A handler sees no clock, dice or I/O but the turn's own (troupe_now,
 *      troupe_random, troupe_uuid), so that a turn can be run again.
 *    - A `troupe_turn_t *` is valid until the handler returns, on the thread
 *      that called the handler. Never keep it.
 *    - The handler returns TROUPE_OK (keep all effects), or a refusal (a final
 *      error for the caller, all effects dropped, never tried again), or any
 *      other status (failed: all effects dropped, tried again with a growing
 *      delay, then set aside as a dead letter).
 *    - Every call that makes an effect may be written without a check: when
 *      one fails, the turn is POISONED, and returning TROUPE_OK then counts as
 *      failure with the text of that first error.
 *
 *  Bodies. What a message carries is one value of the JSON data model, packed
 *  as MessagePack. Functions that make or take one are driven by a format in
 *  the manner of jansson:
 *      s  string (const char *; out: const char **, lives until the turn ends)
 *      s# string and its length (const char *, size_t)
 *      r# raw bytes (const void *, size_t)    I  integer (json_int_t)
 *      i  integer (int)                       f  real (double; out: F takes integers too)
 *      b  boolean (int)                       n  null
 *      o  a jansson tree (json_t *; borrowed when packing, new when unpacking)
 *      v  a packed value as it is (const void *, size_t)
 *      {s:I, s:s}  object    [s, i]  array    {s?:I}  optional, only unpacking
 *  A NULL format is an empty body (null).
 *
 *  Addresses are "kind/id". A kind is 1 to 31 of a-z 0-9 - _, an id 1 to 191
 *  bytes of printable ASCII without space and slash. Part of an id may be put in
 *  braces, "workout/{42}7": addresses that agree in it live on one shard.
 */
#ifndef TROUPE_H_INCLUDED
#define TROUPE_H_INCLUDED

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TROUPE_VERSION_MAJOR 0
#define TROUPE_VERSION_MINOR 1
#define TROUPE_VERSION_PATCH 0

#if defined(__GNUC__)
#define TROUPE_EXPORT __attribute__ ((visibility ("default")))
#define TROUPE_CHECKED __attribute__ ((warn_unused_result))
#else
#define TROUPE_EXPORT
#define TROUPE_CHECKED
#endif

/*  Limits. Beyond one of them a call fails with TROUPE_TOO_LARGE or
 *  TROUPE_INVALID and says which. */
#define TROUPE_KIND_MAX 31           /* bytes of a kind's name */
#define TROUPE_ID_MAX 191            /* bytes of an id */
#define TROUPE_ADDRESS_MAX 223       /* kind, slash, id */
#define TROUPE_NAME_MAX 63           /* bytes of a verb, channel or timer name */
#define TROUPE_KEY_MAX 191           /* bytes of a state key */
#define TROUPE_VALUE_MAX (1u << 24)  /* bytes of a stored value */
#define TROUPE_BODY_MAX (1u << 22)   /* bytes of a message's body */
#define TROUPE_TURN_MAX (1u << 25)   /* bytes of all effects of one turn */
#define TROUPE_EFFECTS_MAX 65536     /* messages, timers and events of one turn */
#define TROUPE_TIME_MAX (1ull << 53) /* ms: when a timer is due, its period, the time for an answer */

typedef enum {
    TROUPE_OK = 0,

    /* refusals: final, the caller is told, no effects */
    TROUPE_REFUSED,    /* the handler said no */
    TROUPE_INVALID,    /* an argument, a body or an address does not fit */
    TROUPE_NOT_FOUND,  /* no such kind, verb, key, timer or record */
    TROUPE_FORBIDDEN,  /* this caller may not */
    TROUPE_TOO_LARGE,  /* over a limit */

    /* nothing happened, or nobody knows */
    TROUPE_OVERLOADED, /* not accepted; try again after a while */
    TROUPE_TIMEOUT,    /* no answer before the deadline */
    TROUPE_UNKNOWN,    /* outcome unknown: it may have happened or not */
    TROUPE_STOPPING,   /* the node is going down; not accepted */
    TROUPE_PARKED,     /* the actor is set aside until an operator revives it */

    /* failures: a turn that ends so is tried again */
    TROUPE_FAILED,     /* the handler failed */
    TROUPE_NO_MEMORY,

    /* a store or a node that cannot go on */
    TROUPE_IO,         /* a system call failed */
    TROUPE_FULL,       /* no space left on the device */
    TROUPE_CORRUPT,    /* bytes on disk are not what was written */
    TROUPE_MISMATCH,   /* other format version, store, shard count or epoch */
    TROUPE_LOCKED,     /* another process has the store open */
    TROUPE_STATUSES
} troupe_status_t;

/*  A short name for a status, "overloaded". Any thread; never NULL. */
TROUPE_EXPORT const char *troupe_status_name (troupe_status_t status);

/*  What went wrong and what to do. Owned by the caller. */
typedef struct {
    troupe_status_t status;
    char text[256];
} troupe_error_t;

typedef struct troupe_turn_s troupe_turn_t;
typedef struct troupe_s troupe_t;

/* ------------------------------------------------------------------ *
 *  Kinds
 * ------------------------------------------------------------------ */

typedef troupe_status_t (troupe_handler_t) (troupe_turn_t *turn);

/*  Who may call a verb or watch a channel from outside. Programs that embed
 *  a node and other actors may always. */
typedef enum {
    TROUPE_ACTORS = 0,   /* only actors and the operator */
    TROUPE_ANYONE,       /* not even signed in */
    TROUPE_SIGNED_IN,    /* any subject */
    TROUPE_OWNER,        /* the subject whose id is the actor's id or affinity key */
    TROUPE_OPERATOR,     /* the operator role */
    TROUPE_DECIDES,      /* the handler looks at troupe_subject and decides; of a channel: its .permit */
    TROUPE_ROLE          /* whoever has .role */
} troupe_allow_t;

typedef struct {
    const char *name;
    troupe_handler_t *run;
    troupe_allow_t allow;
    bool reads;           /* a read: may load and reply, nothing else; not recorded */
    const char *args;     /* fields of the body, "laps:int note?:string"; NULL: not checked.
                             Types: int number string bool bytes array object any */
    const char *gives;    /* fields of the reply, for documentation */
    const char *role;     /* with TROUPE_ROLE: its name; a node's kinds have at most 30 of them */
    uint32_t budget_ms;   /* a turn over it is reported; 0: the node's default */
    const char *doc;
} troupe_verb_t;

/*  What the watchers of a channel are told of each other, at most once a second. */
typedef enum {
    TROUPE_PRESENCE_NONE = 0,
    TROUPE_PRESENCE_COUNT,  /* how many they are */
    TROUPE_PRESENCE_LIST    /* and the subjects of those who are signed in, up to 100: all see all */
} troupe_presence_t;

typedef struct {
    const char *name;
    uint32_t keep;        /* events of history; 0 with keep_ms 0: 1000 */
    uint64_t keep_ms;     /* and no older than this; 0: no bound by age. What newer code keeps no longer goes
                           * bit by bit, with the events that come in */
    bool is_volatile;     /* not recorded: latest value per key, gone with the process */
    bool conflates;       /* who reads slowly may get only the latest event of each key; volatile ones always do so */
    uint32_t rate;        /* a watcher hears of this feed at most so often a second; 0: no bound. The events between
                           * come together, of a channel that conflates the latest of each key alone */
    const char *snapshot; /* a read verb without arguments, whose reply tells a new watcher what the events that are
                           * no longer kept had told; NULL: none */
    troupe_allow_t allow;
    const char *permit;   /* with TROUPE_DECIDES: a read verb without arguments that runs for whoever wants to watch
                           * (troupe_subject); when it refuses, the watch is refused. It is asked again when a
                           * watcher has a new token, and after troupe_permit_changed */
    const char *role;     /* with TROUPE_ROLE */
    troupe_presence_t presence;
    const char *doc;
} troupe_channel_t;

/*  Tables end with a NULL name; names of verbs and channels are 1 to
 *  TROUPE_NAME_MAX of a-z A-Z 0-9 . - _ and begin with a letter or digit. A kind and its tables live as long as the
 *  nodes that they were given to. */
typedef struct {
    const char *name;
    uint32_t version;     /* of the state; 1 or more */
    const troupe_verb_t *verbs;
    const troupe_channel_t *channels;
    size_t cache_size;    /* bytes of troupe_cache, zeroed before wake */
    troupe_handler_t *wake;               /* may load; fills the cache; before the first turn */
    void (*sleep) (void *cache);          /* frees what the cache holds; no turn */
    troupe_status_t (*upgrade) (troupe_turn_t *turn, uint32_t from_version);
    const char *doc;
} troupe_kind_t;

/*  A shared object that `troupe serve FILE.so` loads says so once:
 *      TROUPE_KINDS (&runner, &coach) */
#define TROUPE_KINDS(...)                                                      \
    TROUPE_EXPORT extern const troupe_kind_t *const troupe_kinds[];            \
    const troupe_kind_t *const troupe_kinds[] = { __VA_ARGS__, NULL };

/* ------------------------------------------------------------------ *
 *  Inside a turn: the message
 * ------------------------------------------------------------------ */

/*  These are borrowed until the turn ends and never NULL. */
TROUPE_EXPORT const char *troupe_self (const troupe_turn_t *turn);     /* this actor's address */
TROUPE_EXPORT const char *troupe_id (const troupe_turn_t *turn);       /* the part after the slash */
TROUPE_EXPORT const char *troupe_verb (const troupe_turn_t *turn);     /* the verb that runs */
TROUPE_EXPORT const char *troupe_sender (const troupe_turn_t *turn);   /* the telling actor, "" from outside */
TROUPE_EXPORT const char *troupe_subject (const troupe_turn_t *turn);  /* who called from outside, or "" */

/*  The traceparent (W3C) that came with the call from outside which set this off, as it came: messages and answers
 *  carry it from turn to turn, timers do not. "" when there was none; the text lives until the turn ends. */
TROUPE_EXPORT const char *troupe_trace (troupe_turn_t *turn);

/*  1 for the first try of this message, 2 for the second ... */
TROUPE_EXPORT uint32_t troupe_attempt (const troupe_turn_t *turn);

/*  Reads the body; an empty one counts as an object without fields. On a
 *  mismatch TROUPE_INVALID, with a text that names the place; a handler may
 *  return that as it is. Strings live until the turn ends. */
TROUPE_EXPORT troupe_status_t troupe_unpack (troupe_turn_t *turn, const char *format, ...) TROUPE_CHECKED;

/*  The body as packed bytes, borrowed until the turn ends. */
TROUPE_EXPORT const void *troupe_body (const troupe_turn_t *turn, size_t *size);

/*  The body as a new jansson tree, for those who want one; NULL when out of
 *  memory (the turn is then poisoned). The caller decrefs it. */
TROUPE_EXPORT json_t *troupe_body_tree (troupe_turn_t *turn);

/*  Milliseconds since 1970 in shard time: the same all through the turn, never
 *  back, also over a restart. */
TROUPE_EXPORT uint64_t troupe_now (const troupe_turn_t *turn);

/*  Dice that fall the same way when the turn is run again. */
TROUPE_EXPORT uint64_t troupe_random (troupe_turn_t *turn);

/*  A UUID (version 8) of 36 characters and a NUL, unique in the life of the store. */
TROUPE_EXPORT void troupe_uuid (troupe_turn_t *turn, char text[37]);

/*  The actor's C struct of `cache_size` bytes. It lives while the actor is
 *  awake and is dropped by a failed turn: never the only copy of anything. */
TROUPE_EXPORT void *troupe_cache (troupe_turn_t *turn);

typedef enum { TROUPE_LOG_DEBUG, TROUPE_LOG_INFO, TROUPE_LOG_WARNING, TROUPE_LOG_ERROR } troupe_level_t;

/*  A line in the node's log, with the actor, the verb and the trace; at most 1,000 bytes of it. Written at once and not
 *  with the turn: one that is run again says it again. No secrets. */
TROUPE_EXPORT void troupe_log (troupe_turn_t *turn, troupe_level_t level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* ------------------------------------------------------------------ *
 *  Inside a turn: state. Keys are C strings of 1 to TROUPE_KEY_MAX bytes.
 * ------------------------------------------------------------------ */

/*  Copies a value of at most `size` bytes. TROUPE_NOT_FOUND leaves the buffer
 *  unchanged; TROUPE_TOO_LARGE when the value does not fit (also unchanged); a
 *  shorter value fills the front. */
TROUPE_EXPORT troupe_status_t troupe_load (troupe_turn_t *turn, const char *key, void *buffer, size_t size);

/*  The value itself, borrowed until the next effect on this key or the end of
 *  the turn; NULL when absent. */
TROUPE_EXPORT const void *troupe_value (troupe_turn_t *turn, const char *key, size_t *size);

TROUPE_EXPORT troupe_status_t troupe_store (troupe_turn_t *turn, const char *key, const void *value, size_t size);

/*  Stores the value with these bytes behind it. Each frame holds such a value whole, however
 *  little was added: what grows large belongs in keys of its own, say with a number in them. */
TROUPE_EXPORT troupe_status_t troupe_append (troupe_turn_t *turn, const char *key, const void *bytes, size_t size);

TROUPE_EXPORT troupe_status_t troupe_erase (troupe_turn_t *turn, const char *key);

/*  Packed values by format. troupe_fetch: TROUPE_NOT_FOUND when absent,
 *  TROUPE_INVALID when it does not fit the format. */
TROUPE_EXPORT troupe_status_t troupe_save (troupe_turn_t *turn, const char *key, const char *format, ...);
TROUPE_EXPORT troupe_status_t troupe_fetch (troupe_turn_t *turn, const char *key, const char *format,
                                            ...) TROUPE_CHECKED;

/*  Erases all keys of this actor, and nothing else of it. */
TROUPE_EXPORT troupe_status_t troupe_erase_all (troupe_turn_t *turn);

/*  Calls `each` for every key that begins with `prefix`, in byte order, with
 *  the value as this turn sees it. `each` returns false to stop; it may not
 *  make effects. */
typedef bool (troupe_each_t) (void *arg, const char *key, const void *value, size_t size);
TROUPE_EXPORT troupe_status_t troupe_each (troupe_turn_t *turn, const char *prefix, troupe_each_t *each, void *arg);

/* ------------------------------------------------------------------ *
 *  Inside a turn: messages
 * ------------------------------------------------------------------ */

/*  Sends a message: exactly once, in the order sent between two actors. */
TROUPE_EXPORT troupe_status_t troupe_tell (troupe_turn_t *turn, const char *to, const char *verb,
                                           const char *format, ...);

/*  Sends a message at most once: never written, gone with the process. */
TROUPE_EXPORT troupe_status_t troupe_cast (troupe_turn_t *turn, const char *to, const char *verb,
                                           const char *format, ...);

/*  Asks: the reply, or its refusal, or the deadline (in `within_ms` from now;
 *  0: 30 s), whichever is first, comes back exactly once as a message for this actor's verb `then`, where
 *  troupe_outcome tells which and troupe_asked gives the id returned here. The
 *  question is durable. 0 when it failed (the turn is poisoned). */
TROUPE_EXPORT uint64_t troupe_ask (troupe_turn_t *turn, const char *to, const char *verb, const char *then,
                                   uint64_t within_ms, const char *format, ...);
TROUPE_EXPORT uint64_t troupe_asked (const troupe_turn_t *turn);
TROUPE_EXPORT troupe_status_t troupe_outcome (const troupe_turn_t *turn);

/*  Replies to whoever called or asked; once a turn; nothing when nobody waits.
 *  Returns TROUPE_OK or the reason why the reply could not be packed. */
TROUPE_EXPORT troupe_status_t troupe_reply (troupe_turn_t *turn, const char *format, ...);

/*  Refuses: the turn's effects are dropped and the caller gets this text.
 *  Returns TROUPE_REFUSED: `return troupe_refuse (turn, "no funds")`. */
TROUPE_EXPORT troupe_status_t troupe_refuse (troupe_turn_t *turn, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/*  Fails: like refuse, but the message is tried again. Returns TROUPE_FAILED. */
TROUPE_EXPORT troupe_status_t troupe_fail (troupe_turn_t *turn, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/*  Replies later: the text names the caller, is at most TROUPE_CALLER_MAX
 *  bytes with its NUL, and may be stored. A later turn of this actor answers
 *  with troupe_answer, once; status TROUPE_OK, or a refusal and its text as
 *  {"error": ...} of your own. */
#define TROUPE_CALLER_MAX 320
TROUPE_EXPORT const char *troupe_reply_later (troupe_turn_t *turn);
TROUPE_EXPORT troupe_status_t troupe_answer (troupe_turn_t *turn, const char *caller, troupe_status_t status,
                                             const char *format, ...);

/* ------------------------------------------------------------------ *
 *  Inside a turn: time and feeds
 * ------------------------------------------------------------------ */

/*  What a repeating timer does about ticks that fell into a time when the
 *  node was down or the actor was busy. */
typedef enum {
    TROUPE_TICK_ONCE,  /* one tick for all that were missed */
    TROUPE_TICK_EACH   /* every one of them, one after the other */
} troupe_tick_t;

/*  Named durable timers of this actor; setting a name again replaces it. The
 *  tick is a message for `verb` with the packed body. */
TROUPE_EXPORT troupe_status_t troupe_timer_at (troupe_turn_t *turn, const char *name, const char *verb,
                                               uint64_t due_ms, const char *format, ...);
TROUPE_EXPORT troupe_status_t troupe_timer_every (troupe_turn_t *turn, const char *name, const char *verb,
                                                  uint64_t period_ms, troupe_tick_t missed,
                                                  const char *format, ...);
TROUPE_EXPORT troupe_status_t troupe_timer_cancel (troupe_turn_t *turn, const char *name);

/*  Publishes an event on a channel of this actor's kind. With a key, a slow
 *  watcher may be given only the latest event of that key. */
TROUPE_EXPORT troupe_status_t troupe_publish (troupe_turn_t *turn, const char *channel, const char *format, ...);
TROUPE_EXPORT troupe_status_t troupe_publish_key (troupe_turn_t *turn, const char *channel, const char *key,
                                                  const char *format, ...);

/*  What the channel's .permit says may be another thing now: it is asked again about all who watch this channel of the
 *  actor, and they hear of nothing that is published after this call before it agreed. TROUPE_INVALID: the channel has
 *  no .permit. */
TROUPE_EXPORT troupe_status_t troupe_permit_changed (troupe_turn_t *turn, const char *channel);

/* ------------------------------------------------------------------ *
 *  A node
 * ------------------------------------------------------------------ */

/*  Makes a node that hosts the kinds of a NULL-ended array. NULL and an error
 *  when a kind's table is wrong. Destroy it with troupe_destroy. */
TROUPE_EXPORT troupe_t *troupe_new (const troupe_kind_t *const *kinds, troupe_error_t *error);

/*  Changes a setting before the start, by the names of troupe.conf(5):
 *  troupe_set (node, "store", "./data", &error). */
TROUPE_EXPORT troupe_status_t troupe_set (troupe_t *node, const char *name, const char *value,
                                          troupe_error_t *error) TROUPE_CHECKED;

/*  Opens the store, recovers, and starts the threads. */
TROUPE_EXPORT troupe_status_t troupe_start (troupe_t *node, troupe_error_t *error) TROUPE_CHECKED;

/*  Refuses new calls, finishes the turns in hand, folds, and joins the threads. */
TROUPE_EXPORT void troupe_stop (troupe_t *node);

/*  Stops when needed, frees all, and sets the pointer to NULL. */
TROUPE_EXPORT void troupe_destroy (troupe_t **node_p);

/*  The answer to a call: borrowed until the completion returns, or owned by
 *  the caller of troupe_call_wait until troupe_answer_clear. */
typedef struct {
    troupe_status_t status;
    const void *body;          /* packed; NULL when empty */
    size_t size;
    const char *text;          /* of an error, else "" */
    uint32_t retry_after_ms;   /* with TROUPE_OVERLOADED, never 0; else 0 */
    uint64_t head;             /* of the channel that the call named: offset of its newest event, 0 before the first */
} troupe_answer_t;

/*  Runs on a thread of the node: hand over, never block. */
typedef void (troupe_done_t) (void *arg, const troupe_answer_t *answer);

/*  A call in full. With a session, the pair (session, seq) is run exactly once
 *  however often it is submitted, and every submission gets the first one's
 *  answer, until `not_after_ms`, which is then required, is the same with every
 *  submission, and later than which it is refused with TROUPE_UNKNOWN. Without
 *  one it is run at most once by this process, and TROUPE_UNKNOWN is the answer
 *  when the process could not tell, or when there is none by `not_after_ms`. That
 *  may be at most twice call_keep_ms ahead.
 *
 *  A verb that reads leaves no record: once it is answered, the next submission is run for itself, and its answer
 *  shows the actor as it is then.
 *
 *  A session belongs to the store as it is. In one that was restored from a backup nothing is known of calls after
 *  the backup: submitted again they would be run again. So take a new session id after a restore, and look at what
 *  the unanswered ones did. (The gateway refuses sessions of the time before by itself.) */
typedef struct {
    const char *to;            /* "kind/id" */
    const char *verb;
    const void *body;          /* packed; copied */
    size_t size;
    const char *subject;       /* who calls, or NULL */
    uint8_t session[16];       /* all zero: none */
    uint64_t seq;              /* 1, 2, 3 ... within the session */
    bool ordered;              /* after an "overloaded" or "parked", later ones of it to actors of the same shard are
                                * refused too, until it is accepted; submit again in order */
    uint64_t not_after_ms;     /* wall clock, ms since 1970; 0: the node's limit from now */
    const char *channel;       /* of this actor, or NULL: the answer to a read tells the offset of its newest event,
                                * both of the same moment */
    const char *trace;         /* a W3C traceparent, or NULL; one that is malformed counts as none */
    troupe_done_t *done;       /* called exactly once when troupe_submit gave TROUPE_OK */
    void *arg;
} troupe_call_t;

/*  Any thread. Anything but TROUPE_OK: nothing was accepted, `done` is not called. */
TROUPE_EXPORT troupe_status_t troupe_submit (troupe_t *node, const troupe_call_t *call,
                                             troupe_error_t *error) TROUPE_CHECKED;

/*  The short forms, any thread but one of the node's. */
TROUPE_EXPORT troupe_status_t troupe_call (troupe_t *node, const char *to, const char *verb, troupe_done_t *done,
                                           void *arg, const char *format, ...) TROUPE_CHECKED;
TROUPE_EXPORT troupe_status_t troupe_call_wait (troupe_t *node, const char *to, const char *verb,
                                                troupe_answer_t *answer, const char *format, ...);
TROUPE_EXPORT troupe_status_t troupe_answer_unpack (const troupe_answer_t *answer, troupe_error_t *error,
                                                    const char *format, ...) TROUPE_CHECKED;
TROUPE_EXPORT void troupe_answer_clear (troupe_answer_t *answer);

/*  JSON text to packed bytes and back; malloced, freed with free(). NULL and
 *  an error when the text is no JSON, too deep or too large. */
TROUPE_EXPORT void *troupe_pack_json (const char *text, size_t length, size_t *size, troupe_error_t *error);
TROUPE_EXPORT char *troupe_unpack_json (const void *body, size_t size, troupe_error_t *error);

/*  A whole program: `serve`, `call`, `inspect`, `top`, `dead`, `check`,
 *  `backup`, `bench` and the rest, for the given kinds. Returns an exit code.
 *      return troupe_main (argc, argv, &runner, &coach, NULL); */
TROUPE_EXPORT int troupe_main (int argc, char **argv, ...) __attribute__ ((sentinel));

#ifdef __cplusplus
}
#endif
#endif
