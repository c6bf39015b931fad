/*  test_bank.c - the bank on a node in simulated time: no money is lost or made, whatever dies in between. */

#include "bank.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe_test.h>

#include <cmocka.h>

#define SEEDS 50
#define ACCOUNTS 5
#define TRANSFERS 20

static const troupe_kind_t *const kinds[] = { &account, NULL };

static troupe_status_t
deposit (troupe_test_t *node, const char *to, json_int_t amount)
{
    return troupe_test_call (node, to, "deposit", NULL, "{s:I}", "amount", amount);
}

static troupe_status_t
transfer (troupe_test_t *node, const char *from, const char *to, json_int_t amount)
{
    return troupe_test_call (node, from, "transfer", NULL, "{s:s, s:I}", "to", to, "amount", amount);
}

static json_int_t
balance_of (troupe_test_t *node, const char *of)
{
    troupe_answer_t answer;
    json_int_t balance = 0;
    assert_int_equal (troupe_test_call (node, of, "balance", &answer, NULL), TROUPE_OK);
    assert_int_equal (troupe_answer_unpack (&answer, NULL, "{s:I}", "balance", &balance), TROUPE_OK);
    troupe_answer_clear (&answer);
    return balance;
}

static void
bank_transfer_arrives (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 1, NULL);
    assert_int_equal (deposit (node, "account/anna", 100), TROUPE_OK);
    assert_int_equal (transfer (node, "account/anna", "account/ben", 30), TROUPE_OK);
    troupe_test_settle (node);
    assert_string_equal (troupe_test_state (node, "account/anna"), "{\"balance\":70}");
    assert_string_equal (troupe_test_state (node, "account/ben"), "{\"balance\":30}");
    troupe_test_destroy (&node);
}

static void
bank_refuses_what_is_not_there (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 2, NULL);
    assert_int_equal (deposit (node, "account/anna", 100), TROUPE_OK);
    assert_int_equal (deposit (node, "account/anna", -1), TROUPE_REFUSED);
    assert_int_equal (transfer (node, "account/anna", "account/ben", 101), TROUPE_REFUSED);
    assert_int_equal (transfer (node, "account/anna", "nobody/ben", 1), TROUPE_REFUSED);
    assert_string_equal (troupe_test_state (node, "account/anna"), "{\"balance\":100}");
    troupe_test_destroy (&node);
}

static void
bank_money_comes_back_from_a_full_account (void **state)
{
    (void) state;
    troupe_test_t *node = troupe_test_new (kinds, 3, NULL);
    assert_int_equal (deposit (node, "account/anna", 100), TROUPE_OK);
    assert_int_equal (deposit (node, "account/midas", INT64_MAX), TROUPE_OK);
    assert_int_equal (transfer (node, "account/anna", "account/midas", 100), TROUPE_OK);
    troupe_test_settle (node);
    assert_string_equal (troupe_test_state (node, "account/anna"), "{\"balance\":100}");
    troupe_test_destroy (&node);
}

static void
send_around (troupe_test_t *node)
{
    char from[32], to[32];
    for (int i = 0; i < TRANSFERS; i++) {
        snprintf (from, sizeof from, "account/%d", rand () % ACCOUNTS);
        snprintf (to, sizeof to, "account/%d", rand () % ACCOUNTS);
        troupe_status_t status = transfer (node, from, to, 1 + rand () % 80);
        assert_true (status == TROUPE_OK || status == TROUPE_REFUSED);
    }
}

/*  The seed is all that a failure needs to be seen again. */
static void
keep_money (uint64_t seed, uint64_t *crashes)
{
    char name[32];
    json_int_t sum = 0;
    troupe_test_t *node = troupe_test_new (kinds, seed, NULL);
    srand ((unsigned) seed);
    troupe_test_crash_often (node, 10);
    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf (name, sizeof name, "account/%d", i);
        assert_int_equal (deposit (node, name, 100), TROUPE_OK);
    }
    send_around (node);
    troupe_test_settle (node);
    troupe_test_crash_often (node, 0);
    for (int i = 0; i < ACCOUNTS; i++) {
        snprintf (name, sizeof name, "account/%d", i);
        sum += balance_of (node, name);
        assert_null (strstr (troupe_test_state (node, name), "way/"));
    }
    if (sum != 100 * ACCOUNTS)
        fail_msg ("seed %u: %d instead of %d", (unsigned) seed, (int) sum, 100 * ACCOUNTS);
    *crashes += troupe_test_crashes (node);
    troupe_test_destroy (&node);
}

static void
bank_keeps_its_money_over_crashes (void **state)
{
    (void) state;
    uint64_t crashes = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        keep_money (seed, &crashes);
    assert_true (crashes > SEEDS);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (bank_transfer_arrives),
        cmocka_unit_test (bank_refuses_what_is_not_there),
        cmocka_unit_test (bank_money_comes_back_from_a_full_account),
        cmocka_unit_test (bank_keeps_its_money_over_crashes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
