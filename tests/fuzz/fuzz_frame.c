/*  fuzz_frame.c - the body of a frame as a disk may return it.
 *
 *  Any bytes can be walked; those that are ops all through give, written again,
 *  the same bytes.
 */
#include "runtime/frame.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define HOLDS(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            abort ();                                                          \
    } while (0)

static void
write_again (frame_t *frame, const frame_op_t *op)
{
    if (op->kind == FRAME_DELETE) {
        frame_delete (frame, op->key, op->key_size);
        return;
    }
    uint8_t *place = frame_put (frame, op->key, op->key_size, op->value_size);
    HOLDS (place);
    memcpy (place, op->value, op->value_size);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    frame_t *frame = frame_new (3, 17);
    frame_op_t op;
    size_t at = 0;
    HOLDS (frame);
    for (size_t before = 0; frame_next_op (data, size, &at, &op); before = at) {
        HOLDS (op.kind == FRAME_PUT || op.kind == FRAME_DELETE);
        HOLDS (at > before && at <= size && op.key == data + before + FRAME_OP_HEAD);
        HOLDS (op.key_size >= 1 && op.key_size <= FRAME_KEY_MAX);
        HOLDS (op.value == op.key + op.key_size && op.value + op.value_size == data + at);
        write_again (frame, &op);
    }
    HOLDS (frame_body_is_valid (data, size) == (at == size));
    HOLDS (frame->body.size == at && (at == 0 || memcmp (frame->body.data, data, at) == 0));
    frame_destroy (&frame);
    return 0;
}
