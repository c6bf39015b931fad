/*  hand.h - a few shards run by hand: no threads, no disk, no clock.
 *
 *  Frames wait in a list until hand_commit makes them durable, letters are
 *  carried when shards are stepped. hand_crash throws away all that is not
 *  durable and starts the shards again from the state and the durable frames.
 */
#ifndef TESTS_UNIT_HAND_H
#define TESTS_UNIT_HAND_H

#include "runtime/body/pack.h"
#include "runtime/shard.h"
#include "storage/state.h"

#define HAND_SHARDS 4
#define HAND_FRAMES 4096

typedef struct {
    frame_t *shard_copy;      /* the shard's own */
    uint16_t shard;
    uint64_t number, time_ms;
    buffer_t body;
} hand_frame_t;

typedef struct {
    registry_t *registry;
    state_port_t *state;
    shard_t *shards[HAND_SHARDS];
    shard_limits_t limits;
    const remote_port_t *remote;  /* NULL: no kind is remote */
    uint64_t (*clock_ns) (void *self);  /* of slices; NULL: the machine's */
    uint64_t now_ms;
    uint64_t boots;
    hand_frame_t frames[HAND_FRAMES];   /* not folded, oldest first */
    size_t frame_count, durable_count;
    bool commits;             /* frames are durable as soon as they are submitted */
    bool is_stuck;            /* the journal takes no frame from its queue: see hand_take */
} hand_t;

void hand_start (hand_t *self, const troupe_kind_t *const *kinds);
void hand_stop (hand_t *self);

/*  Steps all shards until none has anything to do. */
void hand_run (hand_t *self);
void hand_commit (hand_t *self);  /* all submitted frames are durable; then runs */
void hand_fold (hand_t *self);    /* all durable frames are folded; then runs */
void hand_crash (hand_t *self);
void hand_crash_into (hand_t *self, const troupe_kind_t *const *kinds);  /* and starts with these kinds */
void hand_advance (hand_t *self, uint64_t ms);

/*  As the journal and the checkpoint do it beside the shards: nothing runs. */
void hand_take (hand_t *self);
void hand_sync (hand_t *self);
void hand_fold_aside (hand_t *self);

/*  A call; `answer` is filled when it is answered (status TROUPE_STATUSES until then). */
typedef struct {
    troupe_status_t status;
    int answers;
    uint8_t body[4096];
    size_t size;
    char text[256];
    uint32_t retry_after_ms;
} hand_answer_t;

void hand_call (hand_t *self, hand_answer_t *answer, const char *to, const char *verb, const char *format, ...);
/*  The same, and nothing runs. */
void hand_post (hand_t *self, hand_answer_t *answer, const char *to, const char *verb, const char *format, ...);
void hand_session_call (hand_t *self, hand_answer_t *answer, uint64_t session, uint64_t seq, const char *to,
                        const char *verb, const char *format, ...);
/*  Any call, without a body unless it has one; nothing runs. */
void hand_submit (hand_t *self, hand_answer_t *answer, const troupe_call_t *asked);
bool hand_read (const hand_answer_t *answer, const char *format, ...);
shard_t *hand_shard_of (hand_t *self, const char *address);

#endif
