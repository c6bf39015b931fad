/*  test_login.c - the kind `login` on a node in simulated time: reuse of tokens, bounds, crashes in between. */

#include "actors/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe_test.h>

#include <cmocka.h>

#define SEEDS 30
#define ROTATIONS 30
#define DAY_MS 86400000ll
#define ANNA "login/anna"

static const troupe_kind_t *const kinds[] = { &login_kind, NULL };
static troupe_test_t *node;

static int
start (void **state)
{
    (void) state;
    node = troupe_test_new (kinds, 1, NULL);
    return node && troupe_test_call (node, ANNA, "create", NULL, "{s:s}", "secret_hash", "$argon2id$a") == TROUPE_OK
        ? 0 : -1;
}

static int
end (void **state)
{
    (void) state;
    troupe_test_destroy (&node);
    return 0;
}

static json_int_t
now (void)
{
    return (json_int_t) troupe_test_now (node);
}

static troupe_status_t
begin (const char *family, const char *hash)
{
    return troupe_test_call (node, ANNA, "begin_family", NULL, "{s:s, s:s, s:I, s:s}", "family", family, "token_hash",
                             hash, "expires", now () + 30 * DAY_MS, "client", "phone");
}

/*  1: exchanged; 0: seen to be reused; -1: refused. */
static int
rotate (const char *family, const char *old, const char *new)
{
    int reused = 1;
    troupe_answer_t answer;
    troupe_status_t status = troupe_test_call (node, ANNA, "rotate", &answer, "{s:s, s:s, s:s}", "family", family,
                                               "old_hash", old, "new_hash", new);
    if (status == TROUPE_OK)
        assert_int_equal (troupe_answer_unpack (&answer, NULL, "{s:b}", "reused", &reused), TROUPE_OK);
    troupe_answer_clear (&answer);
    return status == TROUPE_OK ? !reused : -1;
}

static troupe_status_t
call (const char *verb, const char *name, const char *value)
{
    return troupe_test_call (node, ANNA, verb, NULL, name ? "{s:s}" : NULL, name, value);
}

/*  As JSON; the answer of a read. */
static const char *
read_text (const char *verb, const char *name, const char *value)
{
    static char text[16384];
    troupe_answer_t answer;
    troupe_status_t status = troupe_test_call (node, ANNA, verb, &answer, name ? "{s:s}" : NULL, name, value);
    char *json = status == TROUPE_OK ? troupe_unpack_json (answer.body, answer.size, NULL) : NULL;
    snprintf (text, sizeof text, "%s", json ? json : troupe_status_name (status));
    free (json);
    troupe_answer_clear (&answer);
    return text;
}

static bool
audit_has (const char *text)
{
    return strstr (troupe_test_events (node, ANNA, "audit", 1), text) != NULL;
}

static void
account_is_made_once (void **state)
{
    (void) state;
    assert_string_equal (read_text ("secret", NULL, NULL),
                         "{\"hash\":\"$argon2id$a\",\"roles\":[],\"subject\":\"anna\",\"disabled\":false}");
    assert_int_equal (call ("create", "secret_hash", "$argon2id$b"), TROUPE_REFUSED);
    assert_non_null (strstr (read_text ("secret", NULL, NULL), "$argon2id$a"));
    assert_int_equal (troupe_test_call (node, "login/ben", "secret", NULL, NULL), TROUPE_REFUSED);
    assert_int_equal (troupe_test_call (node, "login/ben", "attempt", NULL, "{s:b, s:s}", "passed", 0, "how", "x"),
                      TROUPE_REFUSED);
    assert_string_equal (troupe_test_state (node, "login/ben"), "{}");
}

