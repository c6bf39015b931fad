/*  hand.c - a few shards run by hand; see hand.h. */

#include "tests/unit/hand.h"
#include "runtime/base/arena.h"
#include "runtime/base/error.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void
submit (void *self_, frame_t *frame)
{
    hand_t *self = self_;
    CHECK (self->frame_count < HAND_FRAMES);
    hand_frame_t *kept = &self->frames[self->frame_count++];
    *kept = (hand_frame_t) { frame, frame->shard, frame->number, frame->time_ms, { 0 } };
    buffer_append (&kept->body, frame->body.data, frame->body.size);
    if (!self->is_stuck)
        shard_taken (self->shards[frame->shard], frame->number);
}

static void
carry (void *self_, uint16_t to, letter_t *letter)
{
    hand_t *self = self_;
    shard_post (self->shards[to], letter);
}

static void
start_shards (hand_t *self)
{
    troupe_error_t error;
    self->boots += 1;
    for (uint16_t i = 0; i < HAND_SHARDS; i++) {
        shard_options_t options = { .number = i,
                                    .registry = self->registry,
                                    .state = self->state,
                                    .limits = self->limits,
                                    .remote = self->remote,
                                    .boot = 7 + self->boots,
                                    .world = { .self = self,
                                               .submit = submit,
                                               .carry = carry,
                                               .clock_ns = self->clock_ns } };
        self->shards[i] = shard_new (&options, &error);
        CHECK (self->shards[i]);
    }
    for (size_t i = 0; i < self->durable_count; i++) {
        hand_frame_t *kept = &self->frames[i];
        kept->shard_copy = frame_new (kept->shard, kept->number);
        kept->shard_copy->time_ms = kept->time_ms;
        buffer_append (&kept->shard_copy->body, kept->body.data, kept->body.size);
        CHECK (shard_replay (self->shards[kept->shard], kept->shard_copy, &error) == TROUPE_OK);
    }
    for (uint16_t i = 0; i < HAND_SHARDS; i++)
        CHECK (shard_start (self->shards[i], self->now_ms, &error) == TROUPE_OK);
}

static void
make_registry (hand_t *self, const troupe_kind_t *const *kinds)
{
    troupe_error_t error;
    self->registry = registry_new ();
    for (; *kinds; kinds++)
        CHECK (registry_add (self->registry, *kinds, &error) == TROUPE_OK);
}

void
hand_start (hand_t *self, const troupe_kind_t *const *kinds)
{
    make_registry (self, kinds);
    self->state = state_memory_new (HAND_SHARDS, 42);
    self->now_ms = 1000000;
    start_shards (self);
}

void
hand_stop (hand_t *self)
{
    for (uint16_t i = 0; i < HAND_SHARDS; i++)
        shard_destroy (&self->shards[i]);
    for (size_t i = 0; i < self->frame_count; i++)
        buffer_clear (&self->frames[i].body);
    self->frame_count = self->durable_count = 0;
    state_memory_destroy (&self->state);
    registry_destroy (&self->registry);
}

static void
make_durable (hand_t *self)
{
    for (; self->durable_count < self->frame_count; self->durable_count++) {
        hand_frame_t *kept = &self->frames[self->durable_count];
        shard_durable (self->shards[kept->shard], kept->number);
    }
}

void
hand_run (hand_t *self)
{
    for (bool again = true; again;) {
        again = false;
        for (uint16_t i = 0; i < HAND_SHARDS; i++) {
            const char *text;
            size_t before = self->frame_count;
            while (shard_step (self->shards[i], self->now_ms, NULL))
                again = true;
            if (self->frame_count > before)
                again = true;
            CHECK (shard_failure (self->shards[i], &text) == TROUPE_OK);
        }
        if (self->commits && self->durable_count < self->frame_count) {
            make_durable (self);
            again = true;
        }
        bool quiet = true;
        for (uint16_t i = 0; i < HAND_SHARDS; i++)
            quiet = quiet && shard_is_quiet (self->shards[i]);
        if (self->commits && !quiet) {
            self->now_ms += !again;  /* a frame that nobody waits for closes in a moment */
            again = true;
        }
    }
}

void
hand_commit (hand_t *self)
{
    hand_run (self);
    self->commits = true;
    hand_run (self);
    self->commits = false;
}

void
hand_take (hand_t *self)
{
    for (size_t i = self->durable_count; i < self->frame_count; i++)
        shard_taken (self->shards[self->frames[i].shard], self->frames[i].number);
}

void
hand_sync (hand_t *self)
{
    make_durable (self);
}

