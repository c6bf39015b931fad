/*  answer.c - answers to calls: handed to a completion, or kept by a caller.
 *
 *  DESIGN
 *  troupe_answer_t says nothing of how it is kept. A kept body stands behind a
 *  head with an arena, so that troupe_answer_clear frees the strings with it and
 *  a copied struct still finds them. A kept text is a block of its own, an empty
 *  one is never allocated. Whether an answer is borrowed is known from the thread:
 *  only inside of answer_deliver is there such an answer, and it is the one with
 *  that body. A kept answer is used by one thread at a time.
 */
#include "runtime/body/answer.h"

#include "runtime/base/arena.h"
#include "runtime/base/error.h"
#include "runtime/base/memory.h"
#include "runtime/body/pack.h"

#define KEPT_MARK 0x70656b2d72776e61u  /* says that there is such a head */

/*  In front of a kept body. */
typedef struct {
    uint64_t mark;
    arena_t strings;
} kept_t;

/*  A completion that runs on this thread. */
typedef struct delivery_s {
    struct delivery_s *outer;
    const void *body;
    arena_t strings;
} delivery_t;

static _Thread_local delivery_t *innermost;

void
answer_deliver (troupe_done_t *done, void *arg, const troupe_answer_t *answer)
{
    delivery_t delivery = { .outer = innermost, .body = answer->body };
    innermost = &delivery;
    done (arg, answer);
    CHECK (innermost == &delivery);
    innermost = delivery.outer;
    arena_clear (&delivery.strings);
}

static kept_t *
kept_of (const void *body)
{
    kept_t *kept = (kept_t *) body - 1;
    CHECK (kept->mark == KEPT_MARK);
    return kept;
}

/*  Where the strings of this answer belong. Without a body it has none. */
static arena_t *
strings_of (const troupe_answer_t *answer)
{
    for (delivery_t *delivery = innermost; delivery; delivery = delivery->outer)
        if (delivery->body == answer->body)
            return &delivery->strings;
    return answer->body ? &kept_of (answer->body)->strings : NULL;
}

static troupe_status_t
copy_parts (troupe_answer_t *to, const troupe_answer_t *from)
{
    if (from->text && *from->text) {
        to->text = memory_strdup (from->text);
        if (!to->text)
            return TROUPE_NO_MEMORY;
    }
    if (from->size == 0)
        return TROUPE_OK;
    kept_t *kept = memory_alloc (sizeof *kept + from->size);
    if (!kept)
        return TROUPE_NO_MEMORY;
    *kept = (kept_t) { .mark = KEPT_MARK };
    to->body = memcpy (kept + 1, from->body, from->size);
    to->size = from->size;
    return TROUPE_OK;
}

troupe_status_t
answer_copy (troupe_answer_t *to, const troupe_answer_t *from)
{
    *to = (troupe_answer_t) { .status = from->status, .text = "", .retry_after_ms = from->retry_after_ms,
                              .head = from->head };
    troupe_status_t status = copy_parts (to, from);
    if (status != TROUPE_OK) {
        if (to->text)
            troupe_answer_clear (to);
        *to = (troupe_answer_t) { .status = status, .text = "" };
    }
    return status;
}

void
troupe_answer_clear (troupe_answer_t *answer)
{
    if (answer->body) {
        kept_t *kept = kept_of (answer->body);
        kept->mark = 0;
        arena_clear (&kept->strings);
        memory_free (kept);
    }
    if (answer->text && *answer->text)
        memory_free ((char *) answer->text);
    *answer = (troupe_answer_t) { .text = "" };
}

/*  An error without a body is itself what there is to say. */
troupe_status_t
troupe_answer_unpack (const troupe_answer_t *answer, troupe_error_t *error, const char *format, ...)
{
    if (answer->status != TROUPE_OK && answer->size == 0)
        return error_set (error, answer->status, "%s", answer->text ? answer->text : "");
    va_list arguments;
    va_start (arguments, format);
    arena_t none = { 0 };
    arena_t *strings = strings_of (answer);
    troupe_status_t status =
        pack_read (answer->body, answer->size, strings ? strings : &none, error, format, arguments);
    va_end (arguments);
    arena_clear (&none);
    return status;
}
