/*  letter.c - a call from outside: one block with all that it points to.
 *
 *  DESIGN
 *  A call crosses threads and may wait for a long time, so it borrows nothing.
 *  It is made on the caller's thread and told its answer on whichever thread
 *  releases the answer, exactly once: telling frees it. The completion is foreign
 *  code, so nothing of the runtime may be locked while it runs.
 */
#include "runtime/letter.h"

#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/answer.h"
#include <string.h>

static const char *
copy_text (char **place, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen (text) + 1;
    char *copy = memcpy (*place, text, size);
    *place += size;
    return copy;
}

static size_t
text_room (const char *text)
{
    return text ? strlen (text) + 1 : 0;
}

call_t *
call_new (const troupe_call_t *asked, uint64_t id)
{
    CHECK (asked->to && asked->verb && asked->size <= TROUPE_BODY_MAX);
    CHECK (asked->body || asked->size == 0);
    size_t texts = text_room (asked->to) + text_room (asked->verb) + text_room (asked->subject)
                   + text_room (asked->channel) + text_room (asked->trace);
    call_t *self = memory_alloc (sizeof *self + asked->size + texts);
    if (!self)
        return NULL;
    memset (self, 0, sizeof *self);
    self->letter.type = LETTER_CALL;
    self->id = id;
    self->asked = *asked;
    char *place = (char *) (self + 1);
    self->asked.body = asked->size ? memcpy (place, asked->body, asked->size) : NULL;  /* first: it stays aligned */
    place += asked->size;
    self->asked.to = copy_text (&place, asked->to);
    self->asked.verb = copy_text (&place, asked->verb);
    self->asked.subject = copy_text (&place, asked->subject);
    self->asked.channel = copy_text (&place, asked->channel);
    self->asked.trace = copy_text (&place, asked->trace);
    return self;
}

void
call_finish (call_t **self_p, troupe_status_t status, const void *body, size_t size, const char *text,
             uint32_t retry_after_ms)
{
    CHECK (self_p && *self_p);
    call_t *self = *self_p;
    *self_p = NULL;
    troupe_answer_t answer = {
        .status = status,
        .body = size ? body : NULL,
        .size = size,
        .text = text ? text : "",
        .retry_after_ms = retry_after_ms,
        .head = self->head
    };
    if (self->asked.done)
        answer_deliver (self->asked.done, self->asked.arg, &answer);
    memory_free (self);
}