void
hand_fold_aside (hand_t *self)
{
    troupe_error_t error;
    state_mark_t marks[HAND_SHARDS];
    self->state->marks (self->state->self, marks);
    for (size_t i = 0; i < self->durable_count; i++) {
        hand_frame_t *kept = &self->frames[i];
        frame_op_t op;
        marks[kept->shard] = (state_mark_t) { kept->number, kept->time_ms };
        for (size_t at = 0; frame_next_op (kept->body.data, kept->body.size, &at, &op);) {
            state_change_t change = { kept->shard, op };
            CHECK (self->state->fold (self->state->self, &change, 1, marks, &error) == TROUPE_OK);
        }
        CHECK (self->state->fold (self->state->self, NULL, 0, marks, &error) == TROUPE_OK);
    }
    for (size_t i = 0; i < self->durable_count; i++) {
        shard_folded (self->shards[self->frames[i].shard], self->frames[i].number);
        buffer_clear (&self->frames[i].body);
    }
    memmove (self->frames, self->frames + self->durable_count,
             (self->frame_count - self->durable_count) * sizeof *self->frames);
    self->frame_count -= self->durable_count;
    self->durable_count = 0;
}

void
hand_fold (hand_t *self)
{
    hand_fold_aside (self);
    hand_run (self);
}

static void
stop_shards (hand_t *self)
{
    for (uint16_t i = 0; i < HAND_SHARDS; i++)
        shard_destroy (&self->shards[i]);
    for (size_t i = self->durable_count; i < self->frame_count; i++)
        buffer_clear (&self->frames[i].body);
    self->frame_count = self->durable_count;
}

void
hand_crash (hand_t *self)
{
    stop_shards (self);
    start_shards (self);
}

void
hand_crash_into (hand_t *self, const troupe_kind_t *const *kinds)
{
    stop_shards (self);
    registry_destroy (&self->registry);
    make_registry (self, kinds);
    start_shards (self);
}

void
hand_advance (hand_t *self, uint64_t ms)
{
    self->now_ms += ms;
    hand_run (self);
}

static void
answered (void *arg, const troupe_answer_t *answer)
{
    hand_answer_t *self = arg;
    self->status = answer->status;
    self->answers += 1;
    self->retry_after_ms = answer->retry_after_ms;
    self->size = answer->size < sizeof self->body ? answer->size : sizeof self->body;
    if (self->size)
        memcpy (self->body, answer->body, self->size);
    strncpy (self->text, answer->text, sizeof self->text - 1);
}

shard_t *
hand_shard_of (hand_t *self, const char *address)
{
    address_t parts;
    CHECK (address_parse (address, strlen (address), &parts, NULL) == TROUPE_OK);
    const state_identity_t *identity = self->state->identity (self->state->self);
    return self->shards[address_shard (&parts, identity->hash_seed, HAND_SHARDS)];
}

void
hand_submit (hand_t *self, hand_answer_t *answer, const troupe_call_t *asked)
{
    static uint64_t id = 1000;
    troupe_call_t whole = *asked;
    if (answer)
        *answer = (hand_answer_t) { .status = TROUPE_STATUSES };
    whole.done = answer ? answered : NULL;
    whole.arg = answer;
    call_t *call = call_new (&whole, ++id);
    shard_post (hand_shard_of (self, asked->to), &call->letter);
}

static void
post (hand_t *self, hand_answer_t *answer, troupe_call_t *asked, const char *format, va_list arguments)
{
    buffer_t body = { 0 };
    CHECK (pack_append (&body, NULL, format, arguments) == TROUPE_OK);
    asked->body = body.data;
    asked->size = body.size;
    hand_submit (self, answer, asked);
    buffer_clear (&body);
}

void
hand_call (hand_t *self, hand_answer_t *answer, const char *to, const char *verb, const char *format, ...)
{
    va_list arguments;
    troupe_call_t asked = { .to = to, .verb = verb };
    va_start (arguments, format);
    post (self, answer, &asked, format, arguments);
    va_end (arguments);
    hand_run (self);
}

void
hand_post (hand_t *self, hand_answer_t *answer, const char *to, const char *verb, const char *format, ...)
{
    va_list arguments;
    troupe_call_t asked = { .to = to, .verb = verb };
    va_start (arguments, format);
    post (self, answer, &asked, format, arguments);
    va_end (arguments);
}

void
hand_session_call (hand_t *self, hand_answer_t *answer, uint64_t session, uint64_t seq, const char *to,
                   const char *verb, const char *format, ...)
{
    va_list arguments;
    troupe_call_t asked = { .to = to, .verb = verb, .seq = seq, .not_after_ms = 1000000 + 60000 };
    memcpy (asked.session, &session, sizeof session);
    va_start (arguments, format);
    post (self, answer, &asked, format, arguments);
    va_end (arguments);
    hand_run (self);
}

bool
hand_read (const hand_answer_t *answer, const char *format, ...)
{
    arena_t arena = { 0 };
    va_list arguments;
    va_start (arguments, format);
    troupe_status_t status = pack_read (answer->body, answer->size, &arena, NULL, format, arguments);
    va_end (arguments);
    arena_clear (&arena);
    return status == TROUPE_OK;
}
