/*  frame.h - the effects of the turns that a shard ran since its last frame.
 *
 *  A frame is a list of absolute changes to the shard's ordered map of keys to
 *  values: put this, delete that. State, waiting mail, timers, feed history,
 *  links, records of calls, dead letters: each is a key (keys.h). So applying a
 *  frame twice changes nothing, the last change of a key wins, and state is
 *  the fold of frames.
 *
 *  Life: the shard builds it (open), seals it, submits it to the journal,
 *  hears that it is durable, later that it is folded into the state, and frees
 *  it. From seal to free the bytes never change: the journal and the
 *  checkpoint thread read them without a lock, the overlay points into them.
 *
 *  The body is a row of ops:
 *      u8 op | u16 key size | u32 value size | key | value      (little-endian)
 *  Keys here are without the shard's number, which the frame itself carries.
 */
#ifndef RUNTIME_FRAME_H
#define RUNTIME_FRAME_H

#include "runtime/base/buffer.h"
#include <stdint.h>

#define FRAME_BODY_MAX (256u << 20)  /* above what a shard lets an open frame grow to: see OPEN_BYTES_MOST */
#define FRAME_OP_HEAD 7
#define FRAME_KEY_MAX 506            /* LMDB's 511 less shard number and spare */

typedef enum { FRAME_PUT = 1, FRAME_DELETE = 2 } frame_op_kind_t;

typedef struct {
    frame_op_kind_t kind;
    const uint8_t *key;
    uint16_t key_size;
    const uint8_t *value;
    uint32_t value_size;  /* 0 for a delete */
} frame_op_t;

typedef struct frame_s {
    /* fixed after seal */
    uint16_t shard;
    uint64_t number;      /* 1, 2, 3 ... in its shard, no holes */
    uint64_t time_ms;     /* the shard's time at seal */
    buffer_t body;

    /* owner: journal, until durable; then checkpoint */
    struct frame_s *next;
    uint64_t lsn;         /* its place among the frames of all shards */

    /* owner: shard */
    struct frame_s *next_in_shard;  /* the frame after it, while any is unfolded */
    uint64_t sealed_ns;             /* monotonic */
    struct output_s *outputs;       /* what may leave when it is durable; a list */
    struct output_s *outputs_last;
} frame_t;

frame_t *frame_new (uint16_t shard, uint64_t number);
void frame_destroy (frame_t **self_p);

/*  Appends an op; returns the place of its value in the body (for a put), so
 *  that a caller may fill it in: NULL when out of memory or over FRAME_BODY_MAX
 *  (body.failed is then set and stays). */
uint8_t *frame_put (frame_t *self, const void *key, size_t key_size, size_t value_size);
void frame_delete (frame_t *self, const void *key, size_t key_size);

/*  Walks the ops: `*at` starts at 0. False at the end, or when the bytes are
 *  no ops: then *at != size. For bytes from disk. */
bool frame_next_op (const uint8_t *body, size_t size, size_t *at, frame_op_t *op);

/*  Whether the whole body is well-formed. */
bool frame_body_is_valid (const uint8_t *body, size_t size);

#endif
