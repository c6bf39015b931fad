/*  remote.h - kinds that workers outside of the process serve. Two ports: shards use remote_port_t, which
 *  transports make; transports use remote_host_t, which commands make.
 *
 *  A turn of a remote kind has two steps. When a message comes up, and all that it shows is durable, its shard
 *  offers it to the port and sets the actor aside: it is `away`, its mail keeps queueing. A worker handles the
 *  message and the transport hands the outcome in, with the token of the offer. Then the turn runs: the effects
 *  are applied and join a frame as those of any other turn do, the message is consumed, the caller is answered
 *  once that is durable. A token is good for one outcome; any other is counted and ignored. What a worker does
 *  besides, no frame takes back.
 *
 *  The transport keeps its workers apart: an outcome is handed in only when it comes from the worker that has the
 *  offer, and an offer goes only to a worker that announced its kind with the offer's version.
 */
#ifndef RUNTIME_PORT_REMOTE_H
#define RUNTIME_PORT_REMOTE_H

#include "runtime/base/buffer.h"

#include <troupe.h>

#define REMOTE_TOKEN_SIZE 16
#define REMOTE_STATE_MAX TROUPE_TURN_MAX  /* bytes of an actor's packed state; a turn that grows it beyond fails */
#define REMOTE_TABLE_MAX (1u << 18)       /* bytes of an announced table, packed or as JSON */
#define REMOTE_KINDS_MAX 128              /* of a node */
#define REMOTE_ATTEMPT_MS 30000           /* then an attempt is lost, unless table or verb say otherwise */
#define REMOTE_ATTEMPT_MAX_MS 3600000

typedef struct {
    uint8_t bytes[REMOTE_TOKEN_SIZE];
} remote_token_t;

typedef enum {
    REMOTE_TELL,      /* an actor told it */
    REMOTE_CAST,      /* the same, at most once */
    REMOTE_CALL,      /* from outside; a reply is wanted */
    REMOTE_QUESTION,  /* an actor asks; a reply is wanted */
    REMOTE_ANSWER,    /* to a question of this actor: see `asked` and `outcome` */
    REMOTE_TICK       /* of a timer of this actor */
} remote_what_t;

/*  One message of one actor. All of it is borrowed until `offer` returns; texts are never NULL. */
typedef struct {
    const char *kind;
    uint32_t kind_version;
    const char *address;
    const char *verb;
    remote_what_t what;
    bool reads;               /* a read: may reply or refuse, nothing else */
    const char *sender;       /* the telling actor, "" from outside */
    const char *subject;      /* who called from outside, or "" */
    const char *trace;        /* traceparent, or "" */
    const char *caller;       /* with REMOTE_CALL, REMOTE_QUESTION: whom "answer" will name after a "later"; else "" */
    uint64_t asked;           /* with REMOTE_ANSWER: id of the question, and how it ended */
    troupe_status_t outcome;
    const void *body;         /* packed; NULL when empty */
    size_t size;
    uint64_t id;              /* of the message, the same in each attempt: a key for what is done outside */
    uint32_t attempt;         /* 1 for the first try */
    uint64_t now_ms;          /* shard time */
    uint64_t budget_ms;       /* from now on; then the attempt is lost */
    uint64_t boot;            /* the state is named by boot, address and this number, which no other state of */
    uint64_t version;         /* this actor has or had since the boot */
    uint32_t state_version;   /* of the kind that wrote the state; 0: there is none. When it is older than
                               * kind_version, the first turn that changes anything brings all of it up to date */
    bool has_state;           /* false: `holds` said that the worker has it */
    const void *state;        /* a packed object: key -> bytes, all of them */
    size_t state_size;
} remote_offer_t;

/*  What became of an offer. */
typedef enum {
    REMOTE_DONE,       /* a worker handled it: `status`, `text`, `effects` */
    REMOTE_LOST,       /* the worker that had it died or broke the protocol: tried again as after a failed turn, which
                        * in the end makes a dead letter of it */
    REMOTE_UNTAKEN,    /* no worker ever began with it: offered again, as if nothing had been */
    REMOTE_STATELESS   /* the worker does not have that state any more: offered again at once, with the state */
} remote_end_t;

