/*  test_answer.c - answers that are borrowed, and answers that are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/body/answer.h"

static troupe_error_t error;

static const troupe_answer_t runner = {
    .body = "\x82\xa6runner\xa4" "anna\xa4laps\x0a", .size = 19, .text = "", .retry_after_ms = 5
};

static void
answer_kept_is_read_until_it_is_cleared (void **state)
{
    (void) state;
    troupe_answer_t kept, moved;
    const char *name = NULL, *again = NULL;
    json_int_t laps = 0;
    assert_int_equal (answer_copy (&kept, &runner), TROUPE_OK);
    assert_ptr_not_equal (kept.body, runner.body);
    assert_int_equal (kept.retry_after_ms, 5);
    moved = kept;
    assert_int_equal (troupe_answer_unpack (&moved, &error, "{s:s,s:I}", "runner", &name, "laps", &laps), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&kept, &error, "{s:s}", "runner", &again), TROUPE_OK);
    assert_string_equal (name, "anna");
    assert_string_equal (again, "anna");
    assert_int_equal (laps, 10);
    troupe_answer_clear (&moved);
    assert_null (moved.body);
    assert_string_equal (moved.text, "");
    troupe_answer_clear (&moved);
}

static void
answer_error_keeps_its_text (void **state)
{
    (void) state;
    troupe_answer_t refused = { .status = TROUPE_REFUSED, .text = "no funds" }, kept;
    json_int_t laps = 3;
    assert_int_equal (answer_copy (&kept, &refused), TROUPE_OK);
    assert_int_equal (kept.status, TROUPE_REFUSED);
    assert_string_equal (kept.text, "no funds");
    assert_null (kept.body);
    assert_int_equal (troupe_answer_unpack (&kept, &error, "{s:I}", "laps", &laps), TROUPE_REFUSED);
    assert_string_equal (error.text, "no funds");
    assert_int_equal (laps, 3);
    troupe_answer_clear (&kept);
}

static void
answer_without_a_body_is_null (void **state)
{
    (void) state;
    troupe_answer_t empty = { .text = "" }, kept;
    const char *text;
    assert_int_equal (answer_copy (&kept, &empty), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&kept, &error, "n"), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&kept, &error, "s", &text), TROUPE_INVALID);
    troupe_answer_clear (&kept);
    troupe_answer_clear (&(troupe_answer_t) { 0 });
}

typedef struct {
    int calls;
    troupe_answer_t kept;
} seen_t;

static void
read_inner (void *arg, const troupe_answer_t *answer)
{
    const char *name = NULL;
    seen_t *seen = arg;
    assert_int_equal (troupe_answer_unpack (answer, &error, "{s:s}", "runner", &name), TROUPE_OK);
    assert_string_equal (name, "anna");
    seen->calls += 1;
}

/*  Reads, keeps a copy, and causes another completion while it runs. */
static void
read_outer (void *arg, const troupe_answer_t *answer)
{
    const char *name = NULL, *kept_name = NULL;
    seen_t *seen = arg;
    troupe_answer_t other = runner;
    uint8_t body[19];
    memcpy (body, runner.body, sizeof body);
    other.body = body;
    assert_int_equal (answer_copy (&seen->kept, answer), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (answer, &error, "{s:s}", "runner", &name), TROUPE_OK);
    answer_deliver (read_inner, seen, &other);
    assert_int_equal (troupe_answer_unpack (&seen->kept, &error, "{s:s}", "runner", &kept_name), TROUPE_OK);
    assert_string_equal (name, "anna");
    assert_string_equal (kept_name, "anna");
    seen->calls += 1;
}

static void
answer_borrowed_is_read_in_its_completion (void **state)
{
    (void) state;
    seen_t seen = { 0 };
    answer_deliver (read_outer, &seen, &runner);
    assert_int_equal (seen.calls, 2);
    troupe_answer_clear (&seen.kept);
}

static void
answer_nth_allocation_fails_needs_no_clearing (void **state)
{
    (void) state;
    troupe_answer_t both = runner, kept;
    both.status = TROUPE_REFUSED;
    both.text = "with a body";
    for (uint64_t nth = 1; nth <= 2; nth++) {
        memory_fail_after (nth);
        troupe_status_t status = answer_copy (&kept, &both);
        memory_fail_after (0);
        assert_int_equal (status, TROUPE_NO_MEMORY);
        assert_int_equal (kept.status, TROUPE_NO_MEMORY);
        assert_null (kept.body);
        assert_string_equal (kept.text, "");
    }
    assert_int_equal (answer_copy (&kept, &both), TROUPE_OK);
    memory_fail_after (1);
    const char *name = "untouched";
    troupe_status_t status = troupe_answer_unpack (&kept, &error, "{s:s}", "runner", &name);
    memory_fail_after (0);
    assert_int_equal (status, TROUPE_NO_MEMORY);
    assert_string_equal (name, "untouched");
    troupe_answer_clear (&kept);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (answer_kept_is_read_until_it_is_cleared),
        cmocka_unit_test (answer_error_keeps_its_text),
        cmocka_unit_test (answer_without_a_body_is_null),
        cmocka_unit_test (answer_borrowed_is_read_in_its_completion),
        cmocka_unit_test (answer_nth_allocation_fails_needs_no_clearing),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