static void
account_names_are_lower_case (void **state)
{
    (void) state;
    static const char *const bad[] = { "login/Anna", "login/{anna}", "login/an!na",
        "login/01234567890123456789012345678901234567890123456789012345678901234" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal (troupe_test_call (node, bad[i], "create", NULL, "{s:s}", "secret_hash", "h"), TROUPE_REFUSED);
    assert_int_equal (troupe_test_call (node, "login/a.b+c@d-e_f", "create", NULL, "{s:s, s:s}", "secret_hash", "h",
                                        "subject", "u-1"), TROUPE_OK);
    assert_int_equal (troupe_test_call (node, "login/c", "create", NULL, "{s:s, s:s}", "secret_hash", "h", "subject",
                                        "{anna}"), TROUPE_REFUSED);
}

static void
account_token_is_good_for_one_rotation (void **state)
{
    (void) state;
    assert_int_equal (begin ("f", "h1"), TROUPE_OK);
    assert_int_equal (begin ("f", "h9"), TROUPE_REFUSED);
    assert_int_equal (rotate ("f", "h1", "h2"), 1);
    assert_int_equal (rotate ("f", "h2", "h3"), 1);
    assert_int_equal (rotate ("other", "h3", "h4"), -1);
    assert_int_equal (rotate ("f", "h3", "h4"), 1);
}

/*  The thief is first, or the owner is: the second of them ends the family for both. */
static void
account_reused_token_ends_its_family_alone (void **state)
{
    (void) state;
    assert_int_equal (begin ("f", "h1"), TROUPE_OK);
    assert_int_equal (begin ("g", "g1"), TROUPE_OK);
    assert_int_equal (rotate ("f", "h1", "h2"), 1);
    assert_int_equal (rotate ("f", "h2", "h3"), 1);
    assert_int_equal (rotate ("f", "h1", "thief"), 0);
    assert_int_equal (rotate ("f", "h3", "h4"), -1);
    assert_int_equal (rotate ("f", "thief", "h4"), -1);
    assert_int_equal (rotate ("g", "g1", "g2"), 1);
    assert_true (audit_has ("\"event\":\"token_reused\",\"what\":\"f\""));
    assert_int_equal (rotate ("g", "g1", "thief"), 0);
    assert_int_equal (rotate ("g", "g2", "g3"), -1);
}

static void
account_lost_answer_may_be_asked_for_again (void **state)
{
    (void) state;
    assert_int_equal (begin ("f", "h1"), TROUPE_OK);
    assert_int_equal (rotate ("f", "h1", "h2"), 1);
    assert_int_equal (rotate ("f", "h1", "h2"), 1);
    assert_int_equal (rotate ("f", "h2", "h3"), 1);
    assert_int_equal (rotate ("f", "h1", "h2"), 0);
    assert_int_equal (begin ("g", "g1"), TROUPE_OK);
    assert_int_equal (rotate ("g", "g1", "g1"), 0);
}

static void
account_family_ends_with_its_time (void **state)
{
    (void) state;
    assert_int_equal (begin ("f", "h1"), TROUPE_OK);
    troupe_test_pass (node, 29 * DAY_MS);
    assert_int_equal (rotate ("f", "h1", "h2"), 1);
    troupe_test_pass (node, 2 * DAY_MS);
    assert_int_equal (rotate ("f", "h2", "h3"), -1);
    assert_int_equal (begin ("g", "g1"), TROUPE_OK);
    assert_null (strstr (troupe_test_state (node, ANNA), "family/f"));
    assert_int_equal (troupe_test_call (node, ANNA, "begin_family", NULL, "{s:s, s:s, s:I}", "family", "past",
                                        "token_hash", "h", "expires", now ()), TROUPE_REFUSED);
}

static void
account_families_are_bounded (void **state)
{
    (void) state;
    char name[16];
    for (int i = 0; i < LOGIN_FAMILIES_MAX; i++) {
        snprintf (name, sizeof name, "f%d", i);
        assert_int_equal (begin (name, "h1"), TROUPE_OK);
    }
    assert_int_equal (rotate ("f0", "h1", "h2"), 1);
    assert_int_equal (begin ("last", "h1"), TROUPE_OK);
    assert_int_equal (rotate ("f1", "h1", "h2"), -1);
    assert_int_equal (rotate ("f0", "h2", "h3"), 1);
    assert_int_equal (rotate ("last", "h1", "h2"), 1);
    assert_true (audit_has ("\"event\":\"family_crowded_out\",\"what\":\"f1\""));
}

static void
account_keys_are_bounded (void **state)
{
    (void) state;
    char id[16];
    for (int i = 0; i < LOGIN_KEYS_MAX + 1; i++) {
        snprintf (id, sizeof id, "k%d", i);
        assert_int_equal (troupe_test_call (node, ANNA, "add_key", NULL, "{s:s, s:s, s:s}", "id", id, "type", "api",
                                            "value", "h"), i < LOGIN_KEYS_MAX ? TROUPE_OK : TROUPE_REFUSED);
    }
    troupe_test_subject (node, "anna");
    assert_int_equal (call ("remove_key", "id", "k0"), TROUPE_OK);
    assert_int_equal (troupe_test_call (node, ANNA, "add_key", NULL, "{s:s, s:s, s:s, s:s}", "id", "watch", "type",
                                        "device", "value", "public", "label", "my watch"), TROUPE_OK);
    assert_string_equal (read_text ("key", "id", "watch"),
                         "{\"type\":\"device\",\"value\":\"public\",\"subject\":\"anna\",\"roles\":[]}");
    assert_string_equal (read_text ("key", "id", "k0"), "refused");
    assert_null (strstr (read_text ("keys", NULL, NULL), "public"));
    assert_non_null (strstr (read_text ("keys", NULL, NULL), "my watch"));
}

static void
account_lists_are_for_its_owner (void **state)
{
    (void) state;
    assert_int_equal (begin ("f", "h1"), TROUPE_OK);
    assert_string_equal (read_text ("families", NULL, NULL), "forbidden");
    troupe_test_subject (node, "ben");
    assert_string_equal (read_text ("families", NULL, NULL), "forbidden");
    assert_string_equal (read_text ("keys", NULL, NULL), "forbidden");
    assert_int_equal (call ("end_family", "family", "f"), TROUPE_FORBIDDEN);
    assert_int_equal (call ("remove_key", "id", "k"), TROUPE_FORBIDDEN);
    troupe_test_subject (node, "anna");
    assert_non_null (strstr (read_text ("families", NULL, NULL), "\"family\":\"f\",\"client\":\"phone\""));
    assert_null (strstr (read_text ("families", NULL, NULL), "h1"));
    assert_int_equal (call ("end_family", "family", "f"), TROUPE_OK);
    assert_int_equal (call ("end_family", "family", "f"), TROUPE_OK);
    assert_int_equal (rotate ("f", "h1", "h2"), -1);
}

static void
account_new_secret_ends_other_sign_ins (void **state)
{
    (void) state;
    assert_int_equal (begin ("here", "h1"), TROUPE_OK);
    assert_int_equal (begin ("there", "t1"), TROUPE_OK);
    assert_int_equal (troupe_test_call (node, ANNA, "set_secret", NULL, "{s:s, s:s}", "secret_hash", "new", "keep",
                                        "here"), TROUPE_OK);
    assert_non_null (strstr (read_text ("secret", NULL, NULL), "\"hash\":\"new\""));
    assert_int_equal (rotate ("there", "t1", "t2"), -1);
    assert_int_equal (rotate ("here", "h1", "h2"), 1);
    assert_int_equal (call ("set_secret", "secret_hash", ""), TROUPE_REFUSED);
}

static void
account_disabled_lets_nobody_in (void **state)
{
    (void) state;
    assert_int_equal (begin ("f", "h1"), TROUPE_OK);
    assert_int_equal (call ("disable", NULL, NULL), TROUPE_OK);
    assert_non_null (strstr (read_text ("secret", NULL, NULL), "\"disabled\":true"));
    assert_int_equal (rotate ("f", "h1", "h2"), -1);
    assert_int_equal (begin ("g", "g1"), TROUPE_REFUSED);
    assert_string_equal (read_text ("key", "id", "k"), "refused");
    assert_int_equal (call ("enable", NULL, NULL), TROUPE_OK);
    assert_int_equal (rotate ("f", "h1", "h2"), -1);
    assert_int_equal (begin ("g", "g1"), TROUPE_OK);
}

static void
account_roles_are_replaced_whole (void **state)
{
    (void) state;
    troupe_test_subject (node, "root");
    assert_int_equal (troupe_test_call (node, ANNA, "set_roles", NULL, "{s:[s, s]}", "roles", "operator", "coach"),
                      TROUPE_OK);
    assert_non_null (strstr (read_text ("secret", NULL, NULL), "\"roles\":[\"operator\",\"coach\"]"));
    assert_true (audit_has ("\"event\":\"roles_changed\",\"what\":\"operator coach\",\"by\":\"root\""));
    assert_true (audit_has ("\"subject\":\"anna\",\"roles\":[\"operator\",\"coach\"]"));
    assert_int_equal (troupe_test_call (node, ANNA, "set_roles", NULL, "{s:[i]}", "roles", 7), TROUPE_REFUSED);
    assert_int_equal (troupe_test_call (node, ANNA, "set_roles", NULL, "{s:[s]}", "roles", "a b"), TROUPE_REFUSED);
    assert_int_equal (troupe_test_call (node, ANNA, "set_roles", NULL, "{s:[]}", "roles"), TROUPE_OK);
    assert_non_null (strstr (read_text ("secret", NULL, NULL), "\"roles\":[]"));
}

static void
account_audit_has_no_secrets (void **state)
{
    (void) state;
    assert_int_equal (begin ("f", "HASH1"), TROUPE_OK);
    assert_int_equal (rotate ("f", "HASH1", "HASH2"), 1);
    assert_int_equal (rotate ("f", "HASH1", "HASH3"), 0);
    assert_int_equal (call ("set_secret", "secret_hash", "HASH4"), TROUPE_OK);
    assert_int_equal (troupe_test_call (node, ANNA, "add_key", NULL, "{s:s, s:s, s:s}", "id", "k", "type", "api",
                                        "value", "HASH5"), TROUPE_OK);
    assert_int_equal (troupe_test_call (node, ANNA, "attempt", NULL, "{s:b, s:s, s:s}", "passed", 0, "how", "password",
                                        "from", "192.0.2.7"), TROUPE_OK);
    assert_int_equal (troupe_test_call (node, ANNA, "attempt", NULL, "{s:b, s:s}", "passed", 1, "how", "device"),
                      TROUPE_OK);
    assert_false (audit_has ("HASH"));
    assert_false (audit_has ("argon2"));
    assert_true (audit_has ("\"event\":\"sign_in_failed\",\"what\":\"password 192.0.2.7\""));
    assert_true (audit_has ("\"event\":\"signed_in\",\"what\":\"device\""));
}

/*  A client that sends again after each crash is never taken for a thief, and a thief always is. */
static void
rotate_over_crashes (uint64_t seed, uint64_t *crashes)
{
    char old[16] = "h0", new[16];
    node = troupe_test_new (kinds, seed, NULL);
    troupe_test_crash_often (node, 10);
    assert_int_equal (call ("create", "secret_hash", "h"), TROUPE_OK);
    assert_int_equal (begin ("f", old), TROUPE_OK);
    for (int i = 1; i <= ROTATIONS; i++) {
        snprintf (new, sizeof new, "h%d", i);
        if (rotate ("f", old, new) != 1 || (i % 5 == 0 && rotate ("f", old, new) != 1))
            fail_msg ("seed %u: rotation %d", (unsigned) seed, i);
        strcpy (old, new);
    }
    assert_int_equal (rotate ("f", "h7", "thief"), 0);
    assert_int_equal (rotate ("f", old, "next"), -1);
    troupe_test_settle (node);
    assert_null (strstr (troupe_test_state (node, ANNA), "family/"));
    *crashes += troupe_test_crashes (node);
    troupe_test_destroy (&node);
}

static void
account_rotates_over_crashes (void **state)
{
    (void) state;
    uint64_t crashes = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        rotate_over_crashes (seed, &crashes);
    assert_true (crashes > SEEDS);
}

#define CASE(name) cmocka_unit_test_setup_teardown (name, start, end)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (account_is_made_once),
        CASE (account_names_are_lower_case),
        CASE (account_token_is_good_for_one_rotation),
        CASE (account_reused_token_ends_its_family_alone),
        CASE (account_lost_answer_may_be_asked_for_again),
        CASE (account_family_ends_with_its_time),
        CASE (account_families_are_bounded),
        CASE (account_keys_are_bounded),
        CASE (account_lists_are_for_its_owner),
        CASE (account_new_secret_ends_other_sign_ins),
        CASE (account_disabled_lets_nobody_in),
        CASE (account_roles_are_replaced_whole),
        CASE (account_audit_has_no_secrets),
        cmocka_unit_test (account_rotates_over_crashes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
