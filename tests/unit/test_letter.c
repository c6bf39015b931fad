/*  test_letter.c - calls from outside, and the inbox that they are posted to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "runtime/base/memory.h"
#include "runtime/letter.h"

typedef struct {
    unsigned times;
    troupe_answer_t answer;
    char body[32], text[32];
} heard_t;

static void
hear (void *arg, const troupe_answer_t *answer)
{
    heard_t *heard = arg;
    heard->times++;
    heard->answer = *answer;
    assert_true (answer->size < sizeof heard->body && strlen (answer->text) < sizeof heard->text);
    if (answer->size)
        memcpy (heard->body, answer->body, answer->size);
    strcpy (heard->text, answer->text);
}

static void
call_new_borrows_nothing (void **state)
{
    (void) state;
    heard_t heard = { 0 };
    char to[] = "user/42", verb[] = "rename", body[] = "\x81\xa1x\x01", subject[] = "anna";
    troupe_call_t asked = {
        .to = to, .verb = verb, .body = body, .size = 4, .subject = subject, .session = "0123456789abcde",
        .seq = 9, .ordered = true, .not_after_ms = 77, .done = hear, .arg = &heard
    };
    call_t *call = call_new (&asked, 1234);
    memset (to, 'x', sizeof to - 1);
    memset (verb, 'x', sizeof verb - 1);
    memset (body, 'x', sizeof body - 1);
    memset (subject, 'x', sizeof subject - 1);
    assert_int_equal (call->letter.type, LETTER_CALL);
    assert_null (call->letter.next);
    assert_null (call->next_waiter);
    assert_int_equal (call->id, 1234);
    assert_int_equal (call->submitted_ns, 0);
    assert_string_equal (call->asked.to, "user/42");
    assert_string_equal (call->asked.verb, "rename");
    assert_string_equal (call->asked.subject, "anna");
    assert_int_equal (call->asked.size, 4);
    assert_memory_equal (call->asked.body, "\x81\xa1x\x01", 4);
    assert_memory_equal (call->asked.session, "0123456789abcde", 16);
    assert_int_equal (call->asked.seq, 9);
    assert_true (call->asked.ordered);
    assert_int_equal (call->asked.not_after_ms, 77);
    call_finish (&call, TROUPE_OK, NULL, 0, NULL, 0);
    assert_null (call);
    assert_int_equal (heard.times, 1);
}

static void
call_finish_tells_the_answer_once (void **state)
{
    (void) state;
    heard_t heard = { 0 };
    troupe_call_t asked = { .to = "user/42", .verb = "pay", .done = hear, .arg = &heard };
    call_t *call = call_new (&asked, 1);
    assert_null (call->asked.body);
    assert_null (call->asked.subject);
    call_finish (&call, TROUPE_REFUSED, "\x05", 1, "no funds", 250);
    assert_int_equal (heard.times, 1);
    assert_int_equal (heard.answer.status, TROUPE_REFUSED);
    assert_int_equal (heard.answer.size, 1);
    assert_memory_equal (heard.body, "\x05", 1);
    assert_string_equal (heard.text, "no funds");
    assert_int_equal (heard.answer.retry_after_ms, 250);
}

static void
call_finish_without_body_or_text_tells_empty_ones (void **state)
{
    (void) state;
    heard_t heard = { 0 };
    troupe_call_t asked = { .to = "user/42", .verb = "pay", .done = hear, .arg = &heard };
    call_t *call = call_new (&asked, 1);
    call_finish (&call, TROUPE_OK, "", 0, NULL, 0);
    assert_null (heard.answer.body);
    assert_string_equal (heard.text, "");
}

static void
call_without_completion_is_just_freed (void **state)
{
    (void) state;
    troupe_call_t asked = { .to = "user/42", .verb = "pay" };
    call_t *call = call_new (&asked, 1);
    call_finish (&call, TROUPE_OK, NULL, 0, NULL, 0);
    assert_null (call);
}

static void
call_new_out_of_memory_is_null (void **state)
{
    (void) state;
    troupe_call_t asked = { .to = "user/42", .verb = "pay" };
    memory_fail_after (1);
    assert_null (call_new (&asked, 1));
    memory_fail_after (0);
}

/* ---- inbox ---- */

static void
inbox_push_tells_when_it_was_empty (void **state)
{
    (void) state;
    inbox_t inbox = { NULL };
    letter_t letters[3] = { { 0 } };
    assert_true (inbox_is_empty (&inbox));
    assert_null (inbox_take (&inbox));
    assert_true (inbox_push (&inbox, &letters[0]));
    assert_false (inbox_push (&inbox, &letters[1]));
    assert_false (inbox_push (&inbox, &letters[2]));
    assert_false (inbox_is_empty (&inbox));
    letter_t *row = inbox_take (&inbox);
    for (unsigned at = 0; at < 3; at++, row = row->next)
        assert_ptr_equal (row, &letters[at]);
    assert_null (row);
    assert_true (inbox_is_empty (&inbox));
    assert_true (inbox_push (&inbox, &letters[1]));
}

#define SENDERS 4
#define LETTERS 20000

typedef struct {
    letter_t letter;
    unsigned sender, number;
} numbered_t;

typedef struct {
    inbox_t *inbox;
    numbered_t *letters;
} sender_t;

static void *
send_all (void *arg)
{
    sender_t *sender = arg;
    for (unsigned at = 0; at < LETTERS; at++)
        inbox_push (sender->inbox, &sender->letters[at].letter);
    return NULL;
}

static void
inbox_keeps_the_order_of_each_sender (void **state)
{
    (void) state;
    inbox_t inbox = { NULL };
    sender_t senders[SENDERS];
    pthread_t threads[SENDERS];
    unsigned next[SENDERS] = { 0 }, taken = 0, disorder = 0;
    for (unsigned at = 0; at < SENDERS; at++) {
        senders[at] = (sender_t) { &inbox, test_calloc (LETTERS, sizeof (numbered_t)) };
        for (unsigned number = 0; number < LETTERS; number++) {
            senders[at].letters[number].sender = at;
            senders[at].letters[number].number = number;
        }
        assert_int_equal (pthread_create (&threads[at], NULL, send_all, &senders[at]), 0);
    }
    while (taken < SENDERS * LETTERS)
        for (letter_t *row = inbox_take (&inbox); row; row = row->next, taken++) {
            numbered_t *letter = (numbered_t *) row;
            disorder += letter->number != next[letter->sender]++;
        }
    for (unsigned at = 0; at < SENDERS; at++) {
        pthread_join (threads[at], NULL);
        test_free (senders[at].letters);
    }
    assert_int_equal (disorder, 0);
    assert_true (inbox_is_empty (&inbox));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (call_new_borrows_nothing),
        cmocka_unit_test (call_finish_tells_the_answer_once),
        cmocka_unit_test (call_finish_without_body_or_text_tells_empty_ones),
        cmocka_unit_test (call_without_completion_is_just_freed),
        cmocka_unit_test (call_new_out_of_memory_is_null),
        cmocka_unit_test (inbox_push_tells_when_it_was_empty),
        cmocka_unit_test (inbox_keeps_the_order_of_each_sender),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
