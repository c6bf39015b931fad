/*  release.c - what waits for a frame to be durable, and leaves then.
 *
 *  DESIGN. Nothing that this shard did is seen outside before it is on disk.
 *  An output hangs on the frame that it waits for: the one that it is an
 *  effect of, or the newest one that changed what it shows. If that frame is
 *  durable already the output leaves at once. Frames become durable in order,
 *  so that outputs of one frame leave in the order in which they were made,
 *  and before those of the next.
 */

#include "runtime/inside.h"
#include "runtime/base/clock.h"
#include "runtime/base/memory.h"

output_t *
output_new (shard_t *self, output_type_t type, size_t bytes)
{
    output_t *output = pool_alloc (&self->pool, sizeof *output + bytes);
    if (!output) {
        shard_fail (self, TROUPE_NO_MEMORY, "no memory for what must leave");
        return NULL;
    }
    output->next = NULL;
    output->type = type;
    output->size = (uint32_t) (sizeof *output + bytes);
    return output;
}

static void
push_event (shard_t *self, const output_t *output)
{
    if (!self->world.published)
        return;
    const char *address = (const char *) output->bytes;
    const char *key = address + output->event.address_size + 1;
    const char *body = key + output->event.key_size + 1;
    self->world.published (self->world.self, self->number, address, output->event.channel->name,
                           output->event.offset, output->event.has_key ? key : NULL, body, output->event.body_size);
}

/*  The end of a call, measured when its begin was. */
static void
finish (shard_t *self, call_t **call_p, troupe_status_t status, const void *body, size_t size, const char *text)
{
    if ((*call_p)->submitted_ns)
        histogram_add (&self->metrics.call_ns, clock_monotonic_ns () - (*call_p)->submitted_ns);
    call_finish (call_p, status, body, size, text, 0);
}

static void
leave (shard_t *self, output_t *output)
{
    switch (output->type) {
    case OUTPUT_ANSWER:
        finish (self, &output->answer.call, output->answer.status, output->answer.body_size ? output->bytes : NULL,
                output->answer.body_size, (const char *) output->bytes + output->answer.body_size);
        break;
    case OUTPUT_LINK:
    case OUTPUT_TAKEN:
        link_released (self, output);
        break;
    case OUTPUT_EVENT:
        push_event (self, output);
        break;
    case OUTPUT_RUN:
        output->run.run (output->run.arg, true);
        break;
    case OUTPUT_FORGIVE:
        recorder_forgive (self->recorder, output->forgiven);
        break;
    case OUTPUT_OFFER:
        remote_offer (self, output->offered);
        break;
    }
    pool_free (&self->pool, output, output->size);
}

static frame_t *
find_frame (shard_t *self, uint64_t number)
{
    if (number == self->open->number)
        return self->open;
    frame_t *frame = self->undurable;
    while (frame && frame->number != number)
        frame = frame->next_in_shard;
    CHECK (frame);
    return frame;
}

void
release_after (shard_t *self, output_t *output, uint64_t number)
{
    if (number <= self->released) {
        leave (self, output);
        return;
    }
    frame_t *frame = find_frame (self, number);
    if (frame->outputs_last)
        frame->outputs_last->next = output;
    else
        frame->outputs = output;
    frame->outputs_last = output;
    if (frame == self->open)
        self->wanted = true;
}

void
release_frames (shard_t *self, uint64_t durable)
{
    uint64_t now_ns = clock_monotonic_ns ();
    while (self->undurable && self->undurable->number <= durable) {
        frame_t *frame = self->undurable;
        histogram_add (&self->metrics.durable_ns, now_ns - frame->sealed_ns);
        output_t *output = frame->outputs;
        frame->outputs = frame->outputs_last = NULL;
        self->undurable = frame->next_in_shard;
        self->undurable_bytes -= frame->body.size;
        self->released = frame->number;
        for (output_t *next; output; output = next) {
            next = output->next;
            leave (self, output);
        }
    }
}

void
release_answer (shard_t *self, call_t *call, uint64_t frame, troupe_status_t status, const void *body, size_t size,
                const char *text)
{
    if (frame <= self->released) {
        finish (self, &call, status, body, size, text);
        return;
    }
    size_t text_size = strlen (text) + 1;
    output_t *output = output_new (self, OUTPUT_ANSWER, size + text_size);
    if (!output) {
        call_finish (&call, TROUPE_UNKNOWN, NULL, 0, "no memory to answer", 0);
        return;
    }
    output->answer.call = call;
    output->answer.status = status;
    output->answer.body_size = (uint32_t) size;
    output->answer.text_size = (uint32_t) text_size;
    if (size)
        memcpy (output->bytes, body, size);
    memcpy (output->bytes + size, text, text_size);
    release_after (self, output, frame);
}

/*  Forgiven earlier, a message that comes back with a crash would kill the process as often again. */
void
release_forgive (shard_t *self, uint64_t message)
{
    if (!recorder_find (self->recorder, message))
        return;
    output_t *output = output_new (self, OUTPUT_FORGIVE, 0);
    if (!output)
        return;
    output->forgiven = message;
    release_after (self, output, self->open->number);
}

troupe_status_t
shard_release_after (shard_t *self, void (*run) (void *arg, bool is_durable), void *arg)
{
    output_t *output = output_new (self, OUTPUT_RUN, 0);
    if (!output)
        return TROUPE_NO_MEMORY;
    output->run.run = run;
    output->run.arg = arg;
    bool is_open_empty = self->open->body.size == 0 && !self->dirty && !self->wanted && !self->wanted_soon;
    release_after (self, output, is_open_empty ? self->sealed : self->open->number);
    return TROUPE_OK;
}

/*  The node goes down: nothing of this frame may leave any more. */
void
release_drop (shard_t *self, frame_t *frame)
{
    for (output_t *output = frame->outputs, *next; output; output = next) {
        next = output->next;
        if (output->type == OUTPUT_ANSWER)
            call_finish (&output->answer.call, TROUPE_UNKNOWN, NULL, 0, "the node stopped before it was durable", 0);
        else if (output->type == OUTPUT_LINK)
            memory_free (output->link.parcel);
        else if (output->type == OUTPUT_RUN)
            output->run.run (output->run.arg, false);
        pool_free (&self->pool, output, output->size);
    }
    frame->outputs = frame->outputs_last = NULL;
}