/*  With REMOTE_DONE, borrowed until `outcome` returns:
 *      status   TROUPE_OK: the effects are applied. A refusal (TROUPE_REFUSED ... TROUPE_TOO_LARGE): none, the caller
 *               gets `text`. Any other: the turn failed with `text` and is tried again
 *      effects  looked at only with TROUPE_OK; NULL and 0: none. One packed array:
 *
 *      effects = [ *effect ]                  ; at most TROUPE_EFFECTS_MAX, TROUPE_TURN_MAX bytes in all
 *      effect  = ["store", key, bytes]        ; the value is these bytes
 *              / ["append", key, bytes]       ; it has these bytes behind it
 *              / ["erase", key]
 *              / ["erase_all"]
 *              / ["tell", to, verb, body]
 *              / ["cast", to, verb, body]
 *              / ["ask", to, verb, then, within_ms, body]      ; then: a verb of this kind; within_ms 0: 30 s
 *              / ["reply", body]              ; at most one of these two; without either the reply is empty. Nothing
 *              / ["later"]                    ; happens when nobody waits for one
 *              / ["answer", caller, status, body]              ; caller: of an earlier offer that said "later";
 *                                                              ; status: "ok" or a refusal's name, "refused" ...
 *              / ["timer", name, verb, due_ms, body]           ; ms since 1970
 *              / ["every", name, verb, period_ms, missed, body] ; missed: "once" / "each"
 *              / ["cancel", name]
 *              / ["publish", channel, key / nil, body]
 *              / ["permit", channel]          ; what its .permit says may be another thing now
 *      bytes   = bin / str
 *      body    = any one value, nil: empty
 *      others  = str without NUL, or int >= 0 where the name ends in _ms
 *
 *  They are applied in this order, all or none. A list that is not so, or an effect that the public API would
 *  refuse, fails the turn with a text that says which and why. */
typedef struct {
    remote_end_t end;
    troupe_status_t status;
    const char *text;         /* "" with TROUPE_OK; at most 255 bytes of it are kept */
    const void *effects;
    size_t size;
} remote_outcome_t;

/*  Made by the transport. Called on the threads of shards, by several at once, never blocking for longer than a
 *  short lock. They may call remote_host_t. NULL functions are not allowed. */
typedef struct {
    void *self;

    /* Whether the worker that an offer of this actor would go to has the state of this number. It was told of it by
     * an offer, or by `settled`. When that turns out wrong: REMOTE_STATELESS. */
    bool (*holds) (void *self, const char *kind, const char *address, uint64_t version);

    /* Takes an offer and makes its token: random, or at least never made before since the process began. False: no
     * worker, or no room for more; then the port calls remote_host_t.ready once there is room for this kind. */
    bool (*offer) (void *self, const remote_offer_t *offer, remote_token_t *token);

    /* The shard gives an attempt up (its time is over): an outcome would be ignored. True: a worker has it or had it,
     * false: it still waited for one. */
    bool (*withdraw) (void *self, const char *address, const remote_token_t *token);

    /* An outcome REMOTE_DONE was applied (`is_kept`; a reader's, too), and the state now has this number: the worker
     * has it, too, if it keeps what it changed. Or all of it was undone, and the state is the one that was offered. */
    void (*settled) (void *self, const char *address, const remote_token_t *token, bool is_kept, uint64_t version);
} remote_port_t;

/*  Made by the node, for the transport. Any thread. */
typedef struct {
    void *self;
    uint64_t boot;

    /* A worker serves this kind; the table as a packed object:
     *      { "kind": str, "version": int, ? "doc": str, ? "attempt_ms": int,
     *        "verbs": [ 1* { "name": str, ? "allow": allow, ? "reads": bool, ? "args": str, ? "gives": str,
     *                        ? "budget_ms": int, ? "doc": str } ],       ; budget_ms: of an attempt; 0: attempt_ms
     *        ? "channels": [ * { "name": str, ? "keep": int, ? "keep_ms": int, ? "volatile": bool,
     *                            ? "conflates": bool, ? "rate": int, ? "snapshot": str, ? "allow": allow,
     *                            ? "permit": str, ? "doc": str } ] }
     *      allow = "actors" / "anyone" / "signed in" / "owner" / "operator" / "decides"    ; without it: actors
     * with the meaning of troupe_kind_t. Known for good when it returns TROUPE_OK: it waits for the disk, unless the
     * node has this very table. TROUPE_MISMATCH: the node has a newer version of it (this worker gets nothing), or
     * another table of this version. TROUPE_INVALID: something is wrong with it, or the name is taken. */
    troupe_status_t (*announce) (void *self, const void *table, size_t size, troupe_error_t *error);

    /* Once for each token. Does not block. Everything is copied. */
    void (*outcome) (void *self, const char *address, const remote_token_t *token, const remote_outcome_t *outcome);

    /* There is room for offers of this kind again: each shard offers what waits, until one is refused. Owed once
     * after each time that `offer` refused one of the kind, not more. Does not block. */
    void (*ready) (void *self, const char *kind);
} remote_host_t;

#endif
