/*  answer.h - answers to calls: handed to a completion, or kept by a caller.
 *
 *  Whoever reads an answer's strings (troupe_answer_unpack) needs a place for
 *  them that lives as long as the answer. A kept answer has it in a block in front
 *  of its body, a borrowed one belongs to the thread that runs its completion.
 *  So every completion is run by answer_deliver, and every answer that outlives
 *  it is made by answer_copy.
 */
#ifndef RUNTIME_BODY_ANSWER_H
#define RUNTIME_BODY_ANSWER_H

#include <troupe.h>

/*  Runs the completion; strings that it reads from the answer live until it
 *  returns. Any thread; a completion may deliver another answer. */
void answer_deliver (troupe_done_t *done, void *arg, const troupe_answer_t *answer);

/*  A copy that lives until troupe_answer_clear. TROUPE_NO_MEMORY: then `to` is an
 *  answer of that status without a body, which needs no clearing. */
troupe_status_t answer_copy (troupe_answer_t *to, const troupe_answer_t *from) TROUPE_CHECKED;

#endif
